//! Everything that is known about a target when it is judged.

use std::collections::BTreeMap;

use remint_model::{
    Anomaly, Basis, BuildRecord, Bundle, Comparison, EntryPath, GoBuildInfo, InconclusiveReason,
    Integrity, ManifestFacts, ModuleChecksums, NativeFile, NativeFormat, ProgramSignature,
    Provenance, RegistryDisagreement, SourcePin, Target,
};

/// What was learnt about one target. Whatever could not be learnt is said so, never left out.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// What is judged.
    pub target: Target,
    /// The published file against the digest that its registry declares.
    pub integrity: IntegrityCheck,
    /// What the published file says that it is; `None` where its manifest could not be read.
    pub identity: Option<StatedIdentity>,
    /// The pinned source, where one was found.
    pub source: Option<SourcePin>,
    /// What others say about where the published file comes from.
    pub provenance: Provenance,
    /// Repositories that the registry names and the published file does not, or the other way round.
    pub repository_claims_disagree: Option<(String, String)>,
    /// What the registry tells installers and the published file's manifest does not say.
    pub registry_disagreements: Vec<RegistryDisagreement>,
    /// What no honest packer writes, in the published file.
    pub published_anomalies: Vec<Anomaly>,
    /// The same in the rebuilt one: what the build itself makes of the source is no sign of tampering.
    pub rebuilt_anomalies: Vec<Anomaly>,
    /// Both manifests.
    pub manifests: Manifests,
    /// What happened during the build, if there was one.
    pub build: Option<BuildRecord>,
    /// Whether the build asked the proxy for the very file that it should produce.
    pub consumed_published: bool,
    /// What is in it, where it is a bundle of a server with its dependencies.
    pub bundle: Option<Bundle>,
    /// The digests of a Go module, and what the checksum database has.
    pub checksums: Option<ModuleChecksums>,
    /// What a program of Go says of itself, and what the one that was built here does.
    pub programs: Option<Programs>,
    /// The machine code in it, for which no dependency of a bundle answers; in path order.
    pub native: Vec<NativeFile>,
    /// Where the rebuilt file has machine code, and in which format.
    pub rebuilt_native: BTreeMap<EntryPath, NativeFormat>,
    /// Whether the source itself says that machine code is put into the package when it is released (npm's packages
    /// for one platform).
    pub declares_native: bool,
    /// Rebuilders whom the user trusts and who found that this release failed.
    pub attested_failures: Vec<AttestedFailure>,
    /// The comparison, or why there is none.
    pub result: ResultEvidence,
}

/// Two programs of Go, in their own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The published one.
    pub published: GoBuildInfo,
    /// The one that was built here, where one was.
    pub rebuilt: Option<GoBuildInfo>,
    /// The signature that the published one was given, where nothing else of it differs.
    pub only_signed: Option<ProgramSignature>,
}

/// What somebody trusted found wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedFailure {
    /// Who: as the user's policy calls them, and how they sign.
    pub rebuilder: String,
    /// What they say, in words.
    pub words: String,
}

/// The published file against its registry's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntegrityCheck {
    /// It has the declared digest.
    Matches(Integrity),
    /// It has another digest than the registry declares.
    Mismatch {
        /// What the registry declares.
        declared: Integrity,
        /// What the file has, in words.
        actual: String,
    },
    /// The registry declares none.
    NotDeclared,
    /// The file came from the user, not from a registry.
    GivenByUser,
}

/// Name and version as the published file's own manifest states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedIdentity {
    /// The name, canonical; `None` where it states none.
    pub name: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// Whether the version means the same as the target's, by the ecosystem's rules.
    pub same_version: bool,
}

/// The manifests that are held against each other.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    /// Of the published file; an `Err` says why it could not be read.
    pub published: Option<Result<ManifestFacts, String>>,
    /// Of the source, as publishing would write it.
    pub source: Option<Result<ManifestFacts, String>>,
    /// Of the rebuilt file: settles what the source leaves to its build backend.
    pub rebuilt: Option<Result<ManifestFacts, String>>,
}

/// What the published file was held against, and with what result.
#[derive(Debug, Clone)]
pub enum ResultEvidence {
    /// It was compared.
    Compared {
        /// With what.
        basis: Basis,
        /// The result.
        comparison: Comparison,
    },
    /// It was not compared.
    NotCompared {
        /// Why.
        reason: InconclusiveReason,
        /// In words.
        detail: String,
    },
}
