//! Puts one plan together: tools, edits, steps, and what of all that the source does not say.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    Action, Assumption, AssumptionKind, BuildPlan, CloneShape, Edit, EntryPath, OnFailure, Output,
    Phase, Step, Worth,
};

use crate::npm::folder::Folder;
use crate::npm::install::{self, Installation};
use crate::npm::lifecycle;
use crate::npm::manager::{self, Chosen, Manager, words};
use crate::npm::project::Project;
use crate::npm::recipe::{Known, Recipe};
use crate::npm::settings;
use crate::npm::snapshot;
use crate::npm::stamp::{self, Written};
use crate::npm::toolchain::{self, Circumstances};
use crate::request::{PlanError, PlanRequest};

/// Where the packed file appears.
const OUTPUT: &str = "/out";

/// Everything that all plans of one request share.
pub(crate) struct Assembler<'a> {
    pub(crate) request: &'a PlanRequest<'a>,
    pub(crate) project: &'a Project<'a>,
    pub(crate) recipe: Option<&'a Recipe>,
    pub(crate) circumstances: Circumstances<'a>,
    pub(crate) known: Known<'a>,
    pub(crate) installer: &'a Chosen,
    pub(crate) packer: &'a Chosen,
}

/// What distinguishes one plan from the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variant {
    /// For people.
    pub(crate) name: String,
    /// What runs between install and pack.
    pub(crate) building: Building,
    /// When a missing version is written.
    pub(crate) stamp: StampAt,
    /// What of git there is.
    pub(crate) shape: CloneShape,
    /// Where the tree lies.
    pub(crate) build_path: String,
    /// Who packs.
    pub(crate) packer: Manager,
    /// Whether the packer's lifecycle scripts run.
    pub(crate) lifecycle: bool,
    /// What is done besides, or otherwise.
    pub(crate) extras: BTreeSet<Extra>,
    /// Whether it leaves out steps that the source names and that may write published files.
    pub(crate) shortcut: bool,
}

/// A deviation that a variant may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extra {
    /// Install scripts of dependencies run, offline, before the build.
    DependencyScripts,
    /// Files named for the version are stamped too.
    VersionFiles,
    /// A build that the packer's scripts do again is done twice, as the publisher did.
    Twice,
    /// The lockfile is taken to be behind its manifest, in a way that only its package manager can see.
    StaleLockfile,
    /// bun is the newest of its time, whatever the project names: it does not insist on itself.
    NewestBun,
    /// Tools are those of the commit's time, not of the release's.
    ToolsOfCommit,
}

/// What runs between install and pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Building {
    /// Nothing, not even an install.
    Nothing,
    /// The build script alone.
    Plain,
    /// What the manifests say.
    Manifest,
    /// What the publish workflow says; builds of a whole workspace are narrowed to what the package needs, or
    /// not.
    Recipe {
        /// Whether the whole workspace is built.
        whole_workspace: bool,
    },
}

/// When a missing version is written into the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StampAt {
    /// Before anything else.
    First,
    /// Where the workflow does it.
    Recipe,
    /// After the build, before the packer.
    Last,
}

