//! From a judgement to statements, signed, and weighed under a policy.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use remint_attest::log::LogFiles;
use remint_attest::trust::{Policy, Saying, Verdict, decide};
use remint_attest::{
    ArtifactDigests, Bundle, Instance, Judged, RefusalReason, SigningKey, StatementKind, TrustRoot,
    sign_with_key, statements,
};
use remint_model::{
    Artifact, ArtifactFormat, Basis, BuildRecord, Change, Class, Comparison, Content, Difference,
    Erasure, FoundBy, InconclusiveReason, Judgement, Outcome, Published, Reach, Rebuilt, Sha256,
    Sha512, SourcePin, Spec, Target,
};

#[derive(Default)]
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

fn target(text: &str) -> Target {
    let Ok(Spec::Release {
        ecosystem,
        name,
        version: Some(version),
        file,
    }) = text.parse()
    else {
        unreachable!("{text} is a release")
    };
    Target {
        ecosystem,
        name,
        version,
        file,
    }
}

fn artifact<Origin>() -> Artifact<Origin> {
    Artifact::new(
        "server-1.0.0.tgz".parse().unwrap(),
        ArtifactFormat::NpmTarball,
        PathBuf::new(),
        FILE.len() as u64,
        Sha256::of(FILE),
        Sha512::of(FILE),
    )
}

