//! Whether a match says anything about the code that the published file was made from. A build result that is
//! committed is source as well: where the steps that make it did not run, or failed, it would vouch for itself.

use std::collections::BTreeSet;

use remint_compare::class_of_path;
use remint_model::{
    ArtifactFormat, Change, Class, CommitId, Comparison, Edit, EntryPath, SourceTree, Survey,
    SurveyEntry, UnlistedFile,
};

/// Folders that hold what was built, by convention.
const BUILT: [&str; 7] = ["build", "bundle", "bundled", "cjs", "dist", "esm", "out"];

/// What was published, and what a build of it starts from.
#[derive(Clone, Copy)]
pub(crate) struct AtStake<'a> {
    pub(crate) format: ArtifactFormat,
    pub(crate) survey: &'a Survey,
    pub(crate) tree: &'a SourceTree,
    /// What else the build finds in its tree.
    pub(crate) unlisted: &'a [UnlistedFile],
    /// What the plan writes into the tree.
    pub(crate) edits: &'a [Edit],
}

impl<'a> AtStake<'a> {
    /// What the build finds in its tree, the edits of its plan included.
    fn committed(self) -> BTreeSet<CommitId> {
        let edited = self
            .edits
            .iter()
            .map(|edit| CommitId::of_blob(&edit.content));
        let entries = self.tree.entries.values();
        entries
            .map(|entry| entry.blob.clone())
            .chain(self.unlisted.iter().map(|file| file.blob.clone()))
            .chain(edited)
            .collect()
    }

    /// A published file that is as it was committed, and of such a class or where built files lie.
    fn as_committed(self, is_at_stake: impl Fn(Class) -> bool) -> Option<&'a EntryPath> {
        let committed = self.committed();
        let is_suspect = |entry: &&SurveyEntry| {
            let folders = entry.path.as_str().rsplit_once('/');
            let mut folders = folders.map_or("", |(folders, _)| folders).split('/');
            (is_at_stake(class_of_path(self.format, &entry.path))
                || folders.any(|folder| BUILT.contains(&folder)))
                && entry.committed_as().any(|blob| committed.contains(blob))
        };
        let mut entries = self.survey.entries.iter();
        entries.find(is_suspect).map(|entry| &entry.path)
    }
}

/// What plans with all steps of the source made of the published paths.
#[derive(Debug, Default)]
pub(crate) struct Fuller {
    built: bool,
    /// Files that came out otherwise than they were published, or not at all.
    written: BTreeSet<EntryPath>,
    /// Commands that failed, and were allowed to.
    failed: Vec<String>,
}

impl Fuller {
    /// Takes in what such a plan came to.
    pub(crate) fn learn(&mut self, comparison: &Comparison, failed: &[String]) {
        self.built = true;
        self.failed.extend_from_slice(failed);
        let Comparison::Different { differences, .. } = comparison else {
            return;
        };
        // Also data is read by programs, and by models; an explanation stands beside a difference and excuses none.
        let other = differences.iter().filter(|difference| {
            matches!(difference.change, Change::Changed | Change::Added)
                && !matches!(difference.class, Class::Metadata | Class::Licence)
        });
        self.written
            .extend(other.map(|difference| difference.path.clone()));
    }

    /// Why the match of one of them proves nothing after all.
    pub(crate) fn objection(&self, at_stake: AtStake<'_>) -> Option<String> {
        // Code that is committed, and whatever lies where built files do, may be what such a command writes.
        let command = self.failed.first()?;
        let runs = |class| {
            matches!(
                class,
                Class::Startup | Class::InstallScript | Class::Native | Class::Executable
            )
        };
        at_stake.as_committed(runs).map(|path| {
            format!(
                "`{path}` is as it was committed, and `{command}`, which may be what makes it, failed here"
            )
        })
    }

