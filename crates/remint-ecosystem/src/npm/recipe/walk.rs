//! Walks through a job of a workflow up to the command that publishes, and gathers what a rebuild repeats.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::compound;
use super::gather::{Gathered, Weight};
use super::places::{matches_with_unknowns, publish_folder, script_folder};
use super::score::{is_preliminary, score};
use super::{
    Install, Kind, Known, Publish, Publisher, Recipe, Replay, Scope, classify, keeps_to_itself,
    leaves_the_tree, serves,
};
use crate::npm::folder::Folder;
use crate::npm::frontend;
use crate::npm::manager::Manager;
use crate::npm::project::{Project, manifest_in};
use crate::workflow::script::{Command, Script, split};
use crate::workflow::{Does, Job, Step, Workflow};
use crate::yaml;

/// How deep scripts may call each other while being read.
const DEEPEST: usize = 6;
/// How many scripts are looked into for one that publishes.
const MOST: usize = 500;

/// A recipe and how well it fits.
pub(super) struct Candidate {
    pub(super) recipe: Recipe,
    pub(super) score: i32,
}

/// Reads one job; `None` when it publishes nothing.
pub(super) fn read(
    project: &Project<'_>,
    known: &Known<'_>,
    workflow: &Workflow,
    job: &Job,
) -> Option<Candidate> {
    let known = known.started_by(&workflow.triggers);
    let mut walk = Walk {
        project,
        known: &known,
        environment: BTreeMap::new(),
        unknown: BTreeSet::new(),
        recipe: Recipe {
            path: workflow.path.clone(),
            job: job.id.clone(),
            installs: Vec::new(),
            other_installs: Vec::new(),
            steps: Vec::new(),
            left_out: Vec::new(),
            publish: Publish {
                by: Publisher::Npm,
                folder: Folder::default(),
                ignore_scripts: false,
            },
            tools: BTreeMap::new(),
        },
        published: None,
        quiet: BTreeSet::new(),
    };
    // What an earlier job built arrives as an artifact; its steps belong to the build.
    if downloads_artifacts(job) {
        for id in &job.needs {
            if let Some(earlier) = workflow.jobs.iter().find(|other| other.id == *id) {
                walk.job(earlier);
                walk.published = None;
            }
        }
    }
    walk.job(job);
    let text = walk.published.take()?;
    let score = score(project, &known, workflow, job, &walk.recipe.publish, &text);
    Some(Candidate {
        recipe: walk.recipe,
        score,
    })
}

fn downloads_artifacts(job: &Job) -> bool {
    job.steps.iter().any(
        |step| matches!(&step.does, Does::Use(action, _) if action == "actions/download-artifact"),
    )
}

struct Walk<'a, 'b> {
    project: &'a Project<'b>,
    known: &'a Known<'a>,
    /// Variables of the job that is being walked.
    environment: BTreeMap<String, String>,
    /// Variables of the step that is being read whose values are not known, secrets above all.
    unknown: BTreeSet<String>,
    recipe: Recipe,
    /// The text of the command that published.
    published: Option<String>,
    /// Scripts that are known to publish nothing, by folder and name.
    quiet: BTreeSet<(Folder, String)>,
}

impl Walk<'_, '_> {
    fn job(&mut self, job: &Job) {
        self.environment = self.known_variables(&job.environment);
        if let Some(image) = &job.image
            && let Some(tag) = image.strip_prefix("node:")
        {
            let version = tag.split('-').next().unwrap_or(tag);
            self.recipe.tools.insert("node", version.to_owned());
        }
        for step in &job.steps {
            if self.is_for_others(step) {
                continue;
            }
            match &step.does {
                Does::Use(action, inputs) => self.action(action, inputs),
                Does::Run(script) => self.step(step, script),
            }
            if self.published.is_some() {
                return;
            }
        }
    }

    /// Whether a step is for another kind of release than this one, or for a failure.
    fn is_for_others(&self, step: &Step) -> bool {
        step.condition
            .as_ref()
            .is_some_and(|condition| never_holds(condition, self.known.version.contains('-')))
    }

    /// The variables whose values are known; others, secrets above all, are left out.
    fn known_variables(&self, variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        variables
            .iter()
            .filter(|(name, _)| !is_credential(name))
            .filter_map(|(name, value)| Some((name.clone(), self.known.fill(value)?)))
            .collect()
    }

