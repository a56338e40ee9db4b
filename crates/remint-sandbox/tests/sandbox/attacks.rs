//! The attacks that the sandbox has to repel, one function each: it returns what it gained, which is to be nothing.

use fs_err::os::unix::fs::OpenOptionsExt as _;
use std::ffi::CString;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

use crate::system_calls::{REFUSED, UNKNOWN};

type Attack = fn(&[&str]) -> Vec<String>;

pub(crate) const ALL: &[(&str, Attack)] = &[
    ("read_what_is_the_caller_s", read_what_is_the_caller_s),
    ("write_outside_of_the_build", write_outside_of_the_build),
    ("open_a_kernel_knob", open_a_kernel_knob),
    (
        "find_the_caller_s_environment",
        find_the_caller_s_environment,
    ),
    ("reach_into_process_1", reach_into_process_1),
    (
        "see_or_signal_other_processes",
        see_or_signal_other_processes,
    ),
    ("end_process_1", end_process_1),
    ("weaken_process_1", weaken_process_1),
    ("use_an_inherited_descriptor", use_an_inherited_descriptor),
    ("become_somebody_else", become_somebody_else),
    ("make_a_namespace", make_a_namespace),
    ("enter_a_namespace", enter_a_namespace),
    ("make_a_device", make_a_device),
    ("call_what_is_refused", call_what_is_refused),
    ("call_through_another_door", call_through_another_door),
    ("type_into_the_terminal", type_into_the_terminal),
    ("open_a_strange_socket", open_a_strange_socket),
    ("reach_the_host_s_services", reach_the_host_s_services),
    ("change_the_network", change_the_network),
    ("lift_a_limit", lift_a_limit),
    ("learn_about_the_machine", learn_about_the_machine),
];

/// The first parameter where other processes and the host's files are in sight.
const IN_PLACE: &str = "in-place";

/// Runs something that is to fail, and reports it if it does not.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what was gained is of no further use"
)]
fn gained<T>(what: impl std::fmt::Display, result: io::Result<T>) -> Option<String> {
    result.is_ok().then(|| what.to_string())
}