    /// Why the match of a plan that leaves out steps proves nothing.
    pub(crate) fn objection_to_shortcut(&self, at_stake: AtStake<'_>) -> Option<String> {
        if !self.built {
            // Nothing shows what the steps that are left out would have written: any of it could be theirs. What is
            // read by people and package managers alone is not what a build is for.
            return at_stake
                .as_committed(|class| {
                    !matches!(
                        class,
                        Class::Manifest | Class::Documentation | Class::Licence | Class::Metadata
                    )
                })
                .map(|path| {
                    format!(
                        "it leaves out steps that the source names, with them nothing was built, and `{path}`, which \
                         they may make, is as it was committed"
                    )
                });
        }
        // Wherever it lies: packages are not laid out as their repositories are.
        let committed = at_stake.committed();
        let entries = &at_stake.survey.entries;
        entries
            .iter()
            .find(|entry| self.written.contains(&entry.path) && entry.committed_as().any(|blob| committed.contains(blob)))
            .map(|entry| {
                format!(
                    "`{}` is as it was committed, and the steps of the source that it leaves out make something else of it",
                    entry.path
                )
            })
            .or_else(|| self.objection(at_stake))
    }
}

#[cfg(test)]
mod tests {
    use remint_model::{Difference, TreeEntry};

    use super::*;

    const COMMITTED: &[u8] = b"as committed";

