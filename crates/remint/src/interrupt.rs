//! Ctrl-C: asks running work to stop, so that it can clean up; a second one is not needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The error that unwinds a run which the user interrupted.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted; nothing was left behind")]
pub(crate) struct Interrupted;

/// The same, where the disk takes too long to remove what was built.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("interrupted; {LEFT}")]
pub(crate) struct StillRemoving;

/// What is said where a removal is not waited for any longer.
pub(crate) const LEFT: &str = "what is left of a build is removed at the next start";

/// Sets `cancel` when the user presses Ctrl-C or the process is asked to end.
pub(crate) fn watch(cancel: Arc<AtomicBool>) {
    tokio::spawn(async move {
        wait().await;
        cancel.store(true, Ordering::Relaxed);
        remint_fetch::git::stop_all();
    });
}

/// How long running work gets to stop by itself after an interruption, so that it can clean up.
const GRACE: Duration = Duration::from_secs(3);

/// Returns when `cancel` is set and the work that noticed it had time to end.
pub(crate) async fn cancelled_and_settled(cancel: &AtomicBool) {
    while !cancel.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(GRACE).await;
}

#[cfg(unix)]
async fn wait() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
async fn wait() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
