//! zlib's way of finding repetitions (as deflate.c of zlib 1.2.x and 1.3.x does, default strategy): which
//! matches it takes decides the bytes that come out, so every tie is broken as zlib breaks it.

use super::blocks::{BlockWriter, Symbol};

const WINDOW: usize = 32 * 1024;
const WINDOW_MASK: usize = WINDOW - 1;
const SHORTEST: usize = 3;
const LONGEST: usize = 258;
/// With less than this ahead, zlib waits for more input.
const ENOUGH: usize = LONGEST + SHORTEST + 1;
const FARTHEST: usize = WINDOW - ENOUGH;
/// A match of three bytes from farther away costs more than it saves.
const TOO_FAR: usize = 4096;
const HASH_SIZE: usize = 1 << 15;
const HASH_MASK: u32 = HASH_SIZE as u32 - 1;
const HASH_SHIFT: u32 = 5;
const FACTOR: u32 = 66_521;

/// How hard a level tries (zlib's `configuration_table`).
#[derive(Debug, Clone, Copy)]
struct Effort {
    /// From this length on, a quarter of the chain is enough.
    good: usize,
    /// No better match is looked for after one of this length.
    lazy: usize,
    /// A match of this length ends the search.
    nice: usize,
    /// How many candidates are looked at.
    chain: usize,
}

const fn effort(level: u8) -> Effort {
    let (good, lazy, nice, chain) = match level {
        4 => (4, 4, 16, 16),
        5 => (8, 16, 32, 32),
        6 => (8, 16, 128, 128),
        7 => (8, 32, 128, 256),
        8 => (32, 128, 258, 1024),
        _ => (32, 258, 258, 4096),
    };
    Effort {
        good,
        lazy,
        nice,
        chain,
    }
}

/// How the next bytes are turned into a place in the table of earlier positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    /// zlib's own rolling hash.
    Rolling,
    /// Four bytes times a constant, as Chromium's zlib (and with it Node.js) does: matches of three bytes are
    /// found only by chance.
    Multiplied,
}

/// A deflate encoder for zlib's levels 4 to 9, which are the ones with lazy matching.
pub(super) struct Deflate {
    effort: Effort,
    hash: Hash,
    blocks: BlockWriter,
    /// Twice the window, and room for reading ahead of the last byte.
    window: Vec<u8>,
    /// The most recent position of each hash; 0 is none, also where position 0 is meant, as in zlib.
    head: Vec<u16>,
    /// The position before, with the same hash.
    previous: Vec<u16>,
    rolling: u32,
    at: usize,
    ahead: usize,
    /// Positions that could not be hashed for want of input.
    unhashed: usize,
    block_start: Option<usize>,
    length: usize,
    start: usize,
    pending_literal: bool,
    work: u64,
}

impl Deflate {
    pub(super) fn new(level: u8, hash: Hash) -> Self {
        Self {
            effort: effort(level),
            hash,
            blocks: BlockWriter::default(),
            window: vec![0; 2 * WINDOW + LONGEST + 8],
            head: vec![0; HASH_SIZE],
            previous: vec![0; WINDOW],
            rolling: 0,
            at: 0,
            ahead: 0,
            unhashed: 0,
            block_start: Some(0),
            length: SHORTEST - 1,
            start: 0,
            pending_literal: false,
            work: 0,
        }
    }

    /// Takes input; what can be written already is in the result.
    pub(super) fn push(&mut self, mut input: &[u8]) -> Vec<u8> {
        loop {
            if self.ahead < ENOUGH {
                self.fill(&mut input);
                if self.ahead < ENOUGH {
                    return self.blocks.take();
                }
            }
            self.step();
        }
    }

    /// What the block that is not written yet is made of so far.
    pub(super) fn begun(&self) -> &[Symbol] {
        self.blocks.begun()
    }

    /// How many candidates for matches have been looked at so far, and how much of them.
    pub(super) const fn work(&self) -> u64 {
        self.work
    }

    /// Ends the stream.
    pub(super) fn finish(mut self) -> Vec<u8> {
        while self.ahead > 0 {
            self.fill(&mut [].as_slice());
            self.step();
        }
        if self.pending_literal {
            let byte = self.window[self.at - 1];
            self.blocks.push(Symbol::Literal(byte));
        }
        self.flush(true);
        self.blocks.take()
    }

    /// Moves the window when its upper half is nearly used up, and reads as much as fits.
    fn fill(&mut self, input: &mut &[u8]) {
        while self.ahead < ENOUGH {
            if self.at >= WINDOW + FARTHEST {
                self.window.copy_within(WINDOW..2 * WINDOW, 0);
                self.at -= WINDOW;
                // Where a match began is only looked at in the step in which it was found.
                self.start = self.start.saturating_sub(WINDOW);
                self.block_start = self.block_start.and_then(|start| start.checked_sub(WINDOW));
                for position in self.head.iter_mut().chain(&mut self.previous) {
                    *position = position.saturating_sub(WINDOW as u16);
                }
            }
            if input.is_empty() {
                return;
            }
            let end = self.at + self.ahead;
            let count = input.len().min(2 * WINDOW - end);
            let (now, later) = input.split_at(count);
            self.window[end..end + count].copy_from_slice(now);
            *input = later;
            self.ahead += count;
            self.hash_what_was_left();
        }
    }

