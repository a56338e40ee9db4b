//! Steps of the publish workflow as steps of a plan: what runs before the backend is called.

use std::collections::BTreeMap;

use remint_model::{Action, Assumption, AssumptionKind, OnFailure, Phase, Step, Tool};

use crate::npm::frontend::{self, Folder, Known};
use crate::pypi::publish::Publishing;
use crate::pypi::replay::{self, Replayed};
use crate::request::PlanRequest;

/// What precedes the build, and what it takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Preparation {
    pub(crate) steps: Vec<Step>,
    pub(crate) tools: Vec<Tool>,
    pub(crate) assumptions: Vec<Assumption>,
    /// Whether the release may have been built without it just as well.
    pub(crate) optional: bool,
}

/// The steps of the workflow that publishes this project, if it has any.
pub(crate) fn prepare(
    request: &PlanRequest<'_>,
    publishing: &Publishing,
    build_path: &str,
) -> Option<Preparation> {
    let version = request.target.version.as_str();
    let reference = request.pin.release_reference().unwrap_or(version);
    let repository = owner_and_name(&request.pin.repository);
    let known = Known {
        version,
        reference,
        event: None,
        commit: request.pin.commit.as_str(),
        repository: &repository,
        build_path,
    };
    let project = Folder::from(request.pin.subdirectory.clone());
    let replay = replay::find(request.tree, publishing, &known, &project)?;
    let mut prepared = Preparation {
        optional: replay.also_without,
        ..Preparation::default()
    };
    for step in replay.steps {
        match step {
            Replayed::Install(folder) => prepared.install(request, &folder),
            Replayed::Run {
                folder,
                script,
                environment,
            } => prepared.run(&known, &folder, &script, environment, &replay.workflow),
        }
    }
    prepared
        .assumptions
        .extend(replay.left_out.iter().map(|step| Assumption {
            kind: AssumptionKind::ReleaseSteps,
            value: format!("left out: {step}"),
            from: replay.workflow.clone(),
        }));
    Some(prepared)
}

impl Preparation {
    /// What is said of the steps where they are not done.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = Assumption> {
        self.assumptions.iter().filter_map(|made| match made.kind {
            AssumptionKind::ReleaseSteps => Some(made.clone()),
            AssumptionKind::WorkflowStep => Some(Assumption {
                kind: AssumptionKind::ReleaseSteps,
                value: format!("left out: {}", made.value),
                from: made.from.clone(),
            }),
            AssumptionKind::VersionStamp
            | AssumptionKind::NameStamp
            | AssumptionKind::BackendVersion
            | AssumptionKind::BuildPath
            | AssumptionKind::SeededLockfile
            | AssumptionKind::ToolchainGuess
            | AssumptionKind::SubstituteInterpreter
            | AssumptionKind::SubstituteDependency
            | AssumptionKind::ResolvedAsOf
            | AssumptionKind::BuildOrder
            | AssumptionKind::WindowsLineEnds
            | AssumptionKind::HostSurroundings
            | AssumptionKind::NativeToolchain
            | AssumptionKind::BuildSettings
            | AssumptionKind::LinkerFlags
            | AssumptionKind::UncommittedFile => None,
        })
    }

    fn install(&mut self, request: &PlanRequest<'_>, folder: &Folder) {
        let moment = request.uploaded.unwrap_or(request.pin.commit_time);
        let Some(frontend) = frontend::look(request.tree, request.pin, folder, moment) else {
            return;
        };
        for tool in frontend.tools {
            if !self.tools.iter().any(|known| known.name == tool.name) {
                self.tools.push(tool);
            }
        }
        for assumption in frontend.assumptions {
            if !self.assumptions.contains(&assumption) {
                self.assumptions.push(assumption);
            }
        }
        self.steps.push(Step {
            phase: Phase::Install,
            directory: folder.to_directory(),
            action: Action::Run {
                argv: frontend.install,
            },
            environment: BTreeMap::new(),
            on_failure: OnFailure::Ends,
        });
    }

    fn run(
        &mut self,
        known: &Known<'_>,
        folder: &Folder,
        script: &str,
        mut environment: BTreeMap<String, String>,
        workflow: &str,
    ) {
        self.assumptions.push(Assumption {
            kind: AssumptionKind::WorkflowStep,
            value: script.chars().take(200).collect(),
            from: workflow.to_owned(),
        });
        // The shell and the variables of a hosted runner. What steps tell each other goes through a file.
        let script = format!(
            "export PATH=\"/env/venv/bin:$PATH\"\n\
             if [ -f ~/github-env ]; then set -a; . ~/github-env; set +a; fi\n\
             {script}\n"
        );
        for (name, value) in [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REF", format!("refs/tags/{}", known.reference)),
            ("GITHUB_REF_NAME", known.reference.to_owned()),
            ("GITHUB_SHA", known.commit.to_owned()),
            ("GITHUB_REPOSITORY", known.repository.to_owned()),
            ("GITHUB_WORKSPACE", known.build_path.to_owned()),
            ("GITHUB_ENV", "/home/build/github-env".to_owned()),
            ("GITHUB_OUTPUT", "/dev/null".to_owned()),
            ("GITHUB_STEP_SUMMARY", "/dev/null".to_owned()),
        ] {
            environment.insert(name.to_owned(), value);
        }
        self.steps.push(Step {
            phase: Phase::Build,
            directory: folder.to_directory(),
            action: Action::Run {
                argv: ["bash", "-e", "-c", &script].map(str::to_owned).into(),
            },
            environment,
            // What matters is whether the result equals the published file; the script may do more than that.
            on_failure: OnFailure::GoesOnInDoubt,
        });
    }
}

/// `https://github.com/owner/name` as `owner/name`.
fn owner_and_name(repository: &str) -> String {
    let mut parts: Vec<&str> = repository
        .trim_end_matches('/')
        .rsplit('/')
        .take(2)
        .collect();
    parts.reverse();
    parts.join("/")
}
