//! Other people's tools, from the registries, which judge what is signed here.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use assert_cmd::Command;
use remint_model::Sha256;

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/judges")
}

/// A directory that is named after what is installed in it, and is there whole or not at all.
fn installed(list: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let list = sources().join(list);
    let version = Sha256::of(&fs_err::read(&list).unwrap()).to_string();
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("judges");
    let home = base.join(&version[..16]);
    if !home.is_dir() {
        fs_err::create_dir_all(&base).unwrap();
        let staging = tempfile::tempdir_in(&base).unwrap();
        install(staging.path());
        // Another run may have been faster: what it installed is as good.
        if fs_err::rename(staging.path(), &home).is_ok() {
            std::mem::forget(staging);
        }
    }
    home
}

fn python() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        installed("requirements.txt", |to| {
            succeed(
                Command::new("python3")
                    .args([
                        "-m",
                        "pip",
                        "install",
                        "--quiet",
                        "--disable-pip-version-check",
                    ])
                    .args(["--no-input", "--root-user-action=ignore", "--target"])
                    .arg(to)
                    .arg("--requirement")
                    .arg(sources().join("requirements.txt")),
            );
        })
    })
}

fn npm() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| {
        installed("package.json", |to| {
            fs_err::copy(sources().join("package.json"), to.join("package.json")).unwrap();
            succeed(
                Command::new("npm")
                    .args([
                        "install",
                        "--silent",
                        "--no-audit",
                        "--no-fund",
                        "--ignore-scripts",
                    ])
                    .current_dir(to),
            );
        })
    })
}

fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn ask_npm(key: &Path, root: &Path, bundles: &[&Path]) -> Output {
    // Modules are found from where the script lies.
    let script = npm().join("bundle.mjs");
    fs_err::copy(sources().join("bundle.mjs"), &script).unwrap();
    Command::new("node")
        .arg(script)
        .args([key, root])
        .args(bundles)
        .output()
        .unwrap()
}

fn ask_python(script: &str, arguments: &[&Path]) -> Output {
    Command::new("python3")
        .arg(sources().join(script))
        .args(arguments)
        .env("PYTHONPATH", python())
        .output()
        .unwrap()
}

/// npm's own library accepts these bundles.
pub(crate) fn npm_accepts(key: &Path, root: &Path, bundles: &[&Path]) {
    let output = ask_npm(key, root, bundles);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.matches("accepted").count(), bundles.len(), "{said}");
}

/// npm's own library refuses this bundle.
pub(crate) fn npm_refuses(key: &Path, root: &Path, bundle: &Path) {
    let output = ask_npm(key, root, &[bundle]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("VerificationError"), "{said}");
}

/// securesystemslib and in-toto-attestation accept these bundles.
pub(crate) fn python_accepts(key: &Path, bundles: &[&Path]) {
    let mut arguments = vec![key];
    arguments.extend(bundles);
    let output = ask_python("statements.py", &arguments);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.matches("accepted").count(), bundles.len(), "{said}");
}

/// securesystemslib refuses this bundle.
pub(crate) fn python_refuses(key: &Path, bundle: &Path) {
    let output = ask_python("statements.py", &[key, bundle]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("VerificationError"), "{said}");
}

/// cosign, built from the Go module proxy: minutes, the first time.
fn cosign() -> PathBuf {
    const VERSION: &str = "v3.1.3";
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("judges/cosign-{VERSION}"));
    let program = home.join("cosign");
    if !program.is_file() {
        succeed(
            Command::new("go")
                .args([
                    "install",
                    &format!("github.com/sigstore/cosign/v3/cmd/cosign@{VERSION}"),
                ])
                .env("GOBIN", &home),
        );
    }
    program
}

/// What cosign says of a bundle about a file.
pub(crate) fn ask_cosign(
    key: &Path,
    root: &Path,
    kind: &str,
    bundle: &Path,
    file: &Path,
) -> Output {
    Command::new(cosign())
        .arg("verify-blob-attestation")
        .arg("--key")
        .arg(key)
        .arg("--trusted-root")
        .arg(root)
        .arg("--bundle")
        .arg(bundle)
        .args(["--type", kind])
        .arg(file)
        .output()
        .unwrap()
}

/// What `in-toto-verify` says in a directory with the files that are to be verified.
pub(crate) fn in_toto_verifies(
    layout: &Path,
    owner: &Path,
    links: &Path,
    at_hand: &Path,
) -> Result<(), String> {
    // As its console script does: run as a module, it does nothing and succeeds.
    let main = "from in_toto.in_toto_verify import main; main()";
    let output = Command::new("python3")
        .args(["-c", main, "--layout"])
        .arg(layout)
        .arg("--verification-keys")
        .arg(owner)
        .arg("--link-dir")
        .arg(links)
        .current_dir(at_hand)
        .env("PYTHONPATH", python())
        .output()
        .unwrap();
    match output.status.code() {
        Some(0) => Ok(()),
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
