//! Whose manifest a tree holds, and whether it agrees with the release.

use std::collections::HashMap;

use git2::Oid;
use remint_ecosystem::{
    Identity, StatedVersion, is_manifest, manifest_identity, pypi, same_version,
};
use remint_model::{Ecosystem, EntryPath, Target};

use crate::git::{Objects, TreeFile};

/// The largest manifest that is read.
pub(super) const LARGEST: usize = 4 << 20;

/// Most manifests of one tree that bear the package's name and are looked into.
const MOST_NAMED: usize = 64;

/// Folders whose manifests are rarely the package itself. Changes there are merged with little thought, so a
/// manifest of the package's name counts only where it has no other.
const ASIDE: &[&str] = &[
    "__fixtures__",
    "__mocks__",
    "__tests__",
    "benchmark",
    "benchmarks",
    "demo",
    "demos",
    "docs",
    "e2e",
    "example",
    "examples",
    "fixture",
    "fixtures",
    "mock",
    "mocks",
    "sample",
    "samples",
    "spec",
    "specs",
    "template",
    "templates",
    "test",
    "testdata",
    "tests",
    "website",
];

/// Whether the path leads through a folder for tests, examples and the like.
pub(super) fn is_aside(path: &EntryPath) -> bool {
    path.as_str()
        .split('/')
        .any(|part| ASIDE.iter().any(|aside| part.eq_ignore_ascii_case(aside)))
}

/// Whether a manifest states the released version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Agreement {
    /// It does, itself or in the file that it names for this.
    Exact,
    /// It holds something that release tooling replaces.
    Placeholder(String),
    /// The build computes the version.
    Computed,
    /// It states another version.
    Other(String),
}

impl Agreement {
    /// Whether nothing that is written there speaks against the release.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Placeholder(_) | Self::Computed)
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Exact => 0,
            Self::Placeholder(_) | Self::Computed => 1,
            Self::Other(_) => 2,
        }
    }
}

/// The package's manifest in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) path: EntryPath,
    pub(super) agreement: Agreement,
    /// Whether the manifest bears the package's name; otherwise only its place speaks for it.
    pub(super) named: bool,
}

