//! One routed call: the child's own names and URIs there, the exposed ones on the way back.

use std::sync::Arc;

use protocol::json::{self, Members, ObjectEdit};
use protocol::{Method, Raw, rewrite, uri};

use super::lookup::{Named, not_offered, with_uri};
use super::mounted::Mounted;
use super::tasks;
use super::view::{Snapshot, Target, View};
use crate::call::{Call, Fault, Kind, Reply, ReplyKind, Serve};

/// Values of one completion that a client may be given.
const COMPLETION_VALUES_MAX: usize = 100;

impl Snapshot {
    /// `tools/call` and `prompts/get`.
    pub(super) async fn named(
        &self,
        view: &View,
        mut call: Call,
        kind: Named,
    ) -> Result<Reply, Fault> {
        let asked = string_member(&call.params, "name")?;
        let of = (&call.endpoint, &call.caller.capabilities);
        let target = self.name(of, view, kind, &asked)?;
        check_mirrored(&call, &target)?;
        if target.key != asked {
            call.params = set(&call.params, "name", &target.key)?;
        }
        call.mirrored = Arc::clone(&target.mirrored);
        let mounted = self.mounted(&target)?;
        let method = call.method.clone();
        let served = mounted.serve.serve(call).await;
        let reply = served.map_err(|fault| Self::unlisted(view, kind, &asked, fault))?;
        if reply.kind == ReplyKind::Task {
            return tasks::created(reply, mounted);
        }
        Ok(match (exposes(view, mounted), &method) {
            (false, _) => reply,
            (true, Method::ToolsCall) => with(reply, mounted, rewrite::tool_result),
            (true, _) => with(reply, mounted, rewrite::prompt_result),
        })
    }

    /// `resources/read`.
    pub(super) async fn read(&self, view: &View, mut call: Call) -> Result<Reply, Fault> {
        let asked = string_member(&call.params, "uri")?;
        let target = self.uri(&call.endpoint, view, &asked)?;
        if target.key != asked {
            call.params = set(&call.params, "uri", &target.key)?;
        }
        let mounted = self.mounted(&target)?;
        match mounted.serve.serve(call).await {
            Ok(reply) if exposes(view, mounted) => Ok(with(reply, mounted, rewrite::read_result)),
            Ok(reply) => Ok(reply),
            Err(Fault { kind: Kind::Child(error), text, log }) => {
                Err(Fault { kind: Kind::Child(with_uri(&error, &asked)), text, log })
            }
            Err(fault) => Err(fault),
        }
    }

    /// `completion/complete`.
    pub(super) async fn complete(&self, view: &View, mut call: Call) -> Result<Reply, Fault> {
        if !view.capabilities.completions {
            return Err(not_offered(call.method.as_str()));
        }
        let members = read_params(&call.params)?;
        let reference = members.get("ref").unwrap_or("null");
        let inside = Members::read(reference)
            .map_err(|fault| Fault::invalid(format!("params.ref: {fault}")))?;
        let (member, target) = match inside.get_string("type").as_deref() {
            Some("ref/prompt") => {
                let asked = inside.get_string("name").ok_or_else(|| absent("params.ref.name"))?;
                let of = (&call.endpoint, &call.caller.capabilities);
                ("name", self.name(of, view, Named::Prompt, &asked)?)
            }
            Some("ref/resource") => {
                let asked = inside.get_string("uri").ok_or_else(|| absent("params.ref.uri"))?;
                ("uri", self.uri(&call.endpoint, view, &asked)?)
            }
            other => {
                let came = other.unwrap_or("nothing");
                return Err(Fault::invalid(format!(
                    "params.ref.type: expected `ref/prompt` or `ref/resource`, found `{came}`"
                )));
            }
        };
        let params = rewrite::set_inner(&call.params, "ref", member, &target.key)
            .map_err(|fault| Fault::invalid(format!("params: {fault}")))?;
        call.params = params;
        self.mounted(&target)?.serve.serve(call).await.map(bounded_completion)
    }

    fn mounted(&self, target: &Target) -> Result<&Mounted, Fault> {
        let mounted = self.mounts.get(target.place).map(Arc::as_ref);
        mounted.ok_or_else(|| Fault::new(Kind::Internal, "a route leads to no mount"))
    }

    /// The exposed form of a URI that the mount at `place` sent.
    pub(super) fn exposed(&self, view: &View, place: usize, own: &str) -> Option<String> {
        let mounted = self.mounts.get(place)?;
        exposes(view, mounted).then(|| uri::expose(&mounted.prefix, own))
    }
}

/// Whether what the mount sends has URIs to rewrite.
pub(super) fn exposes(view: &View, mounted: &Mounted) -> bool {
    !view.bare && !mounted.shape.keep_uris && !mounted.prefix.is_empty()
}

fn with(reply: Reply, mounted: &Mounted, rewrite: impl Fn(&Raw, rewrite::Map<'_>) -> Raw) -> Reply {
    if reply.kind == ReplyKind::InputRequired {
        return reply;
    }
    let exposed = |own: &str| Some(uri::expose(&mounted.prefix, own));
    Reply { result: rewrite(&reply.result, &exposed), ..reply }
}

/// A completion with no more values than the protocol allows (check 162).
fn bounded_completion(reply: Reply) -> Reply {
    let cut = || {
        let members = Members::read(&reply.result).ok()?;
        let inside = Members::read(members.get("completion")?).ok()?;
        let values = json::elements(inside.get("values")?)?;
        let kept = values.get(..COMPLETION_VALUES_MAX).filter(|kept| kept.len() < values.len())?;
        let mut edit = ObjectEdit::new(&inside);
        edit.set("values", json::array(kept.iter().copied()).to_string());
        let inside = edit.set("hasMore", "true").finish();
        Some(ObjectEdit::new(&members).set("completion", inside).finish_raw())
    };
    match cut() {
        Some(result) => Reply { result, ..reply },
        None => reply,
    }
}

/// The headers that mirror arguments agree with the body (check 53); a transport without headers
/// has nothing to check.
fn check_mirrored(call: &Call, target: &Target) -> Result<(), Fault> {
    let Some(headers) = &call.param_headers else { return Ok(()) };
    for mirrored in target.mirrored.iter() {
        let came = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(&mirrored.header));
        let came = came.map(|(_, value)| value.as_str());
        mirrored
            .check(came, &call.params)
            .map_err(|text| Fault::new(Kind::HeaderMismatch, text))?;
    }
    Ok(())
}

pub(super) fn read_params(params: &Raw) -> Result<Members<'_>, Fault> {
    Members::read(params).map_err(|fault| Fault::invalid(format!("params: {fault}")))
}

pub(super) fn string_member(params: &Raw, key: &str) -> Result<String, Fault> {
    let members = read_params(params)?;
    let Some(text) = members.get(key) else { return Err(absent(&format!("params.{key}"))) };
    json::string(text).map(std::borrow::Cow::into_owned).ok_or_else(|| {
        let came = json::kind_of(text);
        Fault::invalid(format!("params.{key}: expected a string, found {came}"))
    })
}

fn absent(what: &str) -> Fault {
    Fault::invalid(format!("{what} is missing: expected a string"))
}

fn set(params: &Raw, key: &str, value: &str) -> Result<Raw, Fault> {
    rewrite::set_string(params, key, value)
        .map_err(|fault| Fault::invalid(format!("params: {fault}")))
}
