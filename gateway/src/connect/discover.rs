//! What a child says of itself in answer to `server/discover`.

use protocol::capabilities::ServerCapabilities;
use protocol::json::{self, Members};
use protocol::{NotJson, Raw, Version, meta};

use crate::call::About;

/// A well-formed `DiscoverResult`.
#[derive(Debug)]
pub(super) struct Discovered {
    /// The versions it speaks, as far as they are known here.
    pub(super) versions: Vec<Version>,
    /// What it says of itself; `speaks` is empty.
    pub(super) about: About,
}

impl Discovered {
    /// Reads a `DiscoverResult`.
    ///
    /// # Errors
    /// [`NotJson`] when it is malformed: servers of the legacy era answer with bodies of their own
    /// (digest 1.12.3).
    pub(super) fn read(result: &Raw) -> Result<Self, NotJson> {
        let members = Members::read(result)?;
        let versions = members.get("supportedVersions").and_then(json::elements);
        let versions = versions.ok_or_else(|| NotJson("no array supportedVersions".to_owned()))?;
        let capabilities = members.get("capabilities").unwrap_or("{}");
        let about = About {
            speaks: String::new(),
            server_info: server_info(result, &members),
            capabilities: ServerCapabilities::read(&result.slice(capabilities))?,
            instructions: members.get_string("instructions").map(|text| text.into_owned()),
            keeps_state: false,
        };
        Ok(Self { versions: known(&versions), about })
    }

    /// The newest modern version in common.
    pub(super) fn modern(&self) -> Option<Version> {
        newest(&self.versions, true)
    }

    /// The newest legacy version in common.
    pub(super) fn legacy(&self) -> Option<Version> {
        newest(&self.versions, false)
    }
}

/// The newest of `versions` in the modern or in the legacy era.
pub(super) fn newest(versions: &[Version], modern: bool) -> Option<Version> {
    versions.iter().copied().filter(|version| version.is_modern() == modern).max()
}

/// The versions in the array `data.supported` of an error, as far as they are known here.
pub(super) fn supported(data: Option<&Raw>) -> Vec<Version> {
    let members = data.and_then(|data| Members::read(data).ok());
    let list = members.as_ref().and_then(|members| members.get("supported"));
    known(&list.and_then(json::elements).unwrap_or_default())
}

fn known(texts: &[&str]) -> Vec<Version> {
    let names = texts.iter().filter_map(|text| json::string(text));
    names.filter_map(|name| Version::read(&name)).collect()
}

fn server_info(result: &Raw, members: &Members<'_>) -> Option<Raw> {
    let meta = Members::read(members.get("_meta")?).ok()?;
    let info = meta.get(meta::SERVER_INFO).filter(|text| text.starts_with('{'))?;
    Some(result.slice(info))
}
