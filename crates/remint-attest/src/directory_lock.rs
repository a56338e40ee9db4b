//! Directories that one process at a time works on.

use std::io;
use std::path::Path;

use fs_err as fs;

/// Held while a directory is worked on; the system lets go of it when the process ends, however it does.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: fs::File,
}

impl DirectoryLock {
    /// Waits until no other process holds the lock of this directory, which is made where it is not there.
    ///
    /// # Errors
    /// The directory cannot be made, or locking is not possible there.
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join(".lock"))?;
        file.file().lock()?;
        Ok(Self { _file: file })
    }
}
