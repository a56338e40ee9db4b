//! The one way in which archive bytes are read: pieces in, a `ReadError` that knows its offset out.

use std::io::{Read, Seek, SeekFrom};

use crate::error::ReadError;

/// How much is read from the file, or handed on, at a time.
pub(crate) const CHUNK: usize = 64 * 1024;

/// A stream of bytes, decompressed or not.
pub(crate) trait Source {
    /// Fills a part of `buffer`; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError>;

    /// Fills `buffer` as far as the stream goes.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..)
            && !rest.is_empty()
        {
            match self.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(filled)
    }

    /// Hands every remaining piece to `take`.
    fn drain(&mut self, take: &mut dyn FnMut(&[u8])) -> Result<u64, ReadError> {
        let mut buffer = vec![0; CHUNK];
        let mut total = 0;
        loop {
            let count = self.read(&mut buffer)?;
            let piece = buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                return Ok(total);
            }
            total += count as u64;
            take(piece);
        }
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        (**self).read(buffer)
    }
}

/// Everything that is left of `source`, which is refused when it is more than `limit`.
pub(crate) fn collect(
    source: &mut dyn Source,
    limit: u64,
    what: &'static str,
) -> Result<Vec<u8>, ReadError> {
    let mut content = Vec::new();
    let mut exceeded = false;
    source.drain(&mut |piece| {
        if content.len() as u64 + piece.len() as u64 > limit {
            exceeded = true;
        } else if !exceeded {
            content.extend_from_slice(piece);
        }
    })?;
    if exceeded {
        Err(ReadError::TooLarge { what, limit })
    } else {
        Ok(content)
    }
}

/// A file with a buffer and a known position.
pub(crate) struct Input<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of the byte at `start`.
    position: u64,
}

impl<R: Read> Input<R> {
    /// Reads from `inner`, which stands at offset 0.
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            position: 0,
        }
    }

    /// The offset of the next byte.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// The buffered bytes, at least one unless the file has ended.
    pub(crate) fn peek(&mut self) -> Result<&[u8], ReadError> {
        if self.start == self.end {
            self.start = 0;
            self.end = loop {
                match self.inner.read(&mut self.buffer) {
                    Ok(count) => break count.min(self.buffer.len()),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.end = 0;
                        return Err(error.into());
                    }
                }
            };
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// Marks bytes that `peek` has shown as read.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.position += count as u64;
    }

    /// Exactly `N` bytes, or the reason why the file is malformed.
    pub(crate) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        self.exact(&mut array, what)?;
        Ok(array)
    }

    /// Fills all of `buffer`, or says why the file is malformed.
    pub(crate) fn exact(&mut self, buffer: &mut [u8], what: &str) -> Result<(), ReadError> {
        let at = self.position;
        if self.fill(buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(ReadError::malformed(at, format!("{what} is cut off")))
        }
    }
}

impl<R: Read + Seek> Input<R> {
    /// Goes to an offset; cheap when it is in the buffer.
    pub(crate) fn seek(&mut self, to: u64) -> Result<(), ReadError> {
        let ahead = to.checked_sub(self.position);
        if let Some(ahead) = ahead.and_then(|ahead| usize::try_from(ahead).ok())
            && ahead <= self.end - self.start
        {
            self.consume(ahead);
            return Ok(());
        }
        self.inner.seek(SeekFrom::Start(to))?;
        self.start = 0;
        self.end = 0;
        self.position = to;
        Ok(())
    }
}

impl<R: Read> Source for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let available = self.peek()?;
        let count = available.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), available.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}
