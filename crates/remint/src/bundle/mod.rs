//! Looks into a bundle: how it starts, who signed it, and where each of its files comes from. What it finds is
//! judged elsewhere.

mod building;
mod held;
mod registry;
mod signature;
mod words;

use remint_ecosystem::mcpb::bundled::{Attribution, bundled_with_aliases};
use remint_ecosystem::mcpb::locate;
use remint_ecosystem::mcpb::locked::{self, SourceLock};
use remint_ecosystem::mcpb::stamp;
use remint_fetch::source::FoundSource;
use remint_model::{Bundle, EntryPath, Survey};

use self::held::Held;
use crate::build::Builder;
use crate::progress::Progress;
use crate::report::count_words;
use crate::resolve::Case;

pub(crate) use building::build;
pub(crate) use registry::answers;
pub(crate) use words::notes;

/// A bundle, and which of its files have to come from the source.
pub(crate) struct Examined {
    pub(crate) bundle: Bundle,
    attribution: Attribution,
    /// What looking up the packages took.
    pub(crate) seconds: f64,
}

impl Examined {
    /// Whether a file belongs to no dependency, so that it has to come from the source.
    pub(crate) fn is_own(&self, path: &EntryPath) -> bool {
        self.attribution.own.contains(path)
    }
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
    let bundled = bundled_with_aliases(survey);
    let stage = progress.begin("packages", &count_words(bundled.packages.len(), "package"));
    let answers = answers(&bundled.packages, builder, &stage).await?;
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
    let tree = stamp::stamped(&found.tree, &found.pin);
    Held::against(examined, survey, found, &tree, directory)
}
