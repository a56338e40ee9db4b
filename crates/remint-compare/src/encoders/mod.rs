//! Deflate encoders that packers use. Where two gzip streams hold the same bytes, one of these that makes the
//! published stream out of them proves that nothing but the encoder differs.
//!
//! Only the output counts, so zlib's and Node.js's are implementations of our own that break every tie as the
//! originals do. None is built for speed.

mod blocks;
mod first_block;
mod huffman;
mod matching;
mod work;

use std::io::{Read, Seek, SeekFrom};

use flate2::{Compress, Compression, FlushCompress, Status};

use crate::archive::gzip::GzipReader;
use crate::archive::source::{CHUNK, Input, Source};
use crate::error::{ArchiveError, ReadError, Side};
use first_block::FirstBlock;
use matching::{Deflate, Hash};
use work::{Foretold, TooMuchWork};

/// Larger tars are not encoded anew: it would take minutes.
const LARGEST: u64 = 128 << 20;

/// One encoder at one level.
#[derive(Debug, Clone, Copy)]
struct Encoder {
    name: &'static str,
    kind: Kind,
    level: u8,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Zlib(Hash),
    ZlibRs,
}

const fn encoder(name: &'static str, kind: Kind, level: u8) -> Encoder {
    Encoder { name, kind, level }
}

/// The likeliest first.
static ALL: &[Encoder] = &[
    encoder("Node.js zlib level 9", Kind::Zlib(Hash::Multiplied), 9),
    encoder("Node.js zlib level 6", Kind::Zlib(Hash::Multiplied), 6),
    encoder("zlib level 9", Kind::Zlib(Hash::Rolling), 9),
    encoder("zlib level 6", Kind::Zlib(Hash::Rolling), 6),
    encoder("zlib-rs level 9", Kind::ZlibRs, 9),
    encoder("zlib-rs level 6", Kind::ZlibRs, 6),
];

/// A gzip stream as npm writes it: RFC 1952 with a bare header and Node.js zlib's level 9.
#[must_use]
pub fn npm_gzip(tar: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
    let mut deflate = Deflate::new(9, Hash::Multiplied);
    out.extend(deflate.push(tar));
    out.extend(deflate.finish());
    let mut crc = flate2::Crc::new();
    crc.update(tar);
    out.extend(crc.sum().to_le_bytes());
    out.extend(crc.amount().to_le_bytes());
    out
}

/// The encoder that makes the published deflate stream out of the rebuilt archive's tar, if one of those known
/// here does.
pub(crate) fn explain<P: Read + Seek, R: Read + Seek>(
    published: &mut P,
    rebuilt: &mut R,
) -> Result<Option<&'static str>, ArchiveError> {
    let beginning = match Beginning::read(published, rebuilt) {
        Ok(beginning) => beginning,
        Err(ReadError::TooLarge { .. }) => return Ok(None),
        Err(error) => return Err(error.on(Side::Rebuilt)),
    };
    for encoder in ALL {
        let makes = match encoder.is_ruled_out(&beginning) {
            Ok(true) => Ok(false),
            Ok(false) => encoder.makes(published, rebuilt),
            Err(too_much) => Err(too_much.into()),
        };
        match makes {
            Ok(true) => return Ok(Some(encoder.name)),
            Ok(false) => {}
            // Both streams were read to their ends before, so only the length is new.
            Err(Stop::Reading(ReadError::TooLarge { .. }) | Stop::Working(TooMuchWork)) => {
                return Ok(None);
            }
            Err(Stop::Reading(error)) => return Err(error.on(Side::Rebuilt)),
        }
    }
    Ok(None)
}

/// Why the search for the encoder ends without an answer.
#[derive(Debug)]
enum Stop {
    Reading(ReadError),
    Working(TooMuchWork),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Reading(error)
    }
}

impl From<TooMuchWork> for Stop {
    fn from(error: TooMuchWork) -> Self {
        Self::Working(error)
    }
}

/// How much of both is looked at before an encoder is tried: more than one block of most tars.
const BEGINNING: usize = 128 * 1024;
/// How much is encoded where an encoder's choices are only seen once it has ended.
const FIRST_PIECE: usize = 16 * 1024;
/// What is chosen for the last of these bytes may depend on what comes after them: two of the longest matches, and more.
const OPEN_END: usize = 2 * 1024;

/// The beginnings of the rebuilt tar and of the published deflate stream.
struct Beginning {
    tar: Vec<u8>,
    /// `None` where it tells nothing.
    block: Option<FirstBlock>,
}

