//! Runs the `git` binary so that nothing of the user's or of a foreign repository can steer it.
//!
//! The environment is built from nothing: no HOME, no configuration but what is passed here, no credentials, no
//! agent, no hooks, no prompts, one protocol. Every run has a deadline and a limit on what it may answer or store.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use super::error::GitError;
use super::settings::GitSettings;
use super::warden;

/// How often a running git is looked at for its deadline, its appetite, and a request to stop.
const WATCH: Duration = Duration::from_millis(50);
const STDERR_KEPT: usize = 64 * 1024;

#[cfg(windows)]
const NOTHING: &str = "NUL";
#[cfg(not(windows))]
const NOTHING: &str = "/dev/null";

/// Settings for every run; the last ones win over whatever a repository's own configuration says.
const SETTINGS: &[(&str, &str)] = &[
    ("advice.detachedHead", "false"),
    ("core.alternateRefsCommand", ""),
    ("core.attributesFile", NOTHING),
    ("core.autocrlf", "false"),
    ("core.askPass", "true"),
    ("core.eol", "lf"),
    ("core.excludesFile", NOTHING),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", NOTHING),
    ("core.longpaths", "true"),
    ("core.pager", "cat"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.quotePath", "false"),
    ("core.symlinks", "true"),
    ("credential.helper", ""),
    ("fetch.recurseSubmodules", "false"),
    ("fetch.writeCommitGraph", "false"),
    ("filter.lfs.clean", ""),
    ("filter.lfs.process", ""),
    ("filter.lfs.required", "false"),
    ("filter.lfs.smudge", ""),
    ("gc.auto", "0"),
    ("http.emptyAuth", "false"),
    ("http.lowSpeedLimit", "500"),
    ("http.lowSpeedTime", "30"),
    ("init.defaultBranch", "main"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    ("safe.bareRepository", "all"),
    // Repositories that the user names may belong to somebody else; with everything above, their
    // configuration cannot run anything.
    ("safe.directory", "*"),
    ("submodule.recurse", "false"),
    ("transfer.bundleURI", "false"),
];

/// The one protocol that a run may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocols {
    /// TLS.
    Https,
    /// Plain http, where the user asked for it.
    Http,
    /// Git's own.
    Git,
    /// Ssh without any key.
    Ssh,
    /// A directory of this machine.
    File,
}

impl Protocols {
    const fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Git => "git",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

/// One run of git.
#[derive(Debug)]
pub(crate) struct GitCommand {
    operation: String,
    command: Command,
    settings: Vec<(String, String)>,
    input: Vec<u8>,
    deadline: Duration,
    output_limit: u64,
    growth: Option<(PathBuf, u64)>,
}

impl GitCommand {
    /// `git <operation>` in the repository at `git_dir`.
    pub(crate) fn new(settings: &GitSettings, operation: &str, git_dir: &Path) -> Self {
        let mut command = warden::git();
        command
            .env_clear()
            .envs(&settings.environment)
            .env("GIT_DIR", git_dir)
            .env("HOME", NOTHING)
            .env("GIT_CONFIG_GLOBAL", NOTHING)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_PROTOCOL_FROM_USER", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("SSH_ASKPASS", "true")
            .env("GIT_SSH_VARIANT", "ssh")
            .env(
                "GIT_SSH_COMMAND",
                format!(
                    "ssh -F {NOTHING} -o BatchMode=yes -o IdentityAgent=none -o IdentitiesOnly=yes \
                     -o IdentityFile={NOTHING} -o ForwardAgent=no -o ProxyCommand=none \
                     -o PermitLocalCommand=no -o ConnectTimeout=15"
                ),
            )
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir(git_dir)
            .arg(operation);
        let mut passed: Vec<(String, String)> = SETTINGS
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        passed.extend(settings.http.iter().cloned());
        Self {
            operation: operation.to_owned(),
            command,
            settings: passed,
            input: Vec::new(),
            deadline: Duration::from_secs(60),
            output_limit: 64 << 20,
            growth: None,
        }
    }

    /// `git <operation>` in whatever repository `directory` belongs to.
    pub(crate) fn discovering(settings: &GitSettings, operation: &str, directory: &Path) -> Self {
        let mut this = Self::new(settings, operation, directory);
        this.command.env_remove("GIT_DIR");
        this
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    /// Allows one protocol.
    pub(crate) fn speaking(self, protocols: Protocols) -> Self {
        self.setting(&format!("protocol.{}.allow", protocols.name()), "always")
    }

    pub(crate) fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn work_tree(mut self, directory: &Path) -> Self {
        self.command
            .env("GIT_WORK_TREE", directory)
            .current_dir(directory);
        self
    }

    pub(crate) fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    pub(crate) const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Stops git when the packs that it stores below this repository grow by more than `limit` bytes.
    pub(crate) fn growth_limit(mut self, git_dir: &Path, limit: u64) -> Self {
        self.growth = Some((git_dir.join("objects/pack"), limit));
        self
    }

    /// Runs it and returns what it wrote to stdout.
    pub(crate) fn run(mut self) -> Result<Vec<u8>, GitError> {
        self.command
            .env("GIT_CONFIG_COUNT", self.settings.len().to_string());
        for (at, (key, value)) in self.settings.iter().enumerate() {
            self.command
                .env(format!("GIT_CONFIG_KEY_{at}"), key)
                .env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        run(
            self.command,
            &self.operation,
            self.input,
            self.deadline,
            self.output_limit,
            self.growth,
        )
    }
}

/// Lists the user's git configuration as the user's own git sees it, outside any repository.
pub(super) fn plain_git(
    variables: &BTreeMap<String, String>,
    home: Option<&Path>,
    deadline: Duration,
) -> Result<Vec<u8>, GitError> {
    let mut command = warden::git();
    command
        .env_clear()
        .envs(
            variables
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "GIT_DIR" | "GIT_WORK_TREE")),
        )
        // Keeps a repository around the working directory from having a say.
        .env("GIT_DIR", Path::new(NOTHING).join("none"))
        .args(["config", "--list", "--null", "--includes"]);
    if let Some(home) = home {
        command.env("HOME", home);
    }
    match run(command, "config", Vec::new(), deadline, 16 << 20, None) {
        // Git has no configuration at all for this user.
        Err(GitError::Failed { message, .. }) if message.is_empty() => Ok(Vec::new()),
        other => other,
    }
}

/// Ends every git that is running in this process, and refuses to start more.
///
/// For the program's own end: Ctrl-C reaches only remint, because each git has a process group of its own.
pub fn stop_all() {
    STOPPED.store(true, Ordering::SeqCst);
    // A starter that passed its check before the store holds the lock for reading until its watchdog runs;
    // after this, every git is either ended by its watchdog or never started.
    drop(STARTING.write().unwrap_or_else(PoisonError::into_inner));
}

static STOPPED: AtomicBool = AtomicBool::new(false);
static STARTING: RwLock<()> = RwLock::new(());

const RUNNING: u8 = 0;
const LATE: u8 = 1;
const GREEDY: u8 = 2;
const STOP: u8 = 3;

fn run(
    mut command: Command,
    operation: &str,
    input: Vec<u8>,
    deadline: Duration,
    output_limit: u64,
    growth: Option<(PathBuf, u64)>,
) -> Result<Vec<u8>, GitError> {
    let starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    if STOPPED.load(Ordering::SeqCst) {
        return Err(GitError::Stopped);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(GitError::Program)?;
    drop(starting);

    let place = command.get_current_dir().map(Path::to_owned);
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    let stderr = child.stderr.take();
    let state = Arc::new(AtomicU8::new(RUNNING));
    let (done, finished) = channel::<()>();
    let group = child.id();

    let (output, message) = thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // Git may end before it has read everything; its exit status tells why.
                drop(stdin.write_all(&input));
            }
        });
        let errors = scope.spawn(move || stderr.map(tail_of).unwrap_or_default());
        let watched = Arc::clone(&state);
        scope.spawn(move || {
            let base = growth.as_ref().map_or(0, |(path, _)| bytes_below(path));
            let end = Instant::now() + deadline;
            loop {
                match finished.recv_timeout(WATCH) {
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                let greedy = growth
                    .as_ref()
                    .is_some_and(|(path, limit)| bytes_below(path) > base.saturating_add(*limit));
                let verdict = if STOPPED.load(Ordering::SeqCst) {
                    STOP
                } else if greedy {
                    GREEDY
                } else if Instant::now() >= end {
                    LATE
                } else {
                    continue;
                };
                watched.store(verdict, Ordering::SeqCst);
                kill_group(group);
                return;
            }
        });
        let mut output = Vec::new();
        let read = stdout.map_or(Ok(0), |pipe| {
            pipe.take(output_limit.saturating_add(1))
                .read_to_end(&mut output)
        });
        if read.is_err() || output.len() as u64 > output_limit {
            state.store(GREEDY, Ordering::SeqCst);
            kill_group(group);
        }
        let message = errors.join().unwrap_or_default();
        drop(done);
        (output, message)
    });
    let status = warden::wait(&mut child)?;
    match state.load(Ordering::SeqCst) {
        STOP => Err(GitError::Stopped),
        LATE => Err(GitError::Deadline {
            operation: operation.to_owned(),
            seconds: deadline.as_secs(),
        }),
        GREEDY => Err(GitError::TooLarge {
            operation: operation.to_owned(),
            limit: output_limit,
        }),
        _ if status => Ok(output),
        _ if says_that_the_disk_is_full(&message) => Err(GitError::Disk {
            path: place.unwrap_or_default(),
            reason: std::io::ErrorKind::StorageFull.into(),
        }),
        _ => Err(GitError::Failed {
            operation: operation.to_owned(),
            message,
        }),
    }
}

