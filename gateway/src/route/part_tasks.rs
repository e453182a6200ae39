//! How the tasks of a listen are now: asked after their part was lost, since what was told in
//! between is lost (check 132).

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, Stream, StreamExt};
use protocol::json::{Members, ObjectEdit};
use protocol::{Method, Raw, error, task};

use super::answer::exposes;
use super::mounted::Mounted;
use super::tasks::state;
use super::view::{Snapshot, View};
use crate::call::{Call, Fault, Kind, Serve};

/// Tasks of one listen that are asked about at the same time.
const ASKED_AT_ONCE_MAX: usize = 8;

/// How a task is now.
pub(super) enum Now {
    /// So, in the names that the client has.
    Is(Raw),
    /// No mount knows it any more.
    Gone,
    /// Its child could not be asked.
    Unknown,
}

/// What was told last of each task that is not over.
#[derive(Default)]
pub(super) struct LastTold(HashMap<String, Raw>);

impl LastTold {
    /// Takes note of what is to be told; `false` when that was told last.
    pub(super) fn is_new(&mut self, within: &str, state: &Raw) -> bool {
        let before = self.0.insert(within.to_owned(), state.clone());
        before.is_none_or(|before| same(&before, state) != Some(true))
    }

    pub(super) fn forget(&mut self, within: &str) {
        self.0.remove(within);
    }
}

/// Whether two states are the same but for what belongs to the message alone.
fn same(one: &Raw, other: &Raw) -> Option<bool> {
    let without = |state: &Raw| {
        let members = Members::read(state).ok()?;
        Some(ObjectEdit::new(&members).remove("_meta").finish())
    };
    Some(without(one)? == without(other)?)
}

/// How each of these tasks is, by the id here, as the answers come. `pairs` are the ids here and
/// within the mount, which is at `place`, if there is one.
pub(super) fn states(
    snapshot: &Arc<Snapshot>,
    place: Option<usize>,
    call: &Call,
    pairs: Vec<(String, String)>,
) -> impl Stream<Item = (String, Now)> + use<> {
    let (snapshot, endpoint) = (Arc::clone(snapshot), call.endpoint.clone());
    let caller = Arc::clone(&call.caller);
    stream::iter(pairs)
        .map(move |(within, own)| {
            let snapshot = Arc::clone(&snapshot);
            let params = task::with_id(&Raw::default(), &own).unwrap_or_default();
            let asked = Call::own(Method::TasksGet, params, Arc::clone(&caller));
            let asked = Call { endpoint: endpoint.clone(), ..asked };
            async move {
                let now = now(&snapshot, place, asked, &within).await;
                (within, now)
            }
        })
        .buffer_unordered(ASKED_AT_ONCE_MAX)
}

async fn now(snapshot: &Snapshot, place: Option<usize>, asked: Call, within: &str) -> Now {
    let mounted = place.and_then(|place| snapshot.mounts.get(place));
    let view = snapshot.view(&asked.endpoint);
    let (Some(mounted), Some(view)) = (mounted, view) else { return Now::Gone };
    match mounted.serve.serve(asked).await {
        Ok(reply) => {
            shown_state(view, mounted, &reply.result, within).map_or(Now::Unknown, Now::Is)
        }
        Err(fault) if says_gone(&fault) => Now::Gone,
        Err(fault) => {
            tracing::debug!(reason = fault.text, "how a task is could not be asked");
            Now::Unknown
        }
    }
}

/// Whether a fault says that there is no such task.
fn says_gone(fault: &Fault) -> bool {
    let unknown = [error::INVALID_PARAMS, error::METHOD_NOT_FOUND];
    matches!(&fault.kind, Kind::Child(child) if unknown.contains(&child.code))
}

