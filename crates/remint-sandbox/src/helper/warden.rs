//! A second thread that looks again and again at what the command uses, and ends it all when that is too much.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::Caller;
use super::disk::DiskWatch;
use super::memory::MemoryWatch;
use super::processes::Processes;
use crate::wire::{Orders, Report};

/// Looking at every file may take this part of one processor's time: one in so many.
const DISK_SHARE: u32 = 10;

/// The running thread. It ends with the process.
pub(super) struct Warden {
    peak_memory: Arc<AtomicU64>,
}

impl Warden {
    /// Call it after the last fork. When a limit is exceeded, the caller is told, and `stop` has to end it all.
    pub(super) fn start(
        orders: &Orders,
        written: Vec<OwnedFd>,
        processes: Processes,
        caller: &Caller,
        stop: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let caller = Caller(caller.0.try_clone()?);
        let memory = MemoryWatch::new(orders.limits.memory, processes);
        let limit = orders.limits.disk;
        let peak_memory = Arc::new(AtomicU64::new(0));
        let peak = Arc::clone(&peak_memory);
        std::thread::Builder::new()
            .name("warden".to_owned())
            .spawn(move || {
                let disk = DiskWatch::new(written, limit, processes);
                let exceeded = look_until_exceeded(memory, &disk, &peak);
                caller.report(&exceeded);
                caller.report(&Report::PeakMemory(peak.load(Ordering::Relaxed)));
                stop();
            })?;
        Ok(Self { peak_memory })
    }

    pub(super) fn peak_memory(&self) -> u64 {
        self.peak_memory.load(Ordering::Relaxed)
    }
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
            return Report::DiskExceeded;
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
