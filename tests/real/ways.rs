//! Official clients and servers over HTTP+SSE, WebSocket and a Unix socket, through the gateway.
//!
//! The same steps as over Streamable HTTP and stdio, and the same answers. The second generations
//! of both SDKs have HTTP+SSE still; WebSocket was in the first ones alone.

use serde_json::json;

use crate::client::{Client, Era, Target, Way};
use crate::fixture::Fixture;
use crate::gateway::{Gateway, Source};
use crate::plan::{self, Mount};
use crate::programs::{Program, Venv, everything_sse, python, script, time};
use crate::questions;
use crate::served::Served;
use crate::through;

/// A front for clients of every transport.
const FRONT: &str = "listen = \"127.0.0.1:0\"\nsse = true\n";

/// Where the gateway is over a transport of its TCP front.
fn over(way: Way, gateway: &Gateway) -> Target {
    let origin = gateway.url().strip_suffix("/mcp").expect("the merged endpoint");
    let url = match &way {
        Way::Sse => format!("{origin}/sse"),
        Way::WebSocket => format!("{}/mcp", origin.replacen("http", "ws", 1)),
        Way::Socket(path) => panic!("{} is no transport of the TCP front", path.display()),
    };
    Target::Over(way, url)
}

/// A child of each era, the legacy one over HTTP+SSE.
const MOUNTS: [Mount; 2] = [Mount::EverythingHttp, Mount::Time];

/// All that `through` asks of them.
async fn all_steps(client: Client, way: Way) {
    let fixture = Fixture::new();
    let errors = fixture.path().join("sse.txt");
    let served = Served::start_at(&everything_sse(), "/sse", &errors).await;
    let everything = Source::Url(served.url.clone());
    let mounts = [
        (Mount::EverythingHttp.prefix(), everything),
        (Mount::Time.prefix(), Source::Command(time())),
    ];
    let (gateway, target) = match way {
        Way::Socket(_) => {
            let socket = fixture.path().join("gateway.sock");
            let front = format!("listen = {}\n", json!(format!("unix:{}", socket.display())));
            let gateway = Gateway::start_fronted(&fixture, &front, &mounts).await;
            let url = "http://localhost/mcp".to_owned();
            (gateway, Target::Over(Way::Socket(socket), url))
        }
        way => {
            let gateway = Gateway::start_fronted(&fixture, FRONT, &mounts).await;
            let target = over(way, &gateway);
            (gateway, target)
        }
    };
    let plan = plan::merged(&MOUNTS, &fixture);
    let report = client.play(Era::Legacy, &target, &plan, &fixture).await;
    gateway.stop(&fixture).await;
    through::check(&MOUNTS, client, Era::Legacy, &report).await;
}

/// The servers that ask, each over a transport that its SDK has.
async fn asking(fixture: &Fixture) -> Vec<(&'static str, Served)> {
    let py = |venv, name: &str| Program::new(python(venv, "python"), &[&script(name)]);
    let programs = [
        ("ts1-sse", Program::new("node", &[&script("js/asking1.mjs")]), "sse", "/sse"),
        ("py1-sse", py(Venv::Mcp1, "python/asking1.py"), "sse", "/sse"),
        ("py1-websocket", py(Venv::Mcp1, "python/asking1.py"), "websocket", "/ws"),
        ("py2-sse", py(Venv::Mcp2, "python/asking2.py"), "sse", "/sse"),
    ];
    let mut all = Vec::new();
    for (name, mut program, way, path) in programs {
        program.args.push(way.to_owned());
        let errors = fixture.path().join(format!("{name}.txt"));
        all.push((name, Served::start_at(&program, path, &errors).await));
    }
    all
}

/// Every question of those servers, answered by a client over `way`, or Streamable HTTP.
async fn all_questions(client: Client, era: Era, way: Option<Way>) {
    let fixture = Fixture::new();
    let served = asking(&fixture).await;
    let names: Vec<&str> = served.iter().map(|(name, _)| *name).collect();
    let mounts = served.iter().map(|(name, served)| {
        let url = match name.ends_with("websocket") {
            true => served.url.replacen("http", "ws", 1),
            false => served.url.clone(),
        };
        (*name, Source::Url(url))
    });
    let mounts: Vec<(&str, Source)> = mounts.collect();
    let gateway = Gateway::start_fronted(&fixture, FRONT, &mounts).await;
    let target = way.map_or_else(|| gateway.merged(), |way| over(way, &gateway));
    let plan = questions::plan(&names, &questions::answers());
    let report = client.play(era, &target, &plan, &fixture).await;
    gateway.stop(&fixture).await;
    questions::check(&names, client, era, &report);
}

/// One test for each client and transport.
macro_rules! ways {
    ($($name:ident: $what:ident($($with:expr),*);)*) => {$(
        #[tokio::test]
        async fn $name() {
            $what($($with),*).await;
        }
    )*};
}

ways! {
    ts1_over_sse: all_steps(Client::Ts1, Way::Sse);
    ts1_over_websocket: all_steps(Client::Ts1, Way::WebSocket);
    ts2_over_sse: all_steps(Client::Ts2, Way::Sse);
    py1_over_sse: all_steps(Client::Py1, Way::Sse);
    py1_over_websocket: all_steps(Client::Py1, Way::WebSocket);
    py1_over_a_unix_socket: all_steps(Client::Py1, Way::Socket("".into()));
    py2_over_sse: all_steps(Client::Py2, Way::Sse);
    fastmcp_over_sse: all_steps(Client::FastMcp, Way::Sse);
    ts1_answers_over_sse: all_questions(Client::Ts1, Era::Legacy, Some(Way::Sse));
    ts1_answers_over_websocket: all_questions(Client::Ts1, Era::Legacy, Some(Way::WebSocket));
    py1_answers_over_sse: all_questions(Client::Py1, Era::Legacy, Some(Way::Sse));
    py1_answers_over_websocket: all_questions(Client::Py1, Era::Legacy, Some(Way::WebSocket));
    py2_answers_over_sse: all_questions(Client::Py2, Era::Legacy, Some(Way::Sse));
    ts2_modern_answers_those_over_sse_and_websocket: all_questions(Client::Ts2, Era::Modern, None);
}
