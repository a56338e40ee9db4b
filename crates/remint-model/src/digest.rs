//! Digests and commit ids as distinct types, so that one is never taken for another.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// Why a text is no digest of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text is not hexadecimal, or not of the length that this digest has.
    #[error("`{text}` is not {expected} hexadecimal digits")]
    Hex {
        /// What was read, cut to a printable length.
        text: String,
        /// How many digits this digest has.
        expected: usize,
    },
    /// The text names no digest of the Subresource Integrity grammar that we accept.
    #[error("`{0}` holds no sha512, sha256 or sha1 integrity")]
    Integrity(String),
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $hasher:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The digest of these bytes.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                Self(<$hasher>::digest(bytes).into())
            }

            /// A digest that a streaming hasher has produced.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError::Hex {
                    text: text.chars().take(140).collect(),
                    expected: $bytes * 2,
                })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

digest!(
    /// SHA-256 (FIPS 180-4), the identity of every artifact here.
    Sha256,
    32,
    sha2::Sha256
);
digest!(
    /// SHA-512 (FIPS 180-4), npm's integrity.
    Sha512,
    64,
    sha2::Sha512
);
digest!(
    /// SHA-1 (FIPS 180-4): what old registry entries and git offer. It identifies; it protects nothing.
    Sha1,
    20,
    sha1::Sha1
);

/// The full id of a git commit or blob: 40 hexadecimal digits (SHA-1 repositories) or 64 (SHA-256 repositories).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl CommitId {
    /// The id that git gives a blob with this content (SHA-1 object format).
    #[must_use]
    pub fn of_blob(content: &[u8]) -> Self {
        let mut hasher = sha1::Sha1::new();
        hasher.update(format!("blob {}\0", content.len()));
        hasher.update(content);
        Self(hex::encode(hasher.finalize()))
    }

    /// The id as lower-case hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CommitId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(DigestError::Hex {
                text: text.chars().take(140).collect(),
                expected: 40,
            })
        }
    }
}

impl TryFrom<String> for CommitId {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

/// What a registry or lockfile says a file's digest is: the strongest one that it names.
///
/// Parsed from W3C Subresource Integrity (section 3.5) or built from plain hexadecimal digests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Integrity {
    /// SHA-512.
    Sha512(Sha512),
    /// SHA-256.
    Sha256(Sha256),
    /// SHA-1: all that some old entries have. Too weak to trust against an attacker, and reported as such.
    Sha1(Sha1),
}

impl Integrity {
    /// Whether these bytes have this digest.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha512(digest) => Sha512::of(bytes) == *digest,
            Self::Sha256(digest) => Sha256::of(bytes) == *digest,
            Self::Sha1(digest) => Sha1::of(bytes) == *digest,
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes): (_, &[u8]) = match self {
            Self::Sha512(digest) => ("sha512", digest.as_bytes()),
            Self::Sha256(digest) => ("sha256", digest.as_bytes()),
            Self::Sha1(digest) => ("sha1", digest.as_bytes()),
        };
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        write!(f, "{name}-{encoded}")
    }
}

impl FromStr for Integrity {
    type Err = DigestError;

    /// Takes the strongest entry of a space-separated Subresource Integrity list; options (`?…`) are dropped.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let mut best: Option<Self> = None;
        for entry in text.split_ascii_whitespace() {
            let entry = entry.split('?').next().unwrap_or(entry);
            let Some((algorithm, encoded)) = entry.split_once('-') else {
                continue;
            };
            let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(encoded) else {
                continue;
            };
            let parsed = match algorithm {
                "sha512" => bytes.try_into().ok().map(|b| Self::Sha512(Sha512(b))),
                "sha256" => bytes.try_into().ok().map(|b| Self::Sha256(Sha256(b))),
                "sha1" => bytes.try_into().ok().map(|b| Self::Sha1(Sha1(b))),
                _ => None,
            };
            if let Some(parsed) = parsed
                && best
                    .as_ref()
                    .is_none_or(|b| b.strength() < parsed.strength())
            {
                best = Some(parsed);
            }
        }
        best.ok_or_else(|| DigestError::Integrity(text.chars().take(140).collect()))
    }
}

impl Integrity {
    const fn strength(&self) -> u8 {
        match self {
            Self::Sha512(_) => 3,
            Self::Sha256(_) => 2,
            Self::Sha1(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_strongest_integrity_of_a_list_wins() {
        let weak = Integrity::Sha1(Sha1::of(b"a"));
        let strong = Integrity::Sha512(Sha512::of(b"a"));
        let parsed: Integrity = format!("{weak} {strong}?option").parse().unwrap();
        assert_eq!(parsed, strong);
        assert!(parsed.matches(b"a"));
        assert!(!parsed.matches(b"b"));
    }

    #[test]
    fn a_text_without_a_known_digest_is_no_integrity() {
        for text in ["", "sha512-", "sha512-AAAA", "md5-AAAA", "sha512", "-"] {
            assert!(text.parse::<Integrity>().is_err(), "{text}");
        }
    }

    #[test]
    fn blobs_have_the_ids_that_git_gives_them() {
        assert_eq!(
            CommitId::of_blob(b"").as_str(),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        );
    }

    #[test]
    fn commit_ids_are_full_and_lower_case() {
        let id: CommitId = "ABCDEF0123456789ABCDEF0123456789ABCDEF01".parse().unwrap();
        assert_eq!(id.short(), "abcdef012345");
        for text in ["abcdef0", "v1.0", "--upload-pack=x", ""] {
            assert!(text.parse::<CommitId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn digests_are_read_back_as_written(bytes: Vec<u8>, any: String, list in "(sha(1|256|512)-[A-Za-z0-9+/]{0,90}={0,2}[? ]?){0,3}") {
            let weak = Integrity::Sha1(Sha1::of(&bytes));
            for integrity in [weak, Integrity::Sha256(Sha256::of(&bytes)), Integrity::Sha512(Sha512::of(&bytes))] {
                prop_assert!(integrity.matches(&bytes));
                prop_assert_eq!(integrity.to_string().parse(), Ok(integrity));
            }
            prop_assert_eq!(Sha256::of(&bytes).to_string().parse(), Ok(Sha256::of(&bytes)));
            let id = CommitId::of_blob(&bytes);
            prop_assert_eq!(id.as_str().to_ascii_uppercase().parse(), Ok(id));
            for text in [any, list] {
                if let Ok(integrity) = text.parse::<Integrity>() {
                    prop_assert_eq!(integrity.to_string().parse(), Ok(integrity));
                }
                prop_assert!(text.parse::<Sha512>().is_err());
                prop_assert!(text.parse::<CommitId>().is_err());
            }
        }
    }
}
