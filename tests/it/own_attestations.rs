//! What remint itself has attested (`attestations/`): every file of it is verified, and says what its report says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use remint_attest::layout::Index;
use remint_attest::log::{LogDirectory, verify_log};
use remint_attest::trust::{Policy, Saying, Signer, Verdict, decide};
use remint_attest::{ArtifactDigests, Bundle, Instance, StatementKind, TrustRoot};
use remint_model::Sha256;
use serde_json::Value;

use crate::attest::{files, follows_its_schema};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../attestations")
}

fn policy() -> Policy {
    let text = fs_err::read_to_string(root().join("trust.toml")).unwrap();
    Policy::parse(&text, &|| TrustRoot::embedded(Instance::PublicGood)).unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

#[test]
fn every_bundle_is_authentic_listed_and_says_what_its_report_says() {
    let policy = policy();
    // Later than anything that may be here.
    let now = "2100-01-01T00:00:00Z".parse().unwrap();
    let mut seen = BTreeSet::new();
    let mut verdicts = BTreeSet::new();
    let indexes: Vec<PathBuf> = files(&root())
        .into_iter()
        .filter(|path| path.ends_with("index.json"))
        .collect();
    assert!(!indexes.is_empty());
    for index in indexes {
        let folder = index.parent().unwrap();
        for entry in Index::parse(&fs_err::read(&index).unwrap())
            .unwrap()
            .attestations
        {
            let path = folder.join(&entry.path);
            let text = fs_err::read(&path).unwrap();
            assert_eq!(Sha256::of(&text), entry.sha256, "{}", path.display());
            follows_its_schema(&entry.kind, &path);
            let name = path.file_name().unwrap().to_str().unwrap();
            let (run, _) = name.split_once('.').unwrap();
            let report = json(&path.with_file_name(format!("{run}.report.json")));
            let target = &report["targets"][0];
            assert_eq!(target["published"]["sha256"], entry.artifact.to_string());
            let digest = match entry.kind.as_str() {
                "provenance" => target["rebuilt"]["sha256"]
                    .as_str()
                    .unwrap()
                    .parse()
                    .unwrap(),
                _ => entry.artifact,
            };
            let bundle = Bundle::parse(&text).unwrap();
            let decision = decide(
                &policy,
                &[bundle],
                &ArtifactDigests::from(digest),
                None,
                now,
            );
            let [statement] = decision.counted.as_slice() else {
                panic!("{}: {:?}", path.display(), decision.refused);
            };
            assert_eq!(statement.kind.name(), entry.kind);
            assert_eq!(
                statement.release.as_deref(),
                target["target"].as_str(),
                "{}",
                path.display()
            );
            let said = match (&statement.saying, statement.kind) {
                (Saying::Passed { .. }, _) => "verified",
                (Saying::Failed(_), _) => "failed",
                (Saying::Nothing(_), StatementKind::Attempt) => "inconclusive",
                (Saying::Nothing(_), _) => target["outcome"].as_str().unwrap(),
            };
            assert_eq!(target["outcome"], said, "{}", path.display());
            if statement.kind != StatementKind::Provenance {
                verdicts.insert(said.to_owned());
            }
            seen.insert(path);
        }
    }
    // Nothing lies there that no index tells of.
    for path in files(&root()) {
        if path.to_str().unwrap().ends_with(".sigstore.json") {
            assert!(seen.contains(&path), "{} is not listed", path.display());
        }
    }
    // Good, bad, and what could not be found out.
    assert_eq!(verdicts.len(), 3, "{verdicts:?}");
}

#[test]
fn every_log_holds_what_its_checkpoint_says() {
    for rebuilder in policy().rebuilders {
        let Signer::Key(_, log) = &rebuilder.signer else {
            continue;
        };
        let directory = root().join("log").join(rebuilder.signer.id().as_str());
        let entries = verify_log(&LogDirectory::at(directory), log).unwrap();
        assert!(entries > 0);
    }
}

#[test]
fn a_changed_bundle_is_not_believed() {
    let policy = policy();
    let path = files(&root())
        .into_iter()
        .find(|path| path.to_str().unwrap().ends_with(".summary.sigstore.json"))
        .unwrap();
    let text = fs_err::read_to_string(path).unwrap();
    let changed = text.replacen("\"treeSize\":\"", "\"treeSize\":\"1", 1);
    let bundle = Bundle::parse(changed.as_bytes()).unwrap();
    let digests = ArtifactDigests::from(Sha256::of(b"whatever"));
    let now = "2100-01-01T00:00:00Z".parse().unwrap();
    let decision = decide(&policy, &[bundle], &digests, None, now);
    assert!(matches!(decision.verdict, Verdict::Refused(_)));
}
