//! A second thread of process 1 that looks again and again at what the inside uses, and ends it all when that is
//! too much.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::Caller;
use super::disk::DiskWatch;
use super::memory::MemoryWatch;
use crate::wire::{Orders, Report};

/// Looking at every file may take this part of one processor's time: one in so many.
const DISK_SHARE: u32 = 10;

/// The running thread. It ends with the process, and the process with it.
pub(super) struct Warden {
    peak_memory: Arc<AtomicU64>,
}

impl Warden {
    /// Call it inside, after the last fork.
    pub(super) fn start(
        orders: &Orders,
        written: Vec<OwnedFd>,
        caller: &Caller,
    ) -> io::Result<Self> {
        let caller = Caller(caller.0.try_clone()?);
        let mut memory = MemoryWatch::new(orders.limits.memory);
        let limit = orders.limits.disk;
        let peak_memory = Arc::new(AtomicU64::new(0));
        let peak = Arc::clone(&peak_memory);
        std::thread::Builder::new()
            .name("warden".to_owned())
            .spawn(move || {
                let disk = DiskWatch::new(written, limit);
                let mut disk_again = Instant::now();
                let exceeded = loop {
                    std::thread::sleep(memory.pause());
                    let report = memory.glance();
                    peak.store(memory.peak(), Ordering::Relaxed);
                    if report.is_some() {
                        break report;
                    }
                    if disk.is_machine_in_danger() {
                        break Some(Report::DiskExceeded);
                    }
                    if disk_again <= Instant::now() {
                        let started = Instant::now();
                        if disk.is_exceeded() {
                            break Some(Report::DiskExceeded);
                        }
                        disk_again = Instant::now() + started.elapsed() * DISK_SHARE;
                    }
                };
                if let Some(report) = exceeded {
                    caller.report(&report);
                }
                caller.report(&Report::PeakMemory(memory.peak()));
                // The kernel ends everything inside with its first process.
                std::process::exit(1);
            })?;
        Ok(Self { peak_memory })
    }

    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory.load(Ordering::Relaxed)
    }
}
