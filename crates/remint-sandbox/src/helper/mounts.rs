//! The inside's directory tree: an own root in memory, with everything else mounted into it, sealed at the end.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::trees::{Base, LayerTrees, Rights, Tree, Trees, last_name, restrict};
use super::{During as _, Step};
use crate::command::Surroundings;
use crate::wire::{LayerOrder, Orders};

/// Where things are kept while they are put together; gone before the command starts.
const STAGE: &str = ".stage";

/// The directory of the host that is covered by the new root until that becomes the only one. Not `/proc`: the
/// kernel grants a new `/proc` only where it sees an old one.
const FOOTHOLD: &str = "/usr";

/// Files of `/proc` that tell about the whole machine more than a build needs to know.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/config.gz",
    "/proc/fs",
    "/proc/interrupts",
    "/proc/iomem",
    "/proc/ioports",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/kmsg",
    "/proc/kpagecgroup",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/slabinfo",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/vmallocinfo",
];

/// Generated in every sandbox. The first one is how a test that attacks knows that it is inside.
const FILES: &[(&str, &str)] = &[
    ("/etc/remint-inside", "this is a sandbox of remint\n"),
    ("/etc/host.conf", "multi on\n"),
    (
        "/etc/nsswitch.conf",
        "passwd: files\ngroup: files\nhosts: files dns\n",
    ),
    (
        "/etc/resolv.conf",
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    ),
];

const LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/etc/mtab", "/proc/self/mounts"),
    ("/etc/os-release", "../usr/lib/os-release"),
    ("/var/tmp", "../tmp"),
];

/// The host name inside, where the caller gives no other.
pub(super) const HOST_NAME: &str = "remint";

/// The files that name the user and the host.
fn names(surroundings: &Surroundings) -> [(&'static str, String); 4] {
    let Surroundings {
        user,
        user_name,
        home,
        host_name,
        umask: _,
        processors: _,
    } = surroundings;
    [
        (
            "/etc/passwd",
            format!(
                "root:x:0:0:root:/:/usr/sbin/nologin\n{user_name}:x:{user}:{user}:{user_name}:{home}:/bin/sh\n\
                 nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
            ),
        ),
        (
            "/etc/group",
            format!("root:x:0:\n{user_name}:x:{user}:\nnogroup:x:65534:\n"),
        ),
        ("/etc/hostname", format!("{host_name}\n")),
        (
            "/etc/hosts",
            format!("127.0.0.1 localhost {host_name}\n::1 localhost ip6-localhost ip6-loopback\n"),
        ),
    ]
}

/// Makes the tree and moves this process, and the helper that shares its mounts, into it.
pub(super) fn enter_new_root(orders: &Orders, trees: Trees) -> Step {
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )
    .during("cut off the host's mounts")?;
    // The command sets its own mask; what is made here has exactly the modes that are given.
    rustix::process::umask(Mode::empty());
    let contents: u64 = orders
        .files
        .iter()
        .map(|file| file.content.len() as u64)
        .sum();
    let root = memory_directory(contents.saturating_add(16 << 20), 16_384, 0o755)
        .during("make the root directory")?;
    attach_at(root.as_fd(), CWD, FOOTHOLD).during("mount the root directory")?;
    let root = Root(root);
    for base in trees.base {
        match base {
            Base::Tree(inside, tree) => root.attach(&tree, &inside)?,
            Base::Link(inside, target) => root.link(&inside, &target)?,
        }
    }
    for (inside, mount) in trees.devices {
        root.attach(
            &Tree {
                mount,
                is_directory: false,
            },
            &inside,
        )?;
    }
    for (inside, target) in LINKS {
        root.link(Path::new(inside), Path::new(target))?;
    }
    for (inside, content) in FILES {
        root.write(Path::new(inside), content.as_bytes())?;
    }
    for (inside, content) in names(&orders.surroundings) {
        root.write(Path::new(inside), content.as_bytes())?;
    }
    let stage = root.stage()?;
    root.scratch(&stage, orders.limits.scratch)?;
    for (order, layer) in orders.layers.iter().zip(trees.layers) {
        root.overlay(&stage, order, &layer)?;
    }
    for (order, tree) in orders.binds.iter().zip(&trees.binds) {
        root.attach(tree, Path::new(&order.inside))?;
    }
    for file in &orders.files {
        root.write(Path::new(&file.inside), &file.content)?;
    }
    root.processes()?;
    root.enter()
}

