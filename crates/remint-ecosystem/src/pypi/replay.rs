//! Steps of the publish workflow that change the tree before the package is built: a user interface, generated
//! code, a version written with `sed`. Installs, checks and talk with hosts are left out.

use std::collections::BTreeMap;

use remint_model::SourceTree;

use crate::npm::frontend::{
    Folder, Known, is_check, never_holds, only_checks, pieces, writes_plainly,
};
use crate::pypi::errand::{self, Errand};
use crate::pypi::publish::{self, Publishing, PublishingJob};
use crate::pypi::recipes::{self, UNKNOWN};
use crate::workflow::script::{Command, Script, split};
use crate::workflow::{Does, Job};

/// No release takes more steps.
const MOST: usize = 40;
/// Recipes that call recipes.
const DEEPEST: usize = 4;
/// Calls of recipes that are followed.
const MOST_RECIPES: usize = 100;

/// What has to be done again, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    pub(crate) steps: Vec<Replayed>,
    /// What may have changed the tree as well, and cannot be done again.
    pub(crate) left_out: Vec<String>,
    /// The workflow that says so.
    pub(crate) workflow: String,
    /// Whether another job publishes this project and does nothing of this before.
    pub(crate) also_without: bool,
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
    let mut found: Option<Replay> = None;
    let mut also_without = false;
    for publishing_job in &publishing.jobs {
        let PublishingJob {
            workflow,
            triggers,
            job,
        } = publishing_job;
        let known = known.started_by(triggers);
        let mut walk = Walk {
            tree,
            known: &known,
            project,
            jobs: publishing
                .jobs
                .iter()
                .filter(|other| other.workflow == *workflow)
                .map(|other| &other.job)
                .collect(),
            entered: vec![&job.id],
            depth: 0,
            recipes: 0,
            steps: Vec::new(),
            left_out: Vec::new(),
            built_in: None,
        };
        walk.job(job);
        let Some(built_in) = walk.built_in else {
            continue;
        };
        if built_in != *project && built_in != Folder::default() {
            continue;
        }
        if walk.steps.is_empty() && walk.left_out.is_empty() {
            // One that only tries the package says nothing of how it is published.
            also_without |= publish::surely_publishes(job);
        } else if found.is_none() {
            found = Some(Replay {
                steps: walk.steps,
                left_out: walk.left_out,
                workflow: workflow.clone(),
                also_without: false,
            });
        }
    }
    found.map(|replay| Replay {
        also_without,
        ..replay
    })
}

struct Walk<'a> {
    tree: &'a SourceTree,
    known: &'a Known<'a>,
    project: &'a Folder,
    /// All publishing jobs of the workflow: one may take over what another made.
    jobs: Vec<&'a Job>,
    entered: Vec<&'a str>,
    depth: usize,
    /// How many recipes have been read.
    recipes: usize,
    steps: Vec<Replayed>,
    left_out: Vec<String>,
    /// Where the package is built, once that is reached.
    built_in: Option<Folder>,
}

