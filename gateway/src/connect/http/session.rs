//! The handshake of the legacy era and the session it opens.

use std::ops::ControlFlow::Continue;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use protocol::capabilities::ServerCapabilities;
use protocol::envelope;
use protocol::json::{self, Members, ObjectWriter};
use protocol::method::notice;
use protocol::{ErrorObject, Method, Raw, Version, error, header};
use tokio::time::timeout;

use super::answer::{Answer, Answered, Broken, Refusal};
use super::client::HttpClient;
use super::faults::unreachable;
use super::life::{ERRAND_WAIT, Life};
use super::wanted::{Ended, Wanted, ended};
use crate::call::{About, Call, Caller, Fault};
use crate::connect::identity::IDENTITY;
use crate::connect::level::Level;

/// The longest wait for one answer of the handshake: some children start only now.
pub(super) const HANDSHAKE_WAIT: Duration = Duration::from_secs(30);

/// A session with a legacy child.
#[derive(Debug)]
pub(super) struct Session {
    /// `None` when the child keeps none.
    pub(super) id: Option<HeaderValue>,
    /// The version agreed on, as the child wrote it.
    version: HeaderValue,
    pub(super) about: About,
    level: Level,
}

impl Session {
    /// The params of `logging/setLevel`, where the child must be told of this level.
    pub(super) fn raise_level(&self, level: u8) -> Option<Raw> {
        self.about.capabilities.logging.then(|| self.level.raise(level)).flatten()
    }

    /// The headers of every request in this session.
    pub(super) fn headers(&self, client: &HttpClient) -> HeaderMap {
        let mut headers = client.headers();
        headers.insert(header::VERSION, self.version.clone());
        if let Some(id) = &self.id {
            headers.insert(header::SESSION, id.clone());
        }
        headers
    }

    /// Whether `refusal` says that the child has forgotten this session, so that it did nothing.
    /// The protocol says so by 404; some servers say it by 400 and in words.
    pub(super) fn is_gone(&self, refusal: &Refusal) -> bool {
        let of_the_call = refusal.error.as_ref().is_some_and(|error| {
            matches!(
                error.code,
                error::METHOD_NOT_FOUND | error::INVALID_PARAMS | error::RESOURCE_NOT_FOUND_LEGACY
            )
        });
        if self.id.is_none() || of_the_call {
            return false;
        }
        let text = refusal.text.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        match refusal.status {
            StatusCode::NOT_FOUND => true,
            StatusCode::BAD_REQUEST => {
                says(&["not initialized"])
                    || (says(&["session"])
                        && says(&["not found", "no valid", "invalid", "unknown", "expired"]))
            }
            _ => false,
        }
    }

    /// Ends the session at the child; whether it liked that does not matter.
    pub(super) async fn end(&self, client: &HttpClient) {
        if self.id.is_some() {
            // A child that cannot end sessions answers 405.
            let _ended = timeout(ERRAND_WAIT, client.delete(self.headers(client))).await;
        }
    }
}

/// Ends a session whose handshake was given up.
struct Unfinished<'a> {
    client: &'a HttpClient,
    life: &'a Life,
    session: Option<Session>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.session.take().filter(|session| session.id.is_some()) {
            let client = self.client.clone();
            self.life.errand(async move { session.end(&client).await });
        }
    }
}

/// Why there is no session.
#[derive(Debug)]
pub(super) struct NoSession {
    pub(super) fault: Box<Fault>,
    /// The status was one by which servers of the transport before say that they know no POST
    /// there (check 109).
    pub(super) older: bool,
}

impl From<Fault> for NoSession {
    fn from(fault: Fault) -> Self {
        Self { fault: Box::new(fault), older: false }
    }
}

/// Shakes hands, asking for a version and declaring capabilities: `initialize`, a look at the
/// version, `notifications/initialized` (check 99).
///
/// # Errors
/// [`crate::call::Kind::Unreachable`] with what came instead.
pub(super) async fn shake_hands(
    client: &HttpClient,
    life: &Life,
    ids: &AtomicU64,
    (ask, declared): (Version, &Raw),
) -> Result<Session, NoSession> {
    let session = match initialize(client, life, ids, (ask, declared)).await? {
        Ok(session) => session,
        Err(error) => {
            let mutual = mutual_legacy(&supported(error.data.as_ref()));
            match mutual.filter(|version| *version != ask) {
                Some(version) => initialize(client, life, ids, (version, declared)).await?,
                None => Err(error),
            }
            .map_err(|error| refused(client, &error))?
        }
    };
    let mut unfinished = Unfinished { client, life, session: None };
    let headers = session.headers(client);
    unfinished.session = Some(session);
    let done = envelope::notification(notice::INITIALIZED, &Raw::default());
    match in_time(client, client.post(headers, done)).await? {
        Ok(Answered { answer: Answer::Refused(refusal), .. }) => {
            let call = Call::own(Method::Initialize, Raw::default(), Caller::gateway());
            return Err(as_unreachable(client, refusal.fault(client.mount(), &call)).into());
        }
        // Whatever a success says besides is of no interest.
        Ok(_) | Err(Broken::NoAnswer(_)) => {}
        Err(broken) => return Err(broken.fault(client.mount(), &Method::Ping).into()),
    }
    let failed = || unreachable(client.mount(), "the handshake failed").into();
    unfinished.session.take().ok_or_else(failed)
}

fn refused(client: &HttpClient, error: &ErrorObject) -> Fault {
    let why = format!("it refused initialize: {:.200} ({})", error.message, error.code);
    unreachable(client.mount(), &why)
}

