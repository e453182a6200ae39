//! Whether a child's era is found out or given.

/// How a child's era is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EraPin {
    /// Found out by a probe.
    #[default]
    Auto,
    /// A handshake, no probe.
    Legacy,
    /// No handshake, no fallback.
    Modern,
}
