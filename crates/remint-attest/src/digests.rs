//! What an artifact is known by.

use remint_model::{Sha256, Sha512};

/// The digests of the file that somebody has at hand.
///
/// A statement's subject must agree with every digest that is known, and with at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArtifactDigests {
    /// SHA-256 of the whole file.
    pub sha256: Sha256,
    /// SHA-512 of the whole file, where it was computed.
    pub sha512: Option<Sha512>,
}

impl ArtifactDigests {
    /// Both digests of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Sha256::of(bytes),
            sha512: Some(Sha512::of(bytes)),
        }
    }
}

impl From<Sha256> for ArtifactDigests {
    fn from(sha256: Sha256) -> Self {
        Self {
            sha256,
            sha512: None,
        }
    }
}
