//! The helper process: this program, executed again, single-threaded, with nothing of the caller's but three
//! descriptors. It makes the namespaces, starts the inside's first process, and watches from outside of its reach.
//!
//! Processes, outermost first: the caller; A, the helper ([`outer`]); B, process 1 inside ([`init`]); C, the
//! command ([`launch`]). Each dies with the one before it.

mod disk;
mod file_rules;
mod identity;
mod in_place;
mod init;
mod launch;
mod memory;
mod mounts;
mod network;
mod observer;
mod outer;
mod packets;
mod processes;
mod raw_socket;
mod seccomp;
mod trees;
mod warden;

#[cfg(fuzzing)]
pub(crate) use packets::check_packet;

pub(crate) use memory::available;

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use crate::wire::{HELPER_NAME, Report};

/// Runs the helper, and never returns, if this process was started to be one.
///
/// Call it before anything else in `main`: the helper must have a single thread. The decision is made by
/// argument zero alone, which the environment cannot influence.
pub fn become_helper_if_asked() {
    let mut arguments = std::env::args_os();
    let asked = arguments.next().is_some_and(|name| name == HELPER_NAME);
    if asked && arguments.next().is_none() {
        let code = match outer::main() {
            Ok(()) => 0,
            Err(_) => 1,
        };
        #[expect(
            clippy::exit,
            reason = "the helper must not return into the caller's `main`"
        )]
        std::process::exit(code);
    }
}

pub(crate) use file_rules::{NEEDED_ALONE as LANDLOCK_NEEDED_ALONE, landlock_version};

/// What A tells B when the network is in place, and B may start the command.
const GO: &[u8] = b"go";

/// A step of the preparation that failed.
struct StepFailed {
    step: &'static str,
    path: Option<PathBuf>,
    error: io::Error,
}

type Step<Value = ()> = Result<Value, StepFailed>;

/// Names the step in which an error occurred.
trait During<Value> {
    fn during(self, step: &'static str) -> Step<Value>;
    fn during_at(self, step: &'static str, path: &Path) -> Step<Value>;
}

impl<Value, Error: Into<io::Error>> During<Value> for Result<Value, Error> {
    fn during(self, step: &'static str) -> Step<Value> {
        self.map_err(|error| StepFailed {
            step,
            path: None,
            error: error.into(),
        })
    }

    fn during_at(self, step: &'static str, path: &Path) -> Step<Value> {
        self.map_err(|error| StepFailed {
            step,
            path: Some(path.to_owned()),
            error: error.into(),
        })
    }
}

/// What the caller has given.
struct Caller {
    /// The helper's end of the socket to it.
    socket: OwnedFd,
    /// What the command reads, if it is to read anything.
    input: Option<OwnedFd>,
}

impl Caller {
    /// A caller that is gone needs no reports: its death ends this process anyway.
    fn report(&self, report: &Report) {
        self.report_with(report, None);
    }

    fn report_with(&self, report: &Report, listener: Option<BorrowedFd<'_>>) {
        // Losing a report is no way to success: without `Exited` the caller reports a lost helper.
        let _lost = crate::channel::send(self.socket.as_fd(), &report.encode(), listener);
    }

    fn report_failure(&self, failure: &StepFailed) {
        self.report(&Report::failed(
            failure.step,
            failure.path.as_deref(),
            &failure.error,
        ));
    }
}

/// Asks for this process to be killed when its parent dies. Must be repeated after every change of identity.
fn die_with_parent() -> io::Result<()> {
    let signal = rustix::process::Signal::KILL;
    Ok(rustix::process::set_parent_process_death_signal(Some(
        signal,
    ))?)
}
