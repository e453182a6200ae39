//! Modern children that answer by tasks, and clients that know them: ids, routes, states, news.

use harness::client::{Able, Stdio, modern};
use harness::scripted::{Cast, Play, Plug, Script, Step, What, at, member, string};
use protocol::Grant;
use protocol::meta::CLIENT_CAPABILITIES;

use super::{CREATED, KNOWS, OFFERS, ask, begin, code, id_in, knowing, listen, sent, slow, state};
use crate::questions::{Child, MODERN};

const ASKS: &str = r#","inputRequests":{"name":{"method":"elicitation/create","params":{"mode":"form","message":"who?","requestedSchema":{"type":"object"}}}}"#;
const DONE: &str =
    r#","result":{"content":[{"type":"resource_link","uri":"x://r","name":"r"}],"isError":false}"#;

async fn knowing_clients(play: &Play) -> [Able; 2] {
    [Able::modern_http(&play.running, KNOWS), Able::modern_stdio(&play.running, KNOWS)]
}

#[tokio::test]
async fn c178_c181_c182_c183_a_task_is_polled_answered_and_cancelled_under_an_id_of_the_gateways() {
    let states = || [state("working", ""), state("input_required", ASKS), state("completed", DONE)];
    for child in MODERN {
        let play = child.play("", slow(&states())).await;
        for mut client in knowing_clients(&play).await {
            play.director("m").script(slow(&states()));
            let which = format!("{child:?}, {}", client.kind());
            let created = ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await;
            let id = id_in(&created);
            assert!(!id.contains("own") && id.len() > 40, "{which}: {id}");
            let result = member(&created, "result").unwrap().replace(&id, "own/1");
            assert!(result.starts_with(CREATED.trim_end_matches('}')), "{which}: {result}");
            let about = format!(r#"{{"taskId":"{id}"}}"#);
            let working = ask(&mut client, "tasks/get", &about).await;
            assert_eq!(id_in(&working), id, "{which}");
            let kind = at(&working, &["result", "resultType"]);
            assert_eq!(kind.as_deref(), Some(r#""complete""#), "{which}: {working}");
            let waiting = ask(&mut client, "tasks/get", &about).await;
            let asked = at(&waiting, &["result", "inputRequests"]);
            let expected = ASKS.trim_start_matches(r#","inputRequests":"#);
            assert_eq!(asked.as_deref(), Some(expected), "{which}: {waiting}");
            let answers = r#"{"name":{"action":"accept","content":{"name":"n"}},"odd":{}}"#;
            let update = format!(r#"{{"taskId":"{id}","inputResponses":{answers}}}"#);
            let acknowledged = ask(&mut client, "tasks/update", &update).await;
            let kind = at(&acknowledged, &["result", "resultType"]);
            assert_eq!(kind.as_deref(), Some(r#""complete""#), "{which}: {acknowledged}");
            let done = ask(&mut client, "tasks/get", &about).await;
            let result = at(&done, &["result", "result"]).unwrap();
            assert!(result.contains(r#""uri":"x://m/r""#), "{which}: {done}");
            let cancelled = ask(&mut client, "tasks/cancel", &about).await;
            assert!(member(&cancelled, "result").is_some(), "{which}: {cancelled}");
            let update = play.director("m").requests("tasks/update").await.pop().unwrap();
            assert_eq!(member(&update.params, "inputResponses").as_deref(), Some(answers));
            for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
                for seen in play.director("m").requests(method).await {
                    assert_eq!(string(&seen.params, "taskId").as_deref(), Some("own/1"));
                    if child == Child::ModernHttp {
                        assert_eq!(seen.header("mcp-name"), "own/1", "{method}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn c181_a_task_is_at_the_child_that_made_it_though_another_has_the_same_id() {
    let script = |name: &str| {
        let result = format!(r#","result":{{"content":[{{"type":"text","text":"{name}"}}]}}"#);
        slow(&[state("completed", &result)])
    };
    let cast = Cast::new("").in_process("a", "", script("a")).in_process("b", "", script("b"));
    let play = cast.http("c", "prefix = \"\"\n", script("c")).await.start().await;
    let mut client = Able::modern_http(&play.running, KNOWS);
    for (tool, text) in [("a_slow", "a"), ("b_slow", "b"), ("slow", "c")] {
        let params = format!(r#"{{"name":"{tool}"}}"#);
        let id = id_in(&ask(&mut client, "tools/call", &params).await);
        let about = format!(r#"{{"taskId":"{id}"}}"#);
        let done = ask(&mut client, "tasks/get", &about).await;
        assert!(done.contains(&format!(r#""text":"{text}""#)), "{tool}: {done}");
        let at_own = sent(&play, &knowing("tasks/get", &about).at("/mcp/a")).await;
        assert_eq!(code(&at_own.1), "-32602", "another endpoint: {}", at_own.1);
    }
}

#[tokio::test]
async fn c181_a_task_is_at_the_replica_that_made_it() {
    let scripts = (0..3).map(|place| {
        let own = format!("own-{place}");
        let answer = |step: Step| match step {
            Step::Answer(text) => Step::Answer(text.replace("own/1", &own)),
            other => other,
        };
        let script = slow(&[answer(state("working", ""))]);
        script.on("tools/call slow", &[Step::Answer(CREATED.replace("own/1", &own))])
    });
    let play = Cast::new("").replicas("m", "", scripts.collect()).await.start().await;
    let mut client = Able::modern_http(&play.running, KNOWS);
    for _ in 0..8 {
        let id = begin(&mut client).await;
        let working = ask(&mut client, "tasks/get", &format!(r#"{{"taskId":"{id}"}}"#)).await;
        assert_eq!(id_in(&working), id);
    }
    let mut tasks = 0;
    for place in 0..3 {
        let director = play.director(&format!("m/{place}"));
        let made = director.requests("tools/call").await.len();
        let asked = director.requests("tasks/get").await;
        assert_eq!(asked.len(), made, "replica {place}");
        let own = format!("own-{place}");
        let right = |params: &str| string(params, "taskId").as_deref() == Some(&*own);
        assert!(asked.iter().all(|seen| right(&seen.params)), "replica {place}");
        tasks += made;
    }
    assert_eq!(tasks, 8);
}

#[tokio::test]
async fn c179_who_does_not_declare_tasks_is_told_to_and_no_child_hears_of_it() {
    let play = Child::ModernHttp.play("", slow(&[state("working", "")])).await;
    let mut client = Able::modern_http(&play.running, KNOWS);
    let id = begin(&mut client).await;
    let rows = [
        ("tasks/get", format!(r#"{{"taskId":"{id}"}}"#)),
        ("tasks/get", r#"{"taskId":"forged"}"#.to_owned()),
        ("tasks/update", format!(r#"{{"taskId":"{id}","inputResponses":{{}}}}"#)),
        ("tasks/cancel", format!(r#"{{"taskId":"{id}"}}"#)),
        ("subscriptions/listen", format!(r#"{{"notifications":{{"taskIds":["{id}"]}}}}"#)),
        ("subscriptions/listen", r#"{"notifications":{"taskIds":[]}}"#.to_owned()),
    ];
    for (method, params) in rows {
        let (status, answer) = sent(&play, &modern(method, &params)).await;
        assert_eq!((status, &*code(&answer)), (400, "-32021"), "{method}: {answer}");
        let required = at(&answer, &["error", "data", "requiredCapabilities"]);
        let expected = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
        assert_eq!(required.as_deref(), Some(expected), "{method}: {answer}");
        let seen = play.director("m").seen().await;
        let seen = seen.iter().filter(|seen| seen.what == What::Request && seen.method == method);
        let about_tasks = seen.filter(|seen| seen.params.contains("task")).count();
        assert_eq!(about_tasks, 0, "{method}");
    }
}

#[tokio::test]
async fn c180_methods_that_tasks_no_longer_have_are_unknown_and_so_are_all_where_none_offers_them()
{
    let play = Child::ModernHttp.play("", slow(&[state("working", "")])).await;
    for (method, params) in [("tasks/result", r#"{"taskId":"x"}"#), ("tasks/list", "{}")] {
        let (status, answer) = sent(&play, &knowing(method, params)).await;
        assert_eq!((status, &*code(&answer)), (404, "-32601"), "{method}: {answer}");
    }
    for mut client in [
        Able::legacy_http(&play.running, "2025-11-25", KNOWS).await,
        Able::legacy_stdio(&play.running, "2025-11-25", KNOWS).await,
    ] {
        for method in ["tasks/get", "tasks/cancel", "tasks/result", "tasks/list"] {
            let answer = ask(&mut client, method, r#"{"taskId":"x"}"#).await;
            assert_eq!(code(&answer), "-32601", "{}, {method}: {answer}", client.kind());
        }
    }
    let none = Child::ModernHttp.play("", Script::modern().tool("t")).await;
    let (status, answer) = sent(&none, &knowing("tasks/get", r#"{"taskId":"x"}"#)).await;
    assert_eq!((status, &*code(&answer)), (404, "-32601"), "{answer}");
    let called = knowing("tools/call", r#"{"name":"m_t","task":{"ttl":1000}}"#);
    let (_, answer) = sent(&none, &called).await;
    assert!(answer.contains("t {}"), "the old way to ask for a task means nothing: {answer}");
}

#[tokio::test]
async fn c181_c199_forged_and_foreign_ids_are_refused_and_leave_nothing_behind() {
    let play = Child::ModernHttp.play("", slow(&[state("working", "")])).await;
    let id = begin(&mut Able::modern_http(&play.running, KNOWS)).await;
    let mut cut = id.clone();
    cut.pop();
    for forged in ["", "own/1", "m/0/own/1", "0/own/1", &cut, &format!("{id}A"), &"A".repeat(9000)]
    {
        for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
            let params = format!(r#"{{"taskId":"{forged}","inputResponses":{{}}}}"#);
            let answer = sent(&play, &knowing(method, &params)).await.1;
            assert_eq!(code(&answer), "-32602", "{method}, {forged:.30}: {answer}");
        }
        let params = format!(r#"{{"notifications":{{"taskIds":["{forged}"]}}}}"#);
        let mut listen = play.running.http().send(&knowing("subscriptions/listen", &params)).await;
        let first = listen.message().await.unwrap_or_default();
        assert!(first.contains(r#""taskIds":[]"#), "{forged:.30}: {first}");
    }
    for odd in [r#"{"taskId":7}"#, "{}"] {
        let answer = sent(&play, &knowing("tasks/get", odd)).await.1;
        assert_eq!(code(&answer), "-32602", "{odd}: {answer}");
    }
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(play.director("m").count(What::Request, method).await, 0, "{method}");
    }
}

#[tokio::test]
async fn c181_c199_the_task_of_another_principal_is_not_there_and_stays_its_owners() {
    let play = Child::ModernHttp.play("", slow(&[state("working", "")])).await;
    let gateway = &play.running;
    let mut ada = Able::known(gateway, "ada", true, KNOWS).await;
    let mut ben = Able::known(gateway, "ben", true, KNOWS).await;
    let id = begin(&mut ada).await;
    let about = format!(r#"{{"taskId":"{id}","inputResponses":{{}}}}"#);
    let methods = ["tasks/get", "tasks/update", "tasks/cancel"];
    for method in methods {
        let answer = ask(&mut ben, method, &about).await;
        assert_eq!(code(&answer), "-32602", "{method}: {answer}");
        let heard = play.director("m").count(What::Request, method).await;
        assert_eq!(heard, 0, "{method}: the child hears nothing of it");
    }
    let params = format!(r#"{{"notifications":{{"taskIds":["{id}"]}}}}"#);
    let listen = knowing("subscriptions/listen", &params);
    let told = async |name: &str| {
        Stdio::known(gateway.gateway(), name, Grant::default()).shown(&listen).await
    };
    let first = told("ben").await;
    assert!(first.contains(r#""taskIds":[]"#), "{first}");
    let first = told("ada").await;
    assert!(first.contains(&id), "{first}");
    for method in methods {
        let answer = ask(&mut ada, method, &about).await;
        assert!(member(&answer, "result").is_some(), "{method}: {answer}");
        assert_eq!(play.director("m").count(What::Request, method).await, 1, "{method}");
    }
}

#[tokio::test]
async fn c183_a_state_that_is_none_is_not_passed_on() {
    let odd = |text: &str| Step::Answer(text.to_owned());
    for (answered, expected) in [
        (odd(CREATED), None),
        (state("cancelled", ""), None),
        (state("failed", r#","error":{"code":-32000,"message":"m"}"#), None),
        (state("finished", ""), Some("status")),
        (state("completed", ""), Some("result")),
        (state("input_required", r#","inputRequests":{"k":{"method":"ping"}}"#), Some("ping")),
        (state("failed", DONE), Some("error")),
        (odd(r#"{"taskId":"own/1"}"#), Some("status")),
    ] {
        let play = Child::InProcess.play("", slow(std::slice::from_ref(&answered))).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = begin(&mut client).await;
        let answer = ask(&mut client, "tasks/get", &format!(r#"{{"taskId":"{id}"}}"#)).await;
        match expected {
            None => {
                assert_eq!(id_in(&answer), id, "{answered:?}");
                let kind = at(&answer, &["result", "resultType"]);
                assert_eq!(kind.as_deref(), Some(r#""complete""#), "{answered:?}: {answer}");
            }
            Some(named) => {
                let code = r#""code":"BAD_ANSWER","mount":"m""#;
                assert!(answer.contains(code), "{answered:?}: {answer}");
                assert!(answer.contains(named), "{answered:?}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn c112_a_task_asks_only_what_its_client_declared() {
    let states = [state("input_required", &ASKS.replace(r#""form""#, r#""url""#))];
    let play = Child::ModernHttp.play("", slow(&states)).await;
    let mut client = Able::modern_http(&play.running, KNOWS);
    let id = begin(&mut client).await;
    let answer = ask(&mut client, "tasks/get", &format!(r#"{{"taskId":"{id}"}}"#)).await;
    assert_eq!(code(&answer), "-32021", "{answer}");
    assert!(answer.contains(r#"{"elicitation":{"url":{}}}"#), "{answer}");
}

#[tokio::test]
async fn c183_an_update_without_answers_is_refused_and_no_child_hears_of_it() {
    for child in MODERN {
        let play = child.play("", slow(&[state("working", "")])).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = begin(&mut client).await;
        for odd in ["", r#","inputResponses":null"#, r#","inputResponses":[]"#] {
            let params = format!(r#"{{"taskId":"{id}"{odd}}}"#);
            let answer = ask(&mut client, "tasks/update", &params).await;
            assert_eq!(code(&answer), "-32602", "{child:?}, {odd}: {answer}");
            assert!(answer.contains("inputResponses"), "{child:?}, {odd}: {answer}");
        }
        let director = play.director("m");
        assert_eq!(director.count(What::Request, "tasks/update").await, 0, "{child:?}");
        let none = format!(r#"{{"taskId":"{id}","inputResponses":{{}}}}"#);
        let answer = ask(&mut client, "tasks/update", &none).await;
        assert!(member(&answer, "result").is_some(), "{child:?}: {answer}");
    }
}

#[tokio::test]
async fn c178_c185_a_task_that_the_request_does_not_take_is_no_answer() {
    for child in MODERN {
        let script = slow(&[]).on("prompts/get p", &[Step::Answer(CREATED.to_owned())]);
        let play = child.play("", script).await;
        for mut client in Able::everywhere(&play.running, "{}").await {
            let answer = ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await;
            let which = format!("{child:?}, {}", client.kind());
            assert!(answer.contains(r#""code":"BAD_ANSWER""#), "{which}: {answer}");
            assert!(!answer.contains("own/1"), "{which}: {answer}");
        }
        for mut client in knowing_clients(&play).await {
            let answer = ask(&mut client, "prompts/get", r#"{"name":"m_p"}"#).await;
            assert!(answer.contains(r#""code":"BAD_ANSWER""#), "{child:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn c185_a_new_task_that_is_none_is_not_passed_on() {
    for odd in [
        CREATED.replace("own/1", ""),
        CREATED.replace("working", "begun"),
        CREATED.replace(r#""own/1""#, "1"),
        CREATED.replace("own/1", &"x".repeat(5000)),
    ] {
        let script = slow(&[]).on("tools/call slow", &[Step::Answer(odd.clone())]);
        let play = Child::InProcess.play("", script).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let answer = ask(&mut client, "tools/call", r#"{"name":"m_slow"}"#).await;
        assert!(answer.contains(r#""code":"BAD_ANSWER""#), "{odd:.90}: {answer}");
    }
}

#[tokio::test]
async fn c178_what_a_client_declares_reaches_the_child_and_a_plain_answer_stays_one() {
    for child in MODERN {
        let play = child.play("", slow(&[])).await;
        for mut client in knowing_clients(&play).await {
            let answer = ask(&mut client, "tools/call", r#"{"name":"m_t"}"#).await;
            assert!(answer.contains("t {}"), "{child:?}: {answer}");
            let seen = play.director("m").requests("tools/call").await.pop().unwrap();
            let declared = at(&seen.params, &["_meta", CLIENT_CAPABILITIES, "extensions"]);
            let expected = r#"{"io.modelcontextprotocol/tasks":{}}"#;
            assert_eq!(declared.as_deref(), Some(expected), "{child:?}");
        }
        let discovered = play.ask("server/discover", "{}").await;
        let extensions = at(&discovered, &["result", "capabilities", "extensions"]);
        assert_eq!(extensions.as_deref(), Some(r#"{"io.modelcontextprotocol/tasks":{}}"#));
        let hello = harness::client::initialize("2025-11-25", "{}");
        let greeted = play.running.http().send(&hello).await.message().await.unwrap_or_default();
        assert!(!greeted.contains("tasks"), "a handshake has none: {greeted}");
    }
    let none = Script { capabilities: Some(OFFERS.replace("tasks", "x")), ..slow(&[]) };
    let play = Child::InProcess.play("", none).await;
    assert!(!play.ask("server/discover", "{}").await.contains("extensions"));
}

#[tokio::test]
async fn c126_c127_c128_news_of_a_task_come_to_who_asks_for_them_under_the_id_that_it_has() {
    for child in MODERN {
        let play = child.play("", slow(&[])).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = begin(&mut client).await;
        let filter = format!(r#"{{"notifications":{{"taskIds":["{id}","own/1"]}}}}"#);
        let listen = knowing("subscriptions/listen", &filter).id("\"mine\"");
        let mut stream = play.running.http().send(&listen).await;
        let first = stream.message().await.unwrap_or_default();
        assert!(first.contains(&format!(r#""taskIds":["{id}"]"#)), "{child:?}: {first}");
        let news = |own: &str| {
            let Step::Answer(text) = state("completed", DONE) else { unreachable!() };
            text.replace("own/1", own)
        };
        play.director("m").tell("notifications/tasks", &news("own/2"));
        play.director("m").tell("notifications/tasks", &news("own/1"));
        let told = stream.message().await.unwrap_or_default();
        let params = member(&told, "params").unwrap();
        assert_eq!(string(&params, "taskId"), Some(id), "{child:?}: {told}");
        assert!(told.contains(r#""uri":"x://m/r""#), "{child:?}: {told}");
        assert!(told.contains(r#"subscriptionId":"mine""#), "{child:?}: {told}");
    }
}

#[tokio::test]
async fn c132_a_task_that_ends_while_its_listen_is_lost_is_told_of_when_it_is_open_again() {
    let keys = "health = { probe_every = \"20ms\", pause = \"10ms\", pause_max = \"50ms\", \
                dials_per_hour = 100000 }\n";
    for child in [Child::ModernProcess, Child::ModernHttp] {
        let play = child.play(keys, slow(&[state("working", "")])).await;
        let mut client = Able::modern_http(&play.running, KNOWS);
        let id = begin(&mut client).await;
        let mut stream = listen(&play, &id).await;
        // It ends without a word.
        let director = play.director("m");
        director.script(slow(&[state("completed", DONE)]));
        match child {
            Child::ModernHttp => {
                director.plug(Plug::Out);
                director.plug(Plug::In);
            }
            _ => director.exit(1),
        }
        let told = stream.message().await.unwrap_or_default();
        assert!(told.contains("notifications/tasks") && told.contains(&id), "{child:?}: {told}");
        let params = member(&told, "params").unwrap();
        assert_eq!(string(&params, "status").as_deref(), Some("completed"), "{child:?}: {told}");
        assert_eq!(member(&params, "resultType"), None, "{child:?}: {told}");
        assert!(told.contains(r#""uri":"x://m/r""#), "{child:?}: {told}");
    }
}
