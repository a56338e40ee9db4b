//! From evidence to outcome: one sound case, and every way in which it can be unsound.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bundles;
mod gaps;
mod native;
mod provenance;

use remint_judge::{Evidence, IntegrityCheck, Manifests, ResultEvidence, StatedIdentity, judge};
use remint_model::{
    Anomaly, AnomalyKind, Basis, BuildRecord, Candidate, Change, Class, Comparison, Content,
    Dependency, DependencyKind, Difference, Ecosystem, FoundBy, InconclusiveReason, InstallHook,
    Integrity, ManifestFacts, ManifestPart, NetworkAttempt, Outcome, PackageName, Phase,
    PreviousRepository, Provenance, RefusedRequest, RegistryDisagreement, Renaming, Severity, Sha1,
    Sha512, SourcePin, Target,
};

const COMMIT: &str = "1111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222";

fn dependency(name: &str, requirement: &str) -> Dependency {
    Dependency {
        kind: DependencyKind::Runtime,
        name: name.to_owned(),
        requirement: requirement.to_owned(),
    }
}

fn facts() -> ManifestFacts {
    ManifestFacts {
        name: Some("server".to_owned()),
        version: Some("1.0.0".to_owned()),
        dependencies: [dependency("zod", "^3.0.0")].into(),
        hooks: [].into(),
        dynamic_dependencies: false,
    }
}

/// A release that is what its source builds.
fn sound() -> Evidence {
    Evidence {
        target: Target {
            ecosystem: Ecosystem::Npm,
            name: PackageName::parse(Ecosystem::Npm, "server").unwrap(),
            version: "1.0.0".parse().unwrap(),
            file: None,
        },
        integrity: IntegrityCheck::Matches(Integrity::Sha512(Sha512::of(b"x"))),
        identity: Some(StatedIdentity {
            name: Some("server".to_owned()),
            version: Some("1.0.0".to_owned()),
            same_version: true,
        }),
        source: Some(SourcePin {
            repository: "https://github.com/owner/server".to_owned(),
            reference: Some("v1.0.0".to_owned()),
            commit: COMMIT.parse().unwrap(),
            commit_time: 0,
            subdirectory: None,
            found_by: FoundBy::Tag,
            candidates: vec![candidate(FoundBy::Tag, COMMIT, true)],
            stamp: None,
            renamed: None,
            reach: remint_model::Reach::DefaultOrTag,
            previous_repository: None,
        }),
        provenance: Provenance::default(),
        repository_claims_disagree: None,
        registry_disagreements: Vec::new(),
        published_anomalies: Vec::new(),
        rebuilt_anomalies: Vec::new(),
        manifests: Manifests {
            published: Some(Ok(facts())),
            source: Some(Ok(facts())),
            rebuilt: Some(Ok(facts())),
        },
        build: Some(BuildRecord::default()),
        consumed_published: false,
        bundle: None,
        checksums: None,
        programs: None,
        native: Vec::new(),
        rebuilt_native: std::collections::BTreeMap::new(),
        declares_native: false,
        attested_failures: Vec::new(),
        result: ResultEvidence::Compared {
            basis: Basis::Rebuild,
            comparison: Comparison::Identical,
        },
    }
}

fn candidate(found_by: FoundBy, commit: &str, agrees: bool) -> Candidate {
    Candidate {
        found_by,
        reference: None,
        commit: Some(commit.parse().unwrap()),
        agrees,
        note: None,
        meant_for: remint_model::MeantFor::ThisRelease,
    }
}

fn pin(evidence: &mut Evidence) -> &mut SourcePin {
    evidence.source.as_mut().unwrap()
}

fn published(evidence: &mut Evidence) -> &mut ManifestFacts {
    evidence
        .manifests
        .published
        .as_mut()
        .unwrap()
        .as_mut()
        .unwrap()
}

