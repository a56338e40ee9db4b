//! What a publisher ran, read from the publish workflow of the repository: package manager, tool versions, the
//! steps between install and publish. A recipe is a hint about a build, never a fact about a file.

mod commands;
mod compound;
mod expressions;
mod gather;
mod places;
mod score;
mod walk;

use std::collections::BTreeMap;

use remint_model::EntryPath;

use crate::npm::folder::Folder;
use crate::npm::manager::Manager;
use crate::npm::project::Project;
use crate::workflow;

pub(crate) use commands::{Kind, classify, is_check, keeps_to_itself, leaves_the_tree, serves};
pub(crate) use compound::{Pieces, read as pieces, writes_plainly};
pub(crate) use expressions::Known;
pub(crate) use walk::never_holds;

/// How a release was made, as far as a workflow tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The workflow.
    pub(crate) path: EntryPath,
    /// The job in it.
    pub(crate) job: String,
    /// The package managers that installed dependencies, the first one first.
    pub(crate) installs: Vec<Install>,
    /// Folders other than the workspace's in which dependencies were installed.
    pub(crate) other_installs: Vec<Folder>,
    /// What ran between checkout and publish, checks and installs left out.
    pub(crate) steps: Vec<Replay>,
    /// What ran there besides, may have made files, and cannot be repeated.
    pub(crate) left_out: Vec<String>,
    /// The publish command.
    pub(crate) publish: Publish,
    /// Tool versions: `node`, `npm`, `pnpm`, `yarn`, `bun` with a version, range or `latest`.
    pub(crate) tools: BTreeMap<&'static str, String>,
}

/// An install command of a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Install {
    /// By which package manager.
    pub(crate) manager: Manager,
    /// Whether it insists that the lockfile is in step.
    pub(crate) frozen: bool,
}

/// One thing to be done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replay {
    /// A script for a shell.
    Run {
        /// Where it runs.
        folder: Folder,
        /// Commands, one a line.
        script: String,
        /// Its variables.
        environment: BTreeMap<String, String>,
        /// Whether it builds the workspace as a whole.
        scope: Scope,
    },
    /// The version is written into the manifest here.
    Stamp,
}

/// What a replayed script is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// It builds every package of a workspace.
    Workspace,
    /// It builds this package.
    Package,
    /// Something else.
    Other,
}

/// How the package was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publish {
    /// By what.
    pub(crate) by: Publisher,
    /// Where.
    pub(crate) folder: Folder,
    /// Whether lifecycle scripts were switched off.
    pub(crate) ignore_scripts: bool,
}

/// What published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Publisher {
    /// A package manager's own command.
    Manager(Manager),
    /// A release tool that calls npm: semantic-release, release-it, np, lerna, publish actions.
    Npm,
    /// changesets, which calls pnpm where pnpm installs and npm elsewhere.
    Changesets,
}

/// The recipe that fits this package best, if any workflow publishes it.
pub(crate) fn find(project: &Project<'_>, known: &Known<'_>) -> Option<Recipe> {
    let workflows = workflow::all(project.tree);
    workflows
        .iter()
        .flat_map(|workflow| workflow.jobs.iter().map(move |job| (workflow, job)))
        .filter_map(|(workflow, job)| walk::read(project, known, workflow, job))
        .filter(|candidate| candidate.score > 0)
        .max_by(|one, other| {
            // Of equals the first in path order, so that the choice does not depend on anything else.
            (one.score, std::cmp::Reverse(&one.recipe.path))
                .cmp(&(other.score, std::cmp::Reverse(&other.recipe.path)))
        })
        .map(|candidate| candidate.recipe)
}
