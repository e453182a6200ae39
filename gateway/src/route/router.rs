//! The router: reads the snapshot once a call and answers it, or sends it to its mount.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use protocol::json::{self, ObjectWriter};
use protocol::{Method, Raw};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::answer::read_params;
use super::lookup::{Named, not_offered};
use super::pages::Pages;
use super::view::{Snapshot, View};
use crate::call::{Call, Endpoint, Fault, Kind, Reply, Serve};

/// Answers lists from the snapshot and sends all else to the mount that serves it.
#[derive(Debug)]
pub struct Router {
    snapshot: Arc<ArcSwap<Snapshot>>,
    changed: watch::Receiver<()>,
    settled: watch::Receiver<bool>,
    settle_until: Instant,
}

impl Router {
    /// A router over `snapshot`. `changed` wakes after each change of it; `settled` turns true
    /// once every mount was reached or given up for now; until then, and at most for `settle` from
    /// now on, calls wait, so that the first client does not see half a catalog.
    pub fn new(
        snapshot: Arc<ArcSwap<Snapshot>>,
        changed: watch::Receiver<()>,
        settled: watch::Receiver<bool>,
        settle: Duration,
    ) -> Self {
        Self { snapshot, changed, settled, settle_until: Instant::now() + settle }
    }

    /// The state of all endpoints now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// The state of all endpoints, whenever it is looked at.
    pub(super) fn current(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshot)
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changed.clone()
    }

    /// Waits for the first state of every mount, within the bound.
    async fn wait_settled(&self) {
        if *self.settled.borrow() {
            return;
        }
        let mut settled = self.settled.clone();
        // In both other cases (time is up, the mounts are gone) what there is gets served.
        let _settled = timeout_at(self.settle_until, settled.wait_for(|settled| *settled)).await;
    }

    pub(super) fn no_endpoint(&self) -> Fault {
        let snapshot = self.snapshot();
        let mut known: Vec<_> = snapshot.single.keys().map(|name| format!("/mcp/{name}")).collect();
        known.sort();
        let known = known.join(", ");
        Fault::new(
            Kind::InvalidRequest,
            format!("there is no such endpoint; known are /mcp and {known}"),
        )
    }

    /// Whether there is such an endpoint.
    ///
    /// # Errors
    /// A text that names those there are.
    pub fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        match self.snapshot().view(endpoint) {
            Some(_) => Ok(()),
            None => Err(self.no_endpoint().text),
        }
    }
}

impl Serve for Router {
    async fn serve(&self, call: Call) -> Result<Reply, Fault> {
        self.wait_settled().await;
        if call.method == Method::Listen {
            return self.listen(call).await;
        }
        let snapshot = self.snapshot();
        let Some(view) = snapshot.view(&call.endpoint) else { return Err(self.no_endpoint()) };
        match &call.method {
            Method::Discover => Ok(discover(&snapshot, view)),
            Method::ToolsList => list(view.tools_for(&call.caller.capabilities), &call),
            Method::PromptsList => list(&view.prompts, &call),
            Method::ResourcesList => list(&view.resources, &call),
            Method::TemplatesList => list(&view.templates, &call),
            Method::ToolsCall => snapshot.named(view, call, Named::Tool).await,
            Method::PromptsGet => snapshot.named(view, call, Named::Prompt).await,
            Method::ResourcesRead => snapshot.read(view, call).await,
            Method::Complete => snapshot.complete(view, call).await,
            method if method.is_of_task() => snapshot.task(view, call).await,
            other => Err(not_offered(other.as_str())),
        }
    }
}

/// What the endpoint offers; the era that asked adds its own members.
fn discover(snapshot: &Snapshot, view: &View) -> Reply {
    let ttl_ms = snapshot.naming.ttl.as_millis().to_string();
    let instructions = view.instructions.as_deref().map(json::quoted);
    let object = ObjectWriter::new()
        .raw("capabilities", &view.capabilities.to_raw())
        .optional("instructions", instructions.as_deref())
        .raw("ttlMs", &ttl_ms)
        .string("cacheScope", if view.public { "public" } else { "private" });
    Reply::complete(object.finish())
}

fn list(pages: &Pages, call: &Call) -> Result<Reply, Fault> {
    let params = read_params(&call.params)?;
    let cursor = match params.get("cursor") {
        None => None,
        Some(text) => Some(json::string(text).ok_or_else(|| {
            let came = json::kind_of(text);
            Fault::invalid(format!("params.cursor: expected a string, found {came}"))
        })?),
    };
    let page: Option<Raw> = pages.page(cursor.as_deref());
    page.map(Reply::complete).ok_or_else(|| {
        Fault::invalid(
            "params.cursor: not a cursor of this list, or the entry it names is gone; \
             start again without a cursor",
        )
    })
}
