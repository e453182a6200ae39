//! Many clients and one child that asks each of them: in a thousand interleavings nothing crosses.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Play, Script, Step};
use harness::start::{soon, until};

use super::{Child, FORM, LegacyHttp, LegacyProcess, ModernHttp, ModernProcess, ask, does};

/// Interleavings in each mode; there are seven.
const INTERLEAVINGS: u64 = 150;
/// Turns of the scheduler that a client lets pass at most before it calls, and before it answers.
const YIELDS_MAX: usize = 12;
/// So that what clients leave behind which nobody can cancel is no bound here.
const KEYS: &str = "parked_max = 4096\n";

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

/// How a child is shared, and who can be asked then.
struct Mode {
    child: Child,
    keys: &'static str,
    /// Each call that is not given up is asked about, without exception; else only one that is
    /// alone, since what was given up may still ask on the same connection.
    all_are_asked: bool,
    /// Each client is somebody else.
    known: bool,
}

/// A client and all the secrets that it ever had.
struct Guest {
    client: Able,
    /// Of calls that it gave up: what is still said about them may come to it, and nobody else.
    given_up: BTreeSet<u64>,
}

/// What a client does about one call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Stays,
    /// Leaves when it is asked, and takes the stream up again.
    ComesBack,
    GivesUp,
}

