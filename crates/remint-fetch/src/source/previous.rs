//! Whether the release before this one named another repository.

use git2::Oid;
use remint_model::RepositoryUrl;

use super::{SourceRequest, repository};
use crate::configuration::UserConfiguration;
use crate::git::{GitSettings, Will};

/// The repository of the previous release, where it is not the one that was used.
///
/// A repository that was renamed or moved is still the same one: it counts as such when the old URL advertises
/// the very commit that was pinned.
pub(super) fn other_repository(
    request: &SourceRequest<'_>,
    used: &str,
    commit: Oid,
    settings: &GitSettings,
    user: &UserConfiguration,
) -> Option<String> {
    let previous = request.release?.previous.as_ref()?;
    let urls: Vec<&RepositoryUrl> = previous
        .claims
        .iter()
        .filter_map(|claim| claim.url.as_ref().ok())
        .collect();
    let first = urls.first()?;
    if urls.iter().any(|url| same(url.as_str(), used)) {
        return None;
    }
    let moved =
        repository::open(settings, user, first, Will::Metadata).is_ok_and(|(_, advertised)| {
            advertised
                .tags
                .iter()
                .chain(&advertised.branches)
                .any(|reference| reference.peeled == commit)
        });
    (!moved).then(|| first.to_string())
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
