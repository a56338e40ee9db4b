//! zlib's way of writing deflate blocks (RFC 1951, section 3.2; trees.c of zlib): when a block ends, which of
//! the three kinds it becomes, and how its Huffman codes are built, down to how ties are broken.

use super::huffman::{CodeKind, Codes, build, fixed_distances, fixed_literals};

/// A block ends with the last of this many symbols (memory level 8).
const BLOCK: usize = 16 * 1024 - 1;
const END_OF_BLOCK: usize = 256;
const LITERALS: usize = 286;
const DISTANCES: usize = 30;
const LENGTHS: usize = 19;

/// Extra bits of the length codes from 257 on.
pub(super) const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
pub(super) const LENGTH_BASE: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
/// Extra bits of the distance codes.
pub(super) const DISTANCE_EXTRA: [u8; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];
pub(super) const DISTANCE_BASE: [u16; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
/// The order in which the lengths of the code length code are written.
pub(super) const LENGTH_ORDER: [usize; LENGTHS] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
const REPEAT: usize = 16;
const ZEROS: usize = 17;
const MANY_ZEROS: usize = 18;

/// What a block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Literal(u8),
    Match { length: usize, distance: usize },
}

/// Collects symbols into blocks and writes these as bits.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    symbols: Vec<Symbol>,
    out: Vec<u8>,
    bits: u64,
    bit_count: u32,
}

impl BlockWriter {
    pub(super) fn push(&mut self, symbol: Symbol) {
        self.symbols.push(symbol);
    }

    pub(super) fn is_full(&self) -> bool {
        self.symbols.len() >= BLOCK
    }

    /// What the block that is not ended yet is made of so far.
    pub(super) fn begun(&self) -> &[Symbol] {
        &self.symbols
    }

    /// The whole bytes written so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Writes the block. `stored` is its content, where the window still has it.
    pub(super) fn end(&mut self, stored: Option<&[u8]>, last: bool) {
        let symbols = std::mem::take(&mut self.symbols);
        let mut literal_counts = vec![0_u32; LITERALS];
        let mut distance_counts = vec![0_u32; DISTANCES];
        literal_counts[END_OF_BLOCK] = 1;
        for symbol in &symbols {
            match symbol {
                Symbol::Literal(byte) => literal_counts[usize::from(*byte)] += 1,
                Symbol::Match { length, distance } => {
                    literal_counts[257 + length_code(*length)] += 1;
                    distance_counts[distance_code(*distance)] += 1;
                }
            }
        }
        let literals = build(&literal_counts, CodeKind::Literals);
        let distances = build(&distance_counts, CodeKind::Distances);
        let runs = [run_lengths(&literals), run_lengths(&distances)].concat();
        let mut length_counts = vec![0_u32; LENGTHS];
        for (symbol, _) in &runs {
            length_counts[*symbol] += 1;
        }
        let lengths = build(&length_counts, CodeKind::Lengths);
        let length_codes = LENGTH_ORDER
            .iter()
            .rposition(|symbol| lengths.lengths[*symbol] != 0)
            .map_or(4, |last| (last + 1).max(4));

        let dynamic_bits =
            literals.bits + distances.bits + lengths.bits + 3 * length_codes as u64 + 5 + 5 + 4;
        let fixed_bits = literals.fixed_bits + distances.fixed_bits;
        let bytes = |bits: u64| (bits + 3 + 7) >> 3;
        let (dynamic, fixed) = (bytes(dynamic_bits), bytes(fixed_bits));
        let best = dynamic.min(fixed);
        let last = u32::from(last);
        match stored {
            Some(content) if content.len() as u64 + 4 <= best => self.stored(content, last),
            Some(_) | None if fixed == best => {
                self.put(1 << 1 | last, 3);
                self.symbols(&symbols, &fixed_literals(), &fixed_distances());
            }
            Some(_) | None => {
                self.put(2 << 1 | last, 3);
                self.put(count(literals.used - 257), 5);
                self.put(count(distances.used - 1), 5);
                self.put(count(length_codes - 4), 4);
                for symbol in LENGTH_ORDER.iter().take(length_codes) {
                    self.put(u32::from(lengths.lengths[*symbol]), 3);
                }
                for (symbol, repeat) in &runs {
                    self.code(&lengths, *symbol);
                    match *symbol {
                        REPEAT => self.put(count(repeat - 3), 2),
                        ZEROS => self.put(count(repeat - 3), 3),
                        MANY_ZEROS => self.put(count(repeat - 11), 7),
                        _ => {}
                    }
                }
                self.symbols(&symbols, &literals, &distances);
            }
        }
        if last == 1 {
            self.align();
        }
        self.symbols = symbols;
        self.symbols.clear();
    }

