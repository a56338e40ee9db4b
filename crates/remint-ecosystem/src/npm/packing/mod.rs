//! What `npm pack` makes of a package that nothing has to be built for, without npm: its file set, its order, its tar.
//!
//! Only the part of npm's rules is here that is beyond doubt; wherever a project asks for more, there is no answer, and
//! npm itself has to pack. A wrong answer could not pass either: what is made here counts only where it is the published
//! file, byte for byte.

mod file_set;
mod order;
mod tarball;

use remint_model::{ArtifactFormat, EntryPath};

use crate::npm::lifecycle;
use crate::npm::manager::{self, Manager};
use crate::npm::project::Project;
use crate::npm::recipe::{self, Known, Replay};
use crate::request::PlanRequest;

pub use tarball::tar;

/// More than this is left to npm, in bytes of all files together.
pub const LARGEST: u64 = 64 << 20;

/// A file that npm packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedFile {
    /// Where it lies, from the repository's root.
    pub source: EntryPath,
    /// Where it goes, below `package/`.
    pub path: EntryPath,
    /// Whether npm makes it executable: it is so in the source, or taken for one of the package's commands.
    pub executable: bool,
}

/// The files that npm packs of this source, in its order, where they are the published paths and nothing has to run
/// before; `None` leaves it to npm.
#[must_use]
pub fn of_source(request: &PlanRequest<'_>) -> Option<Vec<PackedFile>> {
    let (pin, survey) = (request.pin, request.survey);
    let npm_wrote_it = survey
        .gzip
        .is_some_and(|gzip| gzip.extra_flags == 2 && gzip.os == 255 && !gzip.named);
    let size: u64 = survey.entries.iter().map(|entry| entry.size).sum();
    if request.format != ArtifactFormat::NpmTarball
        || pin.stamp.is_some()
        || pin.renamed.is_some()
        || !npm_wrote_it
        || size > LARGEST
    {
        return None;
    }
    let project = Project::find(request.tree, pin).ok()?;
    if !lifecycle::is_source_only(&project, survey) || has_replays(request, &project) {
        return None;
    }
    let files = file_set::of(&project)?;
    let published: Vec<&EntryPath> = survey.entries.iter().map(|entry| &entry.path).collect();
    let mut packed: Vec<&EntryPath> = files.iter().map(|file| &file.path).collect();
    packed.sort();
    if packed != published {
        return None;
    }
    order::sort(files)
}

/// Whether a publish workflow does anything before it publishes, or another packer than npm packs.
fn has_replays(request: &PlanRequest<'_>, project: &Project<'_>) -> bool {
    let known = Known {
        version: request.target.version.as_str(),
        reference: request
            .pin
            .release_reference()
            .unwrap_or(request.target.version.as_str()),
        event: None,
        commit: request.pin.commit.as_str(),
        repository: "",
        build_path: crate::npm::plan::BUILD_PATH,
    };
    let recipe = recipe::find(project, &known);
    let installer = manager::installer(project, recipe.as_ref(), request.survey);
    let packer = manager::packer(project, recipe.as_ref(), request.survey, installer.manager);
    packer.manager != Manager::Npm
        || recipe.is_some_and(|recipe| {
            let mut steps = recipe.steps.iter();
            steps.any(|step| matches!(step, Replay::Run { .. }))
        })
}