    fn hash_what_was_left(&mut self) {
        if self.ahead + self.unhashed < SHORTEST {
            return;
        }
        let mut position = self.at - self.unhashed;
        self.rolling = roll(u32::from(self.window[position]), self.window[position + 1]);
        while self.unhashed > 0 {
            self.insert(position);
            position += 1;
            self.unhashed -= 1;
            if self.ahead + self.unhashed < SHORTEST {
                break;
            }
        }
    }

    /// Enters a position into the table and returns the one that its hash had before.
    fn insert(&mut self, position: usize) -> usize {
        let hash = match self.hash {
            Hash::Rolling => {
                self.rolling = roll(self.rolling, self.window[position + 2]);
                self.rolling
            }
            Hash::Multiplied => {
                let bytes = &self.window[position..position + 4];
                let value = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                (value.wrapping_mul(FACTOR).wrapping_add(FACTOR) >> 16) & HASH_MASK
            }
        };
        let slot = &mut self.head[hash as usize];
        let before = *slot;
        // The window is 64 KiB, so positions fit.
        *slot = position as u16;
        self.previous[position & WINDOW_MASK] = before;
        usize::from(before)
    }

    /// One round of zlib's `deflate_slow`.
    fn step(&mut self) {
        let candidate = if self.ahead >= SHORTEST {
            self.insert(self.at)
        } else {
            0
        };
        let (earlier_length, earlier_start) = (self.length, self.start);
        self.length = SHORTEST - 1;
        if candidate != 0 && earlier_length < self.effort.lazy && self.at - candidate <= FARTHEST {
            self.length = self.longest(candidate, earlier_length);
            if self.length == SHORTEST && self.at - self.start > TOO_FAR {
                self.length = SHORTEST - 1;
            }
        }
        if earlier_length >= SHORTEST && self.length <= earlier_length {
            // The match that began one byte earlier is at least as good.
            let last_insertable = (self.at + self.ahead).saturating_sub(SHORTEST);
            self.blocks.push(Symbol::Match {
                length: earlier_length,
                distance: self.at - 1 - earlier_start,
            });
            self.ahead -= earlier_length - 1;
            for _ in 0..earlier_length - 2 {
                self.at += 1;
                if self.at <= last_insertable {
                    self.insert(self.at);
                }
            }
            self.pending_literal = false;
            self.length = SHORTEST - 1;
            self.at += 1;
            if self.blocks.is_full() {
                self.flush(false);
            }
        } else {
            if self.pending_literal {
                let byte = self.window[self.at - 1];
                self.blocks.push(Symbol::Literal(byte));
                if self.blocks.is_full() {
                    self.flush(false);
                }
            }
            self.pending_literal = true;
            self.at += 1;
            self.ahead -= 1;
        }
    }

    /// The longest match among earlier positions of the same hash that is longer than the one before; sets
    /// where it starts.
    fn longest(&mut self, candidate: usize, earlier_length: usize) -> usize {
        let mut chain = if earlier_length >= self.effort.good {
            self.effort.chain >> 2
        } else {
            self.effort.chain
        };
        let nice = self.effort.nice.min(self.ahead);
        let limit = self.at.saturating_sub(FARTHEST);
        let mut best = earlier_length;
        let mut candidate = candidate;
        let here = &self.window[self.at..self.at + LONGEST];
        loop {
            let there = &self.window[candidate..candidate + LONGEST];
            self.work += 1;
            // Most candidates fail at the byte that would make them longer than the best.
            if there[best] == here[best] && there[best - 1] == here[best - 1] {
                let length = here.iter().zip(there).take_while(|(a, b)| a == b).count();
                self.work += length as u64 / 8;
                if length > best {
                    self.start = candidate;
                    best = length;
                    if length >= nice {
                        break;
                    }
                }
            }
            candidate = usize::from(self.previous[candidate & WINDOW_MASK]);
            chain -= 1;
            if candidate <= limit || chain == 0 {
                break;
            }
        }
        best.min(self.ahead)
    }

    fn flush(&mut self, last: bool) {
        let stored = self.block_start.map(|start| &self.window[start..self.at]);
        self.blocks.end(stored, last);
        self.block_start = Some(self.at);
    }
}

const fn roll(hash: u32, byte: u8) -> u32 {
    ((hash << HASH_SHIFT) ^ byte as u32) & HASH_MASK
}