    fn action(&mut self, action: &str, inputs: &BTreeMap<String, String>) {
        let input = |name: &str| inputs.get(name).and_then(|value| self.known.fill(value));
        let version = |names: &[&str]| names.iter().find_map(|name| input(name));
        match action {
            "actions/setup-node" => {
                let from_file = input("node-version-file")
                    .and_then(|file| self.project.tree.text(file.trim_start_matches("./")))
                    .and_then(crate::npm::toolchain::node_in_file);
                if let Some(version) = version(&["node-version"]).or(from_file) {
                    self.recipe.tools.insert("node", version);
                }
            }
            "pnpm/action-setup" => {
                if let Some(version) = version(&["version"]) {
                    self.recipe.tools.insert("pnpm", version);
                }
            }
            "oven-sh/setup-bun" => {
                if let Some(version) = version(&["bun-version"]) {
                    self.recipe.tools.insert("bun", version);
                }
            }
            "changesets/action" => {
                let Some(command) = input("publish") else {
                    return;
                };
                let folder = self.folder(input("cwd").as_deref());
                self.script(&command, &folder, &BTreeMap::new(), DEEPEST);
            }
            "js-devtools/npm-publish" => {
                let folder = self.folder(input("package").as_deref());
                self.publish(Publisher::Npm, folder, action);
            }
            "cycjimmy/semantic-release-action" | "codfish/semantic-release-action" => {
                self.release_tool("semantic-release");
                self.publish(Publisher::Npm, Folder::default(), action);
            }
            _ => {}
        }
    }

    fn step(&mut self, step: &Step, script: &str) {
        let folder = self.folder(step.directory.as_deref());
        let mut environment = self.environment.clone();
        environment.extend(self.known_variables(&step.environment));
        self.unknown = step
            .environment
            .keys()
            .filter(|name| !environment.contains_key(*name))
            .cloned()
            .collect();
        self.script(script, &folder, &environment, DEEPEST);
    }

    /// The folder that a step names. One that depends on a matrix is taken for the package's where it can be it.
    fn folder(&self, directory: Option<&str>) -> Folder {
        let Some(directory) = directory else {
            return Folder::default();
        };
        if let Some(directory) = self.known.fill(directory) {
            return Folder::default().join(&directory).unwrap_or_default();
        }
        if matches_with_unknowns(directory, self.project.folder.as_str()) {
            self.project.folder.clone()
        } else {
            Folder::default()
        }
    }

