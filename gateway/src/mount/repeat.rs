//! Which faults let a call be sent again: never one that may have been executed, unless that does
//! no harm.

use std::time::Duration;

use protocol::Method;
use protocol::json::Members;

use crate::call::{Call, Fault, Kind, Offer};

/// The pause before the same replica gets a call again, twice as long each time.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Where a call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Nowhere.
    Never,
    /// To another replica: this one says when to come again.
    Elsewhere,
    /// To another replica, or after a pause to the same one.
    Anywhere,
}

/// Where a call may go after this fault; `harmless` says whether it does no harm twice.
pub(super) fn again(fault: &Fault, harmless: impl FnOnce() -> bool) -> Again {
    match fault.kind {
        Kind::Unreachable { unauthorized: true, .. } => Again::Never,
        Kind::Unreachable { retry_after: Some(_), .. } => Again::Elsewhere,
        Kind::Unreachable { .. } => Again::Anywhere,
        Kind::OutcomeUnknown { .. } if harmless() => Again::Anywhere,
        // Silence has cost the caller its time already, garbage comes again.
        _ => Again::Never,
    }
}

/// Whether a call does no harm when it is executed twice: a read, or a tool that says so where the
/// mount trusts that.
pub(super) fn is_harmless(call: &Call, trust_annotations: bool, offer: Option<&Offer>) -> bool {
    if call.method.is_read() {
        return true;
    }
    let says_so = || {
        let params = Members::read(&call.params).ok()?;
        let name = params.get_string("name")?;
        let tool = offer?.tools.iter().find(|tool| tool.key == name)?;
        let tool = Members::read(&tool.raw).ok()?;
        let hints = Members::read(tool.get("annotations")?).ok()?;
        let is = |hint: &str| hints.get(hint) == Some("true");
        Some(is("readOnlyHint") || is("idempotentHint"))
    };
    call.method == Method::ToolsCall && trust_annotations && says_so().unwrap_or_default()
}

/// The pause before the repetition of this number, from 0, with chance in it so that calls that
/// failed together do not come together.
pub(super) fn pause(number: u32) -> Duration {
    let pause = PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(number)).min(PAUSE_MAX);
    pause.mul_f64(0.5 + rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use protocol::{ErrorObject, Method, Raw};

    use super::{Again, PAUSE_MAX, again, is_harmless, pause};
    use crate::call::{Call, Caller, Entry, Fault, Kind, Offer};

    fn unreachable(retry_after: Option<Duration>, unauthorized: bool) -> Kind {
        let mount = "m".into();
        Kind::Unreachable { mount, state: "down", since: 0, retry_after, unauthorized }
    }

    #[test]
    fn a_call_goes_again_only_where_it_did_nothing_or_does_no_harm() {
        let unknown = || Kind::OutcomeUnknown { mount: "m".into() };
        for (kind, harmless, expected) in [
            (unreachable(None, false), false, Again::Anywhere),
            (unreachable(Some(Duration::from_secs(1)), false), false, Again::Elsewhere),
            (unreachable(None, true), true, Again::Never),
            (unknown(), true, Again::Anywhere),
            (unknown(), false, Again::Never),
            (Kind::Timeout { mount: "m".into() }, true, Again::Never),
            (Kind::BadAnswer { mount: "m".into() }, true, Again::Never),
            (Kind::Child(ErrorObject::new(-32603, "no")), true, Again::Never),
            (Kind::Cancelled, true, Again::Never),
            (Kind::Internal, true, Again::Never),
        ] {
            let fault = Fault::new(kind.clone(), "");
            assert_eq!(again(&fault, || harmless), expected, "{kind:?} {harmless}");
        }
    }

    #[test]
    fn hints_of_a_tool_count_only_where_they_are_trusted() {
        let tool = |hints: &str| {
            let raw = format!(r#"{{"name":"t","annotations":{{{hints}}}}}"#);
            let raw = Raw::parse(raw.into()).unwrap();
            let entry = Entry { key: "t".to_owned(), raw, mirrored: Arc::default() };
            Offer { tools: vec![entry], ..Offer::default() }
        };
        let call = |method: Method| {
            let params = Raw::parse(r#"{"name":"t"}"#.to_owned().into()).unwrap();
            Call::own(method, params, Caller::gateway())
        };
        let (tools, read) = (call(Method::ToolsCall), call(Method::ResourcesRead));
        for (hints, says) in [
            (r#""readOnlyHint":true"#, true),
            (r#""idempotentHint":true"#, true),
            (r#""readOnlyHint":false"#, false),
            (r#""readOnlyHint":"true""#, false),
            ("", false),
        ] {
            let offer = tool(hints);
            assert_eq!(is_harmless(&tools, true, Some(&offer)), says, "{hints}");
            assert!(!is_harmless(&tools, false, Some(&offer)), "{hints} is not trusted");
        }
        assert!(!is_harmless(&tools, true, None), "a tool that no list shows");
        assert!(is_harmless(&read, false, None));
    }

    #[test]
    fn pauses_grow_and_end() {
        assert!(pause(0) < Duration::from_millis(76));
        assert!(pause(4) >= Duration::from_millis(400));
        assert!(pause(40) <= PAUSE_MAX.mul_f64(1.5));
    }
}
