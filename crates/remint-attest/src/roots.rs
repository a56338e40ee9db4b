//! Trusted roots (protobuf-specs, `sigstore_trustroot.proto`): whose certificates, logs and timestamps count.

use sigstore_trust_root::{SigstoreInstance, TrustedRoot};
use sigstore_types::{LogKeyId, PayloadBytes};
use sigstore_verify::Verifier;

use crate::key::LogKey;

/// A trusted root, with its keys and certificates prepared for verification.
pub struct TrustRoot {
    pub(crate) verifier: Verifier,
    /// The ids of the transparency logs.
    pub(crate) logs: Vec<LogKeyId>,
}

impl std::fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustRoot").finish_non_exhaustive()
    }
}

/// Sigstore instances whose roots are embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instance {
    /// The public-good instance: npm, PyPI, and most of GitHub.
    PublicGood,
    /// The public-good instance's staging twin.
    Staging,
    /// GitHub's own instance, for private repositories and its releases.
    GitHub,
}

/// A trusted root that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the trusted root cannot be used: {0}")]
pub struct TrustRootError(String);

impl TrustRootError {
    /// A root that could not even be read, in words.
    #[must_use]
    pub fn of(words: &str) -> Self {
        Self(words.to_owned())
    }
}

impl TrustRoot {
    /// Reads `trusted_root.json`.
    ///
    /// # Errors
    /// It is no trusted root, or a key or certificate in it cannot be used.
    pub fn parse(json: &str) -> Result<Self, TrustRootError> {
        let root =
            TrustedRoot::from_json(json).map_err(|error| TrustRootError(error.to_string()))?;
        let known = "application/vnd.dev.sigstore.trustedroot";
        if !root.media_type.starts_with(known) {
            return Err(TrustRootError(format!(
                "its media type is `{}`, expected `{known}…`",
                root.media_type.escape_debug().take(100).collect::<String>()
            )));
        }
        let verifier = Verifier::new(&root).map_err(|error| TrustRootError(error.to_string()))?;
        let logs = root.tlogs.iter().map(|log| log.log_id.key_id.clone());
        Ok(Self {
            logs: logs.collect(),
            verifier,
        })
    }

    /// A root that trusts one transparency log and nothing else.
    pub(crate) fn of_log(log: &LogKey) -> Result<Self, TrustRootError> {
        Self::parse(&trusted_root_of(log))
    }

    /// The root that was embedded when this program was built.
    ///
    /// # Errors
    /// Never for a released program; a test holds that.
    pub fn embedded(instance: Instance) -> Result<Self, TrustRootError> {
        let instance = match instance {
            Instance::PublicGood => SigstoreInstance::PublicGood,
            Instance::Staging => SigstoreInstance::Staging,
            Instance::GitHub => SigstoreInstance::GitHub,
        };
        Self::parse(instance.embedded_trusted_root_json())
    }
}

/// `trusted_root.json` for one transparency log and nothing else, for other people's tools.
#[must_use]
pub fn trusted_root_of(log: &LogKey) -> String {
    let encode = |bytes: &[u8]| PayloadBytes::from_bytes(bytes).to_base64();
    let root = serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "tlogs": [{
            "baseUrl": format!("https://{}", log.name()),
            "hashAlgorithm": "SHA2_256",
            "publicKey": {
                "rawBytes": encode(&log.spki()),
                "keyDetails": "PKIX_ED25519",
                // The key has no time of its own; the field is one that others ask for.
                "validFor": { "start": "1970-01-01T00:00:00Z" },
            },
            "logId": { "keyId": encode(log.log_id().as_bytes()) },
        }],
    });
    format!("{root:#}\n")
}
