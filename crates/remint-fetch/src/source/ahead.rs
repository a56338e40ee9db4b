//! The repository that a registry names for a release, reached while the release's files are still on their way.
//!
//! Nothing is decided here: the search looks at the same repository with the same rules, and finds done what it would
//! have begun with. What could not be had is left to it, since it tells why.

use std::sync::OnceLock;

use remint_ecosystem::RepositoryClaim;
use remint_model::{Ecosystem, EntryPath, RepositoryUrl, Target};

use super::{SourceError, repository, tagged};
use crate::address::Will;
use crate::configuration::UserConfiguration;
use crate::git::{Advertised, GitSettings, Store};

/// The first repository that metadata names, reached once for all files of a release.
#[derive(Debug)]
pub struct Ahead {
    target: Target,
    url: RepositoryUrl,
    directory: Option<EntryPath>,
    user: UserConfiguration,
    /// `None` where it could not be reached.
    reached: OnceLock<Option<(Store, Advertised)>>,
}

impl Ahead {
    /// What may be done ahead for a release with these claims; `None` where they name no repository.
    #[must_use]
    pub fn new(
        target: &Target,
        claims: &[RepositoryClaim],
        user: &UserConfiguration,
    ) -> Option<Self> {
        let (url, directory) = claims
            .iter()
            .find_map(|claim| Some((claim.url.as_ref().ok()?, claim.directory.clone())))?;
        Some(Self {
            target: target.clone(),
            url: url.clone(),
            directory,
            user: user.clone(),
            reached: OnceLock::new(),
        })
    }

    /// Asks the repository for its branches and tags, and fetches what tags of the version name. Waits for that, also
    /// where another thread has begun with it.
    pub fn begin(&self) {
        self.reached();
    }

    /// The repository, if it is this one and answered.
    pub(super) fn opened(&self, url: &RepositoryUrl) -> Option<(Store, Advertised)> {
        let (store, advertised) = (self.url == *url).then(|| self.reached())??.clone();
        // What one search reads does not count against the next one.
        Some((store.afresh(), advertised))
    }

    fn reached(&self) -> Option<&(Store, Advertised)> {
        self.reached.get_or_init(|| self.reach().ok()).as_ref()
    }

    fn reach(&self) -> Result<(Store, Advertised), SourceError> {
        let settings = GitSettings::read(&self.user)?;
        let (store, advertised) =
            repository::open(&settings, &self.user, &self.url, Will::Metadata)?;
        // A module's commit is the one that its proxy names, and is looked for in another way.
        if self.target.ecosystem != Ecosystem::Golang {
            let levels = tagged::levels(&self.target, self.directory.as_ref(), &advertised);
            if let Some(best) = levels.first() {
                // The search asks again for what is missing then.
                drop(store.fetch_snapshots(&tagged::snapshots(&advertised, best)));
            }
        }
        Ok((store, advertised))
    }
}
