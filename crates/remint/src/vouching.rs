//! Whether a match says anything about the code that the published file was made from. A build result that is
//! committed is source as well: where the steps that make it did not run, or failed, it would vouch for itself.

use std::collections::BTreeSet;

use remint_compare::class_of_path;
use remint_model::{
    ArtifactFormat, BuildRecord, Change, Class, CommitId, Comparison, Edit, EntryPath, SourceTree,
    Survey, UnlistedFile,
};

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

    /// The first published file of such a class that is as it was committed, wherever it lies: packages are not laid out as
    /// their repositories are.
    fn first_as_committed(self, is_at_stake: impl Fn(&EntryPath) -> bool) -> Option<&'a EntryPath> {
        let committed = self.committed();
        let mut entries = self.survey.entries.iter();
        let entry = entries.find(|entry| {
            is_at_stake(&entry.path) && entry.committed_as().any(|blob| committed.contains(blob))
        })?;
        Some(&entry.path)
    }

    /// What a published file is for. Also its first bytes and its mode count: a program needs no ending.
    fn class_of(self, path: &EntryPath) -> Class {
        let known = self.survey.classes.get(path).copied();
        known.unwrap_or_else(|| class_of_path(self.format, path))
    }
}

/// Why a match proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Objection {
    pub(crate) words: String,
    /// Whether it leaves open what the release is made of. Otherwise it is known to be something else than what the steps of
    /// the source make.
    pub(crate) leaves_open: bool,
}

/// What plans with all steps of the source made of the published paths.
#[derive(Debug, Default)]
pub(crate) struct Fuller {
    built: bool,
    /// Files that came out otherwise than they were published, or not at all.
    written: BTreeSet<EntryPath>,
    /// Files that run, came out, and were not published: a guard may be among them.
    unpublished: BTreeSet<EntryPath>,
    /// A command that failed, and was allowed to.
    failed: Option<String>,
    /// One that asked for a host before it failed.
    cut_off: Option<String>,
}

impl Fuller {
    /// Takes in what such a plan came to.
    pub(crate) fn learn(&mut self, comparison: &Comparison, record: &BuildRecord) {
        self.built = true;
        for command in &record.failed_commands {
            let kind = if record.cut_off_commands.contains(command) {
                &mut self.cut_off
            } else {
                &mut self.failed
            };
            kind.get_or_insert_with(|| command.clone());
        }
        let Comparison::Different { differences, .. } = comparison else {
            return;
        };
        for difference in differences {
            let other = match difference.change {
                // Also data is read by programs, and by models; an explanation stands beside a difference and excuses none.
                Change::Changed | Change::Added
                    if !matches!(difference.class, Class::Metadata | Class::Licence) =>
                {
                    &mut self.written
                }
                Change::Removed if runs(difference.class) => &mut self.unpublished,
                Change::Changed | Change::Added | Change::Removed | Change::Metadata => continue,
            };
            other.insert(difference.path.clone());
        }
    }

    /// Why the match of one of them proves nothing after all.
    pub(crate) fn objection(&self, at_stake: AtStake<'_>) -> Option<Objection> {
        let words = if let Some(command) = &self.failed {
            // Whatever such a command writes, or what is built from it, may be another thing than was published.
            format!(
                "`{command}`, which may write what is published or what that is made of, failed here"
            )
        } else {
            // Like the steps that are known to need a host, it is told and hinders nothing that was built here.
            let command = self.cut_off.as_ref()?;
            let path = at_stake.first_as_committed(|path| {
                let class = at_stake.class_of(path);
                class == Class::Data || (runs(class) && class != Class::Manifest)
            })?;
            format!(
                "`{path}` is as it was committed, and `{command}`, which may write it, asked for a host and failed here"
            )
        };
        Some(Objection {
            words,
            leaves_open: true,
        })
    }

