//! The steps between install and pack: siblings, the package itself, what a publish workflow ran.

use std::collections::BTreeMap;

use remint_model::{Assumption, AssumptionKind, OnFailure, Phase, Step};

use crate::npm::assemble::{Assembler, Building, Extra, StampAt, Variant};
use crate::npm::folder::Folder;
use crate::npm::lifecycle::{self, Call};
use crate::npm::manager::{Manager, words};
use crate::npm::manifest::Manifest;
use crate::npm::quirks;
use crate::npm::recipe::{Replay, Scope};
use crate::workflow::script::{Script, split};

/// Where steps of one workflow job hand variables to the next.
const HANDED_ON: &str = "/tmp/workflow-environment";

impl Assembler<'_> {
    /// The steps between install and pack.
    pub(crate) fn build(
        &self,
        variant: &Variant,
        steps: &mut Vec<Step>,
        assumptions: &mut Vec<Assumption>,
    ) {
        let runner = self.installer.manager;
        for hook in lifecycle::hooks(self.project, self.request.survey) {
            let argv = runner.run(hook.name);
            if !hook.runs {
                assumptions.push(Assumption {
                    kind: AssumptionKind::ReleaseSteps,
                    value: format!("left out: {}", argv.join(" ")),
                    from: format!("scripts of {}", hook.folder.path("package.json")),
                });
                continue;
            }
            let mut step = self.step(Phase::Build, hook.folder, argv);
            step.on_failure = OnFailure::GoesOnInDoubt;
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
        lifecycle::build_script_matters(self.project, self.request.survey)
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
                    if *scope == Scope::Other {
                        step.on_failure = OnFailure::GoesOnInDoubt;
                        // That it asks for a registry is seen only where npm is left to try.
                        step.environment.extend(
                            [
                                ("npm_config_offline", ""),
                                ("npm_config_prefer_offline", "true"),
                                ("npm_config_fetch_retries", "0"),
                            ]
                            .map(|(name, value)| (name.to_owned(), value.to_owned())),
                        );
                    }
                    steps.push(step);
                }
            }
        }
        if !built {
            self.siblings_and_own(self.has_to_build() || recipe.publish.ignore_scripts, steps);
        }
    }

    /// What happened between build and publish and left its mark in the published file only.
    pub(crate) fn release_quirks(
        &self,
        variant: &Variant,
        steps: &mut Vec<Step>,
        assumptions: &mut Vec<Assumption>,
    ) {
        let found = self.request.pin.stamp.as_ref().map_or_else(
            || self.request.target.version.as_str(),
            |stamp| stamp.wanted.as_str(),
        );
        let deleted = quirks::deleted_scripts(self.project, self.request.survey, found);
        if !deleted.is_empty() {
            let packs_with_scripts = variant.lifecycle && !self.ignores_scripts();
            let run_first = quirks::RUN_BEFORE_DELETED
                .into_iter()
                .filter(|name| packs_with_scripts && deleted.iter().any(|gone| gone == name));
            steps.extend(run_first.map(|name| {
                self.step(Phase::Build, &self.project.folder, variant.packer.run(name))
            }));
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
    pub(crate) fn before_pack(&self, variant: &Variant, steps: &mut Vec<Step>) {
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

    fn dependency_scripts(&self) -> Option<Step> {
        let argv = match self.installer.manager {
            // npm does it for any flat `node_modules`; the others would resolve and fetch again.
            Manager::Npm | Manager::YarnClassic | Manager::Bun => words(&["npm", "rebuild"]),
            Manager::Pnpm => words(&["pnpm", "rebuild"]),
            Manager::YarnBerry => return None,
        };
        let mut step = self.step(Phase::Build, &self.project.root, argv);
        step.on_failure = OnFailure::GoesOn;
        Some(step)
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
