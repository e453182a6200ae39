//! Which connection a call belongs on: whose it is, and what its client can be asked.

use std::time::Duration;

use protocol::json::{self, Members};
use protocol::question::Abilities;
use protocol::{Method, Raw, rewrite, task};

use crate::call::{Call, Principal, Reply, ReplyKind};
use crate::config::Share;

/// How the clients of a child share the connections to it.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    /// Who shares one.
    pub share: Share,
    /// Whether a child that all share has but one, whatever its clients can be asked: where each
    /// would be another process, or another state that is to be shared.
    pub only_one: bool,
    /// What the child can ask of whoever calls: what the configuration answers.
    pub answered: Abilities,
    /// Connections beside the first where not everybody shares one.
    pub links_max: usize,
    /// One of these that was not used for so long is closed.
    pub link_idle: Duration,
}

/// Whose a connection is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    All,
    Principal(Principal),
    Session(u64, Principal),
}

/// The connection that a call belongs on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    owner: Owner,
    /// What the child is told that its clients can be asked.
    pub(super) able: Abilities,
}

impl Key {
    /// Whether nothing but what its clients can be asked sets it apart from the first connection.
    pub(super) fn is_shared(&self) -> bool {
        self.owner == Owner::All
    }
}

impl Sharing {
    /// How many connections beside the first there may be.
    pub(super) fn max(&self) -> usize {
        match self.share {
            Share::All => Abilities::SETS,
            Share::Caller | Share::Session => self.links_max,
        }
    }

    /// The connection that `call` belongs on, `None` for the first; `told_once` says of the child
    /// that it keeps what the handshake told it.
    pub(super) fn key(&self, call: &Call, told_once: bool) -> Option<Key> {
        let calls = matches!(
            call.method,
            Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead | Method::Complete
        );
        // What a listen is about is told where the calls run that bring it about: of resources,
        // where not all calls are on the first connection; of tasks, where the task is.
        let apart = self.share != Share::All || told_once;
        let news = call.method == Method::Listen
            && (apart || !matches!(task::listened(&call.params), Ok(None)));
        if !calls && !news && !call.method.is_of_task() {
            return None;
        }
        let able = match told_once {
            true => {
                let able = call.begun_with;
                able.unwrap_or_else(|| Abilities::read(&call.caller.capabilities))
                    .and(self.answered)
            }
            false => Abilities::ALL,
        };
        let principal = call.caller.principal.clone();
        let owner = match (self.share, call.caller.session) {
            (Share::All, _) if able == Abilities::ALL => return None,
            (Share::All, _) => Owner::All,
            (Share::Session, Some(session)) => Owner::Session(session, principal),
            _ => Owner::Principal(principal),
        };
        Some(Key { owner, able })
    }
}

/// `reply` of a connection for clients that can be asked this. What its client is to come back with
/// says so, unless the call waits where each connection finds it.
pub(super) fn marked(reply: Reply, able: Abilities) -> Reply {
    if reply.kind != ReplyKind::InputRequired || reply.parked {
        return reply;
    }
    let marked = || {
        let state = state_of(&reply.result)?;
        let state = task::nest(&able.number().to_string(), &state);
        rewrite::set_string(&reply.result, STATE, &state).ok()
    };
    match marked() {
        Some(result) => Reply { result, ..reply },
        None => reply,
    }
}

/// `call` with the state that the connection gave, and the mark of that connection beside it.
pub(super) fn unmarked(mut call: Call) -> Call {
    let unmarked = || {
        let state = state_of(&call.params)?;
        let (able, state) = task::unnest(&state)?;
        let able = Abilities::of_number(able.parse().ok()?)?;
        Some((able, rewrite::set_string(&call.params, STATE, state).ok()?))
    };
    if let Some((able, params)) = unmarked() {
        call.begun_with = Some(able);
        call.params = params;
    }
    call
}

/// The member of a result, and of the params of a call, that a client brings back.
const STATE: &str = "requestState";

fn state_of(object: &Raw) -> Option<String> {
    // Few calls are such that were begun before.
    memchr::memmem::find(object.as_bytes(), STATE.as_bytes())?;
    json::string(Members::read(object).ok()?.get(STATE)?).map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

    use std::sync::Arc;
    use std::time::Duration;

    use protocol::question::Abilities;
    use protocol::{Method, Raw};

    use super::{Sharing, marked, unmarked};
    use crate::call::{Call, Caller, Reply, ReplyKind};
    use crate::config::Share;

    fn sharing(share: Share, answered: Abilities) -> Sharing {
        let link_idle = Duration::from_secs(60);
        Sharing { share, only_one: false, answered, links_max: 2, link_idle }
    }

    fn call(method: Method, capabilities: &'static str, session: Option<u64>) -> Call {
        let capabilities = Raw::from_static(capabilities);
        let caller = Caller { capabilities, session, ..(*Caller::gateway()).clone() };
        Call::own(method, Raw::default(), Arc::new(caller))
    }

    #[test]
    fn c107_what_a_client_declared_sets_its_connection_apart() {
        let all = sharing(Share::All, Abilities::default());
        let of = |capabilities| all.key(&call(Method::ToolsCall, capabilities, None), true);
        let (none, form) = (of("{}").unwrap(), of(r#"{"elicitation":{}}"#).unwrap());
        assert_ne!(none, form);
        assert_eq!(Some(&form), of(r#"{"elicitation":{"form":{}},"x":1}"#).as_ref());
        let full = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#;
        assert_eq!(of(full), None, "the first is for those who can do everything");
        assert_eq!(all.key(&call(Method::ToolsList, "{}", None), true), None);
        let filter = r#"{"notifications":{"resourceSubscriptions":["a:b"]}}"#;
        let listen = Call { params: Raw::from_static(filter), ..call(Method::Listen, "{}", None) };
        assert_eq!(all.key(&listen, true), Some(none), "where its calls are");
        assert_eq!(all.key(&listen, false), None, "each call tells it itself");
        let session = sharing(Share::Session, Abilities::default());
        let of = |session_of, told| session.key(&call(Method::ToolsCall, "{}", session_of), told);
        assert_ne!(of(Some(1), true), of(Some(2), true));
        assert_eq!(of(None, true).unwrap().able, Abilities::default());
        assert_eq!(of(None, false).unwrap().able, Abilities::ALL, "each call tells it itself");
        let roots = Abilities { roots: true, ..Abilities::default() };
        let answered = sharing(Share::All, roots);
        let of = |capabilities| answered.key(&call(Method::ToolsCall, capabilities, None), true);
        assert_eq!(of("{}"), of(r#"{"roots":{}}"#), "roots of the configuration");
    }

    #[test]
    fn who_comes_back_finds_the_connection_that_asked() {
        let form = Abilities { form: true, ..Abilities::default() };
        let asks = Raw::from_static(r#"{"resultType":"input_required","requestState":"a/b"}"#);
        let reply = marked(Reply::of(asks.clone(), ReplyKind::InputRequired), form);
        let mut back = call(Method::ToolsCall, "{}", None);
        back.params = reply.result;
        let back = unmarked(back);
        assert_eq!(back.params, asks);
        let all = sharing(Share::All, Abilities::default());
        assert_eq!(all.key(&back, true).unwrap().able, form);
        let parked = Reply { parked: true, ..Reply::of(asks.clone(), ReplyKind::InputRequired) };
        assert_eq!(marked(parked, form).result, asks);
        let foreign = Call { params: asks.clone(), begun_with: None, ..back };
        assert_eq!(unmarked(foreign).params, asks);
    }
}
