//! Where attestations lie, so that whoever knows the file finds them: the same paths on disk, in a git repository, over
//! HTTPS and in a registry.
//!
//! `<ecosystem>/<name>/<version>/<artifact>/<16 digits>/<signer>/<time>.<kind>.sigstore.json`, with an `index.json` in
//! each artifact's folder. Nothing is ever overwritten.

use jiff::Timestamp;
use remint_model::{FileName, Sha256, Target};
use serde::{Deserialize, Serialize};

use crate::compose::StatementKind;
use crate::key::KeyId;

/// The name of the index in an artifact's folder.
pub const INDEX: &str = "index.json";

/// The format of the index.
pub const INDEX_FORMAT: &str = "remint.attestations/v1";

/// The largest index that is read, in bytes.
pub const LARGEST_INDEX: u64 = 4 << 20;

/// The most entries of an index that are followed.
pub const MOST_ENTRIES: usize = 4096;

/// How a signer is named in paths.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignerId(String);

impl SignerId {
    /// The holder of a key.
    #[must_use]
    pub fn key(id: &KeyId) -> Self {
        Self(format!("key-{}", id.short()))
    }

    /// Whoever an issuer knows by this identity.
    #[must_use]
    pub fn identity(identity: &str, issuer: &str) -> Self {
        let digest = Sha256::of(format!("{issuer}\n{identity}").as_bytes()).to_string();
        Self(format!("id-{}", digest.get(..16).unwrap_or(&digest)))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The folder of everything about one published file name, below the root.
#[must_use]
pub fn artifact_folder(target: &Target, file: &FileName) -> String {
    format!(
        "{}/{}/{}/{}",
        target.ecosystem.name(),
        encoded(&target.name.to_string()),
        encoded(target.version.as_str()),
        encoded(file.as_str()),
    )
}

/// The folder of everything about one file, below the artifact's folder.
#[must_use]
pub fn digest_folder(artifact: &Sha256) -> String {
    artifact.to_string().chars().take(16).collect()
}

/// The folder of one signer's attestations about one file, below the artifact's folder.
#[must_use]
pub fn signer_folder(artifact: &Sha256, signer: &SignerId) -> String {
    format!("{}/{}", digest_folder(artifact), signer.as_str())
}

/// The folder of what is not signed yet, beside those of signers. It is nobody's: no signer is called so.
pub const PENDING: &str = "pending";

/// The folder of a signer's log, below the root.
#[must_use]
pub fn log_folder(signer: &SignerId) -> String {
    format!("log/{}", signer.as_str())
}

/// The name of one run's files, without the ending.
#[must_use]
pub fn run_name(time: Timestamp) -> String {
    time.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The file name of a bundle.
#[must_use]
pub fn bundle_name(run: &str, kind: StatementKind) -> String {
    format!("{run}.{}.sigstore.json", kind.name())
}

/// The file name of the report that a comparison names by its digest.
#[must_use]
pub fn report_name(run: &str) -> String {
    format!("{run}.report.json")
}

/// What there is about one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// [`INDEX_FORMAT`].
    pub format: String,
    /// The bundles, sorted by path.
    pub attestations: Vec<IndexEntry>,
}

/// One bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IndexEntry {
    /// Below the artifact's folder.
    pub path: String,
    /// SHA-256 of the published file that the bundle is about.
    pub artifact: Sha256,
    /// The kind of statement.
    pub kind: String,
    /// Who signed it.
    pub signer: String,
    /// SHA-256 of the bundle.
    pub sha256: Sha256,
}

/// Why an index is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// It is no index.
    #[error("it is no index of attestations: {0}")]
    Format(String),
    /// It names a path that leads out of its folder, or nowhere.
    #[error("`{0}` is no path of an attestation")]
    Path(String),
    /// It has more entries than are followed.
    #[error("it has {0} entries, and {MOST_ENTRIES} is the most that is followed")]
    Many(usize),
}

