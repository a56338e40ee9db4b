//! Writes the released version into the tree as release tooling would have: only where the pin says that the tree
//! does not carry it, and every change is listed.

use std::collections::BTreeMap;

use remint_model::{Assumption, AssumptionKind, Edit, EntryPath, Sha256, SourceTree, Stamp};

use crate::own_version::OwnVersion;
use crate::pypi::pyproject::Pyproject;
use crate::pypi::{identity, setup_py, versions};
use crate::request::PlanRequest;

/// No release tooling writes into more files.
const MOST_EDITS: usize = 32;

/// What makes a build carry the released version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stamping {
    pub(crate) edits: Vec<Edit>,
    pub(crate) assumptions: Vec<Assumption>,
}

/// The edits that the pin's stamp calls for; nothing where it calls for none.
pub(crate) fn edits(request: &PlanRequest<'_>, manifest: &Pyproject) -> Stamping {
    let Some(stamp) = &request.pin.stamp else {
        return Stamping::default();
    };
    let mut stamper = Stamper {
        request,
        stamp,
        wanted: spelling(request, stamp),
        changed: BTreeMap::new(),
    };
    stamper.manifests(manifest);
    stamper.version_files();
    stamper.confirmed();
    stamper.lockfile();
    stamper.finish()
}

/// The variables by which tools that compute versions from git are told one instead.
pub(crate) fn pretended(request: &PlanRequest<'_>) -> BTreeMap<String, String> {
    let version = request.target.version.as_str();
    [
        "SETUPTOOLS_SCM_PRETEND_VERSION",
        "UV_DYNAMIC_VERSIONING_BYPASS",
        "POETRY_DYNAMIC_VERSIONING_BYPASS",
        "PDM_BUILD_SCM_VERSION",
        "PBR_VERSION",
        "VERSIONEER_OVERRIDE",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), version.to_owned()))
    .collect()
}

/// The version as the publisher's manifest spelt it, where a published source archive shows that.
fn spelling(request: &PlanRequest<'_>, stamp: &Stamp) -> String {
    request
        .survey
        .text("pyproject.toml")
        .and_then(|content| Pyproject::parse("pyproject.toml", content).ok())
        .and_then(|published| {
            [&["project", "version"][..], &["tool", "poetry", "version"]]
                .into_iter()
                .find_map(|path| published.text(path).map(str::to_owned))
        })
        .filter(|version| versions::same(version, stamp.wanted.as_str()))
        .unwrap_or_else(|| stamp.wanted.to_string())
}

struct Stamper<'a> {
    request: &'a PlanRequest<'a>,
    stamp: &'a Stamp,
    wanted: String,
    changed: BTreeMap<EntryPath, (Vec<u8>, String)>,
}

