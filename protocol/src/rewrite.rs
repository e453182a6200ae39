//! Every place of a message where a name or a URI stands, rewritten in one pass (digest 3.3).
//!
//! Never touched: `structuredContent`, text, blobs, icons, arguments, schemas.

use crate::json::{self, Members, ObjectEdit, Splice};
use crate::{NotJson, Raw};

/// What a URI becomes; `None` leaves it as it is.
pub type Map<'m> = &'m dyn Fn(&str) -> Option<String>;

/// Rewrites the URIs in the result of `tools/call`.
pub fn tool_result(result: &Raw, map: Map<'_>) -> Raw {
    walk(
        result,
        |walk, members| {
            walk.contents(members.get("content"));
            walk.ui_meta(members);
        },
        map,
    )
}

/// Rewrites the URIs in the result of a call that a task has inlined.
pub fn task_state(state: &Raw, map: Map<'_>) -> Raw {
    walk(
        state,
        |walk, members| {
            if let Some(Ok(result)) = members.get("result").map(Members::read) {
                walk.contents(result.get("content"));
                walk.ui_meta(&result);
            }
        },
        map,
    )
}

/// Rewrites the URIs in the result of `prompts/get`.
pub fn prompt_result(result: &Raw, map: Map<'_>) -> Raw {
    walk(
        result,
        |walk, members| {
            for message in members.get("messages").and_then(json::elements).unwrap_or_default() {
                if let Ok(message) = Members::read(message) {
                    walk.contents(message.get("content"));
                }
            }
        },
        map,
    )
}

/// Rewrites the URIs in the result of `resources/read`.
pub fn read_result(result: &Raw, map: Map<'_>) -> Raw {
    walk(
        result,
        |walk, members| {
            for item in members.get("contents").and_then(json::elements).unwrap_or_default() {
                if let Ok(item) = Members::read(item) {
                    walk.uri(&item, "uri");
                    walk.ui_meta(&item);
                }
            }
        },
        map,
    )
}

/// Rewrites the member `uri`: of a resource, of `resources/updated`, of an error's data.
pub fn uri_member(object: &Raw, map: Map<'_>) -> Raw {
    walk(object, |walk, members| walk.uri(members, "uri"), map)
}

/// Rewrites the URIs in the metadata of a tool (MCP Apps).
pub fn tool_entry(entry: &Raw, map: Map<'_>) -> Raw {
    walk(entry, |walk, members| walk.ui_meta(members), map)
}

/// Gives the string member `key` another value; a missing one is added.
///
/// # Errors
/// [`NotJson`] when `object` is no object or has a key twice.
pub fn set_string(object: &Raw, key: &str, value: &str) -> Result<Raw, NotJson> {
    let members = Members::read(object)?;
    let mut edit = ObjectEdit::new(&members);
    edit.set(key, json::quoted(value));
    Ok(edit.finish_raw())
}

/// Gives `object[outer][inner]` another string value.
///
/// # Errors
/// [`NotJson`] when one of the two is no object.
pub fn set_inner(object: &Raw, outer: &str, inner: &str, value: &str) -> Result<Raw, NotJson> {
    let members = Members::read(object)?;
    let within = Members::read(members.get(outer).unwrap_or("{}"))?;
    let within = ObjectEdit::new(&within).set(inner, json::quoted(value)).finish();
    Ok(ObjectEdit::new(&members).set(outer, within).finish_raw())
}

struct Walk<'a, 'm> {
    splice: Splice<'a>,
    map: Map<'m>,
}

fn walk<'a>(
    raw: &'a Raw,
    visit: impl FnOnce(&mut Walk<'a, '_>, &Members<'a>),
    map: Map<'_>,
) -> Raw {
    let may_have = ["uri", "Uri", "\\u"]
        .iter()
        .any(|part| memchr::memmem::find(raw.as_bytes(), part.as_bytes()).is_some());
    let Some(members) = may_have.then(|| Members::read(raw).ok()).flatten() else {
        return raw.clone();
    };
    let mut walk = Walk { splice: Splice::new(raw), map };
    visit(&mut walk, &members);
    if walk.splice.is_empty() { raw.clone() } else { Raw::from_spliced(walk.splice.finish()) }
}

