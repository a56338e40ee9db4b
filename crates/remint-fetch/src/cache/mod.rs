//! What was fetched, kept by its digest: `content/` holds bytes, `locations/` what was last seen where,
//! `tools/` unpacked tools, `turns/` locks of what one at a time makes, `temporary/` files in the making.
//!
//! Everything appears by an atomic rename, so a killed run leaves at most a directory in `temporary/`, which the
//! next run removes. Nothing read from here is trusted: whoever uses it checks its digest again.

mod housekeeping;
mod location;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use remint_model::{Sha256, Sha512};
use tempfile::NamedTempFile;

pub(crate) use housekeeping::remove;
pub use housekeeping::{CacheStatus, Pruned};
pub(crate) use location::Location;

use crate::digests::{Digests, Hashing};
use crate::error::FetchError;

/// The caches of this machine's user, in use by this process.
#[derive(Debug)]
pub struct Cache {
    directory: PathBuf,
    /// Where this process makes files; removed when it ends.
    workplace: PathBuf,
    /// Keeps others from pruning what this process may still hand out.
    _in_use: File,
    /// Keeps others from sweeping `workplace`.
    _working: File,
    /// When this process opened the caches, by the file system's clock.
    opened: SystemTime,
}

impl Cache {
    /// Opens the caches, making them where they are not there yet, and sweeps what killed runs left.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn open(directory: &Path) -> Result<Self, FetchError> {
        for part in ["content", "locations", "tools", "turns", "temporary"] {
            fs_err::create_dir_all(directory.join(part))?;
        }
        let in_use = housekeeping::lock_file(&directory.join("in-use.lock"))?;
        in_use.lock_shared()?;
        let (workplace, working) = housekeeping::sweep_and_settle(&directory.join("temporary"))?;
        let opened = working.metadata()?.modified()?;
        Ok(Self {
            directory: directory.to_owned(),
            workplace,
            _in_use: in_use,
            _working: working,
            opened,
        })
    }

    /// An empty file on the same file system as the rest, gone again unless it is kept.
    pub(crate) fn temporary_file(&self) -> Result<NamedTempFile, FetchError> {
        Ok(NamedTempFile::new_in(&self.workplace)?)
    }

    /// An empty directory on the same file system as the rest.
    pub(crate) fn temporary_directory(&self) -> Result<tempfile::TempDir, FetchError> {
        Ok(tempfile::TempDir::new_in(&self.workplace)?)
    }

    /// Where unpacked tools are.
    pub(crate) fn tools(&self) -> PathBuf {
        self.directory.join("tools")
    }

    /// Waits until nobody else, in this process or another, has the turn of this name, which is a plain file name.
    /// It ends when the file is dropped.
    pub(crate) fn turn(&self, name: &str) -> Result<File, FetchError> {
        let turn = housekeeping::lock_file(&self.directory.join("turns").join(name))?;
        turn.lock()?;
        Ok(turn)
    }

    fn content_path(&self, sha256: &Sha256) -> PathBuf {
        let digits = sha256.to_string();
        let folder = digits.get(..2).unwrap_or("00");
        self.directory.join("content").join(folder).join(&digits)
    }

    /// Keeps a finished file under the digest that was computed while it was written.
    pub(crate) fn keep(&self, file: NamedTempFile, sha256: &Sha256) -> Result<PathBuf, FetchError> {
        // What lies there already may have been damaged since: found out here, it costs nothing but the old file.
        if let Some((path, _)) = self.content(sha256)? {
            return Ok(path);
        }
        let path = self.content_path(sha256);
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        set_mode(file.path(), 0o444)?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(path)
    }

    /// Keeps bytes.
    pub(crate) fn keep_bytes(&self, bytes: &[u8], sha256: &Sha256) -> Result<PathBuf, FetchError> {
        // What lies there already may have been damaged since: found out here, it costs nothing but the old file.
        if let Some((path, _)) = self.content(sha256)? {
            return Ok(path);
        }
        let file = self.temporary_file()?;
        fs_err::write(file.path(), bytes)?;
        self.keep(file, sha256)
    }

    /// The file of this content, read through and found to be still what it was. Damaged content is removed.
    pub(crate) fn content(
        &self,
        sha256: &Sha256,
    ) -> Result<Option<(PathBuf, Digests)>, FetchError> {
        let path = self.content_path(sha256);
        let mut file = match fs_err::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let digests = Hashing::read(&mut file)?;
        if digests.sha256 != *sha256 {
            fs_err::remove_file(&path)?;
            return Ok(None);
        }
        self.touch(&path);
        Ok(Some((path, digests)))
    }

    /// The bytes of this content, checked; `None` also when there are more than `limit`.
    pub(crate) fn content_bytes(
        &self,
        sha256: &Sha256,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, FetchError> {
        let path = self.content_path(sha256);
        let file = match fs_err::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit || Sha256::of(&bytes) != *sha256 {
            return Ok(None);
        }
        self.touch(&path);
        Ok(Some(bytes))
    }

    /// Marks content as used by this run, which is what pruning goes by.
    pub(crate) fn touch(&self, path: &Path) {
        // A file that another process has just pruned is found missing by whoever opens it.
        if let Ok(file) = File::options().append(true).open(path).or_else(|_| {
            // Content is read-only; its owner may still set times through a read-only handle.
            File::options().read(true).open(path)
        }) {
            drop(file.set_modified(self.opened));
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next run.
        drop(fs_err::remove_dir_all(&self.workplace));
    }
}

/// Sets permission bits where the platform has them.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), FetchError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    #[cfg(not(unix))]
    {
        let (_, _) = (path, mode);
    }
    Ok(())
}

