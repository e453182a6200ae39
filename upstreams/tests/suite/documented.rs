//! The tables of bad input in `docs/children.md` say what the children answer.

use std::path::Path;

use serde_json::{Value, json};

use crate::caller::Caller;

const PAGE: &str = include_str!("../../../docs/children.md");

/// Rows of the table below a heading: tool, arguments, answer.
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

/// The page has no quotes around what came: they are those of code there.
async fn compare(child: &Caller, heading: &str) {
    let rows = rows(heading);
    assert!(rows.len() > 5, "a table below {heading}");
    for (tool, arguments, answer) in rows {
        let call = json!({ "name": tool, "arguments": arguments });
        let said = match child.ask("tools/call", call).await {
            Ok(result) => {
                assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
                result["content"][0]["text"].as_str().unwrap().to_owned()
            }
            Err(error) => format!("{}: {}", error.code, error.message),
        };
        assert_eq!(said.replace('`', "").trim_end(), answer.trim_end(), "{tool} {arguments}");
    }
}

#[tokio::test]
async fn bad_input_of_data_is_answered_as_documented() {
    compare(&Caller::builtin("data"), "Bad input of `data`").await;
}

#[tokio::test]
async fn bad_input_of_auth_is_answered_as_documented() {
    let options = json!({
        "issuer": "https://issuer.example", "audience": ["gateway"],
        "secret": "a secret of development, 32 bytes or more",
    });
    let auth = Caller::with("auth", options, Path::new("."));
    compare(&auth, "Bad input of `auth`").await;
}

#[tokio::test]
async fn bad_input_of_main_is_answered_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("packed.csv.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap();
    std::fs::write(folder.path().join("photo.csv"), b"a,b\n1,\x002\n").unwrap();
    std::fs::write(folder.path().join("huge.csv"), b"a,b\n1,2\n".repeat(300)).unwrap();
    let options = json!({ "roots": ["."], "bytes_max": 1024 });
    compare(&Caller::with("main", options, folder.path()), "Bad input of `main`").await;
}
