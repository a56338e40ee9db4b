//! What the publish workflow of a repository says about how a release is built: the best witness of steps that no
//! manifest names.

use remint_model::SourceTree;

use crate::workflow::{self, Does, Job, Workflow};

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Publishing {
    /// Python versions that the publishing jobs set up, with the workflow that says so.
    pub(crate) python: Vec<(String, String)>,
    /// The publishing jobs and those that they need.
    pub(crate) jobs: Vec<PublishingJob>,
}

/// A job, and the workflow that it is of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PublishingJob {
    /// The workflow's path.
    pub(crate) workflow: String,
    /// What starts the workflow.
    pub(crate) triggers: Vec<String>,
    pub(crate) job: Job,
}

/// Words of scripts and actions that send files to an index.
const SENDS: &[&str] = &[
    "gh-action-pypi-publish",
    "twine upload",
    "uv publish",
    "poetry publish",
    "flit publish",
    "hatch publish",
    "pdm publish",
    "python-semantic-release",
    "semantic-release publish",
];

/// Reads all workflows of the tree.
pub(crate) fn read(tree: &SourceTree) -> Publishing {
    let mut found = Publishing::default();
    for workflow in workflow::all(tree) {
        for job in jobs(&workflow) {
            for step in &job.steps {
                if let Does::Use(action, inputs) = &step.does
                    && (action.ends_with("/setup-python") || action.ends_with("/setup-uv"))
                    && let Some(version) = inputs.get("python-version")
                {
                    let version = version.trim().trim_matches('"').to_owned();
                    found.python.push((version, workflow.path.to_string()));
                }
            }
            found.jobs.push(PublishingJob {
                workflow: workflow.path.to_string(),
                triggers: workflow.triggers.clone(),
                job: job.clone(),
            });
        }
    }
    found
}

/// The jobs that publish, and those that they need: one of them builds.
fn jobs(workflow: &Workflow) -> Vec<&Job> {
    let mut wanted: Vec<&str> = workflow
        .jobs
        .iter()
        .filter(|job| publishes(job))
        .map(|job| job.id.as_str())
        .collect();
    let mut at = 0;
    while let Some(id) = wanted.get(at).copied() {
        at = at.saturating_add(1);
        if let Some(job) = workflow.jobs.iter().find(|job| job.id == id) {
            for needed in &job.needs {
                if !wanted.contains(&needed.as_str()) {
                    wanted.push(needed);
                }
            }
        }
    }
    workflow
        .jobs
        .iter()
        .filter(|job| wanted.contains(&job.id.as_str()))
        .collect()
}

/// Whether a job itself sends files to an index.
pub(crate) fn publishes(job: &Job) -> bool {
    job.steps.iter().any(|step| sends(&step.does))
}

/// Whether it is known to do so for a release.
pub(crate) fn surely_publishes(job: &Job) -> bool {
    let holds = |condition: &Option<String>| condition.as_deref().is_none_or(surely_holds);
    let mut steps = job.steps.iter();
    holds(&job.condition) && steps.any(|step| sends(&step.does) && holds(&step.condition))
}

/// Whether a condition holds for releases, whatever else it is about.
fn surely_holds(condition: &str) -> bool {
    let condition = condition.trim().to_ascii_lowercase();
    let condition = condition
        .strip_prefix("${{")
        .and_then(|inner| inner.strip_suffix("}}"))
        .unwrap_or(&condition);
    condition.split("&&").map(str::trim).all(|part| {
        matches!(
            part,
            "github.event_name != 'pull_request'"
                | "github.event_name == 'release'"
                | "github.ref_type == 'tag'"
                | "startswith(github.ref, 'refs/tags/')"
                | "startswith(github.ref, 'refs/tags/v')"
                | "success()"
        )
    })
}

fn sends(does: &Does) -> bool {
    let text = match does {
        Does::Run(script) => script,
        Does::Use(action, _) => action,
    };
    SENDS.iter().any(|word| text.contains(word))
}
