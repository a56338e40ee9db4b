//! GitHub Actions (and the hosts that speak the same language).

use std::collections::BTreeMap;

use remint_model::{EntryPath, SourceTree};
use serde_json::Value;

use super::{Does, Job, MOST_JOBS, MOST_STEPS, Step, Workflow, list, plain, plain_map};
use crate::yaml;

/// How deep composite actions may use each other.
const DEEPEST: usize = 4;
/// How many uses of composite actions are spelt out in one workflow.
const MOST_ACTIONS: usize = 100;
/// How many bytes of inputs are filled in in one workflow.
const MOST_FILLED: usize = 1 << 20;

pub(super) fn read(path: &EntryPath, text: &str, tree: &SourceTree) -> Option<Workflow> {
    let document = yaml::parse(text).ok()?;
    let environment = plain_map(document.get("env"));
    let directory = default_directory(&document);
    let mut actions = Actions {
        tree,
        left: MOST_ACTIONS,
        room: MOST_FILLED,
    };
    let jobs = document
        .get("jobs")?
        .as_object()?
        .iter()
        .take(MOST_JOBS)
        .map(|(id, job)| {
            let mut environment = environment.clone();
            environment.extend(plain_map(job.get("env")));
            let directory = default_directory(job).or_else(|| directory.clone());
            Job {
                id: id.clone(),
                needs: list(job.get("needs")),
                condition: job.get("if").and_then(plain),
                steps: actions.steps(job, directory.as_deref(), DEEPEST),
                environment,
                image: job
                    .get("container")
                    .and_then(|container| container.get("image").or(Some(container)))
                    .and_then(plain),
            }
        })
        .collect();
    Some(Workflow {
        path: path.clone(),
        triggers: list(document.get("on")),
        jobs,
    })
}

fn default_directory(value: &Value) -> Option<String> {
    value
        .pointer("/defaults/run/working-directory")
        .and_then(plain)
}

/// Composite actions of the repository, spelt out wherever they are used.
struct Actions<'a> {
    tree: &'a SourceTree,
    /// How many more uses are followed.
    left: usize,
    /// How many more bytes of inputs are filled in.
    room: usize,
}

impl Actions<'_> {
    fn steps(&mut self, owner: &Value, default_directory: Option<&str>, depth: usize) -> Vec<Step> {
        let mut found = Vec::new();
        for step in owner
            .get("steps")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if found.len() >= MOST_STEPS {
                break;
            }
            let environment = plain_map(step.get("env"));
            let condition = step.get("if").and_then(plain);
            if let Some(run) = step.get("run").and_then(plain) {
                found.push(Step {
                    does: Does::Run(run),
                    directory: step
                        .get("working-directory")
                        .and_then(plain)
                        .or_else(|| default_directory.map(str::to_owned)),
                    environment,
                    condition,
                });
            } else if let Some(action) = step.get("uses").and_then(plain) {
                let inputs = plain_map(step.get("with"));
                match action.strip_prefix("./") {
                    Some(local) if depth > 0 => {
                        found.extend(self.composite(local, &inputs, depth - 1));
                        found.truncate(MOST_STEPS);
                    }
                    _ => found.push(Step {
                        does: Does::Use(
                            action
                                .split('@')
                                .next()
                                .unwrap_or(&action)
                                .to_ascii_lowercase(),
                            inputs,
                        ),
                        directory: None,
                        environment,
                        condition,
                    }),
                }
            }
        }
        found
    }

    /// The steps of an action kept in the repository itself, its inputs filled in.
    fn composite(
        &mut self,
        directory: &str,
        inputs: &BTreeMap<String, String>,
        depth: usize,
    ) -> Vec<Step> {
        let Some(left) = self.left.checked_sub(1) else {
            return Vec::new();
        };
        self.left = left;
        let directory = directory.trim_end_matches('/');
        let Some(document) = ["action.yml", "action.yaml"]
            .iter()
            .find_map(|name| self.tree.text(&format!("{directory}/{name}")))
            .and_then(|text| yaml::parse(text).ok())
        else {
            return Vec::new();
        };
        let mut values: BTreeMap<String, String> = document
            .get("inputs")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, input)| Some((name.clone(), plain(input.get("default")?)?)))
            .collect();
        values.extend(inputs.clone());
        let Some(runs) = document.get("runs") else {
            return Vec::new();
        };
        let mut steps = self.steps(runs, None, depth);
        let mut fill = |text: &mut String| *text = fill(text, &values, &mut self.room);
        for step in &mut steps {
            match &mut step.does {
                Does::Run(run) => fill(run),
                Does::Use(_, inputs) => inputs.values_mut().for_each(&mut fill),
            }
            step.directory.as_mut().map(&mut fill);
        }
        steps
    }
}

