//! The project's own source text, read for tests about it: what is code, comment, literal or test.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One Rust file of the project.
#[derive(Debug)]
pub struct Source {
    /// The path from the root of the project, with `/`.
    pub path: String,
    /// What stands in it.
    pub text: String,
    /// The same bytes with comments and literals blanked: positions agree with `text`.
    pub code: String,
    /// Byte ranges of items under `#[cfg(test)]`; all of it for files that only tests have.
    pub tests: Vec<Range<usize>>,
}

/// A function and where it stands.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of `fn`, from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

/// The root of the project: the folder of the workspace.
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// All Rust files below these folders of the root, by path.
///
/// # Panics
/// When a folder cannot be read.
pub fn rust_files(folders: &[&str]) -> Vec<Source> {
    let paths = files(folders, "rs");
    let mut sources: Vec<Source> = paths.iter().map(|path| Source::read(path)).collect();
    let only_tests: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        let stem = source.path.trim_end_matches(".rs");
        let within = |module: &String| stem == *module || stem.starts_with(&format!("{module}/"));
        if only_tests.iter().any(within) {
            source.tests = std::iter::once(0..source.text.len()).collect();
        }
    }
    sources
}

/// All files with this extension below these folders of the root, as paths from it, sorted.
///
/// # Panics
/// When a folder cannot be read.
pub fn files(folders: &[&str], extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), extension, &mut found);
    }
    let root = root();
    let mut paths: Vec<String> = found
        .iter()
        .filter_map(|path| path.strip_prefix(&root).ok())
        .map(|path| path.to_string_lossy().replace('\\', "/"))
        .collect();
    paths.sort();
    paths
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && name != "corpus" && name != "artifacts" {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|came| came == extension) {
            found.push(path);
        }
    }
}

