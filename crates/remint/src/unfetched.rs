//! Sorts what could not be fetched: is it an answer about the target, or a fault of this machine?

use remint_fetch::FetchError;
use remint_model::InconclusiveReason;

/// What a fetch error means for a verdict.
pub(crate) enum Unfetched {
    /// Nothing is known about the target; this machine cannot do its part.
    Machine,
    /// An answer.
    Because(InconclusiveReason),
}

/// Sorts an error.
pub(crate) const fn sort(error: &FetchError) -> Unfetched {
    match error {
        FetchError::NotFound(_) | FetchError::Lacks { .. } => {
            Unfetched::Because(InconclusiveReason::NotFound)
        }
        FetchError::Unavailable { .. } | FetchError::Denied { .. } | FetchError::Offline(_) => {
            Unfetched::Because(InconclusiveReason::Unavailable)
        }
        FetchError::Malformed { .. }
        | FetchError::Integrity { .. }
        | FetchError::TooLarge { .. }
        | FetchError::Artifact { .. } => Unfetched::Because(InconclusiveReason::Malformed),
        // Builds alone have a budget, and are told by their proxy.
        FetchError::OverBudget { .. } => Unfetched::Because(InconclusiveReason::NotBuilt),
        FetchError::Tool { .. } => Unfetched::Because(InconclusiveReason::Unsupported),
        FetchError::Disk(_) | FetchError::Configuration { .. } => Unfetched::Machine,
    }
}
