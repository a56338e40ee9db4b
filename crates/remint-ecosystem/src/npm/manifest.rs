//! `package.json` as npm reads it: a byte order mark is skipped, of two keys the last one counts, and a value of
//! the wrong type is as good as absent. Decides nothing.

use remint_model::{Ecosystem, PackageName};
use serde_json::{Map, Value};

use crate::release::{Identity, MetadataError, StatedVersion};

/// A parsed `package.json`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Manifest(Map<String, Value>);

impl Manifest {
    /// Parses the bytes of a manifest; `what` names the file in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        match parse_json(content) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(MetadataError::malformed(what, "it is no JSON object")),
            Err(error) => Err(MetadataError::malformed(what, error)),
        }
    }

    /// A field of any type.
    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// A field that is a non-empty text.
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.get(field)
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// A field that is an object.
    pub(crate) fn object(&self, field: &str) -> Option<&Map<String, Value>> {
        self.get(field).and_then(Value::as_object)
    }

    /// A script's command, if it is not blank.
    pub(crate) fn script(&self, name: &str) -> Option<&str> {
        self.object("scripts")?
            .get(name)?
            .as_str()
            .filter(|command| !command.trim().is_empty())
    }

    /// Name and requirement of every entry of one of the dependency lists; a requirement that is no text is
    /// rendered as JSON, so that it still can be told apart.
    pub(crate) fn dependencies(&self, list: &str) -> impl Iterator<Item = (&str, String)> {
        self.object(list)
            .into_iter()
            .flatten()
            .map(|(name, requirement)| (name.as_str(), plain(requirement)))
    }

    /// Whether installing it would fetch anything.
    pub(crate) fn has_dependencies(&self) -> bool {
        [
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
        ]
        .iter()
        .any(|list| self.dependencies(list).next().is_some())
    }

    /// Name and version.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            name: self
                .text("name")
                .and_then(|name| PackageName::parse(Ecosystem::Npm, name).ok()),
            version: self
                .text("version")
                .map_or(StatedVersion::Absent, stated_version),
        }
    }
}

impl From<Map<String, Value>> for Manifest {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields)
    }
}

/// JSON as JavaScript tools read it from disk: UTF-8 with replacement of what is not, without byte order mark.
pub(crate) fn parse_json(content: &[u8]) -> Result<Value, serde_json::Error> {
    let text = String::from_utf8_lossy(content);
    serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(&text))
}

/// A JSON value as a person would write it in a list: texts bare, all else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), |text| text.trim().to_owned())
}

/// Sorts a manifest's version into real ones and those that release tooling replaces.
///
/// `0.0.0` with any pre-release is what semantic-release, changesets templates and hand-written release scripts
/// leave in the tree; anything that is no semantic version cannot have been published as it stands.
fn stated_version(text: &str) -> StatedVersion {
    const REPLACED: [&str; 5] = [
        "placeholder",
        "semantic",
        "development",
        "managed",
        "snapshot",
    ];
    let lower = text.to_ascii_lowercase();
    let placeholder = match nodejs_semver::Version::parse(text) {
        Ok(version) => {
            (version.major(), version.minor(), version.patch()) == (0, 0, 0)
                || REPLACED.iter().any(|word| lower.contains(word))
        }
        Err(_) => true,
    };
    if placeholder {
        StatedVersion::Placeholder(text.to_owned())
    } else {
        StatedVersion::Exact(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> StatedVersion {
        let json = serde_json::json!({ "name": "x", "version": text }).to_string();
        Manifest::parse("package.json", json.as_bytes())
            .unwrap()
            .identity()
            .version
    }

    #[test]
    fn what_release_tooling_replaces_is_a_placeholder() {
        for text in [
            "0.0.0",
            "0.0.0-development",
            "0.0.0-semantically-released",
            "{{version}}",
            "__VERSION__",
            "$VERSION",
            "1.0.0-PLACEHOLDER",
            "latest",
        ] {
            assert_eq!(version(text), StatedVersion::Placeholder(text.to_owned()));
        }
        for text in ["0.0.1", "1.2.3-beta.1", "v1.2.3", "2026.7.10"] {
            assert_eq!(version(text), StatedVersion::Exact(text.to_owned()));
        }
        assert_eq!(version(" "), StatedVersion::Absent);
    }

    #[test]
    fn a_manifest_is_read_as_npm_reads_it() {
        let manifest = Manifest::parse(
            "x",
            b"\xef\xbb\xbf{\"name\":\"a\",\"name\":\"b\",\"version\":1}",
        )
        .unwrap();
        assert_eq!(manifest.text("name"), Some("b"));
        assert_eq!(manifest.identity().version, StatedVersion::Absent);
    }

    #[test]
    fn what_is_no_object_is_malformed() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "[]", "null", "{", "{\"a\":}", &deep] {
            let error = Manifest::parse("package.json", text.as_bytes()).unwrap_err();
            assert!(matches!(error, MetadataError::Malformed { .. }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_manifest_panics(
            bytes: Vec<u8>,
            text in "([{}\\[\\]:,\"]|\"name\"|\"version\"|\"scripts\"|\"dependencies\"|\"x\"|1|null){0,30}",
            stated in "v?[0-9]{0,3}(\\.[0-9x*]{0,3}){0,3}[-+]?\\PC{0,4}",
        ) {
            for content in [bytes, text.into_bytes()] {
                if let Ok(manifest) = Manifest::parse("package.json", &content) {
                    let _identity = manifest.identity();
                    prop_assert!(manifest.script("x").is_none_or(|text| !text.trim().is_empty()));
                    prop_assert_eq!(
                        manifest.dependencies("dependencies").next().is_some(),
                        manifest.object("dependencies").is_some_and(|list| !list.is_empty())
                    );
                }
            }
            if let StatedVersion::Exact(exact) = version(&stated) {
                prop_assert!(nodejs_semver::Version::parse(&exact).is_ok());
            }
        }
    }
}