impl Source {
    fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        Self::new(path, &text)
    }

    /// A file of this path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let code = blanked(text);
        let mut source =
            Self { path: path.to_owned(), text: text.to_owned(), code, tests: Vec::new() };
        source.tests = source.items_under("#[cfg(test)]");
        source
    }

    /// The line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
    }

    /// Whether a byte stands in code that only tests have.
    pub fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }

    /// Where this text stands in code, not as a part of a longer word.
    pub fn places(&self, what: &str) -> Vec<usize> {
        let word = |at: usize| self.code.as_bytes().get(at).is_some_and(|byte| is_word(*byte));
        let (first, last) = (what.as_bytes().first(), what.as_bytes().last());
        let starts = first.is_some_and(|byte| is_word(*byte));
        let ends = last.is_some_and(|byte| is_word(*byte));
        let inside = |at: usize| starts && at > 0 && word(at - 1) || ends && word(at + what.len());
        self.code.match_indices(what).map(|(at, _)| at).filter(|at| !inside(*at)).collect()
    }

    /// The names that follow `crate::` in code, groups opened, with their places.
    pub fn named_after(&self, start: &str) -> Vec<(usize, String)> {
        let mut names = Vec::new();
        for at in self.places(start) {
            let rest = self.code.get(at + start.len()..).unwrap_or_default();
            match rest.trim_start().strip_prefix('{') {
                Some(group) => {
                    names.extend(group_heads(group).into_iter().map(|name| (at, name)));
                }
                None => names.push((at, head(rest))),
            }
        }
        names.retain(|(_, name)| !name.is_empty());
        names
    }

    /// Every function with a body.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for at in self.places("fn") {
            let rest = self.code.get(at + 2..).unwrap_or_default();
            let name = head(rest);
            let Some(body) = (!name.is_empty()).then(|| body(rest)).flatten() else { continue };
            let line = self.line(at);
            let lines = self.line(at + 2 + body.end) - line + 1;
            functions.push(Function { name, line, lines });
        }
        functions
    }

    /// The ranges of the items that stand under this attribute.
    fn items_under(&self, attribute: &str) -> Vec<Range<usize>> {
        let mut items = Vec::new();
        for (at, _) in self.code.match_indices(attribute) {
            let rest = self.code.get(at..).unwrap_or_default();
            let end = match (rest.find('{'), rest.find(';')) {
                (Some(open), semicolon) if semicolon.is_none_or(|end| open < end) => {
                    body(rest).map(|body| body.end)
                }
                (_, semicolon) => semicolon,
            };
            items.push(at..at + end.unwrap_or(rest.len()) + 1);
        }
        items
    }

    /// The modules in files of their own that stand under `#[cfg(test)]`, as paths without `.rs`.
    fn test_modules(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let modules = self.tests.iter().filter_map(|range| {
            let item = self.code.get(range.clone())?;
            let name = item.split_once("mod ")?.1.split(';').next()?.trim();
            item.ends_with(';').then(|| format!("{folder}/{name}"))
        });
        modules.collect()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The first word of a text.
fn head(text: &str) -> String {
    let text = text.trim_start();
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

/// The first words of the members of a group that was just opened.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut at_start) = (1, Vec::new(), true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => at_start = true,
            _ if depth == 1 && at_start && !letter.is_whitespace() => {
                heads.push(head(group.get(at..).unwrap_or_default()));
                at_start = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    heads
}

/// The range from the first `{` outside of brackets to its `}`; `None` when a `;` comes first.
fn body(code: &str) -> Option<Range<usize>> {
    let (mut brackets, mut braces, mut start) = (0i32, 0i32, None);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => {
                start = start.or(Some(at));
                braces += 1;
            }
            b'}' => {
                braces -= 1;
                if braces == 0 {
                    return start.map(|start| start..at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text with comments and the insides of literals blanked, byte by byte.
fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match end_of_blank(text, at) {
            Some(end) => end,
            None => {
                at += 1;
                continue;
            }
        };
        for byte in code.iter_mut().take(end).skip(at).filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// Where the comment or literal ends that begins at this byte, if one does.
fn end_of_blank(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let found = |needle: &str, from: usize| {
        let tail = rest.get(from..).unwrap_or_default();
        let hit = tail.windows(needle.len()).position(|window| window == needle.as_bytes());
        hit.map_or(rest.len(), |hit| from + hit + needle.len())
    };
    let length = match rest {
        [b'/', b'/', ..] => found("\n", 2) - 1,
        [b'/', b'*', ..] => found("*/", 2),
        [b'"', ..] => string_end(rest),
        [b'r', b'"' | b'#', ..] if !after_word(text, at) => {
            let hashes = rest.iter().skip(1).take_while(|byte| **byte == b'#').count();
            if rest.get(1 + hashes) != Some(&b'"') {
                return None;
            }
            found(&format!("\"{}", "#".repeat(hashes)), 2 + hashes)
        }
        [b'\'', b'\\', ..] => found("'", 3),
        [b'\'', first, ..] => {
            let width = match first {
                0..0x80 => 1,
                0..0xe0 => 2,
                0..0xf0 => 3,
                _ => 4,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(2 + width)?
        }
        _ => return None,
    };
    Some(at + length.min(rest.len()))
}

/// Whether the byte before belongs to the same word (`br"` and `cr"` are no words).
fn after_word(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default().as_bytes();
    match before {
        [.., b'b' | b'c'] => before.len() > 1 && is_word(before[before.len() - 2]),
        [.., byte] => is_word(*byte),
        [] => false,
    }
}

fn string_end(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"//! crate::comment
use crate::{one::Two, three};
fn f<'a>(x: &'a str) -> char { let _ = "crate::text { \" "; '{' }
/* fn g() { */
const R: &str = r#"fn h() { "quoted" "#;
#[cfg(test)]
mod tests {
    fn i() {
    }
}
#[cfg(test)]
mod other;
"##;

    #[test]
    fn code_is_told_from_text_and_tests() {
        let source = Source::new("gateway/src/x/mod.rs", TEXT);
        assert_eq!(source.code.len(), TEXT.len());
        let names: Vec<_> = source.named_after("crate::").into_iter().map(|(_, n)| n).collect();
        assert_eq!(names, ["one", "three"]);
        let functions = source.functions();
        let functions: Vec<_> =
            functions.iter().map(|one| (one.name.as_str(), one.line, one.lines)).collect();
        assert_eq!(functions, [("f", 3, 1), ("i", 8, 2)]);
        assert_eq!(source.test_modules(), ["gateway/src/x/other"]);
        assert!(source.is_test(TEXT.find("fn i").unwrap()));
        assert!(!source.is_test(TEXT.find("fn f").unwrap()));
    }
}
