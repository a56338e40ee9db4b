//! What the scripts of manifests do for a release: which of them build, which only check, and whether there is
//! anything to build at all.

use std::collections::BTreeSet;

use remint_model::Survey;

use crate::npm::checks::only_checks;
use crate::npm::folder::Folder;
use crate::npm::manifest::Manifest;
use crate::npm::project::{Member, Project};
use crate::npm::recipe::{Kind, classify, keeps_to_itself};
use crate::npm::typescript::{self, Writes};
use crate::workflow::script::{Command, Script, split};

/// Scripts that `npm pack` and its relatives run themselves.
pub(crate) const PACK_SCRIPTS: [&str; 4] = ["preprepack", "prepack", "prepare", "preprepare"];

/// Scripts that installing, packing or publishing runs without being told to.
pub(crate) const IMPLICIT_SCRIPTS: [&str; 14] = [
    "preinstall",
    "install",
    "postinstall",
    "preprepare",
    "prepare",
    "postprepare",
    "prepublish",
    "prepublishOnly",
    "preprepack",
    "prepack",
    "postprepack",
    "postpack",
    "publish",
    "postpublish",
];

/// The script that builds a package, by its usual names.
pub(crate) fn build_script(manifest: &Manifest) -> Option<&'static str> {
    [
        "build",
        "compile",
        "bundle",
        "build:prod",
        "build:production",
        "build:all",
        "build:lib",
        "dist",
        "transpile",
        "tsc",
    ]
    .into_iter()
    .find(|name| manifest.script(name).is_some())
}

/// Whether the build script can make published files. Also where all of them are committed: a committed result may
/// not be what its source gives.
pub(crate) fn build_script_matters(project: &Project<'_>, survey: &Survey) -> bool {
    build_script(&project.manifest).is_some_and(|name| !does_nothing(project, survey, name))
}

/// Whether packing alone builds.
pub(crate) fn pack_builds(manifest: &Manifest) -> bool {
    PACK_SCRIPTS.iter().any(|name| builds(manifest, name))
}

/// Whether this script, or one that it calls, makes files that are published.
pub(crate) fn builds(manifest: &Manifest, name: &str) -> bool {
    any_reached(manifest, name, &|text, called| match split(text) {
        Script::Commands(commands) => commands.iter().any(|command| match classify(command) {
            Kind::Script(name) if is_check_alone(manifest, command, &name) => false,
            Kind::Script(name) => {
                let says = says_build(&name);
                called.push(name);
                says
            }
            Kind::Other => is_builder(command),
            Kind::Directory(_)
            | Kind::Install(_)
            | Kind::Tool(_, _)
            | Kind::Publish(_)
            | Kind::Stamp
            | Kind::Nothing => false,
        }),
        Script::Compound(text) => says_build(&text),
    })
}

/// Whether a command that calls this script checks, and does nothing besides.
fn is_check_alone(manifest: &Manifest, command: &Command, called: &str) -> bool {
    keeps_to_itself(command) && only_checks(manifest, called)
}

/// Whether this holds for the text of a script or of one that it reaches; what a text calls is added to the list.
/// Each script is read once, however many call it.
fn any_reached(
    manifest: &Manifest,
    name: &str,
    holds: &dyn Fn(&str, &mut Vec<String>) -> bool,
) -> bool {
    let mut seen = BTreeSet::new();
    let mut called = vec![name.to_owned()];
    while let Some(name) = called.pop() {
        if let Some(text) = manifest.script(&name)
            && seen.insert(name)
            && holds(text, &mut called)
        {
            return true;
        }
    }
    false
}

