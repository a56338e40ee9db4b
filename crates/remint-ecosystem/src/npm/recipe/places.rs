//! The folders that commands of a workflow are about.

use globset::GlobBuilder;

use crate::npm::folder::Folder;
use crate::npm::project::{Project, manifest_in};
use crate::workflow::script::Command;

/// The folder in whose manifest a script is looked up.
pub(super) fn script_folder(command: &Command, here: &Folder, project: &Project<'_>) -> Folder {
    let directory = ["--prefix", "-C", "--dir", "--cwd"]
        .iter()
        .find_map(|option| command.option(option));
    if let Some(folder) = directory.and_then(|directory| here.join(directory)) {
        return folder;
    }
    let member = ["--workspace", "-w", "--filter", "-F"]
        .iter()
        .find_map(|option| command.option(option))
        .and_then(|name| {
            project
                .members
                .get(name.trim_end_matches("..."))
                .map(|member| member.folder.clone())
                .or_else(|| {
                    here.join(name)
                        .filter(|folder| project.member_in(folder).is_some())
                })
        });
    member.unwrap_or_else(|| here.clone())
}

/// The folder whose package a publish command publishes: its argument, its workspace option, or here.
pub(super) fn publish_folder(command: &Command, here: &Folder, project: &Project<'_>) -> Folder {
    let argument = command
        .words
        .iter()
        .skip_while(|word| !matches!(word.as_str(), "publish" | "pack"))
        .skip(1)
        .find(|word| !word.starts_with('-'))
        .filter(|word| word.starts_with('.') || word.contains('/'))
        .filter(|word| {
            !word.ends_with(".tgz")
                && !word.contains('$')
                && !word.starts_with('@')
                && !word.contains("://")
        });
    match argument.and_then(|argument| here.join(argument)) {
        Some(folder) if manifest_in(project.tree, &folder).is_some() => folder,
        _ => script_folder(command, here, project),
    }
}

/// Whether `text`, each of its expressions standing for anything within a path part, is this path.
pub(super) fn matches_with_unknowns(text: &str, path: &str) -> bool {
    let mut pattern = String::new();
    let mut rest = text.trim_start_matches("./").trim_end_matches('/');
    while let Some((before, after)) = rest.split_once("${{") {
        let Some((_, after)) = after.split_once("}}") else {
            return false;
        };
        pattern.push_str(before);
        pattern.push('*');
        rest = after;
    }
    pattern.push_str(rest);
    GlobBuilder::new(&pattern)
        .literal_separator(pattern.contains('/'))
        .build()
        .is_ok_and(|glob| glob.compile_matcher().is_match(path))
}
