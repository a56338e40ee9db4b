//! Looks into a bundle: how it starts, who signed it, and where each of its files comes from. What it finds is
//! judged elsewhere.

mod registry;
mod signature;
mod words;

use remint_compare::{AgainstTree, HeldAgainstTree, against_tree};
use remint_ecosystem::mcpb::bundled::{Attribution, bundled};
use remint_ecosystem::mcpb::locked::{self, SourceLock};
use remint_ecosystem::mcpb::packing::Packing;
use remint_ecosystem::mcpb::{locate, plan};
use remint_fetch::source::FoundSource;
use remint_judge::ResultEvidence;
use remint_model::{Basis, Bundle, Change, Comparison, Difference, InconclusiveReason, Survey};

use crate::build::Builder;
use crate::progress::Progress;
use crate::report::count_words;
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

/// What holding a bundle against its source came to.
pub(crate) struct Held {
    pub(crate) result: ResultEvidence,
    /// Files that are the source's, and files that should be.
    pub(crate) files: (usize, usize),
}

/// Holds the files that belong to no dependency against those of the source, and the packages against its lockfile.
pub(crate) fn hold(examined: &mut Examined, survey: &Survey, found: &FoundSource) -> Held {
    let directory = found.pin.subdirectory.as_ref();
    let bundle = &mut examined.bundle;
    match locked::in_source(&found.tree, directory, &bundle.packages) {
        SourceLock::Agrees => {}
        SourceLock::Disagrees(found) => bundle.lock_disagreements.extend(found),
        SourceLock::Absent(ecosystem) => bundle.unlocked = Some(ecosystem),
    }
    let packing = Packing::of(&found.tree, directory);
    let held = against_tree(&AgainstTree {
        format: remint_model::ArtifactFormat::Mcpb,
        survey,
        own: &examined.attribution.own,
        tree: &found.tree,
        directory,
        takes: &|path| packing.takes(path),
    });
    Held {
        files: (held.equal, held.total),
        result: result(held, bundle, found),
    }
}

fn result(held: HeldAgainstTree, bundle: &Bundle, found: &FoundSource) -> ResultEvidence {
    let unbuilt = match &held.comparison {
        Comparison::Different { differences, .. } => unbuilt(differences, bundle, found),
        Comparison::Identical | Comparison::Equivalent { .. } => None,
    };
    match unbuilt {
        Some(detail) => ResultEvidence::NotCompared {
            reason: InconclusiveReason::NotBuilt,
            detail,
        },
        None => ResultEvidence::Compared {
            basis: Basis::SourceTree,
            comparison: held.comparison,
        },
    }
}

/// Why the differences say nothing: files that the source does not hold would have to be built from it. What the source
/// does hold and is different in the bundle is different all the same.
fn unbuilt(differences: &[Difference], bundle: &Bundle, found: &FoundSource) -> Option<String> {
    let only_from_building = differences
        .iter()
        .all(|difference| match difference.change {
            Change::Added | Change::Removed => true,
            Change::Changed | Change::Metadata => false,
        });
    let added = || {
        differences
            .iter()
            .filter(|difference| difference.change == Change::Added)
    };
    let first = added().next().filter(|_| only_from_building)?;
    let is_binary = bundle.facts.server_type.as_deref() == Some("binary");
    let by = match plan::build_script(&found.tree, found.pin.subdirectory.as_ref()) {
        Some(script) => format!("the source has `{script}` for that"),
        None if is_binary => "its server is a binary".to_owned(),
        None => return None,
    };
    Some(format!(
        "{}, such as `{}`, would have to be built from the source, and bundles are not built: {by}",
        count_words(added().count(), "file"),
        first.path
    ))
}
