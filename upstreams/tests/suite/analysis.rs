//! The child `main`: real data of each form analysed, and every bad source refused by its code.

use std::path::Path;

use expect_test::expect;
use protocol::{Options, Raw};
use serde_json::{Value, json};

use crate::caller::{Caller, error, pretty, wrapped};

/// The child, which may read the files of `folder`.
fn main_in(folder: &Path, more: Value) -> Caller {
    let mut values = json!({ "roots": ["."], "data": {} });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let options = Options { values: Raw::of(&values), folder: folder.to_owned() };
    let (_, make) = upstreams::builtins().into_iter().find(|(name, _)| *name == "main").unwrap();
    Caller(make.make(&options).unwrap_or_else(|wrong| panic!("{wrong:?}")))
}

fn main() -> Caller {
    Caller::builtin("main")
}

/// One line of what a report says of each column.
fn columns(report: &Value) -> String {
    let columns = report["columns"].as_array().unwrap().iter().map(|column| {
        format!(
            "{}: {} values={} nulls={} distinct={} min={} max={}\n",
            column["name"],
            column["kind"],
            column["values"],
            column["nulls"],
            column["distinct"],
            column["min"],
            column["max"]
        )
    });
    columns.collect()
}

#[tokio::test]
async fn a_quick_look_tells_columns_kinds_and_gaps() {
    let source = "id;name;born;score\n1;Ann;1999-01-02;1.5\n2;;2001-12-31;2\n3;Bo;;x\n";
    let report = main().works("analyze_data", json!({ "source": source })).await;
    expect![[r#"
        "id": "integer" values=3 nulls=0 distinct=3 min=1.0 max=3.0
        "name": "text" values=2 nulls=1 distinct=2 min=null max=null
        "born": "date" values=2 nulls=1 distinct=2 min=null max=null
        "score": "mixed" values=3 nulls=0 distinct=3 min=1.5 max=2.0
    "#]]
    .assert_eq(&columns(&report));
    assert_eq!(report["rows"], 3);
    assert_eq!(report["format"], "csv");
    assert_eq!(report["source"], "inline");
}

#[tokio::test]
async fn the_three_forms_of_the_same_data_say_the_same() {
    let forms = [
        "a,b\n1,x\n,y\n",
        "[{\"a\":1,\"b\":\"x\"},{\"a\":null,\"b\":\"y\"}]",
        "{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\"}\n",
    ];
    let mut said = Vec::new();
    for source in forms {
        let report = main().works("analyze_data", json!({ "source": source })).await;
        said.push(report["columns"].clone());
    }
    assert_eq!(said[0], said[1]);
    assert_eq!(said[1], said[2]);
}

#[tokio::test]
async fn a_comprehensive_analysis_of_a_resource_finds_the_outlier() {
    let arguments = json!({ "source": "enterprise://data/sample", "analysis_type": "comprehensive",
                "options": { "columns": ["amount"] } });
    let report = main().works("analyze_data", arguments).await;
    let numbers = &report["columns"][0]["numbers"];
    // The outlier is among seven values only, one too few for quartiles to say anything.
    assert!(numbers["outliers"].is_null(), "{numbers}");
    let rows: String = (1..=20).map(|row| format!("{row},{}\n", 100 + row % 3)).collect();
    let source = format!("row,amount\n{rows}21,2500\n");
    let arguments = json!({ "source": source, "analysis_type": "comprehensive" });
    let report = main().works("analyze_data", arguments).await;
    let numbers = &report["columns"][1]["numbers"];
    assert_eq!(numbers["outliers"]["count"], 1, "{numbers}");
    assert_eq!(numbers["outliers"]["examples"], json!([{ "row": 21, "value": 2500.0 }]));
    assert_eq!(numbers["quartiles"], json!([100.0, 101.0, 102.0]));
    assert_eq!(report["columns"][1]["top"][0], json!({ "value": "101", "count": 7 }));
}

#[tokio::test]
async fn security_names_what_it_finds_and_never_repeats_it() {
    let source = "note,contact\n\"x' OR '1'='1\",ann@example.org\nAKIAIOSFODNN7EXAMPLE,\n";
    let arguments = json!({ "source": source, "analysis_type": "security" });
    let report = main().works("analyze_data", arguments).await;
    let found = report["findings"].as_array().unwrap().iter().map(|finding| {
        let (kind, rows) = (&finding["kind"], &finding["rows"]);
        format!("{} {kind} {} {rows}\n", finding["category"], finding["column"])
    });
    expect![[r#"
        "secret" "aws_access_key" "note" [2]
        "personal" "email" "contact" [1]
        "injection" "sql" "note" [1]
    "#]]
    .assert_eq(&found.collect::<String>());
    let findings = report["findings"].to_string();
    assert!(!findings.contains("AKIA") && !findings.contains("ann@"), "{findings}");
}

#[tokio::test]
async fn only_some_rows_and_columns_are_looked_at_on_request() {
    let source = "a,b\n1,2\n3,4\n5,6\n";
    let options = json!({ "rows": 2, "columns": ["b"] });
    let report =
        main().works("analyze_data", json!({ "source": source, "options": options })).await;
    assert_eq!((&report["rows"], &report["has_more"]), (&json!(2), &json!(true)));
    assert_eq!(
        columns(&report),
        "\"b\": \"integer\" values=2 nulls=0 distinct=2 min=2.0 max=4.0\n"
    );
}

/// A folder with files of every bad kind, and below it the root that has them.
fn bad_files() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("in");
    std::fs::create_dir(&inside).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(inside.join(name), bytes).unwrap();
    std::fs::write(folder.path().join("secret.csv"), "a\n1\n").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret.csv"), inside.join("link.csv")).unwrap();
    write("packed.csv", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0]);
    write("zip.csv", b"PK\x03\x04....");
    write("binary.csv", b"a,b\n1,\x002\n");
    write("latin.csv", b"a,b\n1,\xe92\n");
    write("huge.csv", &b"a,b\n1,2\n".repeat(300));
    write("long.csv", &b"a\n1\n".repeat(60));
    write("wide.csv", b"a,b,c,d,e,f\n");
    write("good.csv", b"a,b\n1,2\n");
    (folder, inside)
}

/// Sources in that root, one good one first.
const BAD: [&str; 22] = [
    "good.csv",
    "packed.csv",
    "zip.csv",
    "binary.csv",
    "latin.csv",
    "huge.csv",
    "long.csv",
    "wide.csv",
    "../secret.csv",
    "link.csv",
    "/etc/passwd",
    "in/../../secret.csv",
    "nothing.csv",
    "",
    "a,b\n1,2,3\n",
    "a,a\n1,2\n",
    "[{\"a\":1},{\"a\":",
    "[1,2",
    " \n ",
    "enterprise://data/none",
    "enterprise://data/a%2Fb",
    "enterprise://other",
];

#[tokio::test]
async fn each_bad_source_has_its_code_and_says_why() {
    let (_folder, inside) = bad_files();
    let limits = json!({ "bytes_max": 1024, "rows_max": 50, "columns_max": 5 });
    let child = main_in(&inside, limits);
    let mut said = String::new();
    for source in BAD {
        let result = child.tool("analyze_data", json!({ "source": source })).await;
        let text = result["content"][0]["text"].as_str().unwrap();
        let text = if result["isError"] == true { text } else { "is analysed" };
        said += &format!("{source:?}: {text}\n");
    }
    expect![[r#"
        "good.csv": is analysed
        "packed.csv": COMPRESSED_SOURCE: the source is packed (gzip): unpack it first, \
        what is inside may be of any size
        "zip.csv": COMPRESSED_SOURCE: the source is packed (zip): unpack it first, what \
        is inside may be of any size
        "binary.csv": BINARY_SOURCE: the source is no text: byte 6 is none of UTF-8 text
        "latin.csv": BINARY_SOURCE: the source is no text: byte 6 is none of UTF-8 text
        "huge.csv": LIMITED: the source has more than 1024 bytes, the most that is taken
        "long.csv": LIMITED: the source has more than 50 rows, the most that is taken: \
        give fewer in `options.rows`
        "wide.csv": LIMITED: the source has more than 5 columns, the most that is taken
        "../secret.csv": OUTSIDE_ROOTS: `../secret.csv` is not within the folders that \
        may be read here
        "link.csv": OUTSIDE_ROOTS: `link.csv` is not within the folders that may be \
        read here
        "/etc/passwd": OUTSIDE_ROOTS: `/etc/passwd` is not within the folders that may \
        be read here
        "in/../../secret.csv": OUTSIDE_ROOTS: `in/../../secret.csv` is not within the \
        folders that may be read here
        "nothing.csv": NOT_FOUND: there is no file `nothing.csv` in the folders that \
        may be read here; data that is given itself has a line break or begins with [ \
        or {
        "": VALIDATION_ERROR: source: expected a text of at least 1 characters, came ``
        "a,b\n1,2,3\n": RAGGED_SOURCE: line 2 has 3 fields where the lines before have \
        2: each row needs a field for each column, and fields with a delimiter in them \
        need quotes
        "a,a\n1,2\n": UNREADABLE: the head has two columns `a`: give each a name of its \
        own
        "[{\"a\":1},{\"a\":": UNREADABLE: the source is no JSON: EOF while parsing a \
        value at line 1 column 14
        "[1,2": UNREADABLE: the source is no JSON: EOF while parsing a list at line 1 \
        column 4
        " \n ": UNREADABLE: the source is empty
        "enterprise://data/none": NOT_FOUND: there is no data `none`: there are sample
        "enterprise://data/a%2Fb": VALIDATION_ERROR: resource_id: expected a text of 1 \
        to 64 characters like ^[A-Za-z0-9._-]+$, came `a/b`
        "enterprise://other": NOT_FOUND: there is no resource `enterprise://other`: \
        data is at enterprise://data/{resource_id}
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn arguments_are_refused_with_every_violation() {
    let arguments = json!({
        "analysis_type": "deep",
        "options": { "delimiter": "::", "rows": 0, "colums": [] },
    });
    let mut said = main().fails("analyze_data", arguments).await;
    let source = "a\n1\n";
    for options in [
        json!({ "format": "json", "delimiter": ";", "header": true }),
        json!({ "delimiter": "é" }),
        json!({ "columns": ["b", "c"] }),
    ] {
        let arguments = json!({ "source": source, "options": options });
        said += &format!("\n{}", main().fails("analyze_data", arguments).await);
    }
    expect![[r#"
        VALIDATION_ERROR: 5 things are wrong:
        - analysis_type: expected one of `quick`, `comprehensive`, `security`, came \
        `deep`
        - options.colums: expected a known name: did you mean `columns`?, came the list \
        []
        - options.delimiter: expected a text of 1 to 1 characters or nothing, came `::`
        - options.rows: expected a whole number of at least 1 or nothing, came 0
        - source: expected a text of at least 1 characters, came nothing
        VALIDATION_ERROR: 2 things are wrong:
        - options.delimiter: expected nothing: only CSV has delimiters, came one
        - options.header: expected nothing: only CSV has a header, came one
        VALIDATION_ERROR: options.delimiter: expected one ASCII character that is no \
        quote and no line end, came `é`
        VALIDATION_ERROR: 2 things are wrong:
        - options.columns: expected columns of the source: a, came `b`
        - options.columns: expected columns of the source: a, came `c`
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn data_files_are_resources_by_their_id() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.json"), "[{\"a\":1}]").unwrap();
    let child = main_in(folder.path(), json!({ "data": { "sales": "s.json" } }));
    let listed = child.ask("resources/list", json!({})).await.unwrap();
    let uris: Vec<_> =
        listed["resources"].as_array().unwrap().iter().map(|one| &one["uri"]).collect();
    assert_eq!(uris, ["enterprise://data/sales", "enterprise://data/sample"]);
    let read =
        child.ask("resources/read", json!({ "uri": "enterprise://data/sales" })).await.unwrap();
    assert_eq!(read["contents"][0]["text"], "[{\"a\":1}]");
    assert_eq!(read["contents"][0]["mimeType"], "application/json");
    let missing = child.ask("resources/read", json!({ "uri": "enterprise://data/x" })).await;
    expect![[r#"
        -32602 there is no data `x`: there are sales, sample
        {"gateway":{"code":"NOT_FOUND"},"uri":"enterprise://data/x"}
    "#]]
    .assert_eq(&error(missing));
}

#[tokio::test]
async fn the_prompt_plans_an_analysis_and_its_arguments_complete() {
    let get = |arguments: Value| json!({ "name": "analysis_prompt", "arguments": arguments });
    let good = get(json!({ "data_type": "csv", "requirements": "Which region pays late?" }));
    let prompt = main().ask("prompts/get", good).await.unwrap();
    let text = prompt["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.starts_with("Analyse CSV data that I give you."), "{text}");
    let bad = get(json!({ "data_type": "xml", "requirements": " " }));
    expect![[r#"
        -32602 2 things are wrong:
        - data_type: expected `csv`, `json`, `jsonl` or a URI \
        enterprise://data/{resource_id} that is there, came `xml`
        - requirements: expected 1 to 4000 characters, came 0
        {"gateway":{"code":"VALIDATION_ERROR","violations":[{"came":"`xml`","expected":"\
        `csv`, `json`, `jsonl` or a URI enterprise://data/{resource_id} that is \
        there","path":"data_type"},{"came":"0","expected":"1 to 4000 \
        characters","path":"requirements"}]}}
    "#]]
    .assert_eq(&error(main().ask("prompts/get", bad).await));
    let complete = |reference: Value, name: &str, value: &str| {
        let argument = json!({ "name": name, "value": value });
        json!({ "ref": reference, "argument": argument })
    };
    let prompt = json!({ "type": "ref/prompt", "name": "analysis_prompt" });
    let template = json!({ "type": "ref/resource", "uri": "enterprise://data/{resource_id}" });
    let values = |answer: Value| answer["completion"]["values"].clone();
    let kinds = main().ask("completion/complete", complete(prompt.clone(), "data_type", "j")).await;
    assert_eq!(values(kinds.unwrap()), json!(["json", "jsonl"]));
    let ids = main().ask("completion/complete", complete(template, "resource_id", "")).await;
    assert_eq!(values(ids.unwrap()), json!(["sample"]));
    let wrong = main().ask("completion/complete", complete(prompt, "colour", "")).await;
    assert_eq!(wrong.unwrap_err().code, -32602);
}

#[tokio::test]
async fn progress_is_told_before_the_answer() {
    let arguments = json!({ "name": "analyze_data", "arguments": { "source": "a\n1\n" },
                            "_meta": { "progressToken": 7 } });
    let (answer, heard) = main().hear("tools/call", arguments).await;
    assert_ne!(answer.unwrap()["isError"], true);
    let (method, params) = heard.last().expect("the last report comes with the end");
    assert_eq!(method, "notifications/progress");
    assert_eq!(
        (&params["progress"], &params["progressToken"]),
        (&json!(4.0), &json!(7)),
        "{params}"
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_frees_the_place_of_its_analysis() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("big.csv"), b"a,b\n1,x\n".repeat(500_000)).unwrap();
    let child = main_in(folder.path(), json!({ "rows_max": 10_000_000 }));
    let call = || json!({ "name": "analyze_data", "arguments": { "source": "big.csv" } });
    for _ in 0..8 {
        // More than may run at a time: those before have left their places.
        child.start("tools/call", call()).drop_it().await;
    }
    let report = child.works("analyze_data", json!({ "source": "a\n1\n" })).await;
    assert_eq!(report["rows"], 1);
}

#[tokio::test]
async fn options_that_name_what_is_not_there_are_told_together() {
    let (_, make) = upstreams::builtins().into_iter().find(|(name, _)| *name == "main").unwrap();
    let values = json!({ "roots": ["gone"], "data": { "x": "gone.csv" } });
    let folder = tempfile::tempdir().unwrap();
    let options = Options { values: Raw::of(&values), folder: folder.path().to_owned() };
    let wrong = make.make(&options).err().unwrap();
    let wrong: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(
        wrong,
        ["roots[0]: expected a folder that is there", "data.x: expected a file that is there"]
    );
    let values = Raw::from_static(r#"{"rows_max":0,"byte_max":1}"#);
    let wrong = make.check(&Options { values, ..Options::default() });
    expect![[r#"
        [
          "byte_max: expected a known name: did you mean `bytes_max`?, came 1",
          "rows_max: expected a whole number from 1 to 100000000, came 0"
        ]
    "#]]
    .assert_eq(&pretty(&json!(wrong.iter().map(ToString::to_string).collect::<Vec<_>>())));
}
