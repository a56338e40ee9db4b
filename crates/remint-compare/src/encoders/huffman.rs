//! Huffman codes of limited length as zlib builds them (trees.c, `build_tree`): with the same heap, the same
//! ties and the same way of shortening codes that are too long, or other bytes would come out.

use super::blocks::{DISTANCE_EXTRA, LENGTH_EXTRA};

/// Which of the three alphabets a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeKind {
    Literals,
    Distances,
    Lengths,
}

impl CodeKind {
    const fn longest(self) -> usize {
        match self {
            Self::Literals | Self::Distances => 15,
            Self::Lengths => 7,
        }
    }

    /// Bits that follow a symbol's code.
    fn extra(self, symbol: usize) -> u64 {
        let extra = match self {
            Self::Literals => symbol.checked_sub(257).and_then(|at| LENGTH_EXTRA.get(at)),
            Self::Distances => DISTANCE_EXTRA.get(symbol),
            Self::Lengths => match symbol {
                16 => Some(&2),
                17 => Some(&3),
                18 => Some(&7),
                _ => None,
            },
        };
        extra.map_or(0, |bits| u64::from(*bits))
    }

    /// The length of a symbol's code in a fixed block.
    fn fixed(self, symbol: usize) -> u64 {
        match self {
            Self::Literals => u64::from(fixed_literal_length(symbol)),
            Self::Distances => 5,
            Self::Lengths => 0,
        }
    }
}

/// A code, and what writing the symbols that it was made for costs.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) lengths: Vec<u8>,
    /// Bit-reversed, as they are written.
    pub(super) codes: Vec<u16>,
    /// One more than the last symbol that has a code.
    pub(super) used: usize,
    /// Bits of all symbols with their extra bits.
    pub(super) bits: u64,
    /// The same with the code of fixed blocks.
    pub(super) fixed_bits: u64,
}

/// Builds the code for symbols that occur this often.
pub(super) fn build(counts: &[u32], kind: CodeKind) -> Codes {
    let mut tree = Tree::new(counts);
    let mut used = counts
        .iter()
        .rposition(|count| *count != 0)
        .map_or(0, |last| last + 1);
    let mut costs = Costs::default();
    // Decoders want at least two codes, so that there is a tree.
    while tree.heap.len() < 2 {
        let forced = if used < 3 {
            used += 1;
            used - 1
        } else {
            0
        };
        tree.counts[forced] = 1;
        tree.heap.push(forced);
        costs.bits -= 1;
        costs.fixed_bits -= i64::try_from(kind.fixed(forced)).unwrap_or_default();
    }
    tree.merge();
    let lengths = tree.lengths(counts.len(), used, kind, &mut costs);
    Codes {
        codes: codes(&lengths),
        used,
        bits: u64::try_from(costs.bits).unwrap_or_default(),
        fixed_bits: u64::try_from(costs.fixed_bits).unwrap_or_default(),
        lengths,
    }
}

#[derive(Default)]
struct Costs {
    bits: i64,
    fixed_bits: i64,
}

struct Tree {
    /// Of symbols, then of the nodes above them.
    counts: Vec<u32>,
    depths: Vec<u8>,
    parents: Vec<usize>,
    /// A binary heap with the least frequent node first.
    heap: Vec<usize>,
    /// Nodes in the order in which they were merged.
    merged: Vec<usize>,
}

impl Tree {
    fn new(counts: &[u32]) -> Self {
        let nodes = counts.len() * 2 + 1;
        let mut all = counts.to_vec();
        all.resize(nodes, 0);
        Self {
            heap: (0..counts.len()).filter(|at| counts[*at] != 0).collect(),
            counts: all,
            depths: vec![0; nodes],
            parents: vec![0; nodes],
            merged: Vec::with_capacity(nodes),
        }
    }

    fn is_smaller(&self, one: usize, other: usize) -> bool {
        (self.counts[one], self.depths[one]) <= (self.counts[other], self.depths[other])
    }

    fn sift_down(&mut self, from: usize) {
        let node = self.heap[from];
        let mut at = from;
        loop {
            let mut child = 2 * at + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len()
                && self.is_smaller(self.heap[child + 1], self.heap[child])
            {
                child += 1;
            }
            if self.is_smaller(node, self.heap[child]) {
                break;
            }
            self.heap[at] = self.heap[child];
            at = child;
        }
        self.heap[at] = node;
    }

