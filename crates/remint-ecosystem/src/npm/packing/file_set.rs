//! Which files npm packs (npm-packlist 5 to 10), as far as that is beyond doubt: plain names in `files`, or no `files` at
//! all and nothing but plain rules in the ignore file.

use std::collections::BTreeSet;

use remint_model::EntryPath;
use serde_json::Value;

use super::PackedFile;
use crate::npm::manifest::Manifest;
use crate::npm::project::Project;

/// The files of the project's package, in no particular order.
pub(super) fn of(project: &Project<'_>) -> Option<Vec<PackedFile>> {
    let manifest = &project.manifest;
    let bundles = ["bundleDependencies", "bundledDependencies"]
        .iter()
        .any(|field| manifest.get(field).is_some());
    let commands_folder = manifest
        .object("directories")
        .is_some_and(|directories| directories.contains_key("bin"));
    if bundles || commands_folder {
        return None;
    }
    let paths = paths(project)?;
    let selected: Vec<&EntryPath> = match manifest.get("files") {
        Some(Value::Array(files)) => named(files, &paths)?,
        Some(_) => return None,
        None if project.is_member() => return None,
        None => not_ignored(project, &paths)?,
    };
    let required = required(manifest, &paths)?;
    // Whether npm finds an entry point in a folder that is left out depends on its version.
    let is_hidden = |path: &&EntryPath| path.as_str().contains('/') && !selected.contains(path);
    if required.iter().any(is_hidden) {
        return None;
    }
    let commands = commands(manifest)?;
    let all: BTreeSet<&EntryPath> = selected.into_iter().chain(required).collect();
    all.into_iter()
        .filter(|path| !is_never_packed(path.as_str()))
        .map(|path| {
            let source: EntryPath = project.folder.path(path.as_str()).parse().ok()?;
            let mode = project.tree.entries.get(&source)?.mode;
            Some(PackedFile {
                executable: mode & 0o111 != 0 || commands.contains(compared_with_commands(path)),
                source,
                path: path.clone(),
            })
        })
        .collect()
}

/// What npm compares with the commands: it means to take off `package/`, which is not there yet.
fn compared_with_commands(path: &EntryPath) -> &str {
    let path = path.as_str();
    path.split_once('/').map_or(path, |(_, rest)| rest)
}

/// Everything in the package's folder; `None` where something there has rules of its own.
fn paths(project: &Project<'_>) -> Option<Vec<EntryPath>> {
    let mut paths = Vec::new();
    for (path, entry) in &project.tree.entries {
        let Some(own) = below(path, project) else {
            continue;
        };
        let nested_rules = own.contains('/')
            && matches!(
                path.file_name(),
                ".npmignore" | ".gitignore" | "package.json"
            );
        // A link's or submodule's content is not in the tree; the rest is what npm leaves out in ways of its own.
        if nested_rules || entry.mode & 0o170_000 != 0o100_000 || own.split('/').any(is_special) {
            return None;
        }
        paths.push(own.parse().ok()?);
    }
    Some(paths)
}

fn below<'p>(path: &'p EntryPath, project: &Project<'_>) -> Option<&'p str> {
    match project.folder.as_str() {
        "" => Some(path.as_str()),
        folder => path.as_str().strip_prefix(folder)?.strip_prefix('/'),
    }
}

/// Names that npm leaves out, or that its patterns could take for something else.
fn is_special(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    matches!(
        &*lower,
        ".git"
            | ".svn"
            | ".hg"
            | "cvs"
            | "node_modules"
            | ".npmrc"
            | ".ds_store"
            | "npm-debug.log"
            | ".lock-wscript"
            | "config.gypi"
            | "archived-packages"
    ) || lower.starts_with("._")
        || lower.starts_with(".wafpickle-")
        || lower.ends_with(".orig")
        || (lower.starts_with('.') && lower.ends_with(".swp"))
        || !part.is_ascii()
        || part.contains(['*', '?', '[', ']', '{', '}', '(', ')', '!', '+', '\\'])
}

