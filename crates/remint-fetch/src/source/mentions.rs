//! Repositories that only the description of a published file mentions: many Python projects name theirs nowhere
//! else.
//!
//! A badge or an install hint is a weak clue, so it counts only where no repository that metadata names has
//! answered; the manifest at the commit has to agree as ever.

use std::collections::BTreeMap;

use remint_model::{PackageName, RepositoryUrl, Survey};

/// Most repositories that are tried.
const MOST: usize = 3;
/// Most addresses that are read from one description.
const MOST_ADDRESSES: usize = 2_000;

/// Beginnings of addresses that go on with owner and name, and the host that is meant: hosts themselves, and
/// services that show something about a repository.
const PLACES: &[(&str, &str)] = &[
    ("github.com/", "github.com"),
    ("gitlab.com/", "gitlab.com"),
    ("codeberg.org/", "codeberg.org"),
    ("bitbucket.org/", "bitbucket.org"),
    ("raw.githubusercontent.com/", "github.com"),
    ("codecov.io/gh/", "github.com"),
    ("codecov.io/github/", "github.com"),
    ("coveralls.io/github/", "github.com"),
    ("deepwiki.com/", "github.com"),
    ("glama.ai/mcp/servers/@", "github.com"),
    ("smithery.ai/server/@", "github.com"),
];

/// Where sponsors of an owner go: names the owner, and leaves the repository to be guessed from the package.
const SPONSORS: &str = "github.com/sponsors/";

/// First parts of paths on these hosts that are no owners.
const PAGES: &[&str] = &[
    "about",
    "apps",
    "collections",
    "features",
    "login",
    "marketplace",
    "orgs",
    "settings",
    "sponsors",
    "topics",
    "user-attachments",
    "users",
];

/// The repositories that the description mentions, the likeliest first: those whose name is the package's, then
/// those mentioned most.
pub(super) fn repositories(survey: &Survey, name: &PackageName) -> Vec<RepositoryUrl> {
    let mut counted: BTreeMap<RepositoryUrl, usize> = BTreeMap::new();
    let texts = survey.texts.iter().filter(|(path, _)| {
        path.as_str().ends_with(".dist-info/METADATA") || path.as_str() == "PKG-INFO"
    });
    for (_, content) in texts {
        let text = String::from_utf8_lossy(content);
        for url in addresses(&text).take(MOST_ADDRESSES) {
            *counted.entry(url).or_default() += 1;
        }
        for url in guesses(&text, name).take(MOST) {
            counted.entry(url).or_default();
        }
    }
    let mut ranked: Vec<(bool, usize, RepositoryUrl)> = counted
        .into_iter()
        .map(|(url, count)| (is_named_like(&url, name), count, url))
        // A repository with a foreign name has to be more than one badge among others.
        .filter(|(named, count, _)| *named || *count > 1)
        .collect();
    ranked.sort_by(|(named, count, url), (other_named, other_count, other)| {
        other_named
            .cmp(named)
            .then(other_count.cmp(count))
            .then(url.cmp(other))
    });
    ranked
        .into_iter()
        .take(MOST)
        .map(|(_, _, url)| url)
        .collect()
}

fn addresses(text: &str) -> impl Iterator<Item = RepositoryUrl> + '_ {
    PLACES.iter().flat_map(move |(place, host)| {
        paths_after(text, place).filter_map(move |path| {
            let mut parts = path.split('/');
            let (owner, name) = (parts.next()?, parts.next()?);
            let name = name.trim_end_matches('.');
            if PAGES.contains(&owner) || name.is_empty() {
                return None;
            }
            format!("https://{host}/{owner}/{name}").parse().ok()
        })
    })
}

fn guesses<'a>(text: &'a str, name: &'a PackageName) -> impl Iterator<Item = RepositoryUrl> + 'a {
    paths_after(text, SPONSORS).filter_map(move |path| {
        let owner = path.split('/').next().filter(|owner| !owner.is_empty())?;
        format!("https://github.com/{owner}/{}", name.unscoped())
            .parse()
            .ok()
    })
}

/// What follows `place` wherever it begins an address.
fn paths_after<'a>(text: &'a str, place: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    text.match_indices(place).filter_map(move |(at, _)| {
        // `api.github.com` and `notgithub.com` are other hosts.
        let before = text.get(..at)?;
        if !["://", "www.", "app."]
            .iter()
            .any(|start| before.ends_with(start))
        {
            return None;
        }
        let rest = text.get(at + place.len()..)?;
        let end = rest
            .char_indices()
            .find(|(at, c)| *at >= 200 || !(c.is_ascii_alphanumeric() || "-_./".contains(*c)))
            .map_or(rest.len(), |(at, _)| at);
        rest.get(..end)
    })
}

fn is_named_like(url: &RepositoryUrl, name: &PackageName) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    let repository = url.as_str().rsplit('/').next().unwrap_or("");
    plain(repository) == plain(name.unscoped())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::Ecosystem;

    use super::*;

    #[test]
    fn the_repository_named_like_the_package_comes_first_and_chance_mentions_not_at_all() {
        let description = "Name: some-thing\n\n\
            [ci](https://github.com/owner/some_thing/actions/workflows/ci.yml/badge.svg)\n\
            https://github.com/org/platform and https://github.com/org/platform/issues.\n\
            made with https://github.com/astral-sh/uv, https://github.com/sponsors/someone/x,\n\
            https://api.github.com/repos/a, https://evilgithub.com/x/some-thing\n\
            [coverage](https://codecov.io/gh/owner/some_thing)\n";
        let survey = Survey {
            texts: vec![(
                "some_thing-1.0.dist-info/METADATA".parse().unwrap(),
                description.as_bytes().to_vec(),
            )],
            ..Survey::default()
        };
        let name = PackageName::parse(Ecosystem::Pypi, "some-thing").unwrap();
        let found: Vec<String> = repositories(&survey, &name)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "https://github.com/owner/some_thing",
                "https://github.com/someone/some-thing",
                "https://github.com/org/platform"
            ]
        );
    }

    proptest! {
        #[test]
        fn no_description_panics_and_few_repositories_come_of_it(
            any: Vec<u8>,
            shaped in "((https://)?(www\\.)?(github\\.com/|gitlab\\.com/|codecov\\.io/gh/|sponsors/)|[a-z.]{1,3}|/|\n|é){0,30}",
        ) {
            let name = PackageName::parse(Ecosystem::Pypi, "x").unwrap();
            for content in [any, shaped.into_bytes()] {
                let survey = Survey {
                    texts: vec![("PKG-INFO".parse().unwrap(), content)],
                    ..Survey::default()
                };
                for url in repositories(&survey, &name) {
                    prop_assert!(PLACES.iter().any(|(_, host)| url.host() == *host));
                }
            }
        }
    }
}
