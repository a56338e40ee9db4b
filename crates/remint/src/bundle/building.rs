//! Builds the source of a bundle, and holds its own files against what that makes.

use remint_judge::ResultEvidence;
use remint_model::{
    Basis, BuildOutcome, BuildPlan, BuildRecord, Failure, InconclusiveReason, SourceTree, Survey,
    TreeEntry, Worth,
};

use super::Examined;
use super::held::Held;
use crate::attempts::{failure_words, withheld};
use crate::build::{Builder, chain};
use crate::locate::Located;
use crate::open::{self, Unreadable};
use crate::planning;
use crate::progress::Progress;
use crate::report::{Tried, count_words};
use crate::resolve::Case;
use crate::vouching::{AtStake, Fuller};

/// What building the source and holding the bundle against that came to.
pub(crate) struct Built {
    pub(crate) result: ResultEvidence,
    pub(crate) files: (usize, usize),
    pub(crate) plan: Option<BuildPlan>,
    pub(crate) record: Option<BuildRecord>,
    pub(crate) failure: Option<Failure>,
    pub(crate) tried: Vec<Tried>,
}

/// A build that counts.
struct Candidate {
    held: Held,
    plan: BuildPlan,
    record: BuildRecord,
}

/// Builds the source as each plan says, until one explains the bundle's own files. `unbuilt` is what the source's own
/// files explain: it counts where nothing can be built, and where all of them match but the source builds, as a plan
/// does that leaves out its steps.
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
    let plans = match planning::plans(case, survey, located, builder) {
        Ok(plans) => plans,
        Err(error) => {
            let but = format!("it cannot be built here: {}", chain(&error));
            return Ok(Built::without(unbuilt, &but, None, Vec::new()));
        }
    };
    // What is committed starts from nothing else than the tree.
    let as_committed = AtStake {
        format: case.artifact.format,
        survey,
        tree: &found.tree,
        unlisted: &[],
        edits: &[],
    };
    let mut tried = Vec::new();
    let mut failed = None;
    let mut left_open = None;
    let mut best: Option<Candidate> = None;
    let mut fuller = Fuller::default();
    for plan in plans {
        if plan.worth == Worth::WhenNothingBuilt && best.is_some() {
            continue;
        }
        let stage = progress.begin("build", &plan.variant);
        let executed = builder
            .execute(&plan, found, Some(withheld(case)), &stage)
            .await?;
        let record = executed.record;
        let (mut words, held) = match &executed.outcome {
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
        let objection = held.as_ref().and_then(|held| {
            let at_stake = AtStake {
                unlisted: &record.unlisted,
                edits: &plan.edits,
                ..as_committed
            };
            let objection = if plan.worth == Worth::Shortcut {
                fuller.objection_to_shortcut(at_stake)
            } else {
                fuller.learn(held.comparison(), &record);
                fuller.objection(at_stake)
            };
            objection.filter(|_| held.is_match())
        });
        if let Some(objection) = &objection {
            words = format!("{words}; not taken: {}", objection.words);
        }
        stage.end(&format!("{}: {words}", plan.variant));
        tried.push(Tried {
            variant: plan.variant.clone(),
            result: words.clone(),
        });
        match (held, executed.outcome) {
            (Some(_), _) if let Some(objection) = objection => {
                if objection.leaves_open && left_open.is_none() {
                    let why = format!("{}: {words}", plan.variant);
                    left_open = Some((why, plan, record));
                }
            }
            (Some(held), _) => {
                let done = held.is_match();
                let takes = best.as_ref().is_none_or(|best| {
                    // What leaves out steps may come closer without being nearer to the truth.
                    let strays = plan.worth == Worth::Shortcut && !done;
                    held.distance() < best.held.distance() && !strays
                });
                let is_full = plan.worth != Worth::Shortcut;
                if takes {
                    best = Some(Candidate { held, plan, record });
                }
                let suffices = unbuilt.is_match()
                    && is_full
                    && fuller.objection_to_shortcut(as_committed).is_none();
                if done || suffices {
                    break;
                }
            }
            (None, BuildOutcome::Failed(failure)) => {
                failed = failed.or(Some((failure, plan, record)));
            }
            (None, BuildOutcome::Built(_)) => {}
        }
    }
    let explained = best.as_ref().is_some_and(|best| best.held.is_match());
    if !explained && unbuilt.is_match() && best.is_some() {
        match fuller.objection_to_shortcut(as_committed) {
            None => {
                return Ok(Built {
                    files: unbuilt.files,
                    result: unbuilt.result(Basis::SourceTree, ""),
                    plan: None,
                    record: None,
                    failure: None,
                    tried,
                });
            }
            Some(objection) if objection.leaves_open => {
                return Ok(Built::without(unbuilt, &objection.words, None, tried));
            }
            Some(_) => {}
        }
    }
    Ok(match (best, left_open, failed) {
        (best, Some((why, plan, record)), _) if !explained => Built {
            files: best.map_or(unbuilt.files, |best| best.held.files),
            // What differs from one build is not held against a bundle that another one explains.
            result: not_built(why),
            plan: Some(plan),
            record: Some(record),
            failure: None,
            tried,
        },
        (Some(Candidate { held, plan, record }), _, _) => Built {
            files: held.files,
            result: held.result(Basis::Rebuild, "building it makes no other files"),
            plan: Some(plan),
            record: Some(record),
            failure: None,
            tried,
        },
        (None, _, Some((failure, plan, record))) => Built {
            plan: Some(plan),
            record: Some(record),
            ..Built::without(unbuilt, &failure_words(&failure), Some(failure), tried)
        },
        (None, _, None) => Built::without(unbuilt, "no way to build it is known", None, tried),
    })
}

impl Built {
    /// Where no build counts. That the source's own files match proves nothing then: its steps could make others.
    fn without(unbuilt: Held, but: &str, failure: Option<Failure>, tried: Vec<Tried>) -> Self {
        let files = unbuilt.files;
        let result = if unbuilt.is_match() {
            not_built(format!(
                "the bundle's own files are those of the source, whose scripts may make something else of them; {but}"
            ))
        } else {
            unbuilt.result(Basis::SourceTree, but)
        };
        Self {
            result,
            files,
            plan: None,
            record: None,
            failure,
            tried,
        }
    }
}

const fn not_built(detail: String) -> ResultEvidence {
    ResultEvidence::NotCompared {
        reason: InconclusiveReason::NotBuilt,
        detail,
    }
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
