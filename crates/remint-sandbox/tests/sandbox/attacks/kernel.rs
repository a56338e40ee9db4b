//! Attacks through system calls, and on what the machine tells about itself.

use std::io::Read as _;

use super::{call, gained, not_refused_with};
use crate::system_calls::{REFUSED, UNKNOWN};

const NAMESPACES: &[(&str, libc::c_int)] = &[
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("net", libc::CLONE_NEWNET),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

pub(super) fn make_a_namespace(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    for (name, flag) in NAMESPACES {
        let flag = libc::c_long::from(*flag);
        let unshared = call(libc::SYS_unshare, [flag, 0, 0, 0, 0]);
        gains.extend(not_refused_with(
            libc::EPERM,
            &format!("unshare {name}"),
            unshared,
        ));
        for companion in [0, libc::c_long::from(libc::CLONE_NEWUSER)] {
            let flags = flag | companion | libc::c_long::from(libc::SIGCHLD);
            let cloned = call(libc::SYS_clone, [flags, 0, 0, 0, 0]);
            if cloned.as_ref().is_ok_and(|child| *child == 0) {
                // SAFETY: a forked process that is not wanted.
                unsafe { libc::_exit(0) };
            }
            gains.extend(not_refused_with(
                libc::EPERM,
                &format!("clone {name}"),
                cloned,
            ));
        }
    }
    const CLONE_NEWTIME: libc::c_long = 0x80;
    let time = call(libc::SYS_unshare, [CLONE_NEWTIME, 0, 0, 0, 0]);
    gains.extend(not_refused_with(libc::EPERM, "unshare time", time));
    gains.extend(not_refused_with(
        libc::ENOSYS,
        "clone3",
        call(libc::SYS_clone3, [0; 5]),
    ));
    gains
}

pub(super) fn enter_a_namespace(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    for (name, _) in NAMESPACES {
        let name = name.replace("mount", "mnt");
        let own = fs_err::File::open(format!("/proc/self/ns/{name}")).unwrap();
        let descriptor = libc::c_long::from(std::os::fd::AsRawFd::as_raw_fd(&own));
        let entered = call(libc::SYS_setns, [descriptor, 0, 0, 0, 0]);
        gains.extend(not_refused_with(libc::EPERM, &name, entered));
    }
    gains
}

pub(super) fn call_what_is_refused(_: &[&str]) -> Vec<String> {
    let refused = REFUSED
        .iter()
        .filter_map(|(name, number)| not_refused_with(libc::EPERM, name, call(*number, [0; 5])));
    let unknown = UNKNOWN
        .iter()
        .filter_map(|(name, number)| not_refused_with(libc::ENOSYS, name, call(*number, [0; 5])));
    refused.chain(unknown).collect()
}

/// The numbers of other tables than this processor's main one.
pub(super) fn call_through_another_door(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    const X32: libc::c_long = 0x4000_0000;
    for number in [libc::SYS_getpid, libc::SYS_mount, 512, 547] {
        let result = call(X32 | number, [0; 5]);
        gains.extend(not_refused_with(
            libc::ENOSYS,
            &format!("x32 call {number}"),
            result,
        ));
    }
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: this process has a single thread.
        let child = unsafe { libc::fork() };
        if child == 0 {
            const GETPID_OF_I386: u64 = 20;
            let result: u64;
            // SAFETY: the call takes no arguments and changes no memory.
            unsafe {
                std::arch::asm!("int 0x80", inlateout("rax") GETPID_OF_I386 => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
            }
            // SAFETY: a forked process that has nothing more to do.
            unsafe { libc::_exit(i32::from(result != 0)) };
        }
        let mut status = 0;
        // SAFETY: the status outlives the call.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        gains.extend((!libc::WIFSIGNALED(status)).then(|| format!("i386 call: {status}")));
    }
    gains
}

pub(super) fn type_into_the_terminal(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    for (name, request) in [("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541c)] {
        for upper_half in [0, 1 << 40] {
            let result = call(libc::SYS_ioctl, [0, request | upper_half, 0, 0, 0]);
            gains.extend(not_refused_with(libc::EPERM, name, result));
        }
    }
    gains.extend(gained("/dev/tty", fs_err::File::open("/dev/tty")));
    gains.extend(gained("/dev/ptmx", fs_err::File::open("/dev/ptmx")));
    gains
}

pub(super) fn learn_about_the_machine(_: &[&str]) -> Vec<String> {
    let covered = [
        "kcore",
        "keys",
        "timer_list",
        "sysrq-trigger",
        "kallsyms",
        "modules",
        "interrupts",
        "iomem",
        "kmsg",
    ];
    let mut gains = Vec::new();
    for name in covered {
        let mut content = Vec::new();
        if let Ok(opened) = fs_err::File::open(format!("/proc/{name}")) {
            let _refused = opened.take(4096).read_to_end(&mut content);
        }
        gains.extend((!content.is_empty()).then(|| name.to_owned()));
    }
    let name = fs_err::read_to_string("/proc/sys/kernel/hostname").unwrap();
    gains.extend((name.trim() != "remint").then_some(name));
    gains
}
