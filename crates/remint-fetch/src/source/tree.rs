//! Reads the files of the pinned commit as planning sees them.

use std::collections::HashSet;

use git2::Oid;
use remint_ecosystem::is_of_interest;
use remint_model::{Ecosystem, EntryPath, SourceTree, TreeEntry};

use crate::git::{GitError, MOST_FILES, Objects, commit_id};

/// Larger ones are not read and may say anything.
const LARGEST_ATTRIBUTES: usize = 1 << 20;
const LARGEST_TEXT: usize = 16 << 20;
const ALL_TEXTS: usize = 64 << 20;
/// No pointer of Git LFS is larger (its specification, "The Pointer").
const LARGEST_POINTER: usize = 1024;

/// The tree, and what of it is not what it seems.
pub(super) struct Read {
    pub(super) tree: SourceTree,
    pub(super) lfs_pointers: Vec<EntryPath>,
    pub(super) submodules: Vec<EntryPath>,
}

/// Reads all paths, the texts that planning wants, and finds pointers and submodules.
///
/// Paths that are not UTF-8 are laid out for the build like any other; laying them out tells of them
/// ([`UnlistedFile`](remint_model::UnlistedFile)).
pub(super) fn read(ecosystem: Ecosystem, objects: &Objects, tree: Oid) -> Result<Read, GitError> {
    let mut read = Read {
        tree: SourceTree::default(),
        lfs_pointers: Vec::new(),
        submodules: Vec::new(),
    };
    let files = objects.files(tree, MOST_FILES)?;
    let mut room = ALL_TEXTS;
    let mut may_have_pointers = false;
    let mut attributes = HashSet::new();
    for file in &files {
        let Some(path) = file.entry_path() else {
            continue;
        };
        let Some(blob) = commit_id(file.id) else {
            continue;
        };
        let is_file = matches!(file.mode, 0o100_644 | 0o100_755);
        if file.mode == 0o160_000 {
            read.submodules.push(path.clone());
        }
        if is_file && path.file_name() == ".gitattributes" && attributes.insert(file.id) {
            may_have_pointers |= match objects.blob(file.id, LARGEST_ATTRIBUTES) {
                Some(text) => contains(&text, b"filter=lfs"),
                None => objects.size(file.id).is_some(),
            };
        }
        if is_file
            && is_of_interest(ecosystem, &path)
            && let Some(text) = objects.blob(file.id, LARGEST_TEXT.min(room))
        {
            room -= text.len();
            read.tree.texts.insert(path.clone(), text);
        }
        read.tree.entries.insert(
            path,
            TreeEntry {
                mode: file.mode,
                blob,
            },
        );
    }
    if may_have_pointers {
        for file in &files {
            if let (Some(path), 0o100_644 | 0o100_755) = (file.entry_path(), file.mode)
                && objects
                    .blob(file.id, LARGEST_POINTER)
                    .is_some_and(|text| text.starts_with(b"version https://git-lfs.github.com/"))
            {
                read.lfs_pointers.push(path);
            }
        }
    }
    Ok(read)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
