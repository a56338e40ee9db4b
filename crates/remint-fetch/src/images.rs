//! Container images of registries (OCI distribution specification 1.1, "Pull"): manifests by tag or digest, and blobs by
//! digest, which are kept in the cache. Everything that has a digest has to have it.

use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use remint_model::{ImageReference, Integrity, Sha256};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use serde_json::Value;
use url::Url;

use crate::cache::{Cache, Location};
use crate::client::{cause, unsent};
use crate::configuration::credentials::Credential;
use crate::configuration::transport::Transport;
use crate::configuration::{UserConfiguration, docker};
use crate::digests::Hashing;
use crate::error::FetchError;
use crate::oci::parameter;
use crate::registry::Registries;

/// Indexes and manifests, of OCI and of Docker.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
const LARGEST_TOKEN: u64 = 1 << 20;
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(120);
const BLOB_DEADLINE: Duration = Duration::from_secs(20 * 60);
const MOST_REDIRECTS: usize = 6;
/// Tries of a request that found no answer, or one of a registry in trouble.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(400);

/// One repository of a container registry.
#[derive(Debug)]
pub struct ImageRepository {
    http: reqwest::Client,
    proxies: Vec<String>,
    cache: Arc<Cache>,
    offline: bool,
    /// `https://HOST/v2/NAME/`
    base: Url,
    name: String,
    credential: Option<Credential>,
    /// What the registry gave, once it asked for something.
    authorization: tokio::sync::Mutex<Option<String>>,
}

