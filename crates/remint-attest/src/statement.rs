//! In-toto statements, version 1 (in-toto attestation framework, `spec/v1/statement.md`): what is signed.

use std::collections::BTreeMap;

use remint_model::{Sha256, Sha512};
use serde::{Deserialize, Serialize};

use crate::digests::ArtifactDigests;
use crate::refusal::{Refusal, RefusalReason};

/// The type of every statement made here.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The older type, which registries still use for their own.
const STATEMENT_TYPE_V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// The media type of a signed statement (DSSE's `payloadType`).
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// A claim of one type about some files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement<Predicate = serde_json::Value> {
    /// Always [`STATEMENT_TYPE`] in what is made here.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What the claim is about.
    pub subject: Vec<Subject>,
    /// The URI that says how to read the predicate.
    pub predicate_type: String,
    /// The claim.
    pub predicate: Predicate,
}

/// One file that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The file's name.
    #[serde(default)]
    pub name: String,
    /// Hexadecimal digests by algorithm.
    pub digest: BTreeMap<String, String>,
}

impl Subject {
    /// A file by its name and both digests.
    #[must_use]
    pub fn new(name: &str, sha256: &Sha256, sha512: &Sha512) -> Self {
        Self {
            name: name.to_owned(),
            digest: BTreeMap::from([
                ("sha256".to_owned(), sha256.to_string()),
                ("sha512".to_owned(), sha512.to_string()),
            ]),
        }
    }

    /// Whether this is that file: no digest that both know disagrees, and one agrees.
    #[must_use]
    pub fn is(&self, artifact: &ArtifactDigests) -> bool {
        let known = [
            ("sha256", Some(artifact.sha256.to_string())),
            ("sha512", artifact.sha512.map(|digest| digest.to_string())),
        ];
        let mut agreed = false;
        for (algorithm, mine) in known {
            if let (Some(mine), Some(theirs)) = (mine, self.digest.get(algorithm)) {
                if mine != *theirs {
                    return false;
                }
                agreed = true;
            }
        }
        agreed
    }
}

impl<Predicate: Serialize> Statement<Predicate> {
    /// A statement of this type.
    pub fn new(subject: Subject, predicate_type: &str, predicate: Predicate) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: vec![subject],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The bytes that are signed: the same for equal statements.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Structs of strings, numbers and sorted maps always serialise; an empty payload would be refused by all.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl Statement {
    /// Reads a signed payload.
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Refusal> {
        let malformed = |detail: String| Refusal::new(RefusalReason::StatementMalformed, detail);
        let statement: Self = serde_json::from_slice(payload)
            .map_err(|error| malformed(format!("the payload is no in-toto statement: {error}")))?;
        if ![STATEMENT_TYPE, STATEMENT_TYPE_V0_1].contains(&&*statement.statement_type) {
            return Err(malformed(format!(
                "the payload's type is `{}`, which is no in-toto statement",
                statement.statement_type.escape_debug()
            )));
        }
        Ok(statement)
    }

    /// The predicate as this type.
    ///
    /// # Errors
    /// `statement-malformed` where it is none.
    pub fn typed<Predicate: serde::de::DeserializeOwned>(&self) -> Result<Predicate, Refusal> {
        serde_json::from_value(self.predicate.clone()).map_err(|error| {
            Refusal::new(
                RefusalReason::StatementMalformed,
                format!(
                    "the predicate is none of `{}`: {error}",
                    self.predicate_type
                ),
            )
        })
    }
}
