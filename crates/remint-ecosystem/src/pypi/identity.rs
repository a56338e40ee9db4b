//! Name and version that a manifest states, and where a version lies that it does not state.

use remint_model::{Ecosystem, EntryPath, PackageName};

use crate::pypi::pyproject::Pyproject;
use crate::pypi::setup_cfg::SetupCfg;
use crate::pypi::{setup_py, versions};
use crate::release::{Identity, MetadataError, StatedVersion};

/// Reads the identity out of `pyproject.toml`, `setup.cfg` or `setup.py`.
pub(crate) fn of_manifest(path: &EntryPath, content: &[u8]) -> Result<Identity, MetadataError> {
    match path.file_name() {
        "pyproject.toml" => {
            let manifest = Pyproject::parse(path.as_str(), content)?;
            Ok(of_pyproject(&manifest, path))
        }
        "setup.cfg" => {
            let manifest = SetupCfg::parse(path.as_str(), content)?;
            Ok(of_setup_cfg(&manifest, path))
        }
        "setup.py" => Ok(of_setup_py(content)),
        _ => Err(MetadataError::Malformed {
            what: path.to_string(),
            reason: "it is no Python manifest".to_owned(),
        }),
    }
}

/// The version of a `pyproject.toml`, with where it comes from when it is dynamic.
pub(crate) fn of_pyproject(manifest: &Pyproject, path: &EntryPath) -> Identity {
    let name = [
        &["project", "name"][..],
        &["tool", "poetry", "name"],
        &["tool", "flit", "metadata", "dist-name"],
        &["tool", "flit", "metadata", "module"],
    ]
    .into_iter()
    .find_map(|path| manifest.text(path));
    let poetry = || {
        // poetry-dynamic-versioning replaces whatever is written there.
        if poetry_is_dynamic(manifest) {
            return Some(StatedVersion::Dynamic(None));
        }
        manifest.text(&["tool", "poetry", "version"]).map(stated)
    };
    let version = if let Some(version) = manifest.text(&["project", "version"]) {
        stated(version)
    } else if manifest.table(&["project"]).is_some() && manifest.is_dynamic("version") {
        poetry().unwrap_or_else(|| StatedVersion::Dynamic(dynamic_source(manifest, path)))
    } else if let Some(version) = poetry() {
        version
    } else if manifest.table(&["tool", "flit", "metadata"]).is_some() {
        StatedVersion::Dynamic(dynamic_source(manifest, path))
    } else {
        StatedVersion::Absent
    };
    Identity {
        name: name.and_then(package),
        version,
    }
}

fn of_setup_cfg(manifest: &SetupCfg, path: &EntryPath) -> Identity {
    let version = match manifest.get("metadata", "version") {
        None => StatedVersion::Absent,
        Some(version) => match setup_cfg_source(version) {
            Some(_) => StatedVersion::Dynamic(
                version_files_of_setup_cfg(manifest, path)
                    .first()
                    .map(ToString::to_string),
            ),
            None => stated(version),
        },
    };
    Identity {
        name: manifest.get("metadata", "name").and_then(package),
        version,
    }
}

fn of_setup_py(content: &[u8]) -> Identity {
    let literals = setup_py::literals(content);
    // Arguments alone: `name = "x"` at the top level is any variable.
    let argument = |name: &str| {
        literals
            .iter()
            .find(|literal| literal.name == name && !literal.top_level)
            .map(|literal| literal.value.as_str())
    };
    let has_setup = content
        .windows(b"setup(".len())
        .any(|window| window == b"setup(");
    if !has_setup {
        return Identity {
            name: None,
            version: StatedVersion::Absent,
        };
    }
    let version = argument("version").map_or(StatedVersion::Dynamic(None), stated);
    Identity {
        name: argument("name").and_then(package),
        version,
    }
}

/// The files that may hold a dynamic version, the likeliest first.
pub(crate) fn version_files(path: &EntryPath, content: &[u8]) -> Vec<EntryPath> {
    match path.file_name() {
        "pyproject.toml" => Pyproject::parse(path.as_str(), content).map_or_else(
            |_| Vec::new(),
            |manifest| version_files_of_pyproject(&manifest, path),
        ),
        "setup.cfg" => SetupCfg::parse(path.as_str(), content).map_or_else(
            |_| Vec::new(),
            |manifest| version_files_of_setup_cfg(&manifest, path),
        ),
        _ => Vec::new(),
    }
}

