//! What setuptools writes into an sdist about the sdist: the order and line ends of `SOURCES.txt`, and the line ends of
//! `setup.cfg` with its `[egg_info]` section where that only states the defaults.

use super::core_metadata_line_ends::with_lf;
use super::{File, Normaliser, SDISTS, Subject};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "setuptools-sdist-metadata",
    version: 3,
    hides: "the order and line ends of egg-info's SOURCES.txt, a `[egg_info]` section that states defaults, and CRLF throughout setup.cfg",
    formats: SDISTS,
    subject: Subject::Content(normalise),
};

fn normalise(file: &File<'_>) -> Option<Vec<u8>> {
    let path = file.path.as_str();
    if path == "setup.cfg" {
        return settings(file.content);
    }
    let (directory, name) = path.rsplit_once('/')?;
    (name == "SOURCES.txt" && directory.ends_with(".egg-info"))
        .then(|| sorted_lines(file.content))
        .flatten()
}

/// Of `setup.cfg`, whose lines Python's configuration parser ends with LF and with CRLF. Each step may be what the other waits
/// for, and only makes it shorter.
fn settings(content: &[u8]) -> Option<Vec<u8>> {
    let mut settings = content.to_vec();
    loop {
        let with_lf = with_lf(&settings);
        let next = without_default_section(with_lf.as_deref().unwrap_or(&settings))?;
        if next == settings {
            return Some(settings);
        }
        settings = next;
    }
}

fn sorted_lines(content: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(content).ok()?;
    let mut lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.is_empty())
        .collect();
    lines.sort_unstable();
    Some(lines.join("\n").into_bytes())
}

/// Without the section exactly as setuptools appends it, and without the empty lines around it.
fn without_default_section(content: &[u8]) -> Option<Vec<u8>> {
    const DEFAULT: &str = "[egg_info]\ntag_build = \ntag_date = 0";
    let text = std::str::from_utf8(content).ok()?.trim_end_matches('\n');
    let rest = text
        .strip_suffix(DEFAULT)
        .filter(|rest| rest.is_empty() || rest.ends_with('\n'))
        // Python refuses a file that has a section twice.
        .filter(|rest| !rest.lines().any(|line| line.trim_end() == "[egg_info]"))
        .unwrap_or(text);
    Some(rest.trim_end_matches('\n').as_bytes().to_vec())
}
