//! Real processes: how they start, speak, die and end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use protocol::Method;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::super::{EraPin, StdioDial, StdioSettings};
use super::{call, call_back, word};
use crate::call::{Dial, Fault, Link};

/// A server in Python. `ERA` is legacy, modern, deadly (dies of a question before the handshake) or
/// silent (answers only the handshake); each start adds a line to the file `starts`.
const SERVER: &str = r#"
import json, os, subprocess, sys, time
ERA = os.environ["ERA"]
open("starts", "a").write(ERA + "\n")
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
sys.stderr.write("ready to serve\n"); sys.stderr.flush()
greeted = False
for line in sys.stdin:
    m = json.loads(line)
    method, id, params = m.get("method"), m.get("id"), m.get("params", {})
    open("heard", "a").write(method + "\n")
    if method == "server/discover":
        if ERA == "modern":
            say(id=id, result={"resultType": "complete", "supportedVersions": ["2026-07-28"],
                               "capabilities": {"tools": {}}})
        elif ERA == "deadly":
            sys.stderr.write("KeyError: server/discover\n"); sys.exit(3)
        elif ERA == "legacy":
            say(id=id, error={"code": -32601, "message": "Method not found"})
    elif method == "initialize":
        if ERA == "modern":
            say(id=id, error={"code": -32601, "message": "Method not found"})
            continue
        greeted = True
        print("Server running on stdio", flush=True)
        say(id=id, result={"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "s", "version": "1"}})
    elif method == "tools/call":
        name = params["name"]
        if name == "env": say(id=id, result={"content": [], "env": dict(os.environ)})
        elif name == "cwd": say(id=id, result={"content": [], "cwd": os.getcwd()})
        elif name == "crash":
            sys.stderr.write("I go\n"); sys.stderr.flush(); os._exit(7)
        elif name == "grandchild":
            p = subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
            say(id=id, result={"content": [], "pid": p.pid, "mine": os.getpid()})
        elif name == "hang": say(method="notifications/progress", params={
                "progressToken": params["_meta"]["progressToken"], "progress": 1})
"#;

struct Server {
    dial: StdioDial,
    folder: TempDir,
}

fn server(era: &str, change: impl FnOnce(&mut StdioSettings)) -> Server {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.py"), SERVER).unwrap();
    let mut settings = StdioSettings::new("m", "python3");
    settings.args = vec!["server.py".to_owned()];
    settings.env = vec![("ERA".to_owned(), era.to_owned())];
    settings.cwd = Some(folder.path().to_owned());
    settings.probe_wait = Duration::from_secs(60);
    change(&mut settings);
    Server { dial: StdioDial::new(settings), folder }
}

impl Server {
    async fn dial(&self) -> Result<Arc<dyn Link>, Fault> {
        self.dial.dial(mpsc::channel(8).0).await
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

async fn tool(link: &Arc<dyn Link>, name: &str) -> Value {
    let reply = link.serve(call(Method::ToolsCall, json!({"name": name}))).await.unwrap();
    serde_json::from_str(&reply.result).unwrap()
}

fn lives(pid: &Value) -> bool {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    if test_kill_process(Pid::from_raw(pid).unwrap()).is_err() {
        return false;
    }
    // Dead, but not yet taken note of by whoever inherited it.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.contains(") Z ") && !status.is_empty()
}

async fn gone(pid: &Value) {
    while lives(pid) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_legacy_process_is_found_out_and_remembered() {
    let server = server("legacy", |_| {});
    let link = server.dial().await.unwrap();
    assert_eq!(link.about().speaks, "legacy 2025-06-18");
    assert_eq!(tool(&link, "cwd").await["content"], json!([]));
    link.close().await;
    server.dial().await.unwrap().close().await;
    let heard = server.lines("heard").join(" ");
    let first = "server/discover initialize notifications/initialized tools/call";
    assert_eq!(heard, format!("{first} initialize notifications/initialized"));
    assert_eq!(server.lines("starts").len(), 2);
    let words = server.dial.last_words().join("\n");
    assert!(words.contains("ready to serve") && words.contains("Server running"), "{words}");
}

#[tokio::test]
async fn a_modern_process_hears_no_handshake() {
    let server = server("modern", |_| {});
    let link = server.dial().await.unwrap();
    assert_eq!(link.about().speaks, "modern 2026-07-28");
    link.probe().await.unwrap();
    link.close().await;
    assert_eq!(server.lines("heard"), ["server/discover", "server/discover"]);
}

#[tokio::test]
async fn a_process_that_dies_of_the_probe_is_started_again_for_the_handshake() {
    let server = server("deadly", |_| {});
    let link = server.dial().await.unwrap();
    assert_eq!(link.about().speaks, "legacy 2025-06-18");
    assert_eq!(server.lines("starts").len(), 2);
    link.close().await;
    server.dial().await.unwrap().close().await;
    assert_eq!(server.lines("starts").len(), 3, "the second time it is known");
}

#[tokio::test]
async fn c038_silence_means_legacy() {
    let server = server("silent", |settings| settings.probe_wait = Duration::from_millis(50));
    let link = server.dial().await.unwrap();
    assert_eq!(link.about().speaks, "legacy 2025-06-18");
    link.close().await;
}

#[tokio::test]
async fn c043_a_pinned_era_is_not_asked_about() {
    let legacy = server("deadly", |settings| settings.era = EraPin::Legacy);
    legacy.dial().await.unwrap().close().await;
    assert_eq!(legacy.lines("heard"), ["initialize", "notifications/initialized"]);
    let modern = server("legacy", |settings| settings.era = EraPin::Modern);
    let fault = modern.dial().await.err().unwrap();
    assert!(fault.text.contains("era = \"auto\""), "{fault:?}");
    assert_eq!(modern.lines("heard"), ["server/discover"]);
}

#[tokio::test]
async fn c041_a_verdict_that_no_longer_holds_is_found_out_anew() {
    let mut server = server("legacy", |_| {});
    server.dial().await.unwrap().close().await;
    let script = SERVER.replace("ERA = os.environ[\"ERA\"]", "ERA = \"modern\"");
    std::fs::write(server.folder.path().join("server.py"), script).unwrap();
    let link = server.dial().await.unwrap();
    assert_eq!(link.about().speaks, "modern 2026-07-28");
    link.close().await;
    assert_eq!(server.lines("starts"), ["legacy", "modern", "modern"]);
    server.dial = StdioDial::new(StdioSettings::new("m", "true"));
    assert_eq!(word(&server.dial().await.err().unwrap().kind), "unreachable");
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_call_leaves_its_outcome_unknown() {
    let server = server("legacy", |_| {});
    let link = server.dial().await.unwrap();
    let crash = link.serve(call(Method::ToolsCall, json!({"name": "crash"})));
    let read = link.serve(call(Method::ToolsCall, json!({"name": "hang"})));
    let (crash, read) = tokio::join!(crash, read);
    assert_eq!(word(&crash.unwrap_err().kind), "outcome unknown");
    assert_ne!(word(&read.unwrap_err().kind), "child");
    let why = link.lost().await;
    assert!(why.contains("exit status: 7"), "{why}");
    assert!(server.dial.last_words().contains(&"I go".to_owned()));
    let late = link.serve(call(Method::ToolsCall, json!({"name": "cwd"}))).await;
    assert_eq!(word(&late.unwrap_err().kind), "unreachable");
}

#[tokio::test]
async fn progress_comes_from_a_process_and_a_dropped_call_is_cancelled_there() {
    let server = server("legacy", |_| {});
    let link = server.dial().await.unwrap();
    let (hang, mut notices) = call_back(Method::ToolsCall, json!({"name": "hang"}));
    tokio::select! {
        reply = link.serve(hang) => panic!("{reply:?}"),
        notice = notices.recv() => assert_eq!(notice.unwrap().method, "notifications/progress"),
    }
    assert!(tool(&link, "cwd").await["cwd"].is_string());
    assert!(server.lines("heard").contains(&"notifications/cancelled".to_owned()));
    link.close().await;
}

#[tokio::test]
async fn c075_close_leaves_nothing_of_the_group() {
    let server = server("legacy", |_| {});
    let link = server.dial().await.unwrap();
    let pids = tool(&link, "grandchild").await;
    assert!(lives(&pids["pid"]) && lives(&pids["mine"]));
    link.close().await;
    gone(&pids["pid"]).await;
    assert!(!lives(&pids["mine"]));
    assert!(link.lost().await.contains("exit status: 0"), "its input was closed, no more");
    link.close().await;
}

#[tokio::test]
async fn a_link_that_is_dropped_kills_the_group() {
    let server = server("legacy", |_| {});
    let link = server.dial().await.unwrap();
    let pids = tool(&link, "grandchild").await;
    drop(link);
    gone(&pids["pid"]).await;
    gone(&pids["mine"]).await;
}

#[tokio::test]
async fn a_process_that_dies_takes_what_it_started_with_it() {
    let server = server("legacy", |_| {});
    let link = server.dial().await.unwrap();
    let pids = tool(&link, "grandchild").await;
    let crash = link.serve(call(Method::ToolsCall, json!({"name": "crash"}))).await;
    assert!(crash.is_err());
    gone(&pids["pid"]).await;
}

#[tokio::test]
async fn a_process_that_heeds_neither_its_input_nor_sigterm_is_killed() {
    let deaf = "import signal, sys\n\
        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        .to_owned()
        + &SERVER.replace(
            "if name == \"env\"",
            "if name == \"deaf\": time.sleep(1000)\n        if name == \"env\"",
        );
    let server = server("legacy", |_| {});
    std::fs::write(server.folder.path().join("server.py"), deaf).unwrap();
    let link = server.dial().await.unwrap();
    let pids = tool(&link, "grandchild").await;
    let stuck = link.serve(call(Method::ToolsCall, json!({"name": "deaf"})));
    let (stuck, ()) = tokio::join!(stuck, link.close());
    assert_eq!(word(&stuck.unwrap_err().kind), "outcome unknown");
    assert!(!lives(&pids["mine"]) && link.lost().await.contains("signal: 9"));
    gone(&pids["pid"]).await;
}

#[tokio::test]
async fn a_dial_that_is_dropped_leaves_no_process() {
    let server = server("silent", |_| {});
    let pid = {
        let mut dialling = std::pin::pin!(server.dial());
        while server.lines("heard").is_empty() {
            assert!(futures_util::poll!(&mut dialling).is_pending());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        children_of_this_test(server.folder.path().to_owned())
    };
    for pid in pid {
        gone(&json!(pid)).await;
    }
}

/// Processes whose working folder is `folder`.
fn children_of_this_test(folder: PathBuf) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let here = all.filter(|entry| {
        std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    });
    let pids: Vec<i32> =
        here.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    assert_eq!(pids.len(), 1);
    pids
}

#[tokio::test]
async fn c204_a_process_gets_a_clean_environment() {
    let server = server("legacy", |settings| {
        settings.env.push(("GIVEN".to_owned(), "yes".to_owned()));
    });
    let link = server.dial().await.unwrap();
    let env = tool(&link, "env").await["env"].clone();
    assert_eq!(env["GIVEN"], "yes");
    assert!(env["PATH"].is_string());
    let leaked: Vec<&String> =
        env.as_object().unwrap().keys().filter(|name| name.contains("CARGO")).collect();
    assert!(leaked.is_empty(), "{leaked:?}");
    link.close().await;
}

#[tokio::test]
async fn a_command_that_cannot_start_says_which_and_what_to_do() {
    for (command, cwd, expected) in [
        ("no-such-program-here", None, "`no-such-program-here` is found: install it"),
        ("/etc/passwd", None, "`/etc/passwd` may not be run"),
        ("python3", Some("/no/such/folder"), "correct `cwd`"),
    ] {
        let mut settings = StdioSettings::new("m", command);
        settings.cwd = cwd.map(PathBuf::from);
        let dial = StdioDial::new(settings);
        let fault = dial.dial(mpsc::channel(1).0).await.err().unwrap();
        assert_eq!(word(&fault.kind), "unreachable");
        assert!(fault.text.contains(expected), "{fault:?}");
    }
}

#[tokio::test]
async fn c074_a_program_that_only_complains_is_quoted_in_the_log() {
    let mut settings = StdioSettings::new("m", "sh");
    settings.args = vec!["-c".to_owned(), "echo no database >&2; exit 4".to_owned()];
    let dial = StdioDial::new(settings);
    let fault = dial.dial(mpsc::channel(1).0).await.err().unwrap();
    assert!(fault.text.contains("exit status: 4"), "{fault:?}");
    assert!(fault.log.unwrap().contains("no database"));
    assert!(!fault.text.contains("database"));
}

#[test]
fn an_address_shows_no_secret() {
    let mut settings = StdioSettings::new("m", "npx");
    let args = ["-y", "server", "--api-key", "s3", "--token=s3", "postgres://u:s3@host/db", "."];
    settings.args = args.map(str::to_owned).to_vec();
    let address = StdioDial::new(settings).address();
    assert_eq!(address, "npx -y server --api-key … --token=… postgres://…@host/db .");
}
