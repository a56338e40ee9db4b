//! Steps of the publish workflow that change the tree before the package is built: a user interface, generated
//! code, a version written with `sed`. Installs, checks and talk with hosts are left out.

use std::collections::BTreeMap;

use remint_model::SourceTree;

use crate::npm::frontend::{Folder, Kind, Known, classify, is_check};
use crate::pypi::makefile;
use crate::pypi::publish::Publishing;
use crate::workflow::script::{Command, Script, split};
use crate::workflow::{Does, Job};

/// No release takes more steps.
const MOST: usize = 40;

/// What has to be done again, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    pub(crate) steps: Vec<Replayed>,
    /// The workflow that says so.
    pub(crate) workflow: String,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// Dependencies of a JavaScript project are installed.
    Install(Folder),
    /// A script runs.
    Run {
        folder: Folder,
        /// For a shell.
        script: String,
        /// Its variables.
        environment: BTreeMap<String, String>,
    },
}

/// Reads the first publishing job that builds this project and does something else before.
pub(crate) fn find(
    tree: &SourceTree,
    publishing: &Publishing,
    known: &Known<'_>,
    project: &Folder,
) -> Option<Replay> {
    publishing.jobs.iter().find_map(|(workflow, job)| {
        let mut walk = Walk {
            tree,
            known,
            project,
            jobs: publishing
                .jobs
                .iter()
                .filter(|(other, _)| other == workflow)
                .map(|(_, job)| job)
                .collect(),
            entered: vec![&job.id],
            steps: Vec::new(),
            built_in: None,
        };
        walk.job(job);
        let here = walk.built_in.as_ref()? == project || walk.built_in == Some(Folder::default());
        (here && !walk.steps.is_empty()).then(|| Replay {
            steps: walk.steps,
            workflow: workflow.clone(),
        })
    })
}

struct Walk<'a> {
    tree: &'a SourceTree,
    known: &'a Known<'a>,
    project: &'a Folder,
    /// All publishing jobs of the workflow: one may take over what another made.
    jobs: Vec<&'a Job>,
    entered: Vec<&'a str>,
    steps: Vec<Replayed>,
    /// Where the package is built, once that is reached.
    built_in: Option<Folder>,
}

/// What a command is to the walk.
enum What {
    Directory(String),
    Install,
    Build,
    Nothing,
    /// To be done again, in these words.
    Run(String),
    /// Others that it stands for.
    These(Vec<String>),
}

impl<'a> Walk<'a> {
    fn job(&mut self, job: &'a Job) {
        for step in &job.steps {
            let never = step.condition.as_ref().is_some_and(|condition| {
                ["failure()", "pull_request", "cancelled()"]
                    .iter()
                    .any(|word| condition.contains(word))
            });
            if never || self.steps.len() >= MOST {
                continue;
            }
            match &step.does {
                Does::Run(script) => {
                    // A matrix or an output names the folder: it is this project's in its own run of the job.
                    let folder = match step.directory.as_deref().map(|name| self.known.fill(name)) {
                        None => Folder::default(),
                        Some(Some(name)) => match Folder::default().join(&name) {
                            Some(folder) => folder,
                            None => continue,
                        },
                        Some(None) => self.project.clone(),
                    };
                    let mut environment = job.environment.clone();
                    environment.extend(step.environment.clone());
                    let environment: BTreeMap<String, String> = environment
                        .into_iter()
                        .filter_map(|(name, value)| Some((name, self.known.fill(&value)?)))
                        .collect();
                    if let Some(script) = self.known.fill(script) {
                        self.script(&script, folder, &environment);
                    }
                }
                Does::Use(action, _) if action.ends_with("gh-action-pypi-publish") => {
                    self.built_in.get_or_insert_default();
                }
                Does::Use(action, inputs) if action.ends_with("/download-artifact") => {
                    self.maker_of(inputs.get("name"));
                }
                Does::Use(..) => {}
            }
            if self.built_in.is_some() {
                return;
            }
        }
    }

    /// Walks the jobs first whose artifacts this one downloads.
    fn maker_of(&mut self, artifact: Option<&String>) {
        for job in self.jobs.clone() {
            let uploads = job.steps.iter().any(|step| match &step.does {
                Does::Use(action, inputs) => {
                    action.ends_with("/upload-artifact")
                        && artifact.is_none_or(|name| inputs.get("name") == Some(name))
                }
                Does::Run(_) => false,
            });
            if uploads && !self.entered.contains(&job.id.as_str()) {
                self.entered.push(&job.id);
                self.job(job);
            }
        }
    }

