//! Questions of children to clients, in every pair of eras and on each wire.

mod pairs;
mod states;
mod foreign;
mod whose;
mod crossing;
mod late;
mod declared;
mod ledger;
mod killed;
mod reloaded;
mod sharing_of;
mod undelivered;
mod visits;

use harness::scripted::{Cast, Http, Play, Script, Speaks, Step};

/// The program that plays a scripted child.
const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-child");

/// A child that asks, and how it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    InProcess,
    ModernProcess,
    ModernHttp,
    LegacyProcess,
    LegacyHttp,
}

use Child::{InProcess, LegacyHttp, LegacyProcess, ModernHttp, ModernProcess};

pub(crate) const ALL: [Child; 5] =
    [InProcess, ModernProcess, ModernHttp, LegacyProcess, LegacyHttp];
pub(crate) const LEGACY: [Child; 2] = [LegacyProcess, LegacyHttp];
pub(crate) const MODERN: [Child; 3] = [InProcess, ModernProcess, ModernHttp];

impl Child {
    /// A gateway with this child at the mount `m`.
    pub(crate) async fn play(self, keys: &str, script: Script) -> Play {
        self.play_with("", keys, script).await
    }

    /// The same with keys of the gateway.
    pub(crate) async fn play_with(self, gateway: &str, keys: &str, script: Script) -> Play {
        self.join(Cast::new(gateway), "m", keys, script).await.start().await
    }

    /// The cast with this child at the mount `name`.
    async fn join(self, cast: Cast, name: &str, keys: &str, script: Script) -> Cast {
        let script = self.scripted(script);
        match self {
            InProcess => cast.in_process(name, keys, script),
            ModernProcess | LegacyProcess => cast.process(name, keys, PROGRAM, script).await,
            ModernHttp | LegacyHttp => cast.http(name, keys, script).await,
        }
    }

    /// A script as this child plays it.
    fn scripted(self, script: Script) -> Script {
        let legacy = LEGACY.contains(&self);
        let speaks = if legacy { Speaks::Legacy } else { Speaks::Modern };
        let (events, session, standing) = (legacy, legacy, legacy);
        let http = Http { events, session, standing, strict: !legacy, ..script.http };
        Script { speaks, http, ..script }
    }
}

/// A child with a tool `t` that does this when it is called.
fn does(steps: &[Step]) -> Script {
    Script::modern().tool("t").on("tools/call t", steps)
}

/// One question.
fn ask(method: &str, params: &str) -> Step {
    Step::Ask(vec![(method.to_owned(), params.to_owned())])
}

const FORM: &str = r#"{"mode":"form","message":"$arguments","requestedSchema":{"type":"object"}}"#;
const PAGE: &str = r#"{"mode":"url","message":"go there","url":"https://a.example/x"}"#;
const SAMPLE: &str = r#"{"messages":[],"maxTokens":7,"x-own":1.0}"#;
const SAMPLE_WITH_TOOLS: &str = r#"{"messages":[],"maxTokens":7,"tools":[{"name":"x"}]}"#;

/// A person and a model that say what they were asked.
pub(crate) fn willing(method: &str, params: &str) -> String {
    let said = protocol::json::quoted(&format!("{method} {params}"));
    match method {
        "elicitation/create" => format!(r#"{{"action":"accept","content":{{"said":{said}}}}}"#),
        "sampling/createMessage" => format!(
            r#"{{"role":"assistant","model":"m","content":{{"type":"text","text":{said}}}}}"#
        ),
        _ => r#"{"roots":[{"uri":"file:///work","name":"w"}]}"#.to_owned(),
    }
}