impl Stamper<'_> {
    /// The version in `pyproject.toml`, `setup.cfg` and `setup.py`, wherever it is a literal.
    fn manifests(&mut self, manifest: &Pyproject) {
        for (table, path) in [
            ("project", &["project", "version"][..]),
            ("tool.poetry", &["tool", "poetry", "version"]),
        ] {
            if let Some(found) = manifest.text(path) {
                let found = found.to_owned();
                let wanted = self.wanted.clone();
                self.change("pyproject.toml", &found, |text| {
                    let text = in_toml(text, table, "version", &wanted)?;
                    let changed = Pyproject::parse("pyproject.toml", text.as_bytes()).ok()?;
                    (changed.text(path) == Some(&wanted)).then_some(text)
                });
            }
        }
        let wanted = self.wanted.clone();
        self.change("setup.cfg", "", |text| in_setup_cfg(text, &wanted));
        self.change("setup.py", "", |text| {
            in_python(text, &wanted, |literal| {
                literal.name == "version" && !literal.top_level
            })
        });
    }

    /// The file that a dynamic version is read from.
    fn version_files(&mut self) {
        for manifest in ["pyproject.toml", "setup.cfg"] {
            let path = self.path(manifest);
            let (Ok(entry), Some(content)) = (
                path.parse::<EntryPath>(),
                self.request.tree.texts.get(path.as_str()),
            ) else {
                continue;
            };
            for file in identity::version_files(&entry, content) {
                let Some(text) = self.request.tree.text(file.as_str()) else {
                    continue;
                };
                if let Some(changed) = in_version_file(text, &self.wanted) {
                    self.insert(file, text, changed, "the version is read from there");
                    // The first file that exists is the one that is read.
                    break;
                }
            }
        }
    }

    /// Other files that state the same old version, if the published file holds exactly what stamping makes of them.
    fn confirmed(&mut self) {
        let Some(found) = self.stamp.found.clone() else {
            return;
        };
        let entries: BTreeMap<&Sha256, &EntryPath> = self
            .request
            .survey
            .entries
            .iter()
            .map(|entry| (&entry.sha256, &entry.path))
            .collect();
        let own = OwnVersion {
            name: self.request.target.name.as_str(),
            found: &found,
            wanted: &self.wanted,
        };
        let mut confirmed = Vec::new();
        let directory = self.request.pin.subdirectory.as_ref();
        for path in self.request.tree.texts.keys() {
            let below = directory.is_none_or(|directory| path.below(directory).is_some());
            if !below || self.changed.contains_key(path) {
                continue;
            }
            let Some(text) = self.request.tree.text(path.as_str()) else {
                continue;
            };
            let changed = if path.extension() == Some("py") {
                in_python(text, &self.wanted, |literal| {
                    literal.top_level
                        && literal.value == found
                        && identity::VERSION_NAMES.contains(&literal.name.as_str())
                })
            } else {
                own.written_into(path.file_name(), text)
            };
            let Some(changed) = changed else { continue };
            let published = entries.get(&Sha256::of(changed.as_bytes()));
            if published.is_some_and(|published| published.file_name() == path.file_name()) {
                confirmed.push((path.clone(), text, changed));
            }
        }
        for (path, text, changed) in confirmed {
            let because = "the published file holds it with that version";
            self.insert(path, text, changed, because);
        }
    }

    /// The project's own entry in `uv.lock`, if the published file holds exactly what stamping makes of it: uv writes the
    /// version there whenever it locks, and what writes it into the manifest may do so, too.
    fn lockfile(&mut self) {
        let path = self.path("uv.lock");
        let Ok(entry) = path.parse::<EntryPath>() else {
            return;
        };
        let Some(text) = self.request.tree.text(&path) else {
            return;
        };
        let Some(changed) = in_uv_lock(text, self.request.target.name.as_str(), &self.wanted)
        else {
            return;
        };
        let digest = Sha256::of(changed.as_bytes());
        let mut published = self.request.survey.entries.iter();
        if published.any(|held| held.sha256 == digest && held.path.as_str() == "uv.lock") {
            let because = "the published file holds it with that version";
            self.insert(entry, text, changed, because);
        }
    }

    fn change(&mut self, name: &str, found: &str, change: impl Fn(&str) -> Option<String>) {
        let path = self.path(name);
        let Ok(entry) = path.parse::<EntryPath>() else {
            return;
        };
        if let Some(text) = self.request.tree.text(&path)
            && (found.is_empty() || !versions::same(found, &self.wanted))
            && let Some(changed) = change(text)
        {
            let because = self.stamp.because.clone();
            self.insert(entry, text, changed, &because);
        }
    }

    fn insert(&mut self, path: EntryPath, before: &str, after: String, because: &str) {
        if before != after && self.changed.len() < MOST_EDITS {
            self.changed
                .insert(path, (after.into_bytes(), because.to_owned()));
        }
    }

    fn path(&self, name: &str) -> String {
        SourceTree::path_in(self.request.pin.subdirectory.as_ref(), name)
    }

    fn finish(self) -> Stamping {
        let mut stamping = Stamping::default();
        for (path, (content, because)) in self.changed {
            stamping.assumptions.push(Assumption {
                kind: AssumptionKind::VersionStamp,
                value: format!("{} in {path}", self.wanted),
                from: because.clone(),
            });
            stamping.edits.push(Edit {
                because: format!("version {} written, because {because}", self.wanted),
                path,
                content,
            });
        }
        stamping
    }
}

