//! Objects seen as members of text, and edited in place: every byte not edited stays as it was.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{NotJson, Raw};

/// Beyond this many members, duplicate keys are looked for in a set instead of by comparing.
const MEMBERS_COMPARED_MAX: usize = 16;

/// The members of one JSON object, in order, each value as a slice of the object's text.
///
/// A key that stands twice is refused: two readers of the same message could take different ones.
#[derive(Debug)]
pub struct Members<'a> {
    text: &'a str,
    list: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Members<'a> {
    /// Reads the object in `text`.
    ///
    /// # Errors
    /// [`NotJson`] when `text` is not one object, or a key stands twice in it.
    pub fn read(text: &'a str) -> Result<Self, NotJson> {
        if !text.starts_with('{') {
            return Err(NotJson(format!("expected an object, found {}", kind_of(text))));
        }
        let Listed(list) =
            serde_json::from_str(text).map_err(|fault| NotJson(fault.to_string()))?;
        if let Some(twice) = first_duplicate(&list) {
            return Err(NotJson(format!("the member `{twice}` stands twice")));
        }
        Ok(Self { text, list })
    }

    /// The value of `key` as text.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.list.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The value of `key` as a string; `None` when it is absent or not a string.
    pub fn get_string(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(string)
    }

    /// All members in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.list.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Byte offset in the text where `part`, one of the values, begins.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.as_ptr() as usize
    }
}

/// What a JSON text begins as, in words.
pub fn kind_of(text: &str) -> &'static str {
    match text.as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        Some(_) => "a number",
        None => "nothing",
    }
}

/// The JSON string in `text`, unescaped; `None` when it is no string.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(text).ok().map(|Text(text)| text)
}

/// `text` as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The elements of the array in `text`, each a slice of it; `None` when it is no array.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let list: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(list.into_iter().map(RawValue::get).collect())
}

/// Replaces parts of a text; the parts are slices of that text.
#[derive(Debug)]
pub struct Splice<'a> {
    text: &'a str,
    cuts: Vec<(usize, usize, Cow<'a, str>)>,
}

impl<'a> Splice<'a> {
    /// Nothing replaced yet.
    pub fn new(text: &'a str) -> Self {
        Self { text, cuts: Vec::new() }
    }

    /// Puts `with` in the place of `part`, a slice of the text. Parts must not overlap.
    pub fn replace(&mut self, part: &str, with: impl Into<Cow<'a, str>>) {
        let at = part.as_ptr() as usize - self.text.as_ptr() as usize;
        self.cuts.push((at, at + part.len(), with.into()));
    }

    fn replace_range(&mut self, start: usize, end: usize, with: impl Into<Cow<'a, str>>) {
        self.cuts.push((start, end, with.into()));
    }

    /// Whether anything is replaced.
    pub fn is_empty(&self) -> bool {
        self.cuts.is_empty()
    }

    /// The text with the replacements.
    pub fn finish(mut self) -> String {
        self.cuts.sort_by_key(|(start, end, _)| (*start, *end));
        let grown: usize = self.cuts.iter().map(|(_, _, with)| with.len()).sum();
        let mut out = String::with_capacity(self.text.len() + grown);
        let mut at = 0;
        for (start, end, with) in &self.cuts {
            out.push_str(self.text.get(at..*start).unwrap_or_default());
            out.push_str(with);
            at = *end;
        }
        out.push_str(self.text.get(at..).unwrap_or_default());
        out
    }
}

/// Sets and removes members of one object, leaving every other byte as it is.
#[derive(Debug)]
pub struct ObjectEdit<'a> {
    members: &'a Members<'a>,
    set: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    removed: Vec<&'a str>,
}

impl<'a> ObjectEdit<'a> {
    /// Nothing changed yet.
    pub fn new(members: &'a Members<'a>) -> Self {
        Self { members, set: Vec::new(), removed: Vec::new() }
    }

    /// Gives `key` the JSON text `value`, in its place or, when new, at the end.
    pub fn set(
        &mut self,
        key: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
    ) -> &mut Self {
        self.set.push((key.into(), value.into()));
        self
    }

    /// Takes `key` out, if it is there.
    pub fn remove(&mut self, key: &'a str) -> &mut Self {
        if self.members.get(key).is_some() {
            self.removed.push(key);
        }
        self
    }

