//! The Rust SDK as a server over Streamable HTTP, in both eras.

use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// A server that listens until this value goes.
pub(crate) struct RmcpServer {
    pub(crate) url: String,
    accepting: JoinHandle<()>,
}

impl RmcpServer {
    /// One with one tool.
    pub(crate) async fn start() -> Self {
        Self::serving(|| Sum { tool_router: Sum::tool_router() }).await
    }

    /// One of these for each session, and for each request outside of any.
    pub(crate) async fn serving<S: ServerHandler>(
        make: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        Self { url, accepting: tokio::spawn(accept(listener, make)) }
    }
}

impl Drop for RmcpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept<S: ServerHandler>(
    listener: TcpListener,
    make: impl Fn() -> S + Send + Sync + 'static,
) {
    let service = StreamableHttpService::new(
        move || Ok(make()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let service = TowerToHyperService::new(service);
    // The connections end with the task that accepts them.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        connections.spawn(async move {
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
        });
    }
}

#[derive(Clone)]
struct Sum {
    tool_router: ToolRouter<Self>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Terms {
    a: i64,
    b: i64,
}

#[tool_router]
impl Sum {
    #[tool(description = "Adds two numbers.")]
    async fn add(&self, Parameters(Terms { a, b }): Parameters<Terms>) -> String {
        (a + b).to_string()
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Sum {}
