//! Errors of the run itself: how they are told, and how the process ends because of them.

use remint_fetch::FetchError;
use remint_sandbox::SandboxError;

use crate::exit::Exit;
use crate::interrupt::{Interrupted, StillRemoving};
use crate::{room, terminal};

/// The user asked for something that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Tells the error, its causes, and what to do about it.
pub(crate) fn tell(error: &anyhow::Error) {
    let hint = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<SandboxError>())
        .and_then(SandboxError::hint)
        .or_else(|| room::hint(error).map(str::to_owned));
    terminal::tell_error(error, hint.as_deref());
}

/// Whether settings of the user's other clients cannot be used: he has to change them first.
fn is_configuration(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref::<FetchError>(),
            Some(FetchError::Configuration { .. })
        )
    })
}

/// The exit code that belongs to the error.
pub(crate) fn exit(error: &anyhow::Error) -> Exit {
    // A context is found by `downcast_ref` on the error, not in the chain of causes.
    if error.downcast_ref::<Usage>().is_some() || is_configuration(error) {
        Exit::Usage
    } else if error.is::<Interrupted>() || error.is::<StillRemoving>() {
        Exit::Interrupted
    } else {
        Exit::Machine
    }
}
