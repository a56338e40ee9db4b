//! PAX extended header records (POSIX.1-2001, `pax` interchange format): `length key=value\n`.

use std::collections::BTreeMap;

use crate::error::ReadError;

/// The records of one extended header; of a repeated key the last, as every reader takes it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records {
    /// Reads all records of a header whose content stands at `offset` of the tar.
    pub(crate) fn parse(content: &[u8], offset: u64) -> Result<Self, ReadError> {
        let bad = |reason: &str| ReadError::malformed(offset, format!("PAX record {reason}"));
        let mut records = BTreeMap::new();
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
            records.insert(key.to_vec(), value.get(1..).unwrap_or_default().to_vec());
            rest = next;
        }
        Ok(Self(records))
    }

    /// The value of a key. An empty value means that the key was deleted.
    pub(crate) fn value(&self, key: &str) -> Option<&[u8]> {
        self.0
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
        self.0
            .iter()
            .map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Adds the records of `later`, which win.
    pub(crate) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }
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
