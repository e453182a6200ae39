//! One request on its way to an answer: notifications first, the answer last, nothing after.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::json::{Members, ObjectEdit, ObjectWriter};
use protocol::{Raw, envelope, meta, method::notice};
use tokio::sync::{Notify as Pulse, mpsc, oneshot};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer;
use super::asking::Questions;
use super::live::InFlight;
use super::replay::{Event, Recorder};
use super::task_ids::Known;
use crate::call::{Future, MORE, Notice, POLL};

/// Messages of one detached request that may wait for its client.
pub(super) const STEPS_QUEUED_MAX: usize = 64;

/// How long a message of a detached request waits for a client that does not read; after that its
/// notices are left out until it reads again, and it is asked nothing more.
pub(super) const STEP_WAIT: Duration = Duration::from_secs(30);

/// What happens next on a request's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A notification that belongs to the request, or a question to a legacy client.
    Notice(Bytes),
    /// The answer; nothing follows it but the other answers of a batch.
    Last {
        /// The HTTP status, where the transport has one.
        status: u16,
        /// The response message.
        body: Bytes,
    },
    /// Something of a stream that can be taken up again; the stream ends after the answer, or
    /// earlier, and then the client comes back for the rest.
    Event(Event),
}

/// A request under way. Dropping it cancels a modern request and abandons a legacy one, which
/// runs on (digest 1.15).
pub struct Exchange {
    source: Source,
}

enum Source {
    Ready(Option<Step>),
    Running(Box<Running>),
    Detached(Detached),
    /// What comes of a request whose client may come back, by the steps of one stream.
    Kept(mpsc::Receiver<Step>),
    /// What was said before, and what still will be.
    Again(VecDeque<Step>, Option<mpsc::Receiver<Step>>),
    Several(Vec<Exchange>),
}

/// What comes of a request that runs by itself.
struct Detached {
    notices: mpsc::Receiver<Step>,
    /// The answer, for which there is always room. Taken when it is there.
    last: Option<oneshot::Receiver<Step>>,
}

/// A request that this exchange drives.
pub(super) struct Running {
    pub(super) answering: Future<'static, (u16, Bytes)>,
    pub(super) notices: mpsc::Receiver<Notice>,
    /// What the client is asked, where it can be.
    pub(super) questions: Option<Questions>,
    pub(super) shape: NoticeShape,
    pub(super) cancelled: CancellationToken,
    /// Frees the request's place among those in flight when it ends.
    pub(super) in_flight: Option<InFlight>,
    pub(super) answer: Option<Step>,
}

impl Exchange {
    /// An answer that is there already.
    pub(super) fn ready(status: u16, body: Bytes) -> Self {
        Self { source: Source::Ready(Some(Step::Last { status, body })) }
    }

    /// A request that ends when the exchange is dropped.
    pub(super) fn attached(running: Running) -> Self {
        Self { source: Source::Running(Box::new(running)) }
    }

    /// A request that runs to its end whoever listens.
    pub(super) fn detached(mut running: Running, tasks: &TaskTracker) -> Self {
        let (steps, notices) = mpsc::channel(STEPS_QUEUED_MAX);
        let (answer, last) = oneshot::channel();
        tasks.spawn(async move {
            let mut reads = true;
            loop {
                let step = tokio::select! {
                    biased;
                    // It still wants the work done, but nobody is there to be asked.
                    () = steps.closed(), if running.questions.is_some() => {
                        running.questions = None;
                        continue;
                    }
                    step = running.next() => step,
                };
                let Some(step) = step else { return };
                if matches!(step, Step::Last { .. }) {
                    // The notices end first. A client that left needs no answer.
                    drop(steps);
                    let _left = answer.send(step);
                    return;
                }
                reads = match reads {
                    true => steps.send_timeout(step, STEP_WAIT).await.is_ok(),
                    false => steps.try_send(step).is_ok(),
                };
                if !reads {
                    running.questions = None;
                }
            }
        });
        Self { source: Source::Detached(Detached { notices, last: Some(last) }) }
    }

