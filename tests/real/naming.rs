//! What the gateway makes of a child's names and URIs, said a second time to check it.

use serde_json::Value;

/// `echo` of the mount `everything` is `everything_echo`.
pub(crate) fn name(mount: &str, name: &str) -> String {
    format!("{mount}_{name}")
}

/// `demo://a/b` of the mount `everything` is `demo://everything/a/b`.
pub(crate) fn uri(mount: &str, uri: &str) -> String {
    match uri.split_once("://") {
        Some((scheme, _)) if scheme == "http" || scheme == "https" => uri.to_owned(),
        Some((scheme, rest)) => format!("{scheme}://{mount}/{rest}"),
        None => format!("{mount}+{uri}"),
    }
}

/// The same step, asked of the gateway instead of the child.
pub(crate) fn ask(mount: &str, step: &Value) -> Value {
    let mut step = step.clone();
    for pointer in ["/name", "/trigger/name", "/ref/name"] {
        rename(&mut step, pointer, |old| name(mount, old));
    }
    for pointer in ["/uri", "/ref/uri"] {
        rename(&mut step, pointer, |old| uri(mount, old));
    }
    step
}

/// What the gateway's answer to a step should be, given the child's own.
pub(crate) fn answer(mount: &str, outcome: &Value) -> Value {
    let mut outcome = outcome.clone();
    for list in ["/result/contents", "/result/content", "/result/messages"] {
        for item in outcome.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            for pointer in ["/uri", "/resource/uri", "/content/uri", "/content/resource/uri"] {
                rename(item, pointer, |old| uri(mount, old));
            }
        }
    }
    for pointer in ["/updated", "/error/data/uri"] {
        rename(&mut outcome, pointer, |old| uri(mount, old));
    }
    outcome
}

/// An entry of a merged list, given the child's own entry.
pub(crate) fn entry(mount: &str, list: &str, item: &Value) -> Value {
    let mut item = item.clone();
    match list {
        "tools" | "prompts" => rename(&mut item, "/name", |old| name(mount, old)),
        "resources" => rename(&mut item, "/uri", |old| uri(mount, old)),
        "templates" => rename(&mut item, "/uriTemplate", |old| uri(mount, old)),
        other => panic!("no such list: {other}"),
    }
    item
}

fn rename(value: &mut Value, pointer: &str, new: impl Fn(&str) -> String) {
    if let Some(Value::String(text)) = value.pointer_mut(pointer) {
        *text = new(text);
    }
}
