//! The rules that turn findings and content into an outcome (contract, "Outcomes").

use std::cmp::Reverse;

use remint_model::{
    Assumption, AssumptionKind, Basis, Comparison, Content, DatabaseAnswer, Difference, Finding,
    InconclusiveReason, Judgement, Outcome, PreviousRepository, Severity, SourceGap,
};

use crate::bundle::unaccounted;
use crate::checks;
use crate::evidence::{Evidence, ResultEvidence};
use crate::native;

/// Runs every check and applies the outcome rules.
///
/// 1. Content is what the comparison says; without one it is inconclusive. So it is where all that differs belongs
///    to parts of the source that could not be had, where a build that was not the project's differs, and where only
///    machine code differs that was compiled with this machine's compiler, that the source says is made elsewhere, or
///    that says itself that it was linked with flags which nobody states, and where a program only was signed.
/// 2. The outcome is failed when content is different or a finding is high or critical.
/// 3. Else it is inconclusive when content is, when only the sdist stood in for the source, or when it could not be
///    found out whether the repository is still the one of earlier releases.
///    So it is where the checksum database of Go modules was to confirm a digest and did not: go would not run it either.
///    So it is where a registry, or a lockfile of the source, does not account for all that a bundle holds,
///    and where machine code was published that nothing readable was seen to make.
/// 4. Else it is verified.
#[must_use]
pub fn judge(evidence: &Evidence) -> Judgement {
    let mut findings: Vec<Finding> = checks::ALL
        .iter()
        .flat_map(|check| (check.run)(evidence))
        .collect();
    findings.sort_by_key(|finding| (Reverse(finding.severity), finding.id));

    let (content, basis, reason, detail) = match &evidence.result {
        ResultEvidence::Compared {
            basis,
            comparison: Comparison::Different { differences, .. },
        } if let Some(gap) = only_gap(evidence, differences) => (
            Content::Inconclusive,
            Some(*basis),
            Some(gap.reason()),
            Some(format!(
                "all that differs belongs to a part of the source that could not be had: {gap}"
            )),
        ),
        ResultEvidence::Compared {
            basis,
            comparison: Comparison::Different { .. },
        } if let Some(substitute) = made(evidence, AssumptionKind::SubstituteInterpreter) => (
            Content::Inconclusive,
            Some(*basis),
            Some(InconclusiveReason::Unsupported),
            Some(format!(
                "interpreter unavailable: {}; built with {}, it differs",
                substitute.from, substitute.value
            )),
        ),
        ResultEvidence::Compared {
            basis,
            comparison: Comparison::Different { .. },
        } if let Some(substitute) = made(evidence, AssumptionKind::SubstituteDependency) => (
            Content::Inconclusive,
            Some(*basis),
            Some(InconclusiveReason::NotBuilt),
            Some(format!(
                "built with {}, it differs: {}",
                substitute.value, substitute.from
            )),
        ),
        ResultEvidence::Compared {
            basis,
            comparison: Comparison::Different { differences, .. },
        } if let Some(detail) = native::only_signed(evidence, differences) => (
            Content::Inconclusive,
            Some(*basis),
            Some(InconclusiveReason::Unsupported),
            Some(detail),
        ),
        ResultEvidence::Compared {
            basis,
            comparison: Comparison::Different { differences, .. },
        } if let Some(detail) = native::only_native(evidence, differences) => (
            Content::Inconclusive,
            Some(*basis),
            Some(InconclusiveReason::Unsupported),
            Some(detail),
        ),
        ResultEvidence::Compared {
            basis,
            comparison: Comparison::Different { differences, .. },
        } if let Some(detail) = native::only_linked_otherwise(evidence, differences) => (
            Content::Inconclusive,
            Some(*basis),
            Some(InconclusiveReason::Unsupported),
            Some(detail),
        ),
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

    let (reason, detail) = match (
        reason,
        detail,
        made(evidence, AssumptionKind::SubstituteInterpreter),
    ) {
        (Some(InconclusiveReason::NotBuilt), Some(detail), Some(substitute)) => (
            Some(InconclusiveReason::Unsupported),
            Some(format!(
                "interpreter unavailable: {}; with {}, {detail}",
                substitute.from, substitute.value
            )),
        ),
        (Some(InconclusiveReason::NotBuilt), Some(detail), None) => (
            Some(InconclusiveReason::NotBuilt),
            Some(with_gaps(detail, gaps(evidence))),
        ),
        (reason, detail, _) => (reason, detail),
    };
    let unasked = unasked(evidence)
        .or_else(|| unconfirmed(evidence))
        .map(|detail| (InconclusiveReason::Unavailable, detail))
        .or_else(|| unaccounted(evidence))
        .or_else(|| native::unreadable(evidence));
    let serious = findings
        .iter()
        .any(|finding| finding.severity >= Severity::High);
    let outcome = if content == Content::Different || serious {
        Outcome::Failed
    } else if content == Content::Inconclusive || basis == Some(Basis::Sdist) || unasked.is_some() {
        Outcome::Inconclusive
    } else {
        Outcome::Verified
    };
    let (reason, detail) = match (outcome, reason, unasked) {
        (Outcome::Inconclusive, None, Some((reason, detail))) => (Some(reason), Some(detail)),
        _ => (reason, detail),
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

/// Who did not answer whether the repository is still the one of earlier releases.
fn unasked(evidence: &Evidence) -> Option<String> {
    match evidence.source.as_ref()?.previous_repository.as_ref()? {
        PreviousRepository::Other(_) => None,
        PreviousRepository::Silent { repository, reason } => Some(format!(
            "an earlier release named `{repository}`, which did not answer: {reason}"
        )),
        PreviousRepository::Untold { version, reason } => Some(format!(
            "the registry does not tell which repository the earlier release {version} named: {reason}"
        )),
    }
}

/// Why the checksum database, which was asked, has not confirmed the digest of a module. Whoever serves the module may
/// also say which commit it was made from: without the database, the proxy alone would decide.
fn unconfirmed(evidence: &Evidence) -> Option<String> {
    match &evidence.checksums.as_ref()?.database {
        DatabaseAnswer::Unavailable { name, reason } => {
            Some(format!("{name} has not confirmed the digest: {reason}"))
        }
        // Not asking is the user's own choice; the others are findings that fail the module.
        DatabaseAnswer::NotAsked(_)
        | DatabaseAnswer::Same { .. }
        | DatabaseAnswer::Other { .. }
        | DatabaseAnswer::Untrusted { .. } => None,
    }
}

fn gaps(evidence: &Evidence) -> &[SourceGap] {
    evidence.build.as_ref().map_or(&[], |build| &build.gaps)
}

/// The first assumption of a kind that the build rests on.
fn made(evidence: &Evidence, kind: AssumptionKind) -> Option<&Assumption> {
    let mut assumptions = evidence.build.as_ref()?.assumptions.iter();
    assumptions.find(|made| made.kind == kind)
}

/// A gap that may explain a difference, where every difference has one.
fn only_gap<'e>(evidence: &'e Evidence, differences: &[Difference]) -> Option<&'e SourceGap> {
    let subdirectory = evidence
        .source
        .as_ref()
        .and_then(|pin| pin.subdirectory.as_ref());
    let explained = |difference: &Difference| {
        gaps(evidence)
            .iter()
            .find(|gap| gap.may_explain(subdirectory, difference))
    };
    let mut found = differences.iter().map(explained);
    let first = found.next()??;
    found.all(|gap| gap.is_some()).then_some(first)
}

/// A build without all of its source may have failed for that.
fn with_gaps(mut detail: String, gaps: &[SourceGap]) -> String {
    if let Some(gap) = gaps.first() {
        detail.push_str("; ");
        detail.push_str(&gap.to_string());
    }
    detail
}
