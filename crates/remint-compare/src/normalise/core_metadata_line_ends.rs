//! Line ends of a Python distribution's core metadata, which setuptools writes as the machine does that it runs on.

use super::{File, Normaliser, PYTHON, Subject};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "core-metadata-line-ends",
    version: 1,
    hides: "CRLF in place of LF at the end of every line of METADATA or PKG-INFO",
    formats: PYTHON,
    subject: Subject::Content(normalise),
};

fn normalise(file: &File<'_>) -> Option<Vec<u8>> {
    let is_metadata = match file.path.as_str().rsplit_once('/') {
        Some((directory, "METADATA")) => {
            directory.ends_with(".dist-info") && !directory.contains('/')
        }
        Some((directory, "PKG-INFO")) => directory.ends_with(".egg-info"),
        None => file.path.as_str() == "PKG-INFO",
        Some(_) => false,
    };
    if is_metadata {
        with_lf(file.content)
    } else {
        None
    }
}

/// The text with LF, where each of its lines ends with CRLF. Readers of core metadata (packaging's "Core metadata
/// specifications" calls it the format of e-mail headers, RFC 822) take both for the end of a line.
pub(super) fn with_lf(content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let lines = text.replace("\r\n", "\n");
    let throughout = text.len() - lines.len() == lines.matches('\n').count();
    (throughout && !lines.contains('\r') && lines.len() < text.len()).then(|| lines.into_bytes())
}
