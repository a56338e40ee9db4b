//! A key's own transparency log: append-only, laid out as C2SP tlog-tiles, servable as static files.
//!
//! It proves that a signature was entered and in which order; when, is the key holder's own word. Files are read and
//! written through [`LogFiles`], so that the same code serves a directory and a test.

mod consistency;
mod files;

use std::io;

use sigstore_types::Sha256Hash;
use tlog_tiles::{
    Checkpoint, Hash, HashReader, Tile, TileHashReader, TileReader, prove_record, record_hash,
    stored_hash_index, stored_hashes, tree_hash,
};

pub(crate) use consistency::LARGEST_TREE;
pub use consistency::{LogRelation, verify_checkpoints, verify_consistency};
pub use files::LogDirectory;
pub(crate) use files::write_whole;

use crate::key::{LogKey, SigningKey};

/// The height of tiles (C2SP tlog-tiles, "Merkle tree").
const TILE_HEIGHT: u8 = 8;

/// The most entries that one bundle of entries has.
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// The path of the signed tree head.
pub const CHECKPOINT: &str = "checkpoint";

/// The largest file of a log that is read, in bytes: 256 entries of the largest size.
pub(crate) const LARGEST_FILE: u64 = 256 * (u16::MAX as u64 + 2);

/// Where a log's files are.
pub trait LogFiles {
    /// The bytes at this path below the log's root, or `None` where there is no such file.
    ///
    /// # Errors
    /// It could not be found out.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// It was not written.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file could not be read or written.
    #[error("{path} of the log")]
    File {
        /// Below the log's root.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The log's files contradict each other, or its checkpoint.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// The checkpoint is not signed by this log's key.
    #[error("the checkpoint is not signed by {name}: {reason}")]
    Foreign {
        /// The log whose signature was expected.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The log does not continue the tree that was seen before.
    #[error("the log was {0}")]
    Diverged(LogRelation),
}

/// One entry's place in a log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inclusion {
    /// The entry's index.
    pub(crate) index: u64,
    /// How many entries the tree has.
    pub(crate) size: u64,
    /// The root.
    pub(crate) root: Sha256Hash,
    /// The proof (RFC 6962, section 2.1.1).
    pub(crate) hashes: Vec<Sha256Hash>,
    /// The signed checkpoint.
    pub(crate) checkpoint: String,
}

/// Enters records into the log of this key, and proves each.
///
/// The files are written so that a reader always finds a log that is consistent: tiles first, the checkpoint last.
/// Whoever calls this holds the lock of its directory ([`LogDirectory::lock`]).
pub(crate) fn append(
    files: &dyn LogFiles,
    key: &SigningKey,
    records: &[Vec<u8>],
) -> Result<Vec<Inclusion>, LogError> {
    let before = head(files, key.log())?;
    if before.is_none() {
        refuse_without_checkpoint(files)?;
    }
    let (size, hash) = before.as_ref().map_or((0, tlog_tiles::EMPTY_HASH), |head| {
        (head.size(), *head.hash())
    });
    let tiles = Tiles { files };
    let mut tree = Grown {
        tiles: &tiles,
        size,
        hash,
        first: stored_hash_index(0, size),
        new: Vec::new(),
    };
    let damaged = |error: tlog_tiles::Error| LogError::Damaged(error.to_string());
    let mut last = last_entries(files, size)?;
    let mut changed = Vec::new();
    for (at, record) in (size..).zip(records) {
        let hashes = stored_hashes(at, record, &tree).map_err(damaged)?;
        tree.new.extend(hashes);
        push_entry(&mut last, record)?;
        if (at + 1).is_multiple_of(TILE_WIDTH) {
            changed.push((
                entries_path(at / TILE_WIDTH, TILE_WIDTH),
                std::mem::take(&mut last),
            ));
        }
    }
    let grown = size + records.len() as u64;
    if !grown.is_multiple_of(TILE_WIDTH) {
        changed.push((entries_path(grown / TILE_WIDTH, grown % TILE_WIDTH), last));
    }
    for tile in Tile::new_tiles(TILE_HEIGHT, size, grown) {
        changed.push((tile_path(&tile), tile.read_data(&tree).map_err(damaged)?));
    }
    let root = tree_hash(grown, &tree).map_err(damaged)?;
    let checkpoint = sign_checkpoint(key, grown, root)?;
    let mut proofs = Vec::new();
    for index in size..grown {
        let proof = prove_record(grown, index, &tree).map_err(damaged)?;
        proofs.push(Inclusion {
            index,
            size: grown,
            root: Sha256Hash::new(root.0),
            hashes: proof
                .into_iter()
                .map(|hash| Sha256Hash::new(hash.0))
                .collect(),
            checkpoint: checkpoint.clone(),
        });
    }
    for (path, bytes) in &changed {
        write(files, path, bytes)?;
    }
    write(files, CHECKPOINT, checkpoint.as_bytes())?;
    Ok(proofs)
}

/// A log whose checkpoint is gone must not begin anew: that would be another log under the same name.
fn refuse_without_checkpoint(files: &dyn LogFiles) -> Result<(), LogError> {
    for width in 1..=TILE_WIDTH {
        let path = entries_path(0, width);
        if read(files, &path)?.is_some() {
            return Err(LogError::Damaged(format!(
                "there is {path}, and no checkpoint"
            )));
        }
    }
    Ok(())
}

/// The tree head that the log's checkpoint states, checked; `None` where the log is empty.
pub(crate) fn head(files: &dyn LogFiles, key: &LogKey) -> Result<Option<Checkpoint>, LogError> {
    match read(files, CHECKPOINT)? {
        Some(text) => consistency::open(&text, key).map(Some),
        None => Ok(None),
    }
}

fn sign_checkpoint(key: &SigningKey, size: u64, root: Hash) -> Result<String, LogError> {
    let damaged = |words: String| LogError::Damaged(words);
    let checkpoint = Checkpoint::new(key.log().name(), size, root, "")
        .map_err(|error| damaged(error.to_string()))?;
    let mut note = signed_note::Note::new(&checkpoint.to_bytes(), &[])
        .map_err(|error| damaged(error.to_string()))?;
    note.add_sigs(&[&key.log])
        .map_err(|error| damaged(error.to_string()))?;
    String::from_utf8(note.to_bytes()).map_err(|error| damaged(error.to_string()))
}

/// The tree with what was added to it and is not written yet.
struct Grown<'a> {
    tiles: &'a Tiles<'a>,
    size: u64,
    hash: Hash,
    /// The storage index of the first hash in `new`.
    first: u64,
    new: Vec<Hash>,
}

