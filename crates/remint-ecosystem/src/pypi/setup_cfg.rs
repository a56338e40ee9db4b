//! `setup.cfg`, read as Python's `configparser` reads it for setuptools: sections, `=` or `:`, values that go on in
//! indented lines, whole-line comments. No interpolation.

use std::collections::BTreeMap;

use crate::release::MetadataError;
use crate::text_file::text_after_mark;

const LARGEST: usize = 1 << 20;

/// A parsed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SetupCfg {
    sections: BTreeMap<String, BTreeMap<String, String>>,
}

impl SetupCfg {
    /// Reads the file; `what` names it in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        let malformed = |reason: String| MetadataError::malformed(what, reason);
        let text = text_after_mark(what, content, LARGEST)?;
        let mut parsed = Self::default();
        let mut section = None;
        let mut option: Option<String> = None;
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with(['#', ';']) {
                continue;
            }
            if trimmed.is_empty() {
                continue;
            }
            let indented = line.starts_with([' ', '\t']);
            if let (true, Some(section), Some(option)) = (indented, &section, &option) {
                let value = parsed
                    .sections
                    .entry(String::clone(section))
                    .or_default()
                    .entry(option.clone())
                    .or_default();
                value.push('\n');
                value.push_str(trimmed);
                continue;
            }
            if let Some(name) = trimmed
                .strip_prefix('[')
                .and_then(|rest| rest.split_once(']'))
                .map(|(name, _)| name)
            {
                parsed.sections.entry(name.to_owned()).or_default();
                section = Some(name.to_owned());
                option = None;
                continue;
            }
            let Some(section) = &section else {
                return Err(malformed(
                    "a line stands before the first section".to_owned(),
                ));
            };
            let (key, value) = match trimmed.find(['=', ':']) {
                Some(at) => trimmed.split_at(at),
                None => (trimmed, ""),
            };
            // setuptools reads dashes in option names as underscores.
            let key = key.trim().to_ascii_lowercase().replace('-', "_");
            let value = value.get(1..).unwrap_or("").trim();
            parsed
                .sections
                .entry(section.clone())
                .or_default()
                .insert(key.clone(), value.to_owned());
            option = Some(key);
        }
        Ok(parsed)
    }

    /// One value.
    pub(crate) fn get(&self, section: &str, option: &str) -> Option<&str> {
        self.sections
            .get(section)?
            .get(option)
            .map(|value| value.trim())
    }

    /// All options of a section.
    pub(crate) fn section(&self, section: &str) -> impl Iterator<Item = (&str, &str)> {
        self.sections
            .get(section)
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str(), value.trim()))
    }
}

/// The entries of a list value: one a line, or between semicolons where all is on one line.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let one_line = !value.trim().contains('\n');
    value
        .split(move |c| c == '\n' || (one_line && c == ','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_go_on_in_indented_lines() {
        let text = "[metadata]\nname = x\nversion: attr: x.__version__\n# comment\n[options]\ninstall-requires =\n    a>=1\n    # no\n    b; python_version < \"3.11\"\n\n[options.extras_require]\ndev = c\n";
        let parsed = SetupCfg::parse("setup.cfg", text.as_bytes()).unwrap();
        assert_eq!(parsed.get("metadata", "name"), Some("x"));
        assert_eq!(
            parsed.get("metadata", "version"),
            Some("attr: x.__version__")
        );
        let requires = parsed.get("options", "install_requires").unwrap();
        assert_eq!(
            list(requires).collect::<Vec<_>>(),
            ["a>=1", "b; python_version < \"3.11\""]
        );
        assert_eq!(
            parsed.section("options.extras_require").collect::<Vec<_>>(),
            [("dev", "c")]
        );
    }

    #[test]
    fn a_value_without_a_section_is_malformed() {
        assert!(SetupCfg::parse("setup.cfg", b"name = x\n").is_err());
        assert!(SetupCfg::parse("setup.cfg", b"\xff").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_values_are_read_as_written(
            bytes: Vec<u8>,
            text in "(\\[|\\]|metadata|name|[=:;#]|\n|\n +|-|é){0,24}",
            key in "[a-z][a-z-]{0,5}",
            lines in prop::collection::vec("[a-z>=.]{1,5}", 1..4),
        ) {
            for content in [bytes, text.into_bytes()] {
                drop(SetupCfg::parse("setup.cfg", &content));
            }
            let written = format!("[options]\n{key} =\n    {}\n", lines.join("\n    "));
            let parsed = SetupCfg::parse("setup.cfg", written.as_bytes()).unwrap();
            let value = parsed.get("options", &key.replace('-', "_")).unwrap();
            prop_assert_eq!(list(value).collect::<Vec<_>>(), lines);
        }
    }
}
