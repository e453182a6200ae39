//! Whose question it is on a wire, over times that only a paused clock has.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Method, Raw, Version};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, advance};

use super::super::asking::Asking;
use super::super::legacy::Legacy;
use super::super::wire::Cable;
use super::{Child, call, call_back, raw, wired};
use crate::call::{Aside, Call, Caller, Principal, Reply, ReplyKind, Standing};

const ROOM: usize = 64 << 10;

struct Met {
    legacy: Legacy,
    child: Child,
    _cable: Cable,
}

async fn met(asking: Asking) -> Met {
    let (cable, mut child, _) = wired(ROOM);
    let (events, _out) = mpsc::channel(8);
    let greeting = Legacy::greet(cable.wire.clone(), Version::NEWEST_LEGACY, events, asking);
    let (legacy, ()) = tokio::join!(greeting, child.shake_hands(json!({})));
    Met { legacy: legacy.unwrap(), child, _cable: cable }
}

fn rules() -> Asking {
    Asking::of(&"m".into())
}

/// A call of a client that can answer forms and has this session.
fn tool(params: Value, session: Option<u64>) -> Call {
    let capabilities = raw(&json!({"elicitation": {"form": {}}, "roots": {}}));
    let caller = Caller { capabilities, session, ..(*Caller::gateway()).clone() };
    Call { caller: Arc::new(caller), ..call(Method::ToolsCall, params) }
}

impl Child {
    async fn ask(&mut self, id: &str, method: &str) {
        let params = json!({"mode": "form", "message": id, "requestedSchema": {"type": "object"}});
        let asked = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.say(asked.to_string()).await;
    }

