//! A wheel's RECORD (binary distribution format, "The .dist-info/RECORD file") held against the wheel itself.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remint_model::{AnomalyKind, ArtifactFormat, EntryPath};
use sha2::Digest as _;

use super::listing::{Entry, Kind};
use super::{Anomalies, Flow, walk};
use crate::error::ReadError;
use crate::limits::Limits;

/// A RECORD of 100,000 files fits.
pub(crate) const LARGEST: u64 = 16 << 20;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    path: String,
    /// `algorithm=digest`, or empty.
    hash: String,
    size: String,
}

/// Whether this path is the RECORD of a wheel.
pub(crate) fn is_record(path: &EntryPath) -> bool {
    matches!(
        path.as_str().split_once('/'),
        Some((directory, "RECORD")) if directory.ends_with(".dist-info")
    )
}

/// Signatures over RECORD are made after it and cannot be in it.
fn is_exempt(path: &str, record: &EntryPath) -> bool {
    path.strip_prefix(record.as_str())
        .is_some_and(|rest| matches!(rest, "" | ".jws" | ".p7s"))
}

/// A file whose RECORD line uses a digest that the listing does not have.
pub(crate) struct OtherDigest {
    index: u32,
    path: String,
    hash: String,
}

/// Holds every RECORD against the entries. Yields what has to be hashed once more.
pub(crate) fn check(
    entries: &[Entry],
    records: &[(EntryPath, Vec<u8>)],
    anomalies: &mut Anomalies,
) -> Vec<OtherDigest> {
    let mut again = Vec::new();
    let mut mismatch = |path: &str, detail: String| {
        anomalies.add(AnomalyKind::RecordMismatch, path.as_bytes(), detail);
    };
    let (record, content) = match records {
        [(record, content)] => (record, content),
        [] => {
            mismatch("", "no RECORD that could be read".to_owned());
            return again;
        }
        [_, second, ..] => {
            mismatch(second.0.as_str(), "more than one RECORD".to_owned());
            return again;
        }
    };
    let lines = match parse(content) {
        Ok(lines) => lines,
        Err(reason) => {
            mismatch(record.as_str(), reason.to_owned());
            return again;
        }
    };
    let mut stated: HashMap<&str, &Line> = HashMap::with_capacity(lines.len());
    for line in &lines {
        if stated
            .insert(&line.path, line)
            .is_some_and(|earlier| earlier != line)
        {
            mismatch(&line.path, "two different lines for one file".to_owned());
        }
    }
    for entry in entries.iter().filter(|entry| entry.kind != Kind::Directory) {
        let path = entry.path.as_str();
        let Some(line) = stated.get(path) else {
            if !is_exempt(path, record) {
                mismatch(path, "not listed".to_owned());
            }
            continue;
        };
        if !line.size.is_empty() && line.size.parse() != Ok(entry.size) {
            mismatch(
                path,
                format!("{} bytes, listed with {}", entry.size, line.size),
            );
        }
        match line.hash.split_once('=') {
            Some(("sha256", digest)) => {
                if !same(digest, entry.sha256.as_bytes()) {
                    mismatch(path, "listed with another sha256".to_owned());
                }
            }
            Some(("sha384" | "sha512", _)) => again.push(OtherDigest {
                index: entry.index,
                path: path.to_owned(),
                hash: line.hash.clone(),
            }),
            Some((algorithm, _)) => {
                mismatch(
                    path,
                    format!("listed with {algorithm}, which is not accepted"),
                );
            }
            None if is_exempt(path, record) => {}
            None => mismatch(path, "listed without a digest".to_owned()),
        }
    }
    let present: HashSet<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    for line in &lines {
        if !present.contains(line.path.as_str()) {
            mismatch(&line.path, "listed, but not there".to_owned());
        }
    }
    again
}

