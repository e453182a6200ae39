//! Updates of resources where several connections lead to equal children: of each caller, of each
//! session, or to each replica.

use harness::client::{Answer, Session};
use harness::scripted::{Cast, Http, Play, Plug, Script, Speaks, Step};
use harness::start::until;

const LEGACY: &str = "2025-11-25";
const UPDATED: &str = "notifications/resources/updated";
const OWN: &str = r#"{"uri":"demo://one"}"#;
const SHOWN: &str = r#"{"uri":"demo://m/one"}"#;
const FILTER: &str = r#"{"resourceSubscriptions":["demo://m/one"]}"#;

/// A client that subscribed, and what it hears.
enum Hearer {
    Modern(Answer),
    Legacy(Session, Answer),
}

impl Hearer {
    /// One of each era.
    async fn of(play: &Play, speaks: Speaks) -> Self {
        if speaks == Speaks::Modern {
            return Self::Modern(play.listen(FILTER).await);
        }
        let session = play.running.http().session(LEGACY).await;
        let stream = session.stream().await;
        let done = session.shown("resources/subscribe", SHOWN).await;
        assert!(done.contains(r#""result":{}"#), "{done}");
        Self::Legacy(session, stream)
    }

    async fn call(&self, play: &Play, tool: &str) -> String {
        match self {
            Self::Modern(_) => play.call(tool).await,
            Self::Legacy(session, _) => {
                session.shown("tools/call", &format!(r#"{{"name":"{tool}"}}"#)).await
            }
        }
    }

    /// Waits for the next update.
    async fn hears(&mut self) {
        let (Self::Modern(stream) | Self::Legacy(_, stream)) = self;
        loop {
            let told = stream.message().await.expect("an update");
            if told.contains(UPDATED) {
                assert!(told.contains(r#""uri":"demo://m/one""#), "{told}");
                return;
            }
        }
    }
}

const ERAS: [Speaks; 2] = [Speaks::Legacy, Speaks::Modern];

fn script(speaks: Speaks) -> Script {
    let legacy = speaks == Speaks::Legacy;
    let http = Http { session: legacy, standing: legacy, ..Http::default() };
    Script { speaks, ..Script::default() }
        .tool("tell")
        .tool("die")
        .resource("demo://one")
        .over_http(http)
        .on("tools/call tell", &[Step::Tell(UPDATED.into(), OWN.into())])
        .on("tools/call die", &[Step::Exit(1)])
}

#[tokio::test]
async fn c096_c132_c134_a_client_hears_of_the_process_that_serves_its_calls() {
    for child in ERAS {
        for share in ["session", "caller"] {
            for client in ERAS {
                let (keys, program) =
                    (format!("share = \"{share}\"\n"), env!("CARGO_BIN_EXE_scripted-child"));
                let play =
                    Cast::new("").process("m", &keys, program, script(child)).await.start().await;
                play.until_state("m", "ready").await;
                let mut hearer = Hearer::of(&play, client).await;
                let answer = hearer.call(&play, "m_tell").await;
                assert!(answer.contains("tell {}"), "{child:?}, {share}, {client:?}: {answer}");
                hearer.hears().await;
                // Its own process ends, and the part of its listen is opened again at the next one.
                hearer.call(&play, "m_die").await;
                hearer.hears().await;
                hearer.call(&play, "m_tell").await;
                hearer.hears().await;
            }
        }
    }
}

#[tokio::test]
async fn c134_a_client_listens_in_the_session_in_which_its_calls_run() {
    for client in ERAS {
        let play = Cast::new("").http("m", "", script(Speaks::Legacy)).await.start().await;
        play.until_state("m", "ready").await;
        let mut hearer = Hearer::of(&play, client).await;
        hearer.call(&play, "m_tell").await;
        hearer.hears().await;
        let director = play.director("m");
        let session = async |method: &str| {
            let seen = director.requests(method).await;
            seen.last().map(|seen| seen.header("mcp-session-id").to_owned())
        };
        let (subscribed, called) = (session("resources/subscribe"), session("tools/call"));
        let listed = session("tools/list");
        let (subscribed, called, listed) = tokio::join!(subscribed, called, listed);
        assert_eq!(subscribed, called, "{client:?}");
        // That which lists declares more than this client does.
        assert_ne!(listed, called, "{client:?}");
    }
}

#[tokio::test]
async fn c126_c134_updates_of_each_replica_are_heard() {
    for child in ERAS {
        for client in ERAS {
            let scripts = vec![script(child), script(child)];
            let play = Cast::new("").replicas("m", "", scripts).await.start().await;
            play.until_state("m", "ready").await;
            let mut hearer = Hearer::of(&play, client).await;
            for place in ["m/0", "m/1", "m/0", "m/1"] {
                play.director(place).tell(UPDATED, OWN);
                hearer.hears().await;
            }
        }
    }
}

#[tokio::test]
async fn c132_a_replica_that_comes_later_or_comes_back_is_heard_too() {
    let health = "health = { probe_every = \"50ms\", failures_max = 1, pause = \"10ms\", \
                  pause_max = \"50ms\", dials_per_hour = 100000 }\n";
    for child in ERAS {
        let cast = Cast::new("").replicas("m", health, vec![script(child), script(child)]).await;
        let late = cast.director("m/1");
        late.plug(Plug::Out);
        let play = cast.start().await;
        play.until_state("m", "degraded").await;
        let mut hearer = Hearer::of(&play, Speaks::Modern).await;
        for _ in 0..2 {
            late.plug(Plug::In);
            // What it told before it was listened to is lost: the resource counts as updated.
            hearer.hears().await;
            late.tell(UPDATED, OWN);
            hearer.hears().await;
            play.director("m/0").tell(UPDATED, OWN);
            hearer.hears().await;
            late.plug(Plug::Out);
            until("the loss of a replica", async || play.report("m").replicas[1].state == "down")
                .await;
        }
    }
}
