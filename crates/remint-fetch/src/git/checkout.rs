//! A pinned commit that can be written out as a working tree, with as much of git's history as a build may see.

use std::path::Path;
use std::sync::Arc;

use git2::Oid;
use remint_model::{CloneShape, EntryPath, GapKind, SourceGap, UnlistedFile};

use super::converted::converted;
use super::error::GitError;
use super::remote::AdvertisedRef;
use super::store::Store;
use super::submodules;
use super::worktree::{self, Layout, MOST_FILES};
use crate::source::SourceError;

/// A commit, ready to be laid out for a build.
#[derive(Debug, Clone)]
pub struct Checkout {
    pinned: Arc<Pinned>,
    /// Files whose content in git is a pointer to Git LFS: the build sees the pointer.
    lfs_pointers: Vec<EntryPath>,
    /// Submodules of the commit.
    pub submodules: Vec<EntryPath>,
}

/// What laying out a commit in a repository takes.
#[derive(Debug)]
pub(crate) struct Pinned {
    pub(crate) store: Store,
    pub(crate) commit: Oid,
    pub(crate) time: i64,
    /// Branch that `HEAD` names.
    pub(crate) branch: String,
    /// The tags that a build may see.
    pub(crate) tags: Vec<AdvertisedRef>,
}

/// What there is to know of a working tree once it is laid out.
#[derive(Debug, Default)]
pub struct LaidOut {
    /// What is not there as a clone with everything would have it.
    pub gaps: Vec<SourceGap>,
    /// The files that the source's tree does not list, or lists with another content than git writes.
    pub unlisted: Vec<UnlistedFile>,
}

impl Checkout {
    pub(crate) fn of_commit(
        pinned: Pinned,
        lfs_pointers: Vec<EntryPath>,
        submodules: Vec<EntryPath>,
    ) -> Self {
        Self {
            pinned: Arc::new(Pinned {
                store: pinned.store.afresh(),
                ..pinned
            }),
            lfs_pointers,
            submodules,
        }
    }

    /// The repository.
    pub(crate) fn store(&self) -> &Store {
        &self.pinned.store
    }

    /// Writes the working tree into the empty or absent directory `into`, as `git checkout` on Linux with
    /// default settings and umask 022 would; all times are the commit's. Then, below `.git`, what `shape` asks for.
    /// Tells what is not there as a clone with everything would have it, and what nobody lists.
    ///
    /// # Errors
    /// The commit cannot be fetched whole, a name in it is hostile, or the disk does not take it.
    pub fn materialise(&self, shape: CloneShape, into: &Path) -> Result<LaidOut, SourceError> {
        fs_err::create_dir_all(into).map_err(GitError::disk(into))?;
        let pinned = &*self.pinned;
        let layout = Layout {
            shape,
            branch: &pinned.branch,
            tags: &pinned.tags,
            time: pinned.time,
        };
        let lay_out = || -> Result<LaidOut, GitError> {
            let absent = worktree::lay_out(&pinned.store, pinned.commit, &layout, into)?;
            let LaidOut {
                mut gaps,
                mut unlisted,
            } = submodules::fill(&pinned.store, pinned.commit, into, pinned.time)?;
            let objects = pinned.store.objects()?;
            let tree = objects.peel_to_commit(pinned.commit)?.tree;
            let nameless = objects
                .files(tree, MOST_FILES)?
                .into_iter()
                .filter(|file| !file.is_listed());
            unlisted.extend(nameless.filter_map(|file| file.unlisted("")));
            unlisted.extend(converted(&objects, tree, into, "")?);
            worktree::finish(&pinned.store, &layout, into)?;
            let gap = |kind: GapKind, path: String| SourceGap {
                path,
                kind,
                detail: String::new(),
            };
            gaps.extend(
                absent
                    .iter()
                    .map(|path| String::from_utf8_lossy(path).into_owned())
                    .map(|path| gap(GapKind::AbsentFile, path)),
            );
            gaps.extend(
                self.lfs_pointers
                    .iter()
                    .map(|path| gap(GapKind::LargeFile, path.to_string())),
            );
            Ok(LaidOut { gaps, unlisted })
        };
        lay_out().map_err(|error| SourceError::from_git(pinned.store.canonical(), error))
    }
}