    /// Why the match of a plan that leaves out steps proves nothing.
    pub(crate) fn objection_to_shortcut(&self, at_stake: AtStake<'_>) -> Option<Objection> {
        if !self.built {
            // Nothing shows what the steps that are left out would have written, nor what would have been made of that.
            return Some(Objection {
                words: "it leaves out steps that the source names, and with them nothing was built"
                    .to_owned(),
                leaves_open: true,
            });
        }
        let written = |path: &EntryPath| self.written.contains(path);
        if let Some(path) = at_stake.first_as_committed(written) {
            return Some(Objection {
                words: format!(
                    "`{path}` is as it was committed, and the steps of the source that it leaves out make something else of it"
                ),
                leaves_open: false,
            });
        }
        // Made from what is committed, it can be what a step of the source would have changed.
        let of_class = |path: &&EntryPath| runs(at_stake.class_of(path));
        if let Some(path) = self.written.iter().find(of_class) {
            return Some(Objection {
                words: format!(
                    "it leaves out steps that the source names, and with them `{path}` becomes something else"
                ),
                leaves_open: true,
            });
        }
        if let Some(path) = self.unpublished.first() {
            return Some(Objection {
                words: format!(
                    "it leaves out steps that the source names, and they make `{path}`, which was not published"
                ),
                leaves_open: true,
            });
        }
        self.objection(at_stake)
    }
}

/// Whether files of this class run, or say what does.
const fn runs(class: Class) -> bool {
    match class {
        Class::Startup
        | Class::InstallScript
        | Class::Native
        | Class::Executable
        | Class::Manifest
        | Class::DependencyList => true,
        Class::Data
        | Class::Types
        | Class::Sourcemap
        | Class::Metadata
        | Class::Documentation
        | Class::Licence => false,
    }
}

#[cfg(test)]
mod tests {
    use remint_model::{Difference, SurveyEntry, TreeEntry};

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

