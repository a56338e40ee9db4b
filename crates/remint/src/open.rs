//! Opens an artifact's file for the pure stages, which only see bytes.

use std::path::Path;

use remint_compare::{ArchiveError, Compared, Known, Limits, Options, PythonSyntax};
use remint_model::{Artifact, ArtifactFormat, Published, Rebuilt, Survey};

/// What an archive holds.
pub(crate) fn survey<Origin>(artifact: &Artifact<Origin>) -> Result<Survey, Unreadable> {
    let file = fs_err::File::open(&artifact.path).map_err(Unreadable::Open)?;
    remint_compare::survey(
        artifact.format,
        &mut std::io::BufReader::new(file),
        &Limits::default(),
    )
    .map_err(Unreadable::Archive)
}

/// The published file against the rebuilt one.
pub(crate) fn compare(
    published: &Artifact<Published>,
    rebuilt: &Artifact<Rebuilt>,
    known: Known,
    python: PythonSyntax,
) -> Result<Compared, Unreadable> {
    let options = Options {
        known,
        python: Some(python),
        ..Options::default()
    };
    hold_against(published.format, &published.path, &rebuilt.path, &options)
}

/// One file against another of the same format, whatever they are; what only the first has is shown with `+`.
pub(crate) fn hold_against(
    format: ArtifactFormat,
    one: &Path,
    other: &Path,
    options: &Options,
) -> Result<Compared, Unreadable> {
    let open = |path: &Path| {
        fs_err::File::open(path)
            .map(std::io::BufReader::new)
            .map_err(Unreadable::Open)
    };
    remint_compare::compare(format, &mut open(one)?, &mut open(other)?, options)
        .map_err(Unreadable::Archive)
}

/// Why an artifact could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// This machine's fault.
    #[error("open the artifact")]
    Open(#[source] std::io::Error),
    /// The archive's.
    #[error("{0}")]
    Archive(ArchiveError),
}