impl Beginning {
    fn read<P: Read + Seek, R: Read + Seek>(
        published: &mut P,
        rebuilt: &mut R,
    ) -> Result<Self, ReadError> {
        published.seek(SeekFrom::Start(0))?;
        rebuilt.seek(SeekFrom::Start(0))?;
        let of = |source: &mut dyn Source| {
            let mut bytes = vec![0; BEGINNING];
            let count = source.fill(&mut bytes)?;
            bytes.truncate(count);
            Ok::<_, ReadError>(bytes)
        };
        let deflated = of(&mut GzipReader::new(published, LARGEST)?.into_deflated())?;
        Ok(Self {
            tar: of(&mut GzipReader::new(rebuilt, LARGEST)?)?,
            block: first_block::read(&deflated),
        })
    }
}

impl Encoder {
    /// Whether this encoder begins with other choices than the published stream, as far as the beginnings tell.
    fn is_ruled_out(self, beginning: &Beginning) -> Result<bool, TooMuchWork> {
        let Some(block) = &beginning.block else {
            return Ok(false);
        };
        match self.kind {
            Kind::Zlib(hash) => {
                let mut deflate = Deflate::new(self.level, hash);
                let mut chosen = 0;
                let mut taken = 0;
                for piece in beginning.tar.chunks(PIECE) {
                    if !deflate.push(piece).is_empty() {
                        break;
                    }
                    taken += piece.len() as u64;
                    work::check(deflate.work(), taken)?;
                    let begun = deflate.begun();
                    if !block.may_go_on_with(chosen, begun.get(chosen..).unwrap_or_default()) {
                        return Ok(true);
                    }
                    chosen = begun.len();
                }
                Ok(false)
            }
            Kind::ZlibRs => {
                let piece = beginning.tar.get(..FIRST_PIECE);
                let Some(piece) = piece.filter(|piece| piece.len() < beginning.tar.len()) else {
                    return Ok(false);
                };
                let mut stream = self.start();
                let mut out = stream.push(piece)?;
                out.extend(stream.finish());
                let Some(chosen) = first_block::read(&out) else {
                    return Ok(false);
                };
                let certain = chosen.within(FIRST_PIECE - OPEN_END);
                Ok(!block.may_go_on_with(0, certain))
            }
        }
    }

    fn makes<P: Read + Seek, R: Read + Seek>(
        self,
        published: &mut P,
        rebuilt: &mut R,
    ) -> Result<bool, Stop> {
        published
            .seek(SeekFrom::Start(0))
            .map_err(ReadError::from)?;
        rebuilt.seek(SeekFrom::Start(0)).map_err(ReadError::from)?;
        let mut expected = GzipReader::new(published, LARGEST)?.into_deflated();
        let mut tar = GzipReader::new(rebuilt, LARGEST)?;
        let mut stream = self.start();
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = tar.read(&mut buffer)?;
            let piece = buffer.get(..count).unwrap_or_default();
            let out = if piece.is_empty() {
                stream.finish()
            } else {
                stream.push(piece)?
            };
            if !comes_next(&mut expected, &out)? {
                return Ok(false);
            }
            if count == 0 {
                return Ok(true);
            }
        }
    }

    fn start(self) -> Stream {
        match self.kind {
            Kind::Zlib(hash) => Stream::Zlib {
                deflate: Some(Deflate::new(self.level, hash)),
                taken: 0,
            },
            Kind::ZlibRs => Stream::ZlibRs {
                compress: Compress::new(Compression::new(u32::from(self.level)), false),
                foretold: Foretold::new(),
            },
        }
    }
}

fn comes_next<R: Read>(expected: &mut Input<R>, out: &[u8]) -> Result<bool, ReadError> {
    let mut found = vec![0; out.len()];
    let count = expected.fill(&mut found)?;
    Ok(count == out.len() && found == out)
}

/// How much is encoded at once, between looks at how much work it was.
const PIECE: usize = 1024;

/// An encoder at work.
enum Stream {
    Zlib {
        /// `None` once it has ended.
        deflate: Option<Deflate>,
        taken: u64,
    },
    ZlibRs {
        compress: Compress,
        foretold: Foretold,
    },
}

impl Stream {
    fn push(&mut self, input: &[u8]) -> Result<Vec<u8>, TooMuchWork> {
        let mut out = Vec::new();
        match self {
            Self::Zlib { deflate, taken } => {
                let Some(deflate) = deflate else {
                    return Ok(out);
                };
                for piece in input.chunks(PIECE) {
                    out.extend(deflate.push(piece));
                    *taken += piece.len() as u64;
                    work::check(deflate.work(), *taken)?;
                }
            }
            Self::ZlibRs { compress, foretold } => {
                foretold.push(input)?;
                out = run(compress, input, FlushCompress::None);
            }
        }
        Ok(out)
    }

