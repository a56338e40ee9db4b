//! What is said about attestations of one file: for people, and as `remint.attestation/v1`.

use std::path::{Path, PathBuf};

use remint_attest::trust::{Authentic, Decision, Saying, Verdict};
use remint_attest::{ArtifactDigests, TimeEvidence};
use remint_model::Sha256;
use serde::Serialize;

use super::foreign::harmless;
use super::page::{BOLD, DIM, GREEN, RED, YELLOW};

/// The id that is shown where somebody trusted says that the file failed.
pub(crate) const ATTESTED_FAILED: &str = "attested-failed";

/// What was asked.
pub(crate) struct Asked<'a> {
    pub(crate) artifact: &'a Path,
    pub(crate) digests: ArtifactDigests,
    pub(crate) bundles: &'a [PathBuf],
    pub(crate) policy: &'a Path,
}

impl Asked<'_> {
    fn bundle(&self, at: usize) -> String {
        self.bundles
            .get(at)
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }
}

/// The answer for people.
pub(crate) fn human(asked: &Asked<'_>, decision: &Decision) -> String {
    let file = asked.artifact.display();
    let mut lines = vec![match &decision.verdict {
        Verdict::Passed => format!("{GREEN}✔ attested{GREEN:#}  {BOLD}{file}{BOLD:#}"),
        Verdict::Failed => format!("{RED}✘ {ATTESTED_FAILED}{RED:#}  {BOLD}{file}{BOLD:#}"),
        Verdict::NoJudgement => format!("{YELLOW}? no judgement{YELLOW:#}  {BOLD}{file}{BOLD:#}"),
        Verdict::Refused(refusal) => {
            format!("{RED}✘ {}{RED:#}  {BOLD}{file}{BOLD:#}", refusal.reason)
        }
    }];
    if let Verdict::Refused(refusal) = &decision.verdict {
        lines.push(format!("  {}", harmless(&refusal.detail)));
    }
    for statement in &decision.counted {
        lines.extend(counted(statement));
    }
    let shown = match &decision.verdict {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Passed | Verdict::Failed | Verdict::NoJudgement => None,
    };
    for (at, refusal) in &decision.refused {
        if decision.refused.len() > 1 || shown != Some(refusal) {
            lines.push(format!(
                "  {DIM}refused{DIM:#} {}  {}: {}",
                asked.bundle(*at),
                refusal.reason,
                harmless(&refusal.detail)
            ));
        }
    }
    let next = match &decision.verdict {
        Verdict::Passed => None,
        Verdict::Failed => {
            Some("Do not run this version before somebody has looked at it.".to_owned())
        }
        Verdict::NoJudgement => Some(
            "Rebuild it yourself with `remint verify-build`, or look for a comparison or summary."
                .to_owned(),
        ),
        Verdict::Refused(refusal) => Some(format!(
            "What that means:  remint explain {}",
            refusal.reason
        )),
    };
    if let Some(next) = next {
        lines.extend([String::new(), format!("  {next}")]);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn counted(statement: &Authentic) -> [String; 2] {
    let words = match &statement.saying {
        Saying::Passed { erasures } if erasures.is_empty() => {
            "identical, bit for bit, to what its source builds".to_owned()
        }
        Saying::Passed { erasures } => {
            format!("what its source builds, but for {}", erasures.join(", "))
        }
        Saying::Failed(words) | Saying::Nothing(words) => words.clone(),
    };
    let release = statement
        .release
        .as_deref()
        .unwrap_or("another tool's provenance");
    let time = match (statement.time, statement.stated) {
        (TimeEvidence::Independent(time), _) => format!("signed {time}"),
        (TimeEvidence::SelfAsserted, Some(time)) => format!("{time} by their own word"),
        (TimeEvidence::SelfAsserted, None) => "at a time that nobody proves".to_owned(),
    };
    [
        format!("  {}: {}", harmless(release), harmless(&words)),
        format!(
            "  {DIM}{} by {} ({}), {}, {time}{DIM:#}",
            statement.kind.name(),
            harmless(&statement.rebuilder),
            harmless(&statement.operator),
            harmless(&statement.signer),
        ),
    ]
}

#[derive(Serialize)]
struct AnswerV1<'a> {
    format: &'static str,
    artifact: ArtifactV1,
    policy: String,
    verdict: &'static str,
    reason: Option<&'static str>,
    detail: Option<&'a str>,
    attestations: Vec<CountedV1<'a>>,
    refused: Vec<RefusedV1<'a>>,
}

#[derive(Serialize)]
struct ArtifactV1 {
    path: String,
    sha256: Sha256,
}

#[derive(Serialize)]
struct CountedV1<'a> {
    bundle: String,
    kind: &'static str,
    rebuilder: &'a str,
    operator: &'a str,
    signer: &'a str,
    release: Option<&'a str>,
    says: &'static str,
    detail: Option<&'a str>,
    erasures: &'a [String],
    stated: Option<String>,
    signed: Option<String>,
}

#[derive(Serialize)]
struct RefusedV1<'a> {
    bundle: String,
    reason: &'static str,
    detail: &'a str,
}

/// The answer for programs.
pub(crate) fn json(asked: &Asked<'_>, decision: &Decision) -> anyhow::Result<String> {
    let (verdict, reason, detail) = match &decision.verdict {
        Verdict::Passed => ("passed", None, None),
        Verdict::Failed => ("failed", Some(ATTESTED_FAILED), None),
        Verdict::NoJudgement => ("no-judgement", None, None),
        Verdict::Refused(refusal) => ("refused", Some(refusal.reason.id()), Some(&*refusal.detail)),
    };
    let answer = AnswerV1 {
        format: "remint.attestation/v1",
        artifact: ArtifactV1 {
            path: asked.artifact.display().to_string(),
            sha256: asked.digests.sha256,
        },
        policy: asked.policy.display().to_string(),
        verdict,
        reason,
        detail,
        attestations: decision
            .counted
            .iter()
            .map(|statement| CountedV1 {
                bundle: asked.bundle(statement.bundle),
                kind: statement.kind.name(),
                rebuilder: &statement.rebuilder,
                operator: &statement.operator,
                signer: &statement.signer,
                release: statement.release.as_deref(),
                says: match &statement.saying {
                    Saying::Passed { .. } => "passed",
                    Saying::Failed(_) => "failed",
                    Saying::Nothing(_) => "nothing",
                },
                detail: match &statement.saying {
                    Saying::Passed { .. } => None,
                    Saying::Failed(words) | Saying::Nothing(words) => Some(words),
                },
                erasures: match &statement.saying {
                    Saying::Passed { erasures } => erasures,
                    Saying::Failed(_) | Saying::Nothing(_) => &[],
                },
                stated: statement.stated.map(|time| time.to_string()),
                signed: match statement.time {
                    TimeEvidence::Independent(time) => Some(time.to_string()),
                    TimeEvidence::SelfAsserted => None,
                },
            })
            .collect(),
        refused: decision
            .refused
            .iter()
            .map(|(at, refusal)| RefusedV1 {
                bundle: asked.bundle(*at),
                reason: refusal.reason.id(),
                detail: &refusal.detail,
            })
            .collect(),
    };
    Ok(serde_json::to_string_pretty(&answer)? + "\n")
}
