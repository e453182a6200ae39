//! Whatever the file, the environment and the flags say: an answer, never a panic.

use proptest::prelude::*;

use super::super::{FileSource, Glob, Sources, load};
use super::super::{expand, quantity};
use super::children;

/// Loads what may be anything; the answer is printed too, since that could fail as well.
fn survives(text: &[u8], environment: Vec<(String, String)>, flags: Vec<(String, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routing.toml");
    std::fs::write(&path, text).unwrap();
    let file = FileSource::Path(&path);
    match load(Sources { file, environment, flags, children: &children() }) {
        Ok(loaded) => drop(format!("{loaded:?}")),
        Err(problems) => {
            let printed = problems.to_string();
            assert!(printed.contains("problem"));
            serde_json::to_string(&problems).unwrap();
        }
    }
}

/// A piece of a configuration, more or less.
fn piece() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "[gateway]\n",
        "[gateway.limits]\n",
        "[mounts.a]\n",
        "[mounts.b.tools]\n",
        "[[mounts]]\n",
        "listen",
        "admin",
        "key",
        "hosts",
        "limits",
        "drain",
        "command",
        "args",
        "env",
        "url",
        "headers",
        "prefix",
        "timeout",
        "tools",
        "hide",
        "rename",
        "file",
        "enabled",
        "mounts",
        " = ",
        "=",
        ".",
        ",",
        "\n",
        "\r\n",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "#",
        "true",
        "5",
        "1.5",
        "nan",
        "1979-05-27",
        "\"5s\"",
        "\"${X}\"",
        "\"${\"",
        "\"notes\"",
        "\"https://u:p@h/?q\"",
        "\"a*\"",
        "[1, \"a\"]",
        "{ env = \"X\" }",
        "\\",
        "\t",
        "ä",
        "\u{feff}",
        "\u{202e}",
        "\u{1}",
        "\0",
    ]);
    prop_oneof![8 => words.prop_map(str::to_owned), 1 => any::<String>()]
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..60).prop_map(|pieces| pieces.concat())
}

/// A tree that is TOML, under keys that are more or less known.
fn toml_value() -> impl Strategy<Value = toml::Value> {
    let leaf = prop_oneof![
        piece().prop_map(toml::Value::String),
        any::<i64>().prop_map(toml::Value::Integer),
        any::<f64>().prop_map(toml::Value::Float),
        any::<bool>().prop_map(toml::Value::Boolean),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let key = prop_oneof![4 => "[a-z_]{1,12}", 1 => any::<String>(), 8 => known_key()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::Array),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|entries| toml::Value::Table(entries.into_iter().collect())),
        ]
    })
}

fn known_key() -> impl Strategy<Value = String> {
    use super::super::keys::{GATEWAY, HEALTH, LIMITS, MOUNT, REFERENCE, ROOT, SHAPE};
    let keys = [ROOT, GATEWAY, LIMITS, MOUNT, HEALTH, SHAPE, REFERENCE].concat();
    prop::sample::select(keys.iter().map(|key| key.name.to_owned()).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes, Vec::new(), Vec::new());
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(text.as_bytes(), Vec::new(), Vec::new());
    }

    #[test]
    fn anything_like_a_configuration_is_survived(text in pieces()) {
        survives(text.as_bytes(), Vec::new(), Vec::new());
    }

    #[test]
    fn any_tree_is_survived(gateway in toml_value(), mount in toml_value(), other in toml_value()) {
        let mut mounts = toml::Table::new();
        mounts.insert("a".to_owned(), mount);
        let mut root = toml::Table::new();
        root.insert("gateway".to_owned(), gateway);
        root.insert("mounts".to_owned(), toml::Value::Table(mounts));
        root.insert("other".to_owned(), other);
        survives(root.to_string().as_bytes(), Vec::new(), Vec::new());
    }

    #[test]
    fn any_variables_and_flags_are_survived(
        variables in prop::collection::vec((variable(), piece()), 0..6),
        flags in prop::collection::vec((pieces(), piece()), 0..3),
        text in pieces(),
    ) {
        survives(text.as_bytes(), variables, flags);
    }

    #[test]
    fn any_text_with_variables_is_parted_without_loss(text in "[$ {}:\\-Aa]{0,20}") {
        if let Ok(pieces) = expand::pieces(&text) {
            let whole: String = pieces.iter().map(|piece| match piece {
                expand::Piece::Plain("${") => "$${".to_owned(),
                expand::Piece::Plain(plain) => (*plain).to_owned(),
                expand::Piece::Variable { name, default: None } => format!("${{{name}}}"),
                expand::Piece::Variable { name, default: Some(text) } => {
                    format!("${{{name}:-{text}}}")
                }
            }).collect();
            prop_assert_eq!(whole, text);
        }
    }

    #[test]
    fn any_duration_that_is_written_is_read_back(amount in any::<u64>()) {
        prop_assert_eq!(quantity::TIME.read(&quantity::TIME.write(amount)), Ok(amount));
        prop_assert_eq!(quantity::SIZE.read(&quantity::SIZE.write(amount)), Ok(amount));
    }

    #[test]
    fn a_pattern_matches_what_it_was_made_of(
        parts in prop::collection::vec("[a-c]{0,3}", 1..5),
        filling in prop::collection::vec("[a-c]{0,3}", 5),
    ) {
        let pattern = parts.join("*");
        let name: String = parts.iter().zip(&filling).enumerate().map(|(at, (part, fill))| {
            if at == 0 { part.clone() } else { format!("{fill}{part}") }
        }).collect();
        if !pattern.is_empty() {
            prop_assert!(Glob::new(&pattern).unwrap().matches(&name));
        }
    }
}

fn variable() -> impl Strategy<Value = String> {
    let level = prop_oneof![
        known_key().prop_map(|key| key.to_uppercase()),
        "[A-Z_]{0,6}",
        any::<String>(),
    ];
    prop::collection::vec(level, 0..6).prop_map(|levels| format!("GATEWAY_{}", levels.join("__")))
}
