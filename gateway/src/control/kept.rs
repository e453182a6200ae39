//! The last good catalog of each child on disk: what a start shows before its children answer.
//!
//! One file per mount, bound to the mount's definition by a digest, so that no child's catalog is
//! ever shown for another's. A file that cannot be read or is another's is left aside.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::capabilities::ServerCapabilities;
use protocol::json::{self, Members, ObjectWriter};
use protocol::{Raw, header};
use ring::digest;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::call::{About, Entry, Offer};
use crate::config::{LinkConfig, MountConfig};
use crate::mount::Mount;

/// The form of the files; another one is left aside.
const FORM: &str = "1";
/// A file of more bytes than this is none of ours.
const FILE_BYTES_MAX: u64 = 256 << 20;
/// Files kept; of more, those that were written longest ago go.
const FILES_MAX: usize = 1000;
/// Changes that come this close together are written as one.
const CHANGES_GATHERED: Duration = Duration::from_millis(200);

/// A folder with the last good catalogs.
#[derive(Debug)]
pub struct Kept {
    folder: PathBuf,
}

impl Kept {
    /// The catalogs in the folder `state`, which is made if it is not there.
    ///
    /// # Errors
    /// What the system says about the folder.
    pub fn open(state: &Path) -> io::Result<Self> {
        let folder = state.join("catalogs");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let kept = Self { folder };
        kept.prune();
        Ok(kept)
    }

    /// The catalog that the child of `entry` had the last time.
    pub fn load(&self, entry: &MountConfig) -> Option<Offer> {
        let (path, definition) = self.place(entry)?;
        let warn = |reason: &str| {
            let path = path.display();
            tracing::warn!(mount = entry.name, %path, reason, "a kept catalog is left aside");
        };
        let bytes = match read(&path) {
            Ok(bytes) => bytes,
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => return None,
            Err(fault) => {
                warn(&fault.to_string());
                return None;
            }
        };
        restored(bytes, &definition).map_err(|reason| warn(&reason)).ok()
    }

    /// Writes what the child of `entry` offers: whole or not at all, whatever happens meanwhile.
    ///
    /// # Errors
    /// What the system says about the file.
    pub fn save(&self, entry: &MountConfig, offer: &Offer) -> io::Result<()> {
        let Some((path, definition)) = self.place(entry) else { return Ok(()) };
        let text = written(offer, &definition);
        if read(&path).is_ok_and(|before| before == text.as_bytes()) {
            return Ok(());
        }
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&fresh, &path));
        if written.is_err() {
            // It may not be there at all.
            let _gone = fs::remove_file(&fresh);
        }
        written
    }

    /// The file of a mount, and its definition; none for a child that is always there.
    fn place(&self, entry: &MountConfig) -> Option<(PathBuf, String)> {
        if matches!(entry.link, LinkConfig::InProcess { .. }) {
            return None;
        }
        let definition = definition(entry);
        let short = definition.get(..SHORT_CHARS).unwrap_or_default();
        Some((self.folder.join(format!("{}-{short}.json", entry.name)), definition))
    }

    fn prune(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let aged = entries
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
        let mut files: Vec<_> = aged.collect();
        files.sort();
        for (_, path) in files.iter().rev().skip(FILES_MAX) {
            // Another gateway may have been faster.
            let _gone = fs::remove_file(path);
        }
    }

    /// Writes each change of the mount's catalog until `stop`.
    pub async fn run(
        self: Arc<Self>,
        entry: MountConfig,
        mount: Arc<Mount>,
        stop: CancellationToken,
    ) {
        let entry = Arc::new(entry);
        let mut offer = mount.offer();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                changed = offer.changed() => match changed {
                    Ok(()) => {
                        offer.mark_changed();
                        sleep(CHANGES_GATHERED).await;
                    }
                    Err(_) => return,
                },
            }
            if !offer.has_changed().unwrap_or(false) {
                continue;
            }
            let Some(offer) = offer.borrow_and_update().clone() else { continue };
            let (kept, entry) = (Arc::clone(&self), Arc::clone(&entry));
            let saved = tokio::task::spawn_blocking(move || kept.save(&entry, &offer)).await;
            if let Ok(Err(fault)) = saved {
                let (mount, folder) = (mount.name(), self.folder.display());
                tracing::warn!(%mount, %folder, %fault, "its catalog cannot be kept");
            }
        }
    }
}

