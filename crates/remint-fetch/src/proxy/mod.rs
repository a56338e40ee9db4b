//! The one way out of a build: a forward proxy that speaks to registries only, keeps to the lockfile, never
//! hands out the published file, and writes down everything it passed on or refused.
//!
//! Inside, clients see the canonical hosts over TLS by an authority that exists for one build; outside, each is
//! mapped to what the user has configured, with the user's credentials added there and nowhere else. A file is
//! fetched whole and checked before the first byte of it is passed on.

mod address;
mod answer;
mod authority;
mod body;
mod cargo;
mod connection;
mod npm;
mod packument;
mod python;
mod record;
mod rules;

#[cfg(fuzzing)]
pub(crate) use {address::check_address, packument::check_packument};

use std::sync::{Arc, Mutex, PoisonError};

use remint_model::{Lock, Sha256, Sha512, Target};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::budget::Budget;
use crate::client::Tokens;
use crate::error::FetchError;
use crate::registry::Registries;
use authority::Authority;
use record::Recorder;
use rules::Rules;

pub use record::ProxyRecord;

/// Connections at once from one build; clients queue beyond their own limits, which are lower.
const CONNECTIONS: usize = 256;

/// What a build may fetch.
#[derive(Debug, Clone)]
pub struct ProxyRules<'a> {
    /// What the plan says.
    pub lock: &'a Lock,
    /// What must never reach the build.
    pub withheld: Option<Withheld>,
    /// Whether requests may use the user's credentials: not where foreign code can send them.
    pub tokens: Tokens,
    /// How many bytes may be fetched in all.
    pub budget: u64,
}

/// The published file that is being rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// The release that it belongs to.
    pub target: Target,
    /// Its digest.
    pub sha256: Sha256,
    /// Its digest in npm's words.
    pub sha512: Sha512,
    /// Its size in bytes.
    pub size: u64,
}

/// A proxy for one build.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    runtime: Handle,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Dropped with the proxy, which ends every tunnel.
    _open: watch::Sender<()>,
}

/// What all connections of one proxy have in common.
#[derive(Debug)]
struct Shared {
    registries: Arc<Registries>,
    rules: Rules,
    tokens: Tokens,
    authority: Authority,
    record: Recorder,
    budget: Budget,
    slots: Arc<Semaphore>,
    /// Changes when the proxy ends.
    open: watch::Receiver<()>,
}

impl Proxy {
    /// Makes a proxy with an authority of its own; it serves nobody yet. Call it inside a tokio runtime, which
    /// then does its work.
    ///
    /// # Errors
    /// No authority can be made, or there is no runtime.
    pub fn start(registries: Arc<Registries>, rules: &ProxyRules<'_>) -> Result<Self, FetchError> {
        let runtime = Handle::try_current().map_err(std::io::Error::other)?;
        let (sender, open) = watch::channel(());
        let shared = Shared {
            rules: Rules::new(rules.lock, rules.withheld.clone(), &registries),
            tokens: rules.tokens,
            authority: Authority::new()?,
            record: Recorder::default(),
            budget: Budget::new(rules.budget),
            slots: Arc::new(Semaphore::new(CONNECTIONS)),
            open,
            registries,
        };
        Ok(Self {
            shared: Arc::new(shared),
            runtime,
            tasks: Mutex::default(),
            _open: sender,
        })
    }

    /// The certificate of the authority, for the clients inside to trust.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.shared.authority.pem()
    }

    /// Accepts connections on this socket until [`Proxy::stop_listening`] or [`Proxy::finish`]. May be called for
    /// several sockets, from any thread.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub fn serve(&self, listener: std::net::TcpListener) -> Result<(), FetchError> {
        listener.set_nonblocking(true)?;
        let listener = {
            let _runtime = self.runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let task = self
            .runtime
            .spawn(connection::accept(Arc::clone(&self.shared), listener));
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
        Ok(())
    }

    /// Closes all sockets and what came in by them. Others can be served after it.
    pub fn stop_listening(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
    }

    /// What was passed on and refused so far.
    #[must_use]
    pub fn record(&self) -> ProxyRecord {
        self.shared.record.snapshot(&self.shared.budget)
    }

    /// Stops serving; answers what was passed on and refused.
    #[must_use]
    pub fn finish(self) -> ProxyRecord {
        let shared = Arc::clone(&self.shared);
        drop(self);
        shared.record.snapshot(&shared.budget)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop_listening();
    }
}
