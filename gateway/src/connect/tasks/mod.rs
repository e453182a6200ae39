//! Tasks bridged: children that only know the experiment of 2025-11-25, and callers that know no
//! tasks at all (digest 2.6).
//!
//! Above this, every child with tasks speaks the extension. A child of the experiment is asked in
//! its own words; and a caller that cannot take a task, of a child that can do nothing else, waits
//! for the result while the gateway polls.

mod support;
mod experiment;
mod dialogue;
mod outcomes;
mod waiting;

use std::sync::Arc;

use protocol::json::Members;
use protocol::method::notice;
use protocol::question::{Abilities, Input};
use protocol::{Method, Raw, error, extension, task};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use self::experiment::Experiment;
use self::support::Support;
use super::audience::names_tasks;
use crate::call::{
    About, Call, Caller, Dial, Event, Fault, Future, Kind, Link, List, Reply, ReplyKind, Turn,
};

/// Dials a child whose tasks are bridged where it has any.
pub struct TaskDial {
    mount: Arc<str>,
    dial: Arc<dyn Dial>,
    support: Arc<Support>,
    /// What the states begin with that stand for a task: nobody else's do.
    mark: Arc<str>,
}

impl TaskDial {
    /// Around the dial of a child.
    pub fn around(mount: impl Into<Arc<str>>, dial: Arc<dyn Dial>) -> Arc<dyn Dial> {
        let mark = format!("{:032x}:", rand::random::<u128>()).into();
        Arc::new(Self { mount: mount.into(), dial, support: Arc::default(), mark })
    }
}

impl Dial for TaskDial {
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async move {
            let link = self.dial.dial_for(able, events).await?;
            let mut about = link.about().clone();
            let has = about.capabilities;
            if !has.tasks && !has.task_calls {
                return Ok(link);
            }
            about.capabilities.tasks = true;
            let tasks = Tasks {
                mount: Arc::clone(&self.mount),
                mark: Arc::clone(&self.mark),
                experiment: (!has.tasks)
                    .then(|| Experiment::new(Arc::clone(&self.mount), Arc::clone(&self.support))),
                link,
                errands: TaskTracker::new(),
            };
            Ok(Arc::new(TaskLink { tasks: Arc::new(tasks), about }) as Arc<dyn Link>)
        })
    }

    fn turn(&self) -> Future<'_, Turn> {
        self.dial.turn()
    }

    fn address(&self) -> String {
        self.dial.address()
    }

    fn last_words(&self) -> Vec<String> {
        self.dial.last_words()
    }

    fn figures(&self) -> Option<Raw> {
        self.dial.figures()
    }
}

/// The tasks of one connection.
struct Tasks {
    mount: Arc<str>,
    mark: Arc<str>,
    /// What a child of the experiment takes; `None` for one that speaks the extension.
    experiment: Option<Experiment>,
    link: Arc<dyn Link>,
    errands: TaskTracker,
}

struct TaskLink {
    tasks: Arc<Tasks>,
    about: About,
}

