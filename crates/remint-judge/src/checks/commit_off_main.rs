//! Branches alone reach the commit, and the default one is not among them: whoever can push a branch put it there.

use remint_model::{Axis, Finding, Reach, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["commit-off-main"],
    run: commit_off_main,
};

fn commit_off_main(evidence: &Evidence) -> Vec<Finding> {
    let Some(pin) = &evidence.source else {
        return Vec::new();
    };
    let branch = match &pin.reach {
        Reach::OtherBranch(branch) => branch,
        // A commit that nothing reaches is another check's.
        Reach::DefaultOrTag | Reach::Given | Reach::Nothing => return Vec::new(),
    };
    vec![Finding {
        id: "commit-off-main",
        axis: Axis::Source,
        severity: Severity::High,
        message: format!(
            "commit {} is reachable from branch `{branch}` alone, not from the default branch or a tag of {}",
            pin.commit.short(),
            pin.repository
        ),
        evidence: json!({ "commit": pin.commit, "branch": branch, "found_by": pin.found_by }),
    }]
}
