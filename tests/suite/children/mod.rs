//! Children of either era on each kind of wire: found out, called, and broken in every way.

mod probe;
mod headers;
mod faults;
mod passing;
mod listening;
mod callers;

use harness::scripted::{Cast, Http, Play, Script, Speaks, Step, What, at, string};

/// The program that plays a scripted child.
const PROGRAM: &str = env!("CARGO_BIN_EXE_scripted-child");

/// A kind of wire and the era spoken on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    InProcess,
    ModernProcess,
    LegacyProcess,
    ModernSocket,
    LegacySocket,
    ModernWebSocket,
    LegacyWebSocket,
    LegacyPaired,
    ModernHttp,
    ModernEvents,
    LegacyHttp,
    LegacyEvents,
}

use Wire::{InProcess, LegacyEvents, LegacyHttp, LegacyProcess};
use Wire::{LegacyPaired, LegacySocket, LegacyWebSocket, ModernSocket, ModernWebSocket};
use Wire::{ModernEvents, ModernHttp, ModernProcess};

pub(crate) const ALL: [Wire; 12] = [
    InProcess,
    ModernProcess,
    LegacyProcess,
    ModernSocket,
    LegacySocket,
    ModernWebSocket,
    LegacyWebSocket,
    LegacyPaired,
    ModernHttp,
    ModernEvents,
    LegacyHttp,
    LegacyEvents,
];
/// Those on which all calls share one channel.
pub(crate) const ON_A_CHANNEL: [Wire; 6] =
    [ModernProcess, LegacyProcess, ModernSocket, LegacySocket, ModernWebSocket, LegacyWebSocket];
pub(crate) const OVER_HTTP: [Wire; 4] = [ModernHttp, ModernEvents, LegacyHttp, LegacyEvents];

impl Wire {
    pub(crate) fn is_legacy(self) -> bool {
        matches!(
            self,
            LegacyProcess
                | LegacySocket
                | LegacyWebSocket
                | LegacyPaired
                | LegacyHttp
                | LegacyEvents
        )
    }

    /// The script with the manners of this wire.
    pub(crate) fn dressed(self, script: Script) -> Script {
        let speaks = if self.is_legacy() { Speaks::Legacy } else { Speaks::Modern };
        let events = matches!(self, ModernEvents | LegacyEvents);
        let (session, strict) = (self.is_legacy(), !self.is_legacy());
        let http = Http { events, session, strict, standing: events, ..script.http };
        Script { speaks, http, ..script }
    }

    /// A mount `m` with this child, beside a mount `other` with a tool `t`.
    pub(crate) async fn play(self, keys: &str, script: Script) -> Play {
        let cast = Cast::new("").in_process("other", "", Script::modern().tool("t"));
        let script = self.dressed(script);
        let cast = match self {
            InProcess => cast.in_process("m", keys, script),
            ModernProcess | LegacyProcess => cast.process("m", keys, PROGRAM, script).await,
            ModernSocket | LegacySocket => cast.unix_socket("m", keys, script).await,
            ModernWebSocket | LegacyWebSocket => cast.web_socket("m", keys, script).await,
            LegacyPaired => cast.paired("m", keys, script).await,
            _ => cast.http("m", keys, script).await,
        };
        cast.start().await
    }
}

/// A child with a tool `t` that does this when it is called.
fn does(steps: &[Step]) -> Script {
    Script::modern().tool("t").tool("well").on("tools/call t", steps)
}

/// `data.gateway.code` of an error.
fn code(answer: &str) -> String {
    let data = at(answer, &["error", "data", "gateway"]).unwrap_or_default();
    string(&data, "code").unwrap_or_else(|| format!("no fault of the gateway: {answer}"))
}

/// The methods that the child of `m` was asked, in order.
async fn asked(play: &Play) -> Vec<String> {
    let mut seen = play.director("m").seen().await;
    seen.retain(|seen| seen.what == What::Request);
    seen.into_iter().map(|seen| seen.method).collect()
}

async fn speaks(play: &Play) -> String {
    let reports = play.running.gateway().mounts();
    let report = reports.iter().find(|report| report.name == "m").expect("the mount m");
    report.speaks.clone().unwrap_or_else(|| report.state.to_owned())
}
