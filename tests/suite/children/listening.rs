//! Clients of both eras hear of changes at children of both eras, through one listen each child.

use harness::client::{Session, Stdio, legacy, modern, shown};
use harness::scripted::{Play, Plug, Script, Seen, Step, What, member};

use super::{
    ALL, LegacyEvents, LegacyHttp, LegacyProcess, ModernEvents, ModernHttp, ModernProcess, Wire,
};

const A: &str = "demo://m/a";
const UPDATED: &str = "notifications/resources/updated";

fn resources() -> Script {
    Script::modern().tool("t").resource("demo://a").resource("demo://b")
}

fn filter(uris: &str) -> String {
    format!(r#"{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}"#)
}

/// A legacy session over HTTP that is subscribed, with its stream.
async fn session(play: &Play, uri: &str) -> (Session, harness::client::Answer) {
    let session = play.running.http().session("2025-06-18").await;
    let stream = session.stream().await;
    let answer = session.shown("resources/subscribe", &format!(r#"{{"uri":"{uri}"}}"#)).await;
    assert!(answer.contains(r#""result":{}"#), "{answer}");
    (session, stream)
}

/// A legacy client on a two-way channel that is subscribed.
async fn channel(play: &Play, uri: &str) -> Stdio {
    let mut stdio = play.running.stdio();
    stdio.handshake("2025-11-25").await;
    let mut answer =
        stdio.shown(&legacy("resources/subscribe", &format!(r#"{{"uri":"{uri}"}}"#))).await;
    // The listen of the client before may have ended: what was missed in between is told first.
    while answer.contains(UPDATED) {
        answer = stdio.next().await.unwrap_or_default();
    }
    assert!(answer.contains(r#""result":{}"#), "{answer}");
    stdio
}

/// How many listens and subscriptions are open at the child for resources.
fn open(seen: &[Seen]) -> usize {
    let of = |what: What, method: &str| {
        seen.iter().filter(|s| s.what == what && s.method == method).count()
    };
    let begun =
        of(What::Request, "subscriptions/listen") + of(What::Request, "resources/subscribe");
    let ended = of(What::Left, "subscriptions/listen") + of(What::Request, "resources/unsubscribe");
    begun - ended
}

/// Waits until the child has so many listens and subscriptions open.
async fn until_open(play: &Play, count: usize) {
    let director = play.director("m");
    harness::start::soon("the listens that are left", async {
        while open(&director.seen().await) != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Wires on which a child can tell of updates.
fn telling() -> impl Iterator<Item = Wire> {
    // A legacy child without a standing stream cannot.
    ALL.into_iter().filter(|wire| *wire != LegacyHttp)
}

#[tokio::test]
async fn c135_any_number_of_clients_share_one_listen_on_each_wire() {
    for wire in telling() {
        let play = wire.play("", resources()).await;
        until_open(&play, usize::from(!wire.is_legacy())).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(play.listen(r#"{"resourceSubscriptions":["demo://m/a"]}"#).await);
        }
        let (_session, mut standing) = session(&play, A).await;
        let mut stdio = channel(&play, A).await;
        until_open(&play, 1).await;
        play.director("m").tell(UPDATED, r#"{"uri":"demo://a"}"#);
        for stream in &mut streams {
            let told = shown(stream.message().await);
            assert!(told.contains(UPDATED) && told.contains(A), "{wire:?}: {told}");
            assert!(told.contains("subscriptionId\":1"), "{wire:?}: {told}");
        }
        for told in [shown(standing.message().await), shown(stdio.next().await)] {
            let expected =
                format!(r#"{{"jsonrpc":"2.0","method":"{UPDATED}","params":{{"uri":"{A}"}}}}"#);
            assert_eq!(told, expected, "{wire:?}");
        }
    }
}

#[tokio::test]
async fn c135_what_nobody_wants_any_more_is_given_back_on_each_wire() {
    for wire in telling() {
        let play = wire.play("", resources()).await;
        let first = play.listen(r#"{"resourceSubscriptions":["demo://m/a"]}"#).await;
        let mut second = play.listen(r#"{"resourceSubscriptions":["demo://m/b"]}"#).await;
        drop(first);
        // Of what a legacy child was asked, each resource counts; a modern one has one listen.
        until_open(&play, 1).await;
        play.director("m").tell(UPDATED, r#"{"uri":"demo://b"}"#);
        assert!(shown(second.message().await).contains("demo://m/b"), "{wire:?}");
        drop(second);
        until_open(&play, usize::from(!wire.is_legacy())).await;
    }
}

#[tokio::test]
async fn c076_c132_after_a_child_comes_back_its_listeners_hear_of_it_on_each_wire() {
    for wire in [LegacyProcess, ModernProcess] {
        let play = wire.play("", resources()).await;
        let mut stream = play.listen(r#"{"resourceSubscriptions":["demo://m/a"]}"#).await;
        let (_session, mut standing) = session(&play, A).await;
        play.director("m").exit(1);
        // What happened meanwhile was told to nobody, so the resource counts as updated.
        assert!(shown(stream.message().await).contains(A), "{wire:?}");
        assert!(shown(standing.message().await).contains(A), "{wire:?}");
        play.director("m").tell(UPDATED, r#"{"uri":"demo://a/part"}"#);
        assert!(shown(stream.message().await).contains("demo://m/a/part"), "{wire:?}");
        assert!(shown(standing.message().await).contains("demo://m/a/part"), "{wire:?}");
    }
}

#[tokio::test]
async fn c136_a_part_reaches_every_client_of_either_era_whatever_its_uri_on_each_wire() {
    for wire in telling() {
        let play = wire.play("", resources()).await;
        let filter = r#"{"resourceSubscriptions":["demo://m/a"]}"#;
        let mut streams = [play.listen(filter).await, play.listen(filter).await];
        let (_session, mut standing) = session(&play, A).await;
        let mut stdio = channel(&play, A).await;
        for (own, exposed) in [
            ("demo://a/part", "demo://m/a/part"),
            ("demo://a?part=1", "demo://m/a?part=1"),
            ("demo://a#part", "demo://m/a#part"),
            // A legacy child may tell of what nobody asked for: who reads anew misses nothing.
            ("demo://other/part", if wire.is_legacy() { A } else { "demo://m/other/part" }),
        ] {
            let update = format!(r#"{{"uri":"{own}","partOf":"demo://a"}}"#);
            play.director("m").tell(UPDATED, &update);
            for told in [
                shown(streams[0].message().await),
                shown(streams[1].message().await),
                shown(standing.message().await),
                shown(stdio.next().await),
            ] {
                assert!(told.contains(&format!(r#""uri":"{exposed}""#)), "{wire:?}: {told}");
            }
        }
    }
}

#[tokio::test]
async fn c127_c136_a_part_that_may_be_of_several_resources_is_an_update_of_each_on_each_wire() {
    for wire in telling() {
        let play = wire.play("", resources()).await;
        let mut first = play.listen(r#"{"resourceSubscriptions":["demo://m/a"]}"#).await;
        let (_session, mut standing) = session(&play, "demo://m/b").await;
        let update = r#"{"uri":"demo://other/part","partOf":"demo://a"}"#;
        play.director("m").tell(UPDATED, update);
        let told = shown(first.message().await);
        assert!(told.contains(r#""uri":"demo://m/a""#), "{wire:?}: {told}");
        let told = shown(standing.message().await);
        assert!(told.contains(r#""uri":"demo://m/b""#), "{wire:?}: {told}");
        assert!(!told.contains("other"), "{wire:?}: {told}");
    }
}

#[tokio::test]
async fn c077_a_process_outlives_its_clients() {
    let play = ModernProcess.play("", resources()).await;
    for _ in 0..3 {
        let (session, stream) = session(&play, A).await;
        assert_eq!(session.delete().await, 204);
        drop(stream);
        channel(&play, A).await.end().await;
        assert!(play.call("m_t").await.contains("t {}"));
    }
    assert_eq!(play.director("m").count(What::Began, "").await, 1);
    assert_eq!(play.director("m").count(What::Ended, "").await, 0);
}

#[tokio::test]
async fn c126_an_acknowledgement_waits_for_the_childs_own() {
    for wire in [ModernProcess, ModernHttp, ModernEvents, LegacyProcess] {
        let method = if wire.is_legacy() { "resources/subscribe" } else { "subscriptions/listen" };
        let script =
            resources().on_each(method, &[&[harness::scripted::Step::Wait("ready".to_owned())]]);
        // A child that announces no changing lists is asked to listen only for its clients.
        let capabilities = r#"{"tools":{},"resources":{"subscribe":true}}"#.to_owned();
        let script = Script { capabilities: Some(capabilities), ..script };
        let play = wire.play("", script).await;
        let ask = modern("subscriptions/listen", &filter(r#""demo://m/a""#));
        let http = play.running.http();
        let mut asking = Box::pin(async { http.send(&ask).await.message().await });
        tokio::select! {
            first = &mut asking => panic!("{wire:?}: before the child did: {first:?}"),
            _ = play.director("m").saw(What::Request, method) => {}
        }
        play.director("m").open("ready");
        let first = shown(asking.await);
        let honoured = member(&first, "params").unwrap();
        assert!(honoured.contains(r#"{"resourceSubscriptions":["demo://m/a"]}"#), "{first}");
    }
}

#[tokio::test]
async fn c134_a_subscription_that_a_child_ponders_holds_up_no_other() {
    let wait = [Step::Wait("pondered".to_owned()), Step::Usual];
    for wire in telling().filter(|wire| wire.is_legacy()) {
        // The first is answered at once.
        let script = resources().on_each("resources/subscribe", &[&[Step::Usual], &wait]);
        let play = wire.play("", script).await;
        let (_first, _stream) = session(&play, A).await;
        let slow = play.running.http().session("2025-06-18").await;
        let pondered = slow.send("resources/subscribe", r#"{"uri":"demo://m/b"}"#);
        let mut pondered = std::pin::pin!(pondered);
        let meanwhile = async {
            play.director("m").saw_times(2, What::Request, "resources/subscribe").await;
            let (third, mut standing) = session(&play, A).await;
            play.director("m").tell(UPDATED, r#"{"uri":"demo://a"}"#);
            assert!(shown(standing.message().await).contains(A), "{wire:?}");
            drop(third);
            play.director("m").open("pondered");
        };
        let (mut answer, ()) = tokio::join!(&mut pondered, meanwhile);
        let answer = shown(answer.message().await);
        assert!(answer.contains(r#""result":{}"#), "{wire:?}: {answer}");
    }
}

#[tokio::test]
async fn c096_a_subscription_at_a_child_that_is_down_says_so() {
    let keys = "health = { probe_every = \"20ms\", failures_max = 2, pause = \"10ms\", \
                pause_max = \"50ms\", dials_per_hour = 100000 }\n";
    for wire in [LegacyEvents, ModernEvents] {
        let play = wire.play(keys, resources()).await;
        play.director("m").plug(Plug::Out);
        play.until_state("m", "down").await;
        let session = play.running.http().session("2025-06-18").await;
        let answer = session.shown("resources/subscribe", r#"{"uri":"demo://m/a"}"#).await;
        assert!(answer.contains("CONNECTION_ERROR"), "{wire:?}: {answer}");
        assert!(answer.contains("`m`"), "{wire:?}: {answer}");
    }
}
