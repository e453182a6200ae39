//! The guide says what the code does.

use super::super::reference;
use super::{Given, load_in, without};

const GUIDE: &str = include_str!("../../../../docs/routing.md");

/// The variables and the file that the examples of the guide take for granted.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("DOCS_TOKEN", "t"),
    ("CRM_KEY", "k"),
    ("GATEWAY_SESSION_KEY", "0123456789012345678901234567890123456789"),
];
const FILE: &str = "secrets/docs-token";

#[test]
fn the_guide_has_the_tables_of_all_keys() {
    for line in reference().lines() {
        assert!(GUIDE.contains(line), "docs/routing.md lacks this line:\n{line}");
    }
}

/// The fenced blocks of a language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = GUIDE.split(start.as_str()).skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default()).collect()
}

/// What is printed of the problems of an example; nothing when it is good.
fn problems(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("secrets")).unwrap();
    std::fs::write(folder.path().join(FILE), "t\n").unwrap();
    let given = Given { text, environment: ENVIRONMENT, flags: &[] };
    let problems = load_in(folder.path(), &given).err();
    without(folder.path(), &problems.map(|problems| problems.to_string()).unwrap_or_default())
}

#[test]
fn the_examples_of_the_guide_are_good() {
    let examples = blocks("toml");
    assert!(examples.len() > 2);
    for example in examples {
        assert_eq!(problems(example), "", "{example}");
    }
}

#[test]
fn the_problems_in_the_guide_are_what_is_printed() {
    let bad = blocks("toml,bad");
    let printed = blocks("text");
    assert!(!bad.is_empty() && bad.len() == printed.len());
    for (bad, printed) in bad.into_iter().zip(printed) {
        assert_eq!(printed.trim_end(), problems(bad));
    }
}
