//! The build asked for the very file that it should produce: its result proves nothing.

use remint_model::{Axis, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["build-consumes-published"],
    run: build_consumes_published,
};

fn build_consumes_published(evidence: &Evidence) -> Vec<Finding> {
    if !evidence.consumed_published {
        return Vec::new();
    }
    let requests: Vec<_> = evidence
        .build
        .iter()
        .flat_map(|build| &build.refused)
        .filter(|request| request.reason == "published-file")
        .map(|request| request.url.as_str())
        .collect();
    vec![Finding {
        id: "build-consumes-published",
        axis: Axis::Content,
        severity: Severity::Critical,
        message: "the build asked the registry for the very file that it should produce".to_owned(),
        evidence: json!({ "requests": requests }),
    }]
}
