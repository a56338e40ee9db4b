//! Builds of bundles: what the project's own scripts make of the source tree, from which the packer would take its
//! files. The packer itself is not run: it writes down the time, and installs nothing.

use remint_model::{
    Action, ArtifactFormat, BuildPlan, Ecosystem, EntryPath, OnFailure, PackageName, Phase,
    SourcePin, SourceTree, Step, Survey, Target,
};

use crate::npm::lifecycle;
use crate::npm::manifest::Manifest;
use crate::npm::plan as npm;
use crate::npm::project::Project;
use crate::request::{PlanError, PlanRequest};
use crate::workflow::script::{Script, split};

/// The most plans that are proposed; each costs a whole build.
const MOST: usize = 3;

/// The scripts that make files, the likeliest first.
const SCRIPTS: [&str; 8] = [
    "build",
    "prepare",
    "prepack",
    "prepublishOnly",
    "compile",
    "bundle",
    "pack",
    "package",
];

/// Builds as for an npm package, up to packing; then the tree, without `node_modules`, is what is compared.
pub(crate) fn plan(request: &PlanRequest<'_>) -> Result<Vec<BuildPlan>, PlanError> {
    let Some((folder, manifest, script)) = project(request.tree, request.pin.subdirectory.as_ref())
    else {
        return Err(PlanError::Unsupported(
            "the source has no package.json with a script that builds".to_owned(),
        ));
    };
    let name = manifest.identity().name;
    let fallback = || PackageName::parse(Ecosystem::Npm, "bundle").ok();
    let Some(name) = name.or_else(fallback) else {
        return Err(PlanError::Unsupported("its package has no name".to_owned()));
    };
    let target = Target {
        ecosystem: Ecosystem::Npm,
        name,
        version: request.target.version.clone(),
        file: None,
    };
    let pin = SourcePin {
        subdirectory: folder.cloned(),
        ..request.pin.clone()
    };
    let mut plans: Vec<BuildPlan> = Vec::new();
    for mut plan in npm::plan(&PlanRequest {
        target: &target,
        format: ArtifactFormat::NpmTarball,
        pin: &pin,
        ..*request
    })? {
        plan.steps.retain(|step| step.phase != Phase::Pack);
        if plan.steps.is_empty() {
            continue;
        }
        if !plan.steps.iter().any(|step| step.phase == Phase::Build) {
            let argv = ["npm", "run", script];
            plan.steps.push(step(Phase::Build, folder, &argv));
        }
        keep_tree(&mut plan, request.pin.subdirectory.as_ref());
        if !plans.iter().any(|other| other.steps == plan.steps) {
            plans.push(plan);
        }
    }
    plans.truncate(MOST);
    Ok(plans)
}

/// Lets a plan end with an archive of the folder that is packed.
fn keep_tree(plan: &mut BuildPlan, directory: Option<&EntryPath>) {
    let folder = SourceTree::path_in(directory, "");
    let folder = format!("{}/{folder}", plan.build_path);
    let folder = folder.trim_end_matches('/');
    let (parent, name) = folder.rsplit_once('/').unwrap_or(("", folder));
    let file = format!("{}/tree.tar.gz", plan.output.directory);
    let parent = format!("{parent}/");
    let argv = [
        "tar",
        "--create",
        "--gzip",
        "--exclude=node_modules",
        "--exclude=.git",
        "--file",
        &file,
        "--directory",
        &parent,
        name,
    ];
    plan.steps.push(step(Phase::Pack, None, &argv));
    ".tar.gz".clone_into(&mut plan.output.ending);
}

fn step(phase: Phase, directory: Option<&EntryPath>, argv: &[&str]) -> Step {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Step {
        phase,
        directory: directory.cloned(),
        action: Action::Run { argv },
        environment: std::collections::BTreeMap::new(),
        on_failure: OnFailure::Ends,
    }
}

/// The package, in the bundle's folder or at the root, and its script that builds.
fn project<'a>(
    tree: &SourceTree,
    directory: Option<&'a EntryPath>,
) -> Option<(Option<&'a EntryPath>, Manifest, &'static str)> {
    [directory, None].into_iter().find_map(|directory| {
        let path = SourceTree::path_in(directory, "package.json");
        let manifest = Manifest::parse(&path, tree.texts.get(path.as_str())?).ok()?;
        let script = SCRIPTS
            .iter()
            .find(|name| manifest.script(name).is_some())?;
        Some((directory, manifest, *script))
    })
}

/// The command that would make files which the source does not hold, where the source has one.
#[must_use]
pub fn build_script(tree: &SourceTree, directory: Option<&EntryPath>) -> Option<String> {
    let (_, _, script) = project(tree, directory)?;
    Some(format!("npm run {script}"))
}