/// The root directory under construction.
struct Root(OwnedFd);

impl Root {
    fn attach(&self, tree: &Tree, inside: &Path) -> Step {
        let target = if tree.is_directory {
            self.directory(inside)?
        } else {
            self.file(inside)?
        };
        attach(tree.mount.as_fd(), target.as_fd()).during_at("mount", inside)
    }

    /// Opens the directory, made where it is missing. Follows no link: what lies in a layer may be hostile.
    fn directory(&self, inside: &Path) -> Step<OwnedFd> {
        self.walk(inside).during_at("make the directory", inside)
    }

    fn walk(&self, inside: &Path) -> io::Result<OwnedFd> {
        let mut current = self.0.try_clone()?;
        for part in inside.components() {
            let Component::Normal(name) = part else {
                continue;
            };
            current = subdirectory(current.as_fd(), name)?;
        }
        Ok(current)
    }

    /// Opens the file to be covered by a mount, made where it is missing.
    fn file(&self, inside: &Path) -> Step<OwnedFd> {
        let open = || -> io::Result<OwnedFd> {
            let directory = self.walk(inside.parent().unwrap_or(inside))?;
            let name = last_name(inside)?;
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(&directory, name, flags, Mode::empty()) {
                Err(Errno::NOENT) => {
                    let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                    Ok(rustix::fs::openat(
                        &directory,
                        name,
                        create,
                        Mode::from_raw_mode(0o644),
                    )?)
                }
                opened => Ok(opened?),
            }
        };
        open().during_at("make the file", inside)
    }

    fn write(&self, inside: &Path, content: &[u8]) -> Step {
        let write = || -> io::Result<()> {
            let directory = self.walk(inside.parent().unwrap_or(inside))?;
            let flags = OFlags::CREATE
                | OFlags::TRUNC
                | OFlags::WRONLY
                | OFlags::NOFOLLOW
                | OFlags::CLOEXEC;
            let mode = Mode::from_raw_mode(0o644);
            let file = rustix::fs::openat(&directory, last_name(inside)?, flags, mode)?;
            std::fs::File::from(file).write_all(content)
        };
        write().during_at("write", inside)
    }

    fn link(&self, inside: &Path, target: &Path) -> Step {
        let link = || -> io::Result<()> {
            let directory = self.walk(inside.parent().unwrap_or(inside))?;
            Ok(rustix::fs::symlinkat(
                target,
                &directory,
                last_name(inside)?,
            )?)
        };
        link().during_at("make the link", inside)
    }

    fn stage(&self) -> Step<OwnedFd> {
        let stage = Path::new(STAGE);
        let target = self.directory(stage)?;
        let mount = memory_directory(1 << 20, 4096, 0o755).during("make a staging directory")?;
        attach(mount.as_fd(), target.as_fd()).during_at("mount", stage)?;
        Ok(mount)
    }

    /// One memory file system for all temporary directories, so that one size limits them together.
    fn scratch(&self, stage: &OwnedFd, size: u64) -> Step {
        let place =
            subdirectory(stage.as_fd(), OsStr::new("scratch")).during("make scratch space")?;
        let inodes = (size >> 12).clamp(1024, 4 << 20);
        let scratch = memory_directory(size, inodes, 0o755).during("make scratch space")?;
        attach(scratch.as_fd(), place.as_fd()).during("mount scratch space")?;
        for (name, inside, mode) in [
            ("tmp", "/tmp", 0o1777),
            ("home", "/home/build", 0o755),
            ("shm", "/dev/shm", 0o1777),
        ] {
            let inside = Path::new(inside);
            rustix::fs::mkdirat(&scratch, name, Mode::from_raw_mode(mode))
                .during_at("make the directory", inside)?;
            let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            let mount =
                rustix::mount::open_tree(&scratch, name, clone).during_at("bind", inside)?;
            self.attach(
                &Tree {
                    mount,
                    is_directory: true,
                },
                inside,
            )?;
        }
        Ok(())
    }

