//! The tables of bad input in `docs/children.md` say what the children answer.

use std::path::Path;

use serde_json::{Value, json};

use crate::caller::Caller;

const PAGE: &str = include_str!("../../../docs/children.md");

/// Rows of the table below a heading: what is called, with what, and the answer.
fn rows(heading: &str) -> Vec<(String, Value, String)> {
    let (_, section) = PAGE.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| {
        let cell = |cell: &str| cell.trim_matches('`').to_owned();
        let mut cells = row.trim_matches(['|', ' ']).split("` | `").map(cell);
        let mut next = || cells.next().unwrap();
        let (tool, arguments, answer) = (next(), next(), next());
        (tool, serde_json::from_str(&arguments).unwrap(), answer)
    });
    cells.collect()
}

/// What the row asks, as a request.
fn request(what: &str, input: Value) -> (&'static str, Value) {
    match what.split_once(' ') {
        None if what == "read" => ("resources/read", input),
        Some(("prompt", name)) => ("prompts/get", json!({ "name": name, "arguments": input })),
        _ => ("tools/call", json!({ "name": what, "arguments": input })),
    }
}

/// The page has no quotes around what came, they are those of code there, and no second line.
/// `elsewhere` are tools of the same child with more options.
async fn compare(child: &Caller, heading: &str, elsewhere: &[(&str, &Caller)]) {
    let rows = rows(heading);
    assert!(rows.len() > 5, "a table below {heading}");
    for (what, input, answer) in rows {
        let (method, params) = request(&what, input.clone());
        let other = elsewhere.iter().find(|(tool, _)| *tool == what);
        let asked = other.map_or(child, |(_, other)| other);
        let said = match asked.ask(method, params).await {
            Ok(result) => {
                assert_eq!(result["isError"], true, "{what} {input}: {result}");
                result["content"][0]["text"].as_str().unwrap().to_owned()
            }
            Err(error) => format!("{}: {}", error.code, error.message),
        };
        let said = said.replace('`', "").replace('\n', " ");
        assert_eq!(said.trim_end(), answer.trim_end(), "{what} {input}");
    }
}

#[tokio::test]
async fn bad_input_of_notes_is_answered_as_documented() {
    let notes = Caller::builtin("notes");
    let milk = json!({ "title": "Milk", "text": "two litres" });
    notes.ask("tools/call", json!({ "name": "add", "arguments": milk })).await.unwrap();
    compare(&notes, "Bad input of `notes`", &[]).await;
}

#[tokio::test]
async fn bad_input_of_toolbox_is_answered_as_documented() {
    compare(&Caller::builtin("toolbox"), "Bad input of `toolbox`", &[]).await;
}

#[tokio::test]
async fn bad_input_of_data_is_answered_as_documented() {
    let writable = Caller::with("data", json!({ "writable": true }), Path::new("."));
    let data = Caller::builtin("data");
    compare(&data, "Bad input of `data`", &[("execute", &writable)]).await;
}

#[tokio::test]
async fn bad_input_of_auth_is_answered_as_documented() {
    let mut options = json!({
        "issuer": "https://issuer.example", "audience": ["gateway"],
        "secret": "a secret of development, 32 bytes or more",
    });
    let auth = Caller::with("auth", options.clone(), Path::new("."));
    options["issue_tokens"] = json!(true);
    let issuer = Caller::with("auth", options, Path::new("."));
    compare(&auth, "Bad input of `auth`", &[("issue_token", &issuer)]).await;
}

#[tokio::test]
async fn bad_input_of_main_is_answered_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("packed.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap();
    std::fs::write(folder.path().join("photo.csv"), b"a,b\n1,\x002\n").unwrap();
    std::fs::write(folder.path().join("huge.csv"), b"a,b\n1,2\n".repeat(300)).unwrap();
    let options = json!({ "roots": ["."], "bytes_max": 1024 });
    compare(&Caller::with("main", options, folder.path()), "Bad input of `main`", &[]).await;
}
