//! Reports in, SARIF out.

use remint_judge::{Evidence, IntegrityCheck, Manifests};
use remint_model::{
    Axis, Basis, Class, Content, Ecosystem, Finding, InconclusiveReason, Judgement, PackageName,
    Severity, Target,
};

use super::*;
use crate::resolve::Unresolved;

fn report(targets: Vec<TargetReport>, exit: Exit) -> Value {
    let text = render(&RunReport {
        started: "2026-11-22T10:00:00Z".parse().unwrap(),
        targets,
        unjudged: Vec::new(),
        exit,
    });
    serde_json::from_str(&text).unwrap()
}

fn results(log: &Value) -> Vec<(&str, &str)> {
    log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            (
                result["ruleId"].as_str().unwrap(),
                result["level"].as_str().unwrap(),
            )
        })
        .collect()
}

fn unresolved(reason: InconclusiveReason) -> TargetReport {
    TargetReport::unresolved(
        "npm:@scope/server".to_owned(),
        Unresolved {
            target: None,
            reason,
            detail: "the registry did not answer".to_owned(),
            integrity: None,
        },
        false,
    )
}

fn judged(outcome: Outcome, findings: Vec<Finding>, differences: Vec<Difference>) -> TargetReport {
    let target = Target {
        ecosystem: Ecosystem::Npm,
        name: PackageName::parse(Ecosystem::Npm, "@scope/server").unwrap(),
        version: "1.0.0".parse().unwrap(),
        file: None,
    };
    let comparison = if differences.is_empty() {
        Comparison::Identical
    } else {
        Comparison::Different {
            erased: Vec::new(),
            differences,
        }
    };
    let mut report = unresolved(InconclusiveReason::NotBuilt);
    report.label = target.short();
    report.target = Some(target.clone());
    report.published = Some(remint_model::Artifact::new(
        "server-1.0.0.tgz".parse().unwrap(),
        remint_model::ArtifactFormat::NpmTarball,
        std::path::PathBuf::new(),
        9,
        remint_model::Sha256::of(b"published"),
        remint_model::Sha512::of(b"published"),
    ));
    report.origin = Some("registry");
    report.judgement = Judgement {
        outcome,
        content: Content::Identical,
        basis: Some(Basis::Rebuild),
        reason: None,
        detail: None,
        findings,
    };
    report.evidence = Some(Evidence {
        target,
        integrity: IntegrityCheck::NotDeclared,
        identity: None,
        source: None,
        provenance: remint_model::Provenance::default(),
        repository_claims_disagree: None,
        registry_disagreements: Vec::new(),
        published_anomalies: Vec::new(),
        rebuilt_anomalies: Vec::new(),
        manifests: Manifests::default(),
        build: None,
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
            comparison,
        },
    });
    report
}

fn finding(id: &'static str, severity: Severity, message: &str) -> Finding {
    Finding {
        id,
        axis: Axis::Dependencies,
        severity,
        message: message.to_owned(),
        evidence: json!({ "count": 1 }),
    }
}

fn difference(path: &str, class: Class, change: Change, hunk: &str) -> Difference {
    Difference {
        path: path.parse().unwrap(),
        change,
        class,
        hunks: if hunk.is_empty() {
            Vec::new()
        } else {
            vec![hunk.to_owned()]
        },
        lines: (1, 0),
        explanation: None,
    }
}

#[test]
fn a_verified_target_has_no_result_and_stands_among_the_artifacts() {
    let log = report(
        vec![judged(Outcome::Verified, Vec::new(), Vec::new())],
        Exit::Verified,
    );
    assert_eq!(results(&log), []);
    let run = &log["runs"][0];
    assert_eq!(run["artifacts"][0]["location"]["uri"], "server-1.0.0.tgz");
    assert_eq!(
        run["artifacts"][0]["properties"]["target"],
        "pkg:npm/%40scope/server@1.0.0"
    );
    assert_eq!(run["artifacts"][0]["properties"]["outcome"], "verified");
    assert_eq!(run["invocations"][0]["exitCode"], 0);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(
        run["automationDetails"]["id"],
        "remint/verify-build/2026-11-22T10:00:00Z"
    );
}

#[test]
fn a_verified_target_has_nothing_above_a_note() {
    let medium = finding(
        "unexpected-network-access",
        Severity::Medium,
        "it called home",
    );
    let log = report(
        vec![judged(Outcome::Verified, vec![medium.clone()], Vec::new())],
        Exit::Verified,
    );
    assert_eq!(results(&log), [("unexpected-network-access", "note")]);
    let log = report(
        vec![judged(Outcome::Inconclusive, vec![medium], Vec::new())],
        Exit::Inconclusive,
    );
    assert_eq!(
        results(&log),
        [
            ("outcome/inconclusive", "warning"),
            ("unexpected-network-access", "warning")
        ]
    );
}

