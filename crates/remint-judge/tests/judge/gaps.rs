//! What parts of the source that could not be had, and stand-ins for interpreters, leave open.

use remint_judge::{Evidence, ResultEvidence, judge};
use remint_model::{
    Assumption, AssumptionKind, Basis, Change, Class, Comparison, Content, Difference, GapKind,
    InconclusiveReason, Outcome, SourceGap,
};

use crate::{dependency, published, sound};

/// Differences at these paths, built from a source that lacks a part.
pub(crate) fn with_gap(kind: GapKind, gap: &str, differences: &[(&str, Change)]) -> Evidence {
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
fn a_substitute_dependency_proves_by_a_match_alone() {
    let mut evidence = with_gap(GapKind::LargeFile, "x", &[("server.js", Change::Changed)]);
    let build = evidence.build.as_mut().unwrap();
    build.gaps.clear();
    assert_eq!(judge(&evidence).outcome, Outcome::Failed);
    let build = evidence.build.as_mut().unwrap();
    build.assumptions = vec![Assumption {
        kind: AssumptionKind::SubstituteDependency,
        value: "another version than left-pad 1.3.0".to_owned(),
        from: "the registry no longer has the one that is locked".to_owned(),
    }];
    let judgement = judge(&evidence);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.reason, Some(InconclusiveReason::NotBuilt));
    assert!(judgement.detail.unwrap().contains("left-pad 1.3.0"));
    evidence.result = ResultEvidence::Compared {
        basis: Basis::Rebuild,
        comparison: Comparison::Identical,
    };
    assert_eq!(judge(&evidence).outcome, Outcome::Verified);
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
