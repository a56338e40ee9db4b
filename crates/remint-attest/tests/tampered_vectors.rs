//! Every accepted vector of the Sigstore conformance suite, with each of its values changed: refused, or nothing that
//! any signature covers and nothing that changes what is believed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remint_attest::conformance::{Input, Signer, verify_bundle};
use remint_attest::{Bundle, Instance, Refusal, RefusalReason, TrustRoot};
use serde_json::Value;

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// What no signature covers, and nobody decides by: hints at what is found elsewhere, or repeated there.
///
/// * Rekor v2 signs the checkpoint, which has size and root itself; the proof repeats them.
/// * Rekor v1 says the index in its log of many trees beside the one in the proof's tree.
/// * The media type of a bundle says which of several equal forms it has.
const UNCOVERED: &[&str] = &[
    "mediaType",
    "verificationMaterial.publicKey.hint",
    "verificationMaterial.tlogEntries[].logIndex",
    "verificationMaterial.tlogEntries[].integratedTime",
    "verificationMaterial.tlogEntries[].logId.keyId",
    "verificationMaterial.tlogEntries[].inclusionProof.logIndex",
    "verificationMaterial.tlogEntries[].inclusionProof.rootHash",
    "verificationMaterial.tlogEntries[].inclusionProof.treeSize",
    "dsseEnvelope.signatures[].keyid",
];

struct Case {
    name: String,
    bundle: Value,
    artifact: Vec<u8>,
    key: Option<String>,
    identity: String,
    issuer: String,
    root: TrustRoot,
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sigstore")
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = fs_err::read_dir(vectors())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.to_str().unwrap().ends_with("_fail"))
        .map(|path| {
            let text = |name: &str| fs_err::read_to_string(path.join(name)).ok();
            let said = |name: &str, default: &str| {
                text(name).map_or_else(|| default.to_owned(), |text| text.trim().to_owned())
            };
            let own = path.join("artifact");
            let artifact = if own.exists() {
                own
            } else {
                vectors().join("a.txt")
            };
            Case {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                bundle: serde_json::from_str(&text("bundle.sigstore.json").unwrap()).unwrap(),
                artifact: fs_err::read(artifact).unwrap(),
                key: text("key.pub"),
                identity: said("identity", IDENTITY),
                issuer: said("issuer", ISSUER),
                root: match text("trusted_root.json") {
                    Some(json) => TrustRoot::parse(&json),
                    None => TrustRoot::embedded(Instance::PublicGood),
                }
                .unwrap(),
            }
        })
        .collect();
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    cases
}

impl Case {
    fn verify(&self, text: &[u8]) -> Result<(), Refusal> {
        self.verify_as(text, &self.artifact, &self.identity, &self.issuer)
    }

    fn verify_as(
        &self,
        text: &[u8],
        artifact: &[u8],
        identity: &str,
        issuer: &str,
    ) -> Result<(), Refusal> {
        let signer = match &self.key {
            Some(pem) => Signer::Key(pem),
            None => Signer::Certificate { identity, issuer },
        };
        verify_bundle(
            &Bundle::parse(text)?,
            Input::File(artifact),
            signer,
            &self.root,
        )
    }
}

/// The paths of all values that are no containers, with `[]` for any place in a list, and how to reach each.
fn leaves(value: &Value, path: &str, pointer: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                leaves(inner, &path, &format!("{pointer}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                leaves(
                    inner,
                    &format!("{path}[]"),
                    &format!("{pointer}/{at}"),
                    found,
                );
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push((path.to_owned(), pointer.to_owned()));
        }
    }
}

/// What a timestamp is of begins with this (RFC 3161, section 2.4.2, the type of `TSTInfo`).
const STAMPED: &[u8] = &[
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04,
];

/// The value with one bit of it changed, in its own form, at a place that its signature covers where only a part of it
/// is: checkpoints carry further signatures, and timestamps certificates.
fn flipped(path: &str, value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    if path.ends_with("checkpoint.envelope") {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let root = lines.get_mut(2)?;
        let changed = if root.starts_with('A') { "B" } else { "A" };
        root.replace_range(..1, changed);
        return Some(lines.join("\n").into());
    }
    if path.ends_with("signedTimestamp") {
        let mut bytes = STANDARD.decode(text).ok()?;
        let at = bytes
            .windows(STAMPED.len())
            .position(|window| window == STAMPED)?;
        *bytes.get_mut(at + STAMPED.len() + 60)? ^= 1;
        return Some(STANDARD.encode(bytes).into());
    }
    if text.is_empty() {
        return None;
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number: u64 = text.parse().ok()?;
        return Some((number ^ 1).to_string().into());
    }
    match STANDARD.decode(text) {
        Ok(mut bytes) if !bytes.is_empty() => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            Some(STANDARD.encode(bytes).into())
        }
        _ => {
            let mut bytes = text.as_bytes().to_vec();
            let middle = (0..bytes.len())
                .skip(bytes.len() / 2)
                .find(|at| bytes[*at].is_ascii_alphanumeric())?;
            bytes[middle] ^= 1;
            String::from_utf8(bytes).ok().map(Value::from)
        }
    }
}

