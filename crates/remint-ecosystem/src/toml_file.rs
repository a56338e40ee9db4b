//! Files in TOML that strangers wrote: bounded parsing, and values by their path of keys. What they mean is told where
//! each kind of file is read.

use toml::{Table, Value};

use crate::release::MetadataError;
use crate::text_file::text_after_mark;

/// No manifest is larger; crates.io takes no larger one.
const LARGEST: usize = 1 << 20;

/// A parsed file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TomlFile(Table);

impl TomlFile {
    /// Reads the file; `what` names it in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        text_after_mark(what, content, LARGEST)?
            .parse()
            .map(Self)
            .map_err(|error: toml::de::Error| MetadataError::malformed(what, error.message()))
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
}
