//! Puts one plan together: tools, edits, steps, and what of all that the source does not say.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    Action, Assumption, AssumptionKind, BuildPlan, CloneShape, Edit, EntryPath, Lock, Output,
    Phase, Step,
};

use crate::npm::folder::Folder;
use crate::npm::install::{self, Installation};
use crate::npm::lifecycle::{self, Call};
use crate::npm::manager::{self, Chosen, Manager, words};
use crate::npm::manifest::Manifest;
use crate::npm::project::Project;
use crate::npm::quirks;
use crate::npm::recipe::{Known, Recipe, Replay, Scope};
use crate::npm::settings;
use crate::npm::stamp;
use crate::npm::toolchain::{self, Circumstances};
use crate::request::{PlanError, PlanRequest};
use crate::workflow::script::{Script, split};

/// Where the packed file appears.
const OUTPUT: &str = "/out";

/// Where steps of one workflow job hand variables to the next.
const HANDED_ON: &str = "/tmp/workflow-environment";

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
    /// A lockfile that only its package manager can read is taken to be behind its manifest.
    StaleLockfile,
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
            self.release_quirks(&mut steps, &mut assumptions);
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
        let (tools, guesses) = toolchain::tools(&self.circumstances, &managers);
        assumptions.extend(guesses);
        if variant.build_path != "/build" {
            assumptions.push(Assumption {
                kind: AssumptionKind::BuildPath,
                value: variant.build_path.clone(),
                from: "source maps in the published file".to_owned(),
            });
        }
        Ok(BuildPlan {
            variant: variant.name.clone(),
            tools,
            build_path: variant.build_path.clone(),
            clone_shape: variant.shape,
            snapshot_inputs: if installation.from_tree {
                Vec::new()
            } else {
                self.snapshot_inputs(&installation.lock)
            },
            edits: merged(edits),
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

    /// The edits that write the version, if the source does not carry it.
    fn stamps(&self, variant: &Variant, assumptions: &mut Vec<Assumption>) -> Vec<Edit> {
        let Some(needed) = &self.request.pin.stamp else {
            return Vec::new();
        };
        assumptions.push(Assumption {
            kind: AssumptionKind::VersionStamp,
            value: needed.wanted.to_string(),
            from: needed.because.clone(),
        });
        let found = needed.found.as_deref();
        let wanted = needed.wanted.as_str();
        let stamping = stamp::stamp(self.project, self.request.survey, found, wanted);
        let manifest = self.project.folder.path("package.json");
        let mut edits = stamping.edits;
        if variant.stamp != StampAt::First {
            edits.retain(|edit| edit.path.as_str() != manifest);
        }
        if variant.extras.contains(&Extra::VersionFiles)
            && let Some(found) = found
        {
            edits.extend(stamp::version_files(self.project, found, wanted));
        }
        edits
    }

    /// Writes the version as release tools do, by npm.
    fn stamp_step(&self) -> Option<Step> {
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
        step.may_fail = true;
        Some(step)
    }

    /// The steps between install and pack.
    fn build(&self, variant: &Variant, steps: &mut Vec<Step>, assumptions: &mut Vec<Assumption>) {
        let runner = self.installer.manager;
        for (folder, hook) in lifecycle::hooks(self.project) {
            let mut step = self.step(Phase::Build, folder, runner.run(hook));
            step.may_fail = true;
            steps.push(step);
        }
        if variant.extras.contains(&Extra::DependencyScripts) {
            steps.extend(self.dependency_scripts());
        }
        match variant.building {
            Building::Nothing => {}
            Building::Plain => self.siblings_and_own(true, steps),
            Building::Manifest => {
                self.siblings_and_own(self.has_to_build(), steps);
            }
            Building::Recipe { whole_workspace } => {
                self.replay(variant, whole_workspace, steps, assumptions);
            }
        }
    }

    /// Whether the build script has to be called because no lifecycle script does it.
    fn has_to_build(&self) -> bool {
        let manifest = &self.project.manifest;
        lifecycle::needs_build(self.project, self.request.survey)
            && !lifecycle::pack_builds(manifest)
            && !lifecycle::builds(manifest, "prepublishOnly")
            && !lifecycle::builds(manifest, "prepublish")
    }

    /// Builds the siblings that the package needs, then, if asked, the package.
    fn siblings_and_own(&self, own: bool, steps: &mut Vec<Step>) {
        let runner = self.installer.manager;
        for sibling in self.project.needed_siblings() {
            if let Some(script) = lifecycle::sibling_build(sibling) {
                steps.push(self.step(Phase::Build, &sibling.folder, runner.run(script)));
            }
        }
        if own && let Some(script) = lifecycle::build_script(&self.project.manifest) {
            steps.push(self.step(Phase::Build, &self.project.folder, runner.run(script)));
        }
    }

    /// Repeats what the publish workflow ran.
    fn replay(
        &self,
        variant: &Variant,
        whole_workspace: bool,
        steps: &mut Vec<Step>,
        assumptions: &mut Vec<Assumption>,
    ) {
        let Some(recipe) = self.recipe else {
            return;
        };
        let mut built = false;
        let mut siblings = false;
        // Whether the package has been built since the version was last written.
        let mut fresh = false;
        for replay in &recipe.steps {
            match replay {
                Replay::Stamp => {
                    fresh = false;
                    if variant.stamp == StampAt::Recipe {
                        steps.extend(self.stamp_step());
                    }
                }
                Replay::Run {
                    scope: Scope::Workspace,
                    ..
                } if !whole_workspace && self.project.is_member() => {
                    if !siblings {
                        self.siblings_and_own(false, steps);
                    }
                    if !fresh {
                        steps.extend(self.own_build(variant));
                    }
                    (built, siblings, fresh) = (true, true, true);
                }
                Replay::Run {
                    scope: Scope::Package,
                    ..
                } if fresh => {}
                Replay::Run {
                    folder,
                    script,
                    environment,
                    scope,
                } => {
                    if *scope == Scope::Package && !siblings && self.project.is_member() {
                        self.siblings_and_own(false, steps);
                        siblings = true;
                    }
                    built |= *scope != Scope::Other;
                    if self.done_again(variant, folder, script) {
                        continue;
                    }
                    assumptions.push(Assumption {
                        kind: AssumptionKind::WorkflowStep,
                        value: script.clone(),
                        from: format!("{}, job {}", recipe.path, recipe.job),
                    });
                    let mut step = self.replayed(folder, script, environment);
                    // Much of what workflows do besides building cannot work here, and need not.
                    step.may_fail = *scope == Scope::Other;
                    steps.push(step);
                }
            }
        }
        if !built {
            self.siblings_and_own(self.has_to_build() || recipe.publish.ignore_scripts, steps);
        }
    }

    /// What happened between build and publish and left its mark in the published file only.
    fn release_quirks(&self, steps: &mut Vec<Step>, assumptions: &mut Vec<Assumption>) {
        let found = self.request.pin.stamp.as_ref().map_or_else(
            || self.request.target.version.as_str(),
            |stamp| stamp.wanted.as_str(),
        );
        let deleted = quirks::deleted_scripts(self.project, self.request.survey, found);
        if !deleted.is_empty() {
            let mut argv = words(&["npm", "pkg", "delete"]);
            argv.extend(deleted.iter().map(|name| format!("scripts.{name}")));
            assumptions.push(Assumption {
                kind: AssumptionKind::WorkflowStep,
                value: argv.join(" "),
                from: "the published manifest, which is the source's without these scripts"
                    .to_owned(),
            });
            steps.push(self.step(Phase::Build, &self.project.folder, argv));
        }
        let folders = quirks::folders_without_modes(self.project, self.request.survey);
        if !folders.is_empty() {
            let mut argv = words(&["chmod", "-R", "a-x+X"]);
            argv.extend(folders);
            assumptions.push(Assumption {
                kind: AssumptionKind::WorkflowStep,
                value: argv.join(" "),
                from: "published programs that are not executable though the build makes them so, as after a \
                       workflow artifact"
                    .to_owned(),
            });
            steps.push(self.step(Phase::Build, &self.project.folder, argv));
        }
    }

    /// The package's own build script, unless publishing runs it again afterwards.
    fn own_build(&self, variant: &Variant) -> Option<Step> {
        let script = lifecycle::build_script(&self.project.manifest)?;
        let again = self.is_run_again(variant, script);
        (!again).then(|| {
            let argv = self.installer.manager.run(script);
            self.step(Phase::Build, &self.project.folder, argv)
        })
    }

    /// Whether a workflow's step is a script of the package that publishing runs again afterwards.
    fn done_again(&self, variant: &Variant, folder: &Folder, script: &str) -> bool {
        let Script::Commands(commands) = split(script) else {
            return false;
        };
        let [only] = commands.as_slice() else {
            return false;
        };
        *folder == self.project.folder
            && lifecycle::plain_script(only).is_some_and(|name| self.is_run_again(variant, &name))
    }

    fn is_run_again(&self, variant: &Variant, script: &str) -> bool {
        let callers = [&self.publish_scripts(variant)[..], &lifecycle::PACK_SCRIPTS].concat();
        !variant.extras.contains(&Extra::Twice)
            && variant.lifecycle
            && !self.ignores_scripts()
            && lifecycle::runs(&self.project.manifest, &callers, script)
    }

    /// The scripts that publishing runs and packing alone does not.
    fn publish_scripts(&self, variant: &Variant) -> Vec<&'static str> {
        match variant.packer {
            Manager::Npm | Manager::Pnpm | Manager::Bun => vec!["prepublishOnly"],
            Manager::YarnClassic => vec!["prepublish", "prepare", "prepublishOnly"],
            Manager::YarnBerry => vec!["prepublish"],
        }
    }

    /// One script of a workflow as a step.
    fn replayed(
        &self,
        folder: &Folder,
        script: &str,
        environment: &BTreeMap<String, String>,
    ) -> Step {
        let simple = match split(script) {
            Script::Commands(commands) => match commands.as_slice() {
                [only]
                    if only.words.join(" ") == only.text
                        && !only.text.contains(['$', '*', '~', '?']) =>
                {
                    Some(only.words.clone())
                }
                _ => None,
            },
            Script::Compound(_) => None,
        };
        let argv = simple.unwrap_or_else(|| {
            let prelude = format!("if [ -f {HANDED_ON} ]; then set -a; . {HANDED_ON}; set +a; fi");
            words(&["bash", "-e", "-c", &format!("{prelude}\n{script}")])
        });
        let mut step = self.step(Phase::Build, folder, argv);
        step.environment.extend(environment.clone());
        step.environment.extend(
            [
                ("GITHUB_SHA", self.known.commit),
                ("GITHUB_REF_NAME", self.known.reference),
                ("GITHUB_REF", &format!("refs/tags/{}", self.known.reference)),
                ("GITHUB_REF_TYPE", "tag"),
                ("GITHUB_REPOSITORY", self.known.repository),
                ("GITHUB_WORKSPACE", self.known.build_path),
                ("GITHUB_ENV", HANDED_ON),
                ("GITHUB_OUTPUT", "/tmp/workflow-output"),
                ("GITHUB_STEP_SUMMARY", "/tmp/workflow-summary"),
                ("RUNNER_TEMP", "/tmp"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        step
    }

    /// What publishing runs and packing alone does not.
    fn before_pack(&self, variant: &Variant, steps: &mut Vec<Step>) {
        if self.ignores_scripts() || variant.building == Building::Nothing {
            return;
        }
        let manifest = &self.project.manifest;
        for call in lifecycle::without_checks(manifest, &self.publish_scripts(variant)) {
            let again = match &call {
                Call::Script(script) => only_script(manifest, script).is_some_and(|script| {
                    lifecycle::runs(manifest, &lifecycle::PACK_SCRIPTS, &script)
                }),
                Call::Shell(_) => false,
            };
            if again && !variant.extras.contains(&Extra::Twice) {
                continue;
            }
            let argv = match call {
                Call::Script(script) => variant.packer.run(&script),
                Call::Shell(command) => words(&["npm", "exec", "--offline", "--call", &command]),
            };
            steps.push(self.step(Phase::Build, &self.project.folder, argv));
        }
    }

    /// Whether the publisher switched lifecycle scripts off.
    fn ignores_scripts(&self) -> bool {
        self.recipe
            .is_some_and(|recipe| recipe.publish.ignore_scripts)
    }

    fn dependency_scripts(&self) -> Option<Step> {
        let argv = match self.installer.manager {
            Manager::Npm => words(&["npm", "rebuild"]),
            Manager::Pnpm => words(&["pnpm", "rebuild"]),
            // Both would resolve and fetch again.
            Manager::YarnClassic | Manager::YarnBerry | Manager::Bun => return None,
        };
        let mut step = self.step(Phase::Build, &self.project.root, argv);
        step.may_fail = true;
        Some(step)
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
            may_fail: false,
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

    /// The files that decide what an install makes.
    fn snapshot_inputs(&self, lock: &Lock) -> Vec<EntryPath> {
        const SETTINGS: [&str; 8] = [
            ".npmrc",
            "pnpm-workspace.yaml",
            ".yarnrc",
            ".yarnrc.yml",
            "bunfig.toml",
            "npm-shrinkwrap.json",
            "pnpm-lock.yaml",
            "package.json",
        ];
        if matches!(lock, Lock::Nothing | Lock::AsOf { .. }) {
            return Vec::new();
        }
        let mut inputs = BTreeSet::new();
        let folders = self
            .project
            .members
            .values()
            .map(|member| &member.folder)
            .chain([&self.project.root, &self.project.folder]);
        for folder in folders {
            for name in SETTINGS {
                if let Ok(path) = folder.path(name).parse::<EntryPath>()
                    && self.project.tree.has(path.as_str())
                {
                    inputs.insert(path);
                }
            }
        }
        for path in self.project.tree.entries.keys() {
            if path
                .as_str()
                .split('/')
                .any(|part| matches!(part, "patches" | ".yarn"))
                && path.extension() == Some("patch")
            {
                inputs.insert(path.clone());
            }
        }
        match lock {
            Lock::Locked { file, .. } | Lock::Opaque { file } => {
                inputs.insert(file.clone());
            }
            Lock::Nothing | Lock::AsOf { .. } => {}
        }
        inputs.into_iter().collect()
    }
}

/// The script that this one comes down to: itself, or the only one that it calls.
fn only_script(manifest: &Manifest, script: &str) -> Option<String> {
    let Script::Commands(commands) = split(manifest.script(script)?) else {
        return None;
    };
    match commands.as_slice() {
        [only] => lifecycle::plain_script(only).or_else(|| Some(script.to_owned())),
        _ => Some(script.to_owned()),
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
