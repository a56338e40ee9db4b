//! Which node, npm, pnpm, yarn and bun a release was most likely made with, and what named them.

use remint_model::{Assumption, AssumptionKind, Tool, ToolOrigin};
use serde_json::Value;

use crate::npm::manager::Manager;
use crate::npm::manifest::Manifest;
use crate::npm::project::Project;
use crate::npm::recipe::Recipe;
use crate::npm::versions;
use crate::release::ToolHints;

/// When each long-term support line of node became one (seconds since 1970), newest first.
const LONG_TERM: [(u64, i64); 8] = [
    (26, 1_792_540_800),
    (24, 1_761_609_600),
    (22, 1_730_160_000),
    (20, 1_698_105_600),
    (18, 1_666_656_000),
    (16, 1_635_206_400),
    (14, 1_603_756_800),
    (12, 1_571_616_000),
];

/// pnpm 10 appeared on 2025-01-07; versions 9 and 10 write the same lockfile.
const PNPM_10: i64 = 1_736_208_000;

/// The last yarn 1.
const YARN_CLASSIC: &str = "1.22.22";

/// What is known about the moment and the publisher.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// The project.
    pub(crate) project: &'a Project<'a>,
    /// The publish workflow.
    pub(crate) recipe: Option<&'a Recipe>,
    /// What the registry kept of the publisher's client.
    pub(crate) hints: &'a ToolHints,
    /// When it was published, or else committed.
    pub(crate) moment: i64,
    /// Whether the file was packed by the native pnpm (12 and later).
    pub(crate) native_pnpm: bool,
}

/// A version and what named it.
struct Named {
    version: String,
    because: String,
    /// Nothing of the source or the release named it.
    guess: bool,
}

impl Named {
    fn by(version: impl Into<String>, because: impl Into<String>) -> Self {
        Self {
            version: version.into(),
            because: because.into(),
            guess: false,
        }
    }

    fn guess(version: impl Into<String>, because: impl Into<String>) -> Self {
        Self {
            guess: true,
            ..Self::by(version, because)
        }
    }
}

/// The tools for these managers, node first, and what of them is a guess.
pub(crate) fn tools(
    circumstances: &Circumstances<'_>,
    managers: &[Manager],
    newest_bun: bool,
) -> (Vec<Tool>, Vec<Assumption>) {
    let mut tools = Vec::new();
    let mut assumptions = Vec::new();
    let node = node(circumstances);
    let major = major(&node.version);
    // npm is always at hand on a publisher's machine, and scripts of all projects call it.
    let npm = npm(circumstances, major);
    let mut push = |name: &str, package: &str, named: Named| {
        if named.guess {
            assumptions.push(Assumption {
                kind: AssumptionKind::ToolchainGuess,
                value: format!("{name} {}", named.version),
                from: named.because.clone(),
            });
        }
        tools.push(Tool {
            name: name.to_owned(),
            version: Some(named.version),
            as_of: Some(circumstances.moment),
            origin: ToolOrigin::Npm {
                package: package.to_owned(),
            },
            because: named.because,
        });
    };
    push("node", "node-{platform}", node);
    push("npm", "npm", npm);
    let mut managers = managers.to_vec();
    managers.sort_unstable();
    managers.dedup();
    for manager in managers {
        match manager {
            Manager::Npm => {}
            Manager::Pnpm => {
                let named = pnpm(circumstances);
                // From version 12 on, pnpm is a program of its own in a package for each platform.
                let native = self::major(&named.version).is_some_and(|major| major >= 12);
                let package = if native {
                    "@pnpm/exe.{platform}"
                } else {
                    "pnpm"
                };
                push("pnpm", package, named);
            }
            Manager::YarnClassic => push("yarn", "yarn", yarn_classic(circumstances)),
            Manager::YarnBerry => push("yarn", "@yarnpkg/cli-dist", yarn_berry(circumstances)),
            Manager::Bun => {
                let named = if newest_bun {
                    newest_of_its_time()
                } else {
                    bun(circumstances)
                };
                push("bun", "@oven/bun-{platform}", named);
            }
        }
    }
    (tools, assumptions)
}