fn is_builder(command: &Command) -> bool {
    const BUILDERS: [&str; 30] = [
        "tsc",
        "tsup",
        "tsdown",
        "tshy",
        "vite",
        "rollup",
        "rolldown",
        "webpack",
        "esbuild",
        "swc",
        "babel",
        "ncc",
        "unbuild",
        "parcel",
        "microbundle",
        "pkgroll",
        "turbo",
        "nx",
        "bob",
        "father",
        "make",
        "cargo",
        "wasm-pack",
        "node-gyp",
        "mkdist",
        "bunchee",
        "zshy",
        "rspack",
        "rslib",
        "vue-tsc",
    ];
    let called = command
        .words
        .iter()
        .filter(|word| !word.starts_with('-') && !matches!(word.as_str(), "npx" | "run" | "exec"))
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .take(2);
    called.into_iter().any(|word| BUILDERS.contains(&word)) || says_build(&command.text)
}

fn says_build(text: &str) -> bool {
    ["build", "compile", "bundle", "transpile"]
        .iter()
        .any(|word| text.contains(word))
}

/// Whether one of these scripts runs this one, or is the same command.
pub(crate) fn runs(manifest: &Manifest, callers: &[&str], script: &str) -> bool {
    callers
        .iter()
        .any(|caller| *caller != script && script_runs(manifest, caller, script))
}

fn script_runs(manifest: &Manifest, caller: &str, script: &str) -> bool {
    let own = manifest.script(script).map(str::trim);
    any_reached(manifest, caller, &|text, called| {
        if own == Some(text.trim()) {
            return true;
        }
        let Script::Commands(commands) = split(text) else {
            return false;
        };
        // With options of its own it may do something else.
        let names: Vec<String> = commands.iter().filter_map(plain_script).collect();
        let runs = names.iter().any(|name| name == script);
        called.extend(
            names
                .into_iter()
                .filter(|name| !only_checks(manifest, name)),
        );
        runs
    })
}

/// The script that a command runs in the current folder, without options or arguments.
pub(crate) fn plain_script(command: &Command) -> Option<String> {
    let plain = command.words.len() <= 3
        && command.words.join(" ") == command.text
        && !command.words.iter().any(|word| word.starts_with('-'));
    if let Kind::Script(name) = classify(command)
        && plain
    {
        Some(name)
    } else {
        None
    }
}

/// One command that a rebuild runs for a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// A script of the manifest.
    Script(String),
    /// A command line for a shell with the project's programs at hand.
    Shell(String),
}

/// What the scripts of these names do without their checks: the publisher's checks passed, or there would be no
/// release, and they make nothing.
pub(crate) fn without_checks(manifest: &Manifest, names: &[&str]) -> Vec<Call> {
    let mut calls = Vec::new();
    for name in names {
        let Some(text) = manifest.script(name) else {
            continue;
        };
        let Script::Commands(commands) = split(text) else {
            calls.push(Call::Script((*name).to_owned()));
            continue;
        };
        let kept: Vec<Call> = commands
            .iter()
            .filter_map(|command| match classify(command) {
                Kind::Script(called) if is_check_alone(manifest, command, &called) => None,
                Kind::Script(_) | Kind::Other => Some(
                    plain_script(command)
                        .map_or_else(|| Call::Shell(command.text.clone()), Call::Script),
                ),
                Kind::Directory(_)
                | Kind::Install(_)
                | Kind::Tool(_, _)
                | Kind::Publish(_)
                | Kind::Stamp
                | Kind::Nothing => None,
            })
            .collect();
        let moves = commands
            .iter()
            .any(|command| matches!(classify(command), Kind::Directory(_)));
        if moves || kept.len() == commands.len() {
            calls.push(Call::Script((*name).to_owned()));
        } else {
            calls.extend(kept);
        }
    }
    calls
}

/// A script that installing runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hook<'a> {
    /// Where.
    pub(crate) folder: &'a Folder,
    /// Its name.
    pub(crate) name: &'static str,
    /// Whether it may write files of the tree, rather than of installed packages.
    pub(crate) may_write: bool,
    /// Whether a rebuild runs it.
    pub(crate) runs: bool,
}

