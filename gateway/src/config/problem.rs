//! What is wrong with a configuration, where, and what to write instead.

use std::fmt;

use serde::Serialize;

/// Most problems that are listed; the rest are counted.
pub const PROBLEMS_MAX: usize = 200;

/// One thing that is wrong or odd.
///
/// Its text never holds the value of a secret: strings that are, or may be, secret are shown as
/// `"…"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The key it is about, such as `mounts.docs.timeout`; empty for the file as a whole.
    pub key: String,
    /// What was expected and what came.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where it was written.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// The file as a whole: it cannot be read.
    Document {
        /// The file's name.
        file: String,
    },
    /// A place in the file.
    File(Excerpt),
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// The key path it sets.
        flag: String,
    },
    /// The built-in default of a key.
    Default,
}

/// A line of the file, with the part of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Excerpt {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The line's text, shortened around the caret, with `"…"` for what may be secret.
    pub text: String,
    /// Where the caret starts in `text`, in characters from 0.
    pub caret: usize,
    /// How many characters of `text` the caret underlines, at least 1.
    pub width: usize,
}

/// All that is wrong with a configuration, in the order of the file, then of the environment, then
/// of the flags.
///
/// [`Display`](fmt::Display) writes it for people, serde for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The problems, at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl Problems {
    /// Puts the problems in the order of their places.
    pub(super) fn new(mut problems: Vec<Problem>, more: usize) -> Self {
        problems.sort_by(|a, b| a.origin.cmp(&b.origin).then_with(|| a.key.cmp(&b.key)));
        Self { problems, more }
    }

    /// One problem alone.
    pub(super) fn one(problem: Problem) -> Self {
        Self::new(vec![problem], 0)
    }
}

impl Problem {
    /// A problem of the file as a whole.
    pub(super) fn of_document(file: &str, message: String, help: &str) -> Self {
        let help = Some(help.to_owned()).filter(|help| !help.is_empty());
        let origin = Origin::Document { file: file.to_owned() };
        Self { key: String::new(), message, help, origin }
    }
}

impl Origin {
    /// The place in a few words, such as `routing.toml:12` or `GATEWAY_GATEWAY__LISTEN`.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Document { file } => file.clone(),
            Self::File(excerpt) => format!("{}:{}", excerpt.file, excerpt.line),
            Self::Environment { variable } => variable.clone(),
            Self::Flag { flag } => format!("flag {flag}"),
            Self::Default => "default".to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(at) => write!(f, "{}:{}:{}", at.file, at.line, at.column),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::Document { .. } | Self::Flag { .. } | Self::Default => f.write_str(&self.brief()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        let is_said = matches!(&self.origin, Origin::Flag { flag } if *flag == self.key);
        if !self.key.is_empty() && !is_said {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        let mut margin = 2;
        if let Origin::File(at) = &self.origin {
            let line = at.line.to_string();
            margin = line.len() + 2;
            write!(f, "\n {line} | {}", at.text)?;
            let (before, caret) = (" ".repeat(at.caret), "^".repeat(at.width));
            write!(f, "\n{:margin$}| {before}{caret}", "")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{:margin$}= {help}", "")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            write!(f, "{problem}\n\n")?;
        }
        let count = self.problems.len().saturating_add(self.more);
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{count} {noun}")?;
        if self.more > 0 {
            write!(f, ", the first {} are shown", self.problems.len())?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
