//! The configuration that a command works with, and the children that are compiled in.

use std::path::{Path, PathBuf};

use gateway::Children;
use gateway::config::{self, EMBEDDED, FileSource, Loaded, Problems, Sources};

use super::End;

/// The file that is read when none is given.
const DEFAULT_FILE: &str = "routing.toml";

/// The children of the crate `upstreams`.
pub(super) fn children() -> Children {
    upstreams::builtins().into_iter().collect()
}

/// Reads the configuration with these flags (`key.path=value`).
pub(super) fn load(
    file: Option<&PathBuf>,
    flags: Vec<(String, String)>,
) -> Result<Loaded, Problems> {
    let given = file.map(PathBuf::as_path);
    let found = given.or_else(|| Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()));
    let file = match found {
        Some(path) => FileSource::Path(path),
        None => FileSource::Embedded(EMBEDDED),
    };
    let utf8 = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((key.into_string().ok()?, value.into_string().ok()?))
    };
    let environment = std::env::vars_os().filter_map(utf8).collect();
    config::load(Sources { file, environment, flags, children: &children() })
}

/// The same, for commands that end with the problems.
pub(super) fn load_or_end(
    file: Option<&PathBuf>,
    flags: Vec<(String, String)>,
) -> Result<Loaded, End> {
    let loaded = load(file, flags)
        .map_err(|problems| End::Wrong(format!("the configuration\n{problems}")))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded)
}

/// `KEY=VALUE` as the two.
pub(super) fn flags(set: &[String]) -> Result<Vec<(String, String)>, End> {
    set.iter()
        .map(|text| match text.split_once('=') {
            Some((key, value)) => Ok((key.trim().to_owned(), value.to_owned())),
            None => Err(End::Wrong(format!("--set {text}: expected KEY=VALUE"))),
        })
        .collect()
}
