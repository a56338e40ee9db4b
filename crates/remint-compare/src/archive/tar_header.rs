//! One 512-byte tar header block (POSIX.1-1988 ustar, GNU, V7), read to the letter.

use crate::error::ReadError;

pub(crate) const BLOCK: usize = 512;
pub(crate) type Block = [u8; BLOCK];

/// Which dialect a header's magic announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    V7,
    Ustar,
    Gnu,
    Other,
}

/// The fields of a header whose checksum is right.
#[derive(Debug)]
pub(crate) struct Header {
    /// Prefix and name joined, as readers of the dialect do.
    pub(crate) name: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) user: u64,
    pub(crate) group: u64,
    pub(crate) user_name: Vec<u8>,
    pub(crate) group_name: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) kind: u8,
    /// As its magic announces it.
    pub(crate) dialect: Dialect,
    /// What readers are known to understand in different ways, in words.
    pub(crate) disagreements: Vec<&'static str>,
    /// The header with its values blanked: how it was written, not what it says.
    pub(crate) spelling: Block,
}

pub(super) const NAME: std::ops::Range<usize> = 0..100;
pub(super) const MODE: std::ops::Range<usize> = 100..108;
pub(super) const USER: std::ops::Range<usize> = 108..116;
pub(super) const GROUP: std::ops::Range<usize> = 116..124;
pub(super) const SIZE: std::ops::Range<usize> = 124..136;
pub(super) const MTIME: std::ops::Range<usize> = 136..148;
pub(super) const CHECKSUM: std::ops::Range<usize> = 148..156;
pub(super) const KIND: usize = 156;
pub(super) const LINK: std::ops::Range<usize> = 157..257;
const MAGIC: std::ops::Range<usize> = 257..265;
pub(super) const USER_NAME: std::ops::Range<usize> = 265..297;
pub(super) const GROUP_NAME: std::ops::Range<usize> = 297..329;
pub(super) const DEVICE_MAJOR: std::ops::Range<usize> = 329..337;
pub(super) const DEVICE_MINOR: std::ops::Range<usize> = 337..345;
pub(super) const PREFIX: std::ops::Range<usize> = 345..500;
/// The largest number that JavaScript tells from its neighbours. node-tar throws at any other, skips the header
/// and takes the content for headers.
pub(crate) const LARGEST_SAFE: u64 = (1 << 53) - 1;

pub(super) fn field(block: &Block, range: std::ops::Range<usize>) -> &[u8] {
    block.get(range).unwrap_or_default()
}

impl Header {
    /// Reads a block that is not all zero and that stands at `offset` of the tar.
    pub(crate) fn parse(block: &Block, offset: u64) -> Result<Self, ReadError> {
        check_sum(block, offset)?;
        let mut disagreements = refused_by_some(block);
        let mut text = |range: std::ops::Range<usize>| {
            let (text, hidden) = text(field(block, range));
            if hidden {
                disagreements.push("bytes after the end of a text field");
            }
            text.to_vec()
        };
        let mut name = text(NAME);
        let link = text(LINK);
        let dialect = dialect(field(block, MAGIC));
        let (user_name, group_name) = match dialect {
            Dialect::Ustar | Dialect::Gnu => (text(USER_NAME), text(GROUP_NAME)),
            Dialect::V7 | Dialect::Other => (Vec::new(), Vec::new()),
        };
        let (prefix, after_prefix) = self::text(field(block, PREFIX));
        match dialect {
            Dialect::Ustar => {
                if after_prefix && !ends_with_star_times(field(block, PREFIX)) {
                    disagreements.push("bytes after the end of the name prefix");
                }
                if !prefix.is_empty() {
                    name = [prefix, b"/", &name].concat();
                }
            }
            Dialect::V7 | Dialect::Gnu | Dialect::Other => {
                // Python joins this field to the name whatever the dialect, node-tar only for ustar.
                if field(block, PREFIX).iter().any(|byte| *byte != 0) {
                    disagreements.push("a name prefix in a dialect that has none");
                }
            }
        }
        let mut number = |range: std::ops::Range<usize>, what: &str| {
            let field = field(block, range);
            let value = number(field).ok_or_else(|| {
                ReadError::malformed(offset, format!("tar header has no valid {what}"))
            })?;
            if !is_safe(field) {
                disagreements.push("a number that npm's reader refuses, and the header with it");
            }
            Ok::<_, ReadError>(value)
        };
        let mode = number(MODE, "mode")?;
        Ok(Self {
            name,
            link,
            mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
            user: unsigned(number(USER, "user id")?),
            group: unsigned(number(GROUP, "group id")?),
            user_name,
            group_name,
            size: u64::try_from(number(SIZE, "size")?)
                .map_err(|_| ReadError::malformed(offset, "tar header has a negative size"))?,
            mtime: number(MTIME, "modification time")?,
            kind: block[KIND],
            dialect,
            disagreements,
            spelling: spelling(block),
        })
    }
}

