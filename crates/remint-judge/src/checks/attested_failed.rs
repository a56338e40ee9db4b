//! Somebody whom the user trusts found that this very file failed.

use remint_model::{Axis, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["attested-failed"],
    run: attested_failed,
};

fn attested_failed(evidence: &Evidence) -> Vec<Finding> {
    evidence
        .attested_failures
        .iter()
        .map(|failure| Finding {
            id: "attested-failed",
            axis: Axis::Provenance,
            severity: Severity::High,
            message: format!("{} found: {}", failure.rebuilder, failure.words),
            evidence: json!({ "rebuilder": failure.rebuilder, "words": failure.words }),
        })
        .collect()
}