/// A text with the inputs that it names, as far as there is room for them. What stands in an input is not looked into.
fn fill(text: &str, values: &BTreeMap<String, String>, room: &mut usize) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let Some((expression, behind)) = after.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        let value = expression
            .trim()
            .strip_prefix("inputs.")
            .and_then(|name| values.get(name));
        match value {
            Some(value) if value.len() <= *room => {
                *room -= value.len();
                filled.push_str(value);
            }
            Some(_) | None => {
                filled.push_str("${{");
                filled.push_str(expression);
                filled.push_str("}}");
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workflow;

    fn read_one(files: &[(&str, &str)]) -> Workflow {
        let mut tree = SourceTree::default();
        for (path, text) in files {
            tree.texts
                .insert(path.parse().unwrap(), text.as_bytes().to_vec());
        }
        workflow::all(&tree).into_iter().next().unwrap()
    }

    #[test]
    fn directories_and_variables_are_inherited() {
        let workflow = read_one(&[(
            ".github/workflows/a.yml",
            "on: [push, release]
env: {A: 1, B: x}
defaults: {run: {working-directory: packages/x}}
jobs:
  publish:
    needs: build
    env: {B: y}
    steps:
      - uses: actions/setup-node@v4
        with: {node-version: 22.x}
      - run: npm ci
      - run: npm publish
        working-directory: other
        if: github.event_name == 'release'
",
        )]);
        assert_eq!(workflow.triggers, ["push", "release"]);
        let job = workflow.jobs.first().unwrap();
        assert_eq!(job.needs, ["build"]);
        assert_eq!(
            job.environment,
            BTreeMap::from([("A".into(), "1".into()), ("B".into(), "y".into())])
        );
        let directories: Vec<_> = job.steps.iter().map(|s| s.directory.as_deref()).collect();
        assert_eq!(directories, [None, Some("packages/x"), Some("other")]);
        assert_eq!(
            job.steps.first().unwrap().does,
            Does::Use(
                "actions/setup-node".into(),
                BTreeMap::from([("node-version".into(), "22.x".into())])
            )
        );
    }

    #[test]
    fn actions_that_multiply_come_to_an_end() {
        let uses = "    - uses: ./a\n".repeat(60);
        let workflow = read_one(&[
            (
                ".github/workflows/a.yml",
                "jobs: {x: {steps: [{uses: ./a}]}}",
            ),
            (
                "a/action.yml",
                &format!("runs:\n  steps:\n    - run: x\n{uses}"),
            ),
        ]);
        assert!(workflow.jobs.first().unwrap().steps.len() <= MOST_STEPS);

        let inputs: String = (0..30)
            .map(|at| {
                format!(
                    "  i{at:02}: {{default: '{}'}}\n",
                    format!("${{{{ inputs.i{:02} }}}}", at + 1).repeat(9)
                )
            })
            .collect();
        let workflow = read_one(&[
            (
                ".github/workflows/a.yml",
                "jobs: {x: {steps: [{uses: ./a}]}}",
            ),
            (
                "a/action.yml",
                &format!("inputs:\n{inputs}runs:\n  steps:\n    - run: ${{{{ inputs.i00 }}}}\n"),
            ),
        ]);
        let step = workflow.jobs.first().unwrap().steps.first().unwrap();
        assert!(matches!(&step.does, Does::Run(run) if run.len() < 1000));
    }

    #[test]
    fn composite_actions_of_the_repository_are_spelt_out() {
        let workflow = read_one(&[
            (
                ".github/workflows/a.yml",
                "jobs: {x: {steps: [{uses: ./.github/actions/setup, with: {node: 20}}]}}",
            ),
            (
                ".github/actions/setup/action.yml",
                "inputs: {node: {default: 18}, dir: {default: web}}
runs:
  using: composite
  steps:
    - uses: actions/setup-node@v4
      with: {node-version: '${{ inputs.node }}'}
    - run: npm ci
      working-directory: ${{inputs.dir}}
    - uses: ./.github/actions/setup
",
            ),
        ]);
        let steps = &workflow.jobs.first().unwrap().steps;
        // An action that uses itself ends at a fixed depth.
        assert!(steps.len() < 20);
        assert_eq!(
            steps.first().unwrap().does,
            Does::Use(
                "actions/setup-node".into(),
                BTreeMap::from([("node-version".into(), "20".into())])
            )
        );
        assert_eq!(steps[1].directory.as_deref(), Some("web"));
    }

    proptest! {
        #[test]
        fn no_workflow_or_action_panics(
            any: String,
            text in "(on: push\n|jobs:\n|  x:\n|    steps:\n|      - (run|uses): |\\./a|inputs:\n|runs:\n|  steps:\n|  - uses: \\./a\n|\\$\\{\\{ ?|\\}\\}|inputs\\.x|[&*][a-z] ?|[\\[\\]{}:,'\"#|-]|\n| |x){0,24}",
        ) {
            for text in [any, text] {
                let mut tree = SourceTree::default();
                for path in [".github/workflows/a.yml", ".gitlab-ci.yml", "a/action.yml"] {
                    tree.texts.insert(path.parse().unwrap(), text.as_bytes().to_vec());
                }
                for workflow in workflow::all(&tree) {
                    prop_assert!(workflow.jobs.iter().all(|job| job.steps.len() <= MOST_STEPS));
                }
            }
        }
    }
}
