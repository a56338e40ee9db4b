//! Finds the source of a release: which repository, which commit, which of its files.
//!
//! Everything that publisher or registry say is a hint; it counts only once the manifest at the commit agrees.
//! The steps are in `ladder.rs`; what they found stays in the pin, also what disagreed.

mod ahead;
mod blobs;
mod error;
mod git_head;
mod history;
mod ladder;
mod manifest;
mod mentions;
mod modules;
mod neighbours;
mod overrides;
mod pin;
mod previous;
mod program;
mod published_tree;
mod reaching;
mod renamed;
mod repository;
mod tagged;
mod tags;
mod tree;

use remint_ecosystem::{Release, RepositoryClaim};
use remint_model::{Ecosystem, SourcePin, SourceTree, Survey, Target};

pub use ahead::Ahead;
pub use error::{LookedAt, SourceError};

use crate::configuration::UserConfiguration;
use crate::git::oid;
pub use crate::git::{Checkout, LaidOut};
pub(crate) use published_tree::{GitTree, open_tree};
use repository::Trace;
pub use repository::check_chosen;

/// What is known about a release before its source is looked for.
#[derive(Debug)]
pub struct SourceRequest<'a> {
    /// The release.
    pub target: &'a Target,
    /// What its registry says, where it was asked.
    pub release: Option<&'a Release>,
    /// The repositories that metadata names, the most explicit first.
    pub claims: &'a [RepositoryClaim],
    /// What the published file holds.
    pub survey: &'a Survey,
    /// What the user set.
    pub overrides: Overrides,
    /// When the file was uploaded, seconds since 1970, where the registry tells something plausible.
    pub uploaded: Option<i64>,
    /// What was done before the files were here, if anything.
    pub ahead: Option<&'a Ahead>,
}

/// What the user said about the source, in place of what would be inferred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// A URL, or a directory of this machine whose committed objects are used.
    pub source: Option<String>,
    /// A tag, branch or commit.
    pub reference: Option<String>,
    /// The package's folder.
    pub subdirectory: Option<remint_model::EntryPath>,
}

/// A commit, its files, and the means to write them out.
#[derive(Debug, Clone)]
pub struct FoundSource {
    /// Which commit, and why.
    pub pin: SourcePin,
    /// Its files as planning sees them.
    pub tree: SourceTree,
    /// Lays the commit out for a build.
    pub checkout: Checkout,
    /// A commit that neither the default branch nor a tag vouches for and that seems to fit better. It is to be
    /// built only where the one above does not explain the published file: whoever pushes a branch or opens a merge
    /// request knows what was published.
    pub otherwise: Option<Box<Self>>,
}

/// Finds the source of a release.
///
/// # Errors
/// No repository is named or answers, no commit carries the release, a ref of the user's is unknown, or this
/// machine cannot work with git.
pub fn find_source(
    request: &SourceRequest<'_>,
    user: &UserConfiguration,
) -> Result<FoundSource, SourceError> {
    repository::each(request, user, |opened, settings| {
        let found = match &request.overrides.reference {
            Some(reference) => overrides::pin(request, &opened, reference),
            None if request.target.ecosystem == Ecosystem::Golang => modules::pin(request, &opened),
            None => ladder::climb(request, &opened)
                .or_else(|refused| renamed::climb(request, &opened, refused)),
        };
        // A search that was cut off knows neither what it would have found nor that there was nothing.
        let store = &opened.store;
        store
            .check_work()
            .map_err(|error| SourceError::from_git(store.canonical(), error))?;
        let mut found = found?;
        program::add_claim(request.survey, &mut found);
        if opened.trace != Trace::User
            && let Some(commit) = oid(&found.pin.commit)
        {
            found.pin.previous_repository =
                previous::other_repository(request, &opened, commit, settings, user);
            if let Some(otherwise) = &mut found.otherwise {
                otherwise.pin.previous_repository = found.pin.previous_repository.clone();
            }
        }
        Ok(found)
    })
}
