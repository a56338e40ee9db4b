//! Which installations are not worth trying after others have failed.

use remint_model::{AssumptionKind, BuildPlan, Edit, FailureReason, Lock, Phase, Step, Tool};

/// All that decides how installing goes.
#[derive(PartialEq)]
pub(crate) struct Install {
    tools: Vec<Tool>,
    steps: Vec<Step>,
    edits: Vec<Edit>,
    lock: Lock,
    /// How many versions it is free to choose in place of what is gone.
    substitutes: usize,
}

impl Install {
    pub(crate) fn of(plan: &BuildPlan) -> Self {
        Self {
            tools: plan.tools.clone(),
            steps: plan
                .steps
                .iter()
                .take_while(|step| step.phase == Phase::Install)
                .cloned()
                .collect(),
            edits: plan.edits.clone(),
            lock: plan.lock.clone(),
            substitutes: plan
                .assumptions
                .iter()
                .filter(|made| made.kind == AssumptionKind::SubstituteDependency)
                .count(),
        }
    }
}

/// An installation that failed, and why.
pub(crate) struct FailedInstall {
    /// What was tried.
    pub(crate) install: Install,
    /// Why it failed.
    pub(crate) reason: FailureReason,
}

impl FailedInstall {
    /// Why there is no use in another installation.
    pub(crate) fn rules_out(&self, other: &Install) -> Option<String> {
        if self.install == *other {
            return Some("it installs what could not be installed".to_owned());
        }
        let FailureReason::DependencyGone(url) = &self.reason else {
            return None;
        };
        let asks_again = match (&self.install.lock, &other.lock) {
            // Another version of the tools asks for the same files.
            (Lock::Locked { .. }, Lock::Locked { .. }) => {
                self.install.lock == other.lock && self.install.steps == other.steps
            }
            // Package managers hold lockfiles against the manifests before they fetch anything: as this one got to
            // fetching, they agree, and an installation that may deviate has no reason to.
            (Lock::Locked { .. }, Lock::AsOf { .. }) if other.substitutes == 0 => {
                let folder =
                    |install: &Install| install.steps.first().map(|step| step.directory.clone());
                folder(&self.install) == folder(other)
            }
            _ => false,
        };
        asks_again
            .then(|| format!("it is locked to {url} as well, which the registry no longer has"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use remint_model::{Action, OnFailure};

    use super::*;

    fn install(argv: &[&str], folder: Option<&str>, lock: Lock) -> Install {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        Install {
            tools: Vec::new(),
            steps: vec![Step {
                phase: Phase::Install,
                directory: folder.map(|folder| folder.parse().unwrap()),
                action: Action::Run { argv },
                environment: BTreeMap::new(),
                on_failure: OnFailure::Ends,
            }],
            edits: Vec::new(),
            lock,
            substitutes: 0,
        }
    }

    fn locked() -> Lock {
        Lock::Locked {
            file: "package-lock.json".parse().unwrap(),
            fetches: Vec::new(),
        }
    }

    #[test]
    fn what_a_lockfile_asks_for_in_vain_is_not_asked_for_again() {
        let as_of = || Lock::AsOf { time: Some(1) };
        let gone = || FailureReason::DependencyGone("https://r.example/x.tgz".to_owned());
        let check = |lock: Lock, reason: FailureReason, other: Install, expect: bool| {
            let failed = FailedInstall {
                install: install(&["npm", "ci"], None, lock),
                reason,
            };
            assert_eq!(failed.rules_out(&other).is_some(), expect);
        };
        let deviating = |folder| install(&["npm", "install"], folder, as_of());
        check(locked(), gone(), deviating(None), true);
        check(locked(), gone(), deviating(Some("client")), false);
        check(
            as_of(),
            gone(),
            install(&["npm", "ci"], None, locked()),
            false,
        );
        check(as_of(), gone(), deviating(None), false);
        let mut substituting = deviating(None);
        substituting.substitutes = 1;
        check(locked(), gone(), substituting, false);
        // Anything else may go better with other commands.
        check(locked(), FailureReason::ExitCode(1), deviating(None), false);
        // The same again never does.
        let same = || install(&["npm", "ci"], None, locked());
        check(locked(), FailureReason::ExitCode(1), same(), true);
        let mut newer = same();
        newer.tools.push(Tool {
            name: "npm".to_owned(),
            version: None,
            as_of: None,
            origin: remint_model::ToolOrigin::System,
            because: String::new(),
        });
        check(locked(), gone(), newer, true);
    }
}
