//! `go.work` files (Go modules reference, "Workspaces"): whether a program was built in the workspace of its repository,
//! which it does not say itself.

use std::collections::BTreeSet;

use remint_model::{EntryPath, GoBuildInfo, SourceTree};

use crate::golang::go_mod::{GoMod, uses};

/// Nobody has more modules in one workspace.
const MOST: usize = 1000;

/// Whether the program was linked with a module zip of something that the workspace has as a folder: then the workspace
/// was turned off, because in it go takes the folder.
pub(super) fn was_left_out(tree: &SourceTree, info: &GoBuildInfo) -> bool {
    let linked: BTreeSet<&str> = info
        .dependencies
        .iter()
        .filter(|one| one.replaced_by.is_none() && one.required.sum.is_some())
        .map(|one| one.required.path.as_str())
        .collect();
    let works = tree
        .texts
        .iter()
        .filter(|(path, _)| path.file_name() == "go.work");
    works
        .flat_map(|(path, content)| {
            let folders = uses(content).unwrap_or_default();
            folders
                .into_iter()
                .filter_map(move |folder| go_mod_in(path.parent().as_ref(), &folder))
                .take(MOST)
        })
        .filter_map(|path| GoMod::parse(tree.texts.get(path.as_str())?).ok()?.module)
        .any(|module| linked.contains(module.as_str()))
}

/// The path of a used module's `go.mod`, from the root of the repository; `None` where it is outside of it.
fn go_mod_in(directory: Option<&EntryPath>, folder: &str) -> Option<String> {
    let mut parts: Vec<&str> =
        directory.map_or_else(Vec::new, |path| path.as_str().split('/').collect());
    for part in folder.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    parts.push("go.mod");
    Some(parts.join("/"))
}
