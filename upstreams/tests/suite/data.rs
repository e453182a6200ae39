//! SQL of `data` over SQLite: pages, parameters, bounds, and what only reads.

use std::path::Path;

use expect_test::expect;
use serde_json::{Value, json};

use crate::caller::{Caller, error, pretty, wrapped};

/// The sample in memory.
fn sample(options: Value) -> Caller {
    Caller::with("data", options, Path::new("."))
}

/// A file with one table, where writing is allowed.
async fn file(folder: &Path) -> Caller {
    let path = folder.join("data.db");
    std::fs::write(&path, "").unwrap();
    let options = json!({ "url": "sqlite:data.db", "writable": true });
    let data = Caller::with("data", options, folder);
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)";
    assert_eq!(data.works("execute", json!({ "sql": sql })).await["rows_changed"], 0);
    data
}

#[tokio::test]
async fn a_query_answers_with_a_page_of_rows() {
    let sql = "SELECT id, name, id, in_stock > 0 AS there, 1.5 AS real, NULL AS none, \
               x'00ff' AS raw FROM products WHERE category = ?1 ORDER BY id";
    let arguments = json!({ "sql": sql, "params": ["kitchen"], "page_size": 1 });
    let page = sample(json!({})).works("query", arguments).await;
    expect![[r#"
        {
          "columns": [
            "id",
            "name",
            "id_2",
            "there",
            "real",
            "none",
            "raw"
          ],
          "has_next": true,
          "items": [
            {
              "id": 5,
              "id_2": 5,
              "name": "Kettle",
              "none": null,
              "raw": {
                "base64": "AP8="
              },
              "real": 1.5,
              "there": 0
            }
          ],
          "page": 1,
          "page_size": 1,
          "total": 2,
          "total_is_exact": true
        }
    "#]]
    .assert_eq(&pretty(&page));
}

#[tokio::test]
async fn ten_thousand_rows_are_walked_page_by_page() {
    let data = sample(json!({}));
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
               SELECT i FROM n";
    let (mut page, mut seen) = (1, Vec::new());
    loop {
        let arguments = json!({ "sql": sql, "page": page, "page_size": 999 });
        let found = data.works("query", arguments).await;
        assert_eq!(found["total"], 10_000);
        seen.extend(
            found["items"].as_array().unwrap().iter().map(|row| row["i"].as_u64().unwrap()),
        );
        page += 1;
        if found["has_next"] == false {
            break;
        }
    }
    assert_eq!(page, 12);
    assert!(seen.into_iter().eq(1..=10_000));
    let beyond = data.works("query", json!({ "sql": sql, "page": 900, "page_size": 999 })).await;
    assert_eq!(beyond["items"], json!([]));
    assert_eq!((&beyond["total"], &beyond["has_next"]), (&json!(10_000), &json!(false)));
}

#[tokio::test]
async fn a_parameter_is_a_value_and_never_sql() {
    let data = sample(json!({}));
    let evil = "x' OR '1'='1'; DROP TABLE products; --";
    let arguments =
        json!({ "sql": "SELECT ? AS said, $2 AS two", "params": [evil, [1, {"a": null}]] });
    let page = data.works("query", arguments).await;
    assert_eq!(page["items"], json!([{ "said": evil, "two": "[1,{\"a\":null}]" }]));
    let arguments = json!({ "sql": "SELECT id FROM products WHERE name = ?", "params": [evil] });
    assert_eq!(data.works("query", arguments).await["total"], 0);
    let by_number = json!({ "sql": "SELECT $2 AS b, $1 AS a", "params": ["a", "b"] });
    assert_eq!(data.works("query", by_number).await["items"], json!([{ "a": "a", "b": "b" }]));
    assert_eq!(data.works("query", json!({ "sql": "SELECT id FROM products" })).await["total"], 6);
}

/// Statements that do more than read, or try to.
const CHANGING: [&str; 15] = [
    "INSERT INTO t (name) VALUES ('b')",
    "INSERT INTO t (name) VALUES ('b') RETURNING id",
    "UPDATE t SET name = 'b'",
    "DELETE FROM t",
    "DROP TABLE t",
    "CREATE TEMP TABLE x (a)",
    "WITH x AS (SELECT 1) DELETE FROM t",
    "ATTACH 'other.db' AS other",
    "PRAGMA query_only = OFF",
    "PRAGMA writable_schema = ON",
    "BEGIN",
    "VACUUM INTO 'copy.db'",
    "REINDEX",
    "SELECT 1; DELETE FROM t",
    "EXPLAIN DELETE FROM t",
];

#[tokio::test]
async fn whatever_does_more_than_read_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path()).await;
    data.works("execute", json!({ "sql": "INSERT INTO t (name) VALUES ('a')" })).await;
    let mut told = Vec::new();
    for sql in CHANGING {
        let said = data.fails("query", json!({ "sql": sql })).await;
        assert!(said.starts_with("READ_ONLY: "), "{sql}: {said}");
        told.push(said);
    }
    expect![[r#"
        READ_ONLY: expected a statement that only reads, came one that changes data or \
        settings, opens a transaction or reaches for other files
    "#]]
    .assert_eq(&wrapped(&told[0]));
    let names = data.works("query", json!({ "sql": "SELECT name FROM t" })).await;
    assert_eq!(names["items"], json!([{ "name": "a" }]));
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

#[tokio::test]
async fn what_is_no_statement_is_explained() {
    let data = sample(json!({}));
    let mut told = String::new();
    for sql in [
        "SELECT 1; SELECT 2",
        "SELECT load_extension('x')",
        "",
        "-- nothing",
        "SELEC 1",
        "SELECT * FROM missing",
        "SELECT ?",
        "SELECT :name",
    ] {
        let said = data.fails("query", json!({ "sql": sql })).await;
        told += &format!("{sql}\n    {said}\n");
    }
    expect![[r#"
        SELECT 1; SELECT 2
            VALIDATION_ERROR: expected one statement, came several
        SELECT load_extension('x')
            QUERY_ERROR: not authorized to use function: load_extension (at byte 7)

            VALIDATION_ERROR: sql: expected a text of 1 to 100000 characters, came ``
        -- nothing
            VALIDATION_ERROR: expected a statement, came none
        SELEC 1
            QUERY_ERROR: near "SELEC": syntax error (at byte 0)
        SELECT * FROM missing
            QUERY_ERROR: no such table: missing
        SELECT ?
            VALIDATION_ERROR: params: expected as many values as there are parameters: \
        1, came 0
        SELECT :name
            VALIDATION_ERROR: expected parameters by number (?, ?1 or $1), came `:name`
    "#]]
    .assert_eq(&wrapped(&told));
}

#[tokio::test]
async fn writing_is_one_statement_on_the_tables_of_this_database() {
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path()).await;
    let insert = json!({ "sql": "INSERT INTO t (name) VALUES (?), (?)", "params": ["a", "b"] });
    assert_eq!(data.works("execute", insert.clone()).await["rows_changed"], 2);
    let mut told = String::new();
    for arguments in [
        insert,
        json!({ "sql": "INSERT INTO t (name) VALUES ('c'); DELETE FROM t" }),
        json!({ "sql": "SELECT * FROM t" }),
        json!({ "sql": "ATTACH 'other.db' AS other" }),
        json!({ "sql": "PRAGMA journal_mode = WAL" }),
        json!({ "sql": "BEGIN" }),
        json!({ "sql": "INSERT INTO t (name) VALUES (?)", "params": [] }),
    ] {
        told += &format!("{}\n    {}\n", arguments, data.fails("execute", arguments.clone()).await);
    }
    expect![[r#"
        {"params":["a","b"],"sql":"INSERT INTO t (name) VALUES (?), (?)"}
            CONFLICT: UNIQUE constraint failed: t.name
        {"sql":"INSERT INTO t (name) VALUES ('c'); DELETE FROM t"}
            VALIDATION_ERROR: expected one statement, came several
        {"sql":"SELECT * FROM t"}
            VALIDATION_ERROR: expected a statement that changes something, came one \
        that reads: `query` does that
        {"sql":"ATTACH 'other.db' AS other"}
            FORBIDDEN: expected a statement on the tables of this database, came one \
        that changes settings, opens a transaction or reaches for other files
        {"sql":"PRAGMA journal_mode = WAL"}
            FORBIDDEN: expected a statement on the tables of this database, came one \
        that changes settings, opens a transaction or reaches for other files
        {"sql":"BEGIN"}
            FORBIDDEN: expected a statement on the tables of this database, came one \
        that changes settings, opens a transaction or reaches for other files
        {"params":[],"sql":"INSERT INTO t (name) VALUES (?)"}
            VALIDATION_ERROR: params: expected as many values as there are parameters: \
        1, came 0
    "#]]
    .assert_eq(&wrapped(&told));
    let update = json!({ "sql": "UPDATE t SET name = name || '!' WHERE id > ?", "params": [1] });
    assert_eq!(data.works("execute", update).await["rows_changed"], 1);
    let names = data.works("query", json!({ "sql": "SELECT name FROM t ORDER BY id" })).await;
    assert_eq!(names["items"], json!([{ "name": "a" }, { "name": "b!" }]));
}

#[tokio::test]
async fn a_database_that_only_reads_has_no_tool_that_writes() {
    let data = sample(json!({}));
    let listed = data.ask("tools/list", json!({})).await.unwrap();
    let names: Vec<_> =
        listed["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(json!(names), json!(["kv_delete", "kv_get", "kv_list", "kv_set", "query"]));
    let call = json!({ "name": "execute", "arguments": { "sql": "DELETE FROM products" } });
    expect![[r#"
        -32602 there is no tool `execute`: expected one of kv_delete, kv_get, kv_list, \
        kv_set, query
        {"gateway":{"code":"NOT_FOUND"}}
    "#]]
    .assert_eq(&error(data.ask("tools/call", call).await));
}

#[tokio::test]
async fn every_bound_is_named_when_it_is_reached() {
    let data = sample(json!({ "result_bytes_max": 2048, "rows_counted_max": 50 }));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let counted = data.works("query", json!({ "sql": endless, "page_size": 10 })).await;
    assert_eq!(counted["total"], 50);
    assert_eq!((&counted["total_is_exact"], &counted["has_next"]), (&json!(false), &json!(true)));
    let mut told = String::new();
    for sql in [
        "SELECT i, hex(randomblob(100)) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
         SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n)",
        "SELECT zeroblob(100000000)",
    ] {
        told += &format!("{}\n", data.fails("query", json!({ "sql": sql })).await);
    }
    for arguments in [
        json!({ "sql": "SELECT 1", "page": 0, "page_size": 1001 }),
        json!({ "sql": 7, "params": "x", "more": true }),
    ] {
        told += &format!("{}\n", data.fails("query", arguments).await);
    }
    expect![[r#"
        LIMITED: expected a page of at most 2048 bytes, came more on page 1 of 100 \
        rows: select fewer columns, shorten long values (substr), or take a smaller \
        page_size
        LIMITED: string or blob too big
        VALIDATION_ERROR: 2 things are wrong:
        - page: expected a whole number from 1 to 1000000 or nothing, came 0
        - page_size: expected a whole number from 1 to 1000 or nothing, came 1001
        VALIDATION_ERROR: 3 things are wrong:
        - more: expected one of the names page, page_size, params, sql, came true
        - params: expected a list of at most 100 elements, came `x`
        - sql: expected a text of 1 to 100000 characters, came 7
    "#]]
    .assert_eq(&wrapped(&told));
}

#[tokio::test]
async fn a_statement_ends_with_its_time_and_with_its_caller() {
    let data = sample(json!({ "pool_size": 1, "statement_timeout": "200ms" }));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT count(*) FROM n";
    let said = data.fails("query", json!({ "sql": endless })).await;
    assert!(said.starts_with("TIMEOUT: expected an answer within 200ms"), "{said}");
    // The only connection is free again, so the statement has ended.
    let slow = sample(json!({ "pool_size": 1, "statement_timeout": "10m" }));
    let call = json!({ "name": "query", "arguments": { "sql": endless } });
    slow.start("tools/call", call).drop_it().await;
    for data in [data, slow] {
        assert_eq!(data.works("query", json!({ "sql": "SELECT 1 AS one" })).await["total"], 1);
    }
}

#[tokio::test]
async fn a_call_waits_for_a_connection_no_longer_than_it_may() {
    let data = sample(json!({ "pool_size": 1, "pool_wait": "50ms", "statement_timeout": "10m" }));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT count(*) FROM n";
    let call = json!({ "name": "query", "arguments": { "sql": endless } });
    let running = data.start("tools/call", call);
    let mut said = String::new();
    // The other call may come to the pool a moment later.
    while said.is_empty() {
        let result = data.tool("query", json!({ "sql": "SELECT 1" })).await;
        if result["isError"] == true {
            said = result["content"][0]["text"].as_str().unwrap().to_owned();
        }
    }
    expect![[r#"
        LIMITED: every connection was in use for 50ms (`pool_size` is 1): try again
    "#]]
    .assert_eq(&wrapped(&said));
    let figures: Value = data.0.figures().unwrap().read().unwrap();
    assert_eq!(figures["sql"]["readers"]["exhausted"], 1);
    assert_eq!(figures["sql"]["readers"]["inUse"], 1);
    running.drop_it().await;
}

#[tokio::test]
async fn tables_and_schemas_are_resources() {
    let data = sample(json!({}));
    let mut told = String::new();
    for uri in ["data://tables", "data://tables/orders/schema", "data://tables/revenue/schema"] {
        let read = data.ask("resources/read", json!({ "uri": uri })).await.unwrap();
        told += &format!("{}\n", read["contents"][0]["text"].as_str().unwrap());
    }
    for uri in ["data://tables/x%27%3B/schema", "data://other"] {
        told += &error(data.ask("resources/read", json!({ "uri": uri })).await);
    }
    expect![[r#"
        {"tables":[{"kind":"table","name":"orders"},{"kind":"table","name":"products"},{\
        "kind":"view","name":"revenue"}]}
        {"columns":[{"name":"id","nullable":true,"primary_key":1,"type":"INTEGER"},{"nam\
        e":"product_id","nullable":false,"type":"INTEGER"},{"name":"quantity","nullable"\
        :false,"type":"INTEGER"},{"name":"ordered_on","nullable":false,"type":"TEXT"}],"\
        table":"orders"}
        {"columns":[{"name":"category","nullable":true,"type":"TEXT"},{"name":"cents","n\
        ullable":true,"type":""}],"table":"revenue"}
        -32602 there is no table `x';`: data://tables lists those there are
        {"gateway":{"code":"NOT_FOUND"},"uri":"data://tables/x%27%3B/schema"}
        -32602 there is no such resource: expected data://tables, \
        data://tables/{name}/schema or data://kv/{key}
        {"gateway":{"code":"NOT_FOUND"},"uri":"data://other"}
    "#]]
    .assert_eq(&wrapped(&told));
    let complete = json!({
        "ref": { "type": "ref/resource", "uri": "data://tables/{name}/schema" },
        "argument": { "name": "name", "value": "pro" },
    });
    let completed = data.ask("completion/complete", complete).await.unwrap();
    assert_eq!(completed["completion"]["values"], json!(["products"]));
}

#[tokio::test]
async fn a_database_that_is_none_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.db"), "this is a text, and long enough for a head")
        .unwrap();
    let mut told = String::new();
    for file in ["missing.db", "text.db"] {
        let data = Caller::with("data", json!({ "url": format!("sqlite:{file}") }), folder.path());
        told += &format!("{}\n", data.fails("query", json!({ "sql": "SELECT * FROM t" })).await);
    }
    expect![[r#"
        CONNECTION_ERROR: the database file cannot be opened
        CONNECTION_ERROR: file is not a database
    "#]]
    .assert_eq(&told);
}

#[tokio::test]
async fn writers_at_the_same_time_all_get_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let data = file(folder.path()).await;
    let insert = |number: i32| {
        let sql = "INSERT INTO t (name) VALUES (?)";
        let arguments = json!({ "sql": sql, "params": [number.to_string()] });
        data.start("tools/call", json!({ "name": "execute", "arguments": arguments }))
    };
    let running: Vec<_> = (0..40).map(insert).collect();
    for running in running {
        let result = running.task.await.unwrap().unwrap();
        assert_eq!(result["structuredContent"]["rows_changed"], 1, "{result}");
    }
    let count = data.works("query", json!({ "sql": "SELECT count(*) AS n FROM t" })).await;
    assert_eq!(count["items"][0]["n"], 40);
}