    fn script(&mut self, script: &str, mut folder: Folder, environment: &BTreeMap<String, String>) {
        let commands = match split(script) {
            Script::Commands(commands) => commands,
            Script::Compound(text) => {
                if builds_somewhere(&text) {
                    self.built_in = Some(folder);
                } else if !reaches_out(&text) && changes_files(&text) {
                    self.run(folder, vec![text], environment);
                }
                return;
            }
        };
        let mut lines = Vec::new();
        let mut acts = false;
        for command in commands {
            let these = match self.what(&command, &folder) {
                What::These(these) => these,
                What::Directory(to) => {
                    if acts {
                        self.run(folder.clone(), std::mem::take(&mut lines), environment);
                    }
                    (lines, acts) = (Vec::new(), false);
                    match folder.join(&to) {
                        Some(to) => folder = to,
                        None => return,
                    }
                    continue;
                }
                What::Install => {
                    if acts {
                        self.run(folder.clone(), std::mem::take(&mut lines), environment);
                    }
                    (lines, acts) = (Vec::new(), false);
                    self.steps.push(Replayed::Install(folder.clone()));
                    continue;
                }
                What::Build => {
                    self.built_in = Some(folder.clone());
                    break;
                }
                What::Nothing => continue,
                What::Run(text) => {
                    acts |= !command.words.is_empty();
                    lines.push(text);
                    continue;
                }
            };
            if acts {
                self.run(folder.clone(), std::mem::take(&mut lines), environment);
            }
            (lines, acts) = (Vec::new(), false);
            for text in these {
                // A recipe's line is a script of its own and cannot stand for another recipe.
                self.script(&text.replace("make ", ": "), folder.clone(), environment);
                if self.built_in.is_some() {
                    return;
                }
            }
        }
        if acts {
            self.run(folder, lines, environment);
        }
    }

    fn run(&mut self, folder: Folder, lines: Vec<String>, environment: &BTreeMap<String, String>) {
        if self.steps.len() < MOST {
            self.steps.push(Replayed::Run {
                folder,
                script: lines.join("\n"),
                environment: environment.clone(),
            });
        }
    }

    fn what(&self, command: &Command, folder: &Folder) -> What {
        let (words, text) = unwrapped(command);
        if is_build(&words) {
            return What::Build;
        }
        if let Some(("make", rest)) = words.split_first().map(|(first, rest)| (*first, rest)) {
            return self.make(rest, folder);
        }
        if is_tooling(&words) || reaches_out(&text) {
            // Many talk with hosts; installs of JavaScript are the exception that is done by another step.
            return match classify(command) {
                Kind::Install(_) => What::Install,
                _ => What::Nothing,
            };
        }
        match classify(command) {
            Kind::Directory(to) => What::Directory(to),
            Kind::Install(_) => What::Install,
            Kind::Script(name) if is_check(&name) => What::Nothing,
            Kind::Script(_) | Kind::Other => What::Run(text),
            Kind::Tool(..) | Kind::Publish(_) | Kind::Stamp | Kind::Nothing => What::Nothing,
        }
    }

    fn make(&self, rest: &[&str], folder: &Folder) -> What {
        let targets: Vec<&str> = rest
            .iter()
            .filter(|word| !word.starts_with('-') && !word.contains('='))
            .copied()
            .collect();
        if targets.iter().any(|target| is_check(target)) {
            return What::Nothing;
        }
        let makefile = ["Makefile", "makefile", "GNUmakefile"]
            .iter()
            .find_map(|name| self.tree.text(&folder.path(name)));
        match makefile {
            Some(makefile) => What::These(
                targets
                    .iter()
                    .flat_map(|target| makefile::commands(makefile, target))
                    .collect(),
            ),
            None => What::Nothing,
        }
    }
}