/// The install hooks of the workspace root and the package that are run, and those that may make files and are not.
///
/// Those run that prepare a build by their words, and where published files are as they were committed, all that may have
/// rewritten them. Others are the business of whoever installs the package.
pub(crate) fn hooks<'a>(project: &'a Project<'_>, survey: &Survey) -> Vec<Hook<'a>> {
    const PREPARES: [&str; 7] = [
        "patch-package",
        "generate",
        "codegen",
        "build",
        "prepare",
        "compile",
        "copy",
    ];
    const GUARDS: [&str; 6] = [
        "only-allow",
        "husky",
        "simple-git-hooks",
        "lefthook",
        "playwright install",
        "puppeteer",
    ];
    let mut owners = vec![(&project.root_manifest, &project.root)];
    if project.is_member() {
        owners.push((&project.manifest, &project.folder));
    }
    let mut found = Vec::new();
    for (manifest, folder) in owners {
        // npm does the last of these after an install as well; of the package itself, packing does.
        let is_root = project.is_member() && folder == &project.root;
        let names = [
            ("preinstall", true),
            ("install", true),
            ("postinstall", true),
            ("prepublish", false),
            ("preprepare", false),
            ("prepare", is_root && !builds(manifest, "prepare")),
            ("postprepare", false),
        ];
        for (name, may_prepare) in names {
            let Some(text) = manifest.script(name) else {
                continue;
            };
            let prepares = may_prepare
                && PREPARES.iter().any(|word| text.contains(word))
                && !GUARDS.iter().any(|word| text.contains(word));
            let packing_does = name == "prepare" && !is_root;
            let may_write = !packing_does && hook_may_write(manifest, text);
            if prepares || may_write {
                found.push(Hook {
                    folder,
                    name,
                    may_write,
                    runs: prepares || holds_committed_files(project, survey, text),
                });
            }
        }
    }
    found
}

/// Whether an install hook may write files of the tree.
fn hook_may_write(manifest: &Manifest, text: &str) -> bool {
    const ASIDE: [&str; 8] = [
        "husky",
        "is-ci",
        "lefthook",
        "only-allow",
        "patch-package",
        "playwright",
        "puppeteer",
        "simple-git-hooks",
    ];
    let is_aside = |words: &Vec<String>| {
        let mut words = words.iter().map(String::as_str);
        words
            .find(|word| !matches!(*word, "npx" | "exec") && !word.starts_with('-'))
            .is_some_and(|program| ASIDE.contains(&program) || matches!(program, "true" | ":"))
    };
    match split(text) {
        Script::Compound(_) => true,
        Script::Commands(commands) => !commands.iter().all(|command| match classify(command) {
            Kind::Script(called) => is_check_alone(manifest, command, &called),
            Kind::Other => {
                command.writes.is_empty()
                    && command
                        .substitutions()
                        .is_some_and(|inside| inside.is_empty())
                    && std::iter::once(&command.words)
                        .chain(&command.beside)
                        .all(is_aside)
            }
            Kind::Stamp => false,
            Kind::Directory(_)
            | Kind::Install(_)
            | Kind::Tool(..)
            | Kind::Publish(_)
            | Kind::Nothing => true,
        }),
    }
}

/// Whether published files are as they were committed, besides those that every package has and those of a hook itself.
fn holds_committed_files(project: &Project<'_>, survey: &Survey, hook: &str) -> bool {
    let commands = match split(hook) {
        Script::Commands(commands) => commands,
        Script::Compound(_) => Vec::new(),
    };
    let programs: Vec<&str> = commands
        .iter()
        .filter(|command| command.word(0) == "node")
        .map(|command| command.word(1))
        .collect();
    survey.entries.iter().any(|entry| {
        let path = entry.path.as_str();
        let about = ["readme", "license", "licence", "changelog", "package.json"]
            .iter()
            .any(|name| path.to_ascii_lowercase().starts_with(name));
        let is_hook = programs.iter().any(|program| {
            let program = program.trim_start_matches("./");
            path == program
                || path
                    .rsplit_once('.')
                    .is_some_and(|(stem, _)| stem == program)
        });
        let committed = project.tree.entries.get(project.folder.path(path).as_str());
        !about && !is_hook && committed.is_some_and(|found| found.blob == entry.blob)
    })
}

