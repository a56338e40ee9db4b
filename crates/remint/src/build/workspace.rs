//! The directories of one build on this machine, and their removal.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use remint_model::{Edit, EntryPath, Failure, FailureReason, Sha256, line_ends};
use remint_sandbox::Owner;
use sha2::{Digest as _, Sha256 as Hasher};

/// The largest text whose line ends are converted, in bytes.
const LARGEST_CONVERTED: u64 = 1 << 20;

/// A directory that is removed once it is dropped, beside whatever goes on then: an installed tree can be a hundred thousand
/// files. What a killed run leaves is swept at the next start, because its lock is no longer held.
pub(crate) struct Scratch {
    root: PathBuf,
    /// Held while the directory is there; sweeping takes only what it can lock.
    lock: Option<File>,
}

impl Scratch {
    /// Makes a directory below `cache/work`.
    pub(crate) fn create(cache: &Path) -> anyhow::Result<Self> {
        let parent = cache.join("work");
        fs_err::create_dir_all(&parent)?;
        let _gate = gate(&parent)?;
        let root = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&parent)
            .with_context(|| format!("cannot make a directory in `{}`", parent.display()))?;
        let lock = fs_err::File::create(root.path().join("lock"))?
            .into_parts()
            .0;
        lock.lock().context("cannot lock a work directory")?;
        Ok(Self {
            root: root.keep(),
            lock: Some(lock),
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.root
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removal = Removal {
            root: std::mem::take(&mut self.root),
            _lock: self.lock.take(),
        };
        REMOVALS.fetch_add(1, Ordering::SeqCst);
        // Where no thread can be had, the closure is dropped here, and the removal with it.
        let _detached = std::thread::Builder::new()
            .name("removal".to_owned())
            .spawn(move || drop(removal));
    }
}

/// A directory on its way out, gone once this is dropped.
struct Removal {
    root: PathBuf,
    _lock: Option<File>,
}

impl Drop for Removal {
    fn drop(&mut self) {
        // A build may have made directories that an ordinary removal cannot enter. What cannot be removed is swept at the
        // next start.
        let _left = remint_sandbox::remove_tree(&self.root);
        REMOVALS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many directories are being removed.
static REMOVALS: AtomicUsize = AtomicUsize::new(0);

/// Waits until no directory is being removed, so long at most; `false` where that was not enough.
pub(crate) fn removals_end_within(patience: Duration) -> bool {
    let end = Instant::now() + patience;
    while REMOVALS.load(Ordering::SeqCst) > 0 {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The directories of one build.
pub(crate) struct Workspace {
    root: Scratch,
    owner: Owner,
}

impl Workspace {
    /// Makes the directories below `cache/work`.
    pub(crate) fn create(cache: &Path) -> anyhow::Result<Self> {
        let root = Scratch::create(cache)?;
        for name in [
            "state/tree",
            "state/work",
            "env",
            "out",
            "home-install",
            "home-build",
        ] {
            fs_err::create_dir_all(root.path().join(name))?;
        }
        Ok(Self {
            root,
            owner: Owner::of_this_process()?,
        })
    }

    /// Removes the workspaces of runs that were killed.
    pub(crate) fn sweep(cache: &Path) -> anyhow::Result<()> {
        let parent = cache.join("work");
        let entries = match fs_err::read_dir(&parent) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let _gate = gate(&parent)?;
        for entry in entries {
            let path = entry?.path();
            let free = match fs_err::File::open(path.join("lock")) {
                Ok(file) => file.into_parts().0.try_lock().is_ok(),
                // Killed before it made its lock, or half removed.
                Err(error) => error.kind() == std::io::ErrorKind::NotFound,
            };
            if free {
                remint_sandbox::remove_tree(&path)?;
            }
        }
        Ok(())
    }

    /// Who owns what the build writes, seen from outside.
    pub(crate) const fn owner(&self) -> Owner {
        self.owner
    }

    /// The source tree, writable for the build.
    pub(crate) fn tree(&self) -> PathBuf {
        self.root.path().join("state/tree")
    }

    /// The kernel's own directory beside the tree, for overlays.
    pub(crate) fn overlay_work(&self) -> PathBuf {
        self.root.path().join("state/work")
    }

    /// What install steps make outside the tree, such as a Python environment.
    pub(crate) fn environment(&self) -> PathBuf {
        self.root.path().join("env")
    }

    /// Where a snapshot of installed dependencies is put together.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.root.path().join("snapshot")
    }

    /// The modules of Go that a build may read.
    pub(crate) fn modules(&self) -> PathBuf {
        self.root.path().join("modules")
    }

    /// Where the artifact appears.
    pub(crate) fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    /// The home directory of install steps, or of build steps.
    pub(crate) fn home(&self, install: bool) -> PathBuf {
        self.root.path().join(if install {
            "home-install"
        } else {
            "home-build"
        })
    }

    /// The build log.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.path().join("build.log")
    }

    /// Gives the build what it may write to.
    pub(crate) fn hand_over(&self) -> anyhow::Result<()> {
        for name in ["state", "env", "out", "home-install", "home-build"] {
            self.owner.give(&self.root.path().join(name))?;
        }
        Ok(())
    }

    /// Replaces a home directory with an empty one, so that what foreign code left there reaches no later step.
    pub(crate) fn renew_home(&self, install: bool) -> anyhow::Result<()> {
        let home = self.home(install);
        remint_sandbox::remove_tree(&home)?;
        fs_err::create_dir(&home)?;
        self.owner.give(&home)?;
        Ok(())
    }

    /// Writes the plan's edits into the tree. Nothing has run yet, so what is checked here stays true. That the source
    /// has something else in the way is the inner error.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(crate) fn apply_edits(&self, edits: &[Edit]) -> anyhow::Result<Result<(), Failure>> {
        for edit in edits {
            if let Some(why) = self.in_the_way(&edit.path)? {
                return Ok(Err(Failure {
                    step: format!("write `{}`", edit.path),
                    phase: None,
                    reason: FailureReason::Refused(why),
                    log_tail: String::new(),
                }));
            }
            let path = self.tree().join(edit.path.as_str());
            if let Some(parent) = path.parent() {
                fs_err::create_dir_all(parent)?;
            }
            fs_err::write(&path, &edit.content)?;
        }
        Ok(Ok(()))
    }

    /// Ends the lines of these files of the tree with CRLF, as git does on Windows. Nothing has run yet.
    pub(crate) fn end_lines_with_crlf(&self, files: &[EntryPath]) -> anyhow::Result<()> {
        for file in files {
            // What could not be laid out is told elsewhere.
            let content = self.read_committed(file, LARGEST_CONVERTED);
            if let Some(converted) = content.as_deref().and_then(line_ends::with_crlf) {
                fs_err::write(self.tree().join(file.as_str()), converted)?;
            }
        }
        Ok(())
    }

    /// Moves the later files of every directory into a layer of their own, to be mounted below the tree: the kernel
    /// lists what comes from the lowest layer first. What was installed, and git's own directory, stay as they are.
    ///
    /// # Errors
    /// The disk does not take it.
    pub(crate) fn split_tree(&self) -> anyhow::Result<PathBuf> {
        let lower = self.root.path().join("lower");
        split(&self.tree(), &lower, 0)?;
        self.owner.give(&lower)?;
        Ok(lower)
    }

    /// A regular file of the tree as it was committed: reached through no symbolic link, not larger than `limit`.
    pub(crate) fn read_committed(&self, path: &EntryPath, limit: u64) -> Option<Vec<u8>> {
        let file = self.tree().join(path.as_str());
        if self.in_the_way(path).ok()?.is_some() {
            return None;
        }
        let metadata = fs_err::symlink_metadata(&file).ok()?;
        if !metadata.is_file() || metadata.len() > limit {
            return None;
        }
        let mut content = Vec::new();
        fs_err::File::open(&file)
            .ok()?
            .take(limit)
            .read_to_end(&mut content)
            .ok()?;
        Some(content)
    }

    /// Why no file can be at this path. No part of it may be a symbolic link: the repository could point it anywhere.
    fn in_the_way(&self, path: &EntryPath) -> anyhow::Result<Option<String>> {
        let mut at = self.tree();
        let mut parts = path.as_str().split('/').peekable();
        while let Some(part) = parts.next() {
            at.push(part);
            match fs_err::symlink_metadata(&at) {
                Ok(metadata) if metadata.is_symlink() => {
                    return Ok(Some(format!(
                        "`{path}` of the source is a symbolic link; it is not written through"
                    )));
                }
                Ok(metadata) if metadata.is_dir() != parts.peek().is_some() => {
                    return Ok(Some(format!(
                        "the source has something else where `{path}` is to be"
                    )));
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// SHA-256 of the log as kept, if anything was logged.
    pub(crate) fn log_digest(&self) -> anyhow::Result<Option<Sha256>> {
        let mut file = match fs_err::File::open(self.log()) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut hasher = Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Some(Sha256::from_bytes(hasher.finalize().into()))),
                read => hasher.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
}

/// How deep a tree is split.
const DEEPEST: usize = 64;

fn split(upper: &Path, lower: &Path, depth: usize) -> anyhow::Result<()> {
    let times = |directory: &Path| -> anyhow::Result<std::fs::FileTimes> {
        let metadata = fs_err::metadata(directory)?;
        Ok(std::fs::FileTimes::new()
            .set_accessed(metadata.accessed()?)
            .set_modified(metadata.modified()?))
    };
    let before = times(upper)?;
    fs_err::create_dir(lower)?;
    fs_err::set_permissions(lower, fs_err::metadata(upper)?.permissions())?;
    let mut files = Vec::new();
    // In the order in which a build would see it.
    for entry in fs_err::read_dir(upper)? {
        let entry = entry?;
        let name = entry.file_name();
        if fs_err::symlink_metadata(entry.path())?.is_dir() {
            if name != ".git" && name != "node_modules" && depth < DEEPEST {
                split(&entry.path(), &lower.join(&name), depth + 1)?;
            }
        } else if name != ".git" {
            files.push(name);
        }
    }
    let later = files.get(files.len().div_ceil(2)..).unwrap_or_default();
    for name in later {
        fs_err::rename(upper.join(name), lower.join(name))?;
    }
    for directory in [upper, lower] {
        fs_err::File::open(directory)?.file().set_times(before)?;
    }
    Ok(())
}

/// Held while directories come and go, so that nobody sweeps one that is not locked yet.
fn gate(parent: &Path) -> anyhow::Result<File> {
    let gate = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(parent.join("gate.lock"))?
        .into_parts()
        .0;
    gate.lock().context("cannot lock the work directories")?;
    Ok(gate)
}
