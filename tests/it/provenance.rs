//! Provenance that a registry offers beside a release: asked for, verified, held against the source, and missed.

use std::path::Path;

use serde_json::{Value, json};

use crate::registry::Release;
use crate::served;
use crate::world::Answer;

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/provenance")
        .join(name);
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// The place that was asked, as the report tells it.
fn asked(answer: &Answer) -> (&str, bool) {
    let asked = &answer.target()["provenance"][0];
    assert_eq!(asked["from"], "npm", "{answer:?}");
    (
        asked["answer"].as_str().unwrap(),
        asked["announced"].as_bool().unwrap(),
    )
}

#[test]
fn what_a_registry_offers_as_provenance_is_told_and_judged() {
    let (world, repository) = served::world("", "v1.0.0");
    let tarball = served::build(&world, &repository);
    let verify = |attestations: Option<String>, announced: &'static [&'static str]| {
        served::verify(
            &world,
            &Release {
                attestations,
                announced,
                ..served::release(tarball.clone())
            },
        )
    };

    let answer = verify(None, &[]);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(asked(&answer), ("none-offered", false), "{answer:?}");
    assert_eq!(answer.target()["attestations"], json!([]), "{answer:?}");
    assert!(answer.findings().is_empty(), "{answer:?}");

    // Authentic, but of another package.
    let bundle = vector("sigstore-5.0.0.tgz.slsa.sigstore.json");
    let offer = |bundle: &Value| {
        let predicate = "https://slsa.dev/provenance/v1";
        json!({ "attestations": [{ "predicateType": predicate, "bundle": bundle }] }).to_string()
    };
    let answer = verify(Some(offer(&bundle)), &["1.0.0"]);
    assert_eq!(answer.code, 1, "{answer:?}");
    assert_eq!(answer.outcome(), ("failed", "identical"), "{answer:?}");
    assert_eq!(asked(&answer), ("offered", true), "{answer:?}");
    assert_eq!(
        answer.findings().get("provenance-invalid"),
        Some(&"high"),
        "{answer:?}"
    );
    let attestation = &answer.target()["attestations"][0];
    assert_eq!(attestation["verified"], false, "{answer:?}");
    assert_eq!(attestation["kind"], "slsa-provenance", "{answer:?}");
    assert_eq!(attestation["reason"], "artifact-mismatch", "{answer:?}");
    assert_eq!(attestation["signer"], Value::Null, "{answer:?}");

    let answer = verify(Some("<html>".to_owned()), &[]);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(asked(&answer), ("unreadable", false), "{answer:?}");
    assert_eq!(
        answer.findings().get("provenance-unreadable"),
        Some(&"medium"),
        "{answer:?}"
    );

    let answer = verify(None, &["0.8.0", "0.9.0"]);
    assert_eq!(answer.outcome(), ("verified", "identical"), "{answer:?}");
    assert_eq!(asked(&answer), ("none-offered", false), "{answer:?}");
    assert_eq!(
        answer.findings().get("provenance-dropped"),
        Some(&"medium"),
        "{answer:?}"
    );

    // A mirror that passes on the metadata and not the attestations.
    let answer = verify(None, &["0.9.0", "1.0.0"]);
    assert_eq!(asked(&answer), ("none-offered", true), "{answer:?}");
    let findings = answer.findings();
    assert_eq!(findings.get("provenance-unavailable"), Some(&"low"));
    assert_eq!(findings.get("provenance-dropped"), None);
}
