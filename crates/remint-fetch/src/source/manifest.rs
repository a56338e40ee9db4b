//! Whose manifest a tree holds, and whether it agrees with the release.

use git2::Oid;
use remint_ecosystem::{
    Identity, StatedVersion, is_manifest, manifest_identity, pypi, same_version,
};
use remint_model::{Ecosystem, EntryPath, Target};

use crate::git::{Objects, TreeFile};

/// The largest manifest that is read.
pub(super) const LARGEST: usize = 4 << 20;

/// Folders whose manifests are rarely the package itself.
const ASIDE: &[&str] = &[
    "__fixtures__",
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
    "template",
    "templates",
    "test",
    "testdata",
    "tests",
    "website",
];

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

/// The package's own manifest in the tree, the one that fits best where several bear its name.
pub(super) fn locate(
    target: &Target,
    objects: &Objects,
    tree: Oid,
    place: Place<'_>,
    manifests: &[(EntryPath, Oid)],
) -> Option<Located> {
    let mut best: Option<(Rank, Located)> = None;
    for (path, blob) in manifests {
        let directory = path.parent();
        let hinted = match place {
            Place::Only(only) if directory.as_ref() != Some(only) => continue,
            Place::Only(_) => true,
            Place::Hint(hint) => hint.is_some() && directory.as_ref() == hint,
        };
        let Some(content) = objects.blob(*blob, LARGEST) else {
            continue;
        };
        let Ok(identity) = manifest_identity(target.ecosystem, path, &content) else {
            continue;
        };
        let named = identity.name.as_ref() == Some(&target.name);
        let nameless = identity.name.is_none() && target.ecosystem == Ecosystem::Pypi;
        let accepted = match place {
            Place::Only(_) => true,
            // A Python manifest may compute its name; at the root it can only be the package's own.
            Place::Hint(_) => named || (nameless && (hinted || directory.is_none())),
        };
        if !accepted {
            continue;
        }
        let agreement = agreement(target, objects, tree, path, &content, &identity);
        let rank = Rank {
            unnamed: !named,
            agreement: agreement.rank(),
            elsewhere: !hinted,
            aside: path.as_str().split('/').any(|part| ASIDE.contains(&part)),
            depth: path.as_str().matches('/').count(),
            path: path.clone(),
        };
        let located = Located {
            path: path.clone(),
            agreement,
            named,
        };
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, located));
        }
    }
    best.map(|(_, located)| located)
}

/// Smaller is better, field by field.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    unnamed: bool,
    agreement: u8,
    elsewhere: bool,
    aside: bool,
    depth: usize,
    path: EntryPath,
}

/// What a manifest says about the released version; files that it names for this are looked up in `tree`.
pub(super) fn agreement(
    target: &Target,
    objects: &Objects,
    tree: Oid,
    path: &EntryPath,
    content: &[u8],
    identity: &Identity,
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
            let stated = version_files(target.ecosystem, path, content)
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
        Ecosystem::Npm => Vec::new(),
        Ecosystem::Pypi => pypi::locate::version_files(path, content),
    }
}
