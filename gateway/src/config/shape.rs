//! What is seen of a mount's tools or prompts: some hidden, some under another name.

use std::collections::BTreeMap;
use std::fmt;

use super::keys::{HIDE, Key, RENAME};
use super::reading::{At, Found, Reading};
use super::shown::{quoted, shown};
use super::table::{Table, as_text};

/// Longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 256;

/// Longest new name, in characters: the protocol's own bound for tool names.
const NAME_CHARS_MAX: usize = 128;

/// What is seen of a mount's tools or prompts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The child's names that nobody sees or calls; at most 1000 patterns.
    pub hide: Vec<Glob>,
    /// The child's name and the name shown instead, in the order of the former; at most 1000. No
    /// two show the same name.
    pub rename: Vec<(String, String)>,
}

/// A pattern of names: `*` is any text, `?` any one character, all else itself.
///
/// At most 256 characters; matching takes at most pattern × name steps.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl Shape {
    /// Whether a name of the child's is hidden.
    pub fn hides(&self, name: &str) -> bool {
        self.hide.iter().any(|glob| glob.matches(name))
    }
}

impl Glob {
    /// Reads a pattern; refused with a reason when it is empty, too long, or uses a notation of
    /// other programs that would silently match nothing.
    pub fn new(pattern: &str) -> Result<Self, &'static str> {
        if pattern.is_empty() {
            return Err("an empty pattern matches no name");
        }
        if pattern.chars().nth(PATTERN_CHARS_MAX).is_some() {
            return Err("a pattern has at most 256 characters");
        }
        if pattern.contains(['[', ']', '{', '}', '\\', '|', '^', '$']) || pattern.starts_with('!') {
            return Err("only `*` and `?` have a meaning in a pattern");
        }
        Ok(Self(pattern.chars().collect()))
    }

    /// Whether the whole name fits the pattern; case counts.
    pub fn matches(&self, name: &str) -> bool {
        let mut rest = name.chars();
        let mut pattern = self.0.as_slice();
        // After a dead end the last `*` takes one character more; the earlier ones need not.
        let mut star = None;
        loop {
            let mut ahead = rest.clone();
            match (pattern.split_first(), ahead.next()) {
                (Some(('*', after)), _) => {
                    pattern = after;
                    star = Some((after, rest.clone()));
                    continue;
                }
                (Some((wanted, after)), Some(c)) if *wanted == '?' || *wanted == c => {
                    pattern = after;
                    rest = ahead;
                    continue;
                }
                (Some(_), None) => return false,
                (None, None) => return true,
                _ => {}
            }
            let Some((after, mut taken)) = star else { return false };
            taken.next();
            rest = taken.clone();
            pattern = after;
            star = Some((after, taken));
        }
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({self})")
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().collect::<String>())
    }
}

/// Takes the shape under this key out of a mount's table.
pub(super) fn read(mount: &mut Table, key: &Key, reading: &mut Reading<'_>) -> Shape {
    let Some(mut table) = mount.table(key, reading) else { return Shape::default() };
    let patterns = table.texts(&HIDE, reading);
    let hide: Vec<Glob> = patterns.iter().filter_map(|found| glob(found, reading)).collect();
    let is_strict = key.name == super::keys::TOOLS.name;
    let mut seen: BTreeMap<String, (String, At)> = BTreeMap::new();
    let mut shape = Shape { hide, rename: Vec::new() };
    for (old, new) in table.entries(&RENAME, reading) {
        let Some(new) = as_text(new, reading) else { continue };
        if !is_good(&new.value, is_strict) {
            refuse(&new, is_strict, reading);
            continue;
        }
        if let Some((other, at)) = seen.get(&new.value) {
            let (other, place) = (shown(other), reading.brief(at));
            let message = format!("{} is already the new name of `{other}`", quoted(&new.value));
            reading.wrong(&new.at, format!("{message} ({place})"), "give them different names");
            continue;
        }
        if shape.hides(&old) {
            let message = "this name is hidden too, so that nobody sees the new one";
            reading.odd(&new.at.key(), message, "hide or rename it, not both");
        }
        seen.insert(new.value.clone(), (old.clone(), new.at.clone()));
        shape.rename.push((old, new.value));
    }
    shape.rename.sort();
    table.close(reading);
    shape
}

fn glob(found: &Found<String>, reading: &mut Reading<'_>) -> Option<Glob> {
    match Glob::new(&found.value) {
        Ok(glob) => Some(glob),
        Err(reason) => {
            let message = format!("{reason}, found {}", quoted(&found.value));
            reading.wrong(&found.at, message, "write one pattern each: [\"get_*\", \"set_?\"]");
            None
        }
    }
}

/// Whether a new name can be shown: tools have the protocol's alphabet, prompts any.
fn is_good(name: &str, is_strict: bool) -> bool {
    let fits = !name.is_empty() && name.chars().nth(NAME_CHARS_MAX).is_none();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    fits && name.chars().all(|c| if is_strict { plain(c) } else { !c.is_control() })
}

fn refuse(new: &Found<String>, is_strict: bool, reading: &mut Reading<'_>) {
    let alphabet = if is_strict { " of A-Z a-z 0-9 _ - ." } else { "" };
    let came = quoted(&new.value);
    let message = format!("expected 1 to {NAME_CHARS_MAX} characters{alphabet}, found {came}");
    let plain = |c: char| if is_good(c.encode_utf8(&mut [0; 4]), true) { c } else { '_' };
    let fixed: String = new.value.chars().take(NAME_CHARS_MAX).map(plain).collect();
    let help = if fixed.is_empty() { String::new() } else { new.at.write(&quoted(&fixed)) };
    reading.wrong(&new.at, message, help);
}
