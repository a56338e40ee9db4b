//! A log in a directory.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;

use super::{LARGEST_FILE, LogFiles};
use crate::directory_lock::DirectoryLock;

/// A log's directory.
#[derive(Debug, Clone)]
pub struct LogDirectory(PathBuf);

impl LogDirectory {
    /// The log at this path, whether or not there is one yet.
    #[must_use]
    pub const fn at(root: PathBuf) -> Self {
        Self(root)
    }

    /// Keeps every other process of this kind from appending until the lock is dropped.
    ///
    /// # Errors
    /// The directory cannot be made, or locking is not possible there.
    pub fn lock(&self) -> io::Result<DirectoryLock> {
        DirectoryLock::take(&self.0)
    }
}

impl LogFiles for LogDirectory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match fs::File::open(self.0.join(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(io::Error::other("it is larger than any file of a log"));
        }
        Ok(Some(bytes))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        write_whole(&self.0.join(path), bytes)
    }
}

/// Writes a file whole or not at all: beside it first, then renamed.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path
        .parent()
        .ok_or_else(|| io::Error::other("a path without a directory"))?;
    fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(".new-")
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Made private by default; what is published is for everybody.
        fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path)?;
    Ok(())
}
