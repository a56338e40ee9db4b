//! Looks into a bundle: how it starts, who signed it, and where each of its files comes from. What it finds is
//! judged elsewhere.

mod registry;
mod signature;
mod words;

use remint_compare::{AgainstTree, against_tree};
use remint_ecosystem::mcpb::bundled::{Attribution, bundled};
use remint_ecosystem::mcpb::locked::{self, SourceLock};
use remint_ecosystem::mcpb::packing::Packing;
use remint_ecosystem::mcpb::{locate, plan};
use remint_fetch::source::FoundSource;
use remint_judge::ResultEvidence;
use remint_model::{
    ArtifactFormat, Basis, BuildOutcome, BuildPlan, BuildRecord, Bundle, Change, Comparison,
    Difference, EntryPath, Failure, InconclusiveReason, SourceTree, Survey, TreeEntry,
};

use crate::attempts::{failure_words, withheld};
use crate::build::{Builder, chain};
use crate::locate::Located;
use crate::open::{self, Unreadable};
use crate::planning;
use crate::progress::Progress;
use crate::report::{Tried, count_words};
use crate::resolve::Case;

pub(crate) use words::notes;

/// A bundle, and which of its files have to come from the source.
pub(crate) struct Examined {
    pub(crate) bundle: Bundle,
    attribution: Attribution,
    /// What looking up the packages took.
    pub(crate) seconds: f64,
}

/// Looks at everything that a bundle can tell without its source.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn examine(
    case: &Case,
    survey: &Survey,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Examined> {
    let signature = signature::verify(&case.artifact, &survey.signature).await?;
    let bundled = bundled(survey);
    let stage = progress.begin("packages", &count_words(bundled.packages.len(), "package"));
    let answers = registry::answers(&bundled.packages, builder, &stage).await?;
    let mut attribution = bundled.attribute(survey, &answers);
    let seconds = stage.end(&words::attribution(&attribution));
    let bundle = Bundle {
        facts: locate::facts(survey).unwrap_or_default(),
        signature,
        lock_disagreements: locked::in_bundle(survey, &attribution.packages),
        packages: std::mem::take(&mut attribution.packages),
        unattributed: std::mem::take(&mut attribution.unattributed),
        records: attribution.records,
        own: attribution.own.len(),
        unlocked: None,
    };
    Ok(Examined {
        bundle,
        attribution,
        seconds,
    })
}

/// Holds the packages against the source's lockfile, and the files that belong to no dependency against those of the
/// source.
pub(crate) fn hold(examined: &mut Examined, survey: &Survey, found: &FoundSource) -> Held {
    let directory = found.pin.subdirectory.as_ref();
    let bundle = &mut examined.bundle;
    match locked::in_source(&found.tree, directory, &bundle.packages) {
        SourceLock::Agrees => {}
        SourceLock::Disagrees(found) => bundle.lock_disagreements.extend(found),
        SourceLock::Absent(ecosystem) => bundle.unlocked = Some(ecosystem),
    }
    Held::against(examined, survey, found, &found.tree, directory)
}

/// What holding a bundle's own files against a tree came to.
pub(crate) struct Held {
    /// Never identical: the archive itself is not made again.
    comparison: Comparison,
    /// Files that are the tree's, and files that should be.
    pub(crate) files: (usize, usize),
}