/// Reads the wheel once more for lines with SHA-384 or SHA-512.
pub(crate) fn check_other_digests<R: Read + Seek>(
    reader: &mut R,
    limits: &Limits,
    again: &[OtherDigest],
    anomalies: &mut Anomalies,
) -> Result<(), ReadError> {
    if again.is_empty() {
        return Ok(());
    }
    let wanted: HashMap<u32, &OtherDigest> =
        again.iter().map(|digest| (digest.index, digest)).collect();
    // The first walk has noted everything else already.
    let mut noted = Anomalies::default();
    walk(
        ArtifactFormat::Wheel,
        reader,
        limits,
        &mut noted,
        &mut |seen, content, _| {
            if let Some(wanted) = wanted.get(&seen.index) {
                let mut sha384 = sha2::Sha384::new();
                let mut sha512 = sha2::Sha512::new();
                content.drain(&mut |piece| {
                    sha384.update(piece);
                    sha512.update(piece);
                })?;
                let matches = match wanted.hash.split_once('=') {
                    Some(("sha384", digest)) => same(digest, &sha384.finalize()),
                    Some((_, digest)) => same(digest, &sha512.finalize()),
                    None => false,
                };
                if !matches {
                    anomalies.add(
                        AnomalyKind::RecordMismatch,
                        wanted.path.as_bytes(),
                        "listed with another digest",
                    );
                }
            }
            Ok(Flow::Continue)
        },
    )?;
    Ok(())
}

/// Whether a RECORD digest (URL-safe base64 without padding; some tools pad it) is this one.
fn same(text: &str, digest: &[u8]) -> bool {
    URL_SAFE_NO_PAD
        .decode(text.trim_end_matches('='))
        .is_ok_and(|decoded| decoded == digest)
}

/// Comma-separated values as Python's `csv` module reads them.
fn parse(content: &[u8]) -> Result<Vec<Line>, &'static str> {
    let text = std::str::from_utf8(content).map_err(|_| "RECORD is not UTF-8")?;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let mut fields = fields(line)?.into_iter();
        let (Some(path), Some(hash), Some(size), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err("a RECORD line has not three fields");
        };
        lines.push(Line { path, hash, size });
    }
    Ok(lines)
}

fn fields(line: &str) -> Result<Vec<String>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let field;
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut inside = quoted;
            loop {
                let (before, after) = inside
                    .split_once('"')
                    .ok_or("a RECORD line has an open quote")?;
                text.push_str(before);
                match after.strip_prefix('"') {
                    Some(after) => {
                        text.push('"');
                        inside = after;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            field = text;
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            if text.contains('"') {
                return Err("a RECORD line has a quote inside a field");
            }
            field = text.to_owned();
            rest = after;
        }
        fields.push(field);
        if fields.len() > 3 {
            return Err("a RECORD line has not three fields");
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.is_empty() => return Ok(fields),
            None => return Err("a RECORD line has text after a quote"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read_as_csv() {
        let lines = parse(b"a.py,sha256=x,1\r\n\"b,\"\"c\"\".py\",,\n").unwrap();
        let paths: Vec<_> = lines.iter().map(|line| line.path.as_str()).collect();
        assert_eq!(paths, ["a.py", "b,\"c\".py"]);
        for bad in ["a", "a,b,c,d", "\"a,b,c", "\"a\"b,c,d", "a\"b,c,d"] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_read_as_they_are_written(
            bytes: Vec<u8>,
            shaped in "[a,\"\r\n=é]{0,30}",
            paths in prop::collection::vec("[a-z,\"é ]{0,8}", 0..4),
        ) {
            for content in [bytes.as_slice(), shaped.as_bytes()] {
                let _lines = parse(content);
            }
            let written: String = paths
                .iter()
                .map(|path| format!("\"{}\",sha256=x,7\r\n", path.replace('"', "\"\"")))
                .collect();
            let lines = parse(written.as_bytes()).unwrap();
            let read: Vec<String> = lines.into_iter().map(|line| line.path).collect();
            prop_assert_eq!(read, paths);
        }
    }
}