/// The secret that stands in a text.
fn secret_in(text: &str) -> Option<u64> {
    let (_, after) = text.split_once("secret")?;
    let digits = after.trim_start_matches(['\\', '"', ':']);
    digits.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

fn call_of(secret: u64) -> String {
    format!(r#"{{"name":"m_t","arguments":{{"secret":{secret}}}}}"#)
}

impl Guest {
    fn new(client: Able) -> Self {
        Self { client, given_up: BTreeSet::new() }
    }

    /// One call with a secret of its own. Whether the client was asked.
    async fn call(&mut self, secret: u64, yields: [usize; 2], manner: Manner) -> bool {
        for _ in 0..yields[0] {
            tokio::task::yield_now().await;
        }
        self.client.yields = yields[1];
        let (call, kind) = (call_of(secret), self.client.kind());
        if manner == Manner::GivesUp {
            self.given_up.insert(secret);
            for heard in self.client.give_up("tools/call", &call, yields[1]).await {
                assert_eq!(secret_in(&heard), Some(secret), "{kind}: a stranger's {heard}");
            }
            return false;
        }
        let (mut asked, given_up) = (false, &self.given_up);
        let answer = |_: &str, params: &str| {
            let named = secret_in(params);
            if named.is_some_and(|named| given_up.contains(&named)) {
                return r#"{"action":"decline"}"#.to_owned();
            }
            assert_eq!(named, Some(secret), "{kind}: a stranger's question: {params}");
            asked = true;
            format!(r#"{{"action":"accept","content":{{"secret":{secret}}}}}"#)
        };
        let talked = match manner {
            Manner::ComesBack => self.client.talk_apart("tools/call", &call, answer).await,
            _ => self.client.talk("tools/call", &call, answer).await,
        };
        for told in &talked.told {
            let named = secret_in(told).is_none_or(|named| self.given_up.contains(&named));
            assert!(named, "{kind}: of a stranger's call: {told}");
        }
        let text = talked.text();
        let rest = text.strip_prefix(&format!(r#"{{"secret":{secret}}} "#));
        let rest = rest.unwrap_or_else(|| panic!("{kind}: a stranger's result: {talked:?}"));
        if asked {
            let answer = format!(r#"{{"action":"accept","content":{{"secret":{secret}}}}}"#);
            assert_eq!(rest, answer, "{kind}: a stranger's answer");
        } else {
            assert!(rest.contains("-32602"), "{kind}: neither asked nor refused: {talked:?}");
        }
        asked
    }
}

impl Mode {
    async fn play(&self) -> Play {
        let steps = [ask("elicitation/create", FORM), Step::Told];
        // It goes on with what was cancelled, and asks and answers late.
        let script = Script { heedless: true, ..does(&steps) };
        self.child.play(&format!("{KEYS}{}", self.keys), script).await
    }

    async fn guests(&self, play: &Play) -> Vec<Guest> {
        let gateway = &play.running;
        let mut clients = Vec::new();
        if self.known {
            for (at, name) in ["ada", "ben", "cleo", "dan", "eve", "finn"].into_iter().enumerate() {
                clients.push(Able::known(gateway, name, at % 2 == 0, ALL_ABILITIES).await);
            }
        } else {
            clients.extend(Able::everywhere(gateway, ALL_ABILITIES).await);
            clients.push(Able::legacy_stdio(gateway, "2025-06-18", ALL_ABILITIES).await);
        }
        clients.into_iter().map(Guest::new).collect()
    }

    /// How a client behaves in one call. A modern one that was asked cannot cancel any more, and on
    /// a connection of one call at a time what it leaves there would be in everybody's way.
    fn manner(&self, guest: &Guest, random: usize) -> Manner {
        let modern = guest.client.is_modern();
        match random % 4 {
            0 if self.child == LegacyProcess && modern => Manner::Stays,
            0 => Manner::GivesUp,
            1 if guest.client.kind() == "legacy over HTTP" => Manner::ComesBack,
            _ => Manner::Stays,
        }
    }

    /// All interleavings; how many questions were answered.
    async fn run(&self) -> u64 {
        let play = self.play().await;
        let mut guests = self.guests(&play).await;
        let (mut secret, mut answered) = (1_000_000, 0);
        for seed in 0..INTERLEAVINGS {
            let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
            let mut manners = Vec::new();
            let calls = guests.iter_mut().map(|guest| {
                secret += 1;
                let yields = [(); 2].map(|()| random.next() % YIELDS_MAX);
                let manner = self.manner(guest, random.next());
                manners.push(manner);
                guest.call(secret, yields, manner)
            });
            let calls = join_all(calls);
            let came = soon("the calls of one interleaving", calls).await;
            for (at, (asked, manner)) in came.into_iter().zip(manners).enumerate() {
                answered += u64::from(asked);
                let stayed = manner != Manner::GivesUp;
                let wanted = asked || !stayed || !self.all_are_asked;
                assert!(wanted, "{:?} {}: a question has its call", self.child, self.keys);
                // What it gave up is over at the child before it calls again.
                let alone = !self.all_are_asked && at == 0;
                if !stayed || alone {
                    let guest = &mut guests[at];
                    let mut again = async || {
                        secret += 1;
                        guest.call(secret, [0, 0], Manner::Stays).await
                    };
                    until("a call that is asked about again", &mut again).await;
                    answered += 1;
                }
            }
        }
        answered
    }
}

async fn nothing_crosses(child: Child, keys: &'static str, all_are_asked: bool, known: bool) {
    let answered = Mode { child, keys, all_are_asked, known }.run().await;
    // Each of six or more, in its call or in the one after it; else one of them for certain.
    let least = if all_are_asked { 6 * INTERLEAVINGS } else { INTERLEAVINGS };
    assert!(answered >= least, "{child:?} {keys}: {answered} questions, at least {least}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c120_no_question_and_no_answer_crosses_over_http() {
    nothing_crosses(LegacyHttp, "", true, false).await;
    nothing_crosses(ModernHttp, "", true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c120_no_question_and_no_answer_crosses_at_a_shared_process() {
    nothing_crosses(ModernProcess, "", true, false).await;
    nothing_crosses(LegacyProcess, "", false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c120_no_question_and_no_answer_crosses_where_each_session_or_caller_is_apart() {
    // The one client without a session or connection is alone on its own, too.
    nothing_crosses(LegacyProcess, "share = \"session\"\n", true, false).await;
    nothing_crosses(LegacyProcess, "share = \"caller\"\n", true, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c120_no_question_and_no_answer_crosses_where_one_call_is_open_at_a_time() {
    // What was given up is waited for: none is refused because of it.
    let keys = "interactive = 1\ngiven_up_wait = \"1m\"\n";
    nothing_crosses(LegacyProcess, keys, true, false).await;
}
