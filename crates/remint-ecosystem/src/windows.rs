//! What a release shows of having been packed from a checkout on Windows: text files that are committed with LF, and
//! published with CRLF.
//!
//! Only files that the published one proves are laid out so, and only where whatever reads them takes CRLF and LF for the
//! same: anybody can convert a file of a release, and a shell, or a list that is split at LF, would then do another thing.
//! What a build makes of other files with such line ends is not tried.

use std::collections::BTreeSet;

use remint_model::{
    Assumption, AssumptionKind, BuildPlan, Class, CommitId, EntryPath, SourceTree, Survey,
};

/// Endings of texts whose readers end lines with either (ECMAScript, "Line Terminators"; Python's universal newlines;
/// YAML, "Line Breaks"; CommonMark; HTML, "Preprocessing the input stream"), or to which line ends are white space.
const ALIKE: [&str; 19] = [
    "cjs", "css", "cts", "htm", "html", "js", "json", "jsx", "map", "mjs", "mts", "py", "pyi",
    "rs", "toml", "ts", "tsx", "yaml", "yml",
];
/// The same, where the file is documentation: elsewhere programs split such texts into lines of their own (the front matter
/// of a skill, a list of hosts).
const PROSE: [&str; 5] = ["", "markdown", "md", "rst", "txt"];
/// The names of texts for people, but for an ending of `PROSE`.
const FOR_PEOPLE: [&str; 10] = [
    "authors",
    "changelog",
    "contributing",
    "copying",
    "licence",
    "license",
    "license-apache",
    "license-mit",
    "notice",
    "readme",
];
/// Lists of requirements as people name them, without their ending `txt`. pip reads them as Python reads texts.
const REQUIREMENTS: [&str; 6] = [
    "dev-requirements",
    "requirements",
    "requirements-dev",
    "requirements-test",
    "requirements_dev",
    "requirements_test",
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

/// Whether CRLF in place of LF makes no difference to whatever reads a file of this name and class.
fn reads_alike(path: &EntryPath, class: Option<Class>) -> bool {
    let name = path.file_name().to_ascii_lowercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
    // Also told by its first bytes and its mode: a licence that a shell runs is none.
    let is_for_people = matches!(class, Some(Class::Documentation | Class::Licence));
    ALIKE.contains(&ending)
        || KNOWN.contains(&name.as_str())
        || (ending == "txt" && REQUIREMENTS.contains(&stem))
        || (PROSE.contains(&ending) && FOR_PEOPLE.contains(&stem) && is_for_people)
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
        .filter(|entry| reads_alike(&entry.path, survey.classes.get(&entry.path).copied()))
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
        for (name, class, expect) in [
            ("lib/a.js", Class::Executable, true),
            ("a.d.ts", Class::Types, true),
            ("x/__init__.py", Class::Executable, true),
            ("package.json", Class::Manifest, true),
            ("README.md", Class::Documentation, true),
            ("LICENSE", Class::Licence, true),
            ("LICENSE-MIT", Class::Licence, true),
            ("licence.txt", Class::Licence, true),
            ("uv.lock", Class::DependencyList, true),
            (".gitignore", Class::Metadata, true),
            ("requirements-dev.txt", Class::DependencyList, true),
            ("requirements-denied.txt", Class::DependencyList, false),
            ("yarn.lock", Class::DependencyList, false),
            ("Dockerfile", Class::Data, false),
            ("bin/guard.sh", Class::Executable, false),
            ("bin/server", Class::Executable, false),
            ("bin/license", Class::Executable, false),
            ("bin/licensed-server", Class::Executable, false),
            ("skills/readme-blocked-hosts.txt", Class::Data, false),
            ("readme-blocked-hosts.txt", Class::Documentation, false),
            ("skills/reader.md", Class::Data, false),
            ("hosts.txt", Class::Data, false),
            ("license.sh", Class::Executable, false),
            ("x.pth", Class::Startup, false),
            (".npmrc", Class::Data, false),
            ("a.csv", Class::Data, false),
        ] {
            let alike = reads_alike(&name.parse().unwrap(), Some(class));
            assert_eq!(alike, expect, "{name}");
        }
        assert!(!reads_alike(&"LICENSE".parse().unwrap(), None));
    }
}
