//! Reads registry metadata and manifests: the entry points of this ecosystem that plan nothing.

use std::collections::BTreeSet;

use remint_model::{
    CommitId, Dependency, EntryPath, ManifestFacts, ManifestPart, PackageName,
    RegistryDisagreement, SourcePin, SourceTree, Survey, Version,
};

pub use crate::cargo::index::{IndexConfig, filtered, path as index_path};
use crate::cargo::manifest::{self, Manifest};
use crate::cargo::vcs_info::VcsInfo;
use crate::cargo::workspace::roots;
use crate::cargo::{claims, facts, index};
use crate::release::{DocumentFacts, Identity, MetadataError, Release, RepositoryClaim};

/// Reads one release out of a package's file in a sparse index.
///
/// Without a version, the highest is taken that is neither yanked nor a pre-release. The index names no repositories:
/// those stand in the published file itself.
///
/// # Errors
/// The index has no such package or version, or no checksum for it.
pub fn release(
    name: &PackageName,
    content: &[u8],
    config: &IndexConfig,
    version: Option<&Version>,
) -> Result<Release, MetadataError> {
    index::release(name, content, config, version)
}

/// The repositories that a published manifest names; none where it cannot be parsed.
#[must_use]
pub fn manifest_claims(content: &[u8]) -> Vec<RepositoryClaim> {
    Manifest::parse("Cargo.toml", content)
        .map_or_else(|_| Vec::new(), |manifest| claims::of(&manifest, None))
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
    let directory = match VcsInfo::of_survey(survey) {
        Some(Ok(info)) => info.directory,
        Some(Err(_)) | None => None,
    };
    facts::of_survey(survey).map_or_else(
        |_| Vec::new(),
        |manifest| claims::of(&manifest, directory.as_ref()),
    )
}

pub(crate) fn published_identity(survey: &Survey) -> Result<Identity, MetadataError> {
    facts::of_survey(survey).map(|manifest| manifest.identity())
}

/// The commit that the publisher's cargo wrote into the file.
pub(crate) fn publisher_commit(survey: &Survey) -> Option<CommitId> {
    VcsInfo::of_survey(survey)?.ok().map(|info| info.commit)
}

/// What the index makes cargo fetch and the manifest in the file does not: cargo resolves by the index, before it has
/// the file.
pub(crate) fn registry_disagreements(
    told: &DocumentFacts,
    survey: &Survey,
) -> Result<Vec<RegistryDisagreement>, MetadataError> {
    let stated: BTreeSet<Dependency> = facts::published(survey)?.dependencies;
    Ok(told
        .dependencies
        .iter()
        .filter(|dependency| !stated.contains(*dependency))
        .map(|dependency| RegistryDisagreement {
            part: ManifestPart::Dependency(dependency.kind),
            name: dependency.name.clone(),
            registry: dependency.requirement.clone(),
            file: stated
                .iter()
                .find(|other| other.name == dependency.name && other.kind == dependency.kind)
                .map(|other| other.requirement.clone()),
        })
        .collect())
}

pub(crate) fn is_manifest(path: &EntryPath) -> bool {
    manifest::is_manifest(path)
}

pub(crate) fn manifest_identity(
    path: &EntryPath,
    content: &[u8],
) -> Result<Identity, MetadataError> {
    Manifest::parse(path.as_str(), content).map(|manifest| manifest.identity())
}

/// The manifests that may state the version which this one leaves to its workspace, the nearest first.
pub(crate) fn version_files(path: &EntryPath, content: &[u8]) -> Vec<EntryPath> {
    Manifest::parse(path.as_str(), content)
        .ok()
        .filter(|manifest| manifest.inherits("version"))
        .map_or_else(Vec::new, |manifest| roots(path, &manifest))
}

/// The version that the manifest of a workspace states for its members.
pub(crate) fn version_in_file(content: &[u8]) -> Option<String> {
    let manifest = Manifest::parse("Cargo.toml", content).ok()?;
    manifest
        .text(&["workspace", "package", "version"])
        .map(str::to_owned)
}

/// crates.io has no two releases whose versions differ in build metadata alone, and a tag may leave that out.
pub(crate) fn same_version(one: &str, other: &str) -> bool {
    let plain = |text: &str| -> String {
        let text = text.strip_prefix('v').unwrap_or(text);
        text.split('+').next().unwrap_or(text).to_owned()
    };
    one == other || plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_version_are_the_same() {
        for (one, other) in [("1.2.3", "v1.2.3"), ("1.2.3+a", "1.2.3")] {
            assert!(same_version(one, other), "{one} {other}");
        }
        for (one, other) in [("1.2.3", "1.2.30"), ("1.2.3", "1.2.3-0"), ("1.2.3", "1.2")] {
            assert!(!same_version(one, other), "{one} {other}");
        }
    }

    #[test]
    fn an_inherited_version_is_looked_for_above() {
        let files = |path: &str, content: &str| -> Vec<String> {
            version_files(&path.parse().unwrap(), content.as_bytes())
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(
            files(
                "crates/x/Cargo.toml",
                "[package]\nversion.workspace = true\n"
            ),
            ["crates/x/Cargo.toml", "crates/Cargo.toml", "Cargo.toml"]
        );
        assert_eq!(
            files(
                "crates/x/Cargo.toml",
                "[package]\nversion.workspace = true\nworkspace = '../../root'\n"
            ),
            ["root/Cargo.toml"]
        );
        assert_eq!(
            files("Cargo.toml", "[package]\nversion = '1.0.0'\n"),
            [""; 0]
        );
        assert_eq!(
            version_in_file(b"[workspace.package]\nversion = '1.0.0'\n").as_deref(),
            Some("1.0.0")
        );
        assert_eq!(version_in_file(b"[package]\nversion = '1.0.0'\n"), None);
    }

    #[test]
    fn what_the_index_adds_is_a_disagreement() {
        let manifest = b"[package]\nname = 'x'\n[dependencies]\na = '1.0'\n";
        let survey = Survey {
            texts: vec![("Cargo.toml".parse().unwrap(), manifest.to_vec())],
            ..Survey::default()
        };
        let check = |dependencies: &str, expect: &[&str]| {
            let line = format!(
                r#"{{"name":"x","vers":"1.0.0","deps":[{dependencies}],"cksum":"{}"}}"#,
                "a".repeat(64)
            );
            let config = IndexConfig::parse(br#"{"dl":"https://a.example"}"#).unwrap();
            let name = PackageName::parse(remint_model::Ecosystem::Cargo, "x").unwrap();
            let release = release(&name, line.as_bytes(), &config, None).unwrap();
            let told = release.document.unwrap();
            let found = registry_disagreements(&told, &survey).unwrap();
            let names: Vec<&str> = found.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, expect, "{dependencies}");
        };
        check(r#"{"name":"a","req":"^1.0","kind":"normal"}"#, &[]);
        check("", &[]);
        check(r#"{"name":"a","req":"^1.1","kind":"normal"}"#, &["a"]);
        check(r#"{"name":"a","req":"^1.0","package":"b"}"#, &["a"]);
        check(
            r#"{"name":"a","req":"^1.0"},{"name":"evil","req":"*","kind":"build"}"#,
            &["evil"],
        );
    }
}
