//! What a registry's document of one release tells installers, held against the manifest in the tarball.
//!
//! npm reads dependencies, commands and install scripts from the document before it has the tarball, so a document
//! that says more than the file is an attack that no comparison of files shows. A document that says less is
//! not: mirrors leave out whole fields.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    Dependency, DependencyKind, InstallHook, ManifestPart, RegistryDisagreement, Survey,
};
use serde_json::Value;

use crate::npm::facts;
use crate::npm::manifest::{Manifest, plain};
use crate::release::{DocumentFacts, MetadataError};

/// How many entries the lists of one document may have together; the largest packages have some hundreds.
const MOST: usize = 20_000;

/// How long one name, requirement or command may be.
const LONGEST: usize = 64 * 1024;

/// How much of a foreign text a disagreement repeats.
const SHOWN: usize = 300;

/// What npm runs on install where there is a `binding.gyp` and no script says otherwise.
const IMPLICIT: &str = "node-gyp rebuild";

/// Reads what steers an install out of a version's document.
///
/// `hasInstallScript` and `_hasShrinkwrap` are left alone: they bring in nothing of their own but make installers
/// look into the tarball, and honest documents carry them for files that are not packed (`fsevents`).
pub(crate) fn of(document: &Manifest, package: &str) -> Result<DocumentFacts, MetadataError> {
    let name = document.text("name").unwrap_or(package);
    let lists = Lists::of(document);
    let facts = DocumentFacts {
        dependencies: lists.dependencies(),
        optional_peers: document.object("peerDependenciesMeta").map(|_| {
            lists
                .peers
                .keys()
                .filter(|name| is_optional_peer(document, name))
                .cloned()
                .collect()
        }),
        hooks: facts::scripts(document),
        commands: commands(document, name),
        commands_folder: commands_folder(document),
    };
    bounded(&facts)?;
    Ok(facts)
}

/// What the document has and the tarball's manifest does not have, or has differently.
pub(crate) fn disagreements(
    document: &DocumentFacts,
    file: &Manifest,
    survey: &Survey,
) -> Vec<RegistryDisagreement> {
    let mut found = dependency_disagreements(document, file, survey);
    found.extend(command_disagreements(document, file, survey));
    found.extend(
        document
            .hooks
            .iter()
            .filter(|hook| !has_hook(file, hook, survey))
            .map(|hook| {
                let stated = file.script(&hook.name).map(str::to_owned);
                disagreement(
                    ManifestPart::InstallHook,
                    &hook.name,
                    &hook.command,
                    stated.as_deref(),
                )
            }),
    );
    found
}

fn dependency_disagreements(
    document: &DocumentFacts,
    file: &Manifest,
    survey: &Survey,
) -> Vec<RegistryDisagreement> {
    let lists = Lists::of(file);
    let bundled = lists.bundled(file, survey);
    let mut found = Vec::new();
    for dependency in &document.dependencies {
        let name = dependency.name.as_str();
        let requirement = dependency.requirement.as_str();
        let stated = match dependency.kind {
            // npm copies optional dependencies into the other list when it publishes, and a mirror may keep
            // that one only; either way the same package is fetched.
            DependencyKind::Runtime | DependencyKind::Optional => {
                let stated = lists.installed(name);
                // A bundled package that no list names is added with any version.
                let added = is_any(requirement) && bundled.contains(name);
                if added || stated.iter().any(|one| same_requirement(one, requirement)) {
                    continue;
                }
                stated.first().map(|stated| (*stated).to_owned())
            }
            DependencyKind::Peer => match lists.peers.get(name) {
                Some(stated) if same_requirement(stated, requirement) => {
                    let becomes_required = document
                        .optional_peers
                        .as_ref()
                        .is_some_and(|optional| !optional.contains(name))
                        && is_optional_peer(file, name);
                    if !becomes_required {
                        continue;
                    }
                    Some(format!("{stated} (optional)"))
                }
                stated => stated.cloned(),
            },
            DependencyKind::Bundled if bundled.contains(name) => continue,
            DependencyKind::Bundled
            | DependencyKind::Extra
            | DependencyKind::Build
            | DependencyKind::Development
            | DependencyKind::Shrinkwrap
            | DependencyKind::Override => None,
        };
        found.push(disagreement(
            ManifestPart::Dependency(dependency.kind),
            name,
            requirement,
            stated.as_deref(),
        ));
    }
    found
}

