//! What registry metadata and manifests say about a release, in one form for all ecosystems.

use std::collections::BTreeSet;

use remint_model::{
    ArtifactFormat, CommitId, Dependency, EntryPath, FileName, InstallHook, Integrity, PackageName,
    RepositoryUrl, RepositoryUrlError, Version,
};

/// One release as its registry describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its exact version.
    pub version: Version,
    /// Its files, the one that an installer on this machine would pick first.
    pub files: Vec<ReleaseFile>,
    /// The repositories that the metadata names, the most explicit claim first.
    pub claims: Vec<RepositoryClaim>,
    /// npm's `gitHead`, chosen by the publisher.
    pub git_head: Option<CommitId>,
    /// When it was published, seconds since 1970, where the registry tells something plausible.
    pub published: Option<i64>,
    /// Releases before it, the nearest first: not all of them, but enough to see whether its repository is new.
    pub earlier: Vec<Earlier>,
    /// The tools that the publisher's client says it used.
    pub tools: ToolHints,
    /// All versions that the registry lists, in the registry's order.
    pub versions: Vec<Version>,
    /// What the registry itself tells installers, where they take its word instead of the file's (npm).
    pub document: Option<DocumentFacts>,
    /// What the registry says about withdrawal: npm `deprecated`, PyPI `yanked`.
    pub withdrawn: Option<String>,
}

/// One file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseFile {
    /// Its name.
    pub name: FileName,
    /// How it is packed.
    pub format: ArtifactFormat,
    /// Where the registry says it is.
    pub url: String,
    /// The strongest digest that the registry declares.
    pub integrity: Option<Integrity>,
    /// Bytes, where declared.
    pub size: Option<u64>,
    /// When it was uploaded, seconds since 1970.
    pub uploaded: Option<i64>,
    /// Where the registry says that provenance for it is, if it says so at all.
    pub provenance: Option<String>,
    /// The nearest earlier release for which the registry says that there is provenance, where it does not for this
    /// file and publishing without has not become usual since.
    pub provenance_before: Option<Version>,
}

/// How many releases in a row must have come without provenance for that to be usual.
const USUAL_AFTER_RELEASES: usize = 5;

/// How long before the release in question the first of them must have come out: 30 days, in seconds. A thief does not
/// wait so long, and an owner notices in the meantime.
const USUAL_AFTER: i64 = 30 * 24 * 3600;

/// The nearest of these releases that has provenance, unless enough of them, for long enough, have none. They come
/// nearest first, each with how long it came out before the one in question.
pub(crate) fn provenance_before<'a>(
    earlier: impl IntoIterator<Item = (&'a Version, Option<i64>, bool)>,
) -> Option<Version> {
    for (at, (version, before, has)) in earlier.into_iter().enumerate() {
        if has {
            return Some(version.clone());
        }
        if at + 1 >= USUAL_AFTER_RELEASES && before.is_some_and(|seconds| seconds >= USUAL_AFTER) {
            return None;
        }
    }
    None
}

/// A release before the one in question, and the repositories it named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Its version.
    pub version: Version,
    /// How many seconds before the release in question it came out, where the registry has both times. Even times
    /// that cannot be the registry's own count here: a publisher can make them look so.
    pub before: Option<i64>,
    /// Its claims.
    pub claims: Vec<RepositoryClaim>,
    /// Why the registry does not tell them, where it does not.
    pub untold: Option<String>,
}

/// What a registry's document of a release makes installers fetch, link and run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFacts {
    /// Everything that is fetched because of it.
    pub dependencies: BTreeSet<Dependency>,
    /// The peers that need not be there; `None` where the document says nothing about that.
    pub optional_peers: Option<BTreeSet<String>>,
    /// Everything that is run because of it.
    pub hooks: BTreeSet<InstallHook>,
    /// Name and file of every command that it names.
    pub commands: BTreeSet<(String, String)>,
    /// The folder whose files are commands, where it names none.
    pub commands_folder: Option<String>,
}

/// A repository as metadata names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryClaim {
    /// The text, as found.
    pub raw: String,
    /// The clone URL read from it.
    pub url: Result<RepositoryUrl, RepositoryUrlError>,
    /// The package's folder in it, where the metadata says.
    pub directory: Option<EntryPath>,
    /// Which field said so, for people: `repository`, `Project-URL: Source`, `homepage`.
    pub field: String,
}

/// Tool versions that a publisher's client left in the metadata; guesses, never more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolHints {
    /// npm's `_nodeVersion`.
    pub node: Option<String>,
    /// npm's `_npmVersion`.
    pub npm: Option<String>,
    /// The `Generator` of a wheel of the same release: a source archive does not say what made it.
    pub generator: Option<String>,
}

/// Name and version as a manifest states them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The package name; `None` where the manifest has none (a private workspace root).
    pub name: Option<PackageName>,
    /// The version.
    pub version: StatedVersion,
}

/// What a manifest says about the version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatedVersion {
    /// This one.
    Exact(String),
    /// A value that release tooling replaces: `0.0.0`, `0.0.0-development`, `{{version}}`, …
    Placeholder(String),
    /// Computed by the build: from git, from a file, from an attribute. The file or attribute, where named.
    Dynamic(Option<String>),
    /// Nothing at all.
    Absent,
}

/// Metadata or a manifest that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The file is not there.
    #[error("`{0}` is missing")]
    Missing(String),
    /// The file is there and is not what it should be.
    #[error("`{what}` cannot be parsed: {reason}")]
    Malformed {
        /// Which file or answer.
        what: String,
        /// What the parser says.
        reason: String,
    },
    /// The registry knows the package and not this version.
    #[error("no version `{version}`; the newest is `{newest}`")]
    NoSuchVersion {
        /// What was asked for.
        version: String,
        /// What there is.
        newest: String,
    },
    /// The release exists without any file that can be judged.
    #[error("version `{0}` has no file that can be judged")]
    NoFile(String),
}

impl MetadataError {
    /// A file or an answer that is not what it should be, and why.
    pub(crate) fn malformed(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Malformed {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    /// Releases nearest first, by days before this one and whether they have provenance.
    fn check(earlier: &[(Option<i64>, bool)], expect: Option<&str>) {
        let earlier: Vec<(Version, Option<i64>, bool)> = earlier
            .iter()
            .enumerate()
            .map(|(at, (days, has))| {
                let version = format!("1.{at}.0").parse().unwrap();
                (version, days.map(|days| days * DAY), *has)
            })
            .collect();
        let found = provenance_before(
            earlier
                .iter()
                .map(|(version, before, has)| (version, *before, *has)),
        );
        assert_eq!(found.as_ref().map(Version::as_str), expect, "{earlier:?}");
    }

    #[test]
    fn provenance_is_missed_until_going_without_is_usual() {
        check(&[], None);
        check(&[(Some(1), false), (Some(90), false)], None);
        check(&[(Some(1), true)], Some("1.0.0"));
        // Two releases in a hurry do not make it usual.
        check(&[(Some(1), false), (Some(2), true)], Some("1.1.0"));
        let without = |days: Option<i64>| vec![(days, false); 5];
        let then = |mut earlier: Vec<(Option<i64>, bool)>| {
            earlier.push((Some(400), true));
            earlier
        };
        check(&then(without(Some(29))), Some("1.5.0"));
        check(&then(without(None)), Some("1.5.0"));
        check(&then(without(Some(30))), None);
        check(&then(vec![(Some(300), false); 4]), Some("1.4.0"));
    }
}
