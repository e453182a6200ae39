//! What every modern request says of itself, and what the gateway says of itself (checks 19 to 32).

use expect_test::expect;
use harness::client::{check, check_rows, modern};
use harness::echo::Echo;
use harness::start::{children, start, start_echo};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const INFO: &str = "io.modelcontextprotocol/clientInfo";
const LEVEL: &str = "io.modelcontextprotocol/logLevel";

#[tokio::test]
async fn c019_a_request_without_required_metadata_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let list = || modern("tools/list", "{}");
    let rows = [
        ("no version", list().without_meta(VERSION)),
        ("no capabilities", list().without_meta(CAPABILITIES)),
        ("neither", list().without_meta(VERSION).without_meta(CAPABILITIES)),
        ("discover without", modern("server/discover", "{}").without_meta(VERSION)),
        ("listen without", modern("subscriptions/listen", "{}").without_meta(CAPABILITIES)),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        no version: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        no capabilities: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/clientCapabilities\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        neither: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        discover without: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        listen without: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/clientCapabilities\"] is missing; every 2026-07-28 request has it","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
}

#[tokio::test]
async fn c019_metadata_of_a_wrong_type_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let list = || modern("tools/list", "{}");
    let whole = |meta: &str| {
        list().body(format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{meta}}}}}"#
        ))
    };
    let rows = [
        ("version number", list().meta(VERSION, "20260728")),
        ("version null", list().meta(VERSION, "null")),
        ("capabilities array", list().meta(CAPABILITIES, "[]")),
        ("capabilities null", list().meta(CAPABILITIES, "null")),
        ("info string", list().meta(INFO, r#""me""#)),
        ("token object", list().meta("progressToken", "{}")),
        ("token fraction", list().meta("progressToken", "1.5")),
        ("meta array", whole("[]")),
        ("meta null", whole("null")),
        ("meta string", whole(r#""x""#)),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        version number: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"]: expected a string, found 20260728","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        version null: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/protocolVersion\"]: expected a string, found null","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        capabilities array: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/clientCapabilities\"]: expected an object, found []","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        capabilities null: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/clientCapabilities\"]: expected an object, found null","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        info string: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"io.modelcontextprotocol/clientInfo\"]: expected an object, found \"me\"","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        token object: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"progressToken\"]: expected a string or an integer, found {}","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        token fraction: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta[\"progressToken\"]: expected a string or an integer, found 1.5","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        meta array: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta: expected an object, found an array","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        meta null: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta: expected an object, found null","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        meta string: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params._meta: expected an object, found a string","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
}

#[tokio::test]
async fn c020_a_request_without_client_info_is_served() {
    let gateway = start_echo(&Echo::new()).await;
    let ask = modern("tools/call", r#"{"name":"e_echo","arguments":{}}"#);
    check(&gateway.http(), &ask, expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
    let info = r#"{"name":"curl","version":"8"}"#;
    check(&gateway.http(), &ask.meta(INFO, info), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
}

#[tokio::test]
async fn c021_c022_a_version_that_is_not_spoken_names_those_that_are() {
    let gateway = start_echo(&Echo::new()).await;
    let of = |version: &str| {
        let quoted = format!("\"{version}\"");
        modern("tools/list", "{}").meta(VERSION, &quoted).header("mcp-protocol-version", version)
    };
    let rows = ["2027-01-01", "2025-11-25", "2024-11-05", "v999", ""].map(|v| (v, of(v)));
    check_rows(&gateway.http(), &rows, expect![[r#"
        2027-01-01: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `2027-01-01` is not spoken in this form; spoken are 2026-07-28","data":{"supported":["2026-07-28"],"requested":"2027-01-01"}}}
        2025-11-25: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `2025-11-25` is not spoken in this form; spoken are 2026-07-28","data":{"supported":["2026-07-28"],"requested":"2025-11-25"}}}
        2024-11-05: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `2024-11-05` is not spoken in this form; spoken are 2026-07-28","data":{"supported":["2026-07-28"],"requested":"2024-11-05"}}}
        v999: 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `v999` is not spoken in this form; spoken are 2026-07-28","data":{"supported":["2026-07-28"],"requested":"v999"}}}
        : 400 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `` is not spoken in this form; spoken are 2026-07-28","data":{"supported":["2026-07-28"],"requested":""}}}
    "#]]).await;
    let discover = modern("server/discover", "{}");
    let shown = gateway.http().shown(&discover).await;
    assert!(shown.contains(r#""supportedVersions":["2026-07-28"]"#), "{shown}");
}

#[tokio::test]
async fn c021_over_stdio_too() {
    let gateway = start_echo(&Echo::new()).await;
    let ask = modern("tools/list", "{}").meta(VERSION, r#""2027-01-01""#);
    expect![[r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"protocol version `2027-01-01` is not spoken in this form; spoken are 2026-07-28","data":{"supported":["2026-07-28"],"requested":"2027-01-01"}}}"#]].assert_eq(&gateway.stdio().shown(&ask).await);
}

#[tokio::test]
async fn c024_c026_capabilities_are_those_of_this_request_alone() {
    let gateway = start_echo(&Echo::new()).await;
    let call = || modern("tools/call", r#"{"name":"e_params","arguments":{}}"#);
    let can = r#"{"elicitation":{"form":{}},"extensions":{"com.example/x":{}}}"#;
    let mut stdio = gateway.stdio();
    let first = stdio.shown(&call().meta(CAPABILITIES, can)).await;
    let relayed = r#"{"elicitation":{"form":{}}}"#;
    assert!(first.contains(&format!(r#""{CAPABILITIES}":{relayed}"#)), "{first}");
    let second = stdio.shown(&call()).await;
    assert!(second.contains(&format!(r#""{CAPABILITIES}":{{}}"#)), "{second}");
}

#[tokio::test]
async fn c025_the_child_gets_every_required_member() {
    let gateway = start_echo(&Echo::new()).await;
    let session = gateway.http().session("2024-11-05").await;
    let shown = session.shown("tools/call", r#"{"name":"e_params","arguments":{}}"#).await;
    for key in [VERSION, CAPABILITIES, INFO] {
        assert!(shown.contains(key), "{key}: {shown}");
    }
}

#[tokio::test]
async fn c028_discover_says_what_is_served() {
    let gateway = start_echo(&Echo::new()).await;
    check(&gateway.http(), &modern("server/discover", "{}"), expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},"completions":{},"logging":{}},"ttlMs":60000,"cacheScope":"public","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}},"supportedVersions":["2026-07-28"]}}"#]]).await;
}

#[tokio::test]
async fn c029_a_gateway_with_nothing_behind_it_still_has_its_lists() {
    let gateway = start("", &[], &children([])).await;
    let rows = [
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
    ];
    let rows = rows.map(|method| (method, modern(method, "{}")));
    check_rows(&gateway.http(), &rows, expect![[r#"
        server/discover: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":false}},"ttlMs":60000,"cacheScope":"public","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}},"supportedVersions":["2026-07-28"]}}
        tools/list: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"tools":[],"ttlMs":60000,"cacheScope":"public","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        prompts/list: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"prompts":[],"ttlMs":60000,"cacheScope":"public","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        resources/list: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"resources":[],"ttlMs":60000,"cacheScope":"public","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
        resources/templates/list: 200 application/json {"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[],"ttlMs":60000,"cacheScope":"public","resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}
    "#]]).await;
}

#[tokio::test]
async fn c030_a_feature_that_nothing_offers_is_an_unknown_method() {
    let child = Echo::with_capabilities(r#"{"tools":{}}"#);
    let gateway = start_echo(&child).await;
    let reference =
        r#"{"ref":{"type":"ref/prompt","name":"e_greet"},"argument":{"name":"name","value":""}}"#;
    let ask = modern("completion/complete", reference);
    check(&gateway.http(), &ask, expect![[r#"
        404 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"nothing here offers completion/complete","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}"#]]).await;
    let session = gateway.http().session("2025-11-25").await;
    assert!(!session.greeting.contains("completions"), "{}", session.greeting);
    assert!(!session.greeting.contains("logging"), "{}", session.greeting);
    expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"nothing here offers completion/complete","data":{"gateway":{"code":"METHOD_NOT_FOUND"}}}}"#]].assert_eq(&session.shown("completion/complete", reference).await);
}

#[tokio::test]
async fn c030_legacy_features_that_nothing_offers_are_unknown_methods_too() {
    let child = Echo::with_capabilities(r#"{"tools":{}}"#);
    let gateway = start_echo(&child).await;
    let session = gateway.http().session("2025-11-25").await;
    for (method, params) in [
        ("logging/setLevel", r#"{"level":"info"}"#),
        ("resources/subscribe", r#"{"uri":"demo://e/a/one"}"#),
        ("resources/unsubscribe", r#"{"uri":"demo://e/a/one"}"#),
    ] {
        let shown = session.shown(method, params).await;
        assert!(shown.contains(r#""code":-32601"#), "{method}: {shown}");
    }
}

#[tokio::test]
async fn c031_an_extension_that_is_not_known_here_changes_nothing() {
    let gateway = start_echo(&Echo::new()).await;
    let can = r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"com.example/x":{"a":1}}}"#;
    let ask = modern("tools/call", r#"{"name":"e_echo","arguments":{}}"#).meta(CAPABILITIES, can);
    check(&gateway.http(), &ask, expect![[r#"
        200 application/json
        {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"{}"}],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{gateway}}}}"#]]).await;
}

#[tokio::test]
async fn c147_a_log_level_that_is_none_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    for level in [r#""loud""#, r#""INFO""#, "3", "null"] {
        let shown = gateway.http().shown(&modern("tools/list", "{}").meta(LEVEL, level)).await;
        assert!(shown.contains(r#""code":-32602"#), "{level}: {shown}");
        assert!(shown.contains("debug, info, notice"), "says what is right: {shown}");
    }
}

#[tokio::test]
async fn c158_c159_a_cursor_that_is_none_is_refused() {
    let gateway = start_echo(&Echo::new()).await;
    let rows = [
        ("forged", modern("tools/list", r#"{"cursor":"AAAA"}"#)),
        ("empty", modern("tools/list", r#"{"cursor":""}"#)),
        ("number", modern("tools/list", r#"{"cursor":7}"#)),
        ("null", modern("tools/list", r#"{"cursor":null}"#)),
        ("long", modern("resources/list", &format!(r#"{{"cursor":"{}"}}"#, "x".repeat(100_000)))),
    ];
    check_rows(&gateway.http(), &rows, expect![[r#"
        forged: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.cursor: not a cursor of this list, or the entry it names is gone; start again without a cursor","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        empty: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.cursor: not a cursor of this list, or the entry it names is gone; start again without a cursor","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        number: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.cursor: expected a string, found a number","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        null: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.cursor: expected a string, found null","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
        long: 200 application/json {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"params.cursor: not a cursor of this list, or the entry it names is gone; start again without a cursor","data":{"gateway":{"code":"VALIDATION_ERROR"}}}}
    "#]]).await;
}
