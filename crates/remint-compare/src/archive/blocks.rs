//! The blocks of a tar, whichever rules its headers are read by: headers, texts and paddings one after the other, and what
//! stands after the end.

use std::io::Read;

use remint_model::{AnomalyKind, Sha256};
use sha2::Digest as _;

use super::Anomalies;
use super::gzip::{GzipReader, Trailing};
use super::source::{CHUNK, Input, Source, collect};
use super::tar_header::{BLOCK, Block};
use crate::error::ReadError;
use crate::limits::Limits;

/// A tar as it comes out of what it is packed in.
pub(super) trait TarStream: Source {
    /// What followed the end of the packed stream, where such a thing is told apart.
    fn trailing(&self) -> Trailing;
}

impl<R: Read> TarStream for GzipReader<R> {
    fn trailing(&self) -> Trailing {
        self.trailing()
    }
}

/// A tar that is not packed.
impl<R: Read> TarStream for Input<R> {
    fn trailing(&self) -> Trailing {
        Trailing::default()
    }
}

/// Where a tar is read to.
pub(super) struct Blocks<'a, S> {
    pub(super) stream: &'a mut S,
    pub(super) limits: &'a Limits,
    pub(super) anomalies: &'a mut Anomalies,
    pub(super) position: u64,
    framing: sha2::Sha256,
    headers: u64,
    zeros_at: Option<u64>,
}

impl<'a, S: TarStream> Blocks<'a, S> {
    pub(super) fn new(stream: &'a mut S, limits: &'a Limits, anomalies: &'a mut Anomalies) -> Self {
        Self {
            stream,
            limits,
            anomalies,
            position: 0,
            framing: sha2::Sha256::new(),
            headers: 0,
            zeros_at: None,
        }
    }

    /// A digest of all that is no content.
    pub(super) fn framing(self) -> Sha256 {
        Sha256::from_bytes(self.framing.finalize().into())
    }

    /// The next header and where it stands; `None` at the end of the archive.
    pub(super) fn header(&mut self) -> Result<Option<(Block, u64)>, ReadError> {
        loop {
            let at = self.position;
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            if block.iter().all(|byte| *byte == 0) {
                if self.zeros_at.is_some() {
                    return Ok(None);
                }
                self.zeros_at = Some(at);
                continue;
            }
            if let Some(zeros) = self.zeros_at.take() {
                // Python stops at a single zero block, node-tar and GNU tar go on, Go refuses the archive.
                self.anomalies.add(
                    AnomalyKind::GapBytes,
                    b"",
                    format!(
                        "a block of zeros at byte {zeros} of the tar, and more entries after it"
                    ),
                );
            }
            self.headers += 1;
            if self.headers > self.limits.entries {
                return Err(ReadError::TooManyEntries {
                    limit: self.limits.entries,
                });
            }
            return Ok(Some((block, at)));
        }
    }

    /// The next block; `None` at the end of the file.
    pub(super) fn block(&mut self) -> Result<Option<Block>, ReadError> {
        let mut block = [0; BLOCK];
        let count = self.stream.fill(&mut block)?;
        let read = block.get(..count).unwrap_or_default();
        self.framing.update(read);
        if count < BLOCK && read.iter().any(|byte| *byte != 0) {
            return Err(ReadError::malformed(self.position, "tar header is cut off"));
        }
        self.position += count as u64;
        Ok((count == BLOCK).then_some(block))
    }

    /// The content of an extended header.
    pub(super) fn text(
        &mut self,
        size: u64,
        limit: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, ReadError> {
        if size > limit {
            return Err(ReadError::TooLarge { what, limit });
        }
        let at = self.position;
        let mut content = Content {
            stream: self.stream,
            remaining: size,
        };
        let text = collect(&mut content, limit, what)?;
        if text.len() as u64 != size {
            return Err(ReadError::malformed(at, format!("{what} is cut off")));
        }
        self.framing.update(&text);
        self.position += size;
        self.padding(size, b"")?;
        Ok(text)
    }

    /// Hands the content of an entry to `visit`; `false` is what ends the walk. What is left unread is skipped.
    pub(super) fn content(
        &mut self,
        size: u64,
        name: &[u8],
        visit: impl FnOnce(&mut dyn Source, &mut Anomalies) -> Result<bool, ReadError>,
    ) -> Result<bool, ReadError> {
        let at = self.position;
        let mut content = Content {
            stream: self.stream,
            remaining: size,
        };
        if !visit(&mut content, self.anomalies)? {
            return Ok(false);
        }
        if content.remaining > 0 {
            content.drain(&mut |_| {})?;
        }
        if content.remaining > 0 {
            return Err(ReadError::malformed(at, "entry is cut off"));
        }
        self.position += size;
        self.padding(size, name)?;
        Ok(true)
    }

    /// Reads up to the next block boundary.
    fn padding(&mut self, size: u64, name: &[u8]) -> Result<(), ReadError> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        if over == 0 {
            return Ok(());
        }
        let mut padding = vec![0; BLOCK - over];
        let count = self.stream.fill(&mut padding)?;
        let padding = padding.get(..count).unwrap_or_default();
        self.framing.update(padding);
        self.position += count as u64;
        if padding.iter().any(|byte| *byte != 0) {
            self.anomalies.add(
                AnomalyKind::GapBytes,
                name,
                "the padding after the content is not zero",
            );
        }
        Ok(())
    }

    /// What follows the end of the tar: zeros up to its blocking factor, and the end of the file.
    pub(super) fn ending(&mut self) -> Result<(), ReadError> {
        let mut buffer = vec![0; CHUNK];
        let mut foreign = 0_u64;
        loop {
            let count = self.stream.read(&mut buffer)?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            self.framing.update(piece);
            foreign += piece.iter().filter(|byte| **byte != 0).count() as u64;
        }
        if foreign > 0 {
            self.anomalies.add(
                AnomalyKind::SuffixBytes,
                b"",
                format!("{foreign} bytes other than zero after the end of the tar"),
            );
        }
        self.stream.trailing().note(self.anomalies);
        Ok(())
    }

    /// Notes what readers understand in different ways.
    pub(super) fn disagree(&mut self, name: &[u8], detail: impl Into<String>) {
        self.anomalies
            .add(AnomalyKind::HeaderDisagreement, name, detail);
    }
}

/// The content of one entry.
struct Content<'a, S> {
    stream: &'a mut S,
    remaining: u64,
}

impl<S: Source> Source for Content<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let wanted = usize::try_from(self.remaining)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self
            .stream
            .read(buffer.get_mut(..wanted).unwrap_or_default())?;
        self.remaining -= count as u64;
        Ok(count)
    }
}
