//! B: process 1 inside. Makes the root directory, starts the command, buries the dead, and dies with the command,
//! whereupon the kernel ends everything else inside.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{WaitOptions, WaitStatus};
use rustix::thread::CapabilitySet;

use super::trees::Trees;
use super::{Caller, During as _, GO, Step, die_with_parent, identity, launch, mounts};
use crate::wire::{Orders, Report};

pub(super) fn main(orders: &Orders, trees: Trees, caller: &Caller, helper: &OwnedFd) -> ! {
    // The helper takes the closing of this channel for the end, so it stays open until the failure is reported.
    let code = match run(orders, trees, caller, helper) {
        Ok(()) => 0,
        Err(failure) => {
            caller.report_failure(&failure);
            1
        }
    };
    // A forked process has nothing to return to.
    std::process::exit(code);
}

fn run(orders: &Orders, trees: Trees, caller: &Caller, helper: &OwnedFd) -> Step {
    die_with_parent().during("tie process 1 to the helper")?;
    // The kernel shields process 1 from every signal of its children that it has no handler for.
    launch::default_signals();
    mounts::enter_new_root(orders, trees)?;
    rustix::system::sethostname(orders.surroundings.host_name.as_bytes())
        .during("set the host name")?;
    identity::keep_capabilities(CapabilitySet::empty())?;
    wait_for_helper(helper)?;
    // SAFETY: this process has a single thread, so the child finds every lock and every buffer in order.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(std::io::Error::last_os_error()).during("start the command"),
        0 => launch::main(orders, caller),
        child => child,
    };
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((dead, status))) if dead.as_raw_pid() == child => {
                caller.report(&ending(status));
                return Ok(());
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).during("wait for the command"),
        }
    }
}

/// The helper answers when the network is in place; when it is gone instead, so must everything be.
fn wait_for_helper(helper: &OwnedFd) -> Step {
    crate::channel::send(helper.as_fd(), b"!", None).during("tell the helper")?;
    let mut message = [0; 16];
    let (length, _) =
        crate::channel::receive(helper.as_fd(), &mut message).during("wait for the helper")?;
    if message.get(..length) == Some(GO) {
        Ok(())
    } else {
        Err(std::io::Error::from(rustix::io::Errno::CONNRESET)).during("wait for the helper")
    }
}

/// What to tell of the command's end.
pub(super) fn ending(status: WaitStatus) -> Report {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Report::Exited(code),
        (None, signal) => Report::Signalled(signal.unwrap_or_default()),
    }
}
