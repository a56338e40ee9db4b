//! Texts that stand beside the entries of an archive and that no reader needs: comments, extra fields, names in gzip headers,
//! what follows the end of a text field. Another packer writes none; somebody who hides something may.

use std::io::Cursor;

use remint_model::Sha256;
use sha2::Digest as _;

use super::Anomalies;
use super::source::Source;
use super::zip_directory::{self, Fields, extra_fields};
use crate::error::ReadError;
use crate::limits::Limits;

const BLOCK: usize = 512;
/// Extended headers are no longer.
const LONGEST: u64 = 1 << 20;
/// Records of extended headers that say what is compared as such.
const COMPARED: [&[u8]; 10] = [
    b"path",
    b"linkpath",
    b"size",
    b"mtime",
    b"atime",
    b"ctime",
    b"uid",
    b"gid",
    b"uname",
    b"gname",
];
/// The text fields of a tar header: where they begin and how long they are.
const FIELDS: [(usize, usize); 5] = [
    (0, 100),
    (157, 100),
    (265, 32),
    (297, 32),
    // What is left of a header after its last field counts as what follows the prefix.
    (345, 167),
];
/// Extra fields of zips that hold sizes, times and owners, and how long they are at most: zip64, NTFS, two of Info-ZIP, and
/// the mark of a jar.
const PLAIN_EXTRAS: [(u16, usize); 5] = [
    (1, 28),
    (0x000a, 32),
    (0x5455, 13),
    (0x7875, 15),
    (0xcafe, 0),
];

/// A digest of these texts of a gzip's first header.
pub(super) fn of_gzip(archive: &[u8]) -> Sha256 {
    let texts = || -> Option<&[u8]> {
        let flags = *archive.get(3)?;
        let start = archive.get(10..)?;
        let mut rest = start;
        if flags & 4 != 0 {
            let (length, after) = rest.split_first_chunk::<2>()?;
            rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
        }
        for flag in [8, 16] {
            if flags & flag != 0 {
                let end = rest.iter().position(|byte| *byte == 0)?;
                rest = rest.get(end + 1..)?;
            }
        }
        start.get(..start.len() - rest.len())
    };
    Sha256::of(texts().unwrap_or_default())
}

/// The same of a tar; `None` where it cannot be told.
pub(super) fn of_tar(stream: &mut dyn Source) -> Result<Option<Sha256>, ReadError> {
    let mut hasher = sha2::Sha256::new();
    let mut add = |text: &[u8]| {
        if text.iter().any(|byte| *byte != 0) {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
    };
    let mut stated = None;
    let mut block = [0; BLOCK];
    while stream.fill(&mut block)? == BLOCK {
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        for (start, length) in FIELDS {
            let field = block.get(start..start + length).unwrap_or_default();
            let text = field.iter().take_while(|byte| **byte != 0).count();
            add(field.get(text..).unwrap_or_default());
        }
        let Some(size) = octal(block.get(124..136).unwrap_or_default()) else {
            return Ok(None);
        };
        match block.get(156) {
            Some(b'x' | b'X' | b'g') => {
                let mut text = vec![0; usize::try_from(size.min(LONGEST)).unwrap_or_default()];
                stream.fill(&mut text)?;
                if size > LONGEST {
                    return Ok(None);
                }
                let Some(records) = records(&text) else {
                    return Ok(None);
                };
                for (key, value) in records {
                    if key == b"size" {
                        let number = std::str::from_utf8(value).ok();
                        stated = number.and_then(|number| number.parse().ok());
                    }
                    if !COMPARED.contains(&key) {
                        add(key);
                        add(value);
                    }
                }
                skip(stream, padding(size), &mut add)?;
            }
            Some(b'1' | b'2' | b'3' | b'4' | b'5' | b'6') => stated = None,
            Some(b'L' | b'K') => {
                skip(stream, size, &mut |_| {})?;
                skip(stream, padding(size), &mut add)?;
            }
            Some(_) | None => {
                let size = stated.take().unwrap_or(size);
                skip(stream, size, &mut |_| {})?;
                skip(stream, padding(size), &mut add)?;
            }
        }
    }
    stream.drain(&mut |piece| add(piece))?;
    Ok(Some(Sha256::from_bytes(hasher.finalize().into())))
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
}

const fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn skip(
    stream: &mut dyn Source,
    mut left: u64,
    take: &mut dyn FnMut(&[u8]),
) -> Result<(), ReadError> {
    let mut buffer = [0; 4096];
    while left > 0 {
        let count = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(piece) = buffer.get_mut(..count) else {
            return Ok(());
        };
        let count = stream.fill(piece)?;
        take(piece.get(..count).unwrap_or_default());
        if count == 0 {
            return Ok(());
        }
        left -= count as u64;
    }
    Ok(())
}

/// `LENGTH KEY=VALUE\n`, one after the other.
fn records(mut text: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().take(10).position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(text.get(..space)?).ok()?.parse().ok()?;
        let (record, rest) = text.split_at_checked(length)?;
        let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        records.push((record.get(..equals)?, record.get(equals + 1..)?));
        text = rest;
    }
    Some(records)
}

/// The same of a zip: comments and extra fields, central and local ones.
pub(super) fn of_zip(archive: &[u8], limits: &Limits) -> Result<Option<Sha256>, ReadError> {
    let reader = &mut Cursor::new(archive);
    let directory = zip_directory::read(reader, true, limits, &mut Anomalies::default())?;
    let texts = || -> Option<Sha256> {
        let mut hasher = sha2::Sha256::new();
        let add_extras = |hasher: &mut sha2::Sha256, extras: &[u8]| {
            for field in extra_fields(extras) {
                match field {
                    Some((id, data)) if is_plain_extra(id, data) => {}
                    Some((id, data)) => {
                        hasher.update(id.to_le_bytes());
                        hasher.update((data.len() as u64).to_le_bytes());
                        hasher.update(data);
                    }
                    None => hasher.update(extras),
                }
            }
        };
        let mut rest = archive.get(usize::try_from(directory.start).ok()?..)?;
        for entry in &directory.entries {
            let local = archive.get(usize::try_from(entry.local).ok()?..)?;
            let fields = Fields(local.get(..30)?);
            let start = 30 + usize::from(fields.u16(26));
            add_extras(
                &mut hasher,
                local.get(start..start + usize::from(fields.u16(28)))?,
            );
            let fields = Fields(rest.get(..46)?);
            let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(fields.u16(at)));
            let start = 46 + name;
            add_extras(&mut hasher, rest.get(start..start + extra)?);
            hasher.update(u64::try_from(comment).ok()?.to_le_bytes());
            hasher.update(rest.get(start + extra..start + extra + comment)?);
            rest = rest.get(start + extra + comment..)?;
        }
        if rest.starts_with(b"PK\x06\x06") {
            let length = usize::try_from(Fields(rest).u64(4)).ok()?.checked_add(12)?;
            hasher.update(rest.get(56..length).unwrap_or_default());
            rest = rest.get(length..)?;
        }
        if rest.starts_with(b"PK\x06\x07") {
            rest = rest.get(20..)?;
        }
        let comment = usize::from(Fields(rest).u16(20));
        hasher.update(rest.get(22..22 + comment)?);
        Some(Sha256::from_bytes(hasher.finalize().into()))
    };
    Ok(texts())
}

fn is_plain_extra(id: u16, data: &[u8]) -> bool {
    PLAIN_EXTRAS
        .iter()
        .any(|(plain, longest)| *plain == id && data.len() <= *longest)
}
