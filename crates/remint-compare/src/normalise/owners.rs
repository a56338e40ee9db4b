//! User and group of tar entries. Installers that do not run as root cannot apply them, and npm and pip do not.

use std::sync::Arc;

use super::{Normaliser, Subject, TARS};
use crate::archive::{Entry, Owner};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "owners",
    version: 1,
    hides: "numbers and names of user and group",
    formats: TARS,
    subject: Subject::Entry(normalise),
};

fn normalise(entry: &mut Entry) {
    if *entry.written.owner != Owner::default() {
        entry.written.owner = Arc::new(Owner::default());
    }
}
