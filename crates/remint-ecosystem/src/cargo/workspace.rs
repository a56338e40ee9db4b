//! Where a package belongs to: the root of its workspace, whose manifest states what members inherit and beside which
//! `Cargo.lock` lies.

use remint_model::{EntryPath, SourceTree};
use toml::Value;

use crate::cargo::manifest::{Manifest, is_inherited};
use crate::release::MetadataError;

/// Nobody nests packages deeper.
const DEEPEST: usize = 64;

/// A package of a source tree with the workspace that it belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Where its manifest lies.
    pub(crate) path: EntryPath,
    /// Its folder; `None` is the root of the tree.
    pub(crate) directory: Option<EntryPath>,
    pub(crate) manifest: Manifest,
    /// The folder of the workspace; the package's own where it has none.
    pub(crate) root_directory: Option<EntryPath>,
    /// The workspace's manifest, where that is another one.
    root: Option<Manifest>,
}

impl Member {
    /// Reads the package in this folder.
    ///
    /// # Errors
    /// There is no manifest, or one of the two cannot be read.
    pub(crate) fn read(
        tree: &SourceTree,
        directory: Option<&EntryPath>,
    ) -> Result<Self, MetadataError> {
        let path: EntryPath = SourceTree::path_in(directory, "Cargo.toml")
            .parse()
            .map_err(|_| MetadataError::Missing("Cargo.toml".to_owned()))?;
        let manifest = read(tree, &path)?;
        let mut member = Self {
            root_directory: directory.cloned(),
            directory: directory.cloned(),
            root: None,
            path,
            manifest,
        };
        for candidate in roots(&member.path, &member.manifest) {
            if candidate == member.path {
                if member.manifest.is_workspace() {
                    return Ok(member);
                }
            } else if tree.has(candidate.as_str()) {
                let root = read(tree, &candidate)?;
                if root.is_workspace() {
                    member.root_directory = candidate.parent();
                    member.root = Some(root);
                    return Ok(member);
                }
            }
        }
        Ok(member)
    }

    /// The manifest of the workspace.
    pub(crate) fn root(&self) -> &Manifest {
        self.root.as_ref().unwrap_or(&self.manifest)
    }

    /// Where the manifest of the workspace lies.
    pub(crate) fn root_path(&self) -> String {
        SourceTree::path_in(self.root_directory.as_ref(), "Cargo.toml")
    }

    /// Where `Cargo.lock` lies, or would.
    pub(crate) fn lockfile(&self) -> String {
        SourceTree::path_in(self.root_directory.as_ref(), "Cargo.lock")
    }

    /// A field of the package, taken from the workspace where it is left to that.
    pub(crate) fn field(&self, field: &str) -> Option<&Value> {
        let value = self.manifest.get(&["package", field])?;
        if is_inherited(value) {
            self.root().get(&["workspace", "package", field])
        } else {
            Some(value)
        }
    }
}

fn read(tree: &SourceTree, path: &EntryPath) -> Result<Manifest, MetadataError> {
    let content = tree
        .texts
        .get(path.as_str())
        .ok_or_else(|| MetadataError::Missing(path.to_string()))?;
    Manifest::parse(path.as_str(), content)
}

/// The manifests that may be the root of a package's workspace, the nearest first: the one that it names, or else its
/// own and those of the folders above.
pub(crate) fn roots(path: &EntryPath, manifest: &Manifest) -> Vec<EntryPath> {
    if let Some(named) = manifest.text(&["package", "workspace"]) {
        let directory = path.parent();
        let below = directory.as_ref().map_or("", EntryPath::as_str);
        return resolve(below, named)
            .and_then(|directory| manifest_in(&directory))
            .into_iter()
            .collect();
    }
    let mut candidates = vec![path.clone()];
    let mut at = path.parent();
    while let Some(directory) = at
        && candidates.len() < DEEPEST
    {
        at = directory.parent();
        candidates.extend(manifest_in(at.as_ref().map_or("", EntryPath::as_str)));
    }
    candidates
}

fn manifest_in(directory: &str) -> Option<EntryPath> {
    match directory {
        "" => "Cargo.toml".parse().ok(),
        directory => format!("{directory}/Cargo.toml").parse().ok(),
    }
}

/// A relative path from a folder, as long as it stays in the tree.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    if path.starts_with('/') {
        return None;
    }
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> SourceTree {
        let mut tree = SourceTree::default();
        for (path, content) in files {
            let path: EntryPath = path.parse().unwrap();
            tree.texts.insert(path.clone(), content.as_bytes().to_vec());
            tree.entries.insert(
                path,
                remint_model::TreeEntry {
                    mode: 0o100_644,
                    blob: "0".repeat(40).parse().unwrap(),
                },
            );
        }
        tree
    }

    #[test]
    fn a_member_inherits_from_the_nearest_workspace() {
        let tree = tree(&[
            ("Cargo.toml", "[workspace.package]\nversion = '1.0.0'\n"),
            (
                "crates/Cargo.toml",
                "[package]\nname = 'between'\nversion = '9.0.0'\n",
            ),
            (
                "crates/x/Cargo.toml",
                "[package]\nname = 'x'\nversion.workspace = true\nedition = '2024'\n",
            ),
            (
                "alone/Cargo.toml",
                "[package]\nname = 'alone'\n[workspace]\n",
            ),
            (
                "far/y/Cargo.toml",
                "[package]\nname = 'y'\nworkspace = '../../alone'\nversion.workspace = true\n",
            ),
            (
                "out/Cargo.toml",
                "[package]\nname = 'out'\nworkspace = '../../..'\n",
            ),
        ]);
        let member = |directory: &str| {
            Member::read(&tree, Some(directory.parse().unwrap()).as_ref()).unwrap()
        };
        let x = member("crates/x");
        assert_eq!(x.field("version").unwrap().as_str(), Some("1.0.0"));
        assert_eq!(x.field("edition").unwrap().as_str(), Some("2024"));
        assert_eq!(x.lockfile(), "Cargo.lock");
        assert_eq!(member("alone").lockfile(), "alone/Cargo.lock");
        let y = member("far/y");
        assert_eq!(y.lockfile(), "alone/Cargo.lock");
        assert_eq!(y.field("version"), None);
        // A path out of the repository names no workspace.
        assert_eq!(member("out").lockfile(), "out/Cargo.lock");
        assert!(Member::read(&tree, Some(&"none".parse().unwrap())).is_err());
    }

    #[test]
    fn paths_stay_in_the_tree() {
        for (from, path, expect) in [
            ("a/b", "..", Some("a")),
            ("a/b", "../../", Some("")),
            ("a", "./x/../y", Some("a/y")),
            ("a", "../..", None),
            ("", "..", None),
            ("a", "/etc", None),
        ] {
            assert_eq!(resolve(from, path).as_deref(), expect, "{from} {path}");
        }
    }
}
