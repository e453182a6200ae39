//! The text tools: counting, transforming, hashing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::collections::HashSet;
use std::fmt::Write as _;
use unicode_segmentation::UnicodeSegmentation;

use super::Toolbox;
use crate::fault::Fault;

/// Bytes of a text that these tools take.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextStatsArguments {
    /// The text to count, at most 1 MiB.
    text: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TransformTextArguments {
    /// The text to transform, at most 1 MiB.
    text: String,
    /// What to do with it.
    operation: Operation,
}

#[derive(Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Operation {
    Upper,
    Lower,
    /// Each word with a capital.
    Title,
    /// Lower case, with hyphens between the words, for a file name or an address.
    Slug,
    Reverse,
    /// Without blanks at both ends of each line and of the text.
    Trim,
    SortLines,
    /// Each line where it first stands.
    UniqueLines,
    Base64Encode,
    /// To a text; other bytes are refused.
    Base64Decode,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HashArguments {
    /// The text to hash, as UTF-8, at most 1 MiB.
    text: String,
    /// SHA-256 unless given.
    #[serde(default)]
    algorithm: Algorithm,
}

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

#[derive(Serialize, JsonSchema)]
struct Stats {
    /// Bytes in UTF-8.
    bytes: usize,
    /// Unicode code points.
    code_points: usize,
    /// Characters as people count them.
    characters: usize,
    words: usize,
    unique_words: usize,
    lines: usize,
    sentences: usize,
}

#[derive(Serialize, JsonSchema)]
struct Transformed {
    text: String,
}

#[derive(Serialize, JsonSchema)]
struct Hashed {
    algorithm: Algorithm,
    /// In lower-case hexadecimal digits.
    hash: String,
}

#[tool_router(router = text_tools, vis = "pub(super)")]
impl Toolbox {
    #[tool(
        title = "Count a text",
        description = "Counts bytes, characters, words, lines and sentences.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn text_stats(
        &self,
        Parameters(TextStatsArguments { text }): Parameters<TextStatsArguments>,
    ) -> Result<Json<Stats>, Fault> {
        let text = bounded(&text)?;
        let words = || text.unicode_words();
        let unique: HashSet<String> = words().map(str::to_lowercase).collect();
        Ok(Json(Stats {
            bytes: text.len(),
            code_points: text.chars().count(),
            characters: text.graphemes(true).count(),
            words: words().count(),
            unique_words: unique.len(),
            lines: text.lines().count(),
            sentences: text.unicode_sentences().count(),
        }))
    }

    #[tool(
        title = "Transform a text",
        description = "Changes case or order of a text, cleans its lines, or codes it in Base64.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn transform_text(
        &self,
        Parameters(TransformTextArguments { text, operation }): Parameters<TransformTextArguments>,
    ) -> Result<Json<Transformed>, Fault> {
        let text = transformed(bounded(&text)?, operation)?;
        Ok(Json(Transformed { text }))
    }

    #[tool(
        title = "Hash a text",
        description = "Computes the SHA-2 hash of a text.",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn hash(
        &self,
        Parameters(HashArguments { text, algorithm }): Parameters<HashArguments>,
    ) -> Result<Json<Hashed>, Fault> {
        let text = bounded(&text)?.as_bytes();
        let hash = match algorithm {
            Algorithm::Sha256 => hexadecimal(&Sha256::digest(text)),
            Algorithm::Sha384 => hexadecimal(&Sha384::digest(text)),
            Algorithm::Sha512 => hexadecimal(&Sha512::digest(text)),
        };
        Ok(Json(Hashed { algorithm, hash }))
    }
}

fn bounded(text: &str) -> Result<&str, String> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(text);
    }
    Err(format!("text: expected at most {TEXT_BYTES_MAX} bytes, came {}", text.len()))
}

fn transformed(text: &str, operation: Operation) -> Result<String, String> {
    Ok(match operation {
        Operation::Upper => text.to_uppercase(),
        Operation::Lower => text.to_lowercase(),
        Operation::Title => text.split_word_bounds().map(capital).collect(),
        Operation::Slug => {
            let words: Vec<String> = text.unicode_words().map(slug).collect();
            words.join("-")
        }
        Operation::Reverse => text.graphemes(true).rev().collect(),
        Operation::Trim => {
            let lines: Vec<&str> = text.trim().lines().map(str::trim).collect();
            lines.join("\n")
        }
        Operation::SortLines => {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_unstable();
            lines.join("\n")
        }
        Operation::UniqueLines => {
            let mut seen = HashSet::new();
            let lines: Vec<&str> = text.lines().filter(|line| seen.insert(*line)).collect();
            lines.join("\n")
        }
        Operation::Base64Encode => STANDARD.encode(text),
        Operation::Base64Decode => decoded(text)?,
    })
}

fn decoded(text: &str) -> Result<String, String> {
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD
        .decode(compact)
        .map_err(|fault| format!("text: expected Base64 with padding, but {fault}"))?;
    String::from_utf8(bytes).map_err(|fault| {
        let at = fault.utf8_error().valid_up_to();
        format!("text: decodes to bytes that are no UTF-8 text (from byte {at} on)")
    })
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters.flat_map(char::to_lowercase)).collect()
}

fn slug(word: &str) -> String {
    word.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}
