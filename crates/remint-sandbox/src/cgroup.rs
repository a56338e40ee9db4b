//! A control group for one command, where this process may make one: then the kernel counts its memory and its
//! processes exactly. Where it may not, the helper's own watch has to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::command::Limits;

const PREFIX: &str = "remint-";

/// The helper and process 1 count, too.
const OWN_PROCESSES: u64 = 4;

/// The groups of one command: one, or one per controller where the machine still uses the first version. Removed
/// when dropped, which has to be after the last process has ended.
pub(crate) struct ControlGroup {
    memory: Group,
    processes: Option<Group>,
}

struct Group {
    directory: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl ControlGroup {
    /// Nothing, unless memory can be limited.
    pub(crate) fn make(limits: &Limits) -> Option<Self> {
        let mounts = fs_err::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs_err::read_to_string("/proc/self/cgroup").ok()?;
        let make = |controller| {
            places(&mounts, &own, controller)
                .into_iter()
                .find_map(|(parent, version)| Group::make(&parent, version, controller))
        };
        let memory = make("memory")?;
        memory.limit_memory(limits.memory).ok()?;
        let most = limits.processes.saturating_add(OWN_PROCESSES);
        let processes = match memory.version {
            Version::Two => {
                // One group for everything; the limit of processes proper is set elsewhere, too.
                let _not_delegated = memory.write("pids.max", most);
                None
            }
            Version::One => make("pids").filter(|group| group.write("pids.max", most).is_ok()),
        };
        Some(Self { memory, processes })
    }

    /// Puts a process, and whatever it will start, into the group.
    pub(crate) fn admit(&self, process: u32) -> io::Result<()> {
        self.memory.write("cgroup.procs", u64::from(process))?;
        match &self.processes {
            Some(group) => group.write("cgroup.procs", u64::from(process)),
            None => Ok(()),
        }
    }

    /// Whether the kernel had to end a process to keep the group within its memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let events = match self.memory.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        fs_err::read_to_string(self.memory.directory.join(events))
            .is_ok_and(|events| value_of(&events, "oom_kill").is_some_and(|count| count > 0))
    }
}

impl Group {
    fn make(parent: &Path, version: Version, controller: &str) -> Option<Self> {
        if version == Version::Two {
            let delegated = fs_err::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
            delegated
                .split_whitespace()
                .find(|delegated| *delegated == controller)?;
        }
        sweep(parent);
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs_err::create_dir(&directory).ok()?;
        Some(Self { directory, version })
    }

    fn limit_memory(&self, bytes: u64) -> io::Result<()> {
        match self.version {
            Version::One => {
                self.write("memory.limit_in_bytes", bytes)?;
                // Missing where the kernel does not count what is swapped out.
                let _uncounted = self.write("memory.memsw.limit_in_bytes", bytes);
            }
            Version::Two => {
                self.write("memory.max", bytes)?;
                let _uncounted = self.write("memory.swap.max", 0);
                let _one_by_one = self.write("memory.oom.group", 1);
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, value: u64) -> io::Result<()> {
        fs_err::write(self.directory.join(name), value.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The kernel needs a moment to forget the last process. What remains is swept by the next run.
        for _ in 0..50 {
            match rustix::fs::rmdir(&self.directory) {
                Err(rustix::io::Errno::BUSY) => {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
                Ok(()) | Err(_) => return,
            }
        }
    }
}

/// Removes groups whose makers were killed. The kernel keeps those that are in use.
fn sweep(parent: &Path) {
    let Ok(entries) = fs_err::read_dir(parent) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let maker = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next())
            .and_then(|process| process.parse::<u32>().ok());
        if maker.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            let _in_use = rustix::fs::rmdir(entry.path());
        }
    }
}

/// Where a group could be made: in the own one, or beside it.
fn places(mounts: &str, own: &str, controller: &str) -> Vec<(PathBuf, Version)> {
    let mut places = Vec::new();
    for mount in mounts.lines().filter_map(Mount::read) {
        let version = match mount.kind {
            "cgroup2" => Version::Two,
            "cgroup" if mount.options.split(',').any(|option| option == controller) => Version::One,
            _ => continue,
        };
        let path = own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            let is_it = match version {
                Version::One => controllers.split(',').any(|name| name == controller),
                Version::Two => controllers.is_empty(),
            };
            is_it.then_some(path)
        });
        let Some(below) = path.and_then(|path| Path::new(path).strip_prefix(mount.root).ok())
        else {
            continue;
        };
        let here = Path::new(mount.point).join(below);
        if !below.as_os_str().is_empty() {
            places.extend(here.parent().map(|beside| (beside.to_owned(), version)));
        }
        places.insert(0, (here, version));
    }
    places
}

/// A line of `mountinfo`.
struct Mount<'line> {
    root: &'line str,
    point: &'line str,
    kind: &'line str,
    options: &'line str,
}

impl<'line> Mount<'line> {
    fn read(line: &'line str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        Some(Self {
            root: before.next()?,
            point: before.next()?,
            kind: after.next()?,
            options: after.nth(1)?,
        })
    }
}

/// The number after a name, in lines of names and numbers.
fn value_of(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_has_a_place_per_controller() {
        let mounts = "20 10 0:1 / / rw - ext4 /dev/vda rw\n\
             27 26 0:24 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
             30 26 0:27 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
             33 26 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let own = "8:pids:/\n4:memory:/job/7\n";
        assert_eq!(
            places(mounts, own, "memory"),
            [
                ("/sys/fs/cgroup/memory/job/7".into(), Version::One),
                ("/sys/fs/cgroup/memory/job".into(), Version::One)
            ]
        );
        assert_eq!(
            places(mounts, own, "pids"),
            [("/sys/fs/cgroup/pids/".into(), Version::One)]
        );
    }

    #[test]
    fn the_second_version_has_one_tree() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/user-1000.slice/session-2.scope\n";
        assert_eq!(
            places(mounts, own, "memory"),
            [
                (
                    "/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope".into(),
                    Version::Two
                ),
                (
                    "/sys/fs/cgroup/user.slice/user-1000.slice".into(),
                    Version::Two
                )
            ]
        );
    }

    #[test]
    fn a_mount_that_shows_another_part_of_the_tree_offers_no_place() {
        let mounts = "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(places(mounts, "0::/elsewhere\n", "memory"), []);
    }

    #[test]
    fn events_are_counted_by_their_whole_name() {
        assert_eq!(
            value_of("oom 0\noom_kill 2\noom_group_kill 0\n", "oom_kill"),
            Some(2)
        );
        assert_eq!(value_of("oom_kill_disable 0\n", "oom_kill"), None);
    }
}
