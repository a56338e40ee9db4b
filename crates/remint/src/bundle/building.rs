//! Builds the source of a bundle, and holds its own files against what that makes.

use remint_judge::ResultEvidence;
use remint_model::{
    Basis, BuildOutcome, BuildPlan, BuildRecord, Failure, SourceTree, Survey, TreeEntry,
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
