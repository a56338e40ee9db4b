//! From evidence to outcome: one sound case, and every way in which it can be unsound.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use remint_judge::{Evidence, IntegrityCheck, Manifests, ResultEvidence, StatedIdentity, judge};
use remint_model::{
    Anomaly, AnomalyKind, Assumption, AssumptionKind, Basis, BuildRecord, Bundle, BundleFacts,
    BundleSignature, BundleSigner, Candidate, Change, Class, Comparison, Content, Dependency,
    DependencyKind, Difference, Doubt, Ecosystem, FoundBy, GapKind, InconclusiveReason,
    InstallHook, Integrity, LockDisagreement, ManifestFacts, ManifestPart, NativeFile,
    NativeFormat, NetworkAttempt, OfferedProvenance, Outcome, PackageName, Phase, Pinned,
    PreviousRepository, Provenance, ProvenanceAnswer, ProvenanceClaim, ProvenanceKind,
    ProvenanceOrigin, ProvenanceStanding, RefusedRequest, RegistryDisagreement, RemoteCode,
    Renaming, Severity, Sha1, Sha512, SourceGap, SourcePin, Target, Unattributed, UnattributedFile,
    VerifiedProvenance,
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

/// Differences at these paths, built from a source that lacks a part.
fn with_gap(kind: GapKind, gap: &str, differences: &[(&str, Change)]) -> Evidence {
    let mut evidence = sound();
    evidence.build.as_mut().unwrap().gaps = vec![SourceGap {
        path: gap.to_owned(),
        kind,
        detail: "`example.org` does not resolve".to_owned(),
    }];
    evidence.result = ResultEvidence::Compared {
        basis: Basis::Rebuild,
        comparison: Comparison::Different {
            erased: Vec::new(),
            differences: differences
                .iter()
                .map(|(path, change)| Difference {
                    path: path.parse().unwrap(),
                    change: *change,
                    class: Class::Executable,
                    hunks: Vec::new(),
                    lines: (0, 0),
                    explanation: None,
                })
                .collect(),
        },
    };
    evidence
}

#[test]
fn what_is_missing_of_the_source_leaves_open_only_what_it_may_explain() {
    use Change::{Added, Changed};
    use GapKind::{AbsentFile, LargeFile, RefusedSubmodule, UnavailableSubmodule};
    use InconclusiveReason::{Unavailable, Unsupported};
    type Case<'a> = (
        GapKind,
        &'a str,
        &'a [(&'a str, Change)],
        Option<InconclusiveReason>,
    );
    let cases: &[Case<'_>] = &[
        (
            UnavailableSubmodule,
            "src/pkg/inner",
            &[("pkg/inner/a.py", Added)],
            Some(Unavailable),
        ),
        (
            UnavailableSubmodule,
            "inner",
            &[("inner/a.js", Added)],
            Some(Unavailable),
        ),
        (
            RefusedSubmodule,
            "src/pkg/inner",
            &[("src/pkg/inner/a.py", Added)],
            Some(Unsupported),
        ),
        (
            AbsentFile,
            "data/big.json",
            &[("data/big.json", Added)],
            Some(Unavailable),
        ),
        (
            LargeFile,
            "src/pkg/model.bin",
            &[("pkg/model.bin", Changed)],
            Some(Unsupported),
        ),
        // What the gap does not explain is judged as ever.
        (
            UnavailableSubmodule,
            "src/pkg/inner",
            &[("pkg/inner/a.py", Added), ("pkg/server.py", Changed)],
            None,
        ),
        (
            UnavailableSubmodule,
            "src/pkg/inner",
            &[("inner/a.py", Added)],
            None,
        ),
        (
            UnavailableSubmodule,
            "src/pkg/inner",
            &[("pkg/inner2/a.py", Added)],
            None,
        ),
        (
            UnavailableSubmodule,
            "src/pkg/inner",
            &[("pkg/inner/a.py", Changed)],
            None,
        ),
        (
            AbsentFile,
            "data/big.json",
            &[("data/big.json/x.js", Added)],
            None,
        ),
        (
            LargeFile,
            "assets/logo.png",
            &[("dist/index.js", Changed)],
            None,
        ),
        (
            LargeFile,
            "assets/logo.png",
            &[("assets/logo.png", Added)],
            None,
        ),
    ];
    for (kind, gap, differences, expected) in cases {
        let judgement = judge(&with_gap(*kind, gap, differences));
        let name = format!("{kind:?} {gap} {differences:?}");
        match expected {
            Some(reason) => {
                assert_eq!(judgement.outcome, Outcome::Inconclusive, "{name}");
                assert_eq!(judgement.content, Content::Inconclusive, "{name}");
                assert_eq!(judgement.reason, Some(*reason), "{name}");
                assert!(judgement.detail.unwrap().contains(gap), "{name}");
            }
            None => {
                assert_eq!(judgement.outcome, Outcome::Failed, "{name}");
                assert_eq!(judgement.content, Content::Different, "{name}");
            }
        }
    }
}

