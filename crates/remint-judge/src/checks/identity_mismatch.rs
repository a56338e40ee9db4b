//! The published file says that it is another package or version than the one asked for.

use remint_model::{Axis, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["identity-mismatch"],
    run: identity_mismatch,
};

fn identity_mismatch(evidence: &Evidence) -> Vec<Finding> {
    let Some(stated) = &evidence.identity else {
        return Vec::new();
    };
    let target = &evidence.target;
    let same_name = stated.name.as_deref() == Some(target.name.as_str());
    if same_name && stated.same_version {
        return Vec::new();
    }
    let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
    vec![Finding {
        id: "identity-mismatch",
        axis: Axis::Identity,
        severity: Severity::High,
        message: format!(
            "the file calls itself `{}` version `{}`, and was asked for as `{}` version `{}`",
            shown(&stated.name),
            shown(&stated.version),
            target.name,
            target.version
        ),
        evidence: json!({
            "stated": { "name": stated.name, "version": stated.version },
            "asked": { "name": target.name, "version": target.version },
        }),
    }]
}
