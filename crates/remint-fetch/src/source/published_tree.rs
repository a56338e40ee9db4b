//! The newest tree of a repository's default branch, for reading single files of it.

use git2::{ObjectType, Oid};
use remint_model::RepositoryUrl;

use super::SourceError;
use super::repository::open;
use crate::address::Will;
use crate::configuration::UserConfiguration;
use crate::git::{GitError, GitSettings, Store};

/// A tree whose files are all here.
#[derive(Debug)]
pub(crate) struct GitTree {
    store: Store,
    tree: Oid,
}

/// Brings the default branch's newest commit here.
///
/// # Errors
/// The repository does not answer, or advertises no default branch.
pub(crate) fn open_tree(
    url: &RepositoryUrl,
    user: &UserConfiguration,
) -> Result<GitTree, SourceError> {
    let settings = GitSettings::read(user)?;
    let (store, advertised) = open(&settings, user, url, Will::User)?;
    let head = store
        .default_branches(&advertised)
        .map_err(|error| SourceError::from_git(url.as_str(), error))?
        .first()
        .map(|branch| branch.peeled)
        .ok_or_else(|| SourceError::Unavailable {
            url: url.to_string(),
            reason: "it advertises no default branch".to_owned(),
        })?;
    let fetched = store
        .whole(head)
        .and_then(|_| store.objects())
        .and_then(|objects| objects.peel_to_commit(head));
    let tree = fetched
        .map_err(|error| SourceError::from_git(url.as_str(), error))?
        .tree;
    Ok(GitTree { store, tree })
}

impl GitTree {
    /// The file at a path, or `None` where there is none.
    ///
    /// # Errors
    /// It is larger than `limit`, or cannot be read.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, GitError> {
        let objects = self.store.objects()?;
        let found = objects.at(self.tree, path);
        // Where too much was read to go on, nothing that was not found is known to be absent.
        self.store.check_work()?;
        let Some((ObjectType::Blob, blob)) = found else {
            return Ok(None);
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        objects
            .blob(blob, limit)
            .map(Some)
            .ok_or_else(|| GitError::Unexpected {
                operation: "cat-file".to_owned(),
                detail: format!("`{path}` is not here, or has more than {limit} bytes"),
            })
    }
}
