//! Reads commits, trees and blobs through libgit2 from bare object databases.
//!
//! No repository is opened, so no configuration, hook, ownership rule or promisor remote plays a part. Ids are
//! SHA-1; libgit2 verifies each object against its id.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use git2::{ObjectType, Odb, Oid, Repository, Tree};
use remint_model::{CommitId, EntryPath, UnlistedFile};

use super::error::GitError;
use super::names;

/// The deepest directory nesting that is followed.
const DEEPEST: usize = 128;

/// The longest path that is followed: no system call takes a longer one.
const LONGEST_PATH: usize = 4096;

/// What one search may read, in entries of trees, which take some 50 ns each. A history of 200,000 commits with
/// large trees needs a fraction of it.
const MOST_WORK: u64 = 2_000_000_000;
/// What looking an object up costs, whatever its size.
const PER_OBJECT: u64 = 50;
/// Content is inflated and then parsed.
const BYTES_PER_UNIT: u64 = 4;

/// How much has been read of one repository.
///
/// A repository of a few kilobytes can hold trees whose paths nobody ever finishes walking, so each search has an
/// end. It counts work and not time, so that the answer is the same on every machine.
#[derive(Debug)]
pub(crate) struct Work {
    limit: u64,
    spent: AtomicU64,
}

impl Default for Work {
    fn default() -> Self {
        Self::of(MOST_WORK)
    }
}

impl Work {
    const fn of(limit: u64) -> Self {
        Self {
            limit,
            spent: AtomicU64::new(0),
        }
    }

    /// Once too much, it stays so: whoever takes "not there" for an answer checks again in the end.
    pub(crate) fn check(&self) -> Result<(), GitError> {
        if self.spent.load(Ordering::Relaxed) > self.limit {
            Err(GitError::TooMuchWork)
        } else {
            Ok(())
        }
    }

    fn spend(&self, units: u64) -> Result<(), GitError> {
        self.spent.fetch_add(units, Ordering::Relaxed);
        self.check()
    }
}

fn units(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX >> 8)
}

/// Object databases, read together.
pub(crate) struct Objects {
    repository: Repository,
    work: Arc<Work>,
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

impl TreeFile {
    /// Whether it has a path that can be spoken of.
    pub(crate) fn is_listed(&self) -> bool {
        self.entry_path().is_some()
    }

    pub(crate) fn entry_path(&self) -> Option<EntryPath> {
        std::str::from_utf8(&self.path).ok()?.parse().ok()
    }

    /// What is told of it in place of an entry of the tree, below this prefix; `None` where it is no regular file.
    pub(crate) fn unlisted(&self, prefix: &str) -> Option<UnlistedFile> {
        let path = String::from_utf8_lossy(&self.path);
        let blob = commit_id(self.id)?;
        matches!(self.mode, 0o100_644 | 0o100_755).then(|| UnlistedFile {
            path: format!("{prefix}{}", path.escape_debug()),
            blob,
        })
    }
}

impl Objects {
    /// Opens the object databases of these git directories; those that do not exist are left out. What is read
    /// counts as `work`.
    pub(crate) fn open(git_dirs: &[&Path], work: Arc<Work>) -> Result<Self, GitError> {
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
            .map(|repository| Self { repository, work })
            .map_err(object("database"))
    }

    /// Whether the object is here.
    pub(crate) fn has(&self, id: Oid) -> bool {
        self.repository.odb().is_ok_and(|odb| odb.exists(id))
    }

    /// The commit that an object is or, through tags, points to.
    pub(crate) fn peel_to_commit(&self, id: Oid) -> Result<CommitFacts, GitError> {
        self.work.spend(PER_OBJECT)?;
        let commit = self
            .repository
            .find_object(id, None)
            .and_then(|found| found.peel_to_commit())
            .map_err(object(id))?;
        self.work.spend(units(commit.parent_count()))?;
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
        Ok(entries(&self.find_tree(id)?))
    }

    fn find_tree(&self, id: Oid) -> Result<Tree<'_>, GitError> {
        self.work.spend(PER_OBJECT)?;
        let tree = self.repository.find_tree(id).map_err(object(id))?;
        self.work.spend(units(tree.len()))?;
        Ok(tree)
    }

