//! How much an encoder may have to do: the search for the one that was used ends where a text is made to take minutes. It is
//! counted and never timed, so that one pair of archives has one answer everywhere.

/// What looking for matches may cost before it is held against what has been encoded.
const FREE: u64 = 1 << 26;
/// What it may cost for each byte on average. Packages take from 4 to 31 at the highest level, texts made for it thousands.
const EACH_BYTE: u64 = 100;
/// The same of what is foretold, which is more than what is done: from 80 to 200 in packages.
const EACH_BYTE_FORETOLD: u64 = 500;

/// More than so many bytes are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMuchWork;

pub(super) const fn check(work: u64, bytes: u64) -> Result<(), TooMuchWork> {
    check_against(work, bytes, EACH_BYTE)
}

const fn check_against(work: u64, bytes: u64, each_byte: u64) -> Result<(), TooMuchWork> {
    if work > FREE.saturating_add(bytes.saturating_mul(each_byte)) {
        Err(TooMuchWork)
    } else {
        Ok(())
    }
}

const WINDOW: usize = 32 * 1024;
const CHAIN: u16 = 4096;

/// Foretells what an encoder that cannot be asked would have to do at its most: how often the next three bytes have stood in
/// the window before. Runs of one byte are found at once.
pub(super) struct Foretold {
    /// How often each hash is in the window.
    counts: Vec<u16>,
    /// The hashes in the window.
    window: Vec<u16>,
    at: usize,
    bytes: u64,
    last: u32,
    work: u64,
}

impl Foretold {
    pub(super) fn new() -> Self {
        Self {
            counts: vec![0; WINDOW],
            window: vec![0; WINDOW],
            at: 0,
            bytes: 0,
            last: 0,
            work: 0,
        }
    }

    /// Takes a piece of what is to be encoded.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), TooMuchWork> {
        for byte in piece {
            let three = (self.last << 8 | u32::from(*byte)) & 0xff_ffff;
            let in_a_run = three == self.last;
            self.last = three;
            let hash = (three.wrapping_mul(0x9e37_79b1) >> 17) as u16;
            let leaves = self.window.get_mut(self.at % WINDOW);
            let leaves = leaves.map(|slot| std::mem::replace(slot, hash));
            if self.at >= WINDOW
                && let Some(count) =
                    leaves.and_then(|leaves| self.counts.get_mut(usize::from(leaves)))
            {
                *count = count.saturating_sub(1);
            }
            if let Some(count) = self.counts.get_mut(usize::from(hash)) {
                if !in_a_run {
                    self.work += u64::from((*count).min(CHAIN));
                }
                *count += 1;
            }
            self.at += 1;
        }
        self.bytes += piece.len() as u64;
        check_against(self.work, self.bytes, EACH_BYTE_FORETOLD)
    }
}