fn node(circumstances: &Circumstances<'_>) -> Named {
    let Circumstances {
        project,
        recipe,
        hints,
        moment,
        native_pnpm: _,
    } = *circumstances;
    if let Some(version) = hints.node.as_deref().and_then(exact) {
        return Named::by(version, "_nodeVersion in the registry's metadata");
    }
    let lts = |at: i64| {
        LONG_TERM
            .iter()
            .find(|(_, since)| *since <= at)
            .map_or(12, |(major, _)| *major)
    };
    let named = |version: &str, because: String| {
        let version = version.trim().trim_start_matches('v');
        let lower = version.to_ascii_lowercase();
        let version = match lower.as_str() {
            "lts/*" | "lts" | "lts/-0" => lts(moment).to_string(),
            "latest" | "current" | "node" | "*" | "stable" => "latest".to_owned(),
            name => match name.strip_prefix("lts/") {
                Some(name) => codename(name)?.to_string(),
                None => version_or_range(version)?,
            },
        };
        Some(Named::by(version, because))
    };
    if let Some(recipe) = recipe
        && let Some(version) = recipe.tools.get("node")
        && let Some(named) = named(version, recipe.path.to_string())
    {
        return named;
    }
    for folder in [&project.folder, &project.root] {
        for file in [
            ".nvmrc",
            ".node-version",
            ".tool-versions",
            "mise.toml",
            ".mise.toml",
        ] {
            let path = folder.path(file);
            if let Some(version) = project.tree.text(&path).and_then(node_in_file)
                && let Some(named) = named(&version, path)
            {
                return named;
            }
        }
    }
    for (manifest, folder) in [
        (&project.manifest, &project.folder),
        (&project.root_manifest, &project.root),
    ] {
        let path = folder.path("package.json");
        if let Some(version) = pointer(manifest, "volta", "node")
            && let Some(named) = named(version, format!("volta in {path}"))
        {
            return named;
        }
        let runtime = manifest
            .get("devEngines")
            .and_then(|engines| engines.get("runtime"))
            .map(|runtime| runtime.get(0).unwrap_or(runtime))
            .filter(|runtime| runtime.get("name").and_then(Value::as_str) == Some("node"))
            .and_then(|runtime| runtime.get("version")?.as_str());
        if let Some(version) = runtime
            && let Some(named) = named(version, format!("devEngines in {path}"))
        {
            return named;
        }
    }
    let current = lts(moment);
    let engines = pointer(&project.manifest, "engines", "node")
        .or_else(|| pointer(&project.root_manifest, "engines", "node"));
    match engines.map(|range| (range, nodejs_semver::Range::parse(range))) {
        Some((range, Ok(parsed))) if !allows_major(&parsed, current) => Named::guess(
            range,
            "engines, which the long-term support line of the time does not meet",
        ),
        _ => Named::guess(
            current.to_string(),
            "the long-term support line at the time of the release",
        ),
    }
}

/// Whether some version of this major line, seen from its later half, meets the range.
fn allows_major(range: &nodejs_semver::Range, major: u64) -> bool {
    nodejs_semver::Range::parse(format!("^{major}")).is_ok_and(|line| range.allows_any(&line))
}

fn codename(name: &str) -> Option<u64> {
    Some(match name {
        "argon" => 4,
        "boron" => 6,
        "carbon" => 8,
        "dubnium" => 10,
        "erbium" => 12,
        "fermium" => 14,
        "gallium" => 16,
        "hydrogen" => 18,
        "iron" => 20,
        "jod" => 22,
        "krypton" => 24,
        _ => return None,
    })
}

/// The node version that a version file names: a bare version, or a line of asdf's or mise's settings.
pub(crate) fn node_in_file(text: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or(line).trim())
        .filter(|line| !line.is_empty())
        .collect();
    for line in &lines {
        for name in ["nodejs", "node"] {
            let Some(rest) = line
                .strip_prefix(name)
                .or_else(|| line.strip_prefix(&format!("\"{name}\"")))
            else {
                continue;
            };
            if rest.starts_with([' ', '=', '\t']) {
                let version = rest.trim_start_matches([' ', '=', '\t']);
                let version = version.split([' ', ',']).next().unwrap_or(version);
                return Some(version.trim_matches(['"', '\'', '[', ']']).to_owned());
            }
        }
    }
    match lines.as_slice() {
        [only] if !only.contains([' ', '=', '[', '{']) => Some((*only).to_owned()),
        _ => None,
    }
}

