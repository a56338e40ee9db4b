//! How much a build may fetch in all: a lockfile of strangers could otherwise fill disk and line with the largest
//! files that a registry has.
//!
//! What counts is what is passed on, each file once, whether it came over the network or out of the cache, so that
//! the answer is the same the next time. What is still under way counts as well, and only for so long.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The bytes that one build may fetch.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    spent: u64,
    under_way: u64,
    is_exceeded: bool,
}

/// It would be more than the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            sums: Mutex::default(),
        }
    }

    /// Spends bytes for good.
    pub(crate) fn spend(&self, bytes: u64) -> Result<(), Exceeded> {
        let mut sums = self.sums();
        sums.spent = sums.spent.saturating_add(bytes);
        // Not what is under way: it may yet come to nothing.
        if sums.spent > self.limit {
            sums.is_exceeded = true;
        }
        self.verdict(&sums)
    }

    /// For a transfer that begins.
    pub(crate) fn transfer(&self) -> Transfer<'_> {
        Transfer {
            budget: self,
            bytes: 0,
        }
    }

    /// Once exceeded, it stays so.
    pub(crate) fn check(&self) -> Result<(), Exceeded> {
        self.verdict(&self.sums())
    }

    fn verdict(&self, sums: &Sums) -> Result<(), Exceeded> {
        if sums.is_exceeded {
            Err(Exceeded { limit: self.limit })
        } else {
            Ok(())
        }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a transfer under way. They are given back when it is dropped: then it has failed, or what it brought
/// is about to be spent.
#[derive(Debug)]
pub(crate) struct Transfer<'budget> {
    budget: &'budget Budget,
    bytes: u64,
}

impl Transfer<'_> {
    /// So many bytes more have come.
    pub(crate) fn add(&mut self, bytes: u64) -> Result<(), Exceeded> {
        let mut sums = self.budget.sums();
        self.bytes = self.bytes.saturating_add(bytes);
        sums.under_way = sums.under_way.saturating_add(bytes);
        if sums.spent.saturating_add(sums.under_way) > self.budget.limit {
            sums.is_exceeded = true;
        }
        self.budget.verdict(&sums)
    }
}

impl Drop for Transfer<'_> {
    fn drop(&mut self) {
        let mut sums = self.budget.sums();
        sums.under_way = sums.under_way.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_for_all_transfers_together_and_stays_exceeded() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (budget.transfer(), budget.transfer());
        one.add(60).unwrap();
        other.add(40).unwrap();
        drop(one);
        budget.spend(60).unwrap();
        assert_eq!(other.add(1), Err(Exceeded { limit: 100 }));
        drop(other);
        assert_eq!(budget.check(), Err(Exceeded { limit: 100 }));
        assert_eq!(budget.spend(0), Err(Exceeded { limit: 100 }));
    }

    #[test]
    fn what_came_to_nothing_is_given_back_and_exactly_the_budget_may_be_spent() {
        let budget = Budget::new(100);
        for _ in 0..5 {
            budget.transfer().add(100).unwrap();
        }
        budget.spend(100).unwrap();
        budget.spend(0).unwrap();
        assert_eq!(budget.spend(1), Err(Exceeded { limit: 100 }));
        Budget::new(u64::MAX).spend(u64::MAX).unwrap();
    }
}
