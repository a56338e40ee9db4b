//! What registries offer as provenance: whether it holds, whether it names the pinned source, whether it is missed.
//!
//! Provenance that holds and agrees is no finding and outweighs nothing: it says where a file was built, not that it is
//! what the source builds.

use remint_model::{
    Axis, Doubt, Finding, OfferedProvenance, ProvenanceAnswer, ProvenanceClaim, ProvenanceOrigin,
    ProvenanceStanding, RepositoryUrl, Severity, SourcePin, VerifiedProvenance,
};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &[
        "provenance-dropped",
        "provenance-invalid",
        "provenance-source-disagrees",
        "provenance-unavailable",
        "provenance-unreadable",
    ],
    run: provenance,
};

/// How a claim that holds stands to the pinned source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceAgreement {
    /// The same repository and commit.
    Agrees,
    /// The same commit, in a repository of another name.
    OtherName,
    /// Another commit of the same repository.
    OtherCommit,
    /// Another repository.
    OtherRepository,
    /// The claim names no source, or there is none to hold it against.
    Unknown,
}

/// Holds a claim against the pinned source.
///
/// A commit's id stands for its files, so the same commit in another repository is the same source. A source that the
/// user gave as a directory has no address, and is held against the claim by its commit alone.
#[must_use]
pub fn source_agreement(claim: &VerifiedProvenance, pin: Option<&SourcePin>) -> SourceAgreement {
    let (Some(repository), Some(commit), Some(pin)) =
        (&claim.source_repository, &claim.source_commit, pin)
    else {
        return SourceAgreement::Unknown;
    };
    let same_commit = *commit == pin.commit.to_string();
    if !pin.repository.contains("://") {
        // The registry's source archive goes by its file name, and its commit is none of anybody's.
        return match (pin.repository.contains(['/', '\\']), same_commit) {
            (false, _) => SourceAgreement::Unknown,
            (true, true) => SourceAgreement::Agrees,
            (true, false) => SourceAgreement::OtherCommit,
        };
    }
    match (same_repository(repository, &pin.repository), same_commit) {
        (true, true) => SourceAgreement::Agrees,
        (false, true) => SourceAgreement::OtherName,
        (true, false) => SourceAgreement::OtherCommit,
        (false, false) => SourceAgreement::OtherRepository,
    }
}

/// Whether two addresses differ in nothing but scheme, user, case or a `.git` ending.
fn same_repository(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let url: RepositoryUrl = text.parse().ok()?;
        let short = url.display_short();
        let short = short.rsplit_once('@').map_or(short, |(_, rest)| rest);
        Some(short.to_ascii_lowercase())
    };
    match (bare(one), bare(other)) {
        (Some(one), Some(other)) => one == other,
        (Some(_) | None, _) => one == other,
    }
}

fn provenance(evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> = evidence
        .provenance
        .offered
        .iter()
        .flat_map(|offered| of_answer(offered, evidence))
        .collect();
    findings.extend(dropped(evidence));
    // What one workflow signs twice, it is told of once.
    let mut told = Vec::new();
    findings.retain(|finding| {
        let new = !told.contains(&finding.message);
        told.push(finding.message.clone());
        new
    });
    findings
}

fn finding(
    id: &'static str,
    severity: Severity,
    message: String,
    evidence: serde_json::Value,
) -> Finding {
    Finding {
        id,
        axis: Axis::Provenance,
        severity,
        message,
        evidence,
    }
}

fn of_answer(offered: &OfferedProvenance, evidence: &Evidence) -> Vec<Finding> {
    let from = offered.origin.id();
    match &offered.answer {
        ProvenanceAnswer::NoneOffered if offered.announced => vec![finding(
            "provenance-unavailable",
            Severity::Low,
            format!("{from} says that there is provenance for this file and does not offer it"),
            json!({ "from": from }),
        )],
        ProvenanceAnswer::NoneOffered => Vec::new(),
        ProvenanceAnswer::Unreachable(reason) => match offered.origin {
            ProvenanceOrigin::Npm | ProvenanceOrigin::Pypi => vec![finding(
                "provenance-unavailable",
                Severity::Low,
                format!("{from} does not tell whether it has provenance for this file: {reason}"),
                json!({ "from": from, "reason": reason }),
            )],
            // Most releases have nothing there, and it answers few strangers an hour.
            ProvenanceOrigin::GitHub => Vec::new(),
        },
        ProvenanceAnswer::Unreadable(reason) => vec![finding(
            "provenance-unreadable",
            Severity::Medium,
            format!("{from} answers with provenance that cannot be read: {reason}"),
            json!({ "from": from, "reason": reason }),
        )],
        ProvenanceAnswer::Offered(claims) => claims
            .iter()
            .filter_map(|claim| of_claim(offered.origin, claim, evidence))
            .collect(),
    }
}

