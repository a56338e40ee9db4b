//! The package in its surroundings: where its workspace begins, which siblings it has, and in which order those
//! have to be built that it needs.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use remint_model::{SourcePin, SourceTree};
use serde_json::Value;

use crate::npm::folder::Folder;
use crate::npm::locate;
use crate::npm::manifest::{Manifest, plain};
use crate::release::MetadataError;
use crate::yaml;

/// Lockfiles, each in the folder where its package manager is run.
const LOCKFILES: [&str; 6] = [
    "pnpm-lock.yaml",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
];

/// A package and its workspace.
#[derive(Debug, Clone)]
pub(crate) struct Project<'a> {
    /// The source.
    pub(crate) tree: &'a SourceTree,
    /// Where the package's manifest lies.
    pub(crate) folder: Folder,
    /// The package's manifest.
    pub(crate) manifest: Manifest,
    /// Where dependencies are installed: the root of the workspace, or the package itself.
    pub(crate) root: Folder,
    /// The manifest there; empty where there is none (a `pnpm-workspace.yaml` alone).
    pub(crate) root_manifest: Manifest,
    /// `pnpm-workspace.yaml`, where there is one.
    pub(crate) pnpm_workspace: Value,
    /// The packages of the workspace by name, this one included.
    pub(crate) members: BTreeMap<String, Member>,
}

/// One package of a workspace.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Where its manifest lies.
    pub(crate) folder: Folder,
    /// Its manifest.
    pub(crate) manifest: Manifest,
}

impl<'a> Project<'a> {
    /// Looks around the manifest at the pinned folder.
    pub(crate) fn find(tree: &'a SourceTree, pin: &SourcePin) -> Result<Self, MetadataError> {
        let folder = Folder::from(pin.subdirectory.clone());
        let path = folder.path("package.json");
        let content = tree
            .texts
            .get(path.as_str())
            .ok_or_else(|| MetadataError::Missing(path.clone()))?;
        let manifest = Manifest::parse(&path, content)?;
        let root = workspace_root(tree, &folder);
        let root_manifest = manifest_in(tree, &root).unwrap_or_default();
        let members = members(tree, &root);
        Ok(Self {
            tree,
            folder,
            manifest,
            pnpm_workspace: pnpm_workspace(tree, &root),
            root_manifest,
            root,
            members,
        })
    }

    /// Whether one lockfile pins the whole workspace, which pnpm alone can be told otherwise.
    pub(crate) fn shares_lockfile(&self) -> bool {
        let in_settings = self.root_text(".npmrc").is_some_and(|text| {
            text.lines().any(|line| {
                line.split_once('=').is_some_and(|(key, value)| {
                    key.trim() == "shared-workspace-lockfile" && value.trim() == "false"
                })
            })
        });
        !in_settings
            && self.pnpm_workspace.get("sharedWorkspaceLockfile") != Some(&Value::Bool(false))
    }

    /// Whether the package is a member below the workspace root rather than the root itself.
    pub(crate) fn is_member(&self) -> bool {
        self.folder != self.root
    }

    /// The member that has its manifest here.
    pub(crate) fn member_in(&self, folder: &Folder) -> Option<&Member> {
        self.members
            .values()
            .find(|member| member.folder == *folder)
    }

    /// A text of the tree in the workspace root.
    pub(crate) fn root_text(&self, name: &str) -> Option<&'a str> {
        self.tree.text(&self.root.path(name))
    }

    /// The siblings that this package needs to be built before it, dependencies first.
    pub(crate) fn needed_siblings(&self) -> Vec<&Member> {
        let mut done = BTreeSet::new();
        let mut order = Vec::new();
        if let Some(name) = self.manifest.text("name") {
            done.insert(name);
        }
        self.visit(&self.manifest, &mut done, &mut order);
        order
    }

    /// Depth first; the set of visited names ends cycles, and the workspace's size bounds the depth.
    fn visit<'b>(
        &'b self,
        manifest: &'b Manifest,
        done: &mut BTreeSet<&'b str>,
        order: &mut Vec<&'b Member>,
    ) {
        for list in [
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
        ] {
            for (name, requirement) in manifest.dependencies(list) {
                let Some(member) = self.members.get(name) else {
                    continue;
                };
                if is_local(&requirement, member) && done.len() < 1000 && done.insert(name) {
                    self.visit(&member.manifest, done, order);
                    order.push(member);
                }
            }
        }
    }
}

