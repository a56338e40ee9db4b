//! A work tree that is not as it was committed, made without a file in it: git's index names one more, and go asks git.
//! A file would be there for the sources, which could embed it or ask whether there is one.

use remint_model::{Assumption, AssumptionKind, SourceTree};

/// The name in the index.
const NAME: &str = ".remint-uncommitted";
/// The empty file in git; it need not be there.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// What git is told before go asks it.
pub(super) fn command() -> Vec<String> {
    let entry = format!("100644,{EMPTY},{NAME}");
    ["git", "update-index", "--add", "--cacheinfo", &entry]
        .map(str::to_owned)
        .to_vec()
}

pub(super) fn assumption() -> Assumption {
    Assumption {
        kind: AssumptionKind::UncommittedFile,
        value: format!("`{NAME}` in git's index, and no such file"),
        from: "the program says that something in its work tree was not committed (`vcs.modified=true`)"
            .to_owned(),
    }
}

/// What the source itself has at that name, or below it. Letter case counts for nothing: file systems differ.
pub(super) fn in_the_way(tree: &SourceTree) -> Option<&str> {
    tree.entries.keys().map(|path| path.as_str()).find(|path| {
        let first = path.split('/').next().unwrap_or(path);
        first.eq_ignore_ascii_case(NAME)
    })
}
