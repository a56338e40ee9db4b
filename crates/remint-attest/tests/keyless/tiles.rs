//! A Rekor v2 log in memory: Merkle tree, checkpoint and proofs of the public crates, not of the code that is tested.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remint_model::Sha256;
use serde_json::{Value, json};
use signed_note::{StandardSigner, StandardVerifier, Verifier as _};
use tlog_tiles::{Checkpoint, Hash, HashReader, Tile, prove_record, stored_hashes, tree_hash};

/// The log's name.
const NAME: &str = "log-v2.loopback.example";

/// The type of Ed25519 keys in notes (C2SP signed-note).
const ED25519: u8 = 1;

pub(crate) struct TileLog {
    signer: StandardSigner,
    public: [u8; 32],
    hashes: Stored,
    size: u64,
    /// The index of each record.
    known: BTreeMap<Vec<u8>, u64>,
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        indexes
            .iter()
            .map(|index| {
                let at = usize::try_from(*index).unwrap();
                self.0
                    .get(at)
                    .copied()
                    .ok_or(tlog_tiles::Error::IndexesNotInTree)
            })
            .collect()
    }
}

impl TileLog {
    pub(crate) fn new(seed: u8) -> Self {
        let seed = [seed; 32];
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let verifier = signed_note::new_ed25519_verifier_key(NAME, &key.verifying_key());
        let verifier = StandardVerifier::new(&verifier).unwrap();
        let private = STANDARD.encode([&[ED25519], seed.as_slice()].concat());
        let text = format!("PRIVATE+KEY+{NAME}+{:08x}+{private}", verifier.key_id());
        let mut log = Self {
            signer: StandardSigner::new(&text).unwrap(),
            public: key.verifying_key().to_bytes(),
            hashes: Stored(Vec::new()),
            size: 0,
            known: BTreeMap::new(),
        };
        // A proof in an empty tree would prove too little.
        for other in 0..300 {
            log.append(format!("somebody else's entry {other}").as_bytes());
        }
        log
    }

    fn log_id(&self) -> Vec<u8> {
        let named = [NAME.as_bytes(), &[b'\n', ED25519], &self.public].concat();
        Sha256::of(&named).as_bytes().to_vec()
    }

    /// The log as a trusted root names it.
    pub(crate) fn trusted(&self, since: &str) -> Value {
        // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410).
        let mut spki = vec![
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
        ];
        spki.extend(self.public);
        json!({
            "baseUrl": format!("https://{NAME}"),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": STANDARD.encode(spki),
                "keyDetails": "PKIX_ED25519",
                "validFor": { "start": since },
            },
            "logId": { "keyId": STANDARD.encode(self.log_id()) },
        })
    }

    fn append(&mut self, record: &[u8]) -> u64 {
        let index = self.size;
        let hashes = stored_hashes(index, record, &self.hashes).unwrap();
        self.hashes.0.extend(hashes);
        self.size += 1;
        index
    }

    /// Enters what is asked for, and answers as Rekor v2 does.
    pub(crate) fn enter(&mut self, request: &[u8]) -> (u16, Value) {
        let signer = self.signer.clone();
        self.enter_signed_by(&signer, request)
    }

    /// The same, with a checkpoint that another log's key has signed.
    pub(crate) fn enter_as(&mut self, other: &Self, request: &[u8]) -> (u16, Value) {
        self.enter_signed_by(&other.signer, request)
    }

    fn enter_signed_by(&mut self, signer: &StandardSigner, request: &[u8]) -> (u16, Value) {
        let request: Value = serde_json::from_slice(request).unwrap();
        let inner = &request["hashedRekordRequestV002"];
        let body = json!({
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": { "hashedRekordV002": {
                "data": { "algorithm": "SHA2_256", "digest": inner["digest"] },
                "signature": inner["signature"],
            } },
        });
        let body = serde_json_canonicalizer::to_vec(&body).unwrap();
        if let Some(index) = self.known.get(&body) {
            let message = format!(
                "an equivalent entry already exists in the transparency log with index {index}"
            );
            return (409, json!({ "code": 6, "message": message, "details": [] }));
        }
        let index = self.append(&body);
        self.known.insert(body.clone(), index);
        let root = tree_hash(self.size, &self.hashes).unwrap();
        let hashes = prove_record(self.size, index, &self.hashes).unwrap();
        let entry = json!({
            "logIndex": index.to_string(),
            "logId": { "keyId": STANDARD.encode(self.log_id()) },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.2" },
            "integratedTime": "0",
            "inclusionProof": {
                "logIndex": index.to_string(),
                "rootHash": STANDARD.encode(root.0),
                "treeSize": self.size.to_string(),
                "hashes": hashes.iter().map(|hash| STANDARD.encode(hash.0)).collect::<Vec<_>>(),
                "checkpoint": { "envelope": self.checkpoint(signer) },
            },
            "canonicalizedBody": STANDARD.encode(body),
        });
        (201, entry)
    }

    fn checkpoint(&self, signer: &StandardSigner) -> String {
        let root = tree_hash(self.size, &self.hashes).unwrap();
        let checkpoint = Checkpoint::new(NAME, self.size, root, "").unwrap();
        let mut note = signed_note::Note::new(&checkpoint.to_bytes(), &[]).unwrap();
        note.add_sigs(&[signer]).unwrap();
        String::from_utf8(note.to_bytes()).unwrap()
    }

    /// What the log serves at this path below `/api/v2/` (C2SP tlog-tiles).
    pub(crate) fn served(&self, path: &str) -> Option<Vec<u8>> {
        if path == "checkpoint" {
            return Some(self.checkpoint(&self.signer).into_bytes());
        }
        let tile = Tile::from_path(&path.replacen("tile/", "tile/8/", 1)).ok()?;
        tile.read_data(&self.hashes).ok()
    }
}
