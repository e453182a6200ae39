//! Which parts of the file's text are not printed, because they are or may be secret.
//!
//! What is known to hold no secret is shown, everything else is hidden: a misspelled `headres`
//! must not put a token on a screen.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml_parser::lexer::{Token, TokenKind};

use super::expand::is_conventional;
use super::keys::{GATEWAY, HEALTH, Key, Kind, LIMITS, MOUNT, Place, ROOT, SHAPE, place};
use super::link::is_command_line;
use super::path::KeyPath;

/// The hidden values of a file that was parsed, in order.
pub(super) fn of_tree(tree: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    of_table(tree, &KeyPath::default(), &mut hidden);
    hidden.sort_by_key(|range| range.start);
    hidden
}

fn of_table(table: &DeTable<'_>, path: &KeyPath, hidden: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        of_value(value, &path.key(key.get_ref()), hidden);
    }
}

fn of_value(value: &Spanned<DeValue<'_>>, path: &KeyPath, hidden: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => of_table(table, path, hidden),
        DeValue::Array(array) => {
            for (index, element) in array.iter().enumerate() {
                of_value(element, &path.index(index), hidden);
            }
        }
        scalar if is_public(place(path), scalar.as_str()) => {}
        _ => hidden.push(value.span()),
    }
}

/// Whether a value at this place may be printed.
fn is_public(place: Place, text: Option<&str>) -> bool {
    match place {
        Place::Leaf(key) => is_public_key(key, text),
        Place::Entry { secret } => !secret,
        Place::Option => text.is_none(),
        Place::Reference(key) => match key.name {
            "env" => text.is_some_and(is_conventional),
            "file" => true,
            _ => false,
        },
        Place::Table(_) | Place::Open | Place::Unknown => false,
    }
}

fn is_public_key(key: &Key, text: Option<&str>) -> bool {
    match key.kind {
        Kind::Text
        | Kind::Choice(_)
        | Kind::Switch
        | Kind::Count(..)
        | Kind::Bytes(..)
        | Kind::Time(..)
        | Kind::Texts => true,
        // A password before `@` or a token in the query.
        Kind::Url => text.is_some_and(|text| !text.contains(['@', '?'])),
        Kind::Program => text.is_some_and(|text| !is_command_line(text)),
        Kind::Secret
        | Kind::SecretList
        | Kind::SecretTable
        | Kind::TextTable
        | Kind::Options
        | Kind::Table(_)
        | Kind::Tables(_) => false,
    }
}

/// The hidden part of a line of a file that is not TOML, so that no tree says what is what.
///
/// The line is shown whole if it begins with a key that can hold no secret; else the texts and
/// words behind its first `=` are hidden, and on a line without `=` all but known keys.
pub(super) fn of_broken(text: &str, byte: usize) -> Option<Range<usize>> {
    let byte = byte.min(text.len());
    let bytes = text.as_bytes();
    let before = bytes.get(..byte).unwrap_or_default();
    let after = bytes.get(byte..).unwrap_or_default();
    let start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', after).map_or(bytes.len(), |newline| byte + newline);

    let on_line = |token: &Token| token.span().end() > start && token.span().start() < end;
    let tokens =
        toml_parser::Source::new(text).lex().take_while(|token| token.span().start() < end);
    let tokens: Vec<Token> = tokens.filter(on_line).collect();
    let written = |token: &Token| text.get(token.span().start()..token.span().end());
    let word = |token: &Token| written(token).filter(|_| token.kind() == TokenKind::Atom);

    let equals = tokens.iter().position(|token| token.kind() == TokenKind::Equals);
    let first = tokens.iter().find(|token| token.kind() != TokenKind::Whitespace);
    let key = first.and_then(word);
    if equals.is_some() && key.is_some_and(is_public_name) {
        return None;
    }
    let is_header = first.is_some_and(|token| token.kind() == TokenKind::LeftSquareBracket);
    let is_shown = |(position, token): (usize, &Token)| match token.kind() {
        TokenKind::Atom => match equals {
            Some(equals) => position < equals,
            None => {
                is_header || word(token).is_some_and(|word| is_name(word.trim_end_matches(':')))
            }
        },
        TokenKind::LiteralString
        | TokenKind::BasicString
        | TokenKind::MlLiteralString
        | TokenKind::MlBasicString => false,
        _ => true,
    };
    let hidden = tokens.iter().enumerate().filter(|(at, token)| !is_shown((*at, token)));
    let mut hidden = hidden.map(|(_, token)| token.span());
    // What stands between two hidden parts says nothing without them.
    let first = hidden.next()?;
    let last = hidden.next_back().unwrap_or(first);
    Some(first.start()..last.end())
}

/// The keys of all tables.
fn all_keys() -> impl Iterator<Item = &'static Key> {
    [ROOT, GATEWAY, LIMITS, MOUNT, HEALTH, SHAPE].into_iter().flatten().copied()
}

fn is_name(word: &str) -> bool {
    all_keys().any(|key| key.name == word)
}

/// Whether a key of this name, in whatever table, can hold no secret.
fn is_public_name(word: &str) -> bool {
    let shape = |key: &Key| key.name == "tools" || key.name == "prompts";
    let public = |key: &Key| is_public_key(key, None) || shape(key);
    is_name(word) && all_keys().filter(|key| key.name == word).all(public)
}
