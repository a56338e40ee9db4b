//! How a tar says what it says: ustar, PAX or GNU headers, padding of numbers, device numbers of plain files,
//! comments, blocking.

use remint_model::Sha256;

use super::{Normaliser, Subject, TARS};
use crate::archive::Entry;

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "tar-header-encoding",
    version: 1,
    hides: "the dialect and padding of tar headers, comments, and the blocking of the archive",
    formats: TARS,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    entry.written.encoding = Sha256::from_bytes([0; 32]);
}
