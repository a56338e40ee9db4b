//! Images: what fails one, what is only told, and that none is ever verified.

use remint_judge::{IMAGE_FINDINGS, judge_image, judge_mismatch};
use remint_model::{
    AnomalyKind, AnomalyWeight, BaseImage, FileOrigin, Image, ImageConfig, ImageFile,
    ImageMismatch, ImageSource, InconclusiveReason, LayerAnomaly, NamedBy, Outcome, Pinned,
    RemoteCode, Severity, Sha256,
};

fn honest() -> Image {
    Image {
        asked: "oci:x".to_owned(),
        manifest: Sha256::of(b"manifest"),
        manifest_size: 1,
        index: None,
        platform: "linux/amd64".to_owned(),
        other_platforms: Vec::new(),
        config: ImageConfig {
            user: Some("node".to_owned()),
            ..ImageConfig::default()
        },
        layers: Vec::new(),
        base: BaseImage::Found {
            reference: "oci:base".to_owned(),
            manifest: Sha256::of(b"base"),
            layers: 1,
            named_by: NamedBy::User,
        },
        source: ImageSource::Unnamed {
            detail: String::new(),
        },
        packages: Vec::new(),
        files: vec![file("bin/sh", FileOrigin::Base)],
        anomalies: Vec::new(),
        mismatches: Vec::new(),
    }
}

fn file(path: &str, origin: FileOrigin) -> ImageFile {
    ImageFile {
        path: path.to_owned(),
        size: 1,
        mode: 0o755,
        layer: 1,
        sha256: Some(Sha256::of(path.as_bytes())),
        link: None,
        executable: true,
        origin,
        package: None,
        detail: None,
    }
}

fn check(image: &Image, outcome: Outcome, expect: &[(&str, Severity)]) {
    let judgement = judge_image(image);
    assert_eq!(judgement.outcome, outcome);
    assert_eq!(judgement.reason, Some(InconclusiveReason::Unsupported));
    let found: Vec<_> = judgement
        .findings
        .iter()
        .map(|finding| (finding.id, finding.severity))
        .collect();
    assert_eq!(found, expect);
    for (id, _) in found {
        assert!(IMAGE_FINDINGS.contains(&id) || id == "integrity-mismatch");
    }
}

use Outcome::{Failed, Inconclusive};
use Severity::{Critical, High, Info, Low, Medium};

#[test]
fn an_honest_image_is_inconclusive() {
    check(&honest(), Inconclusive, &[]);
    let mut image = honest();
    image.files.push(file("app/a.js", FileOrigin::Package));
    image.files.push(file("app/b.js", FileOrigin::Source));
    check(&image, Inconclusive, &[]);
}

#[test]
fn digests_that_disagree_fail_it() {
    let mismatch = ImageMismatch {
        what: "layer 0".to_owned(),
        declared: "a".to_owned(),
        actual: "b".to_owned(),
    };
    let judgement = judge_mismatch(&mismatch);
    assert_eq!(judgement.outcome, Failed);
    assert_eq!(judgement.reason, Some(InconclusiveReason::Malformed));
    let mut image = honest();
    image.mismatches.push(mismatch);
    check(&image, Failed, &[("integrity-mismatch", Critical)]);
}

#[test]
fn what_reaches_out_of_the_image_fails_it() {
    for (weight, outcome, severity) in [
        (AnomalyWeight::Escapes, Failed, High),
        (AnomalyWeight::Ambiguous, Inconclusive, Medium),
        (AnomalyWeight::Odd, Inconclusive, Low),
    ] {
        let mut image = honest();
        image.anomalies.push(LayerAnomaly {
            weight,
            kind: AnomalyKind::PathTraversal,
            layer: 0,
            path: "x".to_owned(),
            detail: "d".to_owned(),
        });
        check(&image, outcome, &[("image-layer-anomaly", severity)]);
    }
}

#[test]
fn code_that_it_does_not_hold_fails_it_unless_it_is_pinned() {
    for (pinned, outcome, severity) in [
        (Pinned::Floating, Failed, High),
        (Pinned::Untold, Inconclusive, Medium),
        (Pinned::Exactly, Inconclusive, Info),
    ] {
        let mut image = honest();
        image.config.remote.push(RemoteCode {
            platform: None,
            what: "w".to_owned(),
            pinned,
        });
        check(&image, outcome, &[("image-runs-remote-code", severity)]);
    }
}

#[test]
fn code_that_nothing_accounts_for_is_told() {
    let mut image = honest();
    image.files.push(file("app/a.js", FileOrigin::Unattributed));
    check(&image, Inconclusive, &[("image-file-unattributed", Medium)]);
    // Where no base is known, the operating system is among these.
    image.base = BaseImage::Unnamed;
    check(&image, Inconclusive, &[("image-file-unattributed", Low)]);
    let mut image = honest();
    let byte_code = "a/__pycache__/b.cpython-312.pyc";
    image.files.push(file(byte_code, FileOrigin::Unattributed));
    check(&image, Inconclusive, &[("image-file-unattributed", Low)]);
    image.files.push(file("a.js", FileOrigin::PackageDiffers));
    check(
        &image,
        Inconclusive,
        &[
            ("image-file-unattributed", Medium),
            ("image-file-unattributed", Low),
        ],
    );
}

#[test]
fn what_could_not_be_found_out_is_no_better_than_what_is_nobodys() {
    for base in [honest().base, BaseImage::Unnamed] {
        for path in ["app/a.js", "a/__pycache__/b.cpython-312.pyc"] {
            let [unknown, nobody] = [FileOrigin::Unknown, FileOrigin::Unattributed].map(|origin| {
                let mut image = honest();
                image.base = base.clone();
                image.files.push(file(path, origin));
                judge_image(&image)
            });
            assert_eq!(unknown.outcome, nobody.outcome);
            let [found] = &*unknown.findings else {
                panic!("{path}: {:?}", unknown.findings);
            };
            assert_eq!(found.severity, nobody.findings[0].severity);
            assert!(found.message.contains("could not be found out"));
        }
    }
    // What is no code is only counted.
    let mut image = honest();
    let mut data = file("app/a.json", FileOrigin::Unknown);
    data.executable = false;
    image.files.push(data);
    check(&image, Inconclusive, &[]);
}

#[test]
fn byte_code_that_stands_for_a_module_is_code() {
    let mut image = honest();
    image.files.push(file("a/b.pyc", FileOrigin::Unattributed));
    check(&image, Inconclusive, &[("image-file-unattributed", Medium)]);
}

#[test]
fn how_it_runs_is_told() {
    let mut image = honest();
    image.config.user = None;
    image.config.secrets.push("API_TOKEN".to_owned());
    let mut set = file("app/su", FileOrigin::Source);
    set.mode = 0o4755;
    image.files.push(set);
    check(
        &image,
        Inconclusive,
        &[
            ("image-secret-in-environment", Medium),
            ("image-setuid-file", Medium),
            ("image-runs-as-root", Info),
        ],
    );
    for (user, root) in [
        ("0", true),
        ("root:x", true),
        ("1000", false),
        ("00:1", true),
    ] {
        image.config.user = Some(user.to_owned());
        assert_eq!(image.config.runs_as_root(), root, "{user}");
    }
}

#[test]
fn a_base_that_is_another_is_told() {
    let mut image = honest();
    image.base = BaseImage::Other {
        reference: "oci:base".to_owned(),
        detail: "none".to_owned(),
        named_by: NamedBy::Label,
    };
    check(&image, Inconclusive, &[("image-base-mismatch", Medium)]);
}
