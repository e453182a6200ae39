//! What a child compiled into the gateway's process has to be: one method, no bytes on a wire.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use crate::{ErrorObject, Raw};

/// A future that is sent between threads.
pub type Sending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One request to a compiled-in child.
#[derive(Clone)]
#[non_exhaustive]
pub struct ChildRequest {
    /// The method, such as `tools/call`.
    pub method: String,
    /// The `params` object, as a modern (2026-07-28) client would send it: `_meta` holds the
    /// protocol version, the caller's capabilities and, where progress is wanted, a token.
    pub params: Raw,
    /// Where notifications that belong to this request go (progress, log messages, and for
    /// `subscriptions/listen` the acknowledgement and every event).
    pub back: Arc<dyn Notify>,
    /// Who calls, as the front door says; `anonymous` where nothing authenticates.
    pub principal: Arc<str>,
    /// What the front door knows of the caller.
    pub grant: Arc<Grant>,
}

impl ChildRequest {
    /// A request of an anonymous caller.
    pub fn new(method: impl Into<String>, params: Raw, back: Arc<dyn Notify>) -> Self {
        let (principal, grant) = ("anonymous".into(), Arc::new(Grant::default()));
        Self { method: method.into(), params, back, principal, grant }
    }

    /// The same of another caller.
    #[must_use]
    pub fn of(mut self, principal: Arc<str>, grant: Arc<Grant>) -> Self {
        (self.principal, self.grant) = (principal, grant);
        self
    }
}

/// What is known of a caller besides its name, once something authenticates it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// The claims of its token, an object.
    pub claims: Raw,
    /// What it may do, in the words of whoever gave the token.
    pub scopes: Vec<Box<str>>,
}

impl Grant {
    /// Whether this scope is among its scopes.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|one| &**one == scope)
    }
}

/// What a mount says to the child it makes.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// `[mounts.<name>.options]` as an object; secrets are filled in.
    pub values: Raw,
    /// The folder from which relative paths are seen.
    pub folder: PathBuf,
}

impl fmt::Debug for Options {
    /// Without the values, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Makes the instances of one compiled-in child.
///
/// Any `Fn() -> Arc<dyn InProcess>` does, for a child that takes no options.
pub trait Make: Send + Sync + 'static {
    /// Everything that is wrong with the options; opens and starts nothing.
    fn check(&self, options: &Options) -> Vec<Violation>;

    /// An instance with a state of its own.
    ///
    /// # Errors
    /// What [`Make::check`] says, and what shows only when the instance is made.
    fn make(&self, options: &Options) -> Result<Arc<dyn InProcess>, Vec<Violation>>;
}

impl fmt::Debug for dyn Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Make")
    }
}

impl<F: Fn() -> Arc<dyn InProcess> + Send + Sync + 'static> Make for F {
    fn check(&self, options: &Options) -> Vec<Violation> {
        let members = crate::json::Members::read(&options.values);
        let names = members.iter().flat_map(|members| members.iter().map(|(name, _)| name));
        let of_name = |name: &str| Violation {
            path: vec![Place::Member(name.to_owned())],
            expected: "no option: this child takes none".to_owned(),
            came: String::new(),
        };
        names.map(of_name).collect()
    }

    fn make(&self, options: &Options) -> Result<Arc<dyn InProcess>, Vec<Violation>> {
        let wrong = self.check(options);
        if wrong.is_empty() { Ok(self()) } else { Err(wrong) }
    }
}

/// One thing that is wrong with a value: where, what was expected, what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The way from the whole value to the part.
    pub path: Vec<Place>,
    /// What should stand there, such as `a whole number from 1 to 100`.
    pub expected: String,
    /// What stands there, shortened; it may be secret.
    pub came: String,
}

/// One step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A member of an object.
    Member(String),
    /// An element of a list.
    Element(usize),
}

impl Violation {
    /// The path as people write it: `options.columns[2]`.
    pub fn place(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Place::Element(index) => text.push_str(&format!("[{index}]")),
                Place::Member(name) => {
                    let dot = if text.is_empty() { "" } else { "." };
                    text.push_str(&format!("{dot}{name}"));
                }
            }
        }
        text
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        let colon = if place.is_empty() { "" } else { ": " };
        write!(f, "{place}{colon}expected {}", self.expected)?;
        if self.came.is_empty() { Ok(()) } else { write!(f, ", came {}", self.came) }
    }
}

/// A server in this process, spoken to in the modern era's shapes.
///
/// Stateless as `2026-07-28` is: no handshake comes first, each request carries its own metadata,
/// `server/discover` and `subscriptions/listen` are requests like any other.
pub trait InProcess: Send + Sync + 'static {
    /// Answers one request with the raw `result` object or an error. Dropping the future cancels
    /// the request. A `subscriptions/listen` stays pending for as long as it is served.
    fn request(&self, request: ChildRequest) -> Sending<'static, Result<Raw, ErrorObject>>;

    /// Figures for whoever operates the gateway, an object that is shown with the mount; without
    /// secrets, and answered at once.
    fn figures(&self) -> Option<Raw> {
        None
    }
}

/// Takes the notifications that a request causes.
pub trait Notify: Send + Sync {
    /// Sends one notification; waits while the receiver's bounded queue is full.
    fn notify<'a>(&'a self, method: &'a str, params: Raw) -> Sending<'a, ()>;
}
