//! How well a job that publishes fits the package and the kind of release.

use super::{Known, Publish, Publisher};
use crate::npm::manager::Manager;
use crate::npm::project::Project;
use crate::workflow::{Does, Job, Workflow};

/// Whether a text has a word for releases that are not for everybody.
pub(super) fn is_preliminary(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "canary",
        "nightly",
        "preview",
        "snapshot",
        "alpha",
        "beta",
        "rc",
        "next",
        "pre",
        "prerelease",
        "dev",
    ];
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|word| WORDS.contains(&word))
}

pub(super) fn score(
    project: &Project<'_>,
    known: &Known<'_>,
    workflow: &Workflow,
    job: &Job,
    publish: &Publish,
    command: &str,
) -> i32 {
    let mut score = 10;
    let whole_workspace = publish.folder == project.root;
    if publish.folder == project.folder {
        score += 4;
    } else if whole_workspace {
        let named = project
            .manifest
            .text("name")
            .into_iter()
            .chain([project.folder.as_str()])
            .any(|name| command.contains(name));
        let all = publish.by != Publisher::Manager(Manager::Npm)
            || command.contains("workspace")
            || command.contains(" -r")
            || command.contains("recursive");
        score += if named {
            4
        } else if all {
            2
        } else {
            -8
        };
    } else {
        score -= 20;
    }
    let names = format!("{} {} {command}", job.id, workflow.path).to_ascii_lowercase();
    let wanted = known.version.contains('-');
    if is_preliminary(&names) != wanted {
        score -= if wanted { 1 } else { 3 };
    }
    // A job that only packs is more often a trial than a release.
    if command.contains(" pack") {
        score -= 2;
    }
    let other_registry = job.steps.iter().any(|step| {
        matches!(&step.does, Does::Use(action, inputs) if action == "actions/setup-node"
            && inputs.get("registry-url").is_some_and(|url| !url.contains("registry.npmjs.org")))
    });
    if other_registry || command.contains("npm.pkg.github.com") {
        score -= 4;
    }
    if workflow.triggers.iter().any(|trigger| trigger == "release") {
        score += 1;
    }
    if workflow
        .triggers
        .iter()
        .all(|trigger| trigger.starts_with("pull_request"))
    {
        score -= 5;
    }
    score
}
