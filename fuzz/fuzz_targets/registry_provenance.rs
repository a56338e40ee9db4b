#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_attest::registry_provenance::{Offer, OfferedFor, RegistryKeys, Trusted};
use remint_attest::{ArtifactDigests, Instance, TrustRoot};
use remint_fuzz::Text;
use remint_model::{Ecosystem, PackageName, ProvenanceOrigin, ProvenanceStanding, Sha256, Target};
use serde_json::{Value, json};

#[derive(Debug, Arbitrary)]
enum Input {
    Bytes(Vec<u8>),
    Json(Text),
    /// A real answer in which some values are replaced.
    Changed {
        npm: bool,
        changes: Vec<(u16, Replacement)>,
    },
}

#[derive(Debug, Arbitrary)]
enum Replacement {
    Null,
    Number(i64),
    Text(String),
    /// The text at hand with one byte of it changed.
    Byte(u16, u8),
    Empty,
    Twice,
}

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"attestations\":",
    "\"predicateType\":",
    "\"bundle\":",
    "\"version\":",
    "\"attestation_bundles\":",
    "\"publisher\":",
    "\"kind\":",
    "\"GitHub\"",
    "\"verification_material\":",
    "\"certificate\":",
    "\"transparency_entries\":",
    "\"envelope\":",
    "\"statement\":",
    "\"signature\":",
    "\"mediaType\":",
    "\"application/vnd.dev.sigstore.bundle.v0.3+json\"",
    "\"publicKey\":",
    "\"hint\":",
    "\"keys\":",
    "\"keyid\":",
    "\"key\":",
    "\"expires\":",
    "\"AAAA\"",
    "1",
    "null",
];

static ROOT: LazyLock<TrustRoot> =
    LazyLock::new(|| TrustRoot::embedded(Instance::PublicGood).expect("the root is embedded"));

static NPM: LazyLock<Value> = LazyLock::new(|| {
    let bundle: Value = serde_json::from_str(include_str!(
        "../../tests/vectors/provenance/sigstore-5.0.0.tgz.slsa.sigstore.json"
    ))
    .expect("the vector is JSON");
    json!({ "attestations": [{
        "predicateType": "https://slsa.dev/provenance/v1",
        "bundle": bundle,
    }] })
});

static PYPI: LazyLock<Value> = LazyLock::new(|| {
    let attestation: Value = serde_json::from_str(include_str!(
        "../../tests/vectors/provenance/pypi_attestations-0.0.19.tar.gz.slsa.attestation"
    ))
    .expect("the vector is JSON");
    json!({ "version": 1, "attestation_bundles": [{
        "publisher": {
            "kind": "GitHub",
            "repository": "trailofbits/pypi-attestations",
            "workflow": "release.yml",
        },
        "attestations": [attestation],
    }] })
});

/// The value at this place, counted through the whole document.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Object(fields) => fields.values_mut().find_map(|inner| nth(inner, left)),
        Value::Array(items) => items.iter_mut().find_map(|inner| nth(inner, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn replace(value: &mut Value, replacement: Replacement) {
    *value = match (replacement, &*value) {
        (Replacement::Null, _) => Value::Null,
        (Replacement::Number(number), _) => number.into(),
        (Replacement::Text(text), _) => text.into(),
        (Replacement::Byte(at, byte), Value::String(text)) if !text.is_empty() => {
            let mut bytes = text.clone().into_bytes();
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
            String::from_utf8_lossy(&bytes).into_owned().into()
        }
        (Replacement::Twice, Value::Array(items)) => [items.clone(), items.clone()].concat().into(),
        (Replacement::Empty, Value::Array(_)) => json!([]),
        (Replacement::Empty | Replacement::Byte(..) | Replacement::Twice, _) => json!({}),
    };
}

fuzz_target!(|input: Input| {
    let bytes = match input {
        Input::Bytes(bytes) => bytes,
        Input::Json(text) => text.spelled(WORDS).into_bytes(),
        Input::Changed { npm, changes } => {
            let mut answer = if npm { NPM.clone() } else { PYPI.clone() };
            for (at, replacement) in changes.into_iter().take(8) {
                if let Some(value) = nth(&mut answer, &mut usize::from(at % 128)) {
                    replace(value, replacement);
                }
            }
            answer.to_string().into_bytes()
        }
    };
    // A file that nobody ever published: no answer can be made that holds for it.
    let digests = ArtifactDigests::from(Sha256::of(b"a file of the fuzzer's own"));
    let keys = RegistryKeys::parse(&bytes).ok();
    for (ecosystem, name, file) in [
        (Ecosystem::Npm, "sigstore", None),
        (
            Ecosystem::Pypi,
            "pypi-attestations",
            Some("pypi_attestations-0.0.19.tar.gz"),
        ),
    ] {
        let target = Target {
            ecosystem,
            name: PackageName::parse(ecosystem, name).expect("a name"),
            version: "0.0.19".parse().expect("a version"),
            file: file.map(|file| file.parse().expect("a file's name")),
        };
        for origin in [
            ProvenanceOrigin::Npm,
            ProvenanceOrigin::Pypi,
            ProvenanceOrigin::GitHub,
        ] {
            let Ok(offer) = Offer::parse(origin, &bytes) else {
                continue;
            };
            let of = OfferedFor {
                target: &target,
                digests: &digests,
            };
            let trusted = Trusted {
                root: &ROOT,
                keys: keys.as_ref(),
            };
            let claims = offer.claims(of, trusted);
            assert_eq!(claims.is_empty(), offer.is_empty());
            for claim in claims {
                assert!(!matches!(claim.standing, ProvenanceStanding::Verified(_)));
            }
        }
    }
});
