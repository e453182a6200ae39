//! The admin listener: `/live`, `/ready`, `/mounts`, `/plan`, `/reload`.

use std::sync::Arc;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;

use super::reload::Reloader;
use super::report::{MountReport, report};
use crate::call::Future;
use crate::listen::{Body, Guard, Service, full};
use crate::route::Router;
use crate::session::Front;

/// Serves the admin endpoints.
pub struct Admin {
    /// For the mounts in file order, and for reloading them.
    pub reloader: Arc<Reloader>,
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
            let reloads = request.uri().path() == "/reload";
            let reads = matches!(*request.method(), Method::GET | Method::HEAD);
            match (reloads, request.method() == Method::POST) {
                (true, true) => return self.reload().await,
                (true, false) => return full(405, TEXT, "only POST\n"),
                (false, _) if !reads => return full(405, TEXT, "only GET\n"),
                (false, _) => {}
            }
            match request.uri().path() {
                "/live" => full(200, TEXT, "live\n"),
                "/ready" if *self.settled.borrow() => full(200, TEXT, "ready\n"),
                "/ready" => full(503, TEXT, "starting: not every mount has answered yet\n"),
                "/mounts" => full(200, JSON, self.mounts()),
                "/plan" => self.plan().await,
                _ => full(404, TEXT, "known are /live, /ready, /mounts, /plan and /reload\n"),
            }
        })
    }
}

impl Admin {
    fn mounts(&self) -> String {
        let snapshot = self.router.snapshot();
        let roster = Arc::clone(&self.reloader.roster().borrow());
        let reports: Vec<MountReport> =
            roster.members.iter().map(|one| report(&one.mounted, &one.mount, &snapshot)).collect();
        let [sessions, requests] = self.front.counts();
        let mut whole =
            json!({ "mounts": reports, "sessions": sessions, "requestsInFlight": requests });
        if let (Some(last), Some(whole)) = (self.reloader.last(), whole.as_object_mut()) {
            whole.insert("reload".to_owned(), json!(last));
        }
        format!("{whole:#}\n")
    }

    /// Puts the configuration in force as it can be read now: 200, or 422 with every problem.
    async fn reload(&self) -> Response<Body> {
        let outcome = self.reloader.reload().await;
        let status = if outcome.applied { 200 } else { 422 };
        full(status, JSON, format!("{:#}\n", json!(outcome)))
    }

    /// What that would do: 200, or 422 with every problem.
    async fn plan(&self) -> Response<Body> {
        match self.reloader.plan().await {
            Ok(plan) => full(200, JSON, format!("{:#}\n", json!(plan))),
            Err(problems) => full(422, JSON, format!("{:#}\n", json!({ "problems": problems }))),
        }
    }
}
