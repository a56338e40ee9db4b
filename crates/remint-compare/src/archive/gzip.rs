//! A gzip stream (RFC 1952) read strictly: every header field is kept, every checksum checked, and whatever
//! follows the first member is named instead of silently read or dropped.

use std::io::Read;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use remint_model::{AnomalyKind, GzipHeader};

use super::Anomalies;
use super::source::{Input, Source};
use crate::error::ReadError;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const DEFLATE: u8 = 8;
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;
/// A stored name or comment longer than this is nobody's file name.
const LONGEST_TEXT: usize = 64 * 1024;

/// What followed the first member.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailing {
    /// Further members; readers disagree whether they belong to the content, so they are read.
    pub(crate) members: u64,
    /// Bytes after the last member.
    pub(crate) bytes: u64,
}

impl Trailing {
    pub(super) fn note(self, anomalies: &mut Anomalies) {
        if self.members > 0 {
            anomalies.add(
                AnomalyKind::TrailingGzipMember,
                b"",
                format!("{} more after the first", self.members),
            );
        }
        if self.bytes > 0 {
            anomalies.add(
                AnomalyKind::SuffixBytes,
                b"",
                format!("{} bytes after the end of the gzip stream", self.bytes),
            );
        }
    }
}

/// The uncompressed bytes of all members.
pub(crate) struct GzipReader<R> {
    input: Input<R>,
    inflate: Decompress,
    crc: Crc,
    header: GzipHeader,
    trailing: Trailing,
    unpacked: u64,
    limit: u64,
    ended: bool,
}

impl<R: Read> GzipReader<R> {
    /// Reads the first member's header. More than `limit` bytes of content are refused.
    pub(crate) fn new(inner: R, limit: u64) -> Result<Self, ReadError> {
        let mut input = Input::new(inner);
        let header = read_header(&mut input)?;
        Ok(Self {
            input,
            inflate: Decompress::new(false),
            crc: Crc::new(),
            header,
            trailing: Trailing::default(),
            unpacked: 0,
            limit,
            ended: false,
        })
    }

    /// The deflate stream after the header, packed.
    pub(crate) fn into_deflated(self) -> Input<R> {
        self.input
    }

    /// The first member's header.
    pub(crate) const fn header(&self) -> GzipHeader {
        self.header
    }

    /// What followed the first member, as far as has been read.
    pub(crate) const fn trailing(&self) -> Trailing {
        self.trailing
    }

    /// Checks the trailer of the member that has just ended and looks at what follows.
    fn finish_member(&mut self) -> Result<(), ReadError> {
        let at = self.input.position();
        let [c0, c1, c2, c3, s0, s1, s2, s3] = self.input.array::<8>("gzip trailer")?;
        if u32::from_le_bytes([c0, c1, c2, c3]) != self.crc.sum() {
            return Err(ReadError::malformed(
                at,
                "gzip checksum does not match the content",
            ));
        }
        if u32::from_le_bytes([s0, s1, s2, s3]) != self.crc.amount() {
            return Err(ReadError::malformed(
                at + 4,
                "gzip length does not match the content",
            ));
        }
        let next = self.input.peek()?;
        if next.is_empty() {
            self.ended = true;
        } else if next.starts_with(&MAGIC) || (next.len() == 1 && next.first() == MAGIC.first()) {
            read_header(&mut self.input)?;
            self.trailing.members += 1;
            self.inflate.reset(false);
            self.crc.reset();
        } else {
            self.trailing.bytes = self.input.drain(&mut |_| {})?;
            self.ended = true;
        }
        Ok(())
    }
}

impl<R: Read> Source for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        while !self.ended && !buffer.is_empty() {
            let at = self.input.position();
            let compressed = self.input.peek()?;
            if compressed.is_empty() {
                return Err(ReadError::malformed(at, "gzip stream is cut off"));
            }
            let (read_before, written_before) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self
                .inflate
                .decompress(compressed, buffer, FlushDecompress::None)
                .map_err(|error| ReadError::malformed(at, format!("deflate stream: {error}")))?;
            let read = to_usize(self.inflate.total_in() - read_before);
            let written = to_usize(self.inflate.total_out() - written_before);
            self.input.consume(read);
            self.crc.update(buffer.get(..written).unwrap_or_default());
            self.unpacked += written as u64;
            if self.unpacked > self.limit {
                return Err(ReadError::TooLarge {
                    what: "unpacked content",
                    limit: self.limit,
                });
            }
            match status {
                Status::StreamEnd => self.finish_member()?,
                Status::Ok | Status::BufError if read == 0 && written == 0 => {
                    return Err(ReadError::malformed(at, "deflate stream does not go on"));
                }
                Status::Ok | Status::BufError => {}
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// The difference of two totals of one call, which moves at most a buffer's length.
fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn read_header<R: Read>(input: &mut Input<R>) -> Result<GzipHeader, ReadError> {
    let at = input.position();
    let mut header = HeaderBytes {
        input,
        crc: Crc::new(),
    };
    let [
        magic0,
        magic1,
        method,
        flags,
        m0,
        m1,
        m2,
        m3,
        extra_flags,
        os,
    ] = header.array::<10>("gzip header")?;
    if [magic0, magic1] != MAGIC {
        return Err(ReadError::malformed(at, "not a gzip stream"));
    }
    if method != DEFLATE {
        return Err(ReadError::malformed(
            at + 2,
            format!("gzip method {method} is not deflate"),
        ));
    }
    if flags & RESERVED != 0 {
        return Err(ReadError::malformed(at + 3, "reserved gzip flags are set"));
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes(header.array::<2>("gzip extra field")?);
        header.exact(&mut vec![0; usize::from(length)], "gzip extra field")?;
    }
    if flags & NAME != 0 {
        header.skip_text("gzip file name")?;
    }
    if flags & COMMENT != 0 {
        header.skip_text("gzip comment")?;
    }
    if flags & HEADER_CRC != 0 {
        let expected = header.crc.sum().to_le_bytes();
        let at = header.input.position();
        let found = header.input.array::<2>("gzip header checksum")?;
        if !expected.starts_with(&found) {
            return Err(ReadError::malformed(
                at,
                "gzip header checksum does not match the header",
            ));
        }
    }
    Ok(GzipHeader {
        extra_flags,
        os,
        mtime: u32::from_le_bytes([m0, m1, m2, m3]),
        named: flags & NAME != 0,
    })
}

/// The bytes of a header, and their checksum.
struct HeaderBytes<'i, R> {
    input: &'i mut Input<R>,
    crc: Crc,
}

impl<R: Read> HeaderBytes<'_, R> {
    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        self.exact(&mut array, what)?;
        Ok(array)
    }

    fn exact(&mut self, buffer: &mut [u8], what: &str) -> Result<(), ReadError> {
        self.input.exact(buffer, what)?;
        self.crc.update(buffer);
        Ok(())
    }

    fn skip_text(&mut self, what: &str) -> Result<(), ReadError> {
        let at = self.input.position();
        for _ in 0..LONGEST_TEXT {
            if self.array::<1>(what)? == [0] {
                return Ok(());
            }
        }
        Err(ReadError::malformed(at, format!("{what} does not end")))
    }
}