/// Whether a requirement is met by the workspace's own package rather than by a published one.
fn is_local(requirement: &str, member: &Member) -> bool {
    if ["workspace:", "file:", "link:", "portal:"]
        .iter()
        .any(|protocol| requirement.starts_with(protocol))
    {
        return true;
    }
    if requirement.contains(':') || requirement.contains('/') {
        return false;
    }
    let version = member.manifest.text("version").unwrap_or("0.0.0");
    match (
        nodejs_semver::Version::parse(version),
        nodejs_semver::Range::parse(requirement),
    ) {
        (Ok(version), Ok(range)) => range.satisfies(&version),
        _ => true,
    }
}

/// The folder whose workspace contains the package, or the one whose lockfile covers it.
fn workspace_root(tree: &SourceTree, folder: &Folder) -> Folder {
    folder
        .upwards()
        .skip(1)
        .find(|root| {
            workspace_patterns(tree, root)
                .is_some_and(|patterns| folder.below(root).is_some_and(|path| patterns.hold(path)))
        })
        .or_else(|| {
            folder
                .upwards()
                .find(|root| LOCKFILES.iter().any(|name| tree.has(&root.path(name))))
        })
        // A lockfile further up that belongs to another package does not make a root of it, unless it has a
        // manifest at all.
        .filter(|root| {
            tree.has(&root.path("package.json")) || tree.has(&root.path("pnpm-workspace.yaml"))
        })
        .unwrap_or_else(|| folder.clone())
}

/// The packages of the workspace that begins at `root`; empty where none does.
fn members(tree: &SourceTree, root: &Folder) -> BTreeMap<String, Member> {
    let Some(patterns) = workspace_patterns(tree, root) else {
        return BTreeMap::new();
    };
    tree.texts
        .keys()
        .filter(|path| locate::is_manifest(path))
        .map(Folder::of)
        .filter(|folder| {
            folder
                .below(root)
                .is_some_and(|path| path == "." || patterns.hold(path))
        })
        .filter_map(|folder| {
            let manifest = manifest_in(tree, &folder)?;
            let name = manifest.text("name")?.to_owned();
            Some((name, Member { folder, manifest }))
        })
        .collect()
}

pub(crate) fn manifest_in(tree: &SourceTree, folder: &Folder) -> Option<Manifest> {
    let path = folder.path("package.json");
    Manifest::parse(&path, tree.texts.get(path.as_str())?).ok()
}

fn pnpm_workspace(tree: &SourceTree, root: &Folder) -> Value {
    tree.text(&root.path("pnpm-workspace.yaml"))
        .and_then(|text| yaml::parse(text).ok())
        .unwrap_or_default()
}

/// The folders that a workspace takes in.
struct Patterns {
    wanted: GlobSet,
    unwanted: GlobSet,
}

impl Patterns {
    fn hold(&self, path: &str) -> bool {
        self.wanted.is_match(path) && !self.unwanted.is_match(path)
    }
}