/// What is left out whatever else is said.
fn is_never_packed(path: &str) -> bool {
    matches!(
        &*path.to_ascii_lowercase(),
        "package-lock.json"
            | "yarn.lock"
            | "pnpm-lock.yaml"
            | "bun.lockb"
            | "bun.lock"
            | ".npmignore"
            | ".gitignore"
    )
}

/// The files that the manifest lists.
fn named<'p>(files: &[Value], paths: &'p [EntryPath]) -> Option<Vec<&'p EntryPath>> {
    let mut selected = Vec::new();
    for file in files {
        let file = file.as_str()?;
        let name = file
            .strip_prefix("./")
            .or_else(|| file.strip_prefix('/'))
            .unwrap_or(file);
        let name = ["/**/*", "/**", "/*", "/"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(name);
        if name.is_empty()
            || is_never_packed(name)
            || name
                .split('/')
                .any(|part| is_special(part) || part.starts_with('.'))
        {
            return None;
        }
        let inside = format!("{name}/");
        let before = selected.len();
        selected.extend(
            paths
                .iter()
                .filter(|path| path.as_str() == name || path.as_str().starts_with(&inside)),
        );
        // A name that is nothing could be a pattern; one without a slash is looked for in every folder.
        let elsewhere = !name.contains('/')
            && paths.iter().any(|path| {
                let mut folders = path.as_str().split('/').skip(1);
                folders.any(|part| part.eq_ignore_ascii_case(name))
            });
        if selected.len() == before || elsewhere {
            return None;
        }
    }
    Some(selected)
}

/// Everything that the ignore file does not name.
fn not_ignored<'p>(project: &Project<'_>, paths: &'p [EntryPath]) -> Option<Vec<&'p EntryPath>> {
    let file = [".npmignore", ".gitignore"]
        .iter()
        .map(|name| project.folder.path(name))
        .find(|path| project.tree.has(path));
    let rules: Vec<Rule> = match file {
        Some(path) => project
            .tree
            .text(&path)?
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Rule::parse)
            .collect::<Option<_>>()?,
        None => Vec::new(),
    };
    // Where all folders are ignored, npm looks into none; otherwise it takes back a name wherever it is.
    let looks_below = !rules.iter().any(|rule| matches!(rule, Rule::Everything));
    let may_be_elsewhere = rules.iter().any(|rule| match rule {
        Rule::TakenBack(name) => paths.iter().any(|path| {
            let parts: Vec<&str> = path.as_str().split('/').collect();
            let (at_the_top, below) = parts.split_at(1);
            let in_folder = !below.is_empty() && at_the_top.iter().any(|part| name.matches(part));
            in_folder || (looks_below && below.iter().any(|part| name.matches(part)))
        }),
        Rule::Everything | Rule::Name(_) | Rule::Path(_) => false,
    });
    if may_be_elsewhere {
        return None;
    }
    let is_packed = |path: &&EntryPath| {
        rules.iter().fold(true, |packed, rule| {
            if rule.matches(path.as_str()) {
                matches!(rule, Rule::TakenBack(_))
            } else {
                packed
            }
        })
    };
    Some(paths.iter().filter(is_packed).collect())
}

/// A line of an ignore file that means the same to everybody.
enum Rule {
    /// All files.
    Everything,
    /// Every file and folder of such a name.
    Name(Name),
    /// This file, or this folder with what is in it.
    Path(String),
    /// Not these files at the top after all.
    TakenBack(Name),
}

/// A file's own name, in lower case; where it has a star, the parts before and after that.
struct Name(String, Option<String>);

impl Name {
    fn parse(text: &str) -> Option<Self> {
        let is_plain = |part: &str| {
            part.is_ascii()
                && !part.contains([
                    '*', '?', '[', ']', '{', '}', '(', ')', '!', '+', '@', '\\', ' ',
                ])
        };
        let text = text.to_ascii_lowercase();
        let (start, end) = match text.split_once('*') {
            Some((start, end)) => (start, Some(end)),
            None => (&*text, None),
        };
        // Of a name that is all star, the dots would matter.
        (is_plain(start) && end.is_none_or(is_plain) && text.len() > 1)
            .then(|| Self(start.to_owned(), end.map(str::to_owned)))
    }

