//! Sigstore bundles (protobuf-specs, `sigstore_bundle.proto`) as they lie on disk: bounded, parsed once.

use std::str::FromStr as _;

use remint_model::Sha256;
use sigstore_crypto::parse_certificate_info;
use sigstore_types::bundle::VerificationMaterialContent;
use sigstore_types::{MediaType, SignatureContent};

use crate::refusal::{Refusal, RefusalReason};
use crate::sign::canonical_text;

/// The largest bundle that is read, in bytes. Statements list every fetched dependency, so they may be long; a
/// thousand of them take about 300 kB.
pub const LARGEST_BUNDLE: usize = 8 << 20;

/// A parsed bundle. Nothing in it is believed yet.
#[derive(Debug, Clone)]
pub struct Bundle {
    pub(crate) inner: sigstore_types::Bundle,
    /// Of the text that was parsed.
    digest: Sha256,
}

/// What tells a newer bundle from something else.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versioned {
    media_type: String,
}

impl Bundle {
    /// Parses the JSON text of a bundle.
    ///
    /// # Errors
    /// `bundle-malformed` where it is none, or is larger than [`LARGEST_BUNDLE`].
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let malformed = |detail: String| Refusal::new(RefusalReason::BundleMalformed, detail);
        if text.len() > LARGEST_BUNDLE {
            return Err(malformed(format!(
                "the bundle has {} bytes, and {LARGEST_BUNDLE} is the most that is read",
                text.len()
            )));
        }
        let checked = std::str::from_utf8(text)
            .map_err(|_| malformed("the bundle is no text in UTF-8".to_owned()))?;
        if let Ok(Versioned { media_type }) = serde_json::from_str(checked)
            && MediaType::from_str(&media_type).is_err()
        {
            return Err(Refusal::new(
                RefusalReason::BundleUnsupported,
                format!(
                    "`{}` is no bundle version that is understood",
                    media_type.escape_debug().take(100).collect::<String>()
                ),
            ));
        }
        let inner = sigstore_types::Bundle::from_json(checked)
            .map_err(|error| malformed(format!("the bundle cannot be read: {error}")))?;
        Ok(Self {
            inner,
            digest: Sha256::of(text),
        })
    }

    pub(crate) fn from_parts(inner: sigstore_types::Bundle, text: &[u8]) -> Self {
        Self {
            inner,
            digest: Sha256::of(text),
        }
    }

    /// SHA-256 of the text that was parsed.
    #[must_use]
    pub const fn digest(&self) -> Sha256 {
        self.digest
    }

    /// Whether the text that was parsed is exactly what this crate writes for its content.
    pub(crate) fn is_canonical(&self) -> bool {
        canonical_text(&self.inner).is_ok_and(|text| Sha256::of(text.as_bytes()) == self.digest)
    }

    /// Whether both hold the same statement, whoever signed it; neither signature is checked.
    #[must_use]
    pub fn has_statement_of(&self, other: &Self) -> bool {
        self.payload().is_some() && self.payload() == other.payload()
    }

    /// What the bundle says about the key that signed it, where it was a key: a hint, to be checked.
    #[must_use]
    pub fn key_hint(&self) -> Option<&str> {
        match &self.inner.verification_material.content {
            VerificationMaterialContent::PublicKey(key) => Some(&key.hint),
            VerificationMaterialContent::Certificate(_)
            | VerificationMaterialContent::X509CertificateChain { .. }
            | _ => None,
        }
    }

    /// Whom the bundle's certificate names and who vouches for that, where it has one: a claim, to be checked.
    #[must_use]
    pub fn claimed_identity(&self) -> Option<(String, String)> {
        let certificate = parse_certificate_info(self.inner.signing_certificate()?).ok()?;
        let identity = certificate.identity?.as_str().to_owned();
        Some((identity, certificate.issuer?))
    }

    /// The signed bytes, unverified.
    pub(crate) fn payload(&self) -> Option<&[u8]> {
        match &self.inner.content {
            SignatureContent::DsseEnvelope(envelope) => Some(envelope.payload.as_bytes()),
            SignatureContent::MessageSignature(_) | _ => None,
        }
    }
}
