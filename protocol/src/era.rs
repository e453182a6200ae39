//! The two eras of the protocol and the versions in each (digest 1.12).

use std::fmt;

/// A published revision of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2024-11-05`
    V2024_11_05,
    /// `2025-03-26`: the one with batches.
    V2025_03_26,
    /// `2025-06-18`
    V2025_06_18,
    /// `2025-11-25`: the last with a handshake.
    V2025_11_25,
    /// `2026-07-28`: stateless.
    V2026_07_28,
}

/// How a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Era {
    /// Handshake, sessions, requests in both directions.
    Legacy(Version),
    /// Stateless, metadata in each request.
    Modern(Version),
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2024_11_05,
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];
    /// What a handshake can end with at best.
    pub const NEWEST_LEGACY: Self = Self::V2025_11_25;
    /// What a stateless request speaks at best.
    pub const NEWEST_MODERN: Self = Self::V2026_07_28;

    /// The version named `text`.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Whether requests of this version carry their own metadata.
    pub fn is_modern(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// The era this version belongs to.
    pub fn era(self) -> Era {
        if self.is_modern() { Era::Modern(self) } else { Era::Legacy(self) }
    }

    /// What a legacy handshake that asks for `asked` is answered with: the same when it is a legacy
    /// version this program speaks, else the newest legacy one (digest 1.12.1 step 5, check 36).
    pub fn negotiate_legacy(asked: &str) -> Self {
        match Self::read(asked) {
            Some(version) if !version.is_modern() => version,
            _ => Self::NEWEST_LEGACY,
        }
    }
}

impl Era {
    /// The version.
    pub fn version(self) -> Version {
        match self {
            Self::Legacy(version) | Self::Modern(version) => version,
        }
    }

    /// Whether this is the stateless era.
    pub fn is_modern(self) -> bool {
        matches!(self, Self::Modern(_))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Era {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Legacy(version) => write!(f, "legacy {version}"),
            Self::Modern(version) => write!(f, "modern {version}"),
        }
    }
}