impl Located {
    /// The package's folder; `None` is the root.
    pub(super) fn directory(&self) -> Option<EntryPath> {
        self.path.parent()
    }
}

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// Anywhere, first in this folder, which metadata names.
    Hint(Option<&'a EntryPath>),
    /// In this folder, whatever the name there: the user says so.
    Only(&'a EntryPath),
}

impl<'a> Place<'a> {
    /// What the user set, or else what metadata suggests.
    pub(super) fn new(only: Option<&'a EntryPath>, hint: Option<&'a EntryPath>) -> Self {
        only.map_or(Self::Hint(hint), Self::Only)
    }
}

/// The manifests among the files of a tree.
pub(super) fn manifests(ecosystem: Ecosystem, files: &[TreeFile]) -> Vec<(EntryPath, Oid)> {
    files
        .iter()
        .filter(|file| matches!(file.mode, 0o100_644 | 0o100_755))
        .filter_map(|file| {
            let path: EntryPath = std::str::from_utf8(&file.path).ok()?.parse().ok()?;
            is_manifest(ecosystem, &path).then_some((path, file.id))
        })
        .collect()
}

/// What manifests say of themselves; each content is read once, however many paths lead to it.
#[derive(Default)]
pub(super) struct Identities {
    known: HashMap<(Oid, String), Option<Identity>>,
}

impl Identities {
    pub(super) fn get(
        &mut self,
        ecosystem: Ecosystem,
        objects: &Objects,
        path: &EntryPath,
        blob: Oid,
    ) -> Option<&Identity> {
        // The file's name says how to read it.
        self.known
            .entry((blob, path.file_name().to_owned()))
            .or_insert_with(|| {
                let content = objects.blob(blob, LARGEST)?;
                manifest_identity(ecosystem, path, &content).ok()
            })
            .as_ref()
    }
}

/// The package's own manifest in the tree, the one that fits best where several bear its name.
pub(super) fn locate(
    target: &Target,
    objects: &Objects,
    tree: Oid,
    place: Place<'_>,
    manifests: &[(EntryPath, Oid)],
) -> Option<Located> {
    let mut identities = Identities::default();
    let mut accepted: Vec<(Standing, &EntryPath, Oid, Identity)> = Vec::new();
    for (path, blob) in manifests {
        let directory = path.parent();
        let hinted = match place {
            Place::Only(only) if directory.as_ref() != Some(only) => continue,
            Place::Only(_) => true,
            Place::Hint(hint) => hint.is_some() && directory.as_ref() == hint,
        };
        let Some(identity) = identities.get(target.ecosystem, objects, path, *blob) else {
            continue;
        };
        let named = identity.name.as_ref() == Some(&target.name);
        let nameless = identity.name.is_none() && target.ecosystem == Ecosystem::Pypi;
        let taken = match place {
            Place::Only(_) => true,
            // A Python manifest may compute its name; at the root it can only be the package's own.
            Place::Hint(_) => named || (nameless && (hinted || directory.is_none())),
        };
        if taken {
            let standing = Standing {
                unnamed: !named,
                elsewhere: !hinted,
                aside: is_aside(path),
                depth: path.as_str().matches('/').count(),
            };
            accepted.push((standing, path, *blob, identity.clone()));
        }
    }
    let has_home = accepted
        .iter()
        .any(|(standing, ..)| !standing.unnamed && !standing.aside);
    if has_home && matches!(place, Place::Hint(_)) {
        // The hint is the publisher's and changes nothing about this.
        accepted.retain(|(standing, ..)| !standing.aside);
    }
    accepted.sort_by(|(one, path, ..), (other, other_path, ..)| {
        one.cmp(other).then_with(|| path.cmp(other_path))
    });
    accepted
        .into_iter()
        .take(MOST_NAMED)
        .map(|(standing, path, blob, identity)| {
            let files = || {
                let content = objects.blob(blob, LARGEST).unwrap_or_default();
                version_files(target.ecosystem, path, &content)
            };
            let agreement = agreement(target, objects, tree, &identity, files);
            let rank = (standing.unnamed, agreement.rank());
            let located = Located {
                path: path.clone(),
                agreement,
                named: !standing.unnamed,
            };
            (rank, located)
        })
        // Of equals the first.
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, located)| located)
}

/// Smaller is better, field by field.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Standing {
    unnamed: bool,
    elsewhere: bool,
    aside: bool,
    depth: usize,
}

/// What a manifest says about the released version; the files that it names for this are looked up in `tree`.
pub(super) fn agreement(
    target: &Target,
    objects: &Objects,
    tree: Oid,
    identity: &Identity,
    version_files: impl FnOnce() -> Vec<EntryPath>,
) -> Agreement {
    let wanted = target.version.as_str();
    match &identity.version {
        StatedVersion::Exact(version) if same_version(target.ecosystem, version, wanted) => {
            Agreement::Exact
        }
        StatedVersion::Exact(version) => Agreement::Other(version.clone()),
        // `0.0.0` may be what was released.
        StatedVersion::Placeholder(version) if same_version(target.ecosystem, version, wanted) => {
            Agreement::Exact
        }
        StatedVersion::Placeholder(version) => Agreement::Placeholder(version.clone()),
        StatedVersion::Dynamic(_) => {
            let stated =
                version_files()
                    .iter()
                    .find_map(|file| match objects.at(tree, file.as_str()) {
                        Some((git2::ObjectType::Blob, blob)) => {
                            pypi::locate::version_in_file(&objects.blob(blob, LARGEST)?)
                        }
                        Some(_) | None => None,
                    });
            match stated {
                Some(version) if same_version(target.ecosystem, &version, wanted) => {
                    Agreement::Exact
                }
                // A file that the release process writes may hold anything in the repository.
                Some(_) | None => Agreement::Computed,
            }
        }
        StatedVersion::Absent => Agreement::Computed,
    }
}

/// The files that may hold the version which a manifest computes.
pub(super) fn version_files(
    ecosystem: Ecosystem,
    path: &EntryPath,
    content: &[u8],
) -> Vec<EntryPath> {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Mcpb => Vec::new(),
        Ecosystem::Pypi => pypi::locate::version_files(path, content),
    }
}
