//! Modification times. npm and pip set their own on what they install. Where an sdist brings along what an earlier build
//! left, times decide what setuptools installs; that is told before they are erased.

use super::{ALL_AND_BUNDLES, Normaliser, Subject};
use crate::archive::Entry;

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "timestamps",
    version: 2,
    hides: "modification times of entries, where no build goes by them",
    formats: ALL_AND_BUNDLES,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    entry.written.mtime = (0, 0);
}
