//! An entry that a log already has, found again after its answer was lost: by its id in Rekor v1, by its index in the
//! tiles of Rekor v2. Nothing of it is believed: the bundle that comes of it is verified like every other.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sigstore_types::bundle::{CheckpointData, InclusionProof, LogId, TransparencyLogEntry};
use sigstore_types::{CanonicalizedBody, Checkpoint, KindVersion, LogIndex, LogKeyId, Sha256Hash};
use tlog_tiles::{Hash, TileHashReader, prove_record};

use super::failure::KeylessError;
use super::pending::SignedStatement;
use super::services::{LogVersion, Service, Services};
use super::signer::KeylessSigner;
use super::{Observer, wire};
use crate::log::{LARGEST_TREE, LogFiles, Tiles};

/// The most tiles that one proof is made of: a tree of any size has fewer levels of tiles, and two tiles at each.
const MOST_TILES: usize = 32;

/// The digits of an id in Rekor v1: a hash, or a tree's id and a hash.
const ID_LENGTHS: [usize; 2] = [64, 80];

/// What a log says about an entry that it has already (rekor, `pkg/api/entries.go`; rekor-tiles,
/// `internal/tessera/tessera.go`).
const ID: &str = "already exists in the transparency log with UUID ";
const INDEX: &str = "already exists in the transparency log with index ";

/// Where an entry is.
enum Place {
    Id(String),
    Index(u64),
}

fn place(version: LogVersion, message: &str) -> Option<Place> {
    let after = |words: &str| message.split_once(words).map(|(_, rest)| rest);
    match version {
        LogVersion::V1 => {
            let id: String = after(ID)?
                .chars()
                .take_while(char::is_ascii_hexdigit)
                .collect();
            ID_LENGTHS.contains(&id.len()).then_some(Place::Id(id))
        }
        LogVersion::V2 => {
            let index: String = after(INDEX)?
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            index.parse().ok().map(Place::Index)
        }
    }
}

impl<S: Services> KeylessSigner<S> {
    /// The entry that a log means with this message; `None` where it does not say, or does not have it.
    ///
    /// # Errors
    /// The log is out.
    pub(super) async fn look_up(
        &self,
        signed: &SignedStatement,
        message: &str,
        until: Timestamp,
        observe: &mut Observer<'_>,
    ) -> Result<Option<TransparencyLogEntry>, KeylessError> {
        let found = match place(self.config.endpoints.log_version, message) {
            Some(Place::Id(id)) => {
                let url = format!("{}/api/v1/log/entries/{id}", self.config.endpoints.log);
                let request = || wire::get(&url, "application/json");
                let read = |body: &[u8]| wire::entry(LogVersion::V1, body);
                self.ask(Service::Log, until, request, read, observe)
                    .await
                    .map(Some)
            }
            Some(Place::Index(index)) => self.at(signed, index, until, observe).await,
            None => Ok(None),
        };
        match found {
            Err(failure) if !failure.is_passing() => Ok(None),
            found => found,
        }
    }

    async fn at(
        &self,
        signed: &SignedStatement,
        index: u64,
        until: Timestamp,
        observe: &mut Observer<'_>,
    ) -> Result<Option<TransparencyLogEntry>, KeylessError> {
        let base = format!("{}/api/v2", self.config.endpoints.log);
        let url = format!("{base}/checkpoint");
        let request = || wire::get(&url, "text/plain");
        let read = |body: &[u8]| covering(index, body);
        let (text, checkpoint) = self
            .ask(Service::Log, until, request, read, observe)
            .await?;
        let root = Hash(*checkpoint.root_hash().as_bytes());
        let tiles = Fetched::default();
        for _ in 0..=MOST_TILES {
            let proof = {
                let tiles = Tiles { files: &tiles };
                let tree = TileHashReader::new(checkpoint.tree_size(), root, &tiles);
                prove_record(checkpoint.tree_size(), index, &tree)
            };
            if let Ok(proof) = proof {
                let hashes = proof
                    .into_iter()
                    .map(|hash| Sha256Hash::new(hash.0))
                    .collect();
                return Ok(self.assembled(signed, index, text, &checkpoint, hashes));
            }
            let Some(path) = held(&tiles.missing).take() else {
                // Everything is there, and it is no tree with that root.
                return Ok(None);
            };
            let url = format!("{base}/{path}");
            let request = || wire::get(&url, "application/octet-stream");
            let read = |body: &[u8]| Ok(body.to_vec());
            let tile = self
                .ask(Service::Log, until, request, read, observe)
                .await?;
            held(&tiles.files).insert(path, tile);
        }
        Ok(None)
    }

