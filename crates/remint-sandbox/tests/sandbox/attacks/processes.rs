//! Attacks on other processes, and on what a process inherits and may use.

use std::io::Read as _;

use super::{IN_PLACE, call, gained, visible_processes};

/// The words are among this process's own arguments, so it does not look there.
pub(super) fn find_the_caller_s_environment(words: &[&str]) -> Vec<String> {
    let own = libc::pid_t::try_from(std::process::id()).unwrap();
    let mut gains = Vec::new();
    for process in visible_processes() {
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

pub(super) fn reach_into_process_1(_: &[&str]) -> Vec<String> {
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

pub(super) fn see_or_signal_other_processes(outside: &[&str]) -> Vec<String> {
    let mut gains = Vec::new();
    let in_place = outside.first() == Some(&IN_PLACE);
    let all = if in_place {
        Vec::new()
    } else {
        visible_processes()
    };
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
pub(super) fn end_process_1(_: &[&str]) -> Vec<String> {
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
pub(super) fn weaken_process_1(_: &[&str]) -> Vec<String> {
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

pub(super) fn use_an_inherited_descriptor(_: &[&str]) -> Vec<String> {
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

pub(super) fn become_somebody_else(_: &[&str]) -> Vec<String> {
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

pub(super) fn lift_a_limit(_: &[&str]) -> Vec<String> {
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
