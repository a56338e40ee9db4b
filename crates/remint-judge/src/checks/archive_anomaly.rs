//! Something in the published archive that no honest packer writes. What the rebuild has in the same way comes
//! from the source, and is told as information only. Where nothing was rebuilt, what a source can be the cause of is
//! no proof of anything yet.

use remint_model::{AnomalyKind, Axis, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::{Evidence, ResultEvidence};

pub(super) const CHECK: Check = Check {
    ids: &IDS,
    run: archive_anomaly,
};

const IDS: [&str; AnomalyKind::ALL.len()] = {
    let mut ids = [""; AnomalyKind::ALL.len()];
    let mut at = 0;
    while at < ids.len() {
        ids[at] = AnomalyKind::ALL[at].id();
        at += 1;
    }
    ids
};

/// How many places one finding names.
const SHOWN: usize = 20;

fn archive_anomaly(evidence: &Evidence) -> Vec<Finding> {
    let is_rebuilt = matches!(evidence.result, ResultEvidence::Compared { .. });
    let mut findings = Vec::new();
    for kind in AnomalyKind::ALL {
        let (from_source, foreign): (Vec<_>, Vec<_>) = evidence
            .published_anomalies
            .iter()
            .filter(|anomaly| anomaly.kind == *kind)
            .partition(|anomaly| evidence.rebuilt_anomalies.contains(anomaly));
        let unexplained = if is_rebuilt || !may_come_from_a_source(*kind) {
            Severity::High
        } else {
            Severity::Medium
        };
        for (anomalies, severity) in [(foreign, unexplained), (from_source, Severity::Info)] {
            let Some(first) = anomalies.first() else {
                continue;
            };
            let place = if first.path.is_empty() {
                String::new()
            } else {
                format!(" at `{}`", first.path)
            };
            let more = match anomalies.len() {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            findings.push(Finding {
                id: kind.id(),
                axis: Axis::Packaging,
                severity,
                message: format!("{}{place}{more}", first.detail),
                evidence: json!({
                    "count": anomalies.len(),
                    "rebuild_has_it_too": severity == Severity::Info,
                    "anomalies": anomalies.iter().take(SHOWN).collect::<Vec<_>>(),
                }),
            });
        }
    }
    findings
}

/// Whether an honest packer writes it where the repository holds it: names that differ in case alone, links.
const fn may_come_from_a_source(kind: AnomalyKind) -> bool {
    matches!(kind, AnomalyKind::CaseTwins | AnomalyKind::LinkEntry)
}
