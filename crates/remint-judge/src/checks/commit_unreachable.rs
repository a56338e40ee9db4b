//! The commit is reached by no branch or tag that the repository advertises: it may live in somebody's fork.

use remint_model::{Axis, Finding, FoundBy, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["commit-unreachable"],
    run: commit_unreachable,
};

fn commit_unreachable(evidence: &Evidence) -> Vec<Finding> {
    let Some(pin) = &evidence.source else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if !pin.reach.is_advertised() {
        findings.push(Finding {
            id: "commit-unreachable",
            axis: Axis::Source,
            severity: Severity::High,
            message: format!(
                "commit {} is reachable from no branch or tag of {}",
                pin.commit.short(),
                pin.repository
            ),
            evidence: json!({ "commit": pin.commit, "found_by": pin.found_by }),
        });
    }
    // A publisher's own pointer that leads nowhere matters even when a tag was found instead.
    for candidate in &pin.candidates {
        let published_pointer =
            matches!(candidate.found_by, FoundBy::GitHead | FoundBy::Provenance);
        let unreachable = candidate
            .note
            .as_deref()
            .is_some_and(|note| note.contains("unreachable"));
        if published_pointer && unreachable && candidate.commit.as_ref() != Some(&pin.commit) {
            findings.push(Finding {
                id: "commit-unreachable",
                axis: Axis::Source,
                severity: Severity::High,
                message: format!(
                    "the release names commit {}, which no branch or tag of {} reaches",
                    candidate
                        .commit
                        .as_ref()
                        .map_or("?", |commit| commit.short()),
                    pin.repository
                ),
                evidence: json!({ "candidate": candidate }),
            });
        }
    }
    findings
}
