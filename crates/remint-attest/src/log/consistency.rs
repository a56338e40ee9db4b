//! Two checkpoints of one log: is the later a continuation of the earlier (RFC 6962, section 2.1.2)?

use std::fmt;

use signed_note::{Note, VerifierList};
use sigstore_types::Sha256Hash;
use tlog_tiles::{Checkpoint, TileHashReader, prove_tree};

use super::{LogError, LogFiles, Tiles, head};
use crate::key::LogKey;

/// The largest checkpoint that is read, in bytes.
const LARGEST_CHECKPOINT: usize = 16 << 10;

/// The most entries that a log is believed to have: the arithmetic of trees ends not far above, and no log comes near.
pub(crate) const LARGEST_TREE: u64 = 1 << 48;

/// How a log stands to an earlier checkpoint of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogRelation {
    /// It has the same entries.
    Same,
    /// It has the same entries and more.
    Continued,
    /// It has fewer entries.
    Rewound,
    /// It has other entries.
    Forked,
}

impl fmt::Display for LogRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "unchanged",
            Self::Continued => "continued",
            Self::Rewound => "rewound: it has fewer entries than before",
            Self::Forked => "forked: it does not contain what it contained before",
        })
    }
}

/// Opens a signed checkpoint (C2SP tlog-checkpoint).
pub(crate) fn open(text: &[u8], key: &LogKey) -> Result<Checkpoint, LogError> {
    let foreign = |reason: String| LogError::Foreign {
        name: key.name().to_owned(),
        reason,
    };
    if text.len() > LARGEST_CHECKPOINT {
        return Err(foreign(format!("it has {} bytes", text.len())));
    }
    let note = Note::from_bytes(text).map_err(|error| foreign(error.to_string()))?;
    let known = VerifierList::new(vec![Box::new(key.verifier.clone())]);
    note.verify(&known)
        .map_err(|error| foreign(error.to_string()))?;
    let checkpoint =
        Checkpoint::from_bytes(note.text()).map_err(|error| foreign(error.to_string()))?;
    if checkpoint.origin() != key.name() {
        return Err(foreign(format!(
            "it is of `{}`",
            checkpoint.origin().escape_debug()
        )));
    }
    if checkpoint.size() > LARGEST_TREE {
        return Err(LogError::Damaged(format!(
            "its checkpoint claims {} entries",
            checkpoint.size()
        )));
    }
    Ok(checkpoint)
}

/// Whether the log as it is now continues the tree of an earlier checkpoint.
///
/// # Errors
/// A checkpoint is not the log's, a file is missing or damaged, or the log was rewound or forked.
pub fn verify_consistency(
    files: &dyn LogFiles,
    key: &LogKey,
    earlier: &[u8],
) -> Result<LogRelation, LogError> {
    let earlier = open(earlier, key)?;
    let now = head(files, key)?.ok_or(LogError::Diverged(LogRelation::Rewound))?;
    relate(files, &earlier, &now)
}

/// The same for a later checkpoint that is not the log's newest.
///
/// # Errors
/// As [`verify_consistency`].
pub fn verify_checkpoints(
    files: &dyn LogFiles,
    key: &LogKey,
    earlier: &[u8],
    later: &[u8],
) -> Result<LogRelation, LogError> {
    let later = open(later, key)?;
    let now = head(files, key)?.ok_or(LogError::Diverged(LogRelation::Rewound))?;
    relate(files, &later, &now)?;
    let earlier = open(earlier, key)?;
    relate(files, &earlier, &now)?;
    // Both are prefixes of one tree: the sizes tell how they stand to each other.
    match earlier.size().cmp(&later.size()) {
        std::cmp::Ordering::Less => Ok(LogRelation::Continued),
        std::cmp::Ordering::Equal => Ok(LogRelation::Same),
        std::cmp::Ordering::Greater => Err(LogError::Diverged(LogRelation::Rewound)),
    }
}

fn relate(
    files: &dyn LogFiles,
    earlier: &Checkpoint,
    now: &Checkpoint,
) -> Result<LogRelation, LogError> {
    if earlier.size() > now.size() {
        return Err(LogError::Diverged(LogRelation::Rewound));
    }
    if earlier.size() == now.size() {
        return if earlier.hash() == now.hash() {
            Ok(LogRelation::Same)
        } else {
            Err(LogError::Diverged(LogRelation::Forked))
        };
    }
    if earlier.size() == 0 {
        return Ok(LogRelation::Continued);
    }
    let tiles = Tiles { files };
    let tree = TileHashReader::new(now.size(), *now.hash(), &tiles);
    let proof = prove_tree(now.size(), earlier.size(), &tree)
        .map_err(|error| LogError::Damaged(error.to_string()))?;
    let hash = |hash: &tlog_tiles::Hash| Sha256Hash::new(hash.0);
    let proof: Vec<Sha256Hash> = proof.iter().map(hash).collect();
    // Checked by another library than the one that made it.
    sigstore_merkle::verify_consistency_proof(
        earlier.size(),
        now.size(),
        &proof,
        &hash(earlier.hash()),
        &hash(now.hash()),
    )
    .map_err(|_| LogError::Diverged(LogRelation::Forked))?;
    Ok(LogRelation::Continued)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::key::SigningKey;
    use crate::log::{CHECKPOINT, sign_checkpoint, verify_log};

    /// A log of which nothing but the checkpoint is there.
    struct CheckpointAlone(Vec<u8>);

    impl LogFiles for CheckpointAlone {
        fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
            Ok((path == CHECKPOINT).then(|| self.0.clone()))
        }

        fn write(&self, _path: &str, _bytes: &[u8]) -> io::Result<()> {
            Err(io::Error::other("nothing is written here"))
        }
    }

    #[test]
    fn a_checkpoint_that_claims_more_than_any_log_has_is_refused() {
        let key = SigningKey::generate().unwrap();
        let signed = |size| {
            sign_checkpoint(&key, size, tlog_tiles::EMPTY_HASH)
                .unwrap()
                .into_bytes()
        };
        let earlier = signed(5);
        for size in [
            LARGEST_TREE,
            LARGEST_TREE + 1,
            1 << 56,
            (1 << 63) + 1,
            u64::MAX - 1,
            u64::MAX,
        ] {
            let files = CheckpointAlone(signed(size));
            let log = verify_log(&files, key.log()).unwrap_err();
            let relation = verify_consistency(&files, key.log(), &earlier).unwrap_err();
            for error in [log, relation] {
                let refused = error.to_string().contains("its checkpoint claims");
                assert_eq!(refused, size > LARGEST_TREE, "{size} {error}");
            }
        }
    }
}