fn command_disagreements(
    document: &DocumentFacts,
    file: &Manifest,
    survey: &Survey,
) -> Vec<RegistryDisagreement> {
    let expand = |commands: &BTreeSet<(String, String)>, folder: Option<&str>| {
        // Either the commands are named or the folder is taken, never both.
        match folder {
            Some(folder) if commands.is_empty() => in_folder(survey, folder),
            Some(_) | None => commands.clone(),
        }
    };
    let name = file.text("name").unwrap_or_default();
    let stated = expand(&commands(file, name), commands_folder(file).as_deref());
    let told = expand(&document.commands, document.commands_folder.as_deref());
    told.difference(&stated)
        .map(|(name, path)| {
            let other = stated.iter().find(|(stated, _)| stated == name);
            disagreement(
                ManifestPart::Command,
                name,
                path,
                other.map(|(_, path)| path.as_str()),
            )
        })
        .collect()
}

fn has_hook(file: &Manifest, hook: &InstallHook, survey: &Survey) -> bool {
    let says = |name: &str| {
        file.script(name)
            .is_some_and(|command| command.trim() == hook.command.trim())
    };
    // Tools that take a hook out while packing keep its command under this name, and put it back before npm
    // reads the manifest a second time for the document (`pinst`).
    if says(&hook.name) || says(&format!("_{}", hook.name)) {
        return true;
    }
    // npm writes its implicit hook down if it sees a `binding.gyp`, also where that is not packed; then the
    // command has nothing to build and fails.
    let silent = file.script("install").is_none() && file.script("preinstall").is_none();
    let refused = file.get("gypfile") == Some(&Value::Bool(false))
        && survey
            .entries
            .iter()
            .any(|entry| entry.path.as_str() == "binding.gyp");
    hook.name == "install" && hook.command.trim() == IMPLICIT && silent && !refused
}

/// The dependency lists of a manifest in the form that npm gives them on publishing.
struct Lists {
    runtime: BTreeMap<String, String>,
    optional: BTreeMap<String, String>,
    peers: BTreeMap<String, String>,
    bundled: BTreeSet<String>,
}

impl Lists {
    fn of(manifest: &Manifest) -> Self {
        let runtime = list(manifest, "dependencies");
        let optional = list(manifest, "optionalDependencies");
        let all_bundled = ["bundleDependencies", "bundledDependencies"]
            .iter()
            .any(|field| manifest.get(field) == Some(&Value::Bool(true)));
        let bundled = if all_bundled {
            runtime.keys().chain(optional.keys()).cloned().collect()
        } else {
            facts::bundled(manifest).into_iter().collect()
        };
        Self {
            peers: list(manifest, "peerDependencies"),
            runtime,
            optional,
            bundled,
        }
    }

    fn dependencies(&self) -> BTreeSet<Dependency> {
        let named = |kind, list: &BTreeMap<String, String>| {
            list.iter()
                .map(|(name, requirement)| Dependency {
                    kind,
                    name: name.clone(),
                    requirement: requirement.clone(),
                })
                .collect::<Vec<_>>()
        };
        let mut all = BTreeSet::new();
        all.extend(named(DependencyKind::Runtime, &self.runtime));
        all.extend(named(DependencyKind::Optional, &self.optional));
        all.extend(named(DependencyKind::Peer, &self.peers));
        all.extend(self.bundled.iter().map(|name| Dependency {
            kind: DependencyKind::Bundled,
            name: name.clone(),
            requirement: String::new(),
        }));
        all
    }

    /// What the lists of installed packages ask of this one.
    fn installed(&self, name: &str) -> Vec<&str> {
        [&self.runtime, &self.optional]
            .into_iter()
            .filter_map(|list| list.get(name).map(String::as_str))
            .collect()
    }

    /// What is bundled by name or by being in the archive.
    fn bundled(&self, manifest: &Manifest, survey: &Survey) -> BTreeSet<String> {
        let mut bundled: BTreeSet<String> = self.bundled.clone();
        bundled.extend(facts::bundled(manifest));
        bundled.extend(
            survey
                .entries
                .iter()
                .filter_map(|entry| facts::bundled_name(entry.path.as_str()))
                .map(str::to_owned),
        );
        bundled
    }
}

