//! The gateway's own listen at a modern child: tells when one of its lists changes.

use std::time::Duration;

use protocol::capabilities::ServerCapabilities;
use protocol::json::{Members, ObjectWriter};
use protocol::method::notice;
use protocol::{Method, Raw};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::call::{Backchannel, Call, Caller, Event, Fault, Future, Kind, List, Notice, Reply};

/// How long opening a connection waits for the acknowledgement, so that the first look at a list
/// already knows whether it can be kept.
const ACKNOWLEDGEMENT_WAIT: Duration = Duration::from_secs(2);
/// The first pause before a listen that ended is opened again; it doubles each time.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Sends one call to the child.
pub(super) type Ask = Box<dyn Fn(Call) -> Future<'static, Result<Reply, Fault>> + Send + Sync>;

const LISTS: [(List, &str, &str); 3] = [
    (List::Tools, "toolsListChanged", notice::TOOLS_CHANGED),
    (List::Prompts, "promptsListChanged", notice::PROMPTS_CHANGED),
    (List::Resources, "resourcesListChanged", notice::RESOURCES_CHANGED),
];

/// What is known of the listen at this moment.
#[derive(Debug, Clone, Default)]
struct State {
    /// What the child acknowledged.
    told: Vec<List>,
    /// Acknowledged or refused: there is nothing more to wait for.
    settled: bool,
}

/// The listen and the task that keeps it open; dropping it ends both.
pub(super) struct Changes {
    state: watch::Receiver<State>,
    stop: CancellationToken,
    _task: JoinSet<()>,
}

impl Changes {
    /// Opens a listen for the lists whose changes the child announces, if any, and waits a moment
    /// for the acknowledgement.
    pub(super) async fn follow(
        ask: Ask,
        capabilities: ServerCapabilities,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (sender, mut state) = watch::channel(State::default());
        let (mut task, stop) = (JoinSet::new(), CancellationToken::new());
        let announced = [
            capabilities.tools_changed,
            capabilities.prompts_changed,
            capabilities.resources_changed,
        ];
        let wanted = LISTS.iter().zip(announced).filter(|(_, announced)| *announced);
        let filter =
            wanted.fold(ObjectWriter::new(), |filter, ((_, name, _), _)| filter.raw(name, "true"));
        let filter = filter.finish();
        if filter.as_str() != "{}" {
            let params = ObjectWriter::new().raw("notifications", &filter).finish();
            let listen = Listen { ask, params, events, state: sender };
            let stopped = stop.clone();
            task.spawn(async move {
                tokio::select! {
                    () = listen.keep_open() => {}
                    () = stopped.cancelled() => {}
                }
            });
            let settled = state.wait_for(|state| state.settled);
            // Late or never: until then the lists are looked at anew each time.
            let _late = tokio::time::timeout(ACKNOWLEDGEMENT_WAIT, settled).await.is_err();
        }
        Self { state, stop, _task: task }
    }

    /// Ends the listen.
    pub(super) fn close(&self) {
        self.stop.cancel();
    }

    /// Whether the child acknowledged that it tells when `list` changes.
    pub(super) fn tells(&self, list: List) -> bool {
        self.state.borrow().told.contains(&list)
    }
}

struct Listen {
    ask: Ask,
    params: Raw,
    events: mpsc::Sender<Event>,
    state: watch::Sender<State>,
}

impl Listen {
    /// Listens until the child refuses or the connection is lost; a listen that the child ends is
    /// opened again.
    async fn keep_open(self) {
        let mut pause = PAUSE_MIN;
        let mut again = false;
        loop {
            let ended = self.once(again).await;
            let was_open = !self.state.borrow().told.is_empty();
            self.state.send_replace(State { told: Vec::new(), settled: true });
            if let Err(fault) = ended
                && matches!(fault.kind, Kind::Child(_) | Kind::Unreachable { .. })
            {
                tracing::debug!(target: "child", "no listen for changed lists: {}", fault.text);
                return;
            }
            pause = if was_open { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            tokio::time::sleep(pause).await;
            again = true;
        }
    }

    async fn once(&self, again: bool) -> Result<Reply, Fault> {
        let (back, mut notices) = Backchannel::open();
        let mut call = Call::own(Method::Listen, self.params.clone(), Caller::gateway());
        call.back = back;
        let mut listen = (self.ask)(call);
        loop {
            tokio::select! {
                biased;
                Some(notice) = notices.recv() => self.note(&notice, again),
                ended = &mut listen => return ended,
            }
        }
    }

    fn note(&self, notice: &Notice, again: bool) {
        let changed = |list| {
            // A full queue holds an event that makes the mount look again anyway.
            let _full = self.events.try_send(Event::Changed(list));
        };
        if notice.method == notice::ACKNOWLEDGED {
            let told = acknowledged(&notice.params);
            if again {
                // What changed between the two listens was told to nobody.
                told.iter().copied().for_each(changed);
            }
            self.state.send_replace(State { told, settled: true });
        }
        for (list, _, method) in LISTS {
            if notice.method == method {
                changed(list);
            }
        }
    }
}

fn acknowledged(params: &Raw) -> Vec<List> {
    let members = Members::read(params).ok();
    let filter = members.as_ref().and_then(|members| members.get("notifications"));
    let Some(filter) = filter.and_then(|filter| Members::read(filter).ok()) else {
        return Vec::new();
    };
    let honoured = LISTS.iter().filter(|(_, name, _)| filter.get(name) == Some("true"));
    honoured.map(|(list, _, _)| *list).collect()
}
