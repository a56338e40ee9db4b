//! The file against the digest that its registry declares, and a Go module against the checksum database.

use remint_model::{Axis, DatabaseAnswer, Finding, Integrity, ModuleChecksums, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::{Evidence, IntegrityCheck};

pub(super) const CHECK: Check = Check {
    ids: &[
        "checksum-database-invalid",
        "checksum-unconfirmed",
        "integrity-mismatch",
        "integrity-not-declared",
        "integrity-weak",
    ],
    run: integrity,
};

fn integrity(evidence: &Evidence) -> Vec<Finding> {
    // What the checksum database says of a module takes the place of what its proxy declares, which is nothing.
    if let Some(checksums) = &evidence.checksums {
        return logged(checksums);
    }
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

fn logged(checksums: &ModuleChecksums) -> Vec<Finding> {
    let finding = |id, severity, message: String, evidence| {
        vec![Finding {
            id,
            axis: Axis::Packaging,
            severity,
            message,
            evidence,
        }]
    };
    match &checksums.database {
        DatabaseAnswer::Same { .. } => Vec::new(),
        DatabaseAnswer::Other { name, zip, go_mod } => finding(
            "integrity-mismatch",
            Severity::Critical,
            format!("the module has not the digest that {name} has logged for it"),
            json!({
                "declared": zip,
                "actual": checksums.zip,
                "declared_go_mod": go_mod,
                "actual_go_mod": checksums.go_mod,
            }),
        ),
        DatabaseAnswer::Untrusted { name, reason } => finding(
            "checksum-database-invalid",
            Severity::High,
            format!("what is served as {name} is not what that database signed: {reason}"),
            json!({ "database": name, "reason": reason }),
        ),
        DatabaseAnswer::Unavailable { name, reason } => finding(
            "checksum-unconfirmed",
            Severity::Medium,
            format!("{name} could not confirm the digest: {reason}"),
            json!({ "database": name, "reason": reason, "actual": checksums.zip }),
        ),
        DatabaseAnswer::NotAsked(reason) => finding(
            "checksum-unconfirmed",
            Severity::Low,
            format!("no checksum database was asked: {reason}"),
            json!({ "reason": reason, "actual": checksums.zip }),
        ),
    }
}
