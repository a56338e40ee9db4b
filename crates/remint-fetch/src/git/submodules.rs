//! Submodules of a commit: fetched at the pinned commit where they are public, left empty and named where not.
//!
//! Their URLs come from the repository and are as hostile as those of metadata: https only, public addresses
//! only, a bounded depth and number. Git's own submodule machinery, which runs configuration, is not used.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Oid;
use remint_model::{CloneShape, EntryPath, GapKind, RepositoryUrl, SourceGap};

use super::checkout::LaidOut;
use super::command::GitCommand;
use super::converted::converted;
use super::error::GitError;
use super::remote::{Remote, Unreachable, remotes_for};
use super::store::{Snapshot, Store};
use super::worktree::{self, Layout, MOST_FILES};
use crate::address::Will;

const DEEPEST: usize = 3;
const MOST: usize = 64;

/// Why a submodule was left empty.
enum LeftEmpty {
    /// Its host does not answer, or does not have the commit.
    Unavailable(String),
    /// What the repository says of it is not followed.
    Refused(String),
}

impl LeftEmpty {
    fn gap(self, path: String) -> SourceGap {
        let (kind, detail) = match self {
            Self::Unavailable(detail) => (GapKind::UnavailableSubmodule, detail),
            Self::Refused(detail) => (GapKind::RefusedSubmodule, detail),
        };
        SourceGap { path, kind, detail }
    }

    /// Sorts an error; what is this machine's fault stays one.
    fn sort(error: GitError) -> Result<Self, GitError> {
        match error {
            GitError::Failed { .. }
            | GitError::Deadline { .. }
            | GitError::TooLarge { .. }
            | GitError::Unexpected { .. } => Ok(Self::Unavailable(error.to_string())),
            GitError::Object { .. }
            | GitError::TooManyEntries(_)
            | GitError::TooMuchWork
            | GitError::HostileName { .. } => Ok(Self::Refused(error.to_string())),
            GitError::Program(_) | GitError::Stopped | GitError::Disk { .. } => Err(error),
        }
    }
}

/// Fills the submodule directories below `into`; tells which were left empty, and which files the others have.
pub(super) fn fill(
    store: &Store,
    commit: Oid,
    into: &Path,
    time: i64,
) -> Result<LaidOut, GitError> {
    let mut work = Filling {
        time,
        budget: MOST,
        laid_out: LaidOut::default(),
    };
    work.fill(store, commit, into, "", 0)?;
    Ok(work.laid_out)
}

struct Filling {
    time: i64,
    budget: usize,
    laid_out: LaidOut,
}

impl Filling {
    fn fill(
        &mut self,
        store: &Store,
        commit: Oid,
        into: &Path,
        prefix: &str,
        depth: usize,
    ) -> Result<(), GitError> {
        let objects = store.objects()?;
        let tree = objects.peel_to_commit(commit)?.tree;
        let links: Vec<(EntryPath, Oid)> = objects
            .files(tree, MOST_FILES)?
            .into_iter()
            .filter(|file| file.mode == 0o160_000)
            .filter_map(|file| {
                let path = String::from_utf8(file.path).ok()?.parse().ok()?;
                Some((path, file.id))
            })
            .collect();
        if links.is_empty() {
            return Ok(());
        }
        let urls = declared(store, tree, &objects)?;
        for (path, pinned) in links {
            let directory = into.join(path.as_str());
            let shown = format!("{prefix}{path}");
            let fetched = match urls.get(path.as_str()) {
                _ if depth >= DEEPEST => refused("nested too deeply"),
                _ if self.budget == 0 => refused("too many submodules"),
                None => refused("`.gitmodules` does not name it"),
                Some(url) => {
                    self.budget -= 1;
                    fetch(store, url, pinned)?
                }
            };
            let laid_out = match fetched {
                Ok(inner) => match self.lay_out(&inner, pinned, &directory) {
                    Ok(()) => Ok(inner),
                    Err(error) => Err(LeftEmpty::sort(error)?),
                },
                Err(reason) => Err(reason),
            };
            match laid_out {
                Ok(inner) => {
                    self.list(&inner, pinned, &directory, &format!("{shown}/"))?;
                    self.fill(&inner, pinned, &directory, &format!("{shown}/"), depth + 1)?;
                }
                Err(reason) => self.laid_out.gaps.push(reason.gap(shown)),
            }
        }
        Ok(())
    }

    /// Notes the files of a submodule.
    fn list(
        &mut self,
        store: &Store,
        commit: Oid,
        directory: &Path,
        prefix: &str,
    ) -> Result<(), GitError> {
        let objects = store.objects()?;
        let tree = objects.peel_to_commit(commit)?.tree;
        let files = objects.files(tree, MOST_FILES)?;
        let told = files.iter().filter_map(|file| file.unlisted(prefix));
        self.laid_out.unlisted.extend(told);
        let written = converted(&objects, tree, directory, prefix)?;
        self.laid_out.unlisted.extend(written);
        Ok(())
    }

