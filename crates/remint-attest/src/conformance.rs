//! The client protocol of the Sigstore conformance suite: verifies any bundle, of any payload, and says nothing about
//! what it means. For tests of the cryptography; nobody's trust should rest on it.

use sigstore_types::{Artifact, ArtifactDigest, DerPublicKey, Sha256Hash};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy};

use crate::bundle::Bundle;
use crate::refusal::{Refusal, RefusalReason};
use crate::roots::TrustRoot;

/// What the bundle is verified against.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The file's bytes.
    File(&'a [u8]),
    /// Its SHA-256, in hexadecimal digits.
    Sha256(&'a str),
}

/// Who must have signed.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// A certificate with this subject alternative name, from this issuer.
    Certificate {
        /// The name, exactly.
        identity: &'a str,
        /// The OpenID Connect issuer, exactly.
        issuer: &'a str,
    },
    /// A public key, as PEM.
    Key(&'a str),
}

/// Verifies a bundle as the suite's `verify-bundle` asks.
///
/// # Errors
/// The bundle is refused.
pub fn verify_bundle(
    bundle: &Bundle,
    input: Input<'_>,
    signer: Signer<'_>,
    root: &TrustRoot,
) -> Result<(), Refusal> {
    let artifact = match input {
        Input::File(bytes) => Artifact::Blob(bytes),
        Input::Sha256(hex) => {
            let digest = Sha256Hash::from_hex(hex).map_err(|error| {
                Refusal::new(RefusalReason::ArtifactMismatch, error.to_string())
            })?;
            Artifact::Digest(ArtifactDigest::sha256(digest))
        }
    };
    match signer {
        Signer::Certificate { identity, issuer } => {
            let policy = VerificationPolicy::new(identity, issuer);
            root.verifier.verify(artifact, &bundle.inner, &policy)?;
        }
        Signer::Key(pem) => {
            let key = DerPublicKey::from_pem(pem)
                .map_err(|error| Refusal::new(RefusalReason::KeyMismatch, error.to_string()))?;
            let policy = PublicKeyVerificationPolicy::new(key);
            root.verifier.verify(artifact, &bundle.inner, &policy)?;
        }
    }
    Ok(())
}
