//! A file that was published or rebuilt; the origin is part of the type, so the two cannot be swapped.

use std::marker::PhantomData;
use std::path::PathBuf;

use crate::digest::{Sha256, Sha512};
use crate::target::FileName;

/// Marks what a registry (or the user) handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {}

/// Marks what the sandbox built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rebuilt {}

/// A file on this machine with the digests that were computed while it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact<Origin> {
    /// The file's own name.
    pub name: FileName,
    /// How it is packed.
    pub format: ArtifactFormat,
    /// Where it lies.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Its identity.
    pub sha256: Sha256,
    /// npm's integrity, and a second subject digest for attestations.
    pub sha512: Sha512,
    origin: PhantomData<Origin>,
}

impl<Origin> Artifact<Origin> {
    /// A file whose digests the caller has just computed from the bytes at `path`.
    #[must_use]
    pub const fn new(
        name: FileName,
        format: ArtifactFormat,
        path: PathBuf,
        size: u64,
        sha256: Sha256,
        sha512: Sha512,
    ) -> Self {
        Self {
            name,
            format,
            path,
            size,
            sha256,
            sha512,
            origin: PhantomData,
        }
    }
}

/// How an artifact is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactFormat {
    /// npm's gzipped tar with one top folder, usually `package/`.
    NpmTarball,
    /// A Python wheel (PyPA binary distribution format): a zip.
    Wheel,
    /// A Python source distribution (PEP 625): a gzipped tar below `name-version/`.
    Sdist,
    /// A source distribution as a zip, from before PEP 527.
    SdistZip,
    /// Cargo's gzipped tar below `name-version/`.
    Crate,
    /// An MCP bundle: a zip without a top folder, perhaps with a signature after its end.
    Mcpb,
    /// A Go module zip: files below `module@version/` (Go modules reference, "Module zip files").
    GoModule,
    /// A program that `go build` made: no archive, but one file of machine code.
    GoProgram,
    /// Of a container image what another has not: a gzipped tar without a top folder, made by whoever compares the two and
    /// never published.
    ImageFiles,
}

impl ArtifactFormat {
    /// The format that a file name promises.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        if name.ends_with(".tgz") {
            Some(Self::NpmTarball)
        } else if name.ends_with(".whl") {
            Some(Self::Wheel)
        } else if name.ends_with(".tar.gz") {
            Some(Self::Sdist)
        } else if name.ends_with(".zip") {
            Some(Self::SdistZip)
        } else if name.ends_with(".crate") {
            Some(Self::Crate)
        } else if name.ends_with(".mcpb") || name.ends_with(".dxt") {
            Some(Self::Mcpb)
        } else {
            None
        }
    }

    /// Whether it is a zip archive; otherwise it is a gzipped tar, or no archive at all.
    #[must_use]
    pub const fn is_zip(self) -> bool {
        matches!(
            self,
            Self::Wheel | Self::SdistZip | Self::Mcpb | Self::GoModule
        )
    }
}
