//! The order of entries. Among those that can be one file it is kept: the last of them is what an installer leaves on
//! disk. That goes for several entries of one path, and for paths that only differ in case or composition.

use super::{ALL_AND_BUNDLES, Normaliser, Subject, Wrapping};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "entry-order",
    version: 2,
    hides: "the order of entries of paths that differ in more than case and composition",
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
