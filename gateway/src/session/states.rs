//! `requestState` on its way to a modern client and back: sealed, and good for one request only.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::json::{self, Members};
use protocol::question::{Abilities, Input, InputRequired, STATE_BYTES_MAX, for_modern};
use protocol::{Method, Raw};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{Seal, visit};
use crate::call::{Call, Endpoint, Fault, Kind, Reply, ReplyKind, unix_seconds};

/// What the seal is for: a session's id does not open as a state.
const PURPOSE: &str = "state";
/// The longest sealed state that is given out or looked at, in bytes.
const SEALED_BYTES_MAX: usize = 1 << 20;
// Quotes and backslashes are escaped once more, and four letters stand for three bytes.
const _: () = assert!(STATE_BYTES_MAX * 2 / 3 * 4 + 1024 < SEALED_BYTES_MAX);
/// Levels of an argument that are put in order before it is compared; what is deeper is compared
/// as it stands.
const DEPTH_MAX: usize = 64;

/// The members that come anew with each request.
const OF_THE_REQUEST: [&str; 3] = ["_meta", "inputResponses", "requestState"];

#[derive(Serialize, Deserialize)]
struct Sealed {
    state: String,
    request: String,
    until: u64,
    /// The call was over when this was given out: its client has it sent anew.
    #[serde(default)]
    again: bool,
}

/// The states of the requests of one principal at one endpoint.
pub(super) struct States<'a> {
    seal: &'a Seal,
    wait: Duration,
    /// The request that the state belongs to.
    request: String,
}

impl<'a> States<'a> {
    /// Those of this request; it is good for `wait`.
    pub(super) fn of(seal: &'a Seal, wait: Duration, call: &Call) -> Self {
        Self { seal, wait, request: fingerprint(call) }
    }

    /// The state that a child gave, as the client brought it.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for one that is forged, too old, or of another request (check 113).
    #[cfg(test)]
    fn open(&self, sealed: &Raw) -> Result<Raw, Fault> {
        self.opened(sealed).map(|(state, _again)| state)
    }

    /// The same, and whether the call is to be sent anew.
    fn opened(&self, sealed: &Raw) -> Result<(Raw, bool), Fault> {
        let text = json::string(sealed).unwrap_or_default();
        let opened = self.seal.open(PURPOSE, &text, SEALED_BYTES_MAX);
        let opened: Option<Sealed> = opened.and_then(|text| serde_json::from_str(&text).ok());
        let Some(opened) = opened else {
            return Err(refused("it was not given out by this gateway"));
        };
        if opened.until < unix_seconds() {
            return Err(refused("the time to come back with it is over (question_wait)"));
        }
        if opened.request != self.request {
            return Err(refused("it was given out for another request, or to another client"));
        }
        let state = Raw::parse(opened.state.into());
        let state = state.map_err(|_| refused("it was not given out by this gateway"))?;
        Ok((state, opened.again))
    }

    /// What the client gets for a result that asks.
    ///
    /// # Errors
    /// [`Kind::Internal`] when the result asks nothing, or has a state that is too long, which is
    /// looked at where it comes in; [`Kind::MissingCapability`] when it asks what the client cannot
    /// answer (check 112).
    pub(super) fn close(&self, reply: &Reply, able: Abilities) -> Result<Reply, Fault> {
        self.closed(reply, able, false)
    }

    /// The same for a call that is over: who comes back has it sent anew.
    ///
    /// # Errors
    /// Those of [`States::close`].
    pub(super) fn close_over(&self, reply: &Reply, able: Abilities) -> Result<Reply, Fault> {
        self.closed(reply, able, true)
    }

