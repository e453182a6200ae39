//! Calls with good input, one at least for each tool, prompt, template and completion.

use serde_json::{Value, json};

use super::Expected;

const TEXT: &str = "/result/contents/0/text";
const ASKED: &str = "/result/messages/0/content/text";
const VALUES: &str = "/result/completion/values";

pub(super) fn steps() -> Vec<Expected> {
    [notes(), toolbox(), main(), data(), auth()].into_iter().flatten().collect()
}

fn step(mount: &'static str, what: Value, pointer: &'static str, value: Value) -> Expected {
    let mut step = what;
    let mut about = step.clone();
    about.as_object_mut().expect("a step").remove("do");
    step["step"] = json!(format!("{mount} good: {} {about}", step["do"]));
    Expected { mount, step, pointer, value }
}

fn tool(mount: &'static str, name: &str, with: Value, at: &'static str, value: Value) -> Expected {
    step(mount, json!({ "do": "call", "name": name, "arguments": with }), at, value)
}

fn read(mount: &'static str, uri: &str, part: &str) -> Expected {
    step(mount, json!({ "do": "read", "uri": uri }), TEXT, json!(part))
}

fn prompt(mount: &'static str, name: &str, with: Value, part: &str) -> Expected {
    step(mount, json!({ "do": "prompt", "name": name, "arguments": with }), ASKED, json!(part))
}

/// The reference is a prompt's name or a template's URI.
fn complete(mount: &'static str, of: &str, argument: &str, typed: &str, values: Value) -> Expected {
    let reference = match of.contains("://") {
        true => json!({ "type": "ref/resource", "uri": of }),
        false => json!({ "type": "ref/prompt", "name": of }),
    };
    let argument = json!({ "name": argument, "value": typed });
    step(mount, json!({ "do": "complete", "ref": reference, "argument": argument }), VALUES, values)
}

fn notes() -> Vec<Expected> {
    let milk = json!({ "title": "Milk", "text": "two litres", "tags": ["shop"] });
    let tool = |name, with, at, value| tool("notes", name, with, at, value);
    vec![
        tool("add", milk, "/result/structuredContent/id", json!(1)),
        tool("add", json!({ "title": "B", "text": "" }), "/result/structuredContent/id", json!(2)),
        tool(
            "edit",
            json!({ "id": 1, "title": "Oat milk" }),
            "/result/structuredContent/title",
            json!("Oat milk"),
        ),
        tool(
            "search",
            json!({ "text": "LITRES", "tag": "shop" }),
            "/result/structuredContent/notes/0/snippet",
            json!("two litres"),
        ),
        tool(
            "list_tags",
            json!({}),
            "/result/structuredContent/tags",
            json!([{ "notes": 1, "tag": "shop" }]),
        ),
        read("notes", "note://notes", "Oat milk"),
        read("notes", "note://notes/1", "two litres"),
        prompt("notes", "review_note", json!({ "id": "1" }), "Review this note"),
        prompt(
            "notes",
            "summarize_notes",
            json!({ "tag": "shop" }),
            "Summarize these 1 notes with the tag `shop`",
        ),
        complete("notes", "summarize_notes", "tag", "s", json!(["shop"])),
        complete("notes", "review_note", "id", "", json!(["1", "2"])),
        complete("notes", "note://notes/{id}", "id", "2", json!(["2"])),
        tool("remove", json!({ "id": 2 }), "/result/structuredContent/left", json!(1)),
    ]
}

fn toolbox() -> Vec<Expected> {
    let tool = |name, with, at, value| tool("toolbox", name, with, at, value);
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    vec![
        tool(
            "now",
            json!({ "zone": "Europe/Berlin" }),
            "/result/structuredContent/zone",
            json!("Europe/Berlin"),
        ),
        tool(
            "convert_time",
            json!({ "time": "2026-07-28T18:00", "to": "Asia/Tokyo" }),
            "/result/structuredContent/to/time",
            json!("2026-07-29T03:00:00+09:00"),
        ),
        tool(
            "date_diff",
            json!({ "start": "2026-07-28", "end": "2026-08-01" }),
            "/result/structuredContent/iso8601",
            json!("P4D"),
        ),
        tool(
            "convert_units",
            json!({ "value": 100, "from": "km", "to": "mi" }),
            "/result/structuredContent/text",
            json!("100 km = 62.1371192237334 mi"),
        ),
        tool(
            "text_stats",
            json!({ "text": "zwei grüne Äpfel" }),
            "/result/structuredContent/characters",
            json!(16),
        ),
        tool(
            "transform_text",
            json!({ "text": "Zwei Äpfel", "operation": "slug" }),
            "/result/structuredContent/text",
            json!("zwei-äpfel"),
        ),
        tool("hash", json!({ "text": "" }), "/result/structuredContent/hash", json!(hash)),
        tool("uuid", json!({ "version": "v7" }), "/result/structuredContent/uuids/0", json!("-7")),
        tool(
            "random_number",
            json!({ "min": 3, "max": 3, "count": 2 }),
            "/result/structuredContent/numbers",
            json!([3, 3]),
        ),
        tool(
            "count_down",
            json!({ "steps": 2, "delay_ms": 0 }),
            "/result/structuredContent/steps",
            json!(2),
        ),
        read("toolbox", "toolbox://units", "square meter"),
        prompt(
            "toolbox",
            "explain_conversion",
            json!({ "value": "100", "from": "km", "to": "mi" }),
            "Explain step by step how 100 kilometer is converted into mile.",
        ),
        complete(
            "toolbox",
            "explain_conversion",
            "from",
            "kilometer per",
            json!(["kilometer per hour"]),
        ),
    ]
}