/// The version that a file states in one of the ways that build backends read.
pub(crate) fn version_in_file(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    let plain = text.trim();
    if versions::parse(plain).is_some() {
        return Some(plain.to_owned());
    }
    if plain.starts_with('{') {
        let manifest: serde_json::Value = serde_json::from_str(plain).ok()?;
        return manifest.get("version")?.as_str().map(str::to_owned);
    }
    let literals: Vec<_> = setup_py::literals(content)
        .into_iter()
        .filter(|literal| literal.top_level)
        .collect();
    VERSION_NAMES
        .iter()
        .find_map(|name| setup_py::literal(&literals, name))
        .map(str::to_owned)
}

/// The variables that hold a version, as backends and people call them.
pub(crate) const VERSION_NAMES: &[&str] = &[
    "__version__",
    "VERSION",
    "version",
    "__VERSION__",
    "_version",
];

pub(crate) fn version_files_of_pyproject(manifest: &Pyproject, path: &EntryPath) -> Vec<EntryPath> {
    let directory = path.parent();
    let mut files = Files::new(directory.as_ref());
    let hatch = |key| manifest.text(&["tool", "hatch", "version", key]);
    match hatch("source") {
        Some("nodejs" | "vcs" | "uv-dynamic-versioning" | "code") if hatch("path").is_none() => {
            if hatch("source") == Some("nodejs") {
                files.push("package.json");
            }
        }
        Some("nodejs") => files.push(&format!("{}/package.json", hatch("path").unwrap_or("."))),
        Some(_) | None => files.extend(hatch("path")),
    }
    if let Some(version) = manifest.get(&["tool", "setuptools", "dynamic", "version"]) {
        match version.get("file") {
            Some(toml::Value::String(file)) => files.push(file),
            Some(toml::Value::Array(list)) => {
                files.extend(list.iter().filter_map(toml::Value::as_str));
            }
            Some(_) | None => {}
        }
        if let Some(attribute) = version.get("attr").and_then(toml::Value::as_str) {
            let roots = manifest
                .texts(&["tool", "setuptools", "packages", "find", "where"])
                .chain(manifest.text(&["tool", "setuptools", "package-dir", ""]));
            files.attribute(attribute, roots);
        }
    }
    let pdm = |key| manifest.text(&["tool", "pdm", "version", key]);
    files.extend(pdm("path").or_else(|| pdm("from")));
    let flit = manifest
        .text(&["tool", "flit", "module", "name"])
        .or_else(|| manifest.text(&["tool", "flit", "metadata", "module"]))
        .or_else(|| manifest.text(&["project", "name"]))
        .filter(|_| {
            manifest
                .build_backend()
                .is_some_and(|backend| backend.starts_with("flit"))
        });
    if let Some(module) = flit {
        files.module(&module.replace('-', "_"), std::iter::empty());
    }
    files.found
}

fn version_files_of_setup_cfg(manifest: &SetupCfg, path: &EntryPath) -> Vec<EntryPath> {
    let directory = path.parent();
    let mut files = Files::new(directory.as_ref());
    match manifest
        .get("metadata", "version")
        .and_then(setup_cfg_source)
    {
        Some(SetupCfgSource::Attribute(attribute)) => {
            let root = manifest
                .get("options", "package_dir")
                .and_then(|value| value.trim().strip_prefix('='))
                .map(str::trim);
            files.attribute(
                attribute,
                manifest
                    .get("options.packages.find", "where")
                    .into_iter()
                    .chain(root),
            );
        }
        Some(SetupCfgSource::File(file)) => files.push(file),
        None => {}
    }
    files.found
}

enum SetupCfgSource<'a> {
    Attribute(&'a str),
    File(&'a str),
}

/// setuptools' `attr:` and `file:` directives.
fn setup_cfg_source(value: &str) -> Option<SetupCfgSource<'_>> {
    if let Some(attribute) = value.strip_prefix("attr:") {
        Some(SetupCfgSource::Attribute(attribute.trim()))
    } else {
        value
            .strip_prefix("file:")
            .map(|file| SetupCfgSource::File(file.trim()))
    }
}

