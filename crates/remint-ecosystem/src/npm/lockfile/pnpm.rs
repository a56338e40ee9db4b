//! `pnpm-lock.yaml`, versions 5 to 9: a map `packages` whose keys carry name and version, each generation in its
//! own spelling. Newer files put a document about pnpm itself before the one about the project.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{LockError, Locked, name_and_version};
use crate::npm::manifest::plain;
use crate::yaml;

pub(super) fn parse(text: &str) -> Result<Locked, LockError> {
    let mut locked = Locked::default();
    let mut known = false;
    for document in yaml::parse_all(text).map_err(LockError)? {
        known |= document.get("lockfileVersion").is_some();
        for (key, entry) in document
            .get("packages")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            package(key, entry, &mut locked)?;
        }
    }
    if known {
        Ok(locked)
    } else {
        Err(LockError("it states no lockfileVersion".to_owned()))
    }
}

/// What the manifest of a folder asked for when the lockfile was written.
pub(super) fn stated(text: &str, folder: &str) -> Option<BTreeMap<String, String>> {
    let documents = yaml::parse_all(text).ok()?;
    let document = documents.last()?;
    let importer = match document.get("importers") {
        Some(importers) => importers.get(folder)?,
        None if folder == "." => document,
        None => return None,
    };
    // Version 5 keeps the requirements apart from the versions.
    Some(
        match importer.get("specifiers").and_then(Value::as_object) {
            Some(specifiers) => specifiers
                .iter()
                .map(|(name, requirement)| (name.clone(), plain(requirement)))
                .collect(),
            None => super::stated_in(importer),
        },
    )
}

fn package(key: &str, entry: &Value, locked: &mut Locked) -> Result<(), LockError> {
    let Some(resolution) = entry.get("resolution").filter(|value| value.is_object()) else {
        return Ok(());
    };
    let text = |field: &str| resolution.get(field).and_then(Value::as_str);
    let own = |field: &str| entry.get(field).and_then(Value::as_str);
    let (name, version) = identity(key).unwrap_or((key, ""));
    let name = own("name").unwrap_or(name);
    let version = own("version").unwrap_or(version);
    locked.has_scripts |=
        entry.get("requiresBuild") == Some(&Value::Bool(true)) && super::script_matters(name);
    match text("type") {
        Some("git") => {
            locked.git.push(format!(
                "{}#{}",
                text("repo").unwrap_or_default(),
                text("commit").unwrap_or_default()
            ));
            return Ok(());
        }
        Some("directory") => {
            let directory = text("directory").unwrap_or_default();
            locked.from_tree.push(format!("file:{directory}"));
            return Ok(());
        }
        Some(_) | None => {}
    }
    // A version that is an address is the place itself; without a tarball there is a registry behind it.
    let place = text("tarball").or_else(|| version.contains("://").then_some(version));
    let place = place.or_else(|| version.strip_prefix("file:").map(|_| version));
    locked.add(name, version, place, text("integrity"))
}

/// Name and version of a key: `/name/1.0.0_peer@2` (5), `/name@1.0.0(peer@2)` (6), `name@1.0.0` (9).
pub(super) fn identity(key: &str) -> Option<(&str, &str)> {
    let old = key.starts_with('/');
    let key = key.strip_prefix('/').unwrap_or(key);
    let key = key.split('(').next().unwrap_or(key);
    if let Some((name, version)) = name_and_version(key)
        && !(old && name.matches('/').count() > usize::from(name.starts_with('@')))
    {
        return Some((name, version));
    }
    let (name, version) = key.rsplit_once('/')?;
    let version = version.split('_').next().unwrap_or(version);
    Some((name, version)).filter(|(name, version)| !name.is_empty() && !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, integrity};
    use super::super::{Format, parse};
    use super::identity;

    #[test]
    fn every_generation_spells_keys_in_its_own_way() {
        for (key, expect) in [
            ("/a/1.0.0", ("a", "1.0.0")),
            ("/a/1.0.0_b@2.0.0", ("a", "1.0.0")),
            ("/@s/a/1.0.0_b@2.0.0", ("@s/a", "1.0.0")),
            ("/a@1.0.0(b@2.0.0)", ("a", "1.0.0")),
            ("/@s/a@1.0.0", ("@s/a", "1.0.0")),
            ("a@1.0.0", ("a", "1.0.0")),
            ("@s/a@1.0.0-rc.1", ("@s/a", "1.0.0-rc.1")),
            ("a@https://x.org/a.tgz", ("a", "https://x.org/a.tgz")),
        ] {
            assert_eq!(identity(key), Some(expect), "{key}");
        }
        for key in ["", "/", "a", "//"] {
            assert_eq!(identity(key), None, "{key}");
        }
    }

    #[test]
    fn packages_of_all_documents_are_listed() {
        let text = format!(
            "---
lockfileVersion: '9.0'
packages:
  pnpm@11.0.0: {{resolution: {{integrity: {0}}}}}
---
lockfileVersion: '9.0'
importers: {{.: {{}}}}
packages:
  '@s/a@1.0.0': {{resolution: {{integrity: {0}}}}}
  b@https://codeload.github.com/o/b/tar.gz/0123:
    resolution: {{tarball: https://codeload.github.com/o/b/tar.gz/0123}}
    version: 2.0.0
  c@git@github.com:o/c: {{resolution: {{type: git, repo: 'git@github.com:o/c', commit: '0123'}}}}
  d@file:../d: {{resolution: {{type: directory, directory: ../d}}}}
  e@file:vendor/e.tgz: {{resolution: {{tarball: file:vendor/e.tgz, integrity: {0}}}}}
  f@1.0.0: 7
",
            integrity()
        );
        let locked = check(
            Format::Pnpm,
            &text,
            &[
                ("@s/a", "1.0.0", None, true),
                (
                    "b",
                    "2.0.0",
                    Some("https://codeload.github.com/o/b/tar.gz/0123"),
                    false,
                ),
                ("pnpm", "11.0.0", None, true),
            ],
        );
        assert_eq!(locked.git, ["git@github.com:o/c#0123"]);
        assert_eq!(locked.from_tree, ["file:../d", "file:vendor/e.tgz"]);
    }

    #[test]
    fn what_is_no_lockfile_is_refused() {
        for text in ["", "a: [", "packages: {}", "- 1"] {
            assert!(parse(Format::Pnpm, text).is_err(), "{text}");
        }
    }
}
