//! The exit codes, all of them (contract, "Outcomes").

use remint_model::Outcome;

/// How a run ended, for the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every target verified; the command did what it was asked.
    Verified,
    /// At least one target failed.
    Failed,
    /// Unknown option, malformed spec, unreadable configuration.
    Usage,
    /// No target failed, at least one is inconclusive.
    Inconclusive,
    /// remint itself could not work on this machine.
    Machine,
    /// The user interrupted the run (128 + SIGINT, as shells expect).
    Interrupted,
}

impl Exit {
    /// The number that the process ends with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Verified => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Machine => 4,
            Self::Interrupted => 130,
        }
    }

    /// What the number means.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Verified => "every target verified",
            Self::Failed => "at least one target failed",
            Self::Usage => "wrong usage",
            Self::Inconclusive => "none failed, at least one target is inconclusive",
            Self::Machine => "remint could not work on this machine",
            Self::Interrupted => "interrupted",
        }
    }

    /// What one target's outcome alone would end with.
    pub(crate) const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::Verified,
            Outcome::Failed => Self::Failed,
            Outcome::Inconclusive => Self::Inconclusive,
        }
    }

    /// Several at once: 2 before 1 before 4 before 3 before 0; an interruption before all.
    pub(crate) fn and(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Interrupted => 0,
            Self::Usage => 1,
            Self::Failed => 2,
            Self::Machine => 3,
            Self::Inconclusive => 4,
            Self::Verified => 5,
        };
        if rank(self) <= rank(other) {
            self
        } else {
            other
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_most_serious_ending_wins() {
        let order = [
            Exit::Usage,
            Exit::Failed,
            Exit::Machine,
            Exit::Inconclusive,
            Exit::Verified,
        ];
        for (at, exit) in order.iter().enumerate() {
            for later in &order[at..] {
                assert_eq!(exit.and(*later), *exit);
                assert_eq!(later.and(*exit), *exit);
            }
        }
    }
}
