//! Comparing versions as PEP 440 does.

use std::str::FromStr as _;

/// Parses a version, bounded: nobody publishes one of more than a hundred characters.
pub(crate) fn parse(text: &str) -> Option<pep440_rs::Version> {
    let text = text.trim();
    if text.len() > 100 {
        return None;
    }
    pep440_rs::Version::from_str(text).ok()
}

/// Whether both spellings normalise to one version (PEP 440 ignores case, a leading `v`, separators and
/// trailing zeros); texts that are no versions are the same only when they are equal.
pub(crate) fn same(one: &str, other: &str) -> bool {
    match (parse(one), parse(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one == other,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// A version that only stands in for the real one until release tooling replaces it: all zeros, or a template.
pub(crate) fn is_placeholder(text: &str) -> bool {
    parse(text).is_none_or(|version| {
        version.release().iter().all(|number| *number == 0) && version.pre().is_none()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_version_are_the_same() {
        for (one, other) in [
            ("1.0.0a4", "1.0.0-alpha.4"),
            ("v1.2", "1.2.0"),
            ("2026.07.10", "2026.7.10"),
            ("1.0-1", "1.0.post1"),
            ("1.0+Local.1", "1.0+local-1"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("1.0", "1.0.1"),
            ("1.0", "1.0rc1"),
            ("1.0", "1.0+local"),
            ("1.0", "latest"),
            ("1!1.0", "1.0"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn placeholders_are_zeros_and_templates() {
        for text in [
            "0.0.0",
            "0.0.0-dev",
            "0.0.0.dev0",
            "0",
            "{{ version }}",
            "${VERSION}",
            "0.0.0+unknown",
        ] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["0.0.1", "0.0.0a1", "1.0.dev0"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_version_is_the_same_as_its_normal_form(any: String, shaped in "v?[0-9]{0,12}!?[0-9]{0,22}([.-][0-9]{0,3}){0,3}[-._]?(a|rc|post|dev)?[0-9]{0,22}(\\+[a-z0-9._-]{0,5})?") {
            for text in [any, shaped] {
                prop_assert!(same(&text, &text));
                if let Some(version) = parse(&text) {
                    prop_assert!(same(&text, &version.to_string()), "{}", version);
                }
                let _placeholder = is_placeholder(&text);
            }
        }
    }
}
