//! Ends the whole run when something here waits for ever, and says on what: a test that hangs tells nobody why.

use std::io::Write as _;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use fs_err as fs;

/// Longer than any of these tests takes, the first installation of other people's tools included.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Barks unless it is dropped in time.
pub(crate) struct Watchdog {
    _dropped: Sender<()>,
}

impl Watchdog {
    /// Watches over whoever holds it, and over a process that serves it.
    pub(crate) fn over(served_by: u32) -> Self {
        let (sender, receiver) = channel::<()>();
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        std::thread::spawn(move || {
            if receiver.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let text = format!(
                    "`{test}` did not end within {} s\nthis process:\n{}its authorities:\n{}",
                    PATIENCE.as_secs(),
                    threads(std::process::id()),
                    threads(served_by)
                );
                // Past the harness, which would keep it until the test has ended.
                drop(std::io::stderr().write_all(text.as_bytes()));
                std::process::abort();
            }
        });
        Self { _dropped: sender }
    }
}

/// What each thread of a process waits for, as far as Linux tells.
fn threads(process: u32) -> String {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return "  it has ended\n".to_owned();
    };
    threads
        .flatten()
        .map(|thread| {
            let read = |name: &str| {
                let text = fs::read_to_string(thread.path().join(name)).unwrap_or_default();
                text.trim().replace('\n', "; ")
            };
            format!(
                "  {} {}: waits in {}, system call {}\n",
                thread.file_name().to_string_lossy(),
                read("comm"),
                read("wchan"),
                read("syscall")
            )
        })
        .collect()
}
