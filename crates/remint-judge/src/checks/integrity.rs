//! The file against the digest that its registry declares.

use remint_model::{Axis, Finding, Integrity, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::{Evidence, IntegrityCheck};

pub(super) const CHECK: Check = Check {
    ids: &[
        "integrity-mismatch",
        "integrity-not-declared",
        "integrity-weak",
    ],
    run: integrity,
};

fn integrity(evidence: &Evidence) -> Vec<Finding> {
    let finding = |id, severity, message: &str, evidence| {
        vec![Finding {
            id,
            axis: Axis::Packaging,
            severity,
            message: message.to_owned(),
            evidence,
        }]
    };
    match &evidence.integrity {
        IntegrityCheck::Mismatch { declared, actual } => finding(
            "integrity-mismatch",
            Severity::Critical,
            if evidence.bundle.is_some() {
                "the file has not the digest that is declared for it"
            } else {
                "the registry serves a file that has not the digest it declares"
            },
            json!({ "declared": declared.to_string(), "actual": actual }),
        ),
        IntegrityCheck::NotDeclared => finding(
            "integrity-not-declared",
            Severity::Low,
            "the registry declares no digest for this file",
            json!({}),
        ),
        IntegrityCheck::Matches(Integrity::Sha1(digest)) => finding(
            "integrity-weak",
            Severity::Low,
            "the registry declares a SHA-1 digest only, which can be forged",
            json!({ "sha1": digest }),
        ),
        IntegrityCheck::Matches(Integrity::Sha256(_) | Integrity::Sha512(_))
        | IntegrityCheck::GivenByUser => Vec::new(),
    }
}
