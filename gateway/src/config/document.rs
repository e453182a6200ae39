//! The text of `routing.toml`, parsed, with the place of every key and value.

use std::cell::OnceCell;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::lexer::TokenKind;

use super::mask;
use super::path::{KeyPath, Step};
use super::position::excerpt;
use super::problem::{Origin, Problem, Problems};

/// Largest configuration file, in bytes; a thousand mounts need a tenth of it.
pub(super) const FILE_BYTES_MAX: usize = 1 << 20;

/// Deepest nesting of tables. Nothing here needs more than six, and the parser's stack would not
/// bear thousands.
const DEPTH_MAX: usize = 32;

/// The text of a file and the tree that was parsed from it.
pub(super) struct Document<'s> {
    name: String,
    text: &'s str,
    tree: DeTable<'s>,
    /// What is not printed; found once, when there is something to print.
    hidden: OnceCell<Vec<Range<usize>>>,
}

/// Which part of an entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// Its key; for a table its header.
    Key,
    /// Its value.
    Value,
}

impl<'s> Document<'s> {
    /// Parses a text; of several syntax errors the first is told.
    pub(super) fn parse(name: &str, text: &'s str) -> Result<Self, Problems> {
        let broken = |span: Range<usize>, message: String, help: &str| {
            let hidden = mask::of_broken(text, span.start);
            let origin = Origin::File(excerpt(name, text, span, hidden.as_slice()));
            let help = Some(help.to_owned()).filter(|help| !help.is_empty());
            Problems::one(Problem { key: String::new(), message, help, origin })
        };
        if let Some(span) = too_deep(text) {
            let message = format!("tables are nested deeper than {DEPTH_MAX} levels");
            return Err(broken(span, message, ""));
        }
        match DeTable::parse(text) {
            Ok(tree) => {
                let (name, tree) = (name.to_owned(), tree.into_inner());
                Ok(Self { name, text, tree, hidden: OnceCell::new() })
            }
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                let (message, help) = explain(error.message());
                Err(broken(span, format!("this is not TOML: {message}"), help))
            }
        }
    }

    /// A file that says nothing.
    pub(super) fn empty() -> Self {
        Self { name: String::new(), text: "", tree: DeTable::new(), hidden: OnceCell::new() }
    }

    /// The file's name, as messages show it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The root table.
    pub(super) fn tree(&self) -> &DeTable<'s> {
        &self.tree
    }

    /// The bytes of a key or of its value, if the file has that path.
    pub(super) fn span(&self, path: &KeyPath, spot: Spot) -> Option<Range<usize>> {
        let mut key = 0..0;
        let mut value: Option<&Spanned<DeValue<'s>>> = None;
        for step in path.steps() {
            let table = match value {
                None => Some(&self.tree),
                Some(value) => value.get_ref().as_table(),
            };
            let next = match step {
                Step::Key(name) => table.and_then(|table| table.get_key_value(name.as_str())),
                Step::Index(index) => {
                    let array = value.and_then(|value| value.get_ref().as_array());
                    let element = array.and_then(|array| array.get(*index))?;
                    key = element.span();
                    value = Some(element);
                    continue;
                }
            };
            let (found, entry) = next?;
            key = found.span();
            value = Some(entry);
        }
        match spot {
            Spot::Key => Some(key),
            Spot::Value => value.map(Spanned::span),
        }
    }

    /// The line around some bytes, with what may be secret hidden.
    pub(super) fn origin(&self, span: Range<usize>) -> Origin {
        let hidden = self.hidden.get_or_init(|| mask::of_tree(&self.tree));
        Origin::File(excerpt(&self.name, self.text, span, hidden))
    }
}

/// A configuration file, read but not parsed.
pub(super) struct Text {
    /// Its name for messages.
    pub(super) name: String,
    /// What it says.
    pub(super) text: String,
    /// The folder from which relative paths in it are seen.
    pub(super) folder: PathBuf,
}

/// Reads a configuration file.
pub(super) fn read(path: &Path) -> Result<Text, Problems> {
    let name = path.display().to_string();
    let wrong =
        |message: String, help: &str| Problems::one(Problem::of_document(&name, message, help));
    let bytes = read_bounded(path, FILE_BYTES_MAX).map_err(|error| {
        let is_absent = matches!(&error, NotRead::Io(why) if why.kind() == ErrorKind::NotFound);
        let help = match std::env::current_dir() {
            Ok(folder) if is_absent && path.is_relative() => {
                format!("it was looked for in {}", folder.display())
            }
            _ => String::new(),
        };
        wrong(error.to_string(), &help)
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        wrong(format!("line {line} is not UTF-8"), "save the file as UTF-8")
    })?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(Text { name, text, folder })
}

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum NotRead {
    /// The system says why.
    Io(std::io::Error),
    /// It is a folder, a pipe, a device: reading could wait or go on for ever.
    NotAFile,
    /// It is larger than so many bytes.
    TooLarge(usize),
}

impl std::fmt::Display for NotRead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::NotAFile => f.write_str("cannot be read: it is not a regular file"),
            Self::TooLarge(max) => write!(f, "is larger than {max} bytes"),
        }
    }
}

/// Reads a regular file of at most so many bytes.
pub(super) fn read_bounded(path: &Path, bytes_max: usize) -> Result<Vec<u8>, NotRead> {
    let metadata = std::fs::metadata(path).map_err(NotRead::Io)?;
    if !metadata.is_file() {
        return Err(NotRead::NotAFile);
    }
    let file = std::fs::File::open(path).map_err(NotRead::Io)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells "too large" from "just fits".
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(NotRead::Io)?;
    if bytes.len() > bytes_max { Err(NotRead::TooLarge(bytes_max)) } else { Ok(bytes) }
}

/// The place where tables are nested deeper than [`DEPTH_MAX`], dotted keys counted.
fn too_deep(text: &str) -> Option<Range<usize>> {
    let mut outer: Vec<usize> = Vec::new();
    let mut above = 0usize;
    let mut dots = 0usize;
    for token in toml_parser::Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::LeftCurlyBracket | TokenKind::LeftSquareBracket => {
                outer.push(dots + 1);
                above += dots + 1;
                dots = 0;
            }
            TokenKind::RightCurlyBracket | TokenKind::RightSquareBracket => {
                above -= outer.pop().unwrap_or(0);
                dots = 0;
            }
            TokenKind::Comma | TokenKind::Newline => dots = 0,
            _ => {}
        }
        if above + dots > DEPTH_MAX {
            return Some(token.span().start()..token.span().end());
        }
    }
    None
}

/// What is wrong with a syntax in the parser's words, and what to do where that can be said.
fn explain(message: &str) -> (&str, &'static str) {
    const UNQUOTED: &str = "a text stands in quotes";
    // A bare word that begins like `nan`, `inf` or `true` is taken for one of these.
    let is_word =
        ["invalid float", "invalid boolean"].iter().any(|start| message.starts_with(start));
    if is_word || message.starts_with("string values must be quoted") {
        (UNQUOTED, "write key = \"text\"; numbers, true and false stand without quotes")
    } else if message.starts_with("key with no value") {
        (message, "write key = value")
    } else if message.starts_with("duplicate key") {
        ("this is here twice", "each key and each table may be written once: join the two")
    } else if message.starts_with("missing escaped value") {
        ("this escape is not known", "write \\\\ for a backslash, or put the text in '…'")
    } else if message.starts_with("invalid basic string") {
        (message, "close the text with the quote it began with")
    } else {
        (message, "")
    }
}
