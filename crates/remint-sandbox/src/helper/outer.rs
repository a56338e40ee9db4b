//! A: makes the namespaces and their network, starts process 1 inside, watches, and tells the caller.

use std::io::Seek as _;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use rustix::thread::CapabilitySet;

use super::observer::Observer;
use super::processes::Processes;
use super::trees::Trees;
use super::warden::Warden;
use super::{Caller, During as _, GO, Step, die_with_parent, identity, in_place, init, network};
use crate::command::{Access, Isolation};
use crate::owner::Owner;
use crate::wire::{Orders, Report};

/// Among the first to go when the whole machine runs out of memory.
const OUT_OF_MEMORY_SCORE: &str = "500";

/// An error was reported to the caller, or the caller is gone.
pub(super) struct Ended;

pub(super) fn main() -> Result<(), Ended> {
    // SAFETY: the caller started this process with these three descriptors, nothing has taken them yet, and
    // everything above them is closed before anything could own it.
    let (orders, socket) = unsafe {
        libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0);
        (OwnedFd::from_raw_fd(0), OwnedFd::from_raw_fd(1))
    };
    let mut caller = Caller {
        socket,
        input: None,
    };
    match run(orders, &mut caller) {
        Ok(()) => Ok(()),
        Err(failure) => {
            caller.report_failure(&failure);
            Err(Ended)
        }
    }
}

fn run(orders: OwnedFd, caller: &mut Caller) -> Step {
    let mut orders_file = std::fs::File::from(orders);
    orders_file.rewind().during("read the helper's orders")?;
    let orders = Orders::read(&mut orders_file).during("read the helper's orders")?;
    // While standard input is taken by the orders: what is received must not become it, and end with execution.
    if orders.reads_input {
        let (_, input) = crate::channel::receive(caller.socket.as_fd(), &mut [0; 1])
            .during("receive the command's input")?;
        caller.input = Some(
            input
                .ok_or(rustix::io::Errno::BADF)
                .during("receive the command's input")?,
        );
    }
    drop(orders_file);
    die_with_parent().during("tie the helper to its caller")?;
    if rustix::process::getppid().map(Pid::as_raw_pid) != Some(orders.caller) {
        return Err(std::io::Error::from(rustix::io::Errno::SRCH)).during("find the caller");
    }
    forgo_precedence().during("give up precedence over other processes")?;
    // Raising is always allowed; where `/proc` is odd, the machine's own choice will do.
    let _unchanged = fs_err::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);

    match orders.isolation {
        Isolation::Namespaces => in_namespaces(&orders, caller),
        Isolation::Landlock => in_place::run(&orders, caller),
    }
}

/// A caller with precedence keeps it to itself: foreign code is nobody to prefer to the machine's other work.
fn forgo_precedence() -> std::io::Result<()> {
    if rustix::process::getpriority_process(None)? < 0 {
        rustix::process::setpriority_process(None, 0)?;
    }
    Ok(())
}

fn in_namespaces(orders: &Orders, caller: &Caller) -> Step {
    let trees = match orders.owner {
        Owner::Throwaway { .. } => {
            let trees = Trees::take(orders)?;
            identity::become_owner(orders.owner)?;
            identity::enter_namespaces(orders.surroundings.user)?;
            trees
        }
        Owner::Caller { .. } => {
            identity::enter_namespaces(orders.surroundings.user)?;
            Trees::take(orders)?
        }
    };
    let written = written_directories(orders, &trees)?;
    let warden = Warden::prepare(orders, written, Processes::AllVisible, caller)?;
    identity::enter_process_namespace()?;
    let (ours, theirs) = crate::channel::pair().during("open a channel to process 1")?;
    // SAFETY: the other thread only waits, and the C library keeps its own locks in order over a fork, so the child finds
    // nothing half done.
    let child = match unsafe { libc::fork() } {
        -1 => return Err(std::io::Error::last_os_error()).during("start process 1"),
        0 => {
            drop(ours);
            init::main(orders, trees, caller, &theirs)
        }
        child => child,
    };
    drop(theirs);
    drop(trees);
    let Some(child) = Pid::from_raw(child) else {
        return Err(std::io::Error::from(rustix::io::Errno::CHILD)).during("start process 1");
    };
    let watched = watch(orders, caller, &ours, child, &warden);
    // Whatever came of it: nothing inside survives this, and the wait lasts until nothing does.
    let _already_gone = rustix::process::kill_process(child, Signal::KILL);
    let reaped = rustix::process::waitpid(Some(child), WaitOptions::empty());
    let (observer, over) = watched?;
    if let (Over::Ended, Ok(Some((_, status)))) = (over, reaped)
        && let Some(signal) = status.terminating_signal()
    {
        // Somebody outside has ended process 1, and with it the command; otherwise it has told how that ended.
        caller.report(&Report::Signalled(signal));
    }
    caller.report(&Report::PeakMemory(warden.peak_memory()));
    observer.finish(caller);
    Ok(())
}

/// Why there is nothing more to watch.
enum Over {
    /// Process 1 is gone.
    Ended,
    /// It has to go.
    Stopped,
}

/// Until the command has ended, or has to.
fn watch(
    orders: &Orders,
    caller: &Caller,
    process_1: &OwnedFd,
    child: Pid,
    warden: &Warden,
) -> Step<(Observer, Over)> {
    let listener = network::prepare(orders.network)?;
    let mut observer = Observer::start()?;
    let ended =
        rustix::process::pidfd_open(child, PidfdFlags::empty()).during("watch process 1")?;
    let mut byte = [0; 1];
    let (ready, _) =
        crate::channel::receive(process_1.as_fd(), &mut byte).during("wait for process 1")?;
    if ready == 0 {
        // It has told the caller why.
        return Ok((observer, Over::Stopped));
    }
    // The root directory is the new one by now, also for this process.
    warden.begin()?;
    identity::keep_capabilities(CapabilitySet::empty())?;
    caller.report_with(
        &Report::Started,
        listener.as_ref().map(|listener| listener.as_fd()),
    );
    drop(listener);
    crate::channel::send(process_1.as_fd(), GO, None).during("start the command")?;

    loop {
        let mut polled: Vec<PollFd<'_>> =
            [ended.as_fd(), caller.socket.as_fd(), warden.alarm.as_fd()]
                .into_iter()
                .chain(observer.sockets())
                .map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN))
                .collect();
        match rustix::event::poll(&mut polled, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).during("watch the command"),
        }
        let mut has_come = polled.iter().map(|polled| !polled.revents().is_empty());
        let is_ended = has_come.next().unwrap_or(true);
        let is_unwanted = has_come.take(2).any(|has_come| has_come);
        drop(polled);
        observer.look(caller);
        if is_ended {
            return Ok((observer, Over::Ended));
        }
        if is_unwanted {
            return Ok((observer, Over::Stopped));
        }
    }
}

/// What the command writes to the host's disk.
fn written_directories(orders: &Orders, trees: &Trees) -> Step<Vec<OwnedFd>> {
    let states = trees.layers.iter().map(|layer| &layer.state);
    let binds = orders.binds.iter().zip(&trees.binds);
    let writable =
        binds.filter(|(bind, tree)| bind.access == Access::Writable && tree.is_directory);
    states
        .chain(writable.map(|(_, tree)| &tree.mount))
        .map(OwnedFd::try_clone)
        .collect::<Result<_, _>>()
        .during("keep hold of the command's directories")
}
