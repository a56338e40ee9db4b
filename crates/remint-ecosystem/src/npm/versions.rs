//! npm's notion of versions: semantic versions read loosely, ranges, and which of two came first.

use nodejs_semver::Version as Semver;

/// Whether two spellings mean the same version: a leading `v` or `=` and build metadata do not count.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one == other || matches!((parse(one), parse(other)), (Some(one), Some(other)) if one == other)
}

/// A version as npm's loose parser reads it.
pub(crate) fn parse(text: &str) -> Option<Semver> {
    let text = text.trim();
    if text.len() > 256 {
        return None;
    }
    Semver::parse(text.trim_start_matches(['v', '=', ' '])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_version_are_the_same() {
        for (one, other) in [
            ("1.2.3", "v1.2.3"),
            ("1.2.3", "=1.2.3"),
            ("1.2.3+build.5", "1.2.3"),
            ("odd", "odd"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("1.2.3", "1.2.30"),
            ("1.2.3", "1.2.3-0"),
            ("odd", "even"),
            ("", "v"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