    /// A request that runs to its end whoever listens, and whose client may come back for what it
    /// missed. `begin`: when an answer that is not there yet becomes a stream.
    pub(super) fn resumable(
        mut running: Running,
        tasks: &TaskTracker,
        (recorder, steps): (Recorder, mpsc::Receiver<Step>),
        begin: Option<Duration>,
    ) -> Self {
        let pause = Arc::clone(&running.shape.pause);
        tasks.spawn(async move {
            let mut late = begin.map(|wait| Box::pin(sleep(wait)));
            let is_late = async |late: &mut Option<Pin<Box<Sleep>>>| match late {
                Some(sleeping) => sleeping.await,
                None => std::future::pending().await,
            };
            let away = running.questions.as_ref().map_or(Duration::ZERO, |asked| asked.wait);
            let mut left = std::pin::pin!(recorder.left(away));
            loop {
                tokio::select! {
                    biased;
                    step = running.next() => match step {
                        Some(step) => {
                            // What becomes a stream begins with a place to come back to.
                            if begin.is_some() && !matches!(step, Step::Last { .. }) {
                                recorder.prime().await;
                            }
                            recorder.say(step).await;
                        }
                        None => return,
                    },
                    // It still wants the work done, but nobody is there to be asked.
                    () = &mut left, if running.questions.is_some() => running.questions = None,
                    () = pause.notified(), if begin.is_some() => recorder.pause().await,
                    () = is_late(&mut late) => {
                        late = None;
                        recorder.prime().await;
                    }
                }
            }
        });
        Self { source: Source::Kept(steps) }
    }

    /// The rest of a stream: first what was said already.
    pub(super) fn again(said: Vec<Step>, more: Option<mpsc::Receiver<Step>>) -> Self {
        Self { source: Source::Again(said.into(), more) }
    }

    /// The requests of one batch; their answers come singly, in the order in which they end.
    pub(super) fn several(parts: Vec<Exchange>) -> Self {
        Self { source: Source::Several(parts) }
    }

    /// Whether more than one answer may come.
    pub fn is_batch(&self) -> bool {
        matches!(self.source, Source::Several(_))
    }

    /// The next step; `None` after the last, and for a cancelled request, which gets no answer.
    pub async fn next(&mut self) -> Option<Step> {
        match &mut self.source {
            Source::Ready(step) => step.take(),
            Source::Running(running) => running.next().await,
            Source::Detached(detached) => detached.next().await,
            Source::Kept(steps) => steps.recv().await,
            Source::Again(said, more) => match (said.pop_front(), more) {
                (Some(step), _) => Some(step),
                (None, Some(more)) => more.recv().await,
                (None, None) => None,
            },
            Source::Several(parts) => next_of(parts).await,
        }
    }
}

/// The next step of any part.
async fn next_of(parts: &mut Vec<Exchange>) -> Option<Step> {
    loop {
        if parts.is_empty() {
            return None;
        }
        let nexts = parts.iter_mut().map(|part| Box::pin(part.next_boxed()));
        let (step, at, _) = futures_util::future::select_all(nexts).await;
        match step {
            Some(step) => {
                if matches!(step, Step::Last { .. }) {
                    drop(parts.remove(at));
                }
                return Some(step);
            }
            None => drop(parts.remove(at)),
        }
    }
}

impl Exchange {
    fn next_boxed(&mut self) -> Future<'_, Option<Step>> {
        Box::pin(self.next())
    }
}

impl Detached {
    async fn next(&mut self) -> Option<Step> {
        if let Some(notice) = self.notices.recv().await {
            return Some(notice);
        }
        let last = self.last.as_mut()?.await.ok();
        self.last = None;
        last
    }
}

impl Running {
    /// A request whose client is asked nothing.
    pub(super) fn new(
        answering: Future<'static, (u16, Bytes)>,
        notices: mpsc::Receiver<Notice>,
        shape: NoticeShape,
        cancelled: CancellationToken,
        in_flight: Option<InFlight>,
    ) -> Self {
        let (questions, answer) = (None, None);
        Self { answering, notices, questions, shape, cancelled, in_flight, answer }
    }

    async fn next(&mut self) -> Option<Step> {
        if let Some(answer) = self.answer.take() {
            return self.after(answer);
        }
        loop {
            tokio::select! {
                biased;
                () = self.cancelled.cancelled() => {
                    self.in_flight = None;
                    return None;
                }
                Some(notice) = self.notices.recv() => {
                    if let Some(body) = self.write(&notice) {
                        return Some(Step::Notice(body));
                    }
                }
                message = asked(&mut self.questions) => return Some(Step::Notice(message)),
                (status, body) = &mut self.answering, if !self.shape.ended => {
                    self.shape.ended = true;
                    self.notices.close();
                    return self.after(Step::Last { status, body });
                }
                else => return None,
            }
        }
    }

    fn write(&mut self, notice: &Notice) -> Option<Bytes> {
        match (notice.method.as_str(), &self.questions) {
            (notice::CANCELLED, Some(asked)) => asked.unanswered.withdraw(&notice.params),
            (MORE, Some(asked)) => {
                asked.unanswered.more();
                None
            }
            _ => self.shape.write(notice),
        }
    }