    /// Joins the two least frequent nodes until one is left.
    fn merge(&mut self) {
        for at in (0..self.heap.len() / 2).rev() {
            self.sift_down(at);
        }
        let mut next = self.counts.len() / 2;
        while self.heap.len() > 1 {
            let one = self.heap.swap_remove(0);
            self.sift_down(0);
            let other = self.heap[0];
            self.merged.push(one);
            self.merged.push(other);
            self.counts[next] = self.counts[one] + self.counts[other];
            self.depths[next] = self.depths[one].max(self.depths[other]) + 1;
            self.parents[one] = next;
            self.parents[other] = next;
            self.heap[0] = next;
            self.sift_down(0);
            next += 1;
        }
        self.merged.push(self.heap[0]);
    }

    /// The length of each symbol's code, none longer than allowed.
    fn lengths(&self, symbols: usize, used: usize, kind: CodeKind, costs: &mut Costs) -> Vec<u8> {
        let longest = kind.longest();
        let mut lengths = vec![0_usize; self.counts.len()];
        let mut per_length = [0_usize; 16];
        let mut too_long = 0_i32;
        let is_symbol = |node: usize| node < symbols && node < used;
        for node in self.merged.iter().rev().skip(1) {
            let mut length = lengths[self.parents[*node]] + 1;
            if length > longest {
                length = longest;
                too_long += 1;
            }
            lengths[*node] = length;
            if is_symbol(*node) {
                per_length[length] += 1;
                let count = i64::from(self.counts[*node]);
                let bits =
                    |code: u64| count * i64::try_from(code + kind.extra(*node)).unwrap_or_default();
                costs.bits += bits(length as u64);
                costs.fixed_bits += bits(kind.fixed(*node));
            }
        }
        if too_long > 0 {
            shorten(&mut per_length, too_long, longest);
            // Codes are handed out anew, the longest to the least frequent symbols.
            let mut by_frequency = self.merged.iter().filter(|node| is_symbol(**node));
            for length in (1..=longest).rev() {
                for node in by_frequency.by_ref().take(per_length[length]) {
                    let change = length as i64 - lengths[*node] as i64;
                    costs.bits += change * i64::from(self.counts[*node]);
                    lengths[*node] = length;
                }
            }
        }
        lengths
            .into_iter()
            .take(symbols)
            .map(|length| u8::try_from(length).unwrap_or_default())
            .collect()
    }
}

/// Makes room for codes that were cut to the longest length: each time, a shorter leaf becomes a node of two.
fn shorten(per_length: &mut [usize; 16], mut too_long: i32, longest: usize) {
    while too_long > 0 {
        let mut length = longest - 1;
        while per_length[length] == 0 {
            length -= 1;
        }
        per_length[length] -= 1;
        per_length[length + 1] += 2;
        per_length[longest] -= 1;
        too_long -= 2;
    }
}

/// Canonical codes for these lengths (RFC 1951, section 3.2.2).
fn codes(lengths: &[u8]) -> Vec<u16> {
    let mut per_length = [0_u16; 16];
    for length in lengths.iter().filter(|length| **length != 0) {
        per_length[usize::from(*length)] += 1;
    }
    let mut next = [0_u16; 16];
    let mut code = 0_u16;
    for length in 1..16 {
        code = code.wrapping_add(per_length[length - 1]).wrapping_shl(1);
        next[length] = code;
    }
    lengths
        .iter()
        .map(|length| match *length {
            0 => 0,
            length => {
                let slot = &mut next[usize::from(length)];
                let code = *slot;
                *slot = slot.wrapping_add(1);
                code.reverse_bits() >> (16 - u16::from(length))
            }
        })
        .collect()
}

pub(super) const fn fixed_literal_length(symbol: usize) -> u8 {
    match symbol {
        0..=143 => 8,
        144..=255 => 9,
        256..=279 => 7,
        _ => 8,
    }
}

pub(super) fn fixed_literals() -> Codes {
    fixed((0..288).map(fixed_literal_length).collect())
}

pub(super) fn fixed_distances() -> Codes {
    fixed(vec![5; 30])
}

fn fixed(lengths: Vec<u8>) -> Codes {
    Codes {
        codes: codes(&lengths),
        used: lengths.len(),
        bits: 0,
        fixed_bits: 0,
        lengths,
    }
}