/// Replaces a text value of a table, leaving every other byte as it is.
fn in_toml(text: &str, table: &str, key: &str, value: &str) -> Option<String> {
    let mut changed = String::with_capacity(text.len());
    let mut inside = false;
    let mut done = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some(header) = trimmed.strip_prefix('[') {
            let header: String = header
                .split(']')
                .next()
                .unwrap_or("")
                .chars()
                .filter(|c| !c.is_whitespace())
                .collect();
            inside = header == table;
        } else if inside
            && !done
            && let Some(rest) = trimmed.strip_prefix(key)
            && rest.trim_start().starts_with('=')
            && let Some(replaced) = in_quotes(line, value)
        {
            changed.push_str(&replaced);
            done = true;
            continue;
        }
        changed.push_str(line);
    }
    done.then_some(changed)
}

/// Replaces the version of the project itself, which uv knows by its source.
fn in_uv_lock(text: &str, name: &str, value: &str) -> Option<String> {
    const HEADER: &str = "[[package]]\n";
    let named = format!("name = \"{name}\"");
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find(HEADER) {
        let start = at.checked_add(found)?.checked_add(HEADER.len())?;
        let block = text.get(start..)?;
        let block = block.get(..block.find("\n[").unwrap_or(block.len()))?;
        let is_own = block.lines().any(|line| {
            matches!(
                line,
                "source = { editable = \".\" }" | "source = { virtual = \".\" }"
            )
        });
        if is_own && block.lines().any(|line| line == named) {
            let changed: String = block
                .split_inclusive('\n')
                .map(|line| match line.strip_prefix("version = ") {
                    Some(_) => in_quotes(line, value).unwrap_or_else(|| line.to_owned()),
                    None => line.to_owned(),
                })
                .collect();
            let end = start.checked_add(block.len())?;
            return Some(format!(
                "{}{changed}{}",
                text.get(..start)?,
                text.get(end..)?
            ));
        }
        at = start;
    }
    None
}

/// Replaces what stands between the first pair of quotes.
fn in_quotes(line: &str, value: &str) -> Option<String> {
    let open = line.find(['"', '\''])?;
    let quote = line.get(open..)?.chars().next()?;
    let inside = open.checked_add(1)?;
    let close = inside.checked_add(line.get(inside..)?.find(quote)?)?;
    Some(format!(
        "{}{value}{}",
        line.get(..inside)?,
        line.get(close..)?
    ))
}

/// Replaces a literal `version` of `[metadata]`.
fn in_setup_cfg(text: &str, value: &str) -> Option<String> {
    let mut changed = String::with_capacity(text.len());
    let mut inside = false;
    let mut done = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            inside = trimmed == "[metadata]";
        } else if inside
            && !done
            && let Some((key, old)) = line.split_once(['=', ':'])
            && key == key.trim_start()
            && key.trim() == "version"
            && versions::parse(old.trim()).is_some()
        {
            let before = line.len().checked_sub(old.len())?;
            let space = old.len().checked_sub(old.trim_start().len())?;
            let start = before.checked_add(space)?;
            let end = start.checked_add(old.trim().len())?;
            changed.push_str(line.get(..start)?);
            changed.push_str(value);
            changed.push_str(line.get(end..)?);
            done = true;
            continue;
        }
        changed.push_str(line);
    }
    done.then_some(changed)
}

