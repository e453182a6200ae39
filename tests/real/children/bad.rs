//! The tables of bad input in `docs/children.md`, as steps of a plan.

use serde_json::{Value, json};

use super::Expected;
use crate::client::Era;

const PAGE: &str = include_str!("../../../docs/children.md");
/// Stands for the whole answer as the page writes it.
pub(super) const ANSWER: &str = "the answer";
/// The children with a table.
const CHILDREN: [&str; 5] = ["notes", "toolbox", "main", "data", "auth"];
/// Tools that only a mount with more options has.
const ELSEWHERE: [(&str, &str); 2] = [("execute", "shop"), ("issue_token", "issuer")];

/// Every row: what is called, with what, and the answer.
pub(super) fn steps() -> Vec<Expected> {
    let rows = CHILDREN.iter().flat_map(|child| rows(child).map(move |row| (*child, row)));
    rows.enumerate().map(|(number, (child, row))| expected(number, child, row)).collect()
}

fn rows(child: &str) -> impl Iterator<Item = [&'static str; 3]> {
    let heading = format!("\n### Bad input of `{child}`\n");
    let (_, section) = PAGE.split_once(&heading).unwrap_or_else(|| panic!("a table for {child}"));
    let section = section.split("\n#").next().unwrap_or_default();
    section.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells = line.trim_matches(['|', ' ']).split("` | `");
        let cells: Vec<&str> = cells.map(|cell| cell.trim_matches('`')).collect();
        cells.try_into().unwrap_or_else(|_| panic!("three cells: {line}"))
    })
}

fn expected(number: usize, child: &'static str, [what, input, answer]: [&str; 3]) -> Expected {
    let input: Value =
        serde_json::from_str(input).unwrap_or_else(|fault| panic!("{input}: {fault}"));
    let mount = ELSEWHERE.iter().find(|(tool, _)| *tool == what).map_or(child, |(_, mount)| mount);
    let mut step = json!({ "step": format!("{child} bad {number}: {what} {input}") });
    let more = match what.split_once(' ') {
        None if what == "read" => json!({ "do": "read", "uri": input["uri"] }),
        Some(("prompt", name)) => json!({ "do": "prompt", "name": name, "arguments": input }),
        _ => json!({ "do": "call", "name": what, "arguments": input }),
    };
    for (key, value) in more.as_object().into_iter().flatten() {
        step[key] = value.clone();
    }
    Expected { mount, step, pointer: ANSWER, value: json!(answer.trim_end()) }
}

/// An outcome as the page writes it: on one line, without quotes around what came, which are those
/// of code there, and with the modern era's code for what is not there.
pub(super) fn told(era: Era, outcome: &Value) -> String {
    let text = match &outcome["error"] {
        Value::Object(error) => {
            let code = match error["code"].as_i64() {
                Some(-32002) if era == Era::Legacy => -32602,
                code => code.unwrap_or_default(),
            };
            format!("{code}: {}", error["message"].as_str().unwrap_or_default())
        }
        _ if outcome["result"]["isError"] == true => {
            outcome["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned()
        }
        _ => format!("no error: {outcome}"),
    };
    text.replace('`', "").replace('\n', " ").trim_end().to_owned()
}
