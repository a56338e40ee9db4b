//! Installing the published package runs something that installing its source would not.

use remint_model::{Axis, Finding, InstallHook, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["undeclared-install-hook"],
    run: undeclared_install_hook,
};

fn undeclared_install_hook(evidence: &Evidence) -> Vec<Finding> {
    let Some(Ok(published)) = &evidence.manifests.published else {
        return Vec::new();
    };
    let Some(Ok(source)) = &evidence.manifests.source else {
        return Vec::new();
    };
    let rebuilt = match &evidence.manifests.rebuilt {
        Some(Ok(rebuilt)) => Some(&rebuilt.hooks),
        Some(Err(_)) | None => None,
    };
    let undeclared: Vec<&InstallHook> = published
        .hooks
        .iter()
        .filter(|hook| {
            !source.hooks.contains(hook) && !rebuilt.is_some_and(|hooks| hooks.contains(hook))
        })
        .collect();
    let Some(first) = undeclared.first() else {
        return Vec::new();
    };
    vec![Finding {
        id: "undeclared-install-hook",
        axis: Axis::Install,
        severity: Severity::High,
        message: format!(
            "installing runs `{}` ({}), which the source does not have",
            shorten(&first.command),
            first.name
        ),
        evidence: json!({ "hooks": undeclared }),
    }]
}

fn shorten(command: &str) -> String {
    let mut short: String = command.chars().take(80).collect();
    if short.len() < command.len() {
        short.push('…');
    }
    short
}