/// A dial has but one fault: nothing of a client's was sent yet.
pub(super) fn as_unreachable(client: &HttpClient, fault: Fault) -> Fault {
    if matches!(fault.kind, crate::call::Kind::Unreachable { .. }) {
        return fault;
    }
    let said = fault.text.strip_prefix(&format!("the server behind `{}`", client.mount()));
    let why = said.map_or_else(|| fault.text.clone(), |rest| format!("it{rest}"));
    let same = unreachable(client.mount(), &why);
    match fault.log {
        Some(log) => same.with_log(log),
        None => same,
    }
}

async fn in_time<T>(client: &HttpClient, answer: impl Future<Output = T>) -> Result<T, Fault> {
    let late = |_| {
        let why = format!("no answer to the handshake in {} s", HANDSHAKE_WAIT.as_secs());
        unreachable(client.mount(), &why)
    };
    timeout(HANDSHAKE_WAIT, answer).await.map_err(late)
}

async fn initialize(
    client: &HttpClient,
    life: &Life,
    ids: &AtomicU64,
    (ask, declared): (Version, &Raw),
) -> Result<Result<Session, ErrorObject>, NoSession> {
    let wanted = Wanted::new(ids.fetch_add(1, Relaxed));
    let params = ObjectWriter::new().string("protocolVersion", ask.as_str());
    let params = params.raw("capabilities", declared).raw("clientInfo", IDENTITY).finish();
    let body = envelope::request(wanted.id(), Method::Initialize.as_str(), &params);
    let mount = client.mount();
    let answering = async {
        let Answered { headers, answer } = client.post(client.headers(), body).await?;
        let ended = ended(answer, wanted, life, |_| Continue(())).await?;
        Ok::<_, Broken>((headers.get(header::SESSION).cloned(), ended))
    };
    match in_time(client, answering).await? {
        Ok((id, Ended::Answered(Ok(result)))) => Ok(Ok(session(client, id, &result)?)),
        Ok((_, Ended::Answered(Err(error)))) => Ok(Err(error)),
        Ok((_, Ended::Refused(refusal))) => not_http(client, refusal),
        Ok((_, Ended::Left)) => Err(unreachable(mount, "it did not answer initialize").into()),
        Err(broken) => Err(as_unreachable(client, broken.fault(mount, &Method::Ping)).into()),
    }
}

/// A status that is no success, in answer to `initialize`.
fn not_http(
    client: &HttpClient,
    refusal: Refusal,
) -> Result<Result<Session, ErrorObject>, NoSession> {
    let status = refusal.status;
    if let Some(error) = refusal.error
        && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    {
        return Ok(Err(error));
    }
    if matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) {
        let why = format!(
            "HTTP {} to initialize: it speaks neither Streamable HTTP at this URL nor HTTP+SSE",
            status.as_u16()
        );
        let fault = unreachable(client.mount(), &why).with_log(refusal.text);
        return Err(NoSession { fault: Box::new(fault), older: true });
    }
    let call = Call::own(Method::Ping, Raw::default(), Caller::gateway());
    let refusal = Refusal { error: None, ..refusal };
    Err(as_unreachable(client, refusal.fault(client.mount(), &call)).into())
}

/// The session that an `InitializeResult` opens.
///
/// Some servers (github-mcp-server) answer with a modern version and then speak the legacy era, in
/// a session. An answer to `initialize` proves the legacy era, whatever version it names, so the
/// session goes on with the words of the newest legacy version, and the version that the child
/// named is sent back to it. A version that nobody published is refused.
fn session(client: &HttpClient, id: Option<HeaderValue>, result: &Raw) -> Result<Session, Fault> {
    let mount = client.mount();
    let bad = |text: &str| unreachable(mount, &format!("its answer to initialize: {text}"));
    let members = Members::read(result).map_err(|fault| bad(&fault.0))?;
    let said = members.get_string("protocolVersion").ok_or_else(|| bad("no protocolVersion"))?;
    let version = Version::read(&said).ok_or_else(|| {
        let known = Version::NEWEST_LEGACY;
        bad(&format!("expected version {known} or older, found {said:.40}"))
    })?;
    let capabilities = members.get("capabilities").map(|text| result.slice(text));
    let capabilities = capabilities.and_then(|raw| ServerCapabilities::read(&raw).ok());
    let speaks = if version.is_modern() {
        format!("legacy, answered {version} to initialize")
    } else {
        version.era().to_string()
    };
    let about = About {
        speaks,
        server_info: members.get("serverInfo").map(|text| result.slice(text)),
        capabilities: capabilities.unwrap_or_default().of_session(),
        instructions: members.get_string("instructions").map(|text| text.into_owned()),
        keeps_state: id.is_some(),
    };
    Ok(Session {
        id,
        version: HeaderValue::from_static(version.as_str()),
        about,
        level: Level::new(),
    })
}

/// `data.supported` of an error about versions.
pub(super) fn supported(data: Option<&Raw>) -> Vec<String> {
    let members = data.and_then(|data| Members::read(data).ok());
    versions(members.as_ref().and_then(|members| members.get("supported"))).unwrap_or_default()
}

/// An array of strings; `None` when it is none.
pub(super) fn versions(text: Option<&str>) -> Option<Vec<String>> {
    let elements = json::elements(text?)?;
    elements.into_iter().map(|text| json::string(text).map(|text| text.into_owned())).collect()
}

/// The newest legacy version among `named`.
pub(super) fn mutual_legacy(named: &[String]) -> Option<Version> {
    let known = named.iter().filter_map(|text| Version::read(text));
    known.filter(|version| !version.is_modern()).max()
}
