//! `package-lock.json` and `npm-shrinkwrap.json`: lockfileVersion 1 (a tree of `dependencies`), 2 and 3 (a flat
//! map `packages` by path).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{LockError, Locked};
use crate::npm::manifest::parse_json;

/// How deep version 1 nests; real trees stay below 20.
const DEEPEST: usize = 50;

pub(super) fn parse(text: &str) -> Result<Locked, LockError> {
    let document = parse_json(text.as_bytes()).map_err(|error| LockError(error.to_string()))?;
    let mut locked = Locked::default();
    if let Some(packages) = document.get("packages").and_then(Value::as_object) {
        flat(packages, &mut locked)?;
    } else if let Some(dependencies) = document.get("dependencies").and_then(Value::as_object) {
        nested(dependencies, DEEPEST, &mut locked)?;
    } else if !document.is_object() {
        return Err(LockError("it is no JSON object".to_owned()));
    }
    Ok(locked)
}

/// What the manifest of a folder asked for when the lockfile was written.
pub(super) fn stated(text: &str, folder: &str) -> Option<BTreeMap<String, String>> {
    let document = parse_json(text.as_bytes()).ok()?;
    let key = if folder == "." { "" } else { folder };
    let entry = document.get("packages")?.get(key)?;
    Some(super::stated_in(entry))
}

/// Name and version of the package in each folder, as far as any is installed there.
pub(super) fn places(text: &str) -> Option<BTreeMap<String, (String, String)>> {
    let document = parse_json(text.as_bytes()).ok()?;
    let mut places = BTreeMap::new();
    if let Some(packages) = document.get("packages").and_then(Value::as_object) {
        for (path, entry) in packages {
            let Some((_, folder_name)) = path.rsplit_once("node_modules/") else {
                continue;
            };
            let name = self::text(entry, "name").unwrap_or(folder_name);
            let version = self::text(entry, "version").unwrap_or_default();
            places.insert(path.clone(), (name.to_owned(), version.to_owned()));
        }
    } else if let Some(dependencies) = document.get("dependencies").and_then(Value::as_object) {
        nested_places(dependencies, "", DEEPEST, &mut places)?;
    }
    Some(places)
}

fn nested_places(
    dependencies: &Map<String, Value>,
    above: &str,
    depth: usize,
    places: &mut BTreeMap<String, (String, String)>,
) -> Option<()> {
    for (folder_name, entry) in dependencies {
        let version = text(entry, "version").unwrap_or_default();
        let (name, version) = version
            .strip_prefix("npm:")
            .and_then(super::name_and_version)
            .unwrap_or((folder_name, version));
        let place = format!("{above}node_modules/{folder_name}");
        if let Some(below) = entry.get("dependencies").and_then(Value::as_object) {
            nested_places(below, &format!("{place}/"), depth.checked_sub(1)?, places)?;
        }
        places.insert(place, (name.to_owned(), version.to_owned()));
    }
    Some(())
}

fn flat(packages: &Map<String, Value>, locked: &mut Locked) -> Result<(), LockError> {
    for (path, entry) in packages {
        let Some((_, folder_name)) = path.rsplit_once("node_modules/").or_else(|| {
            // A member of the workspace, which is not fetched.
            path.strip_prefix("node_modules/").map(|name| ("", name))
        }) else {
            continue;
        };
        if is_true(entry, "link") || is_true(entry, "inBundle") {
            continue;
        }
        let name = text(entry, "name").unwrap_or(folder_name);
        locked.has_scripts |= is_true(entry, "hasInstallScript") && super::script_matters(name);
        locked.add(
            name,
            text(entry, "version").unwrap_or_default(),
            text(entry, "resolved"),
            text(entry, "integrity"),
        )?;
    }
    Ok(())
}

