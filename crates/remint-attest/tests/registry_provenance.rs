//! Provenance as registries offer it: each real answer holds for its own file, and whatever is changed in it is
//! refused for the named reason.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remint_attest::registry_provenance::{
    AnswerError, MOST_ATTESTATIONS, Offer, OfferedFor, RegistryKeys, Trusted,
};
use remint_attest::{ArtifactDigests, Instance, RefusalReason, SigningKey, TrustRoot};
use remint_model::{
    Ecosystem, PackageName, ProvenanceClaim, ProvenanceKind, ProvenanceOrigin, ProvenanceStanding,
    Sha256, Sha512, Target, VerifiedProvenance,
};
use serde_json::{Value, json};
use sigstore_trust_root::SigstoreInstance;

const SIGSTORE_SHA512: &str = "849a897e81bf7b8a8541a6ae40bd3473a27a16b1cb0462ad905bd6dc96d34881\
                               053a12eb4a375233f81677fc9439f628fe0b0445e8535c60b5559597fbd5f80e";
const PYPI_ATTESTATIONS: &str = "9bb1add04b1b4e182be6b0b80931593f7a291eb49d69b4fd728a5d4cbcdc4bd3";
const GITLAB_PROJECT: &str = "c1ca9b0d85df1606451098233018534497bf584362e10e4a8c21dfaea92c02a8";

