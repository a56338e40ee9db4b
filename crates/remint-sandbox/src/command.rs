//! What is to be run, and in which surroundings: plain data, complete, checked before anything starts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::error::SandboxError;
use crate::owner::Owner;

/// One command and everything that it will be able to see.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments. A name without a slash is looked up in the `PATH` of `environment`.
    pub argv: Vec<OsString>,
    /// The working directory, inside.
    pub directory: PathBuf,
    /// The whole environment: nothing is inherited.
    pub environment: BTreeMap<OsString, OsString>,
    /// Overlays, mounted in this order.
    pub layers: Vec<Layer>,
    /// Host directories and files that appear inside, mounted in this order, after `layers`.
    pub binds: Vec<Bind>,
    /// Small files written before the command starts; read-only for it.
    pub files: Vec<GeneratedFile>,
    /// What the command may reach.
    pub network: Network,
    /// How much it may use.
    pub limits: Limits,
    /// Who writes, seen from outside. The same value for every command that shares directories.
    pub owner: Owner,
    /// How it is confined.
    pub isolation: Isolation,
}

/// A directory whose lower levels stay as they are, because writes go elsewhere.
///
/// The kernel offers no `redirect_dir` to user namespaces: renaming a directory that comes from a lower level
/// fails with `EXDEV`, as between file systems. Trees in which a build renames directories are better bound writable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Where it appears.
    pub inside: PathBuf,
    /// Host directories that show through, topmost first. Files that are to be changed must belong to the
    /// [`Owner`] of the command: the kernel cannot copy up a file of somebody unknown inside.
    pub lowers: Vec<PathBuf>,
    /// The host directory that receives what is written. Kept between commands by whoever passes it again.
    pub upper: PathBuf,
    /// An empty host directory for the kernel's use, beside `upper` in the same directory.
    pub work: PathBuf,
}

/// A host directory or file that appears inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Where it is. May lie behind directories that the command's user could not enter.
    pub host: PathBuf,
    /// Where it appears.
    pub inside: PathBuf,
    /// Whether it may be written to.
    pub access: Access,
}

/// What may be done to a bound path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Access {
    /// Read and execute.
    ReadOnly,
    /// Also write; the path must belong to the [`Owner`] of the command.
    Writable,
}

/// A file made for one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where it appears. Outside of layers and binds, so that it does not end up in them.
    pub inside: PathBuf,
    /// What it contains.
    pub content: Vec<u8>,
}

/// What a command may reach. Whatever else it asks for is refused and observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Network {
    /// Nothing but itself.
    None,
    /// Itself, and [`PROXY_ADDRESS`], whose listening socket is handed to the caller.
    Proxy,
}

/// Where the proxy listens inside, with [`Network::Proxy`].
pub const PROXY_ADDRESS: std::net::SocketAddrV4 =
    std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 4873);

/// How much a command may use before it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Wall time.
    pub deadline: Duration,
    /// Bytes of memory of all processes together, including files in the inside's temporary directories.
    pub memory: u64,
    /// Bytes below the uppers of all layers and the writable binds; also the size limit of one file.
    pub disk: u64,
    /// Bytes in `/tmp`, `/home/build` and `/dev/shm` together, which are kept in memory.
    pub scratch: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// Bytes of output kept: the first and the last of it. The rest is counted and dropped.
    pub log: u64,
}

impl Default for Limits {
    /// Room enough for the builds of ordinary packages.
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30 * 60),
            memory: 4 << 30,
            disk: 8 << 30,
            scratch: 2 << 30,
            processes: 4096,
            open_files: 65_536,
            log: 8 << 20,
        }
    }
}

/// How strongly a command is confined. Recorded in every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Isolation {
    /// Fresh namespaces of every kind, own root directory, no capabilities, system call filter.
    Namespaces,
    /// The host's processes and directory tree, with file access, signals and sockets restricted by Landlock and a
    /// system call filter. For machines that refuse user namespaces; weaker, and only at the user's explicit wish.
    Landlock,
}

impl Isolation {
    /// The word for it in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Landlock => "landlock",
        }
    }
}