impl HashReader for Grown<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        let old: Vec<u64> = indexes
            .iter()
            .copied()
            .filter(|index| *index < self.first)
            .collect();
        // Checked against the signed root: what the directory holds is believed no further.
        let mut old = if old.is_empty() {
            Vec::new()
        } else {
            TileHashReader::new(self.size, self.hash, self.tiles).read_hashes(&old)?
        }
        .into_iter();
        indexes
            .iter()
            .map(|index| {
                let found = match index.checked_sub(self.first) {
                    None => old.next(),
                    Some(at) => usize::try_from(at)
                        .ok()
                        .and_then(|at| self.new.get(at).copied()),
                };
                found.ok_or(tlog_tiles::Error::IndexesNotInTree)
            })
            .collect()
    }
}

/// A log's tiles, as they lie in its files.
pub(crate) struct Tiles<'a> {
    pub(crate) files: &'a dyn LogFiles,
}

impl TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        tiles
            .iter()
            .map(|tile| {
                let path = tile_path(tile);
                let bytes = self
                    .files
                    .read(&path)
                    .map_err(|error| tlog_tiles::Error::InvalidInput(format!("{path}: {error}")))?
                    .ok_or_else(|| {
                        tlog_tiles::Error::InvalidInput(format!("there is no {path}"))
                    })?;
                if bytes.len() == tile.width() as usize * tlog_tiles::HASH_SIZE {
                    Ok(bytes)
                } else {
                    Err(tlog_tiles::Error::InvalidTile)
                }
            })
            .collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// The path of a tile: without the height, which is always 8 (C2SP tlog-tiles, "Paths").
