//! The install steps, and what they may fetch.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    Assumption, AssumptionKind, EntryPath, Lock, LockedFetch, Phase, SourceTree, Step,
};

use crate::npm::assemble::Assembler;
use crate::npm::folder::Folder;
use crate::npm::lockfile::{self, Locked};
use crate::npm::manager::{self, Locking, Manager};
use crate::npm::manifest::Manifest;
use crate::npm::nested;
use crate::npm::project::{Project, manifest_in};
use crate::release::MetadataError;
use crate::request::PlanError;

/// How dependencies get into the tree.
#[derive(Debug, Clone)]
pub(crate) struct Installation {
    /// The steps.
    pub(crate) steps: Vec<Step>,
    /// What they may fetch.
    pub(crate) lock: Lock,
    /// Whether the content of some dependency is in the tree itself.
    pub(crate) from_tree: bool,
    /// Whether some dependency has install scripts that a build may depend on.
    pub(crate) has_scripts: bool,
}

impl Default for Installation {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            lock: Lock::Nothing,
            from_tree: false,
            has_scripts: false,
        }
    }
}

impl Installation {
    /// Dependencies without a lockfile are what the registries offered then.
    pub(crate) fn assumption(&self, moment: i64) -> Option<Assumption> {
        matches!(self.lock, Lock::AsOf { .. }).then(|| Assumption {
            kind: AssumptionKind::ResolvedAsOf,
            value: jiff::Timestamp::from_second(moment)
                .map_or_else(|_| moment.to_string(), |time| time.to_string()),
            from: "no lockfile".to_owned(),
        })
    }
}

/// The installation of the workspace, and of other folders where the workflow installed too.
///
/// Lockfiles are held to be in step with their manifests only if `frozen` says so.
pub(crate) fn installation(
    assembler: &Assembler<'_>,
    frozen: bool,
) -> Result<Installation, PlanError> {
    let project = assembler.project;
    let mut installation = Installation::default();
    let mut fetches = Vec::new();
    let mut main = None;
    let mut unlocked = false;
    let mut places = vec![(
        project.root.clone(),
        assembler.installer.manager,
        assembler.installer.lockfile.clone(),
    )];
    let steps = assembler.recipe.map_or(&[][..], |recipe| &recipe.steps);
    let mut others: BTreeSet<Folder> = nested::stepped_into(project, steps).into_iter().collect();
    others.extend(
        assembler
            .recipe
            .into_iter()
            .flat_map(|recipe| recipe.other_installs.iter().cloned())
            .filter(|folder| manifest_in(project.tree, folder).is_some()),
    );
    for folder in &others {
        let (manager, lockfile) = manager::of_folder(project, folder)
            .map_or((Manager::Npm, None), |(manager, path)| {
                (manager, Some(path))
            });
        places.push((folder.clone(), manager, lockfile));
    }
    for (at, (folder, manager, lockfile)) in places.into_iter().enumerate() {
        if at == 0 && !has_dependencies(project) {
            continue;
        }
        let mut locking = match lockfile {
            Some(_) => Locking::Whole,
            None => Locking::None,
        };
        if let Some(path) = &lockfile {
            match manager::format(path) {
                None => {
                    main = Some(Lock::Opaque { file: path.clone() });
                    let insists = assembler
                        .recipe
                        .and_then(|recipe| recipe.installs.first())
                        .is_none_or(|install| install.frozen);
                    if !frozen || !insists {
                        locking = Locking::Partly;
                        unlocked = true;
                    }
                }
                Some(format) => {
                    let found = read(project.tree, path, format)?;
                    installation.from_tree |= !found.from_tree.is_empty();
                    installation.has_scripts |= found.has_scripts;
                    if !frozen || !manager::is_in_step(project, &folder, path) {
                        locking = Locking::Partly;
                        unlocked = true;
                    }
                    fetches.extend(found.fetches);
                    if at == 0 && manager == Manager::Pnpm && !project.shares_lockfile() {
                        for path in own_lockfiles(project) {
                            let found = read(project.tree, &path, format)?;
                            installation.from_tree |= !found.from_tree.is_empty();
                            fetches.extend(found.fetches);
                        }
                    }
                    if main.is_none() {
                        main = Some(Lock::Locked {
                            file: path.clone(),
                            fetches: Vec::new(),
                        });
                    }
                }
            }
        } else {
            unlocked = true;
        }
        installation
            .steps
            .push(step(assembler, &folder, manager, locking));
    }
    installation.lock = if installation.steps.is_empty() {
        Lock::Nothing
    } else if unlocked {
        Lock::AsOf {
            time: Some(assembler.circumstances.moment),
        }
    } else {
        match main {
            Some(Lock::Locked { file, .. }) => Lock::Locked {
                file,
                fetches: deduplicated(fetches),
            },
            Some(other) => other,
            None => Lock::Nothing,
        }
    };
    Ok(installation)
}

/// The lockfiles of the members, where each has its own.
fn own_lockfiles(project: &Project<'_>) -> Vec<EntryPath> {
    project
        .members
        .values()
        .filter(|member| member.folder != project.root)
        .filter_map(|member| {
            member
                .folder
                .path("pnpm-lock.yaml")
                .parse::<EntryPath>()
                .ok()
        })
        .filter(|path| project.tree.has(path.as_str()))
        .collect()
}

fn step(assembler: &Assembler<'_>, folder: &Folder, manager: Manager, locking: Locking) -> Step {
    let project = assembler.project;
    let mut command = manager::install(manager, locking);
    // Where nothing is shared, only what the package needs has to be installed.
    if manager == Manager::Pnpm
        && *folder == project.root
        && project.is_member()
        && !project.shares_lockfile()
        && let Some(name) = project.manifest.text("name")
    {
        command.extend(manager::words(&[
            "--filter",
            &format!("{name}..."),
            "--filter",
            "{.}",
        ]));
    }
    let mut step = assembler.step(Phase::Install, folder, command);
    if manager == Manager::YarnBerry {
        step.environment = BTreeMap::from([
            ("YARN_ENABLE_SCRIPTS".to_owned(), "0".to_owned()),
            (
                "YARN_ENABLE_IMMUTABLE_INSTALLS".to_owned(),
                if locking == Locking::Whole { "1" } else { "0" }.to_owned(),
            ),
        ]);
    }
    step
}

fn read(
    tree: &SourceTree,
    path: &EntryPath,
    format: lockfile::Format,
) -> Result<Locked, PlanError> {
    let malformed = |reason: String| {
        PlanError::Manifest(MetadataError::Malformed {
            what: path.to_string(),
            reason,
        })
    };
    let text = tree
        .text(path.as_str())
        .ok_or_else(|| malformed("it is too large or no UTF-8".to_owned()))?;
    let locked = lockfile::parse(format, text).map_err(|error| malformed(error.to_string()))?;
    match locked.git.first() {
        Some(git) => Err(PlanError::Unsupported(format!(
            "`{path}` takes a dependency from git (`{}`), which is not fetched",
            git.chars().take(200).collect::<String>()
        ))),
        None => Ok(locked),
    }
}

/// Whether anything is to be installed at all.
fn has_dependencies(project: &Project<'_>) -> bool {
    project
        .members
        .values()
        .map(|member| &member.manifest)
        .chain([&project.manifest, &project.root_manifest])
        .any(Manifest::has_dependencies)
}

fn deduplicated(mut fetches: Vec<LockedFetch>) -> Vec<LockedFetch> {
    fetches.sort_by(|one, other| {
        (&one.name, &one.version, &one.url).cmp(&(&other.name, &other.version, &other.url))
    });
    fetches.dedup();
    fetches
}