/// Changes the sound case and expects a finding of this severity, and the outcome that follows.
fn check(change: impl FnOnce(&mut Evidence), id: &str, severity: Severity, outcome: Outcome) {
    let mut evidence = sound();
    change(&mut evidence);
    let judgement = judge(&evidence);
    let found: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| (finding.id, finding.severity))
        .collect();
    assert!(found.contains(&(id, severity)), "{id} is not in {found:?}");
    assert_eq!(judgement.outcome, outcome, "{id}");
}

#[test]
fn a_sound_release_is_verified_without_findings() {
    let judgement = judge(&sound());
    assert_eq!(judgement.outcome, Outcome::Verified);
    assert_eq!(judgement.content, Content::Identical);
    assert_eq!(judgement.basis, Some(Basis::Rebuild));
    assert_eq!(judgement.findings, []);
}

#[test]
fn what_the_source_does_not_have_fails_the_release() {
    use Severity::{Critical, High};
    let failed = Outcome::Failed;
    check(
        |e| {
            published(e)
                .dependencies
                .insert(dependency("plain-crypto-js", "4.2.1"));
            e.manifests.rebuilt = None;
        },
        "undeclared-dependency",
        High,
        failed,
    );
    check(
        |e| published(e).dependencies = [dependency("zod", ">=0")].into(),
        "undeclared-dependency",
        High,
        failed,
    );
    check(
        |e| {
            published(e).hooks.insert(InstallHook {
                name: "preinstall".into(),
                command: "node x.js".into(),
            });
        },
        "undeclared-install-hook",
        High,
        failed,
    );
    for part in [
        ManifestPart::Dependency(DependencyKind::Runtime),
        ManifestPart::Command,
        ManifestPart::InstallHook,
    ] {
        check(
            |e| {
                e.registry_disagreements.push(RegistryDisagreement {
                    part,
                    name: "evil".into(),
                    registry: "1.0.0".into(),
                    file: None,
                });
            },
            "registry-manifest-disagrees",
            High,
            failed,
        );
    }
    check(
        |e| e.consumed_published = true,
        "build-consumes-published",
        Critical,
        failed,
    );
    check(
        |e| {
            e.identity = Some(StatedIdentity {
                name: Some("other".into()),
                version: Some("1.0.0".into()),
                same_version: true,
            });
        },
        "identity-mismatch",
        High,
        failed,
    );
    check(
        |e| {
            e.identity = Some(StatedIdentity {
                name: Some("server".into()),
                version: Some("2.0.0".into()),
                same_version: false,
            });
        },
        "identity-mismatch",
        High,
        failed,
    );
    check(
        |e| {
            e.integrity = IntegrityCheck::Mismatch {
                declared: Integrity::Sha1(Sha1::of(b"a")),
                actual: "b".into(),
            }
        },
        "integrity-mismatch",
        Critical,
        failed,
    );
    check(
        |e| e.manifests.published = Some(Err("not JSON".into())),
        "published-manifest-unreadable",
        High,
        failed,
    );
}

#[test]
fn a_siblings_tag_and_a_commit_that_the_user_named_are_no_findings() {
    let mut evidence = sound();
    let mut tag = candidate(FoundBy::Tag, OTHER, false);
    tag.meant_for = remint_model::MeantFor::Sibling;
    pin(&mut evidence).candidates.push(tag);
    pin(&mut evidence).reach = remint_model::Reach::Given;
    assert_eq!(judge(&evidence).findings, []);
}

