//! Where a release comes from: repository, commit, and the files of that commit.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::CommitId;
use crate::path::EntryPath;
use crate::target::{PackageName, Version};

/// A clone URL that is safe to hand to git: `https`, `ssh` or `git`, a host, a path, no credentials.
///
/// Stored in one spelling: lower-case host, no `.git` at the end, no fragment or query.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepositoryUrl(String);

/// The longest URL accepted, in bytes.
const LONGEST: usize = 2048;

/// Why a text is no clone URL that we follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryUrlError {
    /// No scheme, host or path could be read.
    #[error("`{0}` names no repository")]
    Shape(String),
    /// A scheme other than https, ssh and git: `file`, `ext::`, plain `http`, …
    #[error("scheme `{0}` is not allowed for a source repository (allowed: https, ssh, git)")]
    Scheme(String),
    /// A character that URLs of repositories do not have; some make git read an option or a helper.
    #[error("`{0}` holds characters that no repository URL has")]
    Characters(String),
}

impl RepositoryUrl {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, without port.
    #[must_use]
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or("");
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        authority.split(':').next().unwrap_or(authority)
    }

    /// The URL without its scheme, for people.
    #[must_use]
    pub fn display_short(&self) -> &str {
        self.0.split_once("://").map_or(&*self.0, |(_, rest)| rest)
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepositoryUrl {
    type Err = RepositoryUrlError;

    /// Understands `https://host/path(.git)`, `git+https://…`, `git+ssh://…`, `ssh://git@host/path`, `git://…`,
    /// `git@host:path`, and the `github:`, `gitlab:`, `bitbucket:` and bare `owner/name` short forms of npm.
    ///
    /// Credentials are dropped (a bare user name stays for ssh); pages below the repository on the well-known
    /// hosts (`/tree/main/packages/x`, `/blob/…`, `/issues`) are cut off.
    fn from_str(text: &str) -> Result<Self, RepositoryUrlError> {
        let shown = || text.chars().take(200).collect::<String>();
        let text = text.trim();
        let bad = |c: char| c.is_control() || c.is_whitespace() || "\\\"'`<>{}|^$;*".contains(c);
        if text.len() > LONGEST || text.contains(bad) || text.contains("::") {
            return Err(RepositoryUrlError::Characters(shown()));
        }
        let expanded = expand_short_form(text);
        let (scheme, rest) = expanded
            .split_once("://")
            .ok_or_else(|| RepositoryUrlError::Shape(shown()))?;
        let scheme = scheme.to_ascii_lowercase();
        let scheme = match scheme.strip_prefix("git+").unwrap_or(&scheme) {
            // Plain http is offered by old metadata of hosts that serve https.
            "https" | "http" => "https",
            "ssh" => "ssh",
            "git" => "git",
            other => return Err(RepositoryUrlError::Scheme(other.chars().take(20).collect())),
        };
        let rest = rest.split(['#', '?']).next().unwrap_or(rest);
        let (authority, path) = rest
            .split_once('/')
            .ok_or_else(|| RepositoryUrlError::Shape(shown()))?;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user.split(':').next(), host),
            None => (None, authority),
        };
        let host = host.to_ascii_lowercase();
        let host = host.trim_start_matches("www.");
        let valid_host = !host.is_empty()
            && !host.starts_with(['-', '.', ':'])
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-.:[]_".contains(&b));
        if !valid_host {
            return Err(RepositoryUrlError::Shape(shown()));
        }
        let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if parts
            .iter()
            .any(|part| matches!(*part, "." | "..") || (part.starts_with('-') && *part != "-"))
        {
            return Err(RepositoryUrlError::Characters(shown()));
        }
        match host {
            "github.com" | "bitbucket.org" | "codeberg.org" => parts.truncate(2),
            _ => {
                if let Some(at) = parts.iter().position(|part| *part == "-") {
                    parts.truncate(at);
                }
            }
        }
        let least = if matches!(host, "github.com" | "gitlab.com" | "bitbucket.org") {
            2
        } else {
            1
        };
        if parts.len() < least {
            return Err(RepositoryUrlError::Shape(shown()));
        }
        if let Some(last) = parts.last_mut() {
            *last = last.trim_end_matches(".git");
            // `...git` is a climb too.
            if matches!(*last, "" | "." | "..") {
                return Err(RepositoryUrlError::Characters(shown()));
            }
        }
        let path = parts.join("/");
        let user = match (scheme, user) {
            ("ssh", Some(user)) if user.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                format!("{user}@")
            }
            _ => String::new(),
        };
        let url = format!("{scheme}://{user}{host}/{path}");
        if url.len() > LONGEST {
            return Err(RepositoryUrlError::Characters(shown()));
        }
        Ok(Self(url))
    }
}

