//! What registries offer as provenance of a published file, and whether it holds: facts, not yet judged.

use crate::digest::CommitId;
use crate::target::Version;

/// Everything that was learnt about the provenance of one published file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// What each place that was asked answered; empty where nobody was asked.
    pub offered: Vec<OfferedProvenance>,
    /// The nearest release before this one that the registry says was published with provenance, where this one was
    /// not and publishing without has not become usual since.
    pub before: Option<Version>,
    /// Commits that claims about another repository name and that a tag or the default branch of the pinned source
    /// reaches: that repository is the same one under another name, or a copy of it.
    pub commits_of_source: Vec<CommitId>,
}

/// One place's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedProvenance {
    /// Which place.
    pub origin: ProvenanceOrigin,
    /// Whether the registry's own metadata says that there is provenance for this file.
    pub announced: bool,
    /// What it answered.
    pub answer: ProvenanceAnswer,
}

/// Where provenance is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProvenanceOrigin {
    /// An npm registry's attestations.
    Npm,
    /// A Python index's attestations (PEP 740).
    Pypi,
    /// The attestations that GitHub keeps beside a repository.
    GitHub,
}

impl ProvenanceOrigin {
    /// The word for it, for people and programs.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::GitHub => "github",
        }
    }
}

/// What a place answered. Absence, silence and nonsense are different answers, and none of them vouches for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvenanceAnswer {
    /// It has none for this file, or does not offer such a thing at all.
    NoneOffered,
    /// These; at least one.
    Offered(Vec<ProvenanceClaim>),
    /// It did not answer, or not to us; the reason in words.
    Unreachable(String),
    /// The answer cannot be understood; the reason in words.
    Unreadable(String),
}

/// One attestation that was offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenanceClaim {
    /// What it is, as far as that is known.
    pub kind: ProvenanceKind,
    /// Whether it holds for the published file.
    pub standing: ProvenanceStanding,
}

/// What an attestation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProvenanceKind {
    /// From which commit a workflow built the file (SLSA provenance).
    SlsaProvenance,
    /// That a workflow, or the registry itself, published the file.
    Publish,
    /// Something else.
    Other,
}

impl ProvenanceKind {
    /// The word for it in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::SlsaProvenance => "slsa-provenance",
            Self::Publish => "publish",
            Self::Other => "other",
        }
    }
}

/// Whether an attestation holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvenanceStanding {
    /// It was signed as it should be, for this very file. Whether what it says is true of the source is judged
    /// elsewhere.
    Verified(Box<VerifiedProvenance>),
    /// It does not hold for this file.
    Refused(Doubt),
    /// It is of a kind, or signed in a way, that cannot be checked here.
    Unchecked(Doubt),
}

/// Why an attestation is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The stable id of the reason.
    pub reason: &'static str,
    /// In words, what exactly is wrong.
    pub detail: String,
}

/// Who signed an attestation that holds, and what the certificate says about the workload that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProvenance {
    /// The identity in the certificate, or the registry's key.
    pub signer: String,
    /// Who vouches for that identity; `None` where a registry's key signed.
    pub issuer: Option<String>,
    /// The repository that the workflow ran for.
    pub source_repository: Option<String>,
    /// The commit.
    pub source_commit: Option<String>,
    /// The ref.
    pub source_reference: Option<String>,
    /// `github-hosted`, `self-hosted` and the like.
    pub runner_environment: Option<String>,
}
