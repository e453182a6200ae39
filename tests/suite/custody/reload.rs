//! Reload: what did not change is not touched, calls under way end, a bad file changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::Children;
use gateway::config::{FileSource, Sources, load};
use gateway::control::Outcome;
use harness::apart::{Apart, program};
use harness::client::{Answer, Ask, Http, modern};
use harness::start::{FLAGS, Running, start, until};
use rustix::process::Signal;

use super::moody::{Moody, tools};

/// Far above what a loaded machine needs.
const DRAIN: (&str, &str) = ("gateway.limits.drain", "60s");

/// A gateway whose file a test writes anew.
pub(super) struct Reloaded {
    file: PathBuf,
    pub(super) running: Running,
}

impl Reloaded {
    pub(super) async fn start(moody: &Moody, text: &str) -> Self {
        let file = moody.path().join("routing.toml");
        std::fs::write(&file, text).expect("a file");
        let running = start(text.to_owned().leak(), &[DRAIN], &Children::new()).await;
        let read = file.clone();
        running.gateway().reload_from(Arc::new(move || {
            let flags = FLAGS.iter().chain([&DRAIN]);
            let flags = flags.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            let file = FileSource::Path(&read);
            load(Sources {
                file,
                environment: Vec::new(),
                flags: flags.collect(),
                children: &Children::new(),
            })
        }));
        Self { file, running }
    }

    pub(super) async fn with(&self, text: &str) -> Outcome {
        std::fs::write(&self.file, text).expect("a file");
        self.running.gateway().reload().await
    }

    pub(super) fn http(&self) -> Http {
        self.running.http()
    }

    async fn until_tools(&self, expected: &[&str]) {
        until_tools(&self.http(), expected).await;
    }
}

async fn until_tools(http: &Http, expected: &[&str]) {
    let is = async || tools(http).await.0 == expected;
    until(&format!("the tools {expected:?}"), is).await;
}

pub(super) fn planned(outcome: &Outcome) -> String {
    let plan = outcome.plan.as_ref();
    plan.map_or_else(|| outcome.problems.join("; "), ToString::to_string)
}