fn npm(circumstances: &Circumstances<'_>, node: Option<u64>) -> Named {
    let bundled = match node {
        Some(..=14) => "^6",
        Some(15..=17) => "^8",
        Some(18..=22) => "^10",
        Some(_) => "^11",
        None => "^10",
    };
    let fits = |version: &str| match (major(version), node) {
        // Newer ones refuse to start on older nodes.
        (None, Some(..=22)) => false,
        (Some(11), Some(..=19)) | (Some(12..), Some(..=21)) | (Some(10), Some(..=17)) => false,
        (Some(7..), Some(..=9)) => false,
        _ => true,
    };
    if let Some(version) = circumstances.hints.npm.as_deref().and_then(exact) {
        return Named::by(version, "_npmVersion in the registry's metadata");
    }
    if let Some(recipe) = circumstances.recipe
        && let Some(version) = recipe.tools.get("npm")
    {
        if let Some(version) = version_or_range(version).filter(|version| fits(version)) {
            return Named::by(version, recipe.path.to_string());
        }
        let newest = match node {
            Some(20..=22) => "^11",
            Some(18..=19) => "^10",
            _ => bundled,
        };
        return Named::by(newest, format!("{}, as far as node allows", recipe.path));
    }
    if let Some((version, because)) = declared(circumstances.project, "npm")
        && fits(&version)
    {
        return Named::by(version, because);
    }
    Named::guess(bundled, "the npm that comes with this node")
}

fn pnpm(circumstances: &Circumstances<'_>) -> Named {
    let project = circumstances.project;
    if let Some((version, because)) = declared(project, "pnpm") {
        return Named::by(version, because);
    }
    let lock = project.root_text("pnpm-lock.yaml").unwrap_or_default();
    let written = lock
        .lines()
        .take(200)
        .find_map(|line| line.strip_prefix("lockfileVersion:"))
        .map(|version| version.trim().trim_matches(['\'', '"']).to_owned());
    if let Some(recipe) = circumstances.recipe
        && let Some(version) = recipe
            .tools
            .get("pnpm")
            .and_then(|version| version_or_range(version))
        && version != "latest"
        && reads(&version, written.as_deref())
    {
        return Named::by(version, recipe.path.to_string());
    }
    if circumstances.native_pnpm {
        return Named::by("^12", "gzip header of the published file");
    }
    let by_lock = |version: &str| {
        Named::guess(
            version,
            format!(
                "lockfileVersion {} of pnpm-lock.yaml",
                written.as_deref().unwrap_or("unknown")
            ),
        )
    };
    let several = lock.matches("\n---").count() + usize::from(lock.starts_with("---")) > 1;
    match written.as_deref() {
        Some("9.0") if several => by_lock("^11"),
        Some("9.0") if circumstances.moment < PNPM_10 => by_lock("^9"),
        Some("9.0") => by_lock("^10"),
        Some("6.0" | "6.1") => by_lock("^8"),
        Some("5.4") => by_lock("^7"),
        Some("5.3") => by_lock("^6"),
        Some(old) if old.starts_with("5.") => by_lock("^5"),
        _ if circumstances.moment < PNPM_10 => Named::guess("^9", "the time of the release"),
        _ => Named::guess("^10", "the time of the release"),
    }
}

/// Whether a pnpm of this version does not pass a lockfile of this version over as one from the future.
fn reads(pnpm: &str, lockfile: Option<&str>) -> bool {
    let least = match lockfile {
        Some("9.0") => 9,
        Some("6.0" | "6.1") => 8,
        Some("5.4") => 7,
        Some(_) | None => 0,
    };
    major(pnpm).is_none_or(|major| major >= least)
}

fn yarn_classic(circumstances: &Circumstances<'_>) -> Named {
    match declared(circumstances.project, "yarn") {
        Some((version, because)) if version.starts_with("1.") => Named::by(version, because),
        _ => Named::by(YARN_CLASSIC, "the last yarn 1"),
    }
}

