//! Reads registry metadata and manifests: the entry points of this ecosystem that plan nothing.

use remint_model::{EntryPath, ManifestFacts, PackageName, SourcePin, SourceTree, Survey, Version};

pub use crate::pypi::index::IndexAnswer;
use crate::pypi::{backend, claims, facts, identity, index, metadata, requirement, versions};
use crate::release::{Identity, MetadataError, Release, RepositoryClaim};
use crate::request::{Interpreter, Platform};

/// Reads one release out of an index's page for a project (the simple repository API: PEP 503, 691, 700).
///
/// Without a version, the newest stable one that is not yanked is taken. `project` is PyPI's JSON about the
/// release (`/pypi/NAME/VERSION/json`) or the project (`/pypi/NAME/json`), where the index has one: the only
/// place outside the files themselves that names repositories. `interpreters` and `platform` decide which file
/// comes first.
///
/// # Errors
/// The page is malformed, does not have the version, or has no file for it that can be judged.
pub fn release(
    name: &PackageName,
    answer: &IndexAnswer<'_>,
    project: Option<&[u8]>,
    version: Option<&Version>,
    platform: Platform,
    interpreters: &[Interpreter],
) -> Result<Release, MetadataError> {
    let mut release = index::release(name, answer, version, platform, interpreters)?;
    if let Some(project) = project {
        release.claims = claims::of_project(project, release.version.as_str())?;
    }
    Ok(release)
}

/// The repositories that a core metadata file names (`METADATA`, `PKG-INFO`, or what PEP 658 serves beside a
/// file); none where it cannot be parsed.
#[must_use]
pub fn metadata_claims(content: &[u8]) -> Vec<RepositoryClaim> {
    metadata::Metadata::parse("METADATA", content)
        .map_or_else(|_| Vec::new(), |metadata| claims::of_metadata(&metadata))
}

/// The requirements in `text`, one a line, if every one of them is a plain named requirement (PEP 508).
///
/// The text is written by a build backend that the source chose, so it may try to be read as something else by
/// the installer.
///
/// # Errors
/// A line is a URL, a path, an option or not a requirement at all; the offending line is returned.
pub fn plain_requirements(text: &str) -> Result<Vec<String>, String> {
    requirement::plain(text)
}

/// The files that may hold a version which the manifest leaves to the build: where they would lie in the tree,
/// the likeliest first. Empty where the version comes from git or from code.
#[must_use]
pub fn version_files(manifest: &EntryPath, content: &[u8]) -> Vec<EntryPath> {
    identity::version_files(manifest, content)
}

/// The version that a file named by [`version_files`] states: `__version__ = "1.2.3"` and its variants, a JSON
/// manifest, or nothing but the version.
#[must_use]
pub fn version_in_file(content: &[u8]) -> Option<String> {
    identity::version_in_file(content)
}

/// What made a wheel, as it says itself: `hatchling 1.27.0`. A hint for its sibling files ([`crate::ToolHints`]).
#[must_use]
pub fn generator(survey: &Survey) -> Option<String> {
    backend::generator_line(survey)
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
    metadata::of_survey(survey)
        .map_or_else(|_| Vec::new(), |metadata| claims::of_metadata(&metadata))
}

pub(crate) fn published_identity(survey: &Survey) -> Result<Identity, MetadataError> {
    metadata::of_survey(survey)?.identity()
}

/// `pyproject.toml`, `setup.cfg` or `setup.py`, unless it is part of an installed dependency.
pub(crate) fn is_manifest(path: &EntryPath) -> bool {
    matches!(
        path.file_name(),
        "pyproject.toml" | "setup.cfg" | "setup.py"
    ) && !path.as_str().split('/').any(|part| {
        matches!(
            part,
            "node_modules" | "site-packages" | "dist-packages" | ".venv" | "venv" | ".tox"
        )
    })
}

pub(crate) fn manifest_identity(
    path: &EntryPath,
    content: &[u8],
) -> Result<Identity, MetadataError> {
    identity::of_manifest(path, content)
}

pub(crate) fn same_version(one: &str, other: &str) -> bool {
    versions::same(one, other)
}
