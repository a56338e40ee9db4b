//! The keys with which an npm registry itself signs that it published a file.
//!
//! They come from the registry that is asked, so what they sign is the registry's own word and no more.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use sigstore_types::DerPublicKey;

use super::answer::{AnswerError, read};
use crate::key::PublicKey;
use crate::refusal::{Refusal, RefusalReason};

/// More keys than any registry has.
const MOST_KEYS: usize = 64;

/// A registry's keys.
#[derive(Debug, Clone)]
pub struct RegistryKeys(Vec<RegistryKey>);

#[derive(Debug, Clone)]
pub(super) struct RegistryKey {
    /// As the registry names it: on the public one `SHA256:` and the key's fingerprint as SSH has it.
    id: String,
    pub(super) public: PublicKey,
    /// From when on its signatures do not count.
    expires: Option<Timestamp>,
}

impl RegistryKeys {
    /// Reads the answer of an npm registry to `/-/npm/v1/keys`. Keys of a kind that is not understood are left out.
    ///
    /// # Errors
    /// It cannot be understood as a whole.
    pub fn parse(answer: &[u8]) -> Result<Self, AnswerError> {
        #[derive(Deserialize)]
        struct Wire {
            keys: Vec<Value>,
        }
        let wire: Wire = read(answer)?;
        let keys = wire.keys.iter().take(MOST_KEYS);
        Ok(Self(keys.filter_map(RegistryKey::read).collect()))
    }

    pub(super) fn find(&self, id: &str) -> Option<&RegistryKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl RegistryKey {
    fn read(value: &Value) -> Option<Self> {
        let text = |field: &str| value.get(field).and_then(Value::as_str);
        let der = DerPublicKey::from_base64(text("key")?).ok()?;
        let expires = match value.get("expires") {
            None | Some(Value::Null) => None,
            // An end that cannot be read must not make a key last for ever.
            Some(expires) => Some(expires.as_str()?.parse().ok()?),
        };
        Some(Self {
            id: text("keyid")?.to_owned(),
            public: PublicKey::from_der(der).ok()?,
            expires,
        })
    }

    /// Whether the key still counted when it signed.
    pub(super) fn check_validity(&self, signed: &[Timestamp]) -> Result<(), Refusal> {
        let Some(expires) = self.expires else {
            return Ok(());
        };
        if signed.iter().all(|signed| *signed < expires) {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalReason::KeyMismatch,
            format!(
                "the registry's key `{}` ended at {expires}, before it signed this",
                self.id
            ),
        ))
    }
}
