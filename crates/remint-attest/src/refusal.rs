//! Why an attestation is not believed: one stable id for each reason.

use std::fmt;

use sigstore_verify::bundle::Error as ShapeError;
use sigstore_verify::{
    CertificateError, Error as SigstoreError, TimestampError, TransparencyLogError,
};

/// An attestation that is not believed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// The named reason.
    pub reason: RefusalReason,
    /// In words, what exactly is wrong.
    pub detail: String,
}

impl Refusal {
    /// A refusal for this reason.
    pub fn new(reason: RefusalReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal,)+) => {
        /// The named reasons; each has a page in `docs/checks/`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RefusalReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl RefusalReason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable id.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)+
                }
            }
        }
    };
}

reasons! {
    /// The file is no Sigstore bundle: not JSON, too large, truncated, or without a field that it needs.
    BundleMalformed = "bundle-malformed",
    /// A bundle of a version or kind that is not understood.
    BundleUnsupported = "bundle-unsupported",
    /// The signature is not the signer's over this payload.
    SignatureInvalid = "signature-invalid",
    /// The attestation speaks of another file.
    ArtifactMismatch = "artifact-mismatch",
    /// The signing certificate does not lead to a trusted authority, or cannot be read.
    CertificateInvalid = "certificate-invalid",
    /// The signing certificate was not valid when the signature was made.
    CertificateExpired = "certificate-expired",
    /// A timestamp of the bundle is forged, or its authority is not trusted.
    TimestampInvalid = "timestamp-invalid",
    /// Nothing that can be trusted says when the signature was made.
    TimestampMissing = "timestamp-missing",
    /// The entry is of a transparency log that is not trusted.
    LogUnknown = "log-unknown",
    /// No proof that the signature was entered in a transparency log.
    InclusionMissing = "inclusion-missing",
    /// The proof of inclusion does not lead to the log's root.
    InclusionInvalid = "inclusion-invalid",
    /// The log's checkpoint is not signed by the expected log.
    CheckpointInvalid = "checkpoint-invalid",
    /// The log entry belongs to another signature.
    LogEntryMismatch = "log-entry-mismatch",
    /// The bundle was signed by somebody else than expected.
    IdentityMismatch = "signer-mismatch",
    /// Another issuer vouches for the signer's identity.
    IssuerMismatch = "issuer-mismatch",
    /// The bundle was signed with another key than expected.
    KeyMismatch = "key-mismatch",
    /// The trusted root cannot be used.
    TrustRootInvalid = "trust-root-invalid",
    /// The signed payload is no in-toto statement, or says less than its type demands.
    StatementMalformed = "statement-malformed",
    /// What the statement says of its source, or the registry of its publisher, is not what the certificate says.
    ClaimsDisagree = "claims-disagree",
    /// The statement is of a type that says nothing about a judgement.
    PredicateUnexpected = "predicate-unexpected",
    /// The policy does not have whoever signed.
    SignerUnknown = "signer-unknown",
    /// The policy does not take the signer's word for this package.
    OutOfScope = "out-of-scope",
    /// The policy takes the signer's word no longer.
    SignerExpired = "signer-expired",
    /// The policy has revoked the signer.
    SignerRevoked = "signer-revoked",
    /// The attestation is about another release than the one that was asked for.
    AnotherRelease = "another-release",
    /// The attestation is older than the policy allows.
    AttestationStale = "attestation-stale",
    /// The policy limits the age, and nobody but the signer says when it was made.
    TimeUnproven = "time-unproven",
    /// The attestation was made later than now.
    ClockDisagrees = "clock-disagrees",
    /// The file is the same only under an erasure that the policy does not accept.
    ErasureNotAccepted = "erasure-not-accepted",
    /// The rebuild was confined less than the policy asks for.
    IsolationTooWeak = "isolation-too-weak",
    /// Fewer independent operators than the policy asks for say so.
    ThresholdNotMet = "threshold-not-met",
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl From<SigstoreError> for Refusal {
    fn from(error: SigstoreError) -> Self {
        Self {
            reason: reason(&error),
            detail: words(&error),
        }
    }
}

fn reason(error: &SigstoreError) -> RefusalReason {
    match error {
        SigstoreError::IdentityMismatch { .. } => RefusalReason::IdentityMismatch,
        SigstoreError::IssuerMismatch { .. } => RefusalReason::IssuerMismatch,
        // What the entry was made for is another signed payload than the bundle's.
        SigstoreError::ArtifactMismatch(words) if words.contains("hashedrekord entry") => {
            RefusalReason::LogEntryMismatch
        }
        SigstoreError::ArtifactMismatch(_) | SigstoreError::UnsupportedArtifact(_) => {
            RefusalReason::ArtifactMismatch
        }
        SigstoreError::Certificate(error) => match error {
            CertificateError::NotYetValid { .. }
            | CertificateError::Expired { .. }
            | CertificateError::NoValidAuthority { .. } => RefusalReason::CertificateExpired,
            // The library passes on webpki's answer as text; the conformance vectors hold it to this form.
            CertificateError::ChainInvalid(words)
                if words.contains("CertExpired") || words.contains("CertNotValidYet") =>
            {
                RefusalReason::CertificateExpired
            }
            CertificateError::Malformed(_)
            | CertificateError::ChainInvalid(_)
            | CertificateError::Sct(_)
            | _ => RefusalReason::CertificateInvalid,
        },
        SigstoreError::TransparencyLog(error) => match error {
            TransparencyLogError::UnknownLog { .. } => RefusalReason::LogUnknown,
            TransparencyLogError::InclusionPromise(words) if words.starts_with("No log key") => {
                RefusalReason::LogUnknown
            }
            TransparencyLogError::Checkpoint(_) => RefusalReason::CheckpointInvalid,
            TransparencyLogError::InclusionProof(_) | TransparencyLogError::InclusionPromise(_) => {
                RefusalReason::InclusionInvalid
            }
            TransparencyLogError::EntryMismatch(_) | TransparencyLogError::MalformedEntry(_) => {
                RefusalReason::LogEntryMismatch
            }
            TransparencyLogError::IntegratedTime(_) => RefusalReason::CertificateExpired,
            _ => RefusalReason::InclusionInvalid,
        },
        SigstoreError::Timestamp(error) => match error {
            TimestampError::NoVerifiedTimestamp(_) => RefusalReason::TimestampMissing,
            TimestampError::Invalid(_) | TimestampError::OutsideAuthorityValidity { .. } | _ => {
                RefusalReason::TimestampInvalid
            }
        },
        SigstoreError::UnsupportedBundle(_) => RefusalReason::BundleUnsupported,
        SigstoreError::InvalidTrustRoot(_)
        | SigstoreError::TrustRoot(_)
        | SigstoreError::TrustedCertificate(_) => RefusalReason::TrustRootInvalid,
        SigstoreError::Bundle(error) => match error {
            ShapeError::UnsupportedMediaType(_)
            | ShapeError::UnsupportedVerificationMaterial
            | ShapeError::CertificateChainNotAllowed(_) => RefusalReason::BundleUnsupported,
            ShapeError::MissingInclusionPromise(_)
            | ShapeError::MissingInclusionProof(_)
            | ShapeError::MissingCheckpoint => RefusalReason::InclusionMissing,
            ShapeError::MissingSigningTimeEvidence | ShapeError::MissingTimestamp => {
                RefusalReason::TimestampMissing
            }
            ShapeError::LogIndexOutOfRange { .. } => RefusalReason::InclusionInvalid,
            ShapeError::CheckpointRootMismatch => RefusalReason::CheckpointInvalid,
            _ => RefusalReason::BundleMalformed,
        },
        SigstoreError::InvalidBundle(_) | SigstoreError::Types(_) => RefusalReason::BundleMalformed,
        // What is left speaks of bytes that are no key or no signature.
        SigstoreError::SignatureInvalid(_)
        | SigstoreError::Crypto(_)
        | SigstoreError::ArtifactRead(_)
        | _ => RefusalReason::SignatureInvalid,
    }
}

/// The library's words, shaped to stand in a sentence of ours.
fn words(error: &SigstoreError) -> String {
    let text = error.to_string();
    let text = text
        .strip_prefix("Crypto error: ")
        .or_else(|| text.strip_prefix("Bundle error: "))
        .or_else(|| text.strip_prefix("Types error: "))
        .unwrap_or(&text);
    // What a bundle says of itself is shown in a terminal: one line of printable characters.
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(600)
        .collect()
}