/// What makes some readers skip a header or end the archive at it, whatever its other fields say.
fn refused_by_some(block: &Block) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    if block.first() == Some(&0) {
        // node-tar skips such a header and takes the content for headers, pnpm ends the archive there.
        reasons.push("a header without a name");
    }
    let link = field(block, LINK).first().is_some_and(|byte| *byte != 0);
    if link && !matches!(block[KIND], b'1' | b'2' | b'x' | b'g') {
        // node-tar skips such a header, too.
        reasons.push("a link target in the header of what is no link");
    }
    let checksum = field(block, CHECKSUM);
    if is_base_256(checksum) || checksum.last().is_some_and(u8::is_ascii_digit) {
        // node-tar reads this field beyond its end.
        reasons.push("a checksum that does not end within its field");
    }
    if [MODE, SIZE]
        .into_iter()
        .any(|range| is_base_256(field(block, range)))
    {
        reasons.push("a mode or size in base 256, which pnpm does not read");
    }
    for range in [DEVICE_MAJOR, DEVICE_MINOR] {
        let device = field(block, range);
        if number(device).is_none() || is_base_256(device) {
            // Python ends the archive at a device number that it cannot read, also of a regular file.
            reasons.push("a device number that some readers refuse, and the header with it");
        }
    }
    reasons
}

/// Negative ids are written as two's complement by some packers; only their identity matters.
const fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}

fn dialect(magic: &[u8]) -> Dialect {
    match magic {
        b"ustar\x0000" => Dialect::Ustar,
        b"ustar  \0" => Dialect::Gnu,
        [0, 0, 0, 0, 0, 0, 0, 0] => Dialect::V7,
        _ => Dialect::Other,
    }
}

fn check_sum(block: &Block, offset: u64) -> Result<(), ReadError> {
    let stated = number(field(block, CHECKSUM));
    let sum: i64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            if CHECKSUM.contains(&at) {
                i64::from(b' ')
            } else {
                i64::from(*byte)
            }
        })
        .sum();
    if stated == Some(sum) {
        Ok(())
    } else {
        Err(ReadError::malformed(
            offset,
            "tar header checksum does not match",
        ))
    }
}

/// star, and node-tar after it, keep two times of 12 bytes where very long prefixes would end. All readers take
/// the same name then.
fn ends_with_star_times(prefix: &[u8]) -> bool {
    const TIMES: usize = 131;
    let Some((text, times)) = prefix.split_at_checked(TIMES) else {
        return false;
    };
    let (_, hidden) = self::text(text);
    !hidden
        && text.last() == Some(&0)
        && times
            .chunks(12)
            .all(|time| number(time).is_some() && is_safe(time))
}

/// The text up to the first NUL, and whether anything but NULs follows it.
pub(super) fn text(field: &[u8]) -> (&[u8], bool) {
    match field.iter().position(|byte| *byte == 0) {
        Some(end) => {
            let (text, rest) = field.split_at(end);
            (text, rest.iter().any(|byte| *byte != 0))
        }
        None => (field, false),
    }
}

/// Octal digits between optional blanks and NULs, or GNU's base 256; an empty field is 0. Blanks are spaces alone: before
/// another white space libarchive takes a number for 0 or the header for none.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if *first & 0x80 != 0 {
        let mut value: i64 = if *first & 0x40 != 0 { -1 } else { 0 };
        value = (value << 6) | i64::from(*first & 0x3f);
        for byte in rest {
            value = value.checked_mul(256)?.checked_add(i64::from(*byte))?;
        }
        return Some(value);
    }
    let blanks = field.iter().take_while(|byte| **byte == b' ').count();
    let digits = field.get(blanks..).unwrap_or_default();
    let end = digits
        .iter()
        .position(|byte| matches!(byte, b' ' | 0))
        .unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if !rest.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

fn is_base_256(field: &[u8]) -> bool {
    field.first().is_some_and(|first| first & 0x80 != 0)
}

/// Whether every reader takes a valid number alike: octal, or a base 256 that JavaScript and Python know.
fn is_safe(field: &[u8]) -> bool {
    !is_base_256(field)
        || field.first() == Some(&0x80)
            && number(field)
                .and_then(|value| u64::try_from(value).ok())
                .is_some_and(|value| value <= LARGEST_SAFE)
}

/// The block with digits of numbers made alike and texts removed.
fn spelling(block: &Block) -> Block {
    let mut spelling = *block;
    for range in [NAME, LINK, USER_NAME, GROUP_NAME, PREFIX] {
        if let Some(field) = spelling.get_mut(range) {
            field.fill(0);
        }
    }
    for range in [MODE, USER, GROUP, SIZE, MTIME, CHECKSUM] {
        for byte in spelling.get_mut(range).into_iter().flatten() {
            *byte = match *byte {
                b'0'..=b'7' => b'0',
                blank @ (0 | b' ') => blank,
                _ => b'?',
            };
        }
    }
    spelling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b" 644 \0\0\0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(b"\xff\xff\xff\xff"), Some(-1));
        assert_eq!(number(b"64x\0"), None);
        assert_eq!(number(b"64 4\0"), None);
        assert_eq!(number(b"-1\0"), None);
        for blank in *b"\t\r\n\x0b\x0c" {
            assert_eq!(number(&[blank, b'6', b'4', b'4', 0]), None);
        }
        assert_eq!(number(&[0xbf; 12]), None);
        assert_eq!(number(b""), None);
    }

    #[test]
    fn numbers_are_safe_as_far_as_javascript_counts() {
        assert!(is_safe(b"77777777"));
        assert!(is_safe(b"\x80\x1f\xff\xff\xff\xff\xff\xff"));
        assert!(!is_safe(b"\x80\x20\0\0\0\0\0\0"));
        assert!(!is_safe(b"\x81\0\0\0\0\0\0\0"));
        assert!(!is_safe(b"\xff\xff\xff\xff\xff\xff\xff\xff"));
    }
}