#[test]
fn a_missing_submodule_excuses_no_finding() {
    let mut evidence = with_gap(
        GapKind::UnavailableSubmodule,
        "inner",
        &[("inner/a.js", Change::Added)],
    );
    published(&mut evidence)
        .dependencies
        .insert(dependency("plain-crypto-js", "4.2.1"));
    assert_eq!(judge(&evidence).outcome, Outcome::Failed);
}

#[test]
fn a_failed_build_names_what_it_lacked() {
    let mut evidence = with_gap(GapKind::UnavailableSubmodule, "inner", &[]);
    evidence.result = ResultEvidence::NotCompared {
        reason: InconclusiveReason::NotBuilt,
        detail: "the source did not build".to_owned(),
    };
    let judgement = judge(&evidence);
    assert_eq!(judgement.reason, Some(InconclusiveReason::NotBuilt));
    assert!(judgement.detail.unwrap().contains("submodule `inner`"));
}

#[test]
fn a_substitute_interpreter_proves_by_a_match_alone() {
    let substituted = |result: ResultEvidence| {
        let mut evidence = sound();
        evidence.build.as_mut().unwrap().assumptions = vec![Assumption {
            kind: AssumptionKind::SubstituteInterpreter,
            value: "python 3.11.2".to_owned(),
            from: "the project requires Python >=3.13, which this machine has not".to_owned(),
        }];
        evidence.result = result;
        evidence
    };
    let compared = |comparison| ResultEvidence::Compared {
        basis: Basis::Rebuild,
        comparison,
    };
    let matched = judge(&substituted(compared(Comparison::Identical)));
    assert_eq!(matched.outcome, Outcome::Verified);

    let differs = with_gap(GapKind::LargeFile, "x", &[("server.py", Change::Changed)]).result;
    let mut differs = substituted(differs);
    let judgement = judge(&differs);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.content, Content::Inconclusive);
    assert_eq!(judgement.reason, Some(InconclusiveReason::Unsupported));
    assert!(
        judgement
            .detail
            .unwrap()
            .starts_with("interpreter unavailable")
    );
    published(&mut differs)
        .dependencies
        .insert(dependency("plain-crypto-js", "4.2.1"));
    assert_eq!(judge(&differs).outcome, Outcome::Failed);

    let not_built = judge(&substituted(ResultEvidence::NotCompared {
        reason: InconclusiveReason::NotBuilt,
        detail: "the source did not build".to_owned(),
    }));
    assert_eq!(not_built.reason, Some(InconclusiveReason::Unsupported));
}

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

fn native(path: &str, committed: Option<&str>) -> NativeFile {
    NativeFile {
        path: path.parse().unwrap(),
        format: NativeFormat::Elf,
        architecture: Some("x86-64"),
        size: 7,
        sha256: remint_model::Sha256::of(b"code"),
        committed: committed.map(str::to_owned),
    }
}

/// A release with machine code in `x.node`, where these paths differ.
fn with_code(committed: Option<&str>, differences: &[(&str, Change, Class)]) -> Evidence {
    let mut evidence = sound();
    evidence.native = vec![native("x.node", committed)];
    if differences.is_empty() {
        return evidence;
    }
    let pairs: Vec<_> = differences
        .iter()
        .map(|(path, change, _)| (*path, *change))
        .collect();
    evidence.result = with_gap(GapKind::LargeFile, "nowhere", &pairs).result;
    if let ResultEvidence::Compared {
        comparison: Comparison::Different {
            differences: all, ..
        },
        ..
    } = &mut evidence.result
    {
        for (difference, (_, _, class)) in all.iter_mut().zip(differences) {
            difference.class = *class;
        }
    }
    evidence
}

/// The outcome, and the origins that findings tell of machine code.
fn of_code(evidence: &Evidence) -> (Outcome, Content, Vec<String>) {
    let judgement = judge(evidence);
    let origins = judgement
        .findings
        .iter()
        .filter(|finding| finding.id == "opaque-native-code")
        .flat_map(|finding| {
            assert_eq!(finding.severity, Severity::Medium);
            finding.evidence["files"].as_array().unwrap()
        })
        .map(|file| file["origin"].as_str().unwrap().to_owned())
        .collect();
    (judgement.outcome, judgement.content, origins)
}

#[test]
fn machine_code_is_verified_only_where_a_build_made_it() {
    let check = |evidence: &Evidence, outcome, content, origin: &[&str]| {
        let origins = origin.iter().map(|origin| (*origin).to_owned()).collect();
        assert_eq!(of_code(evidence), (outcome, content, origins));
    };
    check(
        &with_code(None, &[]),
        Outcome::Verified,
        Content::Identical,
        &[],
    );
    check(
        &with_code(Some("bin/x.node"), &[]),
        Outcome::Inconclusive,
        Content::Identical,
        &["committed"],
    );
    let mut attested = with_code(Some("bin/x.node"), &[]);
    attested.result = ResultEvidence::Compared {
        basis: Basis::Attestation,
        comparison: Comparison::Identical,
    };
    check(&attested, Outcome::Verified, Content::Identical, &[]);
    let mut unbuilt = with_code(None, &[]);
    unbuilt.result = ResultEvidence::NotCompared {
        reason: InconclusiveReason::Unsupported,
        detail: "no compiler".to_owned(),
    };
    check(
        &unbuilt,
        Outcome::Inconclusive,
        Content::Inconclusive,
        &["not-built"],
    );
    unbuilt.source = None;
    check(
        &unbuilt,
        Outcome::Inconclusive,
        Content::Inconclusive,
        &["no-source"],
    );
}