/// Whether a script of the source could make something else of files that it holds: a committed result vouches for
/// itself only where nothing writes it.
#[must_use]
pub fn may_write_committed(
    tree: &SourceTree,
    directory: Option<&EntryPath>,
    survey: &Survey,
    pin: &SourcePin,
) -> bool {
    [directory, None].into_iter().any(|directory| {
        let pin = SourcePin {
            subdirectory: directory.cloned(),
            ..pin.clone()
        };
        let Ok(project) = Project::find(tree, &pin) else {
            return false;
        };
        SCRIPTS.iter().any(|name| {
            !lifecycle::does_nothing(&project, survey, name)
                && [
                    format!("pre{name}"),
                    (*name).to_owned(),
                    format!("post{name}"),
                ]
                .iter()
                .filter_map(|name| project.manifest.script(name))
                .any(|text| !only_packs(text))
        })
    })
}

/// Whether all that a script does is to let the packer of bundles read the folder.
fn only_packs(script: &str) -> bool {
    let Script::Commands(commands) = split(script) else {
        return false;
    };
    commands.iter().all(|command| {
        let mut words = command.words.iter().map(String::as_str).peekable();
        while words
            .next_if(|word| {
                matches!(
                    *word,
                    "npx" | "bunx" | "pnpm" | "yarn" | "dlx" | "exec" | "-y" | "--yes"
                )
            })
            .is_some()
        {}
        let program = words.next().unwrap_or_default();
        let packer = ["mcpb", "dxt", "@anthropic-ai/mcpb", "@anthropic-ai/dxt"];
        let is_packer = packer.iter().any(|name| {
            program
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
        });
        let deed = words.next().unwrap_or_default();
        let only_reads = match deed {
            "validate" | "info" | "verify" => true,
            // It writes what it is told to.
            "pack" => words
                .skip(1)
                .all(|word| word.ends_with(".mcpb") || word.ends_with(".dxt")),
            _ => false,
        };
        let is_plain = command.assignments.is_empty()
            && command.beside.is_empty()
            && !command.text.contains(['>', '$', '`']);
        is_packer && only_reads && is_plain
    })
}

/// What builds read, lockfiles, and what is left out of bundles.
pub(crate) fn is_of_interest(path: &EntryPath) -> bool {
    npm::is_of_interest(path)
        || (matches!(path.file_name(), "uv.lock" | ".mcpbignore" | ".dxtignore")
            && !path.as_str().split('/').any(|part| part == "node_modules"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, tree};

    #[test]
    fn the_scripts_of_the_folder_or_of_the_root_build() {
        let mut tree = SourceTree::default();
        let mut put = |path: &str, content: &str| {
            tree.texts
                .insert(path.parse().unwrap(), content.as_bytes().to_vec());
        };
        put(
            "package.json",
            r#"{"scripts":{"prepare":"x","build":"tsc"}}"#,
        );
        put("bundle/package.json", r#"{"scripts":{"test":"x"}}"#);
        let bundle = "bundle".parse().unwrap();
        assert_eq!(
            build_script(&tree, Some(&bundle)).as_deref(),
            Some("npm run build")
        );
        assert_eq!(build_script(&SourceTree::default(), None), None);
    }

    #[test]
    fn scripts_that_write_are_told_from_those_that_pack() {
        let check = |path: &str, scripts: &str, expect: bool| {
            let manifest = format!(r#"{{"name":"a","version":"1.2.3","scripts":{scripts}}}"#);
            let tree = tree(&[(path, &manifest)]);
            let directory = "bundle".parse().unwrap();
            let pin = pin(Some("bundle"));
            let found = may_write_committed(&tree, Some(&directory), &Survey::default(), &pin);
            assert_eq!(found, expect, "{scripts}");
        };
        for path in ["package.json", "bundle/package.json"] {
            check(path, "{}", false);
            check(path, r#"{"test":"node test.js"}"#, false);
            check(path, r#"{"build":"cp src/index.js server/index.js"}"#, true);
            check(
                path,
                r#"{"prebuild":"node x.js","build":"mcpb pack"}"#,
                true,
            );
            check(path, r#"{"prepare":"husky"}"#, false);
        }
        check("elsewhere/package.json", r#"{"build":"tsc"}"#, false);
        for (script, expect) in [
            ("mcpb pack", true),
            ("npx -y @anthropic-ai/mcpb@latest pack . out.mcpb", true),
            ("dxt validate manifest.json && dxt pack", true),
            ("mcpb pack . server/index.js", false),
            ("mcpb pack > server/index.js", false),
            ("mcpb clean x.mcpb", false),
            ("tsc && mcpb pack", false),
            ("mcpb-tool pack", false),
            ("node pack.js", false),
        ] {
            assert_eq!(only_packs(script), expect, "{script}");
        }
    }
}