impl std::fmt::Display for Isolation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Command {
    /// A command with nothing but the system's programs, no network, and a small constructed environment.
    #[must_use]
    pub fn new<Word: Into<OsString>>(argv: impl IntoIterator<Item = Word>, owner: Owner) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            directory: PathBuf::from("/home/build"),
            environment: base_environment(),
            layers: Vec::new(),
            binds: Vec::new(),
            files: Vec::new(),
            network: Network::None,
            limits: Limits::default(),
            owner,
            isolation: Isolation::Namespaces,
        }
    }

    /// Refuses what could not mean anything sensible, before any process is started.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let refuse = |reason: &'static str, path: &Path| {
            Err(SandboxError::Malformed {
                reason,
                value: path.display().to_string(),
            })
        };
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            return refuse("a command needs a program", Path::new(""));
        }
        let contains_nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
        if let Some(word) = self.argv.iter().find(|word| contains_nul(word)) {
            return refuse("an argument contains a NUL byte", Path::new(word));
        }
        for (name, value) in &self.environment {
            let name_bytes = name.as_encoded_bytes();
            if name_bytes.is_empty() || name_bytes.contains(&b'=') || contains_nul(name) {
                return refuse("not the name of an environment variable", Path::new(name));
            }
            if contains_nul(value) {
                return refuse(
                    "an environment variable contains a NUL byte",
                    Path::new(name),
                );
            }
        }
        let inside = self
            .layers
            .iter()
            .map(|layer| &layer.inside)
            .chain(self.binds.iter().map(|bind| &bind.inside))
            .chain(self.files.iter().map(|file| &file.inside));
        for path in inside {
            if !is_plain_absolute(path) || path == Path::new("/") {
                return refuse(
                    "a path inside must be absolute, below `/`, without `.` or `..`",
                    path,
                );
            }
        }
        if !is_plain_absolute(&self.directory) {
            return refuse(
                "the working directory must be absolute, without `.` or `..`",
                &self.directory,
            );
        }
        let host = self
            .layers
            .iter()
            .flat_map(|layer| layer.lowers.iter().chain([&layer.upper, &layer.work]))
            .chain(self.binds.iter().map(|bind| &bind.host));
        for path in host {
            if !path.is_absolute() {
                return refuse("a host path must be absolute", path);
            }
        }
        for layer in &self.layers {
            if layer.lowers.is_empty() {
                return refuse("a layer needs something below it", &layer.inside);
            }
            let plain = |path: &Path| path.file_name().is_some_and(is_plain_name);
            if !plain(&layer.upper) || !plain(&layer.work) {
                return refuse(
                    "the names of `upper` and `work` may have letters, digits and `-_.` only",
                    &layer.upper,
                );
            }
            if layer.upper.parent() != layer.work.parent() || layer.upper == layer.work {
                return refuse(
                    "`upper` and `work` of a layer must lie side by side",
                    &layer.upper,
                );
            }
        }
        Ok(())
    }
}

fn is_plain_absolute(path: &Path) -> bool {
    path.is_absolute()
        && !path.as_os_str().as_encoded_bytes().contains(&0)
        && path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

/// The kernel reads these names from a text in which commas and colons mean something.
fn is_plain_name(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// The variables that every command gets, chosen so that builds come out the same everywhere.
#[must_use]
pub fn base_environment() -> BTreeMap<OsString, OsString> {
    [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("HOME", "/home/build"),
        ("USER", "build"),
        ("LOGNAME", "build"),
        ("SHELL", "/bin/sh"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("CI", "1"),
    ]
    .into_iter()
    .map(|(name, value)| (OsString::from(name), OsString::from(value)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> Command {
        let mut command = Command::new(["/usr/bin/true"], Owner::for_test());
        command.layers.push(Layer {
            inside: "/build".into(),
            lowers: vec!["/source".into()],
            upper: "/state/upper".into(),
            work: "/state/work".into(),
        });
        command.binds.push(Bind {
            host: "/tool".into(),
            inside: "/opt/tool".into(),
            access: Access::ReadOnly,
        });
        command
    }

    fn refused(change: impl FnOnce(&mut Command)) -> &'static str {
        let mut command = sound();
        change(&mut command);
        match command.check() {
            Err(SandboxError::Malformed { reason, .. }) => reason,
            other => panic!("expected a refusal, found {other:?}"),
        }
    }

    #[test]
    fn a_sound_command_is_accepted() {
        sound().check().unwrap();
    }

    #[test]
    fn commands_that_mean_nothing_are_refused() {
        assert_eq!(refused(|c| c.argv.clear()), "a command needs a program");
        assert_eq!(
            refused(|c| c.argv.push("a\0b".into())),
            "an argument contains a NUL byte"
        );
        assert_eq!(
            refused(|c| {
                c.environment.insert("A=B".into(), "".into());
            }),
            "not the name of an environment variable"
        );
        assert_eq!(
            refused(|c| {
                c.environment.insert("A".into(), "x\0".into());
            }),
            "an environment variable contains a NUL byte"
        );
    }

    #[test]
    fn paths_that_could_lead_elsewhere_are_refused() {
        let inside = "a path inside must be absolute, below `/`, without `.` or `..`";
        for path in ["/", "build", "/build/../etc", ""] {
            assert_eq!(
                refused(|c| c.layers[0].inside = path.into()),
                inside,
                "{path}"
            );
            assert_eq!(
                refused(|c| c.binds[0].inside = path.into()),
                inside,
                "{path}"
            );
        }
        assert_eq!(
            refused(|c| c.binds[0].host = "tool".into()),
            "a host path must be absolute"
        );
        assert_eq!(
            refused(|c| c.directory = "/build/..".into()),
            "the working directory must be absolute, without `.` or `..`"
        );
    }

    #[test]
    fn overlay_directories_must_be_neighbours() {
        let reason = "`upper` and `work` of a layer must lie side by side";
        assert_eq!(
            refused(|c| c.layers[0].work = "/elsewhere/work".into()),
            reason
        );
        assert_eq!(
            refused(|c| c.layers[0].work = "/state/upper".into()),
            reason
        );
        assert_eq!(
            refused(|c| c.layers[0].work = "/state/a,lowerdir=b".into()),
            "the names of `upper` and `work` may have letters, digits and `-_.` only"
        );
        assert_eq!(
            refused(|c| c.layers[0].lowers.clear()),
            "a layer needs something below it"
        );
    }
}