    fn assembled(
        &self,
        signed: &SignedStatement,
        index: u64,
        text: String,
        checkpoint: &Checkpoint,
        hashes: Vec<Sha256Hash>,
    ) -> Option<TransparencyLogEntry> {
        let id = self.config.root.logs.iter().find(|id| {
            checkpoint
                .signatures()
                .iter()
                .any(|signature| id.as_bytes().get(..4) == Some(signature.key_id.as_slice()))
        })?;
        let body = wire::entry_body(signed).ok()?;
        let index = LogIndex::new(index).ok()?;
        let proof = InclusionProof::new(
            index,
            *checkpoint.root_hash(),
            checkpoint.tree_size(),
            hashes,
            CheckpointData::new(text).ok()?,
        );
        let id = LogId::new(LogKeyId::from_bytes(id.as_bytes()));
        let body = CanonicalizedBody::from_bytes(&body);
        let entry = TransparencyLogEntry::new(index, id, KindVersion::HashedRekordV002, body);
        Some(entry.with_inclusion_proof(proof))
    }
}

/// A checkpoint of a tree that has the entry already; entries are there a little before the checkpoint says so.
fn covering(index: u64, body: &[u8]) -> Result<(String, Checkpoint), String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is no text in UTF-8".to_owned())?;
    let checkpoint = Checkpoint::from_text(text).map_err(|error| error.to_string())?;
    if checkpoint.tree_size() <= index {
        return Err(format!(
            "its tree has {} entries, and ours is number {index}",
            checkpoint.tree_size()
        ));
    }
    // Nobody has checked a signature yet, and the arithmetic of trees has an end.
    if checkpoint.tree_size() > LARGEST_TREE {
        return Err(format!(
            "its tree has {} entries, more than any log",
            checkpoint.tree_size()
        ));
    }
    Ok((text.to_owned(), checkpoint))
}

/// Tiles that were fetched, and the first that is missing.
#[derive(Default)]
struct Fetched {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    missing: Mutex<Option<String>>,
}

impl LogFiles for Fetched {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let found = held(&self.files).get(path).cloned();
        if found.is_none() {
            held(&self.missing).get_or_insert_with(|| path.to_owned());
        }
        Ok(found)
    }

    fn write(&self, _path: &str, _bytes: &[u8]) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem))
    }
}

fn held<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_claims_more_than_any_log_has_is_no_answer() {
        let root = sigstore_types::PayloadBytes::from_bytes(&[7; 32]).to_base64();
        let covers = |size: u64| {
            let text = format!("log.example\n{size}\n{root}\n\n\u{2014} log.example AAAAAAA=\n");
            covering(5, text.as_bytes())
        };
        assert!(covers(6).is_ok() && covers(LARGEST_TREE).is_ok());
        for size in [5, LARGEST_TREE + 1, i64::MAX as u64, u64::MAX] {
            covers(size).unwrap_err();
        }
    }

    #[test]
    fn a_log_says_where_an_entry_is_in_its_own_words() {
        let id = "108e9186e8c5677a".to_owned() + &"0f".repeat(32);
        let v1 = format!(
            "{{\\\"code\\\":409,\\\"message\\\":\\\"an equivalent entry already exists in the transparency log with UUID {id}\\\"}}"
        );
        assert!(matches!(place(LogVersion::V1, &v1), Some(Place::Id(found)) if found == id));
        let v2 = "an equivalent entry already exists in the transparency log with index 42\\\"";
        assert!(matches!(place(LogVersion::V2, v2), Some(Place::Index(42))));
        for message in [
            "",
            "conflict",
            "already exists in the transparency log with UUID ../../other",
            "already exists in the transparency log with index -1",
            "already exists in the transparency log with index 99999999999999999999999",
        ] {
            for version in [LogVersion::V1, LogVersion::V2] {
                assert!(place(version, message).is_none(), "{message}");
            }
        }
    }
}