    /// Reads a script: its commands up to the one that publishes, those to be repeated gathered as one step.
    fn script(
        &mut self,
        script: &str,
        folder: &Folder,
        environment: &BTreeMap<String, String>,
        depth: usize,
    ) {
        let commands = match split(script) {
            Script::Commands(commands) => commands,
            Script::Compound(script) => return self.compound(&script, folder, environment),
        };
        let mut replay = Gathered::new(folder, environment);
        let mut here = folder.clone();
        for command in &commands {
            let filled = self
                .known
                .fill(&command.text)
                .filter(|text| !self.uses_unknown(text));
            let Some(text) = filled else {
                // Even an unknown command may be the one that publishes: `npm publish --otp=${{ secrets.X }}`.
                if let Kind::Publish(by) = classify(command) {
                    self.recipe.steps.extend(replay.finish());
                    self.note_options(command);
                    return self.publish(
                        by,
                        publish_folder(command, &here, self.project),
                        &command.text,
                    );
                }
                if self.may_make_files(command, &here) {
                    self.leave_out(&command.text);
                }
                continue;
            };
            match classify(command) {
                Kind::Directory(directory) => {
                    let filled = self.known.fill(&directory).unwrap_or(directory);
                    here = here.join(&filled).unwrap_or(here);
                    replay.push(&text, Scope::Other, Weight::Follows);
                }
                Kind::Install(manager) => {
                    let frozen = ["ci", "clean-install", "--frozen-lockfile", "--immutable"]
                        .iter()
                        .any(|word| command.has(word));
                    self.recipe.installs.push(Install {
                        manager,
                        // pnpm insists by itself where it runs in a workflow.
                        frozen: frozen || manager == Manager::Pnpm,
                    });
                    let place = command
                        .option("--prefix")
                        .or_else(|| command.option("-C"))
                        .or_else(|| command.option("--cwd"))
                        .and_then(|directory| here.join(directory))
                        .unwrap_or_else(|| here.clone());
                    if place != self.project.root
                        && place != self.project.folder
                        && self.project.member_in(&place).is_none()
                        && !self.recipe.other_installs.contains(&place)
                    {
                        self.recipe.other_installs.push(place);
                    }
                }
                Kind::Tool(name, version) => {
                    let name = match name.as_str() {
                        "npm" => "npm",
                        "pnpm" => "pnpm",
                        "yarn" => "yarn",
                        _ => "bun",
                    };
                    self.recipe.tools.insert(name, version);
                }
                Kind::Publish(by) => {
                    self.recipe.steps.extend(replay.finish());
                    if matches!(by, Publisher::Npm) {
                        self.release_tool(&command.text);
                    }
                    self.note_options(command);
                    return self.publish(by, publish_folder(command, &here, self.project), &text);
                }
                Kind::Script(name) => {
                    let place = script_folder(command, &here, self.project);
                    if self.expand(&name, &place, &mut replay, depth) {
                        if self.published.is_some() {
                            return;
                        }
                    } else if !(keeps_to_itself(command) && self.only_checks(&name, &place)) {
                        let scope = self.scope(&name, &place);
                        replay.push(&text, scope, Weight::Counts);
                    }
                }
                Kind::Stamp => {
                    self.recipe.steps.extend(replay.finish());
                    self.recipe.steps.push(Replay::Stamp);
                }
                Kind::Nothing => {}
                Kind::Other => {
                    let weight = if serves(command) {
                        Weight::Follows
                    } else {
                        Weight::Counts
                    };
                    let scope = if builds_workspace(command) && here == self.project.root {
                        self.workspace_or_package()
                    } else {
                        Scope::Other
                    };
                    replay.push(&text, scope, weight);
                }
            }
        }
        self.recipe.steps.extend(replay.finish());
    }

    /// Whether a script of a folder's manifest makes nothing.
    fn only_checks(&self, name: &str, folder: &Folder) -> bool {
        frontend::only_checks(self.project.tree, folder, name)
    }