#[test]
fn what_is_wrong_with_the_source_is_told() {
    check(
        |e| pin(e).reach = remint_model::Reach::Nothing,
        "commit-unreachable",
        Severity::High,
        Outcome::Failed,
    );
    check(
        |e| {
            let mut unreachable = candidate(FoundBy::GitHead, OTHER, false);
            unreachable.note = Some("unreachable from every branch and tag".into());
            pin(e).candidates.push(unreachable);
        },
        "commit-unreachable",
        Severity::High,
        Outcome::Failed,
    );
    check(
        |e| pin(e).reach = remint_model::Reach::OtherBranch("contributor/patch".to_owned()),
        "commit-off-main",
        Severity::High,
        Outcome::Failed,
    );
    check(
        |e| {
            let mut tag = candidate(FoundBy::Tag, OTHER, false);
            tag.note = Some("no manifest of server there".to_owned());
            pin(e).candidates.push(tag);
        },
        "source-hints-disagree",
        Severity::Medium,
        Outcome::Verified,
    );
    check(
        |e| {
            pin(e).previous_repository = Some(PreviousRepository::Other(
                "https://github.com/before/server".into(),
            ));
        },
        "repository-changed",
        Severity::High,
        Outcome::Failed,
    );
    check(
        |e| {
            pin(e).previous_repository = Some(PreviousRepository::Silent {
                repository: "https://github.com/before/server".into(),
                reason: "no route to host".into(),
            });
        },
        "previous-repository-silent",
        Severity::Medium,
        Outcome::Inconclusive,
    );
    check(
        |e| {
            pin(e).previous_repository = Some(PreviousRepository::Untold {
                version: "1.2.2".into(),
                reason: "HTTP status 503".into(),
            });
        },
        "previous-repository-silent",
        Severity::Medium,
        Outcome::Inconclusive,
    );
    check(
        |e| {
            let name = |name| PackageName::parse(Ecosystem::Npm, name).unwrap();
            pin(e).renamed = Some(Renaming {
                found: name("server"),
                wanted: name("@owner/server"),
                named_in: "server.json".parse().unwrap(),
            });
        },
        "name-stamped",
        Severity::Info,
        Outcome::Verified,
    );
    check(
        |e| {
            pin(e)
                .candidates
                .push(candidate(FoundBy::GitHead, OTHER, false));
        },
        "source-hints-disagree",
        Severity::Medium,
        Outcome::Verified,
    );
    check(
        |e| e.repository_claims_disagree = Some(("a".into(), "b".into())),
        "repository-claims-disagree",
        Severity::Medium,
        Outcome::Verified,
    );
}

#[test]
fn what_the_build_asks_for_is_told() {
    check(
        |e| {
            e.build.as_mut().unwrap().attempts.push(NetworkAttempt {
                phase: Phase::Build,
                destination: "evil.invalid".into(),
                protocol: "dns".into(),
            });
        },
        "unexpected-network-access",
        Severity::Medium,
        Outcome::Verified,
    );
    check(
        |e| {
            e.build.as_mut().unwrap().refused.push(RefusedRequest {
                url: "https://evil.invalid/".into(),
                reason: "not-a-registry".into(),
            });
        },
        "unexpected-network-access",
        Severity::Medium,
        Outcome::Verified,
    );
    check(
        |e| {
            e.build.as_mut().unwrap().refused.push(RefusedRequest {
                url: "https://registry.npmjs.org/x/-/x-1.0.0.tgz".into(),
                reason: "digest-mismatch".into(),
            });
        },
        "dependency-digest-mismatch",
        Severity::High,
        Outcome::Failed,
    );
}

#[test]
fn every_archive_anomaly_fails_unless_the_rebuild_has_it_too() {
    for kind in AnomalyKind::ALL {
        let anomaly = Anomaly {
            kind: *kind,
            path: "x".into(),
            detail: "seen".into(),
        };
        check(
            |e| e.published_anomalies.push(anomaly.clone()),
            kind.id(),
            Severity::High,
            Outcome::Failed,
        );
        check(
            |e| {
                e.published_anomalies.push(anomaly.clone());
                e.rebuilt_anomalies.push(anomaly.clone());
            },
            kind.id(),
            Severity::Info,
            Outcome::Verified,
        );
    }
}

