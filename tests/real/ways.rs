//! Official clients and servers over HTTP+SSE, WebSocket and a Unix socket, through the gateway,
//! and servers that ask over these and Streamable HTTP.
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
    let ts = |name: &str| Program::new("node", &[&script(name)]);
    let (py1, py2) = (py(Venv::Mcp1, "python/asking1.py"), py(Venv::Mcp2, "python/asking2.py"));
    let (ts1, ts2) = (ts("js/asking1.mjs"), ts("js/asking2.mjs"));
    let programs = [
        ("ts1-sse", &ts1, "sse", "/sse"),
        ("py1-sse", &py1, "sse", "/sse"),
        ("py1-websocket", &py1, "websocket", "/ws"),
        ("py2-sse", &py2, "sse", "/sse"),
        ("ts1-http", &ts1, "http", "/mcp"),
        ("ts2-http", &ts2, "http", "/mcp"),
        ("py1-http", &py1, "http", "/mcp"),
        ("py2-http", &py2, "http", "/mcp"),
    ];
    let mut all = Vec::new();
    for (name, program, way, path) in programs {
        let mut program = program.clone();
        program.args.push(way.to_owned());
        let errors = fixture.path().join(format!("{name}.txt"));
        all.push((name, Served::start_at(&program, path, &errors).await));
    }
    all
}

/// The mounts of those, one for each era that a server speaks over HTTP.
fn mounts(served: &[(&'static str, Served)]) -> Vec<(&'static str, Source)> {
    let mut mounts = Vec::new();
    for (name, served) in served {
        let url = served.url.clone();
        match *name {
            "py1-websocket" => mounts.push((*name, Source::Url(url.replacen("http", "ws", 1)))),
            "ts2-http" => mounts.push((*name, Source::PinnedUrl(url, "modern"))),
            "py2-http" => mounts.extend([
                ("py2-http-legacy", Source::PinnedUrl(url.clone(), "legacy")),
                ("py2-http-modern", Source::PinnedUrl(url, "modern")),
            ]),
            _ => mounts.push((*name, Source::Url(url))),
        }
    }
    mounts
}

/// Every question of those servers, answered by a client over `way`, or Streamable HTTP.
async fn all_questions(client: Client, era: Era, way: Option<Way>) {
    let fixture = Fixture::new();
    let served = asking(&fixture).await;
    let mounts = mounts(&served);
    let names: Vec<&str> = mounts.iter().map(|(name, _)| *name).collect();
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
    ts1_answers_those_of_every_transport: all_questions(Client::Ts1, Era::Legacy, None);
    ts2_modern_answers_those_of_every_transport: all_questions(Client::Ts2, Era::Modern, None);
    py2_modern_answers_those_of_every_transport: all_questions(Client::Py2, Era::Modern, None);
    rmcp_modern_answers_those_of_every_transport: all_questions(Client::Rmcp, Era::Modern, None);
}