#[test]
fn one_flipped_bit_is_refused_wherever_a_signature_covers_it() {
    let mut accepted = BTreeSet::new();
    let mut reasons: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut tried = 0;
    for case in cases() {
        let mut found = Vec::new();
        leaves(&case.bundle, "", "", &mut found);
        for (path, pointer) in found {
            let mut changed = case.bundle.clone();
            let place = changed.pointer_mut(&pointer).unwrap();
            let Some(value) = flipped(&path, place) else {
                continue;
            };
            *place = value;
            tried += 1;
            match case.verify(changed.to_string().as_bytes()) {
                Ok(()) => {
                    accepted.insert(path);
                }
                Err(refusal) => {
                    reasons.entry(path).or_default().insert(refusal.reason.id());
                }
            }
        }
    }
    assert!(tried > 300, "{tried}");
    let uncovered: BTreeSet<String> = UNCOVERED.iter().map(|path| (*path).to_owned()).collect();
    let surprising: Vec<&String> = accepted.difference(&uncovered).collect();
    assert!(surprising.is_empty(), "{surprising:#?}\n{reasons:#?}");
    // What is refused is refused for what it is.
    for (path, ids) in [
        (
            "dsseEnvelope.payload",
            &[
                "signature-invalid",
                "artifact-mismatch",
                "bundle-malformed",
                "log-entry-mismatch",
            ][..],
        ),
        (
            "dsseEnvelope.signatures[].sig",
            &[
                "signature-invalid",
                "log-entry-mismatch",
                "timestamp-invalid",
            ],
        ),
        (
            "messageSignature.signature",
            &[
                "signature-invalid",
                "log-entry-mismatch",
                "timestamp-invalid",
            ],
        ),
        (
            "messageSignature.messageDigest.digest",
            &["artifact-mismatch"],
        ),
        (
            "verificationMaterial.tlogEntries[].canonicalizedBody",
            &[
                "inclusion-invalid",
                "log-entry-mismatch",
                "bundle-malformed",
            ],
        ),
        (
            "verificationMaterial.tlogEntries[].inclusionProof.hashes[]",
            &["inclusion-invalid"],
        ),
        (
            "verificationMaterial.tlogEntries[].inclusionPromise.signedEntryTimestamp",
            &["inclusion-invalid"],
        ),
        (
            "verificationMaterial.timestampVerificationData.rfc3161Timestamps[].signedTimestamp",
            &["timestamp-invalid"],
        ),
    ] {
        let seen = reasons.get(path).unwrap_or_else(|| unreachable!("{path}"));
        let named: BTreeSet<&str> = ids.iter().copied().collect();
        assert!(seen.is_subset(&named), "{path}: {seen:?}");
    }
}

#[test]
fn another_file_signer_or_issuer_and_less_than_the_whole_are_refused() {
    for case in cases() {
        let text = case.bundle.to_string();
        case.verify(text.as_bytes()).unwrap();
        let name = &case.name;
        let reason = |result: Result<(), Refusal>| result.unwrap_err().reason;

        let mut other = case.artifact.clone();
        other.push(b'\n');
        let refused = reason(case.verify_as(text.as_bytes(), &other, &case.identity, &case.issuer));
        assert!(
            matches!(
                refused,
                RefusalReason::ArtifactMismatch | RefusalReason::SignatureInvalid
            ),
            "{name}: {refused}"
        );
        if case.key.is_none() {
            let refused =
                reason(case.verify_as(text.as_bytes(), &case.artifact, "somebody", &case.issuer));
            assert_eq!(refused, RefusalReason::IdentityMismatch, "{name}");
            let refused = reason(case.verify_as(
                text.as_bytes(),
                &case.artifact,
                &case.identity,
                "https://elsewhere.example",
            ));
            assert_eq!(refused, RefusalReason::IssuerMismatch, "{name}");
        }
        for length in [0, text.len() / 3, text.len() - 1] {
            let refused = reason(case.verify(&text.as_bytes()[..length]));
            assert_eq!(refused, RefusalReason::BundleMalformed, "{name}");
        }
        let large = " ".repeat(remint_attest::LARGEST_BUNDLE) + &text;
        assert_eq!(
            reason(case.verify(large.as_bytes())),
            RefusalReason::BundleMalformed,
            "{name}"
        );

        // Without the log, or what the log proves.
        for remove in ["/verificationMaterial/tlogEntries", "proof"] {
            let mut changed = case.bundle.clone();
            if remove == "proof" {
                let entries = changed["verificationMaterial"]["tlogEntries"]
                    .as_array_mut()
                    .unwrap();
                for entry in entries {
                    let entry = entry.as_object_mut().unwrap();
                    entry.remove("inclusionProof");
                    entry.remove("inclusionPromise");
                }
            } else {
                *changed.pointer_mut(remove).unwrap() = serde_json::json!([]);
            }
            let refused = reason(case.verify(changed.to_string().as_bytes()));
            assert!(
                matches!(
                    refused,
                    RefusalReason::InclusionMissing | RefusalReason::TimestampMissing
                ),
                "{name}, {remove}: {refused}"
            );
        }
    }
}
