//! `pyproject.toml`, and what it leaves to the build backend.

use std::ops::Deref;

use crate::release::MetadataError;
use crate::toml_file::TomlFile;

/// A parsed file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pyproject(TomlFile);

impl Deref for Pyproject {
    type Target = TomlFile;

    fn deref(&self) -> &TomlFile {
        &self.0
    }
}

impl Pyproject {
    /// Reads the file; `what` names it in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        TomlFile::parse(what, content).map(Self)
    }

    /// Whether `[project]` leaves this field to the build backend.
    pub(crate) fn is_dynamic(&self, field: &str) -> bool {
        self.texts(&["project", "dynamic"])
            .any(|name| name == field)
    }

    /// The build backend, as `[build-system]` names it.
    pub(crate) fn build_backend(&self) -> Option<&str> {
        self.text(&["build-system", "build-backend"])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_found_by_path() {
        let parsed = Pyproject::parse(
            "pyproject.toml",
            b"[project]\nname = 'x'\ndynamic = ['version', 1]\n[build-system]\nrequires = ['Hatch_VCS>=1', 'hatchling']\n",
        )
        .unwrap();
        assert_eq!(parsed.text(&["project", "name"]), Some("x"));
        assert!(parsed.is_dynamic("version"));
        assert!(!parsed.is_dynamic("dependencies"));
        assert_eq!(parsed.get(&["project", "name", "deeper"]), None);
    }

    #[test]
    fn nesting_without_end_is_malformed() {
        let deep = format!("a = {}", "[".repeat(100_000));
        assert!(Pyproject::parse("pyproject.toml", deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content: Vec<u8>, text: String) {
            for content in [content, text.into_bytes()] {
                if let Ok(parsed) = Pyproject::parse("pyproject.toml", &content) {
                    let _dynamic = parsed.is_dynamic("version");
                }
            }
        }
    }
}
