//! Many clients and one child that asks each of them: in a thousand interleavings nothing crosses.

use futures_util::future::join_all;
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::Step;
use harness::start::soon;

use super::{FORM, LegacyHttp, LegacyProcess, ModernHttp, ask, does};

/// Interleavings in each mode; there are four.
const INTERLEAVINGS: u64 = 250;
/// Turns of the scheduler that a client lets pass at most before it calls, and before it answers.
const YIELDS_MAX: usize = 12;

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 40).unwrap_or_default()
    }
}

/// One call with a secret of its own. Whether the client was asked.
async fn one_call(client: &mut Able, secret: u64, yields: [usize; 2]) -> bool {
    for _ in 0..yields[0] {
        tokio::task::yield_now().await;
    }
    client.yields = yields[1];
    let call = format!(r#"{{"name":"m_t","arguments":{{"secret":{secret}}}}}"#);
    let own = format!(r#"{{\"secret\":{secret}}}"#);
    let kind = client.kind();
    let talked = client
        .talk("tools/call", &call, |_, params| {
            assert!(params.contains(&own), "{kind}: a stranger's question: {params}");
            format!(r#"{{"action":"accept","content":{{"secret":{secret}}}}}"#)
        })
        .await;
    let text = talked.text();
    let start = format!(r#"{{"secret":{secret}}} "#);
    assert!(text.starts_with(&start), "{kind}: a stranger's result: {talked:?}");
    let rest = text.strip_prefix(&start).unwrap_or_default();
    if talked.asked.is_empty() {
        assert!(rest.contains("-32602"), "{kind}: neither asked nor refused: {talked:?}");
        return false;
    }
    let answer = format!(r#"{{"action":"accept","content":{{"secret":{secret}}}}}"#);
    assert_eq!(rest, answer, "{kind}: a stranger's answer");
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c120_no_question_and_no_answer_crosses_in_a_thousand_interleavings() {
    let mut secret = 0;
    let apart = "share = \"session\"\n";
    let modes = [
        (LegacyHttp, "", true),
        (ModernHttp, "", true),
        // The one client without a session or connection is alone on its own, too.
        (LegacyProcess, apart, true),
        (LegacyProcess, "", false),
    ];
    for (child, keys, all_are_asked) in modes {
        let steps = [ask("elicitation/create", FORM), Step::Told];
        let play = child.play(keys, does(&steps)).await;
        let mut clients = Vec::from(Able::all(&play.running, ALL_ABILITIES).await);
        clients.push(Able::legacy_stdio(&play.running, "2025-06-18", ALL_ABILITIES).await);
        clients.push(Able::modern_stdio(&play.running, ALL_ABILITIES));
        assert!(one_call(&mut clients[0], 1_000_000, [0, 0]).await, "a call alone is asked about");
        for seed in 0..INTERLEAVINGS {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let calls = clients.iter_mut().map(|client| {
                secret += 1;
                let yields = [(); 2].map(|()| random.next() % YIELDS_MAX);
                one_call(client, secret, yields)
            });
            let came = soon("the calls of one interleaving", join_all(calls)).await;
            let count = came.iter().filter(|was_asked| **was_asked).count();
            if all_are_asked {
                assert_eq!(count, came.len(), "{child:?} {keys}: each question has its call");
            }
        }
    }
}
