//! The processes of the command, wherever they can be found.

use std::path::PathBuf;

use rustix::process::Pid;

/// Where to look.
#[derive(Debug, Clone, Copy)]
pub(super) enum Processes {
    /// `/proc` shows the command's processes and no others.
    AllVisible,
    /// They are descendants of this process, which those whose parents have died are given to.
    Below(Pid),
}

impl Processes {
    /// Their directories in `/proc`.
    pub(super) fn directories(self) -> Vec<PathBuf> {
        match self {
            Self::AllVisible => {
                let entries = fs_err::read_dir("/proc").into_iter().flatten();
                entries
                    .filter_map(Result::ok)
                    .filter(|entry| {
                        entry
                            .file_name()
                            .as_encoded_bytes()
                            .iter()
                            .all(u8::is_ascii_digit)
                    })
                    .map(|entry| entry.path())
                    .collect()
            }
            Self::Below(top) => {
                let processes = descendants(top);
                processes
                    .iter()
                    .map(|process| directory(*process))
                    .collect()
            }
        }
    }
}

/// All that have this process for a parent, or a parent's parent, and so on.
pub(super) fn descendants(top: Pid) -> Vec<Pid> {
    let mut found = children(top);
    let mut next = 0;
    while let Some(process) = found.get(next) {
        let children = children(*process);
        found.extend(children);
        next += 1;
    }
    found
}

fn children(process: Pid) -> Vec<Pid> {
    let threads = fs_err::read_dir(directory(process).join("task"))
        .into_iter()
        .flatten();
    threads
        .filter_map(Result::ok)
        .flat_map(|thread| {
            let text = fs_err::read_to_string(thread.path().join("children")).unwrap_or_default();
            let numbers = text
                .split_whitespace()
                .filter_map(|number| number.parse().ok());
            numbers.filter_map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}

fn directory(process: Pid) -> PathBuf {
    PathBuf::from(format!("/proc/{}", process.as_raw_pid()))
}
