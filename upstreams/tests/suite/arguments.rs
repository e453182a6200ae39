//! Arguments are checked against the schema that clients see, and who calls reaches the tool.

use std::sync::{Arc, LazyLock};

use expect_test::expect;
use protocol::{ChildRequest, Grant, InProcess, Make, Options, Raw};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use upstreams::{Checks, Fault, Tools, Who, mount, with_options};

use crate::caller::{Caller, Ear, with_meta, wrapped};

static TOOLS: LazyLock<Tools<Fussy>> = LazyLock::new(|| Tools::new(Fussy::tool_router()));

/// A child that takes little.
struct Fussy;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Order {
    /// Letters and digits.
    #[schemars(regex(pattern = r"^[A-Z]{2}[0-9]+$"))]
    code: String,
    #[schemars(range(min = 1, max = 10))]
    count: u32,
    size: Size,
    #[serde(default)]
    #[schemars(length(max = 2), inner(length(min = 1)))]
    marks: Vec<String>,
    address: Option<Address>,
    from: Option<u32>,
    to: Option<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Size {
    Small,
    /// With a comment, which makes another form of schema.
    Large,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Address {
    #[schemars(length(min = 1, max = 40))]
    town: String,
    #[expect(dead_code, reason = "only its type is of interest here")]
    post: u32,
}

#[derive(Serialize, JsonSchema)]
struct Taken {
    by: String,
}

#[tool_router]
impl Fussy {
    #[tool(description = "Takes an order.")]
    fn order(&self, who: Who, Parameters(order): Parameters<Order>) -> Result<Json<Taken>, Fault> {
        let (from, to) = (order.from.unwrap_or(0), order.to.unwrap_or(u32::MAX));
        let mut checks = Checks::new();
        checks.that(from <= to, "from", &format!("at most `to`, which is {to}"), &from.to_string());
        checks.done()?;
        drop((order.code, order.size, order.marks, order.address.map(|address| address.town)));
        Ok(Json(Taken { by: format!("{} takes {}", who.principal, order.count) }))
    }

    #[tool(description = "Only for those who may.")]
    fn secret(&self, who: Who) -> Result<Json<Taken>, Fault> {
        #[derive(Deserialize)]
        struct Claims {
            team: String,
        }
        who.require_scope("orders:read")?;
        let claims: Claims = who.claims()?;
        Ok(Json(Taken { by: claims.team }))
    }
}

#[tool_handler(router = TOOLS)]
impl ServerHandler for Fussy {}

fn fussy() -> Caller {
    Caller(mount(Fussy))
}

#[tokio::test]
async fn every_violation_is_told_with_its_place_and_what_was_expected() {
    let bad = json!({
        "code": "x7", "count": 0, "size": "huge", "marks": ["", "a", "b"],
        "address": { "town": "", "street": "Long" }, "color": "red",
    });
    expect![[r#"
        VALIDATION_ERROR: 9 things are wrong:
        - address.post: expected a whole number of at least 0, came nothing
        - address.street: expected one of the names post, town, came `Long`
        - address.town: expected a text of 1 to 40 characters, came ``
        - code: expected a text like ^[A-Z]{2}[0-9]+$, came `x7`
        - color: expected one of the names address, code, count, from, marks, size, to, came `red`
        - count: expected a whole number from 1 to 10, came 0
        - marks: expected a list of at most 2 elements, came the list ["","a","b"]
        - marks[0]: expected a text of at least 1 characters, came ``
        - size: expected `small` or `large`, came `huge`
    "#]]
    .assert_eq(&format!("{}\n", fussy().fails("order", bad).await));
}

#[tokio::test]
async fn the_same_is_in_the_metadata_for_programs() {
    let result = fussy().tool("order", json!({ "code": "AB1", "count": 1, "size": 7 })).await;
    expect![[r#"
        {"code":"VALIDATION_ERROR","violations":[{"came":"7","expected":"`small` or \
        `large`","path":"size"}]}
    "#]]
    .assert_eq(&wrapped(&result["_meta"]["gateway/error"].to_string()));
    assert!(result.get("structuredContent").is_none(), "it would not be as the schema says");
}

#[tokio::test]
async fn what_the_schema_cannot_say_is_checked_by_the_tool() {
    let arguments = json!({ "code": "AB1", "count": 1, "size": "small", "from": 3, "to": 2 });
    let said = fussy().fails("order", arguments).await;
    assert_eq!(said, "VALIDATION_ERROR: from: expected at most `to`, which is 2, came 3");
}

/// Calls `secret` as somebody.
async fn secret(principal: &str, grant: Grant) -> Value {
    let (ear, _heard) = Ear::open(1);
    let params = with_meta(json!({ "name": "secret" }));
    let request = ChildRequest::new("tools/call", params, ear).of(principal.into(), grant.into());
    let answer = mount(Fussy).request(request).await.unwrap();
    serde_json::from_str(&answer).unwrap()
}

#[tokio::test]
async fn a_caller_without_the_scope_is_refused_by_name() {
    let refused = secret("ann", Grant::default()).await;
    let text =
        "FORBIDDEN: this needs the scope `orders:read`, which the caller `ann` does not have";
    assert_eq!(refused["content"][0]["text"], text);
    assert_eq!(refused["_meta"]["gateway/error"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn scopes_and_claims_reach_the_tool_typed() {
    let scopes = vec!["orders:read".into()];
    let claims = Raw::from_static(r#"{"team":"blue"}"#);
    let taken = secret("ann", Grant { claims, scopes: scopes.clone() }).await;
    assert_eq!(taken["structuredContent"]["by"], "blue");
    let without = secret("ann", Grant { scopes, ..Grant::default() }).await;
    let text = without["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("FORBIDDEN: the claims of the caller's token"), "{text}");
}

#[tokio::test]
async fn no_argument_makes_a_caller() {
    let claims = json!({ "principal": "root", "scopes": ["orders:read"] });
    let params =
        json!({ "name": "secret", "arguments": claims, "_meta": { "gateway/caller": claims } });
    let refused = fussy().ask("tools/call", params).await.unwrap();
    assert_eq!(refused["_meta"]["gateway/error"]["code"], "FORBIDDEN", "{refused}");
}

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct FussyOptions {
    #[schemars(range(min = 1, max = 9))]
    level: u32,
    roots: Vec<String>,
}

impl Default for FussyOptions {
    fn default() -> Self {
        Self { level: 3, roots: Vec::new() }
    }
}

fn checked(options: &Arc<dyn Make>, values: &'static str) -> Vec<String> {
    let values = Raw::from_static(values);
    let wrong = options.check(&Options { values, ..Options::default() });
    wrong.iter().map(ToString::to_string).collect()
}

#[test]
fn options_are_checked_and_have_defaults() {
    let fussy = with_options(|options: FussyOptions, _folder| {
        assert!(options.level > 0 && options.roots.is_empty());
        Ok(Fussy)
    });
    assert!(fussy.make(&Options::default()).is_ok());
    assert_eq!(checked(&fussy, "{}"), [""; 0]);
    expect![[r#"
        [
            "level: expected a whole number from 1 to 9, came 12",
            "rots: expected a known name: did you mean `roots`?, came `x`",
        ]
    "#]]
    .assert_debug_eq(&checked(&fussy, r#"{"level":12,"rots":"x"}"#));
}

#[test]
fn a_child_without_options_takes_none() {
    let plain: Arc<dyn Make> = Arc::new(|| -> Arc<dyn InProcess> { mount(Fussy) });
    assert!(plain.make(&Options::default()).is_ok());
    let wrong = checked(&plain, r#"{"a":1}"#);
    assert_eq!(wrong, ["a: expected no option: this child takes none"]);
}
