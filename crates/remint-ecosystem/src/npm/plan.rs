//! Turns a source tree into build plans: looks at the project, decides who installs and who packs, and lines up
//! the variants worth trying.

use std::collections::BTreeSet;

use remint_model::{BuildPlan, CloneShape, EntryPath, Worth};

use crate::npm::assemble::{Assembler, Building, Extra, StampAt, Variant};
use crate::npm::build_path;
use crate::npm::lifecycle;
use crate::npm::manager::{self, Manager};
use crate::npm::project::Project;
use crate::npm::recipe::{self, Known, Replay, Scope};
use crate::npm::toolchain::Circumstances;
use crate::request::{PlanError, PlanRequest};

/// The most plans that are proposed; each may cost a whole build.
const MOST: usize = 6;

/// How long after its commit a release is so late that a mirror's time may have been taken for it, in seconds.
const LATE: i64 = 30 * 86_400;

/// Where the tree lies when nothing says otherwise. Tools that leave out `**/build/**` would leave out all of a tree
/// at `/build`.
pub(crate) const BUILD_PATH: &str = "/remint";

pub(crate) fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let project = Project::find(request.tree, request.pin)?;
    let learnt = build_path::learn(&project, request.survey);
    let repository = owner_and_name(&request.pin.repository);
    let known = Known {
        version: request.target.version.as_str(),
        reference: request
            .pin
            .release_reference()
            .unwrap_or(request.target.version.as_str()),
        event: None,
        commit: request.pin.commit.as_str(),
        repository: &repository,
        build_path: learnt.as_deref().unwrap_or(BUILD_PATH),
    };
    let recipe = recipe::find(&project, &known);
    let installer = manager::installer(&project, recipe.as_ref(), request.survey);
    let packer = manager::packer(&project, recipe.as_ref(), request.survey, installer.manager);
    let assembler = Assembler {
        request,
        project: &project,
        recipe: recipe.as_ref(),
        circumstances: Circumstances {
            project: &project,
            recipe: recipe.as_ref(),
            hints: request.hints,
            moment: moment(request),
            native_pnpm: request
                .survey
                .gzip
                .is_some_and(|gzip| gzip.extra_flags == 0 && gzip.os == 255),
        },
        known,
        installer: &installer,
        packer: &packer,
    };
    let variants = variants(&assembler, learnt.as_deref());
    let mut plans: Vec<BuildPlan> = Vec::new();
    let mut refused = None;
    for variant in variants {
        match assembler.plan(&variant) {
            Ok(plan) => {
                let deeds = |plan: &BuildPlan| BuildPlan {
                    variant: String::new(),
                    worth: Worth::Always,
                    ..plan.clone()
                };
                let same = |other: &BuildPlan| deeds(other) == deeds(&plan);
                if !plans.iter().any(same) {
                    plans.push(plan);
                }
            }
            Err(error) => refused = Some(error),
        }
    }
    plans.truncate(MOST);
    if assembler.installer.lockfile.is_some() {
        let mut stale = first_choice(&assembler, learnt.as_deref());
        "lockfile behind its manifest".clone_into(&mut stale.name);
        stale.extras.insert(Extra::StaleLockfile);
        plans.extend(assembler.plan(&stale));
    }
    // Whether what they leave out matters shows once all others were tried.
    plans.sort_by_key(|plan| plan.worth == Worth::Shortcut);
    match refused {
        Some(error) if plans.is_empty() => Err(error),
        _ => Ok(plans),
    }
}

