//! The Rust toolchains of this machine: rustup's, and the system's own. The user's own, so they may be run to tell
//! their version; nothing of the working directory takes part, which is why rustup's shims are not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use remint_ecosystem::RustToolchain;

use crate::configuration::UserConfiguration;

/// No machine has more that matter.
const MOST: usize = 64;

/// Finds them, newest first; of several with one version the first.
pub(crate) fn find(user: &UserConfiguration) -> Vec<RustToolchain> {
    let mut prefixes: Vec<PathBuf> = Vec::new();
    for prefix in candidates(user) {
        if let Ok(prefix) = fs_err::canonicalize(prefix)
            && !prefixes.contains(&prefix)
            && prefixes.len() < MOST
            && is_toolchain(&prefix)
        {
            prefixes.push(prefix);
        }
    }
    let mut found: Vec<RustToolchain> = std::thread::scope(|scope| {
        let threads: Vec<_> = prefixes
            .into_iter()
            .map(|prefix| {
                scope.spawn(move || {
                    let version = ask(&prefix.join("bin/cargo"))?;
                    Some(RustToolchain { version, prefix })
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok().flatten())
            .collect()
    });
    let order = |toolchain: &RustToolchain| nodejs_semver::Version::parse(&toolchain.version).ok();
    found.sort_by_key(|toolchain| std::cmp::Reverse(order(toolchain)));
    found.dedup_by(|one, other| one.version == other.version);
    found
}

fn candidates(user: &UserConfiguration) -> Vec<PathBuf> {
    let rustup = user
        .variable("RUSTUP_HOME")
        .map(|place| user.path(place))
        .or_else(|| user.home.as_ref().map(|home| home.join(".rustup")));
    let mut found: Vec<PathBuf> = rustup
        .and_then(|rustup| fs_err::read_dir(rustup.join("toolchains")).ok())
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.extend([PathBuf::from("/usr/local"), PathBuf::from("/usr")]);
    found
}

/// Whether cargo and the compiler lie there themselves: a shim of rustup's looks for settings in the working
/// directory.
fn is_toolchain(prefix: &Path) -> bool {
    ["bin/cargo", "bin/rustc"].iter().all(|program| {
        fs_err::canonicalize(prefix.join(program)).is_ok_and(|path| {
            path.is_file() && path.file_name().is_some_and(|name| name != "rustup")
        })
    })
}

fn ask(path: &Path) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the user's own toolchain, with an empty environment"
    )]
    let output = Command::new(path)
        .arg("--version")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    version(&String::from_utf8(output.stdout).ok()?)
}

/// `cargo 1.95.0 (f2d3ce0bd 2026-03-21)`.
fn version(text: &str) -> Option<String> {
    let version = text.strip_prefix("cargo ")?.split_whitespace().next()?;
    let plain = version.len() < 40
        && version
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    (plain && nodejs_semver::Version::parse(version).is_ok()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_is_taken_from_what_cargo_says() {
        for (text, expect) in [
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n", Some("1.95.0")),
            (
                "cargo 1.97.0-nightly (4d1f98451 2026-05-15)\n",
                Some("1.97.0-nightly"),
            ),
            ("cargo 1.70.0\n", Some("1.70.0")),
            ("error: no toolchain\n", None),
            ("cargo ../x\n", None),
            ("", None),
        ] {
            assert_eq!(version(text).as_deref(), expect, "{text}");
        }
    }
}