fn nested(
    dependencies: &Map<String, Value>,
    depth: usize,
    locked: &mut Locked,
) -> Result<(), LockError> {
    for (name, entry) in dependencies {
        if !is_true(entry, "bundled") {
            let version = text(entry, "version").unwrap_or_default();
            let (name, version) = version
                .strip_prefix("npm:")
                .and_then(super::name_and_version)
                .unwrap_or((name, version));
            locked.add(
                name,
                version,
                text(entry, "resolved"),
                text(entry, "integrity"),
            )?;
        }
        if let Some(below) = entry.get("dependencies").and_then(Value::as_object) {
            let depth = depth
                .checked_sub(1)
                .ok_or_else(|| LockError("its dependencies nest too deep".to_owned()))?;
            nested(below, depth, locked)?;
        }
    }
    Ok(())
}

fn text<'a>(entry: &'a Value, field: &str) -> Option<&'a str> {
    entry.get(field).and_then(Value::as_str)
}

fn is_true(entry: &Value, field: &str) -> bool {
    entry.get(field) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, integrity};
    use super::super::{Format, parse};

    #[test]
    fn version_three_lists_paths() {
        let integrity = integrity();
        let text = serde_json::json!({ "lockfileVersion": 3, "packages": {
            "": { "name": "x", "version": "1.0.0" },
            "packages/a": { "version": "1.0.0" },
            "node_modules/a": { "resolved": "packages/a", "link": true },
            "node_modules/@s/b": { "version": "2.0.0", "resolved": "https://registry.npmjs.org/@s/b/-/b-2.0.0.tgz", "integrity": integrity },
            "node_modules/@s/b/node_modules/c": { "name": "real", "version": "3.0.0" },
            "packages/a/node_modules/d": { "version": "4.0.0", "resolved": "https://example.org/d.tgz#x" },
            "node_modules/e": { "version": "1.0.0", "inBundle": true },
            "node_modules/f": { "version": "1.0.0", "resolved": "git+ssh://git@github.com/o/f.git#0123" },
            "node_modules/g": { "version": "1.0.0", "resolved": "file:vendor/g.tgz" },
            "node_modules/h": { "version": "1.0.0", "resolved": "file:lib/h" },
        }})
        .to_string();
        let locked = check(
            Format::PackageLock,
            &text,
            &[
                (
                    "@s/b",
                    "2.0.0",
                    Some("https://registry.npmjs.org/@s/b/-/b-2.0.0.tgz"),
                    true,
                ),
                ("d", "4.0.0", Some("https://example.org/d.tgz"), false),
                ("real", "3.0.0", None, false),
            ],
        );
        assert_eq!(locked.git, ["git+ssh://git@github.com/o/f.git#0123"]);
        assert_eq!(locked.from_tree, ["file:vendor/g.tgz", "file:lib/h"]);
    }

    #[test]
    fn version_one_lists_a_tree() {
        let text = serde_json::json!({ "lockfileVersion": 1, "dependencies": {
            "a": { "version": "1.0.0", "resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "integrity": integrity(),
                "dependencies": { "b": { "version": "npm:c@2.0.0" } } },
            "d": { "version": "1.0.0", "bundled": true },
            "e": { "version": "github:o/e#0123" },
        }})
        .to_string();
        let locked = check(
            Format::PackageLock,
            &text,
            &[
                (
                    "a",
                    "1.0.0",
                    Some("https://registry.npmjs.org/a/-/a-1.0.0.tgz"),
                    true,
                ),
                ("c", "2.0.0", None, false),
            ],
        );
        assert_eq!(locked.git, ["github:o/e#0123"]);
    }

    #[test]
    fn what_is_no_lockfile_is_refused() {
        let mut deep = "{\"dependencies\":{\"a\":".repeat(60);
        deep.push_str("{}");
        deep.push_str(&"}}".repeat(60));
        for text in ["", "[]", "7", "{", &deep] {
            assert!(parse(Format::PackageLock, text).is_err(), "{text}");
        }
    }
}