impl Held {
    /// Against the files of a tree, whose top or folder is that of the bundle.
    fn against(
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
        });
        Self {
            comparison: held.comparison,
            files: (held.equal, held.total),
        }
    }

    /// Whether building may explain what differs.
    pub(crate) fn may_be_built(&self, found: &FoundSource) -> bool {
        !self.differences().is_empty()
            && plan::build_script(&found.tree, found.pin.subdirectory.as_ref()).is_some()
    }

    fn differences(&self) -> &[Difference] {
        match &self.comparison {
            Comparison::Different { differences, .. } => differences,
            Comparison::Identical | Comparison::Equivalent { .. } => &[],
        }
    }

    /// How far it is from a match.
    fn distance(&self) -> usize {
        self.differences().len()
    }

    /// What it proves. Files that the source has otherwise are different; that some are missing on one side proves
    /// nothing yet, for a bundle is packed from a folder that release steps fill. `but` says what was tried.
    fn result(self, basis: Basis, but: &str) -> ResultEvidence {
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

/// What building the source and holding the bundle against that came to.
pub(crate) struct Built {
    pub(crate) result: ResultEvidence,
    pub(crate) files: (usize, usize),
    pub(crate) plan: Option<BuildPlan>,
    pub(crate) record: Option<BuildRecord>,
    pub(crate) failure: Option<Failure>,
    pub(crate) tried: Vec<Tried>,
}

/// Builds the source as each plan says, until one explains the bundle's own files. `unbuilt` is what the source's own
/// files explain: it counts where nothing can be built.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn build(
    case: &Case,
    examined: &Examined,
    survey: &Survey,
    located: &Located,
    unbuilt: Held,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Built> {
    let found = &located.found;
    let files = unbuilt.files;
    let plans = match planning::plans(case, survey, located, builder) {
        Ok(plans) => plans,
        Err(error) => {
            let but = format!("and it cannot be built here: {}", chain(&error));
            return Ok(Built {
                result: unbuilt.result(Basis::SourceTree, &but),
                files,
                plan: None,
                record: None,
                failure: None,
                tried: Vec::new(),
            });
        }
    };
    let mut tried = Vec::new();
    let mut failed = None;
    let mut best: Option<(Held, BuildPlan, BuildRecord)> = None;
    for plan in plans {
        let stage = progress.begin("build", &plan.variant);
        let executed = builder
            .execute(&plan, found, Some(withheld(case)), &stage)
            .await?;
        let (words, held) = match &executed.outcome {
            BuildOutcome::Failed(failure) => (failure_words(failure), None),
            BuildOutcome::Built(artifact) => {
                let artifact = artifact.clone();
                match tokio::task::spawn_blocking(move || open::survey(&artifact)).await? {
                    Ok(tree) => {
                        let tree = as_tree(&tree);
                        let held = Held::against(examined, survey, found, &tree, None);
                        let words = count_words(held.distance(), "difference");
                        (words, Some(held))
                    }
                    Err(Unreadable::Archive(error)) => (error.to_string(), None),
                    Err(error @ Unreadable::Open(_)) => return Err(error.into()),
                }
            }
        };
        stage.end(&format!("{}: {words}", plan.variant));
        tried.push(Tried {
            variant: plan.variant.clone(),
            result: words,
        });
        match (held, executed.outcome) {
            (Some(held), _) => {
                let done = held.distance() == 0;
                if best
                    .as_ref()
                    .is_none_or(|(best, ..)| held.distance() < best.distance())
                {
                    best = Some((held, plan, executed.record));
                }
                if done {
                    break;
                }
            }
            (None, BuildOutcome::Failed(failure)) => {
                failed = failed.or(Some((failure, plan, executed.record)));
            }
            (None, BuildOutcome::Built(_)) => {}
        }
    }
    Ok(match (best, failed) {
        (Some((held, plan, record)), _) => Built {
            files: held.files,
            result: held.result(Basis::Rebuild, "building it makes no other files"),
            plan: Some(plan),
            record: Some(record),
            failure: None,
            tried,
        },
        (None, Some((failure, plan, record))) => Built {
            result: unbuilt.result(Basis::SourceTree, &failure_words(&failure)),
            files,
            plan: Some(plan),
            record: Some(record),
            failure: Some(failure),
            tried,
        },
        (None, None) => Built {
            result: unbuilt.result(Basis::SourceTree, "no way to build it is known"),
            files,
            plan: None,
            record: None,
            failure: None,
            tried,
        },
    })
}

/// What a build made, as a tree.
fn as_tree(built: &Survey) -> SourceTree {
    let entries = built.entries.iter().map(|entry| {
        let mode = match entry.mode & 0o111 {
            0 => 0o100_644,
            _ => 0o100_755,
        };
        let blob = entry.blob.clone();
        (entry.path.clone(), TreeEntry { mode, blob })
    });
    SourceTree {
        entries: entries.collect(),
        ..SourceTree::default()
    }
}
