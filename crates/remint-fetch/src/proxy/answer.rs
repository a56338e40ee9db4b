//! What a request came to, before it is put into HTTP.

use std::path::PathBuf;

use remint_model::Sha256;

use crate::error::FetchError;
use crate::proxy::Shared;
use crate::proxy::rules::Refusal;

/// The outcome of one request.
#[derive(Debug)]
pub(super) enum Answer {
    /// Metadata, made here.
    Document {
        bytes: Vec<u8>,
        media_type: &'static str,
    },
    /// A file of the cache, checked.
    File {
        path: PathBuf,
        size: u64,
        media_type: &'static str,
    },
    /// Not to be had from here.
    Refused(Refusal),
    /// The registry does not have it.
    Absent,
    /// The registry could not be asked, or answered nonsense.
    Failed(String),
}

/// Whether a file or only metadata was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    File,
    Metadata,
}

impl Shared {
    /// Writes down what is passed on, if the build may still have it.
    pub(super) fn pass_on(&self, url: &str, sha256: Sha256, size: u64) -> Result<(), Refusal> {
        let budget = &self.budget;
        self.record
            .fetched(url, sha256, size, || budget.spend(size))
            .map_err(|_exceeded| Refusal::OverBudget)
    }

    /// Writes a refusal down.
    pub(super) fn refuse(&self, url: &str, refusal: Refusal, wanted: Wanted) -> Answer {
        self.record.refused(url, refusal.word());
        if refusal == Refusal::PublishedFile && wanted == Wanted::File {
            self.record.consumed_published();
        }
        Answer::Refused(refusal)
    }

    /// Writes down why something could not be fetched.
    pub(super) fn failed(&self, url: &str, error: &FetchError, wanted: Wanted) -> Answer {
        match error {
            FetchError::NotFound(_) | FetchError::Lacks { .. } => {
                if wanted == Wanted::File {
                    self.record.gone(url);
                }
                Answer::Absent
            }
            FetchError::Integrity { .. } => self.refuse(url, Refusal::DigestMismatch, wanted),
            FetchError::OverBudget { .. } => self.refuse(url, Refusal::OverBudget, wanted),
            FetchError::Disk(_) => {
                let reason = reason(error);
                self.record.machine_fault(&reason);
                Answer::Failed(reason)
            }
            FetchError::Unavailable { .. }
            | FetchError::Denied { .. }
            | FetchError::Offline(_)
            | FetchError::Malformed { .. }
            | FetchError::TooLarge { .. }
            | FetchError::Configuration { .. }
            | FetchError::Artifact { .. }
            | FetchError::Tool { .. } => {
                let reason = reason(error);
                self.record.unavailable(url, &reason);
                Answer::Failed(reason)
            }
        }
    }
}

/// The error and what caused it, in one line.
fn reason(error: &FetchError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
