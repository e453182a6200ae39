//! Children of the experiment of 2025-11-25, and clients that know no tasks: in each pair of eras.

use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Script, Step, What, at, elements, member, string};

use super::{CREATED, KNOWS, OFFERS, ask, code, id_in, knowing, listen, sent, slow, state};
use crate::questions::{Child, LEGACY, MODERN, willing};

const EXPERIMENT: &str =
    r#"{"tools":{},"tasks":{"list":{},"cancel":{},"requests":{"tools":{"call":{}}}}}"#;

/// A task in the words of the experiment.
const TASK: &str = r#"{"taskId":"own/1","status":"working","createdAt":"2025-11-25T10:30:00Z","lastUpdatedAt":"2025-11-25T10:30:00Z","ttl":null,"pollInterval":5,"x-own":1.0}"#;

/// What it asks, on the request for its result.
const FORM: &str = r#"{"message":"who?","requestedSchema":{"type":"object"},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"own/1"}}}"#;

pub(super) fn answer(text: impl Into<String>) -> Step {
    Step::Answer(text.into())
}

pub(super) fn status(status: &str) -> Step {
    answer(TASK.replace("working", status))
}

pub(super) fn form() -> Step {
    Step::Ask(vec![("elicitation/create".to_owned(), FORM.to_owned())])
}