impl Index {
    /// Reads an index, which anybody may have written.
    ///
    /// # Errors
    /// It is none, or a path in it leads elsewhere.
    pub fn parse(text: &[u8]) -> Result<Self, IndexError> {
        let index: Self =
            serde_json::from_slice(text).map_err(|error| IndexError::Format(error.to_string()))?;
        if index.format != INDEX_FORMAT {
            return Err(IndexError::Format(format!(
                "its format is `{}`",
                index.format.escape_debug().take(80).collect::<String>()
            )));
        }
        if index.attestations.len() > MOST_ENTRIES {
            return Err(IndexError::Many(index.attestations.len()));
        }
        for entry in &index.attestations {
            let parts: Vec<&str> = entry.path.split('/').collect();
            let plain = |part: &&str| {
                !part.is_empty()
                    && !part.starts_with('.')
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"-._%".contains(&byte))
            };
            if parts.len() != 3 || !parts.iter().all(plain) {
                return Err(IndexError::Path(
                    entry.path.escape_debug().take(120).collect(),
                ));
            }
        }
        Ok(index)
    }

    /// An index with these entries besides its own. Of what it said before about the same paths nothing stays.
    #[must_use]
    pub fn with(mut self, entries: impl IntoIterator<Item = IndexEntry>) -> Self {
        for entry in entries {
            self.attestations.retain(|other| other.path != entry.path);
            self.attestations.push(entry);
        }
        self.attestations.sort();
        self
    }

    /// The JSON text, with a newline at its end.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and digests always serialise.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            format: INDEX_FORMAT.to_owned(),
            attestations: Vec::new(),
        }
    }
}

/// A path part: letters, digits, `-`, `.` and `_` stand for themselves, every other byte is percent-encoded (RFC 3986,
/// section 2.1), and so is a dot at the beginning.
fn encoded(text: &str) -> String {
    text.bytes()
        .enumerate()
        .map(|(at, byte)| {
            let plain = byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'_')
                || (byte == b'.' && at > 0);
            if plain {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_characters_are_encoded_and_lead_nowhere() {
        assert_eq!(encoded("@scope/name"), "%40scope%2Fname");
        assert_eq!(encoded(".."), "%2E.");
        assert_eq!(encoded("a-1.0+x_y.tgz"), "a-1.0%2Bx_y.tgz");
    }

    #[test]
    fn an_index_that_leads_out_of_its_folder_is_refused() {
        for path in [
            "../../../etc/passwd",
            "a/b",
            "a/b/c/d",
            "a//c",
            "/a/b",
            "a/../c",
            "a/.b/c",
            "a/b/c\u{0}",
        ] {
            let index = Index::default().with([IndexEntry {
                path: path.to_owned(),
                artifact: Sha256::of(b""),
                kind: "summary".to_owned(),
                signer: "key-0".to_owned(),
                sha256: Sha256::of(b""),
            }]);
            assert!(
                matches!(
                    Index::parse(index.to_text().as_bytes()),
                    Err(IndexError::Path(_))
                ),
                "{path}"
            );
        }
    }

    #[test]
    fn what_an_index_said_before_does_not_hide_what_is_added() {
        let entry = |artifact: Sha256| IndexEntry {
            path: "0123456789abcdef/key-0/20261120T120000Z.summary.sigstore.json".to_owned(),
            artifact,
            kind: "summary".to_owned(),
            signer: "key-0".to_owned(),
            sha256: Sha256::of(b""),
        };
        for planted in [[0; 32], [0xff; 32]] {
            let planted = entry(Sha256::from_bytes(planted));
            let index = Index::default()
                .with([planted])
                .with([entry(Sha256::of(b"a"))]);
            assert_eq!(index.attestations, [entry(Sha256::of(b"a"))]);
        }
    }

    proptest! {
        #[test]
        fn encoding_keeps_names_apart_and_inside(a in ".{1,40}", b in ".{1,40}") {
            let (x, y) = (encoded(&a), encoded(&b));
            prop_assert_eq!(a == b, x == y);
            prop_assert!(!x.contains('/') && !x.starts_with('.'));
        }

        #[test]
        fn no_bytes_break_the_index(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Index::parse(&bytes));
        }
    }
}
