//! The words of a verdict.

use serde::Serialize;

use crate::finding::Finding;

/// What all evidence about a target amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub outcome: Outcome,
    /// Whether the published file is what its source builds.
    pub content: Content,
    /// What it was held against; `None` where it could not be held against anything.
    pub basis: Option<Basis>,
    /// Set exactly when content is inconclusive or the basis is an sdist.
    pub reason: Option<InconclusiveReason>,
    /// In words, why it is inconclusive.
    pub detail: Option<String>,
    /// Everything found, most severe first.
    pub findings: Vec<Finding>,
}

/// The verdict on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that was looked at is as it should be.
    Verified,
    /// It could not be found out.
    Inconclusive,
    /// It differs from its source, or something serious was found.
    Failed,
}

/// Is the published artifact what its source builds?
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Bit for bit.
    Identical,
    /// Equal once named erasures are applied.
    Equivalent,
    /// Something published is not explained by the source.
    Different,
    /// Could not find out.
    Inconclusive,
}

/// What the published file was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// A clean build of the source.
    Rebuild,
    /// The files of the source tree, where there is nothing to build.
    SourceTree,
    /// The registry's own source archive, which the same hands uploaded.
    Sdist,
    /// A trusted rebuilder's word.
    Attestation,
}

/// Why a target is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InconclusiveReason {
    /// No such package, version or file.
    NotFound,
    /// No commit carries this version.
    NoSource,
    /// The source did not build.
    NotBuilt,
    /// A kind of project that cannot be judged.
    Unsupported,
    /// What was fetched cannot be parsed.
    Malformed,
    /// A remote did not answer.
    Unavailable,
    /// Held against the sdist only.
    SdistOnly,
}
