//! Files inside archives that are archives themselves: known by their first bytes, and read by the same rules as the
//! archive around them. What all of them together may cost is bounded here; nothing is compared.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::sync::Arc;

use remint_model::{ArtifactFormat, EntryPath, SignatureBlock};
use sha2::Digest as _;

use super::blocks::TarStream;
use super::build_listing::{Builder, Keep};
use super::gzip::{GzipReader, Trailing};
use super::listing::{Encoding, Kind, Listing, Owner, Written};
use super::source::{Input, Source, collect};
use super::tar_header::{BLOCK, Block, Header};
use super::{Anomalies, Flow, Seen, Visit, Walked, beside, tar, zip};
use crate::error::ReadError;
use crate::limits::Limits;

/// The largest archive inside an archive inside an archive; they are held in memory.
const LARGEST: u64 = 8 << 20;
/// What one archive may unpack to.
const UNPACKED: u64 = 128 << 20;
/// Entries of one archive.
const ENTRIES: u64 = 20_000;
/// What the content of a gzip that holds no tar is called in its listing.
const CONTENT: &[u8] = b"content";

/// What kind of archive a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Zip,
    Tar,
    GzippedTar,
    /// One file that was packed.
    Gzip,
}

impl Container {
    /// Told by the first bytes; whether the rest is in order is not looked at.
    pub(crate) fn of(content: &[u8]) -> Option<Self> {
        if content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if content.starts_with(&[0x1f, 0x8b, 8]) {
            let mut block = [0; BLOCK];
            let filled = GzipReader::new(content, BLOCK as u64)
                .and_then(|mut stream| stream.fill(&mut block));
            let begins_a_tar = matches!(filled, Ok(BLOCK)) && is_header(&block);
            Some(if begins_a_tar {
                Self::GzippedTar
            } else {
                Self::Gzip
            })
        } else {
            content
                .first_chunk()
                .is_some_and(is_header)
                .then_some(Self::Tar)
        }
    }

    /// Whether a file that begins so can be one.
    pub(crate) fn may_be(path: &EntryPath, head: &[u8]) -> bool {
        head.starts_with(b"PK")
            || head.starts_with(&[0x1f, 0x8b, 8])
            || path.file_name().to_ascii_lowercase().ends_with(".tar")
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::GzippedTar => "gzipped tar",
            Self::Gzip => "gzip",
        }
    }
}

fn is_header(block: &Block) -> bool {
    Header::parse(block, 0).is_ok_and(|header| !header.name.is_empty())
}

/// What looking into archives inside archives may still cost, over all of a comparison.
#[derive(Debug)]
pub(crate) struct Room {
    bytes: Cell<u64>,
    entries: Cell<u64>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            bytes: Cell::new(512 << 20),
            entries: Cell::new(100_000),
        }
    }
}

impl Room {
    pub(crate) fn is_used_up(&self) -> bool {
        self.bytes.get() == 0 || self.entries.get() == 0
    }

    /// Whether so little is left that a bound is no longer that of one archive.
    pub(crate) fn is_short(&self) -> bool {
        self.bytes.get() < UNPACKED || self.entries.get() < ENTRIES
    }

    fn limits(&self) -> Limits {
        Limits {
            unpacked: self.bytes.get().min(UNPACKED),
            entries: self.entries.get().min(ENTRIES),
            names: 4 << 20,
            extended_header: 64 << 10,
            ..Limits::default()
        }
    }

    fn spend(&self, bytes: u64) {
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }

    fn spend_entry(&self) {
        self.entries.set(self.entries.get().saturating_sub(1));
    }
}

/// Reads such an archive once and lists it. Paths keep their top folder.
pub(crate) fn list_inside(
    container: Container,
    archive: &[u8],
    room: &Room,
) -> Result<Listing, ReadError> {
    let limits = room.limits();
    let mut keep = KeepNothing;
    let mut anomalies = Anomalies::default();
    let mut builder = Builder::new(ArtifactFormat::Mcpb, &limits, &mut keep);
    let walked = walk(
        container,
        archive,
        &limits,
        room,
        &mut anomalies,
        &mut |seen, content, anomalies| builder.entry(seen, content, anomalies),
    )?;
    let gathered = builder.finish(&mut anomalies);
    Ok(gathered.listed(walked, anomalies).listing)
}

