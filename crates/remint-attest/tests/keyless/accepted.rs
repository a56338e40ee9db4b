//! What is signed is accepted: here, and by the tools of others.

use std::pin::Pin;
use std::sync::Arc;

use fs_err as fs;
use remint_attest::keyless::{KeylessSigner, LogVersion, Pending, Progress, Unfinished};
use remint_attest::{
    ArtifactDigests, Bundle, ExpectedSigner, Refusal, RefusalReason, Signed, Statement, Subject,
    TimeEvidence, TrustRoot,
};
use remint_model::{Sha256, Sha512};
use serde_json::Value;

use crate::tools;
use crate::world::{IDENTITY, ISSUER, World, token};

pub(crate) const FILE: &[u8] = b"a published file";

pub(crate) fn statement(note: &str) -> Pending {
    let subject = Subject::new("server-1.0.0.tgz", &Sha256::of(FILE), &Sha512::of(FILE));
    let predicate = serde_json::json!({ "note": note });
    let statement = Statement::new(subject, "https://example.org/predicate/v1", predicate);
    Pending::new(statement.to_bytes()).unwrap()
}

pub(crate) fn verify(root: &Value, text: &str) -> Result<TimeEvidence, Refusal> {
    let root = Arc::new(TrustRoot::parse(&root.to_string()).unwrap());
    let signer = ExpectedSigner::identity(IDENTITY.to_owned(), ISSUER.to_owned(), root);
    let bundle = Bundle::parse(text.as_bytes())?;
    Ok(signer.verify(&bundle, &ArtifactDigests::of(FILE))?.time())
}

async fn signed(world: &World, version: LogVersion, notes: &[&str]) -> Vec<Signed> {
    let signer = KeylessSigner::new(world.config_for(version), world.client(), Some(token()));
    let statements = notes.iter().map(|note| statement(note)).collect();
    let mut unobserved = |_: Progress<'_>| ();
    let signing = signer.sign(statements, &mut unobserved);
    // Programs sign beside other work.
    let signing: Pin<Box<dyn Future<Output = _> + Send + '_>> = Box::pin(signing);
    let answers: Vec<Result<Signed, Unfinished>> = signing.await;
    answers
        .into_iter()
        .map(|answer| answer.unwrap_or_else(|unfinished| panic!("{:?}", unfinished.failure)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_statements_take_one_certificate_and_one_entry_each() {
    let world = World::new();
    for version in [LogVersion::V1, LogVersion::V2] {
        for signed in signed(&world, version, &["one", "two", "three"]).await {
            let time = verify(&world.trusted_root(), &signed.text).unwrap();
            assert!(matches!(time, TimeEvidence::Independent(_)), "{time:?}");
        }
    }
    assert_eq!(world.seen("certificate-authority"), 2);
    assert_eq!(world.seen("timestamp-authority"), 6);
    assert_eq!(world.seen("log"), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_accept_the_same_bundles_and_refuse_them_for_others() {
    let world = World::new();
    let directory = world.cache.path();
    let root = directory.join("trusted_root.json");
    fs::write(&root, world.trusted_root().to_string()).unwrap();
    let another = World::new();
    let other_root = directory.join("other_root.json");
    fs::write(&other_root, another.trusted_root().to_string()).unwrap();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keyless/");

    for (version, name) in [(LogVersion::V2, "v2"), (LogVersion::V1, "v1")] {
        let bundle = directory.join(format!("{name}.sigstore.json"));
        let text = signed(&world, version, &[name]).await.remove(0).text;
        fs::write(&bundle, &text).unwrap();
        let python = |root, identity: &str| {
            let mut command = tools::command(tools::python());
            command.arg(format!("{here}verify.py"));
            command.args([root, &bundle]).args([identity, ISSUER]);
            command
        };
        let node = |root, identity: &str| {
            let mut command = tools::node();
            command.arg(format!("{here}verify.cjs"));
            command.args([root, &bundle]).args([identity, ISSUER]);
            command
        };
        let payload = statement(name).payload().to_vec();
        let judges: [&dyn Fn(_, &str) -> std::process::Command; 2] = [&python, &node];
        for judge in judges {
            let output = tools::succeed(&mut judge(&root, IDENTITY));
            assert_eq!(output.stdout, payload, "{name}");
            for (root, identity) in [
                (&root, "https://example.org/other"),
                (&other_root, IDENTITY),
            ] {
                let output = judge(root, identity).output().unwrap();
                assert_eq!(output.status.code(), Some(3), "{name}: {output:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_afterwards_is_refused() {
    let world = World::new();
    let root = world.trusted_root();
    let text = signed(&world, LogVersion::V2, &["one"])
        .await
        .remove(0)
        .text;
    let other = signed(&world, LogVersion::V2, &["two"])
        .await
        .remove(0)
        .text;
    let other: Value = serde_json::from_str(&other).unwrap();
    let entry = "/verificationMaterial/tlogEntries/0";
    let timestamps = "/verificationMaterial/timestampVerificationData/rfc3161Timestamps";
    for (part, reason) in [
        ("/dsseEnvelope".to_owned(), RefusalReason::SignatureInvalid),
        (
            "/verificationMaterial/certificate".to_owned(),
            RefusalReason::SignatureInvalid,
        ),
        (entry.to_owned(), RefusalReason::LogEntryMismatch),
        (
            format!("{entry}/inclusionProof"),
            RefusalReason::InclusionInvalid,
        ),
        (timestamps.to_owned(), RefusalReason::TimestampInvalid),
    ] {
        let mut bundle: Value = serde_json::from_str(&text).unwrap();
        *bundle.pointer_mut(&part).unwrap() = other.pointer(&part).unwrap().clone();
        let refusal = verify(&root, &bundle.to_string()).unwrap_err();
        assert_eq!(refusal.reason, reason, "{part}: {refusal}");
    }
    let other_root = World::new().trusted_root();
    assert!(verify(&other_root, &text).is_err());
}
