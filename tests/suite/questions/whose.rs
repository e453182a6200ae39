//! Whose question it is: attribution, and what is refused where it cannot be known.

use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{Script, Step, What, member};
use harness::start::soon;

use super::{Child, FORM, LEGACY, LegacyHttp, LegacyProcess, ask, does, willing};

const CALL: &str = r#"{"name":"m_t"}"#;

/// The last response that the child got.
async fn answer_to_child(play: &harness::scripted::Play) -> String {
    play.director("m").saw(What::Response, "").await.params
}

#[tokio::test]
async fn c106_a_question_outside_of_any_call_is_refused() {
    for child in LEGACY {
        let play = child.play("", does(&[])).await;
        // Over HTTP the standing stream must be there first.
        if child == LegacyHttp {
            play.director("m").saw(What::Request, "GET").await;
        }
        for method in ["roots/list", "elicitation/create", "sampling/createMessage"] {
            let times = play.director("m").count(What::Response, "").await;
            play.director("m").ask(method, FORM);
            let told = play.director("m").saw_times(times + 1, What::Response, "").await;
            assert!(told.params.contains("-32602"), "{child:?}, {method}: {told:?}");
        }
    }
}

#[tokio::test]
async fn c120_of_two_open_calls_on_a_pipe_neither_client_is_asked_and_the_child_is_told_why() {
    let script = Script::modern()
        .tool("slow")
        .on("tools/call slow", &[Step::Wait("go".to_owned()), Step::Usual])
        .tool("t")
        .on("tools/call t", &[ask("elicitation/create", FORM), Step::Told]);
    let play = LegacyProcess.play("", script).await;
    let director = play.director("m");
    let mut slow = Able::legacy_stdio(&play.running, "2025-11-25", ALL_ABILITIES).await;
    let mut quick = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
    let waiting = async {
        let talked = slow.talk("tools/call", r#"{"name":"m_slow"}"#, willing).await;
        assert!(talked.asked.is_empty(), "{talked:?}");
    };
    let calling = async {
        director.saw(What::Executed, "tools/call").await;
        let talked = quick.talk("tools/call", CALL, willing).await;
        assert!(talked.asked.is_empty(), "{talked:?}");
        assert!(talked.text().contains("interactive = 1"), "{talked:?}");
        assert!(talked.text().contains("-32602"), "{talked:?}");
        director.open("go");
    };
    soon("both calls", async { tokio::join!(waiting, calling) }).await;
}

#[tokio::test]
async fn c120_a_call_that_was_cancelled_may_still_be_what_a_question_belongs_to() {
    let script = Script::modern()
        .tool("hang")
        .on("tools/call hang", &[Step::Hang])
        .tool("t")
        .on("tools/call t", &[ask("elicitation/create", FORM), Step::Told]);
    let play = LegacyProcess.play("", script).await;
    let director = play.director("m");
    let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
    {
        let leaving = client.begin("tools/call", r#"{"name":"m_hang"}"#);
        let mut leaving = Box::pin(leaving);
        tokio::select! {
            _answer = &mut leaving => panic!("an answer of a child that hangs"),
            _seen = director.saw(What::Executed, "tools/call") => {}
        }
    }
    director.saw(What::Notification, "notifications/cancelled").await;
    let talked = client.talk("tools/call", CALL, willing).await;
    assert!(talked.asked.is_empty(), "{talked:?}");
    assert!(talked.text().contains("-32602"), "{talked:?}");
}

#[tokio::test]
async fn c120_over_http_each_call_is_asked_on_its_own_stream_whoever_else_calls() {
    let play = LegacyHttp.play("", does(&[ask("elicitation/create", FORM), Step::Told])).await;
    let gateway = &play.running;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.extend(Able::everywhere(gateway, ALL_ABILITIES).await);
    }
    let calls = clients.into_iter().enumerate().map(|(at, mut client)| async move {
        let call = format!(r#"{{"name":"m_t","arguments":{{"secret":{at}}}}}"#);
        let talked = client.talk("tools/call", &call, willing).await;
        let secret = format!(r#"{{\"secret\":{at}}}"#);
        assert_eq!(talked.asked.len(), 1, "{}: {talked:?}", client.kind());
        assert!(talked.asked[0].1.contains(&secret), "{}: {talked:?}", client.kind());
        assert!(talked.text().starts_with(&format!(r#"{{"secret":{at}}}"#)), "{talked:?}");
    });
    soon("all calls", futures_util::future::join_all(calls)).await;
}

#[tokio::test]
async fn c106_a_question_on_the_standing_stream_is_refused_unless_one_call_at_a_time_is_open() {
    let aside = Step::AskAside("elicitation/create".to_owned(), FORM.to_owned());
    // Also of a child that never tells of changes, for which alone the stream would not be needed.
    let tells_nothing = Some(r#"{"tools":{}}"#.to_owned());
    let modes = [("", false), ("interactive = 1\n", true)];
    for ((keys, is_asked), capabilities) in
        modes.into_iter().flat_map(|mode| [(mode, None), (mode, tells_nothing.clone())])
    {
        let script = Script { capabilities, ..does(&[aside.clone(), Step::Told]) };
        let play = LegacyHttp.play(keys, script).await;
        play.director("m").saw(What::Request, "GET").await;
        for mut client in Able::everywhere(&play.running, ALL_ABILITIES).await {
            let talked = client.talk("tools/call", CALL, willing).await;
            assert_eq!(talked.asked.len(), usize::from(is_asked), "{}: {talked:?}", client.kind());
            let refused = talked.text().contains("-32602") && talked.text().contains("standing");
            assert_eq!(refused, !is_asked, "{}: {talked:?}", client.kind());
        }
    }
}

#[tokio::test]
async fn a_child_that_asks_a_legacy_client_that_left_hears_soon_that_nobody_answers() {
    let steps =
        [Step::Wait("left".to_owned()), ask("elicitation/create", FORM), Step::OrFail, Step::Told];
    let hears = async |child: Child| {
        // The default is far above the patience of a test, and counts for one who was given a place
        // to come back to, as a question is that is written before it is known that nobody reads.
        let gateway = "[gateway.limits]\nquestion_wait = \"20s\"\n";
        let play = child.play_with(gateway, "interactive = 1\n", does(&steps)).await;
        let director = play.director("m");
        let mut client = Able::legacy_http(&play.running, "2025-06-18", ALL_ABILITIES).await;
        {
            let mut leaving = Box::pin(client.begin("tools/call", CALL));
            tokio::select! {
                _answer = &mut leaving => panic!("an answer before the gate was opened"),
                _seen = director.saw(What::Executed, "tools/call") => {}
            }
        }
        director.open("left");
        let told = answer_to_child(&play).await;
        assert!(told.contains(r#""action":"cancel""#), "{child:?}: {told}");
        director.saw(What::Notification, "notifications/cancelled").await;
    };
    tokio::join!(hears(LegacyProcess), hears(LegacyHttp));
}

#[tokio::test]
async fn a_question_that_its_child_takes_back_is_taken_back_from_the_client() {
    let steps = [
        Step::Pose("elicitation/create".to_owned(), FORM.to_owned()),
        Step::Wait("asked".to_owned()),
        Step::Withdraw,
        Step::Wait("over".to_owned()),
        Step::Told,
    ];
    for child in LEGACY {
        let play = child.play("", does(&steps)).await;
        let director = play.director("m");
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let mut answer = client.begin("tools/call", CALL).await;
        let question = answer.message().await.expect("a question");
        director.open("asked");
        let taken_back = answer.message().await.expect("a cancellation");
        assert!(taken_back.contains("notifications/cancelled"), "{child:?}: {taken_back}");
        let id = member(&question, "id").unwrap();
        assert!(taken_back.contains(&id), "{child:?}: {taken_back}");
        director.open("over");
        let last = answer.message().await.expect("an answer");
        assert!(last.contains("result"), "{child:?}: {last}");
        assert_eq!(director.count(What::Response, "").await, 0, "{child:?}");
    }
}

#[tokio::test]
async fn a_call_that_ends_with_its_question_open_answers_its_client_at_once() {
    let steps = [Step::Pose("elicitation/create".to_owned(), FORM.to_owned()), Step::Usual];
    for child in LEGACY {
        let play = child.play("", does(&steps)).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let mut answer = client.begin("tools/call", CALL).await;
        let mut last = String::new();
        while let Some(message) = answer.message().await {
            last = message;
        }
        assert!(last.contains("result"), "{child:?}: {last}");
        let told = answer_to_child(&play).await;
        assert!(told.contains("cancel"), "{child:?}: {told}");
    }
}

#[tokio::test]
async fn a_legacy_client_that_cancels_while_it_is_asked_cancels_the_call_at_the_child() {
    for child in LEGACY {
        let steps = [
            ask("elicitation/create", FORM),
            Step::OrFail,
            Step::Act("done".to_owned()),
            Step::Told,
        ];
        let play = child.play("", does(&steps)).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let mut answer = client.begin("tools/call", CALL).await;
        answer.message().await.expect("a question");
        let status = client.session().tell("notifications/cancelled", r#"{"requestId":1}"#).await;
        assert_eq!(status, 202);
        let director = play.director("m");
        let told = director.saw(What::Notification, "notifications/cancelled").await;
        let call = director.requests("tools/call").await.remove(0);
        assert_eq!(member(&told.params, "requestId"), Some(call.id), "{child:?}");
        assert_eq!(director.count(What::Executed, "done").await, 0, "{child:?}");
    }
}

#[tokio::test]
async fn a_legacy_client_that_takes_no_streams_cannot_be_asked() {
    for child in LEGACY {
        let steps = [ask("elicitation/create", FORM), Step::OrFail, Step::Told];
        let play = child.play("", does(&steps)).await;
        let mut client = Able::legacy_http(&play.running, "2025-11-25", ALL_ABILITIES).await;
        let ask = client.request("tools/call", CALL).header("accept", "application/json");
        let shown = play.running.http().shown(&ask).await;
        assert!(shown.contains("-32021"), "{child:?}: {shown}");
    }
}
