//! Children compiled into this process: the modern era without bytes.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use protocol::question::Abilities;
use protocol::{ChildRequest, InProcess, Method, Raw, Version};
use tokio::sync::mpsc;

use super::audience::names_tasks;
use super::dialect::{bad_answer, child_error, modern_params, modern_reply};
use super::discover::Discovered;
use super::fan::{Ask, Fan};
use super::unreachable::unreachable;
use crate::call::{About, Call, Caller, Dial, Event, Fault, Future, Link, List, Reply};

/// Connects to one compiled-in child.
pub struct InProcessDial {
    line: Arc<Line>,
}

impl InProcessDial {
    /// `mount` is its name in faults and logs.
    pub fn new(mount: impl Into<Arc<str>>, child: Arc<dyn InProcess>) -> Self {
        let line = Line { mount: mount.into(), child, next_token: AtomicU64::new(1) };
        Self { line: Arc::new(line) }
    }
}

impl Dial for InProcessDial {
    fn dial_for(
        &self,
        _able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async {
            let about = self.line.discover().await?;
            let line = self.line.clone();
            let ask: Ask = Box::new(move |call| {
                let line = line.clone();
                Box::pin(async move { line.serve(call).await })
            });
            let fan = Fan::open(ask, &about.capabilities, events);
            fan.settled().await;
            let link = InProcessLink { line: self.line.clone(), about, fan };
            Ok(Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        "compiled in".to_owned()
    }

    fn last_words(&self) -> Vec<String> {
        Vec::new()
    }

    fn figures(&self) -> Option<Raw> {
        self.line.child.figures()
    }
}

/// The child, and what makes its progress tokens unique.
struct Line {
    mount: Arc<str>,
    child: Arc<dyn InProcess>,
    next_token: AtomicU64,
}

impl Line {
    async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        let params = modern_params(&call, Version::NEWEST_MODERN, token)?;
        let back = Arc::new(call.back.clone());
        let (principal, grant) = (&call.caller.principal.0, &call.caller.grant);
        let request = ChildRequest::new(call.method.as_str(), params, back)
            .of(Arc::clone(principal), Arc::clone(grant));
        // Inside the future, since the call itself may panic before there is one. What the child
        // shares with other calls is its own to keep whole.
        let answering = async { self.child.request(request).await };
        match AssertUnwindSafe(answering).catch_unwind().await {
            Ok(Ok(result)) => modern_reply(&call, result, &self.mount),
            Ok(Err(error)) => Err(child_error(&call, error)),
            Err(panic) => {
                let text = "it broke while it answered, and may have done what was asked";
                Err(bad_answer(&self.mount, text).with_log(panic_text(panic.as_ref())))
            }
        }
    }

    async fn discover(&self) -> Result<About, Fault> {
        let call = Call::own(Method::Discover, Raw::default(), Caller::gateway());
        let reply = self.serve(call).await.map_err(|fault| {
            let text = format!("it does not answer server/discover: {}", fault.text);
            unreachable(&self.mount, &text).with_log(fault.log.unwrap_or_default())
        })?;
        let found = Discovered::read(&reply.result).map_err(|fault| {
            unreachable(&self.mount, &format!("its answer to server/discover is none: {fault}"))
        })?;
        let Some(version) = found.modern() else {
            let text = format!("it does not speak {}", Version::NEWEST_MODERN);
            return Err(unreachable(&self.mount, &text));
        };
        Ok(About { speaks: version.era().to_string(), ..found.about })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_else(|| "without a text".to_owned()))
}

/// A compiled-in child in use. It cannot be lost.
struct InProcessLink {
    line: Arc<Line>,
    about: About,
    fan: Fan,
}

impl Link for InProcessLink {
    fn serve(&self, call: Call) -> Future<'_, Result<Reply, Fault>> {
        Box::pin(async move {
            if call.method == Method::Listen && !names_tasks(&call) {
                return self.fan.listen(&call).await;
            }
            self.fan.reading(&call.method);
            self.line.serve(call).await
        })
    }

    fn about(&self) -> &About {
        &self.about
    }

    fn tells_changes(&self, list: List) -> bool {
        self.fan.tells(list)
    }

    fn lost(&self) -> Future<'_, String> {
        Box::pin(std::future::pending())
    }

    fn probe(&self) -> Future<'_, Result<(), Fault>> {
        Box::pin(self.line.discover().map(|found| found.map(drop)))
    }

    fn close(&self) -> Future<'_, ()> {
        Box::pin(async { self.fan.close() })
    }
}
