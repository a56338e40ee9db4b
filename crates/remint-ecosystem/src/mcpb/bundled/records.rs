//! What package managers note beside the packages that they install. Nothing else looks into these notes, so that a file with
//! the name of one has to be one.

use remint_model::SurveyEntry;
use serde_json::{Map, Value};

/// Bytes of the name of an installer: `pip`, `uv`, `Poetry 2.1.1`.
const LONGEST_INSTALLER: u64 = 64;

/// Why a file is not what its name says, a package manager's record; its content tells where it was kept.
pub(super) fn no_record(
    entry: &SurveyEntry,
    is_native: bool,
    text: Option<&[u8]>,
) -> Option<&'static str> {
    if is_native {
        return Some("it is machine code under the name of a package manager's record");
    }
    let is_one = match (entry.path.file_name(), text) {
        ("INSTALLER", _) if entry.size > LONGEST_INSTALLER => false,
        ("INSTALLER", Some(text)) => is_installers_name(text),
        ("REQUESTED", _) => entry.size == 0,
        ("RECORD", Some(text)) => std::str::from_utf8(text).is_ok_and(is_record),
        (_, Some(text)) => serde_json::from_slice::<Map<String, Value>>(text).is_ok(),
        (_, None) => true,
    };
    (!is_one).then_some("it has the name of a package manager's record, and cannot be read as one")
}

fn is_installers_name(text: &[u8]) -> bool {
    text.trim_ascii()
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b" ._-+".contains(byte))
}

fn is_record(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    lines.all(|line| fields(line).is_some_and(|fields| fields.len() == 3))
}

/// The paths that a RECORD lists. A line that cannot be read lists nothing.
pub(super) fn listed(record: &str) -> impl Iterator<Item = String> {
    record
        .lines()
        .filter_map(|line| fields(line)?.into_iter().next())
        .filter(|path| !path.is_empty())
}

/// Comma-separated values as Python's `csv` module writes them (RFC 4180), in one line.
fn fields(line: &str) -> Option<Vec<String>> {
    const MOST: usize = 3;
    let mut fields = Vec::new();
    let mut rest = line;
    while fields.len() < MOST {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (field.to_owned(), after)
            }
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => return after.is_empty().then_some(fields),
        }
    }
    None
}

/// What stands before the closing quote, a doubled one being a quote itself, and what comes after it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let (mut field, mut rest) = (String::new(), quoted);
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use remint_model::{CommitId, Sha256};

    use super::*;

    #[test]
    fn names_of_records_are_no_cover() {
        let check = |name: &str, content: &[u8], is_record: bool| {
            let entry = SurveyEntry {
                path: format!("lib/x-1.dist-info/{name}").parse().unwrap(),
                size: content.len() as u64,
                mode: 0o644,
                modified: 0,
                sha256: Sha256::of(content),
                blob: CommitId::of_blob(content),
                lf_blob: None,
            };
            let found = no_record(&entry, false, Some(content));
            assert_eq!(found.is_none(), is_record, "{name} {content:?}: {found:?}");
            assert!(no_record(&entry, true, Some(content)).is_some(), "{name}");
        };
        check("INSTALLER", b"pip\n", true);
        check("INSTALLER", b"Poetry 2.1.1", true);
        check("INSTALLER", b"#!/bin/sh", false);
        check("INSTALLER", b"import evil;x()", false);
        check("INSTALLER", &[b'a'; 65], false);
        check("REQUESTED", b"", true);
        check("REQUESTED", b"print()", false);
        check(
            "RECORD",
            b"a.py,sha256=x,1\r\n\"b,c.py\",,\nRECORD,,\n",
            true,
        );
        check("RECORD", b"import os\nos.system('x')\n", false);
        check("RECORD", b"\xff,,\n", false);
        check("direct_url.json", br#"{"url": "file:///x"}"#, true);
        check("direct_url.json", b"import evil", false);
        check(".package-lock.json", b"{}", true);
        check(".package-lock.json", b"#!/bin/sh\n", false);
        // What was not kept is known by its size alone.
        let mut entry = SurveyEntry {
            path: "lib/x-1.dist-info/INSTALLER".parse().unwrap(),
            size: 4,
            mode: 0o644,
            modified: 0,
            sha256: Sha256::of(b""),
            blob: CommitId::of_blob(b""),
            lf_blob: None,
        };
        assert_eq!(no_record(&entry, false, None), None);
        entry.size = 5000;
        assert!(no_record(&entry, false, None).is_some());
    }

    #[test]
    fn paths_of_a_record_may_be_quoted() {
        let check = |record: &str, expect: &[&str]| {
            assert_eq!(listed(record).collect::<Vec<_>>(), expect, "{record}");
        };
        check("a.py,sha256=x,1\r\nb.py,,\n", &["a.py", "b.py"]);
        check(
            "\"a, b.py\",,\n\"say \"\"x\"\".py\",,\n",
            &["a, b.py", "say \"x\".py"],
        );
        // Nothing is guessed about what no writer of such files writes.
        check("\"open,,\n\"a\"b,,\nc,,,\n\n", &[]);
    }
}
