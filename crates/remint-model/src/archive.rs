//! What a look at an archive yields before anything is compared: its entries, its anomalies, and the marks of
//! the tools that made it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::comparison::Class;
use crate::digest::{CommitId, Sha256};
use crate::native::NativeCode;
use crate::path::EntryPath;
use crate::program::GoBuildInfo;

/// What one archive holds, read strictly and without extracting it.
///
/// Planning reads it for hints about the tools that made a published file; none of it is trusted further than
/// as a guess that the rebuild then confirms or refutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Regular files, by path below the top folder, in path order.
    pub entries: Vec<SurveyEntry>,
    /// What no honest packer writes.
    pub anomalies: Vec<Anomaly>,
    /// The gzip header of a gzipped tar.
    pub gzip: Option<GzipHeader>,
    /// `package.json`, `METADATA`/`PKG-INFO`, `WHEEL`, `pyproject.toml`, `Cargo.toml`, `Cargo.lock`, `go.mod`: path below the
    /// top folder and content, each at most 1 MiB.
    pub texts: Vec<(EntryPath, Vec<u8>)>,
    /// Absolute directories named by source maps, most frequent first; hostile text.
    pub build_paths: Vec<String>,
    /// The latest modification time of any entry, in seconds since 1970 (zip times are read as UTC).
    pub newest_entry: Option<i64>,
    /// The one folder that all lies in, where the format has such: `package`, `name-1.2.3`, `module@version`.
    pub top_folder: Option<String>,
    /// What stands after the end of a bundle.
    pub signature: SignatureBlock,
    /// What the files are for, their first bytes and whether they may be executed considered.
    pub classes: BTreeMap<EntryPath, Class>,
    /// The files that are machine code, by their first bytes.
    pub native: BTreeMap<EntryPath, NativeCode>,
    /// What a program of Go says about how it was built; `None` for all else.
    pub program: Option<GoBuildInfo>,
}

impl Survey {
    /// The content of one of the kept texts.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&[u8]> {
        self.texts
            .iter()
            .find(|(p, _)| p.as_str() == path)
            .map(|(_, content)| content.as_slice())
    }
}

/// What stands after the end of a bundle's zip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SignatureBlock {
    /// Nothing: the bundle is not signed.
    #[default]
    Absent,
    /// Parts of a signature block that do not make one; why, in words.
    Malformed(String),
    /// One block, from the end of the zip to the end of the file. Nothing says yet that it holds.
    Present(DetachedSignature),
}

/// A signature over the zip before it, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachedSignature {
    /// PKCS#7 signed data, DER.
    pub pkcs7: Vec<u8>,
    /// How many bytes of the file stand before the block.
    pub signed: u64,
    /// Where the zip's comment length stands, if it counts the block in: newer signers write that down after
    /// they have signed, so that strict readers of zips take the block for a comment.
    pub counted_at: Option<u64>,
    /// Bytes of the whole block.
    pub length: u64,
}

/// One regular file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyEntry {
    /// Below the archive's top folder.
    pub path: EntryPath,
    /// Bytes, uncompressed.
    pub size: u64,
    /// Permission bits as the archive states them.
    pub mode: u32,
    /// Modification time in seconds since 1970, as the archive states it.
    pub modified: i64,
    /// Of the content.
    pub sha256: Sha256,
    /// The id that git gives a blob of this content (SHA-1 object format).
    pub blob: CommitId,
    /// The same for the content with LF for every CRLF: what git stores for a text file that it checked out on
    /// Windows (gitattributes, "End-of-line conversion"). `None` where a line ends otherwise, and for large files.
    pub lf_blob: Option<CommitId>,
}

impl SurveyEntry {
    /// The blobs that become this entry when they are checked out and copied, here or on Windows.
    pub fn committed_as(&self) -> impl Iterator<Item = &CommitId> {
        std::iter::once(&self.blob).chain(&self.lf_blob)
    }
}

/// The header of a gzip member (RFC 1952, section 2.3): a fingerprint of the packer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzipHeader {
    /// Extra flags: 2 best compression, 4 fastest, 0 neither.
    pub extra_flags: u8,
    /// Operating system byte: 3 Unix, 10 or 11 Windows, 19 macOS (as pnpm writes it), 255 unknown.
    pub os: u8,
    /// Modification time, seconds since 1970; 0 is none.
    pub mtime: u32,
    /// Whether a file name is stored.
    pub named: bool,
}

/// Something in an archive that no honest packer writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Anomaly {
    /// What it is.
    pub kind: AnomalyKind,
    /// The entry concerned, as the archive spells it (escaped where unprintable), or empty for the whole file.
    pub path: String,
    /// What exactly was seen.
    pub detail: String,
}

/// The kinds of archive anomaly. Each is also a finding id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnomalyKind {
    /// Two entries of one path: which one an installer takes is its own choice.
    DuplicateEntry,
    /// A path that climbs out, is absolute, or holds forbidden bytes.
    PathTraversal,
    /// Two paths that differ only in case or Unicode normalisation and collide on some file systems.
    CaseTwins,
    /// A symbolic or hard link.
    LinkEntry,
    /// A device, pipe or other special file.
    SpecialFile,
    /// Bytes before the archive, e.g. a zip with a prefix.
    PrefixBytes,
    /// Bytes after the end of the archive.
    SuffixBytes,
    /// Bytes between entries that no entry owns.
    GapBytes,
    /// Headers that disagree: zip local against central, PAX against GNU long names, stated against real sizes.
    HeaderDisagreement,
    /// More gzip members after the first.
    TrailingGzipMember,
    /// Entries outside the single top folder, or below one of another name than the format demands.
    ForeignTopFolder,
    /// Set-user-id, set-group-id or sticky bits.
    SpecialModeBits,
    /// A file that is also a directory of other entries.
    FileDirectoryClash,
    /// A wheel's RECORD misses a file, lists one that is absent, or states a wrong hash or size.
    RecordMismatch,
    /// An encrypted entry, or one with a compression method that installers do not read.
    UnreadableEntry,
}

impl AnomalyKind {
    /// Every kind, for tables and documentation.
    pub const ALL: &'static [Self] = &[
        Self::DuplicateEntry,
        Self::PathTraversal,
        Self::CaseTwins,
        Self::LinkEntry,
        Self::SpecialFile,
        Self::PrefixBytes,
        Self::SuffixBytes,
        Self::GapBytes,
        Self::HeaderDisagreement,
        Self::TrailingGzipMember,
        Self::ForeignTopFolder,
        Self::SpecialModeBits,
        Self::FileDirectoryClash,
        Self::RecordMismatch,
        Self::UnreadableEntry,
    ];

    /// The finding id.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::DuplicateEntry => "duplicate-entry",
            Self::PathTraversal => "path-traversal",
            Self::CaseTwins => "case-twins",
            Self::LinkEntry => "link-entry",
            Self::SpecialFile => "special-file",
            Self::PrefixBytes => "prefix-bytes",
            Self::SuffixBytes => "suffix-bytes",
            Self::GapBytes => "gap-bytes",
            Self::HeaderDisagreement => "header-disagreement",
            Self::TrailingGzipMember => "trailing-gzip-member",
            Self::ForeignTopFolder => "foreign-top-folder",
            Self::SpecialModeBits => "special-mode-bits",
            Self::FileDirectoryClash => "file-directory-clash",
            Self::RecordMismatch => "record-mismatch",
            Self::UnreadableEntry => "unreadable-entry",
        }
    }
}