/// The builds worth trying, best first.
fn variants(assembler: &Assembler<'_>, learnt: Option<&str>) -> Vec<Variant> {
    let project = assembler.project;
    let stamp = assembler.request.pin.stamp.is_some();
    let recipe = assembler.recipe;
    let first = first_choice(assembler, learnt);
    let history = first.shape == CloneShape::History;
    let with = |name: &str, change: &dyn Fn(&mut Variant)| {
        let mut variant = first.clone();
        name.clone_into(&mut variant.name);
        change(&mut variant);
        variant
    };
    let mut variants = Vec::new();
    let replays = recipe.is_some_and(|recipe| {
        recipe
            .steps
            .iter()
            .any(|step| matches!(step, Replay::Run { .. }))
    });
    let source_only = lifecycle::is_source_only(project, assembler.request.survey).then(|| {
        with("files of the tag, nothing built", &|variant| {
            variant.building = Building::Nothing;
            variant.lifecycle = false;
            variant.shortcut = replays;
        })
    });
    // What a workflow does before it publishes may write what is committed as well.
    if !replays {
        variants.extend(source_only.clone());
    }
    // Nothing makes a person who publishes by hand use the bun that the project names.
    let newest_bun = with("with the newest bun of the time", &|variant| {
        variant.extras.insert(Extra::NewestBun);
    });
    if recipe.is_none() && assembler.installer.manager == Manager::Bun {
        variants.push(newest_bun.clone());
    }
    variants.push(first.clone());
    variants.push(newest_bun.clone());
    let uses_bun = assembler.installer.manager == Manager::Bun
        || lifecycle::called_managers(project).contains("bun");
    let late = assembler
        .circumstances
        .moment
        .saturating_sub(assembler.request.pin.commit_time)
        > LATE;
    if uses_bun && late {
        // The release may be much younger than the commit, and then so is its time at a mirror.
        variants.push(Variant {
            name: "with the newest bun of the commit's time".to_owned(),
            extras: BTreeSet::from([Extra::NewestBun, Extra::ToolsOfCommit]),
            ..newest_bun
        });
    }
    if history {
        variants.push(with("before the tag existed", &|variant| {
            variant.shape = CloneShape::HistoryWithoutTag;
        }));
    }
    variants.push(with("scripts of dependencies run", &|variant| {
        variant.extras.insert(Extra::DependencyScripts);
    }));
    variants.push(with("every build repeated", &|variant| {
        variant.extras.insert(Extra::Twice);
    }));
    if stamp {
        variants.push(with("version written at another moment", &|variant| {
            variant.stamp = match variant.stamp {
                StampAt::First => StampAt::Last,
                StampAt::Recipe | StampAt::Last => StampAt::First,
            };
        }));
        variants.push(with(
            "version written into version files as well",
            &|variant| {
                variant.stamp = StampAt::First;
                variant.extras.insert(Extra::VersionFiles);
            },
        ));
    }
    let whole = recipe.is_some_and(|recipe| {
        recipe.steps.iter().any(|step| {
            matches!(
                step,
                Replay::Run {
                    scope: Scope::Workspace,
                    ..
                }
            )
        })
    });
    if whole && project.is_member() {
        variants.push(with("the whole workspace built", &|variant| {
            variant.building = Building::Recipe {
                whole_workspace: true,
            };
        }));
    }
    if recipe.is_some() {
        variants.push(with("by the manifest's scripts alone", &|variant| {
            variant.building = Building::Manifest;
            variant.shortcut = replays;
        }));
    }
    if lifecycle::build_script(&project.manifest).is_some() {
        // Who publishes by hand builds first, and then lets the scripts of packing do their part.
        variants.push(with("built, then packed", &|variant| {
            variant.building = Building::Plain;
            variant.shortcut = replays;
        }));
        let adds = lifecycle::packing_adds_to_build(project, assembler.request.survey);
        variants.push(with("built, then packed without scripts", &|variant| {
            variant.building = Building::Plain;
            variant.lifecycle = false;
            variant.shortcut = replays || adds;
        }));
    }
    if replays {
        variants.extend(source_only);
    }
    if learnt.is_some() {
        variants.push(with("at a neutral path", &|variant| {
            BUILD_PATH.clone_into(&mut variant.build_path);
        }));
    }
    if assembler.request.survey.gzip.is_none() && assembler.installer.manager != Manager::Npm {
        variants.push(with("packed by the other packer", &|variant| {
            variant.packer = if variant.packer == Manager::Npm {
                assembler.installer.manager
            } else {
                Manager::Npm
            };
        }));
    }
    variants
}

/// What the project and the release say, taken at their word.
fn first_choice(assembler: &Assembler<'_>, learnt: Option<&str>) -> Variant {
    let recipe = assembler.recipe;
    let stamped_late = recipe.is_some_and(|recipe| {
        let stamp = recipe.steps.iter().position(|step| *step == Replay::Stamp);
        let build = recipe
            .steps
            .iter()
            .position(|step| matches!(step, Replay::Run { scope, .. } if *scope != Scope::Other));
        matches!((stamp, build), (Some(stamp), Some(build)) if build < stamp)
    });
    Variant {
        name: "as inferred".to_owned(),
        building: if recipe.is_some() {
            Building::Recipe {
                whole_workspace: false,
            }
        } else {
            Building::Manifest
        },
        stamp: if stamped_late {
            StampAt::Recipe
        } else {
            StampAt::First
        },
        shape: if wants_history(assembler.project) {
            CloneShape::History
        } else {
            CloneShape::Tip
        },
        build_path: learnt.unwrap_or(BUILD_PATH).to_owned(),
        packer: assembler.packer.manager,
        lifecycle: true,
        extras: BTreeSet::new(),
        shortcut: false,
    }
}

