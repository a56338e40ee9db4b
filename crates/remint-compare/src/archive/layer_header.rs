//! One tar header block as Go's `archive/tar` reads it (`Reader.readHeader`): it is what container runtimes read layers
//! with. Where other readers see another name, that is told.

use super::tar_header::{
    Block, CHECKSUM, DEVICE_MAJOR, DEVICE_MINOR, GROUP, KIND, LINK, MODE, MTIME, NAME, PREFIX,
    SIZE, USER, field, number, text,
};
use crate::error::ReadError;

const MAGIC: std::ops::Range<usize> = 257..263;
const VERSION: std::ops::Range<usize> = 263..265;
const STAR_PREFIX: std::ops::Range<usize> = 345..476;
const STAR_END: std::ops::Range<usize> = 508..512;
const GNU_ACCESS: std::ops::Range<usize> = 345..357;
const GNU_CHANGE: std::ops::Range<usize> = 357..369;
/// Where the list of a sparse file's pieces goes on in a block of its own, in a header and in such a block.
const GNU_MORE: usize = 482;
const GNU_MORE_AGAIN: usize = 504;

/// The fields that decide what an entry makes.
pub(super) struct LayerHeader {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: u32,
    /// As stated; negative where the entry has no content that it could be of.
    pub(super) size: i64,
    pub(super) kind: u8,
    /// Whether the list of a sparse file's pieces goes on.
    pub(super) has_more_pieces: bool,
    /// Why other readers may see another name.
    pub(super) disagreement: Option<&'static str>,
}

/// Which of Go's formats a header is of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    V7,
    Ustar,
    Star,
    Gnu,
}

impl LayerHeader {
    /// Reads a block that is not all zero and that stands at `offset` of the tar.
    pub(super) fn parse(block: &Block, offset: u64) -> Result<Self, ReadError> {
        check_sum(block, offset)?;
        let malformed =
            |what: &str| ReadError::malformed(offset, format!("tar header has no valid {what}"));
        let number_of = |range: std::ops::Range<usize>, what: &str| {
            number(field(block, range)).ok_or_else(|| malformed(what))
        };
        let mode = number_of(MODE, "mode")?;
        let size = number_of(SIZE, "size")?;
        for (range, what) in [
            (USER, "user id"),
            (GROUP, "group id"),
            (MTIME, "modification time"),
        ] {
            number_of(range, what)?;
        }
        let format = format(block);
        if format != Format::V7 {
            number_of(DEVICE_MAJOR, "device number")?;
            number_of(DEVICE_MINOR, "device number")?;
        }
        let (prefix, disagreement) = prefix(block, format);
        let own = text(field(block, NAME)).0;
        Ok(Self {
            name: if prefix.is_empty() {
                own.to_vec()
            } else {
                [prefix, b"/", own].concat()
            },
            link: text(field(block, LINK)).0.to_vec(),
            mode: u32::try_from(mode & 0o7777).unwrap_or_default(),
            size,
            kind: block[KIND],
            has_more_pieces: block[GNU_MORE] != 0,
            disagreement,
        })
    }
}

/// Whether a block of a sparse file's pieces is followed by another.
pub(super) const fn has_more_pieces(block: &Block) -> bool {
    block[GNU_MORE_AGAIN] != 0
}

/// Of unsigned bytes, or of signed ones as Sun's tar wrote it.
fn check_sum(block: &Block, offset: u64) -> Result<(), ReadError> {
    let (mut unsigned, mut signed) = (0, 0);
    for (at, byte) in block.iter().enumerate() {
        let byte = if CHECKSUM.contains(&at) { b' ' } else { *byte };
        unsigned += i64::from(byte);
        signed += i64::from(byte.cast_signed());
    }
    let stated = number(field(block, CHECKSUM));
    if stated == Some(unsigned) || stated == Some(signed) {
        Ok(())
    } else {
        Err(ReadError::malformed(
            offset,
            "tar header checksum does not match",
        ))
    }
}

fn format(block: &Block) -> Format {
    match (field(block, MAGIC), field(block, VERSION)) {
        (b"ustar\0", _) if field(block, STAR_END) == b"tar\0" => Format::Star,
        (b"ustar\0", _) => Format::Ustar,
        (b"ustar ", b" \0") => Format::Gnu,
        _ => Format::V7,
    }
}

/// What stands before the name, and why others read another.
fn prefix(block: &Block, format: Format) -> (&[u8], Option<&'static str>) {
    let whole = text(field(block, PREFIX)).0;
    match format {
        Format::Ustar => (
            whole,
            (field(block, VERSION) != b"00" && !whole.is_empty())
                .then_some("a name prefix in a version of the format that has none"),
        ),
        Format::Star => {
            let prefix = text(field(block, STAR_PREFIX)).0;
            (
                prefix,
                (prefix != whole).then_some("a name prefix that ends elsewhere to some readers"),
            )
        }
        // Old versions of Go wrote a prefix where this dialect has two times.
        Format::Gnu => {
            let is_time = |range: std::ops::Range<usize>| {
                let time = field(block, range);
                time.first() == Some(&0) || number(time).is_some()
            };
            if is_time(GNU_ACCESS) && is_time(GNU_CHANGE) {
                (b"", None)
            } else if whole.is_ascii() {
                (whole, Some("a name prefix in a dialect that has none"))
            } else {
                (b"", Some("a name prefix in a dialect that has none"))
            }
        }
        // Python joins it to the name all the same.
        Format::V7 => (
            b"",
            (!whole.is_empty()).then_some("a name prefix in a dialect that has none"),
        ),
    }
}
