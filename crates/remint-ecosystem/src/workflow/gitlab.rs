//! GitLab CI: jobs are top-level keys with a `script`. `extends`, `include` and `rules` are not followed.

use remint_model::EntryPath;
use serde_json::Value;

use super::{Does, Job, MOST_JOBS, Step, Workflow, list, plain, plain_map};
use crate::yaml;

/// Top-level keys that are no jobs.
const RESERVED: [&str; 9] = [
    "default",
    "image",
    "include",
    "pages",
    "services",
    "stages",
    "variables",
    "workflow",
    "cache",
];

pub(super) fn read(path: &EntryPath, text: &str) -> Option<Workflow> {
    let document = yaml::parse(text).ok()?;
    let top = document.as_object()?;
    let shared = |field: &str| {
        top.get("default")
            .and_then(|default| default.get(field))
            .or_else(|| top.get(field))
    };
    let jobs = top
        .iter()
        .filter(|(id, job)| !RESERVED.contains(&id.as_str()) && job.get("script").is_some())
        .take(MOST_JOBS)
        .map(|(id, job)| {
            let mut environment = plain_map(top.get("variables"));
            environment.extend(plain_map(job.get("variables")));
            let before = job.get("before_script").or_else(|| shared("before_script"));
            let lines: Vec<String> = [before, job.get("script")]
                .into_iter()
                .flat_map(|value| list(value))
                .collect();
            Job {
                id: id.clone(),
                needs: list(job.get("needs")),
                condition: None,
                // One shell runs all lines, so a `cd` reaches the next one.
                steps: vec![Step {
                    does: Does::Run(lines.join("\n")),
                    ..Step::default()
                }],
                environment,
                image: job.get("image").or_else(|| shared("image")).and_then(image),
            }
        })
        .collect();
    Some(Workflow {
        path: path.clone(),
        triggers: vec!["push".to_owned()],
        jobs,
    })
}

fn image(value: &Value) -> Option<String> {
    plain(value).or_else(|| value.get("name").and_then(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_the_keys_that_have_a_script() {
        let workflow = read(
            &".gitlab-ci.yml".parse().unwrap(),
            "image: node:20
stages: [a]
before_script: [npm ci]
publish:
  script:
    - npm run build
    - npm publish
.hidden: {x: 1}
",
        )
        .unwrap();
        let job = workflow.jobs.first().unwrap();
        assert_eq!(workflow.jobs.len(), 1);
        assert_eq!(job.image.as_deref(), Some("node:20"));
        assert_eq!(
            job.steps.first().unwrap().does,
            Does::Run("npm ci\nnpm run build\nnpm publish".into())
        );
    }
}
