//! Reads the first block of a deflate stream (RFC 1951, section 3.2) as symbols: what an encoder chose can be held against
//! another's choices one by one, long before either has written a byte. It only rules out; bytes prove.

use super::blocks::{
    DISTANCE_BASE, DISTANCE_EXTRA, LENGTH_BASE, LENGTH_EXTRA, LENGTH_ORDER, Symbol,
};

/// zlib's blocks are no longer, and more is not needed to tell encoders apart.
const MOST: usize = 16 * 1024;
const END_OF_BLOCK: usize = 256;
const LONGEST_CODE: usize = 15;

/// What a first block begins with.
#[derive(Debug)]
pub(super) struct FirstBlock {
    pub(super) symbols: Vec<Symbol>,
    /// Whether these are all.
    pub(super) ended: bool,
}

impl FirstBlock {
    /// Whether these symbols may stand in this block, the first of them at this place.
    pub(super) fn may_go_on_with(&self, at: usize, symbols: &[Symbol]) -> bool {
        let here = self.symbols.get(at..).unwrap_or_default();
        symbols.iter().zip(here).all(|(one, other)| one == other)
            && !(self.ended && symbols.len() > here.len())
    }

    /// The symbols that stand for no more than this many bytes.
    pub(super) fn within(&self, bytes: usize) -> &[Symbol] {
        let mut total = 0;
        let count = self
            .symbols
            .iter()
            .take_while(|symbol| {
                total += match symbol {
                    Symbol::Literal(_) => 1,
                    Symbol::Match { length, .. } => *length,
                };
                total <= bytes
            })
            .count();
        self.symbols.get(..count).unwrap_or_default()
    }
}

/// The symbols of the first block, as far as `stream` goes; `None` for a stored block, which has none, and for what is no
/// block at all.
pub(super) fn read(stream: &[u8]) -> Option<FirstBlock> {
    let mut bits = Bits {
        stream,
        at: 0,
        held: 0,
        count: 0,
    };
    bits.take(1)?;
    let (literals, distances) = match bits.take(2)? {
        1 => fixed(),
        2 => dynamic(&mut bits)?,
        _ => return None,
    };
    let mut block = FirstBlock {
        symbols: Vec::with_capacity(MOST),
        ended: false,
    };
    while block.symbols.len() < MOST {
        match symbol(&mut bits, &literals, &distances) {
            Some(Some(symbol)) => block.symbols.push(symbol),
            Some(None) => {
                block.ended = true;
                break;
            }
            // Where the stream is cut, or broken, what came before still is as it is.
            None => break,
        }
    }
    Some(block)
}

/// The next symbol; `Some(None)` is the end of the block.
fn symbol(bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<Option<Symbol>> {
    let code = literals.next(bits)?;
    if code == END_OF_BLOCK {
        return Some(None);
    }
    if let Ok(byte) = u8::try_from(code) {
        return Some(Some(Symbol::Literal(byte)));
    }
    let code = code - END_OF_BLOCK - 1;
    let length = usize::from(*LENGTH_BASE.get(code)?) + bits.take(*LENGTH_EXTRA.get(code)?)?;
    let code = distances.next(bits)?;
    let distance =
        usize::from(*DISTANCE_BASE.get(code)?) + bits.take(*DISTANCE_EXTRA.get(code)?)?;
    Some(Some(Symbol::Match { length, distance }))
}

fn fixed() -> (Code, Code) {
    let literals: Vec<u8> = (0..288).map(super::huffman::fixed_literal_length).collect();
    (Code::new(&literals), Code::new(&[5; 30]))
}

fn dynamic(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let lengths = bits.take(4)? + 4;
    let mut own = [0; LENGTH_ORDER.len()];
    for at in LENGTH_ORDER.iter().take(lengths) {
        *own.get_mut(*at)? = u8::try_from(bits.take(3)?).ok()?;
    }
    let code = Code::new(&own);
    let mut all: Vec<u8> = Vec::with_capacity(literals + distances);
    while all.len() < literals + distances {
        let (length, repeat) = match code.next(bits)? {
            16 => (*all.last()?, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            length => (u8::try_from(length).ok()?, 1),
        };
        all.extend(std::iter::repeat_n(length, repeat));
    }
    let (literals, distances) = all
        .get(..literals + distances)?
        .split_at_checked(literals)?;
    Some((Code::new(literals), Code::new(distances)))
}

/// A canonical Huffman code.
struct Code {
    /// How many codes there are of each length.
    counts: [usize; LONGEST_CODE + 1],
    /// In the order of their codes.
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; LONGEST_CODE + 1];
        let mut symbols: Vec<usize> = (0..lengths.len()).collect();
        symbols.retain(|symbol| lengths.get(*symbol).is_some_and(|length| *length > 0));
        symbols.sort_by_key(|symbol| lengths.get(*symbol).copied());
        for length in lengths.iter().filter(|length| **length > 0) {
            if let Some(count) = counts.get_mut(usize::from(*length)) {
                *count += 1;
            }
        }
        Self { counts, symbols }
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<usize> {
        // Codes of one length follow each other, and those of the next length come after them.
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in self.counts.iter().skip(1) {
            code |= bits.take(1)?;
            if let Some(ahead) = usize::checked_sub(code, first)
                && ahead < *count
            {
                return self.symbols.get(index + ahead).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

/// Bits from the lowest of each byte on.
struct Bits<'a> {
    stream: &'a [u8],
    at: usize,
    held: usize,
    count: u8,
}

impl Bits<'_> {
    fn take(&mut self, count: u8) -> Option<usize> {
        while self.count < count {
            self.held |= usize::from(*self.stream.get(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let bits = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Some(bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn literals_and_matches_come_out() {
        // `aaaaaaaaaa` as zlib writes it, with the fixed code.
        let block = read(&[0x4b, 0x84, 0x03, 0x00]).unwrap();
        assert!(block.ended);
        assert_eq!(
            block.symbols,
            [
                Symbol::Literal(b'a'),
                Symbol::Match {
                    length: 9,
                    distance: 1
                }
            ]
        );
        let cut = read(&[0x4b, 0x84]).unwrap();
        assert!(!cut.ended);
        assert!(read(&[0x01, 0, 0, 0xff, 0xff]).is_none());
        assert!(read(&[0x07]).is_none());
        assert!(read(&[]).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(stream in proptest::collection::vec(any::<u8>(), 0..400)) {
            drop(read(&stream));
        }
    }
}
