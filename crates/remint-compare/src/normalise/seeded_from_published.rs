//! Bytes of the published file that the build was given, such as a lockfile that the repository does not have: that they
//! are equal on both sides proves nothing about them. No look at two archives shows it, so whoever built says it.

use remint_model::Comparison;

use super::{ALL_FORMATS, Normaliser, Subject, with_erasure};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "seeded-from-published",
    version: 1,
    hides: "files whose content the build was given from the published file",
    formats: ALL_FORMATS,
    subject: Subject::Build,
};

/// The comparison of a build that was given these files out of the published one: at best equivalent.
#[must_use]
pub fn seeded_from_published(comparison: Comparison, paths: &[String]) -> Comparison {
    with_erasure(comparison, &NORMALISER, paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_is_never_identical() {
        let seeded = |paths: &[String]| seeded_from_published(Comparison::Identical, paths);
        assert_eq!(seeded(&[]), Comparison::Identical);
        let Comparison::Equivalent { erased } = seeded(&["Cargo.lock".to_owned()]) else {
            panic!("it was given a file");
        };
        assert_eq!(erased[0].normaliser, "seeded-from-published");
        assert_eq!((erased[0].paths.len(), erased[0].count), (1, 1));
    }
}