/// Replaces the first literal of a Python file that is meant.
fn in_python(
    text: &str,
    value: &str,
    meant: impl Fn(&setup_py::Literal) -> bool,
) -> Option<String> {
    let literals = setup_py::literals(text.as_bytes());
    let place = literals
        .iter()
        .find(|literal| meant(literal))?
        .place
        .clone();
    Some(format!(
        "{}{value}{}",
        text.get(..place.start)?,
        text.get(place.end..)?
    ))
}

/// Replaces the version of a file that build backends read it from.
fn in_version_file(text: &str, value: &str) -> Option<String> {
    let plain = text.trim();
    if versions::parse(plain).is_some() {
        return Some(text.replacen(plain, value, 1));
    }
    if plain.starts_with('{') {
        let at = text.find("\"version\"")?.checked_add("\"version\"".len())?;
        let changed = format!("{}{}", text.get(..at)?, in_quotes(text.get(at..)?, value)?);
        let stated = identity::version_in_file(changed.as_bytes());
        return (stated.as_deref() == Some(value)).then_some(changed);
    }
    identity::VERSION_NAMES.iter().find_map(|name| {
        in_python(text, value, |literal| {
            literal.top_level && literal.name == *name
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_changes_the_version_and_nothing_else() {
        let text = "# version = \"0\"\n[tool.x]\nversion = \"0\"\n[project] # main\nname = 'x'\nversion = '0.0.0' # stamped\n";
        assert_eq!(
            in_toml(text, "project", "version", "1.2.3").unwrap(),
            text.replace("0.0.0", "1.2.3")
        );
        assert_eq!(in_toml(text, "tool.poetry", "version", "1"), None);
        let text = "[metadata]\nname = x\nversion = 0.0.0\n[options]\nversion = 0\n";
        assert_eq!(
            in_setup_cfg(text, "1.2.3").unwrap(),
            text.replace("0.0.0", "1.2.3")
        );
        assert_eq!(in_setup_cfg("[metadata]\nversion = attr: x\n", "1"), None);
    }

    #[test]
    fn a_lockfile_is_stamped_where_it_speaks_of_the_project_itself() {
        let lock = "version = 1\n\n[[package]]\nname = \"other\"\nversion = \"0.0.1\"\nsource = { editable = \"../other\" }\n\n[[package]]\nname = \"server\"\nversion = \"0.0.1\"\nsource = { editable = \".\" }\ndependencies = [\n    { name = \"other\", version = \"0.0.1\" },\n]\n\n[package.metadata]\nversion = \"0.0.1\"\n";
        let own = "name = \"server\"\nversion = ";
        let wanted = lock.replace(&format!("{own}\"0.0.1\""), &format!("{own}\"1.2.3\""));
        assert_ne!(wanted, lock);
        assert_eq!(in_uv_lock(lock, "server", "1.2.3"), Some(wanted));
        for text in [
            lock.replace("editable = \".\"", "registry = \".\""),
            lock.replace("\"server\"", "\"Server\""),
            "[[package]]\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(in_uv_lock(&text, "server", "1.2.3"), None, "{text}");
        }
    }

    #[test]
    fn version_files_of_every_kind_are_stamped() {
        for (before, after) in [
            ("__version__ = \"0.0.0-dev\"\n", "__version__ = \"1.2.3\"\n"),
            ("0.0.0\n", "1.2.3\n"),
            (
                "{\n \"name\": \"x\",\n \"version\": \"0.0.0\"\n}\n",
                "{\n \"name\": \"x\",\n \"version\": \"1.2.3\"\n}\n",
            ),
            (
                "import x\nVERSION: str = '0'  # y\n",
                "import x\nVERSION: str = '1.2.3'  # y\n",
            ),
        ] {
            assert_eq!(in_version_file(before, "1.2.3").as_deref(), Some(after));
        }
        for text in ["", "__version__ = read()", "{\"a\": {\"version\": \"0\"}}"] {
            assert_eq!(in_version_file(text, "1.2.3"), None, "{text}");
        }
    }
}
