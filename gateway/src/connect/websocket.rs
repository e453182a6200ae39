//! Children over WebSocket: the subprotocol `mcp`, one message a text frame, as on pipes.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use protocol::question::Abilities;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tower::{Service, ServiceExt};

use super::http::{Connector, HttpSettings, connector, unauthorized, why_not_connected};
use super::unreachable::unreachable;
use super::wire::{Cable, CableSettings, LastWords};
use super::wired::{Carrier, Meeting, NoCarrier, Open, Opened};
use crate::call::{Dial, Event, Fault, Future, Link};

/// The subprotocol by which servers know that MCP is spoken.
const SUBPROTOCOL: HeaderValue = HeaderValue::from_static("mcp");
/// What is asked of the kernel at once.
const READ_BYTES: usize = 16 << 10;

/// Opens WebSocket connections to one remote child.
pub struct WebSocketDial {
    way: Way,
    meeting: Meeting,
}

struct Way {
    /// `url` has the scheme `ws` or `wss`.
    settings: HttpSettings,
    connector: Connector,
    words: Arc<LastWords>,
}

impl WebSocketDial {
    /// A dialler; nothing is connected yet. The URL's scheme is `ws` or `wss`; silence after the
    /// probe for `probe_wait` counts as legacy.
    ///
    /// # Errors
    /// [`crate::call::Kind::Internal`] when TLS cannot be set up.
    pub fn new(settings: HttpSettings, probe_wait: Duration) -> Result<Self, Fault> {
        let connector = connector(settings.connect_timeout)?;
        let meeting = Meeting::new(settings.era, probe_wait, settings.asking.clone());
        Ok(Self { way: Way { settings, connector, words: Arc::default() }, meeting })
    }
}

impl Way {
    async fn connect(&self) -> Result<WebSocketStream<impl AsyncRead + AsyncWrite + use<>>, Fault> {
        let mount = &self.settings.mount;
        let broken = |fault: &(dyn std::error::Error + 'static)| {
            let (why, log) = why_not_connected(fault);
            unreachable(mount, why).with_log(log)
        };
        let mut connector = self.connector.clone();
        let ready = connector.ready().await.map_err(|fault| broken(&*fault))?;
        let stream = ready.call(self.over_http()).await.map_err(|fault| broken(&*fault))?;
        let max = self.settings.message_bytes_max;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .max_message_size(Some(max))
            .max_frame_size(Some(max));
        let request = self.request().map_err(|fault| broken(&fault))?;
        let shaking = client_async_with_config(request, TokioIo::new(stream), Some(config));
        match timeout(self.settings.connect_timeout, shaking).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(fault)) => Err(self.refused(&fault)),
            Err(_) => Err(unreachable(mount, "no answer to the WebSocket handshake in time")),
        }
    }

    /// Where the connection goes, in the words of HTTP.
    fn over_http(&self) -> Uri {
        let mut parts = self.settings.url.clone().into_parts();
        let tls = parts.scheme.as_ref().is_some_and(|scheme| scheme.as_str() == "wss");
        parts.scheme = Some(if tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
        Uri::from_parts(parts).unwrap_or_else(|_| self.settings.url.clone())
    }

    fn request(&self) -> Result<Request<()>, tungstenite::Error> {
        let mut request = self.settings.url.clone().into_client_request()?;
        for (name, value) in &self.settings.headers {
            request.headers_mut().insert(name, value.clone());
        }
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
        Ok(request)
    }

    fn refused(&self, fault: &tungstenite::Error) -> Fault {
        let mount = &self.settings.mount;
        match fault {
            tungstenite::Error::Http(response) => match response.status() {
                status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                    unauthorized(mount, status)
                }
                status => {
                    let code = status.as_u16();
                    let text = format!(
                        "it refused the WebSocket handshake (HTTP {code}): is there a WebSocket \
                         endpoint at the path of `url`?"
                    );
                    unreachable(mount, &text)
                }
            },
            tungstenite::Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
                unreachable(mount, "it does not speak the WebSocket subprotocol `mcp`")
            }
            fault => unreachable(mount, &format!("the WebSocket handshake failed: {fault}")),
        }
    }
}

impl Open for Way {
    fn open(&self) -> Future<'_, Result<Opened, Fault>> {
        Box::pin(async {
            let settings = CableSettings {
                mount: self.settings.mount.clone(),
                message_bytes_max: self.settings.message_bytes_max,
                words: self.words.clone(),
                obituary: None,
            };
            let carrier: Box<dyn Carrier> = Box::new(NoCarrier);
            Ok((Cable::frames(self.connect().await?, settings), carrier))
        })
    }
}

impl Dial for WebSocketDial {
    fn dial_for(
        &self,
        able: Abilities,
        events: mpsc::Sender<Event>,
    ) -> Future<'_, Result<Arc<dyn Link>, Fault>> {
        Box::pin(async move {
            let link = self.meeting.link(&self.way, able, events).await?;
            Ok(Arc::new(link) as Arc<dyn Link>)
        })
    }

    fn address(&self) -> String {
        self.way.settings.shown.clone()
    }

    fn last_words(&self) -> Vec<String> {
        self.way.words.all()
    }
}