/// The script that builds a sibling, if it has one.
pub(crate) fn sibling_build(member: &Member) -> Option<&'static str> {
    build_script(&member.manifest).or_else(|| {
        ["prepare", "prepack", "prepublishOnly"]
            .into_iter()
            .find(|name| builds(&member.manifest, name))
    })
}

/// Whether nothing is built before this package is packed, and the published file holds only what lies in the tree,
/// path for path.
///
/// A build that exists is always run: a committed result may not be what its source gives. The manifest is not
/// compared: packers and stamps change it, and the rebuild will show in what way.
pub(crate) fn is_source_only(project: &Project<'_>, survey: &Survey) -> bool {
    let runs_something = build_script_matters(project, survey)
        || [
            "prepublish",
            "prepublishOnly",
            "prepack",
            "prepare",
            "postpack",
        ]
        .iter()
        .any(|name| !does_nothing(project, survey, name))
        || hooks(project, survey)
            .iter()
            // A workspace's root prepares what its members build, and what a member packs is looked at by itself.
            .any(|hook| {
                let of_workspace = project.is_member() && hook.name == "prepare";
                hook.runs && hook.may_write && !of_workspace
            });
    !runs_something
        && !survey.entries.is_empty()
        && survey.entries.iter().all(|entry| {
            let path = entry.path.as_str();
            let equal = |folder: &Folder| {
                project
                    .tree
                    .entries
                    .get(folder.path(path).as_str())
                    .is_some_and(|found| {
                        found.blob == entry.blob && found.mode & 0o170_000 == 0o100_000
                    })
            };
            // pnpm adds the workspace's licence to a package that has none.
            path == "package.json"
                || equal(&project.folder)
                || (is_licence(path) && equal(&project.root))
        })
}

/// Whether a script, with those that run around it, is absent or cannot write a published file, to the letter:
/// it only talks, sets up git hooks, or compiles into a folder of which nothing is published.
pub(crate) fn does_nothing(project: &Project<'_>, survey: &Survey, name: &str) -> bool {
    [format!("pre{name}"), name.to_owned(), format!("post{name}")]
        .iter()
        .filter_map(|name| project.manifest.script(name))
        .all(|text| {
            let harmless = matches!(split(text), Script::Commands(commands)
                if commands.iter().all(|command| only_talks(command) || writes_aside(project, survey, command)));
            harmless || GIT_HOOKS.contains(&text.trim())
        })
}

/// Whether packing or publishing makes more than the build script alone does: a script on the way does something else
/// than to call it, to check, to talk, or to set up git hooks.
pub(crate) fn packing_adds_to_build(project: &Project<'_>, survey: &Survey) -> bool {
    let manifest = &project.manifest;
    let build = build_script(manifest);
    [
        "prepublish",
        "prepublishOnly",
        "prepack",
        "prepare",
        "postpack",
    ]
    .into_iter()
    .filter(|name| !does_nothing(project, survey, name))
    .any(|name| {
        let around = [format!("pre{name}"), format!("post{name}")];
        let own = manifest.script(name).unwrap_or_default();
        let Script::Commands(commands) = split(own) else {
            return true;
        };
        around.iter().any(|name| manifest.script(name).is_some())
            || !commands.iter().all(|command| {
                only_talks(command)
                    || GIT_HOOKS.contains(&command.text.trim())
                    || match classify(command) {
                        Kind::Script(called) => {
                            is_check_alone(manifest, command, &called)
                                || (plain_script(command).is_some()
                                    && build == Some(called.as_str()))
                        }
                        Kind::Directory(_)
                        | Kind::Install(_)
                        | Kind::Tool(_, _)
                        | Kind::Publish(_)
                        | Kind::Stamp
                        | Kind::Nothing
                        | Kind::Other => false,
                    }
            })
    })
}

