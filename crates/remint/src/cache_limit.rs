//! Keeps the caches below their limit, once a day: looking at everything that they hold takes a while.

use std::time::{Duration, SystemTime};

use remint_fetch::{Cache, Pruned};

use crate::settings::Settings;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Its time is that of the last pruning.
const MARKER: &str = "pruned";

/// Prunes the caches when that is due and nobody uses them. Left undone it is tried again by the next run, and caches
/// that cannot be used at all are told by whoever opens them.
pub(crate) fn enforce(settings: &Settings) {
    let root = &settings.user.cache;
    let marker = root.join(MARKER);
    let now = SystemTime::from(settings.now);
    let is_due = fs_err::metadata(&marker)
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|last| now.duration_since(last).ok())
        .is_none_or(|past| past >= DAY);
    if is_due
        && root.is_dir()
        && let Ok(Pruned::Removed(_)) = Cache::prune(root, settings.cache_limit)
        && let Ok(file) = fs_err::File::create(&marker)
    {
        drop(file.file().set_modified(now));
    }
}