/// Git's helpers (`git-remote-https`, `index-pack`) share its process group, which was made for this run.
fn kill_group(group: u32) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(group)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended by itself just now.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    #[cfg(not(unix))]
    let _ = group;
}

/// The last meaningful lines of what a remote and git said, without control characters.
fn tail_of(mut pipe: impl std::io::Read) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read) = pipe.read(&mut buffer) {
        if read == 0 {
            break;
        }
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        if kept.len() > STDERR_KEPT {
            kept.drain(..kept.len() - STDERR_KEPT / 2);
        }
    }
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<String> = text
        .split(['\n', '\r'])
        .map(|line| {
            line.chars()
                .filter(|c| !c.is_control())
                .take(300)
                .collect::<String>()
        })
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty() && !is_noise(line))
        .collect();
    let from = lines.len().saturating_sub(4);
    lines.get(from..).unwrap_or_default().join("; ")
}

/// Progress, which also keeps git from outliving a reader that was killed, and advice.
fn is_noise(line: &str) -> bool {
    let line = line.strip_prefix("remote: ").unwrap_or(line);
    [
        "hint:",
        "Enumerating objects",
        "Counting objects",
        "Compressing objects",
        "Receiving objects",
        "Resolving deltas",
        "Total ",
    ]
    .iter()
    .any(|noise| line.starts_with(noise))
}

/// Git has no other way to say so. What the other side says about its own disk does not count.
fn says_that_the_disk_is_full(message: &str) -> bool {
    message
        .split("; ")
        .filter(|line| !line.starts_with("remote:"))
        .any(|line| {
            line.contains("No space left on device") || line.contains("Disk quota exceeded")
        })
}

fn bytes_below(directory: &Path) -> u64 {
    let Ok(entries) = fs_err::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

/// `a:b` joined for a refspec, forced.
pub(super) fn refspec(from: &str, to: &str) -> OsString {
    OsString::from(format!("+{from}:{to}"))
}

#[cfg(test)]
mod tests {
    use super::says_that_the_disk_is_full;

    #[test]
    fn a_full_disk_here_is_told_from_one_over_there() {
        let here = "error: unable to write file x: No space left on device; fatal: unpack failed";
        let there = "remote: fatal: write error: No space left on device; fatal: early EOF";
        assert!(says_that_the_disk_is_full(here));
        assert!(!says_that_the_disk_is_full(there));
    }
}
