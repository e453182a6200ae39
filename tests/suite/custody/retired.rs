//! What clients have open at a mount that a reload restarts.

use harness::client::modern;
use harness::scripted::{HttpChild, Script};

use super::moody::Moody;
use super::reload::{Reloaded, planned};

const UPDATED: &str = "notifications/resources/updated";

#[tokio::test]
async fn a_subscription_goes_on_at_the_mount_that_a_reload_put_in_the_place_of_the_old_one() {
    let folder = Moody::new();
    let (child, director) = HttpChild::new(Script::modern().tool("t").resource("demo://a")).await;
    let mount = format!("[mounts.m]\n{}", child.mount());
    let gateway = Reloaded::start(&folder, &mount).await;
    let filter = r#"{"notifications":{"resourceSubscriptions":["demo://m/a"]}}"#;
    let mut listen = gateway.http().send(&modern("subscriptions/listen", filter)).await;
    let first = listen.message().await.expect("an acknowledgement");
    assert!(first.contains("demo://m/a"), "{first}");
    let outcome = gateway.with(&format!("{mount}timeout = \"59s\"\n")).await;
    assert_eq!(planned(&outcome), "restart m");
    // What was told in between is lost: that counts as an update.
    let told = listen.message().await.expect("news");
    assert!(told.contains(UPDATED) && told.contains("demo://m/a"), "{told}");
    director.tell(UPDATED, r#"{"uri":"demo://a"}"#);
    let told = listen.message().await.expect("news");
    assert!(told.contains(UPDATED) && told.contains("demo://m/a"), "{told}");
    gateway.running.stop().await;
}
