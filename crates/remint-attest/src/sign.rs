//! Signing with a key: a DSSE envelope (DSSE protocol, version 1) in a Sigstore bundle of version 0.3, with an entry of
//! the key's own log.

use sigstore_bundle::{BundleV03, VerificationMaterialV03};
use sigstore_crypto::sha256;
use sigstore_rekor::{HashedRekordV2, RekorV2KeyDetails};
use sigstore_types::bundle::{CheckpointData, InclusionProof, LogId, TransparencyLogEntry};
use sigstore_types::{
    CanonicalizedBody, DsseEnvelope, DsseSignature, KeyId, KindVersion, LogIndex, LogKeyId,
    PayloadBytes, SignatureBytes, SignatureContent, pae,
};

use crate::bundle::Bundle;
use crate::key::SigningKey;
use crate::log::{self, Inclusion, LogError, LogFiles};
use crate::statement::PAYLOAD_TYPE;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The log did not take the signatures.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The cryptography failed.
    #[error("the signature could not be made: {0}")]
    Crypto(String),
}

/// A bundle that was made, as it is written down.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The bundle.
    pub bundle: Bundle,
    /// Its JSON text, with a newline at its end.
    pub text: String,
}

/// Signs statements and enters the signatures in the key's log, all at once: either every one is entered or none.
///
/// Whoever calls this holds the log's lock.
///
/// # Errors
/// The log cannot be read or written, or contradicts itself.
pub fn sign_with_key(
    key: &SigningKey,
    payloads: &[Vec<u8>],
    files: &dyn LogFiles,
) -> Result<Vec<Signed>, SignError> {
    let crypto = |error: sigstore_crypto::Error| SignError::Crypto(error.to_string());
    let mut signatures = Vec::new();
    let mut bodies = Vec::new();
    for payload in payloads {
        let encoded = pae(PAYLOAD_TYPE, payload);
        let signature = key.pair.sign(&encoded).map_err(crypto)?;
        bodies.push(body(key, &encoded, &signature)?);
        signatures.push(signature);
    }
    let inclusions = log::append(files, key, &bodies)?;
    payloads
        .iter()
        .zip(signatures)
        .zip(bodies.iter().zip(inclusions))
        .map(|((payload, signature), (body, inclusion))| {
            bundle(key, payload, signature, body, inclusion)
        })
        .collect()
}

/// The canonical body of a log entry (Rekor v2, `hashedrekord` 0.0.2; RFC 8785).
fn body(
    key: &SigningKey,
    encoded: &[u8],
    signature: &SignatureBytes,
) -> Result<Vec<u8>, SignError> {
    let request = HashedRekordV2::new_with_public_key(
        &sha256(encoded),
        signature,
        &key.public().der,
        RekorV2KeyDetails::PkixEcdsaP256Sha256,
    );
    entry_body(&request)
}

/// The body that a log keeps of a request: the kind, the version and what is to be entered.
pub(crate) fn entry_body(request: &HashedRekordV2) -> Result<Vec<u8>, SignError> {
    let broken = |error: serde_json::Error| SignError::Crypto(error.to_string());
    let request = serde_json::to_value(request).map_err(broken)?;
    let inner = &request["hashedRekordRequestV002"];
    let body = serde_json::json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": { "hashedRekordV002": {
            "data": { "algorithm": "SHA2_256", "digest": inner["digest"] },
            "signature": inner["signature"],
        } },
    });
    serde_json_canonicalizer::to_vec(&body).map_err(broken)
}

fn bundle(
    key: &SigningKey,
    payload: &[u8],
    signature: SignatureBytes,
    body: &[u8],
    inclusion: Inclusion,
) -> Result<Signed, SignError> {
    let broken = |error: sigstore_types::Error| SignError::Crypto(error.to_string());
    let id = key.public().id().to_string();
    let envelope = DsseEnvelope::new(
        PAYLOAD_TYPE,
        PayloadBytes::from_bytes(payload),
        DsseSignature::new(signature, KeyId::new(key.public().fingerprint())),
    );
    let index = LogIndex::new(inclusion.index).map_err(broken)?;
    let entry = TransparencyLogEntry::new(
        index,
        LogId::new(LogKeyId::from_bytes(key.log().log_id().as_bytes())),
        KindVersion::HashedRekordV002,
        CanonicalizedBody::from_bytes(body),
    )
    .with_inclusion_proof(InclusionProof::new(
        index,
        inclusion.root,
        inclusion.size,
        inclusion.hashes,
        CheckpointData::new(inclusion.checkpoint).map_err(broken)?,
    ));
    let inner = BundleV03::new(
        VerificationMaterialV03::PublicKey { hint: id },
        SignatureContent::DsseEnvelope(envelope),
    )
    .with_tlog_entry(entry)
    .into_bundle();
    let text = canonical_text(&inner).map_err(broken)?;
    Ok(Signed {
        bundle: Bundle::from_parts(inner, text.as_bytes()),
        text,
    })
}

/// A bundle as it is written down here: one line of JSON, with a newline at its end.
pub(crate) fn canonical_text(
    bundle: &sigstore_types::Bundle,
) -> Result<String, sigstore_types::Error> {
    let mut text = bundle.to_json()?;
    text.push('\n');
    Ok(text)
}
