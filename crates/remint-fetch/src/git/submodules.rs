//! Submodules of a commit: fetched at the pinned commit where they are public, left empty and named where not.
//!
//! Their URLs come from the repository and are as hostile as those of metadata: https only, public addresses
//! only, a bounded depth and number. Git's own submodule machinery, which runs configuration, is not used.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Oid;
use remint_model::{CloneShape, EntryPath, RepositoryUrl};

use super::command::GitCommand;
use super::error::GitError;
use super::remote::{Remote, Will, remotes_for};
use super::store::{Snapshot, Store};
use super::worktree::{self, Layout, MOST_FILES};

const DEEPEST: usize = 3;
const MOST: usize = 64;

/// Fills the submodule directories below `into`; returns those left empty, with the reason.
pub(super) fn fill(
    store: &Store,
    commit: Oid,
    into: &Path,
    time: i64,
) -> Result<Vec<(EntryPath, String)>, GitError> {
    let mut work = Filling {
        time,
        budget: MOST,
        empty: Vec::new(),
    };
    work.fill(store, commit, into, "", 0)?;
    Ok(work.empty)
}

struct Filling {
    time: i64,
    budget: usize,
    empty: Vec<(EntryPath, String)>,
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
            let outcome = match urls.get(path.as_str()) {
                _ if depth >= DEEPEST => Err("nested too deeply".to_owned()),
                _ if self.budget == 0 => Err("too many submodules".to_owned()),
                None => Err("`.gitmodules` does not name it".to_owned()),
                Some(url) => {
                    self.budget -= 1;
                    fetch(store, url, pinned)
                }
            };
            let outcome = outcome.and_then(|inner| {
                self.lay_out(&inner, pinned, &directory)
                    .map(|()| inner)
                    .map_err(|error| error.to_string())
            });
            match outcome {
                Ok(inner) => {
                    self.fill(&inner, pinned, &directory, &format!("{shown}/"), depth + 1)?;
                }
                Err(reason) => {
                    if let Ok(shown) = shown.parse() {
                        self.empty.push((shown, reason));
                    }
                }
            }
        }
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

fn fetch(parent: &Store, url: &str, commit: Oid) -> Result<Store, String> {
    let url = absolute(parent.canonical(), url)
        .ok_or_else(|| format!("`{}` leads out of its host", url.escape_debug()))?;
    let url: RepositoryUrl = url.parse().map_err(|error| format!("{error}"))?;
    let remotes =
        remotes_for(parent.settings(), &url, Will::Metadata).map_err(|reason| match reason {
            super::remote::Unreachable::Refused(reason)
            | super::remote::Unreachable::Unresolved(reason) => reason,
        })?;
    let mut last = format!("`{url}` is not offered over https");
    for remote in remotes.into_iter().filter(Remote::is_private_or_chosen) {
        let store = Store::remote(parent.settings(), remote, parent.cache())
            .map_err(|error| error.to_string())?;
        match store.fetch_snapshots(&[Snapshot::Commit(commit)]) {
            Ok(()) => return Ok(store),
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
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
}
