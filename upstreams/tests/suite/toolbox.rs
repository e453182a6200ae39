//! The tools of `toolbox` but its clock: units, text, chance, and the slow count.

use std::collections::HashSet;

use expect_test::expect;
use serde_json::{Value, json};

use crate::caller::{Caller, error, lines, pretty, wrapped};

fn toolbox() -> Caller {
    Caller::builtin("toolbox")
}

/// What each of these calls says, a line each.
pub(crate) async fn failures(tool: &str, calls: Vec<Value>) -> String {
    let toolbox = toolbox();
    let mut said = String::new();
    for arguments in calls {
        said += &format!("{}\n", toolbox.fails(tool, arguments).await);
    }
    said
}

#[tokio::test]
async fn every_tool_only_reads_and_says_what_it_gives() {
    let listed = toolbox().ask("tools/list", json!({})).await.unwrap();
    let mut names = Vec::new();
    for tool in listed["tools"].as_array().unwrap() {
        assert_eq!(tool["annotations"], json!({ "readOnlyHint": true, "openWorldHint": false }));
        assert_eq!(tool["inputSchema"]["type"], "object");
        assert_eq!(tool["outputSchema"]["type"], "object");
        names.push(tool["name"].as_str().unwrap());
    }
    expect![[r#"
        convert_time convert_units count_down date_diff hash now random_number \
        text_stats transform_text uuid
    "#]]
    .assert_eq(&wrapped(&names.join(" ")));
}

#[tokio::test]
async fn units_are_converted_exactly() {
    let toolbox = toolbox();
    let mut said = String::new();
    for (value, from, to) in [
        (36.6, "celsius", "F"),
        (-40.0, "°F", "°C"),
        (0.0, "K", "degC"),
        (12.0, "inches", "ft"),
        (26.2, "Miles", "KILOMETERS"),
        (1.0, "lb", "kilogram"),
        (2.0, "cups", "ml"),
        (100.0, "km/h", "mph"),
        (1.0, "acre", "sqft"),
        (1.0, "GiB", "MB"),
        (8.0, "Mb", "MB"),
        (1.0, "year", "days"),
        (1e300, "km", "m"),
        (0.1, "m", "mm"),
        (-5.0, "metre", "feet"),
        (1.0, "nanometre", "light year"),
    ] {
        let arguments = json!({ "value": value, "from": from, "to": to });
        said += toolbox.works("convert_units", arguments).await["text"].as_str().unwrap();
        said += "\n";
    }
    expect![[r#"
        36.6 °C = 97.88 °F
        -40 °F = -40 °C
        0 K = -273.15 °C
        12 in = 1 ft
        26.2 mi = 42.1648128 km
        1 lb = 0.45359237 kg
        2 cup = 473.176473 mL
        100 km/h = 62.1371192237334 mph
        1 ac = 43560 ft²
        1 GiB = 1073.741824 MB
        8 Mb = 1 MB
        1 yr = 365.2425 d
        1e300 km = 1e303 m
        0.1 m = 100 mm
        -5 m = -16.404199475065617 ft
        1 nm = 1.0570008340246155e-25 ly
    "#]]
    .assert_eq(&wrapped(&said));
    let arguments = json!({ "value": 5, "from": "km", "to": "mile" });
    expect![[r#"
        {
          "from": "kilometer",
          "kind": "length",
          "result": 3.1068559611866697,
          "text": "5 km = 3.1068559611866697 mi",
          "to": "mile",
          "value": 5.0
        }
    "#]]
    .assert_eq(&pretty(&toolbox.works("convert_units", arguments).await));
}

#[tokio::test]
async fn what_cannot_be_converted_is_explained() {
    let convert =
        |value: f64, from: &str, to: &str| json!({ "value": value, "from": from, "to": to });
    let said = failures(
        "convert_units",
        vec![
            convert(1.0, "killogram", "g"),
            convert(1.0, "m", "parsec"),
            convert(1.0, "xyzzy", "g"),
            convert(1.0, "kg", "km"),
            convert(1.0, "mb", "GB"),
            convert(-1.0, "K", "C"),
            convert(-500.0, "F", "C"),
            convert(1e308, "km", "nm"),
            convert(1.0, "", "m"),
            convert(1.0, &"k".repeat(1_000_000), "m"),
            json!({ "value": "1", "from": "m", "to": "km" }),
            json!({ "from": "m", "to": "km" }),
        ],
    );
    expect![[r#"
        VALIDATION_ERROR: unknown unit `killogram`: did you mean kilogram, milligram?
        VALIDATION_ERROR: unknown unit `parsec`: toolbox://units lists all
        VALIDATION_ERROR: unknown unit `xyzzy`: toolbox://units lists all
        VALIDATION_ERROR: expected units of one kind, came kilogram (mass) and \
        kilometer (length)
        VALIDATION_ERROR: `mb` can mean `Mb` (megabit) or `MB` (megabyte): say which
        VALIDATION_ERROR: -1 K is below absolute zero
        VALIDATION_ERROR: -500 °F is below absolute zero
        VALIDATION_ERROR: 1e308 km is too large a number of nanometer
        VALIDATION_ERROR: unknown unit ``: toolbox://units lists all
        VALIDATION_ERROR: unknown unit `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk`: \
        toolbox://units lists all
        VALIDATION_ERROR: value: expected a number, came `1`
        VALIDATION_ERROR: value: expected a number, came nothing
    "#]]
    .assert_eq(&wrapped(&said.await));
}

#[tokio::test]
async fn texts_are_counted_as_people_count() {
    let text = "Don't panic. Über-cool 👨‍👩‍👧 family!\nDon't.";
    let stats = toolbox().works("text_stats", json!({ "text": text })).await;
    expect![[r#"
        {
          "bytes": 57,
          "characters": 39,
          "code_points": 43,
          "lines": 2,
          "sentences": 3,
          "unique_words": 5,
          "words": 6
        }
    "#]]
    .assert_eq(&pretty(&stats));
    let empty = toolbox().works("text_stats", json!({ "text": "" })).await;
    assert!(empty.as_object().unwrap().values().all(|count| count == 0));
}

#[tokio::test]
async fn texts_are_transformed() {
    let toolbox = toolbox();
    let mut said = String::new();
    for (operation, text) in [
        ("upper", "straße"),
        ("lower", "ÄÖÜ"),
        ("title", "the qUICK don't"),
        ("slug", "  Hello, Wörld: it's 2026! "),
        ("reverse", "añ👨‍👩‍👧o"),
        ("trim", "\n  a  \n\tb\n\n"),
        ("sort_lines", "b\na\nc"),
        ("unique_lines", "b\na\nb"),
        ("base64_encode", "héllo"),
        ("base64_decode", "aMOp\nbGxv"),
    ] {
        let arguments = json!({ "text": text, "operation": operation });
        let done = toolbox.works("transform_text", arguments).await;
        said += &format!("{operation} {}\n", done["text"]);
    }
    expect![[r#"
        upper "STRASSE"
        lower "äöü"
        title "The Quick Don't"
        slug "hello-wörld-its-2026"
        reverse "o👨‍👩‍👧ña"
        trim "a\nb"
        sort_lines "a\nb\nc"
        unique_lines "b\na"
        base64_encode "aMOpbGxv"
        base64_decode "héllo"
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn texts_that_cannot_be_transformed_are_explained() {
    let transform = |text: &str, operation: &str| json!({ "text": text, "operation": operation });
    let said = failures(
        "transform_text",
        vec![
            transform("a", "rot13"),
            transform("a*b", "base64_decode"),
            transform("YQ", "base64_decode"),
            transform("YYD/", "base64_decode"),
            transform(&"x".repeat(1024 * 1024 + 1), "upper"),
            json!({ "operation": "upper" }),
        ],
    );
    expect![[r#"
        VALIDATION_ERROR: operation: expected one of `upper`, `lower`, `reverse`, \
        `sort_lines`, `base64_encode`, `title`, `slug`, `trim`, `unique_lines`, \
        `base64_decode`, came `rot13`
        VALIDATION_ERROR: text: expected Base64 with padding, but Invalid symbol 42, \
        offset 1.
        VALIDATION_ERROR: text: expected Base64 with padding, but Invalid padding
        VALIDATION_ERROR: text: decodes to bytes that are no UTF-8 text (from byte 1 on)
        VALIDATION_ERROR: text: expected at most 1048576 bytes, came 1048577
        VALIDATION_ERROR: text: expected a text, came nothing
    "#]]
    .assert_eq(&wrapped(&said.await));
    let huge = json!({ "text": "x".repeat(8 * 1024 * 1024) });
    for tool in ["text_stats", "hash"] {
        assert!(
            toolbox()
                .fails(tool, huge.clone())
                .await
                .starts_with("VALIDATION_ERROR: text: expected at most")
        );
    }
}

#[tokio::test]
async fn hashes_are_those_everybody_gets() {
    let toolbox = toolbox();
    let mut said = String::new();
    for algorithm in ["sha256", "sha384", "sha512"] {
        let done = toolbox.works("hash", json!({ "text": "abc", "algorithm": algorithm })).await;
        said += &format!("{done}\n");
    }
    expect![[r#"
        {"algorithm":"sha256","hash":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb4\
        10ff61f20015ad"}
        {"algorithm":"sha384","hash":"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a\
        8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"}
        {"algorithm":"sha512","hash":"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a\
        9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"}
    "#]]
    .assert_eq(&wrapped(&said));
    let default = toolbox.works("hash", json!({ "text": "" })).await;
    assert_eq!(default["hash"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let said = failures("hash", vec![json!({ "text": "a", "algorithm": "md5" })]).await;
    expect![[r#"
        VALIDATION_ERROR: algorithm: expected one of `sha256`, `sha384`, `sha512`, came \
        `md5`
    "#]]
    .assert_eq(&wrapped(&said));
}

#[tokio::test]
async fn identifiers_are_all_different_and_of_the_version_asked_for() {
    let toolbox = toolbox();
    for (version, digit) in [("v4", '4'), ("v7", '7')] {
        let made = toolbox.works("uuid", json!({ "version": version, "count": 100 })).await;
        let uuids: HashSet<&str> =
            made["uuids"].as_array().unwrap().iter().map(|uuid| uuid.as_str().unwrap()).collect();
        assert_eq!(uuids.len(), 100);
        assert!(uuids.iter().all(|uuid| uuid.chars().nth(14) == Some(digit)));
    }
    assert_eq!(toolbox.works("uuid", json!({})).await["uuids"].as_array().unwrap().len(), 1);
    let calls = vec![json!({ "count": 0 }), json!({ "count": 101 }), json!({ "version": "v1" })];
    expect![[r#"
        VALIDATION_ERROR: count: expected a whole number from 1 to 100 or nothing, came \
        0
        VALIDATION_ERROR: count: expected a whole number from 1 to 100 or nothing, came \
        101
        VALIDATION_ERROR: version: expected `v4` or `v7`, came `v1`
    "#]]
    .assert_eq(&wrapped(&failures("uuid", calls).await));
}

#[tokio::test]
async fn random_numbers_keep_their_bounds() {
    let toolbox = toolbox();
    let drawn = toolbox.works("random_number", json!({ "min": -1, "max": 1, "count": 100 })).await;
    let numbers = drawn["numbers"].as_array().unwrap();
    assert_eq!(numbers.len(), 100);
    assert!(numbers.iter().all(|number| (-1..=1).contains(&number.as_i64().unwrap())));
    let most = json!({ "min": -9_007_199_254_740_991_i64, "max": 9_007_199_254_740_991_i64 });
    toolbox.works("random_number", most).await;
    let calls = vec![
        json!({ "min": 2, "max": 1 }),
        json!({ "min": 0, "max": i64::MAX }),
        json!({ "min": 0, "max": u64::MAX }),
        json!({ "min": 0.5, "max": 1 }),
        json!({ "min": 0, "max": 1, "count": 1000 }),
    ];
    expect![[r#"
        VALIDATION_ERROR: min: expected at most `max`, which is 1, came 2
        VALIDATION_ERROR: expected min and max within 9007199254740991 either way, came \
        0 and 9223372036854775807
        VALIDATION_ERROR: invalid value: integer `18446744073709551615`, expected i64
        VALIDATION_ERROR: min: expected a whole number, came 0.5
        VALIDATION_ERROR: count: expected a whole number from 1 to 100 or nothing, came \
        1000
    "#]]
    .assert_eq(&wrapped(&failures("random_number", calls).await));
}

#[tokio::test]
async fn a_count_reports_each_step_in_order() {
    let params = json!({ "name": "count_down", "arguments": { "steps": 3, "delay_ms": 0 },
        "_meta": { "progressToken": "p", "io.modelcontextprotocol/logLevel": "info" } });
    let (answer, heard) = toolbox().hear("tools/call", params).await;
    assert_eq!(answer.unwrap()["structuredContent"], json!({ "steps": 3 }));
    expect![[r#"
        notifications/message {"data":{"left":2,"step":1},"level":"info","logger":"count\
        _down"}
        notifications/progress {"message":"2 left","progress":1.0,"progressToken":"p","t\
        otal":3.0}
        notifications/message {"data":{"left":1,"step":2},"level":"info","logger":"count\
        _down"}
        notifications/progress {"message":"1 left","progress":2.0,"progressToken":"p","t\
        otal":3.0}
        notifications/message {"data":{"left":0,"step":3},"level":"notice","logger":"cou\
        nt_down"}
        notifications/progress {"message":"0 left","progress":3.0,"progressToken":"p","t\
        otal":3.0}
    "#]]
    .assert_eq(&wrapped(&lines(&heard)));
    let calls = vec![
        json!({ "steps": 0, "delay_ms": 0 }),
        json!({ "steps": 101, "delay_ms": 0 }),
        json!({ "steps": 1, "delay_ms": 1001 }),
        json!({ "steps": -1, "delay_ms": 0 }),
    ];
    expect![[r#"
        VALIDATION_ERROR: steps: expected a whole number from 1 to 100, came 0
        VALIDATION_ERROR: steps: expected a whole number from 1 to 100, came 101
        VALIDATION_ERROR: delay_ms: expected a whole number from 0 to 1000, came 1001
        VALIDATION_ERROR: steps: expected a whole number from 1 to 100, came -1
    "#]]
    .assert_eq(&wrapped(&failures("count_down", calls).await));
}

#[tokio::test(start_paused = true)]
async fn a_count_that_is_dropped_counts_no_further() {
    let params = json!({ "name": "count_down", "arguments": { "steps": 100, "delay_ms": 1000 },
        "_meta": { "progressToken": 1 } });
    let mut running = toolbox().start("tools/call", params);
    for step in 1..=3 {
        assert_eq!(running.next().await.1["progress"], f64::from(step));
    }
    running.task.abort();
    // The channel ends without a fourth report: nobody holds its sender any longer.
    assert_eq!(running.heard.recv().await, None);
}

#[tokio::test]
async fn the_table_of_units_is_a_resource() {
    let toolbox = toolbox();
    expect![[r#"
        {
          "cacheScope": "public",
          "resources": [
            {
              "description": "All units that can be converted, by kind.",
              "mimeType": "application/json",
              "name": "units",
              "title": "Units",
              "uri": "toolbox://units"
            }
          ],
          "resultType": "complete",
          "ttlMs": 3600000
        }
    "#]]
    .assert_eq(&pretty(&toolbox.ask("resources/list", json!({})).await.unwrap()));
    let read = toolbox.ask("resources/read", json!({ "uri": "toolbox://units" })).await.unwrap();
    assert_eq!((&read["cacheScope"], &read["ttlMs"]), (&json!("public"), &json!(3_600_000)));
    let table: Value = serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(table.as_object().unwrap().len(), 8);
    expect![[r#"
        [{"name":"kelvin","symbol":"K"},{"also":["C","degC","centigrade"],"name":"celsiu\
        s","symbol":"°C"},{"also":["F","degF"],"name":"fahrenheit","symbol":"°F"},{"also\
        ":["R","degR"],"name":"rankine","symbol":"°R"}]
    "#]]
    .assert_eq(&wrapped(&table["temperature"].to_string()));
    let missing = toolbox.ask("resources/read", json!({ "uri": "toolbox://none" })).await;
    expect![[r#"
        -32602 there is no resource `toolbox://none`: the only one is toolbox://units
        {"gateway":{"code":"NOT_FOUND"},"uri":"toolbox://none"}
    "#]]
    .assert_eq(&error(missing));
}

#[tokio::test]
async fn a_conversion_is_explained_and_its_units_completed() {
    let toolbox = toolbox();
    let arguments = json!({ "value": "100", "from": "celsius", "to": "fahrenheit" });
    let params = json!({ "name": "explain_conversion", "arguments": arguments });
    expect![[r#"
        {
          "description": "100 °C in °F",
          "messages": [
            {
              "content": {
                "text": "Explain step by step how 100 celsius is converted into \
        fahrenheit. The result is 212: show the exact factor, where it comes from, and \
        how one can estimate the result.",
                "type": "text"
              },
              "role": "user"
            }
          ],
          "resultType": "complete"
        }
    "#]]
    .assert_eq(&pretty(&toolbox.ask("prompts/get", params).await.unwrap()));
    let arguments = json!({ "value": "x", "from": "celsius", "to": "fahrenheit" });
    let params = json!({ "name": "explain_conversion", "arguments": arguments });
    expect![[r#"
        -32602 value: expected a number, came `x`
        {"gateway":{"code":"VALIDATION_ERROR"}}
    "#]]
    .assert_eq(&error(toolbox.ask("prompts/get", params).await));

    let complete = async |name: &str, value: &str, context: Value| {
        let params = json!({ "ref": { "type": "ref/prompt", "name": "explain_conversion" },
            "argument": { "name": name, "value": value }, "context": context });
        toolbox.ask("completion/complete", params).await.map(|done| done["completion"].clone())
    };
    let from = complete("from", "Ki", json!(null)).await.unwrap();
    expect![[r#"
        ["kilometer","kilogram","kilometer per hour","kilobit","kilobyte","kibibyte"]
    "#]]
    .assert_eq(&wrapped(&from["values"].to_string()));
    let to = complete("to", "", json!({ "arguments": { "from": "°C" } })).await.unwrap();
    expect![[r#"
        ["kelvin","celsius","fahrenheit","rankine"]
    "#]]
    .assert_eq(&wrapped(&to["values"].to_string()));
    assert_eq!(complete("value", "1", json!({})).await.unwrap()["total"], 0);
    expect![[r#"
        -32602 expected argument `value`, `from` or `to` of prompt explain_conversion, \
        came `unit` of another
        {"gateway":{"code":"VALIDATION_ERROR"}}
    "#]]
    .assert_eq(&error(complete("unit", "", json!({})).await));
}
