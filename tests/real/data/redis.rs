//! The key-value store over Redis: times, changes of others, and a server that goes and comes.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::Mounted;
use super::client::Client;
use crate::client::Era;
use crate::servers::Redis;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
/// Between two changes of a key.
const PAUSE: Duration = Duration::from_millis(100);

/// Changes a key, as another program does, until the client is told: that the gateway listens at
/// the server shows in nothing else.
async fn change_until_told(server: &Redis, client: &mut Client) {
    let changing = async {
        for number in 0u64.. {
            server.ask(&["SET", "gateway:k", &number.to_string()]).await;
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = changing => {}
        told = client.updated() => assert_eq!(told, "data://kv/k"),
    }
}

#[tokio::test]
async fn values_are_where_other_programs_find_them_and_nothing_else_is_seen() {
    let server = Redis::start().await;
    server.ask(&["SET", "secret", "of another program"]).await;
    let mounted = Mounted::start(json!({ "redis": server.url(), "redis_prefix": "app*:" })).await;
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        client.works("kv_set", json!({ "key": "a", "value": "1" })).await;
        assert_eq!(server.ask(&["GET", "app*:a"]).await, "1");
        server.ask(&["SET", "app*:b", "2"]).await;
        server.ask(&["SET", "apple:c", "3"]).await;
        let listed = client.works("kv_list", json!({})).await;
        assert_eq!(listed["items"], json!(["a", "b"]));
        assert_eq!(client.works("kv_get", json!({ "key": "b" })).await["value"], "2");
        assert_eq!(client.works("kv_get", json!({ "key": "secret" })).await["found"], false);
        assert_eq!(client.works("kv_delete", json!({ "key": "a" })).await["deleted"], true);
        server.ask(&["LPUSH", "app*:list", "x"]).await;
        let said = client.fails("kv_get", json!({ "key": "list" })).await;
        assert!(said.starts_with("QUERY_ERROR: "), "{said}");
        server.ask(&["DEL", "app*:list"]).await;
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn whoever_listens_is_told_of_changes_by_anybody_and_of_ends() {
    let server = Redis::start().await;
    let mounted = Mounted::start(json!({ "redis": server.url(), "redis_configure": true })).await;
    for era in ERAS {
        let mut client = Client::connect(era, &mounted.target()).await;
        client.subscribe("data://kv/k").await;
        change_until_told(&server, &mut client).await;
        client.works("kv_set", json!({ "key": "mine", "value": "1" })).await;
        assert_eq!(server.ask(&["GET", "gateway:mine"]).await, "1");
        client.works("kv_set", json!({ "key": "k", "value": "3", "ttl_seconds": 1 })).await;
        while client.works("kv_get", json!({ "key": "k" })).await["found"] == true {
            assert_eq!(client.updated().await, "data://kv/k");
        }
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn a_server_that_goes_is_told_of_and_found_again_by_calls_and_listeners() {
    let mut server = Redis::start().await;
    let options = json!({
        "redis": server.url(), "redis_configure": true, "connect_wait": "300ms",
        "statement_timeout": "2s",
    });
    let mounted = Mounted::start(options).await;
    for era in ERAS {
        let mut client = Client::connect(era, &mounted.target()).await;
        client.works_in_time("kv_set", json!({ "key": "k", "value": "1" })).await;
        client.subscribe("data://kv/k").await;
        change_until_told(&server, &mut client).await;
        server.crash().await;
        let said = client.fails("kv_get", json!({ "key": "k" })).await;
        assert!(said.starts_with("CONNECTION_ERROR: ") || said.starts_with("TIMEOUT: "), "{said}");
        client.forget();
        server.restart().await;
        // Nobody watched meanwhile: the listener is told that it may be another value.
        assert_eq!(client.updated().await, "data://kv/k");
        assert_eq!(client.works_in_time("kv_get", json!({ "key": "k" })).await["found"], false);
        client.forget();
        change_until_told(&server, &mut client).await;
        client.close().await;
    }
    mounted.stop().await;
}