fn call(number: libc::c_long, arguments: [libc::c_long; 5]) -> io::Result<libc::c_long> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: this process exists to find out that the call is refused; if it is not, the test has failed.
    match unsafe { libc::syscall(number, a, b, c, d, e) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

/// Like `gained`, for calls that have to fail with one certain error.
fn not_refused_with(error: i32, name: &str, result: io::Result<libc::c_long>) -> Option<String> {
    match result {
        Err(refusal) if refusal.raw_os_error() == Some(error) => None,
        other => Some(format!("{name}: {other:?} instead of error {error}")),
    }
}

fn read_what_is_the_caller_s(secrets: &[&str]) -> Vec<String> {
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

fn write_outside_of_the_build(_: &[&str]) -> Vec<String> {
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
fn open_a_kernel_knob(_: &[&str]) -> Vec<String> {
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

/// The words are among this process's own arguments, so it does not look there.
fn find_the_caller_s_environment(words: &[&str]) -> Vec<String> {
    let own = libc::pid_t::try_from(std::process::id()).unwrap();
    let mut gains = Vec::new();
    for process in processes() {
        for file in ["environ", "auxv", "maps", "mem", "cmdline"] {
            let path = format!("/proc/{process}/{file}");
            let Ok(opened) = fs_err::File::open(&path) else {
                continue;
            };
            let mut content = Vec::new();
            // `mem` cannot be read from its beginning, which is not mapped.
            let _partial = opened.take(1 << 20).read_to_end(&mut content);
            let text = String::from_utf8_lossy(&content);
            let is_found = words.iter().any(|word| text.contains(word));
            if is_found && !(process == own && file == "cmdline")
                || process == 1 && file != "cmdline" && !content.is_empty()
            {
                gains.push(path);
            }
        }
    }
    let is_found = |text: &str| words.iter().any(|word| text.contains(word));
    gains.extend(
        std::env::vars()
            .filter(|(name, value)| is_found(name) || is_found(value))
            .map(|(name, _)| format!("variable {name}")),
    );
    gains
}

fn reach_into_process_1(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    for link in [
        "exe", "root", "cwd", "fd/0", "fd/1", "fd/2", "ns/mnt", "ns/user",
    ] {
        let path = format!("/proc/1/{link}");
        gains.extend(gained(&path, fs_err::read_link(&path)));
        gains.extend(gained(&path, fs_err::File::open(&path)));
    }
    for file in ["exe", "mem", "oom_score_adj", "uid_map", "setgroups"] {
        let path = format!("/proc/1/{file}");
        gains.extend(gained(
            &path,
            fs_err::OpenOptions::new().write(true).open(&path),
        ));
    }
    gains
}

fn see_or_signal_other_processes(outside: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let in_place = outside.first() == Some(&IN_PLACE);
    let all = if in_place { Vec::new() } else { processes() };
    if all.len() > 2 {
        gains.push(format!("processes {all:?}"));
    }
    for process in outside
        .iter()
        .filter_map(|process| process.parse::<libc::pid_t>().ok())
    {
        // SAFETY: signal 0 only asks.
        if !all.contains(&process) && unsafe { libc::kill(process, 0) } == 0 {
            gains.push(format!("process {process}"));
        }
    }
    gains
}

/// Sends every signal there is, to all of its threads, too. That the command's exit code arrives outside proves
/// that it did not help.
fn end_process_1(_: &[&str]) -> Vec<String> {
    let threads: Vec<libc::pid_t> = fs_err::read_dir("/proc/1/task")
        .unwrap()
        .map(|thread| {
            thread
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    for signal in 1..=64 {
        for thread in &threads {
            // SAFETY: signals harm nothing but what they are sent to.
            unsafe {
                libc::kill(1, signal);
                libc::syscall(libc::SYS_tgkill, 1, *thread, signal);
            }
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let stat = fs_err::read_to_string("/proc/1/stat").unwrap();
    let state = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .get(..1)
        .map(str::to_owned);
    let now = fs_err::read_dir("/proc/1/task").unwrap().count();
    if state.as_deref() == Some("S") && now == threads.len() {
        Vec::new()
    } else {
        vec![format!(
            "process 1 is in state {state:?}, with {now} of {} threads",
            threads.len()
        )]
    }
}

/// It has the same user, so that only the system call filter stands in the way.
fn weaken_process_1(_: &[&str]) -> Vec<String> {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let mut gains = Vec::new();
    for (name, resource) in [
        ("cpu", libc::RLIMIT_CPU),
        ("open files", libc::RLIMIT_NOFILE),
    ] {
        // SAFETY: the limit outlives the call, and nothing is asked for.
        let result = unsafe { libc::prlimit(1, resource, &raw const none, std::ptr::null_mut()) };
        gains.extend((result == 0).then(|| name.to_owned()));
    }
    gains
}

fn use_an_inherited_descriptor(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    for entry in fs_err::read_dir("/proc/self/fd")
        .unwrap()
        .map(Result::unwrap)
    {
        let target = fs_err::read_link(entry.path())
            .unwrap()
            .display()
            .to_string();
        let expected = match entry.file_name().to_str().unwrap() {
            "0" => target == "/dev/null",
            "1" | "2" => target.starts_with("pipe:["),
            // The one that lists this directory.
            _ => target.starts_with("/proc/"),
        };
        gains.extend((!expected).then(|| format!("{} {target}", entry.file_name().display())));
    }
    gains
}

fn become_somebody_else(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    for line in status.lines() {
        let mut words = line.split_whitespace();
        let (name, value) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let expected = match name {
            "CapInh:" | "CapPrm:" | "CapEff:" | "CapBnd:" | "CapAmb:" => "0000000000000000",
            "NoNewPrivs:" => "1",
            "Seccomp:" => "2",
            "Uid:" | "Gid:" => "1000",
            _ => continue,
        };
        gains.extend((value != expected).then(|| line.to_owned()));
    }
    for (name, number) in [
        ("setuid", libc::SYS_setuid),
        ("setgid", libc::SYS_setgid),
        ("setfsuid", libc::SYS_setfsuid),
    ] {
        let result = call(number, [0; 5]);
        // `setfsuid` answers with the number it had, whatever it does.
        let is_refused =
            result.is_err() || (name == "setfsuid" && call(number, [-1; 5]).ok() == Some(1000));
        gains.extend((!is_refused).then(|| name.to_owned()));
    }
    let groups = [0_u32];
    // SAFETY: the pointer is to one group.
    gains.extend(
        (unsafe { libc::setgroups(1, groups.as_ptr()) } == 0).then(|| "setgroups".to_owned()),
    );
    gains.extend(gained(
        "uid_map",
        fs_err::write("/proc/self/uid_map", "0 1000 1"),
    ));
    gains
}

const NAMESPACES: &[(&str, libc::c_int)] = &[
    ("user", libc::CLONE_NEWUSER),
    ("mount", libc::CLONE_NEWNS),
    ("pid", libc::CLONE_NEWPID),
    ("net", libc::CLONE_NEWNET),
    ("ipc", libc::CLONE_NEWIPC),
    ("uts", libc::CLONE_NEWUTS),
    ("cgroup", libc::CLONE_NEWCGROUP),
];

fn make_a_namespace(_: &[&str]) -> Vec<String> {
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

fn enter_a_namespace(_: &[&str]) -> Vec<String> {
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

fn make_a_device(_: &[&str]) -> Vec<String> {
    let path = CString::new("/tmp/device").unwrap();
    let mut gains = Vec::new();
    for (name, kind) in [("character", libc::S_IFCHR), ("block", libc::S_IFBLK)] {
        // SAFETY: the path is a C string that outlives the call.
        let made = unsafe { libc::mknod(path.as_ptr(), kind | 0o666, libc::makedev(1, 1)) };
        gains.extend((made == 0).then(|| format!("{name} device")));
    }
    gains
}

fn call_what_is_refused(_: &[&str]) -> Vec<String> {
    let refused = REFUSED
        .iter()
        .filter_map(|(name, number)| not_refused_with(libc::EPERM, name, call(*number, [0; 5])));
    let unknown = UNKNOWN
        .iter()
        .filter_map(|(name, number)| not_refused_with(libc::ENOSYS, name, call(*number, [0; 5])));
    refused.chain(unknown).collect()
}

/// The numbers of other tables than this processor's main one.
fn call_through_another_door(_: &[&str]) -> Vec<String> {
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

fn type_into_the_terminal(_: &[&str]) -> Vec<String> {
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

fn open_a_strange_socket(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let stream = libc::SOCK_STREAM;
    for (name, family, kind, protocol) in [
        ("vsock", libc::AF_VSOCK, stream, 0),
        ("alg", libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        ("packet", libc::AF_PACKET, libc::SOCK_RAW, 0x300),
        ("key", libc::AF_KEY, libc::SOCK_RAW, 2),
        ("bluetooth", libc::AF_BLUETOOTH, libc::SOCK_RAW, 1),
        ("xdp", libc::AF_XDP, libc::SOCK_RAW, 0),
        ("tipc", libc::AF_TIPC, stream, 0),
        ("can", libc::AF_CAN, libc::SOCK_RAW, 1),
        ("raw", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        (
            "raw, close on exec",
            libc::AF_INET6,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            58,
        ),
        ("ping", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        ("sctp", libc::AF_INET, stream, libc::IPPROTO_SCTP),
        ("sctp unnamed", libc::AF_INET6, libc::SOCK_SEQPACKET, 0),
        (
            "udplite",
            libc::AF_INET,
            libc::SOCK_DGRAM,
            libc::IPPROTO_UDPLITE,
        ),
        ("old packet", libc::AF_INET, 10, 0x300),
        ("audit", libc::AF_NETLINK, libc::SOCK_RAW, 9),
        ("netfilter", libc::AF_NETLINK, libc::SOCK_RAW, 12),
        ("uevent", libc::AF_NETLINK, libc::SOCK_RAW, 15),
    ] {
        let words = [family, kind, protocol].map(libc::c_long::from);
        let opened = call(libc::SYS_socket, [words[0], words[1], words[2], 0, 0]);
        gains.extend(not_refused_with(libc::EAFNOSUPPORT, name, opened));
    }
    let mut ends = [0; 2];
    // SAFETY: there is room for two descriptors.
    let pair = unsafe { libc::socketpair(libc::AF_TIPC, stream, 0, ends.as_mut_ptr()) };
    gains.extend((pair == 0).then(|| "pair of tipc".to_owned()));
    gains
}

/// Words: a TCP port on the host's loopback, an abstract name, and the path of a socket.
fn reach_the_host_s_services(words: &[&str]) -> Vec<String> {
    use std::os::linux::net::SocketAddrExt as _;
    let [port, name, path] = words else {
        panic!("which services?");
    };
    let mut gains = Vec::new();
    for host in [
        "127.0.0.1",
        "[::1]",
        "0.0.0.0",
        "169.254.169.254",
        "10.0.2.2",
        "172.17.0.1",
    ] {
        let address = format!("{host}:{port}");
        gains.extend(gained(&address, std::net::TcpStream::connect(&address)));
    }
    let address = SocketAddr::from_abstract_name(name).unwrap();
    gains.extend(gained(
        "the abstract socket",
        UnixStream::connect_addr(&address),
    ));
    gains.extend(gained("the socket", UnixStream::connect(path)));
    gains
}

fn change_the_network(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let interfaces = fs_err::read_to_string("/proc/net/dev").unwrap();
    gains.extend((interfaces.lines().count() != 3).then_some(interfaces));
    // SAFETY: all-zero is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *byte as libc::c_char;
    }
    // SAFETY: a plain socket.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
    assert!(socket >= 0);
    // SAFETY: the request outlives the call, and names an interface and no flags: down.
    let down = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw mut request) };
    gains.extend((down == 0).then(|| "the loopback is down".to_owned()));
    gains
}

fn lift_a_limit(_: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    for (name, resource) in [
        ("core", libc::RLIMIT_CORE),
        ("fsize", libc::RLIMIT_FSIZE),
        ("nofile", libc::RLIMIT_NOFILE),
        ("nproc", libc::RLIMIT_NPROC),
        ("memlock", libc::RLIMIT_MEMLOCK),
    ] {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: the limit outlives both calls.
        let result = unsafe {
            libc::getrlimit(resource, &raw mut limit);
            limit.rlim_max += 1;
            libc::setrlimit(resource, &raw const limit)
        };
        gains.extend((result == 0).then(|| name.to_owned()));
    }
    // With 0 instead of 1 the kernel would start the host's program for crashes.
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit outlives the call.
    let lowered = unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    gains.extend((lowered == 0).then(|| "no core".to_owned()));
    // SAFETY: a plain number.
    gains.extend(
        (unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -5) } == 0)
            .then(|| "priority".to_owned()),
    );
    gains
}

fn learn_about_the_machine(_: &[&str]) -> Vec<String> {
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

fn processes() -> Vec<libc::pid_t> {
    let entries = fs_err::read_dir("/proc").unwrap().filter_map(Result::ok);
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