fn tile_path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1)
}

/// The path of a bundle of entries.
fn entries_path(number: u64, width: u64) -> String {
    let width = u32::try_from(width).unwrap_or(1 << TILE_HEIGHT);
    Tile::new(TILE_HEIGHT, 0, number, width, true)
        .path()
        .replacen("tile/8/data/", "tile/entries/", 1)
}

/// The last bundle of entries, where it is not full.
fn last_entries(files: &dyn LogFiles, size: u64) -> Result<Vec<u8>, LogError> {
    if size.is_multiple_of(TILE_WIDTH) {
        return Ok(Vec::new());
    }
    let path = entries_path(size / TILE_WIDTH, size % TILE_WIDTH);
    read(files, &path)?.ok_or_else(|| LogError::Damaged(format!("there is no {path}")))
}

/// Adds a record with its length, two bytes (C2SP tlog-tiles, "Log entries").
fn push_entry(entries: &mut Vec<u8>, record: &[u8]) -> Result<(), LogError> {
    let length = u16::try_from(record.len())
        .map_err(|_| LogError::Damaged(format!("an entry of {} bytes", record.len())))?;
    entries.extend(length.to_be_bytes());
    entries.extend(record);
    Ok(())
}

/// The records of a bundle of entries.
pub(crate) fn records(mut entries: &[u8]) -> Option<Vec<&[u8]>> {
    let mut records = Vec::new();
    while let Some((length, rest)) = entries.split_first_chunk::<2>() {
        let (record, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        records.push(record);
        entries = rest;
    }
    entries.is_empty().then_some(records)
}

fn read(files: &dyn LogFiles, path: &str) -> Result<Option<Vec<u8>>, LogError> {
    files.read(path).map_err(|source| LogError::File {
        path: path.to_owned(),
        source,
    })
}

fn write(files: &dyn LogFiles, path: &str, bytes: &[u8]) -> Result<(), LogError> {
    files.write(path, bytes).map_err(|source| LogError::File {
        path: path.to_owned(),
        source,
    })
}

/// Whether every entry of the log leads to the root that its checkpoint states; how many there are.
///
/// # Errors
/// A file is missing or damaged, or the checkpoint is not the log's.
pub fn verify_log(files: &dyn LogFiles, key: &LogKey) -> Result<u64, LogError> {
    let Some(head) = head(files, key)? else {
        return Ok(0);
    };
    let tiles = Tiles { files };
    let tree = TileHashReader::new(head.size(), *head.hash(), &tiles);
    let damaged = |error: tlog_tiles::Error| LogError::Damaged(error.to_string());
    let mut number = 0;
    while number * TILE_WIDTH < head.size() {
        let from = number * TILE_WIDTH;
        let width = (head.size() - from).min(TILE_WIDTH);
        let path = entries_path(number, width);
        let bytes =
            read(files, &path)?.ok_or_else(|| LogError::Damaged(format!("there is no {path}")))?;
        let records = records(&bytes)
            .filter(|records| records.len() as u64 == width)
            .ok_or_else(|| LogError::Damaged(format!("{path} does not hold {width} entries")))?;
        let indexes: Vec<u64> = (from..from + width)
            .map(|index| stored_hash_index(0, index))
            .collect();
        let hashes = tree.read_hashes(&indexes).map_err(damaged)?;
        for (at, (record, hash)) in records.iter().zip(hashes).enumerate() {
            if record_hash(record) != hash {
                return Err(LogError::Damaged(format!(
                    "entry {} is not the one that the tree has",
                    from + at as u64
                )));
            }
        }
        number += 1;
    }
    Ok(head.size())
}
