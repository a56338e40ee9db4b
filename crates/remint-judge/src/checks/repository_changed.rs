//! The release names another repository than those before it did.

use remint_model::{Axis, Finding, PreviousRepository, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &[
        "previous-repository-silent",
        "repository-changed",
        "repository-claims-disagree",
    ],
    run: repository_changed,
};

fn repository_changed(evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(pin) = &evidence.source
        && let Some(previous) = &pin.previous_repository
    {
        findings.push(match previous {
            PreviousRepository::Other(previous) => Finding {
                id: "repository-changed",
                axis: Axis::Source,
                severity: Severity::High,
                message: format!(
                    "an earlier release named {previous}, this one {}",
                    pin.repository
                ),
                evidence: json!({ "previous": previous, "now": pin.repository }),
            },
            PreviousRepository::Silent { repository, reason } => Finding {
                id: "previous-repository-silent",
                axis: Axis::Source,
                severity: Severity::Medium,
                message: format!(
                    "an earlier release named {repository}, which does not tell whether it is now {}",
                    pin.repository
                ),
                evidence: json!({
                    "previous": repository, "now": pin.repository, "reason": reason,
                }),
            },
            PreviousRepository::Untold { version, reason } => Finding {
                id: "previous-repository-silent",
                axis: Axis::Source,
                severity: Severity::Medium,
                message: format!(
                    "the registry does not tell which repository the earlier release {version} named"
                ),
                evidence: json!({
                    "earlier": version, "now": pin.repository, "reason": reason,
                }),
            },
        });
    }
    if let Some((registry, file)) = &evidence.repository_claims_disagree {
        findings.push(Finding {
            id: "repository-claims-disagree",
            axis: Axis::Source,
            severity: Severity::Medium,
            message: format!("the registry names {registry}, the published file {file}"),
            evidence: json!({ "registry": registry, "file": file }),
        });
    }
    findings
}