fn a_call(tool: &str, arguments: &str) -> Ask {
    modern("tools/call", &format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#))
        .header("Mcp-Name", tool)
}

/// The process id that the tool of a child tells.
async fn pid(http: &Http, tool: &str) -> String {
    pid_in(http.send(&a_call(tool, "{}")).await).await
}

async fn pid_in(mut answer: Answer) -> String {
    let text = answer.message().await.expect("an answer");
    let told = text.split_once(r#""text": ""#).and_then(|(_, rest)| rest.split_once('"'));
    told.unwrap_or_else(|| panic!("{text}")).0.to_owned()
}

fn gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

fn two() -> Moody {
    let moody = Moody::new();
    moody.set("a", "one");
    moody.set("b", "one");
    moody
}

#[tokio::test]
async fn a_mount_whose_entry_did_not_change_keeps_its_process() {
    let moody = two();
    let (a, b) = (moody.mount("a", ""), moody.mount("b", ""));
    let gateway = Reloaded::start(&moody, &format!("{a}{b}")).await;
    let before = (pid(&gateway.http(), "a_one").await, pid(&gateway.http(), "b_one").await);
    let other = moody.mount("b", "env = { X = \"1\" }");
    assert_eq!(planned(&gateway.with(&format!("{a}{other}")).await), "keep a, restart b");
    until("the old process of b to be gone", async || gone(&before.1)).await;
    assert_ne!(pid(&gateway.http(), "b_one").await, before.1);
    assert_eq!(pid(&gateway.http(), "a_one").await, before.0);
    assert_eq!(planned(&gateway.with(&format!("{a}{other}")).await), "keep a, keep b");
    gateway.running.stop().await;
}

#[tokio::test]
async fn every_problem_of_a_broken_file_is_told_and_nothing_changes() {
    let moody = two();
    let text = moody.mount("a", "");
    let gateway = Reloaded::start(&moody, &text).await;
    let before = pid(&gateway.http(), "a_one").await;
    let broken = moody.mount("a", "timeout = \"soon\"\nprefixx = \"y\"") + &moody.mount("b", "");
    let outcome = gateway.with(&broken).await;
    assert!(!outcome.applied && outcome.problems.len() == 2, "{outcome:?}");
    let told = planned(&outcome);
    assert!(told.contains("timeout") && told.contains("prefixx"), "{told}");
    let outcome = gateway.with("this is not TOML").await;
    assert!(!outcome.applied && !outcome.problems.is_empty(), "{outcome:?}");
    assert_eq!(tools(&gateway.http()).await.0, ["a_one"]);
    assert_eq!(pid(&gateway.http(), "a_one").await, before);
    gateway.running.stop().await;
}

#[tokio::test]
async fn a_call_under_way_at_a_mount_that_is_removed_ends_well() {
    let moody = two();
    let (a, b) = (moody.mount("a", ""), moody.mount("b", ""));
    let gateway = Reloaded::start(&moody, &format!("{a}{b}")).await;
    let before = pid(&gateway.http(), "a_one").await;
    let (arrived, gate) = (moody.path().join("a/arrived"), moody.path().join("gate"));
    let arguments = serde_json::json!({ "arrived": arrived, "until": gate }).to_string();
    let http = gateway.http();
    let call =
        tokio::spawn(async move { pid_in(http.send(&a_call("a_one", &arguments)).await).await });
    until("the call to be at the child", async || arrived.exists()).await;
    assert_eq!(planned(&gateway.with(&b).await), "keep b, drain a");
    gateway.until_tools(&["b_one"]).await;
    assert!(!gone(&before), "it is still at work");
    std::fs::write(&gate, "").expect("a file");
    assert_eq!(call.await.expect("an answer"), before);
    until("its process to be gone", async || gone(&before)).await;
    gateway.running.stop().await;
}

#[tokio::test]
async fn a_changed_prefix_keeps_the_process_and_tells_those_whose_list_changed() {
    let moody = two();
    let (a, b) = (moody.mount("a", ""), moody.mount("b", ""));
    let gateway = Reloaded::start(&moody, &format!("{a}{b}")).await;
    let before = pid(&gateway.http(), "a_one").await;
    let filter = r#"{"notifications":{"toolsListChanged":true}}"#;
    let listen = modern("subscriptions/listen", filter);
    let mut all = gateway.http().send(&listen).await;
    let mut only_b = gateway.http().send(&listen.clone().at("/mcp/b")).await;
    for stream in [&mut all, &mut only_b] {
        let first = stream.message().await.expect("an acknowledgement");
        assert!(first.contains("acknowledged"), "{first}");
    }
    let other = moody.mount("a", "prefix = \"x\"");
    assert_eq!(planned(&gateway.with(&format!("{other}{b}")).await), "change a, keep b");
    let told = all.message().await.expect("news");
    assert!(told.contains("notifications/tools/list_changed"), "{told}");
    gateway.until_tools(&["x_one", "b_one"]).await;
    assert_eq!(pid(&gateway.http(), "x_one").await, before);
    // The next that one hears who listens to b alone is the end, when b goes: not the news of a.
    gateway.with(&other).await;
    let end = only_b.message().await.expect("an end");
    assert!(end.contains("\"result\""), "{end}");
    gateway.running.stop().await;
}

#[tokio::test]
async fn a_renamed_mount_is_another_one_and_the_old_process_goes() {
    let moody = two();
    let gateway = Reloaded::start(&moody, &moody.mount("a", "")).await;
    let before = pid(&gateway.http(), "a_one").await;
    let renamed = moody.mount("a", "").replace("[mounts.a]", "[mounts.z]");
    assert_eq!(planned(&gateway.with(&renamed).await), "start z, drain a");
    gateway.until_tools(&["z_one"]).await;
    until("the old process to be gone", async || gone(&before)).await;
    gateway.running.stop().await;
}

#[tokio::test]
async fn keys_that_need_a_restart_are_named_and_the_rest_is_put_in_force() {
    let moody = two();
    let text = moody.mount("a", "");
    let gateway = Reloaded::start(&moody, &text).await;
    let other = format!("[gateway]\nhosts = [\"h.example\"]\nseparator = \"__\"\n{text}");
    let expected = "keep a, change gateway.separator, start again for gateway.hosts";
    assert_eq!(planned(&gateway.with(&other).await), expected);
    gateway.until_tools(&["a__one"]).await;
    let again = "keep a, start again for gateway.hosts";
    assert_eq!(planned(&gateway.with(&other).await), again, "until it was started again");
    gateway.running.stop().await;
}

/// Starts the program with `a`, in a file that is watched or not.
async fn run(moody: &Moody, watch: bool) -> (PathBuf, String, Apart) {
    let file = moody.path().join("routing.toml");
    let head =
        format!("[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nwatch = {watch}\n");
    std::fs::write(&file, format!("{head}{}", moody.mount("a", ""))).expect("a file");
    let apart = Apart::start(&file).await;
    until_tools(&apart.http(), &["a_one"]).await;
    (file, head, apart)
}

async fn end(mut apart: Apart) {
    apart.signal(Signal::TERM);
    assert!(apart.ended().await.success(), "{}", apart.errors());
}

#[tokio::test]
async fn the_program_reloads_when_its_file_is_replaced() {
    let moody = two();
    let (file, head, apart) = run(&moody, true).await;
    // As editors do: another file takes the name.
    let fresh = moody.path().join("routing.toml.new");
    std::fs::write(&fresh, format!("{head}{}", moody.mount("b", ""))).expect("a file");
    std::fs::rename(&fresh, &file).expect("a new name");
    until_tools(&apart.http(), &["b_one"]).await;
    end(apart).await;
}

#[tokio::test]
async fn the_program_reloads_on_sighup() {
    let moody = two();
    let (file, head, mut apart) = run(&moody, false).await;
    // It says so once it attends to signals.
    apart.line_with("Ctrl-C stops").await;
    std::fs::write(&file, format!("{head}{}", moody.mount("b", ""))).expect("a file");
    apart.signal(Signal::HUP);
    until_tools(&apart.http(), &["b_one"]).await;
    end(apart).await;
}

#[tokio::test]
async fn post_reload_answers_with_what_was_done_or_every_problem_and_plan_with_what_would_be() {
    let moody = two();
    let (file, head, apart) = run(&moody, false).await;
    let admin = Http::new(apart.admin.expect("an address"));
    let ask = async |verb: &str, path: &str| {
        let mut answer = admin.send(&Ask::bare(verb).at(path)).await;
        answer.message().await.unwrap_or_default()
    };
    std::fs::write(&file, format!("{head}{}", moody.mount("b", ""))).expect("a file");
    assert!(ask("GET", "/plan").await.contains("\"action\": \"drain\""));
    let set = format!("gateway.admin={}", apart.admin.expect("an address"));
    let told = gateway(&["plan", &file.display().to_string(), "--set", &set]).await;
    assert!(told.contains("a      drain") && told.contains("b      start"), "{told}");
    assert_eq!(tools(&apart.http()).await.0, ["a_one"], "a plan changes nothing");
    let done = ask("POST", "/reload").await;
    assert!(done.contains("\"applied\": true") && done.contains("\"start\""), "{done}");
    until_tools(&apart.http(), &["b_one"]).await;
    std::fs::write(&file, format!("{head}[mounts.b]\nnothing = 1\n")).expect("a file");
    let refused = ask("POST", "/reload").await;
    assert!(refused.contains("\"applied\": false") && refused.contains("nothing"), "{refused}");
    let shown = ask("GET", "/mounts").await;
    assert!(shown.contains("\"applied\": false"), "the last outcome: {shown}");
    assert_eq!(ask("GET", "/reload").await, "only POST\n");
    end(apart).await;
}

#[tokio::test]
async fn a_file_that_is_away_for_a_moment_does_not_give_way_to_the_built_in_one() {
    let moody = two();
    let file = moody.path().join("routing.toml");
    let head = "[gateway]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nwatch = false\n";
    std::fs::write(&file, format!("{head}{}", moody.mount("a", ""))).expect("a file");
    // Nobody names the file: it is the one of the folder.
    let apart = Apart::run(&program(), &["run"], &file).await;
    until_tools(&apart.http(), &["a_one"]).await;
    let admin = Http::new(apart.admin.expect("an address"));
    let reload = async || {
        let mut answer = admin.send(&Ask::bare("POST").at("/reload")).await;
        answer.message().await.unwrap_or_default()
    };
    let away = moody.path().join("away.toml");
    std::fs::rename(&file, &away).expect("a new name");
    let refused = reload().await;
    assert!(refused.contains("\"applied\": false"), "{refused}");
    assert!(refused.contains("routing.toml: cannot be read"), "{refused}");
    assert_eq!(tools(&apart.http()).await.0, ["a_one"]);
    std::fs::rename(&away, &file).expect("a new name");
    let done = reload().await;
    assert!(done.contains("\"applied\": true") && done.contains("\"keep\""), "{done}");
    end(apart).await;
}

#[tokio::test]
async fn plan_compares_two_files() {
    let moody = two();
    let write = |name: &str, text: String| {
        let file = moody.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    let old = write("old.toml", moody.mount("a", ""));
    let new = write("new.toml", moody.mount("b", "") + &moody.mount("a", "prefix = \"x\""));
    let told = gateway(&["plan", &new, "--against", &old, "--json"]).await;
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let expected = serde_json::json!({ "mounts": [
        { "mount": "b", "action": "start" }, { "mount": "a", "action": "change" }] });
    assert_eq!(told, expected);
}

/// What the program prints on standard output.
async fn gateway(args: &[&str]) -> String {
    let path: &Path = &program();
    let run = tokio::process::Command::new(path).args(args).kill_on_drop(true).output();
    let done = harness::start::soon("the program's end", run).await.expect("it runs");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{errors}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}
