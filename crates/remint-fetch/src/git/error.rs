//! What can go wrong while working with git, apart from anything that the answer is about.

use std::path::PathBuf;

/// An operation of git that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The `git` binary cannot be started.
    #[error("the `git` program cannot be started: install git, or put it on PATH")]
    Program(#[source] std::io::Error),
    /// Git ended with an error.
    #[error("`git {operation}` failed: {message}")]
    Failed {
        /// The subcommand.
        operation: String,
        /// The last lines that it wrote to stderr.
        message: String,
    },
    /// Git took longer than it was given.
    #[error("`git {operation}` was stopped after {seconds} s")]
    Deadline {
        /// The subcommand.
        operation: String,
        /// What it was given.
        seconds: u64,
    },
    /// More came than is accepted from a stranger.
    #[error("`git {operation}` was stopped: more than {limit} bytes arrived")]
    TooLarge {
        /// The subcommand.
        operation: String,
        /// The limit.
        limit: u64,
    },
    /// Somebody asked for everything to stop.
    #[error("stopped")]
    Stopped,
    /// An object that should be there cannot be read.
    #[error("object `{object}` cannot be read")]
    Object {
        /// Its id, or what it was meant to be.
        object: String,
        /// What libgit2 says.
        #[source]
        reason: git2::Error,
    },
    /// A tree with more entries than is accepted from a stranger.
    #[error("the tree of `{0}` has more entries than are accepted")]
    TooManyEntries(String),
    /// A repository that takes more work to search than is spent on a stranger's.
    #[error("searching it takes more work than is spent on one repository")]
    TooMuchWork,
    /// A file of the tree has a name that could write outside its directory or into git's own.
    #[error("the repository holds a file named `{name}`: {reason}")]
    HostileName {
        /// The name, escaped.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Git answered in a way that cannot be understood.
    #[error("`git {operation}` answered with something unexpected: {detail}")]
    Unexpected {
        /// The subcommand.
        operation: String,
        /// What was seen.
        detail: String,
    },
    /// A file of ours could not be read or written.
    #[error("cannot work in `{}`", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        reason: std::io::Error,
    },
}

impl GitError {
    pub(crate) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |reason| Self::Disk { path, reason }
    }

    /// Whether the remote (or the way to it) is at fault rather than this machine.
    pub(crate) const fn is_remote(&self) -> bool {
        match self {
            Self::Failed { .. }
            | Self::Deadline { .. }
            | Self::TooLarge { .. }
            | Self::Unexpected { .. } => true,
            Self::Program(_)
            | Self::Stopped
            | Self::Object { .. }
            | Self::TooManyEntries(_)
            | Self::TooMuchWork
            | Self::HostileName { .. }
            | Self::Disk { .. } => false,
        }
    }
}
