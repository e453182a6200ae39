//! One entry of a child's list made fit for every client: mended where that loses nothing.
//!
//! The SDKs read a list as a whole: one member of a wrong kind in one entry, and their users see no
//! tool of any mount. So what the schemas of the revisions ask of an entry is asked here, once.

use std::borrow::Cow;

use protocol::Raw;
use protocol::json::{self, Members, ObjectEdit};

/// What a member has to be.
enum Want {
    Text,
    Flag,
    Number,
    /// A URI with its scheme.
    Uri,
    OneOf(&'static [&'static str]),
    /// An object; the members listed are as they say, others are anything.
    Object(&'static [Member]),
    Each(&'static Want),
    /// An object whose values are all objects.
    Objects,
}

pub(super) struct Member {
    key: &'static str,
    want: Want,
    needed: bool,
}

const fn may(key: &'static str, want: Want) -> Member {
    Member { key, want, needed: false }
}

const fn must(key: &'static str, want: Want) -> Member {
    Member { key, want, needed: true }
}

const ICON: Want = Want::Object(&[
    must("src", Want::Text),
    may("mimeType", Want::Text),
    may("sizes", Want::Each(&Want::Text)),
    may("theme", Want::OneOf(&["light", "dark"])),
]);

const ANNOTATIONS: Want = Want::Object(&[
    may("audience", Want::Each(&Want::OneOf(&["user", "assistant"]))),
    may("priority", Want::Number),
    may("lastModified", Want::Text),
]);

/// The members of `Tool`, in any revision.
pub(super) const TOOL: &[Member] = &[
    must("name", Want::Text),
    may("title", Want::Text),
    may("description", Want::Text),
    must(
        "inputSchema",
        Want::Object(&[
            must("type", Want::OneOf(&["object"])),
            may("properties", Want::Objects),
            may("required", Want::Each(&Want::Text)),
            may("$schema", Want::Text),
        ]),
    ),
    may("outputSchema", Want::Object(&[may("$schema", Want::Text)])),
    may(
        "annotations",
        Want::Object(&[
            may("title", Want::Text),
            may("readOnlyHint", Want::Flag),
            may("destructiveHint", Want::Flag),
            may("idempotentHint", Want::Flag),
            may("openWorldHint", Want::Flag),
        ]),
    ),
    may(
        "execution",
        Want::Object(&[may("taskSupport", Want::OneOf(&["forbidden", "optional", "required"]))]),
    ),
    may("icons", Want::Each(&ICON)),
    may("_meta", Want::Object(&[])),
];

/// The members of `Prompt`.
pub(super) const PROMPT: &[Member] = &[
    must("name", Want::Text),
    may("title", Want::Text),
    may("description", Want::Text),
    may(
        "arguments",
        Want::Each(&Want::Object(&[
            must("name", Want::Text),
            may("title", Want::Text),
            may("description", Want::Text),
            may("required", Want::Flag),
        ])),
    ),
    may("icons", Want::Each(&ICON)),
    may("_meta", Want::Object(&[])),
];

/// The members of `Resource`.
pub(super) const RESOURCE: &[Member] = &[
    must("uri", Want::Uri),
    must("name", Want::Text),
    may("title", Want::Text),
    may("description", Want::Text),
    may("mimeType", Want::Text),
    may("size", Want::Number),
    may("annotations", ANNOTATIONS),
    may("icons", Want::Each(&ICON)),
    may("_meta", Want::Object(&[])),
];

/// The members of `ResourceTemplate`.
pub(super) const TEMPLATE: &[Member] = &[
    must("uriTemplate", Want::Text),
    must("name", Want::Text),
    may("title", Want::Text),
    may("description", Want::Text),
    may("mimeType", Want::Text),
    may("annotations", ANNOTATIONS),
    may("icons", Want::Each(&ICON)),
    may("_meta", Want::Object(&[])),
];

pub(super) type Shape = &'static [Member];

/// The entry as every client can read it; other bytes than the mended ones stay as they are.
///
/// Mended are: optional members that are `null`, which are left out; an `inputSchema` without
/// `type`, which can only be `object`; and `true` or `false` as the schema of a property, which
/// mean the same as `{}` and `{"not":{}}`.
///
/// # Errors
/// The path of the first member that is wrong, what was expected there and what was found.
pub(super) fn fit(shape: Shape, raw: &Raw) -> Result<Raw, String> {
    let mended = mended_members(shape, raw).map(|text| raw_of(&text)).transpose()?;
    let raw = mended.as_ref().unwrap_or(raw);
    let members = Members::read(raw).map_err(|fault| fault.0)?;
    check_members("", shape, &members)?;
    Ok(raw.clone())
}

fn raw_of(text: &str) -> Result<Raw, String> {
    Raw::parse(bytes::Bytes::copy_from_slice(text.as_bytes())).map_err(|fault| fault.0)
}

/// The object in `text` mended, `None` when it is well as it is or no object.
fn mended_members(shape: Shape, text: &str) -> Option<String> {
    let members = Members::read(text).ok()?;
    let mut edit = ObjectEdit::new(&members);
    for member in shape {
        let Some(value) = members.get(member.key) else { continue };
        if value == "null" && !member.needed {
            edit.remove(member.key);
        } else if let Some(value) = mended_value(member, value) {
            edit.set(member.key, value);
        }
    }
    (!edit.is_empty()).then(|| edit.finish())
}

fn mended_value(member: &Member, value: &str) -> Option<String> {
    if matches!(member.key, "inputSchema" | "outputSchema") {
        return mended_schema(value, member.key == "inputSchema");
    }
    match member.want {
        Want::Object(shape) => mended_members(shape, value),
        Want::Each(Want::Object(shape)) => {
            let list = json::elements(value)?;
            let mended: Vec<_> = list.iter().map(|one| mended_members(shape, one)).collect();
            mended.iter().any(Option::is_some).then(|| {
                let texts = list.iter().zip(&mended);
                json::array(texts.map(|(old, new)| new.as_deref().unwrap_or(old))).to_string()
            })
        }
        _ => None,
    }
}

fn mended_schema(schema: &str, typed: bool) -> Option<String> {
    let members = Members::read(schema).ok()?;
    let mut edit = ObjectEdit::new(&members);
    if typed && members.get("type").is_none() {
        edit.set("type", "\"object\"");
    }
    let properties = members.get("properties").and_then(|text| Members::read(text).ok());
    let plain = properties.as_ref().and_then(|properties| {
        let mut edit = ObjectEdit::new(properties);
        for (key, value) in properties.iter() {
            match value {
                "true" => edit.set(key.to_owned(), "{}"),
                "false" => edit.set(key.to_owned(), r#"{"not":{}}"#),
                _ => continue,
            };
        }
        (!edit.is_empty()).then(|| edit.finish())
    });
    if let Some(plain) = plain {
        edit.set("properties", plain);
    }
    (!edit.is_empty()).then(|| edit.finish())
}

fn check_members(at: &str, shape: Shape, members: &Members<'_>) -> Result<(), String> {
    for member in shape {
        let path: Cow<'_, str> = match at {
            "" => member.key.into(),
            at => format!("{at}.{}", member.key).into(),
        };
        match members.get(member.key) {
            Some(value) => check(&path, &member.want, value)?,
            None if member.needed => return Err(format!("`{path}` is missing")),
            None => {}
        }
    }
    Ok(())
}

fn check(at: &str, want: &Want, value: &str) -> Result<(), String> {
    let first = value.as_bytes().first();
    let well = match want {
        Want::Text => first == Some(&b'"'),
        Want::Flag => matches!(value, "true" | "false"),
        Want::Number => first.is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit()),
        Want::Uri => json::string(value).is_some_and(|uri| has_scheme(&uri)),
        Want::OneOf(words) => {
            json::string(value).is_some_and(|word| words.contains(&word.as_ref()))
        }
        Want::Object(shape) if first == Some(&b'{') => {
            let members = Members::read(value).map_err(|fault| format!("`{at}`: {}", fault.0))?;
            return check_members(at, shape, &members);
        }
        Want::Objects if first == Some(&b'{') => {
            let members = Members::read(value).map_err(|fault| format!("`{at}`: {}", fault.0))?;
            return members.iter().try_for_each(|(key, value)| {
                check(&format!("{at}.{key}"), &Want::Object(&[]), value)
            });
        }
        Want::Each(one) if first == Some(&b'[') => {
            let list = json::elements(value).unwrap_or_default();
            return list
                .iter()
                .enumerate()
                .try_for_each(|(place, value)| check(&format!("{at}[{place}]"), one, value));
        }
        Want::Object(_) | Want::Objects | Want::Each(_) => false,
    };
    if well {
        Ok(())
    } else {
        Err(format!("`{at}`: expected {}, found {}", words(want), found(value)))
    }
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn words(want: &Want) -> String {
    match want {
        Want::Text => "a string".to_owned(),
        Want::Flag => "true or false".to_owned(),
        Want::Number => "a number".to_owned(),
        Want::Uri => "a URI with a scheme".to_owned(),
        Want::Object(_) | Want::Objects => "an object".to_owned(),
        Want::Each(_) => "an array".to_owned(),
        Want::OneOf(words) => {
            let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            quoted.join(" or ")
        }
    }
}

/// The value where it is short, else its kind.
fn found(value: &str) -> &str {
    const SHOWN_MAX: usize = 40;
    if value.len() <= SHOWN_MAX { value } else { json::kind_of(value) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on stops here")]

    use expect_test::expect;

    use super::*;

    fn tried(shape: Shape, text: &str) -> String {
        match fit(shape, &raw_of(text).unwrap()) {
            Ok(raw) if raw.as_str() == text => "as it is".to_owned(),
            Ok(raw) => raw.as_str().to_owned(),
            Err(reason) => format!("withheld: {reason}"),
        }
    }

    fn table(shape: Shape, texts: &[&str]) -> String {
        texts.iter().map(|text| format!("{}\n", tried(shape, text))).collect()
    }

    #[test]
    fn c160_what_a_tool_may_be() {
        let got = table(
            TOOL,
            &[
                r#"{"name":"a","inputSchema":{"type":"object"},"x":null}"#,
                r#"{"name":"a","inputSchema":{"type":"object"},"title":null,"annotations":{"title":null,"readOnlyHint":true}}"#,
                r#"{"name":"a","description":null,"inputSchema":{},"outputSchema":null}"#,
                r#"{"name":"a","inputSchema":{"type":"object","properties":{"v":true,"w":{"default":null},"n":false}}}"#,
                r#"{"name":"a","icons":[{"src":"i","theme":null},{"src":"j"}],"inputSchema":{"type":"object"}}"#,
                r#"{"name":"a","inputSchema":{"type":"string"}}"#,
                r#"{"name":"a","inputSchema":{"type":["object"]}}"#,
                r#"{"name":"a","inputSchema":null}"#,
                r#"{"name":"a","inputSchema":true}"#,
                r#"{"name":"a"}"#,
                r#"{"name":"a","inputSchema":{"properties":[]}}"#,
                r#"{"name":"a","inputSchema":{"properties":{"x":7}}}"#,
                r#"{"name":"a","inputSchema":{"required":"a"}}"#,
                r#"{"name":"a","inputSchema":{"required":["a",1]}}"#,
                r#"{"name":"a","inputSchema":{},"description":5}"#,
                r#"{"name":"a","inputSchema":{},"annotations":{"readOnlyHint":"yes"}}"#,
                r#"{"name":"a","inputSchema":{},"outputSchema":true}"#,
                r#"{"name":"a","inputSchema":{},"execution":{"taskSupport":"maybe"}}"#,
                r#"{"name":"a","inputSchema":{},"icons":[{"sizes":["48x48"]}]}"#,
                r#"{"name":"a","inputSchema":{},"_meta":7}"#,
            ],
        );
        expect![[r#"
            as it is
            {"name":"a","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}
            {"name":"a","inputSchema":{"type":"object"}}
            {"name":"a","inputSchema":{"type":"object","properties":{"v":{},"w":{"default":null},"n":{"not":{}}}}}
            {"name":"a","icons":[{"src":"i"},{"src":"j"}],"inputSchema":{"type":"object"}}
            withheld: `inputSchema.type`: expected "object", found "string"
            withheld: `inputSchema.type`: expected "object", found ["object"]
            withheld: `inputSchema`: expected an object, found null
            withheld: `inputSchema`: expected an object, found true
            withheld: `inputSchema` is missing
            withheld: `inputSchema.properties`: expected an object, found []
            withheld: `inputSchema.properties.x`: expected an object, found 7
            withheld: `inputSchema.required`: expected an array, found "a"
            withheld: `inputSchema.required[1]`: expected a string, found 1
            withheld: `description`: expected a string, found 5
            withheld: `annotations.readOnlyHint`: expected true or false, found "yes"
            withheld: `outputSchema`: expected an object, found true
            withheld: `execution.taskSupport`: expected "forbidden" or "optional" or "required", found "maybe"
            withheld: `icons[0].src` is missing
            withheld: `_meta`: expected an object, found 7
        "#]].assert_eq(&got);
    }

    #[test]
    fn c160_what_prompts_resources_and_templates_may_be() {
        let prompts = table(
            PROMPT,
            &[
                r#"{"name":"p","arguments":[{"name":"a","description":null,"required":false}]}"#,
                r#"{"name":"p","arguments":null}"#,
                r#"{"name":"p","arguments":{}}"#,
                r#"{"name":"p","arguments":[{"required":true}]}"#,
                r#"{"name":"p","arguments":[{"name":"a","required":"no"}]}"#,
            ],
        );
        let resources = table(
            RESOURCE,
            &[
                r#"{"uri":"file:///a","name":"a","size":null,"annotations":{"audience":["user"],"priority":0.5}}"#,
                r#"{"uri":"file:///a"}"#,
                r#"{"uri":"a.txt","name":"a"}"#,
                r#"{"uri":"file:///a","name":"a","size":"7"}"#,
                r#"{"uri":"file:///a","name":"a","annotations":{"audience":["everyone"]}}"#,
            ],
        );
        let templates = table(
            TEMPLATE,
            &[
                r#"{"uriTemplate":"file:///{x}","name":"a"}"#,
                r#"{"uriTemplate":"file:///{x}","name":null}"#,
            ],
        );
        expect![[r#"
            {"name":"p","arguments":[{"name":"a","required":false}]}
            {"name":"p"}
            withheld: `arguments`: expected an array, found {}
            withheld: `arguments[0].name` is missing
            withheld: `arguments[0].required`: expected true or false, found "no"

            {"uri":"file:///a","name":"a","annotations":{"audience":["user"],"priority":0.5}}
            withheld: `name` is missing
            withheld: `uri`: expected a URI with a scheme, found "a.txt"
            withheld: `size`: expected a number, found "7"
            withheld: `annotations.audience[0]`: expected "user" or "assistant", found "everyone"

            as it is
            withheld: `name`: expected a string, found null
        "#]]
        .assert_eq(&format!("{prompts}\n{resources}\n{templates}"));
    }
}