    /// Waits until all that was said before is taken.
    async fn synced(&mut self) {
        self.say(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#).await;
        assert_eq!(self.next().await["id"], "p");
    }

    /// The code of the next message, which answers the question `id` with an error.
    async fn refused(&mut self, id: &str) -> i64 {
        let answer = self.next().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{answer}"))
    }
}

/// Begins a call and gives it up once the child has it; its id.
async fn give_up(met: &mut Met, session: Option<u64>) -> u64 {
    let id = {
        let mut first = std::pin::pin!(met.legacy.serve(tool(json!({"name": "a"}), session)));
        tokio::select! {
            _ = &mut first => panic!("nobody answers"),
            id = met.child.request("tools/call") => id,
        }
    };
    assert_eq!(met.child.next().await["method"], "notifications/cancelled");
    id
}

fn asks(reply: &Reply) -> Value {
    assert_eq!(reply.kind, ReplyKind::InputRequired, "{reply:?}");
    serde_json::from_str(reply.result.as_str()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn c120_a_call_that_was_given_up_counts_until_its_late_answer() {
    let mut met = met(rules()).await;
    let first = give_up(&mut met, None).await;
    advance(Duration::from_secs(130)).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        child.request("tools/call").await;
        child.ask("early", "elicitation/create").await;
        assert_eq!(child.refused("early").await, -32602);
        child.result(first, json!({"content": []})).await;
        child.ask("now", "elicitation/create").await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(tool(json!({"name": "b"}), None)), playing);
    let asked = asks(&reply.unwrap());
    assert_eq!(asked["inputRequests"].as_object().unwrap().len(), 1, "{asked}");
    assert_eq!(asked["inputRequests"]["q1"]["params"]["message"], "now");
}

#[tokio::test(start_paused = true)]
async fn c120_a_call_that_was_given_up_counts_no_longer_than_it_can_last() {
    let mut met = met(rules().lasting(Duration::from_secs(300))).await;
    give_up(&mut met, None).await;
    advance(Duration::from_secs(301)).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        child.request("tools/call").await;
        child.ask("q", "elicitation/create").await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(tool(json!({"name": "b"}), None)), playing);
    asks(&reply.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_the_same_session_gave_up_does_not_stand_in_its_way() {
    let mut met = met(rules()).await;
    give_up(&mut met, Some(7)).await;
    for (session, is_asked) in [(7, true), (8, false)] {
        let Met { legacy, child, .. } = &mut met;
        let playing = async {
            let id = child.request("tools/call").await;
            child.ask("q", "elicitation/create").await;
            if !is_asked {
                assert_eq!(child.refused("q").await, -32602);
                child.result(id, json!({"content": []})).await;
            }
        };
        let serving = legacy.serve(tool(json!({"name": "b"}), Some(session)));
        let (reply, ()) = tokio::join!(serving, playing);
        let reply = reply.unwrap();
        assert_eq!(reply.kind == ReplyKind::InputRequired, is_asked, "{session}: {reply:?}");
        if is_asked {
            // Ends the park, and with it the call.
            advance(Duration::from_secs(601)).await;
            assert_eq!(met.child.next().await["method"], "notifications/cancelled");
            assert_eq!(met.child.next().await["id"], "q");
            give_up(&mut met, Some(7)).await;
        }
    }
}

/// One call at a time, where the next one waits so long for what was given up.
fn one_at_a_time() -> Asking {
    rules().one_at_a_time(Some(Duration::from_secs(20)))
}

#[tokio::test(start_paused = true)]
async fn c120_one_at_a_time_waits_for_the_late_answer_to_what_was_given_up() {
    let mut met = met(one_at_a_time()).await;
    let first = give_up(&mut met, None).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        child.ask("late", "elicitation/create").await;
        assert_eq!(child.refused("late").await, -32602, "of the call that nobody waits for");
        advance(Duration::from_secs(19)).await;
        child.synced().await;
        child.result(first, json!({"content": []})).await;
        child.request("tools/call").await;
        child.ask("now", "elicitation/create").await;
    };
    let began = Instant::now();
    let (reply, ()) = tokio::join!(legacy.serve(tool(json!({"name": "b"}), None)), playing);
    let asked = asks(&reply.unwrap());
    assert_eq!(asked["inputRequests"]["q1"]["params"]["message"], "now");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_does_not_wait_for_ever_for_what_was_given_up() {
    let mut met = met(one_at_a_time()).await;
    give_up(&mut met, None).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        let began = Instant::now();
        let id = child.request("tools/call").await;
        assert!(began.elapsed() >= Duration::from_secs(20), "{:?}", began.elapsed());
        // It may be of the first.
        child.ask("q", "elicitation/create").await;
        assert_eq!(child.refused("q").await, -32602);
        child.result(id, json!({"content": []})).await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(tool(json!({"name": "b"}), None)), playing);
    assert_eq!(reply.unwrap().kind, ReplyKind::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_left_counts_for_nothing() {
    let mut met = met(rules()).await;
    {
        let mut first = std::pin::pin!(met.legacy.serve(tool(json!({"name": "a"}), None)));
        assert!(futures_util::poll!(&mut first).is_pending());
    }
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        let request = child.next().await;
        assert_eq!(request["params"]["name"], "b", "the first was never written");
        child.ask("q", "elicitation/create").await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(tool(json!({"name": "b"}), None)), playing);
    asks(&reply.unwrap());
}

#[tokio::test(start_paused = true)]
async fn eighty_questions_at_once_are_asked_in_two_rounds_and_none_is_lost() {
    let mut met = met(rules()).await;
    let Met { legacy, child, .. } = &mut met;
    let mut params = json!({"name": "a"});
    let asking = async {
        let id = child.request("tools/call").await;
        let all: Vec<String> = (0..80)
            .map(|at| {
                let params = json!({"message": at, "requestedSchema": {"type": "object"}});
                let ask = json!({"jsonrpc": "2.0", "id": at, "method": "elicitation/create", "params": params});
                format!("{ask}\n")
            })
            .collect();
        child.write(&all.concat()).await;
        id
    };
    let (reply, id) = tokio::join!(legacy.serve(tool(params.clone(), None)), asking);
    let mut reply = reply.unwrap();
    let mut counts = Vec::new();
    while reply.kind == ReplyKind::InputRequired {
        let asked = asks(&reply);
        let keys = asked["inputRequests"].as_object().unwrap().keys();
        let answers = keys.map(|key| (key.clone(), json!({"action": "decline"})));
        let answers: serde_json::Map<_, _> = answers.collect();
        counts.push(answers.len());
        params["requestState"] = asked["requestState"].clone();
        params["inputResponses"] = answers.into();
        let expected = counts.last().copied().unwrap();
        let total: usize = counts.iter().sum();
        let answering = async {
            for _ in 0..expected {
                assert_eq!(child.next().await["result"]["action"], "decline");
            }
            if total == 80 {
                child.result(id, json!({"content": []})).await;
            }
        };
        let (next, ()) = tokio::join!(legacy.serve(tool(params.clone(), None)), answering);
        reply = next.unwrap();
    }
    assert_eq!(counts, [64, 16]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_ends_the_calls_that_wait_and_tells_the_child() {
    let mut met = met(rules()).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        let id = child.request("tools/call").await;
        child.ask("q", "elicitation/create").await;
        id
    };
    let (reply, id) = tokio::join!(legacy.serve(tool(json!({"name": "a"}), None)), playing);
    let state = asks(&reply.unwrap())["requestState"].clone();
    assert!(legacy.is_busy());
    legacy.end_parked().await;
    assert!(!legacy.is_busy());
    let told = child.next().await;
    assert_eq!(told["method"], "notifications/cancelled");
    assert_eq!(told["params"]["requestId"], id);
    assert_eq!(child.next().await["result"]["action"], "cancel");
    let back = json!({"name": "a", "requestState": state, "inputResponses": {}});
    let fault = legacy.serve(tool(back, None)).await.unwrap_err();
    assert!(fault.text.contains("look before you call again"), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn a_parked_call_that_its_child_answered_keeps_its_result_and_owns_no_question() {
    let mut met = met(rules()).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        let id = child.request("tools/call").await;
        child.ask("q", "elicitation/create").await;
        id
    };
    let (reply, id) = tokio::join!(legacy.serve(tool(json!({"name": "a"}), None)), playing);
    let state = asks(&reply.unwrap())["requestState"].clone();
    child.result(id, json!({"content": [], "late": true})).await;
    assert_eq!(child.next().await["result"]["action"], "cancel", "the question is void");
    assert!(!legacy.is_busy());
    legacy.end_parked().await;
    let other = async {
        child.request("tools/call").await;
        child.ask("r", "elicitation/create").await;
        assert_eq!(child.next().await["method"], "notifications/cancelled");
        assert_eq!(child.next().await["result"]["action"], "cancel");
    };
    let (ended, ()) = tokio::join!(legacy.serve(tool(json!({"name": "b"}), None)), other);
    assert!(ended.unwrap_err().text.contains("is being closed"));
    let back = json!({"name": "a", "requestState": state, "inputResponses": {}});
    let reply = legacy.serve(tool(back, None)).await.unwrap();
    assert!(reply.result.as_str().contains("late"), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn roots_that_a_child_asks_for_while_the_gateway_reads_a_list_are_nobodys() {
    let mut met = met(rules()).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        let tool = child.request("tools/call").await;
        let list = child.request("tools/list").await;
        child.ask("r", "roots/list").await;
        assert_eq!(child.refused("r").await, -32602);
        child.result(list, json!({"tools": []})).await;
        child.synced().await;
        child.ask("s", "roots/list").await;
        tool
    };
    let listing = legacy.serve(call(Method::ToolsList, json!({})));
    let calling = legacy.serve(tool(json!({"name": "a"}), None));
    let (reply, list, _) = tokio::join!(calling, listing, playing);
    assert!(list.is_ok());
    assert_eq!(asks(&reply.unwrap())["inputRequests"]["q1"]["method"], "roots/list");
}

#[tokio::test(start_paused = true)]
async fn a_log_message_on_a_pipe_goes_where_a_question_would() {
    let mut met = met(rules()).await;
    let Met { legacy, child, .. } = &mut met;
    let (call, mut notices) = call_back(Method::ToolsCall, json!({"name": "a"}));
    child.tell("notifications/message", json!({"level": "info", "data": "nobody's"})).await;
    child.synced().await;
    let playing = async {
        let id = child.request("tools/call").await;
        child.tell("notifications/message", json!({"level": "info", "data": "its own"})).await;
        child.result(id, json!({"content": []})).await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(call), playing);
    assert!(reply.is_ok());
    let told = notices.recv().await.unwrap();
    assert_eq!(told.method, "notifications/message");
    assert!(told.params.as_str().contains("its own"), "{told:?}");
    assert!(notices.try_recv().is_err());
}

/// A session, and what it is told outside of its calls.
#[derive(Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl Standing for Told {
    fn tell_aside(&self, method: &str, params: &Raw) {
        self.0.lock().unwrap().push(format!("{method} {}", params.as_str()));
    }
}

#[tokio::test]
async fn a_log_message_of_no_call_goes_to_the_one_client_of_its_connection_and_to_none_of_two() {
    let mut met = met(rules().apart(true)).await;
    let (ada, ben) = (Arc::new(Told::default()), Arc::new(Told::default()));
    for (at, who) in [&ada, &ada, &ben].into_iter().enumerate() {
        let standing: std::sync::Weak<Told> = Arc::downgrade(who);
        let tool = Call { aside: Aside::to(standing), ..tool(json!({"name": "a"}), None) };
        let answering = async {
            let id = met.child.request("tools/call").await;
            met.child.result(id, json!({})).await;
        };
        let (reply, ()) = tokio::join!(met.legacy.serve(tool), answering);
        reply.unwrap();
        met.child.tell("notifications/message", json!({"level": "info", "data": at})).await;
        met.child.synced().await;
    }
    let told = |who: &Told| who.0.lock().unwrap().join("\n");
    assert_eq!(
        told(&ada),
        "notifications/message {\"data\":0,\"level\":\"info\"}\n\
         notifications/message {\"data\":1,\"level\":\"info\"}"
    );
    assert_eq!(told(&ben), "");
}

#[tokio::test]
async fn c113_a_parked_call_of_another_principal_is_not_there() {
    let mut met = met(rules()).await;
    let Met { legacy, child, .. } = &mut met;
    let playing = async {
        child.request("tools/call").await;
        child.ask("q", "elicitation/create").await;
    };
    let (reply, ()) = tokio::join!(legacy.serve(tool(json!({"name": "a"}), None)), playing);
    let state = asks(&reply.unwrap())["requestState"].clone();
    let answers = json!({"q1": {"action": "decline"}});
    let back = json!({"name": "a", "requestState": state, "inputResponses": answers});
    let mut stranger = tool(back.clone(), None);
    let caller = Caller { principal: Principal::anonymous(), ..(*stranger.caller).clone() };
    stranger.caller = Arc::new(caller);
    let fault = legacy.serve(stranger).await.unwrap_err();
    assert!(fault.text.contains("no call waits"), "{fault:?}");
    let owner = legacy.serve(tool(back, None));
    let mut owner = std::pin::pin!(owner);
    tokio::select! {
        _ = &mut owner => panic!("the child does not answer"),
        answer = child.next() => assert_eq!(answer["result"]["action"], "decline"),
    }
}
