//! The patterns of `GOPRIVATE` and its kin: which modules are nobody else's business (`MatchPrefixPatterns` of
//! `golang.org/x/mod/module`).

use globset::GlobBuilder;

/// Whether a comma-separated list of patterns covers a module path: each pattern is held against as many elements of
/// the path as it has itself.
#[must_use]
pub fn matches_any(patterns: &str, path: &str) -> bool {
    patterns
        .split(',')
        .map(|pattern| pattern.trim().trim_end_matches('/'))
        .filter(|pattern| !pattern.is_empty())
        .any(|pattern| {
            let count = pattern.split('/').count();
            let elements: Vec<&str> = path.split('/').take(count).collect();
            elements.len() == count
                && GlobBuilder::new(pattern)
                    .literal_separator(true)
                    .build()
                    .is_ok_and(|glob| glob.compile_matcher().is_match(elements.join("/")))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_lies_below() {
        let check = |patterns: &str, path: &str, expect: bool| {
            assert_eq!(matches_any(patterns, path), expect, "{patterns} {path}");
        };
        check(
            "*.corp.example.com,rsc.io/private",
            "git.corp.example.com/xyzzy",
            true,
        );
        check(
            "*.corp.example.com,rsc.io/private",
            "rsc.io/private/quux",
            true,
        );
        check(
            "*.corp.example.com,rsc.io/private",
            "rsc.io/privateer",
            false,
        );
        check("*.corp.example.com", "corp.example.com/x", false);
        check("example.org/*/x", "example.org/a/x/y", true);
        check("example.org/*", "example.org", false);
        check("", "example.org", false);
        check(",[", "example.org", false);
    }
}
