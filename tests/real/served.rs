//! HTTP servers that a test starts for itself, on free ports of the loopback interface.

use std::path::Path;

use crate::process::Running;
use crate::programs::Program;

/// A running server, killed when this value goes, and where it listens.
pub(crate) struct Served {
    pub(crate) url: String,
    _running: Running,
}

impl Served {
    /// Starts a program that says `listening URL` once it does.
    pub(crate) async fn start(program: &Program, errors: &Path) -> Self {
        Self::start_at(program, "/mcp", errors).await
    }

    /// Likewise, where it is served at another path.
    pub(crate) async fn start_at(program: &Program, path: &str, errors: &Path) -> Self {
        let mut running = Running::start(program, errors);
        let origin = running.line_after("listening ").await;
        Self { url: format!("{origin}{path}"), _running: running }
    }
}
