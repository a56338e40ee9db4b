//! What is found about a container image, and its outcome: never verified, for nothing here builds an image again.

use std::cmp::Reverse;

use remint_model::{
    AnomalyWeight, Axis, BaseImage, Content, FileOrigin, Finding, Image, ImageFile, ImageMismatch,
    ImageSource, InconclusiveReason, Judgement, Outcome, Severity,
};
use serde_json::{Value, json};

use crate::remote_code;

/// Every finding that only images have.
pub const IMAGE_FINDINGS: &[&str] = &[
    "image-base-mismatch",
    "image-file-unattributed",
    "image-layer-anomaly",
    "image-runs-as-root",
    "image-runs-remote-code",
    "image-secret-in-environment",
    "image-setuid-file",
];

/// How many things one finding names.
const SHOWN: usize = 50;

/// Judges an image.
///
/// 1. It is failed when digests disagree, or any finding is high or critical.
/// 2. Else it is inconclusive: where its files come from is told, but the image itself is not built again.
#[must_use]
pub fn judge_image(image: &Image) -> Judgement {
    let checks = [
        mismatches,
        anomalies,
        remote_code,
        base_mismatch,
        unattributed,
        set_user,
        secrets,
        root,
    ];
    let mut findings: Vec<Finding> = checks.iter().flat_map(|check| check(image)).collect();
    findings.sort_by_key(|finding| (Reverse(finding.severity), finding.id));
    let serious = findings
        .iter()
        .any(|finding| finding.severity >= Severity::High);
    Judgement {
        outcome: if serious {
            Outcome::Failed
        } else {
            Outcome::Inconclusive
        },
        content: Content::Inconclusive,
        basis: None,
        reason: Some(InconclusiveReason::Unsupported),
        detail: Some(unsupported(image)),
        findings,
    }
}

/// Why it was not built, in words.
fn unsupported(image: &Image) -> String {
    let how = match &image.source {
        ImageSource::Found { dockerfiles, .. } if !dockerfiles.is_empty() => {
            let file = dockerfiles.first().map_or("Dockerfile", String::as_str);
            format!(
                "its source has a recipe for it (`{file}`), and no builder of images exists here"
            )
        }
        ImageSource::Found { .. } => {
            "its source has no Dockerfile, and no builder of images exists here".to_owned()
        }
        ImageSource::Unnamed { .. } | ImageSource::Unread { .. } => {
            "no builder of images exists here".to_owned()
        }
    };
    format!("the image was read and not built again: {how}")
}

fn finding(
    id: &'static str,
    axis: Axis,
    severity: Severity,
    message: String,
    evidence: Value,
) -> Finding {
    Finding {
        id,
        axis,
        severity,
        message,
        evidence,
    }
}

fn mismatches(image: &Image) -> Vec<Finding> {
    image
        .mismatches
        .iter()
        .take(SHOWN)
        .map(mismatched)
        .collect()
}

fn anomalies(image: &Image) -> Vec<Finding> {
    let weights = [
        (AnomalyWeight::Escapes, Severity::High),
        (AnomalyWeight::Ambiguous, Severity::Medium),
        (AnomalyWeight::Odd, Severity::Low),
    ];
    weights
        .into_iter()
        .filter_map(|(weight, severity)| {
            let all: Vec<_> = image
                .anomalies
                .iter()
                .filter(|anomaly| anomaly.weight == weight)
                .collect();
            let first = all.first()?;
            let of = match &*first.path {
                "" => String::new(),
                path => format!(" `{path}`"),
            };
            Some(finding(
                "image-layer-anomaly",
                Axis::Packaging,
                severity,
                format!(
                    "layer {}{of}{}: {}",
                    first.layer,
                    and_more(all.len()),
                    first.detail
                ),
                json!({ "count": all.len(), "anomalies": all.iter().take(SHOWN).collect::<Vec<_>>() }),
            ))
        })
        .collect()
}

fn remote_code(image: &Image) -> Vec<Finding> {
    remote_code::findings("image-runs-remote-code", &image.config.remote)
}

fn base_mismatch(image: &Image) -> Vec<Finding> {
    match &image.base {
        BaseImage::Other {
            reference,
            detail,
            named_by,
        } => vec![finding(
            "image-base-mismatch",
            Axis::Provenance,
            Severity::Medium,
            format!("it was not made from `{reference}`, which is named as its base: {detail}"),
            json!({ "reference": reference, "named_by": named_by, "detail": detail }),
        )],
        BaseImage::Unnamed
        | BaseImage::Found { .. }
        | BaseImage::Whole { .. }
        | BaseImage::Unread { .. } => Vec::new(),
    }
}

