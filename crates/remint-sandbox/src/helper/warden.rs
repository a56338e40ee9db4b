//! A second thread of the helper that looks again and again at what the command uses, and sounds the alarm when that
//! is too much. Outside of the inside's process namespace, where nothing can get at it.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Instant;

use rustix::thread::CapabilitySet;

use super::disk::DiskWatch;
use super::memory::MemoryWatch;
use super::processes::Processes;
use super::{Caller, During as _, Step, identity};
use crate::wire::{Orders, Report};

/// Looking at every file may take this part of one processor's time: one in so many.
const DISK_SHARE: u32 = 10;

/// The thread, waiting or running. It ends with the process.
pub(super) struct Warden {
    begin: Sender<()>,
    peak_memory: Arc<AtomicU64>,
    /// Becomes readable when a limit was exceeded, which the caller has been told then, or nobody watches any more.
    pub(super) alarm: OwnedFd,
}

impl Warden {
    /// Makes the thread. Until it is told to begin it does nothing but wait, so that the process may still fork.
    pub(super) fn prepare(
        orders: &Orders,
        written: Vec<OwnedFd>,
        processes: Processes,
        caller: &Caller,
    ) -> Step<Self> {
        let prepare = || -> io::Result<Self> {
            let caller = Caller {
                socket: caller.socket.try_clone()?,
                input: None,
            };
            let limits = orders.limits;
            let (alarm, bell) = crate::channel::pair()?;
            let bell = Bell(bell);
            let (begin, has_begun) = std::sync::mpsc::channel();
            let peak_memory = Arc::new(AtomicU64::new(0));
            let peak = Arc::clone(&peak_memory);
            std::thread::Builder::new()
                .name("warden".to_owned())
                .spawn(move || {
                    // Rung however this ends: what is not watched must not run on.
                    let _bell = bell;
                    if has_begun.recv().is_err() {
                        return;
                    }
                    if let Err(failure) = keep_right_to_look() {
                        return caller.report_failure(&failure);
                    }
                    let memory = MemoryWatch::new(limits.memory, processes);
                    let disk = DiskWatch::new(written, limits.disk, processes);
                    caller.report(&look_until_exceeded(memory, &disk, &peak));
                })?;
            Ok(Self {
                begin,
                peak_memory,
                alarm,
            })
        };
        prepare().during("start the second thread")
    }

    /// Call it when what it is to look at is there.
    pub(super) fn begin(&self) -> Step {
        self.begin
            .send(())
            .map_err(|_| io::Error::from(rustix::io::Errno::SRCH))
            .during("start the second thread")
    }

    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory.load(Ordering::Relaxed)
    }
}

/// Makes the other end readable when dropped. By a message, for process 1 holds a copy of this end, so that closing it
/// tells nobody.
struct Bell(OwnedFd);

impl Drop for Bell {
    fn drop(&mut self) {
        // Nobody listens any more: then the process is ending anyway.
        let _unheard = crate::channel::send(self.0.as_fd(), b"!", None);
    }
}

/// In namespaces this process has rights over the inside; of these the thread needs no more than to look.
fn keep_right_to_look() -> Step {
    let held = rustix::thread::capabilities(None)
        .during("drop capabilities")?
        .permitted;
    let to_look = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
    identity::keep_capabilities(held & to_look)
}

fn look_until_exceeded(mut memory: MemoryWatch, disk: &DiskWatch, peak: &AtomicU64) -> Report {
    let mut disk_again = Instant::now();
    loop {
        std::thread::sleep(memory.pause());
        let report = memory.glance();
        peak.store(memory.peak(), Ordering::Relaxed);
        if let Some(report) = report {
            return report;
        }
        if disk.is_machine_in_danger() {
            return Report::DiskShort;
        }
        if disk_again <= Instant::now() {
            let started = Instant::now();
            if disk.is_exceeded() {
                return Report::DiskExceeded;
            }
            disk_again = Instant::now() + started.elapsed() * DISK_SHARE;
        }
    }
}
