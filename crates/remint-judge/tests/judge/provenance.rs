//! What the provenance that others offer does to an outcome.

use remint_judge::{Evidence, ResultEvidence, judge};
use remint_model::{
    Basis, Change, Class, Comparison, Difference, Doubt, InconclusiveReason, OfferedProvenance,
    Outcome, ProvenanceAnswer, ProvenanceClaim, ProvenanceKind, ProvenanceOrigin,
    ProvenanceStanding, Severity, VerifiedProvenance,
};

use crate::{COMMIT, OTHER, check, pin, sound};

fn claimed(repository: &str, commit: &str) -> VerifiedProvenance {
    VerifiedProvenance {
        signer: "a workflow".to_owned(),
        issuer: Some("a service".to_owned()),
        source_repository: Some(repository.to_owned()),
        source_commit: Some(commit.to_owned()),
        source_reference: None,
        runner_environment: None,
    }
}

fn answered(evidence: &mut Evidence, answer: ProvenanceAnswer) {
    evidence.provenance.offered.push(OfferedProvenance {
        origin: ProvenanceOrigin::Npm,
        announced: false,
        answer,
    });
}

fn offered(evidence: &mut Evidence, standing: ProvenanceStanding) {
    let claim = ProvenanceClaim {
        kind: ProvenanceKind::SlsaProvenance,
        standing,
    };
    answered(evidence, ProvenanceAnswer::Offered(vec![claim]));
}

fn verified(evidence: &mut Evidence, repository: &str, commit: &str) {
    let claim = claimed(repository, commit);
    offered(evidence, ProvenanceStanding::Verified(Box::new(claim)));
}

const SERVER: &str = "https://github.com/owner/server";
const FORK: &str = "https://github.com/else/server";

#[test]
fn provenance_that_agrees_is_no_finding_and_excuses_nothing() {
    for repository in [SERVER, "https://github.com/Owner/Server.git"] {
        let mut evidence = sound();
        verified(&mut evidence, repository, COMMIT);
        let judgement = judge(&evidence);
        assert_eq!(judgement.findings, []);
        assert_eq!(judgement.outcome, Outcome::Verified);
    }
    let mut evidence = sound();
    verified(&mut evidence, SERVER, COMMIT);
    let difference = Difference {
        path: "index.js".parse().unwrap(),
        change: Change::Changed,
        class: Class::Executable,
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: None,
    };
    evidence.result = ResultEvidence::Compared {
        basis: Basis::Rebuild,
        comparison: Comparison::Different {
            erased: Vec::new(),
            differences: vec![difference],
        },
    };
    assert_eq!(judge(&evidence).outcome, Outcome::Failed);
    evidence.result = ResultEvidence::NotCompared {
        reason: InconclusiveReason::NotBuilt,
        detail: "it did not build".to_owned(),
    };
    assert_eq!(judge(&evidence).outcome, Outcome::Inconclusive);
}

#[test]
fn provenance_of_another_source_is_named_by_how_far_it_is_off() {
    const ID: &str = "provenance-source-disagrees";
    let with = |repository: &'static str, commit: &'static str| {
        move |evidence: &mut Evidence| verified(evidence, repository, commit)
    };
    check(with(FORK, OTHER), ID, Severity::High, Outcome::Failed);
    check(with(SERVER, OTHER), ID, Severity::Medium, Outcome::Verified);
    check(with(FORK, COMMIT), ID, Severity::Low, Outcome::Verified);
    check(
        |evidence| {
            verified(evidence, FORK, OTHER);
            evidence.provenance.commits_of_source = vec![OTHER.parse().unwrap()];
        },
        ID,
        Severity::Medium,
        Outcome::Verified,
    );
    // A directory has no address.
    check(
        |evidence| {
            pin(evidence).repository = "/home/me/server".to_owned();
            verified(evidence, FORK, OTHER);
        },
        ID,
        Severity::Medium,
        Outcome::Verified,
    );
    for (repository, commit) in [
        ("/home/me/server", COMMIT),
        // The source archive's commit is none of anybody's.
        ("server-1.0.0.tar.gz", OTHER),
    ] {
        let mut evidence = sound();
        pin(&mut evidence).repository = repository.to_owned();
        verified(&mut evidence, FORK, commit);
        assert_eq!(judge(&evidence).findings, [], "{repository}");
    }
    let mut evidence = sound();
    evidence.source = None;
    verified(&mut evidence, FORK, OTHER);
    assert!(judge(&evidence).findings.iter().all(|found| found.id != ID));
}

#[test]
fn provenance_that_does_not_hold_fails_the_release_and_silence_does_not() {
    let doubt = || Doubt {
        reason: "artifact-mismatch",
        detail: "the statement is about another file".to_owned(),
    };
    check(
        |evidence| offered(evidence, ProvenanceStanding::Refused(doubt())),
        "provenance-invalid",
        Severity::High,
        Outcome::Failed,
    );
    check(
        |evidence| offered(evidence, ProvenanceStanding::Unchecked(doubt())),
        "provenance-unreadable",
        Severity::Medium,
        Outcome::Verified,
    );
    check(
        |evidence| answered(evidence, ProvenanceAnswer::Unreadable("HTML".to_owned())),
        "provenance-unreadable",
        Severity::Medium,
        Outcome::Verified,
    );
    check(
        |evidence| answered(evidence, ProvenanceAnswer::Unreachable("503".to_owned())),
        "provenance-unavailable",
        Severity::Low,
        Outcome::Verified,
    );
    check(
        |evidence| {
            answered(evidence, ProvenanceAnswer::NoneOffered);
            evidence.provenance.offered[0].announced = true;
        },
        "provenance-unavailable",
        Severity::Low,
        Outcome::Verified,
    );
    let mut evidence = sound();
    answered(&mut evidence, ProvenanceAnswer::NoneOffered);
    assert_eq!(judge(&evidence).findings, []);
    // Most releases have nothing on GitHub, and it answers few strangers an hour.
    let mut evidence = sound();
    answered(
        &mut evidence,
        ProvenanceAnswer::Unreachable("403".to_owned()),
    );
    evidence.provenance.offered[0].origin = ProvenanceOrigin::GitHub;
    assert_eq!(judge(&evidence).findings, []);
}

#[test]
fn provenance_that_earlier_releases_had_is_missed() {
    let before = |evidence: &mut Evidence| {
        evidence.provenance.before = Some("0.9.0".parse().unwrap());
    };
    for answer in [
        ProvenanceAnswer::NoneOffered,
        ProvenanceAnswer::Unreachable("503".to_owned()),
    ] {
        check(
            |evidence| {
                before(evidence);
                answered(evidence, answer);
            },
            "provenance-dropped",
            Severity::Medium,
            Outcome::Verified,
        );
    }
    // A registry whose metadata is behind, but which offers it all the same.
    let mut evidence = sound();
    before(&mut evidence);
    verified(&mut evidence, SERVER, COMMIT);
    assert_eq!(judge(&evidence).findings, []);
}
