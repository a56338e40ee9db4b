#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use remint_fuzz::{Project, Text};
use remint_model::Ecosystem;
use serde_json::json;

#[derive(Debug, Arbitrary)]
struct Input {
    python: bool,
    workflow: Workflow,
    action: Text,
}

#[derive(Debug, Arbitrary)]
enum Workflow {
    Github(Text),
    Gitlab(Text),
    Steps {
        steps: Vec<Step>,
        directory: Option<Text>,
        environment: Vec<(Text, Text)>,
    },
    Script(Vec<Text>),
}

#[derive(Debug, Arbitrary)]
enum Step {
    Run(Text, Option<Text>),
    Use(Text, Vec<(Text, Text)>),
    Local(Vec<(Text, Text)>),
}

const WORDS: &[&str] = &[
    "on: push\n",
    "jobs:\n",
    "  publish:\n",
    "    steps:\n",
    "      - run: ",
    "      - uses: ",
    "        with:\n",
    "          node-version: ",
    "    needs: ",
    "    env:\n",
    "runs:\n  using: composite\n  steps:\n",
    "inputs:\n",
    "  version:\n    default: ",
    "    - uses: ./.github/actions/a\n",
    "    - run: ",
    "script:\n",
    "  - ",
    "image: ",
    "actions/setup-node@v4",
    "actions/setup-python@v5",
    "actions/checkout@v4",
    "./.github/actions/a",
    "|\n",
    "\n",
    "${{ ",
    " }}",
    "inputs.",
    "version",
    "github.ref_name",
    "steps.x.outputs.version",
    "matrix.node",
    "secrets.X",
    "npm ci",
    "npm publish",
    "npm run build",
    "npm version ",
    "pnpm -r publish",
    "yarn ",
    "bun publish",
    "uv build",
    "python -m build",
    "twine upload dist/*",
    "pip install ",
    "hatch ",
    "poetry build",
    "make ",
    "cd ",
    "packages/x",
    "../",
    " && ",
    " || ",
    "; ",
    " | ",
    " > ",
    "<<EOF\n",
    "if ",
    "then",
    "fi",
    "for x in ",
    "do",
    "done",
    "(",
    ")",
    "$(",
    "`",
    "'",
    "\"",
    "\\",
    "\\\n",
    "A=1 ",
    "export ",
    "$A",
    "sed -i s/a/b/ ",
    "echo ",
    ">> $GITHUB_ENV",
    "&a ",
    "*a",
    "{",
    "}",
    "[",
    "]",
    ",",
    ": ",
    "- ",
    "# ",
];

fn map(entries: &[(Text, Text)]) -> serde_json::Map<String, serde_json::Value> {
    entries
        .iter()
        .map(|(key, value)| (key.spelled(WORDS), value.spelled(WORDS).into()))
        .collect()
}

fuzz_target!(|input: Input| {
    let action = input.action.spelled(WORDS);
    let (path, text) = match &input.workflow {
        Workflow::Github(text) => (".github/workflows/publish.yml", text.spelled(WORDS)),
        Workflow::Gitlab(text) => (".gitlab-ci.yml", text.spelled(WORDS)),
        Workflow::Steps {
            steps,
            directory,
            environment,
        } => {
            let mut steps: Vec<_> = steps
                .iter()
                .map(|step| match step {
                    Step::Run(run, None) => json!({"run": run.spelled(WORDS)}),
                    Step::Run(run, Some(directory)) => {
                        json!({"run": run.spelled(WORDS), "working-directory": directory.spelled(WORDS)})
                    }
                    Step::Use(action, inputs) => json!({"uses": action.spelled(WORDS), "with": map(inputs)}),
                    Step::Local(inputs) => json!({"uses": "./.github/actions/a", "with": map(inputs)}),
                })
                .collect();
            let publish = if input.python {
                "twine upload dist/*"
            } else {
                "npm publish"
            };
            steps.push(json!({"run": publish}));
            let workflow = json!({
                "on": "push",
                "env": map(environment),
                "defaults": {"run": {"working-directory": directory.as_ref().map(|text| text.spelled(WORDS))}},
                "jobs": {"publish": {"steps": steps}},
            });
            (".github/workflows/publish.yml", workflow.to_string())
        }
        Workflow::Script(lines) => {
            let lines: Vec<String> = lines
                .iter()
                .map(|line| line.spelled(WORDS))
                .chain(["npm publish".to_owned()])
                .collect();
            let workflow = json!({"image": "node:20", "publish": {"script": lines}});
            (".gitlab-ci.yml", workflow.to_string())
        }
    };
    let ecosystem = if input.python {
        Ecosystem::Pypi
    } else {
        Ecosystem::Npm
    };
    Project::new(&[
        ("package.json", r#"{"name":"x","version":"1.2.3","scripts":{"build":"tsc"},"workspaces":["packages/*"]}"#),
        ("packages/x/package.json", r#"{"name":"y","version":"1.0.0","scripts":{"build":"tsc"}}"#),
        ("pyproject.toml", "[project]\nname='x'\nversion='1.2.3'\n"),
        ("Makefile", &action),
        (".github/actions/a/action.yml", &action),
        (path, &text),
    ])
    .publishing("dist/index.js", "made")
    .plans(ecosystem);
});
