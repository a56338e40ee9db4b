//! What a manifest makes cargo fetch, and what it makes it run while compiling: for the published manifest, which
//! cargo has normalised, and for the source's, whose values may stand in the workspace.

use std::collections::BTreeSet;

use remint_model::{
    Dependency, DependencyKind, InstallHook, ManifestFacts, SourcePin, SourceTree, Survey,
};
use toml::{Table, Value};

use crate::cargo::manifest::{Manifest, is_inherited};
use crate::cargo::workspace::Member;
use crate::release::{MetadataError, StatedVersion};

/// The lists of dependencies, by the spellings that cargo takes.
const LISTS: &[(&str, DependencyKind)] = &[
    ("dependencies", DependencyKind::Runtime),
    ("build-dependencies", DependencyKind::Build),
    ("build_dependencies", DependencyKind::Build),
    ("dev-dependencies", DependencyKind::Development),
    ("dev_dependencies", DependencyKind::Development),
];

/// How many dependencies one manifest may have; the largest have some hundreds.
const MOST: usize = 20_000;

/// What the published file's manifest says.
pub(crate) fn published(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    let manifest = of_survey(survey)?;
    let has = |path: &str| {
        survey
            .entries
            .iter()
            .any(|entry| entry.path.as_str() == path)
    };
    facts(&manifest, None, &has)
}

/// What the source's manifest says.
pub(crate) fn source(tree: &SourceTree, pin: &SourcePin) -> Result<ManifestFacts, MetadataError> {
    let member = Member::read(tree, pin.subdirectory.as_ref())?;
    let has = |path: &str| tree.has(&SourceTree::path_in(member.directory.as_ref(), path));
    let mut facts = facts(&member.manifest, Some(member.root()), &has)?;
    facts.version = member
        .field("version")
        .and_then(Value::as_str)
        .map(str::to_owned);
    Ok(facts)
}

/// The manifest inside the published file.
pub(crate) fn of_survey(survey: &Survey) -> Result<Manifest, MetadataError> {
    let content = survey
        .text("Cargo.toml")
        .ok_or_else(|| MetadataError::Missing("Cargo.toml".to_owned()))?;
    Manifest::parse("Cargo.toml", content)
}

fn facts(
    manifest: &Manifest,
    root: Option<&Manifest>,
    has: &dyn Fn(&str) -> bool,
) -> Result<ManifestFacts, MetadataError> {
    let identity = manifest.identity();
    Ok(ManifestFacts {
        name: identity.name.map(|name| name.to_string()),
        version: match identity.version {
            StatedVersion::Exact(version) | StatedVersion::Placeholder(version) => Some(version),
            StatedVersion::Dynamic(_) | StatedVersion::Absent => None,
        },
        dependencies: dependencies(manifest, root)?,
        hooks: hooks(manifest, has),
        dynamic_dependencies: false,
    })
}

fn dependencies(
    manifest: &Manifest,
    root: Option<&Manifest>,
) -> Result<BTreeSet<Dependency>, MetadataError> {
    let shared = root.and_then(|root| root.table(&["workspace", "dependencies"]));
    let mut found = BTreeSet::new();
    let mut add = |list: &Table, kind: DependencyKind, platform: Option<&str>| {
        for (alias, stated) in list {
            let stated = if is_inherited(stated) {
                Stated::inherited(stated, shared.and_then(|shared| shared.get(alias)))
            } else {
                Stated::of(stated)
            };
            found.insert(stated.dependency(alias, kind, platform));
        }
    };
    for (name, kind) in LISTS {
        if let Some(list) = manifest.table(&[name]) {
            add(list, *kind, None);
        }
        for (platform, below) in manifest.table(&["target"]).into_iter().flatten() {
            if let Some(list) = below.get(name).and_then(Value::as_table) {
                add(list, *kind, Some(platform));
            }
        }
    }
    if found.len() > MOST {
        return Err(MetadataError::Malformed {
            what: "Cargo.toml".to_owned(),
            reason: format!("it has more than {MOST} dependencies"),
        });
    }
    Ok(found)
}

/// One dependency as a manifest or an index states it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stated<'a> {
    pub(crate) range: Option<&'a str>,
    /// The name in the registry, where it is used under another one.
    pub(crate) package: Option<&'a str>,
    /// Another registry than crates.io, by name or address.
    pub(crate) registry: Option<&'a str>,
    /// A repository; where a range stands beside it, publishing leaves it out.
    pub(crate) git: Option<&'a str>,
    pub(crate) optional: bool,
}

