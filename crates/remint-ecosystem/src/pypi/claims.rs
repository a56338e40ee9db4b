//! The repositories that a release's metadata names, the most explicit first. Whether one is reached or right is
//! not decided here.

use remint_model::{EntryPath, RepositoryUrl};
use serde_json::Value;

use crate::pypi::metadata::Metadata;
use crate::pypi::versions;
use crate::release::{MetadataError, RepositoryClaim};

/// More links than any project has.
const MOST_LINKS: usize = 200;

/// First path parts on GitHub that are pages of GitHub and no owners.
const NO_OWNERS: &[&str] = &[
    "apps",
    "features",
    "login",
    "marketplace",
    "orgs",
    "settings",
    "sponsors",
    "topics",
    "users",
];

/// The claims of core metadata: its `Project-URL` fields, `Home-page` and `Download-URL`.
pub(crate) fn of_metadata(metadata: &Metadata) -> Vec<RepositoryClaim> {
    let mut links = Links::default();
    for value in metadata.all("Project-URL") {
        if let Some((label, url)) = value.split_once(',') {
            links.push(label.trim(), url, &format!("Project-URL: {}", label.trim()));
        }
    }
    for (field, label) in [("Home-page", "homepage"), ("Download-URL", "download")] {
        for url in metadata.all(field) {
            links.push(label, url, field);
        }
    }
    links.claims()
}

/// The claims of PyPI's JSON about a project. A field of another version than `version` says so in its name.
pub(crate) fn of_project(
    content: &[u8],
    version: &str,
) -> Result<Vec<RepositoryClaim>, MetadataError> {
    let malformed = |reason: String| MetadataError::Malformed {
        what: "the index's JSON about the project".to_owned(),
        reason,
    };
    let document: Value =
        serde_json::from_slice(content).map_err(|error| malformed(error.to_string()))?;
    let info = document
        .get("info")
        .and_then(Value::as_object)
        .ok_or_else(|| malformed("it has no `info`".to_owned()))?;
    let of = match info.get("version").and_then(Value::as_str) {
        Some(other) if !versions::same(other, version) => {
            format!(" (of {})", other.chars().take(40).collect::<String>())
        }
        Some(_) | None => String::new(),
    };
    let mut links = Links::default();
    if let Some(urls) = info.get("project_urls").and_then(Value::as_object) {
        for (label, url) in urls {
            if let Some(url) = url.as_str() {
                links.push(label, url, &format!("project_urls.{label}{of}"));
            }
        }
    }
    for (field, label) in [("home_page", "homepage"), ("download_url", "download")] {
        if let Some(url) = info.get(field).and_then(Value::as_str) {
            links.push(label, url, &format!("{field}{of}"));
        }
    }
    Ok(links.claims())
}

/// How surely a link's label means the repository (PEP 753's well-known labels and what else is usual).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Source,
    Homepage,
    Issues,
    Documentation,
    Other,
}

impl Rank {
    /// PEP 753: labels are compared without punctuation, spaces and case.
    fn of(label: &str) -> Self {
        let plain: String = label
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .take(64)
            .collect();
        match plain.as_str() {
            "source" | "sourcecode" | "repository" | "repo" | "code" | "github" | "gitlab"
            | "codeberg" | "bitbucket" | "git" | "vcs" | "scm" | "sources" | "githubrepository"
            | "githubrepo" | "sourcerepository" | "coderepository" => Self::Source,
            "homepage" | "home" | "project" | "projectpage" | "website" | "url" => Self::Homepage,
            "issues" | "issue" | "bugs" | "bugtracker" | "bugreports" | "issuetracker"
            | "tracker" | "support" | "reportissues" => Self::Issues,
            "documentation" | "docs" | "readme" | "changelog" | "changes" | "releasenotes"
            | "history" | "releases" => Self::Documentation,
            _ => Self::Other,
        }
    }
}

#[derive(Default)]
struct Links(Vec<(Rank, RepositoryClaim)>);

impl Links {
    fn push(&mut self, label: &str, raw: &str, field: &str) {
        let raw = raw.trim();
        if raw.is_empty() || matches!(raw, "UNKNOWN" | "None") || self.0.len() >= MOST_LINKS {
            return;
        }
        let rank = Rank::of(label);
        let url = raw.parse::<RepositoryUrl>();
        // Only a link that is about the source may lead to any host; every other may be any page of the web.
        if rank != Rank::Source && !url.as_ref().is_ok_and(on_a_code_host) {
            return;
        }
        self.0.push((
            rank,
            RepositoryClaim {
                raw: raw.chars().take(2048).collect(),
                url,
                directory: folder(raw),
                field: field.chars().take(120).collect(),
            },
        ));
    }

    /// Each repository once, under its best label, with the folder that any link to it names.
    fn claims(mut self) -> Vec<RepositoryClaim> {
        self.0.sort_by_key(|(rank, _)| *rank);
        let mut claims: Vec<RepositoryClaim> = Vec::new();
        for (_, claim) in self.0 {
            let known = claims.iter_mut().find(
                |known| matches!((&known.url, &claim.url), (Ok(one), Ok(other)) if one.as_str().eq_ignore_ascii_case(other.as_str())),
            );
            match known {
                Some(known) => known.directory = known.directory.take().or(claim.directory),
                None => claims.push(claim),
            }
        }
        claims
    }
}

