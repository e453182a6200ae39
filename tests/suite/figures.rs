//! What a compiled-in child tells of itself is shown with its mount.

use gateway::Children;
use harness::client::Either;
use harness::start;

#[tokio::test]
async fn the_pools_of_a_compiled_in_child_are_shown_with_its_mount() {
    let children: Children = upstreams::builtins().into_iter().collect();
    let text = "[mounts.data]\nin_process = \"data\"\noptions = { pool_size = 2 }\n\
                [mounts.notes]\nin_process = \"notes\"\n";
    let gateway = start::start(text, &[], &children).await;
    for mut client in Either::all(&gateway).await {
        let params = r#"{"name":"data_query","arguments":{"sql":"SELECT 1 AS one"}}"#;
        let said = client.essence("tools/call", params).await;
        assert!(said.contains("\"one\":1"), "{said}");
    }
    let mounts = gateway.gateway().mounts();
    let [data, notes] = mounts.as_slice() else { panic!("{mounts:?}") };
    let figures = data.figures.as_ref().expect("figures of data");
    let readers = &figures["sql"]["readers"];
    assert_eq!(
        (&readers["sizeMax"], &readers["leases"], &readers["inUse"]),
        (&2.into(), &4.into(), &0.into())
    );
    assert_eq!(notes.figures, None);
    gateway.stop().await;
}
