//! The version of a release, where release tooling writes it into the manifests of the source.

use std::borrow::Cow;

use remint_model::{CommitId, SourcePin, SourceTree};

use super::manifest::MANIFEST;

/// The tree as it is once the released version stands in its manifests, where the pin says that it is stamped. Nothing
/// else in them changes: not a space.
#[must_use]
pub fn stamped<'t>(tree: &'t SourceTree, pin: &SourcePin) -> Cow<'t, SourceTree> {
    let Some(stamp) = &pin.stamp else {
        return Cow::Borrowed(tree);
    };
    let Some(found) = &stamp.found else {
        return Cow::Borrowed(tree);
    };
    let mut stamped = tree.clone();
    for name in [MANIFEST, "package.json"] {
        let path = SourceTree::path_in(pin.subdirectory.as_ref(), name);
        let Some(text) = tree.text(&path) else {
            continue;
        };
        let Some(content) = replaced(text, found, stamp.wanted.as_str()) else {
            continue;
        };
        if let Some(entry) = stamped.entries.get_mut(path.as_str()) {
            entry.blob = CommitId::of_blob(content.as_bytes());
        }
    }
    Cow::Owned(stamped)
}

/// The text with another version in the first place that states this one.
fn replaced(text: &str, found: &str, wanted: &str) -> Option<String> {
    let (before, rest) = text.split_once("\"version\"")?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let gap = rest.get(..rest.len() - value.len())?;
    let after = value
        .strip_prefix('"')?
        .strip_prefix(found)?
        .strip_prefix('"')?;
    Some(format!("{before}\"version\"{gap}\"{wanted}\"{after}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_version_alone_is_written() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(replaced(text, "0.0.0", "1.2.3").as_deref(), expect);
        };
        check(
            r#"{"version" : "0.0.0", "x": "0.0.0"}"#,
            Some(r#"{"version" : "1.2.3", "x": "0.0.0"}"#),
        );
        check(r#"{"version": "0.0.1"}"#, None);
        check(r#"{"version": 1}"#, None);
        check("{}", None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String, found: String) {
            replaced(&text, &found, "1.2.3");
        }
    }
}