fn erasure() -> Erasure {
    Erasure {
        normaliser: "gzip-encoding",
        version: 1,
        paths: Vec::new(),
        count: 1,
    }
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

/// What a run found, and the statements about it.
#[derive(Clone)]
struct Run {
    target: Target,
    comparison: Option<Comparison>,
    outcome: Outcome,
    isolation: &'static str,
}

impl Run {
    fn identical() -> Self {
        Self {
            target: target("npm:server@1.0.0"),
            comparison: Some(Comparison::Identical),
            outcome: Outcome::Verified,
            isolation: "namespaces",
        }
    }

    fn equivalent() -> Self {
        Self {
            comparison: Some(Comparison::Equivalent {
                erased: vec![erasure()],
            }),
            ..Self::identical()
        }
    }

    fn different() -> Self {
        Self {
            comparison: Some(Comparison::Different {
                erased: vec![erasure()],
                differences: vec![Difference {
                    path: "dist/index.js".parse().unwrap(),
                    change: Change::Changed,
                    class: Class::Executable,
                    hunks: Vec::new(),
                    lines: (1, 0),
                    explanation: None,
                }],
            }),
            outcome: Outcome::Failed,
            ..Self::identical()
        }
    }

    fn payloads(&self) -> Vec<(StatementKind, Vec<u8>)> {
        let published: Artifact<Published> = artifact();
        let rebuilt: Artifact<Rebuilt> = artifact();
        let source = SourcePin {
            repository: "https://example.org/owner/server".to_owned(),
            reference: Some("v1.0.0".to_owned()),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            commit_time: 0,
            subdirectory: None,
            found_by: FoundBy::Tag,
            candidates: Vec::new(),
            stamp: None,
            renamed: None,
            reach: Reach::DefaultOrTag,
            previous_repository: None,
        };
        let build = BuildRecord {
            isolation: self.isolation.to_owned(),
            ..BuildRecord::default()
        };
        let content = match &self.comparison {
            Some(Comparison::Identical) => Content::Identical,
            Some(Comparison::Equivalent { .. }) => Content::Equivalent,
            Some(Comparison::Different { .. }) => Content::Different,
            None => Content::Inconclusive,
        };
        let judgement = Judgement {
            outcome: self.outcome,
            content,
            basis: Some(Basis::Rebuild),
            reason: (content == Content::Inconclusive).then_some(InconclusiveReason::NotBuilt),
            detail: Some("it did not build".to_owned()),
            findings: Vec::new(),
        };
        let judged = Judged {
            target: &self.target,
            published: &published,
            rebuilt: self.comparison.as_ref().map(|_| &rebuilt),
            source: Some(&source),
            plan: None,
            build: Some(&build),
            failure: None,
            comparison: self.comparison.as_ref(),
            judgement: &judgement,
            report: Sha256::of(b"report"),
            started: now(),
            finished: now(),
        };
        statements(&judged)
            .into_iter()
            .map(|unsigned| (unsigned.kind, unsigned.payload))
            .collect()
    }

    /// The bundle of one kind.
    fn signed(&self, key: &SigningKey, kind: StatementKind) -> Bundle {
        let (_, payload) = self
            .payloads()
            .into_iter()
            .find(|(made, _)| *made == kind)
            .unwrap();
        sign_with_key(key, &[payload], &Memory::default())
            .unwrap()
            .remove(0)
            .bundle
    }
}

fn policy(head: &str, rebuilders: &[(&SigningKey, &str)]) -> Policy {
    let mut text = format!("format = \"remint.trust/v1\"\n{head}\n");
    for (at, (key, more)) in rebuilders.iter().enumerate() {
        let (public, log) = (key.public().to_pem(), key.log());
        let scope = if more.contains("scope") {
            ""
        } else {
            "scope = ['pkg:*']\n"
        };
        text.extend([format!(
            "[[rebuilder]]\nname = 'r{at}'\nkey = '''{public}'''\nlog_key = '{log}'\n{scope}{more}\n"
        )]);
    }
    Policy::parse(&text, &|| TrustRoot::embedded(Instance::PublicGood)).unwrap()
}

fn verdict(policy: &Policy, bundles: &[Bundle]) -> Result<Verdict, RefusalReason> {
    let expect = target("npm:server@1.0.0");
    let decision = decide(
        policy,
        bundles,
        &ArtifactDigests::of(FILE),
        Some(&expect),
        now(),
    );
    match decision.verdict {
        Verdict::Refused(refusal) => Err(refusal.reason),
        verdict @ (Verdict::Passed | Verdict::Failed | Verdict::NoJudgement) => Ok(verdict),
    }
}

#[test]
fn a_judged_release_gives_three_statements_and_an_inconclusive_one_an_attempt_alone() {
    let kinds = |run: &Run| -> Vec<StatementKind> {
        run.payloads().iter().map(|(kind, _)| *kind).collect()
    };
    let three = [
        StatementKind::Provenance,
        StatementKind::Comparison,
        StatementKind::Summary,
    ];
    assert_eq!(kinds(&Run::identical()), three);
    assert_eq!(kinds(&Run::different()), three);
    let inconclusive = Run {
        comparison: None,
        outcome: Outcome::Inconclusive,
        ..Run::identical()
    };
    assert_eq!(kinds(&inconclusive), [StatementKind::Attempt]);
}

#[test]
fn statements_are_the_same_for_the_same_judgement() {
    assert_eq!(Run::different().payloads(), Run::different().payloads());
}

#[test]
fn each_statement_says_what_it_may() {
    let key = SigningKey::generate().unwrap();
    let policy = policy("accepted_erasures = ['gzip-encoding@1']", &[(&key, "")]);
    let inconclusive = Run {
        comparison: None,
        outcome: Outcome::Inconclusive,
        ..Run::identical()
    };
    let identical_but_failed = Run {
        outcome: Outcome::Failed,
        ..Run::identical()
    };
    use StatementKind::{Attempt, Comparison, Provenance, Summary};
    for (run, kind, expected) in [
        (Run::identical(), Comparison, Verdict::Passed),
        (Run::identical(), Summary, Verdict::Passed),
        (Run::identical(), Provenance, Verdict::NoJudgement),
        (Run::equivalent(), Comparison, Verdict::Passed),
        (Run::equivalent(), Summary, Verdict::Passed),
        (Run::different(), Comparison, Verdict::Failed),
        (Run::different(), Summary, Verdict::Failed),
        // Identical content under a lookalike's name passes no comparison.
        (identical_but_failed.clone(), Comparison, Verdict::Failed),
        (identical_but_failed, Summary, Verdict::Failed),
        (inconclusive, Attempt, Verdict::NoJudgement),
    ] {
        assert_eq!(
            verdict(&policy, &[run.signed(&key, kind)]),
            Ok(expected),
            "{kind:?}"
        );
    }
}

#[test]
fn trust_ends_where_the_policy_says() {
    let key = SigningKey::generate().unwrap();
    let other = SigningKey::generate().unwrap();
    let passed = || vec![Run::identical().signed(&key, StatementKind::Summary)];
    let erased = || vec![Run::equivalent().signed(&key, StatementKind::Comparison)];
    let elsewhere = || {
        let run = Run {
            target: target("npm:server@1.0.1"),
            ..Run::identical()
        };
        vec![run.signed(&key, StatementKind::Summary)]
    };
    let weak = || {
        let run = Run {
            isolation: "landlock",
            ..Run::identical()
        };
        vec![run.signed(&key, StatementKind::Summary)]
    };
    for (name, policy, bundles, reason) in [
        (
            "nobody",
            policy("", &[]),
            passed(),
            RefusalReason::SignerUnknown,
        ),
        (
            "another key",
            policy("", &[(&other, "")]),
            passed(),
            RefusalReason::SignerUnknown,
        ),
        (
            "scope",
            policy("", &[(&key, "scope = ['pkg:npm/another']")]),
            passed(),
            RefusalReason::OutOfScope,
        ),
        (
            "revoked",
            policy("", &[(&key, "revoked = true")]),
            passed(),
            RefusalReason::SignerRevoked,
        ),
        (
            "revoked yesterday, by a key that can write any time",
            policy("", &[(&key, "revoked = 2026-11-19")]),
            passed(),
            RefusalReason::SignerRevoked,
        ),
        (
            "expired",
            policy("", &[(&key, "not_after = 2026-11-19")]),
            passed(),
            RefusalReason::SignerExpired,
        ),
        (
            "another version",
            policy("", &[(&key, "")]),
            elsewhere(),
            RefusalReason::AnotherRelease,
        ),
        (
            "age that nobody proves",
            policy("max_age_days = 30", &[(&key, "")]),
            passed(),
            RefusalReason::TimeUnproven,
        ),
        (
            "erasure",
            policy("", &[(&key, "")]),
            erased(),
            RefusalReason::ErasureNotAccepted,
        ),
        (
            "erasure of another version",
            policy("accepted_erasures = ['gzip-encoding@2']", &[(&key, "")]),
            erased(),
            RefusalReason::ErasureNotAccepted,
        ),
        (
            "isolation",
            policy("minimum_isolation = 'namespaces'", &[(&key, "")]),
            weak(),
            RefusalReason::IsolationTooWeak,
        ),
        (
            "threshold",
            policy("threshold = 2", &[(&key, ""), (&other, "")]),
            passed(),
            RefusalReason::ThresholdNotMet,
        ),
        (
            "nothing",
            policy("", &[(&key, "")]),
            Vec::new(),
            RefusalReason::ThresholdNotMet,
        ),
    ] {
        assert_eq!(verdict(&policy, &bundles), Err(reason), "{name}");
    }
    let open = policy(
        "",
        &[(&key, "revoked = 2026-12-01\nnot_after = 2026-12-01")],
    );
    assert_eq!(verdict(&open, &passed()), Ok(Verdict::Passed));
}

#[test]
fn independence_is_counted_by_operator_and_a_failure_vetoes() {
    let keys: Vec<SigningKey> = (0..3).map(|_| SigningKey::generate().unwrap()).collect();
    let pass = |at: usize| Run::identical().signed(&keys[at], StatementKind::Summary);
    let fail = |at: usize| Run::different().signed(&keys[at], StatementKind::Comparison);
    let apart = policy(
        "threshold = 2",
        &[(&keys[0], ""), (&keys[1], ""), (&keys[2], "")],
    );
    assert_eq!(verdict(&apart, &[pass(0), pass(1)]), Ok(Verdict::Passed));
    assert_eq!(
        verdict(&apart, &[pass(0), pass(0)]),
        Err(RefusalReason::ThresholdNotMet)
    );
    assert_eq!(
        verdict(&apart, &[pass(0), pass(1), fail(2)]),
        Ok(Verdict::Failed)
    );
    let together = policy(
        "threshold = 2",
        &[
            (&keys[0], "operator = 'one'"),
            (&keys[1], "operator = 'one'"),
        ],
    );
    assert_eq!(
        verdict(&together, &[pass(0), pass(1)]),
        Err(RefusalReason::ThresholdNotMet)
    );
    // Whoever is not trusted cannot veto.
    assert_eq!(
        verdict(&together, &[pass(0), pass(1), fail(2)]),
        Err(RefusalReason::ThresholdNotMet)
    );
}

#[test]
fn an_operator_is_one_however_it_is_spelt_and_agreement_is_about_one_release() {
    let keys: Vec<SigningKey> = (0..2).map(|_| SigningKey::generate().unwrap()).collect();
    let signed = |at: usize, release: &str| {
        let run = Run {
            target: target(release),
            ..Run::identical()
        };
        run.signed(&keys[at], StatementKind::Summary)
    };
    let verdict_of = |operators: [&str; 2], releases: [&str; 2]| {
        let [one, two] = operators.map(|operator| format!("operator = \"{operator}\""));
        let policy = policy("threshold = 2", &[(&keys[0], &one), (&keys[1], &two)]);
        let bundles = [signed(0, releases[0]), signed(1, releases[1])];
        let digests = ArtifactDigests::of(FILE);
        decide(&policy, &bundles, &digests, None, now()).verdict
    };
    let same = ["npm:server@1.0.0", "npm:server@1.0.0"];
    assert_eq!(verdict_of(["Example", "Other"], same), Verdict::Passed);
    for spelt in ["example", " Example", "Example ", "EXAMPLE\\u0009"] {
        let verdict = verdict_of(["Example", spelt], same);
        assert!(
            matches!(verdict, Verdict::Refused(_)),
            "{spelt} {verdict:?}"
        );
    }
    for other in ["npm:server@1.0.1", "npm:servers@1.0.0", "pypi:server@1.0.0"] {
        let verdict = verdict_of(["Example", "Other"], [same[0], other]);
        assert!(
            matches!(verdict, Verdict::Refused(_)),
            "{other} {verdict:?}"
        );
    }
}

#[test]
fn a_failure_is_not_outweighed_for_what_it_leaves_out() {
    let keys: Vec<SigningKey> = (0..2).map(|_| SigningKey::generate().unwrap()).collect();
    let policy = policy("", &[(&keys[0], ""), (&keys[1], "")]);
    use StatementKind::{Comparison, Summary};
    let passed = Run::identical().signed(&keys[0], Summary);
    let verdict_beside = |kind: StatementKind, change: &dyn Fn(&mut serde_json::Value)| {
        let (_, payload) = Run::different()
            .payloads()
            .into_iter()
            .find(|(made, _)| *made == kind)
            .unwrap();
        let mut statement: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        change(&mut statement["predicate"]);
        let payload = serde_json::to_vec(&statement).unwrap();
        let failed = sign_with_key(&keys[1], &[payload], &Memory::default()).unwrap();
        verdict(&policy, &[passed.clone(), failed[0].bundle.clone()])
    };
    let failed = Ok(Verdict::Failed);
    assert_eq!(
        verdict_beside(Comparison, &|p| p["failedTests"] = serde_json::json!([])),
        failed
    );
    assert_eq!(
        verdict_beside(
            Comparison,
            &|p| p["configuration"][0]["annotations"]["finishedOn"] = "soon".into()
        ),
        failed
    );
    assert_eq!(
        verdict_beside(Summary, &|p| p["policy"]["uri"] =
            "urn:x-remint:policy:judgement:v2".into()),
        failed
    );
    assert_eq!(
        verdict_beside(Summary, &|p| p["policy"]["digest"]["sha256"] = "00".into()),
        failed
    );
    assert_eq!(
        verdict_beside(Summary, &|p| p["timeVerified"] = "soon".into()),
        failed
    );
    // Under rules that are none of ours, FAILED may mean anything.
    assert_eq!(
        verdict_beside(Summary, &|p| p["policy"]["uri"] = "urn:another".into()),
        Ok(Verdict::Passed)
    );
}

#[test]
fn a_statement_from_the_future_is_not_believed() {
    let key = SigningKey::generate().unwrap();
    let policy = policy("", &[(&key, "")]);
    let bundle = Run::identical().signed(&key, StatementKind::Summary);
    let yesterday = now() - jiff::SignedDuration::from_hours(24);
    let decision = decide(
        &policy,
        &[bundle],
        &ArtifactDigests::of(FILE),
        None,
        yesterday,
    );
    let Verdict::Refused(refusal) = decision.verdict else {
        unreachable!("{:?}", decision.verdict)
    };
    assert_eq!(refusal.reason, RefusalReason::ClockDisagrees);
}

#[test]
fn statements_of_another_type_or_that_contradict_themselves_judge_nothing() {
    let key = SigningKey::generate().unwrap();
    let policy = policy("", &[(&key, "")]);
    let verdict_of = |kind: StatementKind, change: &dyn Fn(&mut serde_json::Value)| {
        let (_, payload) = Run::equivalent()
            .payloads()
            .into_iter()
            .find(|(made, _)| *made == kind)
            .unwrap();
        let mut statement: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        change(&mut statement);
        let payload = serde_json::to_vec(&statement).unwrap();
        let signed = sign_with_key(&key, &[payload], &Memory::default()).unwrap();
        verdict(&policy, &[signed[0].bundle.clone()])
    };
    let malformed = Err(RefusalReason::StatementMalformed);
    let unexpected = Err(RefusalReason::PredicateUnexpected);
    use StatementKind::{Comparison, Summary};
    assert_eq!(
        verdict_of(Summary, &|s| s["predicateType"] =
            "https://example.org/x".into()),
        unexpected
    );
    assert_eq!(
        verdict_of(Summary, &|s| s["predicate"]["policy"]["uri"] =
            "urn:mine".into()),
        unexpected
    );
    // Hiding what was erased.
    assert_eq!(
        verdict_of(Summary, &|s| s["predicate"]["remint_erasures"] =
            serde_json::json!([])),
        malformed
    );
    assert_eq!(
        verdict_of(Comparison, &|s| s["predicate"]["warnedTests"] =
            serde_json::json!([])),
        malformed
    );
    assert_eq!(
        verdict_of(Comparison, &|s| s["predicate"]["result"] = "PASSED".into()),
        malformed
    );
    assert_eq!(
        verdict_of(Comparison, &|s| s["predicate"]["configuration"] =
            serde_json::json!([])),
        malformed
    );
    assert_eq!(
        verdict_of(Comparison, &|s| s["predicate"] = serde_json::json!({})),
        malformed
    );
    assert_eq!(
        verdict_of(Summary, &|s| s["_type"] =
            "https://example.org/Statement".into()),
        malformed
    );
}

#[test]
fn what_counts_is_told_with_who_said_it() {
    let key = SigningKey::generate().unwrap();
    let policy = policy("", &[(&key, "operator = 'Example'")]);
    let bundle = Run::different().signed(&key, StatementKind::Comparison);
    let decision = decide(&policy, &[bundle], &ArtifactDigests::of(FILE), None, now());
    let statement = &decision.counted[0];
    assert_eq!(statement.operator, "Example");
    assert_eq!(statement.release.as_deref(), Some("pkg:npm/server@1.0.0"));
    let Saying::Failed(words) = &statement.saying else {
        unreachable!("{:?}", statement.saying)
    };
    assert!(words.contains("executable:dist/index.js"), "{words}");
}
