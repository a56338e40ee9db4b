//! The signature of a bundle. One that holds is no finding, and no reason to trust the content either.

use remint_model::{Axis, BundleSignature, Finding, Severity};
use serde_json::json;

use super::Check;
use crate::evidence::Evidence;

pub(super) const CHECK: Check = Check {
    ids: &["bundle-signature-invalid", "bundle-signature-unverified"],
    run: bundle_signature,
};

fn bundle_signature(evidence: &Evidence) -> Vec<Finding> {
    let Some(bundle) = &evidence.bundle else {
        return Vec::new();
    };
    let (id, severity, message, why) = match &bundle.signature {
        BundleSignature::Absent | BundleSignature::Valid(_) => return Vec::new(),
        BundleSignature::Invalid(why) => (
            "bundle-signature-invalid",
            Severity::High,
            "the bundle's signature does not hold",
            why,
        ),
        BundleSignature::Malformed(why) => (
            "bundle-signature-invalid",
            Severity::High,
            "what stands after the bundle's end is no signature",
            why,
        ),
        BundleSignature::NotVerified(why) => (
            "bundle-signature-unverified",
            Severity::Low,
            "the bundle's signature could not be verified",
            why,
        ),
    };
    vec![Finding {
        id,
        axis: Axis::Provenance,
        severity,
        message: format!("{message}: {why}"),
        evidence: json!({ "reason": why }),
    }]
}