/// A command without the runner in front of it: `uv run x` is `x` in the environment that is there anyway.
fn unwrapped(command: &Command) -> (Vec<&str>, String) {
    const WITH_VALUE: [&str; 9] = [
        "--with",
        "--python",
        "-p",
        "--group",
        "--extra",
        "--package",
        "--env-file",
        "--only-group",
        "--from",
    ];
    let words: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let mut at = match words.as_slice() {
        [
            "uv" | "poetry" | "pdm" | "hatch" | "rye" | "pipenv",
            "run",
            ..,
        ] => 2,
        ["uvx", ..] => 1,
        ["time" | "command" | "exec", ..] => 1,
        _ => return (words, command.text.clone()),
    };
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at = at.saturating_add(if WITH_VALUE.contains(word) { 2 } else { 1 });
    }
    let rest: Vec<&str> = words.get(at..).unwrap_or_default().to_vec();
    // The words in front hold no spaces, so the text can be cut where they end.
    let mut text = command.text.as_str();
    for word in words.iter().take(at) {
        text = text
            .find(word)
            .and_then(|start| text.get(start.saturating_add(word.len())..))
            .unwrap_or(text);
    }
    let text = text.trim();
    let script = rest.first().is_some_and(|word| word.ends_with(".py"));
    (
        rest,
        if script {
            format!("python {text}")
        } else {
            text.to_owned()
        },
    )
}

/// Commands that make or send the package.
fn is_build(words: &[&str]) -> bool {
    matches!(
        words,
        ["uv", "build" | "publish", ..]
            | [
                "poetry" | "flit" | "hatch" | "pdm" | "rye",
                "build" | "publish",
                ..
            ]
            | [
                "python" | "python3",
                "-m",
                "build" | "flit" | "hatch" | "poetry" | "pdm",
                ..
            ]
            | ["python" | "python3", "setup.py", ..]
            | ["pyproject-build" | "maturin", ..]
            | ["twine", "upload", ..]
            | ["python" | "python3", "-m", "twine", "upload", ..]
            | ["semantic-release", ..]
    )
}

fn builds_somewhere(script: &str) -> bool {
    [
        "uv build",
        "-m build",
        "poetry build",
        "hatch build",
        "flit build",
        "pdm build",
        "pyproject-build",
    ]
    .iter()
    .any(|call| script.contains(call))
}