#[test]
fn a_difference_in_machine_code_is_excused_by_the_source_or_the_compiler_and_by_nothing_published()
{
    use Change::{Added, Changed, Removed};
    let added = [("x.node", Added, Class::Native)];
    let changed = [("x.node", Changed, Class::Native)];
    let compiled = |mut evidence: Evidence| {
        evidence.build.as_mut().unwrap().assumptions = vec![Assumption {
            kind: AssumptionKind::NativeToolchain,
            value: "this machine's compiler".to_owned(),
            from: "nothing says which".to_owned(),
        }];
        evidence
    };
    let rebuilt = |mut evidence: Evidence, format| {
        let path = "x.node".parse().unwrap();
        evidence.rebuilt_native.insert(path, format);
        evidence
    };
    let compiled = |evidence| rebuilt(compiled(evidence), NativeFormat::Elf);
    let declared = |mut evidence: Evidence| {
        evidence.declares_native = true;
        evidence
    };
    let outcome = |evidence: &Evidence| judge(evidence).outcome;
    let (failed, open) = (Outcome::Failed, Outcome::Inconclusive);

    assert_eq!(outcome(&with_code(None, &added)), failed);
    assert_eq!(outcome(&with_code(None, &changed)), failed);
    assert_eq!(outcome(&declared(with_code(None, &added))), open);
    assert_eq!(outcome(&compiled(with_code(None, &changed))), open);
    // What was built there is no machine code, or another kind of it.
    let mut text = compiled(with_code(None, &changed));
    text.rebuilt_native.clear();
    assert_eq!(outcome(&text), failed);
    assert_eq!(outcome(&rebuilt(text, NativeFormat::Pe)), failed);
    // An interpreter runs what has such a name, whatever it begins with.
    let script = [("x.js", Changed, Class::Executable)];
    let mut script = declared(with_code(None, &script));
    script.native = vec![native("x.js", None)];
    assert_eq!(outcome(&script), failed);
    // Nothing says what it is but its name.
    let mut unknown = declared(with_code(None, &changed));
    unknown.native[0].format = NativeFormat::Unknown;
    assert_eq!(outcome(&unknown), failed);
    // A build that makes no such file does not excuse one.
    assert_eq!(outcome(&compiled(with_code(None, &added))), failed);
    let lists = |more: (&'static str, Change, Class)| {
        [
            changed[0],
            ("x-1.dist-info/RECORD", Changed, Class::Metadata),
            ("x-1.dist-info/WHEEL", Changed, Class::Metadata),
            more,
        ]
    };
    let mut repaired = with_code(None, &lists(("x.libs/libz.so.1", Added, Class::Native)));
    repaired.native.push(native("x.libs/libz.so.1", None));
    assert_eq!(outcome(&compiled(repaired.clone())), open);
    assert_eq!(outcome(&repaired), failed);
    for more in [
        ("x/__init__.py", Changed, Class::Executable),
        ("x.pth", Added, Class::Startup),
        ("x.libs/x.py", Added, Class::Executable),
        ("x/data.json", Changed, Class::Data),
        ("x-1.dist-info/METADATA", Changed, Class::Metadata),
        ("x/other.so", Removed, Class::Native),
        // Named like machine code, and none by its bytes.
        ("x/other.so", Changed, Class::Native),
    ] {
        assert_eq!(
            outcome(&compiled(with_code(None, &lists(more)))),
            failed,
            "{more:?}"
        );
        let alone = [added[0], more];
        assert_eq!(
            outcome(&declared(with_code(None, &alone))),
            failed,
            "{more:?}"
        );
    }
}

#[test]
fn packages_for_single_platforms_are_named_beside_the_one_that_lists_them() {
    let mut evidence = sound();
    for name in [
        "@x/server-linux-x64",
        "@x/win32-arm64",
        "fsevents",
        "linux-release-info",
    ] {
        published(&mut evidence).dependencies.insert(Dependency {
            kind: DependencyKind::Optional,
            ..dependency(name, "1.0.0")
        });
    }
    evidence.manifests.source = evidence.manifests.published.clone();
    let judgement = judge(&evidence);
    assert_eq!(judgement.outcome, Outcome::Verified);
    assert_eq!(judgement.findings.len(), 1);
    assert_eq!(judgement.findings[0].id, "native-companions");
    assert_eq!(judgement.findings[0].evidence["count"], 2);
}
