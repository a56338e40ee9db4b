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

/// The bytes of memory that programs could use without swapping, on the machine and within the control groups that
/// this process is in (Linux, `Documentation/admin-guide/cgroup-v2.rst`, "Memory"); `None` where the kernel does not
/// say.
#[cfg(target_os = "linux")]
#[must_use]
pub fn free_memory() -> Option<u64> {
    let memory = fs_err::read_to_string("/proc/meminfo").ok()?;
    let machine = crate::helper::available(&memory)?;
    let groups = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .map(|group| Path::new("/sys/fs/cgroup").join(group));
    let left = group
        .iter()
        .flat_map(|group| group.ancestors())
        .take_while(|group| group.starts_with("/sys/fs/cgroup"))
        .filter_map(left_of_group);
    Some(left.fold(machine, u64::min))
}

/// What a control group may still take; `None` where it has no limit. Pages of files that it read count as used, and
/// can be had back.
#[cfg(target_os = "linux")]
fn left_of_group(group: &Path) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = fs_err::read_to_string(group.join(name)).ok()?;
        text.trim().parse().ok()
    };
    let limit = number("memory.max")?;
    let used = number("memory.current")?;
    let cached = fs_err::read_to_string(group.join("memory.stat")).ok()?;
    let cached = cached
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok())
        .unwrap_or(0_u64);
    Some(limit.saturating_sub(used.saturating_sub(cached)))
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
    fn a_group_may_take_what_its_limit_leaves() {
        let group = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs_err::write(group.path().join(name), text).unwrap();
        assert_eq!(left_of_group(group.path()), None);
        write("memory.current", "700\n");
        write(
            "memory.stat",
            "anon 400\ninactive_file 200\nactive_file 100\n",
        );
        write("memory.max", "max\n");
        assert_eq!(left_of_group(group.path()), None);
        write("memory.max", "1000\n");
        assert_eq!(left_of_group(group.path()), Some(500));
        write("memory.max", "100\n");
        assert_eq!(left_of_group(group.path()), Some(0));
    }

    #[test]
    fn a_directory_that_is_still_to_be_made_has_the_room_of_its_parent() {
        let place = tempfile::tempdir().unwrap();
        let close = |a: u64, b: u64| a.abs_diff(b) < 1 << 30;
        let there = free_space(place.path()).unwrap();
        assert!(there > 0);
        assert!(close(there, free_space(&place.path().join("a/b")).unwrap()));
    }
}