impl<'a> Walk<'a> {
    fn job(&mut self, job: &'a Job) {
        for step in &job.steps {
            let condition = step.condition.as_ref();
            let never = condition.is_some_and(|condition| never_holds(condition, true));
            if never {
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
                    let script = self
                        .known
                        .fill(script)
                        .unwrap_or_else(|| self.filled(script));
                    self.script(&script, folder, &environment);
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

    fn script(&mut self, script: &str, folder: Folder, environment: &BTreeMap<String, String>) {
        // A subshell alone: its commands run one after the other like any.
        let script = script.trim();
        let script = script
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .filter(|inner| !inner.contains(['(', ')']))
            .unwrap_or(script);
        let commands = match split(script) {
            Script::Commands(commands) => commands,
            Script::Compound(text) => return self.compound(&text, folder, environment),
        };
        let mut group = Group {
            folder,
            ..Group::default()
        };
        for command in commands {
            match errand::of(&command) {
                Errand::Nothing => {}
                Errand::LeftOut => self.leave_out(&command.text),
                Errand::Check(name, _) if only_checks(self.tree, &group.folder, &name) => {}
                Errand::Run(text) if text.contains(UNKNOWN) => self.leave_out(&text),
                Errand::Run(text) | Errand::Check(_, text) => {
                    // An assignment alone serves the commands after it.
                    group.acts |= !command.words.is_empty();
                    group.lines.push(text);
                }
                Errand::Build => {
                    self.end(&mut group, environment);
                    self.built_in = Some(group.folder);
                    return;
                }
                Errand::Directory(to) => {
                    self.end(&mut group, environment);
                    match group.folder.join(&to) {
                        Some(to) => group.folder = to,
                        None => return,
                    }
                }
                Errand::Install => {
                    self.end(&mut group, environment);
                    self.push(Replayed::Install(group.folder.clone()));
                }
                Errand::Recipe(program, targets) => {
                    let checks = !targets.is_empty() && targets.iter().all(|name| is_check(name));
                    let lines = self.recipe(&command, &program, &targets, &group.folder);
                    if self.recipes > MOST_RECIPES {
                        self.leave_out(&command.text);
                    } else if lines.as_ref().is_none_or(Vec::is_empty) && !checks {
                        // Written in a way that is not read here, so the program itself is asked.
                        group.acts = true;
                        group.lines.push(command.text.clone());
                    }
                    self.end(&mut group, environment);
                    for line in lines.unwrap_or_default() {
                        self.deeper(&line, group.folder.clone(), environment);
                        if self.built_in.is_some() {
                            return;
                        }
                    }
                }
            }
        }
        self.end(&mut group, environment);
    }

    /// A script with control flow is done again whole, without the commands that make or send the package.
    fn compound(&mut self, script: &str, folder: Folder, environment: &BTreeMap<String, String>) {
        let pieces = pieces(script);
        let builds: Vec<_> = pieces
            .commands
            .iter()
            .filter(|command| errand::of(command) == Errand::Build)
            .collect();
        if errand::changes_files(&pieces) {
            let again = builds
                .iter()
                .try_fold(script.to_owned(), |script, command| {
                    script
                        .contains(&command.text)
                        .then(|| script.replace(&command.text, ":"))
                })
                .filter(|script| !script.contains(UNKNOWN) && !errand::is_foreign(&pieces));
            match again {
                Some(again) => self.run(folder.clone(), again, environment),
                None => self.leave_out(script),
            }
        }
        if !builds.is_empty() {
            self.built_in = Some(folder);
        }
    }

    /// The text with the known expressions filled in, and a sign where the others stood.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let Some((expression, after)) = after.split_once("}}") else {
                break;
            };
            filled.push_str(before);
            let known = self.known.fill(&format!("${{{{{expression}}}}}"));
            filled.push_str(known.as_deref().unwrap_or(UNKNOWN));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// Notes what cannot be done again.
    fn leave_out(&mut self, script: &str) {
        const LONGEST: usize = 200;
        if self.left_out.len() < MOST {
            let words = script.trim().replace(UNKNOWN, "${{ … }}");
            self.left_out.push(words.chars().take(LONGEST).collect());
        }
    }

    /// A line of a recipe is a script of its own; recipes that call each other end at a fixed depth.
    fn deeper(&mut self, script: &str, folder: Folder, environment: &BTreeMap<String, String>) {
        if self.depth < DEEPEST {
            self.depth += 1;
            self.script(script, folder, environment);
            self.depth -= 1;
        }
    }

    /// The lines of the recipes that a command calls; `None` where there is no file of them.
    fn recipe(
        &mut self,
        command: &Command,
        program: &str,
        targets: &[String],
        folder: &Folder,
    ) -> Option<Vec<String>> {
        // `make build PYTHON=…`
        let given: Vec<&str> = command
            .words
            .iter()
            .filter_map(|word| Some(word.split_once('=')?.0))
            .chain(command.assignments.iter().map(|(name, _)| name.as_str()))
            .collect();
        self.recipes += 1;
        if self.recipes > MOST_RECIPES {
            return Some(Vec::new());
        }
        recipes::files(program)
            .iter()
            .find_map(|(name, read)| Some((self.tree.text(&folder.path(name))?, read)))
            .map(|(text, read)| {
                targets
                    .iter()
                    .take(MOST_RECIPES)
                    .flat_map(|target| {
                        let lines = read(text, target, &given).into_iter();
                        // What is called a check is taken for one, but for what it plainly writes.
                        lines.filter(|line| {
                            !is_check(target) || pieces(line).commands.iter().any(writes_plainly)
                        })
                    })
                    .collect()
            })
    }

    fn end(&mut self, group: &mut Group, environment: &BTreeMap<String, String>) {
        if group.acts {
            self.run(group.folder.clone(), group.lines.join("\n"), environment);
        }
        group.lines.clear();
        group.acts = false;
    }

    fn run(&mut self, folder: Folder, script: String, environment: &BTreeMap<String, String>) {
        self.push(Replayed::Run {
            folder,
            script,
            environment: environment.clone(),
        });
    }

    fn push(&mut self, step: Replayed) {
        if self.steps.len() < MOST {
            self.steps.push(step);
        } else if let Replayed::Run { script, .. } = step {
            self.leave_out(&script);
        }
    }
}

/// Commands of one script that run in one folder.
#[derive(Default)]
struct Group {
    folder: Folder,
    lines: Vec<String>,
    /// Whether any of them is more than an assignment.
    acts: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known<'static> = Known {
        version: "1.2.3",
        reference: "v1.2.3",
        event: None,
        commit: "0123",
        repository: "o/n",
        build_path: "/remint",
    };

    fn check(files: &[(&str, &str)], project: &str, expect: &[&str]) {
        let mut tree = SourceTree::default();
        for (path, text) in files {
            tree.texts
                .insert(path.parse().unwrap(), text.as_bytes().to_vec());
        }
        let project = Folder::default().join(project).unwrap();
        let found = find(&tree, &publish::read(&tree), &KNOWN, &project).unwrap_or_default();
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
    fn nothing_that_may_write_is_passed_over_for_words_beside_it() {
        for (step, expect) in [
            (
                "run: for f in r/*.py; do python3 $f; done",
                "for f in r/*.py; do python3 $f; done in .",
            ),
            (
                "run: 'if [ ! -d r ]; then exit 1; fi; cp r/a a'",
                "if [ ! -d r ]; then exit 1; fi; cp r/a a in .",
            ),
            ("run: source r/x.sh", "source r/x.sh in ."),
            (
                "{run: cp r/a a, if: \"github.event_name != 'pull_request'\"}",
                "cp r/a a in .",
            ),
            ("{run: cp r/a a, if: '!cancelled()'}", "cp r/a a in ."),
            (
                "run: \"cp r/a a; uv build; uv publish --token ${{ secrets.T }}\"",
                "cp r/a a in .",
            ),
            (
                "run: 'if true; then cp r/a a; uv build; fi'",
                "if true; then cp r/a a; :; fi in .",
            ),
        ] {
            check(
                &[(
                    ".github/workflows/release.yml",
                    &workflow(&format!("      - {step}")),
                )],
                ".",
                &[expect],
            );
        }
        let steps = workflow("      - run: make check harden\n      - run: uv build");
        let makefile = "check:\n\tpytest\n\t./scripts/check.sh\nharden:\n\tcp r/a a\n";
        check(
            &[
                (".github/workflows/release.yml", &steps),
                ("Makefile", makefile),
            ],
            ".",
            &["cp r/a a in ."],
        );
        check(
            &[(".github/workflows/release.yml", &steps)],
            ".",
            &["make check harden in ."],
        );
        let makefile = "check:\n\tpytest\n\tcp r/a a\nharden:\n";
        check(
            &[
                (".github/workflows/release.yml", &steps),
                ("Makefile", makefile),
            ],
            ".",
            &["cp r/a a in ."],
        );
        let steps = workflow("      - run: npm run verify && npm run lint");
        let manifest = r#"{"scripts":{"verify":"cat r/a > a","lint":"eslint ."}}"#;
        check(
            &[
                (".github/workflows/release.yml", &steps),
                ("package.json", manifest),
            ],
            ".",
            &["npm run verify in ."],
        );
        let steps = workflow("      - {run: cp r/a a, if: failure()}\n      - run: uv build");
        check(&[(".github/workflows/release.yml", &steps)], ".", &[]);
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
    fn lines_of_recipes_that_cannot_be_read_are_named() {
        let steps = workflow("      - run: make gen\n      - run: uv build");
        let makefile = "PYTHON ?= python3\ngen:\n\t$(PYTHON) gen.py\n\t$(GENERATOR) x > y\n";
        let mut tree = SourceTree::default();
        for (path, text) in [
            (".github/workflows/release.yml", &*steps),
            ("Makefile", makefile),
        ] {
            tree.texts
                .insert(path.parse().unwrap(), text.as_bytes().to_vec());
        }
        let found = find(&tree, &publish::read(&tree), &KNOWN, &Folder::default()).unwrap();
        let [Replayed::Run { script, .. }] = found.steps.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(script, "python3 gen.py");
        assert_eq!(found.left_out, ["${{ … }} x > y"]);
    }

    #[test]
    fn recipes_of_a_taskfile_are_looked_into() {
        let steps = workflow("      - run: task build");
        check(
            &[
                (".github/workflows/release.yml", &steps),
                (
                    "Taskfile.yml",
                    "tasks:\n  build:\n    cmds:\n      - (cd ui && pnpm install && pnpm build)\n      - uv build\n",
                ),
            ],
            ".",
            &["install in ui", "pnpm build in ui"],
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
    fn a_job_that_publishes_without_more_is_known_beside_another() {
        let plain = "  plain:\n    steps:\n      - run: uv build\n      - run: uv publish\n";
        let tries = "  plain:\n    steps:\n      - run: uv build\n";
        let only = |condition: &str| format!("  plain:\n    if: {condition}\n{}", &plain[9..]);
        for (other, expect) in [
            (plain, true),
            (tries, false),
            (&only("github.event_name != 'pull_request'"), true),
            (&only("startsWith(github.ref, 'refs/tags/v')"), true),
            (&only("false"), false),
            (&only("github.actor == 'nobody'"), false),
        ] {
            let text = format!(
                "on: push\njobs:\n{other}  small:\n    needs: plain\n    steps:\n      - run: cp small.toml pyproject.toml\n      - run: uv build\n      - run: uv publish\n"
            );
            let mut tree = SourceTree::default();
            let path = ".github/workflows/release.yml".parse().unwrap();
            tree.texts.insert(path, text.into_bytes());
            let found = find(&tree, &publish::read(&tree), &KNOWN, &Folder::default()).unwrap();
            assert_eq!(found.steps.len(), 1, "{found:?}");
            assert_eq!(found.also_without, expect, "{found:?}");
        }
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

    #[test]
    fn recipes_that_multiply_come_to_an_end() {
        let steps = workflow("      - run: make a\n      - run: task a");
        let makefile = format!("a: a b\nb:\n{}", "\tmake a b\n\ttask a\n".repeat(200));
        let deps = "a, ".repeat(200);
        let taskfile = format!("tasks: {{a: {{deps: [{deps}], cmds: [make a]}}}}");
        check(
            &[
                (".github/workflows/release.yml", &steps),
                ("Makefile", &makefile),
                ("Taskfile.yml", &taskfile),
            ],
            ".",
            &[],
        );
    }
}
