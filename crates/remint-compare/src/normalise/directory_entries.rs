//! Entries for directories that hold files anyway. An empty directory stays: only its entry makes it exist.

use super::{ALL_FORMATS, Normaliser, Subject, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "directory-entries",
    version: 1,
    hides: "entries of their own for directories that other entries lie in",
    formats: ALL_FORMATS,
    subject: Subject::Archive(normalise),
};

fn normalise(archive: &mut Wrapping) {
    archive.implied_directories.clear();
}
