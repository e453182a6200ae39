//! Faults of remote children: what may be sent again, and what a client may read of it.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use protocol::Method;

use super::answer::{Broken, Refusal};
use crate::call::{Call, Fault, Kind};
use crate::connect::dialect::{bad_answer, child_error};
use crate::connect::unreachable;

/// When to come again to a child that has too many requests and does not say when.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// Nothing was done at the child: the call may be sent again.
pub(super) fn unreachable(mount: &Arc<str>, why: &str) -> Fault {
    refused(mount, why, None, false)
}

/// The child wants a credential. What it says about that is for the gateway alone (check 201).
pub(in crate::connect) fn unauthorized(mount: &Arc<str>, status: StatusCode) -> Fault {
    let why = format!("it wants another credential (HTTP {})", status.as_u16());
    refused(mount, &why, None, true)
}

fn refused(mount: &Arc<str>, why: &str, later: Option<Duration>, wants: bool) -> Fault {
    let mut fault = unreachable::unreachable(mount, why);
    if let Kind::Unreachable { retry_after, unauthorized, .. } = &mut fault.kind {
        *retry_after = later;
        *unauthorized = wants;
    }
    fault
}

fn outcome_unknown(mount: &Arc<str>, why: &str) -> Fault {
    Fault::new(
        Kind::OutcomeUnknown { mount: Arc::clone(mount) },
        format!(
            "the server behind `{mount}` did not answer: {why}. The call was sent and may have \
             been carried out: look before you repeat it"
        ),
    )
}

/// Whether a lost answer may be asked for again. A listen changes nothing at the child.
fn repeatable(method: &Method) -> bool {
    method.is_read() || *method == Method::Listen
}

impl Broken {
    /// The fault of the call that met this.
    pub(super) fn fault(self, mount: &Arc<str>, method: &Method) -> Fault {
        const CUT: &str = "the connection was lost";
        match self {
            Self::Unsent { why, log } => unreachable(mount, why).with_log(log),
            Self::Cut { log } if repeatable(method) => unreachable(mount, CUT).with_log(log),
            Self::Cut { log } => outcome_unknown(mount, CUT).with_log(log),
            Self::NoAnswer(text) => bad_answer(mount, &text),
        }
    }
}

impl Refusal {
    /// The fault of the call that met this.
    pub(super) fn fault(self, mount: &Arc<str>, call: &Call) -> Fault {
        let status = self.status;
        let why = format!("HTTP {}", status.as_u16());
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return unauthorized(mount, status);
        }
        if status.is_redirection() {
            return self.redirect(mount);
        }
        if let Some(error) = self.error {
            return child_error(call, error);
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let later = self.retry_after.unwrap_or(BUSY_PAUSE);
                refused(mount, &why, Some(later), false)
            }
            StatusCode::SERVICE_UNAVAILABLE if self.retry_after.is_some() => {
                refused(mount, &why, self.retry_after, false)
            }
            StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::URI_TOO_LONG
            | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Fault::invalid(format!(
                "the request is larger than the server behind `{mount}` takes ({why})"
            )),
            _ if !status.is_server_error() => {
                bad_answer(mount, &format!("{why} without a JSON-RPC message"))
            }
            _ if repeatable(&call.method) => refused(mount, &why, self.retry_after, false),
            _ => outcome_unknown(mount, &why),
        }
    }

    /// A redirect is not followed: the headers, credentials among them, belong to the mount's URL.
    /// The host it points to may be an inner one, so only the log names it.
    pub(super) fn redirect(&self, mount: &Arc<str>) -> Fault {
        let text = format!(
            "a redirect (HTTP {}), which is not followed: give the mount the final URL",
            self.status.as_u16()
        );
        let host = self.host.as_deref().unwrap_or("unknown");
        bad_answer(mount, &text).with_log(format!("the redirect points to host {host}"))
    }
}
