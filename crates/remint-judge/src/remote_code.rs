//! Starting something fetches code that it does not hold: what was judged is then not what runs. How much that matters is
//! the same for bundles and images.

use remint_model::{Axis, Finding, Pinned, RemoteCode, Severity};
use serde_json::json;

const KINDS: [(Pinned, Severity, &str); 3] = [
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

/// One finding of this id for each way in which what is fetched is pinned.
pub(crate) fn findings(id: &'static str, remote: &[RemoteCode]) -> Vec<Finding> {
    KINDS
        .into_iter()
        .filter_map(|(pinned, severity, words)| {
            let remote: Vec<&RemoteCode> =
                remote.iter().filter(|code| code.pinned == pinned).collect();
            let first = remote.first()?;
            let platform = first.platform.as_ref();
            let on = platform.map_or_else(String::new, |name| format!(" on {name}"));
            Some(Finding {
                id,
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
