//! The registry makes installers fetch, link or run something that the published file's manifest does not.

use remint_model::{Axis, Finding, ManifestPart, RegistryDisagreement, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["registry-manifest-disagrees"],
    run: registry_manifest_disagrees,
};

/// How many disagreements one finding names.
const SHOWN: usize = 50;

fn registry_manifest_disagrees(evidence: &Evidence) -> Vec<Finding> {
    [Axis::Dependencies, Axis::Install]
        .into_iter()
        .filter_map(|wanted| {
            let found: Vec<&RegistryDisagreement> = evidence
                .registry_disagreements
                .iter()
                .filter(|one| axis(one.part) == wanted)
                .collect();
            finding(wanted, &found)
        })
        .collect()
}

fn finding(axis: Axis, found: &[&RegistryDisagreement]) -> Option<Finding> {
    let first = found.first()?;
    let more = match found.len() {
        1 => String::new(),
        n => format!(", and {} more", n - 1),
    };
    let file = match &first.file {
        Some(file) => format!("the published file says `{}`", shorten(file)),
        None => "the published file does not have it".to_owned(),
    };
    Some(Finding {
        id: "registry-manifest-disagrees",
        axis,
        severity: Severity::High,
        message: format!(
            "the registry tells installers {} `{}` ({}), and {file}{more}",
            noun(first.part),
            shorten(&first.name),
            shorten(&first.registry),
        ),
        evidence: json!({
            "count": found.len(),
            "disagreements": found.iter().take(SHOWN).collect::<Vec<_>>(),
        }),
    })
}

const fn axis(part: ManifestPart) -> Axis {
    match part {
        ManifestPart::Dependency(_) => Axis::Dependencies,
        ManifestPart::Command | ManifestPart::InstallHook => Axis::Install,
    }
}

const fn noun(part: ManifestPart) -> &'static str {
    match part {
        ManifestPart::Dependency(_) => "of the dependency",
        ManifestPart::Command => "of the command",
        ManifestPart::InstallHook => "to run",
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
