//! Whom `list`, `call` and `read` ask: a gateway of their own for one command, or a running server.

use std::sync::Arc;
use std::time::Duration;

use gateway::Gateway;
use gateway::call::{Backchannel, BoxServe, Call, Caller, Dial, Fault, Link, Notice, Reply, Serve};
use gateway::connect::{Asking, EraPin, HttpDial, HttpSettings, Transport};
use protocol::json::{Members, ObjectWriter, elements, quoted};
use protocol::{Method, Raw};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{End, load};
use crate::args::WhomArgs;

/// The longest answer that is taken from a running server, in bytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The longest wait for a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(30);
/// Pages of one list that are followed.
const PAGES_MAX: usize = 10_000;
/// Events that nobody reads may wait.
const EVENTS_QUEUED_MAX: usize = 16;

/// Who answers.
pub(super) enum Whom {
    /// A gateway of this process.
    Own(Box<Gateway>),
    /// The server at a URL.
    Running(Arc<dyn Link>),
}

impl Whom {
    /// Finds who answers and waits until it can.
    pub(super) async fn find(args: &WhomArgs) -> Result<Self, End> {
        let Some(url) = &args.url else {
            let loaded = load::load_or_end(args.config.as_ref(), load::flags(&args.set)?)?;
            let longest =
                loaded.config.mounts.iter().map(|one| one.timeout_connect.max(one.timeout_start));
            let wait = longest.max().unwrap_or_default();
            let gateway = Gateway::start(loaded.config, &load::children()).map_err(End::Wrong)?;
            gateway.settled(wait).await;
            return Ok(Self::Own(Box::new(gateway)));
        };
        let settings = HttpSettings {
            mount: "server".into(),
            url: url.parse().map_err(|fault| {
                End::Wrong(format!("--url {url}: {fault}; write http://host:port/mcp"))
            })?,
            shown: url.clone(),
            headers: Vec::new(),
            transport: Transport::Auto,
            era: EraPin::Auto,
            message_bytes_max: ANSWER_BYTES_MAX,
            connect_timeout: CONNECT_WAIT,
            asking: Asking::of(&"child".into()),
        };
        let failed = |fault: Fault| End::Failed(format!("{url}: {}", fault.text));
        let dial = HttpDial::new(settings).map_err(failed)?;
        let (events, _unread) = mpsc::channel(EVENTS_QUEUED_MAX);
        match timeout(CONNECT_WAIT, dial.dial(events)).await {
            Ok(dialled) => Ok(Self::Running(dialled.map_err(failed)?)),
            Err(_) => {
                let wait = CONNECT_WAIT.as_secs();
                Err(End::Failed(format!("{url}: no connection within {wait} s")))
            }
        }
    }

    /// Asks once; notices go to `notices` when given.
    pub(super) async fn ask(
        &self,
        method: Method,
        params: Raw,
        back: Backchannel,
    ) -> Result<Reply, Fault> {
        let mut call = Call::own(method, params, Caller::gateway());
        call.wants_progress = true;
        call.back = back;
        match self {
            Self::Own(gateway) => {
                let serve: BoxServe = gateway.serve();
                serve.serve(call).await
            }
            Self::Running(link) => link.serve(call).await,
        }
    }

    /// All entries of a list, every page.
    pub(super) async fn list(&self, method: &Method, member: &str) -> Result<Vec<Raw>, End> {
        let mut entries = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let shown = cursor.as_deref().map(quoted);
            let params = ObjectWriter::new().optional("cursor", shown.as_deref()).finish();
            let reply = self.ask(method.clone(), params, Backchannel::none()).await;
            let result = match reply {
                Ok(reply) => reply.result,
                // A server without such a list.
                Err(fault) if is_unknown_method(&fault) => return Ok(entries),
                Err(fault) => return Err(End::Failed(fault.text)),
            };
            let members = Members::read(&result).map_err(|fault| End::Failed(fault.0))?;
            let page = members.get(member).and_then(elements).unwrap_or_default();
            entries.extend(page.into_iter().map(|text| result.slice(text)));
            cursor = members.get_string("nextCursor").map(std::borrow::Cow::into_owned);
            if cursor.is_none() {
                return Ok(entries);
            }
        }
        Err(End::Failed(format!("the list has more than {PAGES_MAX} pages")))
    }

    /// Says why a name or URI may be unknown: mounts that are not ready.
    pub(super) fn absent(&self) -> String {
        let Self::Own(gateway) = self else { return String::new() };
        let reports = gateway.mounts();
        let absent = reports.iter().filter(|report| report.state != "ready");
        absent
            .map(|report| {
                let (name, state, reason) = (&report.name, report.state, &report.reason);
                format!("\nnot all mounts are ready: {name} is {state}: {reason}")
            })
            .collect()
    }

    /// Ends the connection, or the gateway with its children.
    pub(super) async fn leave(self) {
        match self {
            Self::Own(gateway) => gateway.stop().await,
            Self::Running(link) => link.close().await,
        }
    }
}

fn is_unknown_method(fault: &Fault) -> bool {
    use gateway::call::Kind;
    match &fault.kind {
        Kind::Child(error) => error.code == protocol::error::METHOD_NOT_FOUND,
        Kind::UnknownMethod => true,
        _ => false,
    }
}

/// The text of a progress notice, such as `3/10 reading`.
pub(super) fn progress(notice: &Notice) -> Option<String> {
    if notice.method != protocol::method::notice::PROGRESS {
        return None;
    }
    let members = Members::read(&notice.params).ok()?;
    let mut text = members.get("progress")?.to_owned();
    if let Some(total) = members.get("total") {
        text.push('/');
        text.push_str(total);
    }
    if let Some(message) = members.get_string("message") {
        text.push(' ');
        text.push_str(&message);
    }
    Some(text)
}
