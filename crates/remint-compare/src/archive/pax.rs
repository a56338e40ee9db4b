//! PAX extended header records (POSIX.1-2001, `pax` interchange format): `length key=value\n`.

use std::collections::BTreeMap;

use super::tar_header::LARGEST_SAFE;
use crate::error::ReadError;

/// The longest value that is taken for what its key announces; a tar header is longer.
const LONGEST_DESCRIPTION: usize = 256;
/// As long as a macOS attribute may be: where it is text, it can hold no header that readers accept.
const LONGEST_ATTRIBUTE: usize = 4096;

/// How many disagreements of one header are told: a single one settles what is to be thought of it.
const MOST_DISAGREEMENTS: usize = 16;

/// The records of one extended header.
#[derive(Debug, Default, Clone)]
pub(crate) struct Records {
    /// Of a repeated key the last value, as every reader takes it.
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What readers are known to understand in different ways, in words.
    disagreements: Vec<String>,
}

impl Records {
    /// Reads all records of a header whose content stands at `offset` of the tar.
    pub(crate) fn parse(content: &[u8], offset: u64) -> Result<Self, ReadError> {
        let bad = |reason: &str| ReadError::malformed(offset, format!("PAX record {reason}"));
        let mut records = Self::default();
        let mut rest = content;
        while !rest.is_empty() {
            let blank = rest
                .iter()
                .take(12)
                .position(|byte| *byte == b' ')
                .ok_or_else(|| bad("has no length"))?;
            let (digits, _) = rest.split_at(blank);
            if !digits.iter().all(u8::is_ascii_digit) {
                return Err(bad("has no length"));
            }
            let length = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse::<usize>().ok())
                .ok_or_else(|| bad("has no length"))?;
            if digits.starts_with(b"0") {
                // node-tar counts the digits of the number, not those that stand there.
                records.disagree(|| "a PAX record's length with a leading zero".to_owned());
            }
            if length > rest.len() {
                return Err(bad("is longer than its header"));
            }
            let (record, next) = rest.split_at(length);
            let Some((b"\n", body)) = record
                .get(blank + 1..)
                .and_then(|body| body.split_last())
                .map(|(last, body)| (std::slice::from_ref(last), body))
            else {
                return Err(bad("does not end in a line feed"));
            };
            let equals = body
                .iter()
                .position(|byte| *byte == b'=')
                .ok_or_else(|| bad("has no `=`"))?;
            let (key, value) = body.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            if let Some(reason) = disagreement(key, value) {
                records.disagree(|| format!("PAX `{}` {reason}", key.escape_ascii()));
            }
            if records
                .values
                .insert(key.to_vec(), value.to_vec())
                .is_some()
            {
                records.disagree(|| format!("PAX `{}` is stated twice", key.escape_ascii()));
            }
            rest = next;
        }
        Ok(records)
    }

    fn disagree(&mut self, reason: impl FnOnce() -> String) {
        if self.disagreements.len() < MOST_DISAGREEMENTS {
            self.disagreements.push(reason());
        }
    }

    /// What readers are known to understand in different ways, in words.
    pub(crate) fn disagreements(&self) -> &[String] {
        &self.disagreements
    }

    /// The value of a key. An empty value means that the key was deleted, where `disagreements` does not name it.
    pub(crate) fn value(&self, key: &str) -> Option<&[u8]> {
        self.values
            .get(key.as_bytes())
            .map(Vec::as_slice)
            .filter(|value| !value.is_empty())
    }

    /// A decimal number.
    pub(crate) fn number(&self, key: &str, offset: u64) -> Result<Option<u64>, ReadError> {
        self.value(key)
            .map(|value| {
                std::str::from_utf8(value)
                    .ok()
                    .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| {
                        ReadError::malformed(offset, format!("PAX `{key}` is no number"))
                    })
            })
            .transpose()
    }

    /// A time: seconds since 1970 with an optional fraction, in nanoseconds.
    pub(crate) fn time(&self, key: &str, offset: u64) -> Result<Option<(i64, u32)>, ReadError> {
        self.value(key)
            .map(|value| {
                parse_time(value)
                    .ok_or_else(|| ReadError::malformed(offset, format!("PAX `{key}` is no time")))
            })
            .transpose()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.values
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Adds the records of `later`, which win, and yields those of them that say something new.
    pub(crate) fn update(&mut self, mut later: Self) -> Vec<(Vec<u8>, Vec<u8>)> {
        later
            .values
            .retain(|key, value| self.values.get(key) != Some(value));
        let new: Vec<_> = later.values.clone().into_iter().collect();
        self.values.extend(later.values);
        new
    }

    /// Adds the records of `later`, which win.
    pub(crate) fn extend(&mut self, later: Self) {
        self.values.extend(later.values);
    }
}

