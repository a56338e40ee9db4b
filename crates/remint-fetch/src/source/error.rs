//! Why there is no source.

use remint_model::CommitId;

use crate::git::GitError;

/// Where the search for a source ended without one.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The repository did not answer; asking again later may help.
    #[error("`{url}` did not answer: {reason}")]
    Unavailable {
        /// The repository.
        url: String,
        /// What git or the network said.
        reason: String,
    },
    /// The repository answered, and no commit of it carries this release.
    #[error("no commit of `{url}` carries this version; looked at {looked_at}")]
    NoSource {
        /// The repository.
        url: String,
        /// What was looked at.
        looked_at: Box<LookedAt>,
    },
    /// The metadata names no repository.
    #[error("the metadata names no repository{}", mentioned(raw))]
    NoClaim {
        /// What it names instead, unusable.
        raw: Vec<String>,
    },
    /// The repository is of a kind that is not contacted, or holds what is not written to disk.
    #[error("`{url}` is refused: {reason}")]
    Refused {
        /// The repository.
        url: String,
        /// Why.
        reason: String,
    },
    /// The user named a ref that the repository does not have.
    #[error(
        "`{url}` has no branch, tag or commit `{reference}`{}",
        nearest_of(nearest)
    )]
    UnknownRef {
        /// The repository.
        url: String,
        /// What was asked for.
        reference: String,
        /// Tags with similar names.
        nearest: Vec<String>,
    },
    /// The repository is of a kind that cannot be read here.
    #[error("`{url}` cannot be used: {reason}")]
    Unsupported {
        /// The repository.
        url: String,
        /// Why.
        reason: String,
    },
    /// What the user names as source cannot be one.
    #[error("`{given}` is no source: {reason}")]
    NotASource {
        /// What was given, without credentials.
        given: String,
        /// Why not.
        reason: String,
    },
    /// This machine is at fault: no git, a full disk, a broken cache.
    #[error("cannot work with git on this machine")]
    Machine(#[source] GitError),
}

impl SourceError {
    /// Whether this machine, rather than the release or its repository, is at fault.
    #[must_use]
    pub const fn is_machine_fault(&self) -> bool {
        match self {
            Self::Machine(_) => true,
            Self::Unavailable { .. }
            | Self::NoSource { .. }
            | Self::NoClaim { .. }
            | Self::Refused { .. }
            | Self::UnknownRef { .. }
            | Self::Unsupported { .. }
            | Self::NotASource { .. } => false,
        }
    }

    /// Whether the host answered that there is no such repository, or none for the public.
    pub(crate) fn is_absence(&self) -> bool {
        const ABSENT: [&str; 3] = [
            NO_REPOSITORY,
            "does not appear to be a git repository",
            "' not found",
        ];
        matches!(self, Self::Unavailable { reason, .. }
            if ABSENT.iter().any(|absent| reason.contains(absent)))
    }

    /// Tells the faults of a repository from those of this machine.
    pub(crate) fn from_git(url: &str, error: GitError) -> Self {
        let url = url.to_owned();
        match error {
            GitError::HostileName { .. } | GitError::TooManyEntries(_) => Self::Refused {
                url,
                reason: error.to_string(),
            },
            GitError::TooLarge { .. } | GitError::TooMuchWork => Self::Unsupported {
                url,
                reason: error.to_string(),
            },
            // No host was asked: what is there takes longer than is spent on one repository.
            GitError::Deadline { ref operation, .. } if !waits_for_a_host(operation) => {
                Self::Unsupported {
                    url,
                    reason: error.to_string(),
                }
            }
            GitError::Unexpected { detail, .. } if detail.contains("SHA-256") => {
                Self::Unsupported {
                    url,
                    reason: detail,
                }
            }
            GitError::Failed { message, .. } => Self::Unavailable {
                url,
                reason: plainer(message),
            },
            GitError::Deadline { .. } | GitError::Unexpected { .. } => Self::Unavailable {
                url,
                reason: error.to_string(),
            },
            GitError::Object { object, reason } => Self::Unavailable {
                url,
                reason: format!("object {object} cannot be read: {}", reason.message()),
            },
            GitError::Program(_) | GitError::Stopped | GitError::Disk { .. } => {
                Self::Machine(error)
            }
        }
    }
}

/// Whether git speaks with the repository's host in this subcommand.
fn waits_for_a_host(operation: &str) -> bool {
    matches!(operation, "fetch" | "ls-remote")
}

impl From<GitError> for SourceError {
    fn from(error: GitError) -> Self {
        Self::from_git("the repository", error)
    }
}

/// How far a search went that found nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookedAt {
    /// Tags of the repository.
    pub tags: usize,
    /// Commits of its history.
    pub commits: usize,
    /// Files of the history that are manifests of this package.
    pub manifests: usize,
    /// The commit whose files match the published ones best: matched, of how many.
    pub best_blob_match: Option<(CommitId, usize, usize)>,
    /// How many other releases of the package have a tag.
    pub tagged_releases: usize,
    /// Whether the clone at hand holds only the latest part of its history.
    pub cut_short: bool,
    /// What was proposed and why it was not taken.
    pub passed_over: Vec<String>,
}

impl std::fmt::Display for LookedAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} tags, {} commits, {} versions of the manifest",
            self.tags, self.commits, self.manifests
        )?;
        if let Some((commit, matched, of)) = &self.best_blob_match {
            write!(
                f,
                ", published files against the history (best: {}, {matched} of {of})",
                commit.short()
            )?;
        }
        if self.tagged_releases > 0 {
            write!(
                f,
                "; {} other releases have tags, this one does not",
                self.tagged_releases
            )?;
        }
        if self.cut_short {
            write!(
                f,
                "; the clone is shallow, `git fetch --unshallow --tags` brings the rest"
            )?;
        }
        for reason in &self.passed_over {
            write!(f, "; {reason}")?;
        }
        Ok(())
    }
}

const NO_REPOSITORY: &str = "there is no public repository at this address";

/// Hosts answer for what is not public as if a password could help, which is never asked for.
fn plainer(message: String) -> String {
    let asks = [
        "could not read Username",
        "could not read Password",
        "terminal prompts disabled",
        "Authentication failed",
        "Repository not found",
        "Permission denied (publickey",
    ];
    if asks.iter().any(|ask| message.contains(ask)) {
        NO_REPOSITORY.to_owned()
    } else {
        message
    }
}

fn mentioned(raw: &[String]) -> String {
    match raw.first() {
        Some(first) => format!(" that can be used: {first}"),
        None => String::new(),
    }
}

fn nearest_of(nearest: &[String]) -> String {
    if nearest.is_empty() {
        String::new()
    } else {
        format!("; the nearest are `{}`", nearest.join("`, `"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_that_was_asked_is_said_not_to_answer() {
        let stopped = |operation: &str| {
            let error = GitError::Deadline {
                operation: operation.to_owned(),
                seconds: 60,
            };
            SourceError::from_git("https://git.example/o/r", error)
        };
        for operation in ["fetch", "ls-remote"] {
            let error = stopped(operation);
            assert!(matches!(error, SourceError::Unavailable { .. }), "{error}");
        }
        let error = stopped("update-index");
        assert!(matches!(error, SourceError::Unsupported { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "`https://git.example/o/r` cannot be used: `git update-index` was stopped after 60 s"
        );
    }
}
