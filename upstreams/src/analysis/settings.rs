//! What the child may read and how much of it: its options, checked once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol::Violation;
use schemars::JsonSchema;
use serde::Deserialize;

use super::DATA;
use crate::expected::short;
use crate::fault::{Code, Fault};
use crate::wrong_option;

/// Data that is always there, to try the tool with.
const SAMPLE: &str = include_str!("sample.csv");
/// The id of it.
const SAMPLE_ID: &str = "sample";

/// `[mounts.main.options]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MainOptions {
    /// Folders whose files may be analysed.
    #[schemars(length(max = 100))]
    roots: Vec<PathBuf>,
    /// Files that are resources, by id.
    data: BTreeMap<String, PathBuf>,
    /// Bytes of one source.
    #[schemars(range(min = 1024, max = 10_737_418_240_u64))]
    bytes_max: u64,
    /// Rows of one source.
    #[schemars(range(min = 1, max = 100_000_000))]
    rows_max: u64,
    /// Columns of one source.
    #[schemars(range(min = 1, max = 100_000))]
    columns_max: usize,
    /// Seconds of one analysis.
    #[schemars(range(min = 1, max = 3_600))]
    seconds_max: u64,
}

impl Default for MainOptions {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            data: BTreeMap::new(),
            bytes_max: 64 * 1024 * 1024,
            rows_max: 1_000_000,
            columns_max: 1_000,
            seconds_max: 30,
        }
    }
}

/// Where some data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In this text.
    Text(String),
    /// In this file, which the options name.
    File(PathBuf),
    /// In the file at this path below a root, which a caller names.
    Within(PathBuf, PathBuf),
}

impl Place {
    /// What kind of data it is by its name.
    pub(super) fn mime_type(&self) -> &'static str {
        let extension = match self {
            Self::Text(_) => Some("csv"),
            Self::File(path) | Self::Within(_, path) => {
                path.extension().and_then(|extension| extension.to_str())
            }
        };
        match extension {
            Some("json") => "application/json",
            Some("jsonl" | "ndjson") => "application/x-ndjson",
            _ => "text/csv",
        }
    }
}

/// The options after their check.
#[derive(Debug)]
pub(super) struct Settings {
    roots: Vec<PathBuf>,
    pub(super) data: BTreeMap<String, Place>,
    pub(super) bytes_max: u64,
    pub(super) rows_max: u64,
    pub(super) columns_max: usize,
    pub(super) seconds_max: u64,
}

impl Settings {
    /// Finds the roots and the data files.
    ///
    /// # Errors
    /// Each that is not there.
    pub(super) fn new(options: MainOptions, folder: &Path) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        let mut roots = Vec::new();
        for (index, root) in options.roots.iter().enumerate() {
            match folder.join(root).canonicalize() {
                Ok(root) if root.is_dir() => roots.push(root),
                _ => wrong.push(wrong_option(&format!("roots[{index}]"), "a folder that is there")),
            }
        }
        let mut data = BTreeMap::from([(SAMPLE_ID.to_owned(), Place::Text(SAMPLE.to_owned()))]);
        for (id, path) in options.data {
            match folder.join(path).canonicalize() {
                Ok(path) if path.is_file() => drop(data.insert(id, Place::File(path))),
                _ => wrong.push(wrong_option(&format!("data.{id}"), "a file that is there")),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let MainOptions { bytes_max, rows_max, columns_max, seconds_max, .. } = options;
        Ok(Self { roots, data, bytes_max, rows_max, columns_max, seconds_max })
    }

    /// The data of a resource.
    ///
    /// # Errors
    /// A URI of another form, or an id that is not there.
    pub(super) fn place_of(&self, uri: &str) -> Result<&Place, Fault> {
        let known = || self.data.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let Some(parameters) = DATA.read(uri) else {
            let (uri, form) = (short(uri), DATA.as_str());
            return Err(Fault::not_found(format!(
                "there is no resource `{uri}`: data is at {form}"
            )));
        };
        let id = parameters?.resource_id;
        self.data.get(&id).ok_or_else(|| {
            Fault::not_found(format!("there is no data `{}`: there are {}", short(&id), known()))
        })
    }

    /// The place of a source as a caller gives it: data with a line break or beginning as JSON
    /// does, a URI, or a path.
    ///
    /// # Errors
    /// What is not there or may not be read.
    pub(super) fn find(&self, source: String) -> Result<Place, Fault> {
        let start = source.trim_start();
        if start.starts_with("enterprise:") {
            return self.place_of(&own_uri(source.trim())).cloned();
        }
        if source.contains('\n') || start.starts_with(['[', '{']) {
            return Ok(Place::Text(source));
        }
        let path = source.trim();
        self.file(path.strip_prefix("file://").unwrap_or(path))
    }

    /// A file within the roots: links are followed first, so that none leads out.
    fn file(&self, path: &str) -> Result<Place, Fault> {
        let outside = || {
            let path = short(path);
            let text = match self.roots.as_slice() {
                [] => format!("`{path}`: no folder may be read here; give the data itself"),
                _ => format!("`{path}` is not within the folders that may be read here"),
            };
            Fault::new(Code::OutsideRoots, text)
        };
        if path.is_empty() || path.contains('\0') || self.roots.is_empty() {
            return Err(outside());
        }
        let mut is_missing = false;
        for root in &self.roots {
            match root.join(path).canonicalize() {
                // Of what is outside nothing is told, not even whether it is there.
                Ok(found) => {
                    if let Ok(below) = found.strip_prefix(root)
                        && found.is_file()
                    {
                        return Ok(Place::Within(root.clone(), below.to_owned()));
                    }
                }
                Err(_) => is_missing |= is_below(path),
            }
        }
        if !is_missing {
            return Err(outside());
        }
        let path = short(path);
        Err(Fault::not_found(format!(
            "there is no file `{path}` in the folders that may be read here; data that is given \
             itself has a line break or begins with [ or {{"
        )))
    }
}

/// A URI of ours as a client may know it: with the prefix of the mount before our own path, which
/// no gateway takes out of an argument.
pub(super) fn own_uri(uri: &str) -> String {
    match uri.rsplit_once("/data/") {
        Some((start, id)) if start.starts_with("enterprise:/") => {
            format!("enterprise://data/{id}")
        }
        _ => uri.to_owned(),
    }
}

/// Whether a path cannot lead out by its own words.
fn is_below(path: &str) -> bool {
    use std::path::Component;
    Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
