//! Writes a released name or version into files whose commit does not carry it, in the way that makes them what was
//! published, where that can be told.

use remint_model::{CommitId, Edit, EntryPath, Sha1, Survey};
use serde_json::Value;

use crate::npm::manifest::parse_json;
use crate::npm::project::Project;
use crate::own_version::OwnVersion;

/// What is written into the manifest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written<'a> {
    /// The name, where the source states another one.
    pub(crate) name: Option<&'a str>,
    /// The version, where the source states another one or none.
    pub(crate) version: Option<&'a str>,
}

impl Written<'_> {
    /// Keys and values.
    fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("name", self.name), ("version", self.version)]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
    }
}

/// The manifest as it was released: in the form that was published where one of ours is, or else with nothing
/// touched but the values.
pub(crate) fn manifest(
    project: &Project<'_>,
    survey: &Survey,
    written: Written<'_>,
) -> Option<Edit> {
    let because = match (written.name, written.version) {
        (Some(name), _) => format!("the name {name}, which the source does not state"),
        (None, Some(version)) => {
            format!("the version {version}, which the source does not state")
        }
        (None, None) => return None,
    };
    let path = project.folder.path("package.json");
    let before = project.tree.texts.get(path.as_str())?;
    let published = published_blob(survey, "package.json");
    let forms = [replaced(before, written), rewritten(before, written)];
    let content = forms
        .iter()
        .flatten()
        .find(|content| Some(blob_id(content)).as_ref() == published)
        .or_else(|| forms.iter().flatten().next())?;
    Some(Edit {
        path: path.parse().ok()?,
        content: content.clone(),
        because,
    })
}

/// Other published files that carry the version, where the new one makes them what was published.
pub(crate) fn companions(
    project: &Project<'_>,
    survey: &Survey,
    found: &str,
    wanted: &str,
) -> Vec<Edit> {
    let changed = |path: &EntryPath, before: &[u8]| {
        let published = published_blob(survey, &below(project, path)?)?;
        let text = std::str::from_utf8(before).ok()?;
        if path.file_name() == "package.json" || blob_id(before) == *published {
            return None;
        }
        let own = OwnVersion {
            name: project.manifest.text("name").unwrap_or_default(),
            found,
            wanted,
        };
        let content = own.written_into(path.file_name(), text)?.into_bytes();
        (blob_id(&content) == *published).then_some(content)
    };
    project
        .tree
        .texts
        .iter()
        .filter_map(|(path, before)| {
            Some(Edit {
                path: path.clone(),
                content: changed(path, before)?,
                because: format!("the version {wanted}, which the source does not state"),
            })
        })
        .collect()
}

/// Source files that state the old version and are named for it (`version.ts`), with the new one. Only a guess:
/// what becomes of them in the build cannot be seen beforehand.
pub(crate) fn version_files(project: &Project<'_>, found: &str, wanted: &str) -> Vec<Edit> {
    project
        .tree
        .texts
        .iter()
        .filter(|(path, _)| below(project, path).is_some())
        .filter(|(path, _)| {
            let stem = path.file_name().split('.').next().unwrap_or_default();
            matches!(stem, "version" | "_version" | "VERSION")
                && matches!(
                    path.extension(),
                    Some("ts" | "js" | "mts" | "mjs" | "cjs" | "json")
                )
        })
        .filter_map(|(path, content)| {
            let text = std::str::from_utf8(content).ok()?;
            Some(Edit {
                path: path.clone(),
                content: written_into_version_file(project, path, text, found, wanted)?
                    .into_bytes(),
                because: format!("the version {wanted} in a file named for it"),
            })
        })
        .collect()
}

/// The text of a file that is named for the version: where something called one is given what the manifest states, or else
/// the only literal that equals that.
fn written_into_version_file(
    project: &Project<'_>,
    path: &EntryPath,
    text: &str,
    found: &str,
    wanted: &str,
) -> Option<String> {
    let own = OwnVersion {
        name: project.manifest.text("name").unwrap_or_default(),
        found,
        wanted,
    };
    own.written_into(path.file_name(), text).or_else(|| {
        let quotes = ['"', '\'', '`'];
        let literals = quotes.map(|quote| text.matches(&format!("{quote}{found}{quote}")).count());
        (literals.iter().sum::<usize>() == 1).then(|| literals_replaced(text, found, wanted))
    })
}