#[test]
fn findings_and_differences_of_a_failed_target_are_results_with_their_places() {
    let log = report(
        vec![judged(
            Outcome::Failed,
            vec![finding(
                "undeclared-dependency",
                Severity::High,
                "`plain-crypto-js` (4.2.1) is not in the source's manifest",
            )],
            vec![
                difference(
                    "dist/a b#1%.js",
                    Class::Executable,
                    Change::Changed,
                    "@@ -5,6 +5,7 @@\n one\n two\n+bcc\n three",
                ),
                difference("README.md", Class::Documentation, Change::Removed, ""),
            ],
        )],
        Exit::Failed,
    );
    assert_eq!(
        results(&log),
        [
            ("undeclared-dependency", "error"),
            ("difference/executable", "error"),
            ("difference/documentation", "warning"),
        ]
    );
    let run = &log["runs"][0];
    let at = |result: usize| &run["results"][result]["locations"][0];
    assert_eq!(
        at(0)["physicalLocation"]["artifactLocation"],
        json!({ "uri": "server-1.0.0.tgz", "index": 0 })
    );
    assert_eq!(
        at(1)["physicalLocation"],
        json!({
            "artifactLocation": { "uri": "server-1.0.0.tgz/dist/a%20b%231%25.js" },
            "region": { "startLine": 7 },
        })
    );
    assert_eq!(at(2)["physicalLocation"].get("region"), None);
    assert_eq!(
        at(1)["logicalLocations"][0]["fullyQualifiedName"],
        "pkg:npm/%40scope/server@1.0.0"
    );
    assert_eq!(
        run["results"][1]["message"]["text"],
        "npm:@scope/server@1.0.0: `dist/a b#1%.js` 1 line added"
    );
    for result in run["results"].as_array().unwrap() {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(
            run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"],
            "{result}"
        );
    }
    assert_eq!(run["invocations"][0]["exitCode"], 1);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn a_target_that_is_not_verified_never_goes_without_a_result() {
    for differences in [
        Vec::new(),
        vec![difference(
            "README.md",
            Class::Documentation,
            Change::Added,
            "",
        )],
    ] {
        let log = report(
            vec![judged(Outcome::Failed, Vec::new(), differences)],
            Exit::Failed,
        );
        assert_eq!(results(&log)[0], ("outcome/failed", "error"));
    }
    for (reason, rule) in [
        (
            InconclusiveReason::NotFound,
            "outcome/inconclusive/not-found",
        ),
        (
            InconclusiveReason::Unavailable,
            "outcome/inconclusive/unavailable",
        ),
        (
            InconclusiveReason::Unsupported,
            "outcome/inconclusive/unsupported",
        ),
    ] {
        let log = report(vec![unresolved(reason)], Exit::Inconclusive);
        assert_eq!(results(&log), [(rule, "warning")]);
        let result = &log["runs"][0]["results"][0];
        assert_eq!(
            result["message"]["text"],
            "npm:@scope/server: the registry did not answer"
        );
        assert_eq!(
            result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            "npm%3A%40scope%2Fserver"
        );
    }
}

#[test]
fn what_this_machine_could_not_judge_is_a_failed_execution() {
    let text = render(&RunReport {
        started: "2026-11-22T10:00:00Z".parse().unwrap(),
        targets: vec![judged(Outcome::Verified, Vec::new(), Vec::new())],
        unjudged: vec!["cannot judge npm:x@1.0.0: no room".to_owned()],
        exit: Exit::Machine,
    });
    let log: Value = serde_json::from_str(&text).unwrap();
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["exitCode"], 4);
    assert_eq!(
        invocation["toolExecutionNotifications"],
        json!([{
            "level": "error",
            "message": { "text": "cannot judge npm:x@1.0.0: no room" },
        }])
    );
}

#[test]
fn very_many_differences_are_counted_where_they_are_not_listed() {
    let many = (0..MOST_DIFFERENCES + 7)
        .map(|at| difference(&format!("{at}.js"), Class::Executable, Change::Added, ""))
        .collect();
    let log = report(
        vec![judged(Outcome::Failed, Vec::new(), many)],
        Exit::Failed,
    );
    assert_eq!(results(&log).len(), MOST_DIFFERENCES);
    let notifications = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(
        notifications[0]["message"]["text"]
            .as_str()
            .unwrap()
            .contains("7 more differences"),
        "{notifications}"
    );
}

#[test]
fn one_result_keeps_its_fingerprint_and_others_have_others() {
    let prints = |version: &str| -> Vec<String> {
        let findings = ["one", "two"]
            .map(|words| finding("undeclared-dependency", Severity::High, words))
            .to_vec();
        let mut target = judged(Outcome::Failed, findings, Vec::new());
        if let Some(target) = &mut target.target {
            target.version = version.parse().unwrap();
        }
        report(vec![target], Exit::Failed)["runs"][0]["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|result| result["partialFingerprints"]["remint/v1"].to_string())
            .collect()
    };
    let first = prints("1.0.0");
    assert_eq!(first, prints("1.0.0"));
    assert_ne!(first[0], first[1]);
    assert_ne!(first, prints("2.0.0"));
}

#[test]
fn text_from_strangers_is_no_link_and_no_placeholder() {
    let text = |words: &str| message(words).text;
    assert_eq!(text("`a[b]` and {c}"), "`a[b]` and {c}");
    assert_eq!(
        text("[click](https://evil.invalid)"),
        "\\[click\\](https://evil.invalid)"
    );
    assert_eq!(text("\\[click](x)"), "\\\\\\[click\\](x)");
    assert_eq!(text("{0} {x}"), "{{0}} {{x}}");
}

#[test]
fn only_text_that_was_added_has_a_line() {
    let line = |change, hunk| changed_line(&difference("a.js", Class::Executable, change, hunk));
    assert_eq!(line(Change::Changed, "@@ -5,6 +5,7 @@\n a\n+b"), Some(6));
    assert_eq!(line(Change::Changed, "@@ -1 +1 @@\n-a\n+b"), Some(1));
    assert_eq!(line(Change::Changed, "@@ -1 +0,0 @@\n-a"), Some(1));
    assert_eq!(line(Change::Added, ""), None);
    assert_eq!(line(Change::Removed, "@@ -1 +0,0 @@\n-a"), None);
    for strange in [
        "",
        "@@",
        "@@ -1 +x @@",
        "@@ -1 +99999999999999999999 @@",
        "+",
    ] {
        assert_eq!(line(Change::Changed, strange), None, "{strange}");
    }
}
