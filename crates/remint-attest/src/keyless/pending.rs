//! What was not finished, as it is kept: never a token, never a private key, only what will be public anyway.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use sigstore_types::{DerCertificate, DsseEnvelope, PayloadBytes, TimestampToken};

use super::token::SignerIdentity;
use crate::bundle::LARGEST_BUNDLE;
use crate::digests::ArtifactDigests;
use crate::directory_lock::DirectoryLock;
use crate::log::write_whole;
use crate::refusal::{Refusal, RefusalReason};
use crate::statement::{PAYLOAD_TYPE, Statement};

/// The schema of pending files.
pub const PENDING_SCHEMA: &str = "remint.pending/v1";

/// The end of a pending file's name.
const SUFFIX: &str = ".pending.json";

/// How far below a store its folders reach, and a little more ([`crate::layout`]).
const DEEPEST: usize = 8;

/// The most pending files that one directory is searched for, and the most directories.
const MOST_FILES: usize = 100_000;

/// A statement on its way to a bundle.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    pub(super) artifact: ArtifactDigests,
    pub(super) stage: Stage,
}

/// How far it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    /// Nothing but what is to be signed.
    Unsigned { payload: Vec<u8> },
    /// Signed with a key that no longer exists; worthless once the certificate has ended without a timestamp.
    Signed(SignedStatement),
    /// Signed, and it is proven when: only the log is missing, and that has no haste.
    Stamped {
        signed: SignedStatement,
        timestamp: TimestampToken,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct SignedStatement {
    pub(super) envelope: DsseEnvelope,
    pub(super) certificate: DerCertificate,
    pub(super) signer: SignerIdentity,
}

/// How far a pending statement came, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingState {
    /// Signing it needs an identity token.
    Unsigned,
    /// A timestamp is needed before the certificate ends.
    Signed,
    /// Only the entry in the log is missing.
    Stamped,
}

/// A pending file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is of another version, or of something else.
    #[error("it is no pending statement of the schema `{PENDING_SCHEMA}`: {0}")]
    Format(String),
    /// What is to be signed is no statement about a file.
    #[error("what is to be signed cannot be")]
    Statement(#[source] Refusal),
}

impl Pending {
    /// A statement that is to be signed.
    ///
    /// # Errors
    /// It is no in-toto statement about a file with a SHA-256.
    pub fn new(payload: Vec<u8>) -> Result<Self, Refusal> {
        Ok(Self {
            artifact: artifact(&payload)?,
            stage: Stage::Unsigned { payload },
        })
    }

    /// How far it came.
    #[must_use]
    pub const fn state(&self) -> PendingState {
        match self.stage {
            Stage::Unsigned { .. } => PendingState::Unsigned,
            Stage::Signed(_) => PendingState::Signed,
            Stage::Stamped { .. } => PendingState::Stamped,
        }
    }

    /// The statement.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        match &self.stage {
            Stage::Unsigned { payload } => payload,
            Stage::Signed(signed) | Stage::Stamped { signed, .. } => {
                signed.envelope.payload.as_bytes()
            }
        }
    }

    /// The text of its file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let wire = WireV1 {
            schema: PENDING_SCHEMA.to_owned(),
            stage: match self.stage.clone() {
                Stage::Unsigned { payload } => WireStage::Unsigned {
                    payload: PayloadBytes::new(payload),
                },
                Stage::Signed(signed) => WireStage::Signed(signed.into()),
                Stage::Stamped { signed, timestamp } => WireStage::Stamped {
                    signed: signed.into(),
                    timestamp,
                },
            },
        };
        // Structs of strings always serialise; an empty file would be refused when it is read.
        let mut text = serde_json::to_string_pretty(&wire).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is none, or too large, or what it holds is no statement.
    pub fn parse(text: &[u8]) -> Result<Self, PendingError> {
        if text.len() > LARGEST_BUNDLE {
            return Err(PendingError::Format(format!(
                "more than {LARGEST_BUNDLE} bytes"
            )));
        }
        let wire: WireV1 = serde_json::from_slice(text)
            .map_err(|error| PendingError::Format(error.to_string()))?;
        if wire.schema != PENDING_SCHEMA {
            let other = wire.schema.escape_debug().take(100).collect::<String>();
            return Err(PendingError::Format(format!("it says `{other}`")));
        }
        let stage = match wire.stage {
            WireStage::Unsigned { payload } => Stage::Unsigned {
                payload: payload.into_bytes(),
            },
            WireStage::Signed(signed) => Stage::Signed(signed.try_into()?),
            WireStage::Stamped { signed, timestamp } => Stage::Stamped {
                signed: signed.try_into()?,
                timestamp,
            },
        };
        let mut pending = Self {
            artifact: ArtifactDigests::of(b""),
            stage,
        };
        pending.artifact = artifact(pending.payload()).map_err(PendingError::Statement)?;
        Ok(pending)
    }

    /// The same statement, to be signed anew.
    pub(super) fn unsigned(&self) -> Stage {
        Stage::Unsigned {
            payload: self.payload().to_vec(),
        }
    }
}

