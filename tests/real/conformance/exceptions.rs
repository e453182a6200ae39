//! The scenarios that pass directly and not through the gateway, each with its reason.

use serde::Deserialize;

use crate::programs::here;

/// All of `exceptions.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

/// Some scenarios and why they differ.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    /// Names; a `*` stands for any part of one.
    scenarios: Vec<String>,
    /// Only these checks of them; all when empty.
    #[serde(default)]
    checks: Vec<String>,
    /// Only these revisions; all when empty.
    #[serde(default)]
    revisions: Vec<String>,
    /// Only children of this era.
    #[serde(default)]
    child: Option<String>,
    /// Why.
    reason: String,
    /// Where the specification says so.
    cites: String,
}

/// A difference between two runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) revision: &'a str,
    pub(super) child: &'a str,
    pub(super) scenario: &'a str,
    pub(super) check: &'a str,
}

impl Exceptions {
    /// Reads the file and holds it to its form.
    pub(super) fn read() -> Self {
        let file = here().join("conformance/exceptions.toml");
        let text = std::fs::read_to_string(file).expect("exceptions.toml");
        let read: Self = toml::from_str(&text).expect("exceptions.toml");
        for one in &read.exception {
            assert!(one.reason.len() > 20, "an exception without a reason: {:?}", one.scenarios);
            let cited = one.cites.starts_with("https://modelcontextprotocol.io/");
            assert!(cited, "an exception that cites no specification: {:?}", one.scenarios);
        }
        read
    }

    /// The number of the exception for a place, counted from one.
    pub(super) fn number(&self, place: Place<'_>) -> Option<usize> {
        let fits = |one: &Exception| one.fits(place);
        self.exception.iter().position(fits).map(|at| at + 1)
    }

    /// The reasons, as a numbered list.
    pub(super) fn listed(&self) -> String {
        let lines = self.exception.iter().enumerate().map(|(at, one)| {
            format!("{}. {} [Specification]({}).\n", at + 1, one.reason.trim(), one.cites)
        });
        lines.collect()
    }

    /// Those that nothing needed.
    pub(super) fn stale(&self, needed: &std::collections::BTreeSet<usize>) -> Vec<String> {
        let all = self.exception.iter().enumerate().map(|(at, one)| (at + 1, one));
        let stale = all.filter(|(number, _)| !needed.contains(number));
        stale
            .map(|(_, one)| format!("no difference needs the exception {:?}", one.scenarios))
            .collect()
    }
}

impl Exception {
    fn fits(&self, place: Place<'_>) -> bool {
        let named = |all: &[String], name: &str| {
            all.is_empty()
                || all.iter().any(|one| match one.split_once('*') {
                    Some((start, end)) => name.starts_with(start) && name.ends_with(end),
                    None => one == name,
                })
        };
        named(&self.scenarios, place.scenario)
            && named(&self.checks, place.check)
            && named(&self.revisions, place.revision)
            && self.child.as_deref().is_none_or(|child| child == place.child)
    }
}