    /// Counts work that is done on what was read.
    pub(crate) fn spend(&self, entries: usize) -> Result<(), GitError> {
        self.work.spend(units(entries))
    }

    /// The tree or blob at a path below a tree.
    pub(crate) fn at(&self, tree: Oid, path: &str) -> Option<(ObjectType, Oid)> {
        let mut at = (ObjectType::Tree, tree);
        for part in path.split('/') {
            let tree = self.find_tree(at.1).ok()?;
            let entry = tree.get_name(part)?;
            at = (entry.kind()?, entry.id());
        }
        Some(at)
    }

    /// All files below a tree, at most `limit`, with names that are safe to write.
    pub(crate) fn files(&self, tree: Oid, limit: usize) -> Result<Vec<TreeFile>, GitError> {
        let mut found = Found {
            files: Vec::new(),
            directories: 0,
            limit,
        };
        self.collect(tree, &mut Vec::new(), 0, &mut found)?;
        Ok(found.files)
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
        found: &mut Found,
    ) -> Result<(), GitError> {
        // Directories without any file would otherwise never reach the limit.
        found.directories += 1;
        if depth > DEEPEST || found.directories > found.limit {
            return Err(GitError::TooManyEntries(tree.to_string()));
        }
        for (name, mode, id) in self.tree(tree)? {
            names::check_part(&name)?;
            let length = prefix.len();
            prefix.extend_from_slice(&name);
            if prefix.len() > LONGEST_PATH {
                return Err(GitError::HostileName {
                    name: String::from_utf8_lossy(&name)
                        .escape_debug()
                        .take(200)
                        .collect(),
                    reason: "its path is longer than 4,096 bytes",
                });
            }
            if mode == 0o040_000 {
                prefix.push(b'/');
                self.collect(id, prefix, depth + 1, found)?;
            } else {
                if found.files.len() >= found.limit {
                    return Err(GitError::TooManyEntries(tree.to_string()));
                }
                found.files.push(TreeFile {
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
        self.work.spend(PER_OBJECT).ok()?;
        let size = self.size(blob)?;
        if size > limit {
            return None;
        }
        self.work.spend(units(size) / BYTES_PER_UNIT).ok()?;
        let odb = self.repository.odb().ok()?;
        let read = odb.read(blob).ok()?;
        Some(read.data().to_vec())
    }
}

/// What lies below a tree, as far as it was walked.
struct Found {
    files: Vec<TreeFile>,
    directories: usize,
    limit: usize,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_limited_and_stays_so() {
        let temporary = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(temporary.path()).unwrap();
        let blob = repository.blob(&[b'x'; 4096]).unwrap();
        let mut builder = repository.treebuilder(None).unwrap();
        builder.insert("file", blob, 0o100_644).unwrap();
        let tree = builder.write().unwrap();
        let open = |limit| {
            let work = Arc::new(Work::of(limit));
            (
                Objects::open(&[temporary.path()], Arc::clone(&work)).unwrap(),
                work,
            )
        };

        let (objects, work) = open(10_000);
        assert_eq!(
            objects.at(tree, "file").map(|(_, id)| id),
            Some(blob),
            "a first look is cheap"
        );
        let read = std::iter::from_fn(|| objects.blob(blob, 4096)).count();
        assert!((1..10).contains(&read), "{read}");
        assert!(matches!(work.check(), Err(GitError::TooMuchWork)));
        assert_eq!(objects.at(tree, "file"), None);
        assert!(matches!(objects.tree(tree), Err(GitError::TooMuchWork)));

        let (objects, work) = open(10_000);
        assert_eq!(objects.files(tree, 1).unwrap().len(), 1);
        work.check().unwrap();
    }

    #[test]
    fn directories_without_files_count_as_entries() {
        let temporary = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(temporary.path()).unwrap();
        let mut tree = repository.treebuilder(None).unwrap().write().unwrap();
        for _ in 0..10 {
            let mut builder = repository.treebuilder(None).unwrap();
            for name in ["a", "b", "c", "d"] {
                builder.insert(name, tree, 0o040_000).unwrap();
            }
            tree = builder.write().unwrap();
        }
        let objects = Objects::open(&[temporary.path()], Arc::default()).unwrap();
        assert!(matches!(
            objects.files(tree, 1000),
            Err(GitError::TooManyEntries(_))
        ));
    }
}
