//! The checksum database of Go modules (`sum.golang.org`; Go modules reference, "Checksum database"): a log of the `h1:`
//! digests of every module version that it has seen. Its answer counts once the tree head that comes with it is signed
//! by the database's key and the record is proven to be in that tree.
//!
//! Whether an earlier tree head of the same database is continued is not looked at: nothing is kept between runs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{Checkpoint, HASH_SIZE, Tile, TileHashReader, TileReader};

use crate::log::LARGEST_TREE;

/// The height of the database's tiles.
const TILE_HEIGHT: u8 = 8;
/// The first line of its tree heads.
const ORIGIN: &str = "go.sum database tree";
/// The largest answer that is read, in bytes.
const LARGEST: usize = 64 << 10;
/// How often what is missing may be named: each time brings all of one step of the proof.
const MOST_ROUNDS: usize = 8;

/// Why an answer counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumsError {
    /// It is no answer of a checksum database.
    #[error("the answer cannot be understood: {0}")]
    Malformed(String),
    /// The key that the database should sign with cannot be used.
    #[error("the database's key cannot be used: {0}")]
    Key(String),
    /// The tree head is not signed by the database.
    #[error("its tree head is not signed by its key: {0}")]
    NotSigned(String),
    /// The record is not in the tree that was signed.
    #[error("the record is not in the tree that it signed: {0}")]
    NotIncluded(String),
}

/// An answer whose tree head is signed, and whose record is still to be proven.
#[derive(Debug)]
pub struct ChecksumRecord {
    number: u64,
    text: Vec<u8>,
    head: Checkpoint,
}

/// The digests that are proven to be in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChecksums {
    /// Of the module zip.
    pub zip: String,
    /// Of its `go.mod` alone.
    pub go_mod: String,
}

/// What a proof still needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inclusion {
    /// It is complete.
    Proven(LoggedChecksums),
    /// These tiles, by their paths below the database's address.
    Needs(Vec<String>),
}

impl ChecksumRecord {
    /// Reads an answer to `lookup/module@version` and verifies the signature on its tree head.
    ///
    /// # Errors
    /// It is malformed, or not signed with this key (`name+hash+key`).
    pub fn open(answer: &[u8], key: &str) -> Result<Self, ChecksumsError> {
        let malformed = |reason: &str| ChecksumsError::Malformed(reason.to_owned());
        if answer.len() > LARGEST {
            return Err(malformed("it is too large"));
        }
        let (number, rest) = split_at(answer, b"\n").ok_or_else(|| malformed("it has one line"))?;
        let number: u64 = std::str::from_utf8(number)
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| malformed("it does not begin with a number"))?;
        let (record, note) =
            split_at(rest, b"\n\n").ok_or_else(|| malformed("there is no tree head in it"))?;
        let mut text = record.to_vec();
        text.push(b'\n');

        let verifier =
            StandardVerifier::new(key).map_err(|error| ChecksumsError::Key(error.to_string()))?;
        let note =
            Note::from_bytes(note).map_err(|error| ChecksumsError::NotSigned(error.to_string()))?;
        note.verify(&VerifierList::new(vec![Box::new(verifier)]))
            .map_err(|error| ChecksumsError::NotSigned(error.to_string()))?;
        let head = Checkpoint::from_bytes(note.text())
            .map_err(|error| ChecksumsError::Malformed(error.to_string()))?;
        if head.origin() != ORIGIN {
            return Err(malformed("its tree head is of another kind of log"));
        }
        if head.size() > LARGEST_TREE || number >= head.size() {
            return Err(ChecksumsError::NotIncluded(format!(
                "record {number} of {}",
                head.size()
            )));
        }
        Ok(Self { number, text, head })
    }

    /// Proves that the record is in the tree, with the tiles that are here, and reads the digests of a module from it.
    ///
    /// # Errors
    /// A tile belongs to another tree, the record is another one, or it is about another module.
    pub fn prove(
        &self,
        module: &str,
        version: &str,
        tiles: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Inclusion, ChecksumsError> {
        let not_included = |reason: String| ChecksumsError::NotIncluded(reason);
        let reader = Given {
            tiles,
            missing: RefCell::new(BTreeSet::new()),
        };
        let tree = TileHashReader::new(self.head.size(), *self.head.hash(), &reader);
        let proof = match tlog_tiles::prove_record(self.head.size(), self.number, &tree) {
            Ok(proof) => proof,
            Err(error) => {
                let missing = reader.missing.take();
                return if missing.is_empty() {
                    Err(not_included(error.to_string()))
                } else {
                    Ok(Inclusion::Needs(missing.into_iter().collect()))
                };
            }
        };
        tlog_tiles::check_record(
            &proof,
            self.head.size(),
            *self.head.hash(),
            self.number,
            tlog_tiles::record_hash(&self.text),
        )
        .map_err(|error| not_included(error.to_string()))?;
        self.digests(module, version).map(Inclusion::Proven)
    }

    /// The lines of a record: `module version h1:…` and `module version/go.mod h1:…`.
    fn digests(&self, module: &str, version: &str) -> Result<LoggedChecksums, ChecksumsError> {
        let text = std::str::from_utf8(&self.text)
            .map_err(|error| ChecksumsError::Malformed(error.to_string()))?;
        let digest = |version: &str| {
            text.lines().find_map(|line| {
                let mut fields = line.split(' ');
                let own = fields.next() == Some(module) && fields.next() == Some(version);
                let digest = fields.next().filter(|text| text.starts_with("h1:"))?;
                (own && fields.next().is_none()).then(|| digest.to_owned())
            })
        };
        let (Some(zip), Some(go_mod)) = (digest(version), digest(&format!("{version}/go.mod")))
        else {
            return Err(ChecksumsError::Malformed(
                "the record is about another module".to_owned(),
            ));
        };
        Ok(LoggedChecksums { zip, go_mod })
    }

    /// How often [`Self::prove`] may name what it needs.
    #[must_use]
    pub const fn most_rounds() -> usize {
        MOST_ROUNDS
    }
}

