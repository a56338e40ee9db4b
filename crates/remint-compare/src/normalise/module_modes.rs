//! Permission bits in a Go module zip: go neither covers them with its digests nor applies them. Set-id and sticky bits
//! stay, for the anomaly that they are.

use super::{MODULES, Normaliser, Subject};
use crate::archive::{Entry, Kind};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "module-modes",
    version: 1,
    hides: "permission bits in a Go module zip, which go does not apply",
    formats: MODULES,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    if entry.kind == Kind::File {
        entry.mode = 0o644 | (entry.mode & 0o7000);
    }
}
