//! Giving away and removing trees that a hostile build may be the maker of: by descriptor, following no link.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::{Owner, SandboxError};
use crate::obstacle::Obstacle;

/// Above everything that systems and container managers hand out, below what some programs take for negative.
const THROWAWAY: u32 = 2_000_000_000;

/// Each level holds a descriptor open.
const DEEPEST: usize = 256;

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
    give_below(&top, DEEPEST, uid, gid)?;
    Ok(rustix::fs::fchown(&top, Some(uid), Some(gid))?)
}

fn give_below(directory: &OwnedFd, depth: usize, uid: Uid, gid: Gid) -> io::Result<()> {
    let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    for (name, kind) in entries(directory)? {
        if kind == FileType::Directory {
            give_below(&open_directory(directory.as_fd(), &name)?, depth, uid, gid)?;
        }
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::chownat(directory, &name, Some(uid), Some(gid), flags)?;
    }
    Ok(())
}

pub(super) fn remove(tree: &Path) -> io::Result<()> {
    let top = open_directory(CWD, tree.as_os_str())?;
    let mut lifted = 0;
    // What is lifted to the top is removed in the next round.
    loop {
        let before = lifted;
        remove_below(&top, DEEPEST, &top, &mut lifted)?;
        if lifted == before {
            break;
        }
    }
    drop(top);
    Ok(rustix::fs::rmdir(tree)?)
}

/// A tree may be deeper than this process may hold descriptors open: what lies too deep is moved to the top first.
fn remove_below(
    directory: &OwnedFd,
    depth: usize,
    top: &OwnedFd,
    lifted: &mut u64,
) -> io::Result<()> {
    for (name, kind) in entries(directory)? {
        if kind != FileType::Directory {
            rustix::fs::unlinkat(directory, &name, AtFlags::empty())?;
            continue;
        }
        let below = open_directory(directory.as_fd(), &name)?;
        if let Some(depth) = depth.checked_sub(1) {
            remove_below(&below, depth, top, lifted)?;
            rustix::fs::unlinkat(directory, &name, AtFlags::REMOVEDIR)?;
        } else {
            lift(directory, &name, top, lifted)?;
        }
    }
    Ok(())
}

fn lift(directory: &OwnedFd, name: &OsStr, top: &OwnedFd, lifted: &mut u64) -> io::Result<()> {
    loop {
        *lifted += 1;
        let place = format!(".lifted-{lifted}");
        match rustix::fs::renameat(directory, name, top, place) {
            // Somebody who expected this has put something there.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            other => return Ok(other?),
        }
    }
}

/// Read whole before anything changes: removing while reading may skip entries.
fn entries(directory: &OwnedFd) -> io::Result<Vec<(OsString, FileType)>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let name = OsStr::from_bytes(name.to_bytes()).to_owned();
        let mut kind = entry.file_type();
        if kind == FileType::Unknown {
            let status = rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            kind = FileType::from_raw_mode(status.st_mode);
        }
        entries.push((name, kind));
    }
    Ok(entries)
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
