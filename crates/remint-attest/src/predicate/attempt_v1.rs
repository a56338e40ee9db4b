//! The attempt: what is signed where nothing could be found out. It says neither PASSED nor FAILED. The subject is the
//! *published* file.

use serde::{Deserialize, Serialize};

use super::ResourceDescriptor;
use super::provenance_v1::SourceParameters;
use super::summary_v1::Verifier;

/// A rebuild that led to no judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptV1 {
    /// Who tried.
    pub verifier: Verifier,
    /// When it began: RFC 3339, in UTC.
    pub started_on: String,
    /// When it ended: RFC 3339, in UTC.
    pub finished_on: String,
    /// The purl of the release.
    pub resource_uri: String,
    /// Why it is inconclusive: an id such as `no-source` or `not-built`.
    pub reason: String,
    /// In words.
    pub detail: String,
    /// The command that failed, where a build did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The source, where it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceParameters>,
    /// The build log, where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<ResourceDescriptor>,
}
