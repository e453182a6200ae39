//! Envelopes: what is a message, what is none, and that nothing in one is lost (checks 1 to 18).

use expect_test::expect;
use harness::client::{Ask, Either, check, check_all, check_rows, legacy, modern, posted};
use harness::echo::Echo;
use harness::start::{start_echo, start_echo_with};

const ECHO: &str = r#"{"name":"e_echo","arguments":{"a":1}}"#;

/// A modern call whose body is this.
fn body(text: impl Into<bytes::Bytes>) -> Ask {
    modern("tools/call", ECHO).body(text)
}

#[tokio::test]
async fn c001_c002_a_legal_id_comes_back_in_value_and_type() {
    let gateway = start_echo(&Echo::new()).await;
    let ids = [
        "0",
        "-1",
        "9007199254740993",
        "123456789012345678901234567890",
        r#""""#,
        r#""1""#,
        r#""a\"b""#,
        r#""\u0061""#,
        r#""ü 漢""#,
    ];
    let session = gateway.http().session("2025-06-18").await;
    let mut stdio = gateway.stdio();
    for id in ids {
        let expected = format!(r#""id":{id},"#);
        for ask in [modern("tools/list", "{}"), session.ask("tools/list", "{}")] {
            let shown = gateway.http().shown(&ask.id(id)).await;
            assert!(shown.starts_with("200 ") && shown.contains(&expected), "{id}: {shown}");
        }
        let shown = stdio.shown(&modern("tools/list", "{}").id(id)).await;
        assert!(shown.contains(&expected), "{id}: {shown}");
    }
}

#[tokio::test]
async fn c001_other_ids_are_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let ids = ["null", "true", "1.5", "1.0", "1e3", "{}", "[1]"];
    let rows = ids.map(|id| (id, modern("tools/list", "{}").id(id)));
    check_rows(&gateway.http(), &rows, expect![[r#"
        null: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found null"}}
        true: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a boolean"}}
        1.5: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a number"}}
        1.0: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a number"}}
        1e3: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a number"}}
        {}: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found an object"}}
        [1]: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found an array"}}
    "#]]).await;
    let session = gateway.http().session("2025-11-25").await;
    let rows = ids.map(|id| (id, session.ask("ping", "{}").id(id)));
    check_rows(&gateway.http(), &rows, expect![[r#"
        null: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found null"}}
        true: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a boolean"}}
        1.5: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a number"}}
        1.0: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a number"}}
        1e3: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found a number"}}
        {}: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found an object"}}
        [1]: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: id: expected a string or an integer, found an array"}}
    "#]]).await;
}

#[tokio::test]
async fn c002_an_error_has_the_id_of_its_request() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        ("unknown tool", modern("tools/call", r#"{"name":"nope"}"#)),
        ("unknown method", modern("nope/nope", "{}")),
        ("header", modern("tools/list", "{}").header("mcp-method", "tools/call")),
        (
            "meta",
            modern("tools/list", "{}").without_meta("io.modelcontextprotocol/protocolVersion"),
        ),
        ("version", modern("jsonrpc", "{}").body(r#"{"jsonrpc":"1.0","id":"x","method":"ping"}"#)),
        ("no session", legacy("tools/list", "{}")),
    ];
    for (what, ask) in rows {
        let shown = gateway.http().shown(&ask.id(r#""x""#)).await;
        assert!(shown.contains(r#""id":"x","error""#), "{what}: {shown}");
    }
}

#[tokio::test]
async fn bad_json_is_a_parse_error_that_says_where() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        ("empty", body("")),
        ("blanks", body(" \n ")),
        ("words", body("hello")),
        ("half", body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/li"#)),
        ("two", body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#)),
        ("comma", body(r#"{"jsonrpc":"2.0","id":1,}"#)),
        ("NaN", body(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}"#)),
        ("invalid UTF-8", body(&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}"[..])),
        ("byte order mark", body("\u{feff}{}")),
        ("control letter", body("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\u{1}\"}")),
        ("closed too often", body("}}}}")),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        empty: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: EOF while parsing a value at line 1 column 0"}}
        blanks: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: EOF while parsing a value at line 1 column 0"}}
        words: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: expected value at line 1 column 1"}}
        half: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: EOF while parsing a string at line 1 column 42"}}
        two: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: trailing characters at line 1 column 41"}}
        comma: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: trailing comma at line 1 column 25"}}
        NaN: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: expected value at line 1 column 55"}}
        invalid UTF-8: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: the body is not valid UTF-8"}}
        byte order mark: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: expected value at line 1 column 1"}}
        control letter: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 35"}}
        closed too often: 400 application/json {"jsonrpc":"2.0","error":{"code":-32700,"message":"not JSON: expected value at line 1 column 1"}}
    "#]]).await;
}

#[tokio::test]
async fn a_method_that_is_no_text_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let ask = body(r#"{"jsonrpc":"2.0","id":1,"method":"\ud800","params":{}}"#);
    let shown = gateway.http().shown(&ask).await;
    assert!(shown.starts_with("400 ") && shown.contains(r#""code":-32"#), "{shown}");
}

#[tokio::test]
async fn json_that_is_no_message_is_an_invalid_request() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        ("number", body("1")),
        ("string", body(r#""tools/list""#)),
        ("null", body("null")),
        ("empty object", body("{}")),
        ("no jsonrpc", body(r#"{"id":1,"method":"tools/list","params":{}}"#)),
        ("jsonrpc 1.0", body(r#"{"jsonrpc":"1.0","id":1,"method":"tools/list"}"#)),
        ("jsonrpc number", body(r#"{"jsonrpc":2.0,"id":1,"method":"tools/list"}"#)),
        ("method number", body(r#"{"jsonrpc":"2.0","id":1,"method":7}"#)),
        ("method null", body(r#"{"jsonrpc":"2.0","id":1,"method":null}"#)),
        ("params array", body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[1]}"#)),
        ("params string", body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}"#)),
        ("params null", body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}"#)),
        ("result and error", body(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#)),
        ("id twice", body(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list","params":{}}"#)),
        ("method twice", body(r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#)),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        number: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: a message is an object, this is a number"}}
        string: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: a message is an object, this is a string"}}
        null: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: a message is an object, this is null"}}
        empty object: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: expected \"jsonrpc\": \"2.0\""}}
        no jsonrpc: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: expected \"jsonrpc\": \"2.0\""}}
        jsonrpc 1.0: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: expected \"jsonrpc\": \"2.0\""}}
        jsonrpc number: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: expected \"jsonrpc\": \"2.0\""}}
        method number: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: method: expected a string, found a number"}}
        method null: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: a message has `method`, `result` or `error`; this has none"}}
        params array: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: params: expected an object, found an array"}}
        params string: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: params: expected an object, found a string"}}
        params null: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: params: expected an object, found null"}}
        result and error: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32600,"message":"not a JSON-RPC message: both `result` and `error` are given"}}
        id twice: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: duplicate field `id` at line 1 column 28"}}
        method twice: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: duplicate field `method` at line 1 column 48"}}
    "#]]).await;
}

#[tokio::test]
async fn a_key_that_stands_twice_in_the_params_never_reads_two_ways() {
    let child = Echo::new();
    let gateway = start_echo(&child).await;
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let twice = |header: &str| {
        let params = format!(r#"{{"name":"e_echo","name":"e_params","arguments":{{}},{meta}}}"#);
        let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        body(call).header("mcp-name", header)
    };
    let rows = [("first", twice("e_echo")), ("last", twice("e_params"))];
    check_rows(&gateway.http(), &rows, expect![[r#"
        first: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"the member `name` stands twice","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        last: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"the member `name` stands twice","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
    let seen = (child.count("tools/call echo"), child.count("tools/call params"));
    assert!(seen.0 + seen.1 <= 1, "both readings were served: {seen:?}");
}

#[tokio::test]
async fn deep_nesting_is_relayed_or_refused_and_never_breaks() {
    let gateway = start_echo(&Echo::new()).await;
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(
            r#"{{"name":"e_answer","arguments":{{"result":{{"content":[],"x":{open}{close}}}}}}}"#
        )
    };
    for depth in [50, 127, 128, 1000] {
        let shown = gateway.http().shown(&modern("tools/call", &deep(depth))).await;
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        assert!(shown.contains(&format!(r#""x":{open}{close}"#)), "{depth}: {shown:.300}");
    }
    for depth in [100_000] {
        let open = "[".repeat(depth);
        let closed = gateway.http().shown(&modern("tools/call", &deep(depth))).await;
        assert!(closed.starts_with("200 ") || closed.starts_with("400 "), "{closed:.300}");
        for broken in [open.clone(), format!("{{\"jsonrpc\":{open}"), "{\"a\":".repeat(depth)] {
            let shown = gateway.http().shown(&body(broken)).await;
            assert!(shown.starts_with("400 ") && shown.contains("-32"), "{shown:.300}");
        }
    }
    check(&gateway.http(), &modern("tools/call", ECHO), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{\"a\":1}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
}

#[tokio::test]
async fn a_message_of_ten_megabytes_goes_through_whole() {
    let gateway = start_echo(&Echo::new()).await;
    for mut client in Either::all(&gateway).await {
        let bytes = if matches!(client, Either::ModernHttp(_)) { 10 << 20 } else { 1 << 20 };
        let text = "x".repeat(bytes);
        let params = format!(r#"{{"name":"e_echo","arguments":{{"text":"{text}"}}}}"#);
        let answer = client.messages("tools/call", &params).await.pop().unwrap();
        assert!(answer.contains(&text), "{}: {answer:.200}", client.kind());
    }
}

#[tokio::test]
async fn c071_a_body_over_the_limit_is_refused_before_it_is_read() {
    let gateway = start_echo_with(&Echo::new(), &[("gateway.limits.body_bytes_max", "4KiB")]).await;
    let call = |bytes: usize| {
        let text = "x".repeat(bytes);
        modern("tools/call", &format!(r#"{{"name":"e_echo","arguments":{{"text":"{text}"}}}}"#))
    };
    assert!(gateway.http().shown(&call(1024)).await.starts_with("200 "));
    check(&gateway.http(), &call(4096), expect![[r#"
        413 application/json
        {"jsonrpc":"2.0","error":{"code":-32600,"message":"the body is longer than 4096 bytes, which is the limit here"}}"#]]).await;
    // The head alone decides: the body it announces never comes.
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                Content-Length: 1000000000000\r\n\r\n";
    let shown = gateway.http().bytes(head).await;
    assert!(shown.starts_with("HTTP/1.1 413 "), "{shown}");
    // A body of unknown length is read up to the limit.
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4096));
    let chunked = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"
    );
    let shown = gateway.http().bytes(chunked).await;
    assert!(shown.starts_with("HTTP/1.1 413 "), "{shown}");
}

#[tokio::test]
async fn c071_a_head_that_is_too_large_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let long = "x".repeat(1 << 20);
    let head = format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Name: {long}\r\n\r\n");
    let shown = gateway.http().bytes(head).await;
    assert!(shown.is_empty() || shown.starts_with("HTTP/1.1 431 "), "{shown:.200}");
    assert!(gateway.http().shown(&modern("tools/list", "{}")).await.starts_with("200 "));
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let request =
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let shown = gateway.http().bytes(request).await;
    assert!(shown.starts_with("HTTP/1.1 400 "), "{shown}");
}

#[tokio::test]
async fn c004_every_modern_result_says_what_it_is() {
    let gateway = start_echo(&Echo::new()).await;
    let reference =
        r#"{"ref":{"type":"ref/prompt","name":"e_greet"},"argument":{"name":"name","value":""}}"#;
    let calls = [
        ("server/discover", "{}"),
        ("tools/list", "{}"),
        ("prompts/list", "{}"),
        ("resources/list", "{}"),
        ("resources/templates/list", "{}"),
        ("tools/call", ECHO),
        ("prompts/get", r#"{"name":"e_greet"}"#),
        ("resources/read", r#"{"uri":"demo://e/a/one"}"#),
        ("completion/complete", reference),
    ];
    let session = gateway.http().session("2025-11-25").await;
    for (method, params) in calls {
        let shown = gateway.http().shown(&modern(method, params)).await;
        assert!(shown.contains(r#""resultType":"complete""#), "{method}: {shown}");
        let identity = r#""io.modelcontextprotocol/serverInfo":{gateway}"#;
        assert!(shown.contains(identity), "c006 {method}: {shown}");
        if method != "server/discover" {
            let shown = session.shown(method, params).await;
            assert!(!shown.contains("resultType") && !shown.contains("serverInfo"), "{shown}");
        }
    }
}

#[tokio::test]
async fn c005_a_result_of_an_unknown_type_is_not_relayed() {
    let gateway = start_echo(&Echo::new()).await;
    let call = r#"{"name":"e_answer","arguments":{"result":{"resultType":"odd","content":[]}}}"#;
    check_all(&gateway, "tools/call", call, expect![[r#"{"error":{"code":-32603,"data":{"gateway":{"code":"BAD_ANSWER","mount":"e"}},"message":"the server behind `e` sent an answer that is none: resultType: expected \"complete\", \"input_required\" or \"task\", found \"odd\""}}"#]]).await;
    let call = r#"{"name":"e_answer","arguments":{"result":{"resultType":7,"content":[]}}}"#;
    check_all(&gateway, "tools/call", call, expect![[r#"{"error":{"code":-32603,"data":{"gateway":{"code":"BAD_ANSWER","mount":"e"}},"message":"the server behind `e` sent an answer that is none: resultType: expected \"complete\", \"input_required\" or \"task\", found 7"}}"#]]).await;
}

#[tokio::test]
async fn c010_a_notification_gets_no_answer() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2025-11-25").await;
    for name in ["notifications/cancelled", "notifications/roots/list_changed", "tools/list", "x"] {
        let shown = gateway.http().shown(&modern(name, "{}").without_id()).await;
        assert_eq!(shown, "202 -", "{name}");
        let shown = gateway.http().shown(&session.ask(name, "{}").without_id()).await;
        assert_eq!(shown, "202 -", "{name}");
    }
    let mut stdio = gateway.stdio();
    stdio.say(&modern("tools/list", "{}").without_id()).await;
    stdio.say(&legacy("notifications/initialized", "{}").without_id()).await;
    let shown = stdio.shown(&legacy("ping", "{}")).await;
    expect![[r#"{"jsonrpc":"2.0","id":1,"result":{}}"#]].assert_eq(&shown);
}

#[tokio::test]
async fn c011_an_array_is_refused_where_there_are_no_batches() {
    let gateway = start_echo(&Echo::new()).await;
    let list = r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#;
    let mut rows = vec![
        ("modern".to_owned(), body(list)),
        ("no era".to_owned(), posted(list)),
        ("empty".to_owned(), posted("[]")),
    ];
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let session = gateway.http().session(version).await;
        rows.push((version.to_owned(), session.of(posted(list))));
    }
    check_rows(&gateway.http(), &rows, expect![[r#"
        modern: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"an array is a batch, which only sessions of 2025-03-26 may send"}}
        no era: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"an array is a batch, which only sessions of 2025-03-26 may send"}}
        empty: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"not a JSON-RPC message: a batch has 1 to 100 messages, this one 0"}}
        2024-11-05: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"an array is a batch, which only sessions of 2025-03-26 may send"}}
        2025-06-18: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"an array is a batch, which only sessions of 2025-03-26 may send"}}
        2025-11-25: 400 application/json {"jsonrpc":"2.0","error":{"code":-32600,"message":"an array is a batch, which only sessions of 2025-03-26 may send"}}
    "#]]).await;
}

#[tokio::test]
async fn c012_codes_of_one_era_are_not_sent_in_the_other() {
    let gateway = start_echo(&Echo::new()).await;
    let fail = |error: &str| format!(r#"{{"name":"e_fail","arguments":{{"error":{error}}}}}"#);
    let rows =
        [-32002, -32042, -32020, -32021, -32022, -32050, -32602, -32603, -32601, -1, 42, -32001]
            .map(|code| {
                let error =
                    format!(r#"{{"code":{code},"message":"as the child says","data":{{"k":1}}}}"#);
                (code.to_string(), modern("tools/call", &fail(&error)))
            });
    check_rows(&gateway.http(), &rows, expect![[r#"
        -32002: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"as the child says","data":{"k":1}}}
        -32042: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"as the child says","data":{"k":1}}}
        -32020: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"as the child says","data":{"k":1}}}
        -32021: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"as the child says","data":{"k":1}}}
        -32022: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"as the child says","data":{"k":1}}}
        -32050: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"as the child says","data":{"k":1}}}
        -32602: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"as the child says","data":{"k":1}}}
        -32603: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"as the child says","data":{"k":1}}}
        -32601: 404 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"as the child says","data":{"k":1}}}
        -1: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"as the child says","data":{"k":1}}}
        42: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":42,"message":"as the child says","data":{"k":1}}}
        -32001: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"as the child says","data":{"k":1}}}
    "#]]).await;
}

#[tokio::test]
async fn c015_a_fault_of_the_gateway_differs_from_one_of_the_child() {
    let gateway = start_echo(&Echo::new()).await;
    let own = r#"{"name":"e_fail","arguments":{"error":{"code":-32603,"message":"mine"}}}"#;
    check_all(
        &gateway,
        "tools/call",
        own,
        expect![[r#"{"error":{"code":-32603,"message":"mine"}}"#]],
    )
    .await;
    check_all(&gateway, "tools/call", r#"{"name":"nope"}"#, expect![[r#"{"error":{"code":-32602,"data":{"gateway":{"code":"VALIDATION_ERROR"}},"message":"no tool is named `nope`"}}"#]]).await;
}

#[tokio::test]
async fn c016_unknown_members_reach_the_child_and_come_back() {
    let gateway = start_echo(&Echo::new()).await;
    let call = r#"{"name":"e_params","arguments":{"n":1.0,"big":12345678901234567890123,"s":"\u00fc"},"later":{"x":[null]},"_meta":{"com.example/k":[1.50],"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}"#;
    let session = gateway.http().session("2025-11-25").await;
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"name":"params","arguments":{"n":1.0,"big":12345678901234567890123,"s":"\u00fc"},"later":{"x":[null]},"_meta":{"com.example/k":[1.50],"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{gateway as client},"io.modelcontextprotocol/logLevel":"info"}}}}"#]].assert_eq(&session.shown("tools/call", call).await);
    let result = r#"{"name":"e_answer","arguments":{"result":{"content":[{"type":"later","x":1.0}],"structuredContent":{"a":1.10},"new":{"b":[]},"_meta":{"com.example/r":1}}}}"#;
    check(&gateway.http(), &modern("tools/call", result), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"later","x":1.0}],"structuredContent":{"a":1.10},"new":{"b":[]},"_meta":{"com.example/r":1,"io.modelcontextprotocol/serverInfo":{gateway}},"resultType":"complete"}}"#]]).await;
}

#[tokio::test]
async fn c017_c018_reserved_keys_are_per_hop_and_trace_context_goes_through() {
    let gateway = start_echo(&Echo::new()).await;
    let trace = "\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"";
    let ask = modern("tools/call", r#"{"name":"e_params","arguments":{}}"#)
        .meta("traceparent", trace)
        .meta("tracestate", "\"a=1\"")
        .meta("baggage", "\"k=v\"")
        .meta("com.example/mine", "true")
        .meta("io.modelcontextprotocol/clientInfo", r#"{"name":"secret","version":"1"}"#);
    check(&gateway.http(), &ask, expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[],"structuredContent":{"name":"params","arguments":{},"_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=1","baggage":"k=v","com.example/mine":true,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{gateway as client}}},"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
}
