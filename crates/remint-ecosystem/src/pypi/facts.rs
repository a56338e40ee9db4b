//! What manifests promise to installers, for published files and for sources: requirements and code that runs
//! without being called.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    Dependency, DependencyKind, EntryPath, InstallHook, ManifestFacts, SourcePin, SourceTree,
    Survey,
};

use crate::pypi::pyproject::Pyproject;
use crate::pypi::requirement::{Requirement, normalised_extra};
use crate::pypi::setup_cfg::{self, SetupCfg};
use crate::pypi::{identity, metadata, poetry, setup_py};
use crate::release::{Identity, MetadataError, StatedVersion};

/// More requirements than any project has.
const MOST: usize = 20_000;

pub(crate) fn published(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    let metadata = metadata::of_survey(survey)?;
    let identity = metadata.identity()?;
    let mut facts = facts_of(&identity);
    for text in metadata.all("Requires-Dist").take(MOST) {
        facts.dependencies.insert(dependency(text, None));
    }
    let is_sdist = survey.text("PKG-INFO").is_some();
    if is_sdist {
        let manifest = match survey.text("pyproject.toml") {
            Some(content) => Pyproject::parse("pyproject.toml", content)?,
            None => Pyproject::default(),
        };
        let has_setup_py = survey
            .entries
            .iter()
            .any(|entry| entry.path.as_str() == "setup.py");
        build_hooks(&manifest, has_setup_py, &mut facts.hooks);
    } else {
        facts.hooks.extend(
            survey
                .entries
                .iter()
                .filter(|entry| lands_in_site_packages(&entry.path))
                .filter_map(|entry| start_up_hook(&entry.path)),
        );
    }
    Ok(facts)
}

pub(crate) fn source(tree: &SourceTree, pin: &SourcePin) -> Result<ManifestFacts, MetadataError> {
    let directory = pin.subdirectory.as_ref();
    let path = |name: &str| SourceTree::path_in(directory, name);
    let pyproject_path = path("pyproject.toml");
    let content = |name: &str| {
        let path = path(name);
        tree.texts.get(path.as_str()).map(|content| (path, content))
    };
    let manifest = match content("pyproject.toml") {
        Some((path, content)) => Pyproject::parse(&path, content)?,
        None => Pyproject::default(),
    };
    let setup_cfg = match content("setup.cfg") {
        Some((path, content)) => SetupCfg::parse(&path, content)?,
        None => SetupCfg::default(),
    };
    let setup_py = content("setup.py").map(|(_, content)| content.as_slice());
    if [&pyproject_path, &path("setup.cfg"), &path("setup.py")]
        .iter()
        .all(|path| !tree.has(path))
    {
        return Err(MetadataError::Missing(pyproject_path));
    }
    let reader = SourceReader {
        tree,
        directory,
        manifest: &manifest,
        setup_cfg: &setup_cfg,
        setup_py,
    };
    let mut facts = facts_of(&reader.identity(&pyproject_path));
    reader.dependencies(&mut facts);
    build_hooks(&manifest, tree.has(&path("setup.py")), &mut facts.hooks);
    facts
        .hooks
        .extend(tree.entries.keys().filter_map(start_up_hook));
    Ok(facts)
}

struct SourceReader<'a> {
    tree: &'a SourceTree,
    directory: Option<&'a EntryPath>,
    manifest: &'a Pyproject,
    setup_cfg: &'a SetupCfg,
    setup_py: Option<&'a [u8]>,
}

