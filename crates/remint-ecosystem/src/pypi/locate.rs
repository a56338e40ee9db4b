//! Reads registry metadata and manifests.

use remint_model::{EntryPath, ManifestFacts, SourcePin, SourceTree, Survey};

use crate::release::{Identity, MetadataError, RepositoryClaim};

pub(crate) fn published_facts(_survey: &Survey) -> Result<ManifestFacts, MetadataError> { Err(MetadataError::Missing(String::new())) }
pub(crate) fn source_facts(_tree: &SourceTree, _pin: &SourcePin) -> Result<ManifestFacts, MetadataError> { Err(MetadataError::Missing(String::new())) }
pub(crate) fn published_claims(_survey: &Survey) -> Vec<RepositoryClaim> { Vec::new() }
pub(crate) fn published_identity(_survey: &Survey) -> Result<Identity, MetadataError> { Err(MetadataError::Missing(String::new())) }
pub(crate) fn is_manifest(_path: &EntryPath) -> bool { false }
pub(crate) fn manifest_identity(_path: &EntryPath, _content: &[u8]) -> Result<Identity, MetadataError> { Err(MetadataError::Missing(String::new())) }
pub(crate) fn same_version(one: &str, other: &str) -> bool { one == other }
