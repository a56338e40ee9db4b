//! `remint.release/v1`: the wire types, apart from the types that the program works with. The schema is
//! `docs/release.v1.schema.json`; a test holds the two together.

use remint_model::{Artifact, Change, Class, Difference, Erasure, Finding, Published, Sha256};
use serde::Serialize;

use super::conditions::Variation;
use super::diagnosis::{Cause, Diagnosed};
use super::telltales::Place;
use super::{Refusal, ReleaseReport, Verdict};

/// The format's name.
const FORMAT: &str = "remint.release/v1";

#[derive(Serialize)]
struct ReleaseV1<'a> {
    format: &'static str,
    remint: &'static str,
    started: String,
    target: Option<String>,
    artifact: Option<ArtifactV1<'a>>,
    outcome: &'static str,
    reason: Option<String>,
    detail: Option<String>,
    source: Option<SourceV1<'a>>,
    varied: &'a [Variation],
    erasures: ErasuresV1<'a>,
    differences: Vec<DifferenceV1<'a>>,
    findings: &'a [Finding],
    bundles: Vec<BundleV1>,
}

#[derive(Serialize)]
struct ArtifactV1<'a> {
    name: &'a str,
    sha256: Sha256,
    size: u64,
}

#[derive(Serialize)]
struct SourceV1<'a> {
    repository: &'a str,
    #[serde(rename = "ref")]
    reference: Option<&'a str>,
    commit: &'a str,
    subdirectory: Option<&'a str>,
}

#[derive(Serialize)]
struct ErasuresV1<'a> {
    builds: &'a [Erasure],
    artifact: &'a [Erasure],
}

#[derive(Serialize)]
struct DifferenceV1<'a> {
    path: &'a str,
    change: Change,
    class: Class,
    hunks: &'a [String],
    cause: Option<Cause>,
    explanation: Option<String>,
    fix: Option<&'static str>,
    places: &'a [Place],
}

#[derive(Serialize)]
struct BundleV1 {
    kind: &'static str,
    file: String,
}

/// The report as JSON text, with a newline at its end.
pub(crate) fn render(report: &ReleaseReport) -> String {
    let (outcome, reason, detail) = outcome(&report.verdict);
    let wire = ReleaseV1 {
        format: FORMAT,
        remint: env!("CARGO_PKG_VERSION"),
        started: report.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        target: report.target.as_ref().map(remint_model::Target::purl),
        artifact: report.artifact.as_ref().map(artifact),
        outcome,
        reason,
        detail,
        source: report.source.as_ref().map(|source| SourceV1 {
            repository: &source.repository,
            reference: source.reference.as_deref(),
            commit: &source.commit,
            subdirectory: source.subdirectory.as_deref(),
        }),
        varied: &report.varied,
        erasures: ErasuresV1 {
            builds: &report.erased_between_builds,
            artifact: &report.erased_from_artifact,
        },
        differences: differences(&report.verdict),
        findings: &report.findings,
        bundles: report
            .bundles
            .iter()
            .map(|(kind, path)| BundleV1 {
                kind: kind.name(),
                file: path.display().to_string(),
            })
            .collect(),
    };
    // Plain structs of strings and numbers always serialise; an empty answer would be noticed by every reader.
    let mut text = serde_json::to_string_pretty(&wire).unwrap_or_default();
    text.push('\n');
    text
}

fn outcome(verdict: &Verdict) -> (&'static str, Option<String>, Option<String>) {
    match verdict {
        Verdict::Sound => ("signed", None, None),
        Verdict::Refused(refusal) => {
            let detail = match refusal {
                Refusal::BuildFails { failure, cause } => Some(match cause {
                    Some(cause) => {
                        format!("`{}` fails where this is changed: {cause}", failure.step)
                    }
                    None => format!("`{}` fails under other conditions", failure.step),
                }),
                Refusal::BuildsDiffer(_) | Refusal::ArtifactDiffers(_) | Refusal::Findings => None,
            };
            ("refused", Some(refusal.name().to_owned()), detail)
        }
        Verdict::Open { reason, detail } => {
            let Ok(serde_json::Value::String(reason)) = serde_json::to_value(reason) else {
                unreachable!("reasons are words")
            };
            ("inconclusive", Some(reason), Some(detail.clone()))
        }
    }
}

fn artifact(file: &Artifact<Published>) -> ArtifactV1<'_> {
    ArtifactV1 {
        name: file.name.as_str(),
        sha256: file.sha256,
        size: file.size,
    }
}

fn differences(verdict: &Verdict) -> Vec<DifferenceV1<'_>> {
    match verdict {
        Verdict::Refused(Refusal::BuildsDiffer(all)) => all.iter().map(diagnosed).collect(),
        Verdict::Refused(Refusal::ArtifactDiffers(all)) => all
            .iter()
            .map(|one| difference(one, one.explanation.clone()))
            .collect(),
        Verdict::Refused(Refusal::BuildFails { .. } | Refusal::Findings)
        | Verdict::Sound
        | Verdict::Open { .. } => Vec::new(),
    }
}

fn diagnosed(diagnosed: &Diagnosed) -> DifferenceV1<'_> {
    DifferenceV1 {
        cause: diagnosed.cause,
        fix: diagnosed.cause.map(Cause::fix),
        places: &diagnosed.places,
        ..difference(&diagnosed.difference, Some(diagnosed.words()))
    }
}

fn difference(difference: &Difference, explanation: Option<String>) -> DifferenceV1<'_> {
    DifferenceV1 {
        path: difference.path.as_str(),
        change: difference.change,
        class: difference.class,
        hunks: &difference.hunks,
        cause: None,
        explanation,
        fix: None,
        places: &[],
    }
}