impl SourceReader<'_> {
    /// The first manifest that states a name; the first that states a version.
    fn identity(&self, pyproject_path: &str) -> Identity {
        let mut identity = Identity {
            name: None,
            version: StatedVersion::Absent,
        };
        for name in ["pyproject.toml", "setup.cfg", "setup.py"] {
            let path = SourceTree::path_in(self.directory, name);
            let (Ok(entry), Some(content)) = (
                path.parse::<EntryPath>(),
                self.tree.texts.get(path.as_str()),
            ) else {
                continue;
            };
            let stated = if path == pyproject_path {
                identity::of_pyproject(self.manifest, &entry)
            } else {
                match identity::of_manifest(&entry, content) {
                    Ok(stated) => stated,
                    Err(_) => continue,
                }
            };
            identity.name = identity.name.or(stated.name);
            if identity.version == StatedVersion::Absent {
                identity.version = stated.version;
            }
        }
        identity
    }

    fn dependencies(&self, facts: &mut ManifestFacts) {
        let manifest = self.manifest;
        if manifest.table(&["project"]).is_some() {
            self.project(facts);
        } else if manifest.table(&["tool", "poetry"]).is_some() {
            self.poetry(facts);
        } else if manifest.table(&["tool", "flit", "metadata"]).is_some() {
            insert_all(
                facts,
                manifest.texts(&["tool", "flit", "metadata", "requires"]),
                None,
            );
            self.extras_table(facts, &["tool", "flit", "metadata", "requires-extra"]);
        } else {
            self.setuptools(facts);
        }
    }

    /// `[project]` (PEP 621). What it declares dynamic is looked for where the backend would look.
    fn project(&self, facts: &mut ManifestFacts) {
        let manifest = self.manifest;
        insert_all(facts, manifest.texts(&["project", "dependencies"]), None);
        self.extras_table(facts, &["project", "optional-dependencies"]);
        let dependencies = manifest.is_dynamic("dependencies");
        let extras = manifest.is_dynamic("optional-dependencies");
        if !dependencies && !extras {
            return;
        }
        if manifest
            .table(&["tool", "poetry", "dependencies"])
            .is_some()
        {
            self.poetry(facts);
            return;
        }
        if self.version_hook(facts) {
            return;
        }
        let dynamic = |field: &str| manifest.get(&["tool", "setuptools", "dynamic", field]);
        let mut found = true;
        if dependencies {
            found &= match dynamic("dependencies") {
                Some(value) => self.requirement_files(facts, value, None),
                None => false,
            };
        }
        if extras {
            match dynamic("optional-dependencies").and_then(toml::Value::as_table) {
                Some(table) => {
                    for (extra, value) in table {
                        found &= self.requirement_files(facts, value, Some(extra));
                    }
                }
                None => found = false,
            }
        }
        if !found {
            self.setuptools(facts);
            facts.dynamic_dependencies = true;
        }
    }

    /// The lists of uv-dynamic-versioning's metadata hook, in which the version stands as a template; false where
    /// there is no such hook.
    fn version_hook(&self, facts: &mut ManifestFacts) -> bool {
        const HOOK: [&str; 5] = [
            "tool",
            "hatch",
            "metadata",
            "hooks",
            "uv-dynamic-versioning",
        ];
        let at = |field: &'static str| [&HOOK[..], &[field]].concat();
        if self.manifest.table(&HOOK).is_none() {
            return false;
        }
        let dependencies = at("dependencies");
        let (open, plain): (Vec<&str>, Vec<&str>) = self
            .manifest
            .texts(&dependencies)
            .partition(|text| text.contains("{{"));
        insert_all(facts, plain, None);
        self.extras_table(facts, &at("optional-dependencies"));
        facts.dynamic_dependencies |= !open.is_empty();
        true
    }

    fn poetry(&self, facts: &mut ManifestFacts) {
        let found = poetry::dependencies(self.manifest);
        for requirement in found.requirements.into_iter().take(MOST) {
            facts.dependencies.insert(described(&requirement));
        }
        facts.dynamic_dependencies |= found.untranslated;
    }

    fn setuptools(&self, facts: &mut ManifestFacts) {
        if let Some(value) = self.setup_cfg.get("options", "install_requires") {
            self.setup_cfg_list(facts, value, None);
        }
        let extras: Vec<(String, String)> = self
            .setup_cfg
            .section("options.extras_require")
            .map(|(extra, value)| (extra.to_owned(), value.to_owned()))
            .collect();
        for (extra, value) in extras {
            self.setup_cfg_list(facts, &value, Some(&extra));
        }
        if let Some(content) = self.setup_py {
            setup_py_lists(facts, content);
        }
    }

    fn setup_cfg_list(&self, facts: &mut ManifestFacts, value: &str, extra: Option<&str>) {
        match value.strip_prefix("file:") {
            Some(files) => {
                for file in files.split(',') {
                    if !self.requirement_file(facts, file.trim(), extra) {
                        facts.dynamic_dependencies = true;
                    }
                }
            }
            None => insert_all(facts, setup_cfg::list(value), extra),
        }
    }

    /// setuptools' `{ file = … }`; false where a file is not to be had.
    fn requirement_files(
        &self,
        facts: &mut ManifestFacts,
        value: &toml::Value,
        extra: Option<&str>,
    ) -> bool {
        let files: Vec<&str> = match value.get("file") {
            Some(toml::Value::String(file)) => vec![file],
            Some(toml::Value::Array(files)) => {
                files.iter().filter_map(toml::Value::as_str).collect()
            }
            Some(_) | None => return false,
        };
        files
            .into_iter()
            .all(|file| self.requirement_file(facts, file, extra))
    }

    /// A requirements file as setuptools reads it: one requirement a line, comments, no options.
    fn requirement_file(&self, facts: &mut ManifestFacts, file: &str, extra: Option<&str>) -> bool {
        let path = match self.directory {
            Some(directory) => directory.join(file),
            None => file.parse(),
        };
        let Some(text) = path.ok().and_then(|path| self.tree.text(path.as_str())) else {
            return false;
        };
        let lines = text.lines().map(|line| {
            line.split_once(" #")
                .map_or(line, |(requirement, _)| requirement)
                .trim()
        });
        insert_all(
            facts,
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')),
            extra,
        );
        true
    }

    /// A table of extra name → requirements. A requirement on the project itself stands for another extra, which
    /// some backends publish as written and others resolved; both are the source's.
    fn extras_table(&self, facts: &mut ManifestFacts, path: &[&str]) {
        let Some(table) = self.manifest.table(path) else {
            return;
        };
        let lists: BTreeMap<String, Vec<&str>> = table
            .iter()
            .map(|(extra, list)| {
                let list = list.as_array().into_iter().flatten();
                (
                    normalised_extra(extra),
                    list.filter_map(toml::Value::as_str).collect(),
                )
            })
            .collect();
        for extra in lists.keys() {
            let mut visited = BTreeSet::new();
            let mut pending = vec![extra.clone()];
            while let Some(next) = pending.pop() {
                if !visited.insert(next.clone()) {
                    continue;
                }
                let Some(list) = lists.get(&next) else {
                    continue;
                };
                insert_all(facts, list.iter().copied(), Some(extra));
                pending.extend(
                    list.iter()
                        .filter_map(|text| Requirement::parse(text))
                        .filter(|requirement| Some(&requirement.name) == facts.name.as_ref())
                        .flat_map(|requirement| requirement.extras),
                );
            }
        }
    }
}

