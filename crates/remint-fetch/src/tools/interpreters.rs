//! The Python interpreters of this machine: on `PATH`, from pyenv, from uv. The user's own, so they may be run
//! to tell their version; nothing of the working directory takes part.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use remint_ecosystem::Interpreter;

use crate::configuration::UserConfiguration;

/// What an interpreter is asked: CPython's three numbers, and nothing of a pre-release.
const QUESTION: &str = "import sys\nv = sys.version_info\n\
     if sys.implementation.name == 'cpython' and v[3] == 'final': print('%d.%d.%d' % v[:3])";
/// No machine has more that matter.
const MOST: usize = 64;

/// The executable that a user would get first; none is started, so its version is not known.
#[must_use]
pub fn first_interpreter(user: &UserConfiguration) -> Option<PathBuf> {
    candidates(user).find_map(|path| fs_err::canonicalize(path).ok())
}

/// Finds them, newest first.
pub(crate) fn find(user: &UserConfiguration) -> Vec<Interpreter> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in candidates(user) {
        // A virtual environment's link leads to the interpreter that made it.
        if let Ok(path) = fs_err::canonicalize(path)
            && !paths.contains(&path)
            && paths.len() < MOST
        {
            paths.push(path);
        }
    }
    let asked: Vec<(PathBuf, Option<String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = paths
            .into_iter()
            .map(|path| {
                scope.spawn(move || {
                    let version = ask(&path);
                    (path, version)
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    // Of several with one version the first found stays: the order above is the user's own preference.
    let mut found: BTreeMap<Vec<u32>, Interpreter> = BTreeMap::new();
    for (path, version) in asked {
        let Some(version) = version else { continue };
        let numbers: Vec<u32> = version.split('.').filter_map(|n| n.parse().ok()).collect();
        found
            .entry(numbers)
            .or_insert(Interpreter { version, path });
    }
    found.into_values().rev().collect()
}

/// In the order of the user's preference, directory by directory.
fn candidates(user: &UserConfiguration) -> impl Iterator<Item = PathBuf> {
    let path = std::env::split_paths(user.variable("PATH").unwrap_or_default())
        // A relative entry would make the working directory's programs ours.
        .filter(|directory| directory.is_absolute());
    let home = |below: &str| user.home.as_ref().map(|home| home.join(below));
    let pyenv = user.variable("PYENV_ROOT").map(PathBuf::from);
    let uv = user.variable("UV_PYTHON_INSTALL_DIR").map(PathBuf::from);
    let installed = [
        pyenv
            .or_else(|| home(".pyenv"))
            .map(|root| root.join("versions")),
        uv.or_else(|| home(".local/share/uv/python")),
    ];
    let versions = installed.into_iter().flatten().flat_map(|directory| {
        let mut versions: Vec<PathBuf> = fs_err::read_dir(&directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .collect();
        versions.sort();
        versions
    });
    path.chain(versions)
        .chain([PathBuf::from("/usr/bin")])
        .flat_map(|directory| programs(&directory))
}

/// `python3` and `python3.12`, but not `python3-config` or `python3.12-gdb`.
fn programs(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .and_then(|name| name.strip_prefix("python3"))
                .is_some_and(|rest| {
                    rest.is_empty()
                        || rest
                            .strip_prefix('.')
                            .is_some_and(|minor| minor.bytes().all(|b| b.is_ascii_digit()))
                })
        })
        .map(|entry| entry.path())
        .filter(|path| is_program(path))
        .collect();
    found.sort();
    found
}

/// A shim is a script that looks for settings in the working directory; only real executables are run.
fn is_program(path: &Path) -> bool {
    let mut start = [0; 2];
    fs_err::File::open(path)
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok_and(|()| start != *b"#!")
}

fn ask(path: &Path) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the user's own interpreter, isolated, with an empty environment"
    )]
    let output = Command::new(path)
        .args(["-I", "-S", "-c", QUESTION])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    let plain = version.split('.').count() == 3
        && version.len() < 20
        && version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then_some(version)
}
