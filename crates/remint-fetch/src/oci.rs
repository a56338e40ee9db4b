//! Files that refer to another by its digest, in a repository of an OCI registry (OCI distribution specification 1.1,
//! "Listing Referrers"). Only what everybody may read is read; nothing of the user's is sent.

use std::time::Duration;

use remint_model::Sha256;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::error::FetchError;
use crate::services::{ServiceAnswer, ServiceClient};

/// The type of Sigstore bundles: of manifests that refer to a file, and of their layers.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The largest list or manifest, in bytes (the specification asks registries for 4 MiB).
const LARGEST_MANIFEST: u64 = 4 << 20;
const LARGEST_TOKEN: u64 = 1 << 20;
const DEADLINE: Duration = Duration::from_secs(60);
const MOST_REDIRECTS: usize = 4;
/// A bundle is one layer; a few more do no harm.
const MOST_LAYERS: usize = 4;

/// A repository of a registry.
#[derive(Debug)]
pub(crate) struct Repository {
    client: ServiceClient,
    /// `https://HOST/v2/NAME/`.
    base: Url,
    name: String,
    token: tokio::sync::Mutex<Option<String>>,
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

impl Repository {
    /// The repository at `HOST/NAME`; over TLS, but on this machine itself.
    ///
    /// # Errors
    /// In words, why it is none.
    pub(crate) fn parse(named: &str, client: ServiceClient) -> Result<Self, String> {
        let (host, name) = named
            .split_once('/')
            .ok_or_else(|| "it names no repository: write oci://HOST/NAME".to_owned())?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        if name.is_empty()
            || !name.chars().all(plain)
            || name
                .split('/')
                .any(|part| part.is_empty() || part.starts_with('.'))
        {
            return Err(format!(
                "`{}` is no name of a repository",
                name.escape_debug()
            ));
        }
        let local = ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
            host.strip_prefix(local)
                .is_some_and(|port| port.is_empty() || port.starts_with(':'))
        });
        let scheme = if local { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{host}/v2/{name}/"))
            .map_err(|error| error.to_string())?;
        if base.username() != "" || base.password().is_some() {
            return Err("it holds credentials".to_owned());
        }
        Ok(Self {
            client,
            base,
            name: name.to_owned(),
            token: tokio::sync::Mutex::default(),
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
            .map_err(|error| FetchError::malformed(self.base.as_str(), what, &error))
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
            |reason: &str| FetchError::malformed(self.base.as_str(), "digest", &reason.to_owned());
        let expected: Sha256 = digest
            .strip_prefix("sha256:")
            .and_then(|hex| hex.parse().ok())
            .ok_or_else(|| malformed("it is no SHA-256"))?;
        let path = format!("{kind}/sha256:{expected}");
        let bytes = self
            .get(&path, accept, limit)
            .await?
            .ok_or_else(|| FetchError::NotFound(format!("{}{path}", self.base)))?;
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
        let malformed = |error: &dyn std::fmt::Display| {
            FetchError::malformed(self.base.as_str(), "path", error)
        };
        let mut url = self.base.join(path).map_err(|error| malformed(&error))?;
        let mut token = self.token.lock().await.clone();
        let mut asked = false;
        for _ in 0..=MOST_REDIRECTS {
            // What is elsewhere gets no token.
            let bearer = token
                .as_deref()
                .filter(|_| url.origin() == self.base.origin());
            let answer = self
                .client
                .get_as(url.as_str(), accept, bearer, limit, DEADLINE)
                .await?;
            match answer.status {
                200 => return Ok(Some(answer.body)),
                404 => return Ok(None),
                401 if !asked => {
                    asked = true;
                    token = Some(self.ask_for_token(&answer).await?);
                    self.token.lock().await.clone_from(&token);
                }
                301 | 302 | 303 | 307 | 308 => {
                    url = answer
                        .location
                        .as_deref()
                        .and_then(|location| url.join(location).ok())
                        .filter(|target| {
                            target.scheme() == "https" || target.scheme() == self.base.scheme()
                        })
                        .ok_or_else(|| self.unavailable(&url, "it redirects to nowhere"))?;
                }
                status @ (401 | 403) => {
                    return Err(FetchError::Denied {
                        url: url.to_string(),
                        status,
                    });
                }
                status => return Err(self.unavailable(&url, &format!("HTTP status {status}"))),
            }
        }
        Err(self.unavailable(&url, "too many redirects"))
    }

    fn unavailable(&self, url: &Url, reason: &str) -> FetchError {
        FetchError::Unavailable {
            url: url.to_string(),
            reason: reason.to_owned(),
        }
    }

    /// The token that everybody gets (distribution registry, "Token Authentication Specification").
    async fn ask_for_token(&self, answer: &ServiceAnswer) -> Result<String, FetchError> {
        let denied = || FetchError::Denied {
            url: self.base.to_string(),
            status: 401,
        };
        let challenge = answer.challenge.as_deref().ok_or_else(denied)?;
        let realm = parameter(challenge, "realm").ok_or_else(denied)?;
        let mut url: Url = realm.parse().map_err(|_| denied())?;
        if url.scheme() != "https" && url.scheme() != self.base.scheme() {
            return Err(denied());
        }
        if let Some(service) = parameter(challenge, "service") {
            url.query_pairs_mut().append_pair("service", &service);
        }
        url.query_pairs_mut()
            .append_pair("scope", &format!("repository:{}:pull", self.name));
        let answer = self
            .client
            .get(url.as_str(), "application/json", LARGEST_TOKEN, DEADLINE)
            .await?;
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| denied())?;
        ["token", "access_token"]
            .iter()
            .find_map(|name| body[*name].as_str())
            .filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
            .map(str::to_owned)
            .ok_or_else(denied)
    }
}

/// A parameter of a `Bearer` challenge (RFC 6750, section 3).
pub(crate) fn parameter(challenge: &str, name: &str) -> Option<String> {
    let (scheme, parameters) = challenge.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    parameters.split("\",").find_map(|parameter| {
        let (key, value) = parameter.trim().split_once("=\"")?;
        (key == name).then(|| value.trim_end_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let challenge =
            r#"Bearer realm="https://auth.example/token",service="registry.example",scope="a,b""#;
        assert_eq!(
            parameter(challenge, "realm").as_deref(),
            Some("https://auth.example/token")
        );
        assert_eq!(
            parameter(challenge, "service").as_deref(),
            Some("registry.example")
        );
        assert_eq!(parameter(challenge, "error"), None);
        assert_eq!(parameter("Basic realm=\"x\"", "realm"), None);
    }
}