fn facts_of(identity: &Identity) -> ManifestFacts {
    ManifestFacts {
        name: identity.name.as_ref().map(ToString::to_string),
        version: match &identity.version {
            StatedVersion::Exact(version) | StatedVersion::Placeholder(version) => {
                Some(version.clone())
            }
            StatedVersion::Dynamic(_) | StatedVersion::Absent => None,
        },
        ..ManifestFacts::default()
    }
}

fn insert_all<'t>(
    facts: &mut ManifestFacts,
    texts: impl IntoIterator<Item = &'t str>,
    extra: Option<&str>,
) {
    for text in texts.into_iter().take(MOST) {
        facts.dependencies.insert(dependency(text, extra));
    }
}

/// One requirement, for an extra where the source lists it under one.
fn dependency(text: &str, extra: Option<&str>) -> Dependency {
    match Requirement::parse(text) {
        Some(requirement) => described(&match extra {
            Some(extra) => requirement.for_extra(extra),
            None => requirement,
        }),
        // What cannot be understood is still something that is asked for.
        None => Dependency {
            kind: if extra.is_some() {
                DependencyKind::Extra
            } else {
                DependencyKind::Runtime
            },
            name: crate::pypi::requirement::name_of(text).unwrap_or_default(),
            requirement: text.split_whitespace().collect::<Vec<_>>().join(" "),
        },
    }
}

