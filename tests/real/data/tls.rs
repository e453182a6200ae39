//! Encrypted connections: to the server that its authority vouches for by name, and to no other.

use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use super::{Mounted, with};
use crate::client::Era;
use crate::servers::{Postgres, Redis};

/// Whether this connection of PostgreSQL is encrypted.
const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

/// The authority of the servers here.
fn trusting(options: Value) -> Value {
    let ca = Path::new(env!("CARGO_MANIFEST_DIR")).join("real/data/keys/ca.pem");
    with(options, json!({ "tls_ca": ca }))
}

/// What a call that finds no server is told.
async fn refused(options: Value, tool: &str, arguments: Value) -> String {
    let mounted = Mounted::start(with(options, json!({ "connect_wait": "10s" }))).await;
    let client = Client::connect(Era::Modern, &mounted.target()).await;
    let said = client.fails(tool, arguments).await;
    client.close().await;
    mounted.stop().await;
    said
}

#[tokio::test]
async fn a_database_is_asked_encrypted_and_only_if_it_is_the_one_that_is_meant() {
    let server = Postgres::start_with_tls().await;
    for mode in ["?sslmode=verify-full", "?sslmode=require"] {
        let url = server.url_at_port("localhost", mode);
        let mounted = Mounted::start(trusting(json!({ "url": url }))).await;
        for era in [Era::Legacy, Era::Modern] {
            let client = Client::connect(era, &mounted.target()).await;
            let found = client.works("query", json!({ "sql": ENCRYPTED })).await;
            assert_eq!(found["items"], json!([{ "ssl": true }]), "{mode}");
            client.close().await;
        }
        mounted.stop().await;
    }
    let query = || json!({ "sql": "SELECT 1" });
    // Another name than the certificate's, an authority that is not trusted, no encryption.
    let other = server.url_at_port("127.0.0.1", "?sslmode=require");
    let unknown = server.url_at_port("localhost", "?sslmode=verify-full");
    let plain = server.url_at_port("localhost", "?sslmode=disable");
    for options in [
        trusting(json!({ "url": other })),
        json!({ "url": unknown }),
        trusting(json!({ "url": plain })),
    ] {
        let said = refused(options, "query", query()).await;
        assert!(said.starts_with("CONNECTION_ERROR: no connection to the database"), "{said}");
    }
}

#[tokio::test]
async fn redis_is_asked_encrypted_and_only_if_it_is_the_one_that_is_meant() {
    let server = Redis::start_with_tls().await;
    let options = json!({ "redis": server.url_at_port("localhost"), "redis_configure": true });
    let mounted = Mounted::start(trusting(options)).await;
    for era in [Era::Legacy, Era::Modern] {
        let mut client = Client::connect(era, &mounted.target()).await;
        client.subscribe("data://kv/k").await;
        client.works("kv_set", json!({ "key": "k", "value": "v" })).await;
        assert_eq!(client.updated().await, "data://kv/k");
        assert_eq!(server.ask(&["GET", "gateway:k"]).await, "v");
        client.close().await;
    }
    mounted.stop().await;
    let get = || json!({ "key": "k" });
    for options in [
        trusting(json!({ "redis": server.url_at_port("127.0.0.1") })),
        json!({ "redis": server.url_at_port("localhost") }),
    ] {
        let said = refused(options, "kv_get", get()).await;
        assert!(said.starts_with("CONNECTION_ERROR: "), "{said}");
    }
}