fn of_claim(
    origin: ProvenanceOrigin,
    claim: &ProvenanceClaim,
    evidence: &Evidence,
) -> Option<Finding> {
    let from = origin.id();
    let kind = claim.kind.id();
    let of_doubt = |doubt: &Doubt| json!({ "from": from, "kind": kind, "reason": doubt.reason, "detail": doubt.detail });
    match &claim.standing {
        ProvenanceStanding::Verified(verified) => disagreement(from, kind, verified, evidence),
        ProvenanceStanding::Refused(doubt) => Some(finding(
            "provenance-invalid",
            Severity::High,
            format!(
                "{from} offers provenance that does not hold for this file ({}): {}",
                doubt.reason, doubt.detail
            ),
            of_doubt(doubt),
        )),
        ProvenanceStanding::Unchecked(doubt) => match origin {
            ProvenanceOrigin::Npm | ProvenanceOrigin::Pypi => Some(finding(
                "provenance-unreadable",
                Severity::Medium,
                format!(
                    "{from} offers provenance that cannot be checked ({}): {}",
                    doubt.reason, doubt.detail
                ),
                of_doubt(doubt),
            )),
            // Workflows attest what they like there: bills of materials, test results, for private instances.
            ProvenanceOrigin::GitHub => None,
        },
    }
}

fn disagreement(
    from: &str,
    kind: &str,
    claim: &VerifiedProvenance,
    evidence: &Evidence,
) -> Option<Finding> {
    let pin = evidence.source.as_ref()?;
    let repository = claim.source_repository.as_deref()?;
    let commit = claim.source_commit.as_deref()?;
    let short: String = commit.chars().take(12).collect();
    let (severity, message) = match source_agreement(claim, Some(pin)) {
        SourceAgreement::Agrees | SourceAgreement::Unknown => return None,
        SourceAgreement::OtherName => (
            Severity::Low,
            format!(
                "{from}'s provenance names the same commit in {repository}, not in {}",
                pin.repository
            ),
        ),
        SourceAgreement::OtherCommit => (
            Severity::Medium,
            format!(
                "{from}'s provenance names commit {short}, and the source that was used is {}",
                pin.commit.short()
            ),
        ),
        SourceAgreement::OtherRepository => {
            let known = evidence
                .provenance
                .commits_of_source
                .iter()
                .any(|known| known.to_string() == commit);
            if known {
                (
                    Severity::Medium,
                    format!(
                        "{from}'s provenance names commit {short} in {repository}, which {} has as well; the source \
                         that was used is {}",
                        pin.repository,
                        pin.commit.short()
                    ),
                )
            } else {
                (
                    Severity::High,
                    format!(
                        "{from}'s provenance names commit {short} of {repository}, the source that was used is {} of {}",
                        pin.commit.short(),
                        pin.repository
                    ),
                )
            }
        }
    };
    Some(finding(
        "provenance-source-disagrees",
        severity,
        message,
        json!({
            "from": from, "kind": kind, "signer": claim.signer,
            "claimed": { "repository": repository, "commit": commit, "ref": claim.source_reference },
            "used": { "repository": pin.repository, "commit": pin.commit },
        }),
    ))
}

/// A release is missed only where the registry itself offers none: what it offers is judged as it is.
fn dropped(evidence: &Evidence) -> Option<Finding> {
    let before = evidence.provenance.before.as_ref()?;
    let offered = evidence
        .provenance
        .offered
        .iter()
        .filter(|offered| match offered.origin {
            ProvenanceOrigin::Npm | ProvenanceOrigin::Pypi => true,
            ProvenanceOrigin::GitHub => false,
        })
        .any(|offered| offered.announced || matches!(offered.answer, ProvenanceAnswer::Offered(_)));
    (!offered).then(|| {
        finding(
            "provenance-dropped",
            Severity::Medium,
            format!("{before} was published with provenance, this release is not"),
            json!({ "before": before }),
        )
    })
}
