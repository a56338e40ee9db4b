//! The summary: an SLSA verification summary, version 1 (`https://slsa.dev/spec/v1.0/verification_summary`). The
//! subject is the *published* file.

use std::collections::BTreeMap;

use remint_model::Sha256;
use serde::{Deserialize, Serialize};

use super::ResourceDescriptor;
use super::uri::JUDGEMENT_POLICY;

/// The outcome of a judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryV1 {
    /// Who judged.
    pub verifier: Verifier,
    /// When: RFC 3339, in UTC.
    pub time_verified: String,
    /// The purl of the release.
    pub resource_uri: String,
    /// The rules that were applied.
    pub policy: ResourceDescriptor,
    /// The statements about the rebuild and the comparison, by the digest of their signed bytes.
    pub input_attestations: Vec<ResourceDescriptor>,
    /// The outcome.
    pub verification_result: VerificationResult,
    /// `SLSA_BUILD_LEVEL_UNEVALUATED`, also on a pass: a rebuild proves no level.
    pub verified_levels: Vec<String>,
    /// The version of the specification.
    pub slsa_version: String,
    /// Published against rebuilt (an extension field, as the specification allows).
    #[serde(rename = "remint_content")]
    pub content: SummaryContent,
    /// The erasures that were needed, as `name@version` (an extension field).
    #[serde(
        rename = "remint_erasures",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub erasures: Vec<String>,
    /// The isolation level of the rebuild (an extension field).
    #[serde(
        rename = "remint_isolation",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub isolation: Option<String>,
}

/// Is the published file what its source builds?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SummaryContent {
    /// Bit for bit.
    Identical,
    /// Once the named erasures are applied.
    Equivalent,
    /// It is not.
    Different,
    /// It was not compared; the release failed for another reason.
    Inconclusive,
}

/// Who judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifier {
    /// [`super::uri::BUILDER`]; who ran it is told by the signature.
    pub id: String,
    /// Components and their versions.
    #[serde(default)]
    pub version: BTreeMap<String, String>,
}

/// The two outcomes that a summary can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum VerificationResult {
    /// `verified`.
    Passed,
    /// `failed`.
    Failed,
}

/// The rules that lead from what was found to an outcome, as text that never changes.
#[derive(Debug, Clone, Copy)]
pub struct JudgementPolicy;

impl JudgementPolicy {
    /// The text.
    pub const TEXT: &'static str = include_str!("judgement_policy_v1.md");

    /// The text by its URI and digest.
    #[must_use]
    pub fn descriptor() -> ResourceDescriptor {
        ResourceDescriptor {
            uri: Some(JUDGEMENT_POLICY.to_owned()),
            ..ResourceDescriptor::sha256(&Sha256::of(Self::TEXT.as_bytes()))
        }
    }
}