/// The digest under which a location's name is filed.
pub(crate) fn name_of(key: &str) -> String {
    let digest = Sha512::of(key.as_bytes()).to_string();
    digest.get(..64).unwrap_or(&digest).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn keep(cache: &Cache, bytes: &[u8]) -> PathBuf {
        cache.keep_bytes(bytes, &Sha256::of(bytes)).unwrap()
    }

    fn age(path: &Path, time: SystemTime) {
        let file = fs_err::File::open(path).unwrap();
        file.file().set_modified(time).unwrap();
    }

    #[test]
    fn content_that_changed_is_not_handed_out() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(place.path()).unwrap();
        let digest = Sha256::of(b"content");
        let path = keep(&cache, b"content");
        assert!(cache.content(&digest).unwrap().is_some());
        fs_err::remove_file(&path).unwrap();
        fs_err::write(&path, b"changed").unwrap();
        assert_eq!(cache.content_bytes(&digest, 100).unwrap(), None);
        assert!(cache.content(&digest).unwrap().is_none());
        assert!(!path.exists());
        keep(&cache, b"content");
        assert_eq!(cache.content_bytes(&digest, 3).unwrap(), None);
        assert_eq!(
            cache.content_bytes(&digest, 7).unwrap().unwrap(),
            b"content"
        );
    }

    #[test]
    fn content_that_was_damaged_is_replaced_by_what_arrives_again() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(place.path()).unwrap();
        let path = keep(&cache, b"content");
        fs_err::remove_file(&path).unwrap();
        fs_err::write(&path, b"changed").unwrap();
        assert_eq!(keep(&cache, b"content"), path);
        assert_eq!(fs_err::read(&path).unwrap(), b"content");
    }

    #[test]
    fn pruning_takes_what_was_not_used_for_longest_and_never_what_is_in_use() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache::open(place.path()).unwrap();
        let (old, new) = (keep(&cache, &[1; 600]), keep(&cache, &[2; 600]));
        let earlier = cache.opened.checked_sub(Duration::from_secs(1000)).unwrap();
        age(&old, earlier);
        assert_eq!(Cache::prune(place.path(), 700).unwrap(), Pruned::InUse);
        drop(cache);
        assert_eq!(
            Cache::prune(place.path(), 700).unwrap(),
            Pruned::Removed(600)
        );
        assert!(!old.exists() && new.exists());
        assert_eq!(Cache::prune(place.path(), 700).unwrap(), Pruned::Removed(0));
        // Using it makes it the newest.
        let cache = Cache::open(place.path()).unwrap();
        let other = keep(&cache, &[3; 600]);
        age(&new, earlier);
        age(&other, earlier);
        assert!(cache.content(&Sha256::of(&[2; 600])).unwrap().is_some());
        drop(cache);
        Cache::prune(place.path(), 700).unwrap();
        assert!(new.exists() && !other.exists());
    }

    #[test]
    fn a_lock_among_the_repositories_is_no_repository() {
        let place = tempfile::tempdir().unwrap();
        let git = place.path().join("git");
        fs_err::create_dir_all(git.join("repository")).unwrap();
        fs_err::write(git.join("repository/objects"), [1; 600]).unwrap();
        fs_err::write(git.join("local.lock"), "").unwrap();
        assert_eq!(Cache::prune(place.path(), 0).unwrap(), Pruned::Removed(600));
        assert!(git.join("local.lock").exists() && !git.join("repository").exists());
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_a_live_one_uses_is_not() {
        let place = tempfile::tempdir().unwrap();
        let live = Cache::open(place.path()).unwrap();
        let dead = place.path().join("temporary/run-dead");
        fs_err::create_dir_all(dead.join("half")).unwrap();
        fs_err::write(dead.join("lock"), "").unwrap();
        let file = live.temporary_file().unwrap();
        let other = Cache::open(place.path()).unwrap();
        assert!(!dead.exists());
        assert!(file.path().exists());
        let workplace = other.workplace.clone();
        drop(other);
        assert!(!workplace.exists());
    }
}
