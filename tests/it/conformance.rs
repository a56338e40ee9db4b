//! `remint conformance verify-bundle` speaks the protocol of the Sigstore conformance suite.

use std::path::{Path, PathBuf};

use remint_model::Sha256;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sigstore")
}

#[test]
fn every_case_ends_as_its_name_says() {
    let default = |name: &str| match name {
        "identity" => {
            "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
        }
        _ => "https://token.actions.githubusercontent.com",
    };
    let mut wrong = Vec::new();
    let mut judged = 0;
    for entry in fs_err::read_dir(vectors()).unwrap() {
        let case = entry.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let said = |file: &str| {
            fs_err::read_to_string(case.join(file))
                .map_or_else(|_| default(file).to_owned(), |text| text.trim().to_owned())
        };
        let own = case.join("artifact");
        let artifact = if own.exists() {
            own
        } else {
            vectors().join("a.txt")
        };
        let digest = Sha256::of(&fs_err::read(&artifact).unwrap());
        for input in [artifact.display().to_string(), format!("sha256:{digest}")] {
            let mut command = assert_cmd::Command::cargo_bin("remint").unwrap();
            command.args(["conformance", "verify-bundle", "--bundle"]);
            command.arg(case.join("bundle.sigstore.json"));
            if case.join("key.pub").exists() {
                command.arg("--key").arg(case.join("key.pub"));
            } else {
                command.args(["--certificate-identity", &said("identity")]);
                command.args(["--certificate-oidc-issuer", &said("issuer")]);
            }
            if case.join("trusted_root.json").exists() {
                command
                    .arg("--trusted-root")
                    .arg(case.join("trusted_root.json"));
            }
            let code = command.arg(&input).output().unwrap().status.code();
            let expected = if name.ends_with("_fail") { 1 } else { 0 };
            judged += 1;
            if code != Some(expected) {
                wrong.push((name.clone(), input, code));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(judged, 140);
}