/// How a task is, as a notification says it to the client.
pub(super) fn shown_state(
    view: &View,
    mounted: &Arc<Mounted>,
    told: &Raw,
    within: &str,
) -> Option<Raw> {
    let told = state(told, exposes(view, mounted).then_some(mounted));
    let named = task::with_id(&told, within).ok()?;
    let members = Members::read(&named).ok()?;
    // That of an answer.
    Some(ObjectEdit::new(&members).remove("resultType").finish_raw())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use arc_swap::ArcSwap;
    use protocol::ErrorObject;
    use protocol::method::notice;
    use tokio::sync::mpsc;
    use tokio::task::JoinHandle;

    use super::super::mounted::{Naming, Shape};
    use super::super::part::{News, open, parts};
    use super::*;
    use crate::call::{Caller, Reply};

    const WITHIN: &str = "m/0/own";
    const WORKING: &str = r#"{"taskId":"own","status":"working"}"#;
    const DONE: &str = r#"{"taskId":"own","status":"completed","result":{}}"#;

    /// What one listen at the child comes to.
    enum Heard {
        /// It is not taken.
        Refused,
        /// It tells this and ends.
        Ends(&'static [&'static str]),
        /// It tells this and stays open.
        Lasts(&'static [&'static str]),
    }
    use Heard::{Ends, Lasts, Refused};

    /// A child with one task.
    struct Child {
        listens: Mutex<VecDeque<Heard>>,
        /// How the task is, whenever that is asked; `None` where it is not known.
        state: Option<&'static str>,
        asked: Mutex<Vec<Method>>,
    }

    impl Child {
        fn new(state: Option<&'static str>, listens: impl Into<VecDeque<Heard>>) -> Arc<Self> {
            let listens = Mutex::new(listens.into());
            Arc::new(Self { listens, state, asked: Mutex::default() })
        }

        fn count(&self, method: &Method) -> usize {
            let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.iter().filter(|one| *one == method).count()
        }
    }

    /// The child behind its mount.
    struct Behind(Arc<Child>);

    impl Serve for Behind {
        async fn serve(&self, call: Call) -> Result<Reply, Fault> {
            self.0.asked.lock().unwrap().push(call.method.clone());
            let refused = || Fault::child(ErrorObject::new(error::INVALID_PARAMS, "no"));
            if call.method == Method::TasksGet {
                let expected = r#"{"taskId":"0/own"}"#;
                assert_eq!(&*call.params, expected);
                let state = Raw::from_static(self.0.state.ok_or_else(refused)?);
                let members = Members::read(&state).unwrap();
                let mut edit = ObjectEdit::new(&members);
                return Ok(Reply::complete(edit.set("resultType", "\"complete\"").finish_raw()));
            }
            let next = self.0.listens.lock().unwrap().pop_front();
            let (told, lasts) = match next.expect("no listen more than these") {
                Refused => return Err(refused()),
                Ends(told) => (told, false),
                Lasts(told) => (told, true),
            };
            assert!(call.back.tell(notice::ACKNOWLEDGED, task::listen_to(&["own".to_owned()])));
            for state in told {
                assert!(call.back.tell(notice::TASKS, Raw::from_static(state)));
            }
            if lasts {
                std::future::pending::<()>().await;
            }
            Ok(Reply::complete(Raw::default()))
        }
    }

    /// A client that listens to the task: the keeper of that, and what the client hears.
    async fn listening(child: &Arc<Child>) -> (JoinHandle<()>, mpsc::Receiver<News>) {
        let naming = Naming {
            separator: "_".to_owned(),
            name_max: 64,
            page_entries: 100,
            ttl: Duration::ZERO,
            instructions: None,
        };
        let mounted = Mounted {
            name: "m".into(),
            prefix: "m".into(),
            shape: Shape::default(),
            serve: Arc::new(Behind(Arc::clone(child))),
        };
        let snapshot = Arc::new(Snapshot::new(naming, &[(Arc::new(mounted), None)]));
        let call = Call::own(Method::Listen, Raw::default(), Caller::gateway());
        let part = {
            let tasks = [WITHIN.to_owned()];
            parts(&snapshot, &snapshot.merged, &call, (&[], &tasks)).pop().unwrap()
        };
        let current = Arc::new(ArcSwap::new(Arc::clone(&snapshot)));
        let opened = open(current, snapshot, call, part).await;
        let (news, heard) = mpsc::channel(8);
        (tokio::spawn(opened.ok().unwrap().keep(news)), heard)
    }

    async fn told(heard: &mut mpsc::Receiver<News>) -> Option<String> {
        heard.recv().await.map(|(method, params)| format!("{method} {}", &*params))
    }

    fn news(state: &str) -> Option<String> {
        Some(format!("notifications/tasks {}", state.replace("own", WITHIN)))
    }

    #[tokio::test(start_paused = true)]
    async fn c132_a_task_that_ended_while_its_part_was_lost_is_told_and_the_part_is_over() {
        let child = Child::new(Some(DONE), [Ends(&[WORKING]), Lasts(&[])]);
        let (keeping, mut heard) = listening(&child).await;
        assert_eq!(told(&mut heard).await, news(WORKING));
        assert_eq!(told(&mut heard).await, news(DONE));
        assert_eq!(told(&mut heard).await, None);
        keeping.await.unwrap();
        assert_eq!((child.count(&Method::Listen), child.count(&Method::TasksGet)), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn c132_a_task_whose_child_takes_no_listen_any_more_is_asked_about_all_the_same() {
        let refused = std::iter::repeat_with(|| Refused).take(10);
        let listens = [Ends(&[])].into_iter().chain(refused).chain([Lasts(&[DONE])]);
        let child = Child::new(Some(WORKING), listens.collect::<VecDeque<_>>());
        let (keeping, mut heard) = listening(&child).await;
        assert_eq!(told(&mut heard).await, news(WORKING), "once, since it does not change");
        assert_eq!(told(&mut heard).await, news(DONE));
        keeping.await.unwrap();
        assert_eq!((child.count(&Method::Listen), child.count(&Method::TasksGet)), (12, 11));
    }

    #[tokio::test(start_paused = true)]
    async fn c183_a_task_that_is_over_is_told_once_and_its_child_asked_for_nothing_more() {
        for ends in [Ends(&[DONE, DONE]), Lasts(&[DONE, DONE])] {
            let child = Child::new(Some(DONE), [ends]);
            let (keeping, mut heard) = listening(&child).await;
            assert_eq!(told(&mut heard).await, news(DONE));
            assert_eq!(told(&mut heard).await, None);
            keeping.await.unwrap();
            assert_eq!((child.count(&Method::Listen), child.count(&Method::TasksGet)), (1, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn c132_a_task_that_its_child_does_not_know_any_more_is_given_up() {
        let child = Child::new(None, [Ends(&[]), Refused]);
        let (keeping, mut heard) = listening(&child).await;
        assert_eq!(told(&mut heard).await, None);
        keeping.await.unwrap();
    }
}