/// Programs that install, check, or keep house, whatever their arguments.
fn is_tooling(words: &[&str]) -> bool {
    let program = match words {
        ["python" | "python3", "-m", module, ..] => *module,
        ["python" | "python3", "--version" | "-V", ..] => return true,
        [program, ..] => *program,
        [] => return false,
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    matches!(
        name,
        "pip"
            | "pip3"
            | "pipx"
            | "uv"
            | "uvx"
            | "poetry"
            | "pdm"
            | "hatch"
            | "flit"
            | "rye"
            | "pipenv"
            | "conda"
            | "mamba"
            | "micromamba"
            | "venv"
            | "virtualenv"
            | "ensurepip"
            | "source"
            | "."
            | "pytest"
            | "unittest"
            | "ruff"
            | "mypy"
            | "pyright"
            | "basedpyright"
            | "ty"
            | "black"
            | "isort"
            | "flake8"
            | "pylint"
            | "bandit"
            | "tox"
            | "nox"
            | "pre-commit"
            | "twine"
            | "coverage"
            | "safety"
            | "pip-audit"
            | "check-wheel-contents"
            | "validate-pyproject"
            | "deptry"
            | "codespell"
            | "mkdocs"
            | "sphinx-build"
            | "bumpversion"
            | "bump2version"
            | "bump-my-version"
            | "cz"
            | "towncrier"
            | "deno"
            | "cargo"
            | "rustup"
            | "just"
            | "task"
            | "brew"
            | "apt"
            | "apt-get"
            | "systemctl"
            | "claude"
            | "smithery"
            | "zip"
            | "chown"
            | "stat"
            | "sha256sum"
            | "diff"
            | "grep"
            | "tree"
            | "which"
    )
}

/// Words of commands that talk with other machines, wherever they stand.
fn reaches_out(text: &str) -> bool {
    [
        "curl ",
        "wget ",
        "gh ",
        "git push",
        "git fetch",
        "git pull",
        "git clone",
        "git commit",
        "git tag",
        "pip install",
        "uv sync",
        "uv pip",
        "uvx ",
        "npm view",
        "npm install -g",
        "docker ",
        "aws ",
        "gcloud ",
        "http://",
        "https://",
        "secrets.",
        "GITHUB_TOKEN",
        "TWINE_",
        "UV_PUBLISH",
    ]
    .iter()
    .any(|word| text.contains(word))
}

/// Whether a script with control flow does more than to check and to report.
fn changes_files(text: &str) -> bool {
    ["sed -i", "> ", "cp ", "mv ", "python ", "npm run", "tee "]
        .iter()
        .any(|word| text.contains(word))
        && !text.contains("exit 1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pypi::publish;

    fn check(files: &[(&str, &str)], project: &str, expect: &[&str]) {
        let mut tree = SourceTree::default();
        for (path, text) in files {
            tree.texts
                .insert(path.parse().unwrap(), text.as_bytes().to_vec());
        }
        let known = Known {
            version: "1.2.3",
            reference: "v1.2.3",
            commit: "0123",
            repository: "o/n",
            build_path: "/remint",
        };
        let project = Folder::default().join(project).unwrap();
        let found = find(&tree, &publish::read(&tree), &known, &project).unwrap_or_default();
        let steps: Vec<String> = found
            .steps
            .iter()
            .map(|step| match step {
                Replayed::Install(folder) => format!("install in {folder}"),
                Replayed::Run { folder, script, .. } => format!("{script} in {folder}"),
            })
            .collect();
        assert_eq!(steps, expect);
    }

    fn workflow(steps: &str) -> String {
        format!(
            "on: push\njobs:\n  release:\n    steps:\n{steps}\n      - uses: pypa/gh-action-pypi-publish@v1\n"
        )
    }

    #[test]
    fn what_changes_the_tree_is_done_again_and_the_rest_is_not() {
        let steps = workflow(
            "      - run: |\n          pip install build\n          pytest\n          ruff check .\n      - run: cd ui && npm ci && npm run lint && npm run build\n      - run: |\n          V=${GITHUB_REF#refs/tags/v}\n          echo \"__version__ = '$V'\" > x/v.py\n      - run: uv run --with rich scripts/gen.py\n      - run: echo ${{ secrets.TOKEN }} > x/token\n      - run: curl https://example.org/x > x/y\n      - run: |\n          if [ \"$A\" != \"$B\" ]; then\n            exit 1\n          fi\n      - run: python -m build\n      - run: sed -i s/a/b/ x.py",
        );
        check(
            &[(".github/workflows/release.yml", &steps)],
            ".",
            &[
                "install in ui",
                "npm run build in ui",
                "V=${GITHUB_REF#refs/tags/v}\necho \"__version__ = '$V'\" > x/v.py in .",
                "python scripts/gen.py in .",
            ],
        );
    }

    #[test]
    fn recipes_of_a_makefile_are_looked_into() {
        let steps =
            workflow("      - run: make test\n      - run: make build\n      - run: uv build");
        check(
            &[
                (".github/workflows/release.yml", &steps),
                (
                    "Makefile",
                    "build: gen\n\tuv run build/build.py\ngen:\n\tpython gen.py\ntest:\n\tpytest\n",
                ),
            ],
            ".",
            &["python gen.py in .", "python build/build.py in ."],
        );
        let steps = workflow("      - run: make dist");
        check(
            &[
                (".github/workflows/release.yml", &steps),
                ("Makefile", "dist:\n\tcp a b\n\tuv build\n\tcp c d\n"),
            ],
            ".",
            &["cp a b in ."],
        );
    }

    #[test]
    fn what_another_job_made_and_handed_over_is_done_again() {
        let steps = "on: release\njobs:\n  version:\n    steps:\n      - run: sed -i s/0/$V/ pyproject.toml\n        env: {V: '${{ steps.x.outputs.tag }}'}\n      - uses: actions/upload-artifact@v4\n        with: {name: stamped}\n  other:\n    steps:\n      - run: cp a b\n      - uses: actions/upload-artifact@v4\n        with: {name: other}\n  publish:\n    needs: [version, other]\n    steps:\n      - uses: actions/download-artifact@v4\n        with: {name: stamped}\n      - run: uvx --from build pyproject-build\n      - uses: pypa/gh-action-pypi-publish@v1\n";
        check(
            &[(".github/workflows/release.yml", steps)],
            ".",
            &["sed -i s/0/$V/ pyproject.toml in ."],
        );
    }

    #[test]
    fn jobs_for_other_projects_and_those_that_do_not_publish_are_passed_over() {
        let steps =
            workflow("      - run: cp a b && uv build\n        working-directory: packages/y");
        check(
            &[(".github/workflows/release.yml", &steps)],
            "packages/x",
            &[],
        );
        check(
            &[(".github/workflows/release.yml", &steps)],
            "packages/y",
            &["cp a b in packages/y"],
        );
        let test = "on: push\njobs:\n  test:\n    steps:\n      - run: cp a b && uv build\n";
        check(&[(".github/workflows/test.yml", test)], ".", &[]);
    }
}
