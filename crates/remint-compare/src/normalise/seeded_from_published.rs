//! Bytes of the published file that the build was given, such as a lockfile that the repository does not have: that they
//! are equal on both sides proves nothing about them. No look at two archives shows it, so whoever built says it.

use remint_model::{Comparison, Erasure};

use super::{ALL_FORMATS, Normaliser, Subject};

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
    if paths.is_empty() {
        return comparison;
    }
    let erasure = Erasure {
        normaliser: NORMALISER.id,
        version: NORMALISER.version,
        paths: paths.to_vec(),
        count: paths.len(),
    };
    match comparison {
        Comparison::Identical => Comparison::Equivalent {
            erased: vec![erasure],
        },
        Comparison::Equivalent { mut erased } => {
            erased.push(erasure);
            Comparison::Equivalent { erased }
        }
        Comparison::Different {
            mut erased,
            differences,
        } => {
            erased.push(erasure);
            Comparison::Different {
                erased,
                differences,
            }
        }
    }
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
