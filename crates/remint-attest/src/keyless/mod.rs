//! Keyless signing: a token becomes a certificate, a signature, a timestamp and a log entry, in this order, and what
//! one service does not give now is kept so that it can be asked again later (docs/decisions/keyless-signing.md).
//!
//! Nothing here reaches the network or reads the clock: the caller's [`Services`] do. No answer is believed: a bundle
//! is handed out only once it is verified against the configured root, as everybody else will verify it.

mod failure;
mod lookup;
mod pending;
mod services;
mod signer;
mod token;
mod wire;

use std::sync::Arc;
use std::time::Duration;

pub use failure::{KeylessError, Unfinished};
pub use pending::{PENDING_SCHEMA, Pending, PendingDirectory, PendingError, PendingState};
pub use services::{
    Endpoint, EndpointError, Endpoints, LogVersion, RequestBody, Service, ServiceAnswer,
    ServiceRequest, Services,
};
pub use signer::KeylessSigner;
pub use token::{IdentityToken, SignerIdentity, TokenError};

use crate::roots::TrustRoot;

/// How long services are waited for by default: outages of 45 minutes have been seen.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

/// With whom to sign, and what to hold the answers to.
#[derive(Debug, Clone)]
pub struct KeylessConfig {
    /// The services.
    pub endpoints: Endpoints,
    /// What every bundle must verify against before it is handed out.
    pub root: Arc<TrustRoot>,
    /// Whom the certificate must name, where the token does not tell: an instance may have rules of its own.
    pub signer: Option<SignerIdentity>,
    /// How long all services together are waited for.
    pub patience: Duration,
}

/// What happens while it is signed.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A statement came further: whoever wants to lose nothing writes this down now.
    Kept {
        /// Which of the statements.
        index: usize,
        /// What to keep.
        pending: &'a Pending,
    },
    /// A service is waited for.
    Waiting {
        /// Which.
        service: Service,
        /// Until it is asked again.
        pause: Duration,
        /// What the last try came to.
        failure: &'a KeylessError,
    },
}

/// Is told what happens.
pub type Observer<'a> = dyn FnMut(Progress<'_>) + Send + 'a;
