//! Who may read and write: a packer's umask. Whether anybody may execute stays, as do set-id and sticky bits.

use super::{ALL_FORMATS, Normaliser, Subject};
use crate::archive::{Entry, Kind};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "mode-bits",
    version: 2,
    hides: "permission bits beyond the question whether a file is executable",
    formats: ALL_FORMATS,
    subject: Subject::Entry(normalise),
};

/// Inherited by directories from where they are made; it gives nobody any rights.
const SET_GROUP_ID: u32 = 0o2000;

/// Leaves of a mode what is never erased.
pub(crate) fn normalise(entry: &mut Entry) {
    let special = entry.mode & 0o7000;
    entry.mode = match entry.kind {
        Kind::Directory => 0o755 | (special & !SET_GROUP_ID),
        // A link's own mode means nothing.
        Kind::SymbolicLink | Kind::HardLink => 0o777,
        Kind::File | Kind::Special(_) | Kind::Unreadable => {
            // Python takes the right to execute from everybody where the owner has none.
            let permissions = match entry.mode & 0o111 {
                0 => 0o644,
                few if few & 0o100 == 0 => 0o644 | few,
                _ => 0o755,
            };
            permissions | special
        }
    };
}
