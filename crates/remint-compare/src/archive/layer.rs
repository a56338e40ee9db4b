//! Goes through the tar of a container image's layer (OCI image specification, "Image Layer Filesystem Changeset"): plain,
//! gzip or zstd, in one stream. What its entries do to a file system is told elsewhere, nothing is written anywhere.

use std::io::{self, Read};

use remint_model::{Anomaly, AnomalyKind, Sha256};
use sha2::Digest as _;

use super::Anomalies;
use super::blocks::TarStream;
use super::gzip::{GzipReader, Trailing};
use super::layer_tar;
use super::source::{Input, Source};
use super::zstandard::ZstandardReader;
use crate::error::{ArchiveError, ReadError, Side};
use crate::limits::Limits;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Frames to be skipped: `0x184D2A50` to `0x184D2A5F`, little-endian; some tools begin with one.
const SKIPPED: &[u8] = &[0x2a, 0x4d, 0x18];

/// What is known about a layer after its last entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// SHA-256 of the uncompressed tar: what an image's configuration calls its diff id.
    pub diff_id: Sha256,
    /// Bytes of the uncompressed tar.
    pub unpacked: u64,
    /// Where readers may see something else, or cannot read at all.
    pub anomalies: Vec<Anomaly>,
}

/// One entry, before its path is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerEntry<'a> {
    /// As the archive spells it.
    pub name: &'a [u8],
    /// A link's target.
    pub link: &'a [u8],
    /// What it makes.
    pub kind: LayerKind,
    /// Permission and special bits (`0o7777`).
    pub mode: u32,
    /// Bytes of content.
    pub size: u64,
    /// Whether attributes ask for capabilities, so that a program runs with more rights than those who start it.
    pub has_capabilities: bool,
    /// Whether attributes are those by which the kernel's overlay shows the content of another place, or hides some.
    pub steers_overlay: bool,
}

/// What kind of thing an entry of a layer makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A further name of a file.
    HardLink,
    /// A device, pipe or other special file.
    Special,
    /// A file whose content this reader cannot read: a sparse one.
    Unreadable,
}

/// The content of one entry.
pub struct LayerContent<'a> {
    source: &'a mut dyn Source,
    fault: Option<ReadError>,
}

impl Read for LayerContent<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer).map_err(|error| {
            self.fault = Some(error);
            io::Error::other("the layer cannot be read")
        })
    }
}

/// Goes through a layer once, to the end of its stream. What `visit` leaves unread of a content is skipped.
///
/// # Errors
/// It is malformed, exceeds the limits, or cannot be read; or what `visit` says.
pub fn layer<R: Read>(
    mut reader: R,
    limits: &Limits,
    visit: &mut dyn FnMut(LayerEntry<'_>, &mut LayerContent<'_>) -> io::Result<()>,
) -> Result<Layer, ArchiveError> {
    let mut first = Vec::new();
    let begun = (&mut reader).take(4).read_to_end(&mut first);
    let walked = begun.map_err(ReadError::from).and_then(|_| {
        let packed = io::Cursor::new(first.clone()).chain(reader);
        if first.starts_with(GZIP) {
            walk(GzipReader::new(packed, limits.unpacked)?, limits, visit)
        } else if first.starts_with(ZSTANDARD)
            || (first.ends_with(SKIPPED) && first.first().is_some_and(|byte| byte >> 4 == 5))
        {
            walk(ZstandardReader::new(packed), limits, visit)
        } else {
            walk(Input::new(packed), limits, visit)
        }
    });
    walked.map_err(|error| error.on(Side::Surveyed))
}

fn walk<S: TarStream>(
    stream: S,
    limits: &Limits,
    visit: &mut dyn FnMut(LayerEntry<'_>, &mut LayerContent<'_>) -> io::Result<()>,
) -> Result<Layer, ReadError> {
    let mut stream = Hashed {
        stream,
        hasher: sha2::Sha256::new(),
        unpacked: 0,
        limit: limits.unpacked,
    };
    let mut anomalies = Anomalies::default();
    layer_tar::walk(&mut stream, limits, &mut anomalies, &mut |entry, source| {
        let mut content = LayerContent {
            source,
            fault: None,
        };
        let visited = visit(entry, &mut content);
        match (content.fault, visited) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Ok(()),
        }
    })?;
    let anomalies = anomalies.finish();
    Ok(Layer {
        diff_id: Sha256::from_bytes(stream.hasher.finalize().into()),
        unpacked: stream.unpacked,
        anomalies: anomalies
            .into_iter()
            // Seekable layers are made of several members.
            .filter(|anomaly| anomaly.kind != AnomalyKind::TrailingGzipMember)
            .collect(),
    })
}

/// Counts and hashes all that comes through.
struct Hashed<S> {
    stream: S,
    hasher: sha2::Sha256,
    unpacked: u64,
    limit: u64,
}

impl<S: Source> Source for Hashed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let count = self.stream.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        self.unpacked += count as u64;
        if self.unpacked > self.limit {
            return Err(ReadError::TooLarge {
                what: "unpacked content",
                limit: self.limit,
            });
        }
        Ok(count)
    }
}

impl<S: TarStream> TarStream for Hashed<S> {
    fn trailing(&self) -> Trailing {
        self.stream.trailing()
    }
}
