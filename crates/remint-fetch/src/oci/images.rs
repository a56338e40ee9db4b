//! Container images of registries (OCI distribution specification 1.1, "Pull"): manifests by tag or digest, and blobs by
//! digest, which are kept in the cache. Everything that has a digest has to have it.

use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use remint_model::{ImageReference, Integrity, Sha256};
use url::Url;

use super::registry::{Repository, chunk, too_large};
use crate::address::Will;
use crate::cache::{Cache, Location};
use crate::configuration::{UserConfiguration, docker};
use crate::digests::Hashing;
use crate::error::FetchError;
use crate::registry::Registries;

/// Indexes and manifests, of OCI and of Docker.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(120);
const BLOB_DEADLINE: Duration = Duration::from_secs(20 * 60);

/// One repository of images.
#[derive(Debug)]
pub struct ImageRepository {
    repository: Repository,
    cache: Arc<Cache>,
    offline: bool,
}

impl ImageRepository {
    /// The repository of an image; over TLS, but on this machine itself. One that a stranger names has to be in a public
    /// place, and so has everything that it leads to.
    ///
    /// # Errors
    /// The user's configuration cannot be used.
    pub fn open(
        image: &ImageReference,
        will: Will,
        user: &UserConfiguration,
        registries: &Registries,
    ) -> Result<Self, FetchError> {
        let host = match image.registry() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let credential = docker::credential(user, image.registry())?;
        Ok(Self {
            repository: Repository::open(host, image.repository(), credential, will, user)?,
            cache: Arc::clone(&registries.cache),
            offline: user.offline,
        })
    }

    /// What a tag stands for now; offline, what it stood for when it was last asked for.
    ///
    /// # Errors
    /// There is no such tag, no answer, or one that is too large.
    pub async fn tagged(&self, tag: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
        let url = self.repository.at(&format!("manifests/{tag}"))?;
        let key = format!("image tag {url}");
        if self.offline {
            let known = self.cache.location(&key);
            let bytes = known
                .map(|location| self.cache.content_bytes(&location.sha256, limit))
                .transpose()?
                .flatten();
            return bytes.ok_or_else(|| FetchError::Offline(url.to_string()));
        }
        let bytes = self.document(&url, limit).await?;
        let sha256 = Sha256::of(&bytes);
        self.keep(key, &bytes, sha256)?;
        let named = self.repository.at(&format!("manifests/sha256:{sha256}"))?;
        self.keep(served(&named), &bytes, sha256)?;
        Ok(bytes)
    }

    /// The manifest or index of this digest. That one of this digest is known from elsewhere does not count: whose repository has
    /// it says whose it is.
    ///
    /// # Errors
    /// It is not there, there is no answer, it is too large, or it has another digest.
    pub async fn manifest(&self, digest: Sha256, limit: u64) -> Result<Vec<u8>, FetchError> {
        let url = self.repository.at(&format!("manifests/sha256:{digest}"))?;
        if self.cache.location(&served(&url)).is_some()
            && let Some(bytes) = self.cache.content_bytes(&digest, limit)?
        {
            return Ok(bytes);
        }
        if self.offline {
            return Err(FetchError::Offline(url.to_string()));
        }
        let bytes = self.document(&url, limit).await?;
        check(&url, digest, Sha256::of(&bytes))?;
        self.keep(served(&url), &bytes, digest)?;
        Ok(bytes)
    }

    fn keep(&self, key: String, bytes: &[u8], sha256: Sha256) -> Result<(), FetchError> {
        self.cache.keep_bytes(bytes, &sha256)?;
        self.cache.remember(&Location {
            key,
            sha256,
            media_type: None,
            etag: None,
        })
    }

    /// The file of a blob, in the cache.
    ///
    /// # Errors
    /// It is not there, there is no answer, it has more bytes, or another digest.
    pub async fn blob(&self, digest: Sha256, size: u64) -> Result<PathBuf, FetchError> {
        if let Some((path, _)) = self.cache.content(&digest)? {
            return Ok(path);
        }
        let url = self.repository.at(&format!("blobs/sha256:{digest}"))?;
        if self.offline {
            return Err(FetchError::Offline(url.to_string()));
        }
        let file = self.cache.temporary_file()?;
        let found = self
            .repository
            .often(&url, BLOB_DEADLINE, || async {
                let mut response = self.repository.send(&url, "*/*").await?;
                let mut into = file.as_file();
                into.set_len(0).map_err(FetchError::from)?;
                into.rewind().map_err(FetchError::from)?;
                let mut hashing = Hashing::default();
                let mut arrived = 0_u64;
                while let Some(chunk) = chunk(&url, &mut response).await? {
                    arrived = arrived.saturating_add(chunk.len() as u64);
                    if arrived > size {
                        return Err(too_large(&url, size).into());
                    }
                    hashing.update(&chunk);
                    into.write_all(&chunk).map_err(FetchError::from)?;
                }
                Ok(hashing.finish().sha256)
            })
            .await?;
        check(&url, digest, found)?;
        self.cache.keep(file, &digest)
    }

    async fn document(&self, url: &Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        let repository = &self.repository;
        repository
            .document(url, MANIFESTS, limit, DOCUMENT_DEADLINE)
            .await
    }
}

/// What is kept about a repository having a manifest.
fn served(url: &Url) -> String {
    format!("image manifest {url}")
}

fn check(url: &Url, expected: Sha256, found: Sha256) -> Result<(), FetchError> {
    if expected == found {
        return Ok(());
    }
    Err(FetchError::Integrity {
        url: url.to_string(),
        expected: Integrity::Sha256(expected),
        found: Box::new(Integrity::Sha256(found)),
    })
}
