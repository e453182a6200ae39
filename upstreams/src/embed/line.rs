//! The peer that a server speaks through: rmcp's own loop over a transport without bytes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use rmcp::model::{
    ClientCapabilities, ClientNotification, ClientRequest, ErrorData, Implementation,
    InitializeRequestParams, InitializedNotification, JsonRpcMessage, ProtocolVersion,
    ServerConfig, ServerResult,
};
use rmcp::service::{
    DynService, NotificationContext, RequestContext, RunningService, RxJsonRpcMessage, Service,
    TxJsonRpcMessage, serve_directly,
};
use rmcp::transport::Transport;
use rmcp::{Peer, RoleServer};

use super::switchboard::{Home, Switchboard};

/// Any server, behind one pointer, so that the code around it is compiled once.
pub(super) type Server = Arc<dyn DynService<RoleServer>>;

/// Why a message of the server went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A request to the client, which 2026-07-28 does not have.
    Question,
    /// More notifications wait than the request may have waiting.
    TooMany,
    /// The request ended before the notification was delivered.
    Over,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Question => {
                "a server does not send requests in 2026-07-28: return InputRequiredResult"
            }
            Self::TooMany => {
                "too many notifications of this request are waiting: await each before the next"
            }
            Self::Over => "the request ended before the notification was delivered",
        })
    }
}

impl std::error::Error for Refusal {}

/// A running loop and the peer to it; dropping it ends the loop.
pub(super) struct Line(RunningService<RoleServer, Shared>);

impl Line {
    /// The line that all requests share. It tells the server once that a client is there, since
    /// that is where servers of the handshake eras keep their peer.
    pub(super) fn shared(server: Server, switchboard: Arc<Switchboard>) -> Self {
        Self::open(server, Wire { switchboard, home: None, greeting: true })
    }

    /// A line of one request's own: whatever comes through it belongs to that request.
    ///
    /// Log messages carry nothing that says which request they belong to; the peer they are sent
    /// through is all that tells.
    pub(super) fn of_one(server: Server, switchboard: Arc<Switchboard>, home: Home) -> Self {
        Self::open(server, Wire { switchboard, home: Some(home), greeting: false })
    }

    fn open(server: Server, wire: Wire) -> Self {
        // The version makes rmcp refuse requests to the client at once, also from tasks that the
        // server spawned, where it does not know which request they came from.
        let client = Implementation::new("in-process", env!("CARGO_PKG_VERSION"));
        let client = InitializeRequestParams::new(ClientCapabilities::default(), client)
            .with_protocol_version(ProtocolVersion::V_2026_07_28);
        Self(serve_directly(Shared(server), wire, Some(client)))
    }

    /// The peer that a handler gets.
    pub(super) fn peer(&self) -> Peer<RoleServer> {
        self.0.peer().clone()
    }

    /// Whether the loop has ended, as it does with its runtime.
    pub(super) fn is_dead(&self) -> bool {
        self.0.peer().is_transport_closed()
    }
}

/// The transport of a line: what the server sends is handed over, nothing is ever received.
struct Wire {
    switchboard: Arc<Switchboard>,
    home: Option<Home>,
    greeting: bool,
}

impl Transport<RoleServer> for Wire {
    type Error = Refusal;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Refusal>> + Send + 'static {
        // Taken here and not in the future: the loop runs these futures as tasks, in any order.
        let taken = match message {
            JsonRpcMessage::Notification(message) => {
                self.switchboard.take(self.home.as_ref(), message.notification)
            }
            JsonRpcMessage::Request(_) => Err(Refusal::Question),
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => Ok(None),
        };
        async move {
            match taken? {
                Some(delivered) => delivered.await.map_err(|_| Refusal::Over),
                None => Ok(()),
            }
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        if std::mem::take(&mut self.greeting) {
            let greeting = InitializedNotification::default();
            return Some(JsonRpcMessage::notification(
                ClientNotification::InitializedNotification(greeting),
            ));
        }
        std::future::pending().await
    }

    async fn close(&mut self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// A shared server as the service of a line.
struct Shared(Server);

impl Service<RoleServer> for Shared {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, ErrorData> {
        self.0.handle_request(request, context).await
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.0.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.0.supported_protocol_versions()
    }
}
