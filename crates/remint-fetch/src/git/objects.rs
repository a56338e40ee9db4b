//! Reads commits, trees and blobs through libgit2 from bare object databases.
//!
//! No repository is opened, so no configuration, hook, ownership rule or promisor remote plays a part. Ids are
//! SHA-1; libgit2 verifies each object against its id.

use std::path::Path;

use git2::{ObjectType, Odb, Oid, Repository, Tree};
use remint_model::CommitId;

use super::error::GitError;
use super::names;

/// The deepest directory nesting that is followed.
const DEEPEST: usize = 128;

/// Object databases, read together.
pub(crate) struct Objects {
    repository: Repository,
}

/// What a commit says, apart from its message.
#[derive(Debug, Clone)]
pub(crate) struct CommitFacts {
    pub(crate) id: Oid,
    pub(crate) tree: Oid,
    pub(crate) parents: Vec<Oid>,
    /// Committer time, seconds since 1970.
    pub(crate) time: i64,
    /// Author time, which survives a rewritten history; seconds since 1970.
    pub(crate) written: i64,
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TreeFile {
    /// From the tree's root, `/` between parts; any bytes but NUL.
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) id: Oid,
}

impl Objects {
    /// Opens the object databases of these git directories; those that do not exist are left out.
    pub(crate) fn open(git_dirs: &[&Path]) -> Result<Self, GitError> {
        let open = || -> Result<Repository, git2::Error> {
            let odb = Odb::new()?;
            for git_dir in git_dirs {
                let objects = git_dir.join("objects");
                if let (true, Some(path)) = (objects.is_dir(), objects.to_str()) {
                    odb.add_disk_alternate(path)?;
                }
            }
            Repository::from_odb(odb)
        };
        open()
            .map(|repository| Self { repository })
            .map_err(object("database"))
    }

    /// Whether the object is here.
    pub(crate) fn has(&self, id: Oid) -> bool {
        self.repository.odb().is_ok_and(|odb| odb.exists(id))
    }

    /// The commit that an object is or, through tags, points to.
    pub(crate) fn peel_to_commit(&self, id: Oid) -> Result<CommitFacts, GitError> {
        let commit = self
            .repository
            .find_object(id, None)
            .and_then(|found| found.peel_to_commit())
            .map_err(object(id))?;
        Ok(CommitFacts {
            id: commit.id(),
            tree: commit.tree_id(),
            parents: commit.parent_ids().collect(),
            time: commit.time().seconds(),
            written: commit.author().when().seconds(),
        })
    }

    /// The entries of one tree: name, mode, id.
    pub(crate) fn tree(&self, id: Oid) -> Result<Vec<(Vec<u8>, u32, Oid)>, GitError> {
        let tree = self.repository.find_tree(id).map_err(object(id))?;
        Ok(entries(&tree))
    }

    /// The tree or blob at a path below a tree.
    pub(crate) fn at(&self, tree: Oid, path: &str) -> Option<(ObjectType, Oid)> {
        let tree = self.repository.find_tree(tree).ok()?;
        let entry = tree.get_path(Path::new(path)).ok()?;
        Some((entry.kind()?, entry.id()))
    }

    /// All files below a tree, at most `limit`, with names that are safe to write.
    pub(crate) fn files(&self, tree: Oid, limit: usize) -> Result<Vec<TreeFile>, GitError> {
        let mut files = Vec::new();
        self.collect(tree, &mut Vec::new(), 0, limit, &mut files)?;
        Ok(files)
    }

    /// The content of all files below a tree: no submodules.
    pub(crate) fn blobs(&self, tree: Oid, limit: usize) -> Result<Vec<Oid>, GitError> {
        let mut blobs: Vec<Oid> = self
            .files(tree, limit)?
            .into_iter()
            .filter(|file| file.mode != 0o160_000)
            .map(|file| file.id)
            .collect();
        blobs.sort_unstable();
        blobs.dedup();
        Ok(blobs)
    }

    fn collect(
        &self,
        tree: Oid,
        prefix: &mut Vec<u8>,
        depth: usize,
        limit: usize,
        files: &mut Vec<TreeFile>,
    ) -> Result<(), GitError> {
        if depth > DEEPEST {
            return Err(GitError::TooManyEntries(tree.to_string()));
        }
        for (name, mode, id) in self.tree(tree)? {
            names::check_part(&name)?;
            let length = prefix.len();
            prefix.extend_from_slice(&name);
            if mode == 0o040_000 {
                prefix.push(b'/');
                self.collect(id, prefix, depth + 1, limit, files)?;
            } else {
                if files.len() >= limit {
                    return Err(GitError::TooManyEntries(tree.to_string()));
                }
                files.push(TreeFile {
                    path: prefix.clone(),
                    mode,
                    id,
                });
            }
            prefix.truncate(length);
        }
        Ok(())
    }

    /// The content of an annotated tag.
    pub(crate) fn tag(&self, id: Oid) -> Option<Vec<u8>> {
        let odb = self.repository.odb().ok()?;
        let read = odb.read(id).ok()?;
        (read.kind() == ObjectType::Tag).then(|| read.data().to_vec())
    }

    /// The size of a blob without reading it whole.
    pub(crate) fn size(&self, blob: Oid) -> Option<usize> {
        let odb = self.repository.odb().ok()?;
        let (size, kind) = odb.read_header(blob).ok()?;
        (kind == ObjectType::Blob).then_some(size)
    }

    /// The content of a blob of at most `limit` bytes; `None` when it is larger or not here.
    pub(crate) fn blob(&self, blob: Oid, limit: usize) -> Option<Vec<u8>> {
        if self.size(blob)? > limit {
            return None;
        }
        let odb = self.repository.odb().ok()?;
        let read = odb.read(blob).ok()?;
        Some(read.data().to_vec())
    }
}

fn entries(tree: &Tree<'_>) -> Vec<(Vec<u8>, u32, Oid)> {
    tree.iter()
        .map(|entry| {
            // Old histories hold 0664 and other modes; git reads them as this.
            let mode = match entry.filemode_raw() & 0o170_000 {
                0o040_000 => 0o040_000,
                0o120_000 => 0o120_000,
                0o160_000 => 0o160_000,
                _ if entry.filemode_raw() & 0o100 != 0 => 0o100_755,
                _ => 0o100_644,
            };
            (entry.name_bytes().to_vec(), mode, entry.id())
        })
        .collect()
}

fn object(id: impl ToString) -> impl FnOnce(git2::Error) -> GitError {
    move |reason| GitError::Object {
        object: id.to_string(),
        reason,
    }
}

/// The id as the model spells it.
pub(crate) fn commit_id(id: Oid) -> Option<CommitId> {
    id.to_string().parse().ok()
}

/// The id as libgit2 wants it; `None` for SHA-256 ids.
pub(crate) fn oid(id: &CommitId) -> Option<Oid> {
    (id.as_str().len() == 40)
        .then(|| Oid::from_str(id.as_str()).ok())
        .flatten()
}
