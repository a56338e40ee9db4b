//! Provenance that a registry offers beside a release: asked for, verified, held against the source, and missed.

use std::path::Path;

use serde_json::{Value, json};

use crate::registry::{Registry, Release};
use crate::served;
use crate::world::{Answer, World};

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/provenance")
        .join(name);
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// The place that was asked, as the report tells it.
fn asked(answer: &Answer) -> (&str, bool) {
    let asked = &answer.target()["provenance"][0];
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

#[test]
fn valid_provenance_outweighs_no_difference() {
    const FILE: &str = "pypi_attestations-0.0.19.tar.gz";
    const SHA256: &str = "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3";
    const ADDRESS: &str = "https://files.pythonhosted.org/packages/c5/4d/\
        a114bdd186903426bd9c1e9c3700761ec5eaac260fa3dfdef14bf84b751b/pypi_attestations-0.0.19.tar.gz";
    let world = World::new();
    // A source that the file does not come from.
    let project = "[project]\nname = \"pypi-attestations\"\nversion = \"0.0.19\"\n\
                   [build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n\
                   [tool.hatch.build.targets.wheel]\npackages = [\"src/note_server\"]\n";
    let repository = world.repository("pypi/plain", &[("pyproject.toml", project)], "v0.0.19");
    let provenance = json!({ "version": 1, "attestation_bundles": [{
        "publisher": {
            "kind": "GitHub",
            "repository": "trailofbits/pypi-attestations",
            "workflow": "release.yml",
        },
        "attestations": [
            vector(&format!("{FILE}.publish.attestation")),
            vector(&format!("{FILE}.slsa.attestation")),
        ],
    }] });
    let place = format!("integrity/pypi-attestations/0.0.19/{FILE}/provenance");
    let page = format!("<a href='{ADDRESS}#sha256={SHA256}' data-provenance='/{place}'>{FILE}</a>");
    let index = Registry::of_files(&[
        ("simple/pypi-attestations/", page),
        (&place, provenance.to_string()),
    ]);
    let settings = world.path().join(".config/pip/pip.conf");
    fs_err::create_dir_all(settings.parent().unwrap()).unwrap();
    fs_err::write(
        settings,
        format!(
            "[global]\nindex-url = {}simple/\nextra-index-url = https://pypi.org/simple/\n",
            index.url()
        ),
    )
    .unwrap();
    let arguments = [
        "pypi:pypi-attestations@0.0.19",
        "--source",
        repository.to_str().unwrap(),
    ];
    let answer = world.verify(&arguments);
    assert_eq!(answer.outcome(), ("failed", "different"), "{answer:?}");
    assert_eq!(asked(&answer), ("offered", true), "{answer:?}");
    let attestations = answer.target()["attestations"].as_array().unwrap();
    let kinds: Vec<&Value> = attestations.iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["publish", "slsa-provenance"], "{answer:?}");
    for attestation in attestations {
        assert_eq!(attestation["verified"], true, "{answer:?}");
        assert_eq!(
            attestation["source_commit"],
            "08802efe1f8e5fec4ad842d6b8ce97656092ee72"
        );
        assert_eq!(
            attestation["source_agreement"], "other-commit",
            "{answer:?}"
        );
    }
    assert_eq!(
        answer.findings().get("provenance-source-disagrees"),
        Some(&"medium"),
        "{answer:?}"
    );

    let mut arguments = arguments.to_vec();
    arguments.insert(0, "verify-build");
    let text = String::from_utf8(world.remint(&arguments).stdout).unwrap();
    assert!(
        text.contains(
            "provenance  pypi: GitHub Actions, trailofbits/pypi-attestations@v0.0.19, names another commit"
        ),
        "{text}"
    );
}