    /// Looks into a script of a manifest; true when it publishes, and its commands have been read instead.
    fn expand(&mut self, name: &str, folder: &Folder, replay: &mut Gathered, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return false;
        };
        if !self.publishes(name, folder) {
            return false;
        }
        let Some(text) = manifest_in(self.project.tree, folder)
            .and_then(|manifest| manifest.script(name).map(str::to_owned))
        else {
            return false;
        };
        self.recipe.steps.extend(replay.finish());
        let environment = replay.environment.clone();
        self.script(&text, folder, &environment, depth);
        true
    }

    /// Whether a script of a manifest publishes, directly or through others. Each is read once, however many call it.
    fn publishes(&mut self, name: &str, folder: &Folder) -> bool {
        let mut seen = BTreeSet::new();
        let mut called = vec![(folder.clone(), name.to_owned())];
        while let Some(next) = called.pop() {
            if seen.contains(&next)
                || self.quiet.contains(&next)
                || self.quiet.len() + seen.len() >= MOST
            {
                continue;
            }
            let (folder, name) = &next;
            let text = manifest_in(self.project.tree, folder)
                .and_then(|manifest| manifest.script(name).map(str::to_owned));
            let commands = match text.as_deref().map(split) {
                Some(Script::Commands(commands)) => commands,
                Some(Script::Compound(_)) | None => Vec::new(),
            };
            for command in &commands {
                match classify(command) {
                    Kind::Publish(_) => return true,
                    Kind::Script(name) => {
                        called.push((script_folder(command, folder, self.project), name));
                    }
                    Kind::Directory(_)
                    | Kind::Install(_)
                    | Kind::Tool(_, _)
                    | Kind::Stamp
                    | Kind::Nothing
                    | Kind::Other => {}
                }
            }
            seen.insert(next);
        }
        self.quiet.extend(seen);
        false
    }

    /// A script with control flow: it is repeated whole, without the commands that publish, where anything in it may make
    /// files. One that talks with hosts as well is repeated only where it plainly writes.
    fn compound(&mut self, script: &str, folder: &Folder, environment: &BTreeMap<String, String>) {
        let pieces = compound::read(script);
        let publishing: Vec<(Publisher, &Command)> = pieces
            .commands
            .iter()
            .filter_map(|command| match classify(command) {
                Kind::Publish(by) => Some((by, command)),
                Kind::Directory(_)
                | Kind::Install(_)
                | Kind::Tool(..)
                | Kind::Script(_)
                | Kind::Stamp
                | Kind::Nothing
                | Kind::Other => None,
            })
            .collect();
        if pieces.unclear
            || pieces
                .commands
                .iter()
                .any(|command| self.may_make_files(command, folder))
        {
            let commands = &pieces.commands;
            let foreign = commands.iter().any(compound::is_foreign) || leaves_the_tree(script);
            let repeated = publishing
                .iter()
                .try_fold(script.to_owned(), |script, (_, command)| {
                    script
                        .contains(&command.text)
                        .then(|| script.replace(&command.text, ":"))
                })
                .filter(|_| !foreign || commands.iter().any(compound::writes_plainly))
                .filter(|script| !self.uses_unknown(script))
                .and_then(|script| self.known.fill(&script));
            match repeated {
                Some(script) => self.recipe.steps.push(Replay::Run {
                    folder: folder.clone(),
                    script,
                    environment: environment.clone(),
                    scope: Scope::Other,
                }),
                None => self.leave_out(script),
            }
        }
        if let Some((by, command)) = publishing.last() {
            self.note_options(command);
            let folder = publish_folder(command, folder, self.project);
            self.publish(*by, folder, &command.text);
        }
    }

    /// Whether a command may make files that are published, and has to be repeated for that.
    fn may_make_files(&self, command: &Command, folder: &Folder) -> bool {
        match classify(command) {
            Kind::Script(name) => {
                let place = script_folder(command, folder, self.project);
                !(keeps_to_itself(command) && self.only_checks(&name, &place))
            }
            Kind::Stamp => true,
            Kind::Other => !serves(command),
            Kind::Directory(_)
            | Kind::Install(_)
            | Kind::Tool(..)
            | Kind::Publish(_)
            | Kind::Nothing => false,
        }
    }

    /// Notes what cannot be repeated.
    fn leave_out(&mut self, script: &str) {
        const LONGEST: usize = 200;
        let words: String = script.trim().chars().take(LONGEST).collect();
        if !self.recipe.left_out.contains(&words) && self.recipe.left_out.len() < MOST {
            self.recipe.left_out.push(words);
        }
    }

    /// Whether a text expands a variable whose value is not known.
    fn uses_unknown(&self, text: &str) -> bool {
        text.split('$').skip(1).any(|after| {
            let name: String = after
                .trim_start_matches('{')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            self.unknown.contains(&name)
        })
    }

    fn note_options(&mut self, command: &Command) {
        if command.has("--ignore-scripts") {
            self.recipe.publish.ignore_scripts = true;
        }
    }

    fn publish(&mut self, by: Publisher, folder: Folder, text: &str) {
        self.recipe.publish.by = by;
        self.recipe.publish.folder = folder;
        self.published = Some(text.to_owned());
    }

    /// What a release tool does before it publishes: it writes the version, then runs what it was told to.
    fn release_tool(&mut self, command: &str) {
        if command.contains("semantic-release")
            || command.contains("release-it")
            || command.contains("lerna")
        {
            self.recipe.steps.push(Replay::Stamp);
        }
        if command.contains("semantic-release") {
            for script in self.prepare_commands() {
                let folder = self.project.folder.clone();
                self.script(&script, &folder, &BTreeMap::new(), DEEPEST - 1);
                self.published = None;
            }
        }
    }

    /// `prepareCmd` of `@semantic-release/exec`, the version filled in.
    fn prepare_commands(&self) -> Vec<String> {
        let from_file = [
            ".releaserc",
            ".releaserc.json",
            ".releaserc.yaml",
            ".releaserc.yml",
        ]
        .iter()
        .find_map(|name| self.project.tree.text(&self.project.folder.path(name)))
        .and_then(|text| yaml::parse(text).ok());
        let settings = match (&from_file, self.project.manifest.get("release")) {
            (Some(settings), _) => settings,
            (None, Some(settings)) => settings,
            (None, None) => return Vec::new(),
        };
        settings
            .get("plugins")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|plugin| {
                plugin.get(0).and_then(Value::as_str) == Some("@semantic-release/exec")
            })
            .filter_map(|plugin| plugin.get(1)?.get("prepareCmd")?.as_str())
            .map(|command| command.replace("${nextRelease.version}", self.known.version))
            .collect()
    }

    fn scope(&self, name: &str, folder: &Folder) -> Scope {
        if !name.contains("build") && !name.contains("compile") && !name.contains("bundle") {
            return Scope::Other;
        }
        // The build of a sibling belongs to that of the workspace.
        if *folder == self.project.folder {
            Scope::Package
        } else {
            Scope::Workspace
        }
    }

    fn workspace_or_package(&self) -> Scope {
        if self.project.is_member() {
            Scope::Workspace
        } else {
            Scope::Package
        }
    }
}

