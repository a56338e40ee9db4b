//! Who owns what a sandboxed command writes, seen from outside; and trees of files that belong to him.

use std::io;
use std::path::Path;

use crate::error::SandboxError;

/// The user and group of the machine behind the inside's user 1000.
///
/// Root never appears inside, not even under another number, because the rights that come with owning a file would
/// come along: root uses a number that belongs to nobody. All commands use the same one, because they share
/// snapshots of installed trees; what keeps two of them apart is that neither sees the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Owner {
    /// The user who runs remint.
    Caller {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
    /// Nobody: remint runs as root.
    Throwaway {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Above everything that systems and container managers hand out, below what some programs take for negative.
const THROWAWAY: u32 = 2_000_000_000;

impl Owner {
    /// The owner for commands that this process runs.
    ///
    /// # Errors
    ///
    /// When the process is root, but lacks the rights of root that are needed to be someone else.
    pub fn of_this_process() -> Result<Self, SandboxError> {
        platform::owner_of_this_process()
    }

    /// The number of the user outside.
    #[must_use]
    pub fn uid(self) -> u32 {
        match self {
            Self::Caller { uid, .. } | Self::Throwaway { uid, .. } => uid,
        }
    }

    /// The number of the group outside.
    #[must_use]
    pub fn gid(self) -> u32 {
        match self {
            Self::Caller { gid, .. } | Self::Throwaway { gid, .. } => gid,
        }
    }

    /// Gives a directory and everything below it to this owner. Links are given away themselves, and not followed.
    ///
    /// # Errors
    ///
    /// When something cannot be read or given away. For [`Owner::Caller`] there is nothing to do.
    pub fn give(self, tree: &Path) -> Result<(), SandboxError> {
        match self {
            Self::Caller { .. } => Ok(()),
            Self::Throwaway { uid, gid } => {
                platform::give(tree, uid, gid).map_err(tree_error("give to the build's user", tree))
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self::Caller { uid: 1, gid: 1 }
    }
}

/// Removes a directory and everything below it, also where a build left directories that nobody may enter. Links
/// are removed themselves, and not followed. A directory that is not there is no error.
///
/// # Errors
///
/// When something cannot be removed.
pub fn remove_tree(tree: &Path) -> Result<(), SandboxError> {
    match platform::remove(tree) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(tree_error("remove", tree)),
    }
}

fn tree_error(action: &'static str, tree: &Path) -> impl FnOnce(io::Error) -> SandboxError {
    let path = tree.to_owned();
    move |source| SandboxError::Tree {
        action,
        path,
        source,
    }
}

#[cfg(target_os = "linux")]
use linux as platform;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsStr;
    use std::io;
    use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
    use std::os::unix::ffi::OsStrExt as _;
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid};
    use rustix::io::Errno;
    use rustix::thread::CapabilitySet;

    use super::{Owner, SandboxError, THROWAWAY};
    use crate::probe::Obstacle;

    /// Deeper trees are not made by builds; each level holds a descriptor open.
    const DEEPEST: usize = 512;

    pub(super) fn owner_of_this_process() -> Result<Owner, SandboxError> {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        if uid != 0 {
            return Ok(Owner::Caller { uid, gid });
        }
        let needed = CapabilitySet::SYS_ADMIN
            | CapabilitySet::SETUID
            | CapabilitySet::SETGID
            | CapabilitySet::CHOWN
            | CapabilitySet::DAC_OVERRIDE;
        let missing = |source: io::Error| SandboxError::Refused {
            obstacle: Obstacle::RootWithoutRights,
            step: "look at the rights of this process".to_owned(),
            source,
        };
        let rights = rustix::thread::capabilities(None).map_err(|error| missing(error.into()))?;
        if !rights.effective.contains(needed) {
            return Err(missing(Errno::PERM.into()));
        }
        let uid = highest_mapped("/proc/self/uid_map").map_err(missing)?;
        let gid = highest_mapped("/proc/self/gid_map").map_err(missing)?;
        Ok(Owner::Throwaway { uid, gid })
    }

    /// In a container not every number exists: the highest that does, up to the usual one.
    fn highest_mapped(map: &str) -> io::Result<u32> {
        let text = fs_err::read_to_string(map)?;
        let highest = text.lines().filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u64>);
            let (first, _outside, count) = (
                numbers.next()?.ok()?,
                numbers.next()?.ok()?,
                numbers.next()?.ok()?,
            );
            let usual = u64::from(THROWAWAY);
            let last = first.checked_add(count)?.checked_sub(1)?;
            (first <= usual).then(|| last.min(usual))
        });
        match highest.max().and_then(|number| u32::try_from(number).ok()) {
            Some(number) if number > 0 => Ok(number),
            _ => Err(Errno::PERM.into()),
        }
    }

    pub(super) fn give(tree: &Path, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        let top = open_directory(CWD, tree.as_os_str())?;
        let mut visit = |parent: BorrowedFd<'_>, name: &OsStr, _kind| {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            Ok(rustix::fs::chownat(
                parent,
                name,
                Some(uid),
                Some(gid),
                flags,
            )?)
        };
        walk(&top, DEEPEST, &mut visit)?;
        Ok(rustix::fs::fchown(&top, Some(uid), Some(gid))?)
    }

    pub(super) fn remove(tree: &Path) -> io::Result<()> {
        let top = open_directory(CWD, tree.as_os_str())?;
        let mut visit = |parent: BorrowedFd<'_>, name: &OsStr, kind| {
            let flags = if kind == FileType::Directory {
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            Ok(rustix::fs::unlinkat(parent, name, flags)?)
        };
        walk(&top, DEEPEST, &mut visit)?;
        drop(top);
        Ok(rustix::fs::rmdir(tree)?)
    }

    /// Visits everything below a directory, contents before containers.
    fn walk(
        directory: &OwnedFd,
        depth: usize,
        visit: &mut dyn FnMut(BorrowedFd<'_>, &OsStr, FileType) -> io::Result<()>,
    ) -> io::Result<()> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| io::Error::from(Errno::NAMETOOLONG))?;
        // Read whole before anything changes: removing while reading may skip entries.
        let mut entries = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                entries.push((name.to_owned(), entry.file_type()));
            }
        }
        for (name, kind) in entries {
            let name = OsStr::from_bytes(name.as_bytes());
            let kind = if kind == FileType::Unknown {
                let status = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(status.st_mode)
            } else {
                kind
            };
            if kind == FileType::Directory {
                let below = open_directory(directory.as_fd(), name)?;
                walk(&below, depth, visit)?;
            }
            visit(directory.as_fd(), name, kind)?;
        }
        Ok(())
    }

    /// Opens a directory, following no link, making it accessible if need be.
    fn open_directory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
        let opened = open();
        let may_enter = |directory: &OwnedFd| {
            rustix::fs::fstat(directory).is_ok_and(|status| status.st_mode & 0o700 == 0o700)
        };
        match opened {
            Ok(directory) if may_enter(&directory) => Ok(directory),
            Ok(directory) => {
                // Somebody else's, for example a read-only one of root's: then reading has to be enough.
                let _unchanged = rustix::fs::fchmod(&directory, Mode::RWXU);
                Ok(directory)
            }
            Err(Errno::ACCESS) => {
                rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
                    .or_else(|_| chmod_through_proc(parent, name))?;
                Ok(open()?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// For kernels that cannot change the mode of a name without following it.
    fn chmod_through_proc(parent: BorrowedFd<'_>, name: &OsStr) -> Result<(), Errno> {
        use std::os::fd::AsRawFd as _;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        rustix::fs::chmod(
            format!("/proc/self/fd/{}", directory.as_raw_fd()),
            Mode::RWXU,
        )
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::io;
    use std::path::Path;

    use super::{Owner, SandboxError};

    pub(super) fn owner_of_this_process() -> Result<Owner, SandboxError> {
        Err(SandboxError::Unsupported)
    }

    pub(super) fn give(_: &Path, _: u32, _: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn remove(tree: &Path) -> io::Result<()> {
        fs_err::remove_dir_all(tree)
    }
}
