//! Host paths, taken hold of as detached mounts while they can still be reached.
//!
//! Root does this before it gives up its identity (the throwaway user could not enter a private home), an
//! ordinary user after entering the namespaces (before, it may not mount). Either way the result is the same.

use std::ffi::OsStr;
use std::fs::FileType;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;

use super::{During as _, Step};
use crate::command::Access;
use crate::wire::Orders;

/// All host paths of one command.
pub(super) struct Trees {
    pub(super) base: Vec<Base>,
    pub(super) devices: Vec<(PathBuf, OwnedFd)>,
    pub(super) layers: Vec<LayerTrees>,
    pub(super) binds: Vec<Tree>,
}

/// A part of the system that every command sees.
pub(super) enum Base {
    Tree(PathBuf, Tree),
    Link(PathBuf, PathBuf),
}

/// A detached mount, and whether a directory or a file is to be covered by it.
pub(super) struct Tree {
    pub(super) mount: OwnedFd,
    pub(super) is_directory: bool,
}

pub(super) struct LayerTrees {
    pub(super) lowers: Vec<OwnedFd>,
    pub(super) state: OwnedFd,
}

/// What of the host's system is visible. `/usr` must exist, the others are taken where they do.
const BASE: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
];

const DEVICES: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

impl Trees {
    pub(super) fn take(orders: &Orders) -> Step<Self> {
        let mut base = Vec::new();
        for path in BASE.iter().map(Path::new) {
            let Ok(metadata) = fs_err::symlink_metadata(path) else {
                continue;
            };
            base.push(if metadata.is_symlink() {
                let target = fs_err::read_link(path).during_at("read the link", path)?;
                Base::Link(path.to_owned(), target)
            } else {
                Base::Tree(
                    path.to_owned(),
                    tree(path, metadata.file_type(), Rights::READ)?,
                )
            });
        }
        let mut devices = Vec::new();
        for path in DEVICES.iter().map(Path::new) {
            let metadata = fs_err::symlink_metadata(path).during_at("look at", path)?;
            // In some containers these are ordinary files, which would be shared with everybody there.
            if metadata.file_type().is_char_device() {
                devices.push((path.to_owned(), detach(path, Rights::DEVICE)?));
            }
        }
        let mut layers = Vec::new();
        for layer in &orders.layers {
            let lowers = layer
                .lowers
                .iter()
                .map(|lower| detach(Path::new(lower), Rights::READ));
            layers.push(LayerTrees {
                lowers: lowers.collect::<Step<_>>()?,
                state: detach(Path::new(&layer.state), Rights::WRITE)?,
            });
        }
        let mut binds = Vec::new();
        for bind in &orders.binds {
            let path = Path::new(&bind.host);
            let metadata = fs_err::metadata(path).during_at("look at", path)?;
            let rights = match bind.access {
                Access::ReadOnly => Rights::READ,
                Access::Writable => Rights::WRITE,
            };
            binds.push(tree(path, metadata.file_type(), rights)?);
        }
        Ok(Self {
            base,
            devices,
            layers,
            binds,
        })
    }
}

fn tree(path: &Path, kind: FileType, rights: Rights) -> Step<Tree> {
    Ok(Tree {
        mount: detach(path, rights)?,
        is_directory: kind.is_dir(),
    })
}

/// Attributes of a mount, and whether mounts below it come along.
#[derive(Clone, Copy)]
pub(super) struct Rights {
    attributes: u64,
    recursive: bool,
}

impl Rights {
    const READ: Self = Self {
        attributes: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        recursive: true,
    };
    const WRITE: Self = Self {
        attributes: libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV,
        recursive: true,
    };
    /// Read-only concerns the file (its mode, its times); what is written to a device passes.
    const DEVICE: Self = Self {
        attributes: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC,
        recursive: false,
    };
    /// For `/proc`: nothing in it is written, run, or a device.
    pub(super) const KERNEL: Self = Self {
        attributes: libc::MOUNT_ATTR_RDONLY
            | libc::MOUNT_ATTR_NOSUID
            | libc::MOUNT_ATTR_NODEV
            | libc::MOUNT_ATTR_NOEXEC,
        recursive: false,
    };
    /// For the root directory alone, not what is mounted in it.
    pub(super) const SEALED: Self = Self {
        recursive: false,
        ..Self::READ
    };
}

fn detach(path: &Path, rights: Rights) -> Step<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if rights.recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let mount = rustix::mount::open_tree(CWD, path, flags).during_at("bind", path)?;
    restrict(mount.as_fd(), rights).during_at("restrict the mount of", path)?;
    Ok(mount)
}

/// Sets the attributes of a mount, and cuts it off from what is mounted in its original later.
pub(super) fn restrict(mount: BorrowedFd<'_>, rights: Rights) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: rights.attributes,
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    let mut flags = libc::AT_EMPTY_PATH;
    if rights.recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path is an empty C string, the attributes are a live `mount_attr` of the size given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The name of the file at the end of a path that was checked to have one.
pub(super) fn last_name(path: &Path) -> io::Result<&OsStr> {
    path.file_name()
        .ok_or_else(|| io::ErrorKind::InvalidInput.into())
}