/// Code that is neither the base image's, nor a registry's, nor the source's. Without a base all of it is unknown, and
/// that says nothing about any single file. Byte code is apart: installers write it to nearly every image with Python.
///
/// What could not be found out is no better than what is known to be nobody's: whoever makes an image can make it so.
fn unattributed(image: &Image) -> Vec<Finding> {
    let nobody = if image.base.is_found() {
        Severity::Medium
    } else {
        Severity::Low
    };
    [
        (FileOrigin::PackageDiffers, false, Severity::Medium),
        (FileOrigin::PackageDiffers, true, Severity::Medium),
        (FileOrigin::Unattributed, false, nobody),
        (FileOrigin::Unattributed, true, Severity::Low),
        (FileOrigin::Unknown, false, nobody),
        (FileOrigin::Unknown, true, Severity::Low),
    ]
    .into_iter()
    .filter_map(|(origin, byte_code, severity)| {
        let files = image.files.iter();
        let files: Vec<&ImageFile> = files
            .filter(|file| file.executable && file.origin == origin)
            .filter(|file| file.is_byte_code() == byte_code)
            .collect();
        let first = files.first()?;
        let why = first.detail.as_deref().unwrap_or(
            "it is of no package of a registry, of no file of the source, and of no known base image",
        );
        let package = first.package.as_ref();
        let of = package.map_or_else(String::new, |name| format!(" of {name}"));
        let more = and_more(files.len());
        let shown: Vec<Value> = files
            .iter()
            .take(SHOWN)
            .map(|file| json!({ "path": file.path, "layer": file.layer, "package": file.package, "detail": file.detail }))
            .collect();
        Some(finding(
            "image-file-unattributed",
            Axis::Dependencies,
            severity,
            if origin == FileOrigin::Unknown {
                format!(
                    "it could not be found out where the code in `{}`{of}{more} comes from: {why}",
                    first.path
                )
            } else {
                format!(
                    "nothing accounts for the code in `{}`{of}{more}: {why}",
                    first.path
                )
            },
            json!({ "count": files.len(), "origin": origin, "files": shown }),
        ))
    })
    .collect()
}

fn set_user(image: &Image) -> Vec<Finding> {
    let files: Vec<&ImageFile> = image
        .files
        .iter()
        .filter(|file| file.mode & 0o6000 != 0 && file.link.is_none())
        .filter(|file| file.origin != FileOrigin::Base)
        .collect();
    let Some(first) = files.first() else {
        return Vec::new();
    };
    let severity = if image.base.is_found() {
        Severity::Medium
    } else {
        // Most of the usual base images have some.
        Severity::Low
    };
    let paths: Vec<&str> = files.iter().take(SHOWN).map(|file| &*file.path).collect();
    vec![finding(
        "image-setuid-file",
        Axis::Packaging,
        severity,
        format!(
            "`{}`{} runs with the rights of its owner or group, whoever starts it",
            first.path,
            and_more(files.len())
        ),
        json!({ "count": files.len(), "paths": paths }),
    )]
}

fn secrets(image: &Image) -> Vec<Finding> {
    let Some(first) = image.config.secrets.first() else {
        return Vec::new();
    };
    vec![finding(
        "image-secret-in-environment",
        Axis::Packaging,
        Severity::Medium,
        format!(
            "the image sets `{first}`{}, whose name says that it is a secret, for everybody who has the image",
            and_more(image.config.secrets.len())
        ),
        json!({ "variables": image.config.secrets }),
    )]
}

fn root(image: &Image) -> Vec<Finding> {
    if !image.config.runs_as_root() {
        return Vec::new();
    }
    vec![finding(
        "image-runs-as-root",
        Axis::Packaging,
        Severity::Info,
        "it runs as root inside of its container".to_owned(),
        json!({ "user": image.config.user }),
    )]
}

fn and_more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        n => format!(", and {} more", n - 1),
    }
}

/// Judges an image of which something that was served has not the digest that names it: nothing of it is looked at.
#[must_use]
pub fn judge_mismatch(mismatch: &ImageMismatch) -> Judgement {
    Judgement {
        outcome: Outcome::Failed,
        content: Content::Inconclusive,
        basis: None,
        reason: Some(InconclusiveReason::Malformed),
        detail: Some(format!(
            "{} has not the digest that is declared for it",
            mismatch.what
        )),
        findings: vec![mismatched(mismatch)],
    }
}

fn mismatched(mismatch: &ImageMismatch) -> Finding {
    finding(
        "integrity-mismatch",
        Axis::Packaging,
        Severity::Critical,
        format!(
            "{} has not the digest that is declared for it",
            mismatch.what
        ),
        json!({ "what": mismatch.what, "declared": mismatch.declared, "actual": mismatch.actual }),
    )
}