/// The whole tile that a partial one became part of, with how many of its bytes are the partial one: a database need
/// not keep partial tiles once the tree has grown (C2SP tlog-tiles, "Merkle Tree").
#[must_use]
pub fn whole_tile(path: &str) -> Option<(&str, usize)> {
    let (whole, width) = path.rsplit_once(".p/")?;
    let width: u8 = width.parse().ok()?;
    Some((whole, usize::from(width) * HASH_SIZE))
}

fn split_at<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((bytes.get(..at)?, bytes.get(at + separator.len()..)?))
}

/// The tiles that are here; those that are not are written down.
struct Given<'a> {
    tiles: &'a BTreeMap<String, Vec<u8>>,
    missing: RefCell<BTreeSet<String>>,
}

impl TileReader for Given<'_> {
    fn height(&self) -> u8 {
        TILE_HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let mut read = Vec::with_capacity(tiles.len());
        for tile in tiles {
            let path = tile.path();
            match self.tiles.get(&path) {
                Some(bytes) if bytes.len() == tile.width() as usize * HASH_SIZE => {
                    read.push(bytes.clone());
                }
                Some(_) => return Err(tlog_tiles::Error::InvalidTile),
                None => {
                    self.missing.borrow_mut().insert(path);
                }
            }
        }
        if read.len() == tiles.len() {
            Ok(read)
        } else {
            Err(tlog_tiles::Error::InvalidTile)
        }
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use signed_note::{Signer as _, StandardSigner};
    use tlog_tiles::{Hash, HashReader, stored_hashes, tree_hash};

    use super::*;

    const MODULE: &str = "example.org/x";
    const ZIP: &str = "h1:tGCawCfIbFCLSm7yTxaqvElURlz88rXnJcwo+RClrJ8=";
    const GO_MOD: &str = "h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=";

    /// A database with some hundred records.
    struct Database {
        hashes: Vec<Hash>,
        size: u64,
        signer: StandardSigner,
        key: String,
    }

    impl HashReader for Database {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
            Ok(indexes
                .iter()
                .map(|at| self.hashes[usize::try_from(*at).unwrap()])
                .collect())
        }
    }

    fn record(number: u64) -> Vec<u8> {
        format!("{MODULE} v1.0.{number} {ZIP}\n{MODULE} v1.0.{number}/go.mod {GO_MOD}\n")
            .into_bytes()
    }

    impl Database {
        fn new(size: u64) -> Self {
            let secret = [7; 32];
            let public = ed25519_dalek::SigningKey::from_bytes(&secret).verifying_key();
            let key = signed_note::new_ed25519_verifier_key("sum.example", &public);
            let hash = key.split('+').nth(1).unwrap();
            let encoded = {
                use base64::Engine as _;
                let mut bytes = vec![1];
                bytes.extend(secret);
                base64::engine::general_purpose::STANDARD.encode(bytes)
            };
            let signer =
                StandardSigner::new(&format!("PRIVATE+KEY+sum.example+{hash}+{encoded}")).unwrap();
            let mut made = Self {
                hashes: Vec::new(),
                size: 0,
                signer,
                key,
            };
            for number in 0..size {
                let new = stored_hashes(number, &record(number), &made).unwrap();
                made.hashes.extend(new);
                made.size += 1;
            }
            made
        }

        fn answer(&self, number: u64, text: &[u8]) -> Vec<u8> {
            let root = tree_hash(self.size, self).unwrap();
            let head = Checkpoint::new(ORIGIN, self.size, root, "").unwrap();
            let mut note = Note::new(&head.to_bytes(), &[]).unwrap();
            note.add_sigs(&[&self.signer]).unwrap();
            let mut answer = format!("{number}\n").into_bytes();
            answer.extend(text);
            answer.push(b'\n');
            answer.extend(note.to_bytes());
            answer
        }

        fn tile(&self, path: &str) -> Vec<u8> {
            Tile::from_path(path).unwrap().read_data(self).unwrap()
        }

        fn prove(
            &self,
            answer: &[u8],
            version: &str,
            spoil: impl Fn(&mut Vec<u8>),
        ) -> Result<LoggedChecksums, ChecksumsError> {
            let record = ChecksumRecord::open(answer, &self.key)?;
            let mut tiles = BTreeMap::new();
            for _ in 0..MOST_ROUNDS {
                match record.prove(MODULE, version, &tiles)? {
                    Inclusion::Proven(checksums) => return Ok(checksums),
                    Inclusion::Needs(paths) => {
                        for path in paths {
                            let mut tile = self.tile(&path);
                            spoil(&mut tile);
                            tiles.insert(path, tile);
                        }
                    }
                }
            }
            panic!("it asks for ever");
        }
    }

    #[test]
    fn a_whole_tile_begins_with_its_partial_ones() {
        let database = Database::new(700);
        let partial = database.tile("tile/8/0/001.p/45");
        let (whole, length) = whole_tile("tile/8/0/001.p/45").unwrap();
        assert_eq!(whole, "tile/8/0/001");
        assert_eq!(database.tile(whole).get(..length), Some(&*partial));
        for path in ["tile/8/0/001", "tile/8/0/001.p/", "tile/8/0/001.p/256"] {
            assert_eq!(whole_tile(path), None, "{path}");
        }
    }

    #[test]
    fn a_record_in_a_signed_tree_is_proven() {
        for (size, number) in [(1, 0), (2, 1), (255, 17), (256, 255), (700, 0), (700, 699)] {
            let database = Database::new(size);
            assert_eq!(database.signer.name(), "sum.example");
            let answer = database.answer(number, &record(number));
            let proven = database
                .prove(&answer, &format!("v1.0.{number}"), |_| {})
                .unwrap();
            assert_eq!((proven.zip.as_str(), proven.go_mod.as_str()), (ZIP, GO_MOD));
        }
    }

    #[test]
    fn whatever_was_changed_is_refused() {
        let database = Database::new(700);
        let honest = database.answer(300, &record(300));
        let other = String::from_utf8(record(300))
            .unwrap()
            .replace("h1:tG", "h1:tH")
            .into_bytes();
        let refused = |answer: &[u8], version: &str| {
            database
                .prove(answer, version, |_| {})
                .unwrap_err()
                .to_string()
        };
        let in_tree = "not in the tree that it signed";
        assert!(refused(&database.answer(300, &other), "v1.0.300").contains(in_tree));
        assert!(refused(&database.answer(301, &record(300)), "v1.0.300").contains(in_tree));
        assert!(refused(&database.answer(700, &record(300)), "v1.0.300").contains(in_tree));
        assert!(refused(&honest, "v1.0.301").contains("another module"));
        let spoilt = database.prove(&honest, "v1.0.300", |tile| tile[0] ^= 1);
        assert!(matches!(spoilt, Err(ChecksumsError::NotIncluded(_))));
        let short = database.prove(&honest, "v1.0.300", |tile| tile.truncate(32));
        assert!(matches!(short, Err(ChecksumsError::NotIncluded(_))));

        let mut signed_by_another = honest.clone();
        let at = signed_by_another.len() - 10;
        signed_by_another[at] ^= 1;
        let error = ChecksumRecord::open(&signed_by_another, &database.key).unwrap_err();
        assert!(matches!(error, ChecksumsError::NotSigned(_)), "{error}");
        let known = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let error = ChecksumRecord::open(&honest, known).unwrap_err();
        assert!(matches!(error, ChecksumsError::NotSigned(_)), "{error}");
        assert!(matches!(
            ChecksumRecord::open(&honest, "sum.example"),
            Err(ChecksumsError::Key(_))
        ));
    }

    #[test]
    fn an_answer_of_the_public_database_is_read() {
        // The tree head of the public database as it stood once, and a record that is not in it.
        let head = "go.sum database tree\n66332798\nczPocWFmMwQrSENohgEPvFiqA+2i/3lRZhHbxtma2UQ=\n\n\u{2014} sum.golang.org Az3grh19zTBOmg0dGOAELF5SP1N/QTSsuYwquERee13uccsbttgwVlS/0MhlHd7IEvb6fQVKmu7XFovf0PT1tKOnHQo=\n";
        let key = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let answer = format!("7\nexample.org/x v1.0.0 {ZIP}\n\n{head}");
        let record = ChecksumRecord::open(answer.as_bytes(), key).unwrap();
        let Inclusion::Needs(paths) = record.prove(MODULE, "v1.0.0", &BTreeMap::new()).unwrap()
        else {
            panic!("nothing proves it");
        };
        assert!(
            paths.iter().all(|path| path.starts_with("tile/8/")),
            "{paths:?}"
        );
    }

    proptest! {
        #[test]
        fn no_answer_panics(any: Vec<u8>, number in 0_u64..800, cut in 0_usize..400) {
            let database = Database::new(3);
            let mut honest = database.answer(number, &record(number));
            honest.truncate(cut);
            for answer in [any, honest] {
                if let Ok(record) = ChecksumRecord::open(&answer, &database.key) {
                    prop_assert!(record.prove(MODULE, "v1.0.0", &BTreeMap::new()).is_ok());
                }
            }
        }
    }
}
