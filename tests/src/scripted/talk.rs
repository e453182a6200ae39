//! A scripted child's side of one two-way channel: requests are played, cancellations obeyed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use protocol::envelope::{Body, Message};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::script::Speaks;
use super::seen::{Seen, What};
use super::sessions::{in_handshake, in_request};
use super::stage::{Asked, Emit, Stage};

/// What may wait to be written.
const EMITS_QUEUED_MAX: usize = 1024;

/// One channel.
pub(super) struct Talk {
    stage: Arc<Stage>,
    out: mpsc::Sender<Emit>,
    /// What the handshake declared.
    declared: Mutex<String>,
    /// Requests under way, to be cancelled.
    open: Mutex<HashMap<String, AbortHandle>>,
}

/// Ends a talk when its channel is left, however that comes about.
pub(super) struct Left(pub(super) Arc<Talk>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Talk {
    /// A channel, and what is to be written on it.
    pub(super) fn new(stage: Arc<Stage>) -> (Arc<Self>, mpsc::Receiver<Emit>) {
        let (out, emits) = mpsc::channel(EMITS_QUEUED_MAX);
        if stage.script().speaks == Speaks::Legacy {
            stage.listen_to_all(out.clone());
        }
        let (declared, open) = (Mutex::default(), Mutex::default());
        (Arc::new(Self { stage, out, declared, open }), emits)
    }

    /// Takes one message.
    pub(super) fn take(&self, text: &str) {
        let odd = || Seen { params: text.to_owned(), ..Seen::new(What::Odd, "") };
        let message = match Body::read(Bytes::from(text.to_owned())) {
            Ok(Body::One(message)) => message,
            _ => return self.stage.witness.saw(odd()),
        };
        let seen = |what: What, method: &str, id: &str, params: &str| {
            let (method, id, params) = (method.to_owned(), id.to_owned(), params.to_owned());
            self.stage.witness.saw(Seen { what, method, id, params, headers: BTreeMap::new() });
        };
        match message {
            Message::Request { id, method, params } => {
                seen(What::Request, &method, id.as_str(), params.as_str());
                let (id, params) = (id.as_str().to_owned(), params.as_str().to_owned());
                let declared = self.declared(&method, &params);
                let asked = Asked { id: id.clone(), method, params, declared };
                let mut emits = self.stage.play(asked);
                let out = self.out.clone();
                let task = tokio::spawn(async move {
                    while let Some(emit) = emits.recv().await {
                        if out.send(emit).await.is_err() {
                            break;
                        }
                    }
                });
                let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
                open.insert(id, task.abort_handle());
            }
            Message::Notification { method, params } => {
                seen(What::Notification, &method, "", params.as_str());
                if method == "notifications/cancelled" {
                    self.cancel(params.as_str());
                }
            }
            Message::Response { .. } => {
                seen(What::Response, "", "", text);
                self.stage.asks.answered(text);
            }
        }
    }

    /// What the client of a request declared.
    fn declared(&self, method: &str, params: &str) -> String {
        if self.stage.script().speaks == Speaks::Modern {
            return in_request(params);
        }
        let mut declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if method == "initialize" {
            *declared = in_handshake(params);
        }
        declared.clone()
    }

    fn cancel(&self, params: &str) {
        if self.stage.script().heedless {
            return;
        }
        let members = protocol::json::Members::read(params).ok();
        let id = members.as_ref().and_then(|members| members.get("requestId"));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = id.and_then(|id| open.remove(id)) {
            // The request's receiver goes with the task: the stage sees that it was left.
            task.abort();
        }
    }

    /// The peer is gone: what it asked is left.
    pub(super) fn end(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        open.into_values().for_each(|task| task.abort());
    }
}