impl Tasks {
    async fn serve(self: &Arc<Self>, call: Call) -> Result<Reply, Fault> {
        match (&call.method, &self.experiment) {
            (Method::ToolsCall, experiment) => {
                let input = Input::read(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
                match (self.waited_for(&input), experiment) {
                    (Some(waited), _) => self.answered(call, waited?, &input).await,
                    (None, None) => self.of_extension(call).await,
                    (None, Some(experiment)) => self.of_experiment(experiment, call).await,
                }
            }
            (Method::ToolsList, Some(experiment)) => {
                let reply = self.link.serve(call).await?;
                Ok(Reply { result: experiment.support.learn(&reply.result), ..reply })
            }
            (method, Some(experiment)) if method.is_of_task() => {
                experiment.serve(&self.link, call).await
            }
            (Method::Listen, Some(_)) if names_tasks(&call) => self.news(call).await,
            _ => self.link.serve(call).await,
        }
    }

    /// A call at a child that speaks the extension. One who knows tasks takes what comes, and one
    /// who could say so is told to; a client that cannot even say so waits.
    async fn of_extension(self: &Arc<Self>, call: Call) -> Result<Reply, Fault> {
        if knows(&call) || !call.back.is_held() {
            return self.link.serve(call).await;
        }
        match self.link.serve(call.clone()).await {
            // It did nothing yet.
            Err(fault) if needs_tasks(&fault) => {}
            other => return other,
        }
        let call = knowing(call);
        let reply = self.link.serve(call.clone()).await?;
        match reply.kind {
            ReplyKind::Task => self.wait(call, &reply.result).await,
            _ => Ok(reply),
        }
    }

    /// A call at a child of the experiment: by a task if the tool takes that and the client too, or
    /// if the tool takes nothing else (check 108).
    async fn of_experiment(
        self: &Arc<Self>,
        experiment: &Experiment,
        call: Call,
    ) -> Result<Reply, Fault> {
        let by_task = experiment.support.by_task(&call.params, knows(&call));
        let call = experiment::augmented(call, by_task)?;
        let reply = self.link.serve(call.clone()).await?;
        if !by_task || reply.kind != ReplyKind::Complete {
            return Ok(reply);
        }
        let Some(created) = experiment::created(&reply.result) else { return Ok(reply) };
        task::check_created(&created).map_err(|fault| self.bad(&fault.0))?;
        match knows(&call) {
            true => Ok(Reply::of(created, ReplyKind::Task)),
            false => self.wait(call, &created).await,
        }
    }

    /// Brings answers to what a task asks.
    async fn update(&self, call: &Call, id: &str, input: &Input) -> Result<(), Fault> {
        if let Some(experiment) = &self.experiment {
            return experiment.update(&self.link, call, id, input).await;
        }
        let brought = Input { state: None, answers: true, ..input.clone() };
        let params = task::with_id(&Raw::default(), id).and_then(|params| brought.put(&params));
        let params = params.map_err(|fault| self.bad(&fault.0))?;
        let call = Call::own(Method::TasksUpdate, params, Arc::clone(&call.caller));
        self.link.serve(call).await.map(drop)
    }

    /// How a task is, in the words of the extension.
    async fn state(&self, caller: &Arc<Caller>, id: &str) -> Result<Raw, Fault> {
        let params = task::with_id(&Raw::default(), id).map_err(|fault| self.bad(&fault.0))?;
        let call = Call::own(Method::TasksGet, params, Arc::clone(caller));
        let reply = match &self.experiment {
            None => self.link.serve(call).await?,
            Some(experiment) => experiment.serve(&self.link, call).await?,
        };
        Ok(reply.result)
    }

    /// Asks the child to end a task, whose outcome nobody waits for.
    fn abandon(self: &Arc<Self>, caller: Arc<Caller>, id: &str) {
        let Ok(params) = task::with_id(&Raw::default(), id) else { return };
        let call = Call::own(Method::TasksCancel, params, caller);
        let link = Arc::clone(&self.link);
        self.errands.spawn(async move {
            let cancelling = tokio::time::timeout(waiting::CANCEL_WAIT, link.serve(call));
            if let Ok(Err(fault)) = cancelling.await {
                tracing::debug!(reason = fault.text, "a task that nobody waits for goes on");
            }
        });
    }

    /// News of the tasks of a child that has no way to tell them: it is asked now and then. What
    /// is over is told once, also when it was so before.
    ///
    /// # Errors
    /// Why a task could not be asked about: who listens asks anew.
    async fn news(&self, call: Call) -> Result<Reply, Fault> {
        let ids = task::listened(&call.params).ok().flatten().unwrap_or_default();
        let mut told: Vec<(String, Raw)> = Vec::new();
        for id in ids {
            // One that the child does not know is not acknowledged.
            if let Ok(state) = self.state(&call.caller, &id).await {
                told.push((id, state));
            }
        }
        let known: Vec<String> = told.iter().map(|(id, _)| id.clone()).collect();
        call.back.tell_waiting(notice::ACKNOWLEDGED, task::listen_to(&known)).await;
        let over = |state: &Raw| task::check_state(state).is_ok_and(task::Status::is_over);
        let (ended, mut told): (Vec<_>, Vec<_>) = told.into_iter().partition(|one| over(&one.1));
        let mut hearing = ended.into_iter().all(|(_, state)| call.back.tell(notice::TASKS, state));
        while hearing && !told.is_empty() {
            let pause = told.iter().map(|(_, state)| waiting::pace(state)).min();
            tokio::time::sleep(pause.unwrap_or_default()).await;
            let mut on = Vec::new();
            for (id, before) in told {
                let now = match self.state(&call.caller, &id).await {
                    Ok(now) => now,
                    // It does not know it any more.
                    Err(Fault { kind: Kind::Child(_), .. }) => continue,
                    Err(fault) => return Err(fault),
                };
                hearing &= now == before || call.back.tell(notice::TASKS, now.clone());
                if !over(&now) {
                    on.push((id, now));
                }
            }
            told = on;
        }
        Ok(Reply::complete(Raw::default()))
    }

    fn bad(&self, text: &str) -> Fault {
        super::dialect::bad_answer(&self.mount, text)
    }
}

/// Whether the client of a call takes tasks.
fn knows(call: &Call) -> bool {
    extension::declares(&call.caller.capabilities, extension::TASKS)
}

/// The same call by one who takes tasks: the gateway, for its client.
fn knowing(call: Call) -> Call {
    let capabilities = extension::and(&call.caller.capabilities, extension::TASKS);
    let caller = Arc::new(Caller { capabilities, ..(*call.caller).clone() });
    Call { caller, ..call }
}

/// Whether a child refused a call for the one reason that it answers by a task.
fn needs_tasks(fault: &Fault) -> bool {
    let Kind::Child(child) = &fault.kind else { return false };
    let needed = || {
        let data = Members::read(child.data.as_ref()?).ok()?;
        let required = Raw::parse(data.get("requiredCapabilities")?.to_owned().into()).ok()?;
        Some(extension::declares(&required, extension::TASKS))
    };
    child.code == error::MISSING_CLIENT_CAPABILITY && needed().unwrap_or_default()
}

impl Link for TaskLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(self.tasks.serve(call))
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn tells_changes(&self, list: List) -> bool {
        self.tasks.link.tells_changes(list)
    }

    fn lost(&self) -> Future<'_, String> {
        self.tasks.link.lost()
    }

    fn is_busy(&self) -> bool {
        let asked = self.tasks.experiment.as_ref().is_some_and(Experiment::is_busy);
        asked || self.tasks.link.is_busy()
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        self.tasks.link.probe()
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async {
            if let Some(experiment) = &self.tasks.experiment {
                experiment.end();
            }
            self.tasks.errands.close();
            // Each of them has an end of its own.
            self.tasks.errands.wait().await;
            self.tasks.link.close().await;
        })
    }
}
