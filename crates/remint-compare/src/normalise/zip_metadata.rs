//! How a zip says what it says: versions, flags, extra fields, comments, compression method and level, data
//! descriptors, attributes other than the mode.

use super::{Normaliser, Subject, ZIPS};
use crate::archive::{Encoding, Entry};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "zip-metadata",
    version: 2,
    hides: "zip versions, flags, extra fields, comments, data descriptors and the way content is packed",
    formats: ZIPS,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    entry.written.encoding = Encoding::default();
    entry.written.packed = (0, 0);
}
