//! The weaker level, for machines that refuse namespaces: the command runs among the host's processes and in its
//! directory tree, where Landlock and the system call filter leave it only its own.
//!
//! What it cannot do: show other paths than the host's, limit temporary directories apart, observe what is asked of
//! the network, hide that other processes exist, or end everything should this process be killed.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions};

use super::processes::{Processes, descendants};
use super::warden::Warden;
use super::{Caller, During as _, Step, die_with_parent, init, launch};
use crate::command::Access;
use crate::wire::{Orders, Report};

/// How long processes are hunted that start others faster than they are ended.
const HUNT: Duration = Duration::from_secs(4);

pub(super) fn run(orders: &Orders, caller: &Caller) -> Step {
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .during("close the helper's own files in `/proc`")?;
    let this = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(this)).during("adopt orphaned processes")?;
    // The caller has the proxy's socket already.
    caller.report(&Report::Started);
    let written = written_directories(orders)?;
    // SAFETY: this process has a single thread, so the child finds every lock and every buffer in order.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(std::io::Error::last_os_error()).during("start the command"),
        0 => {
            if die_with_parent().is_err() || rustix::process::getppid() != Some(this) {
                // SAFETY: ends this process at once; its parent is gone.
                unsafe { libc::_exit(1) };
            }
            launch::main(orders, caller)
        }
        child => child,
    };
    let Some(child) = Pid::from_raw(child) else {
        return Err(std::io::Error::from(rustix::io::Errno::CHILD)).during("start the command");
    };
    // Only now: a process with two threads must not fork.
    let watched = watch(orders, caller, child, written);
    end_all(this);
    watched
}

/// Until the command has ended, or has to.
fn watch(orders: &Orders, caller: &Caller, child: Pid, written: Vec<OwnedFd>) -> Step {
    let this = Processes::Below(rustix::process::getpid());
    let warden = Warden::prepare(orders, written, this, caller)?;
    warden.begin()?;
    let ended =
        rustix::process::pidfd_open(child, PidfdFlags::empty()).during("watch the command")?;
    let mut polled =
        [&ended, &caller.socket, &warden.alarm].map(|end| PollFd::new(end, PollFlags::IN));
    loop {
        match rustix::event::poll(&mut polled, None) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).during("watch the command"),
        }
    }
    let [is_ended, ..] = polled.map(|polled| !polled.revents().is_empty());
    if is_ended {
        let status = rustix::process::waitpid(Some(child), WaitOptions::empty())
            .during("wait for the command")?;
        if let Some((_, status)) = status {
            caller.report(&init::ending(status));
        }
    }
    caller.report(&Report::PeakMemory(warden.peak_memory()));
    Ok(())
}

/// Ends all descendants. Nothing outside of them is given to this process, and orphans among them are.
fn end_all(this: Pid) {
    let started = Instant::now();
    while started.elapsed() < HUNT {
        let processes = descendants(this);
        // Who is stopped starts no others while the rest is ended.
        for signal in [Signal::STOP, Signal::KILL] {
            for process in &processes {
                let _gone = rustix::process::kill_process(*process, signal);
            }
        }
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                // Nobody is left.
                Err(_) => return,
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn written_directories(orders: &Orders) -> Step<Vec<OwnedFd>> {
    let writable = orders
        .binds
        .iter()
        .filter(|bind| bind.access == Access::Writable);
    let directories = writable
        .map(|bind| Path::new(&bind.host))
        .filter(|path| path.is_dir());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    directories
        .map(|path| rustix::fs::openat(CWD, path, flags, Mode::empty()).during_at("open", path))
        .collect()
}
