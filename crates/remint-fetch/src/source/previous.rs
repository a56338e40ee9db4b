//! Whether the releases before this one named another repository.

use git2::Oid;
use remint_ecosystem::Earlier;
use remint_model::{PreviousRepository, RepositoryUrl};

use super::history::History;
use super::repository::Opened;
use super::{SourceError, SourceRequest, repository};
use crate::address::Will;
use crate::configuration::UserConfiguration;
use crate::git::{Advertised, GitSettings};

/// How many releases in a row must have named a repository before it is an old one.
const SETTLED_RELEASES: usize = 5;

/// How long before this release the first of them must have come out: 30 days, in seconds. A thief does not wait
/// so long, and an owner notices in the meantime.
const SETTLED_AFTER: i64 = 30 * 24 * 3600;

/// How many other repositories are asked whether they are an old name of the one that was used.
const ASKED: usize = 3;

/// The repository that an earlier release named, where it is not the one that was used.
///
/// One release that names the new repository does not make it an old one. A repository that was renamed or moved
/// is still the same one: it counts as such when the old URL leads to the very commit that was pinned.
pub(super) fn other_repository(
    request: &SourceRequest<'_>,
    opened: &Opened,
    commit: Oid,
    settings: &GitSettings,
    user: &UserConfiguration,
) -> Option<PreviousRepository> {
    let untold = request.release?.earlier.iter().find_map(|earlier| {
        Some(PreviousRepository::Untold {
            version: earlier.version.to_string(),
            reason: earlier.untold.clone()?,
        })
    });
    // A release that names none says nothing: what counts is the one before it.
    let named: Vec<(&Earlier, Vec<&RepositoryUrl>)> = request
        .release?
        .earlier
        .iter()
        .map(|earlier| (earlier, usable(earlier)))
        .filter(|(_, urls)| !urls.is_empty())
        .collect();
    let mut names = vec![opened.store.canonical().to_owned()];
    let mut silent = None;
    loop {
        let row = named
            .iter()
            .take_while(|(_, urls)| {
                urls.iter()
                    .any(|url| names.iter().any(|name| same(url.as_str(), name)))
            })
            .count();
        let Some(first) = named.get(row).and_then(|(_, urls)| urls.first()) else {
            return silent.or(untold);
        };
        let settled = row >= SETTLED_RELEASES
            && named.get(row - 1).is_some_and(|(earlier, _)| {
                earlier
                    .before
                    .is_some_and(|seconds| seconds >= SETTLED_AFTER)
            });
        if settled {
            return silent;
        }
        let other = Some(PreviousRepository::Other(first.to_string()));
        if names.len() > ASKED {
            return other;
        }
        match leads_to(first, opened, commit, settings, user) {
            Ok(true) => {}
            Ok(false) => return other,
            Err(error) if error.is_absence() => return other,
            // One that keeps silent may be the same; what the releases before it named still counts.
            Err(error @ (SourceError::Unavailable { .. } | SourceError::Machine(_))) => {
                silent.get_or_insert(PreviousRepository::Silent {
                    repository: first.to_string(),
                    reason: error.to_string(),
                });
            }
            Err(
                SourceError::NoSource { .. }
                | SourceError::NoClaim { .. }
                | SourceError::Refused { .. }
                | SourceError::UnknownRef { .. }
                | SourceError::Unsupported { .. }
                | SourceError::NotASource { .. },
            ) => return other,
        }
        names.push(first.to_string());
    }
}

/// Whether a tag or the default branch of this repository reaches the commit. Other branches say nothing: whoever
/// may propose a change there can often push one.
///
/// A commit's id stands for all its ancestors, so the history of the repository that was used tells as well what
/// the other one's refs reach.
fn leads_to(
    url: &RepositoryUrl,
    used: &Opened,
    commit: Oid,
    settings: &GitSettings,
    user: &UserConfiguration,
) -> Result<bool, SourceError> {
    let (store, advertised) = repository::open(settings, user, url, Will::Metadata)?;
    let defaults = store.default_branches(&advertised)?;
    let tips = Advertised {
        branches: defaults,
        tags: advertised.tags,
        ..Advertised::default()
    };
    if tips
        .tags
        .iter()
        .chain(&tips.branches)
        .any(|reference| reference.peeled == commit)
    {
        return Ok(true);
    }
    used.store.fetch_history()?;
    let history = History::read(&used.store.objects()?, &tips, &[]);
    Ok(history.get(commit).is_some())
}

fn usable(earlier: &Earlier) -> Vec<&RepositoryUrl> {
    earlier
        .claims
        .iter()
        .filter_map(|claim| claim.url.as_ref().ok())
        .collect()
}

/// Whether two URLs differ in nothing but scheme, user, case or a `.git` ending.
fn same(one: &str, other: &str) -> bool {
    let bare = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let path = path.trim_end_matches('/').trim_end_matches(".git");
        format!("{host}/{path}").to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn spellings_of_one_repository_are_the_same() {
        assert!(same(
            "ssh://git@github.com/Owner/Name",
            "https://github.com/owner/name.git"
        ));
        assert!(!same(
            "https://github.com/owner/name",
            "https://github.com/owner/name2"
        ));
        assert!(!same(
            "https://github.com/owner/name",
            "https://gitlab.com/owner/name"
        ));
    }
}
