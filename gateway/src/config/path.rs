//! Where a value stands among the keys: `mounts.docs.args[2]`.

use std::fmt;

use super::shown::{quoted, shown};

/// One step down from a table or an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An entry of a table.
    Key(String),
    /// An element of an array.
    Index(usize),
}

/// The steps from the root to a value; the root has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyPath(Vec<Step>);

impl KeyPath {
    /// The path of a value named by keys alone.
    pub(super) fn of(keys: &[&str]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }

    /// The path of an entry of the table that stands here.
    pub(super) fn key(&self, key: &str) -> Self {
        self.step(Step::Key(key.to_owned()))
    }

    /// The path of an element of the array that stands here.
    pub(super) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps, outermost first.
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The keys among the steps, outermost first.
    pub(super) fn keys(&self) -> Vec<&str> {
        let keys = self.0.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        keys.collect()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if position == 0 { "" } else { "." };
                    write!(f, "{dot}{}", spelled(key))?;
                }
            }
        }
        Ok(())
    }
}

/// A key as TOML wants it written: bare where it can be, else in quotes.
fn spelled(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(bare) {
        return shown(key);
    }
    quoted(key)
}
