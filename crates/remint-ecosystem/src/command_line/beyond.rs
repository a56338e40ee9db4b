//! What a command line can start that cannot be judged, in words. None of it repeats an argument that could be a
//! secret.

/// Why a command, or one part of it, leads to no release that could be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Beyond {
    /// It is not started here at all.
    #[error("it runs elsewhere{}: nothing of it is published that could be rebuilt", host.as_ref().map(|host| format!(", at `{host}`")).unwrap_or_default())]
    Remote {
        /// The host's name, where the address is one.
        host: Option<String>,
    },
    /// A container engine that is told something else than to run an image.
    #[error("`{0}` is not told to `run` an image, so that nothing says which one it starts")]
    Container(String),
    /// A program that is installed here.
    #[error("`{0}` is a program of this machine: nothing is fetched that could be judged")]
    Program(String),
    /// A file by a relative path.
    #[error("it starts a file of this machine: nothing is fetched that could be judged")]
    File,
    /// `python -m module`
    #[error("it starts a Python module of this machine: which release that came from is not said")]
    PythonModule,
    /// `uv run`, `npm start`
    #[error("`{0}` starts a project of this machine: nothing is fetched that could be judged")]
    Project(String),
    /// An option takes files or a project of this machine.
    #[error("`{0}` takes files or settings of this machine, which are no release")]
    Local(&'static str),
    /// More than one plain command.
    #[error("it is a line for a shell: what it starts cannot be told without running it")]
    Shell,
    /// Not from a registry.
    #[error("{0} is no release of a registry")]
    NotReleased(Origin),
    /// From a registry, and perhaps from another one than the user's.
    #[error(
        "`{0}` sends it to another registry, so what it starts may be another file than remint would fetch"
    )]
    OtherRegistry(&'static str),
    /// Code of no release runs in it.
    #[error("`{0}` can make it run code that is in no release")]
    Runs(&'static str),
    /// No exact version.
    #[error("it asks for `{asked}` of `{package}`, which is another release from day to day")]
    Range {
        /// The package's short spec.
        package: String,
        /// The range or tag.
        asked: String,
    },
    /// No exact version, and an option decides which.
    #[error("`{option}` chooses the version of `{package}`")]
    ChosenBy {
        /// The package's short spec.
        package: String,
        /// The option.
        option: &'static str,
    },
    /// An option that could mean anything.
    #[error(
        "`{runner}` is given {option}, which remint does not know: what it starts cannot be told"
    )]
    UnknownOption {
        /// Whose option.
        runner: &'static str,
        /// Its name in backticks, or words where it could be more than a name.
        option: String,
    },
    /// A runner with nothing to run.
    #[error("`{0}` is given no package")]
    NoPackage(&'static str),
    /// A runner with something that no registry could serve.
    #[error("what `{0}` is given is no package name")]
    NotAName(&'static str),
    /// An entry without a command.
    #[error("it names no command")]
    NoCommand,
    /// More arguments or packages than anybody writes.
    #[error("its command line is too long to be read")]
    TooMuch,
    /// An entry that has not the shape of a server.
    #[error("its entry cannot be read: {0}")]
    Malformed(&'static str),
    /// The client's own extension knows the command.
    #[error(
        "an extension of the client starts it: the configuration does not say with which command"
    )]
    Extension,
}

/// Where a package comes from instead of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Origin {
    /// `git+https://…`, `github:owner/name`
    #[error("a git repository")]
    Git,
    /// `https://…/name.tgz`
    #[error("a file at an address")]
    Address,
    /// `./name`
    #[error("a file or folder of this machine")]
    Path,
}

impl Beyond {
    /// Whether the entry itself cannot be understood, rather than judged.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_) | Self::NoCommand | Self::NoPackage(_) | Self::NotAName(_)
        )
    }

    /// What to do about it, where something can be done in the configuration.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Range { .. } | Self::ChosenBy { .. } => Some(
                "Name an exact version in the configuration: what is judged is then what starts.",
            ),
            Self::PythonModule => Some(
                "`uvx PACKAGE==VERSION` in the configuration would say which release is meant.",
            ),
            Self::NotReleased(_) | Self::Project(_) => {
                Some("A release of it, if there is one:  remint verify-build SPEC")
            }
            Self::Shell => {
                Some("Put the command and its arguments into the configuration, without a shell.")
            }
            Self::OtherRegistry(_) => Some(
                "Set the registry in npmrc, pip or uv settings, where remint reads it too, or verify the file: remint verify-build FILE",
            ),
            Self::Remote { .. }
            | Self::Container(_)
            | Self::Program(_)
            | Self::File
            | Self::Local(_)
            | Self::Runs(_)
            | Self::UnknownOption { .. }
            | Self::NoPackage(_)
            | Self::NotAName(_)
            | Self::NoCommand
            | Self::TooMuch
            | Self::Malformed(_)
            | Self::Extension => None,
        }
    }

    /// A program that fetches nothing.
    pub(super) fn program(name: &str) -> Self {
        plain(name).map_or(Self::File, Self::Program)
    }

    pub(super) fn project(name: &str) -> Self {
        Self::Project(name.to_owned())
    }

    /// An unknown option: its name alone, for its value may be a secret, also where it is glued to one letter.
    pub(super) fn option(runner: &'static str, word: &str) -> Self {
        let name = word.split('=').next().unwrap_or_default();
        let shown = match name.strip_prefix("--").and_then(plain) {
            Some(long) => format!("`--{long}`"),
            None => match name.strip_prefix('-').and_then(|rest| rest.chars().next()) {
                Some(letter) if letter.is_ascii_alphanumeric() => format!("`-{letter}`"),
                Some(_) | None => "an option".to_owned(),
            },
        };
        Self::UnknownOption {
            runner,
            option: shown,
        }
    }
}

/// A name that can be shown as it is.
fn plain(name: &str) -> Option<String> {
    let shown = name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
    shown.then(|| name.to_owned())
}
