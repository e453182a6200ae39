//! Headers of modern requests that say what the body says (checks 48 to 55).

use expect_test::expect;
use harness::client::{Ask, check, modern};
use harness::echo::Echo;
use harness::start::start_echo;

fn call() -> Ask {
    modern("tools/call", r#"{"name":"e_echo","arguments":{}}"#)
}

#[tokio::test]
async fn c048_missing_mcp_method_is_a_header_mismatch() {
    let gateway = start_echo(&Echo::new()).await;
    check(&gateway.http(), &call().without("mcp-method"), expect![[r#"
        400 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Mcp-Method: the header is missing; the body says `tools/call`"}}"#]]).await;
}

#[tokio::test]
async fn c048_mcp_method_says_what_the_body_says_letter_by_letter() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = ["tools/call", "TOOLS/CALL", "Tools/call", "tools/list", "", "tools/call,", "tools"]
        .map(|value| (value, call().header("mcp-method", value)));
    expect![[r#"
        tools/call: 200
        TOOLS/CALL: 400 -32020
        Tools/call: 400 -32020
        tools/list: 400 -32020
        : 400 -32020
        tools/call,: 400 -32020
        tools: 400 -32020
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

#[tokio::test]
async fn c049_mcp_name_says_what_the_body_says() {
    let gateway = start_echo(&Echo::new()).await;
    let get = || modern("prompts/get", r#"{"name":"e_greet"}"#);
    let read = || modern("resources/read", r#"{"uri":"demo://e/a/one"}"#);
    let rows = [
        ("tool", call()),
        ("tool, none", call().without("mcp-name")),
        ("tool, other", call().header("mcp-name", "e_fail")),
        ("tool, other case", call().header("mcp-name", "E_echo")),
        ("tool, unprefixed", call().header("mcp-name", "echo")),
        ("prompt", get()),
        ("prompt, none", get().without("mcp-name")),
        ("prompt, other", get().header("mcp-name", "e_greets")),
        ("resource", read()),
        ("resource, none", read().without("mcp-name")),
        ("resource, other", read().header("mcp-name", "demo://e/a/two")),
        ("no name wanted", modern("tools/list", "{}").header("mcp-name", "x")),
        ("task, none", modern("tasks/get", r#"{"taskId":"t"}"#).without("mcp-name")),
    ];
    expect![[r#"
        tool: 200
        tool, none: 400 -32020
        tool, other: 400 -32020
        tool, other case: 400 -32020
        tool, unprefixed: 400 -32020
        prompt: 200
        prompt, none: 400 -32020
        prompt, other: 400 -32020
        resource: 200
        resource, none: 400 -32020
        resource, other: 400 -32020
        no name wanted: 200
        task, none: 400 -32020
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
    check(&gateway.http(), &call().without("mcp-name"), expect![[r#"
        400 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Mcp-Name: the header is missing; the body says `e_echo`"}}"#]]).await;
    check(&gateway.http(), &call().header("mcp-name", "e_fail"), expect![[r#"
        400 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Mcp-Name: the body says `e_echo`, the header `e_fail`"}}"#]]).await;
}

#[tokio::test]
async fn c050_the_version_header_is_compared_before_the_version_is_looked_at() {
    let gateway = start_echo(&Echo::new()).await;
    let version = "io.modelcontextprotocol/protocolVersion";
    let rows = [
        ("no header", call().without("mcp-protocol-version")),
        ("header differs", call().header("mcp-protocol-version", "2025-11-25")),
        ("body differs", call().meta(version, r#""v999""#)),
        ("both differ", call().meta(version, r#""v999""#).header("mcp-protocol-version", "v998")),
        ("both the same", call().meta(version, r#""v9""#).header("mcp-protocol-version", "v9")),
    ];
    expect![[r#"
        no header: 400 -32020
        header differs: 400 -32020
        body differs: 400 -32020
        both differ: 400 -32020
        both the same: 400 -32022
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

#[tokio::test]
async fn c051_names_of_headers_have_no_case_and_values_no_blanks_around_them() {
    let gateway = start_echo(&Echo::new()).await;
    let body = call().bytes();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHOST: localhost\r\nCONTENT-TYPE: Application/JSON; charset=utf-8\r\n\
         mCP-pROTOCOL-vERSION:  2026-07-28 \t\r\nMCP-METHOD:\ttools/call \r\nmcp-NAME:   e_echo\t\r\n\
         ACCEPT: application/json, text/event-stream\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let shown = gateway.http().bytes([head.as_bytes(), &body].concat()).await;
    assert!(shown.starts_with("HTTP/1.1 200 OK\r\n"), "{shown}");
}

#[tokio::test]
async fn c052_the_sentinel_is_decoded_before_comparing() {
    let gateway = start_echo(&Echo::new()).await;
    let read = |uri: &str| modern("resources/read", &format!(r#"{{"uri":"{uri}"}}"#));
    let of = |header: &str| call().header("mcp-name", header);
    let rows = [
        ("plain behind it", of("=?base64?ZV9lY2hv?=")),
        ("blanks around it", of(" =?base64?ZV9lY2hv?= ")),
        ("another name", of("=?base64?ZV9mYWls?=")),
        ("no base64", of("=?base64?%%%?=")),
        ("no UTF-8", of("=?base64?/w==?=")),
        ("upper case is literal", of("=?BASE64?ZV9lY2hv?=")),
        ("half is literal", of("=?base64?ZV9lY2hv")),
        ("other half is literal", of("ZV9lY2hv?=")),
        ("empty", of("=?base64??=")),
        ("beyond ASCII", read("demo://e/a/ü漢")),
        ("blanks at the ends", read("demo://e/a/x ")),
        ("a name like a sentinel", read("=?base64?YQ==?=")),
    ];
    expect![[r#"
        plain behind it: 200
        blanks around it: 200
        another name: 400 -32020
        no base64: 400 -32020
        no UTF-8: 400 -32020
        upper case is literal: 400 -32020
        half is literal: 400 -32020
        other half is literal: 400 -32020
        empty: 400 -32020
        beyond ASCII: 200
        blanks at the ends: 200
        a name like a sentinel: 200 -32602
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

/// `place` with these arguments and these `Mcp-Param-` headers.
fn place(arguments: &str, headers: &[(&str, &str)]) -> Ask {
    let ask = modern("tools/call", &format!(r#"{{"name":"e_place","arguments":{arguments}}}"#));
    let put =
        |ask: Ask, (name, value): &(&str, &str)| ask.header(&format!("mcp-param-{name}"), value);
    headers.iter().fold(ask, put)
}

#[tokio::test]
async fn c053_mirrored_arguments_agree_with_their_headers() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        ("same", place(r#"{"region":"eu"}"#, &[("region", "eu")])),
        ("missing", place(r#"{"region":"eu"}"#, &[])),
        ("other", place(r#"{"region":"eu"}"#, &[("region", "us")])),
        ("other case", place(r#"{"region":"eu"}"#, &[("region", "EU")])),
        ("without an argument", place("{}", &[("region", "eu")])),
        ("null, no header", place(r#"{"region":null}"#, &[])),
        ("null, header", place(r#"{"region":null}"#, &[("region", "null")])),
        ("empty", place(r#"{"region":""}"#, &[("region", "")])),
        ("wrapped", place(r#"{"region":"\u00fc"}"#, &[("region", "=?base64?w7w=?=")])),
        ("badly wrapped", place(r#"{"region":"x"}"#, &[("region", "=?base64?%?=")])),
        ("boolean", place(r#"{"dry":true}"#, &[("dry", "true")])),
        ("boolean, other", place(r#"{"dry":true}"#, &[("dry", "True")])),
        ("nested", place(r#"{"in":{"depth":3}}"#, &[("depth", "3")])),
        ("nested, other", place(r#"{"in":{"depth":3}}"#, &[("depth", "4")])),
        ("not recognised", place(r#"{"region":"eu"}"#, &[("region", "eu"), ("foo", "x")])),
    ];
    expect![[r#"
        same: 200
        missing: 400 -32020
        other: 400 -32020
        other case: 400 -32020
        without an argument: 400 -32020
        null, no header: 200
        null, header: 400 -32020
        empty: 200
        wrapped: 200
        badly wrapped: 400 -32020
        boolean: 200
        boolean, other: 400 -32020
        nested: 200
        nested, other: 400 -32020
        not recognised: 200
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
    check(&gateway.http(), &place(r#"{"region":"eu"}"#, &[]), expect![[r#"
        400 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32020,"message":"Mcp-Param-Region: the body says \"eu\", the header absent"}}"#]]).await;
}

#[tokio::test]
async fn c052_c053_a_value_beyond_ascii_without_the_sentinel_is_malformed() {
    let gateway = start_echo(&Echo::new()).await;
    let read = modern("resources/read", r#"{"uri":"demo://e/a/ü"}"#);
    let rows = [
        ("name", read.header("mcp-name", "demo://e/a/ü")),
        ("argument", place(r#"{"region":"ü"}"#, &[("region", "ü")])),
        ("not recognised", call().header("mcp-param-foo", "ü")),
    ];
    expect![[r#"
        name: 400 -32020
        argument: 400 -32020
        not recognised: 200
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

#[tokio::test]
async fn c054_integers_are_compared_as_numbers() {
    let gateway = start_echo(&Echo::new()).await;
    let of = |argument: &str, header: &str| {
        let label = format!("{argument} = {header}");
        (label, place(&format!(r#"{{"count":{argument}}}"#), &[("count", header)]))
    };
    let rows = [
        of("42", "42"),
        of("42", "42.0"),
        of("42.0", "42"),
        of("-1", "-1"),
        of("9007199254740991", "9007199254740991"),
        of("42", "43"),
        of("42", "x"),
        of("42", ""),
    ];
    expect![[r#"
        42 = 42: 200
        42 = 42.0: 200
        42.0 = 42: 200
        -1 = -1: 200
        9007199254740991 = 9007199254740991: 200
        42 = 43: 400 -32020
        42 = x: 400 -32020
        42 = : 400 -32020
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}

#[tokio::test]
async fn c055_the_schema_that_is_shown_is_the_one_that_is_checked() {
    let gateway = start_echo(&Echo::new()).await;
    let shown = gateway.http().shown(&modern("tools/list", "{}")).await;
    assert!(shown.contains(r#""x-mcp-header":"Region""#), "{shown}");
    let own = |header| {
        let ask = modern("tools/call", r#"{"name":"place","arguments":{"region":"eu"}}"#);
        ask.at("/mcp/e").header("mcp-param-region", header)
    };
    let rows = [("same", own("eu")), ("other", own("us"))];
    expect![[r#"
        same: 200
        other: 400 -32020
    "#]]
    .assert_eq(&gateway.http().codes(&rows).await);
}
