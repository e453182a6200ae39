//! SQL over PostgreSQL: pages, types, what only reads, and a server that is busy, slow or gone.

use expect_test::expect;
use serde_json::json;

use super::client::{Client, worked};
use super::{Mounted, with};
use crate::client::Era;
use crate::servers::Postgres;

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];
/// Statements of the gateway that run at the server just now.
const RUNNING: &str = "SELECT count(*) FROM pg_stat_activity \
                       WHERE application_name = 'gateway' AND state = 'active'";
/// Longer than any test.
const ENDLESS: &str = "SELECT pg_sleep(3600)";

#[tokio::test]
async fn ten_thousand_rows_are_walked_page_by_page() {
    let server = Postgres::start().await;
    let filling = "CREATE TABLE numbers AS SELECT generate_series(1, 10000) AS n";
    server.ask(filling).await;
    let mounted = Mounted::start(json!({ "url": server.url() })).await;
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        let (mut page, mut seen) = (1, Vec::new());
        loop {
            let sql = "SELECT n FROM numbers WHERE n <> $1 ORDER BY n";
            let arguments = json!({ "sql": sql, "params": [0], "page": page, "page_size": 700 });
            let found = client.works("query", arguments).await;
            assert_eq!((&found["total"], &found["total_is_exact"]), (&json!(10_000), &json!(true)));
            let items = found["items"].as_array().expect("rows");
            seen.extend(items.iter().map(|row| row["n"].as_u64().expect("a number")));
            page += 1;
            if found["has_next"] == false {
                break;
            }
        }
        assert_eq!(page, 16);
        assert!(seen.into_iter().eq(1..=10_000), "every row once and in order");
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn values_of_every_kind_go_there_and_back() {
    let server = Postgres::start().await;
    server.ask("CREATE TYPE mood AS ENUM ('glad', 'sad')").await;
    server.ask("CREATE TABLE moods (id int PRIMARY KEY, mood mood NOT NULL, at timestamptz)").await;
    let mounted = Mounted::start(json!({ "url": server.url() })).await;
    let sql = "SELECT $1::numeric AS exact, $2::mood AS mood, $3::int[] AS list, $4::jsonb AS json, \
               $5::timestamptz AS at, $6::uuid AS id, $7::bytea AS raw, $8::text[] AS texts, \
               $9::float8 AS real, $10::bool AS yes, $11::text AS evil, NULL::date AS none";
    let evil = "x'); DROP TABLE moods; --";
    let params = json!([
        "12345678901234567890.0123", "sad", [1, null, 3], { "a": [1] }, "2026-11-28T21:00:00+01:00",
        "67e55044-10b1-426f-9247-bb680e5fe0c8", "\\x00ff", ["a\"", "b,}"], 0.5, true, evil,
    ]);
    let expected = json!({
        "exact": "12345678901234567890.0123", "mood": "sad", "list": [1, null, 3], "json": { "a": [1] },
        "at": "2026-11-28T20:00:00Z", "id": "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "raw": { "base64": "AP8=" }, "texts": ["a\"", "b,}"], "real": 0.5, "yes": true, "evil": evil,
        "none": null,
    });
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        let found = client.works("query", json!({ "sql": sql, "params": params })).await;
        assert_eq!(found["items"], json!([expected]));
        assert_eq!(
            client.read("data://tables").await,
            json!({ "tables": [{ "name": "moods", "kind": "table" }] })
        );
        let columns = client.read("data://tables/moods/schema").await;
        let expected = json!([
            { "name": "id", "type": "integer", "nullable": false, "primary_key": 1 },
            { "name": "mood", "type": "mood", "nullable": false },
            { "name": "at", "type": "timestamp with time zone", "nullable": true },
        ]);
        assert_eq!(columns["columns"], expected);
        client.close().await;
    }
    assert_eq!(server.ask("SELECT count(*) FROM moods").await, "0");
    mounted.stop().await;
}

/// Statements that do more than read, or are none.
const REFUSED: [&str; 18] = [
    "INSERT INTO t VALUES (2)",
    "INSERT INTO t VALUES (2) RETURNING id",
    "WITH gone AS (DELETE FROM t RETURNING id) SELECT * FROM gone",
    "SELECT nextval('s')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "CREATE TEMP TABLE x (a int)",
    "SELECT 1 INTO x",
    "SELECT 1; DELETE FROM t",
    "SELECT 1) ; DELETE FROM t; --",
    "COMMIT",
    "SET statement_timeout = 0",
    "COPY t TO '/tmp/t'",
    "COPY t TO STDOUT",
    "SELECT * FROM t FOR UPDATE",
    "SELECT point(1, 2)",
    "SELEC 1",
    "SELECT * FROM missing",
    "SELECT $1::int",
];

