//! The name of an npm tarball's top folder, which npm, pnpm, yarn and bun cut off whatever it is. That of an
//! sdist stays a difference: build tools may read a version from it.

use super::{NPM, Normaliser, Subject, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "top-folder",
    version: 1,
    hides: "the name of the one folder that an npm tarball's files lie in",
    formats: NPM,
    subject: Subject::Archive(normalise),
};

fn normalise(archive: &mut Wrapping) {
    archive.top_folder = None;
}
