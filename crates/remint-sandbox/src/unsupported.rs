//! Where there are no namespaces, nothing is run.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::AtomicBool;

use crate::{Command, Finished, SandboxError};

/// There are no helpers here.
pub fn become_helper_if_asked() {}

/// Refuses.
///
/// # Errors
///
/// Always.
pub fn run(
    _command: &Command,
    _log: &mut dyn Write,
    _cancel: &AtomicBool,
    _on_listener: impl FnOnce(TcpListener),
) -> Result<Finished, SandboxError> {
    Err(SandboxError::Unsupported)
}

/// Refuses.
///
/// # Errors
///
/// Always.
pub fn run_with_input(
    _command: &Command,
    _input: std::os::fd::OwnedFd,
    _log: &mut dyn Write,
    _cancel: &AtomicBool,
) -> Result<Finished, SandboxError> {
    Err(SandboxError::Unsupported)
}