#[tokio::test]
async fn whatever_does_more_than_read_is_refused_and_changes_nothing() {
    let server = Postgres::start().await;
    server
        .ask("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE SEQUENCE s")
        .await;
    let mounted = Mounted::start(json!({ "url": server.url() })).await;
    let mut told = Vec::new();
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        let mut lines = String::new();
        for sql in REFUSED {
            lines +=
                &format!("{sql}\n    {}\n", client.fails("query", json!({ "sql": sql })).await);
        }
        let wrong = json!({ "sql": "SELECT $1::int", "params": ["one"] });
        lines += &format!("a text for a number\n    {}\n", client.fails("query", wrong).await);
        told.push(lines);
        client.close().await;
    }
    assert_eq!(told[0], told[1]);
    expect![[r#"
        INSERT INTO t VALUES (2)
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        INSERT INTO t VALUES (2) RETURNING id
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        WITH gone AS (DELETE FROM t RETURNING id) SELECT * FROM gone
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        SELECT nextval('s')
            READ_ONLY: cannot execute nextval() in a read-only transaction
        SELECT set_config('transaction_read_only', 'off', false)
            READ_ONLY: transaction read-write mode must be set before any query
        CREATE TEMP TABLE x (a int)
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        SELECT 1 INTO x
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        SELECT 1; DELETE FROM t
            VALIDATION_ERROR: expected one statement, came several
        SELECT 1) ; DELETE FROM t; --
            QUERY_ERROR: syntax error at or near ")"
        COMMIT
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        SET statement_timeout = 0
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        COPY t TO '/tmp/t'
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        COPY t TO STDOUT
            READ_ONLY: expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another
        SELECT * FROM t FOR UPDATE
            READ_ONLY: cannot execute SELECT FOR UPDATE in a read-only transaction
        SELECT point(1, 2)
            QUERY_ERROR: column `point` has the type point: cast it, `point::text`
        SELEC 1
            QUERY_ERROR: syntax error at or near "SELEC"
        SELECT * FROM missing
            QUERY_ERROR: relation "missing" does not exist
        SELECT $1::int
            VALIDATION_ERROR: params: expected as many values as there are parameters: 1, came 0
        a text for a number
            VALIDATION_ERROR: invalid input syntax for type integer: "one"
    "#]]
    .assert_eq(&told[0]);
    assert_eq!(server.ask("SELECT array_agg(id) FROM t").await, "{1}");
    assert_eq!(server.ask("SELECT is_called FROM s").await, "f");
    mounted.stop().await;
}