    /// What was told before the answer goes before it.
    fn after(&mut self, answer: Step) -> Option<Step> {
        let mut before = None;
        while before.is_none() {
            let Ok(notice) = self.notices.try_recv() else { break };
            before = self.write(&notice);
        }
        if let (None, Some(questions)) = (&before, &mut self.questions) {
            // What was asked and is wanted no more.
            before = questions.out.try_recv().ok();
        }
        if let Some(body) = before {
            self.answer = Some(answer);
            return Some(Step::Notice(body));
        }
        self.in_flight = None;
        self.cancelled.cancel();
        Some(answer)
    }
}

/// The next message of those that ask; none where there are none.
async fn asked(questions: &mut Option<Questions>) -> Bytes {
    let next = match questions {
        Some(questions) => questions.out.recv().await,
        None => None,
    };
    match next {
        Some(message) => message,
        None => std::future::pending().await,
    }
}

/// How a call's notices look to its client.
#[derive(Debug, Default)]
pub(super) struct NoticeShape {
    /// The client's progress token.
    pub(super) token: Option<Raw>,
    /// The last progress told; the next must be more (check 143).
    pub(super) progress: Option<f64>,
    /// The least severe log message wanted; none without it.
    pub(super) log_level: Option<u8>,
    /// Whether the client knows the end of a visit to a page.
    pub(super) visits: bool,
    /// The id of a listen request, which tags all it is told (check 128).
    pub(super) subscription: Option<Raw>,
    /// The tasks that a listen asks for.
    pub(super) tasks: Known,
    /// Whether the answer is there.
    pub(super) ended: bool,
    /// Told when the child let its own client come back later.
    pub(super) pause: Arc<Pulse>,
}

impl NoticeShape {
    fn write(&mut self, told: &Notice) -> Option<Bytes> {
        let params = match (told.method.as_str(), &self.subscription) {
            (POLL, _) => {
                self.pause.notify_one();
                return None;
            }
            (MORE, _) => return None,
            (notice::PROGRESS, None) => self.progress(&told.params)?,
            (notice::MESSAGE, None) => {
                let wanted = self.log_level?;
                let level = answer::level(&told.params)?;
                (level >= wanted).then(|| told.params.clone())?
            }
            (notice::ELICITATION_COMPLETE, None) => self.visits.then(|| told.params.clone())?,
            (notice::PROGRESS | notice::MESSAGE, Some(_)) => return None,
            (method, Some(id)) => {
                let params = self.tasks.told(method, &told.params)?;
                meta::set(&params, meta::SUBSCRIPTION, id).ok()?
            }
            (_, None) => return None,
        };
        Some(envelope::notification(&told.method, &params))
    }

    fn progress(&mut self, params: &Raw) -> Option<Raw> {
        let token = self.token.as_ref()?;
        let now = answer::progress(params)?;
        if self.progress.is_some_and(|before| now <= before) {
            return None;
        }
        self.progress = Some(now);
        answer::with_token(params, token)
    }
}

/// The result that closes a listen: empty but for its id (digest 1.14).
pub(super) fn listen_closed(result: &Raw, id: &Raw) -> Raw {
    let Ok(members) = Members::read(result) else { return result.clone() };
    let meta = ObjectWriter::new().raw(meta::SUBSCRIPTION, id).finish();
    ObjectEdit::new(&members).set("_meta", meta.to_string()).finish_raw()
}

/// A task tracker that several owners hold.
pub(super) type Tasks = Arc<TaskTracker>;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use protocol::{Raw, method::notice};
    use tokio::sync::mpsc;
    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::{Exchange, NoticeShape, Running, Step};
    use crate::call::Notice;

    fn progress(at: u32) -> Notice {
        let params = format!(r#"{{"progressToken":1,"progress":{at}}}"#);
        let params = Raw::parse(params.into()).unwrap();
        Notice { method: notice::PROGRESS.to_owned(), params }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_did_not_read_for_minutes_still_has_its_answer() {
        let (told, notices) = mpsc::channel(256);
        for at in 1..=200 {
            told.send(progress(at)).await.unwrap();
        }
        let answering = async {
            sleep(Duration::from_secs(600)).await;
            (200, Bytes::from_static(b"the answer"))
        };
        let shape = NoticeShape { token: Some(Raw::of("t")), ..NoticeShape::default() };
        let cancelled = CancellationToken::new();
        let running = Running::new(Box::pin(answering), notices, shape, cancelled, None);
        let tasks = TaskTracker::new();
        let mut exchange = Exchange::detached(running, &tasks);
        sleep(Duration::from_secs(700)).await;
        let mut steps = Vec::new();
        while let Some(step) = exchange.next().await {
            steps.push(step);
        }
        let last = Step::Last { status: 200, body: Bytes::from_static(b"the answer") };
        assert_eq!(steps.pop(), Some(last));
        assert!(!steps.is_empty(), "what found room comes before it");
    }
}
