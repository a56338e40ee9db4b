//! A manifest that should say what is installed could not be read, so nothing is known about it.

use remint_model::{Axis, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &[
        "published-manifest-unreadable",
        "source-manifest-unreadable",
    ],
    run: manifest_unreadable,
};

fn manifest_unreadable(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(Err(reason)) = &evidence.manifests.published {
        findings.push(Finding {
            id: "published-manifest-unreadable",
            axis: Axis::Dependencies,
            severity: Severity::High,
            message: format!("the published manifest cannot be read: {reason}"),
            evidence: json!({ "reason": reason }),
        });
    }
    if let Some(Err(reason)) = &evidence.manifests.source {
        findings.push(Finding {
            id: "source-manifest-unreadable",
            axis: Axis::Dependencies,
            severity: Severity::Medium,
            message: format!(
                "the source's manifest cannot be read, so dependencies were not held against it: {reason}"
            ),
            evidence: json!({ "reason": reason }),
        });
    }
    findings
}
