//! Dependencies that a bundler copied in. esbuild and its kin put a comment before each module that names its path;
//! where every difference lies below comments of `node_modules`, the packages are named. The comments are the
//! file's own claim, which the words say.

use std::collections::{BTreeMap, BTreeSet};

use super::{ChangedFile, SideWords};
use crate::difference::hunks::lines;

/// More are not named.
const NAMED: usize = 5;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    if !super::javascript::speaks(&file.extension()) {
        return None;
    }
    let stretches = &file.text?.stretches;
    if stretches.is_empty() {
        return None;
    }
    let (old, new) = (sections(file.rebuilt), sections(file.published));
    let mut packages = BTreeSet::new();
    for (old_lines, new_lines) in stretches {
        for (sections, lines) in [(&old, old_lines), (&new, new_lines)] {
            for line in lines.clone() {
                let (_, module) = sections.range(..=line).next_back()?;
                packages.insert(module.as_ref()?.name);
            }
        }
    }
    let SideWords {
        published: ours,
        rebuilt: theirs,
    } = file.words;
    let named: Vec<String> = packages
        .iter()
        .take(NAMED)
        .map(|name| {
            let versions = |sections: &Sections<'_>| -> Option<String> {
                let mut versions = sections
                    .values()
                    .flatten()
                    .filter(|module| module.name == *name)
                    .map(|module| module.version);
                let first = versions.next()??;
                versions
                    .all(|version| version == Some(first))
                    .then(|| first.to_owned())
            };
            match (versions(&old), versions(&new)) {
                (Some(old), Some(new)) if old != new => {
                    format!("`{name}` (`{new}` {ours}, `{old}` {theirs})")
                }
                _ => match (has(&old, name), has(&new, name)) {
                    (false, _) => format!("`{name}` ({ours} only)"),
                    (true, false) => format!("`{name}` ({theirs} only)"),
                    (true, true) => format!("`{name}`"),
                },
            }
        })
        .collect();
    let more = match packages.len().checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    Some(format!(
        "every difference is below a comment that marks a bundled dependency: {}{more}",
        named.join(", ")
    ))
}

fn has(sections: &Sections<'_>, name: &str) -> bool {
    sections
        .values()
        .flatten()
        .any(|module| module.name == name)
}

/// A package whose module a section is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Module<'a> {
    name: &'a str,
    /// Where the path tells, as pnpm's does.
    version: Option<&'a str>,
}

/// From which line on (counted from 0) which module; `None` for one that is no dependency.
type Sections<'a> = BTreeMap<usize, Option<Module<'a>>>;

fn sections(content: &[u8]) -> Sections<'_> {
    lines(content)
        .into_iter()
        .enumerate()
        .filter_map(|(number, line)| {
            let path = std::str::from_utf8(line)
                .ok()?
                .trim_end()
                .strip_prefix("// ")?;
            let is_path = path.contains('/')
                && !path.contains(' ')
                && path.rsplit_once('.').is_some_and(|(_, extension)| {
                    super::javascript::speaks(extension) || extension == "json"
                });
            is_path.then(|| (number, module(path)))
        })
        .collect()
}

/// `node_modules/.pnpm/zod@3.22.4/node_modules/zod/lib/index.mjs` is `zod` at `3.22.4`.
fn module(path: &str) -> Option<Module<'_>> {
    let (before, inside) = path.rsplit_once("node_modules/")?;
    if !before.is_empty() && !before.ends_with('/') {
        return None;
    }
    let mut parts = inside.split('/');
    let first = parts.next()?;
    let length = if first.starts_with('@') {
        first.len() + 1 + parts.next()?.len()
    } else {
        first.len()
    };
    parts.next()?;
    let name = inside.get(..length)?;
    let plain = !name.is_empty()
        && name.len() <= 214
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"@/._-".contains(&byte));
    let version = before
        .rsplit_once(".pnpm/")
        .and_then(|(_, store)| store.split('/').next())
        .and_then(|entry| entry.split('(').next()?.rsplit_once('@'))
        .and_then(|(stored, version)| {
            let version = version.split('_').next()?;
            (stored.replace('+', "/") == name && is_plain_version(version)).then_some(version)
        });
    plain.then_some(Module { name, version })
}

fn is_plain_version(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|character: char| character.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte))
}
