//! Which files of a package run when it is installed, going by the hooks of an npm manifest or the build script that
//! cargo's names.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::EntryPath;
use serde::Deserialize;

/// The hooks that npm runs for a dependency.
const HOOKS: &[&str] = &["preinstall", "install", "postinstall"];
/// More words than this are no command that a person wrote.
const MOST_WORDS: usize = 256;

/// Larger manifests name none: parsed values take many times the room of their text.
const LARGEST: usize = 256 << 10;

/// Paths that the install hooks of a manifest name.
#[derive(Debug, Default)]
pub(crate) struct InstallScripts(BTreeSet<String>);

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    scripts: BTreeMap<String, serde_json::Value>,
}

impl InstallScripts {
    /// Reads a `package.json`; one that cannot be parsed names none.
    pub(crate) fn of(manifest: &[u8]) -> Self {
        let Ok(Manifest { scripts }) = serde_json::from_slice(manifest) else {
            return Self::default();
        };
        let words = HOOKS
            .iter()
            .filter_map(|hook| scripts.get(*hook)?.as_str())
            .flat_map(|command| {
                command.split(|c: char| c.is_whitespace() || "'\"`;&|()=".contains(c))
            })
            .take(MOST_WORDS)
            .filter_map(|word| word.parse::<EntryPath>().ok())
            .map(String::from)
            .collect();
        Self(words)
    }

    /// Reads a crate's `Cargo.toml`. `build.rs` runs without being named, and is known by its place.
    pub(crate) fn of_crate(manifest: &[u8]) -> Self {
        let manifest: Option<toml::Table> = (manifest.len() <= LARGEST)
            .then(|| std::str::from_utf8(manifest).ok())
            .flatten()
            .and_then(|text| text.parse().ok());
        let build = manifest
            .as_ref()
            .and_then(|manifest| manifest.get("package")?.get("build"));
        let scripts = match build {
            Some(toml::Value::Array(scripts)) => scripts.as_slice(),
            Some(script) => std::slice::from_ref(script),
            None => &[],
        };
        let paths = scripts
            .iter()
            .filter_map(toml::Value::as_str)
            .filter_map(|script| script.parse::<EntryPath>().ok())
            .map(String::from)
            .collect();
        Self(paths)
    }

    /// Whether a hook names this file, in one of the ways in which node finds it.
    pub(crate) fn names(&self, path: &EntryPath) -> bool {
        let path = path.as_str();
        let stems = [".js", ".cjs", ".mjs", "/index.js"];
        self.0.contains(path)
            || stems
                .iter()
                .filter_map(|ending| path.strip_suffix(ending))
                .any(|stem| self.0.contains(stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hook: &str, command: &str, path: &str, expect: bool) {
        let manifest = format!(r#"{{"scripts":{{"{hook}":"{command}"}}}}"#);
        let scripts = InstallScripts::of(manifest.as_bytes());
        assert_eq!(scripts.names(&path.parse().unwrap()), expect, "{command}");
    }

    #[test]
    fn files_that_a_hook_runs_are_found() {
        check(
            "postinstall",
            "node ./scripts/setup.js",
            "scripts/setup.js",
            true,
        );
        check(
            "install",
            "node scripts/setup || exit 0",
            "scripts/setup.js",
            true,
        );
        check("preinstall", "sh -c 'bin/x;true'", "bin/x", true);
        check("preinstall", "node lib", "lib/index.js", true);
    }

    #[test]
    fn the_build_script_of_a_crate_is_found() {
        let check = |manifest: &str, path: &str, expect: bool| {
            let scripts = InstallScripts::of_crate(manifest.as_bytes());
            assert_eq!(scripts.names(&path.parse().unwrap()), expect, "{manifest}");
        };
        check("[package]\nbuild = './make/it.rs'\n", "make/it.rs", true);
        check("[package]\nbuild = ['a.rs', 'b.rs']\n", "b.rs", true);
        check("[package]\nbuild = false\n", "src/lib.rs", false);
        check("not toml", "build.rs", false);
        let large = format!("#{}\n[package]\nbuild = 'a.rs'\n", " ".repeat(LARGEST));
        check(&large, "a.rs", false);
    }

    #[test]
    fn files_that_only_building_runs_are_not() {
        check("build", "node scripts/setup.js", "scripts/setup.js", false);
        check("postinstall", "node scripts/setup.js", "setup.js", false);
        assert!(!InstallScripts::of(b"not json").names(&"a".parse().unwrap()));
        assert!(!InstallScripts::of(br#"{"scripts":{"install":1}}"#).names(&"1".parse().unwrap()));
    }
}
