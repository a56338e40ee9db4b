//! Keeps the beginning and the end of an output of any length, in bounded memory and a bounded file.

use std::collections::VecDeque;
use std::io::{self, Write};

/// How much of the end is kept apart, for error messages.
const TAIL_FOR_REPORTS: usize = 16 << 10;

/// Passes on the first half of its limit at once, remembers the last half, and counts what falls between.
pub(crate) struct CappedLog<'sink> {
    sink: &'sink mut dyn Write,
    head_left: u64,
    end: VecDeque<u8>,
    end_limit: usize,
    /// The last bytes of everything, whether they went to the head or not.
    tail: VecDeque<u8>,
    total: u64,
    left_out: u64,
}

/// What remains of the output when it is complete.
pub(crate) struct LogSummary {
    pub(crate) total: u64,
    pub(crate) tail: Vec<u8>,
}

impl<'sink> CappedLog<'sink> {
    pub(crate) fn new(sink: &'sink mut dyn Write, limit: u64) -> Self {
        let half = limit / 2;
        Self {
            sink,
            head_left: limit - half,
            end: VecDeque::new(),
            end_limit: usize::try_from(half).unwrap_or(usize::MAX),
            tail: VecDeque::new(),
            total: 0,
            left_out: 0,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.total = self.total.saturating_add(bytes.len() as u64);
        push_capped(&mut self.tail, bytes, TAIL_FOR_REPORTS);
        let head = usize::try_from(self.head_left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (head, rest) = bytes.split_at(head);
        self.head_left -= head.len() as u64;
        self.sink.write_all(head)?;
        let dropped = push_capped(&mut self.end, rest, self.end_limit);
        self.left_out = self.left_out.saturating_add(dropped);
        Ok(())
    }

    pub(crate) fn finish(self) -> io::Result<LogSummary> {
        if self.left_out > 0 {
            write!(
                self.sink,
                "\n[… {} bytes of output left out …]\n",
                self.left_out
            )?;
        }
        let (first, second) = self.end.as_slices();
        self.sink.write_all(first)?;
        self.sink.write_all(second)?;
        self.sink.flush()?;
        Ok(LogSummary {
            total: self.total,
            tail: self.tail.into(),
        })
    }
}

/// Appends, and drops from the front what exceeds `limit`. Returns how much was dropped.
fn push_capped(queue: &mut VecDeque<u8>, bytes: &[u8], limit: usize) -> u64 {
    let skipped = bytes.len().saturating_sub(limit);
    let (_, kept) = bytes.split_at(skipped);
    let excess = (queue.len() + kept.len()).saturating_sub(limit);
    queue.drain(..excess.min(queue.len()));
    queue.extend(kept);
    (skipped + excess) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(limit: u64, chunks: &[&str]) -> (String, LogSummary) {
        let mut sink = Vec::new();
        let mut log = CappedLog::new(&mut sink, limit);
        for chunk in chunks {
            log.push(chunk.as_bytes()).unwrap();
        }
        let summary = log.finish().unwrap();
        (String::from_utf8(sink).unwrap(), summary)
    }

    #[test]
    fn output_within_the_limit_is_kept_whole() {
        let (text, summary) = kept(10, &["hello", "world"]);
        assert_eq!(text, "helloworld");
        assert_eq!(
            (summary.total, summary.tail.as_slice()),
            (10, &b"helloworld"[..])
        );
    }

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end() {
        let (text, summary) = kept(8, &["0123", "45", "6789abcdefgh", "XY"]);
        assert_eq!(text, "0123\n[… 12 bytes of output left out …]\nghXY");
        assert_eq!(summary.total, 20);
    }

    #[test]
    fn however_it_is_cut_into_pieces_the_result_is_the_same() {
        let whole = "The quick brown fox jumps over the lazy dog";
        let (expected, _) = kept(11, &[whole]);
        for size in 1..whole.len() {
            let pieces: Vec<&str> = whole
                .as_bytes()
                .chunks(size)
                .map(|piece| std::str::from_utf8(piece).unwrap())
                .collect();
            assert_eq!(kept(11, &pieces).0, expected, "pieces of {size}");
        }
    }
}
