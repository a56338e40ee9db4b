//! C: gives up what is left of its rights and becomes the command.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit};
use rustix::thread::{CapabilitySet, CpuSet};

use super::processes::Processes;
use super::{Caller, During as _, Step, file_rules, identity, seccomp};
use crate::command::Isolation;
use crate::wire::Orders;

const CORE_LIMIT: u64 = 1;
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

pub(super) fn main(orders: &Orders, caller: &Caller) -> ! {
    let input = caller.input.as_ref().map(|input| input.as_fd());
    let code = match run(orders, input) {
        Ok(error) => {
            let program = orders.argv.first().cloned().unwrap_or_default();
            let line = format!("remint: cannot run `{}`: {error}\n", program.display());
            let _unsaid = rustix::io::write(rustix::stdio::stderr(), line.as_bytes());
            if error.kind() == io::ErrorKind::NotFound {
                NOT_FOUND
            } else {
                NOT_EXECUTABLE
            }
        }
        Err(failure) => {
            caller.report_failure(&failure);
            1
        }
    };
    // A forked process has nothing to return to.
    std::process::exit(code);
}

/// Returns only when no program could be executed, with the reason.
fn run(orders: &Orders, input: Option<BorrowedFd<'_>>) -> Step<io::Error> {
    rustix::process::setsid().during("start a session")?;
    rustix::process::umask(Mode::from_raw_mode(orders.surroundings.umask));
    limit_processors(orders.surroundings.processors)?;
    let directory = Path::new(&orders.directory);
    rustix::process::chdir(directory).during_at("enter the directory", directory)?;
    default_signals();
    identity::keep_capabilities(CapabilitySet::empty())?;
    limit_resources(orders)?;
    connect_streams(input)?;
    let arguments = strings(&orders.argv)?;
    let environment = strings(orders.environment.iter().map(|(name, value)| {
        let mut entry = name.clone();
        entry.push("=");
        entry.push(value);
        entry
    }))?;
    let candidates = candidates(orders);
    rustix::thread::set_no_new_privs(true).during("give up gaining privileges")?;
    file_rules::apply(orders)?;
    seccomp::apply(orders.isolation, orders.network)?;
    Ok(execute(&candidates, &arguments, &environment))
}

/// What the caller ignores, or this program's runtime handles, is no business of the inside's.
pub(super) fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: the default disposition runs no code of this program. Signals that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is emptied before it is used, and outlives both calls.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Leaves the first so many of the processors that this process may use.
fn limit_processors(most: Option<usize>) -> Step {
    let Some(most) = most else { return Ok(()) };
    let limit = || -> io::Result<()> {
        let usable = rustix::thread::sched_getaffinity(None)?;
        let mut kept = CpuSet::new();
        (0..CpuSet::MAX_CPU)
            .filter(|processor| usable.is_set(*processor))
            .take(most)
            .for_each(|processor| kept.set(processor));
        Ok(rustix::thread::sched_setaffinity(None, &kept)?)
    };
    limit().during("limit the processors")
}

fn limit_resources(orders: &Orders) -> Step {
    let limits = &orders.limits;
    let processes = match orders.isolation {
        Isolation::Namespaces => limits.processes,
        // There the user's other processes count, too.
        Isolation::Landlock => limits.processes.saturating_add(processes_of_this_user()),
    };
    for (resource, wished) in [
        // Not 0: with that the kernel would still start the host's program for crashes, if there is one, as root and
        // outside. Only 1 means none. The system call filter keeps it so.
        (Resource::Core, CORE_LIMIT),
        (Resource::Fsize, limits.disk.max(limits.scratch)),
        (Resource::Memlock, 8 << 20),
        (Resource::Nofile, limits.open_files),
        (Resource::Nproc, processes),
        (Resource::Msgqueue, 1 << 20),
        (Resource::Sigpending, 4096),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
    ] {
        let most = rustix::process::getrlimit(resource)
            .maximum
            .unwrap_or(u64::MAX);
        let value = Some(wished.min(most));
        rustix::process::setrlimit(
            resource,
            Rlimit {
                current: value,
                maximum: value,
            },
        )
        .during("limit what a process may use")?;
    }
    Ok(())
}

fn processes_of_this_user() -> u64 {
    let user = rustix::process::getuid().as_raw().to_string();
    let others = Processes::AllVisible
        .directories()
        .into_iter()
        .filter_map(|process| {
            let status = fs_err::read_to_string(process.join("status")).ok()?;
            let field = |name| {
                status
                    .lines()
                    .find_map(|line: &str| line.strip_prefix(name))?
                    .split_whitespace()
                    .next()
            };
            if field("Uid:")? == user {
                field("Threads:")?.parse::<u64>().ok()
            } else {
                None
            }
        });
    others.fold(0, u64::saturating_add)
}

/// Input comes from where the caller says, or there is none. Output goes where standard error of the helper went: to
/// the log. No other descriptor survives execution.
fn connect_streams(input: Option<BorrowedFd<'_>>) -> Step {
    let connect = || -> io::Result<()> {
        if let Some(input) = input {
            rustix::stdio::dup2_stdin(input)?;
        } else {
            let null = rustix::fs::open("/dev/null", OFlags::RDONLY, Mode::empty())?;
            rustix::stdio::dup2_stdin(&null)?;
            // Where standard input was closed, this is standard input.
            if null.as_raw_fd() == libc::STDIN_FILENO {
                std::mem::forget(null);
            }
        }
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        // SAFETY: only marks descriptors; none is closed while something here owns it.
        let result = unsafe {
            libc::syscall(
                libc::SYS_close_range,
                3,
                u32::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    connect().during("connect the command's input and output")
}

fn strings(words: impl IntoIterator<Item = impl Into<OsString>>) -> Step<Vec<CString>> {
    words
        .into_iter()
        .map(|word| CString::new(word.into().into_encoded_bytes()))
        .collect::<Result<_, _>>()
        .during("pass on the command's words")
}

/// Where the program may be: as given, or in the command's own `PATH`.
fn candidates(orders: &Orders) -> Vec<PathBuf> {
    let Some(program) = orders.argv.first() else {
        return Vec::new();
    };
    if program.as_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    let path = orders.environment.iter().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .collect()
}

fn execute(candidates: &[PathBuf], arguments: &[CString], environment: &[CString]) -> io::Error {
    let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
        words
            .iter()
            .map(|word| word.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    let mut last = io::Error::from_raw_os_error(libc::ENOENT);
    for candidate in candidates {
        let Ok(path) = CString::new(candidate.as_os_str().as_bytes()) else {
            continue;
        };
        // SAFETY: all three are NUL-terminated, the lists end with a null pointer, and all of it is alive.
        unsafe { libc::execve(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
        let error = io::Error::last_os_error();
        let is_missing = matches!(
            error.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
        );
        // As shells do: a file that cannot be run is worth more words than one that is not there.
        if !is_missing || last.kind() == io::ErrorKind::NotFound {
            last = error;
        }
    }
    last
}
