//! Adds up what all processes inside hold in memory. Sees `/proc` of the inside.

use std::path::Path;
use std::time::Duration;

use super::processes::Processes;
use crate::wire::Report;

/// Where the inside's temporary directories are, all in one memory file system.
const SCRATCH: &str = "/tmp";
/// The part of the machine's memory that no build may have, however much it is allowed: one in so many. What the
/// kernel itself holds on behalf of processes (buffers of sockets and pipes) shows up nowhere else.
const RESERVE: u64 = 40;

pub(super) struct MemoryWatch {
    limit: u64,
    processes: Processes,
    was_exceeded: bool,
    used: u64,
    peak: u64,
}

impl MemoryWatch {
    pub(super) fn new(limit: u64, processes: Processes) -> Self {
        Self {
            limit,
            processes,
            was_exceeded: false,
            used: 0,
            peak: 0,
        }
    }

    /// Looks at the memory in use; says so when it is too much twice in a row. (A process that is about to execute
    /// another program shares its memory with its parent, and is counted twice for that moment.)
    pub(super) fn glance(&mut self) -> Option<Report> {
        let mut used = self.add_up(quick_look);
        if used > self.limit {
            // Copies that share their pages count each of them in the quick look.
            used = self.add_up(fair_look);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        let report = if used > self.limit {
            Some(Report::MemoryExceeded)
        } else if is_machine_in_danger() {
            Some(Report::MemoryShort)
        } else {
            None
        };
        let has_lasted = std::mem::replace(&mut self.was_exceeded, report.is_some());
        report.filter(|_| has_lasted)
    }

    fn add_up(&self, look: impl Fn(&Path) -> u64) -> u64 {
        let files = match self.processes {
            Processes::AllVisible => scratch_in_use(),
            // Temporary files are on the disk there.
            Processes::Below(_) => 0,
        };
        let directories = self.processes.directories();
        directories
            .iter()
            .map(|process| look(process))
            .fold(files, u64::saturating_add)
    }

    /// When to look again: soon, if a program in a hurry could reach the limit soon.
    pub(super) fn pause(&self) -> Duration {
        let is_near = self.used > self.limit / 3;
        Duration::from_millis(if is_near { 20 } else { 100 })
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }
}

fn is_machine_in_danger() -> bool {
    let memory = fs_err::read_to_string("/proc/meminfo").unwrap_or_default();
    let all = sum_of(&memory, &["MemTotal:"]);
    // Absent from kernels older than any that is supported, and then no reason to stop.
    available(&memory).is_some_and(|available| available < all / RESERVE)
}

/// What `/proc/meminfo` says could be used without swapping, in bytes.
pub(crate) fn available(memory: &str) -> Option<u64> {
    const NAME: &str = "MemAvailable:";
    memory.contains(NAME).then(|| sum_of(memory, &[NAME]))
}

fn scratch_in_use() -> u64 {
    rustix::fs::statvfs(SCRATCH).map_or(0, |scratch| {
        scratch
            .f_blocks
            .saturating_sub(scratch.f_bfree)
            .saturating_mul(scratch.f_frsize)
    })
}

/// Memory that is the process's own, with its page tables.
fn quick_look(process: &Path) -> u64 {
    let status = fs_err::read_to_string(process.join("status")).unwrap_or_default();
    sum_of(&status, &["RssAnon:", "RssShmem:", "VmSwap:", "VmPTE:"])
}

/// The same with shared pages divided among those who share them. Slower: the kernel counts page by page.
fn fair_look(process: &Path) -> u64 {
    match fs_err::read_to_string(process.join("smaps_rollup")) {
        Ok(rollup) => sum_of(&rollup, &["Pss_Anon:", "Pss_Shmem:", "SwapPss:"]),
        // Gone, or keeping its secrets: then it counts in full.
        Err(_) => quick_look(process),
    }
}

/// Adds up lines like `RssAnon:     1234 kB`, in bytes.
fn sum_of(text: &str, names: &[&str]) -> u64 {
    text.lines()
        .filter_map(|line| {
            let value = names.iter().find_map(|name| line.strip_prefix(name))?;
            value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .fold(0_u64, |sum, kilobytes| {
            sum.saturating_add(kilobytes.saturating_mul(1024))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_asked_for_are_added() {
        let status = "Name:\tnode\nRssAnon:\t    1000 kB\nRssFile:\t 5000 kB\nVmSwap:\t 24 kB\nVmPTE: x kB\n";
        assert_eq!(
            sum_of(status, &["RssAnon:", "VmSwap:", "VmPTE:"]),
            1024 * 1024
        );
    }

    #[test]
    fn too_much_memory_is_reported_when_it_lasts() {
        let mut watch = MemoryWatch::new(0, Processes::AllVisible);
        assert!(watch.glance().is_none());
        assert!(matches!(watch.glance(), Some(Report::MemoryExceeded)));
        assert!(watch.peak() > 0);
    }

    #[test]
    fn the_nearer_the_limit_the_sooner_the_next_look() {
        let mut watch = MemoryWatch::new(300, Processes::AllVisible);
        assert_eq!(watch.pause(), Duration::from_millis(100));
        watch.used = 200;
        assert_eq!(watch.pause(), Duration::from_millis(20));
    }
}
