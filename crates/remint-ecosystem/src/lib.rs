//! Where a release lives and how it is built, for each ecosystem: bytes in, values out.
//!
//! Each ecosystem is a folder with files of the same names: `locate.rs` reads registry metadata and manifests,
//! `plan.rs` turns a source tree into build plans. Nothing here fetches, runs or stores anything; whatever is
//! read was written by strangers.

pub mod cargo;
pub mod client_config;
pub mod command_line;
pub mod golang;
pub mod html;
pub mod mcpb;
pub mod npm;
pub mod oci;
mod own_version;
pub mod pypi;
mod release;
mod request;
mod text_file;
mod toml_file;
mod windows;
mod workflow;
mod yaml;

pub use release::{
    DocumentFacts, Earlier, Identity, MetadataError, Release, ReleaseFile, RepositoryClaim,
    StatedVersion, ToolHints,
};
pub use request::{Interpreter, PlanError, PlanRequest, Platform, RustToolchain};
pub use windows::published_with_crlf;

use remint_model::{
    BuildPlan, CommitId, Ecosystem, EntryPath, ManifestFacts, RegistryDisagreement, SourcePin,
    SourceTree, Survey,
};

/// Proposes builds of the target, best first; the first whose result equals the published file settles it.
///
/// # Errors
/// The project is of a kind that cannot be built here, or its manifest cannot be read.
pub fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let mut plans = match request.target.ecosystem {
        Ecosystem::Npm => npm::plan::plan(request),
        Ecosystem::Pypi => pypi::plan::plan(request),
        Ecosystem::Cargo => cargo::plan::plan(request),
        Ecosystem::Mcpb => mcpb::plan::plan(request),
        Ecosystem::Golang => golang::plan::plan(request),
    }?;
    for plan in &mut plans {
        windows::lay_out(plan, request.tree, request.survey);
    }
    Ok(plans)
}

/// What the published file's own manifest promises to installers.
///
/// # Errors
/// The manifest is absent or cannot be parsed.
pub fn published_facts(
    ecosystem: Ecosystem,
    survey: &Survey,
) -> Result<ManifestFacts, MetadataError> {
    match ecosystem {
        Ecosystem::Npm => npm::locate::published_facts(survey),
        Ecosystem::Pypi => pypi::locate::published_facts(survey),
        Ecosystem::Cargo => cargo::locate::published_facts(survey),
        Ecosystem::Mcpb => mcpb::locate::published_facts(survey),
        Ecosystem::Golang => golang::locate::published_facts(survey),
    }
}

/// What the source's manifest promises, in the form that publishing would give it: workspace and catalog
/// references resolved, publish-time overrides applied.
///
/// # Errors
/// The manifest is absent or cannot be parsed.
pub fn source_facts(
    ecosystem: Ecosystem,
    tree: &SourceTree,
    pin: &SourcePin,
) -> Result<ManifestFacts, MetadataError> {
    match ecosystem {
        Ecosystem::Npm => npm::locate::source_facts(tree, pin),
        Ecosystem::Pypi => pypi::locate::source_facts(tree, pin),
        Ecosystem::Cargo => cargo::locate::source_facts(tree, pin),
        Ecosystem::Mcpb => mcpb::locate::source_facts(tree, pin),
        Ecosystem::Golang => golang::locate::source_facts(tree, pin),
    }
}

/// Whether the source says that machine code is put into the package when it is released: its manifest is that of a
/// package for one platform.
#[must_use]
pub fn is_for_one_platform(ecosystem: Ecosystem, tree: &SourceTree, pin: &SourcePin) -> bool {
    match ecosystem {
        Ecosystem::Npm => npm::platform::is_for_one(tree, pin),
        Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Golang | Ecosystem::Mcpb => false,
    }
}

/// The repositories that the published file's own metadata names.
#[must_use]
pub fn published_claims(ecosystem: Ecosystem, survey: &Survey) -> Vec<RepositoryClaim> {
    match ecosystem {
        Ecosystem::Npm => npm::locate::published_claims(survey),
        Ecosystem::Pypi => pypi::locate::published_claims(survey),
        Ecosystem::Cargo => cargo::locate::published_claims(survey),
        Ecosystem::Mcpb => mcpb::locate::published_claims(survey),
        Ecosystem::Golang => golang::locate::published_claims(survey),
    }
}

/// What the registry tells installers about a release and the published file's own manifest does not say.
///
/// # Errors
/// The manifest is absent or cannot be parsed.
pub fn registry_disagreements(
    ecosystem: Ecosystem,
    release: &Release,
    survey: &Survey,
) -> Result<Vec<RegistryDisagreement>, MetadataError> {
    let Some(document) = &release.document else {
        return Ok(Vec::new());
    };
    match ecosystem {
        Ecosystem::Npm => npm::locate::registry_disagreements(document, survey),
        Ecosystem::Cargo => cargo::locate::registry_disagreements(document, survey),
        // Its registry serves the file's own metadata; bundles have none; the checksum database knows a `go.mod`.
        Ecosystem::Pypi | Ecosystem::Mcpb | Ecosystem::Golang => Ok(Vec::new()),
    }
}

