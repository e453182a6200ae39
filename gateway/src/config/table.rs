//! Takes known keys out of a table, each with its type and bounds; what is left is not known.

use figment::value::{Dict, Num, Value};

use super::keys::{Key, Kind, find};
use super::quantity::{NotRead, SIZE, Scale, TIME};
use super::reading::{At, Found, Layer, Reading};
use super::shown::quoted;
use super::suggest::{Advice, advice};

/// Longest list and largest table of any keys.
pub(super) const ENTRIES_MAX: usize = 1000;

/// A table while it is read.
pub(super) struct Table {
    pub(super) at: At,
    keys: &'static [&'static Key],
    entries: Dict,
}

impl Table {
    /// Begins to read a table of these keys.
    pub(super) fn open(
        found: Found<Value>,
        keys: &'static [&'static Key],
        reading: &mut Reading<'_>,
    ) -> Self {
        let at = found.at.clone();
        let entries = open_entries(found, reading);
        Self { at, keys, entries }
    }

    /// Whether somebody wrote this key: its default does not count.
    pub(super) fn has(&self, key: &Key, reading: &Reading<'_>) -> bool {
        self.peek(key, reading).is_some_and(|found| found.at.layer != Layer::Default)
    }

    /// Where a key of this table stands, taken out or not.
    pub(super) fn at(&self, key: &Key, reading: &Reading<'_>) -> At {
        match self.peek(key, reading) {
            Some(found) => found.at.key(),
            None => At { path: self.at.path.key(key.name), ..self.at.key() },
        }
    }

    fn peek(&self, key: &Key, reading: &Reading<'_>) -> Option<Found<Value>> {
        let value = self.entries.get(key.name)?.clone();
        Some(reading.found(self.at.path.key(key.name), value))
    }

    /// Takes a value as it is. A value that was found wrong already is no value.
    pub(super) fn take(&mut self, key: &Key, reading: &Reading<'_>) -> Option<Found<Value>> {
        let value = self.entries.remove(key.name)?;
        let found = reading.found(self.at.path.key(key.name), value);
        Some(found).filter(|found| !matches!(found.value, Value::Empty(..)))
    }

    /// Takes a text.
    pub(super) fn text(&mut self, key: &Key, reading: &mut Reading<'_>) -> Option<Found<String>> {
        let found = self.take(key, reading)?;
        as_text(found, reading)
    }

    /// Takes `true` or `false`.
    pub(super) fn switch(&mut self, key: &Key, reading: &mut Reading<'_>) -> bool {
        let Some(found) = self.take(key, reading) else { return true };
        match found.value {
            Value::Bool(_, switch) => switch,
            other => {
                let message = format!("expected true or false, found {}", described(&other));
                let help = found.at.write("true");
                let quotes = if found.at.layer == Layer::File { ", without quotes" } else { "" };
                reading.wrong(&found.at, message, format!("{help} or false{quotes}"));
                true
            }
        }
    }

    /// Takes one of the words that the key knows.
    pub(super) fn choice(
        &mut self,
        key: &Key,
        reading: &mut Reading<'_>,
    ) -> Option<Found<&'static str>> {
        let Kind::Choice(words) = key.kind else { return None };
        let found = self.text(key, reading)?;
        if let Some(word) = words.iter().find(|word| **word == found.value) {
            return Some(found.with(*word));
        }
        let all = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        let message = format!("expected one of {all}, found {}", quoted(&found.value));
        let near = super::suggest::nearest(&found.value, words.iter().copied());
        let help = near.map_or(String::new(), |word| did_you_mean(&format!("{word:?}")));
        reading.wrong(&found.at, message, help);
        None
    }

    /// Takes a whole number within the key's bounds.
    pub(super) fn count(&mut self, key: &Key, reading: &mut Reading<'_>) -> usize {
        let Kind::Count(min, max) = key.kind else { return 0 };
        let Some(found) = self.take(key, reading) else { return to_usize(min) };
        let message = match whole(&found.value) {
            Some(count) if (i128::from(min)..=i128::from(max)).contains(&count) => {
                return usize::try_from(count).unwrap_or(usize::MAX);
            }
            _ => {
                let described = described(&found.value);
                format!("expected a whole number from {min} to {max}, found {described}")
            }
        };
        let help = match &found.value {
            Value::String(_, text) if text.parse::<u64>().is_ok() => found.at.write(text),
            _ => String::new(),
        };
        reading.wrong(&found.at, message, help);
        to_usize(min)
    }

    /// Takes a size in bytes within the key's bounds: a whole number, or a text with a unit.
    pub(super) fn bytes(&mut self, key: &Key, reading: &mut Reading<'_>) -> usize {
        let Kind::Bytes(min, max) = key.kind else { return 0 };
        let Some(found) = self.take(key, reading) else { return to_usize(min) };
        let read = match (&found.value, whole(&found.value)) {
            (Value::String(_, text), _) => SIZE.read(text),
            (_, Some(count)) => u64::try_from(count).map_err(|_| NotRead::TooLarge),
            _ => Err(NotRead::Form(None)),
        };
        let what = "a size in bytes such as 1048576 or \"1MiB\"";
        let range = (min, max);
        quantity(&found, read, &SIZE, what, range, reading).map_or(to_usize(min), to_usize)
    }

    /// Takes a duration within the key's bounds, in milliseconds.
    pub(super) fn time(&mut self, key: &Key, reading: &mut Reading<'_>) -> Option<Found<u64>> {
        let Kind::Time(min, max) = key.kind else { return None };
        let found = self.take(key, reading)?;
        let read = match (&found.value, whole(&found.value)) {
            (Value::String(_, text), _) => TIME.read(text),
            // Seconds or milliseconds? A number does not say.
            (_, Some(number)) => {
                let meant = u64::try_from(number).ok().and_then(|number| TIME.write_bare(number));
                Err(NotRead::Form(meant))
            }
            _ => Err(NotRead::Form(None)),
        };
        let what = "a duration such as \"500ms\", \"60s\", \"10m\", \"1h\", \"30d\"";
        let read = quantity(&found, read, &TIME, what, (min, max), reading)?;
        Some(found.with(read))
    }

    /// Takes a list of texts.
    pub(super) fn texts(&mut self, key: &Key, reading: &mut Reading<'_>) -> Vec<Found<String>> {
        let Some(found) = self.take(key, reading) else { return Vec::new() };
        let Value::Array(_, elements) = found.value else {
            let message = format!("expected a list of texts, found {}", kind_of(&found.value));
            let one = match (&found.value, key.kind) {
                (Value::String(_, text), Kind::Texts) => quoted(text),
                _ => "\"…\"".to_owned(),
            };
            reading.wrong(&found.at, message, found.at.write(&format!("[{one}]")));
            return Vec::new();
        };
        if elements.len() > ENTRIES_MAX {
            reading.wrong(&found.at, too_many(elements.len(), "elements"), "");
            return Vec::new();
        }
        let mut texts = Vec::new();
        for (index, element) in elements.into_iter().enumerate() {
            let at = At { path: found.at.path.index(index), ..found.at.clone() };
            texts.extend(as_text(Found { value: element, at }, reading));
        }
        texts
    }

    /// Takes a table of known keys; without it there is one with nothing in it.
    pub(super) fn table(&mut self, key: &Key, reading: &mut Reading<'_>) -> Option<Self> {
        let Kind::Table(keys) = key.kind else { return None };
        let found = self.take(key, reading)?;
        Some(Self::open(found, keys, reading))
    }

    /// Takes a table of any keys, in the order of the file, then by key.
    pub(super) fn entries(
        &mut self,
        key: &Key,
        reading: &mut Reading<'_>,
    ) -> Vec<(String, Found<Value>)> {
        let Some(found) = self.take(key, reading) else { return Vec::new() };
        let path = found.at.path.clone();
        let entries = open_entries(found, reading).into_iter();
        let entries = entries.map(|(key, value)| {
            let path = path.key(&key);
            (key, reading.found(path, value))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_cached_key(|(_, found)| reading.order(&found.at));
        entries
    }

    /// Ends the table: every key that was not taken is not known.
    ///
    /// Gives the keys that were probably meant.
    pub(super) fn close(self, reading: &mut Reading<'_>) -> Vec<&'static str> {
        let mut meant = Vec::new();
        for (name, value) in self.entries {
            if find(self.keys, &name).is_some() {
                continue;
            }
            let at = reading.found(self.at.path.key(&name), value).at.key();
            if reading.is_full() {
                reading.wrong(&at, "", "");
                continue;
            }
            let advice = advice(&name, &self.at.path, self.keys);
            if let Advice::Here(key) = advice {
                meant.push(key);
            }
            let help = help(&advice, &at, self.keys);
            reading.wrong(&at, "this key is not known", help);
        }
        meant
    }
}

/// A text, or a problem.
pub(super) fn as_text(found: Found<Value>, reading: &mut Reading<'_>) -> Option<Found<String>> {
    match found.value {
        Value::String(_, ref text) => {
            let text = text.clone();
            Some(found.with(text))
        }
        Value::Empty(..) => None,
        ref other => {
            let message = format!("expected a text, found {}", kind_of(other));
            let help = match other {
                Value::Dict(..) | Value::Array(..) => "",
                _ => "put it in quotes",
            };
            reading.wrong(&found.at, message, help);
            None
        }
    }
}

/// The entries of a table, or a problem and none.
fn open_entries(found: Found<Value>, reading: &mut Reading<'_>) -> Dict {
    match found.value {
        Value::Dict(_, entries) if entries.len() <= ENTRIES_MAX => entries,
        Value::Dict(_, entries) => {
            reading.wrong(&found.at.key(), too_many(entries.len(), "entries"), "");
            Dict::new()
        }
        Value::Empty(..) => Dict::new(),
        other => {
            let message = format!("expected a table, found {}", kind_of(&other));
            reading.wrong(&found.at, message, "");
            Dict::new()
        }
    }
}

/// Checks the bounds of a quantity and explains what is wrong with it.
fn quantity(
    found: &Found<Value>,
    read: Result<u64, NotRead>,
    scale: &Scale,
    what: &str,
    (min, max): (u64, u64),
    reading: &mut Reading<'_>,
) -> Option<u64> {
    let (least, most) = (scale.write(min), scale.write(max));
    let came = described(&found.value);
    let out_of_range = format!("expected from {least} to {most}, found {came}");
    let (message, help) = match read {
        Ok(amount) if (min..=max).contains(&amount) => return Some(amount),
        Ok(amount) if amount < min => (out_of_range, found.at.write(&format!("{least:?}"))),
        Ok(_) | Err(NotRead::TooLarge) => (out_of_range, found.at.write(&format!("{most:?}"))),
        Err(NotRead::Form(meant)) => {
            let help = meant.map(|meant| found.at.write(&format!("{meant:?}")));
            (format!("expected {what}, found {came}"), help.unwrap_or_default())
        }
    };
    reading.wrong(&found.at, message, help);
    None
}

/// A question with the word that was probably meant.
pub(super) fn did_you_mean(word: &str) -> String {
    format!("did you mean {word}?")
}

/// A value in a message: its kind, and itself where it is short. Only for what is not secret.
pub(super) fn described(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Bool(_, switch) => switch.to_string(),
        Value::Num(_, Num::F64(number)) => format!("the number {number:?}"),
        value => whole(value).map_or(kind_of(value).to_owned(), |number| number.to_string()),
    }
}

/// The kind of a value in a message.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Bool(..) => "true or false",
        Value::Num(_, Num::F32(_) | Num::F64(_)) => "a number with a fraction",
        Value::Num(..) => "a whole number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    }
}

fn whole(value: &Value) -> Option<i128> {
    value.to_i128()
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn too_many(count: usize, what: &str) -> String {
    format!("expected at most {ENTRIES_MAX} {what}, found {count}")
}

/// What to do about a key that is not known.
fn help(advice: &Advice, at: &At, keys: &[&Key]) -> String {
    match (advice, &at.layer) {
        (Advice::Here(key), Layer::Environment(variable)) => {
            let table = variable.rfind("__").and_then(|end| variable.get(..end));
            did_you_mean(&format!("{}__{}", table.unwrap_or_default(), key.to_uppercase()))
        }
        (Advice::Here(key), _) => did_you_mean(&format!("`{key}`")),
        (Advice::Elsewhere(table, key), _) => format!("`{key}` belongs in {table}"),
        (Advice::Needless(why), _) => (*why).to_owned(),
        (Advice::Nothing, _) => {
            let known: Vec<_> = keys.iter().map(|key| key.name).collect();
            format!("known here: {}", known.join(", "))
        }
    }
}
