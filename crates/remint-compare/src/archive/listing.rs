//! The canonical listing of an archive: every entry with its digests and what its header says, no content.

use std::sync::Arc;

use remint_model::{Anomaly, EntryPath, GzipHeader, Sha256, SignatureBlock};
use sha2::Digest as _;

/// What one archive holds, in the archive's own order.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    pub(crate) anomalies: Vec<Anomaly>,
    /// The folder that was cut from all paths, where the format has one.
    pub(crate) top_folder: Option<String>,
    pub(crate) gzip: Option<GzipHeader>,
    /// Digest of every byte of the uncompressed tar that is no content; of the end records for a zip. With
    /// equal entries in equal order, equal framing means equal uncompressed archives.
    pub(crate) framing: Sha256,
    /// What stands after the end of a bundle.
    pub(crate) signature: SignatureBlock,
}

/// How many bytes tell what kind of content it is.
pub(crate) const HEAD: usize = 8;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Below the top folder; what cannot be a path is escaped into one.
    pub(crate) path: EntryPath,
    /// A digest of the name as the archive spells it, where that is not plainly this path below the top folder: readers do
    /// not agree on what such a name means.
    pub(crate) spelled: Option<Box<Sha256>>,
    /// Which entry of the archive it was, counted from 0.
    pub(crate) index: u32,
    pub(crate) kind: Kind,
    /// Permission and special bits (`0o7777`).
    pub(crate) mode: u32,
    pub(crate) size: u64,
    /// Of the content; of a link's target.
    pub(crate) sha256: Sha256,
    /// The first bytes of the content, zeros after its end: enough to know machine code and scripts.
    pub(crate) head: [u8; HEAD],
    pub(crate) written: Written,
}

impl Entry {
    /// Whether anybody may execute it.
    pub(crate) const fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }

    /// Whether it is a regular file whose content was read.
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self.kind, Kind::File)
    }
}

/// What kind of thing an entry makes on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    File,
    Directory,
    SymbolicLink,
    HardLink,
    /// A device, pipe or other special file; the tar type or the zip file type.
    Special(u8),
    /// Content that cannot be read: encrypted, or packed by a method that installers do not know. The digest
    /// is that of the packed bytes.
    Unreadable,
}

/// What the header of an entry tells beyond path, kind, mode and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// Seconds since 1970 and nanoseconds.
    pub(crate) mtime: (i64, u32),
    pub(crate) owner: Arc<Owner>,
    /// Extended attributes that some extractor may apply; `None` is none.
    pub(crate) attributes: Option<Arc<Sha256>>,
    /// Everything that is mere spelling: which header types, padding of numbers, zip methods and versions.
    pub(crate) encoding: Encoding,
    /// Size and checksum of the packed content in a zip: how this content was deflated.
    pub(crate) packed: (u64, u32),
}

/// Tells spellings apart: half a SHA-256, as nothing but the wording of an erasure depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Encoding([u8; 16]);

impl From<sha2::Sha256> for Encoding {
    fn from(hasher: sha2::Sha256) -> Self {
        let digest: [u8; 32] = hasher.finalize().into();
        Self(digest.first_chunk().copied().unwrap_or_default())
    }
}

/// Whom a tar entry belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) user: u64,
    pub(crate) group: u64,
    pub(crate) user_name: Vec<u8>,
    pub(crate) group_name: Vec<u8>,
}
