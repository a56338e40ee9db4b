//! Reads the layers of an image from the bottom up: each held against its digest and its diff id, and applied.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use remint_compare::{ArchiveError, LayerContent, LayerEntry, LayerKind, Limits};
use remint_ecosystem::oci::documents::{Blob, Configuration};
use remint_ecosystem::oci::filesystem::{
    BeyondLimits, Content, Entry, Filesystem, ImageLimits, Makes,
};
use remint_model::{
    AnomalyKind, AnomalyWeight, ImageLayer, ImageMismatch, InconclusiveReason, Sha1, Sha256,
};
use sha1::Digest as _;

use super::place::{Unread, check, malformed};

/// Bytes of all layers, uncompressed.
pub(super) const MOST_UNPACKED: u64 = 12 << 30;
/// Entries of one layer.
const MOST_ENTRIES: u64 = 500_000;
/// Set-user-id.
const SET_USER: u32 = 0o4000;

/// What the layers make.
pub(super) struct Applied {
    pub(super) filesystem: Filesystem,
    pub(super) layers: Vec<ImageLayer>,
    pub(super) mismatches: Vec<ImageMismatch>,
}

/// How much is read of a layer, where there is still room for so many bytes.
pub(super) fn limits(room: u64) -> Limits {
    Limits {
        unpacked: room,
        entries: MOST_ENTRIES,
        ..Limits::default()
    }
}

/// Applies the layers, whose files are given in their order.
pub(super) fn apply(
    layers: &[Blob],
    files: &[PathBuf],
    configuration: &Configuration,
) -> Result<Applied, Unread> {
    let mut applied = Applied {
        filesystem: Filesystem::new(ImageLimits::default()),
        layers: Vec::new(),
        mismatches: Vec::new(),
    };
    let mut room = MOST_UNPACKED;
    for (at, (blob, file)) in layers.iter().zip(files).enumerate() {
        let mut hashed = Hashed::new(io::BufReader::new(fs_err::File::open(file)?));
        let filesystem = &mut applied.filesystem;
        let (mut entries, mut beyond) = (0, None);
        let read = remint_compare::layer(&mut hashed, &limits(room), &mut |entry, content| {
            entries += 1;
            one(filesystem, entry, content)?.map_err(|limit| {
                beyond = Some(limit);
                io::Error::other(limit)
            })
        });
        let read = match (beyond, read) {
            (Some(limit), _) => {
                return Err(Unread::Because(
                    InconclusiveReason::Unsupported,
                    limit.to_string(),
                ));
            }
            (None, Ok(read)) => read,
            (None, Err(error)) => return Err(unreadable(&format!("layer {at}"), error)),
        };
        // What stands after the end of the packed stream belongs to the digest, too.
        io::copy(&mut hashed, &mut io::sink())?;
        check(&format!("layer {at}"), blob.digest, hashed.finish())?;
        for anomaly in &read.anomalies {
            let weight = if anomaly.kind == AnomalyKind::GapBytes {
                AnomalyWeight::Odd
            } else {
                AnomalyWeight::Ambiguous
            };
            filesystem.note(weight, anomaly.kind, &anomaly.path, &anomaly.detail);
        }
        filesystem.end_layer();
        room = room.saturating_sub(read.unpacked);
        if let Some(declared) = configuration.diff_ids.get(at)
            && *declared != read.diff_id
        {
            applied.mismatches.push(ImageMismatch {
                what: format!("the uncompressed layer {at}"),
                declared: format!("sha256:{declared}"),
                actual: format!("sha256:{}", read.diff_id),
            });
        }
        applied.layers.push(ImageLayer {
            digest: blob.digest,
            size: blob.size,
            diff_id: read.diff_id,
            unpacked: read.unpacked,
            media_type: blob.media_type.clone(),
            created_by: configuration.created_by.get(at).cloned().flatten(),
            entries,
            of_base: false,
        });
    }
    Ok(applied)
}

/// Why a layer, or what else is named, is not read.
pub(super) fn unreadable(what: &str, error: ArchiveError) -> Unread {
    match error {
        ArchiveError::Io { source, .. } => source.into(),
        ArchiveError::TooLarge { .. } | ArchiveError::TooManyEntries { .. } => {
            Unread::Because(InconclusiveReason::Unsupported, format!("{what}: {error}"))
        }
        ArchiveError::Malformed { .. } => malformed(format_args!("{what}: {error}")),
    }
}

/// Applies one entry; the inner error says that there are too many.
fn one(
    filesystem: &mut Filesystem,
    entry: LayerEntry<'_>,
    content: &mut LayerContent<'_>,
) -> io::Result<Result<(), BeyondLimits>> {
    if entry.steers_overlay {
        filesystem.note(
            AnomalyWeight::Escapes,
            AnomalyKind::LinkEntry,
            &String::from_utf8_lossy(entry.name)
                .escape_debug()
                .to_string(),
            "attributes of the kernel's overlay, by which it shows the content of another place or hides some",
        );
    }
    // Capabilities are rights of root, too.
    let mode = if entry.has_capabilities {
        entry.mode | SET_USER
    } else {
        entry.mode
    };
    let makes = match entry.kind {
        LayerKind::File => Makes::File(read(filesystem, entry, content)?),
        LayerKind::Directory => Makes::Directory,
        LayerKind::SymbolicLink => Makes::SymbolicLink(entry.link),
        LayerKind::HardLink => Makes::HardLink(entry.link),
        LayerKind::Special => Makes::Special,
        LayerKind::Unreadable => Makes::Unreadable(entry.size),
    };
    Ok(filesystem.apply(Entry {
        name: entry.name,
        mode,
        makes,
    }))
}

fn read(
    filesystem: &mut Filesystem,
    entry: LayerEntry<'_>,
    content: &mut LayerContent<'_>,
) -> io::Result<Content> {
    let mut sha256 = sha2::Sha256::new();
    let mut blob = sha1::Sha1::new();
    blob.update(format!("blob {}\0", entry.size));
    let size = usize::try_from(entry.size).unwrap_or(usize::MAX);
    let mut text = filesystem.keeps(entry.name, size).then(Vec::new);
    let mut head = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = content.read(&mut buffer)?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        sha256.update(piece);
        blob.update(piece);
        let missing = 4_usize.saturating_sub(head.len());
        head.extend(piece.iter().take(missing));
        if let Some(text) = &mut text {
            text.extend_from_slice(piece);
        }
    }
    let blob = Sha1::from_bytes(blob.finalize().into());
    Ok(Content {
        size: entry.size,
        sha256: Sha256::from_bytes(sha256.finalize().into()),
        blob: blob
            .to_string()
            .parse()
            .map_err(|_| io::Error::other("a digest is no commit id"))?,
        runs: [&b"#!"[..], b"\x7fELF", b"MZ", b"\0asm"]
            .iter()
            .any(|magic| head.starts_with(magic)),
        text: text.map(Arc::new),
    })
}

/// Hashes what comes out of a file.
pub(super) struct Hashed<R> {
    inner: R,
    hasher: sha2::Sha256,
}

impl<R> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            hasher: sha2::Sha256::new(),
        }
    }

    /// The digest of all that was read.
    pub(super) fn finish(self) -> Sha256 {
        Sha256::from_bytes(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