impl<'a> Stated<'a> {
    fn of(value: &'a Value) -> Self {
        if let Some(range) = value.as_str() {
            return Self {
                range: Some(range),
                ..Self::default()
            };
        }
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        Self {
            range: text("version"),
            package: text("package"),
            registry: text("registry-index").or_else(|| text("registry")),
            git: text("git"),
            optional: value.get("optional").and_then(Value::as_bool) == Some(true),
        }
    }

    /// Only a member itself can say that it is optional; everything else is the workspace's.
    fn inherited(member: &'a Value, shared: Option<&'a Value>) -> Self {
        Self {
            optional: member.get("optional").and_then(Value::as_bool) == Some(true),
            ..shared.map(Self::of).unwrap_or_default()
        }
    }

    /// In the one form in which the source's, the published and the index's can be held against each other.
    pub(crate) fn dependency(
        &self,
        alias: &str,
        kind: DependencyKind,
        platform: Option<&str>,
    ) -> Dependency {
        let mut requirement = self.range.map(canonical_range).unwrap_or_default();
        if let Some(package) = self.package.filter(|package| *package != alias) {
            requirement.push_str(" as package ");
            requirement.push_str(package);
        }
        if let Some(registry) = self.registry {
            requirement.push_str(" from registry ");
            requirement.push_str(registry);
        }
        if let (Some(git), None) = (self.git, self.range) {
            requirement.push_str(" from ");
            requirement.push_str(git);
        }
        if let Some(platform) = platform {
            requirement.push_str(" for ");
            requirement.push_str(&platform.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        Dependency {
            kind: if self.optional && kind == DependencyKind::Runtime {
                DependencyKind::Extra
            } else {
                kind
            },
            name: alias.to_owned(),
            requirement: requirement.trim().to_owned(),
        }
    }
}

/// `1.2` and `^1.2` are one range; white space is none.
fn canonical_range(range: &str) -> String {
    let parts: Vec<String> = range
        .split(',')
        .map(|part| {
            let part: String = part.split_whitespace().collect();
            let caret =
                part.starts_with(|c: char| c.is_ascii_digit()) && !part.contains(['*', 'x', 'X']);
            if caret { format!("^{part}") } else { part }
        })
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

/// What runs while the package is compiled, and what it links.
fn hooks(manifest: &Manifest, has: &dyn Fn(&str) -> bool) -> BTreeSet<InstallHook> {
    let mut hooks = BTreeSet::new();
    let mut add = |name: &str, command: &str| {
        hooks.insert(InstallHook {
            name: name.to_owned(),
            command: command.trim_start_matches("./").replace('\\', "/"),
        });
    };
    match manifest.get(&["package", "build"]) {
        Some(Value::String(script)) => add("build-script", script),
        Some(Value::Array(scripts)) => scripts
            .iter()
            .filter_map(Value::as_str)
            .for_each(|script| add("build-script", script)),
        Some(Value::Boolean(false)) => {}
        // Cargo takes a file of this name without being told.
        Some(_) | None if has("build.rs") => add("build-script", "build.rs"),
        Some(_) | None => {}
    }
    if let Some(library) = manifest.text(&["package", "links"]) {
        add("links", library);
    }
    let flag = |key: &str| manifest.get(&["lib", key]).and_then(Value::as_bool);
    let is_macro = flag("proc-macro").or_else(|| flag("proc_macro")) == Some(true)
        || manifest
            .get(&["lib", "crate-type"])
            .or_else(|| manifest.get(&["lib", "crate_type"]))
            .and_then(Value::as_array)
            .is_some_and(|kinds| kinds.iter().any(|kind| kind.as_str() == Some("proc-macro")));
    if is_macro {
        let path = manifest.text(&["lib", "path"]).unwrap_or("src/lib.rs");
        add("proc-macro", path);
    }
    hooks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, root: Option<&str>, files: &[&str]) -> ManifestFacts {
        let parse = |text: &str| Manifest::parse("Cargo.toml", text.as_bytes()).unwrap();
        let root = root.map(parse);
        facts(&parse(text), root.as_ref(), &|path| files.contains(&path)).unwrap()
    }

    fn dependency_words(facts: &ManifestFacts) -> Vec<String> {
        facts
            .dependencies
            .iter()
            .map(|it| format!("{:?} {} {}", it.kind, it.name, it.requirement))
            .collect()
    }

    #[test]
    fn what_cargo_normalises_says_the_same_as_the_source() {
        let source = read(
            "[package]\nname = 'x'\n\
             [dependencies]\na = '1.2'\nb = { path = '../b', version = '>= 1, < 3' }\nc.workspace = true\n\
             d = { workspace = true, optional = true }\n\
             g = { git = 'https://github.com/a/g', version = '0.1' }\n\
             [dev-dependencies]\ne = { path = '../e' }\n\
             [build-dependencies]\ncc = '1'\n\
             [target.'cfg(unix)'.dependencies]\nf = { version = '0.2', package = 'real-f' }\n",
            Some("[workspace.dependencies]\nc = '3'\nd = { version = '4', features = ['x'] }\n"),
            &[],
        );
        let published = read(
            "[package]\nname = 'x'\n\
             [dependencies.a]\nversion = '1.2'\n[dependencies.b]\nversion = '>= 1, < 3'\n\
             [dependencies.c]\nversion = '3'\n[dependencies.d]\nversion = '4'\nfeatures = ['x']\noptional = true\n\
             [dependencies.g]\nversion = '0.1'\n\
             [build-dependencies.cc]\nversion = '1'\n\
             [target.'cfg(unix)'.dependencies.f]\nversion = '0.2'\npackage = 'real-f'\n",
            None,
            &[],
        );
        assert_eq!(
            dependency_words(&published),
            [
                "Runtime a ^1.2",
                "Runtime b >=1, <3",
                "Runtime c ^3",
                "Runtime f ^0.2 as package real-f for cfg(unix)",
                "Runtime g ^0.1",
                "Extra d ^4",
                "Build cc ^1",
            ]
        );
        assert!(published.dependencies.is_subset(&source.dependencies));
    }

    #[test]
    fn another_package_range_place_or_list_is_another_dependency() {
        let one = |line: &str| {
            read(&format!("[package]\nname = 'x'\n{line}"), None, &[])
                .dependencies
                .into_iter()
                .next()
                .unwrap()
        };
        let honest = one("[dependencies]\na = '1'\n");
        assert_eq!(one("[dependencies.a]\nversion = '^1'\n"), honest);
        for other in [
            "[dependencies]\na = '1.0.1'\n",
            "[dependencies]\na = '=1'\n",
            "[dependencies]\na = { version = '1', package = 'evil' }\n",
            "[dependencies]\na = { version = '1', registry-index = 'https://evil.example' }\n",
            "[dependencies]\na = { version = '1', optional = true }\n",
            "[build-dependencies]\na = '1'\n",
            "[dev-dependencies]\na = '1'\n",
            "[target.'cfg(unix)'.dependencies]\na = '1'\n",
            "[dependencies]\na = { git = 'https://evil.example/a' }\n",
        ] {
            assert_ne!(one(other), honest, "{other}");
        }
    }

    #[test]
    fn what_runs_while_compiling_is_a_hook() {
        let hooks = |text: &str, files: &[&str]| -> Vec<String> {
            read(text, None, files)
                .hooks
                .into_iter()
                .map(|hook| format!("{} {}", hook.name, hook.command))
                .collect()
        };
        assert_eq!(hooks("[package]\n", &[]), [""; 0]);
        assert_eq!(
            hooks("[package]\n", &["build.rs"]),
            ["build-script build.rs"]
        );
        assert_eq!(
            hooks("[package]\nbuild = true\n", &["build.rs"]),
            ["build-script build.rs"]
        );
        assert_eq!(hooks("[package]\nbuild = false\n", &["build.rs"]), [""; 0]);
        assert_eq!(
            hooks("[package]\nbuild = './make.rs'\nlinks = 'z'\n", &[]),
            ["build-script make.rs", "links z"]
        );
        assert_eq!(
            hooks("[package]\n[lib]\nproc-macro = true\n", &[]),
            ["proc-macro src/lib.rs"]
        );
        assert_eq!(
            hooks(
                "[package]\n[lib]\ncrate-type = ['proc-macro']\npath = 'm.rs'\n",
                &[]
            ),
            ["proc-macro m.rs"]
        );
    }

    proptest! {
        #[test]
        fn no_manifest_panics(
            text in "(\\[(package|lib|target|dependencies|workspace|workspace\\.dependencies|target\\.'x'\\.dependencies)\\]\n|(a|build|links|version|proc-macro) = ('1'|true|\\{ version = '1' \\}|\\{ workspace = true \\}|\\[\\])\n){0,6}",
        ) {
            if let Ok(manifest) = Manifest::parse("Cargo.toml", text.as_bytes()) {
                let read = facts(&manifest, Some(&manifest), &|_| true).unwrap();
                for dependency in read.dependencies {
                    prop_assert_eq!(dependency.requirement.trim(), &dependency.requirement);
                }
            }
        }
    }
}
