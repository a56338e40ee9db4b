//! What is no archive but one file, listed like an archive that holds it alone.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use remint_model::SignatureBlock;
use sha2::Digest as _;

use super::source::Source;
use super::{Anomalies, Encoding, Kind, Owner, Seen, Visit, Walked, Written};
use crate::error::ReadError;
use crate::limits::Limits;

/// What the file is called in listings: its own name says nothing about what it is.
const NAME: &[u8] = b"program";

/// Hands over the file.
pub(crate) fn walk<R: Read + Seek>(
    reader: &mut R,
    limits: &Limits,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<Walked, ReadError> {
    let size = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    if size > limits.unpacked {
        return Err(ReadError::TooLarge {
            what: "the file",
            limit: limits.unpacked,
        });
    }
    let mut content = Content { reader, left: size };
    let seen = Seen {
        index: 0,
        name: NAME,
        link: &[],
        kind: Kind::File,
        mode: 0o755,
        size,
        written: Written {
            mtime: (0, 0),
            owner: Arc::new(Owner::default()),
            attributes: None,
            encoding: Encoding::default(),
            packed: (0, 0),
        },
    };
    visit(seen, &mut content, anomalies)?;
    Ok(Walked {
        gzip: None,
        framing: remint_model::Sha256::from_bytes(sha2::Sha256::new().finalize().into()),
        signature: SignatureBlock::Absent,
    })
}

/// The file, as long as it was when it was opened.
struct Content<'a, R> {
    reader: &'a mut R,
    left: u64,
}

impl<R: Read> Source for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let count = self.reader.by_ref().take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
