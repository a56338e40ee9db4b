//! What an artifact is known by.

use std::io::{self, Read};

use aws_lc_rs::digest;
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

impl ArtifactDigests {
    /// Both digests of everything that a reader has, in constant memory.
    ///
    /// # Errors
    /// Reading failed.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut sha256 = digest::Context::new(&digest::SHA256);
        let mut sha512 = digest::Context::new(&digest::SHA512);
        let mut chunk = vec![0; 1 << 14];
        loop {
            let read = match reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let read = chunk.get(..read).unwrap_or_default();
            sha256.update(read);
            sha512.update(read);
        }
        // Both have the length of their algorithm.
        let fixed = |_| io::Error::other("a digest of another length");
        Ok(Self {
            sha256: Sha256::from_bytes(sha256.finish().as_ref().try_into().map_err(fixed)?),
            sha512: Some(Sha512::from_bytes(
                sha512.finish().as_ref().try_into().map_err(fixed)?,
            )),
        })
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
