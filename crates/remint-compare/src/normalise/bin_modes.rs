//! Who may execute what an npm package has as a program: npm, pnpm, yarn and bun make every file that `bin` names executable
//! when they install it, whatever its mode was.

use std::collections::BTreeSet;

use remint_model::EntryPath;
use serde::Deserialize;
use serde_json::Value;

use super::{NPM, Normaliser, Subject, Wrapping};
use crate::archive::Entry;

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "bin-modes",
    version: 1,
    hides: "whether a file is executable that `bin` in the package.json names, and that installers make executable",
    formats: NPM,
    subject: Subject::EntryOf(normalise),
};

fn normalise(entry: &mut Entry, archive: &Wrapping) {
    if entry.is_file() && archive.programs.contains(entry.path.as_str()) {
        entry.mode |= 0o111;
    }
}

#[derive(Deserialize)]
struct Manifest {
    bin: Option<Value>,
}

/// The paths that `bin` in a `package.json` names; one that cannot be parsed names none.
pub(crate) fn programs(manifest: &[u8]) -> BTreeSet<String> {
    let bin = serde_json::from_slice::<Manifest>(manifest)
        .ok()
        .and_then(|manifest| manifest.bin);
    let paths = match &bin {
        Some(Value::Object(programs)) => programs.values().collect(),
        Some(program) => vec![program],
        None => Vec::new(),
    };
    paths
        .into_iter()
        .filter_map(|path| path.as_str()?.parse::<EntryPath>().ok())
        .map(String::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_what_bin_names() {
        let check = |manifest: &str, paths: &[&str]| {
            let found: Vec<String> = programs(manifest.as_bytes()).into_iter().collect();
            assert_eq!(found, paths, "{manifest}");
        };
        check(r#"{"bin": "./dist/index.js"}"#, &["dist/index.js"]);
        check(r#"{"bin": {"a": "a.js", "b": "b.js"}}"#, &["a.js", "b.js"]);
        check(r#"{"bin": ["a.js"]}"#, &[]);
        check(r#"{"bin": {"a": "../a.js", "b": 1}}"#, &[]);
        check(r#"{"main": "a.js"}"#, &[]);
        check("no manifest", &[]);
    }
}
