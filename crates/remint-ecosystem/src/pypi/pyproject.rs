//! `pyproject.toml`: bounded parsing and access to its tables by path.

use toml::{Table, Value};

use crate::release::MetadataError;

const LARGEST: usize = 1 << 20;

/// A parsed file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pyproject(Table);

impl Pyproject {
    /// Reads the file; `what` names it in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        let malformed = |reason: String| MetadataError::Malformed {
            what: what.to_owned(),
            reason,
        };
        if content.len() > LARGEST {
            return Err(malformed("it is larger than 1 MiB".to_owned()));
        }
        let text = std::str::from_utf8(content).map_err(|error| malformed(error.to_string()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        text.parse()
            .map(Self)
            .map_err(|error: toml::de::Error| malformed(error.message().to_owned()))
    }

    /// The value at a path of keys.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.0.get(*first)?, |value, key| value.get(key))
    }

    /// The text at a path of keys.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&str> {
        self.get(path).and_then(Value::as_str)
    }

    /// The table at a path of keys.
    pub(crate) fn table(&self, path: &[&str]) -> Option<&Table> {
        self.get(path).and_then(Value::as_table)
    }

    /// The texts of the list at a path of keys; other kinds of entry are left out.
    pub(crate) fn texts<'a>(&'a self, path: &[&str]) -> impl Iterator<Item = &'a str> {
        self.get(path)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
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
