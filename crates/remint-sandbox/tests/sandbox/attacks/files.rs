//! Attacks on files: of the caller, of the host, of the kernel.

use std::ffi::CString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::{IN_PLACE, gained};

pub(super) fn read_what_is_the_caller_s(secrets: &[&str]) -> Vec<String> {
    let fixed = [
        "/root",
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/ssh",
        "/var/log",
        "/run",
        "/home/build/..",
        "/sys",
        "/boot",
        "/mnt",
        "/media",
        "/srv",
    ];
    let in_place = secrets.first() == Some(&IN_PLACE);
    let mut gains: Vec<String> = secrets
        .iter()
        .filter_map(|path| gained(path, fs_err::read(*path)))
        .collect();
    for path in fixed {
        let entries = fs_err::read_dir(path).map(|entries| entries.filter_map(Result::ok).count());
        let expected = if path == "/home/build/.." { 1 } else { 0 };
        if entries.is_ok_and(|count| count > expected) || fs_err::read(path).is_ok() {
            gains.push(path.to_owned());
        }
    }
    if in_place {
        return gains;
    }
    let users = fs_err::read_to_string("/etc/passwd").unwrap();
    gains.extend((users.lines().count() != 3).then(|| "users of the host".to_owned()));
    gains
}

pub(super) fn write_outside_of_the_build(_: &[&str]) -> Vec<String> {
    let new = [
        "/x",
        "/usr/x",
        "/usr/bin/x",
        "/etc/x",
        "/opt/x",
        "/dev/x",
        "/lib/x",
        "/home/x",
        "/proc/x",
        "/var/x",
    ];
    let mut gains: Vec<String> = new
        .iter()
        .filter_map(|path| gained(path, fs_err::write(*path, "x")))
        .collect();
    let old = [
        "/etc/passwd",
        "/etc/ld.so.cache",
        "/etc/resolv.conf",
        "/usr/bin/env",
        "/bin/sh",
        "/opt/attacker",
    ];
    for path in old {
        let opened = fs_err::OpenOptions::new().write(true).open(path);
        gains.extend(gained(path, opened));
        gains.extend(gained(
            format!("rename {path}"),
            fs_err::rename(path, "/tmp/x"),
        ));
        gains.extend(gained(format!("remove {path}"), fs_err::remove_file(path)));
        let link = format!("/tmp/link{}", path.replace('/', "-"));
        gains.extend(gained(
            format!("link {path}"),
            fs_err::hard_link(path, link),
        ));
    }
    let null = CString::new("/dev/null").unwrap();
    // SAFETY: the path is a C string that outlives the call.
    gains.extend(
        (unsafe { libc::chmod(null.as_ptr(), 0) } == 0).then(|| "chmod /dev/null".to_owned()),
    );
    gains
}

/// Everything below `/proc` and `/dev` that can be opened for writing, but for devices that hold nothing.
pub(super) fn open_a_kernel_knob(_: &[&str]) -> Vec<String> {
    let harmless = ["null", "zero", "full", "random", "urandom"]
        .map(|name| fs_err::metadata(format!("/dev/{name}")).unwrap().rdev());
    let mut gains = Vec::new();
    let mut queue: Vec<PathBuf> = vec!["/proc".into(), "/dev".into(), "/sys".into()];
    let mut seen = 0;
    while let Some(directory) = queue.pop() {
        for entry in fs_err::read_dir(&directory)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let path = entry.path();
            let Ok(metadata) = fs_err::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                if directory.components().count() < 7 && path != Path::new("/dev/shm") {
                    queue.push(path);
                }
            } else if !metadata.is_symlink() && !harmless.contains(&metadata.rdev()) {
                seen += 1;
                let opened = fs_err::OpenOptions::new()
                    .write(true)
                    .custom_flags(libc::O_NONBLOCK)
                    .open(&path);
                gains.extend(gained(path.display(), opened));
            }
        }
    }
    assert!(seen > 100, "there was nothing to attack: {seen}");
    assert!(Path::new("/proc/sys/kernel/core_pattern").exists());
    gains
}

pub(super) fn make_a_device(_: &[&str]) -> Vec<String> {
    let path = CString::new("/tmp/device").unwrap();
    let mut gains = Vec::new();
    for (name, kind) in [("character", libc::S_IFCHR), ("block", libc::S_IFBLK)] {
        // SAFETY: the path is a C string that outlives the call.
        let made = unsafe { libc::mknod(path.as_ptr(), kind | 0o666, libc::makedev(1, 1)) };
        gains.extend((made == 0).then(|| format!("{name} device")));
    }
    gains
}