    /// Mounts an overlay. Its levels are first mounted at short names of our own, because the kernel reads them
    /// from one comma-separated text of one page, and reaches them with the rights of the user inside.
    fn overlay(&self, stage: &OwnedFd, order: &LayerOrder, trees: &LayerTrees) -> Step {
        let inside = Path::new(&order.inside);
        let mount = || -> io::Result<()> {
            let name = |index: usize| format!("l{index}");
            for (index, lower) in trees.lowers.iter().enumerate() {
                let place = subdirectory(stage.as_fd(), OsStr::new(&name(index)))?;
                attach(lower.as_fd(), place.as_fd())?;
            }
            let state = subdirectory(stage.as_fd(), OsStr::new("state"))?;
            attach(trees.state.as_fd(), state.as_fd())?;
            let lowers: Vec<String> = (0..trees.lowers.len()).map(name).collect();
            let options = format!(
                "userxattr,lowerdir={},upperdir=state/{},workdir=state/{}",
                lowers.join(":"),
                order.upper.display(),
                order.work.display(),
            );
            drop(subdirectory(stage.as_fd(), OsStr::new("merged"))?);
            rustix::process::fchdir(stage)?;
            let options = std::ffi::CString::new(options)?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            rustix::mount::mount("overlay", "merged", "overlay", flags, options.as_c_str())
                .map_err(io::Error::from)
        };
        mount().during_at("mount the overlay", inside)?;
        let target = self.directory(inside)?;
        let finish = || -> io::Result<()> {
            let moved = MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
            rustix::mount::move_mount(stage, "merged", &target, "", moved)?;
            for index in 0..trees.lowers.len() {
                rustix::mount::unmount(format!("l{index}"), UnmountFlags::DETACH)?;
            }
            Ok(rustix::mount::unmount("state", UnmountFlags::DETACH)?)
        };
        finish().during_at("mount the overlay", inside)
    }

    fn processes(&self) -> Step {
        let inside = Path::new("/proc");
        let mount = || -> io::Result<OwnedFd> {
            let context = rustix::mount::fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
            rustix::mount::fsconfig_create(&context)?;
            let none = MountAttrFlags::empty();
            Ok(rustix::mount::fsmount(
                &context,
                FsMountFlags::FSMOUNT_CLOEXEC,
                none,
            )?)
        };
        let mount = mount().during_at("mount a fresh", inside)?;
        restrict(mount.as_fd(), Rights::KERNEL).during_at("restrict the mount of", inside)?;
        let target = self.directory(inside)?;
        attach(mount.as_fd(), target.as_fd()).during_at("mount", inside)?;
        for path in MASKED.iter().map(Path::new) {
            self.mask(path).during_at("cover", path)?;
        }
        Ok(())
    }

    fn mask(&self, inside: &Path) -> io::Result<()> {
        let relative = inside.strip_prefix("/").unwrap_or(inside);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = match rustix::fs::openat(&self.0, relative, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&target)?.st_mode);
        let cover = if kind == rustix::fs::FileType::Directory {
            let empty = memory_directory(0, 16, 0o555)?;
            restrict(empty.as_fd(), Rights::KERNEL)?;
            empty
        } else {
            let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
            rustix::mount::open_tree(&self.0, "dev/null", clone)?
        };
        attach(cover.as_fd(), target.as_fd())
    }

    /// Makes this the only root there is, and seals it.
    fn enter(self) -> Step {
        let enter = || -> io::Result<()> {
            rustix::process::fchdir(&self.0)?;
            rustix::mount::unmount(STAGE, UnmountFlags::DETACH)?;
            rustix::fs::unlinkat(&self.0, STAGE, AtFlags::REMOVEDIR)?;
            restrict(self.0.as_fd(), Rights::SEALED)?;
            // With both arguments alike the old root ends up on top of the new one, and needs no place in it.
            rustix::process::pivot_root(".", ".")?;
            rustix::mount::unmount(".", UnmountFlags::DETACH)?;
            Ok(rustix::process::chdir("/")?)
        };
        enter().during("leave the host's root directory")
    }
}

/// Opens a directory of a directory, made where it is missing.
fn subdirectory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST | Errno::ROFS) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// An empty directory in memory, not mounted anywhere yet.
fn memory_directory(size: u64, inodes: u64, mode: u32) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let size = size.next_multiple_of(4096).max(4096);
    rustix::mount::fsconfig_set_string(&context, "size", size.to_string())?;
    rustix::mount::fsconfig_set_string(&context, "nr_inodes", inodes.to_string())?;
    rustix::mount::fsconfig_set_string(&context, "mode", format!("{mode:o}"))?;
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(rustix::mount::fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        attributes,
    )?)
}

fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(mount, "", target, "", flags)?)
}

fn attach_at(mount: BorrowedFd<'_>, directory: BorrowedFd<'_>, path: &str) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Ok(rustix::mount::move_mount(
        mount, "", directory, path, flags,
    )?)
}
