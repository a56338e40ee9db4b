//! A bundle's own files against the files of a tree, and what that proves.

use remint_compare::{AgainstTree, against_tree};
use remint_ecosystem::mcpb::packing::Packing;
use remint_ecosystem::mcpb::plan;
use remint_fetch::source::FoundSource;
use remint_judge::ResultEvidence;
use remint_model::{
    ArtifactFormat, Basis, Bundle, Change, Comparison, Difference, EntryPath, InconclusiveReason,
    SourceTree, Survey,
};

use super::Examined;
use crate::report::count_words;

/// What holding a bundle's own files against a tree came to.
pub(crate) struct Held {
    /// Never identical: the archive itself is not made again.
    comparison: Comparison,
    /// Files that are the tree's, and files that should be.
    pub(crate) files: (usize, usize),
}

impl Held {
    /// Against the files of a tree, whose top or folder is that of the bundle.
    pub(super) fn against(
        examined: &Examined,
        survey: &Survey,
        found: &FoundSource,
        tree: &SourceTree,
        directory: Option<&EntryPath>,
    ) -> Self {
        let packing = Packing::of(&found.tree, found.pin.subdirectory.as_ref());
        let held = against_tree(&AgainstTree {
            format: ArtifactFormat::Mcpb,
            survey,
            own: &examined.attribution.own,
            tree,
            directory,
            takes: &|path| packing.takes(path),
            refuses: &|path| packing.refuses(path),
        });
        Self {
            comparison: held.comparison,
            files: (held.equal, held.total),
        }
    }

    /// Whether building may explain what differs or, where nothing does, make something else.
    pub(crate) fn may_be_built(&self, survey: &Survey, found: &FoundSource) -> bool {
        let directory = found.pin.subdirectory.as_ref();
        if self.is_match() {
            plan::may_write_committed(&found.tree, directory, survey, &found.pin)
        } else {
            plan::build_script(&found.tree, directory).is_some()
        }
    }

    /// The comparison behind it.
    pub(super) const fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// Whether nothing differs.
    pub(super) fn is_match(&self) -> bool {
        self.differences().is_empty()
    }

    fn differences(&self) -> &[Difference] {
        match &self.comparison {
            Comparison::Different { differences, .. } => differences,
            Comparison::Identical | Comparison::Equivalent { .. } => &[],
        }
    }

    /// How far it is from a match.
    pub(super) fn distance(&self) -> usize {
        self.differences().len()
    }

    /// What it proves. Files that the source has otherwise are different; that some are missing on one side proves
    /// nothing yet, for a bundle is packed from a folder that release steps fill. `but` says what was tried.
    pub(super) fn result(self, basis: Basis, but: &str) -> ResultEvidence {
        let is_one_sided = self
            .differences()
            .iter()
            .all(|difference| matches!(difference.change, Change::Added | Change::Removed));
        let unexplained = self.differences().first().filter(|_| is_one_sided);
        let Some(first) = unexplained else {
            return ResultEvidence::Compared {
                basis,
                comparison: self.comparison,
            };
        };
        let count = |change| {
            let differences = self.differences().iter();
            differences
                .filter(|difference| difference.change == change)
                .count()
        };
        ResultEvidence::NotCompared {
            reason: InconclusiveReason::NotBuilt,
            detail: format!(
                "{} of the bundle and {} of the source, such as `{}`, are on that side only; {but}",
                count_words(count(Change::Added), "file"),
                count_words(count(Change::Removed), "file"),
                first.path
            ),
        }
    }

    /// What it proves where nothing is built.
    pub(crate) fn unbuilt(self, bundle: &Bundle) -> ResultEvidence {
        let added = self
            .differences()
            .iter()
            .any(|difference| difference.change == Change::Added);
        let is_binary = bundle.facts.server_type.as_deref() == Some("binary");
        if added && !is_binary {
            // Nothing of the source could have made them.
            return ResultEvidence::Compared {
                basis: Basis::SourceTree,
                comparison: self.comparison,
            };
        }
        self.result(
            Basis::SourceTree,
            "no step of the source is known that explains it",
        )
    }
}
