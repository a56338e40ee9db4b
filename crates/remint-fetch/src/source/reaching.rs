//! Whether a repository has a commit that somebody else names.

use git2::Oid;
use remint_model::CommitId;

use super::history::History;
use super::{FoundSource, SourceError};
use crate::git::{Advertised, GitError, Store, oid};

impl FoundSource {
    /// Whether a tag or the default branch of the repository reaches this commit. Other branches do not count: whoever
    /// may propose a change can often push one.
    ///
    /// # Errors
    /// The repository does not answer, or this machine cannot work with git.
    pub fn reaches(&self, commit: &CommitId) -> Result<bool, SourceError> {
        let Some(id) = oid(commit) else {
            return Ok(false);
        };
        reaches(self.checkout.store(), id)
            .map_err(|error| SourceError::from_git(&self.pin.repository, error))
    }
}

fn reaches(store: &Store, id: Oid) -> Result<bool, GitError> {
    let advertised = store.advertised()?;
    let tips = Advertised {
        branches: store.default_branches(&advertised)?,
        tags: advertised.tags,
        ..Advertised::default()
    };
    store.fetch_history()?;
    let history = History::read(&store.objects()?, &tips, &[]);
    let found = history.get(id).is_some();
    store.check_work()?;
    Ok(found)
}