    fn matches(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match &self.1 {
            None => name == self.0,
            Some(end) => name
                .strip_prefix(&self.0)
                .is_some_and(|rest| !rest.contains('/') && rest.ends_with(end)),
        }
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        if matches!(line, "*" | "**/*" | "/**/*") {
            return Some(Self::Everything);
        }
        if let Some(name) = line.strip_prefix('!') {
            let name = name.strip_prefix('/').unwrap_or(name);
            return (!name.contains('/'))
                .then(|| Name::parse(name))?
                .map(Self::TakenBack);
        }
        let anchored = line.trim_end_matches('/').contains('/');
        let name = line.strip_prefix('/').unwrap_or(line);
        let name = Name::parse(name.strip_suffix('/').unwrap_or(name))?;
        match (anchored, name) {
            (false, name) => Some(Self::Name(name)),
            (true, Name(path, None)) => Some(Self::Path(path)),
            (true, Name(_, Some(_))) => None,
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Name(name) => path.split('/').any(|part| name.matches(part)),
            Self::TakenBack(name) => name.matches(path),
            Self::Path(name) => path
                .to_ascii_lowercase()
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }
}

/// What is packed whatever else is said: manifest, licence, readme, entry points and commands.
fn required<'p>(manifest: &Manifest, paths: &'p [EntryPath]) -> Option<Vec<&'p EntryPath>> {
    let mut entry_points = commands(manifest)?;
    for field in ["main", "browser"] {
        match manifest.get(field) {
            None => {}
            Some(Value::String(path)) => {
                entry_points.insert(relative(path)?);
            }
            Some(_) => return None,
        }
    }
    Some(
        paths
            .iter()
            .filter(|path| is_always_packed(path.as_str()) || entry_points.contains(path.as_str()))
            .collect(),
    )
}

fn is_always_packed(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    lower == "package.json"
        || ["readme", "copying", "license", "licence"]
            .iter()
            .any(|name| {
                lower.strip_prefix(name).is_some_and(|rest| {
                    rest.is_empty()
                        || (rest.starts_with('.')
                            && rest.len() > 1
                            && !rest.contains('/')
                            && !rest.ends_with(['~', '$']))
                })
            })
}

/// The files of the package's commands.
fn commands(manifest: &Manifest) -> Option<BTreeSet<String>> {
    match manifest.get("bin") {
        None => Some(BTreeSet::new()),
        Some(Value::String(path)) => Some(BTreeSet::from([relative(path)?])),
        Some(Value::Object(commands)) => commands
            .values()
            .map(|path| relative(path.as_str()?))
            .collect(),
        Some(_) => None,
    }
}

