//! Why a command could not be run in isolation. What the command itself does is in [`crate::Finished`].

use std::io;
use std::path::PathBuf;

use crate::obstacle::Obstacle;

/// The sandbox could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Not this operating system.
    #[error("run anything in isolation on this operating system: only Linux can")]
    Unsupported,
    /// The command makes no sense.
    #[error("prepare the sandbox: {reason}: `{value}`")]
    Malformed {
        /// What is wrong.
        reason: &'static str,
        /// With what.
        value: String,
    },
    /// The machine refuses what isolation needs.
    #[error("build in isolation: {obstacle}")]
    Refused {
        /// Which refusal, as far as it could be found out; its hint says what the user can do.
        obstacle: Obstacle,
        /// What was being done.
        step: String,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// A step of the preparation failed.
    #[error("{step}{}", path.as_ref().map(|path| format!(" `{}`", path.display())).unwrap_or_default())]
    Setup {
        /// What was being done, in words that follow "failed to".
        step: String,
        /// To which path, if to one.
        path: Option<PathBuf>,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
    /// The helper process ended without a word.
    #[error("run the sandbox: its helper process ended unexpectedly ({status})")]
    HelperLost {
        /// How it ended.
        status: String,
    },
    /// The log could not be written.
    #[error("write the build log")]
    Log(#[source] io::Error),
    /// A directory tree could not be prepared or removed.
    #[error("{action} `{}`", path.display())]
    Tree {
        /// What was being done.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the kernel answered.
        #[source]
        source: io::Error,
    },
}

impl SandboxError {
    /// What the user can do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { obstacle, .. } => Some(obstacle.hint()),
            Self::Unsupported => Some(
                "attestations of others can be verified here; rebuilding needs Linux".to_owned(),
            ),
            Self::Malformed { .. }
            | Self::Setup { .. }
            | Self::HelperLost { .. }
            | Self::Log(_)
            | Self::Tree { .. } => None,
        }
    }
}
