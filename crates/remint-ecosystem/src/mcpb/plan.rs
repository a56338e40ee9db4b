//! Bundles are held against the source's own files: no step is run for them.

use remint_model::{BuildPlan, EntryPath, SourceTree};

use super::manifest::MANIFEST;
use crate::npm::manifest::Manifest;
use crate::request::{PlanError, PlanRequest};

/// No build is known that makes a bundle.
///
/// # Errors
/// Always: what a bundle's files are held against are the files of the source.
pub(crate) fn plan(_: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    Err(PlanError::Unsupported(
        "no build of bundles is known: their files are held against those of the source".to_owned(),
    ))
}

/// Manifests, lockfiles, and what is left out of bundles.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    let name = path.file_name();
    matches!(
        name,
        MANIFEST
            | "package.json"
            | "package-lock.json"
            | "npm-shrinkwrap.json"
            | "pnpm-lock.yaml"
            | "yarn.lock"
            | "bun.lock"
            | "uv.lock"
            | ".mcpbignore"
            | ".dxtignore"
    ) && !path.as_str().split('/').any(|part| part == "node_modules")
}

/// The script that would make files which the source does not hold, where the source has one.
#[must_use]
pub fn build_script(tree: &SourceTree, directory: Option<&EntryPath>) -> Option<String> {
    const SCRIPTS: [&str; 9] = [
        "build",
        "prepare",
        "prepack",
        "prepublishOnly",
        "postinstall",
        "compile",
        "bundle",
        "pack",
        "package",
    ];
    [directory, None].into_iter().find_map(|directory| {
        let path = SourceTree::path_in(directory, "package.json");
        let manifest = Manifest::parse(&path, tree.texts.get(path.as_str())?).ok()?;
        SCRIPTS
            .iter()
            .find(|name| manifest.script(name).is_some())
            .map(|name| format!("npm run {name}"))
    })
}