fn on_a_code_host(url: &RepositoryUrl) -> bool {
    let owner = url
        .as_str()
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('/').nth(1))
        .unwrap_or("");
    matches!(
        url.host(),
        "github.com" | "gitlab.com" | "bitbucket.org" | "codeberg.org"
    ) && !NO_OWNERS.contains(&owner)
}

/// The folder in `…/tree/<branch>/<folder>`, or the one that holds the file in `…/blob/<branch>/<folder>/README.md`.
/// A branch with a slash in its name gives a folder that does not exist, which the search for the manifest survives.
fn folder(raw: &str) -> Option<EntryPath> {
    let path = raw.split(['#', '?']).next()?;
    if let Some((_, below)) = path.split_once("/tree/") {
        return below.split_once('/')?.1.parse().ok();
    }
    let (_, below) = path.split_once("/blob/")?;
    below.split_once('/')?.1.parse::<EntryPath>().ok()?.parent()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(metadata: &str, expect: &[(&str, &str, Option<&str>)]) {
        let metadata = Metadata::parse("METADATA", metadata.as_bytes()).unwrap();
        let found: Vec<_> = of_metadata(&metadata)
            .into_iter()
            .map(|claim| {
                let url = claim
                    .url
                    .map_or_else(|error| error.to_string(), |url| url.to_string());
                (claim.field, url, claim.directory.map(String::from))
            })
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(field, url, directory)| {
                (
                    (*field).to_owned(),
                    (*url).to_owned(),
                    directory.map(str::to_owned),
                )
            })
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn source_links_come_before_pages() {
        check(
            "Project-URL: Documentation, https://github.com/o/docs\n\
             Project-URL: Bug Tracker, https://github.com/o/n/issues\n\
             Project-URL: Source Code, https://github.com/o/n.git\n\
             Home-page: https://example.org/n\n",
            &[
                ("Project-URL: Source Code", "https://github.com/o/n", None),
                (
                    "Project-URL: Documentation",
                    "https://github.com/o/docs",
                    None,
                ),
            ],
        );
    }

    #[test]
    fn links_below_the_repository_tell_the_folder() {
        check(
            "Project-URL: Homepage, https://github.com/o/n\n\
             Project-URL: Docs, https://github.com/o/n/blob/main/packages/x/README.md#usage\n",
            &[(
                "Project-URL: Homepage",
                "https://github.com/o/n",
                Some("packages/x"),
            )],
        );
        check(
            "Project-URL: source, https://github.com/o/n/tree/main/packages/x\n",
            &[(
                "Project-URL: source",
                "https://github.com/o/n",
                Some("packages/x"),
            )],
        );
        check(
            "Project-URL: source, https://github.com/o/n/tree/main/../../x\n",
            &[(
                "Project-URL: source",
                "`https://github.com/o/n/tree/main/../../x` holds characters that no repository URL has",
                None,
            )],
        );
    }

    #[test]
    fn pages_that_are_no_repositories_are_no_claims() {
        check(
            "Project-URL: Funding, https://github.com/sponsors/someone\n\
             Project-URL: Homepage, https://example.org/a/b\n\
             Home-page: UNKNOWN\n",
            &[],
        );
    }

    #[test]
    fn the_latest_project_page_is_marked_as_another_versions() {
        let project = br#"{"info":{"version":"2.0","project_urls":{"Source":"https://github.com/o/n"},"home_page":null}}"#;
        let claims = of_project(project, "1.0").unwrap();
        assert_eq!(
            claims.first().unwrap().field,
            "project_urls.Source (of 2.0)"
        );
        let claims = of_project(project, "2").unwrap();
        assert_eq!(claims.first().unwrap().field, "project_urls.Source");
        assert!(of_project(b"[]", "1.0").is_err());
    }

    proptest! {
        #[test]
        fn no_metadata_panics_and_no_folder_climbs(
            bytes: Vec<u8>,
            json in "([{}\\[\\]:,\"]|\"info\"|\"project_urls\"|\"home_page\"|\"Source\"|\"https://github\\.com/o/n(/tree/main/(\\.\\./|[a-z])+)?\"){0,24}",
            text in "(Project-URL: |Home-page: |Source, |\n|https://github\\.com/o/n|/tree/main/(\\.\\./|[a-z]){0,3}|,|é){0,16}",
        ) {
            let mut claims = Vec::new();
            for content in [json.as_bytes(), bytes.as_slice()] {
                claims.extend(of_project(content, "1.0").unwrap_or_default());
            }
            for content in [text.as_bytes(), bytes.as_slice()] {
                if let Ok(metadata) = Metadata::parse("METADATA", content) {
                    claims.extend(of_metadata(&metadata));
                }
            }
            for claim in claims {
                prop_assert!(!claim.raw.is_empty());
                if let Some(directory) = claim.directory {
                    prop_assert!(!directory.as_str().split('/').any(|part| part == ".."));
                }
            }
        }
    }
}
