//! The order of entries. Among those that can be one file it is kept: the last of them is what an installer leaves on
//! disk. That goes for several entries of one path, and for paths that only differ in case or composition. Where a link, a
//! file in place of a directory or an ambiguous name can lead others elsewhere, all of it is kept.

use super::{ALL_AND_BUNDLES, Normaliser, Subject, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "entry-order",
    version: 3,
    hides: "the order of entries, where it decides nothing: neither of one file nor of where others land",
    formats: ALL_AND_BUNDLES,
    subject: Subject::Archive(normalise),
};

fn normalise(archive: &mut Wrapping) {
    let (twins, mut order): (Vec<u32>, Vec<u32>) = std::mem::take(&mut archive.order)
        .into_iter()
        .partition(|row| archive.twins.contains(row));
    order.sort_unstable();
    order.extend(twins);
    archive.order = order;
}
