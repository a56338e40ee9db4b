//! What a manifest promises to installers: dependencies, and code that runs on install.

use std::collections::BTreeSet;

use remint_model::{
    CommitId, Dependency, DependencyKind, InstallHook, ManifestFacts, SourcePin, SourceTree, Survey,
};
use serde_json::Value;

use crate::npm::manifest::{Manifest, parse_json, plain};
use crate::npm::project::Project;
use crate::npm::protocols;
use crate::release::MetadataError;

/// How deep a tree of overrides or of a shrinkwrap is followed; npm's own are a few levels deep.
const DEEPEST: usize = 32;

/// The facts of a published tarball.
pub(crate) fn published(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    let content = survey
        .text("package.json")
        .ok_or_else(|| MetadataError::Missing("package.json".to_owned()))?;
    let manifest = Manifest::parse("package.json", content)?;
    let has = |path: &str| {
        survey
            .entries
            .iter()
            .any(|entry| entry.path.as_str() == path)
    };
    let mut facts = of(&manifest, has("binding.gyp"));
    for entry in &survey.entries {
        if let Some(name) = bundled_name(entry.path.as_str()) {
            facts
                .dependencies
                .insert(dependency(DependencyKind::Bundled, name, String::new()));
        }
        if entry.path.as_str() == "npm-shrinkwrap.json" {
            match survey.text("npm-shrinkwrap.json") {
                Some(content) => facts.dependencies.extend(shrinkwrap(content)),
                None => {
                    facts.dependencies.insert(shrinkwrap_file(&entry.blob));
                }
            }
        }
    }
    Ok(facts)
}

/// The facts of the source's manifest, in the form that publishing gives it.
pub(crate) fn source(tree: &SourceTree, pin: &SourcePin) -> Result<ManifestFacts, MetadataError> {
    let project = Project::find(tree, pin)?;
    let mut facts = of(
        &project.manifest,
        tree.has(&project.folder.path("binding.gyp")),
    );
    if let Some(stamp) = &pin.stamp {
        facts.version = Some(stamp.wanted.to_string());
    }
    facts.dependencies = facts
        .dependencies
        .into_iter()
        .map(|dependency| {
            let requirement =
                protocols::resolve(&project, pin, &dependency.name, &dependency.requirement);
            Dependency {
                requirement,
                ..dependency
            }
        })
        .collect();
    let path = project.folder.path("npm-shrinkwrap.json");
    if let Some(entry) = tree.entries.get(path.as_str()) {
        // In both forms, because it is not known in which one the published side could be read.
        facts.dependencies.insert(shrinkwrap_file(&entry.blob));
        if let Some(content) = tree.texts.get(path.as_str()) {
            facts.dependencies.extend(shrinkwrap(content));
        }
    }
    Ok(facts)
}

/// What the manifest itself says.
fn of(manifest: &Manifest, has_binding: bool) -> ManifestFacts {
    let mut facts = ManifestFacts {
        name: manifest.text("name").map(str::to_owned),
        version: manifest.text("version").map(str::to_owned),
        dependencies: dependencies(manifest),
        hooks: scripts(manifest),
        dynamic_dependencies: false,
    };
    // npm's own rule: a binding.gyp is compiled on install where no script says otherwise.
    let silent = manifest.script("install").is_none() && manifest.script("preinstall").is_none();
    if has_binding && silent && manifest.get("gypfile") != Some(&Value::Bool(false)) {
        facts.hooks.insert(InstallHook {
            name: "binding.gyp".to_owned(),
            command: "node-gyp rebuild".to_owned(),
        });
    }
    facts
}

/// The scripts that npm runs on install.
pub(crate) fn scripts(manifest: &Manifest) -> BTreeSet<InstallHook> {
    ["preinstall", "install", "postinstall"]
        .iter()
        .filter_map(|name| {
            Some(InstallHook {
                name: (*name).to_owned(),
                command: manifest.script(name)?.to_owned(),
            })
        })
        .collect()
}