#[test]
fn without_a_rebuild_what_a_source_may_cause_proves_nothing_yet() {
    for kind in AnomalyKind::ALL {
        let anomaly = Anomaly {
            kind: *kind,
            path: "x".into(),
            detail: "seen".into(),
        };
        let from_a_source = [AnomalyKind::CaseTwins, AnomalyKind::LinkEntry].contains(kind);
        let (severity, outcome) = if from_a_source {
            (Severity::Medium, Outcome::Inconclusive)
        } else {
            (Severity::High, Outcome::Failed)
        };
        let unbuilt = |e: &mut Evidence| {
            e.published_anomalies.push(anomaly.clone());
            e.result = ResultEvidence::NotCompared {
                reason: InconclusiveReason::Unavailable,
                detail: "because".into(),
            };
        };
        check(unbuilt, kind.id(), severity, outcome);
    }
}

#[test]
fn an_answer_that_is_missing_is_never_a_pass() {
    for reason in [
        InconclusiveReason::NotBuilt,
        InconclusiveReason::NoSource,
        InconclusiveReason::Unavailable,
        InconclusiveReason::Malformed,
    ] {
        let mut evidence = sound();
        evidence.result = ResultEvidence::NotCompared {
            reason,
            detail: "because".into(),
        };
        let judgement = judge(&evidence);
        assert_eq!(judgement.outcome, Outcome::Inconclusive);
        assert_eq!(judgement.reason, Some(reason));
    }
    let mut evidence = sound();
    evidence.result = ResultEvidence::Compared {
        basis: Basis::Sdist,
        comparison: Comparison::Identical,
    };
    let judgement = judge(&evidence);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.content, Content::Identical);
    assert_eq!(judgement.reason, Some(InconclusiveReason::SdistOnly));
}

#[test]
fn an_added_dependency_fails_a_release_that_could_not_be_built() {
    let mut evidence = sound();
    evidence.manifests.rebuilt = None;
    evidence.result = ResultEvidence::NotCompared {
        reason: InconclusiveReason::NotBuilt,
        detail: "exit code 1".into(),
    };
    published(&mut evidence)
        .dependencies
        .insert(dependency("plain-crypto-js", "4.2.1"));
    let judgement = judge(&evidence);
    assert_eq!(judgement.outcome, Outcome::Failed);
    assert_eq!(judgement.content, Content::Inconclusive);
}

#[test]
fn dependencies_left_to_a_build_backend_are_held_against_the_rebuild() {
    let mut evidence = sound();
    let mut dynamic = facts();
    dynamic.dependencies.clear();
    dynamic.dynamic_dependencies = true;
    evidence.manifests.source = Some(Ok(dynamic));
    assert_eq!(judge(&evidence).outcome, Outcome::Verified);
    published(&mut evidence)
        .dependencies
        .insert(dependency("plain-crypto-js", "4.2.1"));
    assert_eq!(judge(&evidence).outcome, Outcome::Failed);
}

#[test]
fn hidden_characters_in_added_lines_are_named() {
    let difference = |line: &str| Difference {
        path: "dist/index.js".parse().unwrap(),
        change: Change::Changed,
        class: Class::Executable,
        hunks: vec![format!("@@ -1 +1,2 @@\n a\n{line}")],
        lines: (1, 0),
        explanation: None,
    };
    let with = |line: &'static str| {
        move |e: &mut Evidence| {
            e.result = ResultEvidence::Compared {
                basis: Basis::Rebuild,
                comparison: Comparison::Different {
                    erased: vec![],
                    differences: vec![difference(line)],
                },
            };
        }
    };
    check(
        with("+if (a) \\u{202e}"),
        "hidden-characters",
        Severity::High,
        Outcome::Failed,
    );
    for harmless in ["+plain", "-old \\u{202e}", "+tab \\u{9}"] {
        let mut evidence = sound();
        with(harmless)(&mut evidence);
        let judgement = judge(&evidence);
        assert!(judgement.findings.is_empty(), "{harmless}");
        assert_eq!(judgement.outcome, Outcome::Failed);
    }
}
