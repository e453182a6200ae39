//! Anybody's statements and tokens: answered with a code, and nothing is changed or believed.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::caller::Caller;

/// Cases of a run: each is a call.
const CASES: u32 = 200;

fn run<S: Strategy>(strategy: &S, case: impl Fn(S::Value)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let done = TestRunner::new(config).run(strategy, |value| {
        case(value);
        Ok(())
    });
    done.unwrap();
}

#[test]
fn no_statement_changes_what_is_only_read() {
    let runtime = Runtime::new().unwrap();
    let data = Caller::builtin("data");
    let word = prop::sample::select(vec![
        "SELECT",
        "DELETE FROM",
        "products",
        "*",
        "FROM",
        ";",
        "--",
        "/*",
        "'",
        "\"",
        "(",
        ")",
        "WITH",
        "x",
        "AS",
        "UPDATE",
        "SET",
        "name",
        "=",
        "1",
        "?",
        "DROP TABLE",
        "INSERT INTO",
        "VALUES",
        "PRAGMA",
        "RETURNING",
        ",",
        "EXPLAIN",
        "\u{0}",
        "é",
    ]);
    run(&prop::collection::vec(word, 1..12), |words| {
        runtime.block_on(data.tool("query", json!({ "sql": words.join(" ") })));
        let count =
            data.works("query", json!({ "sql": "SELECT count(DISTINCT name) AS n FROM products" }));
        assert_eq!(runtime.block_on(count)["items"], json!([{ "n": 6 }]), "{words:?}");
    });
}

#[test]
fn no_text_is_a_good_token() {
    let runtime = Runtime::new().unwrap();
    let options = json!({
        "issuer": "https://issuer.example", "audience": ["gateway"],
        "secret": "a secret of development, 32 bytes or more",
    });
    let auth = Caller::with("auth", options, Path::new("."));
    let head = prop::sample::select(vec![
        "eyJhbGciOiJIUzI1NiJ9",
        "eyJhbGciOiJub25lIn0",
        "eyJhbGciOiJSUzI1NiJ9",
        "e30",
        "W10",
        "",
    ]);
    let part = "[A-Za-z0-9_=+/-]{0,40}";
    run(
        &prop_oneof![
            (head, part, part).prop_map(|(a, b, c)| format!("{a}.{b}.{c}")),
            any::<String>()
        ],
        |token| {
            let said = runtime.block_on(auth.fails("verify_token", json!({ "token": token })));
            let (code, _) = said.split_once(": ").unwrap();
            assert!(code.starts_with("TOKEN_") || code == "VALIDATION_ERROR", "{said}");
        },
    );
}