impl Assembler<'_> {
    /// The plan of one variant.
    pub(crate) fn plan(&self, variant: &Variant) -> Result<BuildPlan, PlanError> {
        let mut assumptions = Vec::new();
        let mut edits = self.stamps(variant, &mut assumptions);
        let installation = if variant.building == Building::Nothing {
            Installation::default()
        } else {
            install::installation(self, !variant.extras.contains(&Extra::StaleLockfile))?
        };
        if variant.building != Building::Nothing {
            edits.extend(settings::edits(self.project, self.installer.manager));
        }
        assumptions.extend(installation.assumption(self.circumstances.moment));
        assumptions.extend(self.left_out());
        let mut steps = installation.steps.clone();
        if variant.building != Building::Nothing {
            let mut variant = variant.clone();
            if !installation.has_scripts {
                // Without such scripts this is another plan's twin, and is dropped as one.
                variant.extras.remove(&Extra::DependencyScripts);
            }
            self.build(&variant, &mut steps, &mut assumptions);
        }
        if variant.lifecycle {
            self.before_pack(variant, &mut steps);
        }
        if variant.stamp == StampAt::Last {
            steps.extend(self.stamp_step());
        }
        if variant.building != Building::Nothing {
            self.release_quirks(variant, &mut steps, &mut assumptions);
        }
        steps.push(self.step(
            Phase::Pack,
            &self.project.folder,
            manager::pack(
                variant.packer,
                OUTPUT,
                variant.lifecycle && !self.ignores_scripts(),
            ),
        ));
        let mut managers = vec![variant.packer];
        if variant.building != Building::Nothing {
            managers.push(self.installer.manager);
            managers.extend(
                lifecycle::called_managers(self.project)
                    .into_iter()
                    .filter_map(|name| self.manager_called(name)),
            );
        }
        let newest_bun = variant.extras.contains(&Extra::NewestBun);
        let mut circumstances = self.circumstances;
        if variant.extras.contains(&Extra::ToolsOfCommit) {
            circumstances.moment = self.request.pin.commit_time;
        }
        let (tools, guesses) = toolchain::tools(&circumstances, &managers, newest_bun);
        assumptions.extend(guesses);
        if self.packer.guessed && variant.packer == self.packer.manager {
            assumptions.push(Assumption {
                kind: AssumptionKind::ToolchainGuess,
                value: format!("{} packed", variant.packer.name()),
                from: self.packer.because.clone(),
            });
        }
        if variant.build_path != crate::npm::plan::BUILD_PATH {
            assumptions.push(Assumption {
                kind: AssumptionKind::BuildPath,
                value: variant.build_path.clone(),
                from: "source maps in the published file".to_owned(),
            });
        }
        Ok(BuildPlan {
            variant: variant.name.clone(),
            worth: if variant.extras.contains(&Extra::StaleLockfile) {
                Worth::WhenNothingBuilt
            } else if variant.shortcut {
                Worth::Shortcut
            } else {
                Worth::Always
            },
            tools,
            build_path: variant.build_path.clone(),
            clone_shape: variant.shape,
            snapshot_inputs: snapshot::inputs(self.project, &installation),
            edits: merged(edits),
            crlf: Vec::new(),
            steps,
            environment: self.environment(variant),
            lock: installation.lock,
            output: Output {
                directory: OUTPUT.to_owned(),
                ending: ".tgz".to_owned(),
            },
            assumptions,
        })
    }

    /// What the publish workflow ran besides, and no plan repeats.
    fn left_out(&self) -> impl Iterator<Item = Assumption> {
        self.recipe.into_iter().flat_map(|recipe| {
            recipe.left_out.iter().map(|step| Assumption {
                kind: AssumptionKind::ReleaseSteps,
                value: format!("left out: {step}"),
                from: format!("{}, job {}", recipe.path, recipe.job),
            })
        })
    }

    /// The edits that write name and version, if the source does not carry them.
    fn stamps(&self, variant: &Variant, assumptions: &mut Vec<Assumption>) -> Vec<Edit> {
        let (needed, renamed) = (&self.request.pin.stamp, &self.request.pin.renamed);
        assumptions.extend(renamed.as_ref().map(|renamed| Assumption {
            kind: AssumptionKind::NameStamp,
            value: renamed.wanted.to_string(),
            from: format!("`{}` names it", renamed.named_in),
        }));
        assumptions.extend(needed.as_ref().map(|needed| Assumption {
            kind: AssumptionKind::VersionStamp,
            value: needed.wanted.to_string(),
            from: needed.because.clone(),
        }));
        let found = needed.as_ref().and_then(|needed| needed.found.as_deref());
        let version = needed.as_ref().map(|needed| needed.wanted.as_str());
        let written = Written {
            name: renamed.as_ref().map(|renamed| renamed.wanted.as_str()),
            version: version.filter(|_| variant.stamp == StampAt::First),
        };
        let mut edits = Vec::from_iter(stamp::manifest(self.project, self.request.survey, written));
        if let (Some(found), Some(wanted)) = (found, version) {
            let mut more = stamp::companions(self.project, self.request.survey, found, wanted);
            if variant.extras.contains(&Extra::VersionFiles) {
                more.extend(stamp::version_files(self.project, found, wanted));
            }
            assumptions.extend(more.iter().map(|edit| Assumption {
                kind: AssumptionKind::VersionStamp,
                value: format!("{wanted} in {}", edit.path),
                from: "the release".to_owned(),
            }));
            edits.extend(more);
        }
        edits
    }

    /// Writes the version as release tools do, by npm.
    pub(crate) fn stamp_step(&self) -> Option<Step> {
        let wanted = self.request.pin.stamp.as_ref()?.wanted.as_str();
        let mut step = self.step(
            Phase::Build,
            &self.project.folder,
            words(&[
                "npm",
                "version",
                wanted,
                "--no-git-tag-version",
                "--allow-same-version",
            ]),
        );
        // Its own scripts may want to push; the version is written before they run.
        step.on_failure = OnFailure::GoesOn;
        Some(step)
    }

    /// Whether the publisher switched lifecycle scripts off.
    pub(crate) fn ignores_scripts(&self) -> bool {
        self.recipe
            .is_some_and(|recipe| recipe.publish.ignore_scripts)
    }

    /// A package manager that some script calls, in the generation that the project uses.
    fn manager_called(&self, name: &str) -> Option<Manager> {
        if self.installer.manager.name() == name {
            return Some(self.installer.manager);
        }
        Manager::named(name, None)
    }

    /// A step with the variables that keep package managers off the network where they have none.
    pub(crate) fn step(&self, phase: Phase, folder: &Folder, argv: Vec<String>) -> Step {
        let offline: &[(&str, &str)] = match phase {
            Phase::Install => &[],
            Phase::Build | Phase::Pack => {
                &[("npm_config_offline", "true"), ("YARN_ENABLE_NETWORK", "0")]
            }
        };
        Step {
            phase,
            directory: folder.to_directory(),
            action: Action::Run { argv },
            environment: offline
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            on_failure: OnFailure::Ends,
        }
    }

    fn environment(&self, variant: &Variant) -> BTreeMap<String, String> {
        let mut variables = vec![
            ("npm_config_cache", "/home/build/.npm"),
            ("npm_config_update_notifier", "false"),
            ("npm_config_audit", "false"),
            ("npm_config_fund", "false"),
            ("npm_config_progress", "false"),
            ("DO_NOT_TRACK", "1"),
            ("TURBO_TELEMETRY_DISABLED", "1"),
            ("NEXT_TELEMETRY_DISABLED", "1"),
            ("NX_DAEMON", "false"),
        ];
        let managers = [self.installer.manager, variant.packer];
        if managers.contains(&Manager::Pnpm) {
            variables.extend([
                ("npm_config_manage_package_manager_versions", "false"),
                ("npm_config_verify_deps_before_run", "false"),
                ("npm_config_store_dir", "/home/build/.pnpm-store"),
                ("pnpm_config_manage_package_manager_versions", "false"),
                ("pnpm_config_pm_on_fail", "ignore"),
                ("pnpm_config_verify_deps_before_run", "false"),
                ("pnpm_config_store_dir", "/home/build/.pnpm-store"),
                // A registry's trimmed metadata fails this policy, which is about trust and not about bytes.
                ("pnpm_config_trust_policy", "off"),
                ("pnpm_config_minimum_release_age", "0"),
            ]);
        }
        if managers
            .iter()
            .any(|manager| matches!(manager, Manager::YarnClassic | Manager::YarnBerry))
        {
            variables.extend([
                ("YARN_IGNORE_PATH", "1"),
                ("YARN_ENABLE_TELEMETRY", "0"),
                ("YARN_ENABLE_PROGRESS_BARS", "0"),
                ("YARN_ENABLE_GLOBAL_CACHE", "0"),
                ("YARN_ENABLE_HARDENED_MODE", "0"),
                ("YARN_NPM_REGISTRY_SERVER", "https://registry.npmjs.org"),
                ("YARN_CACHE_FOLDER", "/home/build/.yarn-cache"),
            ]);
            if managers.contains(&Manager::YarnBerry) {
                // Plug'n'Play reads packages from the cache, which therefore stays with the tree.
                variables.retain(|(name, _)| *name != "YARN_CACHE_FOLDER");
            }
        }
        if self.recipe.is_some() {
            variables.push(("CI", "true"));
        }
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// One edit a file; of two the later has the last word.
fn merged(edits: Vec<Edit>) -> Vec<Edit> {
    let mut by_path: BTreeMap<EntryPath, Edit> = BTreeMap::new();
    for edit in edits {
        by_path.insert(edit.path.clone(), edit);
    }
    by_path.into_values().collect()
}
