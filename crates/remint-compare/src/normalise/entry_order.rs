//! The order of entries. That of several entries of one path is kept: the last of them is what an installer
//! leaves on disk.

use super::{ALL_AND_BUNDLES, Normaliser, Subject, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "entry-order",
    version: 1,
    hides: "the order of entries of different paths",
    formats: ALL_AND_BUNDLES,
    subject: Subject::Archive(normalise),
};

fn normalise(archive: &mut Wrapping) {
    archive.order.sort_unstable();
}
