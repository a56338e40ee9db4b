//! The verification assets of the Sigstore conformance suite, each with the file and with its digest.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};

use remint_attest::conformance::{Input, Signer, verify_bundle};
use remint_attest::{Bundle, Instance, Refusal, RefusalReason, TrustRoot};
use remint_model::Sha256;

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sigstore")
}

fn text(path: &Path) -> Option<String> {
    fs_err::read_to_string(path).ok()
}

fn verify(case: &Path, by_digest: bool) -> Result<(), Refusal> {
    let bundle = Bundle::parse(&fs_err::read(case.join("bundle.sigstore.json")).unwrap())?;
    let root = match text(&case.join("trusted_root.json")) {
        Some(json) => TrustRoot::parse(&json),
        None => TrustRoot::embedded(Instance::PublicGood),
    }
    .map_err(|error| Refusal::new(RefusalReason::TrustRootInvalid, error.to_string()))?;
    let artifact = case.join("artifact");
    let artifact = if artifact.exists() {
        artifact
    } else {
        vectors().join("a.txt")
    };
    let bytes = fs_err::read(artifact).unwrap();
    let digest = Sha256::of(&bytes).to_string();
    let input = if by_digest {
        Input::Sha256(&digest)
    } else {
        Input::File(&bytes)
    };
    let key = text(&case.join("key.pub"));
    let identity = text(&case.join("identity")).unwrap_or_else(|| IDENTITY.to_owned());
    let issuer = text(&case.join("issuer")).unwrap_or_else(|| ISSUER.to_owned());
    let signer = match &key {
        Some(pem) => Signer::Key(pem),
        None => Signer::Certificate {
            identity: identity.trim(),
            issuer: issuer.trim(),
        },
    };
    verify_bundle(&bundle, input, signer, &root)
}

/// Cases that must be refused for what their name says, not because something else went wrong.
const REASONS: &[(&str, RefusalReason)] = &[
    ("bundle-from-wrong-instance_fail", RefusalReason::LogUnknown),
    (
        "bundle-unknown-version_fail",
        RefusalReason::BundleUnsupported,
    ),
    (
        "checkpoint-bad-keyhint_fail",
        RefusalReason::CheckpointInvalid,
    ),
    (
        "checkpoint-wrong-roothash_fail",
        RefusalReason::CheckpointInvalid,
    ),
    ("dsse-invalid-sig_fail", RefusalReason::SignatureInvalid),
    ("dsse-mismatch-sig_fail", RefusalReason::LogEntryMismatch),
    (
        "inclusion-proof-corrupted-hash_fail",
        RefusalReason::InclusionInvalid,
    ),
    (
        "intoto-expired-certificate_fail",
        RefusalReason::CertificateExpired,
    ),
    (
        "intoto-missing-inclusion-proof_fail",
        RefusalReason::InclusionMissing,
    ),
    ("invalid-ct-key_fail", RefusalReason::CertificateInvalid),
    (
        "message-digest-mismatch_fail",
        RefusalReason::ArtifactMismatch,
    ),
    ("rekor2-no-timestamp_fail", RefusalReason::TimestampMissing),
    (
        "rekor2-timestamp-payload-mismatch_fail",
        RefusalReason::TimestampInvalid,
    ),
    ("signature-mismatch_fail", RefusalReason::SignatureInvalid),
    (
        "trust-root-tlog-missing-validity-start_fail",
        RefusalReason::TrustRootInvalid,
    ),
];

#[test]
fn refusals_are_for_the_reason_that_the_case_was_made_for() {
    for (name, reason) in REASONS {
        let refusal = verify(&vectors().join(name), false).unwrap_err();
        assert_eq!(refusal.reason, *reason, "{name}: {refusal}");
    }
}

#[test]
fn every_case_ends_as_its_name_says() {
    let mut judged = 0;
    let mut wrong = Vec::new();
    let mut cases: Vec<PathBuf> = fs_err::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        for by_digest in [false, true] {
            judged += 1;
            let result = verify(&case, by_digest);
            if result.is_ok() == name.ends_with("_fail") {
                wrong.push((name.clone(), by_digest, result));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(judged, 140);
}