/// How much of the definition stands in the name of a file.
const SHORT_CHARS: usize = 16;

/// What decides which child a mount leads to and what that shows, secrets included, as a digest.
fn definition(entry: &MountConfig) -> String {
    let mut digest = Digest(digest::Context::new(&digest::SHA256));
    (FORM, &entry.name, &entry.link, &entry.replicas).hash(&mut digest);
    let digest = digest.0.finish();
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A strong hash as a [`Hasher`].
struct Digest(digest::Context);

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other(format!("it is longer than {FILE_BYTES_MAX} bytes"))),
        false => Ok(bytes),
    }
}

fn written(offer: &Offer, definition: &str) -> String {
    let list = |entries: &[Entry]| json::array(entries.iter().map(|entry| entry.raw.as_str()));
    let about = &offer.about;
    let text = ObjectWriter::new()
        .string("form", FORM)
        .string("definition", definition)
        .string("speaks", &about.speaks)
        .optional("serverInfo", about.server_info.as_ref().map(Raw::as_str))
        .raw("capabilities", &about.capabilities.to_raw())
        .optional("instructions", about.instructions.as_deref().map(json::quoted).as_deref())
        .raw("keepsState", if about.keeps_state { "true" } else { "false" })
        .raw("public", if offer.public { "true" } else { "false" })
        .raw("tools", &list(&offer.tools))
        .raw("prompts", &list(&offer.prompts))
        .raw("resources", &list(&offer.resources))
        .raw("templates", &list(&offer.templates))
        .finish();
    text.as_str().to_owned()
}

fn restored(bytes: Vec<u8>, definition: &str) -> Result<Offer, String> {
    let whole = Raw::parse(bytes.into()).map_err(|fault| fault.to_string())?;
    let members = Members::read(&whole).map_err(|fault| fault.to_string())?;
    for (key, expected) in [("form", FORM), ("definition", definition)] {
        if members.get_string(key).as_deref() != Some(expected) {
            return Err(format!("its `{key}` is another one"));
        }
    }
    let list = |name: &str, key: &str| -> Result<Vec<Entry>, String> {
        let texts = members.get(name).and_then(json::elements);
        let texts = texts.ok_or_else(|| format!("it has no list `{name}`"))?;
        texts.into_iter().map(|text| entry(whole.slice(text), key, name == "tools")).collect()
    };
    let capabilities = members.get("capabilities").unwrap_or("null");
    let capabilities =
        ServerCapabilities::read(&whole.slice(capabilities)).map_err(|fault| fault.to_string())?;
    let text = |key: &str| members.get_string(key).map(std::borrow::Cow::into_owned);
    Ok(Offer {
        about: About {
            speaks: text("speaks").unwrap_or_default(),
            server_info: members.get("serverInfo").map(|text| whole.slice(text)),
            capabilities,
            instructions: text("instructions"),
            keeps_state: members.get("keepsState") == Some("true"),
        },
        tools: list("tools", "name")?,
        prompts: list("prompts", "name")?,
        resources: list("resources", "uri")?,
        templates: list("templates", "uriTemplate")?,
        withheld: Vec::new(),
        public: members.get("public") == Some("true"),
    })
}

fn entry(raw: Raw, key: &str, is_tool: bool) -> Result<Entry, String> {
    let members = Members::read(&raw).map_err(|fault| fault.to_string())?;
    let name = members.get_string(key).ok_or_else(|| format!("an entry has no `{key}`"))?;
    let name = name.into_owned();
    let schema = members.get("inputSchema").filter(|_| is_tool);
    let mirrored = schema.and_then(|schema| header::mirrored(schema).ok()).unwrap_or_default();
    Ok(Entry { key: name, raw: raw.clone(), mirrored: mirrored.into() })
}