fn workspace_patterns(tree: &SourceTree, root: &Folder) -> Option<Patterns> {
    let from_pnpm = texts(pnpm_workspace(tree, root).get("packages"));
    let patterns = if from_pnpm.is_empty() {
        let manifest = manifest_in(tree, root)?;
        let workspaces = manifest.get("workspaces")?;
        texts(workspaces.get("packages").or(Some(workspaces)))
    } else {
        from_pnpm
    };
    if patterns.is_empty() {
        return None;
    }
    let mut wanted = GlobSetBuilder::new();
    let mut unwanted = GlobSetBuilder::new();
    for pattern in patterns.iter().take(1000) {
        let (set, pattern) = match pattern.strip_prefix('!') {
            Some(pattern) => (&mut unwanted, pattern),
            None => (&mut wanted, pattern.as_str()),
        };
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        // A pattern that no tool understands takes nothing in.
        if let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() {
            set.add(glob);
        }
    }
    Some(Patterns {
        wanted: wanted.build().ok()?,
        unwanted: unwanted.build().ok()?,
    })
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|item| item.is_string())
        .map(plain)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, tree};

    fn root_of(files: &[(&str, &str)], folder: &str) -> String {
        let tree = tree(files);
        let folder = Folder::default().join(folder).unwrap();
        workspace_root(&tree, &folder).to_string()
    }

    #[test]
    fn the_workspace_that_takes_the_package_in_is_its_root() {
        let package = ("packages/a/package.json", r#"{"name":"a"}"#);
        let npm = ("package.json", r#"{"workspaces":["packages/*"]}"#);
        assert_eq!(root_of(&[package, npm], "packages/a"), ".");
        let yarn = (
            "package.json",
            r#"{"workspaces":{"packages":["./packages/*/"]}}"#,
        );
        assert_eq!(root_of(&[package, yarn], "packages/a"), ".");
        let pnpm = (
            "pnpm-workspace.yaml",
            "packages: ['packages/**', '!packages/b']",
        );
        assert_eq!(root_of(&[package, pnpm], "packages/a"), ".");
        let other = (
            "package.json",
            r#"{"workspaces":["apps/*","!packages/a","packages/*"]}"#,
        );
        assert_eq!(root_of(&[package, other], "packages/a"), "packages/a");
        let broken = ("package.json", r#"{"workspaces":["[", 7, "{{{{"]}"#);
        assert_eq!(root_of(&[package, broken], "packages/a"), "packages/a");
    }

    #[test]
    fn without_a_workspace_the_nearest_lockfile_with_a_manifest_decides() {
        let package = ("a/package.json", r#"{"name":"a"}"#);
        let manifest = ("package.json", "{}");
        let lock = ("package-lock.json", "{}");
        let own = ("a/package-lock.json", "{}");
        assert_eq!(root_of(&[package, manifest, lock], "a"), ".");
        assert_eq!(root_of(&[package, manifest, lock, own], "a"), "a");
        assert_eq!(root_of(&[package, lock], "a"), "a");
        assert_eq!(root_of(&[package], "a"), "a");
    }

    #[test]
    fn siblings_come_in_the_order_of_their_dependencies() {
        let tree = tree(&[
            (
                "package.json",
                r#"{"name":"root","workspaces":["packages/*"]}"#,
            ),
            (
                "packages/a/package.json",
                r#"{"name":"a","version":"1.0.0","dependencies":{"b":"^2.0.0","c":"*","x":"1"}}"#,
            ),
            (
                "packages/b/package.json",
                r#"{"name":"b","version":"2.1.0","devDependencies":{"c":"workspace:*","a":"*"}}"#,
            ),
            (
                "packages/c/package.json",
                r#"{"name":"c","version":"3.0.0"}"#,
            ),
            (
                "packages/d/package.json",
                r#"{"name":"d","version":"1.0.0"}"#,
            ),
        ]);
        let project = Project::find(&tree, &pin(Some("packages/a"))).unwrap();
        let names: Vec<_> = project
            .needed_siblings()
            .iter()
            .filter_map(|member| member.manifest.text("name"))
            .collect();
        assert_eq!(names, ["c", "b"]);
    }

    #[test]
    fn a_published_version_is_no_sibling() {
        let tree = tree(&[
            ("package.json", r#"{"workspaces":["packages/*"]}"#),
            (
                "packages/a/package.json",
                r#"{"name":"a","dependencies":{"b":"^1.0.0","c":"npm:other@1"}}"#,
            ),
            (
                "packages/b/package.json",
                r#"{"name":"b","version":"2.1.0"}"#,
            ),
            (
                "packages/c/package.json",
                r#"{"name":"c","version":"2.1.0"}"#,
            ),
        ]);
        let project = Project::find(&tree, &pin(Some("packages/a"))).unwrap();
        assert_eq!(project.needed_siblings().len(), 0);
    }
}
