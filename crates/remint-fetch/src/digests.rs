//! All digests of a stream in one pass.

use std::io::Read;

use remint_model::{Integrity, Sha1, Sha256, Sha512};
use sha2::Digest as _;

/// What a stream was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) size: u64,
    pub(crate) sha1: Sha1,
    pub(crate) sha256: Sha256,
    pub(crate) sha512: Sha512,
}

impl Digests {
    /// The digest of the same kind as the one that is expected.
    pub(crate) const fn like(&self, expected: &Integrity) -> Integrity {
        match expected {
            Integrity::Sha512(_) => Integrity::Sha512(self.sha512),
            Integrity::Sha256(_) => Integrity::Sha256(self.sha256),
            Integrity::Sha1(_) => Integrity::Sha1(self.sha1),
        }
    }

    /// Whether the stream is what was expected.
    pub(crate) fn matches(&self, expected: &Integrity) -> bool {
        self.like(expected) == *expected
    }
}

/// Takes a stream in pieces.
#[derive(Default)]
pub(crate) struct Hashing {
    size: u64,
    sha1: sha1::Sha1,
    sha256: sha2::Sha256,
    sha512: sha2::Sha512,
}

impl Hashing {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.sha1.update(bytes);
        self.sha256.update(bytes);
        self.sha512.update(bytes);
    }

    pub(crate) fn finish(self) -> Digests {
        Digests {
            size: self.size,
            sha1: Sha1::from_bytes(self.sha1.finalize().into()),
            sha256: Sha256::from_bytes(self.sha256.finalize().into()),
            sha512: Sha512::from_bytes(self.sha512.finalize().into()),
        }
    }

    /// SHA-256 alone, where nothing else is asked for; `buffer` is what is read through, and must not be empty.
    pub(crate) fn sha256(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<Sha256> {
        let mut hasher = sha2::Sha256::new();
        loop {
            let count = reader.read(buffer)?;
            match buffer.get(..count) {
                Some([]) | None => return Ok(Sha256::from_bytes(hasher.finalize().into())),
                Some(read) => hasher.update(read),
            }
        }
    }

    /// Reads to the end.
    pub(crate) fn read(reader: &mut impl Read) -> std::io::Result<Digests> {
        let mut hashing = Self::default();
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = reader.read(&mut buffer)?;
            match buffer.get(..count) {
                Some([]) | None => return Ok(hashing.finish()),
                Some(read) => hashing.update(read),
            }
        }
    }
}
