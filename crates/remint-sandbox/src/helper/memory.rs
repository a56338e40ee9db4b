//! Adds up what all processes inside hold in memory. Decides, where no control group does. Sees `/proc` of the inside.

use std::path::Path;

use crate::command::Limits;
use crate::wire::Report;

/// Where the inside's temporary directories are, all in one memory file system.
const SCRATCH: &str = "/tmp";

pub(super) struct MemoryWatch {
    limit: u64,
    is_limited_by_kernel: bool,
    was_exceeded: bool,
    peak: u64,
}

impl MemoryWatch {
    pub(super) fn new(limits: &Limits, is_limited_by_kernel: bool) -> Self {
        Self {
            limit: limits.memory,
            is_limited_by_kernel,
            was_exceeded: false,
            peak: 0,
        }
    }

    /// Looks at the memory in use; says so when it is too much twice in a row. (A process that is about to execute
    /// another program shares its memory with its parent, and is counted twice for that moment.)
    pub(super) fn glance(&mut self) -> Option<Report> {
        let mut used = scratch_in_use().saturating_add(processes(quick_look));
        if used > self.limit && !self.is_limited_by_kernel {
            // Copies that share their pages count each of them in the quick look.
            used = scratch_in_use().saturating_add(processes(fair_look));
        }
        self.peak = self.peak.max(used);
        let is_exceeded = used > self.limit && !self.is_limited_by_kernel;
        let report = (is_exceeded && self.was_exceeded).then_some(Report::MemoryExceeded);
        self.was_exceeded = is_exceeded;
        report
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }
}

fn scratch_in_use() -> u64 {
    rustix::fs::statvfs(SCRATCH).map_or(0, |scratch| {
        scratch
            .f_blocks
            .saturating_sub(scratch.f_bfree)
            .saturating_mul(scratch.f_frsize)
    })
}

fn processes(look: impl Fn(&Path) -> u64) -> u64 {
    let Ok(entries) = fs_err::read_dir("/proc") else {
        return 0;
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .iter()
                .all(u8::is_ascii_digit)
        })
        .map(|entry| look(&entry.path()))
        .fold(0, u64::saturating_add)
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
        let mut watch = MemoryWatch::new(
            &Limits {
                memory: 0,
                ..Limits::default()
            },
            false,
        );
        assert!(watch.glance().is_none());
        assert!(matches!(watch.glance(), Some(Report::MemoryExceeded)));
        assert!(watch.peak() > 0);
    }
}