    fn at_stake<'a>(survey: &'a Survey, tree: &'a SourceTree, edits: &'a [Edit]) -> AtStake<'a> {
        AtStake {
            format: ArtifactFormat::NpmTarball,
            survey,
            tree,
            unlisted: &[],
            edits,
        }
    }

    fn path(text: &str) -> EntryPath {
        text.parse().unwrap()
    }

    /// A package that holds what is committed below `from`.
    fn published(path: &str) -> Survey {
        let entry = SurveyEntry {
            path: self::path(path),
            size: COMMITTED.len() as u64,
            mode: 0o644,
            modified: 0,
            sha256: remint_model::Sha256::of(COMMITTED),
            blob: CommitId::of_blob(COMMITTED),
            lf_blob: None,
        };
        Survey {
            entries: vec![entry],
            ..Survey::default()
        }
    }

    fn tree(path: &str, content: &[u8]) -> SourceTree {
        let entry = TreeEntry {
            mode: 0o100_644,
            blob: CommitId::of_blob(content),
        };
        SourceTree {
            entries: [(self::path(path), entry)].into(),
            ..SourceTree::default()
        }
    }

    fn different(path: &str, change: Change, class: Class) -> Comparison {
        Comparison::Different {
            erased: Vec::new(),
            differences: vec![Difference {
                path: self::path(path),
                change,
                class,
                hunks: Vec::new(),
                lines: (0, 0),
                explanation: Some("only white space differs".to_owned()),
            }],
        }
    }

    /// Whether a shortcut counts that packs `published`, after a full build that came to this.
    fn counts(comparison: &Comparison, published: &Survey, tree: &SourceTree) -> bool {
        let mut fuller = Fuller::default();
        fuller.learn(comparison, &[]);
        fuller
            .objection_to_shortcut(at_stake(published, tree, &[]))
            .is_none()
    }

    #[test]
    fn what_the_source_writes_otherwise_does_not_vouch_for_itself() {
        let package = published("server/core.js");
        // Wherever it is committed, whatever explains it, also where no build makes it, and also what is only read.
        for (from, change, class) in [
            ("server/core.js", Change::Changed, Class::Executable),
            ("src/server/core.js", Change::Changed, Class::Executable),
            ("server/core.js", Change::Added, Class::Executable),
            ("server/core.js", Change::Changed, Class::Data),
            ("server/core.js", Change::Changed, Class::Documentation),
            ("server/core.js", Change::Changed, Class::Manifest),
        ] {
            let comparison = different("server/core.js", change, class);
            assert!(
                !counts(&comparison, &package, &tree(from, COMMITTED)),
                "{from} {change:?} {class:?}"
            );
        }
    }

    #[test]
    fn where_no_full_build_succeeds_nothing_that_a_build_may_make_is_taken_as_committed() {
        let objection = |path: &str, tree: &SourceTree| {
            Fuller::default().objection_to_shortcut(at_stake(&published(path), tree, &[]))
        };
        for path in [
            "server/core.js",
            "prompts.json",
            "icon.png",
            "dist/README.md",
        ] {
            let why = objection(path, &tree(path, COMMITTED)).unwrap();
            assert!(
                why.contains("nothing was built") && why.contains(path),
                "{why}"
            );
            // Made by the steps that ran, of something else.
            assert_eq!(objection(path, &tree(path, b"other")), None, "{path}");
        }
        for path in ["README.md", "LICENSE", "package.json"] {
            assert_eq!(objection(path, &tree(path, COMMITTED)), None, "{path}");
        }
    }

    #[test]
    fn line_ends_of_windows_launder_nothing() {
        let mut package = published("server/core.js");
        for entry in &mut package.entries {
            entry.lf_blob = Some(std::mem::replace(
                &mut entry.blob,
                CommitId::of_blob(b"with CRLF"),
            ));
        }
        let changed = different("server/core.js", Change::Changed, Class::Executable);
        let committed = tree("server/core.js", COMMITTED);
        assert!(!counts(&changed, &package, &committed));
        let other = tree("server/core.js", b"other");
        assert!(counts(&changed, &package, &other));
    }

    #[test]
    fn a_shortcut_counts_where_nothing_committed_is_at_stake() {
        let package = published("server/core.js");
        let changed = different("server/core.js", Change::Changed, Class::Executable);
        // Built from something else, so the shortcut built it too.
        assert!(counts(
            &changed,
            &package,
            &tree("server/core.ts", b"source")
        ));
        let same = tree("server/core.js", COMMITTED);
        for (other, change, class) in [
            ("server/more.js", Change::Changed, Class::Executable),
            ("server/core.js", Change::Removed, Class::Executable),
            ("server/core.js", Change::Metadata, Class::Executable),
            ("server/core.js", Change::Changed, Class::Metadata),
        ] {
            let comparison = different(other, change, class);
            assert!(counts(&comparison, &package, &same), "{other} {change:?}");
        }
    }

    #[test]
    fn an_edit_of_the_plan_is_no_better_than_what_is_committed() {
        let mut fuller = Fuller::default();
        let changed = different("server/core.js", Change::Changed, Class::Executable);
        fuller.learn(&changed, &[]);
        let edit = Edit {
            path: path("server/core.js"),
            content: COMMITTED.to_vec(),
            because: String::new(),
        };
        let tree = tree("server/core.js", b"before the edit");
        let package = published("server/core.js");
        assert_eq!(
            fuller.objection_to_shortcut(at_stake(&package, &tree, &[])),
            None
        );
        assert!(
            fuller
                .objection_to_shortcut(at_stake(&package, &tree, &[edit]))
                .is_some()
        );
    }

    #[test]
    fn a_step_that_failed_may_have_been_the_one_that_builds() {
        let failed = ["node generate.js".to_owned()];
        let objects = |published: &str, committed: &str, failed: &[String]| {
            let mut fuller = Fuller::default();
            fuller.learn(&Comparison::Identical, failed);
            let (survey, tree) = (self::published(published), tree(committed, COMMITTED));
            let objection = fuller.objection(at_stake(&survey, &tree, &[]));
            assert_eq!(
                fuller.objection_to_shortcut(at_stake(&survey, &tree, &[])),
                objection
            );
            objection.is_some()
        };
        assert!(objects("dist/core.js", "dist/core.js", &failed));
        assert!(objects("server/build/core.js", "a/build/core.js", &failed));
        assert!(!objects("dist/core.js", "dist/core.js", &[]));
        assert!(objects("server/core.js", "server/core.js", &failed));
        assert!(objects("dist/prompts.json", "prompts.json", &failed));
        assert!(!objects("server/core.js", "server/core.js", &[]));
        assert!(!objects("README.md", "README.md", &failed));
        assert!(!objects("package.json", "package.json", &failed));
    }
}
