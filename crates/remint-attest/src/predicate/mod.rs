//! What statements say: one file for each type and version, frozen once released. A new version is a new file.
//!
//! Each has a page and a JSON Schema in `docs/predicates/`.

mod attempt_v1;
mod comparison_v0_1;
mod provenance_v1;
mod summary_v1;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use attempt_v1::AttemptV1;
pub use comparison_v0_1::{ComparisonResult, ComparisonV0_1, Configuration, ConfigurationNotes};
pub use provenance_v1::{
    BuildDefinition, Builder, ByProduct, ExternalParameters, InternalParameters, Metadata,
    ProvenanceV1, RunDetails, SourceParameters,
};
pub use summary_v1::{JudgementPolicy, SummaryContent, SummaryV1, VerificationResult, Verifier};

/// What type URIs of our own stand under, until the project owns a domain.
pub const BASE: &str = "urn:x-remint:";

/// The type URIs.
pub mod uri {
    /// SLSA provenance.
    pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
    /// The in-toto test result.
    pub const COMPARISON: &str = "https://in-toto.io/attestation/test-result/v0.1";
    /// The SLSA verification summary.
    pub const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
    /// A rebuild that could not be judged.
    pub const ATTEMPT: &str = "urn:x-remint:predicate:rebuild-attempt:v1";
    /// How a rebuild's provenance is to be read.
    pub const BUILD_TYPE: &str = "urn:x-remint:build-type:rebuild:v1";
    /// The program, as builder and as verifier.
    pub const BUILDER: &str = "urn:x-remint:rebuilder:v1";
    /// The rules by which remint judges.
    pub const JUDGEMENT_POLICY: &str = "urn:x-remint:policy:judgement:v1";
}

/// A file or a source by its digests (in-toto attestation framework, `spec/v1/resource_descriptor.md`); only the fields
/// that are used here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceDescriptor {
    /// A name that is unique in its list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it can be had, or what it is known as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// Hexadecimal digests by algorithm.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// The media type of the bytes that the digest is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

impl ResourceDescriptor {
    /// By its SHA-256.
    pub(crate) fn sha256(digest: &remint_model::Sha256) -> Self {
        Self {
            digest: BTreeMap::from([("sha256".to_owned(), digest.to_string())]),
            ..Self::default()
        }
    }
}
