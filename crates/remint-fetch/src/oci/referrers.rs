//! Files that refer to another by its digest, in a repository of an OCI registry (OCI distribution specification 1.1,
//! "Listing Referrers"). Only what everybody may read is read; nothing of the user's is sent.

use std::time::Duration;

use remint_model::Sha256;
use serde::Deserialize;

use super::registry::Repository;
use crate::address::Will;
use crate::configuration::UserConfiguration;
use crate::error::FetchError;

/// The type of Sigstore bundles: of manifests that refer to a file, and of their layers.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The largest list or manifest, in bytes (the specification asks registries for 4 MiB).
const LARGEST_MANIFEST: u64 = 4 << 20;
const DEADLINE: Duration = Duration::from_secs(60);
/// A bundle is one layer; a few more do no harm.
const MOST_LAYERS: usize = 4;

/// A repository of a registry whose files refer to others.
#[derive(Debug)]
pub(crate) struct Referrers {
    repository: Repository,
    /// `HOST/NAME`
    named: String,
    offline: bool,
}

#[derive(Deserialize)]
struct Listed {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    artifact_type: Option<String>,
    digest: String,
}

impl Referrers {
    /// The repository at `HOST/NAME`; over TLS, but on this machine itself.
    ///
    /// # Errors
    /// It is none, or the user's configuration cannot be used.
    pub(crate) fn open(named: &str, user: &UserConfiguration) -> Result<Self, FetchError> {
        let unusable = |reason: String| FetchError::Configuration {
            origin: format!("the attestations at oci://{named}"),
            reason,
        };
        let (host, name) = named
            .split_once('/')
            .ok_or_else(|| unusable("it names no repository: write oci://HOST/NAME".to_owned()))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if name.is_empty()
            || !name.chars().all(plain)
            || name
                .split('/')
                .any(|part| part.is_empty() || part.starts_with('.'))
        {
            return Err(unusable(format!(
                "`{}` is no name of a repository",
                name.escape_debug()
            )));
        }
        let repository = Repository::open(host, name, None, Will::User, user).map_err(|error| {
            if let FetchError::Malformed { source, .. } = &error {
                unusable(source.to_string())
            } else {
                error
            }
        })?;
        Ok(Self {
            repository,
            named: named.to_owned(),
            offline: user.offline,
        })
    }

    /// The bundles that refer to this file, at most `most` of at most `limit` bytes; none where there are none.
    pub(crate) async fn bundles(
        &self,
        artifact: &Sha256,
        most: usize,
        limit: u64,
    ) -> Result<Vec<Vec<u8>>, FetchError> {
        let mut listed = self
            .get(
                &format!("referrers/sha256:{artifact}"),
                INDEX,
                LARGEST_MANIFEST,
            )
            .await?;
        if listed.is_none() {
            // Registries without the interface keep the list under a tag ("Referrers Tag Schema").
            listed = self
                .get(
                    &format!("manifests/sha256-{artifact}"),
                    INDEX,
                    LARGEST_MANIFEST,
                )
                .await?;
        }
        let Some(listed) = listed else {
            return Ok(Vec::new());
        };
        let listed: Listed = self.parsed(&listed, "list of referrers")?;
        let mut bundles = Vec::new();
        for referrer in listed
            .manifests
            .iter()
            .filter(|referrer| referrer.artifact_type.as_deref() == Some(BUNDLE))
            .take(most)
        {
            let manifest = self
                .by_digest("manifests", &referrer.digest, MANIFEST, LARGEST_MANIFEST)
                .await?;
            let manifest: Manifest = self.parsed(&manifest, "manifest")?;
            for layer in manifest
                .layers
                .iter()
                .filter(|layer| layer.media_type == BUNDLE)
                .take(MOST_LAYERS)
            {
                bundles.push(self.by_digest("blobs", &layer.digest, "*/*", limit).await?);
            }
        }
        Ok(bundles)
    }

    fn parsed<T: serde::de::DeserializeOwned>(
        &self,
        bytes: &[u8],
        what: &str,
    ) -> Result<T, FetchError> {
        serde_json::from_slice(bytes)
            .map_err(|error| FetchError::malformed(&*self.named, what, &error))
    }

    /// What has this digest: it is there, since something names it, and nothing else is taken for it.
    async fn by_digest(
        &self,
        kind: &str,
        digest: &str,
        accept: &str,
        limit: u64,
    ) -> Result<Vec<u8>, FetchError> {
        let malformed =
            |reason: &str| FetchError::malformed(&*self.named, "digest", &reason.to_owned());
        let expected: Sha256 = digest
            .strip_prefix("sha256:")
            .and_then(|hex| hex.parse().ok())
            .ok_or_else(|| malformed("it is no SHA-256"))?;
        let path = format!("{kind}/sha256:{expected}");
        let bytes = self
            .get(&path, accept, limit)
            .await?
            .ok_or_else(|| FetchError::NotFound(format!("{} {path}", self.named)))?;
        if Sha256::of(&bytes) == expected {
            Ok(bytes)
        } else {
            Err(malformed("what was sent has another one"))
        }
    }

    /// What is at a path below the repository, or `None` where the registry says that there is nothing.
    async fn get(
        &self,
        path: &str,
        accept: &str,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, FetchError> {
        let url = self.repository.at(path)?;
        if self.offline {
            return Err(FetchError::Offline(url.to_string()));
        }
        match self
            .repository
            .document(&url, accept, limit, DEADLINE)
            .await
        {
            Ok(body) => Ok(Some(body)),
            Err(FetchError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