fn yarn_berry(circumstances: &Circumstances<'_>) -> Named {
    let project = circumstances.project;
    if let Some((version, because)) = declared(project, "yarn")
        && major(&version).is_some_and(|major| major >= 2)
    {
        return Named::by(version, because);
    }
    // `yarnPath: .yarn/releases/yarn-4.1.0.cjs`: the name is believed, the file is not run.
    let named = project.root_text(".yarnrc.yml").and_then(|text| {
        let path = text
            .lines()
            .find_map(|line| line.strip_prefix("yarnPath:"))?;
        let file = path.trim().trim_matches(['"', '\'']).rsplit('/').next()?;
        exact(
            file.strip_prefix("yarn-")?
                .trim_end_matches(".cjs")
                .trim_end_matches(".js"),
        )
    });
    if let Some(version) = named {
        return Named::by(version, "yarnPath in .yarnrc.yml");
    }
    let format = project.root_text("yarn.lock").and_then(|text| {
        let (_, metadata) = text.split_once("__metadata:")?;
        let line = metadata
            .lines()
            .find_map(|line| line.trim().strip_prefix("version:"))?;
        line.trim().parse::<u32>().ok()
    });
    match format {
        Some(version @ ..=4) => Named::guess("^2", format!("yarn.lock version {version}")),
        Some(version @ 5..=6) => Named::guess("^3", format!("yarn.lock version {version}")),
        Some(version) => Named::guess("^4", format!("yarn.lock version {version}")),
        None => Named::guess("^4", "no yarn.lock"),
    }
}

fn bun(circumstances: &Circumstances<'_>) -> Named {
    let project = circumstances.project;
    if let Some((version, because)) = declared(project, "bun") {
        return Named::by(version, because);
    }
    if let Some(recipe) = circumstances.recipe
        && let Some(version) = recipe
            .tools
            .get("bun")
            .and_then(|version| version_or_range(version))
    {
        return Named::by(version, recipe.path.to_string());
    }
    for file in [".bun-version", ".tool-versions"] {
        let text = project.root_text(file).unwrap_or_default();
        let version = text.lines().find_map(|line| {
            line.strip_prefix("bun ")
                .or((file == ".bun-version").then_some(line))
        });
        if let Some(version) = version.and_then(exact) {
            return Named::by(version, file);
        }
    }
    newest_of_its_time()
}

fn newest_of_its_time() -> Named {
    Named::guess("latest", "the newest bun at the time of the release")
}

/// The version that `packageManager`, `devEngines`, `volta` or `engines` (exact ones only) names.
fn declared(project: &Project<'_>, name: &str) -> Option<(String, String)> {
    for (manifest, folder) in [
        (&project.root_manifest, &project.root),
        (&project.manifest, &project.folder),
    ] {
        let path = folder.path("package.json");
        if let Some((manager, version)) = manifest
            .text("packageManager")
            .and_then(|field| field.split_once('@'))
            && manager == name
            && let Some(version) = exact(version.split('+').next().unwrap_or(version))
        {
            return Some((version, format!("packageManager in {path}")));
        }
        let engine = manifest
            .get("devEngines")
            .and_then(|engines| engines.get("packageManager"))
            .map(|engine| engine.get(0).unwrap_or(engine))
            .filter(|engine| engine.get("name").and_then(Value::as_str) == Some(name))
            .and_then(|engine| engine.get("version")?.as_str());
        if let Some(version) = engine.and_then(version_or_range) {
            return Some((version, format!("devEngines in {path}")));
        }
        if let Some(version) = pointer(manifest, "volta", name).and_then(exact) {
            return Some((version, format!("volta in {path}")));
        }
    }
    None
}

fn pointer<'a>(manifest: &'a Manifest, field: &str, name: &str) -> Option<&'a str> {
    manifest.object(field)?.get(name)?.as_str()
}

/// An exact version, as a registry spells it.
fn exact(text: &str) -> Option<String> {
    versions::parse(text).map(|version| version.to_string())
}

/// An exact version, a range, or `latest`.
fn version_or_range(text: &str) -> Option<String> {
    let text = text.trim();
    if text == "latest" || text.starts_with("next") {
        return Some("latest".to_owned());
    }
    if let Some(version) = exact(text) {
        return Some(version);
    }
    let readable = text.len() <= 100 && nodejs_semver::Range::parse(text).is_ok();
    readable.then(|| text.to_owned())
}

