//! The last good catalog: a start shows it at once, whatever its children do, and never another's.

use harness::client::{Http, modern};
use harness::start::{Running, until};

use super::moody::{Moody, tools};

/// Starts, waits until all catalogs are kept, and stops.
async fn first_run(moody: &Moody, names: &[&str]) -> String {
    let gateway = moody.start(names).await;
    let (_, text) = tools(&gateway.http()).await;
    let all = async || names.iter().all(|name| moody.kept(name).is_some());
    until("the catalogs on disk", all).await;
    gateway.stop().await;
    text
}

/// Waits until the child of a mount is in a state.
async fn until_state(gateway: &Running, name: &str, state: &str) {
    let is = async || {
        let reports = gateway.gateway().mounts();
        reports.iter().any(|report| report.name == name && report.state == state)
    };
    until(&format!("`{name}` to be {state}"), is).await;
}

#[tokio::test]
async fn a_start_shows_the_last_good_catalog_with_dead_and_hanging_children() {
    let moody = Moody::new();
    let names = ["a", "b", "c"];
    for name in names {
        moody.set(name, "one two");
    }
    let before = first_run(&moody, &names).await;
    moody.set("a", "dead");
    moody.set("b", "hangs");
    let gateway = moody.start(&names).await;
    let (shown, text) = tools(&gateway.http()).await;
    assert_eq!(shown, ["a_one", "a_two", "b_one", "b_two", "c_one", "c_two"]);
    assert_eq!(text, before, "byte for byte");
    assert!(text.contains("12345678901234567890123"));
    until_state(&gateway, "a", "down").await;
    assert_eq!(tools(&gateway.http()).await.1, before, "and stays while the child is away");
    gateway.stop().await;
}

#[tokio::test]
async fn clients_are_told_when_the_first_real_list_differs_from_the_kept_one() {
    let moody = Moody::new();
    moody.set("a", "one");
    first_run(&moody, &["a"]).await;
    moody.set("a", "dead");
    let gateway = moody.start(&["a"]).await;
    until_state(&gateway, "a", "down").await;
    let filter = r#"{"notifications":{"toolsListChanged":true}}"#;
    let mut listen = gateway.http().send(&modern("subscriptions/listen", filter)).await;
    let first = listen.message().await.expect("an acknowledgement");
    assert!(first.contains("acknowledged"), "{first}");
    moody.set("a", "one two");
    let told = listen.message().await.expect("news");
    assert!(told.contains("notifications/tools/list_changed"), "{told}");
    assert_eq!(tools(&gateway.http()).await.0, ["a_one", "a_two"]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_kept_catalog_that_is_broken_or_of_another_child_is_left_aside() {
    for break_it in ["not json", "{}", r#"{"form":"1","definition":"00","tools":[]}"#, ""] {
        let moody = Moody::new();
        moody.set("a", "one");
        first_run(&moody, &["a"]).await;
        std::fs::write(moody.kept("a").expect("a file"), break_it).expect("it is written");
        moody.set("a", "dead");
        let gateway = moody.start(&["a"]).await;
        let none: [&str; 0] = [];
        assert_eq!(tools(&gateway.http()).await.0, none, "{break_it}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_mount_whose_command_changed_does_not_show_the_catalog_of_the_old_one() {
    let moody = Moody::new();
    moody.set("a", "one");
    first_run(&moody, &["a"]).await;
    moody.set("a", "dead");
    let state = moody.path().join("state").display().to_string();
    let text = moody.mount("a", "env = { OTHER = \"credential\" }").leak();
    let flags = [("gateway.state", state.as_str())];
    let gateway = harness::start::start(text, &flags, &gateway::Children::new()).await;
    let none: [&str; 0] = [];
    assert_eq!(tools(&Http::new(gateway.mcp)).await.0, none);
    gateway.stop().await;
}
