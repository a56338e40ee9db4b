//! Holds files of an archive against those of a source tree, where nothing is built: the same paths, each with the
//! same bytes.

use std::collections::BTreeSet;

use remint_model::{
    ArtifactFormat, Change, Class, Comparison, Difference, EntryPath, Erasure, SignatureBlock,
    SourceTree, Survey, SurveyEntry, TreeEntry,
};

use crate::difference::class_of_path;
use crate::normalise::ALL;

/// What of an archive is held against what of a tree.
pub struct AgainstTree<'a> {
    /// How the archive is packed.
    pub format: ArtifactFormat,
    /// What it holds.
    pub survey: &'a Survey,
    /// The files of it that have to come from the tree.
    pub own: &'a BTreeSet<EntryPath>,
    /// The tree.
    pub tree: &'a SourceTree,
    /// The folder of the tree that is the archive's top; `None` is the root.
    pub directory: Option<&'a EntryPath>,
    /// Whether the packer takes this file of the folder.
    pub takes: &'a dyn Fn(&EntryPath) -> bool,
    /// Whether a file has no business in the archive, though the tree has it.
    pub refuses: &'a dyn Fn(&EntryPath) -> bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAgainstTree {
    /// Never [`Comparison::Identical`]: the archive itself was not made again.
    pub comparison: Comparison,
    /// Files that are the tree's.
    pub equal: usize,
    /// Files that should be.
    pub total: usize,
}

/// What of an archive no tree says: the order and the times of entries, and how they are packed.
const NOT_IN_TREES: [&str; 4] = ["entry-order", "timestamps", "mode-bits", "zip-metadata"];

/// Whether the archive's own files are those that the packer takes from the tree.
#[must_use]
pub fn against_tree(sides: &AgainstTree<'_>) -> HeldAgainstTree {
    let mut differences = Vec::new();
    let mut equal = 0;
    for entry in &sides.survey.entries {
        if !sides.own.contains(&entry.path) {
            continue;
        }
        let found = if (sides.refuses)(&entry.path) {
            Some((Change::Added, Some("the packer leaves it out")))
        } else {
            difference(entry, of_tree(sides, &entry.path))
        };
        match found {
            None => equal += 1,
            Some((change, why)) => {
                let class = sides.survey.classes.get(&entry.path).copied();
                let class = class.unwrap_or_else(|| class_of_path(sides.format, &entry.path));
                differences.push(new(&entry.path, change, class, why));
            }
        }
    }
    for (path, entry) in &sides.tree.entries {
        let inside = match sides.directory {
            Some(directory) => path.below(directory),
            None => Some(path.clone()),
        };
        let Some(inside) = inside else { continue };
        // A submodule is no file of the tree.
        if entry.mode != 0o160_000 && !sides.own.contains(&inside) && (sides.takes)(&inside) {
            let class = class_of_path(sides.format, &inside);
            differences.push(new(&inside, Change::Removed, class, None));
        }
    }
    differences.sort_by(|one, other| (one.class, &one.path).cmp(&(other.class, &other.path)));
    let erased = erased(sides);
    HeldAgainstTree {
        comparison: if differences.is_empty() {
            Comparison::Equivalent { erased }
        } else {
            Comparison::Different {
                erased,
                differences,
            }
        },
        equal,
        total: sides.own.len(),
    }
}

fn of_tree<'a>(sides: &AgainstTree<'a>, path: &EntryPath) -> Option<&'a TreeEntry> {
    let path = SourceTree::path_in(sides.directory, path.as_str());
    sides.tree.entries.get(path.as_str())
}

fn difference(
    entry: &SurveyEntry,
    tree: Option<&TreeEntry>,
) -> Option<(Change, Option<&'static str>)> {
    let Some(tree) = tree else {
        return Some((Change::Added, None));
    };
    if !matches!(tree.mode, 0o100_644 | 0o100_755) {
        return Some((Change::Changed, Some("it is no regular file in the source")));
    }
    if tree.blob != entry.blob {
        return Some((Change::Changed, None));
    }
    // The other way round, the packer's system knows no such bit.
    if entry.mode & 0o111 != 0 && tree.mode != 0o100_755 {
        let why = "it is executable in the published file only";
        return Some((Change::Metadata, Some(why)));
    }
    None
}

