//! Reads manifests: the entry points of this ecosystem that plan nothing.

use remint_model::{BundleFacts, EntryPath, ManifestFacts, SourcePin, SourceTree, Survey};

use super::manifest::{BundleManifest, MANIFEST};
use crate::npm::claims;
use crate::npm::locate as npm;
use crate::release::{Identity, MetadataError, RepositoryClaim, StatedVersion};

/// How a bundle starts, and what it announces.
///
/// # Errors
/// It has no manifest, or one that cannot be read.
pub fn facts(survey: &Survey) -> Result<BundleFacts, MetadataError> {
    Ok(BundleManifest::of(survey)?.facts(survey.text("uv.lock").is_some()))
}

pub(crate) fn published_facts(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    BundleManifest::of(survey).map(|manifest| manifest_facts(&manifest))
}

pub(crate) fn source_facts(
    tree: &SourceTree,
    pin: &SourcePin,
) -> Result<ManifestFacts, MetadataError> {
    let path = SourceTree::path_in(pin.subdirectory.as_ref(), MANIFEST);
    let content = tree
        .texts
        .get(path.as_str())
        .ok_or_else(|| MetadataError::Missing(path.clone()))?;
    BundleManifest::parse(content).map(|manifest| manifest_facts(&manifest))
}

/// Dependencies lie in a bundle, so that its manifest promises none.
fn manifest_facts(manifest: &BundleManifest) -> ManifestFacts {
    let identity = manifest.identity();
    ManifestFacts {
        name: identity.name.map(|name| name.to_string()),
        version: match identity.version {
            StatedVersion::Exact(version) | StatedVersion::Placeholder(version) => Some(version),
            StatedVersion::Dynamic(_) | StatedVersion::Absent => None,
        },
        ..ManifestFacts::default()
    }
}

pub(crate) fn published_claims(survey: &Survey) -> Vec<RepositoryClaim> {
    BundleManifest::of(survey).map_or_else(|_| Vec::new(), |manifest| claims::of(&manifest.0))
}

pub(crate) fn published_identity(survey: &Survey) -> Result<Identity, MetadataError> {
    BundleManifest::of(survey).map(|manifest| manifest.identity())
}

/// A `manifest.json` that is not part of an installed dependency.
pub(crate) fn is_manifest(path: &EntryPath) -> bool {
    path.file_name() == MANIFEST && !path.as_str().split('/').any(|part| part == "node_modules")
}

pub(crate) fn manifest_identity(_: &EntryPath, content: &[u8]) -> Result<Identity, MetadataError> {
    BundleManifest::parse(content).map(|manifest| manifest.identity())
}

pub(crate) fn same_version(one: &str, other: &str) -> bool {
    npm::same_version(one, other)
}
