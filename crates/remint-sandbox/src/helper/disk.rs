//! Adds up what a command has written to the host's disk, for no file system does it for an ordinary user.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use super::processes::Processes;
use crate::room::DISK_RESERVE;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

/// A disk that was nearly full before is not this command's doing.
const TOLERATED: u64 = 64 << 20;
/// A hiding place deeper than this is treated as filled to the brim.
const DEEPEST: usize = 512;

pub(super) struct DiskWatch {
    places: Vec<Place>,
    limit: u64,
    processes: Processes,
}

struct Place {
    directory: OwnedFd,
    /// What was there before, or was written in the moment it took to look.
    before: u64,
    free_before: u64,
}

impl DiskWatch {
    /// Takes directories that the command may write to.
    pub(super) fn new(directories: Vec<OwnedFd>, limit: u64, processes: Processes) -> Self {
        let places = directories.into_iter().map(|directory| Place {
            before: size_of_tree(directory.as_fd()),
            free_before: free_space(directory.as_fd()),
            directory,
        });
        Self {
            places: places.collect(),
            limit,
            processes,
        }
    }

    /// A glance at the file system as a whole, cheap enough to be taken often.
    pub(super) fn is_machine_in_danger(&self) -> bool {
        self.places.iter().any(|place| {
            let free = free_space(place.directory.as_fd());
            free < DISK_RESERVE && free.saturating_add(TOLERATED) < place.free_before
        })
    }

    /// Looks at every file.
    pub(super) fn is_exceeded(&self) -> bool {
        let written = self
            .places
            .iter()
            .map(|place| size_of_tree(place.directory.as_fd()).saturating_sub(place.before));
        written.fold(nameless_files(self.processes), u64::saturating_add) > self.limit
    }
}

fn free_space(directory: BorrowedFd<'_>) -> u64 {
    rustix::fs::fstatvfs(directory).map_or(u64::MAX, |system| {
        system.f_bavail.saturating_mul(system.f_frsize)
    })
}

fn size_of_tree(directory: BorrowedFd<'_>) -> u64 {
    let mut linked = HashSet::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(directory, ".", flags, Mode::empty()) {
        Ok(opened) => add_up(&opened, DEEPEST, &mut linked),
        Err(_) => 0,
    }
}

fn add_up(directory: &OwnedFd, depth: usize, linked: &mut HashSet<(u64, u64)>) -> u64 {
    let Some(depth) = depth.checked_sub(1) else {
        return u64::MAX;
    };
    let Ok(entries) = Dir::read_from(directory) else {
        return 0;
    };
    let mut sum = 0_u64;
    // What disappears while it is looked at takes no space.
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let name = OsStr::from_bytes(name.to_bytes());
        let Ok(status) = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let is_directory = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
        if is_directory || status.st_nlink == 1 || linked.insert((status.st_dev, status.st_ino)) {
            sum = sum.saturating_add(space(&status));
        }
        if is_directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            if let Ok(below) = rustix::fs::openat(directory, name, flags, Mode::empty()) {
                sum = sum.saturating_add(add_up(&below, depth, linked));
            }
        }
    }
    sum
}

fn space(status: &Stat) -> u64 {
    u64::try_from(status.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512)
}

/// Files on disk that are open inside, but have no name any more by which they could be found.
fn nameless_files(processes: Processes) -> u64 {
    let mut seen = HashSet::new();
    let mut sum = 0_u64;
    for process in processes.directories() {
        let files = fs_err::read_dir(process.join("fd")).into_iter().flatten();
        for status in files.filter_map(|file| rustix::fs::stat(file.ok()?.path()).ok()) {
            let is_file = FileType::from_raw_mode(status.st_mode) == FileType::RegularFile;
            if is_file && status.st_nlink == 0 && seen.insert((status.st_dev, status.st_ino)) {
                sum = sum.saturating_add(space(&status));
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(directory: &std::path::Path, limit: u64) -> DiskWatch {
        let directory = fs_err::File::open(directory).unwrap().into_parts().0;
        DiskWatch::new(vec![directory.into()], limit, Processes::AllVisible)
    }

    #[test]
    fn only_growth_counts_and_links_count_once() {
        let place = tempfile::tempdir().unwrap();
        fs_err::write(place.path().join("before"), vec![1; 1 << 20]).unwrap();
        let watch = watch(place.path(), 600 << 10);
        assert!(!watch.is_exceeded());
        fs_err::create_dir_all(place.path().join("a/b")).unwrap();
        let file = place.path().join("a/b/file");
        fs_err::write(&file, vec![1; 400 << 10]).unwrap();
        fs_err::hard_link(&file, place.path().join("link")).unwrap();
        std::os::unix::fs::symlink(&file, place.path().join("symlink")).unwrap();
        assert!(!watch.is_exceeded());
        fs_err::write(place.path().join("more"), vec![1; 400 << 10]).unwrap();
        assert!(watch.is_exceeded());
    }
}
