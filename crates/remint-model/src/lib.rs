//! The words of remint: every type that crosses from one stage to the next, and the parsing of its text form.
//!
//! Nothing here reads a file, a clock or the network, and no other crate of remint is named. A type that only
//! one stage needs stays with that stage.

mod archive;
mod artifact;
mod build;
mod bundle;
mod comparison;
mod digest;
mod finding;
mod image;
mod image_reference;
mod judgement;
pub mod line_ends;
mod manifest;
mod module;
mod module_path;
mod native;
mod path;
mod plan;
mod program;
mod provenance;
mod source;
mod spec;
mod target;

pub use archive::{
    Anomaly, AnomalyKind, DetachedSignature, GzipHeader, SignatureBlock, Survey, SurveyEntry,
};
pub use artifact::{Artifact, ArtifactFormat, Published, Rebuilt};
pub use build::{
    BuildOutcome, BuildRecord, Failure, FailureReason, Fetched, GapKind, NetworkAttempt,
    RefusedRequest, SourceGap, UnlistedFile,
};
pub use bundle::{
    AttributedPackage, Bundle, BundleFacts, BundleSignature, BundleSigner, LockDisagreement,
    Pinned, RemoteCode, Unattributed, UnattributedFile,
};
pub use comparison::{Change, Class, Comparison, Difference, Erasure};
pub use digest::{CommitId, DigestError, Integrity, Sha1, Sha256, Sha512};
pub use finding::{Axis, Finding, Severity};
pub use image::{
    AnomalyWeight, BaseImage, FileOrigin, Image, ImageConfig, ImageFile, ImageLayer, ImageMismatch,
    ImageSource, LayerAnomaly, NamedBy,
};
pub use image_reference::{ImagePlace, ImageReference, ImageReferenceError};
pub use judgement::{Basis, Content, InconclusiveReason, Judgement, Outcome};
pub use manifest::{
    Dependency, DependencyKind, InstallHook, ManifestFacts, ManifestPart, RegistryDisagreement,
};
pub use module::{DatabaseAnswer, ModuleChecksums};
pub use native::{NativeCode, NativeFile, NativeFormat};
pub use path::{EntryPath, PathError};
pub use plan::{
    Action, Assumption, AssumptionKind, BuildPlan, CloneShape, Edit, Lock, LockedFetch,
    LockedModule, ModuleLock, OnFailure, Output, Phase, Step, Tool, ToolOrigin, Worth,
};
pub use program::{Debugging, GoBuildInfo, GoDependency, GoModuleVersion, ProgramSignature};
pub use provenance::{
    Doubt, OfferedProvenance, Provenance, ProvenanceAnswer, ProvenanceClaim, ProvenanceKind,
    ProvenanceOrigin, ProvenanceStanding, VerifiedProvenance,
};
pub use source::{
    Candidate, FoundBy, MeantFor, PreviousRepository, Reach, Renaming, RepositoryUrl,
    RepositoryUrlError, SourcePin, SourceTree, Stamp, TreeEntry,
};
pub use spec::{Spec, SpecError};
pub use target::{Ecosystem, FileName, PackageName, Target, TargetError, Version};