fn dependencies(manifest: &Manifest) -> BTreeSet<Dependency> {
    use DependencyKind::{Optional, Override, Peer, Runtime};

    let mut found = BTreeSet::new();
    let optional: BTreeSet<&str> = manifest
        .dependencies("optionalDependencies")
        .map(|(name, _)| name)
        .collect();
    // Named in both lists, a package is optional.
    for (name, requirement) in manifest.dependencies("dependencies") {
        if !optional.contains(name) {
            found.insert(dependency(Runtime, name, requirement));
        }
    }
    for (name, requirement) in manifest.dependencies("optionalDependencies") {
        found.insert(dependency(Optional, name, requirement));
    }
    let peers = manifest.object("peerDependenciesMeta");
    for (name, requirement) in manifest.dependencies("peerDependencies") {
        let skipped = peers
            .and_then(|peers| peers.get(name)?.get("optional"))
            .is_some_and(|optional| optional == &Value::Bool(true));
        if !skipped {
            found.insert(dependency(Peer, name, requirement));
        }
    }
    for name in bundled(manifest) {
        found.insert(dependency(DependencyKind::Bundled, &name, String::new()));
    }
    for field in ["overrides", "resolutions"] {
        if let Some(value) = manifest.get(field) {
            flatten(value, field, DEEPEST, &mut |path, requirement| {
                found.insert(dependency(Override, path, requirement));
            });
        }
    }
    found
}

/// `bundleDependencies` (or the other spelling): a list of names, or `true` for all.
pub(crate) fn bundled(manifest: &Manifest) -> Vec<String> {
    let value = manifest
        .get("bundleDependencies")
        .or_else(|| manifest.get("bundledDependencies"));
    match value {
        Some(Value::Array(names)) => names.iter().map(plain).collect(),
        Some(Value::Bool(true)) => manifest
            .dependencies("dependencies")
            .map(|(name, _)| name.to_owned())
            .collect(),
        Some(Value::Object(names)) => names.keys().cloned().collect(),
        Some(Value::Null | Value::Bool(false) | Value::Number(_) | Value::String(_)) | None => {
            Vec::new()
        }
    }
}

/// The package of a path like `node_modules/@scope/name/index.js`, at the top of the archive only.
pub(crate) fn bundled_name(path: &str) -> Option<&str> {
    let below = path.strip_prefix("node_modules/")?;
    let mut parts = below.split('/');
    let first = parts.next()?;
    let length = if first.starts_with('@') {
        first.len() + 1 + parts.next()?.len()
    } else {
        first.len()
    };
    below
        .get(..length)
        .filter(|name| !name.starts_with('.') && name.len() < below.len())
}

/// What a shrinkwrap pins: every package with the version and place that an installer would take it from.
fn shrinkwrap(content: &[u8]) -> Vec<Dependency> {
    let Ok(value) = parse_json(content) else {
        // npm refuses an unreadable shrinkwrap as well, but it must not look like an absent one.
        return vec![dependency(
            DependencyKind::Shrinkwrap,
            "npm-shrinkwrap.json",
            "unreadable".to_owned(),
        )];
    };
    let mut found = Vec::new();
    let entry = |fields: &Value| {
        ["version", "resolved", "integrity"]
            .iter()
            .filter_map(|field| fields.get(field).and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    };
    if let Some(packages) = value.get("packages").and_then(Value::as_object) {
        for (path, fields) in packages.iter().filter(|(path, _)| !path.is_empty()) {
            found.push(dependency(DependencyKind::Shrinkwrap, path, entry(fields)));
        }
    } else {
        let mut pending: Vec<(String, &Value, usize)> = vec![(String::new(), &value, 0)];
        while let Some((prefix, node, depth)) = pending.pop() {
            for (name, fields) in node
                .get("dependencies")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                let path = format!("{prefix}node_modules/{name}");
                found.push(dependency(DependencyKind::Shrinkwrap, &path, entry(fields)));
                if depth < DEEPEST {
                    pending.push((format!("{path}/"), fields, depth + 1));
                }
            }
        }
    }
    found
}

/// Stands for a shrinkwrap by its git blob id, where its content is not at hand.
fn shrinkwrap_file(blob: &CommitId) -> Dependency {
    dependency(
        DependencyKind::Shrinkwrap,
        "npm-shrinkwrap.json",
        format!("blob {blob}"),
    )
}

