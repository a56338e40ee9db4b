//! A wheel's RECORD, where it says nothing but the truth about the wheel that it lies in: then all of it follows
//! from the other files. One that lies keeps every byte.

use super::{File, Normaliser, Subject, WHEELS};
use crate::archive::record::is_record;

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "wheel-record",
    version: 1,
    hides: "a RECORD that was checked against its own wheel: order, line ends, and digests of files that are compared themselves",
    formats: WHEELS,
    subject: Subject::Content(normalise),
};

fn normalise(file: &File<'_>) -> Option<Vec<u8>> {
    (is_record(file.path) && file.record_is_true).then(Vec::new)
}
