//! The key-value store of `data` in memory: times, lists, and who is told of changes.

use expect_test::expect;
use serde_json::{Value, json};

use crate::caller::{Caller, Running, error, wrapped};

fn data() -> Caller {
    Caller::builtin("data")
}

/// A listener that has been acknowledged.
async fn listening(data: &Caller, uris: &[&str]) -> (Running, Value) {
    let notifications = json!({ "resourceSubscriptions": uris });
    let mut running = data.start("subscriptions/listen", json!({ "notifications": notifications }));
    let (method, params) = running.next().await;
    assert_eq!(method, "notifications/subscriptions/acknowledged");
    (running, params["notifications"]["resourceSubscriptions"].clone())
}

#[tokio::test]
async fn a_value_is_kept_under_its_key() {
    let data = data();
    let key = "a/b ü";
    let set = data.works("kv_set", json!({ "key": key, "value": "1\n2" })).await;
    assert_eq!(set["uri"], "data://kv/a%2Fb%20%C3%BC");
    let got = data.works("kv_get", json!({ "key": key })).await;
    let expected =
        json!({ "key": key, "found": true, "value": "1\n2", "uri": "data://kv/a%2Fb%20%C3%BC" });
    assert_eq!(got, expected);
    let read = data.ask("resources/read", json!({ "uri": got["uri"] })).await.unwrap();
    assert_eq!(read["contents"][0]["text"], "1\n2");
    for deleted in [true, false] {
        let done = data.works("kv_delete", json!({ "key": key })).await;
        assert_eq!(done["deleted"], deleted);
    }
    assert_eq!(data.works("kv_get", json!({ "key": key })).await["found"], false);
    let read = data.ask("resources/read", json!({ "uri": got["uri"] })).await;
    expect![[r#"
        -32602 there is no value at the key `a/b ü`
        {"gateway":{"code":"NOT_FOUND"},"uri":"data://kv/a%2Fb%20%C3%BC"}
    "#]]
    .assert_eq(&error(read));
}

#[tokio::test]
async fn keys_are_listed_by_prefix_and_page() {
    let data = data();
    for key in ["b", "a:2", "a:1", "a:3", "c"] {
        data.works("kv_set", json!({ "key": key, "value": "" })).await;
    }
    let page = data.works("kv_list", json!({ "prefix": "a:", "page_size": 2 })).await;
    let expected = json!({
        "items": ["a:1", "a:2"], "total": 3, "page": 1, "page_size": 2, "has_next": true,
    });
    assert_eq!(page, expected);
    let page = data.works("kv_list", json!({ "prefix": "a:", "page_size": 2, "page": 2 })).await;
    assert_eq!((&page["items"], &page["has_next"]), (&json!(["a:3"]), &json!(false)));
    let complete = json!({
        "ref": { "type": "ref/resource", "uri": "data://kv/{key}" },
        "argument": { "name": "key", "value": "a" },
    });
    let completed = data.ask("completion/complete", complete).await.unwrap();
    assert_eq!(completed["completion"]["values"], json!(["a:1", "a:2", "a:3"]));
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_time_is_gone_after_it_and_its_listener_is_told() {
    let data = data();
    data.works("kv_set", json!({ "key": "k", "value": "v", "ttl_seconds": 60 })).await;
    let (mut listener, accepted) =
        listening(&data, &["data://kv/k", "data://kv/%6b", "data://tables"]).await;
    assert_eq!(accepted, json!(["data://kv/k"]));
    assert_eq!(data.works("kv_get", json!({ "key": "k" })).await["ttl_seconds"], 60.0);
    // The clock runs on to the end of the key, as nothing else is to be done.
    let (method, params) = listener.next().await;
    assert_eq!(
        (method.as_str(), &params["uri"]),
        ("notifications/resources/updated", &json!("data://kv/k"))
    );
    assert_eq!(data.works("kv_get", json!({ "key": "k" })).await["found"], false);
}

#[tokio::test]
async fn a_listener_hears_of_its_keys_and_of_no_others() {
    let data = data();
    let (mut listener, _) = listening(&data, &["data://kv/mine"]).await;
    for key in ["other", "mine"] {
        data.works("kv_set", json!({ "key": key, "value": "1" })).await;
    }
    let (_, params) = listener.next().await;
    assert_eq!(params["uri"], "data://kv/mine");
    data.works("kv_delete", json!({ "key": "other" })).await;
    data.works("kv_delete", json!({ "key": "mine" })).await;
    let (_, params) = listener.next().await;
    assert_eq!(params["uri"], "data://kv/mine");
    listener.drop_it().await;
}

#[tokio::test]
async fn a_bad_key_value_or_time_is_refused() {
    let data = data();
    let mut told = String::new();
    for (tool, arguments) in [
        ("kv_get", json!({ "key": "" })),
        ("kv_get", json!({ "key": "a\nb" })),
        ("kv_get", json!({})),
        ("kv_set", json!({ "key": "k", "value": 7, "ttl_seconds": 0 })),
        ("kv_set", json!({ "key": "k", "value": "ü".repeat(200_000) })),
        ("kv_list", json!({ "prefix": "\u{0}", "page": 0 })),
    ] {
        told += &format!("{}\n", data.fails(tool, arguments).await);
    }
    expect![[r#"
        VALIDATION_ERROR: key: expected a text of 1 to 256 characters like \
        ^[^\x00-\x1F\x7F]+$, came ``
        VALIDATION_ERROR: key: expected a text of 1 to 256 characters like \
        ^[^\x00-\x1F\x7F]+$, came `a�b`
        VALIDATION_ERROR: key: expected a text of 1 to 256 characters like \
        ^[^\x00-\x1F\x7F]+$, came nothing
        VALIDATION_ERROR: 2 things are wrong:
        - ttl_seconds: expected a whole number from 1 to 31536000 or nothing, came 0
        - value: expected a text of at most 262144 characters, came 7
        VALIDATION_ERROR: value: expected at most 262144 bytes, came 400000 bytes
        VALIDATION_ERROR: 2 things are wrong:
        - page: expected a whole number from 1 to 1000000 or nothing, came 0
        - prefix: expected a text of at most 256 characters like ^[^\x00-\x1F\x7F]*$, \
        came `�`
    "#]]
    .assert_eq(&wrapped(&told));
    assert_eq!(data.works("kv_list", json!({})).await["total"], 0);
}
