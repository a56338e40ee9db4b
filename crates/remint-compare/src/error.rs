//! What can go wrong while an archive is read. That two archives differ is an answer, never one of these.

use std::fmt;
use std::io;

/// Which archive an error speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The only one: a survey reads a single archive.
    Surveyed,
    /// What the registry serves.
    Published,
    /// What the sandbox built.
    Rebuilt,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Surveyed => "archive",
            Self::Published => "published archive",
            Self::Rebuilt => "rebuilt archive",
        })
    }
}

/// Why an archive could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes are no archive of the format, or a broken one.
    #[error("{side} is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Whose.
        side: Side,
        /// Where: in the file for zip and gzip structures, in the uncompressed tar for tar headers.
        offset: u64,
        /// What was expected there and not found.
        reason: String,
    },
    /// It unpacks to more than the limit.
    #[error("{side} is too large: {what} exceeds {limit} bytes")]
    TooLarge {
        /// Whose.
        side: Side,
        /// What was measured.
        what: &'static str,
        /// The limit that it exceeds.
        limit: u64,
    },
    /// It has more entries than the limit.
    #[error("{side} has more than {limit} entries")]
    TooManyEntries {
        /// Whose.
        side: Side,
        /// The limit that it exceeds.
        limit: u64,
    },
    /// Reading the file itself failed.
    #[error("{side} could not be read")]
    Io {
        /// Whose.
        side: Side,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

/// An [`ArchiveError`] before it is known whose archive it was.
#[derive(Debug)]
pub(crate) enum ReadError {
    Malformed { offset: u64, reason: String },
    TooLarge { what: &'static str, limit: u64 },
    TooManyEntries { limit: u64 },
    Io(io::Error),
}

impl ReadError {
    pub(crate) fn malformed(offset: u64, reason: impl Into<String>) -> Self {
        Self::Malformed {
            offset,
            reason: reason.into(),
        }
    }

    pub(crate) fn on(self, side: Side) -> ArchiveError {
        match self {
            Self::Malformed { offset, reason } => ArchiveError::Malformed {
                side,
                offset,
                reason,
            },
            Self::TooLarge { what, limit } => ArchiveError::TooLarge { side, what, limit },
            Self::TooManyEntries { limit } => ArchiveError::TooManyEntries { side, limit },
            Self::Io(source) => ArchiveError::Io { side, source },
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