/// The file that a statement is about: its first subject.
fn artifact(payload: &[u8]) -> Result<ArtifactDigests, Refusal> {
    let malformed = |words: &str| Refusal::new(RefusalReason::StatementMalformed, words);
    let statement = Statement::parse(payload)?;
    let subject = statement
        .subject
        .first()
        .ok_or_else(|| malformed("the statement is about nothing"))?;
    let digest = |algorithm: &str| subject.digest.get(algorithm);
    let sha256 = digest("sha256")
        .and_then(|digest| digest.parse().ok())
        .ok_or_else(|| malformed("the statement's subject has no SHA-256"))?;
    let sha512 = digest("sha512")
        .map(|digest| digest.parse())
        .transpose()
        .map_err(|_| malformed("the statement's subject has no SHA-512 but something else"))?;
    Ok(ArtifactDigests { sha256, sha512 })
}

#[derive(Serialize, Deserialize)]
struct WireV1 {
    schema: String,
    #[serde(flatten)]
    stage: WireStage,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
enum WireStage {
    Unsigned {
        payload: PayloadBytes,
    },
    Signed(WireSigned),
    Stamped {
        #[serde(flatten)]
        signed: WireSigned,
        timestamp: TimestampToken,
    },
}

#[derive(Serialize, Deserialize)]
struct WireSigned {
    envelope: DsseEnvelope,
    certificate: DerCertificate,
    identity: String,
    issuer: String,
}

impl From<SignedStatement> for WireSigned {
    fn from(signed: SignedStatement) -> Self {
        Self {
            envelope: signed.envelope,
            certificate: signed.certificate,
            identity: signed.signer.identity,
            issuer: signed.signer.issuer,
        }
    }
}

impl TryFrom<WireSigned> for SignedStatement {
    type Error = PendingError;

    fn try_from(wire: WireSigned) -> Result<Self, PendingError> {
        if wire.envelope.payload_type != PAYLOAD_TYPE {
            return Err(PendingError::Format(
                "the envelope holds no in-toto statement".to_owned(),
            ));
        }
        Ok(Self {
            envelope: wire.envelope,
            certificate: wire.certificate,
            signer: SignerIdentity {
                identity: wire.identity,
                issuer: wire.issuer,
            },
        })
    }
}

/// A directory of pending files: `NAME.pending.json`.
#[derive(Debug, Clone)]
pub struct PendingDirectory(PathBuf);

impl PendingDirectory {
    /// The directory at this path, whether or not there is one yet.
    #[must_use]
    pub const fn at(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Every directory at or below this path that has pending files, sorted; links are not followed.
    ///
    /// # Errors
    /// A directory cannot be read, or there are too many.
    pub fn below(root: &Path) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        let mut seen = 0;
        let mut left = vec![(root.to_owned(), 0)];
        while let Some((path, depth)) = left.pop() {
            let directory = Self(path);
            if !directory.names()?.is_empty() {
                found.push(directory.clone());
            }
            if depth == DEEPEST || !directory.0.is_dir() {
                continue;
            }
            for entry in fs::read_dir(&directory.0)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    left.push((entry.path(), depth + 1));
                    seen += 1;
                }
                if seen > MOST_FILES {
                    return Err(io::Error::other(format!(
                        "more than {MOST_FILES} directories"
                    )));
                }
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        Ok(found)
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// Where the file of that name lies.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}{SUFFIX}"))
    }

    /// Keeps every other process of this kind from finishing the same files until the lock is dropped.
    ///
    /// # Errors
    /// The directory cannot be made, or locking is not possible there.
    pub fn lock(&self) -> io::Result<DirectoryLock> {
        DirectoryLock::take(&self.0)
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// The name is no file name, or the file was not written.
    pub fn write(&self, name: &str, pending: &Pending) -> io::Result<()> {
        plain(name)?;
        write_whole(&self.path(name), pending.to_text().as_bytes())
    }

    /// The names of all files, sorted; none where there is no such directory.
    ///
    /// # Errors
    /// The directory cannot be read, or has too many files.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(SUFFIX))
                && plain(name).is_ok()
            {
                names.push(name.to_owned());
            }
            if names.len() > MOST_FILES {
                return Err(io::Error::other(format!(
                    "more than {MOST_FILES} pending files"
                )));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Reads the file of that name.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(&self, name: &str) -> Result<Pending, PendingError> {
        plain(name)?;
        let file = fs::File::open(self.path(name))?;
        let mut text = Vec::new();
        file.take(LARGEST_BUNDLE as u64 + 1)
            .read_to_end(&mut text)?;
        Pending::parse(&text)
    }

    /// Removes the file of that name, where there is one.
    ///
    /// # Errors
    /// It is still there.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        plain(name)?;
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Refuses what would lead out of the directory.
fn plain(name: &str) -> io::Result<()> {
    let is_file_name = Path::new(name).file_name().is_some_and(|file| file == name);
    if is_file_name && !name.contains(['\\', '\0']) && name.len() <= 200 {
        return Ok(());
    }
    let shown = name.escape_debug().take(100).collect::<String>();
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("`{shown}` is no name of a pending file"),
    ))
}

#[cfg(test)]
mod tests {
    use remint_model::{Sha256, Sha512};

