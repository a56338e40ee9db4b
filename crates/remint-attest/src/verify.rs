//! Verification: from a bundle that anybody may have written to a statement that an expected signer made.
//!
//! [`Verified`] has no other constructor than [`ExpectedSigner::verify`]. What a verified statement is worth is decided
//! elsewhere ([`crate::trust`]).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use remint_model::Sha256;
use sigstore_crypto::{KeyAlgorithm, parse_certificate_info, verify_signature};
use sigstore_types::bundle::{TransparencyLogEntry, VerificationMaterialContent};
use sigstore_types::{
    Artifact, ArtifactDigest, DerPublicKey, HashAlgorithm, KindVersion, SignatureContent,
};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, VerificationResult};

use crate::bundle::Bundle;
use crate::digests::ArtifactDigests;
use crate::key::{LogKey, PublicKey};
use crate::refusal::{Refusal, RefusalReason};
use crate::roots::{TrustRoot, TrustRootError};
use crate::statement::{PAYLOAD_TYPE, Statement, Subject};

/// Who must have signed. There is no default and no wildcard.
#[derive(Debug, Clone)]
pub struct ExpectedSigner(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Key {
        key: PublicKey,
        log: Box<LogKey>,
        root: Arc<TrustRoot>,
    },
    Identity {
        identity: String,
        issuer: String,
        root: Arc<TrustRoot>,
    },
}

/// A statement that the expected signer made about the file at hand.
#[derive(Debug, Clone)]
pub struct Verified {
    statement: Statement,
    subject: Subject,
    payload_digest: Sha256,
    time: TimeEvidence,
    claims: Claims,
}

/// What says when a statement was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeEvidence {
    /// An independent service: a timestamp authority, or a public log's signed promise. The latest of several.
    Independent(Timestamp),
    /// Nobody but the signer: a local log proves inclusion and order, not when.
    SelfAsserted,
}

/// What the signing certificate says about the workload that signed; all absent where a key signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// The repository that the workflow ran for.
    pub source_repository: Option<String>,
    /// The commit.
    pub source_commit: Option<String>,
    /// The ref.
    pub source_reference: Option<String>,
    /// `github-hosted` or `self-hosted`.
    pub runner_environment: Option<String>,
}

impl ExpectedSigner {
    /// The holder of this key, whose signatures are entered in the log with that key.
    ///
    /// # Errors
    /// The log's key cannot be used.
    pub fn key(key: PublicKey, log: LogKey) -> Result<Self, TrustRootError> {
        let root = Arc::new(TrustRoot::of_log(&log)?);
        let log = Box::new(log);
        Ok(Self(Kind::Key { key, log, root }))
    }

    /// Whoever `issuer` knows by `identity`, both exactly, with a certificate that leads to this root.
    #[must_use]
    pub const fn identity(identity: String, issuer: String, root: Arc<TrustRoot>) -> Self {
        Self(Kind::Identity {
            identity,
            issuer,
            root,
        })
    }

    /// Verifies that this signer made the bundle's statement, and that it is about this file.
    ///
    /// 1. The bundle is of the kind that this signer makes, and a key's bundle has no byte that nothing vouches for.
    /// 2. The signature is good for the key or certificate that the bundle names: nothing reads a payload before that.
    /// 3. The payload is an in-toto statement, and one of its subjects agrees with every known digest of the file.
    /// 4. Certificate, timestamps and transparency log (Sigstore client specification, "Verification").
    ///
    /// # Errors
    /// The bundle is refused, with the reason.
    pub fn verify(&self, bundle: &Bundle, artifact: &ArtifactDigests) -> Result<Verified, Refusal> {
        let payload = bundle.payload().ok_or_else(|| {
            Refusal::new(
                RefusalReason::BundleUnsupported,
                "the bundle holds a bare signature, not a statement",
            )
        })?;
        match &self.0 {
            Kind::Key { key, log, .. } => {
                check_own_shape(bundle, key, log)?;
                check_signature(bundle, &key.der)?;
            }
            Kind::Identity { identity, .. } => {
                if let Some(hint) = bundle.key_hint() {
                    return Err(Refusal::new(
                        RefusalReason::IdentityMismatch,
                        format!(
                            "the bundle was signed with key `{}`, expected a certificate of `{identity}`",
                            hint.escape_debug().take(80).collect::<String>()
                        ),
                    ));
                }
                check_signature_of_certificate(bundle)?;
            }
        }
        let (statement, subject) = about(payload, artifact)?;
        let (result, time) = match &self.0 {
            Kind::Key { key, root, .. } => {
                let policy = PublicKeyVerificationPolicy::new(key.der.clone());
                let handed = handed(&subject, artifact)?;
                let result = root.verifier.verify(handed, &bundle.inner, &policy)?;
                (result, TimeEvidence::SelfAsserted)
            }
            Kind::Identity {
                identity,
                issuer,
                root,
            } => {
                let policy = VerificationPolicy::new(identity.as_str(), issuer.as_str());
                let handed = handed(&subject, artifact)?;
                let result = root.verifier.verify(handed, &bundle.inner, &policy)?;
                let time = independent_time(&result)?;
                (result, time)
            }
        };
        Ok(Verified {
            payload_digest: Sha256::of(payload),
            statement,
            subject,
            time,
            claims: claims(&result),
        })
    }
}

