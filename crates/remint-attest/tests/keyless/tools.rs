//! Other people's tools from the registries, of pinned versions, kept below `target/tmp` from one run to the next.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use fs_err as fs;

/// What npm's side needs, all of one time.
const NPM: &[&str] = &[
    "@sigstore/mock@0.12.1",
    "@sigstore/bundle@5.0.1",
    "@sigstore/protobuf-specs@0.5.2",
    "@sigstore/verify@4.1.3",
];

const PYPI: &str = "sigstore==4.5.1";

/// Two tests must not install into one place at once.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The directory whose `node_modules` has the packages.
fn npm() -> PathBuf {
    installed("npm-sigstore-mock-0.12.1-verify-4.1.3", |directory| {
        fs::write(directory.join("package.json"), "{\"private\":true}").unwrap();
        let mut npm = command("npm");
        npm.current_dir(directory)
            .args(["install", "--ignore-scripts", "--no-audit", "--no-fund"])
            .args(NPM);
        succeed(&mut npm);
    })
}

/// Runs a script beside these packages.
///
/// Nothing runs beside its main thread: V8 of node 20 compiles on other threads, and they and the main thread may wait
/// for each other for ever, seldom but for good (nodejs/node, issue 54918 and its kin).
pub(crate) fn node() -> Command {
    let mut node = command("node");
    node.args(["--no-warnings", "--single-threaded"])
        .env("NODE_PATH", npm().join("node_modules"));
    node
}

/// The interpreter that has the package.
pub(crate) fn python() -> PathBuf {
    let directory = installed("pypi-sigstore-4.5.1", |directory| {
        let mut venv = command("python3");
        venv.args(["-m", "venv"]).arg(directory);
        succeed(&mut venv);
        let mut pip = command(directory.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PYPI,
        ]);
        succeed(&mut pip);
    });
    directory.join("bin/python")
}

fn installed(name: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let complete = directory.join("complete");
    if !complete.exists() {
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir_all(&directory).unwrap();
        install(&directory);
        fs::write(complete, "").unwrap();
    }
    directory
}

#[expect(
    clippy::disallowed_methods,
    reason = "these tests are about what programs of other people say"
)]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// What a program says that must end well.
pub(crate) fn succeed(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().unwrap_or_else(|error| {
        panic!("`{program}` cannot be started, and these tests need node, npm and python3: {error}")
    });
    assert!(
        output.status.success(),
        "`{program}`: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