/// Where a dynamic version comes from, for people and for the search of the commit that set it.
fn dynamic_source(manifest: &Pyproject, path: &EntryPath) -> Option<String> {
    version_files_of_pyproject(manifest, path)
        .first()
        .map(ToString::to_string)
        .or_else(|| {
            manifest
                .text(&["tool", "setuptools", "dynamic", "version", "attr"])
                .map(str::to_owned)
        })
}

fn poetry_is_dynamic(manifest: &Pyproject) -> bool {
    manifest
        .get(&["tool", "poetry-dynamic-versioning", "enable"])
        .and_then(toml::Value::as_bool)
        == Some(true)
}

fn stated(version: &str) -> StatedVersion {
    let version = version.trim().to_owned();
    if versions::is_placeholder(&version) {
        StatedVersion::Placeholder(version)
    } else {
        StatedVersion::Exact(version)
    }
}

fn package(name: &str) -> Option<PackageName> {
    PackageName::parse(Ecosystem::Pypi, name).ok()
}

/// Collects paths in a directory; one that would leave the tree is dropped.
struct Files<'a> {
    directory: Option<&'a EntryPath>,
    found: Vec<EntryPath>,
}

impl<'a> Files<'a> {
    const fn new(directory: Option<&'a EntryPath>) -> Self {
        Self {
            directory,
            found: Vec::new(),
        }
    }

    fn push(&mut self, file: &str) {
        let path = match self.directory {
            Some(directory) => directory.join(file),
            None => file.parse(),
        };
        if let Ok(path) = path
            && !self.found.contains(&path)
            && self.found.len() < 32
        {
            self.found.push(path);
        }
    }