/// The major line of a version or of a range's lowest version.
fn major(text: &str) -> Option<u64> {
    if let Some(version) = versions::parse(text) {
        return Some(version.major());
    }
    let lowest = nodejs_semver::Range::parse(text).ok()?.min_version()?;
    Some(lowest.major())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::npm::testing::{pin, tree};

    /// 2026-07-01, when node 24 was the newest long-term line.
    const MOMENT: i64 = 1_782_864_000;

    fn check(files: &[(&str, &str)], managers: &[Manager], expect: &[(&str, &str)]) {
        let tree = tree(files);
        let project = Project::find(&tree, &pin(None)).unwrap();
        let (tools, _) = tools(
            &Circumstances {
                project: &project,
                recipe: None,
                hints: &ToolHints::default(),
                moment: MOMENT,
                native_pnpm: false,
            },
            managers,
            false,
        );
        let found: BTreeMap<_, _> = tools
            .iter()
            .map(|tool| (tool.name.as_str(), tool.version.as_deref().unwrap_or("")))
            .collect();
        for (name, version) in expect {
            assert_eq!(found.get(name), Some(version), "{files:?}");
        }
    }

    #[test]
    fn version_files_name_node() {
        let manifest = ("package.json", "{}");
        for (file, text, expect) in [
            (".nvmrc", "v22\n", "22"),
            (".nvmrc", "lts/iron", "20"),
            (".nvmrc", "lts/*", "24"),
            (".node-version", "20.11.1", "20.11.1"),
            (".tool-versions", "python 3.12\nnodejs 22.1.0\n", "22.1.0"),
            ("mise.toml", "[tools]\nnode = \"22\"\n", "22"),
            (".nvmrc", "; rm -rf /", "24"),
        ] {
            check(&[manifest, (file, text)], &[], &[("node", expect)]);
        }
    }

    #[test]
    fn manifests_name_node_and_the_rest_is_the_line_of_the_time() {
        for (manifest, node, npm) in [
            ("{}", "24", "^11"),
            (r#"{"engines":{"node":">=18"}}"#, "24", "^11"),
            (r#"{"engines":{"node":"^20"}}"#, "^20", "^10"),
            (r#"{"volta":{"node":"18.1.0"}}"#, "18.1.0", "^10"),
            (
                r#"{"devEngines":{"runtime":{"name":"node","version":"^22.1.0"}}}"#,
                "^22.1.0",
                "^10",
            ),
            (r#"{"packageManager":"npm@10.2.0"}"#, "24", "10.2.0"),
        ] {
            check(
                &[("package.json", manifest)],
                &[],
                &[("node", node), ("npm", npm)],
            );
        }
    }

    #[test]
    fn lockfiles_tell_generations_of_package_managers() {
        let manifest = ("package.json", "{}");
        for (file, text, manager, name, expect) in [
            (
                "pnpm-lock.yaml",
                "lockfileVersion: '9.0'\n",
                Manager::Pnpm,
                "pnpm",
                "^10",
            ),
            (
                "pnpm-lock.yaml",
                "---\nlockfileVersion: '9.0'\n---\nlockfileVersion: '9.0'\n",
                Manager::Pnpm,
                "pnpm",
                "^11",
            ),
            (
                "pnpm-lock.yaml",
                "lockfileVersion: 5.4\n",
                Manager::Pnpm,
                "pnpm",
                "^7",
            ),
            (
                "yarn.lock",
                "__metadata:\n  version: 6\n",
                Manager::YarnBerry,
                "yarn",
                "^3",
            ),
            ("yarn.lock", "", Manager::YarnClassic, "yarn", "1.22.22"),
            (".bun-version", "1.2.3", Manager::Bun, "bun", "1.2.3"),
        ] {
            check(&[manifest, (file, text)], &[manager], &[(name, expect)]);
        }
    }

    #[test]
    fn the_field_package_manager_is_exact() {
        assert!(reads("9", Some("9.0")) && reads("^10.1", Some("6.0")) && reads("7", None));
        assert!(!reads("8", Some("9.0")) && !reads("7.1.0", Some("6.0")));
        for (field, manager, name, expect) in [
            ("pnpm@10.11.0+sha512.00", Manager::Pnpm, "pnpm", "10.11.0"),
            ("yarn@4.1.0", Manager::YarnBerry, "yarn", "4.1.0"),
            ("yarn@1.22.19", Manager::YarnClassic, "yarn", "1.22.19"),
            ("bun@1.3.0", Manager::Bun, "bun", "1.3.0"),
            ("pnpm@;x", Manager::Pnpm, "pnpm", "^10"),
        ] {
            let manifest = serde_json::json!({ "packageManager": field }).to_string();
            check(
                &[("package.json", &manifest)],
                &[manager],
                &[(name, expect)],
            );
        }
    }
}