    /// Whether the object stays as it is.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    /// The edited text.
    pub fn finish(&self) -> String {
        let text = self.members.text;
        let mut splice = Splice::new(text);
        let mut kept = false;
        let mut end_before = 1;
        for (key, value) in self.members.iter() {
            let end = self.members.offset(value) + value.len();
            if self.removed.contains(&key) {
                splice.replace_range(end_before, end, "");
            } else {
                if !kept && end_before > 1 {
                    let comma = text.get(end_before..).and_then(|rest| rest.find(','));
                    let comma = end_before + comma.unwrap_or_default();
                    splice.replace_range(end_before, comma + 1, "");
                }
                if let Some((_, with)) = self.set.iter().rev().find(|(name, _)| name == key) {
                    splice.replace(value, with.as_ref());
                }
                kept = true;
            }
            end_before = end;
        }
        let mut fresh = String::new();
        for (at, (key, value)) in self.set.iter().enumerate() {
            let later = self.set.get(at + 1..).unwrap_or_default();
            if self.members.get(key).is_some() || later.iter().any(|(name, _)| name == key) {
                continue;
            }
            if kept || !fresh.is_empty() {
                fresh.push(',');
            }
            fresh.push_str(&quoted(key));
            fresh.push(':');
            fresh.push_str(value);
        }
        if !fresh.is_empty() {
            splice.replace_range(end_before, end_before, fresh);
        }
        splice.finish()
    }

    /// The edited object.
    pub fn finish_raw(&self) -> Raw {
        Raw::from_spliced(self.finish())
    }
}

/// Writes a new object, member by member, from texts that are JSON.
#[derive(Debug)]
pub struct ObjectWriter(String);

impl Default for ObjectWriter {
    fn default() -> Self {
        Self("{".to_owned())
    }
}

impl ObjectWriter {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member whose value is the JSON text `value`.
    #[must_use]
    pub fn raw(mut self, key: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// Adds a string.
    #[must_use]
    pub fn string(self, key: &str, value: &str) -> Self {
        let value = quoted(value);
        self.raw(key, &value)
    }

    /// Adds a member when there is a value.
    #[must_use]
    pub fn optional(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self,
        }
    }

    /// The object.
    pub fn finish(mut self) -> Raw {
        self.0.push('}');
        Raw::from_spliced(self.0)
    }
}

/// Joins JSON texts to an array.
pub fn array<'a>(items: impl IntoIterator<Item = &'a str>) -> Raw {
    let mut text = String::from("[");
    for item in items {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push(']');
    Raw::from_spliced(text)
}

fn first_duplicate<'l>(list: &'l [(Cow<'_, str>, &str)]) -> Option<&'l str> {
    if list.len() <= MEMBERS_COMPARED_MAX {
        return list.iter().enumerate().find_map(|(at, (key, _))| {
            let before = list.get(..at).unwrap_or_default();
            before.iter().any(|(name, _)| name == key).then_some(key.as_ref())
        });
    }
    let mut seen = HashSet::with_capacity(list.len());
    list.iter().find_map(|(key, _)| (!seen.insert(key.as_ref())).then_some(key.as_ref()))
}

/// A string that borrows from the text unless it has escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

struct Listed<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Listed<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Listed<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut list = Vec::new();
                while let Some((Text(key), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    list.push((key, value.get()));
                }
                Ok(Listed(list))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn edit(text: &str, remove: &[&str], set: &[(&str, &str)], expected: &Expect) {
        let members = Members::read(text).unwrap();
        let mut edit = ObjectEdit::new(&members);
        for key in remove {
            edit.remove(key);
        }
        for (key, value) in set {
            edit.set(*key, *value);
        }
        expected.assert_eq(&edit.finish());
    }

    #[test]
    fn untouched_bytes_stay() {
        let odd = r#"{ "a" : 1.50e+01 , "b":[ 1,2 ], "n\u0061me" : "x" }"#;
        edit(odd, &[], &[], &expect![[r#"{ "a" : 1.50e+01 , "b":[ 1,2 ], "n\u0061me" : "x" }"#]]);
        edit(odd, &["a"], &[], &expect![[r#"{ "b":[ 1,2 ], "n\u0061me" : "x" }"#]]);
        edit(odd, &["b"], &[], &expect![[r#"{ "a" : 1.50e+01, "n\u0061me" : "x" }"#]]);
        edit(odd, &["a", "b", "name"], &[("c", "1")], &expect![[r#"{"c":1 }"#]]);
        edit(odd, &["a", "b"], &[("name", "2")], &expect![[r#"{ "n\u0061me" : 2 }"#]]);
        edit("{}", &[], &[("c", "1"), ("c", "2"), ("d", "3")], &expect![[r#"{"c":2,"d":3}"#]]);
    }

    #[test]
    fn a_duplicate_key_is_refused_even_when_written_differently() {
        let fault = Members::read(r#"{"name":"safe","n\u0061me":"evil"}"#).unwrap_err();
        expect!["the member `name` stands twice"].assert_eq(&fault.0);
    }

    #[test]
    fn an_array_is_no_object() {
        let fault = Members::read("[1]").unwrap_err();
        expect!["expected an object, found an array"].assert_eq(&fault.0);
    }
}
