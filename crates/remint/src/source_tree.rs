//! The fast path: a package for which nothing has to be built is packed from its tag right here, without npm and without
//! running anything. It counts only where it is the published file, byte for byte; in every other case there is no answer,
//! and the release is rebuilt as usual.

use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use remint_compare::npm_gzip;
use remint_ecosystem::npm::packing::{self, PackedFile};
use remint_model::{Artifact, CloneShape, Ecosystem, Rebuilt, Sha256, Sha512, Survey};

use crate::build::{Builder, Scratch};
use crate::locate::Located;
use crate::planning;
use crate::progress::Progress;
use crate::resolve::Case;

/// The published file, made from the files of the tag.
pub(crate) struct Packed {
    /// The file.
    pub(crate) artifact: Artifact<Rebuilt>,
    /// How many files it holds.
    pub(crate) files: usize,
    /// What making it took.
    pub(crate) seconds: f64,
    /// Where it lies; gone when this is dropped.
    _place: Scratch,
}

/// Packs the files of the tag; `None` where that alone does not make the published file.
///
/// # Errors
/// This machine could not do it.
pub(crate) async fn pack(
    case: &Case,
    survey: &Survey,
    located: &Located,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Option<Packed>> {
    if case.target.ecosystem != Ecosystem::Npm {
        return Ok(None);
    }
    let request = planning::request(case, survey, located, builder);
    let Some(files) = packing::of_source(&request) else {
        return Ok(None);
    };
    let stage = progress.begin("pack", "the files of the tag");
    let started = Instant::now();
    let place = builder.scratch()?;
    let count = files.len();
    let (name, format) = (case.artifact.name.clone(), case.artifact.format);
    let (checkout, wanted) = (located.found.checkout.clone(), case.artifact.sha256);
    let (tree, path) = (place.path().join("tree"), place.path().join(name.as_str()));
    let artifact = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        // What a checkout lacks, or cannot be had, is for the usual way to tell.
        match checkout.materialise(CloneShape::None, &tree) {
            Ok(laid_out) if laid_out.gaps.is_empty() => {}
            Ok(_) => return Ok(None),
            Err(error) if error.is_machine_fault() => return Err(error.into()),
            Err(_) => return Ok(None),
        }
        let Some(tar) = tar(&tree, &files)? else {
            return Ok(None);
        };
        let bytes = npm_gzip(&tar);
        if Sha256::of(&bytes) != wanted {
            return Ok(None);
        }
        fs_err::write(&path, &bytes)?;
        let (size, sha512) = (bytes.len() as u64, Sha512::of(&bytes));
        Ok(Some(Artifact::new(
            name, format, path, size, wanted, sha512,
        )))
    })
    .await??;
    let Some(artifact) = artifact else {
        return Ok(None);
    };
    stage.end(&format!("{count} files of the tag, nothing run"));
    Ok(Some(Packed {
        artifact,
        files: count,
        seconds: started.elapsed().as_secs_f64(),
        _place: place,
    }))
}

/// The tar of files that lie in a checked-out tree; `None` where npm would write it in a way that is not known here.
fn tar(tree: &Path, files: &[PackedFile]) -> anyhow::Result<Option<Vec<u8>>> {
    let mut room = packing::LARGEST;
    let mut contents = Vec::with_capacity(files.len());
    for file in files {
        let mut content = Vec::new();
        fs_err::File::open(tree.join(file.source.as_str()))?
            .take(room + 1)
            .read_to_end(&mut content)?;
        let Some(left) = room.checked_sub(content.len() as u64) else {
            return Ok(None);
        };
        room = left;
        contents.push(content);
    }
    Ok(packing::tar(files.iter().zip(contents)))
}
