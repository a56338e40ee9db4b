//! A Zstandard stream (RFC 8878), frame by frame. Frames to be skipped, which hold tables of contents, are skipped.

use std::io::{BufRead as _, BufReader, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::blocks::TarStream;
use super::gzip::Trailing;
use super::source::Source;
use crate::error::ReadError;

/// The largest window of a frame. Encoders use up to 8 MiB unless asked for more, and 128 MiB at most.
const LARGEST_WINDOW: u64 = 128 << 20;

/// The uncompressed bytes of all frames. The decoder holds a window of each, never the whole.
pub(crate) struct ZstandardReader<R> {
    input: BufReader<R>,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: Read> ZstandardReader<R> {
    pub(crate) fn new(inner: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST_WINDOW);
        Self {
            input: BufReader::new(inner),
            decoder,
            in_frame: false,
        }
    }

    /// Begins the next frame; `false` at the end of the stream.
    fn begin(&mut self) -> Result<bool, ReadError> {
        loop {
            if self.input.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.input) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped =
                        std::io::copy(&mut (&mut self.input).take(length), &mut std::io::sink())?;
                    if skipped < length {
                        return Err(malformed("a frame to be skipped is cut off"));
                    }
                }
                Err(error) => return Err(malformed(&error.to_string())),
            }
        }
    }
}

impl<R: Read> Source for ZstandardReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.begin()? {
                return Ok(0);
            }
            if self.decoder.can_collect() > 0 {
                let count = Read::read(&mut self.decoder, buffer)?;
                if count > 0 {
                    return Ok(count);
                }
            }
            if self.decoder.is_finished() {
                self.in_frame = false;
                continue;
            }
            self.decoder
                .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| malformed(&error.to_string()))?;
        }
    }
}

impl<R: Read> TarStream for ZstandardReader<R> {
    fn trailing(&self) -> Trailing {
        // What follows a frame is a frame, or malformed.
        Trailing::default()
    }
}

fn malformed(reason: &str) -> ReadError {
    let reason: String = reason.chars().take(200).collect();
    ReadError::malformed(0, format!("zstd stream: {reason}"))
}