    /// The files alone: a build sees a submodule's content, not its repository.
    fn lay_out(&self, store: &Store, commit: Oid, directory: &Path) -> Result<(), GitError> {
        let layout = Layout {
            shape: CloneShape::None,
            branch: "main",
            tags: &[],
            time: self.time,
        };
        let laid_out = worktree::lay_out(store, commit, &layout, directory)
            .and_then(|_| worktree::finish(store, &layout, directory));
        if laid_out.is_err() {
            // Half a submodule is worse than none.
            fs_err::remove_dir_all(directory).map_err(GitError::disk(directory))?;
            fs_err::create_dir_all(directory).map_err(GitError::disk(directory))?;
        }
        laid_out
    }
}

/// The URLs of `.gitmodules`, by path.
fn declared(
    store: &Store,
    tree: Oid,
    objects: &super::objects::Objects,
) -> Result<BTreeMap<String, String>, GitError> {
    let Some((git2::ObjectType::Blob, blob)) = objects.at(tree, ".gitmodules") else {
        return Ok(BTreeMap::new());
    };
    let Some(content) = objects.blob(blob, 1 << 20) else {
        return Ok(BTreeMap::new());
    };
    let listed = GitCommand::new(store.settings(), "config", store.snapshots())
        .args(["--file", "-", "--no-includes", "--null", "--list"])
        .input(content)
        .run()?;
    let mut paths: BTreeMap<String, String> = BTreeMap::new();
    let mut urls: BTreeMap<String, String> = BTreeMap::new();
    for record in listed.split(|byte| *byte == 0) {
        let Some((key, value)) = std::str::from_utf8(record)
            .ok()
            .and_then(|record| record.split_once('\n'))
        else {
            continue;
        };
        let Some(name) = key.strip_prefix("submodule.") else {
            continue;
        };
        if let Some(name) = name.strip_suffix(".path") {
            paths.insert(name.to_owned(), value.trim_end_matches('/').to_owned());
        } else if let Some(name) = name.strip_suffix(".url") {
            urls.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(paths
        .into_iter()
        .filter_map(|(name, path)| Some((path, urls.remove(&name)?)))
        .collect())
}

fn refused(reason: &str) -> Result<Store, LeftEmpty> {
    Err(LeftEmpty::Refused(reason.to_owned()))
}

fn fetch(parent: &Store, url: &str, commit: Oid) -> Result<Result<Store, LeftEmpty>, GitError> {
    let Some(url) = absolute(parent.canonical(), url) else {
        let shown = url.escape_debug();
        return Ok(refused(&format!("`{shown}` leads out of its host")));
    };
    let url: RepositoryUrl = match url.parse() {
        Ok(url) => url,
        Err(error) => return Ok(refused(&format!("{error}"))),
    };
    let remotes = match remotes_for(parent.settings(), &url, Will::Metadata) {
        Ok(remotes) => remotes,
        Err(Unreachable::Refused(reason)) => return Ok(Err(LeftEmpty::Refused(reason))),
        Err(Unreachable::Unresolved(reason)) => return Ok(Err(LeftEmpty::Unavailable(reason))),
    };
    let mut last = LeftEmpty::Refused(format!("`{url}` is not offered over https"));
    for remote in remotes.into_iter().filter(Remote::is_private_or_chosen) {
        let store = Store::remote(parent.settings(), remote, parent.cache())?;
        match store.fetch_snapshots(&[Snapshot::Commit(commit)]) {
            Ok(()) => return Ok(Ok(store)),
            Err(error) => last = LeftEmpty::sort(error)?,
        }
    }
    Ok(Err(last))
}

/// Resolves `./x` and `../x` against the parent's URL, as `git submodule` does.
fn absolute(parent: &str, url: &str) -> Option<String> {
    if !url.starts_with("./") && !url.starts_with("../") {
        return Some(url.to_owned());
    }
    let (scheme, rest) = parent.split_once("://")?;
    let mut parts: Vec<&str> = rest.split('/').collect();
    for part in url.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.len() > 1 => {
                parts.pop();
            }
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(format!("{scheme}://{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn relative_urls_stay_on_their_host() {
        let parent = "https://github.com/owner/name";
        assert_eq!(
            absolute(parent, "../other.git").as_deref(),
            Some("https://github.com/owner/other.git")
        );
        assert_eq!(
            absolute(parent, "https://example.org/x").as_deref(),
            Some("https://example.org/x")
        );
        assert_eq!(absolute(parent, "../../../../etc"), None);
        assert_eq!(absolute("/srv/repository", "../x"), None);
    }

    proptest! {
        #[test]
        fn no_relative_url_leaves_its_host(url in "\\.\\.?/(\\.\\./|\\./|/|[a-z@:]{1,3}|é){0,8}") {
            if let Some(absolute) = absolute("https://example.org/owner/name", &url) {
                prop_assert!(absolute == "https://example.org" || absolute.starts_with("https://example.org/"), "{}", absolute);
                prop_assert!(!absolute.split('/').any(|part| part == ".."));
            }
        }
    }
}