impl<'a> Walk<'a, '_> {
    fn uri(&mut self, members: &Members<'a>, key: &str) {
        let Some(text) = members.get(key) else { return };
        if let Some(with) = json::string(text).and_then(|uri| (self.map)(&uri)) {
            self.splice.replace(text, json::quoted(&with));
        }
    }

    /// One content block, or an array of them.
    fn contents(&mut self, content: Option<&'a str>) {
        let Some(content) = content else { return };
        let blocks = match content.starts_with('[') {
            true => json::elements(content).unwrap_or_default(),
            false => vec![content],
        };
        for block in blocks {
            let Ok(block) = Members::read(block) else { continue };
            match block.get_string("type").as_deref() {
                Some("resource_link") => self.uri(&block, "uri"),
                Some("resource") => {
                    if let Some(Ok(resource)) = block.get("resource").map(Members::read) {
                        self.uri(&resource, "uri");
                    }
                }
                _ => {}
            }
        }
    }

    fn ui_meta(&mut self, members: &Members<'a>) {
        let Some(Ok(meta)) = members.get("_meta").map(Members::read) else { return };
        self.uri(&meta, "ui/resourceUri");
        if let Some(Ok(ui)) = meta.get("ui").map(Members::read) {
            self.uri(&ui, "resourceUri");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri;
    use bytes::Bytes;
    use expect_test::expect;
    use proptest::prelude::*;

    fn raw(text: &str) -> Raw {
        Raw::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
    }

    fn there(text: &str) -> Option<String> {
        Some(uri::expose("p", text))
    }

    fn back(text: &str) -> Option<String> {
        uri::restore("p", text)
    }

    #[test]
    fn c174_every_place_of_a_tool_result() {
        let result = raw(
            r#"{ "content":[{"type":"resource_link","uri":"a://b","name":"uri"},{"type":"text","text":"a://b"},
{"type":"resource","resource":{"uri":"file:///x","text":"uri"}}],"structuredContent":{"uri":"a://b"},"_meta":{"ui":{"resourceUri":"ui://x"},"ui/resourceUri":"ui://y"}}"#,
        );
        expect![[r#"
            { "content":[{"type":"resource_link","uri":"a://p/b","name":"uri"},{"type":"text","text":"a://b"},
            {"type":"resource","resource":{"uri":"file://p//x","text":"uri"}}],"structuredContent":{"uri":"a://b"},"_meta":{"ui":{"resourceUri":"ui://p/x"},"ui/resourceUri":"ui://p/y"}}"#]]
        .assert_eq(&tool_result(&result, &there));
        assert_eq!(tool_result(&tool_result(&result, &there), &back), result);
    }

    #[test]
    fn c174_every_place_of_a_task() {
        let state = raw(
            r#"{"taskId":"uri","result":{"content":[{"type":"resource_link","uri":"a://b"}],"_meta":{"ui":{"resourceUri":"ui://x"}}}}"#,
        );
        expect![[r#"{"taskId":"uri","result":{"content":[{"type":"resource_link","uri":"a://p/b"}],"_meta":{"ui":{"resourceUri":"ui://p/x"}}}}"#]]
            .assert_eq(&task_state(&state, &there));
    }

    #[test]
    fn c174_every_place_of_prompts_and_reads() {
        let prompt = raw(
            r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"urn:x"}}}]}"#,
        );
        expect![[r#"{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"p+urn:x"}}}]}"#]]
            .assert_eq(&prompt_result(&prompt, &there));
        let read =
            raw(r#"{"contents":[{"uri":"a://b","text":"t"},{"uri":"https://x/y","blob":""}]}"#);
        expect![[r#"{"contents":[{"uri":"a://p/b","text":"t"},{"uri":"https://x/y","blob":""}]}"#]]
            .assert_eq(&read_result(&read, &there));
    }

    fn json_text() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("null".to_owned()),
            "-?[1-9][0-9]{0,25}(\\.[0-9]{1,9})?",
            any::<String>().prop_map(|text| json::quoted(&text)),
            "[a-z]{1,4}://[a-z/]{0,9}".prop_map(|text| json::quoted(&text)),
        ];
        leaf.prop_recursive(3, 24, 4, |inside| {
            let key = prop_oneof![
                Just("uri"),
                Just("type"),
                Just("resource"),
                Just("content"),
                Just("_meta"),
                Just("ui"),
                Just("resourceUri"),
                Just("contents"),
                Just("x"),
            ];
            let object = prop::collection::btree_map(key, inside.clone(), 0..5).prop_map(|map| {
                let list: Vec<_> = map.iter().map(|(k, v)| format!(" \"{k}\" :{v}")).collect();
                format!("{{{}}}", list.join(" ,"))
            });
            let array = prop::collection::vec(inside, 0..4)
                .prop_map(|list| format!("[{}]", list.join(", ")));
            prop_oneof![object, array]
        })
    }

    proptest! {
        #[test]
        fn c174_through_both_directions_are_the_same_bytes(text in json_text()) {
            let whole = raw(&format!(r#"{{"content":{text},"contents":{text},"messages":[{{"content":{text}}}]}}"#));
            type Rewrite = fn(&Raw, Map<'_>) -> Raw;
            let all: [Rewrite; 5] =
                [tool_result, prompt_result, read_result, uri_member, tool_entry];
            for rewrite in all {
                let exposed = rewrite(&whole, &there);
                // A URI written with needless escapes comes back without them: the same JSON.
                let restored = rewrite(&exposed, &back);
                let same = serde_json::from_str::<serde_json::Value>(&restored).unwrap()
                    == serde_json::from_str::<serde_json::Value>(&whole).unwrap();
                prop_assert!(same);
            }
        }
    }
}