fn vector(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/provenance")
        .join(name);
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// A file by its name and digests, and the answer that a registry gives about it.
struct Offered {
    target: Target,
    digests: ArtifactDigests,
    answer: Value,
}

impl Offered {
    fn npm() -> Self {
        let bundle = vector("sigstore-5.0.0.tgz.slsa.sigstore.json");
        Self {
            target: target(Ecosystem::Npm, "sigstore", "5.0.0", None),
            digests: ArtifactDigests {
                // Of another file: npm's statements name SHA-512 alone.
                sha256: Sha256::of(b"whatever"),
                sha512: Some(SIGSTORE_SHA512.parse::<Sha512>().unwrap()),
            },
            answer: json!({ "attestations": [{
                "predicateType": "https://slsa.dev/provenance/v1",
                "bundle": bundle,
            }] }),
        }
    }

    fn pypi(kind: &str) -> Self {
        let file = "pypi_attestations-0.0.19.tar.gz";
        Self::of_index(
            (file, "pypi-attestations", "0.0.19", PYPI_ATTESTATIONS),
            &json!({
                "kind": "GitHub",
                "repository": "trailofbits/pypi-attestations",
                "workflow": "release.yml",
                "environment": null,
            }),
            &vector(&format!("{file}.{kind}.attestation")),
        )
    }

    fn gitlab() -> Self {
        let file = "gitlab_oidc_project-0.0.3.tar.gz";
        Self::of_index(
            (file, "gitlab-oidc-project", "0.0.3", GITLAB_PROJECT),
            &json!({
                "kind": "GitLab",
                "repository": "facutuesca/gitlab-oidc-project",
                "workflow_filepath": ".gitlab-ci.yml",
                "environment": null,
            }),
            &vector(&format!("{file}.publish.attestation")),
        )
    }

    fn of_index(
        (file, name, version, sha256): (&str, &str, &str, &str),
        publisher: &Value,
        attestation: &Value,
    ) -> Self {
        Self {
            target: target(Ecosystem::Pypi, name, version, Some(file)),
            digests: sha256.parse::<Sha256>().unwrap().into(),
            answer: json!({ "version": 1, "attestation_bundles": [{
                "publisher": publisher,
                "attestations": [attestation],
            }] }),
        }
    }

    fn all() -> [(&'static str, Self); 4] {
        [
            ("npm", Self::npm()),
            ("pypi slsa", Self::pypi("slsa")),
            ("pypi publish", Self::pypi("publish")),
            ("gitlab", Self::gitlab()),
        ]
    }

    /// The one attestation.
    fn attestation(&mut self) -> &mut Value {
        match self.target.ecosystem {
            Ecosystem::Npm => &mut self.answer["attestations"][0]["bundle"],
            Ecosystem::Pypi => &mut self.answer["attestation_bundles"][0]["attestations"][0],
            Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => {
                unreachable!("nobody offers any")
            }
        }
    }

    /// A place in the attestation, by its path in a bundle and in PEP 740's form.
    fn place(&mut self, bundle: &str, pep_740: &str) -> &mut Value {
        let path = match self.target.ecosystem {
            Ecosystem::Npm => bundle,
            Ecosystem::Pypi => pep_740,
            Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => {
                unreachable!("nobody offers any")
            }
        };
        self.attestation().pointer_mut(path).unwrap()
    }

    fn entry(&mut self) -> &mut Value {
        self.place(
            "/verificationMaterial/tlogEntries/0",
            "/verification_material/transparency_entries/0",
        )
    }

    fn claim(&self) -> ProvenanceClaim {
        self.claim_with(None)
    }

    fn claim_with(&self, keys: Option<&RegistryKeys>) -> ProvenanceClaim {
        self.claim_by(&TrustRoot::embedded(Instance::PublicGood).unwrap(), keys)
    }

    fn claim_by(&self, root: &TrustRoot, keys: Option<&RegistryKeys>) -> ProvenanceClaim {
        let text = self.answer.to_string();
        let origin = match self.target.ecosystem {
            Ecosystem::Npm => ProvenanceOrigin::Npm,
            Ecosystem::Pypi => ProvenanceOrigin::Pypi,
            Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => {
                unreachable!("nobody offers any")
            }
        };
        let offer = Offer::parse(origin, text.as_bytes()).unwrap();
        let trusted = Trusted { root, keys };
        let of = OfferedFor {
            target: &self.target,
            digests: &self.digests,
        };
        let mut claims = offer.claims(of, trusted);
        assert_eq!(claims.len(), 1);
        claims.remove(0)
    }

    fn verified(&self) -> (ProvenanceKind, VerifiedProvenance) {
        let claim = self.claim();
        let ProvenanceStanding::Verified(verified) = claim.standing else {
            panic!("{:?}", claim.standing)
        };
        (claim.kind, *verified)
    }

    fn check_refused(&self, what: &str, reason: RefusalReason) {
        let standing = self.claim().standing;
        let ProvenanceStanding::Refused(doubt) = standing else {
            panic!("{what}: {standing:?}")
        };
        assert_eq!(doubt.reason, reason.id(), "{what}: {}", doubt.detail);
    }

    fn check_unchecked(&self, what: &str, reason: RefusalReason) {
        let standing = self.claim().standing;
        let ProvenanceStanding::Unchecked(doubt) = standing else {
            panic!("{what}: {standing:?}")
        };
        assert_eq!(doubt.reason, reason.id(), "{what}: {}", doubt.detail);
    }
}

fn target(ecosystem: Ecosystem, name: &str, version: &str, file: Option<&str>) -> Target {
    Target {
        ecosystem,
        name: PackageName::parse(ecosystem, name).unwrap(),
        version: version.parse().unwrap(),
        file: file.map(|file| file.parse().unwrap()),
    }
}

/// One bit of what a base64 text stands for, near its end or at this byte.
fn flip(value: &mut Value, at: Option<usize>) {
    let text: String = value.as_str().unwrap().split_whitespace().collect();
    let mut bytes = STANDARD.decode(text).unwrap();
    let at = at.unwrap_or(bytes.len() - 3);
    bytes[at] ^= 1;
    *value = STANDARD.encode(bytes).into();
}

#[test]
fn every_real_attestation_holds_for_its_own_file() {
    const GITHUB: &str = "https://token.actions.githubusercontent.com";
    let (kind, verified) = Offered::npm().verified();
    assert_eq!(kind, ProvenanceKind::SlsaProvenance);
    assert_eq!(
        verified,
        VerifiedProvenance {
            signer: "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main"
                .to_owned(),
            issuer: Some(GITHUB.to_owned()),
            source_repository: Some("https://github.com/sigstore/sigstore-js".to_owned()),
            source_commit: Some("7d2900eca1c22b3f87c13987c8d4b7c9a29b733a".to_owned()),
            source_reference: Some("refs/heads/main".to_owned()),
            runner_environment: Some("github-hosted".to_owned()),
        }
    );
    for (name, expect) in [
        ("slsa", ProvenanceKind::SlsaProvenance),
        ("publish", ProvenanceKind::Publish),
    ] {
        let (kind, verified) = Offered::pypi(name).verified();
        assert_eq!(kind, expect);
        assert_eq!(verified.issuer.as_deref(), Some(GITHUB));
        assert_eq!(
            verified.source_commit.as_deref(),
            Some("08802efe1f8e5fec4ad842d6b8ce97656092ee72")
        );
        assert_eq!(
            verified.source_reference.as_deref(),
            Some("refs/tags/v0.0.19")
        );
    }
    let (kind, verified) = Offered::gitlab().verified();
    assert_eq!(kind, ProvenanceKind::Publish);
    assert_eq!(verified.issuer.as_deref(), Some("https://gitlab.com"));
    assert_eq!(
        verified.source_repository.as_deref(),
        Some("https://gitlab.com/facutuesca/gitlab-oidc-project")
    );
}

#[test]
fn whatever_is_changed_is_refused_for_its_reason() {
    for (name, _) in Offered::all() {
        let make = || {
            let mut all = Offered::all().into_iter();
            all.find(|(each, _)| *each == name).unwrap().1
        };
        let check = |what: &str, reason, change: &dyn Fn(&mut Offered)| {
            let mut offered = make();
            change(&mut offered);
            offered.check_refused(&format!("{name}: {what}"), reason);
        };
        check("payload", RefusalReason::SignatureInvalid, &|offered| {
            let payload = offered.place("/dsseEnvelope/payload", "/envelope/statement");
            // Inside the subject's digest.
            flip(payload, Some(150));
        });
        check("signature", RefusalReason::SignatureInvalid, &|offered| {
            flip(
                offered.place("/dsseEnvelope/signatures/0/sig", "/envelope/signature"),
                None,
            );
        });
        check(
            "certificate",
            RefusalReason::CertificateInvalid,
            &|offered| {
                flip(
                    offered.place(
                        "/verificationMaterial/certificate/rawBytes",
                        "/verification_material/certificate",
                    ),
                    None,
                );
            },
        );
        // The log promised another body.
        check("log body", RefusalReason::InclusionInvalid, &|offered| {
            flip(&mut offered.entry()["canonicalizedBody"], Some(80));
        });
        check(
            "inclusion hash",
            RefusalReason::InclusionInvalid,
            &|offered| {
                flip(&mut offered.entry()["inclusionProof"]["hashes"][0], Some(0));
            },
        );
        check(
            "inclusion promise",
            RefusalReason::InclusionInvalid,
            &|offered| {
                flip(
                    &mut offered.entry()["inclusionPromise"]["signedEntryTimestamp"],
                    None,
                );
            },
        );
        check("time", RefusalReason::InclusionInvalid, &|offered| {
            let time = &mut offered.entry()["integratedTime"];
            let seconds: i64 = time.as_str().unwrap().parse().unwrap();
            *time = (seconds + 1).to_string().into();
        });
        check(
            "no log entry",
            RefusalReason::InclusionMissing,
            &|offered| {
                let entries = offered.place(
                    "/verificationMaterial/tlogEntries",
                    "/verification_material/transparency_entries",
                );
                *entries = json!([]);
            },
        );
        check("checkpoint", RefusalReason::CheckpointInvalid, &|offered| {
            let envelope = &mut offered.entry()["inclusionProof"]["checkpoint"]["envelope"];
            let text = envelope.as_str().unwrap();
            let (head, signature) = text.trim_end().rsplit_once(' ').unwrap();
            let mut signature = Value::from(signature);
            flip(&mut signature, None);
            *envelope = format!("{head} {}\n", signature.as_str().unwrap()).into();
        });
        check("other file", RefusalReason::ArtifactMismatch, &|offered| {
            offered.digests = ArtifactDigests::of(b"another file");
        });
        check(
            "other version",
            RefusalReason::ArtifactMismatch,
            &|offered| {
                let (ecosystem, package) =
                    (offered.target.ecosystem, offered.target.name.to_string());
                let file = match ecosystem {
                    Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => None,
                    Ecosystem::Pypi => Some("other-9.9.9.tar.gz"),
                };
                offered.target = target(ecosystem, &package, "9.9.9", file);
            },
        );
        check("no bundle", RefusalReason::BundleMalformed, &|offered| {
            *offered.attestation() = json!({});
        });
    }
}

#[test]
fn an_authentic_log_entry_of_another_signature_is_refused() {
    // Both were made in one run, so that the one's time fits the other's certificate.
    let mut offered = Offered::pypi("slsa");
    *offered.entry() = Offered::pypi("publish").entry().clone();
    offered.check_refused("entry", RefusalReason::LogEntryMismatch);
    let mut offered = Offered::npm();
    *offered.entry() = Offered::pypi("slsa").entry().clone();
    offered.check_refused("entry of another time", RefusalReason::CertificateExpired);
}

/// The public-good root with one part of another instance's.
fn root_without(part: &str) -> TrustRoot {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/vectors/sigstore/intoto-with-custom-trust-root/trusted_root.json");
    let other: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let embedded = SigstoreInstance::PublicGood.embedded_trusted_root_json();
    let mut root: Value = serde_json::from_str(embedded).unwrap();
    root[part] = other[part].clone();
    TrustRoot::parse(&root.to_string()).unwrap()
}

#[test]
fn what_may_only_be_newer_than_the_root_is_left_unchecked_and_never_believed() {
    for (part, reason) in [
        ("tlogs", RefusalReason::LogUnknown),
        ("certificateAuthorities", RefusalReason::CertificateInvalid),
        ("ctlogs", RefusalReason::CertificateInvalid),
    ] {
        let root = root_without(part);
        for (name, mut offered) in Offered::all() {
            let ProvenanceStanding::Unchecked(doubt) = offered.claim_by(&root, None).standing
            else {
                panic!("{part}, {name}: {:?}", offered.claim_by(&root, None))
            };
            assert_eq!(
                doubt.reason,
                reason.id(),
                "{part}, {name}: {}",
                doubt.detail
            );
            // It excuses no other file.
            offered.digests = ArtifactDigests::of(b"another file");
            let ProvenanceStanding::Refused(doubt) = offered.claim_by(&root, None).standing else {
                panic!("{part}, {name}: another file is not refused")
            };
            assert_eq!(doubt.reason, RefusalReason::ArtifactMismatch.id());
        }
    }
    let mut newer = Offered::npm();
    newer.attestation()["mediaType"] = "application/vnd.dev.sigstore.bundle.v9+json".into();
    newer.check_unchecked("version", RefusalReason::BundleUnsupported);
    let mut newer = Offered::pypi("slsa");
    newer.attestation()["version"] = 2.into();
    newer.check_unchecked("version", RefusalReason::BundleUnsupported);
}

/// The conformance suite's statement speaks of another repository than the certificate that signed it.
fn of_another_repository(file: &str) -> Offered {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sigstore");
    let bundle = fs_err::read(vectors.join("happy-path-intoto-in-dsse-v3/bundle.sigstore.json"));
    let bundle: Value = serde_json::from_slice(&bundle.unwrap()).unwrap();
    let material = &bundle["verificationMaterial"];
    let digest = Sha256::of(&fs_err::read(vectors.join("a.txt")).unwrap()).to_string();
    Offered::of_index(
        (file, "a", "1", &digest),
        &json!({
            "kind": "GitHub",
            "repository": "sigstore-conformance/extremely-dangerous-public-oidc-beacon",
            "workflow": "extremely-dangerous-oidc-beacon.yml",
        }),
        &json!({
            "version": 1,
            "verification_material": {
                "certificate": material["certificate"]["rawBytes"],
                "transparency_entries": material["tlogEntries"],
            },
            "envelope": {
                "statement": bundle["dsseEnvelope"]["payload"],
                "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
            },
        }),
    )
}

#[test]
fn an_authentic_statement_about_another_repository_than_its_signers_is_refused() {
    of_another_repository("a.txt").check_refused("repository", RefusalReason::ClaimsDisagree);
    of_another_repository("b.txt").check_refused("name", RefusalReason::ArtifactMismatch);
}

#[test]
fn another_type_than_announced_is_refused_and_an_unknown_one_is_left_unchecked() {
    let mut offered = Offered::npm();
    offered.answer["attestations"][0]["predicateType"] =
        "https://github.com/npm/attestation/tree/main/specs/publish/v0.1".into();
    offered.check_refused("announced", RefusalReason::PredicateUnexpected);
    offered.answer["attestations"][0]["predicateType"] = "https://example.org/new/v1".into();
    offered.check_unchecked("unknown", RefusalReason::PredicateUnexpected);
}

#[test]
fn another_publisher_than_the_certificates_is_refused() {
    for (field, other) in [
        ("repository", "trailofbits/other"),
        ("workflow", "other.yml"),
    ] {
        let mut offered = Offered::pypi("publish");
        offered.answer["attestation_bundles"][0]["publisher"][field] = other.into();
        offered.check_refused(field, RefusalReason::IdentityMismatch);
    }
    let mut offered = Offered::pypi("publish");
    offered.answer["attestation_bundles"][0]["publisher"] =
        Offered::gitlab().answer["attestation_bundles"][0]["publisher"].clone();
    offered.check_refused("host", RefusalReason::IdentityMismatch);
    let mut offered = Offered::gitlab();
    offered.answer["attestation_bundles"][0]["publisher"]["workflow_filepath"] =
        "other/.gitlab-ci.yml".into();
    offered.check_refused("path", RefusalReason::IdentityMismatch);

    // Kinds that are not understood vouch for nothing, and are no forgery either.
    let mut offered = Offered::pypi("publish");
    offered.answer["attestation_bundles"][0]["publisher"] =
        json!({ "kind": "Google", "email": "release@example.iam.gserviceaccount.com" });
    offered.check_unchecked("kind", RefusalReason::IdentityMismatch);
    // One that is not understood does not excuse another file.
    offered.digests = ArtifactDigests::of(b"another file");
    offered.check_refused("kind and file", RefusalReason::ArtifactMismatch);
}

#[test]
fn githubs_answer_holds_for_the_digest_it_was_asked_for() {
    let npm = Offered::npm();
    let bundle = &npm.answer["attestations"][0]["bundle"];
    let answer = json!({ "attestations": [{ "bundle": bundle, "repository_id": 1 }] }).to_string();
    let offer = Offer::parse(ProvenanceOrigin::GitHub, answer.as_bytes()).unwrap();
    let root = TrustRoot::embedded(Instance::PublicGood).unwrap();
    let trusted = Trusted {
        root: &root,
        keys: None,
    };
    // A workflow names its files as it likes.
    let other = target(Ecosystem::Npm, "other", "1.0.0", None);
    let check = |digests: &ArtifactDigests, expect: bool| {
        let of = OfferedFor {
            target: &other,
            digests,
        };
        let claims = offer.claims(of, trusted);
        let holds = matches!(claims[0].standing, ProvenanceStanding::Verified(_));
        assert_eq!(holds, expect, "{claims:?}");
    };
    check(&npm.digests, true);
    check(&ArtifactDigests::of(b"another file"), false);

    // What it keeps elsewhere, and what its own instance signed.
    let mut without_log = bundle.clone();
    without_log["verificationMaterial"]["tlogEntries"] = json!([]);
    for (item, reason) in [
        (
            json!({ "bundle": null, "bundle_url": "https://x.example" }),
            "bundle-unsupported",
        ),
        (json!({ "bundle": without_log }), "inclusion-missing"),
    ] {
        let answer = json!({ "attestations": [item] }).to_string();
        let offer = Offer::parse(ProvenanceOrigin::GitHub, answer.as_bytes()).unwrap();
        let of = OfferedFor {
            target: &other,
            digests: &npm.digests,
        };
        let claims = offer.claims(of, trusted);
        let ProvenanceStanding::Unchecked(doubt) = &claims[0].standing else {
            panic!("{claims:?}")
        };
        assert_eq!(doubt.reason, reason);
    }
}

#[test]
fn a_bundle_with_more_evidence_than_anybody_makes_is_left_unchecked() {
    let mut offered = Offered::npm();
    let entry = offered.entry().clone();
    offered.attestation()["verificationMaterial"]["tlogEntries"] = vec![entry; 17].into();
    offered.check_unchecked("entries", RefusalReason::BundleUnsupported);
}

#[test]
fn a_key_signs_nothing_that_the_registry_does_not_vouch_for() {
    let mut offered = Offered::npm();
    let material = offered.place("/verificationMaterial", "");
    let entries = material["tlogEntries"].clone();
    *material = json!({ "publicKey": { "hint": "SHA256:x" }, "tlogEntries": entries });
    offered.check_unchecked("no keys", RefusalReason::KeyMismatch);

    let key = SigningKey::generate().unwrap().public().to_pem();
    let spki: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let keys = |id: &str, expires: Value| {
        let key = json!({ "keyid": id, "key": spki, "expires": expires });
        RegistryKeys::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    };
    let check = |keys: &RegistryKeys, reason: RefusalReason| {
        let ProvenanceStanding::Refused(doubt) = offered.claim_with(Some(keys)).standing else {
            panic!("not refused: {reason}")
        };
        assert_eq!(doubt.reason, reason.id(), "{}", doubt.detail);
    };
    check(&keys("SHA256:y", Value::Null), RefusalReason::KeyMismatch);
    check(
        &keys("SHA256:x", Value::Null),
        RefusalReason::SignatureInvalid,
    );
    // A key whose end cannot be read is none.
    check(
        &keys("SHA256:x", json!("some day")),
        RefusalReason::KeyMismatch,
    );
}

#[test]
fn answers_of_another_form_are_told_apart() {
    let malformed = |result: Result<Offer, AnswerError>| {
        assert!(
            matches!(result, Err(AnswerError::Malformed(_))),
            "{result:?}"
        );
    };
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "<html></html>",
        "{\"attestations\": 1}",
    ] {
        malformed(Offer::parse(ProvenanceOrigin::Npm, text.as_bytes()));
        malformed(Offer::parse(ProvenanceOrigin::Pypi, text.as_bytes()));
        malformed(Offer::parse(ProvenanceOrigin::GitHub, text.as_bytes()));
        assert!(RegistryKeys::parse(text.as_bytes()).is_err(), "{text}");
    }
    malformed(Offer::parse(
        ProvenanceOrigin::Npm,
        "[".repeat(100_000).as_bytes(),
    ));
    let newer = json!({ "version": 2, "attestation_bundles": [] });
    assert_eq!(
        Offer::parse(ProvenanceOrigin::Pypi, newer.to_string().as_bytes()).unwrap_err(),
        AnswerError::Version("2".to_owned())
    );
    let many = vec![json!({ "predicateType": "x", "bundle": {} }); MOST_ATTESTATIONS + 1];
    let many = json!({ "attestations": many }).to_string();
    assert_eq!(
        Offer::parse(ProvenanceOrigin::Npm, many.as_bytes()).unwrap_err(),
        AnswerError::TooMany(MOST_ATTESTATIONS + 1)
    );
    let none = json!({ "attestations": [] }).to_string();
    assert!(
        Offer::parse(ProvenanceOrigin::Npm, none.as_bytes())
            .unwrap()
            .is_empty()
    );
}

proptest::proptest! {
    #[test]
    fn no_answer_panics(
        any: Vec<u8>,
        field in "[a-zA-Z_]{1,20}",
        value in "(null|1|-1|\\[\\]|\\{\\}|\"\"|\"AAAA\"|\"99999999999999999999\"|1e999)",
        at in 0_usize..4,
    ) {
        let (_, mut offered) = Offered::all().into_iter().nth(at).unwrap();
        let text = offered.answer.to_string();
        let mut texts = vec![any.clone(), [text.as_bytes(), &any].concat()];
        texts.push(text.get(..any.len() * 7 % text.len()).unwrap_or("").into());
        if let Ok(value) = serde_json::from_str::<Value>(&value) {
            replace(&mut offered.answer, &field, &value);
            texts.push(offered.answer.to_string().into());
        }
        let root = TrustRoot::embedded(Instance::PublicGood).unwrap();
        for text in texts {
            let keys = RegistryKeys::parse(&text).ok();
            for offer in [Offer::parse(ProvenanceOrigin::Npm, &text), Offer::parse(ProvenanceOrigin::Pypi, &text), Offer::parse(ProvenanceOrigin::GitHub, &text)].into_iter().flatten() {
                let of = OfferedFor { target: &offered.target, digests: &offered.digests };
                let trusted = Trusted { root: &root, keys: keys.as_ref() };
                let claims = offer.claims(of, trusted);
                proptest::prop_assert_eq!(claims.is_empty(), offer.is_empty());
            }
        }
    }
}

/// Puts the value at the first field whose name is, or follows, this one in the alphabet.
fn replace(within: &mut Value, field: &str, value: &Value) -> bool {
    match within {
        Value::Object(fields) => {
            let mut names: Vec<String> = fields.keys().cloned().collect();
            names.sort();
            let near = names.iter().find(|name| name.as_str() >= field).cloned();
            for (name, inner) in fields.iter_mut() {
                if replace(inner, field, value) {
                    return true;
                }
                if Some(name) == near.as_ref() {
                    *inner = value.clone();
                    return true;
                }
            }
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| replace(item, field, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
