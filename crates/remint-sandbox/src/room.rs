//! How much room this machine has left, on a disk and in memory.

use std::io;
use std::path::Path;

/// Space of a file system that no command may have, however much it is allowed to write: other programs need some.
pub const DISK_RESERVE: u64 = 512_000_000;

/// The bytes that this process could still write where the path is. What does not exist yet counts as its parent.
///
/// # Errors
///
/// When the kernel does not say.
#[cfg(target_os = "linux")]
pub fn free_space(path: &Path) -> io::Result<u64> {
    let existing = path.ancestors().find(|path| path.exists());
    let system = rustix::fs::statvfs(existing.unwrap_or(Path::new(".")))?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Nothing is built here, so there is always room enough.
///
/// # Errors
///
/// None.
#[cfg(not(target_os = "linux"))]
pub fn free_space(_path: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// The bytes of memory that programs could use without swapping; `None` where the kernel does not say.
#[cfg(target_os = "linux")]
#[must_use]
pub fn free_memory() -> Option<u64> {
    let memory = fs_err::read_to_string("/proc/meminfo").ok()?;
    crate::helper::available(&memory)
}

/// Nothing is built here.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn free_memory() -> Option<u64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_still_to_be_made_has_the_room_of_its_parent() {
        let place = tempfile::tempdir().unwrap();
        let close = |a: u64, b: u64| a.abs_diff(b) < 1 << 30;
        let there = free_space(place.path()).unwrap();
        assert!(there > 0);
        assert!(close(there, free_space(&place.path().join("a/b")).unwrap()));
    }
}
