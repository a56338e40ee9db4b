//! Why a statement is not signed yet.

use jiff::Timestamp;

use super::pending::Pending;
use super::services::Service;
use super::token::SignerIdentity;
use crate::refusal::Refusal;

/// A statement that is not signed yet: what is kept of it, and why.
#[derive(Debug, thiserror::Error)]
#[error("the statement is not signed yet")]
pub struct Unfinished {
    /// What is kept: [`super::KeylessSigner::sign`] goes on from there.
    pub pending: Box<Pending>,
    /// Why it was not finished.
    #[source]
    pub failure: KeylessError,
}

/// What keeps a statement from being signed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeylessError {
    /// There is nothing to show to the certificate authority.
    #[error("a signature needs an identity token, and there is none")]
    NoToken,
    /// What there is has ended.
    #[error("the identity token has expired (at {0})")]
    TokenExpired(Timestamp),
    /// A service gave no whole answer for as long as it was waited for.
    #[error("no answer from the {service} `{url}`: {reason}")]
    Unanswered {
        /// Which.
        service: Service,
        /// Its address.
        url: String,
        /// What the last try came to.
        reason: String,
    },
    /// A service answered with an error.
    #[error("the {service} `{url}` answered with HTTP status {status}: {message}")]
    Refused {
        /// Which.
        service: Service,
        /// Its address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it says, without what was sent to it in confidence.
        message: String,
    },
    /// What a service answered cannot be understood.
    #[error("the answer of the {service} `{url}` cannot be understood: {reason}")]
    Malformed {
        /// Which.
        service: Service,
        /// Its address.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate is for a key that is not ours.
    #[error("the certificate authority certified another key")]
    ForeignKey,
    /// The certificate names somebody else.
    #[error("the certificate names {found}, expected {expected}")]
    ForeignIdentity {
        /// Whom it names.
        found: SignerIdentity,
        /// Who the token says we are.
        expected: SignerIdentity,
    },
    /// The certificate has ended as soon as it was made, or this machine's clock is wrong.
    #[error("the certificate ended at {0}, which is over")]
    CertificateEnded(Timestamp),
    /// What a service answered does not stand up to verification.
    #[error("what the {service} answered is refused ({})", refusal.reason)]
    Rejected {
        /// Which.
        service: Service,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// The log has the entry, an earlier answer about it was lost, and it is not to be found: it is to be signed anew.
    #[error("the log already has this signature, and does not say where")]
    AlreadyLogged,
    /// What was kept is not what was signed: somebody changed it. It is left as it is.
    #[error("the pending statement is not the one that was signed")]
    Tampered,
    /// The cryptography failed.
    #[error("the signature could not be made: {0}")]
    Crypto(String),
}

impl KeylessError {
    /// Whether the same request may be answered a little later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            // What stands between here and a service may answer in its place for a while.
            Self::Unanswered { .. } | Self::Malformed { .. } => true,
            Self::Refused { status, .. } => matches!(*status, 408 | 425 | 429 | 500..=599),
            Self::NoToken
            | Self::TokenExpired(_)
            | Self::ForeignKey
            | Self::ForeignIdentity { .. }
            | Self::CertificateEnded(_)
            | Self::Rejected { .. }
            | Self::AlreadyLogged
            | Self::Tampered
            | Self::Crypto(_) => false,
        }
    }
}
