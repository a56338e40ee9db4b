//! The rules that turn findings and content into an outcome (contract, "Outcomes").

use std::cmp::Reverse;

use remint_model::{
    Basis, Comparison, Content, Finding, InconclusiveReason, Judgement, Outcome, Severity,
};

use crate::checks;
use crate::evidence::{Evidence, ResultEvidence};

/// Runs every check and applies the outcome rules.
///
/// 1. Content is what the comparison says; without one it is inconclusive.
/// 2. The outcome is failed when content is different or a finding is high or critical.
/// 3. Else it is inconclusive when content is, or when only the sdist stood in for the source.
/// 4. Else it is verified.
#[must_use]
pub fn judge(evidence: &Evidence) -> Judgement {
    let mut findings: Vec<Finding> = checks::ALL
        .iter()
        .flat_map(|check| (check.run)(evidence))
        .collect();
    findings.sort_by_key(|finding| (Reverse(finding.severity), finding.id));

    let (content, basis, reason, detail) = match &evidence.result {
        ResultEvidence::Compared { basis, comparison } => {
            let content = match comparison {
                Comparison::Identical => Content::Identical,
                Comparison::Equivalent { .. } => Content::Equivalent,
                Comparison::Different { .. } => Content::Different,
            };
            let (reason, detail) = match basis {
                Basis::Sdist => (
                    Some(InconclusiveReason::SdistOnly),
                    Some(
                        "held against the registry's own source archive, which the same hands uploaded"
                            .to_owned(),
                    ),
                ),
                Basis::Rebuild | Basis::SourceTree | Basis::Attestation => (None, None),
            };
            (content, Some(*basis), reason, detail)
        }
        ResultEvidence::NotCompared { reason, detail } => (
            Content::Inconclusive,
            None,
            Some(*reason),
            Some(detail.clone()),
        ),
    };

    let serious = findings
        .iter()
        .any(|finding| finding.severity >= Severity::High);
    let outcome = if content == Content::Different || serious {
        Outcome::Failed
    } else if content == Content::Inconclusive || basis == Some(Basis::Sdist) {
        Outcome::Inconclusive
    } else {
        Outcome::Verified
    };
    Judgement {
        outcome,
        content,
        basis,
        reason,
        detail,
        findings,
    }
}
