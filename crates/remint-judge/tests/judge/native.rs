//! Machine code: what keeps it from being verified, and what excuses a difference in it.

use remint_judge::{Evidence, Programs, ResultEvidence, judge};
use remint_model::{
    Assumption, AssumptionKind, Basis, Change, Class, Comparison, Content, Dependency,
    DependencyKind, GapKind, GoBuildInfo, InconclusiveReason, NativeFile, NativeFormat, Outcome,
    ProgramSignature, Severity,
};

use crate::gaps::with_gap;
use crate::{dependency, published, sound};

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

#[test]
fn what_a_program_took_as_it_was_committed_keeps_it_from_being_verified() {
    let mut evidence = sound();
    assert_eq!(judge(&evidence).outcome, Outcome::Verified);
    let build = evidence.build.as_mut().unwrap();
    build.linked_as_is = vec!["cmd/x/evil_amd64.syso".to_owned()];
    let judgement = judge(&evidence);
    assert_eq!(judgement.outcome, Outcome::Inconclusive);
    assert_eq!(judgement.content, Content::Identical);
    assert_eq!(judgement.reason, Some(InconclusiveReason::Unsupported));
    assert!(
        judgement
            .detail
            .unwrap()
            .contains("`cmd/x/evil_amd64.syso`")
    );
    assert_eq!(judgement.findings[0].id, "opaque-native-code");
}

#[test]
fn a_program_that_was_only_linked_otherwise_is_neither_verified_nor_accused() {
    let said = |id: &str| GoBuildInfo {
        build_id: Some(id.to_owned()),
        ..GoBuildInfo::default()
    };
    let differing = |published: &str, change, path: &str| {
        let mut evidence = with_code(None, &[(path, change, Class::Native)]);
        evidence.build.as_mut().unwrap().assumptions = vec![Assumption {
            kind: AssumptionKind::LinkerFlags,
            value: "-s -w".to_owned(),
            from: "nothing in the source states any".to_owned(),
        }];
        let made = "x.node".parse().unwrap();
        evidence.rebuilt_native.insert(made, NativeFormat::Elf);
        evidence.programs = Some(Programs {
            published: said(published),
            rebuilt: Some(said("link/main/compiled/program")),
            only_signed: None,
        });
        evidence
    };
    let outcome = |evidence: &Evidence| {
        let judgement = judge(evidence);
        (judgement.outcome, judgement.content, judgement.reason)
    };
    let open = (
        Outcome::Inconclusive,
        Content::Inconclusive,
        Some(InconclusiveReason::Unsupported),
    );
    let failed = (Outcome::Failed, Content::Different, None);
    let flags = "flags/main/compiled/other";
    assert_eq!(outcome(&differing(flags, Change::Changed, "x.node")), open);
    for id in [
        // A patched program has the id of the honest one.
        "link/main/compiled/program",
        "link/main/compiled/other",
        "flags/else/compiled/other",
        "flags/main/else/other",
    ] {
        let evidence = differing(id, Change::Changed, "x.node");
        assert_eq!(outcome(&evidence), failed, "{id}");
    }
    assert_eq!(outcome(&differing(flags, Change::Added, "x.node")), failed);
    assert_eq!(outcome(&differing(flags, Change::Changed, "other")), failed);
    let mut known = differing(flags, Change::Changed, "x.node");
    known.build.as_mut().unwrap().assumptions.clear();
    assert_eq!(outcome(&known), failed);
    let mut otherwise = differing(flags, Change::Changed, "x.node");
    otherwise.rebuilt_native.clear();
    assert_eq!(outcome(&otherwise), failed);
    let mut unsaid = differing(flags, Change::Changed, "x.node");
    unsaid.programs.as_mut().unwrap().rebuilt = None;
    assert_eq!(outcome(&unsaid), failed);
    for (kind, words) in [
        (ProgramSignature::Authenticode, "(Authenticode)"),
        (ProgramSignature::CodeSignature, "(`LC_CODE_SIGNATURE`)"),
    ] {
        let signed = |path| {
            let mut signed = differing("link/main/compiled/program", Change::Changed, path);
            signed.programs.as_mut().unwrap().only_signed = Some(kind);
            signed
        };
        assert_eq!(outcome(&signed("other")), failed);
        assert_eq!(outcome(&signed("x.node")), open);
        let detail = judge(&signed("x.node")).detail.unwrap();
        assert!(detail.contains(words), "{detail}");
    }
}
