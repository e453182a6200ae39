//! What is known while a configuration is read: where values come from, and what is wrong so far.

use std::collections::BTreeMap;
use std::path::Path;

use figment::Figment;
use figment::value::{Tag, Value};

use super::Children;
use super::document::{Document, Spot};
use super::path::KeyPath;
use super::problem::{Origin, PROBLEMS_MAX, Problem, Problems};

/// The layer that gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// The built-in default.
    Default,
    /// The file.
    File,
    /// The environment variable of this name.
    Environment(String),
    /// The flag that sets this key path.
    Flag(String),
}

/// Where a value stands, for a problem with it.
#[derive(Clone, Debug)]
pub(super) struct At {
    pub(super) path: KeyPath,
    pub(super) layer: Layer,
    pub(super) spot: Spot,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: At,
}

/// Reads one configuration: gives values their origin, collects problems and warnings.
pub(super) struct Reading<'a> {
    document: &'a Document<'a>,
    /// The environment from which secrets are taken.
    pub(super) environment: &'a BTreeMap<String, String>,
    /// The folder from which relative paths are seen.
    pub(super) folder: &'a Path,
    /// The children that are compiled in.
    pub(super) children: &'a Children,
    /// The layers, asked which of them gave a value.
    layers: Figment,
    /// Whether secrets may be missing: true for a mount that is not enabled.
    pub(super) is_lenient: bool,
    problems: Vec<Problem>,
    more: usize,
    warnings: Vec<Problem>,
}

impl At {
    /// The same place, its key instead of its value.
    pub(super) fn key(&self) -> Self {
        Self { spot: Spot::Key, ..self.clone() }
    }

    /// How to write a value here: as TOML in the file, bare in a variable or a flag.
    pub(super) fn write(&self, toml: &str) -> String {
        let bare = toml.trim_matches('"');
        match &self.layer {
            Layer::Default | Layer::File => format!("write {toml}"),
            Layer::Environment(variable) => format!("set {variable}={bare}"),
            Layer::Flag(path) => format!("give {path}={bare}"),
        }
    }
}

impl<T> Found<T> {
    /// The same place with another value.
    pub(super) fn with<U>(self, value: U) -> Found<U> {
        Found { value, at: self.at }
    }
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        document: &'a Document<'a>,
        environment: &'a BTreeMap<String, String>,
        folder: &'a Path,
        children: &'a Children,
    ) -> Self {
        Self {
            document,
            environment,
            folder,
            children,
            layers: Figment::new(),
            is_lenient: false,
            problems: Vec::new(),
            more: 0,
            warnings: Vec::new(),
        }
    }

    pub(super) fn document(&self) -> &'a Document<'a> {
        self.document
    }

    /// From now on values are those of these merged layers.
    pub(super) fn set_layers(&mut self, layers: Figment) {
        self.layers = layers;
    }

    /// Says where a value of the merged layers stands.
    pub(super) fn found(&self, path: KeyPath, value: Value) -> Found<Value> {
        let layer = self.layer(&path, &value);
        Found { value, at: At { path, layer, spot: Spot::Value } }
    }

    fn layer(&self, path: &KeyPath, value: &Value) -> Layer {
        // A table is written in several layers; the file shows it best.
        let is_table = matches!(value, Value::Dict(..));
        if is_table && self.document.span(path, Spot::Key).is_some() {
            return Layer::File;
        }
        self.layer_of(value.tag())
    }

    fn layer_of(&self, tag: Tag) -> Layer {
        let Some(metadata) = self.layers.get_metadata(tag) else { return Layer::Default };
        let name = match &metadata.source {
            Some(figment::Source::Custom(name)) => name.clone(),
            _ => String::new(),
        };
        match metadata.name.as_ref() {
            FILE => Layer::File,
            ENVIRONMENT => Layer::Environment(name),
            FLAG => Layer::Flag(name),
            _ => Layer::Default,
        }
    }

    /// Where a value was written, as a problem tells it.
    pub(super) fn origin(&self, at: &At) -> Origin {
        match &at.layer {
            Layer::Environment(variable) => Origin::Environment { variable: variable.clone() },
            Layer::Flag(flag) => Origin::Flag { flag: flag.clone() },
            Layer::Default => Origin::Default,
            Layer::File => match self.document.span(&at.path, at.spot) {
                Some(span) => self.document.origin(span),
                None => Origin::Document { file: self.document.name().to_owned() },
            },
        }
    }

    /// Whether whatever is missing now is only counted, so that no help needs to be found for it.
    pub(super) fn is_full(&self) -> bool {
        let noted = if self.is_lenient { &self.warnings } else { &self.problems };
        noted.len() >= PROBLEMS_MAX
    }

    /// Notes that something is wrong; an empty `help` says nothing.
    pub(super) fn wrong(&mut self, at: &At, message: impl Into<String>, help: impl Into<String>) {
        if self.problems.len() >= PROBLEMS_MAX {
            self.more = self.more.saturating_add(1);
            return;
        }
        let problem = self.problem(at, message.into(), help.into());
        self.problems.push(problem);
    }

    /// Notes that something is odd but can be used.
    pub(super) fn odd(&mut self, at: &At, message: impl Into<String>, help: impl Into<String>) {
        if self.warnings.len() < PROBLEMS_MAX {
            let problem = self.problem(at, message.into(), help.into());
            self.warnings.push(problem);
        }
    }

    /// Notes that something is missing without which a mount cannot run.
    pub(super) fn missing(&mut self, at: &At, message: impl Into<String>, help: impl Into<String>) {
        if self.is_lenient { self.odd(at, message, help) } else { self.wrong(at, message, help) }
    }

    fn problem(&self, at: &At, message: String, help: String) -> Problem {
        let help = Some(help).filter(|help| !help.is_empty());
        Problem { key: at.path.to_string(), message, help, origin: self.origin(at) }
    }

    /// Sorts values by their place in the file; those that it does not have come last.
    pub(super) fn order(&self, at: &At) -> (bool, usize) {
        let span = self.document.span(&at.path, Spot::Key);
        span.map_or((true, 0), |span| (false, span.start))
    }

    /// The place of a value in a few words, for a problem that is about two of them.
    pub(super) fn brief(&self, at: &At) -> String {
        self.origin(at).brief()
    }

    /// Ends the reading: the warnings, or everything that is wrong.
    pub(super) fn finish(self) -> Result<Vec<Problem>, Problems> {
        if self.problems.is_empty() {
            return Ok(Problems::new(self.warnings, 0).problems);
        }
        Err(Problems::new(self.problems, self.more))
    }
}

/// The name by which figment's metadata tells the layer of the file.
pub(super) const FILE: &str = "file";
/// The same for the environment; the source is the variable's name.
pub(super) const ENVIRONMENT: &str = "environment";
/// The same for the flags; the source is the key path.
pub(super) const FLAG: &str = "flag";