    fn finish(&mut self) -> Vec<u8> {
        match self {
            Self::Zlib { deflate, .. } => deflate.take().map(Deflate::finish).unwrap_or_default(),
            Self::ZlibRs { compress, .. } => run(compress, &[], FlushCompress::Finish),
        }
    }
}

fn run(compress: &mut Compress, input: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(CHUNK);
    let mut rest = input;
    loop {
        let before = compress.total_in();
        let status = compress.compress_vec(rest, &mut out, flush);
        let read = usize::try_from(compress.total_in() - before).unwrap_or_default();
        rest = rest.get(read..).unwrap_or_default();
        let goes_on = match status {
            Ok(Status::Ok | Status::BufError) => {
                !rest.is_empty()
                    || out.len() == out.capacity()
                    || matches!(flush, FlushCompress::Finish)
            }
            Ok(Status::StreamEnd) | Err(_) => false,
        };
        if !goes_on {
            return out;
        }
        out.reserve(CHUNK);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use remint_model::Sha256;

    use super::*;

    /// What was recorded of the originals: CPython 3.11's zlib 1.2.13 and Node.js 20.20's zlib 1.3.1, raw
    /// deflate of the whole content in one piece.
    fn check(content: &[u8], kind: Kind, level: u8, length: usize, digest: &str) {
        for piece in [content.len().max(1), 1000] {
            let mut stream = encoder("", kind, level).start();
            let mut out = Vec::new();
            for piece in content.chunks(piece) {
                out.extend(stream.push(piece).unwrap());
            }
            out.extend(stream.finish());
            let found = Sha256::of(&out).to_string();
            assert_eq!((out.len(), &found[..16]), (length, digest), "{level}");
        }
    }

    /// What is ruled out by its beginning would have been refused byte for byte, and nothing else is.
    #[test]
    fn looking_at_beginnings_first_changes_no_answer() {
        let packed = |content: &[u8], deflated: &[u8]| {
            let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
            gzip.extend_from_slice(deflated);
            let mut crc = flate2::Crc::new();
            crc.update(content);
            gzip.extend(crc.sum().to_le_bytes());
            gzip.extend(crc.amount().to_le_bytes());
            gzip
        };
        let deflated = |content: &[u8], encoder: Encoder| {
            let mut stream = encoder.start();
            let mut out = stream.push(content).unwrap();
            out.extend(stream.finish());
            out
        };
        let levels = [0, 1, 3].map(|level| encoder("", Kind::ZlibRs, level));
        let levels = levels.into_iter().chain([
            encoder("", Kind::Zlib(Hash::Rolling), 5),
            encoder("", Kind::Zlib(Hash::Multiplied), 8),
        ]);
        let encoders: Vec<Encoder> = ALL.iter().copied().chain(levels).collect();
        let contents = [
            Vec::new(),
            b"a".to_vec(),
            words(400),
            noise(40_000, 256),
            [noise(20_000, 40), words(5000)].concat(),
            words(30_000),
        ];
        let mut found = BTreeSet::new();
        for content in &contents {
            let rebuilt = packed(content, &deflated(content, encoders[6]));
            for published in &encoders {
                let mut published = packed(content, &deflated(content, *published));
                for damaged in [false, true] {
                    if damaged && content.len() > 50_000 {
                        continue;
                    }
                    if damaged {
                        let at = published.len() * 2 / 3;
                        published[at] ^= 0x10;
                    }
                    let (mut one, mut other) = (Cursor::new(&published), Cursor::new(&rebuilt));
                    let answer = explain(&mut one, &mut other).unwrap();
                    let all_tried = ALL
                        .iter()
                        .find(|encoder| encoder.makes(&mut one, &mut other).unwrap());
                    assert_eq!(answer, all_tried.map(|encoder| encoder.name));
                    found.extend(answer);
                }
            }
        }
        assert!(found.len() > 4, "{found:?}");
    }

    /// Repeatable bytes: `spread` decides how many different ones there are.
    fn noise(length: usize, spread: u32) -> Vec<u8> {
        let mut state = 1_u32;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                ((state >> 16) % spread) as u8
            })
            .collect()
    }

    fn words(length: usize) -> Vec<u8> {
        let words: [&[u8]; 6] = [
            b"const ",
            b"function ",
            b"return ",
            b"{\n  ",
            b"}\n",
            b"x1 = ",
        ];
        noise(length, 6)
            .into_iter()
            .flat_map(|word| words[usize::from(word)].to_vec())
            .collect()
    }

    /// Two letters at random: whatever comes next has been there a thousand times, and never for long.
    fn two_letters(length: usize) -> Vec<u8> {
        noise(length, 2).iter().map(|byte| b'a' + byte).collect()
    }

    #[test]
    fn what_takes_an_encoder_far_longer_than_a_package_is_given_up() {
        for hash in [Hash::Rolling, Hash::Multiplied] {
            // As if it went on like that for a long time.
            let for_long = |content: &[u8]| {
                let mut deflate = Deflate::new(9, hash);
                drop(deflate.push(content));
                work::check(deflate.work() << 12, (content.len() as u64) << 12)
            };
            let package = include_bytes!("matching.rs");
            assert_eq!(for_long(package), Ok(()), "{hash:?}");
            assert_eq!(for_long(&two_letters(32 << 10)), Err(TooMuchWork));
        }
        let hostile = two_letters(512 << 10);
        assert_eq!(Foretold::new().push(&hostile), Err(TooMuchWork));
        let mut stream = encoder("", Kind::ZlibRs, 9).start();
        assert_eq!(stream.push(&hostile), Err(TooMuchWork));
        for honest in [vec![0; 4 << 20], noise(4 << 20, 256)] {
            assert_eq!(Foretold::new().push(&honest), Ok(()));
        }
    }

    const ZLIB: Kind = Kind::Zlib(Hash::Rolling);
    const NODE: Kind = Kind::Zlib(Hash::Multiplied);

    #[test]
    fn zlib_s_own_bytes_come_out() {
        check(b"", ZLIB, 6, 2, "9b4fb24edd6d1d88");
        check(b"a", ZLIB, 6, 3, "59fced9a2ff83dab");
        check(&noise(100_000, 256), ZLIB, 6, 100035, "71ae4b28584d61d6");
        check(&noise(40_000, 3), ZLIB, 6, 9678, "33cfd248e27832a7");
        check(&vec![0; 150_000], ZLIB, 6, 162, "305e4cc0e7e69c8e");
        check(&words(20_000), ZLIB, 6, 11946, "a72ec67ae1c07b65");
        check(
            &[noise(70_000, 40), noise(70_000, 40)].concat(),
            ZLIB,
            6,
            96692,
            "0f6cf2bf8a2e2c36",
        );
        check(b"", ZLIB, 9, 2, "9b4fb24edd6d1d88");
        check(b"a", ZLIB, 9, 3, "59fced9a2ff83dab");
        check(&noise(100_000, 256), ZLIB, 9, 100035, "71ae4b28584d61d6");
        check(&noise(40_000, 3), ZLIB, 9, 9912, "dd929d9382051235");
        check(&vec![0; 150_000], ZLIB, 9, 162, "305e4cc0e7e69c8e");
        check(&words(20_000), ZLIB, 9, 11008, "5aa7df89e55a5dd1");
        check(
            &[noise(70_000, 40), noise(70_000, 40)].concat(),
            ZLIB,
            9,
            96692,
            "0f6cf2bf8a2e2c36",
        );
    }

    #[test]
    fn node_s_bytes_come_out() {
        check(b"", NODE, 6, 2, "9b4fb24edd6d1d88");
        check(b"a", NODE, 6, 3, "59fced9a2ff83dab");
        check(&noise(100_000, 256), NODE, 6, 100035, "42eda202fdf03be2");
        check(&noise(40_000, 3), NODE, 6, 9671, "689f7f3c028d31a3");
        check(&vec![0; 150_000], NODE, 6, 162, "305e4cc0e7e69c8e");
        check(&words(20_000), NODE, 6, 12001, "4a3892f0131c5a78");
        check(
            &[noise(70_000, 40), noise(70_000, 40)].concat(),
            NODE,
            6,
            94875,
            "cfb688d2aa758642",
        );
        check(b"", NODE, 9, 2, "9b4fb24edd6d1d88");
        check(b"a", NODE, 9, 3, "59fced9a2ff83dab");
        check(&noise(100_000, 256), NODE, 9, 100035, "42eda202fdf03be2");
        check(&noise(40_000, 3), NODE, 9, 9905, "cbb33763949b8aa9");
        check(&vec![0; 150_000], NODE, 9, 162, "305e4cc0e7e69c8e");
        check(&words(20_000), NODE, 9, 11008, "5aa7df89e55a5dd1");
        check(
            &[noise(70_000, 40), noise(70_000, 40)].concat(),
            NODE,
            9,
            94875,
            "cfb688d2aa758642",
        );
    }
}
