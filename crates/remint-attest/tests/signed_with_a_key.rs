//! Bundles made here with a key: accepted as they are, and refused for the named reason once anything is changed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use remint_attest::log::{CHECKPOINT, LogFiles, LogRelation, verify_consistency, verify_log};
use remint_attest::{
    ArtifactDigests, Bundle, ExpectedSigner, Refusal, RefusalReason, Signed, SigningKey, Statement,
    Subject, TimeEvidence, sign_with_key,
};
use remint_model::{Sha256, Sha512};

#[derive(Default, Clone)]
struct Memory(RefCell<BTreeMap<String, Vec<u8>>>);

impl LogFiles for Memory {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.borrow().get(path).cloned())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.borrow_mut().insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }
}

const FILE: &[u8] = b"a published file";

fn payload(file: &[u8], note: &str) -> Vec<u8> {
    let subject = Subject::new("server-1.0.0.tgz", &Sha256::of(file), &Sha512::of(file));
    let predicate = serde_json::json!({ "note": note });
    Statement::new(subject, "https://example.org/predicate/v1", predicate).to_bytes()
}

fn sign(key: &SigningKey, files: &Memory, note: &str) -> Signed {
    sign_with_key(key, &[payload(FILE, note)], files)
        .unwrap()
        .remove(0)
}

fn signer(key: &SigningKey) -> ExpectedSigner {
    ExpectedSigner::key(key.public().clone(), key.log().clone()).unwrap()
}

fn verify(key: &SigningKey, text: &str) -> Result<TimeEvidence, Refusal> {
    let bundle = Bundle::parse(text.as_bytes())?;
    let verified = signer(key).verify(&bundle, &ArtifactDigests::of(FILE))?;
    Ok(verified.time())
}

#[test]
fn what_is_signed_verifies_offline_in_logs_of_every_size() {
    let key = SigningKey::generate().unwrap();
    let files = Memory::default();
    for at in 0..12 {
        let signed = sign(&key, &files, &at.to_string());
        assert_eq!(
            verify(&key, &signed.text).unwrap(),
            TimeEvidence::SelfAsserted
        );
    }
    assert_eq!(verify_log(&files, key.log()).unwrap(), 12);
    let many: Vec<Vec<u8>> = (0..600).map(|at| payload(FILE, &at.to_string())).collect();
    let signed = sign_with_key(&key, &many, &files).unwrap();
    for signed in signed.iter().step_by(97) {
        verify(&key, &signed.text).unwrap();
    }
    assert_eq!(verify_log(&files, key.log()).unwrap(), 612);
}

#[test]
fn a_log_that_grew_continues_and_one_that_was_rewritten_does_not() {
    let key = SigningKey::generate().unwrap();
    let files = Memory::default();
    for note in ["a", "b", "c"] {
        sign(&key, &files, note);
    }
    let earlier = files.read(CHECKPOINT).unwrap().unwrap();
    let rewound = files.clone();
    for note in 0..300 {
        sign(&key, &files, &note.to_string());
    }
    let consistency = |files, earlier: &[u8]| verify_consistency(files, key.log(), earlier);
    assert_eq!(
        consistency(&files, &earlier).unwrap(),
        LogRelation::Continued
    );
    assert_eq!(consistency(&rewound, &earlier).unwrap(), LogRelation::Same);
    let later = files.read(CHECKPOINT).unwrap().unwrap();
    let words = consistency(&rewound, &later).unwrap_err().to_string();
    assert!(words.contains("rewound"), "{words}");

    let forked = Memory::default();
    for note in 0..5 {
        sign(&key, &forked, &note.to_string());
    }
    let words = consistency(&forked, &earlier).unwrap_err().to_string();
    assert!(words.contains("forked"), "{words}");

    let other = SigningKey::generate().unwrap();
    let words = verify_consistency(&files, other.log(), &earlier)
        .unwrap_err()
        .to_string();
    assert!(words.contains("is not signed by"), "{words}");
}

#[test]
fn a_log_without_its_checkpoint_does_not_begin_anew() {
    let key = SigningKey::generate().unwrap();
    let files = Memory::default();
    sign(&key, &files, "first");
    files.0.borrow_mut().remove(CHECKPOINT);
    let error = sign_with_key(&key, &[payload(FILE, "more")], &files).unwrap_err();
    assert!(error.to_string().contains("no checkpoint"), "{error}");
}

