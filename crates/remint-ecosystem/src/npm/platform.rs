//! Packages for one platform (`@scope/name-linux-x64`): npm installs them where `os` and `cpu` fit, and release
//! workflows put a binary into them that no step of the package itself builds.

use remint_model::{SourcePin, SourceTree};
use serde_json::Value;

use super::manifest::Manifest;

/// Whether the manifest in the source is that of a package for one platform, so that machine code at any path is what
/// it is for. Both lists have to be there: one alone stands in many a package of plain JavaScript.
pub(crate) fn is_for_one(tree: &SourceTree, pin: &SourcePin) -> bool {
    let path = SourceTree::path_in(pin.subdirectory.as_ref(), "package.json");
    let Some(content) = tree.texts.get(path.as_str()) else {
        return false;
    };
    Manifest::parse(&path, content).is_ok_and(|manifest| names_both(&manifest))
}

fn names_both(manifest: &Manifest) -> bool {
    names_one(manifest, "os") && names_one(manifest, "cpu")
}

/// Whether a list names something that fits, not only what does not (`!win32`).
fn names_one(manifest: &Manifest, field: &str) -> bool {
    let names = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| !text.is_empty() && !text.starts_with('!') && text != "any")
    };
    match manifest.get(field) {
        Some(Value::Array(values)) => values.iter().any(names),
        Some(value) => names(value),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn declares(content: &[u8]) -> bool {
        Manifest::parse("package.json", content).is_ok_and(|manifest| names_both(&manifest))
    }

    #[test]
    fn only_packages_for_one_platform_are_such() {
        for (content, expect) in [
            (r#"{"os":["linux"],"cpu":["x64"]}"#, true),
            (r#"{"os":"darwin","cpu":"arm64"}"#, true),
            (r#"{"os":["linux"]}"#, false),
            (r#"{"os":["!win32"],"cpu":["x64"]}"#, false),
            (r#"{"os":["any"],"cpu":["any"]}"#, false),
            (r#"{"os":[],"cpu":["x64"]}"#, false),
            (r#"{"os":[7],"cpu":{"x64":true}}"#, false),
            ("[]", false),
        ] {
            assert_eq!(declares(content.as_bytes()), expect, "{content}");
        }
    }

    proptest! {
        #[test]
        fn no_manifest_panics(content in "[{}\\[\\]\":,a-z!0-9]{0,60}|\\{\"os\":[a-z0-9\\[\\]\"]{0,9},\"cpu\":.{0,9}\\}") {
            let _declares = declares(content.as_bytes());
        }
    }
}
