//! The public-good instance's trusted root and signing config, fetched by TUF from a root that is part of this
//! program. What was seen once is kept, so that nothing older is accepted afterwards.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use sigstore_trust_root::SigstoreInstance;
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{FileStore, Repository, StoreRepository, Updater, UpdaterConfig};

use crate::configuration::UserConfiguration;
use crate::error::FetchError;
use crate::services::ServiceClient;

/// Names of targets in the repository (sigstore/root-signing).
const TRUSTED_ROOT: &str = "trusted_root.json";
const SIGNING_CONFIG: &str = "signing_config.v0.2.json";

/// The largest target, in bytes; the trusted root has about ten thousand.
const LARGEST_TARGET: u64 = 4 << 20;

/// For one file of the repository.
const DEADLINE: Duration = Duration::from_secs(120);

/// What the repository said last, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustMaterial {
    /// `trusted_root.json`.
    pub trusted_root: String,
    /// `signing_config.v0.2.json`, where the repository has one.
    pub signing_config: Option<String>,
}

/// A TUF repository, and the root metadata that trust in it begins with.
#[derive(Debug, Clone)]
pub struct TrustRepository {
    url: String,
    root: Vec<u8>,
    cache: PathBuf,
}

/// Why trust material could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TrustUpdateError {
    /// The repository cannot be reached, is older than what was seen, or is not signed by whom it should be.
    #[error("the trusted root could not be updated from `{url}`")]
    Update {
        /// The repository.
        url: String,
        /// What the library says.
        #[source]
        source: Box<sigstore_tuf::Error>,
    },
    /// Nothing verified is kept here, or it has expired.
    #[error("no trusted root that still holds was fetched before")]
    NotKept(#[source] Box<sigstore_tuf::Error>),
    /// What is signed is no text.
    #[error("`{0}` of the repository is no text in UTF-8")]
    Text(&'static str),
    /// The HTTP client cannot be made, or nothing may be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl TrustRepository {
    /// The public-good instance's.
    #[must_use]
    pub fn public_good(user: &UserConfiguration) -> Self {
        let instance = SigstoreInstance::PublicGood;
        Self::at(user, instance.tuf_url(), instance.tuf_root().to_vec())
    }

    /// Another instance's, with its `root.json`.
    #[must_use]
    pub fn at(user: &UserConfiguration, url: &str, root: Vec<u8>) -> Self {
        // One directory for each repository: what one has seen says nothing about another.
        let name: String = url
            .trim_end_matches('/')
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => char::from(byte),
                _ => '_',
            })
            .collect();
        Self {
            url: url.to_owned(),
            root,
            cache: user.cache.join("tuf").join(name),
        }
    }

    /// Fetches what holds now, and keeps it.
    ///
    /// # Errors
    /// See [`TrustUpdateError`]; what was kept before is kept.
    pub async fn update(
        &self,
        user: &UserConfiguration,
        client: &ServiceClient,
        now: Timestamp,
    ) -> Result<TrustMaterial, TrustUpdateError> {
        if user.offline {
            return Err(FetchError::Offline(self.url.clone()).into());
        }
        let failed = |source: sigstore_tuf::Error| TrustUpdateError::Update {
            url: self.url.clone(),
            source: Box::new(source),
        };
        fs_err::create_dir_all(&self.cache).map_err(FetchError::from)?;
        let repository = Remote {
            url: self.url.trim_end_matches('/').to_owned(),
            client: client.clone(),
        };
        let updater = Updater::new(repository, &self.root).map_err(failed)?;
        material(self.targets(updater, now).await.map_err(failed)?)
    }

    /// What was fetched last, verified again; no network.
    ///
    /// # Errors
    /// Nothing was fetched yet, it was tampered with, or it has expired.
    pub async fn kept(&self, now: Timestamp) -> Result<TrustMaterial, TrustUpdateError> {
        let failed = |source: sigstore_tuf::Error| TrustUpdateError::NotKept(Box::new(source));
        let store = StoreRepository::new(FileStore::new(&self.cache));
        let updater = Updater::new(store, &self.root).map_err(failed)?;
        material(self.targets(updater, now).await.map_err(failed)?)
    }

    /// The two targets, as they are signed.
    async fn targets(
        &self,
        updater: Updater,
        now: Timestamp,
    ) -> Result<(Vec<u8>, Option<Vec<u8>>), sigstore_tuf::Error> {
        let mut limits = UpdaterConfig::default();
        limits.target_max_length = LARGEST_TARGET;
        let mut updater = updater
            .with_config(limits)
            .with_store(FileStore::new(&self.cache));
        updater.refresh(now).await?;
        let root = updater.get_target(TRUSTED_ROOT, now).await?;
        match updater.get_target(SIGNING_CONFIG, now).await {
            Ok(config) => Ok((root, Some(config))),
            Err(sigstore_tuf::Error::TargetNotFound(_)) => Ok((root, None)),
            Err(error) => Err(error),
        }
    }
}

fn material((root, config): (Vec<u8>, Option<Vec<u8>>)) -> Result<TrustMaterial, TrustUpdateError> {
    let text =
        |name, bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| TrustUpdateError::Text(name));
    Ok(TrustMaterial {
        trusted_root: text(TRUSTED_ROOT, root)?,
        signing_config: config
            .map(|config| text(SIGNING_CONFIG, config))
            .transpose()?,
    })
}

/// A TUF repository over the user's own transport; the library's client would bring its own.
struct Remote {
    url: String,
    client: ServiceClient,
}

impl Remote {
    fn fetch(&self, path: String, limit: u64) -> FetchFuture<'_> {
        Box::pin(async move {
            let url = format!("{}/{path}", self.url);
            let request = self.client.http().get(&url);
            let answer = self
                .client
                .send(&url, request, limit, DEADLINE)
                .await
                .map_err(|error| {
                    sigstore_tuf::Error::transport_with_source(format!("`{url}`"), error)
                })?;
            match answer.status {
                200 => Ok(Some(answer.body)),
                // Object stores answer 403 for what they do not have.
                403 | 404 => Ok(None),
                status => Err(sigstore_tuf::Error::transport(format!(
                    "`{url}` answered with HTTP status {status}"
                ))),
            }
        })
    }
}

impl Repository for Remote {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        self.fetch(name.to_owned(), max_length)
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        self.fetch(format!("targets/{path}"), max_length)
    }
}

/// Fetches the public-good instance's trusted root by TUF into the cache.
///
/// # Errors
/// See [`TrustUpdateError`]; what was kept before is kept.
pub async fn update_trusted_root(
    user: &UserConfiguration,
    client: &ServiceClient,
    now: Timestamp,
) -> Result<TrustMaterial, TrustUpdateError> {
    TrustRepository::public_good(user)
        .update(user, client, now)
        .await
}

/// Whether the trusted root that is part of this program is so old that its own publisher would have renewed it.
///
/// It is as old as the TUF root beside it, which is signed for about half a year.
#[must_use]
pub fn embedded_is_old(now: Timestamp) -> bool {
    #[derive(Deserialize)]
    struct Root {
        signed: Signed,
    }
    #[derive(Deserialize)]
    struct Signed {
        expires: Timestamp,
    }

    // A root that cannot be read is no young one; a test holds that it can.
    serde_json::from_slice::<Root>(SigstoreInstance::PublicGood.tuf_root())
        .map_or(true, |root| root.signed.expires <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_root_grows_old() {
        assert!(!embedded_is_old("2026-06-01T00:00:00Z".parse().unwrap()));
        assert!(embedded_is_old("2036-06-01T00:00:00Z".parse().unwrap()));
    }
}
