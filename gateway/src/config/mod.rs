//! `routing.toml`: read in layers, checked once, held as checked types.
//!
//! [`load`] lays the environment over the file over the defaults, flags on top, and gives either a
//! [`Config`] in which everything is known to be good, or every [`Problem`] at once, each with its
//! place and what to write instead. After it no code asks again whether a value makes sense.
//!
//! The way of a value: `document` (text → tree with places) → `layers` (merged by figment, which
//! remembers who gave what) → `table` (known keys by `keys`, types, bounds) → the checked types.

mod keys;
mod document;
mod position;
mod mask;
mod path;
mod shown;
mod variables;
mod layers;
mod reading;
mod table;
mod quantity;
mod suggest;
mod expand;
mod secret;
mod front;
mod limits;
mod mount;
mod health;
mod kind;
mod running;
mod link;
mod way;
mod options;
mod shape;
mod sharing;
mod problem;
mod reference;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use figment::value::{Dict, Value};
use protocol::Make;

use document::Document;
use keys::{GATEWAY, MOUNT, MOUNTS_TABLE, ROOT};
use path::KeyPath;
use reading::{At, Found, Layer, Reading};
use table::Table;

pub use front::{GatewayConfig, Listen, State};
pub use health::Health;
pub use limits::Limits;
pub use link::LinkConfig;
pub use mount::{EraPin, MountConfig, Resources, Transport};
pub use problem::{Excerpt, Origin, PROBLEMS_MAX, Problem, Problems};
pub use reference::reference;
pub use running::{Running, Start};
pub use secret::Secret;
pub use shape::{Glob, Shape};
pub use sharing::{Share, Sharing};

/// The embedded default: complete, commented, runs anywhere.
pub const EMBEDDED: &str = include_str!("../../../routing.toml");

/// Most mounts of one gateway.
pub const MOUNTS_MAX: usize = 1000;

/// How the embedded text is called in messages.
const EMBEDDED_NAME: &str = "routing.toml (embedded)";

/// A configuration in which everything is known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What faces the clients.
    pub gateway: GatewayConfig,
    /// The mounts in the order of the file, then those that only variables or flags name, by name.
    /// At most [`MOUNTS_MAX`]. Mounts that are not enabled are among them.
    pub mounts: Vec<MountConfig>,
    /// Where the file came from.
    pub source: Source,
}

/// Where a configuration came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The file at this path.
    File(PathBuf),
    /// A text within the program.
    Embedded,
}

/// Makes the children that are compiled in, by the name that `in_process` gives.
pub type Children = BTreeMap<&'static str, Arc<dyn Make>>;

/// Children when nobody asks which there are.
static NO_CHILDREN: Children = Children::new();

/// Which file to read.
#[derive(Clone, Copy, Debug)]
pub enum FileSource<'a> {
    /// The file at this path; of at most 1 MiB.
    Path(&'a Path),
    /// This text, such as [`EMBEDDED`]. Relative paths in it are seen from the working directory.
    Embedded(&'static str),
}

/// What a configuration is read from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// The file.
    pub file: FileSource<'a>,
    /// The environment: variables that set keys (`GATEWAY_GATEWAY__…`, `GATEWAY_MOUNTS__…`) and
    /// those that secrets are taken from.
    pub environment: Vec<(String, String)>,
    /// Key paths such as `gateway.listen` and their values, which win over all else.
    pub flags: Vec<(String, String)>,
    /// The children that are compiled in.
    pub children: &'a Children,
}