#[tokio::test]
async fn a_slow_statement_is_cut_off_at_the_server() {
    let server = Postgres::start().await;
    let options = json!({ "url": server.url(), "statement_timeout": "300ms" });
    let mounted = Mounted::start(options).await;
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        let said = client.fails("query", json!({ "sql": ENDLESS })).await;
        assert!(said.starts_with("TIMEOUT: "), "{said}");
        server.until(RUNNING, "0").await;
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn a_cancelled_call_ends_its_statement_at_the_server() {
    let server = Postgres::start().await;
    let options = json!({ "url": server.url(), "pool_size": 1, "statement_timeout": "60m" });
    let mounted = Mounted::start(options).await;
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        let call = client.start_cancellable("query", json!({ "sql": ENDLESS })).await;
        server.until(RUNNING, "1").await;
        call.cancel(None).await.expect("a cancellation");
        server.until(RUNNING, "0").await;
        // The only connection is given back.
        client.works_in_time("query", json!({ "sql": "SELECT 1" })).await;
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn a_pool_that_is_used_up_refuses_in_time_and_never_grows() {
    let server = Postgres::start().await;
    let options = json!({ "url": server.url(), "pool_size": 2, "pool_wait": "1s" });
    let options = with(options, json!({ "statement_timeout": "60m" }));
    for era in ERAS {
        let mounted = Mounted::start(options.clone()).await;
        let client = Client::connect(era, &mounted.target()).await;
        let mut calls = Vec::new();
        for _ in 0..2 {
            calls.push(client.start_cancellable("query", json!({ "sql": ENDLESS })).await);
        }
        server.until(RUNNING, "2").await;
        let waiting: Vec<_> =
            (0..8).map(|_| client.start("query", json!({ "sql": "SELECT 1" }))).collect();
        for call in waiting {
            let result = call.await.expect("no panic");
            let said = result["content"][0]["text"].as_str().expect("a text");
            let expected =
                "LIMITED: every connection was in use for 1s (`pool_size` is 2): try again";
            assert_eq!(said, expected);
        }
        let connections =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gateway'";
        assert_eq!(server.ask(connections).await, "2");
        for call in calls {
            call.cancel(None).await.expect("a cancellation");
        }
        client.works_in_time("query", json!({ "sql": "SELECT 1" })).await;
        server.until(RUNNING, "0").await;
        client.close().await;
        mounted.stop().await;
    }
}

#[tokio::test]
async fn writers_at_the_same_time_lose_nothing() {
    let server = Postgres::start().await;
    server.ask("CREATE TABLE counter (n int NOT NULL); INSERT INTO counter VALUES (0)").await;
    let options = json!({ "url": server.url(), "writable": true, "pool_wait": "60s" });
    let mounted = Mounted::start(with(options, json!({ "statement_timeout": "60s" }))).await;
    let mut clients = Vec::new();
    for era in ERAS {
        clients.push(Client::connect(era, &mounted.target()).await);
    }
    let add = json!({ "sql": "UPDATE counter SET n = n + $1", "params": [1] });
    let calls: Vec<_> =
        (0..60).map(|number| clients[number % 2].start("execute", add.clone())).collect();
    for call in calls {
        assert_eq!(worked(&call.await.expect("no panic"))["rows_changed"], 1);
    }
    assert_eq!(server.ask("SELECT n FROM counter").await, "60");
    for sql in ["DROP TABLE counter; DROP TABLE counter", "INSERT INTO counter VALUES (NULL)"] {
        let said = clients[0].fails("execute", json!({ "sql": sql })).await;
        assert!(said.starts_with("VALIDATION_ERROR") || said.starts_with("CONFLICT"), "{said}");
    }
    assert_eq!(server.ask("SELECT n FROM counter").await, "60");
    for client in clients {
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn a_server_that_crashes_in_a_statement_is_told_of_and_found_again() {
    let mut server = Postgres::start().await;
    server.ask("CREATE TABLE t (id int)").await;
    let options = json!({ "url": server.url(), "writable": true, "connect_wait": "6s" });
    let mounted = Mounted::start(with(options, json!({ "statement_timeout": "60m" }))).await;
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        let reading = client.start("query", json!({ "sql": ENDLESS }));
        let insert = "INSERT INTO t SELECT 1 FROM pg_sleep(3600)";
        let writing = client.start("execute", json!({ "sql": insert }));
        server.until(RUNNING, "2").await;
        server.crash().await;
        for call in [reading, writing] {
            let result = call.await.expect("no panic");
            let said = result["content"][0]["text"].as_str().expect("a text");
            assert!(said.starts_with("CONNECTION_ERROR: "), "{said}");
        }
        let said = client.fails("query", json!({ "sql": "SELECT 1" })).await;
        assert!(said.starts_with("CONNECTION_ERROR: no connection to the database: "), "{said}");
        server.restart().await;
        let found =
            client.works_in_time("query", json!({ "sql": "SELECT count(*) AS n FROM t" })).await;
        assert_eq!(found["items"], json!([{ "n": 0 }]));
        client.close().await;
    }
    mounted.stop().await;
}

#[tokio::test]
async fn a_reading_statement_is_asked_again_of_a_server_that_comes_back() {
    let mut server = Postgres::start().await;
    let options =
        json!({ "url": server.url(), "connect_wait": "120s", "statement_timeout": "60m" });
    let mounted = Mounted::start(options).await;
    for era in ERAS {
        let client = Client::connect(era, &mounted.target()).await;
        // Until the server is another one, it sleeps.
        let id = server.ask("SELECT pg_postmaster_start_time()").await;
        let sql = "SELECT 'back' AS state FROM (SELECT pg_sleep(CASE WHEN pg_postmaster_start_time() \
                   = $1::timestamptz THEN 3600 ELSE 0 END)) AS slept";
        let reading = client.start("query", json!({ "sql": sql, "params": [id] }));
        server.until(RUNNING, "1").await;
        server.crash().await;
        server.restart().await;
        let found = worked(&reading.await.expect("no panic"));
        assert_eq!(found["items"], json!([{ "state": "back" }]));
        client.close().await;
    }
    mounted.stop().await;
}
