//! Parked calls whose mount is made anew, or taken away, by a reload.

use std::sync::Arc;

use gateway::config::{FileSource, Sources, load};
use harness::client::{ALL_ABILITIES, Able};
use harness::scripted::{
    Director, Http, HttpChild, ProcessChild, Script, Speaks, Step, What, member,
};
use harness::start::{Running, children, start};

use super::{FORM, PROGRAM, ask, does, willing};

/// The drain is far above what a loaded machine needs, or nothing.
fn flags(drain: &'static str) -> [(&'static str, &'static str); 3] {
    [("gateway.listen", "127.0.0.1:0"), ("gateway.admin", "off"), ("gateway.limits.drain", drain)]
}

struct Reloaded {
    running: Running,
    director: Director,
    /// The child, for as long as it is to be there.
    _child: Box<dyn Send>,
    mount: String,
    drain: &'static str,
}

impl Reloaded {
    async fn all(drain: &'static str) -> [Self; 2] {
        let http = Http { events: true, session: true, ..Http::default() };
        let steps = [
            ask("elicitation/create", FORM),
            Step::OrFail,
            Step::Act("done".to_owned()),
            Step::Told,
        ];
        let script = Script { speaks: Speaks::Legacy, http, ..does(&steps) };
        let (remote, told) = HttpChild::new(script.clone()).await;
        let mount = remote.mount();
        let first = Self::new((Box::new(remote), told), mount, drain).await;
        let (process, told) = ProcessChild::new(script).await;
        let mount = process.mount(PROGRAM);
        [first, Self::new((Box::new(process), told), mount, drain).await]
    }

    async fn new(
        (child, director): (Box<dyn Send>, Director),
        mount: String,
        drain: &'static str,
    ) -> Self {
        let mount = format!("[mounts.m]\n{mount}");
        let running = start(mount.clone().leak(), &flags(drain), &children([])).await;
        Self { running, director, _child: child, mount, drain }
    }

    /// Makes the mount anew.
    async fn reload(&self) {
        let text: &'static str = format!("{}\ntimeout = \"59s\"\n", self.mount).leak();
        let flags = flags(self.drain).map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.running.gateway().reload_from(Arc::new(move || {
            load(Sources {
                file: FileSource::Embedded(text),
                environment: Vec::new(),
                flags: flags.clone().into(),
                children: &children([]),
            })
        }));
        let outcome = self.running.gateway().reload().await;
        assert!(outcome.applied, "{outcome:?}");
    }

    /// Calls, and has what comes first: the question of a parked call.
    async fn asked(&self, client: &mut Able) -> String {
        let mut answer = client.begin("tools/call", r#"{"name":"m_t"}"#).await;
        let asked = answer.message().await.expect("a question").replace("{gateway}", "{}");
        let result = member(&asked, "result").expect("a result");
        let state = member(&result, "requestState").expect("a state");
        let said = willing("elicitation/create", "{}");
        format!(r#"{{"name":"m_t","inputResponses":{{"q1":{said}}},"requestState":{state}}}"#)
    }
}

#[tokio::test]
async fn a_parked_call_goes_on_at_a_mount_that_was_made_anew() {
    for play in Reloaded::all("60s").await {
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        let back = play.asked(&mut client).await;
        play.reload().await;
        // Whichever mount it reaches: the old child waits for it.
        let talked = client.talk("tools/call", &back, willing).await;
        assert!(talked.text().contains("accept"), "{talked:?}");
        assert_eq!(play.director.count(What::Executed, "tools/call").await, 1);
        assert_eq!(play.director.count(What::Executed, "done").await, 1);
        play.running.stop().await;
    }
}

#[tokio::test]
async fn a_parked_call_that_outlasts_the_drain_is_cancelled_at_the_child_and_says_so() {
    for play in Reloaded::all("100ms").await {
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        let back = play.asked(&mut client).await;
        let call = play.director.requests("tools/call").await.remove(0);
        play.reload().await;
        let told = play.director.saw(What::Notification, "notifications/cancelled").await;
        assert_eq!(member(&told.params, "requestId"), Some(call.id));
        let told = play.director.saw(What::Response, "").await;
        assert!(told.params.contains(r#""action":"cancel""#), "{told:?}");
        let talked = client.talk("tools/call", &back, willing).await;
        assert!(talked.answer.contains("look before you call again"), "{talked:?}");
        assert_eq!(play.director.count(What::Executed, "done").await, 0);
        play.running.stop().await;
    }
}

#[tokio::test]
async fn a_stop_ends_parked_calls_and_tells_the_child() {
    for play in Reloaded::all("60s").await {
        let mut client = Able::modern_http(&play.running, ALL_ABILITIES);
        play.asked(&mut client).await;
        play.running.stop().await;
        let told = play.director.saw(What::Notification, "notifications/cancelled").await;
        assert!(told.params.contains("requestId"), "{told:?}");
        assert_eq!(play.director.count(What::Executed, "done").await, 0);
    }
}