/// The contents of these entries of such an archive, by their numbers.
pub(crate) fn contents_inside(
    container: Container,
    archive: &[u8],
    room: &Room,
    wanted: &BTreeSet<u32>,
) -> Result<BTreeMap<u32, Vec<u8>>, ReadError> {
    let mut contents = BTreeMap::new();
    walk(
        container,
        archive,
        &room.limits(),
        room,
        &mut Anomalies::default(),
        &mut |seen, content, _| {
            if wanted.contains(&seen.index) {
                let content = collect(content, LARGEST, "an archive inside")?;
                contents.insert(seen.index, content);
            }
            Ok(if contents.len() == wanted.len() {
                Flow::Stop
            } else {
                Flow::Continue
            })
        },
    )?;
    Ok(contents)
}

/// A digest of the texts that stand beside the entries; `None` where it cannot be told.
pub(crate) fn texts_beside(
    container: Container,
    archive: &[u8],
    room: &Room,
) -> Result<Option<remint_model::Sha256>, ReadError> {
    let limits = room.limits();
    match container {
        Container::Zip => beside::of_zip(archive, &limits),
        Container::Gzip => Ok(Some(beside::of_gzip(archive))),
        Container::Tar => beside::of_tar(&mut Metered {
            stream: Input::new(archive),
            room,
        }),
        Container::GzippedTar => {
            let stream = GzipReader::new(archive, limits.unpacked)?;
            let of_tar = beside::of_tar(&mut Metered { stream, room })?;
            let of_gzip = beside::of_gzip(archive);
            Ok(of_tar.map(|of_tar| {
                let both = [of_tar.as_bytes().as_slice(), of_gzip.as_bytes()].concat();
                remint_model::Sha256::of(&both)
            }))
        }
    }
}

/// Goes through such an archive once, in its own order.
fn walk(
    container: Container,
    archive: &[u8],
    limits: &Limits,
    room: &Room,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<Walked, ReadError> {
    let mut visit = |seen: Seen<'_>, content: &mut dyn Source, anomalies: &mut Anomalies| {
        room.spend_entry();
        visit(seen, content, anomalies)
    };
    match container {
        Container::Zip => zip::walk(
            &mut Cursor::new(archive),
            true,
            limits,
            anomalies,
            &mut |seen, content, anomalies| {
                let stream: &mut dyn Source = content;
                visit(seen, &mut Metered { stream, room }, anomalies)
            },
        ),
        Container::Tar => {
            let stream = Input::new(archive);
            let mut stream = Metered { stream, room };
            let framing = tar::walk_stream(&mut stream, limits, anomalies, &mut visit)?;
            Ok(Walked {
                gzip: None,
                framing,
                signature: SignatureBlock::Absent,
            })
        }
        Container::GzippedTar => {
            let stream = GzipReader::new(archive, limits.unpacked)?;
            let gzip = stream.header();
            let mut stream = Metered { stream, room };
            let framing = tar::walk_stream(&mut stream, limits, anomalies, &mut visit)?;
            Ok(Walked {
                gzip: Some(gzip),
                framing,
                signature: SignatureBlock::Absent,
            })
        }
        Container::Gzip => {
            let stream = GzipReader::new(archive, limits.unpacked)?;
            let gzip = stream.header();
            let mut stream = Metered { stream, room };
            visit(only_file(), &mut stream, anomalies)?;
            stream.drain(&mut |_| {})?;
            stream.trailing().note(anomalies);
            Ok(Walked {
                gzip: Some(gzip),
                framing: remint_model::Sha256::from_bytes(sha2::Sha256::new().finalize().into()),
                signature: SignatureBlock::Absent,
            })
        }
    }
}

/// The content of a gzip as the only entry of an archive.
fn only_file() -> Seen<'static> {
    Seen {
        index: 0,
        name: CONTENT,
        link: b"",
        kind: Kind::File,
        mode: 0o644,
        size: 0,
        written: Written {
            mtime: (0, 0),
            owner: Arc::new(Owner::default()),
            attributes: None,
            encoding: Encoding::default(),
            packed: (0, 0),
        },
    }
}

/// Takes from the room what comes through.
struct Metered<'r, S> {
    stream: S,
    room: &'r Room,
}

impl<S: Source> Source for Metered<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let count = self.stream.read(buffer)?;
        self.room.spend(count as u64);
        Ok(count)
    }
}

impl<S: TarStream> TarStream for Metered<'_, S> {
    fn trailing(&self) -> Trailing {
        self.stream.trailing()
    }
}

struct KeepNothing;

impl Keep for KeepNothing {
    fn wants(&mut self, _: &EntryPath, _: u64) -> bool {
        false
    }

    fn take(&mut self, _: &EntryPath, _: Vec<u8>) {}

    fn blobs(&self) -> bool {
        false
    }
}
