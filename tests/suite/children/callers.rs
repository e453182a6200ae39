//! Who calls reaches the child: typed in this process, in metadata elsewhere where the mount says
//! so, and by nobody else's word.

use std::sync::LazyLock;

use gateway::Gateway;
use harness::client::{Ask, Stdio, legacy, modern};
use harness::scripted::{Cast, at};
use harness::start::{children, start};
use protocol::{Grant, Raw};
use rmcp::handler::server::wrapper::Json;
use rmcp::model::{ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use upstreams::{Fault, Tools, Who};

use super::Wire::InProcess;
use super::{ALL, does};

/// What a client would have a child believe.
const FORGED: &str =
    r#"{"principal":"root","claims":{"team":"kings"},"scopes":["ledger:read","all"]}"#;
const CALLER: &str = "gateway/caller";

static TOOLS: LazyLock<Tools<Ledger>> = LazyLock::new(|| Tools::new(Ledger::tool_router()));

/// A child that shows its ledger only to those who may read it.
struct Ledger;

#[derive(Deserialize)]
struct Claims {
    team: String,
}

#[derive(Serialize, JsonSchema)]
struct Shown {
    principal: String,
    team: String,
    scopes: Vec<String>,
}

#[tool_router]
impl Ledger {
    #[tool(description = "Shows the ledger.")]
    fn show(&self, who: Who) -> Result<Json<Shown>, Fault> {
        who.require_scope("ledger:read")?;
        let Claims { team } = who.claims()?;
        let scopes = who.grant.scopes.iter().map(ToString::to_string).collect();
        Ok(Json(Shown { principal: who.principal.to_string(), team, scopes }))
    }
}

#[tool_handler(router = TOOLS)]
impl ServerHandler for Ledger {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

/// The clients of each era; a legacy one has shaken hands.
#[derive(Clone, Copy, Debug)]
enum Era {
    Legacy,
    Modern,
}

impl Era {
    const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];

    /// A client that the embedder of this gateway knows by name.
    async fn client(self, gateway: &Gateway, principal: &str, grant: &Grant) -> Stdio {
        let mut client = Stdio::known(gateway, principal, grant.clone());
        if matches!(self, Self::Legacy) {
            client.handshake("2025-11-25").await;
        }
        client
    }

    /// A call of this tool by a client that says it is somebody else.
    fn forged(self, tool: &str) -> Ask {
        let params = json!({ "name": tool }).to_string();
        let ask = match self {
            Self::Legacy => legacy("tools/call", &params),
            Self::Modern => modern("tools/call", &params),
        };
        ask.meta(CALLER, FORGED)
    }
}

/// A message; who the gateway says it is stands in it as no JSON.
fn message(line: &str) -> Value {
    serde_json::from_str(&line.replace("{gateway}", "{}")).expect("a message")
}

fn grant(claims: &Value, scopes: &[&str]) -> Grant {
    let scopes = scopes.iter().map(|scope| (*scope).into()).collect();
    Grant { claims: Raw::of(claims), scopes }
}

#[tokio::test]
async fn a_tool_in_this_process_knows_its_caller_and_can_require_a_scope() {
    let all = children([("ledger", upstreams::mount(Ledger))]);
    let running = start("[mounts.ledger]\nin_process = \"ledger\"\n", &[], &all).await;
    let team = json!({ "team": "ops" });
    for era in Era::BOTH {
        let ask = async |principal: &str, grant: &Grant| -> Value {
            let mut client = era.client(running.gateway(), principal, grant).await;
            let answer = client.shown(&era.forged("ledger_show")).await;
            let answer: Value = message(&answer);
            answer["result"].clone()
        };
        let granted = ask("ada", &grant(&team, &["ledger:read", "ledger:write"])).await;
        let expected = json!({
            "principal": "ada", "team": "ops", "scopes": ["ledger:read", "ledger:write"],
        });
        assert_eq!(granted["structuredContent"], expected, "{era:?}: {granted}");

        let other = ask("ben", &grant(&team, &["ledger:readers"])).await;
        assert_eq!(other["isError"], true, "{era:?}: {other}");
        let said = "FORBIDDEN: this needs the scope `ledger:read`, which the caller `ben` does not \
                    have";
        assert_eq!(other["content"][0]["text"], said, "{era:?}");
        let nobody = ask("anonymous", &Grant::default()).await;
        assert_eq!(nobody["isError"], true, "{era:?}: {nobody}");

        let without = ask("eve", &grant(&json!({}), &["ledger:read"])).await;
        let said = without["content"][0]["text"].as_str().expect("a text");
        assert!(said.starts_with("FORBIDDEN: the claims of the caller's token"), "{era:?}: {said}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_child_elsewhere_is_told_who_calls_where_its_mount_says_so() {
    let grant = grant(&json!({ "team": "ops" }), &["ledger:read"]);
    let ada = json!({
        "principal": "ada", "claims": { "team": "ops" }, "scopes": ["ledger:read"],
    });
    for wire in ALL.into_iter().filter(|wire| *wire != InProcess) {
        for (keys, told) in [("caller = \"meta\"\n", Some(&ada)), ("", None)] {
            let play = wire.play(keys, does(&[])).await;
            for era in Era::BOTH {
                play.director("m").forget();
                let mut client = era.client(play.running.gateway(), "ada", &grant).await;
                let answer = client.shown(&era.forged("m_t")).await;
                assert!(answer.contains("t {}"), "{wire:?} {era:?}: {answer}");
                let requests = play.director("m").requests("tools/call").await;
                let params = &requests.last().expect("a call").params;
                let said = at(params, &["_meta", CALLER]);
                let said: Option<Value> = said.map(|said| serde_json::from_str(&said).unwrap());
                assert_eq!(said.as_ref(), told, "{wire:?} {era:?} {keys}: {params}");
                assert!(!params.contains("root"), "{wire:?} {era:?}: {params}");
            }
        }
    }
}

/// What the front does not know, nobody is told.
#[tokio::test]
async fn a_client_that_nobody_knows_is_told_of_as_anonymous() {
    let script = does(&[]);
    let play = Cast::new("").http("m", "caller = \"meta\"\n", script).await.start().await;
    let answer = play.running.http().shown(&Era::Modern.forged("m_t")).await;
    assert!(answer.contains("t {}"), "{answer}");
    let requests = play.director("m").requests("tools/call").await;
    let said = at(&requests.last().expect("a call").params, &["_meta", CALLER]);
    let said: Value = serde_json::from_str(&said.expect("who calls")).expect("JSON");
    assert_eq!(said, json!({ "principal": "anonymous", "claims": {}, "scopes": [] }));
}

/// Two callers of one store, and what each finds in it at the key of the other.
async fn shares(text: &'static str, era: Era) -> [Value; 3] {
    let all = upstreams::builtins().into_iter().collect();
    let running = start(text, &[], &all).await;
    let ask = async |principal: &str, method: &str, params: Value| -> Value {
        let mut client = era.client(running.gateway(), principal, &Grant::default()).await;
        let params = params.to_string();
        let ask = match era {
            Era::Legacy => legacy(method, &params),
            Era::Modern => modern(method, &params),
        };
        let answer = client.shown(&ask).await;
        message(&answer)
    };
    let tool = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
    let set = tool("data_kv_set", json!({ "key": "k", "value": "ada's" }));
    let set = ask("ada", "tools/call", set).await;
    assert_eq!(set["result"]["structuredContent"]["key"], "k", "{set}");
    let own = ask("ada", "resources/read", json!({ "uri": "data://data/kv/k" })).await;
    assert_eq!(own["result"]["contents"][0]["text"], "ada's", "{own}");
    let get = ask("ben", "tools/call", tool("data_kv_get", json!({ "key": "k" }))).await;
    let list = ask("ben", "tools/call", tool("data_kv_list", json!({ "prefix": "" }))).await;
    let read = ask("ben", "resources/read", json!({ "uri": "data://data/kv/k" })).await;
    running.stop().await;
    let list = list["result"]["structuredContent"]["items"].clone();
    let got = get["result"]["structuredContent"]["found"].clone();
    [got, list, read["result"]["contents"][0]["text"].clone()]
}

#[tokio::test]
async fn keys_are_everybodys_unless_each_caller_has_its_own() {
    const SHARED: &str = "[mounts.data]\nin_process = \"data\"\n";
    const OWN: &str = "[mounts.data]\nin_process = \"data\"\noptions = { kv_per_caller = true }\n";
    for era in Era::BOTH {
        assert_eq!(shares(SHARED, era).await, [json!(true), json!(["k"]), json!("ada's")]);
        assert_eq!(shares(OWN, era).await, [json!(false), json!([]), Value::Null]);
    }
}