/// A dependency list; npm turns its two oldest shapes, a text and a list of texts, into an object.
fn list(manifest: &Manifest, field: &str) -> BTreeMap<String, String> {
    let entry = |text: &str| {
        let text = text.trim();
        let end = text
            .find(|c: char| c.is_whitespace() || matches!(c, '@' | '<' | '>' | '='))
            .unwrap_or(text.len());
        let (name, requirement) = text.split_at(end);
        let requirement = requirement.trim();
        (
            name.to_owned(),
            requirement
                .strip_prefix('@')
                .unwrap_or(requirement)
                .to_owned(),
        )
    };
    match manifest.get(field) {
        Some(Value::Object(entries)) => entries
            .iter()
            .map(|(name, requirement)| (name.clone(), plain(requirement)))
            .collect(),
        Some(Value::String(text)) => text
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|text| !text.is_empty())
            .map(entry)
            .collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(entry).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => BTreeMap::new(),
    }
}

fn is_optional_peer(manifest: &Manifest, name: &str) -> bool {
    manifest
        .object("peerDependenciesMeta")
        .and_then(|peers| peers.get(name)?.get("optional"))
        == Some(&Value::Bool(true))
}

fn is_any(requirement: &str) -> bool {
    matches!(requirement, "" | "*")
}

/// Whether two requirements mean the same: npm respells those that name a repository on a known host.
fn same_requirement(one: &str, other: &str) -> bool {
    one == other
        || (is_any(one) && is_any(other))
        || hosted(one).is_some_and(|one| hosted(other).is_some_and(|other| one == other))
}

/// Host, owner and name of the repository, and the commit-ish, of a git requirement on a known host. Anything
/// with a longer path (an archive's address) is none.
fn hosted(requirement: &str) -> Option<(&str, String, &str)> {
    const HOSTS: [(&str, &str); 3] = [
        ("github", "github.com"),
        ("gitlab", "gitlab.com"),
        ("bitbucket", "bitbucket.org"),
    ];
    let (place, committish) = requirement.split_once('#').unwrap_or((requirement, ""));
    let (host, path) = HOSTS
        .iter()
        .find_map(|(short, host)| {
            let path = place.strip_prefix(short)?.strip_prefix(':')?;
            Some((*host, path))
        })
        .or_else(|| {
            let rest = match place.split_once("://") {
                Some((
                    "git" | "git+ssh" | "git+https" | "git+http" | "ssh" | "https" | "http",
                    rest,
                )) => rest,
                Some(_) => return None,
                None => place.strip_prefix("git@")?,
            };
            let rest = rest.strip_prefix("git@").unwrap_or(rest);
            HOSTS.iter().find_map(|(_, host)| {
                let path = rest.strip_prefix(host)?.strip_prefix(['/', ':'])?;
                Some((*host, path))
            })
        })
        .unwrap_or(("github.com", place));
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '~', '@'])
            && !part.contains(['/', ':', '@', '?', '%', ' '])
    };
    (plain(owner) && plain(name)).then(|| (host, path.to_ascii_lowercase(), committish))
}

/// Name and file of every command of `bin`, in the form that npm gives them.
fn commands(manifest: &Manifest, package: &str) -> BTreeSet<(String, String)> {
    let pairs: Vec<(&str, &str)> = match manifest.get("bin") {
        Some(Value::String(path)) => vec![(package, path)],
        Some(Value::Object(commands)) => commands
            .iter()
            .filter_map(|(name, path)| Some((name.as_str(), path.as_str()?)))
            .collect(),
        Some(Value::Array(paths)) => paths
            .iter()
            .filter_map(Value::as_str)
            .map(|path| (path, path))
            .collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => Vec::new(),
    };
    pairs
        .into_iter()
        .map(|(name, path)| (command_name(name), clean_path(path)))
        .filter(|(name, path)| !name.is_empty() && !path.is_empty())
        .collect()
}

/// `directories.bin`: every file in it is a command.
fn commands_folder(manifest: &Manifest) -> Option<String> {
    manifest
        .object("directories")?
        .get("bin")?
        .as_str()
        .map(clean_path)
}

fn in_folder(survey: &Survey, folder: &str) -> BTreeSet<(String, String)> {
    survey
        .entries
        .iter()
        .map(|entry| entry.path.as_str())
        .filter(|path| {
            folder.is_empty()
                || path
                    .strip_prefix(folder)
                    .is_some_and(|below| below.starts_with('/'))
        })
        .map(|path| (command_name(path), path.to_owned()))
        .filter(|(name, _)| !name.starts_with('.'))
        .collect()
}

