//! Why something could not be fetched. Absence, silence, refusal and damage are different answers.

use std::path::PathBuf;

use remint_ecosystem::MetadataError;
use remint_model::Integrity;

/// Why something could not be had from a registry, or not be kept here.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The registry answered that it does not have this.
    #[error("`{0}` does not exist")]
    NotFound(String),
    /// The registry has the package, and not what was asked for of it.
    #[error("`{url}` has no {what}")]
    Lacks {
        /// The package's document, without credentials.
        url: String,
        /// The version or file.
        what: String,
    },
    /// The registry did not answer, or only with errors of its own, after several tries.
    #[error("`{url}` is unavailable: {reason}")]
    Unavailable {
        /// What was asked for, without credentials.
        url: String,
        /// What the last try came to.
        reason: String,
    },
    /// The registry wants credentials, or does not accept those that are configured.
    #[error("`{url}` is refused to us (HTTP status {status})")]
    Denied {
        /// What was asked for, without credentials.
        url: String,
        /// 401, 403 or 407.
        status: u16,
    },
    /// Nothing is asked of the network, and the caches do not hold this.
    #[error("`{0}` is not in the cache, and remint works offline")]
    Offline(String),
    /// What the registry answered cannot be understood.
    #[error("`{url}` answered with something that cannot be understood")]
    Malformed {
        /// What was asked for, without credentials.
        url: String,
        /// What is wrong with it.
        #[source]
        source: MetadataError,
    },
    /// The bytes do not have the digest that was declared for them.
    #[error("`{url}` does not have its declared digest `{expected}` but `{found}`")]
    Integrity {
        /// Where the bytes came from.
        url: String,
        /// What the registry or lockfile declares.
        expected: Integrity,
        /// What arrived.
        found: Box<Integrity>,
    },
    /// The answer is larger than such an answer may be.
    #[error("`{url}` is larger than {limit} bytes")]
    TooLarge {
        /// Where it came from.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// A build asks for more than it may fetch in all.
    #[error("`{url}` would be more than the {limit} bytes that a build may fetch")]
    OverBudget {
        /// What was asked for, without credentials.
        url: String,
        /// The budget.
        limit: u64,
    },
    /// A file here cannot be read or written.
    #[error("cannot keep what was fetched")]
    Disk(#[from] std::io::Error),
    /// The user's own configuration cannot be used.
    #[error("`{origin}` cannot be used: {reason}")]
    Configuration {
        /// The file or variable.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file on this machine is not one that can be judged.
    #[error("`{path}` is no artifact: {reason}")]
    Artifact {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A tool is not to be had for this machine, or not in this version.
    #[error("tool `{tool}` is not to be had: {reason}")]
    Tool {
        /// Its name and version.
        tool: String,
        /// Why not.
        reason: String,
    },
}

impl FetchError {
    /// Whether this machine is at fault, so that nothing is learnt about what was asked for.
    #[must_use]
    pub const fn is_machine_fault(&self) -> bool {
        matches!(self, Self::Disk(_) | Self::Configuration { .. })
    }

    /// An answer that does not have the form it should have.
    pub(crate) fn malformed(
        url: impl Into<String>,
        what: &str,
        reason: &dyn std::fmt::Display,
    ) -> Self {
        Self::Malformed {
            url: url.into(),
            source: MetadataError::Malformed {
                what: what.to_owned(),
                reason: reason.to_string().chars().take(400).collect(),
            },
        }
    }

    /// Parsed metadata that does not hold what was asked for.
    pub(crate) fn metadata(url: impl Into<String>, source: MetadataError) -> Self {
        match source {
            MetadataError::NoSuchVersion { version, newest } => Self::Lacks {
                url: url.into(),
                what: format!("version {version} (newest: {newest})"),
            },
            MetadataError::NoFile(version) => Self::Lacks {
                url: url.into(),
                what: format!("file of version {version}"),
            },
            source @ (MetadataError::Missing(_) | MetadataError::Malformed { .. }) => {
                Self::Malformed {
                    url: url.into(),
                    source,
                }
            }
        }
    }
}