fn expand_short_form(text: &str) -> String {
    for (prefix, host) in [
        ("github:", "github.com"),
        ("gitlab:", "gitlab.com"),
        ("bitbucket:", "bitbucket.org"),
    ] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return format!("https://{host}/{rest}");
        }
    }
    if text.contains("://") {
        return text.to_owned();
    }
    // scp-like: `git@host:owner/name`; without a user it must look like a host.
    if let Some((authority, path)) = text.split_once(':') {
        let host = authority.rsplit('@').next().unwrap_or(authority);
        if !authority.contains('/') && host.contains('.') {
            return format!("ssh://{authority}/{path}");
        }
        return text.to_owned();
    }
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [owner, name] if !owner.contains('.') && !owner.is_empty() && !name.is_empty() => {
            format!("https://github.com/{text}")
        }
        [host, _, ..] if host.contains('.') => format!("https://{text}"),
        _ => text.to_owned(),
    }
}

impl TryFrom<String> for RepositoryUrl {
    type Error = RepositoryUrlError;

    fn try_from(text: String) -> Result<Self, RepositoryUrlError> {
        text.parse()
    }
}

impl From<RepositoryUrl> for String {
    fn from(url: RepositoryUrl) -> Self {
        url.0
    }
}

/// How a commit came to be proposed as the source of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The user said so (`--ref`).
    User,
    /// A tag whose manifest has the version, or that names the version where it is stamped at release.
    Tag,
    /// Provenance that the registry serves.
    Provenance,
    /// npm's `gitHead`, chosen by the publisher.
    GitHead,
    /// The commit in a crate's `.cargo_vcs_info.json`, chosen by the publisher.
    VcsInfo,
    /// The commit that a Go module proxy says it made a module from (`Origin` in `.info`).
    Origin,
    /// The commit that a program of Go says it was built from (`vcs.revision`).
    BuildInfo,
    /// The commit that set the version in the manifest.
    VersionCommit,
    /// A commit shortly after or before one of the above, whose files fit better.
    Neighbour,
    /// The commit whose files match the published ones best.
    Blobs,
}

/// A commit that some hint proposed, and whether it is the one that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The hint.
    pub found_by: FoundBy,
    /// The tag or branch, where the hint names one.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The commit; `None` when the hint leads nowhere.
    pub commit: Option<CommitId>,
    /// Whether it is the pinned commit.
    pub agrees: bool,
    /// Why it was not taken, or what is odd about it.
    pub note: Option<String>,
    /// Whose release it is about.
    #[serde(skip)]
    pub meant_for: MeantFor,
}

/// Whose release a hint is about: packages that share a repository share its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeantFor {
    /// The one whose source is looked for.
    ThisRelease,
    /// A release of another package with the same number, as far as anyone can tell.
    Sibling,
}

/// Which of a repository's refs reach the pinned commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The default branch, or a tag.
    DefaultOrTag,
    /// No tag, and of the branches only others than the default one; this is one of them.
    OtherBranch(String),
    /// The user named the commit, and some branch or tag reaches it: which one is his choice.
    Given,
    /// No branch and no tag.
    Nothing,
}

impl Reach {
    /// Whether any advertised branch or tag leads to the commit.
    #[must_use]
    pub const fn is_advertised(&self) -> bool {
        match self {
            Self::DefaultOrTag | Self::OtherBranch(_) | Self::Given => true,
            Self::Nothing => false,
        }
    }
}

/// The version that the manifest at the pinned commit carries, where it is not the released one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stamp {
    /// What the manifest says (a placeholder, an older version), or `None` where the version is dynamic.
    pub found: Option<String>,
    /// What was released.
    pub wanted: Version,
    /// What justifies stamping: the ref that names the version, or the placeholder.
    pub because: String,
}

/// The name that the manifest at the pinned commit carries, where publishing puts it into a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renaming {
    /// What the manifest says.
    pub found: PackageName,
    /// What was released.
    pub wanted: PackageName,
    /// The file of the repository that names the released package.
    pub named_in: EntryPath,
}

/// The commit that a release is held to come from, and how that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePin {
    /// The repository as a person would name it: a URL, or the directory that `--source` gave.
    pub repository: String,
    /// The ref that names the commit.
    pub reference: Option<String>,
    /// The commit.
    pub commit: CommitId,
    /// Its committer time, seconds since 1970.
    pub commit_time: i64,
    /// Where the package's manifest lies; `None` is the root.
    pub subdirectory: Option<EntryPath>,
    /// What found it.
    pub found_by: FoundBy,
    /// Every hint that was looked at.
    pub candidates: Vec<Candidate>,
    /// Set where the manifest does not carry the released version.
    pub stamp: Option<Stamp>,
    /// Set where the manifest does not carry the released name.
    pub renamed: Option<Renaming>,
    /// Which refs reach the commit.
    pub reach: Reach,
    /// The repository that an earlier release named, where it was another one.
    pub previous_repository: Option<PreviousRepository>,
}

