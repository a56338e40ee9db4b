//! What a release shows of having been packed from a checkout on Windows: text files that are committed with LF, and
//! published with CRLF.
//!
//! Only files that the published one proves are laid out so. What a build makes of other files with such line ends is
//! not tried.

use std::collections::BTreeSet;

use remint_model::{
    Assumption, AssumptionKind, BuildPlan, CommitId, EntryPath, SourceTree, Survey,
};

/// Lets a plan lay out with CRLF what was published so.
pub(crate) fn lay_out(plan: &mut BuildPlan, tree: &SourceTree, survey: &Survey) {
    let published: BTreeSet<(&str, &CommitId)> = survey
        .entries
        .iter()
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
