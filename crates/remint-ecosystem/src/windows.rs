//! What a release shows of having been packed from a checkout on Windows: text files that are committed with LF, and
//! published with CRLF.
//!
//! Only files that the published one proves are laid out so, and only where whatever reads them takes CRLF and LF for the
//! same: anybody can convert a file of a release, and a shell, or a list that is split at LF, would then do another thing.
//! What a build makes of other files with such line ends is not tried.

use std::collections::BTreeSet;

use remint_model::{
    Assumption, AssumptionKind, BuildPlan, CommitId, EntryPath, SourceTree, Survey,
};

/// Endings of texts whose readers end lines with either (ECMAScript, "Line Terminators"; Python's universal newlines;
/// YAML, "Line Breaks"; CommonMark; HTML, "Preprocessing the input stream"), or to which line ends are white space.
const ALIKE: [&str; 21] = [
    "cjs", "css", "cts", "htm", "html", "js", "json", "jsx", "map", "markdown", "md", "mjs", "mts",
    "py", "pyi", "rs", "toml", "ts", "tsx", "yaml", "yml",
];
/// Beginnings of the names of texts for people, where no other ending follows than `txt` or `rst`.
const FOR_PEOPLE: [&str; 7] = [
    "authors",
    "changelog",
    "copying",
    "licence",
    "license",
    "notice",
    "readme",
];

/// Files whose only readers are known: lockfiles in TOML, and lists of patterns whose readers cut a carriage return off
/// (git, Docker, npm).
const KNOWN: [&str; 7] = [
    ".dockerignore",
    ".gitignore",
    ".npmignore",
    "cargo.lock",
    "pdm.lock",
    "poetry.lock",
    "uv.lock",
];

/// Whether CRLF in place of LF makes no difference to whatever reads a file of this name.
fn reads_alike(path: &EntryPath) -> bool {
    let name = path.file_name().to_ascii_lowercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
    ALIKE.contains(&ending)
        || KNOWN.contains(&name.as_str())
        // pip reads lists of requirements as Python reads texts.
        || (ending == "txt" && stem.starts_with("requirements"))
        || (matches!(ending, "" | "txt" | "rst")
            && FOR_PEOPLE.iter().any(|start| stem.starts_with(start)))
}

/// The paths in a published file that are there with CRLF, and may be laid out so.
#[must_use]
pub fn published_with_crlf(plan: &BuildPlan, survey: &Survey) -> Vec<String> {
    let names: BTreeSet<&str> = plan.crlf.iter().map(EntryPath::file_name).collect();
    survey
        .entries
        .iter()
        .filter(|entry| entry.lf_blob.is_some() && names.contains(entry.path.file_name()))
        .map(|entry| entry.path.to_string())
        .collect()
}

/// Lets a plan lay out with CRLF what was published so.
pub(crate) fn lay_out(plan: &mut BuildPlan, tree: &SourceTree, survey: &Survey) {
    let published: BTreeSet<(&str, &CommitId)> = survey
        .entries
        .iter()
        .filter(|entry| reads_alike(&entry.path))
        .filter_map(|entry| Some((entry.path.file_name(), entry.lf_blob.as_ref()?)))
        .collect();
    if published.is_empty() {
        return;
    }
    let edited: BTreeSet<&EntryPath> = plan.edits.iter().map(|edit| &edit.path).collect();
    let written: Vec<(&EntryPath, CommitId)> = plan
        .edits
        .iter()
        .map(|edit| (&edit.path, CommitId::of_blob(&edit.content)))
        .collect();
    let committed = tree
        .entries
        .iter()
        .filter(|(path, entry)| {
            matches!(entry.mode, 0o100_644 | 0o100_755) && !edited.contains(path)
        })
        .map(|(path, entry)| (path, &entry.blob));
    let mut crlf: Vec<EntryPath> = committed
        .chain(written.iter().map(|(path, blob)| (*path, blob)))
        .filter(|(path, blob)| published.contains(&(path.file_name(), *blob)))
        .map(|(path, _)| path.clone())
        .collect();
    if crlf.is_empty() {
        return;
    }
    crlf.sort_unstable();
    let value = match crlf.as_slice() {
        [path] => format!("CRLF in {path}"),
        [path, rest @ ..] => format!("CRLF in {path} and {} more", rest.len()),
        [] => return,
    };
    plan.assumptions.push(Assumption {
        kind: AssumptionKind::WindowsLineEnds,
        value,
        from: "the published file".to_owned(),
    });
    plan.crlf = crlf;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_and_lists_tell_line_ends_apart() {
        for (name, expect) in [
            ("lib/a.js", true),
            ("a.d.ts", true),
            ("x/__init__.py", true),
            ("package.json", true),
            ("README.md", true),
            ("LICENSE", true),
            ("LICENSE-MIT", true),
            ("licence.txt", true),
            ("uv.lock", true),
            (".gitignore", true),
            ("requirements-dev.txt", true),
            ("yarn.lock", false),
            ("Dockerfile", false),
            ("bin/guard.sh", false),
            ("bin/server", false),
            ("hosts.txt", false),
            ("license.sh", false),
            ("x.pth", false),
            (".npmrc", false),
            ("a.csv", false),
        ] {
            assert_eq!(reads_alike(&name.parse().unwrap()), expect, "{name}");
        }
    }
}