    use super::*;
    use crate::statement::Subject;

    fn payload() -> Vec<u8> {
        let subject = Subject::new("a", &Sha256::of(b"a"), &Sha512::of(b"a"));
        Statement::new(subject, "https://example.org/v1", serde_json::json!({})).to_bytes()
    }

    #[test]
    fn only_statements_about_a_file_are_kept() {
        let pending = Pending::new(payload()).unwrap();
        assert_eq!(pending.artifact, ArtifactDigests::of(b"a"));
        let text = String::from_utf8(payload()).unwrap();
        let sha256 = Sha256::of(b"a").to_string();
        for broken in [
            String::new(),
            "{}".to_owned(),
            text.replace("Statement/v1", "Statement/v9"),
            text.replace("sha256", "sha1"),
            text.replace(&sha256, "a"),
            text.replace(&Sha512::of(b"a").to_string(), "a"),
        ] {
            let refusal = Pending::new(broken.clone().into_bytes()).unwrap_err();
            assert_eq!(
                refusal.reason,
                RefusalReason::StatementMalformed,
                "{broken}"
            );
        }
    }

    #[test]
    fn files_stay_in_their_directory() {
        let root = tempfile::tempdir().unwrap();
        let directory = PendingDirectory::at(root.path().join("pending"));
        assert!(directory.names().unwrap().is_empty());
        let pending = Pending::new(payload()).unwrap();
        for name in ["", ".", "..", "../a", "/a", "a/b", "a\\b", &"a".repeat(300)] {
            directory.write(name, &pending).unwrap_err();
            directory.read(name).unwrap_err();
            directory.remove(name).unwrap_err();
        }
        let lock = directory.lock().unwrap();
        for name in ["b", "a%2fb.summary"] {
            directory.write(name, &pending).unwrap();
            assert_eq!(directory.read(name).unwrap(), pending);
        }
        drop(lock);
        assert_eq!(directory.names().unwrap(), ["a%2fb.summary", "b"]);
        directory.remove("b").unwrap();
        directory.remove("b").unwrap();
        assert!(matches!(
            directory.read("b"),
            Err(PendingError::File(error)) if error.kind() == io::ErrorKind::NotFound
        ));
        let large = vec![b' '; LARGEST_BUNDLE + 1];
        fs::write(directory.path("large"), large).unwrap();
        assert!(matches!(
            directory.read("large"),
            Err(PendingError::Format(_))
        ));
    }

    #[test]
    fn pending_files_are_found_wherever_a_store_has_them() {
        let root = tempfile::tempdir().unwrap();
        let pending = Pending::new(payload()).unwrap();
        let found = |root: &Path| -> Vec<PathBuf> {
            let found = PendingDirectory::below(root).unwrap();
            found
                .iter()
                .map(|directory| directory.directory().to_owned())
                .collect()
        };
        assert!(found(&root.path().join("nowhere")).is_empty());
        assert!(found(root.path()).is_empty());
        let deep = root.path().join("npm/a/1.0.0/a.tgz/0011/signer");
        let (near, empty) = (root.path().join("near"), root.path().join("empty"));
        for directory in [&deep, &near] {
            let directory = PendingDirectory::at(directory.clone());
            directory.write("a", &pending).unwrap();
        }
        fs::create_dir_all(empty).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(root.path(), near.join("again")).unwrap();
        assert_eq!(found(root.path()), [near, deep]);
        let endless = root.path().join("a/".repeat(60));
        fs::create_dir_all(endless).unwrap();
        assert_eq!(found(root.path()).len(), 2);
    }

    #[test]
    fn the_text_of_a_file_is_frozen() {
        let text = Pending::new(payload()).unwrap().to_text();
        let wire: serde_json::Value = serde_json::from_str(&text).unwrap();
        let fields: Vec<&String> = wire.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["schema", "state", "payload"]);
        assert_eq!(wire["schema"], "remint.pending/v1");
        assert_eq!(wire["state"], "unsigned");
    }
}