    fn closed(&self, reply: &Reply, able: Abilities, again: bool) -> Result<Reply, Fault> {
        let mut asks = read(reply)?;
        check(&asks, able)?;
        for request in &mut asks.requests {
            request.params = for_modern(request.question, &request.params);
        }
        if let Some(state) = &asks.state {
            let until = unix_seconds().saturating_add(self.wait.as_secs().max(1));
            let (state, request) = (state.to_string(), self.request.clone());
            let sealed = Sealed { state, request, until, again };
            let text = serde_json::to_string(&sealed).unwrap_or_default();
            let sealed = self.seal.close(PURPOSE, &text).ok_or_else(|| {
                Fault::new(Kind::Internal, "the state of the request could not be sealed")
            })?;
            if sealed.len() > SEALED_BYTES_MAX {
                return Err(unfit("requestState: it is too long when it is sealed"));
            }
            asks.state = Some(Raw::of(&sealed));
        }
        Ok(Reply::of(asks.to_raw(), ReplyKind::InputRequired))
    }
}

/// The call as its child gets it: with the state that the child gave.
///
/// # Errors
/// Those of [`States::open`], and [`Kind::Invalid`] when what the client brings has another shape.
pub(super) fn unsealed(seal: &Seal, wait: Duration, mut call: Call) -> Result<Call, Fault> {
    let mut input = Input::read(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    if let Some(state) = &input.state {
        let (state, again) = States::of(seal, wait, &call).opened(state)?;
        if again {
            return visit::again(call, &state, &input);
        }
        input.state = Some(state);
        call.params = input.put(&call.params).map_err(|fault| Fault::invalid(fault.0))?;
    }
    Ok(call)
}

/// Reads a result that asks.
///
/// # Errors
/// [`Kind::Internal`] when it does not: whose answer is none is told where it comes in, with its
/// name (check 111).
pub(super) fn read(reply: &Reply) -> Result<InputRequired, Fault> {
    InputRequired::read(&reply.result).map_err(|fault| unfit(&fault.0))
}

/// Looks whether the client can answer all that is asked.
///
/// # Errors
/// [`Kind::MissingCapability`] with the first thing that it cannot.
pub(super) fn check(asks: &InputRequired, able: Abilities) -> Result<(), Fault> {
    let mut requests = asks.requests.iter();
    let lacking = requests.find_map(|one| Some((one, able.lacks(one.question, &one.params)?)));
    let Some((request, lacks)) = lacking else { return Ok(()) };
    let text = format!(
        "the server asks {} in this call, which needs client capabilities that were not declared",
        request.question.as_str()
    );
    Err(Fault::new(Kind::MissingCapability(lacks), text))
}

fn unfit(text: &str) -> Fault {
    Fault::new(Kind::Internal, format!("a question came through that is none: {text}"))
}

fn refused(why: &str) -> Fault {
    Fault::invalid(format!(
        "params.requestState: {why}; nothing was done. To begin anew, call without requestState"
    ))
}

/// What makes the request the same one: who, where, what, with which arguments.
fn fingerprint(call: &Call) -> String {
    let endpoint = match &call.endpoint {
        Endpoint::Merged => "",
        Endpoint::Mount(prefix) => prefix,
    };
    let mut text = String::new();
    for part in [&*call.caller.principal.0, endpoint, call.method.as_str()] {
        text.push_str(&json::quoted(part));
    }
    if let Ok(members) = Members::read(&call.params) {
        let kept = members.iter().filter(|(key, _)| !OF_THE_REQUEST.contains(key));
        write_sorted(kept.collect(), &mut text, 0);
    }
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Writes a value so that it is the same text for the same value, whatever order its members came
/// in and however its strings were escaped. Numbers stay as they were written.
fn write_value(value: &str, out: &mut String, depth: usize) {
    if depth < DEPTH_MAX {
        if let Ok(members) = Members::read(value) {
            return write_sorted(members.iter().collect(), out, depth);
        }
        if let Some(list) = json::elements(value) {
            out.push('[');
            for element in list {
                write_value(element, out, depth + 1);
                out.push(',');
            }
            out.push(']');
            return;
        }
        if let Some(text) = json::string(value) {
            out.push_str(&json::quoted(&text));
            return;
        }
    }
    out.push_str(value);
}

fn write_sorted(mut members: Vec<(&str, &str)>, out: &mut String, depth: usize) {
    members.sort_unstable();
    out.push('{');
    for (key, value) in members {
        out.push_str(&json::quoted(key));
        out.push(':');
        write_value(value, out, depth + 1);
        out.push(',');
    }
    out.push('}');
}

/// Whether a request of this method may be answered by a question.
pub(super) fn may_ask(method: &Method) -> bool {
    protocol::question::may_ask(method)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Caller;

    const WAIT: Duration = Duration::from_secs(600);

    fn call(params: &'static str) -> Call {
        Call::own(Method::ToolsCall, Raw::from_static(params), Caller::gateway())
    }

    fn asks(state: &str) -> Reply {
        let state = Some(Raw::of(state));
        let result = InputRequired { requests: Vec::new(), state }.to_raw();
        Reply::of(result, ReplyKind::InputRequired)
    }

    fn sealed(seal: &Seal, call: &Call, state: &str) -> Raw {
        let reply = States::of(seal, WAIT, call).close(&asks(state), Abilities::default());
        read(&reply.unwrap()).unwrap().state.unwrap()
    }

    #[test]
    fn c113_a_state_opens_for_the_same_request_of_the_same_principal_only() {
        let seal = Seal::new(None).unwrap();
        let first = call(r#"{"name":"t","arguments":{"a":"x","b":[1.0]}}"#);
        let state = sealed(&seal, &first, "child's");
        let open = |call: &Call| States::of(&seal, WAIT, call).open(&state);
        let same = call(r#"{ "arguments":{"b":[1.0], "a":"\u0078"},"name":"t","_meta":{"x":1}}"#);
        assert_eq!(open(&same).unwrap().as_str(), r#""child's""#);
        assert!(open(&call(r#"{"name":"t","arguments":{"a":"x","b":[1]}}"#)).is_err());
        assert!(open(&call(r#"{"name":"u","arguments":{"a":"x","b":[1.0]}}"#)).is_err());
        let other = Call { endpoint: Endpoint::Mount("m".into()), ..first.clone() };
        assert!(open(&other).is_err());
        let other = Call { method: Method::PromptsGet, ..first.clone() };
        assert!(open(&other).is_err());
        let caller =
            Caller { principal: crate::call::Principal::anonymous(), ..(*first.caller).clone() };
        assert!(open(&Call { caller: caller.into(), ..first.clone() }).is_err());
        assert!(States::of(&Seal::new(None).unwrap(), WAIT, &first).open(&state).is_err());
        assert!(States::of(&seal, WAIT, &first).open(&Raw::of("forged")).is_err());
    }

    #[test]
    fn c113_a_state_that_is_too_old_is_refused() {
        let seal = Seal::new(None).unwrap();
        let call = call(r#"{"name":"t"}"#);
        let states = States::of(&seal, WAIT, &call);
        let request = states.request.clone();
        let (state, until) = ("\"s\"".to_owned(), unix_seconds() - 1);
        let old = Sealed { state, request, until, again: false };
        let old = seal.close(PURPOSE, &serde_json::to_string(&old).unwrap()).unwrap();
        let fault = states.open(&Raw::of(&old)).unwrap_err();
        assert!(fault.text.contains("question_wait"), "{}", fault.text);
    }

    #[test]
    fn c116_a_long_state_comes_back_byte_for_byte() {
        let seal = Seal::new(None).unwrap();
        let call = call(r#"{"name":"t"}"#);
        let long = "\u{1}\"\\é".repeat(20_000);
        let state = sealed(&seal, &call, &long);
        assert_eq!(States::of(&seal, WAIT, &call).open(&state).unwrap(), Raw::of(&long));
        let longer = "x".repeat(SEALED_BYTES_MAX);
        let close = States::of(&seal, WAIT, &call).close(&asks(&longer), Abilities::default());
        assert!(close.is_err());
    }

    #[test]
    fn arguments_of_any_depth_are_compared() {
        let deep: &'static str = String::leak(format!(
            r#"{{"name":"t","arguments":{{"a":{}{}}}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        ));
        let seal = Seal::new(None).unwrap();
        let call = call(deep);
        let state = sealed(&seal, &call, "s");
        assert!(States::of(&seal, WAIT, &call).open(&state).is_ok());
    }
}
