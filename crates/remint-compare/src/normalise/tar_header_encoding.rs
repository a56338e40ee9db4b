//! How a tar says what it says: ustar, PAX or GNU headers, padding of numbers, device numbers of plain files,
//! comments, blocking.

use super::{Normaliser, Subject, TARS};
use crate::archive::{Encoding, Entry};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "tar-header-encoding",
    version: 2,
    hides: "the dialect and padding of tar headers, comments, and the blocking of the archive",
    formats: TARS,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    entry.written.encoding = Encoding::default();
}
