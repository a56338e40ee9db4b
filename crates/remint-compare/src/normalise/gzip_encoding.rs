//! The gzip stream around an unchanged tar: its header fields, and which deflate implementation at which level
//! wrote it.

use super::{Normaliser, Subject, TARS, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "gzip-encoding",
    version: 1,
    hides: "gzip header fields, and how the same bytes were deflated",
    formats: TARS,
    subject: Subject::Archive(normalise),
};

fn normalise(archive: &mut Wrapping) {
    archive.gzip = None;
}
