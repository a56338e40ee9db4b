//! Bundles: attribution, locks, signatures and what they fetch.

use remint_judge::judge;
use remint_model::{
    Bundle, BundleFacts, BundleSignature, BundleSigner, Class, Ecosystem, InconclusiveReason,
    LockDisagreement, Outcome, Pinned, RemoteCode, Severity, Unattributed, UnattributedFile,
};

use crate::sound;

/// A bundle of which everything is accounted for.
fn bundle() -> Bundle {
    Bundle {
        facts: BundleFacts::default(),
        signature: BundleSignature::Absent,
        packages: Vec::new(),
        unattributed: Vec::new(),
        records: 0,
        own: 1,
        lock_disagreements: Vec::new(),
        unlocked: None,
    }
}

fn file_of(class: Class, reason: Unattributed) -> UnattributedFile {
    UnattributedFile {
        class,
        path: "node_modules/a/x".parse().unwrap(),
        package: Some("a@1.0.0".to_owned()),
        reason,
        detail: "it is not there".to_owned(),
    }
}

#[test]
fn bundles_are_verified_only_as_a_whole() {
    let of = |change: fn(&mut Bundle)| {
        let mut evidence = sound();
        evidence.target.ecosystem = Ecosystem::Mcpb;
        let mut bundle = bundle();
        change(&mut bundle);
        evidence.bundle = Some(bundle);
        let judgement = judge(&evidence);
        let findings: Vec<String> = judgement
            .findings
            .iter()
            .map(|finding| format!("{} {:?}", finding.id, finding.severity))
            .collect();
        (judgement.outcome, judgement.reason, findings.join(", "))
    };
    let inconclusive =
        |reason, findings: &str| (Outcome::Inconclusive, Some(reason), findings.to_owned());
    let failed = |findings: &str| (Outcome::Failed, None, findings.to_owned());
    let verified = |findings: &str| (Outcome::Verified, None, findings.to_owned());

    assert_eq!(of(|_| {}), verified(""));
    let mut unseen = sound();
    unseen.target.ecosystem = Ecosystem::Mcpb;
    assert_eq!(judge(&unseen).outcome, Outcome::Inconclusive);

    assert_eq!(
        of(|bundle| bundle
            .unattributed
            .push(file_of(Class::Native, Unattributed::Extra))),
        failed("bundled-file-unattributed High")
    );
    assert_eq!(
        of(|bundle| bundle
            .unattributed
            .push(file_of(Class::Data, Unattributed::Differs))),
        inconclusive(
            InconclusiveReason::NoSource,
            "bundled-file-unattributed Medium"
        )
    );
    assert_eq!(
        of(|bundle| bundle
            .unattributed
            .push(file_of(Class::Native, Unattributed::Unreachable))),
        inconclusive(InconclusiveReason::Unavailable, "")
    );
    assert_eq!(
        of(|bundle| bundle
            .unattributed
            .push(file_of(Class::Native, Unattributed::BeyondLimits))),
        inconclusive(InconclusiveReason::Unsupported, "")
    );
    assert_eq!(
        of(|bundle| bundle.unlocked = Some(Ecosystem::Npm)),
        inconclusive(InconclusiveReason::NoSource, "")
    );
    let disagreement = |other_digest| LockDisagreement {
        lockfile: "package-lock.json".to_owned(),
        package: "a@1.0.0".to_owned(),
        detail: "it does not list the package".to_owned(),
        other_digest,
    };
    let mut evidence = sound();
    for (other_digest, severity) in [(true, Severity::High), (false, Severity::Medium)] {
        evidence.bundle = Some(Bundle {
            lock_disagreements: vec![disagreement(other_digest)],
            ..bundle()
        });
        let judgement = judge(&evidence);
        assert_eq!(judgement.findings[0].id, "bundled-package-unlocked");
        assert_eq!(judgement.findings[0].severity, severity);
        assert_ne!(judgement.outcome, Outcome::Verified);
    }
    fn code(pinned: Pinned) -> RemoteCode {
        RemoteCode {
            platform: None,
            what: "`npx` fetches npm:a".to_owned(),
            pinned,
        }
    }
    assert_eq!(
        of(|bundle| bundle.facts.remote.push(code(Pinned::Floating))),
        failed("bundle-runs-remote-code High")
    );
    assert_eq!(
        of(|bundle| bundle.facts.remote.push(code(Pinned::Untold))),
        verified("bundle-runs-remote-code Medium")
    );
    assert_eq!(
        of(|bundle| bundle.facts.remote.push(code(Pinned::Exactly))),
        verified("bundle-runs-remote-code Info")
    );
}

#[test]
fn a_signature_that_does_not_hold_is_worse_than_none() {
    let mut evidence = sound();
    let mut signature = |signature| {
        evidence.bundle = Some(Bundle {
            signature,
            ..bundle()
        });
        let judgement = judge(&evidence);
        let finding = judgement.findings.first();
        (finding.map(|finding| finding.id), judgement.outcome)
    };
    let signer = BundleSigner {
        subject: "CN=Somebody".to_owned(),
        issuer: "CN=Somebody".to_owned(),
        self_signed: true,
        chain: 0,
        fingerprint: String::new(),
        validity: (String::new(), String::new()),
    };
    let why = || "why".to_owned();
    let (verified, failed) = (Outcome::Verified, Outcome::Failed);
    assert_eq!(signature(BundleSignature::Absent), (None, verified));
    assert_eq!(signature(BundleSignature::Valid(signer)), (None, verified));
    assert_eq!(
        signature(BundleSignature::NotVerified(why())),
        (Some("bundle-signature-unverified"), verified)
    );
    for bad in [
        BundleSignature::Invalid(why()),
        BundleSignature::Malformed(why()),
    ] {
        assert_eq!(signature(bad), (Some("bundle-signature-invalid"), failed));
    }
}