/// A configuration, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is probably not meant, but can be used.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration.
///
/// # Errors
///
/// Every problem of every layer at once; of a file that is not TOML the first problem alone.
pub fn load(sources: Sources<'_>) -> Result<Loaded, Problems> {
    let environment: BTreeMap<String, String> = sources.environment.into_iter().collect();
    let (text, source) = match sources.file {
        FileSource::Path(path) => {
            let text = document::read(path)?;
            (text, Source::File(path.to_owned()))
        }
        FileSource::Embedded(text) => {
            let name = EMBEDDED_NAME.to_owned();
            let text = document::Text { name, text: text.to_owned(), folder: PathBuf::new() };
            (text, Source::Embedded)
        }
    };
    let document = Document::parse(&text.name, &text.text)?;
    let mut reading = Reading::new(&document, &environment, &text.folder, sources.children);
    let root = layers::merge(&sources.flags, &mut reading);
    let (gateway, mounts) = read(root, &mut reading);
    let warnings = reading.finish()?;
    Ok(Loaded { config: Config { gateway, mounts, source }, warnings })
}

impl Default for GatewayConfig {
    /// The gateway of a file that says nothing.
    fn default() -> Self {
        with_defaults(&[], |root, reading| read(root, reading).0)
    }
}

impl Default for Limits {
    /// The limits of a file that says nothing.
    fn default() -> Self {
        GatewayConfig::default().limits
    }
}

impl MountConfig {
    /// A mount of which the file says nothing but the child. The name is not checked.
    pub fn new(name: &str, link: LinkConfig) -> Self {
        with_defaults(&[name], |mut root, reading| {
            let mounts = root.remove("mounts").and_then(Value::into_dict);
            let mount = mounts.and_then(|mut mounts| mounts.remove(name));
            let value = mount.unwrap_or_else(|| Dict::new().into());
            let found = reading.found(KeyPath::of(&["mounts", name]), value);
            let mut table = Table::open(found, MOUNT, reading);
            mount::policy(name, link, None, &mut table, reading)
        })
    }
}

/// Reads from the defaults alone, about which nothing is wrong.
fn with_defaults<T>(mounts: &[&str], read: impl FnOnce(Dict, &mut Reading<'_>) -> T) -> T {
    let document = Document::empty();
    let environment = BTreeMap::new();
    let mut reading = Reading::new(&document, &environment, Path::new(""), &NO_CHILDREN);
    read(layers::defaults(mounts.iter().copied()), &mut reading)
}

/// Takes everything out of the root table.
fn read(root: Dict, reading: &mut Reading<'_>) -> (GatewayConfig, Vec<MountConfig>) {
    let found = reading.found(KeyPath::default(), root.into());
    let mut root = Table::open(found, ROOT, reading);
    let gateway = root.table(&keys::GATEWAY_TABLE, reading).unwrap_or_else(|| {
        // Only after a problem: the defaults hold this table always.
        let at = At { path: KeyPath::of(&["gateway"]), ..root.at.clone() };
        Table::open(Found { value: Dict::new().into(), at }, GATEWAY, reading)
    });
    let gateway = front::read(gateway, reading);
    let mounts = mounts(&mut root, reading);
    root.close(reading);
    (gateway, mounts)
}

/// Takes the mounts, in the order in which the file has them.
fn mounts(root: &mut Table, reading: &mut Reading<'_>) -> Vec<MountConfig> {
    // Of a file without mounts the whole file is meant.
    let at = At { layer: Layer::File, ..root.at(&MOUNTS_TABLE, reading) };
    let found = root.entries(&MOUNTS_TABLE, reading);
    if found.len() > MOUNTS_MAX {
        let message = format!("expected at most {MOUNTS_MAX} mounts, found {}", found.len());
        reading.wrong(&at, message, "");
        return Vec::new();
    }
    let names: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
    let mut mounted = Vec::new();
    for (name, found) in found {
        mounted.push(mount::read(&name, found, &names, reading));
    }
    mount::refuse_same_prefix(&mounted, reading);
    if !mounted.iter().any(|mount| mount.config.enabled) {
        let message = match names.as_slice() {
            [] => "nothing is mounted",
            _ => "no mount is enabled",
        };
        reading.odd(
            &at,
            message,
            "add a table [mounts.NAME] with `command`, `url` or `in_process`",
        );
    }
    mounted.into_iter().map(|mount| mount.config).collect()
}