/// When the release was made, as well as it is known: a registry's time before the commit's is a mirror's.
fn moment(request: &PlanRequest<'_>) -> i64 {
    const DAY: i64 = 86_400;
    let committed = request.pin.commit_time;
    request
        .uploaded
        .filter(|uploaded| *uploaded >= committed.saturating_sub(DAY))
        .unwrap_or(committed)
}

/// Whether scripts of the project ask git for more than the current commit.
fn wants_history(project: &Project<'_>) -> bool {
    const QUESTIONS: [&str; 8] = [
        "git describe",
        "git log",
        "git rev-list",
        "git tag",
        "git-describe",
        "git-rev-sync",
        "simple-git",
        "--tags",
    ];
    let scripts = [&project.manifest, &project.root_manifest]
        .into_iter()
        .filter_map(|manifest| manifest.object("scripts"))
        .flatten()
        .filter(|(name, _)| {
            !name.contains("release") && !name.contains("version") && !name.contains("changelog")
        })
        .filter_map(|(_, command)| command.as_str());
    let files = project
        .tree
        .texts
        .iter()
        .filter(|(path, _)| is_build_program(path))
        .filter(|(path, _)| {
            !["release", "changelog", "publish"]
                .iter()
                .any(|word| path.as_str().contains(word))
        })
        .filter_map(|(_, content)| std::str::from_utf8(content).ok());
    scripts
        .chain(files)
        .any(|text| QUESTIONS.iter().any(|question| text.contains(question)))
}

fn owner_and_name(repository: &str) -> String {
    let mut parts = repository.trim_end_matches('/').rsplit('/');
    match (parts.next(), parts.next()) {
        (Some(name), Some(owner)) => format!("{owner}/{name}"),
        _ => String::new(),
    }
}

/// Manifests, lockfiles, settings, version files, workflows, and the programs that builds are made of.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    const NAMES: [&str; 38] = [
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        "yarn.lock",
        "bun.lock",
        ".npmrc",
        ".npmignore",
        ".gitignore",
        ".yarnrc",
        ".yarnrc.yml",
        "bunfig.toml",
        ".nvmrc",
        ".node-version",
        ".bun-version",
        ".tool-versions",
        "mise.toml",
        ".mise.toml",
        "lerna.json",
        "nx.json",
        "turbo.json",
        "rush.json",
        "project.json",
        ".releaserc",
        ".releaserc.json",
        ".releaserc.yaml",
        ".releaserc.yml",
        ".release-it.json",
        "release-please-config.json",
        "jsr.json",
        "deno.json",
        "server.json",
        "manifest.json",
        "smithery.yaml",
        "gemini-extension.json",
        "plugin.json",
        "README.md",
    ];
    if path
        .as_str()
        .split('/')
        .any(|part| matches!(part, "node_modules" | "bower_components"))
    {
        return false;
    }
    let name = path.file_name();
    let stem = name.split('.').next().unwrap_or_default();
    NAMES.contains(&name)
        || crate::workflow::is_of_interest(path)
        || (name.starts_with("tsconfig") && path.extension() == Some("json"))
        || matches!(stem, "version" | "_version" | "VERSION")
        || path.as_str().starts_with("patches/")
        || path.as_str() == ".changeset/config.json"
        || is_build_program(path)
}

/// A program or setting that a build runs: `scripts/x.js`, `build.mjs`, `tsup.config.ts`.
fn is_build_program(path: &EntryPath) -> bool {
    let program = matches!(
        path.extension(),
        Some("js" | "cjs" | "mjs" | "ts" | "cts" | "mts" | "sh" | "py")
    );
    let name = path.file_name();
    let in_scripts = path.as_str().split('/').any(|part| {
        matches!(
            part,
            "scripts" | "script" | "tools" | "build-scripts" | "bin"
        )
    });
    program
        && (in_scripts
            || name.contains(".config.")
            || ["build", "esbuild", "rollup", "webpack", "bundle", "compile"]
                .iter()
                .any(|word| name.starts_with(word)))
}
