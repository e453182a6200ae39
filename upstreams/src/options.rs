//! A child with options: a type that `[mounts.<name>.options]` is checked against and read into.

use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use protocol::{InProcess, Make, Options, Place, Violation};
use rmcp::ServerHandler;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::schema::Schema;

/// Makes a child from its options, and from the folder that relative paths in them are seen from.
///
/// `O` should have `#[serde(default, deny_unknown_fields)]`: each option has a default, so that
/// the child can be mounted with none. Bounds stand at its members as at arguments of tools, and
/// `gateway check` tells every violation with its line. `make` says what a schema cannot.
///
/// ```text
/// ("weather", with_options(|options: WeatherOptions, _folder| Weather::new(options)))
/// ```
pub fn with_options<O, S>(make: fn(O, &Path) -> Result<S, Vec<Violation>>) -> Arc<dyn Make>
where
    O: DeserializeOwned + JsonSchema + 'static,
    S: ServerHandler,
{
    with_figures(make, None)
}

/// The same for a child with figures for whoever operates the gateway: pools and the like.
pub(crate) fn with_figures<O, S>(
    make: fn(O, &Path) -> Result<S, Vec<Violation>>,
    figures: Option<fn(&S) -> Value>,
) -> Arc<dyn Make>
where
    O: DeserializeOwned + JsonSchema + 'static,
    S: ServerHandler,
{
    let schema = LazyLock::new(Schema::of::<O> as fn() -> Schema);
    Arc::new(WithOptions { schema, make, figures, options: PhantomData })
}

struct WithOptions<O, S> {
    schema: LazyLock<Schema>,
    make: fn(O, &Path) -> Result<S, Vec<Violation>>,
    figures: Option<fn(&S) -> Value>,
    options: PhantomData<fn() -> O>,
}

impl<O: DeserializeOwned + JsonSchema + 'static, S: ServerHandler> WithOptions<O, S> {
    fn read(&self, options: &Options) -> Result<O, Vec<Violation>> {
        let other =
            |expected: String| vec![Violation { path: Vec::new(), expected, came: String::new() }];
        let values: Value =
            options.values.read().map_err(|fault| other(format!("a table: {fault}")))?;
        let violations = self.schema.check(&values);
        if !violations.is_empty() {
            return Err(violations);
        }
        serde_json::from_value(values).map_err(|fault| {
            // Of what came, only the kind of it is told: it may be secret.
            let text = fault.to_string();
            let expected = text.rsplit_once("expected ").map_or("other options", |(_, it)| it);
            other(expected.to_owned())
        })
    }
}

impl<O: DeserializeOwned + JsonSchema + 'static, S: ServerHandler> Make for WithOptions<O, S> {
    fn check(&self, options: &Options) -> Vec<Violation> {
        self.read(options).err().unwrap_or_default()
    }

    fn make(&self, options: &Options) -> Result<Arc<dyn InProcess>, Vec<Violation>> {
        let server = (self.make)(self.read(options)?, &options.folder)?;
        Ok(match self.figures {
            None => crate::mount(server),
            Some(figures) => crate::embed::mount_with_figures(server, figures),
        })
    }
}

/// A violation of one option.
pub fn wrong_option(name: &str, expected: impl Into<String>) -> Violation {
    let path = name.split('.').map(|step| Place::Member(step.to_owned())).collect();
    Violation { path, expected: expected.into(), came: String::new() }
}