fn described(requirement: &Requirement) -> Dependency {
    Dependency {
        kind: if requirement.is_unconditional_on_extras() {
            DependencyKind::Runtime
        } else {
            DependencyKind::Extra
        },
        name: requirement.name.clone(),
        requirement: requirement.spelled(),
    }
}

/// The lists that `setup.py` gives to setuptools, where they are literals.
fn setup_py_lists(facts: &mut ManifestFacts, content: &[u8]) {
    let names = |word: &str| {
        content
            .windows(word.len())
            .any(|window| window == word.as_bytes())
    };
    // `setup(**arguments)` may give anything.
    let mut computed = names("**");
    if names("install_requires") {
        match setup_py::list(content, "install_requires") {
            Some(list) => insert_all(facts, list.iter().map(String::as_str), None),
            None => computed = true,
        }
    }
    if names("extras_require") {
        match setup_py::lists(content, "extras_require") {
            Some(lists) => {
                for (extra, list) in &lists {
                    insert_all(facts, list.iter().map(String::as_str), Some(extra));
                }
            }
            None => computed = true,
        }
    }
    facts.dynamic_dependencies |= computed;
}

/// What installing a source archive runs: its build backend, what that needs, and `setup.py` where it is run.
fn build_hooks(manifest: &Pyproject, has_setup_py: bool, hooks: &mut BTreeSet<InstallHook>) {
    let backend = manifest
        .build_backend()
        .unwrap_or("setuptools.build_meta:__legacy__");
    let path: Vec<&str> = manifest.texts(&["build-system", "backend-path"]).collect();
    let command = if path.is_empty() {
        backend.to_owned()
    } else {
        format!("{backend} in {}", path.join(", "))
    };
    hooks.insert(InstallHook {
        name: "build-backend".to_owned(),
        command,
    });
    for text in manifest.texts(&["build-system", "requires"]).take(MOST) {
        let Dependency {
            kind: _,
            name,
            requirement,
        } = dependency(text, None);
        hooks.insert(InstallHook {
            name: "build-requires".to_owned(),
            command: format!("{name} {requirement}"),
        });
    }
    if has_setup_py && backend.starts_with("setuptools") {
        hooks.insert(InstallHook {
            name: "setup.py".to_owned(),
            command: "setup.py".to_owned(),
        });
    }
}

/// Whether an entry of a wheel ends up where Python looks for start-up files.
fn lands_in_site_packages(path: &EntryPath) -> bool {
    let Some((top, rest)) = path.as_str().split_once('/') else {
        return true;
    };
    let package = matches!(
        top.split('.').next(),
        Some("sitecustomize" | "usercustomize")
    );
    if !top.ends_with(".data") {
        return package;
    }
    match rest.split_once('/') {
        Some(("purelib" | "platlib", below)) => {
            !below.contains('/')
                || below.starts_with("sitecustomize/")
                || below.starts_with("usercustomize/")
        }
        // Lands below the environment's root, so it may name any site-packages.
        Some(("data", _)) => true,
        Some(_) | None => false,
    }
}

/// A file that Python runs when it starts, if it lies where Python looks. Named without its folder, which differs
/// between source and wheel.
fn start_up_hook(path: &EntryPath) -> Option<InstallHook> {
    let file = path.file_name();
    let hook = |name: &str, command: &str| {
        Some(InstallHook {
            name: name.to_owned(),
            command: command.to_owned(),
        })
    };
    if file.to_ascii_lowercase().ends_with(".pth") {
        return hook(".pth", file);
    }
    let (stem, ending) = file.split_once('.')?;
    let module = match stem {
        "__init__" => path.parent()?.file_name().to_owned(),
        stem => stem.to_owned(),
    };
    let code = ["py", "pyc", "so", "pyd"]
        .iter()
        .any(|known| ending == *known || ending.rsplit('.').next() == Some(known));
    match module.as_str() {
        "sitecustomize" | "usercustomize" if code => hook(&module, file),
        _ => None,
    }
}
