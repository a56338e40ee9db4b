//! Reading an archive once more: what all such readings of one archive may cost is bounded, counted in the bytes that they go
//! through and not in those that are wanted.

use std::cell::Cell;
use std::io::{Read, Seek, SeekFrom};

use remint_model::ArtifactFormat;

use super::blocks::TarStream;
use super::gzip::{GzipReader, Trailing};
use super::source::Source;
use super::{Anomalies, Seen, Visit, single_file, tar, zip};
use crate::error::ReadError;
use crate::limits::Limits;

/// What may still be gone through of one archive.
#[derive(Debug)]
pub(crate) struct Allowance(Cell<u64>);

impl Allowance {
    /// So many times what an archive holds is enough for an honest one.
    const TIMES: u64 = 2;
    /// Small ones may be read as often as they like.
    const LEAST: u64 = 256 << 20;

    /// For an archive whose entries hold this many bytes.
    pub(crate) const fn new(contents: u64) -> Self {
        Self::of_bytes(
            contents
                .saturating_mul(Self::TIMES)
                .saturating_add(Self::LEAST),
        )
    }

    pub(crate) const fn of_bytes(bytes: u64) -> Self {
        Self(Cell::new(bytes))
    }

    fn spend(&self, bytes: u64) -> Result<(), ReadError> {
        let left = self.0.get();
        self.0.set(left.saturating_sub(bytes));
        if bytes > left {
            Err(ReadError::TooLarge {
                what: "what is read again",
                limit: left,
            })
        } else {
            Ok(())
        }
    }

    fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

/// Goes through an archive that has been read to its end before; `None` once the allowance is spent, whatever has been visited
/// by then.
pub(crate) fn walk_again<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
    allowance: &Allowance,
    visit: &mut Visit<'_>,
) -> Result<Option<()>, ReadError> {
    reader.seek(SeekFrom::Start(0))?;
    let anomalies = &mut Anomalies::default();
    let mut metered = |seen: Seen<'_>, stream: &mut dyn Source, anomalies: &mut Anomalies| {
        // Zips are gone through packed, for checksums.
        allowance.spend(seen.written.packed.0)?;
        visit(seen, &mut Metered { stream, allowance }, anomalies)
    };
    let walked: Result<(), ReadError> = if format == ArtifactFormat::GoProgram {
        single_file::walk(reader, limits, anomalies, &mut metered).map(drop)
    } else if format.is_zip() {
        let is_bundle = format == ArtifactFormat::Mcpb;
        zip::walk(reader, is_bundle, limits, anomalies, &mut metered).map(drop)
    } else {
        let stream = GzipReader::new(reader, limits.unpacked)?;
        let mut stream = Metered { stream, allowance };
        tar::walk_stream(&mut stream, limits, anomalies, visit).map(drop)
    };
    match walked {
        Ok(()) => Ok(Some(())),
        Err(ReadError::TooLarge { .. }) if allowance.is_spent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes from the allowance what comes through.
struct Metered<'a, S> {
    stream: S,
    allowance: &'a Allowance,
}

impl<S: Source> Source for Metered<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let count = self.stream.read(buffer)?;
        self.allowance.spend(count as u64)?;
        Ok(count)
    }
}

impl<S: TarStream> TarStream for Metered<'_, S> {
    fn trailing(&self) -> Trailing {
        self.stream.trailing()
    }
}
