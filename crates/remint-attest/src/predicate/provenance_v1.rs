//! Rebuild provenance: SLSA provenance, version 1 (`https://slsa.dev/spec/v1.0/provenance`), with a build type of our
//! own. The subject is the *rebuilt* file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ResourceDescriptor;

/// How a file was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvenanceV1 {
    /// What went in.
    pub build_definition: BuildDefinition,
    /// What happened.
    pub run_details: RunDetails,
}

/// What went into a rebuild.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildDefinition {
    /// [`super::uri::BUILD_TYPE`].
    pub build_type: String,
    /// What was asked for.
    pub external_parameters: ExternalParameters,
    /// What remint chose.
    #[serde(default)]
    pub internal_parameters: InternalParameters,
    /// The source, with its `gitCommit`, then every file that was fetched.
    #[serde(default)]
    pub resolved_dependencies: Vec<ResourceDescriptor>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalParameters {
    /// The purl of the release.
    pub package: String,
    /// The source that was built.
    pub source: SourceParameters,
}

/// Where the source lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceParameters {
    /// The repository.
    pub repository: String,
    /// The tag or branch, where one names the commit.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The commit.
    pub commit: String,
    /// The package's folder, where it is not the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What remint chose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InternalParameters {
    /// The name of the plan.
    #[serde(default)]
    pub strategy: String,
    /// The isolation level: `namespaces` or `landlock`.
    #[serde(default)]
    pub isolation: String,
    /// Tools and their versions.
    #[serde(default)]
    pub toolchain: BTreeMap<String, String>,
    /// The commands, as run.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Inputs that did not come from the source, as `kind: value (from where)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
    /// The conditions that were others in a second build, which made the same file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reproduced_under: Vec<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunDetails {
    /// Who built.
    pub builder: Builder,
    /// When.
    pub metadata: Metadata,
    /// The build log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub byproducts: Vec<ByProduct>,
}

/// Who built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builder {
    /// [`super::uri::BUILDER`]; who ran it is told by the signature.
    pub id: String,
    /// Components and their versions.
    #[serde(default)]
    pub version: BTreeMap<String, String>,
}

/// When it was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// RFC 3339, in UTC.
    pub started_on: String,
    /// RFC 3339, in UTC.
    pub finished_on: String,
}

/// Something that the build left beside its result.
pub type ByProduct = ResourceDescriptor;