/// A try that failed.
enum Failure {
    Final(FetchError),
    Passing(FetchError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

impl ImageRepository {
    /// The repository of an image; over TLS, but on this machine itself.
    ///
    /// # Errors
    /// The user's configuration cannot be used.
    pub fn open(
        image: &ImageReference,
        user: &UserConfiguration,
        registries: &Registries,
    ) -> Result<Self, FetchError> {
        let host = match image.registry() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let local = ["localhost", "127.0.0.1"].iter().any(|local| {
            host.strip_prefix(local)
                .is_some_and(|port| port.is_empty() || port.starts_with(':'))
        });
        let scheme = if local { "http" } else { "https" };
        let name = image.repository();
        let base = Url::parse(&format!("{scheme}://{host}/v2/{name}/"))
            .map_err(|error| FetchError::malformed(host, "registry", &error))?;
        let transport = Transport::web(user)?;
        Ok(Self {
            http: transport.client(false)?,
            proxies: transport.proxies(),
            cache: Arc::clone(&registries.cache),
            offline: user.offline,
            base,
            name: name.to_owned(),
            credential: docker::credential(user, image.registry())?,
            authorization: tokio::sync::Mutex::default(),
        })
    }

    /// What a tag stands for now; offline, what it stood for when it was last asked for.
    ///
    /// # Errors
    /// There is no such tag, no answer, or one that is too large.
    pub async fn tagged(&self, tag: &str, limit: u64) -> Result<Vec<u8>, FetchError> {
        let url = self.at(&format!("manifests/{tag}"))?;
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
        self.cache.keep_bytes(&bytes, &sha256)?;
        self.cache.remember(&Location {
            key,
            sha256,
            media_type: None,
            etag: None,
        })?;
        Ok(bytes)
    }

    /// The manifest or index of this digest.
    ///
    /// # Errors
    /// It is not there, there is no answer, it is too large, or it has another digest.
    pub async fn manifest(&self, digest: Sha256, limit: u64) -> Result<Vec<u8>, FetchError> {
        if let Some(bytes) = self.cache.content_bytes(&digest, limit)? {
            return Ok(bytes);
        }
        let url = self.at(&format!("manifests/sha256:{digest}"))?;
        if self.offline {
            return Err(FetchError::Offline(url.to_string()));
        }
        let bytes = self.document(&url, limit).await?;
        check(&url, digest, Sha256::of(&bytes))?;
        self.cache.keep_bytes(&bytes, &digest)?;
        Ok(bytes)
    }

    /// The file of a blob, in the cache.
    ///
    /// # Errors
    /// It is not there, there is no answer, it has more bytes, or another digest.
    pub async fn blob(&self, digest: Sha256, size: u64) -> Result<PathBuf, FetchError> {
        if let Some((path, _)) = self.cache.content(&digest)? {
            return Ok(path);
        }
        let url = self.at(&format!("blobs/sha256:{digest}"))?;
        if self.offline {
            return Err(FetchError::Offline(url.to_string()));
        }
        let file = self.cache.temporary_file()?;
        let found = self
            .often(&url, BLOB_DEADLINE, || async {
                let mut response = self.send(&url, "*/*").await?;
                let mut into = file.as_file();
                into.set_len(0).map_err(FetchError::from)?;
                into.rewind().map_err(FetchError::from)?;
                let mut hashing = Hashing::default();
                let mut arrived = 0_u64;
                while let Some(chunk) = self.chunk(&url, &mut response).await? {
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

    fn at(&self, path: &str) -> Result<Url, FetchError> {
        self.base
            .join(path)
            .map_err(|error| FetchError::malformed(self.base.as_str(), "path", &error))
    }

    async fn document(&self, url: &Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        self.often(url, DOCUMENT_DEADLINE, || async {
            let mut response = self.send(url, MANIFESTS).await?;
            self.whole(url, &mut response, limit).await
        })
        .await
    }

    async fn whole(
        &self,
        url: &Url,
        response: &mut reqwest::Response,
        limit: u64,
    ) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk(url, response).await? {
            if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
                return Err(too_large(url, limit).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn chunk(
        &self,
        url: &Url,
        response: &mut reqwest::Response,
    ) -> Result<Option<bytes::Bytes>, Failure> {
        response
            .chunk()
            .await
            .map_err(|error| Failure::Passing(unavailable(url, cause(&error))))
    }

    async fn often<T, F>(
        &self,
        url: &Url,
        deadline: Duration,
        attempt: impl Fn() -> F,
    ) -> Result<T, FetchError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut pause = PAUSE;
        let mut left = TRIES;
        loop {
            let Ok(outcome) = tokio::time::timeout(deadline, attempt()).await else {
                let reason = format!("no complete answer within {} s", deadline.as_secs());
                return Err(unavailable(url, reason));
            };
            match outcome {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => {
                    left = left.saturating_sub(1);
                    if left == 0 {
                        return Err(error);
                    }
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(3);
                }
            }
        }
    }

    /// Asks for something, shows what the registry wants to see, and follows where it leads.
    async fn send(&self, wanted: &Url, accept: &str) -> Result<reqwest::Response, Failure> {
        let mut url = wanted.clone();
        let mut authorization = self.authorization.lock().await.clone();
        let mut asked = false;
        for _ in 0..=MOST_REDIRECTS {
            let mut builder = self.http.get(url.clone()).header(ACCEPT, accept);
            // What is elsewhere is shown nothing.
            if let Some(shown) = &authorization
                && url.origin() == self.base.origin()
            {
                builder = builder.header(AUTHORIZATION, secret(shown)?);
            }
            let response = builder.send().await.map_err(|error| {
                // Where it leads to may hold a signature that opens it.
                Failure::Passing(unavailable(wanted, unsent(&error, &self.proxies)))
            })?;
            let status = response.status().as_u16();
            match status {
                200 => return Ok(response),
                401 if !asked && url.origin() == self.base.origin() => {
                    asked = true;
                    let answer = self.answer(response.headers()).await?;
                    self.authorization.lock().await.replace(answer.clone());
                    authorization = Some(answer);
                }
                301 | 302 | 303 | 307 | 308 => {
                    url = text(response.headers(), &LOCATION)
                        .and_then(|location| url.join(location).ok())
                        .filter(|to| to.scheme() == "https" || to.scheme() == self.base.scheme())
                        .ok_or_else(|| unavailable(wanted, "it redirects to nowhere".to_owned()))?;
                }
                404 | 410 => return Err(FetchError::NotFound(wanted.to_string()).into()),
                401 | 403 | 407 => {
                    let url = wanted.to_string();
                    return Err(FetchError::Denied { url, status }.into());
                }
                408 | 425 | 429 | 500..=599 => {
                    let reason = format!("HTTP status {status}");
                    return Err(Failure::Passing(unavailable(wanted, reason)));
                }
                status => {
                    return Err(unavailable(wanted, format!("HTTP status {status}")).into());
                }
            }
        }
        Err(unavailable(wanted, "too many redirects".to_owned()).into())
    }

    /// What the registry wants to be shown: a token of the place that it names (distribution registry, "Token
    /// Authentication Specification"), or the user's own password.
    async fn answer(&self, headers: &HeaderMap) -> Result<String, FetchError> {
        let denied = || FetchError::Denied {
            url: self.base.to_string(),
            status: 401,
        };
        let challenge = text(headers, &WWW_AUTHENTICATE).ok_or_else(denied)?;
        if challenge
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic"))
        {
            return self
                .credential
                .as_ref()
                .map(Credential::header)
                .ok_or_else(denied);
        }
        let realm = parameter(challenge, "realm").ok_or_else(denied)?;
        let mut url: Url = realm.parse().map_err(|_| denied())?;
        // A registry on this machine may name a place on this machine, and none that others can listen in to.
        let is_plain_here = url.scheme() == self.base.scheme() && url.host() == self.base.host();
        if url.scheme() != "https" && !is_plain_here {
            return Err(denied());
        }
        if let Some(service) = parameter(challenge, "service") {
            url.query_pairs_mut().append_pair("service", &service);
        }
        url.query_pairs_mut()
            .append_pair("scope", &format!("repository:{}:pull", self.name));
        let mut builder = self.http.get(url.clone());
        if let Some(credential) = &self.credential {
            builder = builder.header(AUTHORIZATION, secret(&credential.header())?);
        }
        let mut response = builder
            .send()
            .await
            .map_err(|error| unavailable(&url, unsent(&error, &self.proxies)))?;
        let status = response.status().as_u16();
        if status != 200 {
            let url = format!("{}{}", url.origin().ascii_serialization(), url.path());
            return Err(match status {
                400..=499 => FetchError::Denied { url, status },
                _ => FetchError::Unavailable {
                    url,
                    reason: format!("HTTP status {status}"),
                },
            });
        }
        let body = match self.whole(&url, &mut response, LARGEST_TOKEN).await {
            Ok(body) => body,
            Err(Failure::Final(error) | Failure::Passing(error)) => return Err(error),
        };
        let body: Value = serde_json::from_slice(&body).map_err(|_| denied())?;
        ["token", "access_token"]
            .iter()
            .find_map(|name| body.get(*name).and_then(Value::as_str))
            .filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()))
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(denied)
    }
}

fn secret(value: &str) -> Result<reqwest::header::HeaderValue, FetchError> {
    let mut value =
        reqwest::header::HeaderValue::from_str(value).map_err(|_| FetchError::Configuration {
            origin: "the credential of a container registry".to_owned(),
            reason: "it holds characters that no HTTP header may hold".to_owned(),
        })?;
    value.set_sensitive(true);
    Ok(value)
}

fn text<'h>(headers: &'h HeaderMap, name: &reqwest::header::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
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

fn unavailable(url: &Url, reason: String) -> FetchError {
    FetchError::Unavailable {
        url: url.to_string(),
        reason,
    }
}

fn too_large(url: &Url, limit: u64) -> FetchError {
    FetchError::TooLarge {
        url: url.to_string(),
        limit,
    }
}