/// Whether the condition of a step is known not to hold in a job that went well, for a release that is or is not a
/// preliminary one. What is turned round, or holds otherwise as well, is never known to fail.
pub(crate) fn never_holds(condition: &str, preliminary: bool) -> bool {
    let condition = condition.trim().to_ascii_lowercase();
    let condition = condition
        .strip_prefix("${{")
        .and_then(|inner| inner.strip_suffix("}}"))
        .unwrap_or(&condition);
    if condition.contains("||") || condition.contains(['!', '{']) || condition.contains("false") {
        return false;
    }
    condition.split("&&").map(str::trim).any(|part| {
        // Nothing is published for a pull request.
        matches!(
            part,
            "failure()" | "cancelled()" | "github.event_name == 'pull_request'"
        ) || (!preliminary && asks_for_preliminary(part))
    })
}

/// Whether a condition is for releases that are not for everybody: `inputs.prerelease`, `inputs.tag == 'beta'`,
/// `contains(github.ref, '-rc')`.
fn asks_for_preliminary(condition: &str) -> bool {
    let is_name = |text: &str| {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !text.is_empty() && text.chars().all(named)
    };
    let literal = |text: &str| {
        let inner = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        (!inner.contains('\'')).then(|| inner.to_owned())
    };
    if let Some((name, value)) = condition.split_once("==") {
        let (name, value) = (name.trim(), value.trim());
        return is_name(name)
            && match literal(value) {
                Some(text) if text != "true" => is_preliminary(&text),
                _ => matches!(value, "true" | "'true'") && is_preliminary(name),
            };
    }
    let call = ["contains(", "startswith(", "endswith("]
        .iter()
        .find_map(|call| condition.strip_prefix(call)?.strip_suffix(')'));
    if let Some((name, value)) = call.and_then(|arguments| arguments.split_once(',')) {
        return is_name(name.trim()) && literal(value).is_some_and(|text| is_preliminary(&text));
    }
    is_name(condition) && is_preliminary(condition)
}

/// Whether a command that is no script builds a whole workspace.
fn builds_workspace(command: &Command) -> bool {
    ["turbo", "nx", "lerna"]
        .iter()
        .any(|tool| command.words.iter().any(|word| word == tool))
        && command.words.iter().any(|word| word.contains("build"))
}

/// Whether a variable is a credential by its name, whatever its value.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "SECRET", "PASSWORD", "AUTH", "PROVENANCE"]
        .iter()
        .any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_skipped_only_by_what_is_known_not_to_hold() {
        for (condition, expect) in [
            ("failure()", true),
            ("${{ cancelled() }}", true),
            ("github.ref == 'refs/tags/x' && failure()", true),
            ("github.event.release.prerelease", true),
            ("github.event.release.prerelease == true", true),
            ("inputs.tag == 'beta'", true),
            ("github.event_name == 'pull_request'", true),
            ("github.event_name != 'pull_request'", false),
            ("contains(github.ref, '-rc.')", true),
            ("!failure()", false),
            ("${{ !cancelled() }}", false),
            ("success() || failure()", false),
            ("!(a && failure() && b)", false),
            ("(a && failure() && b) == false", false),
            ("github.event.release.prerelease == false", false),
            ("!github.event.release.prerelease", false),
            ("inputs.tag != 'beta'", false),
            ("contains(inputs.next, 'x')", false),
            ("inputs.next == 'x'", false),
            ("github.ref == 'refs/heads/main'", false),
            ("always()", false),
        ] {
            assert_eq!(never_holds(condition, false), expect, "{condition}");
        }
        assert!(!never_holds("inputs.tag == 'beta'", true));
        assert!(never_holds("failure()", true));
    }
}