fn new(path: &EntryPath, change: Change, class: Class, why: Option<&str>) -> Difference {
    Difference {
        path: path.clone(),
        change,
        class,
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: why.map(str::to_owned),
    }
}

fn erased(sides: &AgainstTree<'_>) -> Vec<Erasure> {
    let is_signed = matches!(sides.survey.signature, SignatureBlock::Present(_));
    ALL.iter()
        .filter(|normaliser| {
            NOT_IN_TREES.contains(&normaliser.id)
                || (is_signed && normaliser.id == "bundle-signature")
        })
        .map(|normaliser| Erasure {
            normaliser: normaliser.id,
            version: normaliser.version,
            paths: Vec::new(),
            count: 1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use remint_model::{CommitId, Sha256};

    use super::*;

    fn check(archive: &[(&str, &str, u32)], tree: &[(&str, &str, u32)], expect: &[&str]) {
        let survey = Survey {
            entries: archive
                .iter()
                .map(|(path, content, mode)| SurveyEntry {
                    path: path.parse().unwrap(),
                    size: content.len() as u64,
                    mode: *mode,
                    modified: 0,
                    sha256: Sha256::of(content.as_bytes()),
                    blob: CommitId::of_blob(content.as_bytes()),
                    lf_blob: None,
                })
                .collect(),
            ..Survey::default()
        };
        let mut source = SourceTree::default();
        for (path, content, mode) in tree {
            let entry = TreeEntry {
                mode: *mode,
                blob: CommitId::of_blob(content.as_bytes()),
            };
            source.entries.insert(path.parse().unwrap(), entry);
        }
        let own = survey
            .entries
            .iter()
            .map(|entry| entry.path.clone())
            .filter(|path| !path.as_str().starts_with("node_modules/"))
            .collect();
        let held = against_tree(&AgainstTree {
            format: ArtifactFormat::Mcpb,
            survey: &survey,
            own: &own,
            tree: &source,
            directory: Some(&"bundle".parse().unwrap()),
            takes: &|path| !path.as_str().starts_with("left-out"),
            refuses: &|path| path.as_str() == "left-out",
        });
        let found: Vec<String> = match &held.comparison {
            Comparison::Different { differences, .. } => differences
                .iter()
                .map(|difference| format!("{} {:?}", difference.path, difference.change))
                .collect(),
            Comparison::Equivalent { erased } => {
                assert_eq!(erased.len(), NOT_IN_TREES.len());
                Vec::new()
            }
            Comparison::Identical => vec!["identical".to_owned()],
        };
        assert_eq!(found, expect);
    }

    const TREE: [(&str, &str, u32); 4] = [
        ("README.md", "outside", 0o100_644),
        ("bundle/index.js", "x", 0o100_644),
        ("bundle/left-out", "x", 0o100_644),
        ("bundle/run.sh", "x", 0o100_755),
    ];

    #[test]
    fn the_archive_has_the_files_that_the_packer_takes() {
        let honest = [
            ("index.js", "x", 0o644),
            ("node_modules/a/b.js", "anything", 0o644),
            ("run.sh", "x", 0),
        ];
        check(&honest, &TREE, &[]);
        check(&honest[..2], &TREE, &["run.sh Removed"]);
        let with = |at: usize, entry| {
            let mut files = honest;
            files[at] = entry;
            files
        };
        check(
            &with(0, ("index.js", "evil", 0o644)),
            &TREE,
            &["index.js Changed"],
        );
        check(
            &with(0, ("index.js", "x", 0o755)),
            &TREE,
            &["index.js Metadata"],
        );
        check(&with(1, ("more.js", "x", 0o644)), &TREE, &["more.js Added"]);
        // The tree has both, and only one of them matters.
        let left_out = [&honest[..], &[("left-out", "x", 0o644)]].concat();
        check(&left_out, &TREE, &["left-out Added"]);
        let inert = [&honest[..], &[("left-out.map", "x", 0o644)]].concat();
        let tree = [&TREE[..], &[("bundle/left-out.map", "x", 0o100_644)]].concat();
        check(&inert, &tree, &[]);
        let link = [TREE[0], ("bundle/index.js", "x", 0o120_000), TREE[3]];
        check(&honest, &link, &["index.js Changed"]);
    }
}
