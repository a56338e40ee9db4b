//! Git, its helpers and ssh must not outlive this program, however it ends, and none of them notices on its own
//! while a server keeps them waiting. So this program starts itself once more, and that process starts git and ends
//! the whole process group when its parent is gone.
//!
//! Only on Linux; elsewhere git is started directly, and ends with its next write.

use std::process::{Child, Command, ExitCode};

use super::GitError;

/// Argument zero of a process that is to start git; then the number of its parent, then git's arguments.
#[cfg(target_os = "linux")]
const NAME: &str = "remint-git-warden";
/// The code with which it says that there is no git. Git has no such code.
const NOT_STARTED: i32 = 213;

/// Runs git and returns its exit code if this process was started to do that; otherwise lets those that run git from
/// now on be started this way.
///
/// Call it at the beginning of `main`, which has to end with the code. The decision is made by argument zero alone,
/// which the environment cannot influence.
#[must_use]
pub fn become_warden_if_asked() -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    {
        linux::become_warden_if_asked()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// A command to which git's arguments are still to be added, in a process group of its own.
pub(super) fn git() -> Command {
    #[cfg(target_os = "linux")]
    let mut command = linux::warden().unwrap_or_else(plain_git);
    #[cfg(not(target_os = "linux"))]
    let mut command = plain_git();
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place of this crate that starts processes, always git in the end"
)]
fn plain_git() -> Command {
    Command::new("git")
}

/// Whether git went well.
pub(super) fn wait(child: &mut Child) -> Result<bool, GitError> {
    let status = child.wait().map_err(GitError::Program)?;
    if status.code() == Some(NOT_STARTED) {
        return Err(GitError::Program(std::io::ErrorKind::NotFound.into()));
    }
    Ok(status.success())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, ExitCode};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, getpgrp, getppid, kill_process_group};

    use super::{NAME, NOT_STARTED};

    /// How often the warden looks for its parent.
    const GLANCE: Duration = Duration::from_millis(200);

    /// Whether this program knows what to do when it is started under that name.
    static IS_KNOWN: AtomicBool = AtomicBool::new(false);

    pub(super) fn become_warden_if_asked() -> Option<ExitCode> {
        let mut arguments = std::env::args_os();
        if arguments.next().is_none_or(|name| name != NAME) {
            IS_KNOWN.store(true, Ordering::Relaxed);
            return None;
        }
        let parent = arguments
            .next()?
            .to_str()?
            .parse()
            .ok()
            .and_then(Pid::from_raw);
        let git = super::plain_git().args(arguments).spawn();
        std::thread::spawn(move || {
            while getppid() == parent {
                std::thread::sleep(GLANCE);
            }
            // This process is in it, too.
            let _gone = kill_process_group(getpgrp(), Signal::KILL);
        });
        let code = match git {
            // Ended by a signal, it has no code, and that is no success either.
            Ok(mut git) => git
                .wait()
                .ok()
                .and_then(|status| status.code())
                .unwrap_or(1),
            Err(_) => NOT_STARTED,
        };
        Some(ExitCode::from(u8::try_from(code).unwrap_or(1)))
    }

    /// This program under that name.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of this crate that starts processes, always git in the end"
    )]
    pub(super) fn warden() -> Option<Command> {
        IS_KNOWN.load(Ordering::Relaxed).then(|| {
            let mut command = Command::new("/proc/self/exe");
            command.arg0(NAME).arg(std::process::id().to_string());
            command
        })
    }
}