/// A repository that an earlier release named, where it is not known to be the one that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviousRepository {
    /// It is another one.
    Other(String),
    /// It did not answer, so nobody knows whether it is the same one under an old name.
    Silent {
        /// Its address.
        repository: String,
        /// What git or the network said.
        reason: String,
    },
    /// The registry does not tell what an earlier release named.
    Untold {
        /// Which release.
        version: String,
        /// What the registry or the network said.
        reason: String,
    },
}

impl SourcePin {
    /// The ref that the release was made under as far as is known: the one that names the commit, or a tag of this
    /// release beside it.
    #[must_use]
    pub fn release_reference(&self) -> Option<&str> {
        let beside = || {
            self.candidates
                .iter()
                .filter(|candidate| candidate.found_by == FoundBy::Tag)
                .filter(|candidate| candidate.meant_for == MeantFor::ThisRelease)
                .find_map(|candidate| candidate.reference.as_deref())
        };
        self.reference.as_deref().or_else(beside)
    }
}

/// One file of the source tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// Git's mode: 0o100644, 0o100755, 0o120000 (symlink) or 0o160000 (submodule).
    pub mode: u32,
    /// The blob id.
    pub blob: CommitId,
}

/// The files of the pinned commit as planning sees them: all paths, and the content of those that say how to
/// build (manifests, lockfiles, settings, workflows).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceTree {
    /// Every file, by path from the repository's root.
    pub entries: BTreeMap<EntryPath, TreeEntry>,
    /// The content of files of interest, each at most 16 MiB.
    pub texts: BTreeMap<EntryPath, Vec<u8>>,
}

impl SourceTree {
    /// The content of a file of interest, if it is there and is UTF-8.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts
            .get(path)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .map(|text| text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Whether the tree has this file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// The path of `name` in `directory`, where `None` is the root.
    #[must_use]
    pub fn path_in(directory: Option<&EntryPath>, name: &str) -> String {
        directory.map_or_else(
            || name.to_owned(),
            |directory| format!("{directory}/{name}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shapes_that_metadata_has_become_one_url() {
        let expect = "https://github.com/owner/name";
        for text in [
            "https://github.com/owner/name",
            "git+https://github.com/owner/name.git",
            "http://www.github.com/owner/name/",
            "github:owner/name",
            "owner/name",
            "github.com/owner/name",
            "https://user:token@github.com/owner/name.git#readme",
            "https://github.com/owner/name/tree/main/packages/x",
        ] {
            assert_eq!(
                text.parse::<RepositoryUrl>().unwrap().as_str(),
                expect,
                "{text}"
            );
        }
        for (text, expect) in [
            (
                "git@github.com:owner/name.git",
                "ssh://git@github.com/owner/name",
            ),
            (
                "git+ssh://git@github.com/owner/name.git",
                "ssh://git@github.com/owner/name",
            ),
            ("gitlab:group/name", "https://gitlab.com/group/name"),
            (
                "https://gitlab.com/a/b/c/-/tree/main",
                "https://gitlab.com/a/b/c",
            ),
            (
                "https://example.org:8443/x.git",
                "https://example.org:8443/x",
            ),
        ] {
            let url: RepositoryUrl = text.parse().unwrap();
            assert_eq!(url.as_str(), expect);
        }
        let url: RepositoryUrl = "https://example.org:8443/x.git".parse().unwrap();
        assert_eq!(url.host(), "example.org");
    }

    #[test]
    fn hostile_urls_are_refused() {
        for text in [
            "",
            "file:///etc",
            "ext::sh -c id",
            "--upload-pack=touch x",
            "https://-oProxyCommand=x/y",
            "ssh://-oProxyCommand=x/y",
            "https://github.com/owner/../..",
            "https://github.com/owner",
            "https://github.com/-x/name",
            "fd::17/foo",
            "https://host/a b",
            "data:text/plain,x/y",
            "https://github.com/owner/.git",
            "https://host/.git",
            "https://host/owner/...git",
            "https://www.:80/x",
        ] {
            assert!(text.parse::<RepositoryUrl>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn urls_are_read_back_as_written(
            any: String,
            shaped in "((git\\+)?(https?|ssh|git)://|git@|github:|gitlab:)?([a-z]{1,2}@)?(www\\.|github\\.com|gitlab\\.com|[a-z.]{1,4}|\\[::1\\])(:[0-9]{1,2})?([:/](\\.git|-|\\.|%2e|[a-zA-Z_.~@-]{0,3}|\\.\\.)){0,5}(\\.git)?[#?]?",
        ) {
            for text in [any, shaped] {
                let Ok(url) = text.parse::<RepositoryUrl>() else {
                    continue;
                };
                prop_assert_eq!(url.as_str().parse(), Ok(url.clone()), "{}", text);
                prop_assert!(!url.host().is_empty() && !url.host().starts_with('-'));
                prop_assert!(!url.as_str().split('/').any(|part| part == ".."));
            }
        }
    }
}