/// Whole scripts that only set up git hooks.
const GIT_HOOKS: [&str; 7] = [
    "husky",
    "husky install",
    "husky || true",
    "is-ci || husky",
    "is-ci || husky install",
    "lefthook install",
    "simple-git-hooks",
];

fn only_talks(command: &Command) -> bool {
    matches!(command.word(0), "echo" | "true" | ":")
        && !command.text.contains(['|', '>', '<', '&', '$', '`'])
}

fn writes_aside(project: &Project<'_>, survey: &Survey, command: &Command) -> bool {
    match typescript::writes(project, command) {
        Writes::Nothing => true,
        Writes::Below(folders) => survey.entries.iter().all(|entry| {
            project
                .folder
                .join(entry.path.as_str())
                .is_some_and(|path| folders.iter().all(|folder| path.below(folder).is_none()))
        }),
        Writes::Anywhere => false,
    }
}

fn is_licence(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    !lower.contains('/') && (lower.starts_with("license") || lower.starts_with("licence"))
}

/// The programs that scripts of the project and its siblings call by name.
pub(crate) fn called_managers(project: &Project<'_>) -> BTreeSet<&'static str> {
    let manifests = project
        .needed_siblings()
        .into_iter()
        .map(|member| &member.manifest)
        .chain([&project.manifest, &project.root_manifest]);
    let mut found = BTreeSet::new();
    for manifest in manifests {
        for command in manifest
            .object("scripts")
            .into_iter()
            .flatten()
            .filter_map(|(_, command)| command.as_str())
        {
            for name in ["pnpm", "yarn", "bun"] {
                let calls = command
                    .split(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | '|' | '"' | '\''))
                    .any(|word| word == name || (name == "bun" && word == "bunx"));
                if calls {
                    found.insert(name);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::npm::testing::{pin, survey, tree};

    fn manifest(scripts: &serde_json::Value) -> Manifest {
        let text = json!({ "scripts": scripts }).to_string();
        Manifest::parse("package.json", text.as_bytes()).unwrap()
    }

    #[test]
    fn scripts_that_build_are_known_through_those_that_they_call() {
        for (scripts, expect) in [
            (json!({ "prepare": "npm run build", "build": "tsc" }), true),
            (json!({ "prepack": "tsup" }), true),
            (
                json!({ "prepack": "npm run x", "x": "pnpm run y", "y": "npx rollup -c" }),
                true,
            ),
            (json!({ "prepare": "husky" }), false),
            (
                json!({ "prepare": "node -e \"try { require('child_process').execSync('husky') } catch {}\"" }),
                false,
            ),
            (
                json!({ "prepare": "npm test", "test": "npm run build" }),
                false,
            ),
            (json!({ "prepack": "npm run prepack" }), false),
            (json!({}), false),
        ] {
            assert_eq!(pack_builds(&manifest(&scripts)), expect, "{scripts}");
        }
    }

    #[test]
    fn a_script_runs_another_by_name_or_by_being_the_same() {
        let scripts = json!({
            "build": "tsup", "prepack": "tsup", "prepare": "npm run x", "x": "pnpm types", "types": "tsc",
            "postpack": "npm run build -- --watch",
        });
        let manifest = manifest(&scripts);
        assert!(runs(&manifest, &["prepack"], "build"));
        assert!(runs(&manifest, &["prepare"], "types"));
        assert!(!runs(&manifest, &["prepare"], "build"));
        assert!(!runs(&manifest, &["postpack"], "build"));
        assert!(!runs(&manifest, &["absent"], "build"));
    }

    #[test]
    fn checks_are_left_out_and_the_rest_stays() {
        let script = |name: &str| Call::Script(name.to_owned());
        for (text, expect) in [
            ("npm run build", vec![script("prepublishOnly")]),
            (
                "npm run lint && npm test && npm run build",
                vec![script("build")],
            ),
            ("npm test", vec![]),
            (
                "npm run lint && tsc -p .",
                vec![Call::Shell("tsc -p .".to_owned())],
            ),
            ("cd x && npm test", vec![script("prepublishOnly")]),
            ("if true; then npm test; fi", vec![script("prepublishOnly")]),
        ] {
            let manifest = manifest(&json!({ "prepublishOnly": text }));
            assert_eq!(
                without_checks(&manifest, &["prepublishOnly"]),
                expect,
                "{text}"
            );
        }
    }

    #[test]
    fn a_committed_output_has_to_be_built() {
        let check = |files: &[(&str, &str)], published: &[(&str, &str)], expect: bool| {
            let tree = tree(files);
            let project = Project::find(&tree, &pin(None)).unwrap();
            assert_eq!(
                is_source_only(&project, &survey(published)),
                expect,
                "{files:?}"
            );
        };
        let plain = ("package.json", "{}");
        let building = ("package.json", r#"{"scripts":{"build":"tsc"}}"#);
        let code = ("index.js", "x");
        check(&[plain, code], &[plain, code], true);
        check(&[plain, code], &[plain, ("index.js", "y")], false);
        check(&[plain], &[plain, code], false);
        check(&[building, code], &[building, code], false);
        let hidden = (
            "package.json",
            r#"{"scripts":{"prepare":"husky && node x.js"}}"#,
        );
        check(&[hidden, code], &[hidden, code], false);
        let talking = ("package.json", r#"{"scripts":{"build":"echo OK"}}"#);
        check(&[talking, code], &[talking, code], true);
        let before = (
            "package.json",
            r#"{"scripts":{"build":"echo OK","postbuild":"node x"}}"#,
        );
        check(&[before, code], &[before, code], false);
        let settings = ("tsconfig.json", r#"{"compilerOptions":{"outDir":"dist"}}"#);
        check(&[building, settings, code], &[building, code], true);
        check(
            &[building, settings, code, ("dist/a.js", "x")],
            &[building, code, ("dist/a.js", "x")],
            false,
        );
        for script in [
            "echo 1 > index.js",
            "echo `node x`",
            "echo $(node x)",
            "echo 1 && node x",
        ] {
            let manifest = serde_json::json!({ "scripts": { "build": script } }).to_string();
            let writing = ("package.json", manifest.as_str());
            check(&[writing, code], &[writing, code], false);
        }
        let hooks = ("package.json", r#"{"scripts":{"prepare":"husky"}}"#);
        check(&[hooks, code], &[hooks, code], true);
        for (hook, expect) in [
            (r#""postinstall":"cp release/index.js index.js""#, false),
            (r#""preinstall":"npx only-allow npm""#, true),
            (r#""install":"node x.js""#, false),
            (r#""postinstall":"husky && cp x index.js""#, false),
            (r#""postinstall":"husky install || true""#, true),
            (r#""postinstall":"patch-package""#, true),
            (
                r#""postinstall":"npm run verify","verify":"cp x index.js""#,
                false,
            ),
            // Which may be all that is published.
            (r#""postinstall":"node index.js""#, true),
        ] {
            let manifest = format!(r#"{{"scripts":{{{hook}}}}}"#);
            let hooked = ("package.json", manifest.as_str());
            check(&[hooked, code], &[hooked, code], expect);
        }
        check(
            &[building, code, ("index.ts", "x")],
            &[building, code],
            false,
        );
        check(
            &[building, ("dist/a.js", "x")],
            &[building, ("dist/a.js", "x")],
            false,
        );
        check(
            &[plain, ("dist/a.js", "x")],
            &[plain, ("dist/a.js", "x")],
            true,
        );
        check(&[plain], &[], false);
    }
}
