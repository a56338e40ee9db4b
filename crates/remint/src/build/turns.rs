//! Lets builds that run side by side begin one after the other, each when there is memory for it.
//!
//! What a build will need cannot be known. The limit that the user set is far above what most take, so that counting on
//! it would leave machines idle; what counts is what an ordinary build takes, and what the machine has left. A build
//! that runs alone waits for nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is set aside for a build, in bytes: compilers and bundlers of real servers stay below it.
const USUAL: u64 = 2 << 30;
/// For how long a build may not yet have taken what it needs.
const YOUNG: Duration = Duration::from_secs(20);
/// How often it is looked whether there is room.
const PAUSE: Duration = Duration::from_millis(250);

/// Who builds at the moment.
#[derive(Debug, Default)]
pub(super) struct Turns {
    builds: Mutex<Builds>,
}

#[derive(Debug, Default)]
struct Builds {
    started: BTreeMap<u64, Instant>,
    next: u64,
}

impl Builds {
    /// Whether one more build fits beside those that run. `free` is what the machine has left; where it does not say,
    /// there is no reason to wait.
    fn has_room(&self, now: Instant, wanted: u64, free: Option<u64>) -> bool {
        let young = self
            .started
            .values()
            .filter(|started| now.duration_since(**started) < YOUNG)
            .count();
        let young = u64::try_from(young).unwrap_or(u64::MAX);
        self.started.is_empty()
            || free.is_none_or(|free| free >= wanted.saturating_mul(young.saturating_add(1)))
    }
}

/// A build's place; others may have its memory once it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    /// Waits until there is room for a build that may use `limit` bytes of memory; `None` once everything is cancelled.
    /// `on_wait` is called when it has to wait.
    pub(super) async fn take(
        &self,
        limit: u64,
        cancel: &AtomicBool,
        on_wait: impl FnOnce(),
    ) -> Option<Turn<'_>> {
        let mut on_wait = Some(on_wait);
        loop {
            if cancel.load(Ordering::Relaxed) {
                return None;
            }
            let free = remint_sandbox::free_memory();
            let now = Instant::now();
            {
                let mut builds = self.builds();
                if builds.has_room(now, limit.min(USUAL), free) {
                    let number = builds.next;
                    builds.next += 1;
                    builds.started.insert(number, now);
                    return Some(Turn {
                        turns: self,
                        number,
                    });
                }
            }
            if let Some(on_wait) = on_wait.take() {
                on_wait();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn builds(&self) -> MutexGuard<'_, Builds> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.builds().started.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIBIBYTE: u64 = 1 << 30;

    /// Builds that started so many seconds before `now`.
    fn builds(now: Instant, ages: &[u64]) -> Builds {
        let started = |age: &u64| now.checked_sub(Duration::from_secs(*age)).unwrap();
        Builds {
            started: (0..).zip(ages.iter().map(started)).collect(),
            next: 100,
        }
    }

    #[test]
    fn a_build_waits_for_memory_that_others_have_or_are_about_to_take() {
        let now = Instant::now();
        let now = now + Duration::from_secs(3600);
        for (ages, free, expect) in [
            // Alone: no waiting, however little there is.
            (&[][..], Some(0), true),
            (&[60], Some(2 * GIBIBYTE), true),
            (&[60], Some(2 * GIBIBYTE - 1), false),
            (&[60, 60, 60], Some(2 * GIBIBYTE), true),
            (&[1], Some(3 * GIBIBYTE), false),
            (&[1], Some(4 * GIBIBYTE), true),
            (&[1, 19, 20], Some(5 * GIBIBYTE), false),
            (&[1, 19, 20], Some(6 * GIBIBYTE), true),
            (&[1, 1], None, true),
        ] {
            let builds = builds(now, ages);
            assert_eq!(
                builds.has_room(now, USUAL, free),
                expect,
                "{ages:?} {free:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_turn_ends_when_it_is_dropped_and_nobody_gets_one_once_everything_is_cancelled() {
        let turns = Turns::default();
        let cancel = AtomicBool::new(false);
        let first = turns.take(u64::MAX, &cancel, || {}).await;
        cancel.store(true, Ordering::Relaxed);
        assert!(turns.take(u64::MAX, &cancel, || {}).await.is_none());
        assert_eq!(turns.builds().started.len(), 1);
        drop(first);
        assert_eq!(turns.builds().started.len(), 0);
    }
}