/// The text with the version replaced where it is a whole literal: in a program, anything else that looks like it
/// may be an address, another package's version, or half of a longer number.
fn literals_replaced(text: &str, found: &str, wanted: &str) -> String {
    ['"', '\'', '`']
        .into_iter()
        .fold(text.to_owned(), |text, quote| {
            text.replace(
                &format!("{quote}{found}{quote}"),
                &format!("{quote}{wanted}{quote}"),
            )
        })
}

fn below(project: &Project<'_>, path: &EntryPath) -> Option<String> {
    match project.folder.to_directory() {
        Some(directory) => path.below(&directory).map(String::from),
        None => Some(path.as_str().to_owned()),
    }
}

/// The blob id of a published file.
pub(crate) fn published_blob<'a>(survey: &'a Survey, path: &str) -> Option<&'a CommitId> {
    survey
        .entries
        .iter()
        .find(|entry| entry.path.as_str() == path)
        .map(|entry| &entry.blob)
}

/// The id that git gives this content.
pub(crate) fn blob_id(content: &[u8]) -> CommitId {
    let mut bytes = format!("blob {}\0", content.len()).into_bytes();
    bytes.extend_from_slice(content);
    #[expect(
        clippy::expect_used,
        reason = "a SHA-1 in hexadecimal is a commit id by its definition"
    )]
    Sha1::of(&bytes)
        .to_string()
        .parse()
        .expect("forty hexadecimal digits")
}

/// The manifest with the values of its own name and version replaced and nothing else touched.
fn replaced(manifest: &[u8], written: Written<'_>) -> Option<Vec<u8>> {
    let mut content = manifest.to_vec();
    for (key, value) in written.fields() {
        let (start, end) = value_of(&content, key)?;
        let quoted = serde_json::to_vec(value).ok()?;
        content.splice(start..end, quoted);
    }
    Some(content)
}

/// The manifest as npm writes it after `npm version` or `npm pkg set`.
fn rewritten(manifest: &[u8], written: Written<'_>) -> Option<Vec<u8>> {
    printed(manifest, |fields| {
        for (key, value) in written.fields() {
            fields.insert(key.to_owned(), Value::from(value));
        }
    })
}

/// The manifest as npm writes it after a change: parsed and printed again with the indentation it had.
pub(crate) fn printed(
    manifest: &[u8],
    change: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> Option<Vec<u8>> {
    let mut value = parse_json(manifest).ok()?;
    change(value.as_object_mut()?);
    let text = std::str::from_utf8(manifest).ok()?;
    let indent: String = text
        .lines()
        .skip(1)
        .find(|line| !line.trim().is_empty())
        .map(|line| {
            line.chars()
                .take_while(|c| matches!(c, ' ' | '\t'))
                .collect()
        })
        .unwrap_or_else(|| "  ".to_owned());
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut content = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut content, formatter);
    serde::Serialize::serialize(&value, &mut serializer).ok()?;
    let mut text = String::from_utf8(content).ok()?;
    text.push('\n');
    Some(text.replace('\n', newline).into_bytes())
}

