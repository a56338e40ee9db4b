//! What an MCP bundle is made of: how it is started, who signed it, and where each of its files comes from.

use serde::Serialize;

use crate::comparison::Class;
use crate::digest::Integrity;
use crate::path::EntryPath;
use crate::target::{Ecosystem, PackageName, Version};

/// What was learnt about a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// What its manifest says that it is.
    pub facts: BundleFacts,
    /// Who signed it.
    pub signature: BundleSignature,
    /// The packages that its dependencies are, each with the files that are the registry's, byte for byte.
    pub packages: Vec<AttributedPackage>,
    /// Files of dependencies that no registry accounts for.
    pub unattributed: Vec<UnattributedFile>,
    /// Files that only record what a package manager installed.
    pub records: usize,
    /// Files that belong to no dependency, and have to come from the source.
    pub own: usize,
    /// Where a lockfile says something else than what was found.
    pub lock_disagreements: Vec<LockDisagreement>,
    /// Set where the source, once it was found, has no lockfile for packages of this kind.
    pub unlocked: Option<Ecosystem>,
}

/// What a bundle's manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleFacts {
    /// `node`, `python`, `binary`, `uv`, or what else stands there.
    pub server_type: Option<String>,
    /// The file that is the server.
    pub entry_point: Option<String>,
    /// What it fetches when it is started, on any platform.
    pub remote: Vec<RemoteCode>,
    /// The tools that it announces.
    pub tools: Vec<String>,
}

/// Code that a bundle does not hold and runs all the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RemoteCode {
    /// The platform whose command it is; `None` is every one that has no command of its own.
    pub platform: Option<String>,
    /// What is fetched, in words.
    pub what: String,
    /// Whether it is the same code tomorrow.
    pub pinned: Pinned,
}

/// Whether what is fetched is the same tomorrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pinned {
    /// An exact version or a digest.
    Exactly,
    /// Whatever is there when it starts.
    Floating,
    /// The command line cannot be read far enough to tell.
    Untold,
}

/// Who signed a bundle. That a signature holds says who signed it, never that the content is honest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BundleSignature {
    /// Nobody.
    Absent,
    /// What stands after its end is no signature block.
    Malformed(String),
    /// There is one, and it could not be verified.
    NotVerified(String),
    /// It is not one over this bundle.
    Invalid(String),
    /// It holds.
    Valid(BundleSigner),
}

/// The certificate whose key signed a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleSigner {
    /// The subject, as it calls itself.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Whether it vouches for itself: anybody can make one in any name.
    pub self_signed: bool,
    /// How many certificates lead from it upwards, each signed by the next. Whether the last one is to be trusted is
    /// not asked.
    pub chain: usize,
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
    /// From when to when it is valid, as it says.
    pub validity: (String, String),
}

/// A package inside of a bundle whose files the registry serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttributedPackage {
    /// Whose registry.
    pub ecosystem: Ecosystem,
    /// The package.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The folder in the bundle.
    pub folder: EntryPath,
    /// What the registry declares for the file that was compared.
    pub integrity: Option<Integrity>,
    /// Files that are in the registry's file, byte for byte.
    pub files: usize,
    /// Files of the registry's file that the bundle leaves out, beyond what bundles always leave out.
    pub left_out: usize,
}

/// A file of a dependency that no registry accounts for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct UnattributedFile {
    /// How much it matters.
    pub class: Class,
    /// In the bundle.
    pub path: EntryPath,
    /// The package that it would belong to, as `name@version`.
    pub package: Option<String>,
    /// Why it is not accounted for.
    pub reason: Unattributed,
    /// The reason in words, with what is known of it.
    pub detail: String,
}

/// Why a file of a dependency is not accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unattributed {
    /// The registry's file has another content at this path.
    Differs,
    /// The registry's file has nothing at this path.
    Extra,
    /// Nothing says which package it belongs to, or no registry has that package.
    UnknownPackage,
    /// A registry did not answer, so it could not be found out.
    Unreachable,
    /// More packages or bytes than are looked at.
    BeyondLimits,
}

impl Unattributed {
    /// Whether it is an answer, rather than the lack of one.
    #[must_use]
    pub const fn is_known(self) -> bool {
        match self {
            Self::Differs | Self::Extra | Self::UnknownPackage => true,
            Self::Unreachable | Self::BeyondLimits => false,
        }
    }
}

/// A lockfile that says something else than what was found in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LockDisagreement {
    /// Which lockfile.
    pub lockfile: String,
    /// The package, as `name@version`.
    pub package: String,
    /// What is wrong, in words.
    pub detail: String,
    /// Whether it names another digest for this very version.
    pub other_digest: bool,
}