/// The commit that the publisher's client wrote down, in the registry's metadata or in the published file.
#[must_use]
pub fn publisher_commit(
    ecosystem: Ecosystem,
    release: Option<&Release>,
    survey: &Survey,
) -> Option<CommitId> {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Mcpb | Ecosystem::Golang => {
            release?.git_head.clone()
        }
        Ecosystem::Cargo => cargo::locate::publisher_commit(survey),
    }
}

/// The files that may hold the version which a manifest leaves open: where they would lie in the tree, the likeliest
/// first.
#[must_use]
pub fn version_files(ecosystem: Ecosystem, path: &EntryPath, content: &[u8]) -> Vec<EntryPath> {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Mcpb | Ecosystem::Golang => Vec::new(),
        Ecosystem::Pypi => pypi::locate::version_files(path, content),
        Ecosystem::Cargo => cargo::locate::version_files(path, content),
    }
}

/// The version that a file named by [`version_files`] states.
#[must_use]
pub fn version_in_file(ecosystem: Ecosystem, content: &[u8]) -> Option<String> {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Mcpb | Ecosystem::Golang => None,
        Ecosystem::Pypi => pypi::locate::version_in_file(content),
        Ecosystem::Cargo => cargo::locate::version_in_file(content),
    }
}

/// Name and version that the published file's own metadata states.
///
/// # Errors
/// The manifest is absent or cannot be parsed.
pub fn published_identity(
    ecosystem: Ecosystem,
    survey: &Survey,
) -> Result<Identity, MetadataError> {
    match ecosystem {
        Ecosystem::Npm => npm::locate::published_identity(survey),
        Ecosystem::Pypi => pypi::locate::published_identity(survey),
        Ecosystem::Cargo => cargo::locate::published_identity(survey),
        Ecosystem::Mcpb => mcpb::locate::published_identity(survey),
        Ecosystem::Golang => golang::locate::published_identity(survey),
    }
}

/// Whether a file of a source tree is a package manifest of this ecosystem.
#[must_use]
pub fn is_manifest(ecosystem: Ecosystem, path: &EntryPath) -> bool {
    match ecosystem {
        Ecosystem::Npm => npm::locate::is_manifest(path),
        Ecosystem::Pypi => pypi::locate::is_manifest(path),
        Ecosystem::Cargo => cargo::locate::is_manifest(path),
        Ecosystem::Mcpb => mcpb::locate::is_manifest(path),
        Ecosystem::Golang => golang::locate::is_manifest(path),
    }
}

/// Name and version that a manifest of the source states. `path` tells which kind of manifest it is.
///
/// # Errors
/// The bytes are no manifest of that kind.
pub fn manifest_identity(
    ecosystem: Ecosystem,
    path: &EntryPath,
    content: &[u8],
) -> Result<Identity, MetadataError> {
    match ecosystem {
        Ecosystem::Npm => npm::locate::manifest_identity(path, content),
        Ecosystem::Pypi => pypi::locate::manifest_identity(path, content),
        Ecosystem::Cargo => cargo::locate::manifest_identity(path, content),
        Ecosystem::Mcpb => mcpb::locate::manifest_identity(path, content),
        Ecosystem::Golang => golang::locate::manifest_identity(content),
    }
}

/// Whether two spellings mean the same version in this ecosystem (PEP 440 normalisation, a leading `v`, build
/// metadata).
#[must_use]
pub fn same_version(ecosystem: Ecosystem, one: &str, other: &str) -> bool {
    match ecosystem {
        Ecosystem::Npm => npm::locate::same_version(one, other),
        Ecosystem::Pypi => pypi::locate::same_version(one, other),
        Ecosystem::Cargo => cargo::locate::same_version(one, other),
        Ecosystem::Mcpb => mcpb::locate::same_version(one, other),
        Ecosystem::Golang => golang::locate::same_version(one, other),
    }
}

/// Whether planning may want to read this file of the source tree: manifests, lockfiles, tool settings,
/// version files, publish workflows.
#[must_use]
pub fn is_of_interest(ecosystem: Ecosystem, path: &EntryPath) -> bool {
    match ecosystem {
        Ecosystem::Npm => npm::plan::is_of_interest(path),
        Ecosystem::Pypi => pypi::plan::is_of_interest(path),
        Ecosystem::Cargo => cargo::plan::is_of_interest(path),
        Ecosystem::Mcpb => mcpb::plan::is_of_interest(path),
        Ecosystem::Golang => golang::plan::is_of_interest(path),
    }
}
