//! What came of executing a plan.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, Rebuilt};
use crate::comparison::{Change, Difference};
use crate::digest::{CommitId, Sha256};
use crate::judgement::InconclusiveReason;
use crate::path::EntryPath;
use crate::plan::{Assumption, Phase};

/// The result of a build. A build that fails is an answer, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildOutcome {
    /// The plan made an artifact.
    Built(Artifact<Rebuilt>),
    /// It did not.
    Failed(Failure),
}

/// Why a build made nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The command that failed, or what was being prepared.
    pub step: String,
    /// In which phase; `None` before the first step and after the last.
    pub phase: Option<Phase>,
    /// What happened to it.
    pub reason: FailureReason,
    /// The end of the log, cleaned of control characters.
    pub log_tail: String,
}

/// The kinds of build failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureReason {
    /// It ended with this code.
    ExitCode(i32),
    /// A signal ended it.
    Signal(i32),
    /// It was still running at the deadline, in seconds.
    Deadline(u64),
    /// It used more memory than allowed, in bytes.
    Memory(u64),
    /// It wrote more than allowed, in bytes.
    Disk(u64),
    /// It fetched more than allowed, in bytes.
    Downloads(u64),
    /// It failed after asking for the network, which the phase does not have.
    NeedsNetwork,
    /// A registry did not have, or refused, a file that the lockfile lists.
    DependencyGone(String),
    /// A registry could not be reached.
    RegistryUnavailable(String),
    /// A tool that the plan needs is not to be had.
    ToolUnavailable(String),
    /// Everything ran, and no artifact (or more than one) was there.
    NoArtifact(String),
    /// The source could not be laid out; why the question stays open, and in words.
    Source(InconclusiveReason, String),
    /// A requirement that the source demands is not allowed in its phase.
    Refused(String),
}

/// What happened while a plan was executed, whatever came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BuildRecord {
    /// The isolation level: `namespaces` or `landlock`.
    pub isolation: String,
    /// Tools and their versions as used.
    pub toolchain: BTreeMap<String, String>,
    /// The commands, as run.
    pub commands: Vec<String>,
    /// Those of them that failed, were allowed to, and may have been meant to write what is published.
    pub failed_commands: Vec<String>,
    /// Those of them that asked for a host, which no build reaches, before they failed.
    pub cut_off_commands: Vec<String>,
    /// What did not come from the source.
    pub assumptions: Vec<Assumption>,
    /// What was fetched through the proxy.
    pub fetched: Vec<Fetched>,
    /// What programs tried to reach and could not.
    pub attempts: Vec<NetworkAttempt>,
    /// What the proxy refused to serve.
    pub refused: Vec<RefusedRequest>,
    /// Seconds by phase.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Whether the dependencies came from the snapshot of an earlier install.
    pub snapshot: bool,
    /// What of the source was not there for the build.
    pub gaps: Vec<SourceGap>,
    /// Files that were laid out for the build and that the source's tree does not list: those of submodules, and those
    /// whose names are no text.
    pub unlisted: Vec<UnlistedFile>,
    /// Machine code that was linked in as it was found, in the tree or in module zips: some of it, in order.
    pub linked_as_is: Vec<String>,
    /// SHA-256 of the complete build log as kept.
    pub log: Option<Sha256>,
    /// The conditions that were others in a second build, which made the same file.
    pub reproduced_under: Vec<String>,
}

/// A regular file of a working tree that [`crate::SourceTree`] does not list, or lists with another content than git writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlistedFile {
    /// From the repository's root, as it can be shown.
    pub path: String,
    /// Its content.
    pub blob: CommitId,
}

/// A part of the source that the commit names and the build did not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceGap {
    /// A directory (of a submodule) or a file, below the repository's root; with `/` between its parts.
    pub path: String,
    /// What it would have been.
    pub kind: GapKind,
    /// Why it is not there, where there is more to say than the kind does.
    pub detail: String,
}

/// The kinds of gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapKind {
    /// A submodule whose host did not answer, or does not have the commit.
    UnavailableSubmodule,
    /// A submodule that is not followed: its address is not public, or there are too many.
    RefusedSubmodule,
    /// A file that the repository's own host does not have.
    AbsentFile,
    /// A file in Git LFS, of which git has a pointer alone.
    LargeFile,
}

impl SourceGap {
    /// Why a question that needs this part stays open.
    #[must_use]
    pub const fn reason(&self) -> InconclusiveReason {
        match self.kind {
            GapKind::UnavailableSubmodule | GapKind::AbsentFile => InconclusiveReason::Unavailable,
            GapKind::RefusedSubmodule | GapKind::LargeFile => InconclusiveReason::Unsupported,
        }
    }

    /// Whether this difference may be nothing but the missing part: it concerns the very file, or a file of the
    /// submodule that only the published archive has.
    ///
    /// Packers strip leading directories (`src/`, the package's folder), so the last parts of the gap's path are
    /// looked for; at least two of them, or the one that there is below `subdirectory`. Anything beyond the gap
    /// stays a difference, whatever is missing elsewhere.
    #[must_use]
    pub fn may_explain(&self, subdirectory: Option<&EntryPath>, difference: &Difference) -> bool {
        let below = subdirectory
            .and_then(|directory| {
                self.path
                    .strip_prefix(directory.as_str())?
                    .strip_prefix('/')
            })
            .unwrap_or(&self.path);
        let parts: Vec<&str> = below.split('/').collect();
        let least = parts.len().min(2);
        let path: Vec<&str> = difference.path.as_str().split('/').collect();
        let begins = (0..=parts.len() - least).any(|from| path.starts_with(&parts[from..]));
        let whole = (0..=parts.len() - least).any(|from| path == parts[from..]);
        match self.kind {
            GapKind::UnavailableSubmodule | GapKind::RefusedSubmodule => {
                begins && difference.change == Change::Added
            }
            GapKind::AbsentFile => whole && difference.change == Change::Added,
            GapKind::LargeFile => whole && difference.change == Change::Changed,
        }
    }
}

impl fmt::Display for SourceGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match self.kind {
            GapKind::UnavailableSubmodule | GapKind::RefusedSubmodule => {
                write!(f, "submodule `{path}` is left empty: {}", self.detail)
            }
            GapKind::AbsentFile => write!(f, "the repository's host does not have `{path}`"),
            GapKind::LargeFile => write!(f, "`{path}` is in Git LFS: the build sees a pointer"),
        }
    }
}

/// One response that the proxy passed on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fetched {
    /// The canonical URL, without mirror, user information or query.
    pub url: String,
    /// Of the bytes that the registry sent.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
}

/// A name or an address that a program without network asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NetworkAttempt {
    /// When in the build.
    pub phase: Phase,
    /// A host name, or `address:port`.
    pub destination: String,
    /// `dns`, `tcp` or `udp`.
    pub protocol: String,
}

/// A request that the proxy answered with a refusal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RefusedRequest {
    /// The canonical URL.
    pub url: String,
    /// Why: `not-a-registry`, `method`, `not-in-lockfile`, `digest-mismatch`, `published-file`.
    pub reason: String,
}
