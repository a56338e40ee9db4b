//! A package in a bundle that a lockfile does not pin, or pins to another digest.

use remint_model::{Axis, Finding, LockDisagreement, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["bundled-package-unlocked"],
    run: bundled_package_unlocked,
};

/// How many packages one finding names.
const SHOWN: usize = 50;

fn bundled_package_unlocked(evidence: &Evidence) -> Vec<Finding> {
    let Some(bundle) = &evidence.bundle else {
        return Vec::new();
    };
    let (serious, others): (Vec<&LockDisagreement>, Vec<&LockDisagreement>) = bundle
        .lock_disagreements
        .iter()
        .partition(|disagreement| disagreement.other_digest);
    [(serious, Severity::High), (others, Severity::Medium)]
        .into_iter()
        .filter_map(|(disagreements, severity)| {
            let first = disagreements.first()?;
            let more = match disagreements.len() {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            Some(Finding {
                id: "bundled-package-unlocked",
                axis: Axis::Dependencies,
                severity,
                message: format!(
                    "the bundle holds {}{more}, and of `{}` {}",
                    first.package, first.lockfile, first.detail
                ),
                evidence: json!({
                    "count": disagreements.len(),
                    "packages": disagreements.iter().take(SHOWN).collect::<Vec<_>>(),
                }),
            })
        })
        .collect()
}