    /// Whether a shortcut that packs `published` is known to pack something else than a full build that came to this;
    /// `None` where it counts.
    fn known_otherwise(
        comparison: &Comparison,
        published: &Survey,
        tree: &SourceTree,
    ) -> Option<bool> {
        let mut fuller = Fuller::default();
        fuller.learn(comparison, &BuildRecord::default());
        fuller
            .objection_to_shortcut(at_stake(published, tree, &[]))
            .map(|objection| !objection.leaves_open)
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
            assert_eq!(
                known_otherwise(&comparison, &package, &tree(from, COMMITTED)),
                Some(true),
                "{from} {change:?} {class:?}"
            );
        }
    }

    #[test]
    fn where_no_full_build_succeeds_nobody_knows_what_the_other_steps_make() {
        // Also where no published file is as it was committed: what it is made of may be what they change.
        for committed in [COMMITTED, b"other"] {
            let tree = tree("server/core.js", committed);
            let survey = published("server/core.js");
            let objection = Fuller::default().objection_to_shortcut(at_stake(&survey, &tree, &[]));
            let objection = objection.unwrap();
            assert!(objection.leaves_open);
            assert!(objection.words.contains("nothing was built"));
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
        assert_eq!(known_otherwise(&changed, &package, &committed), Some(true));
        let other = tree("server/core.js", b"other");
        assert_eq!(known_otherwise(&changed, &package, &other), Some(false));
    }

    #[test]
    fn a_shortcut_counts_where_what_it_leaves_out_changes_nothing_that_runs() {
        let same = tree("server/core.js", COMMITTED);
        let package = published("server/core.js");
        for (other, change, class) in [
            ("server/core.js", Change::Removed, Class::Documentation),
            ("server/core.js", Change::Metadata, Class::Executable),
            ("server/core.js", Change::Changed, Class::Metadata),
            ("server/prompts.json", Change::Changed, Class::Data),
        ] {
            let comparison = different(other, change, class);
            let outcome = known_otherwise(&comparison, &package, &same);
            assert_eq!(outcome, None, "{other} {change:?}");
        }
    }

    #[test]
    fn code_that_the_steps_left_out_change_leaves_open_what_was_published() {
        // Made of something else that is committed, which those steps may change.
        let source = tree("server/core.ts", b"source");
        for (path, class) in [
            ("server/core.js", Class::Executable),
            ("server/more.js", Class::Executable),
            ("package.json", Class::Manifest),
            ("build/addon.node", Class::Native),
        ] {
            let comparison = different(path, Change::Changed, class);
            let outcome = known_otherwise(&comparison, &published("server/core.js"), &source);
            assert_eq!(outcome, Some(false), "{path}");
        }
        // Not published, though those steps make it.
        let guard = different("server/guard.js", Change::Removed, Class::Executable);
        let outcome = known_otherwise(&guard, &published("server/core.js"), &source);
        assert_eq!(outcome, Some(false));
        // By its first bytes and its mode a program, by its name nothing.
        let comparison = different("bin/server", Change::Changed, Class::Executable);
        let mut package = published("bin/server");
        assert_eq!(known_otherwise(&comparison, &package, &source), None);
        package.classes = [(path("bin/server"), Class::Executable)].into();
        assert_eq!(known_otherwise(&comparison, &package, &source), Some(false));
    }

    #[test]
    fn an_edit_of_the_plan_is_no_better_than_what_is_committed() {
        let mut fuller = Fuller::default();
        let changed = different("server/core.js", Change::Changed, Class::Executable);
        fuller.learn(&changed, &BuildRecord::default());
        let edit = Edit {
            path: path("server/core.js"),
            content: COMMITTED.to_vec(),
            because: String::new(),
        };
        let tree = tree("server/core.js", b"before the edit");
        let package = published("server/core.js");
        for (edits, leaves_open) in [(&[][..], true), (&[edit][..], false)] {
            let objection = fuller.objection_to_shortcut(at_stake(&package, &tree, edits));
            assert_eq!(objection.unwrap().leaves_open, leaves_open);
        }
    }

    #[test]
    fn a_step_that_failed_may_have_been_the_one_that_builds() {
        let (survey, tree) = (published("README.md"), tree("README.md", b"other"));
        let at_stake = at_stake(&survey, &tree, &[]);
        let mut fuller = Fuller::default();
        fuller.learn(&Comparison::Identical, &BuildRecord::default());
        assert_eq!(fuller.objection(at_stake), None);
        let mut record = BuildRecord {
            failed_commands: vec!["node publish-check.js".to_owned()],
            cut_off_commands: vec!["node publish-check.js".to_owned()],
            ..BuildRecord::default()
        };
        fuller.learn(&Comparison::Identical, &record);
        assert_eq!(fuller.objection(at_stake), None);
        record.failed_commands.push("node generate.js".to_owned());
        fuller.learn(&Comparison::Identical, &record);
        let objection = fuller.objection(at_stake).unwrap();
        assert!(objection.leaves_open);
        assert!(objection.words.contains("node generate.js"));
        let of_shortcut = fuller.objection_to_shortcut(at_stake);
        assert_eq!(of_shortcut, Some(objection));
    }

    #[test]
    fn a_step_that_asked_for_a_host_may_have_been_to_write_what_is_as_committed() {
        let commands = vec!["node fetch-core.js".to_owned()];
        let record = BuildRecord {
            failed_commands: commands.clone(),
            cut_off_commands: commands,
            ..BuildRecord::default()
        };
        let mut fuller = Fuller::default();
        fuller.learn(&Comparison::Identical, &record);
        for (path, content, hinders) in [
            ("server/core.js", COMMITTED, true),
            ("server/prompts.json", COMMITTED, true),
            ("server/core.js", b"source", false),
            ("package.json", COMMITTED, false),
            ("README.md", COMMITTED, false),
        ] {
            let (survey, tree) = (published(path), tree("src/core.ts", content));
            let at_stake = at_stake(&survey, &tree, &[]);
            for objection in [
                fuller.objection(at_stake),
                fuller.objection_to_shortcut(at_stake),
            ] {
                assert_eq!(objection.is_some(), hinders, "{path}");
                let told = |objection: Objection| {
                    objection.leaves_open && objection.words.contains("node fetch-core.js")
                };
                assert!(objection.is_none_or(told), "{path}");
            }
        }
    }
}