/// A child whose tool `slow` is always a task, `maybe` is one on demand, and `plain` never.
pub(super) fn experiment(states: &[Step], result: &[Step]) -> Script {
    let tool = |name: &str, support: &str| {
        format!(
            r#"{{"name":"{name}","inputSchema":{{"type":"object"}},"execution":{{"taskSupport":"{support}"}}}}"#
        )
    };
    let turns: Vec<&[Step]> = states.chunks(1).collect();
    let created = [answer(format!(r#"{{"task":{TASK}}}"#))];
    let script = Script::legacy().tool_as(tool("slow", "required"));
    let script = script.tool_as(tool("maybe", "optional")).tool_as(tool("plain", "forbidden"));
    let script = script.on("tools/call slow", &created).on_each("tasks/get", &turns);
    let script = script.on("tasks/result", result).on("tasks/cancel", &[status("cancelled")]);
    Script { capabilities: Some(EXPERIMENT.to_owned()), ..script }
}

const ONE_AT_A_TIME: &str = "interactive = 1\n";

pub(super) fn get(id: &str) -> String {
    format!(r#"{{"taskId":"{id}"}}"#)
}

#[tokio::test]
async fn c108_a_tool_is_called_by_a_task_where_it_takes_that_and_its_client_too() {
    let created = [answer(format!(r#"{{"task":{TASK}}}"#))];
    for child in LEGACY {
        let play = child.play("", experiment(&[status("working")], &[])).await;
        let mut knows = Able::modern_http(&play.running, KNOWS);
        let listed = ask(&mut knows, "tools/list", "{}").await;
        assert!(!listed.contains("execution"), "{child:?}: {listed}");
        let tools = elements(&at(&listed, &["result", "tools"]).unwrap());
        assert_eq!(tools.len(), 3, "{child:?}: {listed}");
        for (tool, by_task) in [("m_plain", false), ("m_slow", true)] {
            let params = format!(r#"{{"name":"{tool}","task":{{"ttl":7}}}}"#);
            let answer = ask(&mut knows, "tools/call", &params).await;
            assert_eq!(answer.contains("taskId"), by_task, "{child:?}: {answer}");
            let seen = play.director("m").requests("tools/call").await.pop().unwrap();
            let asked = member(&seen.params, "task");
            assert_eq!(asked.as_deref(), by_task.then_some("{}"), "{child:?}: {}", seen.params);
        }
        // What takes both is called plainly for one who knows no tasks.
        for mut client in Able::everywhere(&play.running, "{}").await {
            let params = r#"{"name":"m_maybe","task":{"ttl":7}}"#;
            let answer = ask(&mut client, "tools/call", params).await;
            assert!(answer.contains("maybe {}"), "{child:?}, {}: {answer}", client.kind());
            let seen = play.director("m").requests("tools/call").await.pop().unwrap();
            assert_eq!(member(&seen.params, "task"), None, "{child:?}: {}", seen.params);
        }
        let script = experiment(&[status("working")], &[]);
        play.director("m").script(script.on("tools/call maybe", &created));
        let answer = ask(&mut knows, "tools/call", r#"{"name":"m_maybe"}"#).await;
        assert!(answer.contains("taskId"), "{child:?}: {answer}");
    }
}

#[tokio::test]
async fn c183_a_task_of_the_experiment_is_one_of_the_extension_for_a_modern_client() {
    let states = [
        status("working"),
        status("input_required"),
        status("input_required"),
        status("completed"),
    ];
    let result = [form(), Step::Told];
    for child in LEGACY {
        let play = child.play("", experiment(&states, &result)).await;
        let offered = play.ask("server/discover", "{}").await;
        assert!(offered.contains(r#""io.modelcontextprotocol/tasks":{}"#), "{offered}");
        for mut client in
            [Able::modern_http(&play.running, KNOWS), Able::modern_stdio(&play.running, KNOWS)]
        {
            play.director("m").script(experiment(&states, &result));
            let which = format!("{child:?}, {}", client.kind());
            let created = ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await;
            let id = id_in(&created);
            for (key, expected) in [
                ("resultType", r#""task""#),
                ("status", r#""working""#),
                ("ttlMs", "null"),
                ("pollIntervalMs", "5"),
                ("x-own", "1.0"),
            ] {
                let came = at(&created, &["result", key]);
                assert_eq!(came.as_deref(), Some(expected), "{which}, {key}: {created}");
            }
            let working = ask(&mut client, "tasks/get", &get(&id)).await;
            assert_eq!(at(&working, &["result", "status"]).as_deref(), Some(r#""working""#));
            let asking = ask(&mut client, "tasks/get", &get(&id)).await;
            let asked = at(&asking, &["result", "inputRequests"]).unwrap();
            assert!(asked.contains("who?") && !asked.contains("own/1"), "{which}: {asking}");
            let again = ask(&mut client, "tasks/get", &get(&id)).await;
            assert_eq!(at(&again, &["result", "inputRequests"]), Some(asked.clone()), "{which}");
            let key = asked.split('"').nth(1).unwrap().to_owned();
            let bad = format!(r#"{{"taskId":"{id}","inputResponses":{{"{key}":{{"action":1}}}}}}"#);
            assert_eq!(code(&ask(&mut client, "tasks/update", &bad).await), "-32602", "{which}");
            let none = ask(&mut client, "tasks/update", &get(&id)).await;
            assert_eq!(code(&none), "-32602", "{which}: {none}");
            let good = r#"{"action":"accept","content":{"n":"Ada"}}"#;
            let update =
                format!(r#"{{"taskId":"{id}","inputResponses":{{"x":{{}},"{key}":{good}}}}}"#);
            let acknowledged = ask(&mut client, "tasks/update", &update).await;
            assert!(member(&acknowledged, "result").is_some(), "{which}: {acknowledged}");
            let done = ask(&mut client, "tasks/get", &get(&id)).await;
            let told = at(&done, &["result", "result", "content"]).unwrap_or_default();
            assert!(told.contains("Ada"), "{which}: {done}");
            assert_eq!(at(&done, &["result", "status"]).as_deref(), Some(r#""completed""#));
            let cancelled = ask(&mut client, "tasks/cancel", &get(&id)).await;
            assert!(member(&cancelled, "result").is_some(), "{which}: {cancelled}");
        }
    }
}

#[tokio::test]
async fn c120_a_task_that_asks_keeps_no_other_call_from_being_asked() {
    let own = r#"{"message":"now?","requestedSchema":{"type":"object"}}"#;
    let asks = [Step::Ask(vec![("elicitation/create".to_owned(), own.to_owned())]), Step::Told];
    for (child, keys) in LEGACY.into_iter().flat_map(|child| [(child, ""), (child, ONE_AT_A_TIME)])
    {
        let script = experiment(&[status("input_required")], &[form(), Step::Told]);
        let script = script.tool("t").on("tools/call t", &asks);
        let play = child.play(keys, script).await;
        let mut knows = Able::modern_http(&play.running, KNOWS);
        let id = id_in(&ask(&mut knows, "tools/call", r#"{"name":"m_slow"}"#).await);
        let asking = ask(&mut knows, "tasks/get", &get(&id)).await;
        let asked = at(&asking, &["result", "inputRequests"]).unwrap_or_else(|| panic!("{asking}"));
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            let talked = client.talk("tools/call", r#"{"name":"m_t"}"#, willing).await;
            let which = format!("{child:?}, {keys:?}, {}: {talked:?}", client.kind());
            assert_eq!(talked.asked.len(), 1, "{which}");
            assert!(talked.asked[0].1.contains("now?"), "{which}");
        }
        let key = asked.split('"').nth(1).unwrap();
        let good = r#"{"action":"accept","content":{"n":"Ada"}}"#;
        let update = format!(r#"{{"taskId":"{id}","inputResponses":{{"{key}":{good}}}}}"#);
        ask(&mut knows, "tasks/update", &update).await;
        let answered = play.director("m").saw_times(Able::EVERYWHERE + 1, What::Response, "").await;
        assert!(answered.params.contains("Ada"), "{child:?}, {keys:?}: {answered:?}");
    }
}

#[tokio::test]
async fn c184_no_key_of_a_question_is_used_twice_in_the_life_of_a_task() {
    let ended = answer(r#"{"content":[]}"#);
    let states: Vec<Step> = vec![status("input_required")];
    let result = [form(), form(), ended];
    for child in LEGACY {
        let play = child.play("", experiment(&states, &result)).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
        let mut keys = Vec::new();
        // Two on one request for the result, then that ends and it asks in another.
        while keys.len() < 4 {
            let asking = ask(&mut client, "tasks/get", &get(&id)).await;
            let Some(asked) = at(&asking, &["result", "inputRequests"]) else { continue };
            let key = asked.split('"').nth(1).unwrap().to_owned();
            if keys.last() == Some(&key) {
                continue;
            }
            assert!(!keys.contains(&key), "{child:?}: {key} after {keys:?}");
            let good = r#"{"action":"decline"}"#;
            let update = format!(r#"{{"taskId":"{id}","inputResponses":{{"{key}":{good}}}}}"#);
            ask(&mut client, "tasks/update", &update).await;
            keys.push(key);
        }
    }
}

#[tokio::test]
async fn c186_a_client_without_tasks_waits_and_is_asked_in_its_call() {
    let states = [status("working"), status("input_required"), status("completed")];
    let result = [form(), Step::Told];
    for child in LEGACY {
        let play = child.play("", experiment(&states, &result)).await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            play.director("m").script(experiment(&states, &result));
            let params = r#"{"name":"m_slow","arguments":{"a":1}}"#;
            let talked = client.talk("tools/call", params, willing).await;
            let which = format!("{child:?}, {}: {talked:?}", client.kind());
            assert_eq!(talked.asked.len(), 1, "{which}");
            assert!(talked.text().contains("who?"), "{which}");
            assert!(!talked.answer.contains("own/1"), "{which}");
        }
        let calls = play.director("m").count(What::Request, "tools/call").await;
        assert_eq!(calls, Able::EVERYWHERE, "{child:?}: once for each client");
    }
}

/// A modern child that answers by a task or not at all.
fn by_task_alone(states: &[Step]) -> Script {
    let required =
        r#"{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;
    let refused = [Step::Error(-32021, "tasks are needed".to_owned(), Some(required.to_owned()))];
    let created = [answer(CREATED)];
    slow(states).on_each("tools/call slow", &[&refused, &created])
}

const ASKS: &str = r#","inputRequests":{"name":{"method":"elicitation/create","params":{"mode":"form","message":"who?","requestedSchema":{"type":"object"}}}}"#;
const DONE: &str = r#","result":{"content":[{"type":"text","text":"done"}]}"#;

#[tokio::test]
async fn c186_a_legacy_client_waits_for_the_task_of_a_modern_child() {
    let states = [
        state("working", ""),
        state("input_required", ASKS),
        // The child has not looked at the answer yet.
        state("input_required", ASKS),
        state("completed", DONE),
    ];
    for child in MODERN {
        let play = child.play("", by_task_alone(&states)).await;
        let gateway = &play.running;
        for mut client in [
            Able::legacy_http(gateway, "2025-11-25", ALL_ABILITIES).await,
            Able::legacy_stdio(gateway, "2025-06-18", ALL_ABILITIES).await,
        ] {
            play.director("m").script(by_task_alone(&states));
            let talked = client.talk("tools/call", r#"{"name":"m_slow"}"#, willing).await;
            let which = format!("{child:?}, {}: {talked:?}", client.kind());
            assert_eq!((talked.asked.len(), talked.text()), (1, "done".to_owned()), "{which}");
            let update = play.director("m").requests("tasks/update").await.pop().unwrap();
            assert_eq!(string(&update.params, "taskId").as_deref(), Some("own/1"), "{which}");
            assert!(update.params.contains(r#"{"name":{"action":"accept""#), "{which}");
        }
        // Who could say that it knows tasks is told to.
        play.director("m").script(by_task_alone(&states));
        let mut modern = Able::modern_http(gateway, "{}");
        let answer = ask(&mut modern, "tools/call", r#"{"name":"m_slow"}"#).await;
        assert_eq!(code(&answer), "-32021", "{child:?}: {answer}");
        assert!(answer.contains("io.modelcontextprotocol/tasks"), "{child:?}: {answer}");
    }
}

#[tokio::test]
async fn c186_the_task_of_a_client_that_leaves_is_cancelled_and_the_call_is_made_once() {
    let states = [state("working", "")];
    for child in MODERN {
        let play = child.play("", by_task_alone(&states)).await;
        let mut stdio = play.running.stdio();
        stdio.handshake_as("2025-11-25", "{}").await;
        let call = harness::client::legacy("tools/call", r#"{"name":"m_slow"}"#);
        stdio.say(&call.id("7")).await;
        play.director("m").saw_times(2, What::Request, "tasks/get").await;
        let cancel = harness::client::legacy("notifications/cancelled", r#"{"requestId":7}"#);
        stdio.say(&cancel.without_id()).await;
        let seen = play.director("m").saw(What::Request, "tasks/cancel").await;
        assert_eq!(string(&seen.params, "taskId").as_deref(), Some("own/1"), "{child:?}");
        let calls = play.director("m").count(What::Request, "tools/call").await;
        assert_eq!(calls, 2, "{child:?}: one was refused before it was carried out");
    }
}

#[tokio::test]
async fn c186_a_call_that_became_a_task_is_never_made_again() {
    let lost = Step::Status(503, "gone".to_owned());
    let keys = "retries = 3\n";
    let play = Child::ModernHttp.play(keys, by_task_alone(&[lost])).await;
    let mut client = Able::legacy_http(&play.running, "2025-11-25", "{}").await;
    let answer = ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await;
    assert!(answer.contains(r#""code":"OUTCOME_UNKNOWN""#), "{answer}");
    assert_eq!(play.director("m").count(What::Request, "tools/call").await, 2);
}

#[tokio::test]
async fn c183_what_has_become_of_a_task_decides_how_it_is_called() {
    let failed = r#"{"content":[{"type":"text","text":"no"}],"isError":true,"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"own/1"}}}"#;
    for (step, expected, key) in [
        (answer(failed), "completed", "result"),
        (Step::Error(-32050, "broken".to_owned(), None), "failed", "error"),
    ] {
        for child in LEGACY {
            let script = experiment(&[status("failed")], std::slice::from_ref(&step));
            let play = child.play("", script).await;
            let mut client = Able::modern_http(&play.running, KNOWS);
            let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
            let told = ask(&mut client, "tasks/get", &get(&id)).await;
            let came = at(&told, &["result", "status"]);
            assert_eq!(came, Some(format!("\"{expected}\"")), "{child:?}: {told}");
            assert!(at(&told, &["result", key]).is_some(), "{child:?}: {told}");
            assert!(!told.contains("own/1"), "{child:?}: {told}");
        }
    }
}

#[tokio::test]
async fn c126_news_of_tasks_are_told_for_a_child_that_cannot_tell_them() {
    let states = [status("working"), status("working"), status("cancelled")];
    for child in LEGACY {
        let play = child.play("", experiment(&states, &[])).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
        let mut stream = listen(&play, &id).await;
        let told = stream.message().await.unwrap_or_default();
        assert!(told.contains("notifications/tasks"), "{child:?}: {told}");
        assert!(told.contains(r#""status":"cancelled""#), "{child:?}: {told}");
        assert!(told.contains(&id), "{child:?}: {told}");
    }
}

#[tokio::test]
async fn c185_a_child_that_offers_the_extension_in_a_handshake_has_no_tasks() {
    for child in LEGACY {
        let script = Script::legacy().tool("t");
        let script = Script { capabilities: Some(OFFERS.to_owned()), ..script };
        let play = child.play("", script).await;
        let (_, found) = sent(&play, &knowing("server/discover", "{}")).await;
        assert!(!found.contains("modelcontextprotocol/tasks"), "{child:?}: {found}");
        let (status, answer) = sent(&play, &knowing("tasks/get", &get("x"))).await;
        assert_eq!((status, &*code(&answer)), (404, "-32601"), "{child:?}: {answer}");
        let (_, answer) = sent(&play, &knowing("tools/call", r#"{"name":"m_t"}"#)).await;
        assert!(answer.contains("t {}"), "{child:?}: {answer}");
        let handshake = play.director("m").requests("initialize").await.pop().unwrap();
        assert!(!handshake.params.contains("tasks"), "{child:?}: {}", handshake.params);
    }
}

#[tokio::test]
async fn c132_a_task_that_ends_while_its_child_cannot_be_asked_is_told_of_when_it_can() {
    let result = [answer(r#"{"content":[{"type":"text","text":"done"}]}"#)];
    let dies = [Step::Wait("asked".to_owned()), Step::Exit(1)];
    for child in LEGACY {
        let script = experiment(&[], &result).on_each("tasks/get", &[&[status("working")], &dies]);
        let play = child.play("", script).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
        let mut stream = listen(&play, &id).await;
        play.director("m").saw_times(2, What::Request, "tasks/get").await;
        play.director("m").script(experiment(&[status("completed")], &result));
        play.director("m").open("asked");
        let told = stream.message().await.unwrap_or_default();
        assert!(told.contains("notifications/tasks") && told.contains(&id), "{child:?}: {told}");
        assert!(told.contains(r#""status":"completed""#), "{child:?}: {told}");
        assert!(told.contains(r#""text":"done""#), "{child:?}: {told}");
    }
}

#[tokio::test]
async fn c183_a_task_that_is_over_is_told_to_who_listens_then_and_its_result_fetched_once() {
    let result = [answer(r#"{"content":[{"type":"text","text":"done"}]}"#)];
    for child in LEGACY {
        let play = child.play("", experiment(&[status("completed")], &result)).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
        let mut stream = listen(&play, &id).await;
        let told = stream.message().await.unwrap_or_default();
        assert!(told.contains(r#""status":"completed""#), "{child:?}: {told}");
        for _ in 0..3 {
            let done = ask(&mut client, "tasks/get", &get(&id)).await;
            let text = at(&done, &["result", "result", "content"]).unwrap_or_default();
            assert!(text.contains("done"), "{child:?}: {done}");
        }
        assert_eq!(play.director("m").count(What::Request, "tasks/result").await, 1, "{child:?}");
        // What the child no longer knows is not answered from what was kept.
        let gone = Step::Error(-32602, "no such task".to_owned(), None);
        play.director("m").script(experiment(&[gone], &result));
        let unknown = ask(&mut client, "tasks/get", &get(&id)).await;
        assert_eq!(code(&unknown), "-32602", "{child:?}: {unknown}");
        play.director("m").script(experiment(&[status("completed")], &result));
        ask(&mut client, "tasks/get", &get(&id)).await;
        assert_eq!(play.director("m").count(What::Request, "tasks/result").await, 2, "{child:?}");
    }
}

#[tokio::test]
async fn c107_a_task_is_asked_for_on_the_connection_that_it_began_on() {
    for (child, keys) in [(LEGACY[1], ""), (LEGACY[1], "share = \"caller\"\n")] {
        let play = child.play(keys, experiment(&[status("working")], &[])).await;
        let director = play.director("m");
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = id_in(&ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await);
        let began = director.requests("tools/call").await.pop().unwrap();
        let others = r#"{"sampling":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        let mut client = Able::modern_http(&play.running, others);
        for method in ["tasks/get", "tasks/cancel"] {
            ask(&mut client, method, &get(&id)).await;
            let asked = director.requests(method).await.pop().unwrap();
            let session = |seen: &harness::scripted::Seen| seen.header("mcp-session-id").to_owned();
            assert_eq!(session(&asked), session(&began), "{child:?}, {keys}");
        }
    }
}
