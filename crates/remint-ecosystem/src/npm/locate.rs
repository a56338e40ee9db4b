//! Reads registry metadata and manifests: the entry points of this ecosystem that plan nothing.

use remint_model::{
    EntryPath, ManifestFacts, RegistryDisagreement, SourcePin, SourceTree, Survey, Version,
};

use crate::npm::manifest::Manifest;
use crate::npm::{claims, document, facts, packument, versions};
use crate::release::{DocumentFacts, Identity, MetadataError, Release, RepositoryClaim};

/// Reads one release out of a registry's full metadata document of a package.
///
/// Without a version, the one that the dist-tag `latest` names is taken. A version that the document does not
/// have may still be the name of a dist-tag.
///
/// # Errors
/// The document is malformed, does not have the version, or names no tarball for it.
pub fn release(packument: &[u8], version: Option<&Version>) -> Result<Release, MetadataError> {
    packument::release(packument, version)
}

/// When each version was out at the latest, in seconds since 1970; nothing of a document that cannot be read.
///
/// Those are the registry's times where they can be true. Mirrors write down when they first saw a version; such times
/// come out of order and in bursts, and then a version counts as out when it or a later patch of its line was seen.
#[must_use]
pub fn out_by(packument: &[u8]) -> std::collections::BTreeMap<String, i64> {
    packument::out_by(packument)
}

pub(crate) fn published_facts(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    facts::published(survey)
}

pub(crate) fn source_facts(
    tree: &SourceTree,
    pin: &SourcePin,
) -> Result<ManifestFacts, MetadataError> {
    facts::source(tree, pin)
}

pub(crate) fn published_claims(survey: &Survey) -> Vec<RepositoryClaim> {
    published_manifest(survey).map_or_else(|_| Vec::new(), |manifest| claims::of(&manifest))
}

pub(crate) fn published_identity(survey: &Survey) -> Result<Identity, MetadataError> {
    published_manifest(survey).map(|manifest| manifest.identity())
}

pub(crate) fn registry_disagreements(
    told: &DocumentFacts,
    survey: &Survey,
) -> Result<Vec<RegistryDisagreement>, MetadataError> {
    Ok(document::disagreements(
        told,
        &published_manifest(survey)?,
        survey,
    ))
}

/// A `package.json` that is not part of an installed or vendored dependency.
pub(crate) fn is_manifest(path: &EntryPath) -> bool {
    path.file_name() == "package.json"
        && !path
            .as_str()
            .split('/')
            .any(|part| matches!(part, "node_modules" | "bower_components"))
}

pub(crate) fn manifest_identity(
    path: &EntryPath,
    content: &[u8],
) -> Result<Identity, MetadataError> {
    Manifest::parse(path.as_str(), content).map(|manifest| manifest.identity())
}

pub(crate) fn same_version(one: &str, other: &str) -> bool {
    versions::same(one, other)
}

/// The manifest inside the published file.
fn published_manifest(survey: &Survey) -> Result<Manifest, MetadataError> {
    let content = survey
        .text("package.json")
        .ok_or_else(|| MetadataError::Missing("package.json".to_owned()))?;
    Manifest::parse("package.json", content)
}
