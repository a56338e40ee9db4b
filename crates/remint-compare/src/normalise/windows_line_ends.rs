//! Line ends of files that the build was given with CRLF because they are published so. Whether the publisher's checkout
//! wrote them or somebody later on, two archives do not show; whoever built says which files it is.

use remint_model::Comparison;

use super::{ALL_FORMATS, Normaliser, Subject, with_erasure};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "windows-line-ends",
    version: 3,
    hides: "CRLF in place of LF throughout a text whose readers take both for the end of a line",
    formats: ALL_FORMATS,
    subject: Subject::Build,
};

/// The comparison of a build that was given these files with the line ends that they are published with: at best
/// equivalent.
#[must_use]
pub fn windows_line_ends(comparison: Comparison, paths: &[String]) -> Comparison {
    with_erasure(comparison, &NORMALISER, paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_line_ends_are_never_identical() {
        let erased = |paths: &[String]| windows_line_ends(Comparison::Identical, paths);
        assert_eq!(erased(&[]), Comparison::Identical);
        let Comparison::Equivalent { erased } = erased(&["lib/a.js".to_owned()]) else {
            panic!("line ends were chosen");
        };
        assert_eq!(erased[0].normaliser, "windows-line-ends");
        assert_eq!(erased[0].paths, ["lib/a.js"]);
    }
}
