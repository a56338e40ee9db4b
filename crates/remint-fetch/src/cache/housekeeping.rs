//! Keeps the caches within bounds and free of what killed runs left.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cache::Cache;
use crate::error::FetchError;

/// How much the caches hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStatus {
    /// Files fetched.
    pub content_files: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Tools unpacked.
    pub tools: u64,
    /// Their bytes.
    pub tool_bytes: u64,
    /// Bytes of everything else: git objects, snapshots, notes.
    pub other_bytes: u64,
}

impl CacheStatus {
    /// Everything together.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.content_bytes
            .saturating_add(self.tool_bytes)
            .saturating_add(self.other_bytes)
    }
}

/// What pruning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruned {
    /// So many bytes were removed; zero when the caches were within the limit.
    Removed(u64),
    /// Another run is using the caches, so nothing was touched.
    InUse,
}

impl Cache {
    /// How much a cache directory holds.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn status(directory: &Path) -> Result<CacheStatus, FetchError> {
        let content = sizes(&directory.join("content"))?;
        let tools = children(&directory.join("tools"))?;
        let tool_bytes = total(&sizes(&directory.join("tools"))?);
        let all = total(&sizes(directory)?);
        let content_bytes = total(&content);
        Ok(CacheStatus {
            content_files: content.len() as u64,
            content_bytes,
            tools: tools.len() as u64,
            tool_bytes,
            other_bytes: all.saturating_sub(content_bytes).saturating_sub(tool_bytes),
        })
    }

    /// Removes what was not used for longest until at most `limit` bytes are left. Does nothing while any
    /// process, this one included, has the caches open.
    ///
    /// # Errors
    /// Something cannot be read or removed.
    pub fn prune(directory: &Path, limit: u64) -> Result<Pruned, FetchError> {
        if !directory.is_dir() {
            return Ok(Pruned::Removed(0));
        }
        let lock = lock_file(&directory.join("in-use.lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Pruned::InUse),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Whatever lies there belongs to nobody: the lock says that no other process is at work.
        for kind in ["temporary", "turns"] {
            for left in children(&directory.join(kind))? {
                remove(&left)?;
            }
        }
        let mut items: Vec<Item> = sizes(&directory.join("content"))?;
        // What is of use only as a whole: an unpacked tool, a repository's objects, an installed tree.
        for kind in ["tools", "git", "snapshots"] {
            for path in children(&directory.join(kind))? {
                // Locks lie there as well, and stay for whoever waits for them.
                if !path.is_dir() || path.is_symlink() {
                    continue;
                }
                items.push(Item {
                    bytes: total(&sizes(&path)?),
                    used: modified(&path),
                    path,
                });
            }
        }
        let mut left = total(&items);
        let mut removed = 0_u64;
        items.sort_by_key(|item| item.used);
        for item in items {
            if left <= limit {
                break;
            }
            // What another user made stays; the rest can still go.
            if remove(&item.path).is_err() {
                continue;
            }
            left = left.saturating_sub(item.bytes);
            removed = removed.saturating_add(item.bytes);
        }
        Ok(Pruned::Removed(removed))
    }
}

/// Makes a directory for this process below `temporary` and removes those whose process is gone.
pub(super) fn sweep_and_settle(temporary: &Path) -> Result<(PathBuf, File), FetchError> {
    // Held while directories come and go, so that nobody sweeps one that is not locked yet.
    let gate = lock_file(&temporary.join("gate.lock"))?;
    gate.lock()?;
    for place in children(temporary)? {
        if !place.is_dir() {
            continue;
        }
        let alive = match fs_err::File::open(place.join("lock")) {
            Ok(lock) => matches!(lock.file().try_lock(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        };
        if !alive {
            // A run that was interrupted may be ending just now, with a thread that still writes there: what is left of it
            // is swept by the next one.
            let _left = remove(&place);
        }
    }
    let place = tempfile::Builder::new()
        .prefix("run-")
        .tempdir_in(temporary)?
        .keep();
    let lock = lock_file(&place.join("lock"))?;
    lock.lock()?;
    Ok((place, lock))
}

/// Opens a file to lock, making it where it is not there.
pub(super) fn lock_file(path: &Path) -> Result<File, FetchError> {
    Ok(fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?
        .into_parts()
        .0)
}

struct Item {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

fn total(items: &[Item]) -> u64 {
    items
        .iter()
        .fold(0, |sum, item| sum.saturating_add(item.bytes))
}

/// When a directory or one of its direct entries last changed.
fn modified(path: &Path) -> SystemTime {
    children(path)
        .unwrap_or_default()
        .iter()
        .map(|child| own_time(child))
        .chain([own_time(path)])
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn own_time(path: &Path) -> SystemTime {
    fs_err::symlink_metadata(path)
        .and_then(|metadata| metadata.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn children(directory: &Path) -> Result<Vec<PathBuf>, FetchError> {
    let listing = match fs_err::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for entry in listing {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}

/// Every file below a directory; links are not followed, and what vanishes meanwhile is left out.
fn sizes(directory: &Path) -> Result<Vec<Item>, FetchError> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for path in children(&directory)? {
            let Ok(metadata) = fs_err::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                waiting.push(path);
            } else {
                found.push(Item {
                    bytes: metadata.len(),
                    used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    path,
                });
            }
        }
    }
    Ok(found)
}

/// Removes a file, or a directory with all below it, also where directories are read-only.
pub(crate) fn remove(path: &Path) -> Result<(), FetchError> {
    let Ok(metadata) = fs_err::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.is_dir() {
        return Ok(fs_err::remove_file(path)?);
    }
    crate::cache::set_mode(path, 0o755)?;
    for child in children(path)? {
        remove(&child)?;
    }
    Ok(fs_err::remove_dir(path)?)
}
