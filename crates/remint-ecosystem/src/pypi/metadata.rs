//! Core metadata (`METADATA`, `PKG-INFO`): the header fields, read as Python's `email` parser reads them, because
//! that is what installers do. The description is left out.

use remint_model::{Ecosystem, PackageName, Survey};

use crate::release::{Identity, MetadataError, StatedVersion};
use crate::text_file::text_after_mark;

const LARGEST: usize = 4 << 20;
const MOST_FIELDS: usize = 20_000;

/// The fields of a core metadata file, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    what: String,
    fields: Vec<(String, String)>,
}

impl Metadata {
    /// Reads the header; `what` names the file in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        let malformed = |reason: String| MetadataError::malformed(what, reason);
        let text = text_after_mark(what, content, LARGEST)?;
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines(text) {
            if line.starts_with([' ', '\t']) {
                // A folded line belongs to the field before it.
                let Some((_, value)) = fields.last_mut() else {
                    return Err(malformed("it starts with a folded line".to_owned()));
                };
                value.push('\n');
                value.push_str(line);
                continue;
            }
            let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_field(name))
            else {
                // The blank line before the description, or what Python's parser takes for one.
                break;
            };
            if fields.len() >= MOST_FIELDS {
                return Err(malformed(format!("it has more than {MOST_FIELDS} fields")));
            }
            fields.push((
                name.to_ascii_lowercase(),
                value.trim_start_matches([' ', '\t']).to_owned(),
            ));
        }
        Ok(Self {
            what: what.to_owned(),
            fields,
        })
    }

    /// Every value of a field, in order.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    /// The value of a field that must be there once.
    fn one(&self, name: &'static str) -> Result<&str, MetadataError> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value),
            (Some(_), None) | (None, _) => Err(self.malformed(format!("it has no `{name}`"))),
            (Some(_), Some(_)) => Err(self.malformed(format!("it has more than one `{name}`"))),
        }
    }

    /// Name and version.
    pub(crate) fn identity(&self) -> Result<Identity, MetadataError> {
        let name = PackageName::parse(Ecosystem::Pypi, self.one("Name")?)
            .map_err(|error| self.malformed(error.to_string()))?;
        Ok(Identity {
            name: Some(name),
            version: StatedVersion::Exact(self.one("Version")?.to_owned()),
        })
    }

    fn malformed(&self, reason: String) -> MetadataError {
        MetadataError::Malformed {
            what: self.what.clone(),
            reason,
        }
    }
}

/// The core metadata of a published wheel or source archive.
pub(crate) fn of_survey(survey: &Survey) -> Result<Metadata, MetadataError> {
    let mut found = survey.texts.iter().filter(|(path, _)| {
        let path = path.as_str();
        path == "PKG-INFO" || path.strip_suffix("/METADATA").is_some_and(is_dist_info)
    });
    match (found.next(), found.next()) {
        (Some((path, content)), None) => Metadata::parse(path.as_str(), content),
        (None, _) => Err(MetadataError::Missing("METADATA or PKG-INFO".to_owned())),
        (Some((one, _)), Some((other, _))) => Err(MetadataError::Malformed {
            what: one.to_string(),
            reason: format!("`{other}` is there as well, and installers may read either"),
        }),
    }
}

fn is_dist_info(directory: &str) -> bool {
    !directory.contains('/') && directory.ends_with(".dist-info")
}

/// Lines as Python's parser splits them: a lone carriage return ends one too.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Whether a field may be called so (RFC 5322, section 2.2: printable characters without space and colon).
fn is_field(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, field: &'static str, expect: &[&str]) {
        let metadata = Metadata::parse("METADATA", text.as_bytes()).unwrap();
        assert_eq!(metadata.all(field).collect::<Vec<_>>(), expect, "{text:?}");
    }

    #[test]
    fn fields_end_where_the_description_starts() {
        let text = "Metadata-Version: 2.1\nName: x\nRequires-Dist: a\nrequires-dist: b>=1\n\nRequires-Dist: c\n";
        check(text, "Requires-Dist", &["a", "b>=1"]);
        check(
            "Name: x\nno field\nRequires-Dist: c\n",
            "Requires-Dist",
            &[],
        );
    }

    #[test]
    fn a_requirement_behind_a_carriage_return_is_seen() {
        check(
            "Name: x\rRequires-Dist: hidden\r\nRequires-Dist: a\n",
            "Requires-Dist",
            &["hidden", "a"],
        );
    }

    #[test]
    fn folded_lines_belong_to_their_field() {
        check("License: one\n  two\nName: x", "License", &["one\n  two"]);
        assert!(Metadata::parse("METADATA", b" folded\nName: x").is_err());
    }

    #[test]
    fn an_identity_is_stated_once() {
        let identity = |text: &str| {
            Metadata::parse("METADATA", text.as_bytes())
                .unwrap()
                .identity()
        };
        let good = identity("Name: My.Server\nVersion: 1.0\n").unwrap();
        assert_eq!(good.name.unwrap().as_str(), "my-server");
        assert_eq!(good.version, StatedVersion::Exact("1.0".to_owned()));
        for text in [
            "Name: x\n",
            "Version: 1\n",
            "Name: x\nName: y\nVersion: 1\n",
            "Name: ../x\nVersion: 1\n",
            "Name: x\nVersion:\n",
        ] {
            assert!(identity(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn two_metadata_files_are_no_metadata() {
        let text = |path: &str| (path.parse().unwrap(), b"Name: x\nVersion: 1\n".to_vec());
        let mut survey = Survey {
            texts: vec![
                text("x-1.dist-info/METADATA"),
                text("a/x-1.dist-info/METADATA"),
            ],
            ..Survey::default()
        };
        assert!(of_survey(&survey).is_ok());
        survey.texts.push(text("y-1.dist-info/METADATA"));
        assert!(of_survey(&survey).is_err());
        survey.texts.clear();
        assert!(matches!(of_survey(&survey), Err(MetadataError::Missing(_))));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content: Vec<u8>, text: String) {
            for content in [content, text.into_bytes()] {
                if let Ok(metadata) = Metadata::parse("METADATA", &content) {
                    let _identity = metadata.identity();
                }
            }
        }
    }
}
