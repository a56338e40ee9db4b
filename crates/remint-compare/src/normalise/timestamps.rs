//! Modification times. npm and pip set their own on what they install.

use super::{ALL_AND_BUNDLES, Normaliser, Subject};
use crate::archive::Entry;

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "timestamps",
    version: 1,
    hides: "modification times of entries",
    formats: ALL_AND_BUNDLES,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    entry.written.mtime = (0, 0);
}