/// Where the text of a top-level key stands, quotes included. Of two such keys the last one counts.
fn value_of(manifest: &[u8], key: &str) -> Option<(usize, usize)> {
    let mut depth = 0_usize;
    let mut at = 0;
    let mut found = None;
    // Set between a top-level key `version` and its value.
    let mut expected = false;
    let mut is_key = true;
    while let Some(byte) = manifest.get(at) {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                is_key = true;
                expected = false;
            }
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b':' => is_key = false,
            b',' => {
                is_key = true;
                expected = false;
            }
            b'"' => {
                let end = end_of_string(manifest, at)?;
                let content = manifest.get(at + 1..end - 1)?;
                if depth == 1 && is_key {
                    expected = content == key.as_bytes();
                } else if depth == 1 && expected {
                    found = Some((at, end));
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The position after the string that begins at `start`.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::npm::testing::{pin, survey, tree};

    const VERSION: Written<'static> = Written {
        name: None,
        version: Some("1.2.3"),
    };

    #[test]
    fn only_the_value_of_the_manifests_own_version_changes() {
        for (before, after) in [
            (
                "{\n  \"name\": \"x\", \"version\" : \"0.1.0\",\n  \"files\": [\"version\"]\n}\n",
                Some(
                    "{\n  \"name\": \"x\", \"version\" : \"1.2.3\",\n  \"files\": [\"version\"]\n}\n",
                ),
            ),
            (
                "{\"a\":{\"version\":\"0.1.0\"},\"b\":\"version\",\"version\":\"0.1.0\"}",
                Some("{\"a\":{\"version\":\"0.1.0\"},\"b\":\"version\",\"version\":\"1.2.3\"}"),
            ),
            (
                "{\"a\\\"\":\"\\\\\",\"version\":\"\"}",
                Some("{\"a\\\"\":\"\\\\\",\"version\":\"1.2.3\"}"),
            ),
            ("{\"version\":1}", None),
            ("{\"version\":", None),
            ("", None),
        ] {
            let found = replaced(before.as_bytes(), VERSION).map(|c| String::from_utf8(c).unwrap());
            assert_eq!(found.as_deref(), after, "{before}");
        }
    }

    #[test]
    fn the_form_that_was_published_is_chosen() {
        let before = "{\n  \"version\": \"0.1.0\",\n  \"files\": [\"dist\"]\n}\n";
        let textual = "{\n  \"version\": \"1.2.3\",\n  \"files\": [\"dist\"]\n}\n";
        let printed = "{\n  \"version\": \"1.2.3\",\n  \"files\": [\n    \"dist\"\n  ]\n}\n";
        for (published, expect) in [(textual, textual), (printed, printed), ("{}", textual)] {
            let tree = tree(&[("package.json", before)]);
            let project = Project::find(&tree, &pin(None)).unwrap();
            let survey = survey(&[("package.json", published)]);
            let edit = manifest(&project, &survey, VERSION).unwrap();
            assert_eq!(edit.content, expect.as_bytes());
        }
    }

    #[test]
    fn a_name_is_written_with_or_without_a_version() {
        let tree = tree(&[(
            "package.json",
            "{\"name\":\"x\",\"bin\":{\"name\":\"x\"},\"version\":\"0.1.0\"}",
        )]);
        let project = Project::find(&tree, &pin(None)).unwrap();
        for (version, expect) in [(None, "0.1.0"), (Some("1.2.3"), "1.2.3")] {
            let written = Written {
                name: Some("@scope/x"),
                version,
            };
            let edit = manifest(&project, &survey(&[]), written).unwrap();
            let expect = format!(
                "{{\"name\":\"@scope/x\",\"bin\":{{\"name\":\"x\"}},\"version\":\"{expect}\"}}"
            );
            assert_eq!(String::from_utf8(edit.content).unwrap(), expect);
        }
        assert_eq!(manifest(&project, &survey(&[]), Written::default()), None);
    }

    #[test]
    fn another_file_is_stamped_only_where_that_gives_what_was_published() {
        let tree = tree(&[
            ("package.json", "{\"version\":\"0.1.0\"}"),
            ("jsr.json", "{\"version\":\"0.1.0\"}"),
            ("server.json", "{\"version\":\"0.1.0\"}"),
            ("README.md", "0.1.0"),
        ]);
        let project = Project::find(&tree, &pin(None)).unwrap();
        let survey = survey(&[
            ("jsr.json", "{\"version\":\"1.2.3\"}"),
            ("server.json", "{\"version\":\"9.9.9\"}"),
            ("README.md", "0.1.0"),
        ]);
        let edits = companions(&project, &survey, "0.1.0", "1.2.3");
        let paths: Vec<_> = edits.iter().map(|edit| edit.path.as_str()).collect();
        assert_eq!(paths, ["jsr.json"]);
    }

    #[test]
    fn a_stamp_changes_no_address_and_no_other_packages_version() {
        let literals = |text: &str| literals_replaced(text, "0.0.0", "9.9.9");
        assert_eq!(
            literals("v = '0.0.0'; w = \"0.0.0\""),
            "v = '9.9.9'; w = \"9.9.9\""
        );
        for kept in [
            "listen('0.0.0.0')",
            "`npx helper@0.0.0`",
            "'10.0.0.0'",
            "x = 0.0.0",
        ] {
            assert_eq!(literals(kept), kept);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(replaced(&bytes, VERSION));
            drop(rewritten(&bytes, VERSION));
        }
    }
}