fn flatten(value: &Value, path: &str, depth: usize, found: &mut impl FnMut(&str, String)) {
    match value {
        Value::Object(fields) if depth > 0 => {
            for (name, value) in fields {
                flatten(value, &format!("{path}>{name}"), depth - 1, found);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => found(path, plain(value)),
    }
}

fn dependency(kind: DependencyKind, name: &str, requirement: String) -> Dependency {
    Dependency {
        kind,
        name: name.to_owned(),
        requirement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, stamped, survey, tree};

    fn listed(facts: &ManifestFacts) -> Vec<String> {
        facts
            .dependencies
            .iter()
            .map(|d| format!("{:?} {} {}", d.kind, d.name, d.requirement))
            .collect()
    }

    #[test]
    fn lists_are_told_apart_as_npm_does() {
        let manifest = r#"{
            "dependencies": {"a": "^1", "both": "1", "odd": 7},
            "optionalDependencies": {"both": "2"},
            "devDependencies": {"dev": "1"},
            "peerDependencies": {"p": "*", "q": "*"},
            "peerDependenciesMeta": {"q": {"optional": true}},
            "bundledDependencies": ["a"],
            "overrides": {"x": {"y": "1"}}
        }"#;
        let facts = published(&survey(&[
            ("package.json", manifest),
            ("node_modules/@s/c/index.js", ""),
        ]))
        .unwrap();
        assert_eq!(
            listed(&facts),
            [
                "Runtime a ^1",
                "Runtime odd 7",
                "Optional both 2",
                "Peer p *",
                "Bundled @s/c ",
                "Bundled a ",
                "Override overrides>x>y 1",
            ]
        );
    }

    #[test]
    fn hooks_are_explicit_or_implicit() {
        let check = |manifest: &str, binding: bool, expect: &[&str]| {
            let mut files = vec![("package.json", manifest)];
            if binding {
                files.push(("binding.gyp", "{}"));
            }
            let facts = published(&survey(&files)).unwrap();
            let names: Vec<_> = facts.hooks.iter().map(|hook| hook.name.as_str()).collect();
            assert_eq!(names, expect, "{manifest}");
        };
        check(
            r#"{"scripts":{"prepare":"x","postinstall":"y"}}"#,
            false,
            &["postinstall"],
        );
        check("{}", true, &["binding.gyp"]);
        check(r#"{"gypfile":false}"#, true, &[]);
        check(r#"{"scripts":{"install":"x"}}"#, true, &["install"]);
        check(r#"{"scripts":{"install":" "}}"#, true, &["binding.gyp"]);
    }

    #[test]
    fn the_source_is_seen_as_it_would_be_published() {
        let files = [
            ("package.json", r#"{"name":"root"}"#),
            (
                "pnpm-workspace.yaml",
                "packages: [packages/*]\ncatalog: {z: ^3.0.0}\ncatalogs: {old: {z: ^2.0.0}}\n",
            ),
            (
                "packages/a/package.json",
                r#"{"name":"a","version":"0.0.0","dependencies":{
                    "b":"workspace:*","c":"workspace:^","d":"workspace:~1.0.0","z":"catalog:",
                    "e":"workspace:b@*","y":"catalog:old","z2":"catalog:"}}"#,
            ),
            (
                "packages/b/package.json",
                r#"{"name":"b","version":"2.1.0"}"#,
            ),
            (
                "packages/c/package.json",
                r#"{"name":"c","version":"0.0.0"}"#,
            ),
        ];
        let tree = tree(&files);
        let pin = stamped(pin(Some("packages/a")), "0.0.0", "1.2.3");
        let facts = source(&tree, &pin).unwrap();
        assert_eq!(facts.version.as_deref(), Some("1.2.3"));
        assert_eq!(
            listed(&facts),
            [
                "Runtime b 2.1.0",
                // Versioned together with the package, so stamped together with it.
                "Runtime c ^1.2.3",
                "Runtime d ~1.0.0",
                "Runtime e npm:b@2.1.0",
                "Runtime y catalog:old",
                "Runtime z ^3.0.0",
                "Runtime z2 catalog:",
            ]
        );
    }

    #[test]
    fn a_shrinkwrap_pins_what_is_installed() {
        let text = r#"{"packages":{"":{},"node_modules/a":{"version":"1.0.0","resolved":"u"}}}"#;
        let files = [("package.json", "{}"), ("npm-shrinkwrap.json", text)];
        let published = published(&survey(&files)).unwrap();
        let source = source(&tree(&files), &pin(None)).unwrap();
        assert!(!published.dependencies.is_empty());
        assert!(published.dependencies.is_subset(&source.dependencies));
        let other = super::published(&survey(&[
            ("package.json", "{}"),
            ("npm-shrinkwrap.json", "{}"),
        ]))
        .unwrap();
        assert!(!other.dependencies.is_subset(&source.dependencies));
    }
}