    fn extend<'t>(&mut self, files: impl IntoIterator<Item = &'t str>) {
        for file in files {
            self.push(file);
        }
    }

    /// The files in which `package.module.attribute` may be assigned.
    fn attribute<'t>(&mut self, attribute: &str, roots: impl IntoIterator<Item = &'t str>) {
        if let Some((module, _)) = attribute.rsplit_once('.') {
            self.module(&module.replace('.', "/"), roots);
        }
    }

    fn module<'t>(&mut self, module: &str, roots: impl IntoIterator<Item = &'t str>) {
        for root in roots.into_iter().chain(["src", "."]) {
            self.push(&format!("{root}/{module}.py"));
            self.push(&format!("{root}/{module}/__init__.py"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(file: &str, content: &str, name: Option<&str>, version: &StatedVersion) {
        let identity = of_manifest(&file.parse().unwrap(), content.as_bytes()).unwrap();
        assert_eq!(
            identity.name.as_ref().map(PackageName::as_str),
            name,
            "{content}"
        );
        assert_eq!(identity.version, *version, "{content}");
    }

    fn exact(version: &str) -> StatedVersion {
        StatedVersion::Exact(version.to_owned())
    }

    fn dynamic(source: &str) -> StatedVersion {
        StatedVersion::Dynamic(Some(source.to_owned()))
    }

    #[test]
    fn stated_versions_are_read_from_every_manifest() {
        check(
            "pyproject.toml",
            "[project]\nname='My_X'\nversion='1.0'",
            Some("my-x"),
            &exact("1.0"),
        );
        check(
            "pyproject.toml",
            "[tool.poetry]\nname='x'\nversion='1.0'",
            Some("x"),
            &exact("1.0"),
        );
        check(
            "pyproject.toml",
            "[project]\nname='x'\ndynamic=['version']\n[tool.poetry]\nversion='1.0'",
            Some("x"),
            &exact("1.0"),
        );
        check(
            "setup.cfg",
            "[metadata]\nname = x\nversion = 1.0\n",
            Some("x"),
            &exact("1.0"),
        );
        check(
            "setup.py",
            "setup(name='x', version='1.0')",
            Some("x"),
            &exact("1.0"),
        );
    }

    #[test]
    fn placeholders_and_absences_are_told_apart() {
        let placeholder = StatedVersion::Placeholder("0.0.0.dev0".to_owned());
        check(
            "pyproject.toml",
            "[project]\nname='x'\nversion='0.0.0.dev0'",
            Some("x"),
            &placeholder,
        );
        check(
            "pyproject.toml",
            "[build-system]\nrequires=[]",
            None,
            &StatedVersion::Absent,
        );
        check("setup.py", "version = '1.0'", None, &StatedVersion::Absent);
        check(
            "setup.py",
            "setup(name='x', version=read())",
            Some("x"),
            &StatedVersion::Dynamic(None),
        );
    }

    #[test]
    fn dynamic_versions_name_their_file() {
        let project = "[project]\nname='x-y'\ndynamic=['version']\n";
        for (tool, source) in [
            (
                "[tool.hatch.version]\npath='src/x/__about__.py'",
                "packages/x/src/x/__about__.py",
            ),
            (
                "[tool.setuptools.dynamic]\nversion={file='VERSION'}",
                "packages/x/VERSION",
            ),
            (
                "[tool.setuptools.dynamic]\nversion={attr='x.about.__version__'}",
                "packages/x/src/x/about.py",
            ),
            (
                "[tool.pdm.version]\nsource='file'\npath='x/v.py'",
                "packages/x/x/v.py",
            ),
            (
                "[build-system]\nbuild-backend='flit_core.buildapi'",
                "packages/x/src/x_y.py",
            ),
        ] {
            check(
                "packages/x/pyproject.toml",
                &format!("{project}{tool}"),
                Some("x-y"),
                &dynamic(source),
            );
        }
        check(
            "setup.cfg",
            "[metadata]\nname=x\nversion = attr: x.__version__",
            Some("x"),
            &dynamic("src/x.py"),
        );
    }

    #[test]
    fn versions_from_git_name_no_file() {
        let none = StatedVersion::Dynamic(None);
        let project = "[project]\nname='x'\ndynamic=['version']\n";
        check(
            "pyproject.toml",
            &format!("{project}[tool.hatch.version]\nsource='vcs'"),
            Some("x"),
            &none,
        );
        check(
            "pyproject.toml",
            &format!("{project}[tool.hatch.version]\npath='../../etc/passwd'"),
            Some("x"),
            &none,
        );
        check(
            "pyproject.toml",
            "[tool.poetry]\nname='x'\nversion='1.0'\n[tool.poetry-dynamic-versioning]\nenable=true",
            Some("x"),
            &none,
        );
    }

    #[test]
    fn files_state_versions_in_many_ways() {
        for text in [
            "1.2.3\n",
            "__version__ = '1.2.3'",
            "{\"version\": \"1.2.3\"}",
            "import os\nVERSION: str = \"1.2.3\"\n",
        ] {
            assert_eq!(
                version_in_file(text.as_bytes()).as_deref(),
                Some("1.2.3"),
                "{text}"
            );
        }
        for text in [
            "",
            "__version__ = metadata.version('x')",
            "setup(version='1.2.3')",
            "{",
            "[1]",
        ] {
            assert_eq!(version_in_file(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_manifest_panics_and_no_version_file_lies_outside(
            bytes: Vec<u8>,
            pyproject in "(\\[(project|tool\\.(hatch\\.version|setuptools\\.dynamic|pdm\\.version|flit\\.metadata))\\]\n|(name|version|dynamic|path|source|from|module)='(\\.\\./|/|[a-z.]|nodejs){0,4}'\n|version=\\{(file|attr)='(\\.\\.|/|[a-z]){0,5}'\\}\n){0,8}",
            setup_cfg in "(\\[(metadata|options|options\\.packages\\.find)\\]\n|(version|name|where|package_dir) ?= ?(attr:|file:|=)?(\\.\\.|/|[a-z]){0,5}\n){0,8}",
        ) {
            for (file, content) in [("p/pyproject.toml", pyproject.as_bytes()), ("p/setup.cfg", setup_cfg.as_bytes())] {
                for content in [content, bytes.as_slice()] {
                    let path: EntryPath = file.parse().unwrap();
                    drop(of_manifest(&path, content));
                    let _version = version_in_file(content);
                    for file in version_files(&path, content) {
                        prop_assert!(file.as_str().starts_with("p/"));
                        prop_assert!(!file.as_str().split('/').any(|part| part == ".."));
                    }
                }
            }
        }
    }
}