impl Verified {
    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The subject that is the file at hand.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// SHA-256 of the signed bytes, by which summaries name their inputs.
    #[must_use]
    pub const fn payload_digest(&self) -> Sha256 {
        self.payload_digest
    }

    /// What says when it was signed.
    #[must_use]
    pub const fn time(&self) -> TimeEvidence {
        self.time
    }

    /// What the signing certificate claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// The subject that is this file.
pub(crate) fn subject_of(
    statement: &Statement,
    artifact: &ArtifactDigests,
) -> Result<Subject, Refusal> {
    statement
        .subject
        .iter()
        .find(|subject| subject.is(artifact))
        .cloned()
        .ok_or_else(|| {
            Refusal::new(
                RefusalReason::ArtifactMismatch,
                format!(
                    "the statement is not about the file with SHA-256 {}",
                    artifact.sha256
                ),
            )
        })
}

/// The signature alone, before anything reads the payload: what nobody signed is refused for that.
pub(crate) fn check_signature(bundle: &Bundle, key: &DerPublicKey) -> Result<(), Refusal> {
    let SignatureContent::DsseEnvelope(envelope) = &bundle.inner.content else {
        return Ok(());
    };
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Refusal::new(
            RefusalReason::BundleUnsupported,
            format!(
                "the payload is `{}`, expected `{PAYLOAD_TYPE}`",
                envelope
                    .payload_type
                    .escape_debug()
                    .take(80)
                    .collect::<String>()
            ),
        ));
    }
    let invalid = |error: sigstore_crypto::Error| {
        Refusal::new(RefusalReason::SignatureInvalid, error.to_string())
    };
    let scheme = KeyAlgorithm::from_spki(key)
        .map_err(invalid)?
        .default_signing_scheme();
    verify_signature(key, &envelope.pae(), &envelope.signature.sig, scheme).map_err(|_| {
        Refusal::new(
            RefusalReason::SignatureInvalid,
            "the signature is not the signer's over this statement",
        )
    })
}

pub(crate) fn check_signature_of_certificate(bundle: &Bundle) -> Result<(), Refusal> {
    // Without a certificate, or with one that cannot be read, the bundle is refused for that below.
    match bundle
        .inner
        .signing_certificate()
        .map(parse_certificate_info)
    {
        Some(Ok(certificate)) => check_signature(bundle, &certificate.public_key),
        Some(Err(_)) | None => Ok(()),
    }
}

/// The statement, and the one of its subjects that is the file at hand.
fn about(payload: &[u8], artifact: &ArtifactDigests) -> Result<(Statement, Subject), Refusal> {
    let statement = Statement::parse(payload)?;
    let subject = subject_of(&statement, artifact)?;
    Ok((statement, subject))
}

/// A digest that the subject has.
pub(crate) fn handed(
    subject: &Subject,
    artifact: &ArtifactDigests,
) -> Result<Artifact<'static>, Refusal> {
    let (algorithm, bytes) = match artifact.sha512 {
        Some(sha512) if !subject.digest.contains_key("sha256") => {
            (HashAlgorithm::Sha2512, sha512.as_bytes().to_vec())
        }
        _ => (HashAlgorithm::Sha2256, artifact.sha256.as_bytes().to_vec()),
    };
    ArtifactDigest::new(algorithm, bytes)
        .map(Artifact::Digest)
        .map_err(|error| Refusal::new(RefusalReason::ArtifactMismatch, error.to_string()))
}

