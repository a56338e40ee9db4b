//! The published manifest pulls in something that the source's manifest does not.

use std::collections::BTreeSet;

use remint_model::{Axis, Dependency, DependencyKind, Finding, ManifestFacts, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["undeclared-dependency"],
    run: undeclared_dependency,
};

/// How many dependencies one finding names.
const SHOWN: usize = 50;

fn undeclared_dependency(evidence: &Evidence) -> Vec<Finding> {
    let Some(Ok(published)) = &evidence.manifests.published else {
        return Vec::new();
    };
    let Some(Ok(source)) = &evidence.manifests.source else {
        return Vec::new();
    };
    let Some(declared) = declared(source, evidence) else {
        return Vec::new();
    };
    let undeclared: Vec<&Dependency> = published
        .dependencies
        .iter()
        .filter(|dependency| !declared.contains(dependency))
        .collect();
    let Some(first) = undeclared.first() else {
        return Vec::new();
    };
    let known = declared
        .iter()
        .find(|d| d.name == first.name && d.kind == first.kind);
    let what = match known {
        Some(known) => format!(
            "`{}` is required as `{}`, and the source's manifest says `{}`",
            first.name, first.requirement, known.requirement
        ),
        None => format!(
            "`{}` ({}) is not in the source's manifest{}",
            first.name,
            first.requirement,
            list_note(first.kind)
        ),
    };
    let more = match undeclared.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    vec![Finding {
        id: "undeclared-dependency",
        axis: Axis::Dependencies,
        severity: Severity::High,
        message: format!("{what}{more}"),
        evidence: json!({
            "count": undeclared.len(),
            "undeclared": undeclared.iter().take(SHOWN).collect::<Vec<_>>(),
        }),
    }]
}

/// What the source stands for: its own manifest, and where that leaves the list to a build backend, what the
/// rebuild wrote. `None` where neither can tell.
fn declared<'a>(
    source: &'a ManifestFacts,
    evidence: &'a Evidence,
) -> Option<BTreeSet<&'a Dependency>> {
    let mut declared: BTreeSet<_> = source.dependencies.iter().collect();
    match &evidence.manifests.rebuilt {
        Some(Ok(rebuilt)) => declared.extend(&rebuilt.dependencies),
        Some(Err(_)) | None if source.dynamic_dependencies => return None,
        Some(Err(_)) | None => {}
    }
    Some(declared)
}

const fn list_note(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Runtime => "",
        DependencyKind::Optional => " (optional dependencies)",
        DependencyKind::Peer => " (peer dependencies)",
        DependencyKind::Bundled => " (bundled dependencies)",
        DependencyKind::Extra => " (extras)",
        DependencyKind::Build => " (build dependencies)",
        DependencyKind::Development => " (development dependencies)",
        DependencyKind::Shrinkwrap => " (shrinkwrap)",
        DependencyKind::Override => " (overrides)",
    }
}
