//! The comparison: an in-toto test result, version 0.1 (`spec/predicates/test-result.md`). The subject is the
//! *published* file.

use serde::{Deserialize, Serialize};

use super::ResourceDescriptor;

/// What comparing the published file with the rebuilt one gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonV0_1 {
    /// The answer.
    pub result: ComparisonResult,
    /// What it was compared with, and the report.
    pub configuration: Vec<Configuration>,
    /// `bitwise-equality`, where the files are identical.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_tests: Vec<String>,
    /// The erasures that were applied, as `name@version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warned_tests: Vec<String>,
    /// The paths that differ, as `class:path`; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_tests: Vec<String>,
}

/// The answers of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ComparisonResult {
    /// Bit for bit the same.
    Passed,
    /// The same once the named erasures are applied.
    Warned,
    /// Something published is not explained by the source.
    Failed,
}

/// A resource that the comparison used or made, with what remint notes about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// The resource.
    #[serde(flatten)]
    pub resource: ResourceDescriptor,
    /// On the entry named `release` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<ConfigurationNotes>,
}

/// What a comparison says beside its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationNotes {
    /// The outcome of the whole judgement: `verified` or `failed`. A file may be identical to what its source builds and
    /// fail all the same.
    pub outcome: String,
    /// The isolation level of the rebuild.
    pub isolation: String,
    /// When it was compared: RFC 3339, in UTC.
    pub finished_on: String,
}