fn main() -> Vec<Expected> {
    let sample = "enterprise://data/sample";
    let analyze = |kind: &str, at, value| {
        let arguments = json!({ "source": sample, "analysis_type": kind });
        tool("main", "analyze_data", arguments, at, value)
    };
    let secret = json!({ "source": "name,mail\na,ada@example.org\n", "analysis_type": "security" });
    vec![
        analyze("quick", "/result/structuredContent/rows", json!(8)),
        analyze("comprehensive", "/result/structuredContent/columns/0/name", json!("order")),
        tool(
            "main",
            "analyze_data",
            secret,
            "/result/structuredContent/findings/0/column",
            json!("mail"),
        ),
        // As the client knows it: with the prefix of the mount.
        tool(
            "main",
            "analyze_data",
            json!({ "source": "enterprise://main/data/sample", "analysis_type": "quick" }),
            "/result/structuredContent/rows",
            json!(8),
        ),
        read("main", sample, "1001,Ada,north,120.50,true,2026-01-04"),
        prompt(
            "main",
            "analysis_prompt",
            json!({ "data_type": "csv", "requirements": "which region sells most" }),
            "which region sells most",
        ),
        complete("main", "enterprise://data/{resource_id}", "resource_id", "s", json!(["sample"])),
        complete("main", "analysis_prompt", "data_type", "js", json!(["json", "jsonl"])),
    ]
}

fn data() -> Vec<Expected> {
    let select = "SELECT name FROM products WHERE id = ?";
    let raise = "UPDATE products SET price_cents = price_cents + ? WHERE id = 1";
    vec![
        tool(
            "data",
            "query",
            json!({ "sql": select, "params": [1] }),
            "/result/structuredContent/items",
            json!([{ "name": "Desk lamp" }]),
        ),
        // What looks like SQL is a value like any other.
        tool(
            "data",
            "query",
            json!({ "sql": select, "params": ["1 OR 1 = 1; DROP TABLE products"] }),
            "/result/structuredContent/items",
            json!([]),
        ),
        tool(
            "shop",
            "execute",
            json!({ "sql": raise, "params": [5] }),
            "/result/structuredContent/rows_changed",
            json!(1),
        ),
        tool(
            "data",
            "kv_set",
            json!({ "key": "k", "value": "v", "ttl_seconds": 3600 }),
            "/result/structuredContent/uri",
            json!("data://kv/k"),
        ),
        tool(
            "data",
            "kv_get",
            json!({ "key": "k" }),
            "/result/structuredContent/value",
            json!("v"),
        ),
        tool("data", "kv_list", json!({}), "/result/structuredContent/items", json!(["k"])),
        read("data", "data://kv/k", "v"),
        read("data", "data://tables", "products"),
        read("data", "data://tables/products/schema", "price_cents"),
        complete("data", "data://tables/{name}/schema", "name", "pro", json!(["products"])),
        complete("data", "data://kv/{key}", "key", "", json!(["k"])),
        tool(
            "data",
            "kv_delete",
            json!({ "key": "k" }),
            "/result/structuredContent/deleted",
            json!(true),
        ),
    ]
}

/// Signed with the secret of this file's tests, good until the year 2100.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoiZ2F0ZXdheSIsInN1YiI6ImFkYSIsImV4cCI6NDEwMjQ0NDgwMCwic2NvcGUiOiJub3RlczpyZWFkIn0.Oubyaxvg87QeJz5Y02eebXgF4lKg3oKBvxsQWQ43qqQ";

fn auth() -> Vec<Expected> {
    vec![
        tool(
            "auth",
            "whoami",
            json!({}),
            "/result/structuredContent/principal",
            json!("anonymous"),
        ),
        tool(
            "auth",
            "verify_token",
            json!({ "token": TOKEN, "scopes": ["notes:read"] }),
            "/result/structuredContent/subject",
            json!("ada"),
        ),
        tool(
            "issuer",
            "issue_token",
            json!({ "subject": "ada", "ttl_seconds": 60 }),
            "/result/structuredContent/expires_in",
            json!(60),
        ),
        read("auth", "auth://scopes", "granted"),
    ]
}