    fn stored(&mut self, content: &[u8], last: u32) {
        self.put(last, 3);
        self.align();
        // Chosen only where it is shorter, so the content is no longer than its symbols: below 64 KiB.
        let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
        self.out.extend(length.to_le_bytes());
        self.out.extend((!length).to_le_bytes());
        self.out.extend_from_slice(content);
    }

    fn symbols(&mut self, symbols: &[Symbol], literals: &Codes, distances: &Codes) {
        for symbol in symbols {
            match *symbol {
                Symbol::Literal(byte) => self.code(literals, usize::from(byte)),
                Symbol::Match { length, distance } => {
                    let code = length_code(length);
                    self.code(literals, 257 + code);
                    let extra = length - usize::from(LENGTH_BASE[code]);
                    self.put(count(extra), u32::from(LENGTH_EXTRA[code]));
                    let code = distance_code(distance);
                    self.code(distances, code);
                    let extra = distance - usize::from(DISTANCE_BASE[code]);
                    self.put(count(extra), u32::from(DISTANCE_EXTRA[code]));
                }
            }
        }
        self.code(literals, END_OF_BLOCK);
    }

    fn code(&mut self, codes: &Codes, symbol: usize) {
        self.put(
            u32::from(codes.codes[symbol]),
            u32::from(codes.lengths[symbol]),
        );
    }

    fn put(&mut self, bits: u32, count: u32) {
        self.bits |= u64::from(bits) << self.bit_count;
        self.bit_count += count;
        while self.bit_count >= 8 {
            self.out.push((self.bits & 0xff) as u8);
            self.bits >>= 8;
            self.bit_count -= 8;
        }
    }

    fn align(&mut self) {
        if self.bit_count > 0 {
            self.put(0, 8 - self.bit_count);
        }
    }
}

/// A count that a few bits hold.
fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or_default()
}

fn length_code(length: usize) -> usize {
    LENGTH_BASE
        .iter()
        .rposition(|base| usize::from(*base) <= length)
        .unwrap_or_default()
}

fn distance_code(distance: usize) -> usize {
    DISTANCE_BASE.partition_point(|base| usize::from(*base) <= distance) - 1
}

/// Code lengths as runs: the symbol of the code length code, and how many it stands for.
fn run_lengths(codes: &Codes) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let lengths = &codes.lengths[..codes.used];
    let mut at = 0;
    let mut before = None;
    while at < lengths.len() {
        let length = lengths[at];
        let most = match (length, before == Some(length)) {
            (0, _) => 138,
            (_, true) => 6,
            (_, false) => 7,
        };
        let run = lengths[at..]
            .iter()
            .take(most)
            .take_while(|next| **next == length)
            .count();
        at += run;
        let fewest = if before == Some(length) && length != 0 {
            3
        } else {
            4
        };
        match (length, run) {
            (0, 0..=2) => runs.extend(std::iter::repeat_n((0, 1), run)),
            (0, 3..=10) => runs.push((ZEROS, run)),
            (0, _) => runs.push((MANY_ZEROS, run)),
            (_, run) if run < fewest => {
                runs.extend(std::iter::repeat_n((usize::from(length), 1), run));
            }
            (_, run) if before == Some(length) => runs.push((REPEAT, run)),
            (_, run) => {
                runs.push((usize::from(length), 1));
                runs.push((REPEAT, run - 1));
            }
        }
        before = Some(length);
    }
    runs
}
