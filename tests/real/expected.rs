//! What clients see when they ask the servers directly: the measure for the way through here.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::client::{Client, Era, Target};
use crate::fixture::Fixture;
use crate::plan::{self, Mount};
use crate::programs::{self, Program};
use crate::report::Report;
use crate::served::Served;

/// Longer texts are shown by their beginning and their length.
const SHOWN_MAX: usize = 100;

/// The command of a mount's server.
pub(crate) fn program(mount: Mount, fixture: &Fixture) -> Program {
    match mount {
        Mount::Everything => programs::everything(),
        Mount::EverythingHttp => programs::everything_http(),
        Mount::Files => programs::filesystem(&fixture.files()),
        Mount::Memory => programs::memory(&fixture.fresh_memory()),
        Mount::Time => programs::time(),
        Mount::Git => programs::git(),
    }
}

/// What a client sees of a server does not change while the tests run: it looks once.
static ALONE: LazyLock<Mutex<Seen>> = LazyLock::new(Mutex::default);

type Seen = HashMap<(Client, Era), Arc<OnceCell<Report>>>;

/// What `client` sees of every server without a gateway; in the modern era of those that speak it.
pub(crate) async fn alone(client: Client, era: Era) -> Report {
    let cell = {
        let mut all = ALONE.lock().expect("no test failed while it looked up");
        all.entry((client, era)).or_default().clone()
    };
    cell.get_or_init(|| look(client, era)).await.clone()
}

/// What `client` is to see of every server: the modern ones in its own era, the legacy ones in
/// theirs.
pub(crate) async fn direct(client: Client, era: Era) -> Report {
    let own = alone(client, era).await;
    if era == Era::Legacy {
        return own;
    }
    let legacy = alone(client, Era::Legacy).await;
    let others = Mount::ALL.into_iter().filter(|mount| !mount.is_modern());
    others.fold(own, |all, mount| all.join(legacy.of(mount.prefix())))
}

/// Plays every mount's plan against its own server.
async fn look(client: Client, era: Era) -> Report {
    let fixture = Fixture::new();
    let http = Served::start(&programs::everything_http(), &fixture.path().join("http.txt")).await;
    let mut all = Report::default();
    for mount in Mount::ALL {
        if era == Era::Modern && !mount.is_modern() {
            continue;
        }
        let target = match mount {
            Mount::EverythingHttp => Target::Url(http.url.clone()),
            _ => Target::Spawned(program(mount, &fixture)),
        };
        let plan = plan::direct(mount, &fixture);
        let report = client.play(era, &target, &plan, &fixture).await;
        let protocol = &report.step("connect")["protocol"];
        assert_eq!(protocol, era.protocol(), "{client:?} directly to {mount:?}");
        all = all.join(report.of(mount.prefix()));
    }
    all
}

/// A report as text, one line a step, short enough to be read and kept in the repository.
pub(crate) fn condensed(report: &Report) -> String {
    let mut text = String::new();
    for (label, outcome) in report.steps() {
        let line = match outcome["items"].as_array() {
            Some(items) => json!(items.iter().map(identity).collect::<Vec<_>>()),
            None => shortened(outcome.clone()),
        };
        text.push_str(&format!("{label} = {line}\n"));
    }
    text
}

/// By what an entry of a list is asked for.
fn identity(item: &Value) -> Value {
    let names = ["uriTemplate", "uri", "name"];
    names.iter().map(|name| item[name].clone()).find(Value::is_string).unwrap_or_default()
}

fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > SHOWN_MAX => {
            let start: String = text.chars().take(SHOWN_MAX / 2).collect();
            json!(format!("{start}… ({} characters)", text.chars().count()))
        }
        Value::Array(items) => items.into_iter().map(shortened).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, member)| (name, shortened(member))).collect()
        }
        other => other,
    }
}
