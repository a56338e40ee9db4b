//! Something in the build asked for the network where it has none, or for more than a registry.

use std::collections::BTreeSet;

use remint_model::{Axis, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["unexpected-network-access", "dependency-digest-mismatch"],
    run: unexpected_network_access,
};

/// How many destinations one finding names.
const SHOWN: usize = 50;

fn unexpected_network_access(evidence: &Evidence) -> Vec<Finding> {
    let Some(build) = &evidence.build else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut destinations: BTreeSet<&str> = build
        .attempts
        .iter()
        .map(|attempt| attempt.destination.as_str())
        .collect();
    destinations.extend(
        build
            .refused
            .iter()
            .filter(|request| matches!(request.reason.as_str(), "not-a-registry" | "method"))
            .map(|request| request.url.as_str()),
    );
    if let Some(first) = destinations.first() {
        let more = match destinations.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        findings.push(Finding {
            id: "unexpected-network-access",
            axis: Axis::Install,
            severity: Severity::Medium,
            message: format!("the build tried to reach {first}{more}; it was refused"),
            evidence: json!({
                "count": destinations.len(),
                "destinations": destinations.iter().take(SHOWN).collect::<Vec<_>>(),
                "attempts": build.attempts.iter().take(SHOWN).collect::<Vec<_>>(),
            }),
        });
    }
    let mismatches: Vec<_> = build
        .refused
        .iter()
        .filter(|request| request.reason == "digest-mismatch")
        .collect();
    if let Some(first) = mismatches.first() {
        findings.push(Finding {
            id: "dependency-digest-mismatch",
            axis: Axis::Dependencies,
            severity: Severity::High,
            message: format!(
                "a registry serves {} with another digest than the lockfile lists",
                first.url
            ),
            evidence: json!({ "requests": mismatches }),
        });
    }
    findings
}
