//! The files that, with the tools and the commands, decide what an install makes.

use std::collections::BTreeSet;

use remint_model::{EntryPath, Lock};

use crate::npm::folder::Folder;
use crate::npm::install::Installation;
use crate::npm::project::Project;

/// Manifests, lockfiles and settings that an install reads in a folder.
const READ: [&str; 11] = [
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "yarn.lock",
    "bun.lock",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    "bunfig.toml",
];

/// The files, in path order; none where the lockfile does not settle everything, where archives or folders of the
/// tree itself are installed, or where the tree comes with folders that only an install should make.
pub(crate) fn inputs(project: &Project<'_>, installation: &Installation) -> Vec<EntryPath> {
    let file = match &installation.lock {
        Lock::Locked { file, .. } | Lock::Opaque { file } if !installation.from_tree => file,
        Lock::Locked { .. }
        | Lock::Opaque { .. }
        | Lock::Nothing
        | Lock::AsOf { .. }
        | Lock::Modules(_) => {
            return Vec::new();
        }
    };
    let comes_installed = |path: &EntryPath| {
        path.as_str()
            .split('/')
            .any(|part| part.eq_ignore_ascii_case("node_modules"))
    };
    if project.tree.entries.keys().any(comes_installed) {
        return Vec::new();
    }
    let folders: BTreeSet<Folder> = project
        .members
        .values()
        .map(|member| member.folder.clone())
        .chain([project.root.clone(), project.folder.clone()])
        .chain(
            installation
                .steps
                .iter()
                .map(|step| Folder::from(step.directory.clone())),
        )
        .collect();
    let mut inputs = BTreeSet::from([file.clone()]);
    for folder in &folders {
        inputs.extend(
            READ.iter()
                .filter_map(|name| folder.path(name).parse::<EntryPath>().ok())
                .filter(|path| project.tree.has(path.as_str())),
        );
    }
    inputs.extend(
        project
            .tree
            .entries
            .keys()
            .filter(|path| path.extension() == Some("patch"))
            .cloned(),
    );
    inputs.into_iter().collect()
}
