//! Starting a bundle fetches code that the bundle does not hold: what was judged is then not what runs.

use remint_model::{Axis, Finding, Pinned, RemoteCode, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["bundle-runs-remote-code"],
    run: bundle_runs_remote_code,
};

fn bundle_runs_remote_code(evidence: &Evidence) -> Vec<Finding> {
    let Some(bundle) = &evidence.bundle else {
        return Vec::new();
    };
    let kinds = [
        (
            Pinned::Floating,
            Severity::High,
            "whatever is there at that time",
        ),
        (
            Pinned::Untold,
            Severity::Medium,
            "what, its command does not tell",
        ),
        (Pinned::Exactly, Severity::Info, "pinned"),
    ];
    kinds
        .into_iter()
        .filter_map(|(pinned, severity, words)| {
            let remote = bundle.facts.remote.iter();
            let remote: Vec<&RemoteCode> = remote.filter(|code| code.pinned == pinned).collect();
            let first = remote.first()?;
            let platform = first.platform.as_ref();
            let on = platform.map_or_else(String::new, |name| format!(" on {name}"));
            Some(Finding {
                id: "bundle-runs-remote-code",
                axis: Axis::Dependencies,
                severity,
                message: format!(
                    "starting it{on} runs code that it does not hold ({words}): {}",
                    first.what
                ),
                evidence: json!({ "remote": remote }),
            })
        })
        .collect()
}
