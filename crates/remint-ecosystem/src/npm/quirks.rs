//! Habits of release pipelines that the repository does not show and the published file does: scripts deleted from
//! the manifest, permission bits lost on the way. They are only ever taken up where they take something away.

use std::collections::BTreeSet;

use remint_model::Survey;
use serde_json::Value;

use crate::npm::lifecycle;
use crate::npm::manifest::Manifest;
use crate::npm::project::Project;
use crate::npm::stamp::{blob_id, printed, published_blob};

/// Build tools that make programs executable.
const MAKE_EXECUTABLE: [&str; 4] = ["chmod", "tshy", "tsup", "tsdown"];

/// Scripts that packing runs, in its order: whoever deletes one has to run it first.
pub(crate) const RUN_BEFORE_DELETED: [&str; 2] = ["prepack", "prepare"];

/// Scripts of the source's manifest whose deletion, and nothing else besides the version, gives the published
/// manifest byte for byte.
pub(crate) fn deleted_scripts(
    project: &Project<'_>,
    survey: &Survey,
    version: &str,
) -> Vec<String> {
    let path = project.folder.path("package.json");
    let (Some(source), Some(published)) = (
        project.tree.texts.get(path.as_str()),
        survey
            .text("package.json")
            .and_then(|content| Manifest::parse("package.json", content).ok()),
    ) else {
        return Vec::new();
    };
    let deleted: Vec<String> = project
        .manifest
        .object("scripts")
        .into_iter()
        .flatten()
        .map(|(name, _)| name)
        .filter(|name| {
            published
                .object("scripts")
                .is_none_or(|scripts| !scripts.contains_key(*name))
        })
        // The published file must not decide what of its build is left out, nor which hooks the source seems to have:
        // what packing runs is run before it is deleted, and the others are deleted only where they do nothing.
        .filter(|name| {
            !lifecycle::IMPLICIT_SCRIPTS.contains(&name.as_str())
                || RUN_BEFORE_DELETED.contains(&name.as_str())
                || lifecycle::does_nothing(project, survey, name)
        })
        // What npm itself would read as a path into the object is no plain name.
        .filter(|name| !name.contains(['.', '[', ']']) && !name.starts_with('-'))
        .cloned()
        .collect();
    if deleted.is_empty() {
        return deleted;
    }
    let without = printed(source, |fields| {
        fields.insert("version".to_owned(), Value::from(version));
        if let Some(Value::Object(scripts)) = fields.get_mut("scripts") {
            scripts.retain(|name, _| !deleted.contains(name));
        }
    });
    match without {
        Some(content) if Some(&blob_id(&content)) == published_blob(survey, "package.json") => {
            deleted
        }
        Some(_) | None => Vec::new(),
    }
}

/// The made folders whose files lost their executable bits: the published programs have none, though the build
/// uses a tool that sets them.
pub(crate) fn folders_without_modes(project: &Project<'_>, survey: &Survey) -> Vec<String> {
    let sets = project
        .manifest
        .object("scripts")
        .into_iter()
        .flatten()
        .filter_map(|(_, command)| command.as_str())
        .any(|command| MAKE_EXECUTABLE.iter().any(|tool| command.contains(tool)));
    let any_executable = survey.entries.iter().any(|entry| entry.mode & 0o111 != 0);
    if !sets || any_executable {
        return Vec::new();
    }
    let programs: Vec<&str> = match project.manifest.get("bin") {
        Some(Value::String(path)) => vec![path],
        Some(Value::Object(paths)) => paths.values().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => {
            Vec::new()
        }
    };
    let folders: BTreeSet<&str> = programs
        .into_iter()
        .map(|path| path.trim_start_matches("./"))
        .filter(|path| {
            survey
                .entries
                .iter()
                .any(|entry| entry.path.as_str() == *path)
        })
        .filter(|path| !project.tree.has(&project.folder.path(path)))
        .filter_map(|path| Some(path.split_once('/')?.0))
        .filter(|folder| !folder.starts_with('-'))
        .collect();
    folders.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, survey, tree};

    const SOURCE: &str = "{\n  \"version\": \"1.0.0\",\n  \"scripts\": {\n    \"build\": \"tshy\",\n    \"prepare\": \"husky\"\n  },\n  \"bin\": \"dist/a.js\"\n}\n";

    fn deleted(published: &str) -> Vec<String> {
        let tree = tree(&[("package.json", SOURCE)]);
        let project = Project::find(&tree, &pin(None)).unwrap();
        deleted_scripts(&project, &survey(&[("package.json", published)]), "1.0.0")
    }

    #[test]
    fn a_deleted_script_is_known_only_where_it_explains_every_byte() {
        let without = SOURCE.replace(",\n    \"prepare\": \"husky\"", "");
        assert_eq!(deleted(&without), ["prepare"]);
        assert_eq!(deleted(SOURCE), Vec::<String>::new());
        assert_eq!(
            deleted(&without.replace("tshy", "evil")),
            Vec::<String>::new()
        );
        assert_eq!(
            deleted(&without.replace("dist/a.js", "evil.js")),
            Vec::<String>::new()
        );
        assert_eq!(deleted("{}"), Vec::<String>::new());
    }

    #[test]
    fn a_script_that_installing_or_publishing_runs_is_deleted_only_where_it_does_nothing() {
        for (name, command, expect) in [
            ("preprepack", "node gen.js", false),
            ("prepublishOnly", "node gen.js", false),
            ("postinstall", "node guard.js", false),
            ("preinstall", "echo hello", true),
            ("prepack", "echo hello", true),
            ("watch", "tsc -w", true),
        ] {
            let source = SOURCE.replace("prepare", name).replace("husky", command);
            let without = SOURCE.replace(",\n    \"prepare\": \"husky\"", "");
            let tree = tree(&[("package.json", &source)]);
            let project = Project::find(&tree, &pin(None)).unwrap();
            let found = deleted_scripts(&project, &survey(&[("package.json", &without)]), "1.0.0");
            assert_eq!(found, if expect { vec![name] } else { vec![] }, "{name}");
        }
    }

    #[test]
    fn lost_modes_need_a_tool_that_sets_them_and_a_program_without() {
        let check = |manifest: &str, mode: u32, expect: &[&str]| {
            let tree = tree(&[("package.json", manifest)]);
            let project = Project::find(&tree, &pin(None)).unwrap();
            let mut survey = survey(&[("package.json", manifest), ("dist/a.js", "x")]);
            for entry in &mut survey.entries {
                entry.mode = mode;
            }
            assert_eq!(
                folders_without_modes(&project, &survey),
                expect,
                "{manifest}"
            );
        };
        check(SOURCE, 0o644, &["dist"]);
        check(SOURCE, 0o755, &[]);
        check(&SOURCE.replace("tshy", "tsc"), 0o644, &[]);
        check(&SOURCE.replace("dist/a.js", "../../etc/a.js"), 0o644, &[]);
        check(&SOURCE.replace("dist/a.js", "-R/a.js"), 0o644, &[]);
    }
}
