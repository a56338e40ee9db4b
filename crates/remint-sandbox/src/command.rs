//! What is to be run, and in which surroundings: plain data, complete, checked before anything starts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

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
    /// What it finds out about itself and the machine.
    pub surroundings: Surroundings,
}

/// What a command can find out about itself and the machine, and what a build should not depend on. None of it makes
/// the confinement stronger or weaker.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Surroundings {
    /// The number of its user and group. Like the names below only with [`Isolation::Namespaces`].
    pub user: u32,
    /// The name of both.
    pub user_name: String,
    /// The user's home directory, as `/etc/passwd` has it. Whoever names another one binds it.
    pub home: String,
    /// The name of the host.
    pub host_name: String,
    /// The permission bits that new files and directories do not get.
    pub umask: u32,
    /// How many processors it may use; `None` is all that there are.
    pub processors: Option<usize>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            user: 1000,
            user_name: "build".to_owned(),
            home: "/home/build".to_owned(),
            host_name: "remint".to_owned(),
            umask: 0o022,
            processors: None,
        }
    }
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

/// Where the proxy listens inside, with [`Network::Proxy`]. Where there is no inside of one's own
/// ([`Isolation::Landlock`]) it listens at a free port instead, and this address is replaced in the command's words and
/// variables.
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
    ///
    /// There paths inside are the host's: those of binds and generated files, `/tmp` and `/home/build` are replaced in
    /// the command's words and variables, as is [`PROXY_ADDRESS`]. There are no layers, what is asked of the network is refused unseen, and
    /// processes may survive this program's death by `SIGKILL`.
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
            surroundings: Surroundings::default(),
        }
    }
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
        ("LANG", "C.UTF-8"),
        ("TZ", "UTC"),
        ("CI", "true"),
    ]
    .into_iter()
    .map(|(name, value)| (OsString::from(name), OsString::from(value)))
    .collect()
}