/// What a bundle that a key signed must look like: what no signature covers has one form alone, so that nobody can
/// change a byte of it unnoticed.
fn check_own_shape(bundle: &Bundle, key: &PublicKey, log: &LogKey) -> Result<(), Refusal> {
    let id = key.id().to_string();
    let hint = match &bundle.inner.verification_material.content {
        VerificationMaterialContent::PublicKey(key) => &key.hint,
        VerificationMaterialContent::Certificate(_)
        | VerificationMaterialContent::X509CertificateChain { .. }
        | _ => {
            return Err(Refusal::new(
                RefusalReason::KeyMismatch,
                format!("the bundle was signed with a certificate, expected key {id}"),
            ));
        }
    };
    if *hint != id {
        return Err(Refusal::new(
            RefusalReason::KeyMismatch,
            format!(
                "the bundle names key `{}`, expected {id}",
                hint.escape_debug().take(80).collect::<String>()
            ),
        ));
    }
    if let SignatureContent::DsseEnvelope(envelope) = &bundle.inner.content
        && envelope.signature.keyid.as_str() != key.fingerprint()
    {
        return Err(Refusal::new(
            RefusalReason::KeyMismatch,
            format!("the envelope does not name key {id}"),
        ));
    }
    let [entry] = bundle.inner.verification_material.tlog_entries.as_slice() else {
        return Err(Refusal::new(
            RefusalReason::InclusionMissing,
            "the bundle has no single entry of the signer's log",
        ));
    };
    check_entry(entry, log)?;
    if !bundle.is_canonical() {
        return Err(Refusal::new(
            RefusalReason::BundleMalformed,
            "the bundle is not written as its signer's tool writes it: a field is unknown, or a value has another form",
        ));
    }
    Ok(())
}

fn check_entry(entry: &TransparencyLogEntry, log: &LogKey) -> Result<(), Refusal> {
    let checkpoint_invalid =
        |detail: String| Refusal::new(RefusalReason::CheckpointInvalid, detail);
    if entry.kind_version != KindVersion::HashedRekordV002 {
        return Err(Refusal::new(
            RefusalReason::LogEntryMismatch,
            "the log entry is of a kind that local logs do not have",
        ));
    }
    if entry.log_id.key_id.as_bytes() != log.log_id().as_bytes() {
        return Err(Refusal::new(
            RefusalReason::LogUnknown,
            format!("the entry is of another log than {}", log.name()),
        ));
    }
    let missing = || {
        Refusal::new(
            RefusalReason::InclusionMissing,
            "the log entry has no proof of inclusion",
        )
    };
    let proof = entry.inclusion_proof.as_ref().ok_or_else(missing)?;
    let checkpoint = proof.checkpoint.checkpoint().ok_or_else(missing)?;
    if checkpoint.origin() != log.name() {
        return Err(checkpoint_invalid(format!(
            "the checkpoint is of `{}`, expected {}",
            checkpoint
                .origin()
                .escape_debug()
                .take(80)
                .collect::<String>(),
            log.name()
        )));
    }
    // Beside the text that is signed a checkpoint has names and spaces that nothing covers: they have one form, too.
    let [signature] = checkpoint.signatures() else {
        return Err(checkpoint_invalid(
            "the checkpoint has not the log's signature alone".to_owned(),
        ));
    };
    let signed = [
        &signature.key_id.as_bytes()[..],
        signature.signature.as_bytes(),
    ]
    .concat();
    let line = format!("\n\u{2014} {} {}\n", log.name(), STANDARD.encode(signed));
    let envelope = proof.checkpoint.envelope().as_bytes();
    if envelope != [checkpoint.signed_data(), line.as_bytes()].concat() {
        return Err(checkpoint_invalid(
            "the checkpoint is not written as its log writes it".to_owned(),
        ));
    }
    // What the entry repeats beside the signed checkpoint must agree with it.
    let repeated = proof.tree_size == checkpoint.tree_size()
        && proof.root_hash == *checkpoint.root_hash()
        && proof.log_index == entry.log_index;
    if !repeated || entry.integrated_time.is_some() || entry.inclusion_promise.is_some() {
        return Err(Refusal::new(
            RefusalReason::InclusionInvalid,
            "the proof of inclusion says another thing than the signed checkpoint",
        ));
    }
    Ok(())
}

pub(crate) fn independent_time(result: &VerificationResult) -> Result<TimeEvidence, Refusal> {
    result
        .verified_timestamps()
        .iter()
        .max()
        .map(|time| TimeEvidence::Independent(*time))
        .ok_or_else(|| {
            Refusal::new(
                RefusalReason::TimestampMissing,
                "nothing that can be trusted says when the signature was made",
            )
        })
}

fn claims(result: &VerificationResult) -> Claims {
    let Some(certificate) = result.certificate() else {
        return Claims::default();
    };
    let claims = &certificate.ci_claims;
    Claims {
        source_repository: claims.source_repository_uri.clone(),
        source_commit: claims.source_repository_digest.clone(),
        source_reference: claims.source_repository_ref.clone(),
        runner_environment: claims.runner_environment.clone(),
    }
}