/// A path of the manifest as the tree has it.
fn relative(path: &str) -> Option<String> {
    let path = path.strip_prefix("./").unwrap_or(path);
    let parsed: EntryPath = path.parse().ok()?;
    (parsed.as_str() == path).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npm::testing::{pin, tree};

    /// The packed paths, or nothing where npm has to be asked.
    fn check(manifest: &str, others: &[(&str, &str)], expect: Option<&[&str]>) {
        let files: Vec<(&str, &str)> = [("package.json", manifest)]
            .into_iter()
            .chain(others.iter().copied())
            .collect();
        let tree = tree(&files);
        let project = Project::find(&tree, &pin(None)).unwrap();
        let found = of(&project);
        let paths: Option<Vec<&str>> = found
            .as_ref()
            .map(|files| files.iter().map(|file| file.path.as_str()).collect());
        assert_eq!(paths.as_deref(), expect, "{manifest}");
    }

    const FILES: &[(&str, &str)] = &[
        ("index.js", ""),
        ("lib/a.js", ""),
        ("lib/deep/b.js", ""),
        ("test/a.test.js", ""),
        ("README.md", ""),
        ("LICENSE", ""),
        ("package-lock.json", "{}"),
        (".gitignore", "coverage\n"),
    ];

    #[test]
    fn what_the_manifest_lists_is_packed_with_what_always_is() {
        let all = &[
            "LICENSE",
            "README.md",
            "index.js",
            "lib/a.js",
            "lib/deep/b.js",
            "package.json",
        ][..];
        for files in [
            "[\"index.js\",\"lib\"]",
            "[\"./index.js\",\"lib/**\"]",
            "[\"/index.js\",\"lib/\"]",
            "[\"lib/*\",\"index.js\"]",
        ] {
            check(
                &format!("{{\"name\":\"n\",\"version\":\"1.0.0\",\"files\":{files}}}"),
                FILES,
                Some(all),
            );
        }
        check(
            "{\"name\":\"n\",\"version\":\"1.0.0\",\"main\":\"./lib/a.js\",\"bin\":\"index.js\",\"files\":[\"lib/a.js\"]}",
            FILES,
            Some(&[
                "LICENSE",
                "README.md",
                "index.js",
                "lib/a.js",
                "package.json",
            ]),
        );
    }

    #[test]
    fn without_a_list_everything_is_packed_that_is_not_ignored() {
        let manifest = "{\"name\":\"n\",\"version\":\"1.0.0\"}";
        check(
            manifest,
            FILES,
            Some(&[
                "LICENSE",
                "README.md",
                "index.js",
                "lib/a.js",
                "lib/deep/b.js",
                "package.json",
                "test/a.test.js",
            ]),
        );
        let with = |rules: &'static str| [FILES, &[(".npmignore", rules)]].concat();
        check(
            manifest,
            &with("**/*\nREADME.md\n!index.*\n!LICENSE\n"),
            Some(&["LICENSE", "README.md", "index.js", "package.json"]),
        );
        check(
            manifest,
            &with("*\n!a.js\n!*.json\n!nosuch"),
            Some(&["LICENSE", "README.md", "package.json"]),
        );
        check(
            manifest,
            &with("# tests\ntest/\n/lib/deep\n*.md\n"),
            Some(&[
                "LICENSE",
                "README.md",
                "index.js",
                "lib/a.js",
                "package.json",
            ]),
        );
    }

    #[test]
    fn what_takes_more_than_plain_names_is_left_to_npm() {
        for files in [
            "[\"*.js\"]",
            "[\"lib/*.js\"]",
            "[\"lib\",\"!lib/deep\"]",
            "[\"nosuch\"]",
            "[\"{lib,index.js}\"]",
            "[\"a.js\"]",
            "\"lib\"",
            "[\"..\"]",
            "[\"\"]",
            "[7]",
            "[\".gitignore\"]",
        ] {
            check(
                &format!("{{\"name\":\"n\",\"version\":\"1.0.0\",\"files\":{files}}}"),
                FILES,
                None,
            );
        }
        for rules in [
            "*\n!lib/",
            "*\n!lib",
            "*.md\n!a.js",
            "lib\n!lib/a.js",
            "lib/**/b.js",
            "te?t",
            "[ab].js",
            "a*b*",
            "\\#x",
        ] {
            let files = [FILES, &[(".npmignore", rules)]].concat();
            check("{\"name\":\"n\",\"version\":\"1.0.0\"}", &files, None);
        }
        for more in [
            "\"bundleDependencies\":[\"x\"]",
            "\"directories\":{\"bin\":\"lib\"}",
            "\"bin\":{\"a\":7}",
            "\"main\":\"../x.js\"",
            "\"main\":\"test/a.test.js\"",
            "\"browser\":{\"a\":\"b\"}",
        ] {
            check(
                &format!("{{\"name\":\"n\",\"version\":\"1.0.0\",\"files\":[\"lib\"],{more}}}"),
                FILES,
                None,
            );
        }
        for other in [
            ("lib/.npmignore", ""),
            ("lib/node_modules/x/index.js", ""),
            ("lib/index.js", ""),
        ] {
            let files = [FILES, &[other]].concat();
            check(
                "{\"name\":\"n\",\"version\":\"1.0.0\",\"files\":[\"index.js\"]}",
                &files,
                None,
            );
        }
    }
}
