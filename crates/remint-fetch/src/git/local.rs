//! A repository in a directory of this machine, read through a repository of our own that borrows its objects.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::command::GitCommand;
use super::error::GitError;
use super::settings::GitSettings;
use super::store::{Store, init_bare, open_lock, write};

/// Where the borrowing repository is; removed with the last store that uses it, or by the next run when this
/// one is killed.
#[derive(Debug)]
pub(super) struct Scratch {
    directory: TempDir,
    /// Held for as long as the directory is in use.
    _lock: File,
}

impl Scratch {
    fn new(parent: &Path) -> Result<Self, GitError> {
        fs_err::create_dir_all(parent).map_err(GitError::disk(parent))?;
        let _gate = gate(parent)?;
        sweep_below(parent);
        let directory = tempfile::Builder::new()
            .prefix("local-")
            .tempdir_in(parent)
            .map_err(GitError::disk(parent))?;
        let path = directory.path().join("lock");
        let lock = open_lock(&path)?;
        lock.lock().map_err(GitError::disk(&path))?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }
}

/// Held while directories come and go: nobody sweeps one that is there while its lock is not.
fn gate(parent: &Path) -> Result<File, GitError> {
    let path = parent.join("local.lock");
    let gate = open_lock(&path)?;
    gate.lock().map_err(GitError::disk(&path))?;
    Ok(gate)
}

/// Removes what runs that were killed have left below the caches; what resists is tried again by the next run.
///
/// # Errors
/// Somebody else's sweeping cannot be waited for.
pub fn sweep(cache: &Path) -> Result<(), GitError> {
    let parent = cache.join("git");
    if parent.is_dir() {
        let _gate = gate(&parent)?;
        sweep_below(&parent);
    }
    Ok(())
}

fn sweep_below(parent: &Path) {
    let Ok(entries) = fs_err::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_scratch = entry.file_name().as_encoded_bytes().starts_with(b"local-");
        let lock = entry.path().join("lock");
        let is_free =
            || !lock.is_file() || open_lock(&lock).is_ok_and(|lock| lock.try_lock().is_ok());
        if is_scratch && is_free() {
            drop(fs_err::remove_dir_all(entry.path()));
        }
    }
}

/// The git directory of the repository that a directory belongs to, and which folder of it the directory is.
pub(crate) fn surrounding(
    settings: &GitSettings,
    directory: &Path,
) -> Result<(PathBuf, Option<String>), GitError> {
    let described = GitCommand::discovering(settings, "rev-parse", directory)
        .args([
            "--path-format=absolute",
            "--git-common-dir",
            "--show-prefix",
        ])
        .run()?;
    let described = String::from_utf8_lossy(&described);
    let mut lines = described.lines();
    let common = PathBuf::from(lines.next().unwrap_or_default());
    let prefix = lines
        .next()
        .map(|prefix| prefix.trim_end_matches('/').to_owned())
        .filter(|prefix| !prefix.is_empty());
    Ok((common, prefix))
}

/// Whether a repository takes over all refs of its origin: what lies in its `refs/remotes/` is then what somebody
/// pushed there.
fn is_mirror(settings: &GitSettings, directory: &Path) -> bool {
    let specs = GitCommand::discovering(settings, "config", directory)
        .args(["--get-all", "remote.origin.fetch"])
        .run()
        .unwrap_or_default();
    String::from_utf8_lossy(&specs)
        .lines()
        .any(|spec| spec.trim_start_matches('+').starts_with("refs/*:"))
}

impl Store {
    /// A repository in a directory of this machine: its objects and refs, not its configuration or work tree.
    ///
    /// Also says which subdirectory of the repository the directory is.
    pub(crate) fn local(
        settings: &GitSettings,
        directory: &Path,
        cache: &Path,
    ) -> Result<(Self, Option<String>), GitError> {
        let temporary = Scratch::new(&cache.join("git"))?;
        let scratch = temporary.directory.path().join("repository");
        init_bare(&scratch)?;

        let (common, prefix) = surrounding(settings, directory)?;

        let objects = common.join("objects");
        let alternates = scratch.join("objects/info/alternates");
        write(&alternates, format!("{}\n", objects.display()).as_bytes())?;
        let shallow = common.join("shallow");
        if shallow.is_file() {
            fs_err::copy(&shallow, scratch.join("shallow")).map_err(GitError::disk(&shallow))?;
        }
        let mut refs = GitCommand::discovering(settings, "for-each-ref", directory)
            .arg(
                "--format=%(objectname)%09%(refname)%(if)%(*objectname)%(then)%0a%(*objectname)%09%(refname)^{}%(end)",
            )
            .args(["refs/heads", "refs/tags"])
            .args((!is_mirror(settings, directory)).then_some("refs/remotes"))
            .run()?;
        let head = GitCommand::discovering(settings, "rev-parse", directory)
            .args(["--verify", "--quiet", "HEAD"])
            .run();
        if let Ok(head) = head {
            refs.extend_from_slice(head.trim_ascii());
            refs.extend_from_slice(b"\tHEAD\n");
        }
        // What the clone's origin calls its default says more than what happens to be checked out.
        for reference in ["refs/remotes/origin/HEAD", "HEAD"] {
            let named = GitCommand::discovering(settings, "symbolic-ref", directory)
                .args(["--quiet", reference])
                .run();
            if let Ok(named) = named {
                refs.extend_from_slice(b"ref: ");
                refs.extend_from_slice(named.trim_ascii());
                refs.extend_from_slice(b"\tHEAD\n");
                break;
            }
        }
        write(&scratch.join("refs.txt"), &refs)?;
        let store = Self {
            settings: settings.clone(),
            remote: None,
            cache: cache.to_owned(),
            canonical: directory.display().to_string(),
            directory: temporary.directory.path().to_owned(),
            snapshots: scratch.clone(),
            history: scratch,
            work: Arc::default(),
            _scratch: Some(Arc::new(temporary)),
        };
        Ok((store, prefix))
    }
}
