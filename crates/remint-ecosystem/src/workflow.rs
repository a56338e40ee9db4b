//! Publish workflows of code hosts, read for what a publisher ran: jobs, steps, their directories and variables.
//! Nothing of a workflow is executed here, and no expression is evaluated but those whose value is known.

mod github;
mod gitlab;
pub(crate) mod script;

use std::collections::BTreeMap;

use remint_model::{EntryPath, SourceTree};
use serde_json::Value;

/// No code host runs a larger workflow.
const LARGEST: usize = 1 << 20;
/// How many jobs of a workflow are read.
const MOST_JOBS: usize = 256;
/// How many steps of a job are read.
const MOST_STEPS: usize = 1000;
/// How many bytes of variables or inputs are kept in one place: every job and step gets its own copy.
const MOST_VALUES: usize = 16 << 10;

/// One workflow file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Workflow {
    /// Where it lies.
    pub(crate) path: EntryPath,
    /// What starts it: `push`, `release`, `workflow_dispatch`, …
    pub(crate) triggers: Vec<String>,
    /// Its jobs, in the order of the file.
    pub(crate) jobs: Vec<Job>,
}

/// One job.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Job {
    /// Its key.
    pub(crate) id: String,
    /// Jobs that come before it.
    pub(crate) needs: Vec<String>,
    /// The condition under which it runs.
    pub(crate) condition: Option<String>,
    /// Its steps, those of composite actions of the same repository spelt out.
    pub(crate) steps: Vec<Step>,
    /// Variables of the workflow and the job.
    pub(crate) environment: BTreeMap<String, String>,
    /// The container image, which names a tool version on some hosts.
    pub(crate) image: Option<String>,
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Step {
    /// What it does.
    pub(crate) does: Does,
    /// Where, from the root of the repository.
    pub(crate) directory: Option<String>,
    /// Variables of this step alone.
    pub(crate) environment: BTreeMap<String, String>,
    /// The condition under which it runs.
    pub(crate) condition: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Does {
    /// Runs a shell script.
    Run(String),
    /// Uses an action, without its `@version`, with these inputs.
    Use(String, BTreeMap<String, String>),
}

impl Default for Does {
    fn default() -> Self {
        Self::Run(String::new())
    }
}

/// Every workflow of the tree; files that are no workflows, or cannot be read, are passed over, because they are
/// hints and no input of a build.
pub(crate) fn all(tree: &SourceTree) -> Vec<Workflow> {
    tree.texts
        .keys()
        .filter_map(|path| {
            let text = tree
                .text(path.as_str())
                .filter(|text| text.len() <= LARGEST)?;
            match kind(path)? {
                Kind::Github => github::read(path, text, tree),
                Kind::Gitlab => gitlab::read(path, text),
            }
        })
        .collect()
}

/// Whether this file belongs to a workflow or to an action that a workflow may use.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    kind(path).is_some()
        || (path.as_str().starts_with(".github/")
            && matches!(path.file_name(), "action.yml" | "action.yaml"))
}

enum Kind {
    Github,
    Gitlab,
}

fn kind(path: &EntryPath) -> Option<Kind> {
    let yaml = matches!(path.extension(), Some("yml" | "yaml"));
    match path.parent() {
        Some(parent)
            if matches!(
                parent.as_str(),
                ".github/workflows" | ".gitea/workflows" | ".forgejo/workflows"
            ) =>
        {
            yaml.then_some(Kind::Github)
        }
        None if path.as_str() == ".gitlab-ci.yml" => Some(Kind::Gitlab),
        Some(_) | None => None,
    }
}

/// A map of plain values; nested ones are left out, and those for which there is no room.
fn plain_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let mut left = MOST_VALUES;
    value
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), plain(value)?)))
        .filter(
            |(key, value)| match left.checked_sub(key.len() + value.len()) {
                Some(rest) => {
                    left = rest;
                    true
                }
                None => false,
            },
        )
        .collect()
}

/// A text, number or boolean as a text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A text or a list of texts as a list.
fn list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(plain).collect(),
        Some(Value::Object(fields)) => fields.keys().cloned().collect(),
        Some(value) => plain(value).into_iter().collect(),
        None => Vec::new(),
    }
}