/// The last part, so that a scope goes and nothing is linked outside of its folder.
fn command_name(name: &str) -> String {
    name.trim_end_matches(['/', '\\', ':'])
        .rsplit(['/', '\\', ':'])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A path relative to the package, which it does not leave.
fn clean_path(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn bounded(facts: &DocumentFacts) -> Result<(), MetadataError> {
    let count = facts.dependencies.len() + facts.commands.len();
    if count > MOST {
        return Err(MetadataError::malformed(
            "version document",
            format!("{count} dependencies and commands are more than {MOST}"),
        ));
    }
    let dependencies = facts
        .dependencies
        .iter()
        .flat_map(|one| [&one.name, &one.requirement]);
    let commands = facts.commands.iter().flat_map(|(name, path)| [name, path]);
    let hooks = facts.hooks.iter().map(|hook| &hook.command);
    match dependencies
        .chain(commands)
        .chain(hooks)
        .chain(&facts.commands_folder)
        .find(|text| text.len() > LONGEST)
    {
        Some(text) => Err(MetadataError::malformed(
            "version document",
            format!("a text of {} bytes is longer than {LONGEST}", text.len()),
        )),
        None => Ok(()),
    }
}

fn disagreement(
    part: ManifestPart,
    name: &str,
    registry: &str,
    file: Option<&str>,
) -> RegistryDisagreement {
    let shorten = |text: &str| text.chars().take(SHOWN).collect::<String>();
    RegistryDisagreement {
        part,
        name: shorten(name),
        registry: shorten(registry),
        file: file.map(shorten),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::npm::testing::survey;

    fn manifest(value: &Value) -> Manifest {
        Manifest::parse("package.json", value.to_string().as_bytes()).unwrap()
    }

    fn told(document: &Value, file: &Value, others: &[&str]) -> Vec<String> {
        let text = file.to_string();
        let mut files = vec![("package.json", text.as_str())];
        files.extend(others.iter().map(|path| (*path, "")));
        let facts = of(&manifest(document), "@s/x").unwrap();
        disagreements(&facts, &manifest(file), &survey(&files))
            .into_iter()
            .map(|one| {
                let file = one.file.unwrap_or_else(|| "-".to_owned());
                format!("{:?} {} {} {file}", one.part, one.name, one.registry)
            })
            .collect()
    }

    fn agrees(document: &Value, file: &Value, others: &[&str]) {
        assert_eq!(
            told(document, file, others),
            [""; 0],
            "{document} against {file}"
        );
    }

    #[test]
    fn what_only_the_document_has_is_a_disagreement() {
        let check = |document: Value, file: Value, expect: &str| {
            assert_eq!(told(&document, &file, &["binding.gyp"]), [expect]);
        };
        check(
            json!({"dependencies": {"a": "1", "evil": "1"}}),
            json!({"dependencies": {"a": "1"}}),
            "Dependency(Runtime) evil 1 -",
        );
        check(
            json!({"dependencies": {"a": "npm:evil@1"}}),
            json!({"dependencies": {"a": "1"}}),
            "Dependency(Runtime) a npm:evil@1 1",
        );
        check(
            json!({"dependencies": ["evil@1"]}),
            json!({}),
            "Dependency(Runtime) evil 1 -",
        );
        check(
            json!({"optionalDependencies": {"evil": "*"}}),
            json!({"devDependencies": {"evil": "*"}}),
            "Dependency(Optional) evil * -",
        );
        check(
            json!({"peerDependencies": {"evil": "*"}}),
            json!({}),
            "Dependency(Peer) evil * -",
        );
        check(
            json!({"peerDependencies": {"a": "1"}, "peerDependenciesMeta": {}}),
            json!({"peerDependencies": {"a": "1"}, "peerDependenciesMeta": {"a": {"optional": true}}}),
            "Dependency(Peer) a 1 1 (optional)",
        );
        check(
            json!({"bundleDependencies": ["a"]}),
            json!({"dependencies": {"a": "1"}}),
            "Dependency(Bundled) a  -",
        );
        check(
            json!({"bin": {"x": "evil.js"}}),
            json!({"name": "@s/x", "bin": "./cli.js"}),
            "Command x evil.js cli.js",
        );
        check(
            json!({"bin": {"x": "cli.js", "git": "cli.js"}}),
            json!({"name": "@s/x", "bin": "cli.js"}),
            "Command git cli.js -",
        );
        check(
            json!({"directories": {"bin": "."}, "name": "@s/x"}),
            json!({"name": "@s/x", "bin": {"package.json": "package.json"}}),
            "Command binding.gyp binding.gyp -",
        );
        check(
            json!({"scripts": {"postinstall": "node evil.js"}}),
            json!({"scripts": {"postinstall": "node good.js"}}),
            "InstallHook postinstall node evil.js node good.js",
        );
        check(
            json!({"scripts": {"preinstall": "node evil.js"}}),
            json!({}),
            "InstallHook preinstall node evil.js -",
        );
        check(
            json!({"scripts": {"install": "node-gyp rebuild"}}),
            json!({"gypfile": false}),
            "InstallHook install node-gyp rebuild -",
        );
    }

    #[test]
    fn a_document_that_leaves_fields_out_agrees() {
        let file = json!({
            "name": "@s/x",
            "bin": "cli.js",
            "dependencies": {"a": "1"},
            "optionalDependencies": {"b": "2"},
            "peerDependencies": {"p": "3"},
            "peerDependenciesMeta": {"p": {"optional": true}},
            "scripts": {"postinstall": "node x.js"},
        });
        agrees(&json!({}), &file, &[]);
        agrees(&json!({"dependencies": {"a": "1", "b": "2"}}), &file, &[]);
        agrees(&json!({"peerDependencies": {"p": "3"}}), &file, &[]);
        agrees(&json!({"hasInstallScript": true}), &json!({}), &[]);
    }

    #[test]
    fn what_npm_respells_on_publishing_agrees() {
        agrees(
            &json!({"bin": {"x": "bin/cli.js"}}),
            &json!({"name": "@s/x", "bin": "./bin//cli.js"}),
            &[],
        );
        agrees(
            &json!({"bin": {"one": "bin/one", "two": "bin/deep/two"}}),
            &json!({"directories": {"bin": "./bin"}}),
            &["bin/one", "bin/deep/two", "lib/three"],
        );
        agrees(
            &json!({
                "dependencies": {"a": "1", "b": "2", "c": "*"},
                "bundleDependencies": ["a", "b"],
            }),
            &json!({
                "dependencies": {"a": "1"},
                "optionalDependencies": {"b": "2"},
                "bundledDependencies": true,
            }),
            &["node_modules/c/index.js"],
        );
        agrees(
            &json!({"dependencies": {"a": "", "b": ">=2"}}),
            &json!({"dependencies": ["a", "b@>=2"]}),
            &[],
        );
        for respelled in ["github:o/n#v1", "git+ssh://git@github.com/o/n.git#v1"] {
            agrees(
                &json!({"dependencies": {"a": respelled}}),
                &json!({"dependencies": {"a": "o/n#v1"}}),
                &[],
            );
        }
        agrees(
            &json!({"scripts": {"install": "node-gyp rebuild"}}),
            &json!({}),
            &["binding.gyp"],
        );
        agrees(
            &json!({"scripts": {"postinstall": "husky install"}}),
            &json!({"scripts": {"_postinstall": "husky install"}}),
            &[],
        );
    }

    #[test]
    fn other_places_are_other_requirements() {
        for (one, other) in [
            ("o/n#v1", "o/n#v2"),
            ("o/n", "e/n"),
            ("github:o/n", "gitlab:o/n"),
            (
                "https://github.com/o/n/archive/a.tar.gz",
                "https://github.com/o/n/archive/b.tar.gz",
            ),
            (
                "https://evil.example/github.com/o/n",
                "https://github.com/o/n",
            ),
            ("https://github.com.evil.example/o/n", "github:o/n"),
            ("^1.0.0", "1.0.0"),
        ] {
            assert!(!same_requirement(one, other), "{one} and {other}");
        }
    }

    #[test]
    fn documents_beyond_all_measure_are_refused_and_odd_ones_survive() {
        let many: serde_json::Map<String, Value> = (0..=MOST)
            .map(|number| (format!("d{number}"), "1".into()))
            .collect();
        assert!(of(&manifest(&json!({"dependencies": many})), "x").is_err());
        let long = "x".repeat(LONGEST + 1);
        assert!(of(&manifest(&json!({"scripts": {"install": long}})), "x").is_err());
        for odd in [
            json!(null),
            json!(7),
            json!([[]]),
            json!({"": {}}),
            json!("/:\\@#"),
        ] {
            let fields = [
                "dependencies",
                "bundleDependencies",
                "bin",
                "scripts",
                "directories",
                "peerDependencies",
                "peerDependenciesMeta",
                "optionalDependencies",
            ];
            let document: serde_json::Map<String, Value> = fields
                .iter()
                .map(|field| ((*field).to_owned(), odd.clone()))
                .chain([("name".to_owned(), "x".into())])
                .collect();
            agrees(&document.clone().into(), &document.into(), &[]);
        }
    }
}
