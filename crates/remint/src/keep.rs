//! Copies the evidence of a verification into a directory of the user's, for a second look.

use std::path::Path;

use anyhow::Context as _;
use remint_model::{Artifact, BuildOutcome, Rebuilt};

use crate::attempts::Attempted;
use crate::resolve::Case;

/// Writes `published/NAME`, `rebuilt/NAME` and `build.log` below `directory/NAME/`.
pub(crate) fn keep(case: &Case, attempted: &Attempted, directory: &Path) -> anyhow::Result<()> {
    let folder = directory.join(case.artifact.name.as_str());
    copy(case, attempted, &folder)
        .with_context(|| format!("cannot keep evidence in `{}`", folder.display()))
}

/// The same where nothing was built: the published file, and what was packed from its source.
pub(crate) fn keep_packed(
    case: &Case,
    packed: &Artifact<Rebuilt>,
    directory: &Path,
) -> anyhow::Result<()> {
    let folder = directory.join(case.artifact.name.as_str());
    let name = case.artifact.name.as_str();
    put(&folder, &case.artifact.path, &format!("published/{name}"))
        .and_then(|()| put(&folder, &packed.path, &format!("rebuilt/{}", packed.name)))
        .with_context(|| format!("cannot keep evidence in `{}`", folder.display()))
}

/// Copies a file to a path below the folder of the evidence.
fn put(folder: &Path, from: &Path, to: &str) -> anyhow::Result<()> {
    let to = folder.join(to);
    if let Some(parent) = to.parent() {
        fs_err::create_dir_all(parent)?;
    }
    // A temporary file beside the target, so that an interrupted copy never looks complete.
    let partial = to.with_extension("partial");
    fs_err::copy(from, &partial)?;
    fs_err::rename(&partial, &to)?;
    Ok(())
}

fn copy(case: &Case, attempted: &Attempted, folder: &Path) -> anyhow::Result<()> {
    let put = |from: &Path, to: &str| put(folder, from, to);
    let name = case.artifact.name.as_str();
    put(&case.artifact.path, &format!("published/{name}"))?;
    if let Some(executed) = &attempted.executed {
        let log = executed.workspace.log();
        if fs_err::symlink_metadata(&log).is_ok() {
            put(&log, "build.log")?;
        }
        if let BuildOutcome::Built(artifact) = &executed.outcome {
            put(&artifact.path, &format!("rebuilt/{}", artifact.name))?;
        }
    }
    Ok(())
}
