//! Room on this machine: looked at before work begins, and whenever something failed that may have failed for want
//! of it. A disk without room says nothing about a release.

use std::path::{Path, PathBuf};

use remint_fetch::FetchError;
use remint_sandbox::{DISK_RESERVE, free_space};

use crate::report::size_words;

/// With less than this a program that failed may well have failed because of it.
const NOTHING_TO_SPEAK_OF: u64 = 64 << 20;

/// This machine ran short of something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Shortage {
    /// Of disk.
    #[error(
        "the disk is full: {} are free in `{}`, and building needs {}",
        size_words(*free),
        place.display(),
        size_words(DISK_RESERVE)
    )]
    Disk {
        /// Where caches and builds are.
        place: PathBuf,
        /// Bytes left.
        free: u64,
    },
    /// Of memory.
    #[error("the memory of this machine was nearly used up while `{step}` ran")]
    Memory {
        /// What ran then.
        step: String,
    },
}

impl Shortage {
    /// The disk on which this path lies.
    pub(crate) fn of_disk(place: &Path) -> Self {
        Self::Disk {
            place: place.to_owned(),
            free: free_space(place).unwrap_or(0),
        }
    }
}

/// Whether there is room enough to build anything below this directory.
pub(crate) fn look(place: &Path) -> Result<(), Shortage> {
    match free_space(place) {
        Ok(free) if free < DISK_RESERVE => Err(Shortage::of_disk(place)),
        // Who cannot be asked may still have room; writing will tell.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether something that was running below this directory may have failed for want of room.
pub(crate) fn may_have_failed_for_want_of_it(place: &Path) -> bool {
    free_space(place).is_ok_and(|free| free < NOTHING_TO_SPEAK_OF)
}

/// What to do about an error, if it is about room.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    const MEMORY: &str = "end other programs, or allow builds less with --memory";
    const DISK: &str = "make room (`remint cache prune` removes what can be fetched again), or keep the caches \
                        elsewhere with --cache-dir";
    error.chain().find_map(|cause| {
        if let Some(shortage) = cause.downcast_ref::<Shortage>() {
            return Some(match shortage {
                Shortage::Disk { .. } => DISK,
                Shortage::Memory { .. } => MEMORY,
            });
        }
        let own = cause.downcast_ref::<std::io::Error>();
        let fetched = match cause.downcast_ref::<FetchError>() {
            Some(FetchError::Disk(error)) => Some(error),
            Some(_) | None => None,
        };
        own.or(fetched).is_some_and(is_full).then_some(DISK)
    })
}

/// Whether this error is the disk's, for want of room.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn errors_for_want_of_room_come_with_a_hint_however_deep_they_lie() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        let kept: Result<(), _> = Err(FetchError::Disk(full()));
        let error = kept.context("cannot judge it").unwrap_err();
        assert!(hint(&error).is_some_and(|hint| hint.contains("cache prune")));
        let error = anyhow::Error::from(Shortage::Memory {
            step: "tsc".to_owned(),
        });
        assert!(hint(&error).is_some_and(|hint| hint.contains("--memory")));
        let error = anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::NotFound));
        assert_eq!(hint(&error), None);
    }
}
