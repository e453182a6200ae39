//! The admin listener: `/live`, `/ready`, `/mounts`.

use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;

use super::report::{MountReport, report};
use crate::call::Future;
use crate::listen::{Body, Guard, Service, full};
use crate::mount::Mount;
use crate::route::{Mounted, Router};
use crate::session::Front;

/// Serves the admin endpoints.
pub struct Admin {
    /// All mounts in file order.
    pub mounts: Vec<(Arc<Mounted>, Arc<Mount>)>,
    /// True once every mount was reached or given up for now.
    pub settled: watch::Receiver<bool>,
    /// For what the merge withheld.
    pub router: Arc<Router>,
    /// For sessions and requests under way.
    pub front: Arc<Front>,
    /// Who is let in.
    pub guard: Guard,
}

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Service for Admin {
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Future<'static, Response<Body>> {
        Box::pin(async move {
            if let Err(text) = self.guard.check(request.headers()) {
                return full(403, TEXT, text + "\n");
            }
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                return full(405, TEXT, "only GET\n");
            }
            match request.uri().path() {
                "/live" => full(200, TEXT, "live\n"),
                "/ready" if *self.settled.borrow() => full(200, TEXT, "ready\n"),
                "/ready" => full(503, TEXT, "starting: not every mount has answered yet\n"),
                "/mounts" => full(200, JSON, self.mounts()),
                _ => full(404, TEXT, "known are /live, /ready and /mounts\n"),
            }
        })
    }
}

impl Admin {
    fn mounts(&self) -> String {
        let snapshot = self.router.snapshot();
        let reports: Vec<MountReport> =
            self.mounts.iter().map(|(mounted, mount)| report(mounted, mount, &snapshot)).collect();
        let [sessions, requests] = self.front.counts();
        let whole =
            json!({ "mounts": reports, "sessions": sessions, "requestsInFlight": requests });
        format!("{whole:#}\n")
    }
}
