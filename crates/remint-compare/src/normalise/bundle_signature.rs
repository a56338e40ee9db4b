//! The signature block after the end of a bundle: nobody but the signer can make it again. Whether it holds is
//! another question, and who signed is never hidden from the report.

use super::{BUNDLES, Normaliser, Subject, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "bundle-signature",
    version: 1,
    hides: "a well-formed signature block after the end of a bundle",
    formats: BUNDLES,
    subject: Subject::Archive(normalise),
};

fn normalise(archive: &mut Wrapping) {
    archive.signature = None;
}