/// Why readers may take a record in different ways, or what hides in a value that nothing is compared with.
fn disagreement(key: &[u8], value: &[u8]) -> Option<&'static str> {
    if key.is_empty() {
        return Some("has no key");
    }
    // node-tar splits records at line feeds, whatever their stated length.
    if value.contains(&b'\n') || key.contains(&b'\n') {
        return Some("holds a line feed");
    }
    let attribute = [&b"SCHILY.xattr."[..], b"LIBARCHIVE.xattr."]
        .iter()
        .any(|prefix| key.starts_with(prefix));
    if attribute {
        // Attributes are binary: macOS writes short ones with NULs to every file.
        let longest = if value.contains(&0) {
            LONGEST_DESCRIPTION
        } else {
            LONGEST_ATTRIBUTE
        };
        return (value.len() > longest).then_some("is too long");
    }
    // node-tar ends values there, Python does not.
    if value.contains(&0) || key.contains(&0) {
        return Some("holds a NUL");
    }
    match key {
        // node-tar takes 0 and an empty name from these, Python falls back to the header.
        b"path" | b"linkpath" => value.is_empty().then_some("is empty"),
        b"size" | b"uid" | b"gid" => {
            (!is_safe_number(value)).then_some("is no number that all readers take alike")
        }
        b"mtime" | b"atime" | b"ctime" | b"LIBARCHIVE.creationtime" => {
            let mut parts = value.splitn(2, |byte| *byte == b'.');
            let whole = parts.next().is_some_and(is_safe_number);
            let fraction = parts.next().is_none_or(is_decimal);
            (!whole || !fraction).then_some("is no time that all readers take alike")
        }
        b"SCHILY.dev" | b"SCHILY.ino" | b"SCHILY.nlink" => {
            // The packer's disk may number from beyond JavaScript's reach, and nobody reads it.
            (!is_decimal(value.strip_prefix(b"-").unwrap_or(value))
                || value.len() > LONGEST_DESCRIPTION)
                .then_some("is no number")
        }
        b"hdrcharset" => (!matches!(value, b"ISO-IR 10646 2000 UTF-8" | b"BINARY"))
            .then_some("names a character set that readers do not share"),
        _ => (value.len() > LONGEST_DESCRIPTION).then_some("is too long"),
    }
}

fn is_decimal(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_safe_number(text: &[u8]) -> bool {
    is_decimal(text)
        && std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
            .is_some_and(|number| number <= LARGEST_SAFE)
}

fn parse_time(value: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(value).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(seconds.strip_prefix('-').unwrap_or(seconds)) || !digits(fraction) {
        return None;
    }
    let nanoseconds = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    Some((seconds.parse().ok()?, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let records = Records::parse(b"12 path=a/b\n21 comment=two\nlines\n", 0).unwrap();
        assert_eq!(records.value("path"), Some(&b"a/b"[..]));
        assert_eq!(records.value("comment"), Some(&b"two\nlines"[..]));
        assert_eq!(records.value("size"), None);
    }

    #[test]
    fn a_record_that_lies_about_itself_is_refused() {
        for bad in [
            &b"99 path=a\n"[..],
            b"path=a\n",
            b"11 path=a/b\n",
            b"+12 path=a/b",
            b"9 path-a\n",
            b"0 ",
            b"1 ",
            b"3 \n",
            b"2 x",
        ] {
            assert!(Records::parse(bad, 0).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn times_have_fractions() {
        assert_eq!(
            parse_time(b"1700000000.25"),
            Some((1_700_000_000, 250_000_000))
        );
        assert_eq!(parse_time(b"-1"), Some((-1, 0)));
        assert_eq!(parse_time(b"1e3"), None);
        assert_eq!(parse_time(b"."), None);
    }
}