#[test]
fn a_damaged_log_takes_no_more_entries() {
    let key = SigningKey::generate().unwrap();
    let files = Memory::default();
    for note in 0..3 {
        sign(&key, &files, &note.to_string());
    }
    let path = "tile/0/000.p/3";
    let mut tile = files.read(path).unwrap().unwrap();
    tile[40] ^= 1;
    files.write(path, &tile).unwrap();
    let before = files.clone();
    let error = sign_with_key(&key, &[payload(FILE, "more")], &files).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert_eq!(*files.0.borrow(), *before.0.borrow());
    assert!(verify_log(&files, key.log()).is_err());
}

/// What becomes of a bundle when this is done to its JSON.
fn changed(text: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut bundle: serde_json::Value = serde_json::from_str(text).unwrap();
    change(&mut bundle);
    format!("{bundle}\n")
}

/// Flips one bit in the middle of base64 text, so that it stays base64.
fn flip(value: &mut serde_json::Value) {
    let text = value.as_str().unwrap();
    let middle = text.len() / 2;
    let other = if &text[middle..=middle] == "A" {
        "B"
    } else {
        "A"
    };
    *value = format!("{}{other}{}", &text[..middle], &text[middle + 1..]).into();
}

#[test]
fn every_change_is_refused_for_its_named_reason() {
    let key = SigningKey::generate().unwrap();
    let files = Memory::default();
    sign(&key, &files, "first");
    sign(&key, &files, "second");
    let signed = sign(&key, &files, "third").text;
    let swapped = sign(&key, &files, "fourth").text;
    let other: serde_json::Value = serde_json::from_str(&swapped).unwrap();
    let entry = "/verificationMaterial/tlogEntries/0";
    let at = |path: &str| format!("{entry}{path}");
    assert!(verify(&key, &changed(&signed, |_| ())).is_ok());

    type Change = Box<dyn FnOnce(&mut serde_json::Value)>;
    let flipped = |path: String| -> Change {
        Box::new(move |bundle| flip(bundle.pointer_mut(&path).unwrap()))
    };
    let set = |path: String, value: serde_json::Value| -> Change {
        Box::new(move |bundle| *bundle.pointer_mut(&path).unwrap() = value)
    };
    let cases: Vec<(&str, RefusalReason, Change)> = vec![
        (
            "payload flipped",
            RefusalReason::SignatureInvalid,
            flipped("/dsseEnvelope/payload".to_owned()),
        ),
        (
            "payload swapped",
            RefusalReason::SignatureInvalid,
            set(
                "/dsseEnvelope/payload".to_owned(),
                other["dsseEnvelope"]["payload"].clone(),
            ),
        ),
        (
            "payload type",
            RefusalReason::BundleUnsupported,
            set("/dsseEnvelope/payloadType".to_owned(), "text/plain".into()),
        ),
        (
            "signature flipped",
            RefusalReason::SignatureInvalid,
            flipped("/dsseEnvelope/signatures/0/sig".to_owned()),
        ),
        (
            "whole envelope of another statement",
            RefusalReason::LogEntryMismatch,
            set("/dsseEnvelope".to_owned(), other["dsseEnvelope"].clone()),
        ),
        (
            "envelope names another key",
            RefusalReason::KeyMismatch,
            set("/dsseEnvelope/signatures/0/keyid".to_owned(), "00".into()),
        ),
        (
            "hint names another key",
            RefusalReason::KeyMismatch,
            set(
                "/verificationMaterial/publicKey/hint".to_owned(),
                "00".into(),
            ),
        ),
        (
            "no log entry",
            RefusalReason::InclusionMissing,
            set(
                "/verificationMaterial/tlogEntries".to_owned(),
                serde_json::json!([]),
            ),
        ),
        (
            "no proof",
            RefusalReason::InclusionMissing,
            Box::new(|bundle| {
                bundle["verificationMaterial"]["tlogEntries"][0]
                    .as_object_mut()
                    .unwrap()
                    .remove("inclusionProof");
            }),
        ),
        (
            "another log",
            RefusalReason::LogUnknown,
            flipped(at("/logId/keyId")),
        ),
        (
            "proof hash flipped",
            RefusalReason::InclusionInvalid,
            flipped(at("/inclusionProof/hashes/0")),
        ),
        (
            "root hash flipped",
            RefusalReason::InclusionInvalid,
            flipped(at("/inclusionProof/rootHash")),
        ),
        (
            "tree size",
            RefusalReason::InclusionInvalid,
            set(at("/inclusionProof/treeSize"), "7".into()),
        ),
        (
            "index in the proof",
            RefusalReason::InclusionInvalid,
            set(at("/inclusionProof/logIndex"), "1".into()),
        ),
        (
            "index",
            RefusalReason::InclusionInvalid,
            set(at("/logIndex"), "1".into()),
        ),
        (
            "entry body flipped",
            RefusalReason::InclusionInvalid,
            flipped(at("/canonicalizedBody")),
        ),
        (
            "checkpoint of the next tree",
            RefusalReason::InclusionInvalid,
            set(
                at("/inclusionProof/checkpoint"),
                other["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]
                    .clone(),
            ),
        ),
        (
            "a time that nothing vouches for",
            RefusalReason::InclusionInvalid,
            Box::new(|bundle| {
                bundle["verificationMaterial"]["tlogEntries"][0]["integratedTime"] =
                    "1700000000".into();
            }),
        ),
        (
            "a field that nobody knows",
            RefusalReason::BundleMalformed,
            Box::new(|bundle| bundle["verificationMaterial"]["more"] = true.into()),
        ),
        (
            "another version",
            RefusalReason::BundleUnsupported,
            set(
                "/mediaType".to_owned(),
                "application/vnd.dev.sigstore.bundle.v9+json".into(),
            ),
        ),
    ];
    for (name, reason, change) in cases {
        let refusal = verify(&key, &changed(&signed, change)).expect_err(name);
        assert_eq!(refusal.reason, reason, "{name}: {refusal}");
    }
}

#[test]
fn a_forged_checkpoint_is_refused() {
    let key = SigningKey::generate().unwrap();
    let text = sign(&key, &Memory::default(), "only").text;
    let forged = changed(&text, |bundle| {
        let envelope = bundle
            .pointer_mut("/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope")
            .unwrap();
        // The last line holds the signature.
        let (before, signature) = envelope
            .as_str()
            .unwrap()
            .trim_end()
            .rsplit_once(' ')
            .unwrap();
        let mut last = serde_json::Value::from(signature);
        flip(&mut last);
        *envelope = format!("{before} {}\n", last.as_str().unwrap()).into();
    });
    assert_eq!(
        verify(&key, &forged).unwrap_err().reason,
        RefusalReason::CheckpointInvalid
    );
}

#[test]
fn what_nothing_signs_of_a_checkpoint_has_one_form() {
    let key = SigningKey::generate().unwrap();
    let text = sign(&key, &Memory::default(), "only").text;
    let path = "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope";
    let name = key.log().name().to_owned();
    let refused = |change: &dyn Fn(&str) -> String| {
        let forged = changed(&text, |bundle| {
            let envelope = bundle.pointer_mut(path).unwrap();
            *envelope = change(envelope.as_str().unwrap()).into();
        });
        let refusal = verify(&key, &forged).unwrap_err();
        assert_eq!(
            refusal.reason,
            RefusalReason::CheckpointInvalid,
            "{refusal}"
        );
    };
    // Another name before the log's own signature, another line after it, and another space.
    refused(&|note| note.replace(&format!("\u{2014} {name}"), "\u{2014} another.log"));
    refused(&|note| {
        let line = note.lines().last().unwrap();
        format!("{note}{}\n", line.replace(&name, "another.log"))
    });
    refused(&|note| format!("{note}\n"));
}

#[test]
fn another_key_another_file_and_damaged_text_are_refused() {
    let key = SigningKey::generate().unwrap();
    let text = sign(&key, &Memory::default(), "only").text;
    let other = SigningKey::generate().unwrap();
    assert_eq!(
        verify(&other, &text).unwrap_err().reason,
        RefusalReason::KeyMismatch
    );
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    let refusal = signer(&key)
        .verify(&bundle, &ArtifactDigests::of(b"another file"))
        .unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::ArtifactMismatch);
    // One digest that agrees does not outweigh one that does not.
    let mixed = ArtifactDigests {
        sha256: Sha256::of(FILE),
        sha512: Some(Sha512::of(b"another file")),
    };
    let refusal = signer(&key).verify(&bundle, &mixed).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::ArtifactMismatch);
    for length in [0, 1, text.len() / 2, text.len() - 3] {
        let refusal = verify(&key, &text[..length]).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::BundleMalformed);
    }
    let large = " ".repeat(remint_attest::LARGEST_BUNDLE) + &text;
    let refusal = verify(&key, &large).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::BundleMalformed);
    assert!(refusal.to_string().contains("bytes"), "{refusal}");
}

#[test]
fn only_the_exact_text_is_accepted() {
    let key = SigningKey::generate().unwrap();
    let text = sign(&key, &Memory::default(), "only").text;
    for variant in [
        format!(" {text}"),
        format!("{text}\n"),
        text.trim_end().to_owned(),
    ] {
        assert_eq!(
            verify(&key, &variant).unwrap_err().reason,
            RefusalReason::BundleMalformed
        );
    }
}
