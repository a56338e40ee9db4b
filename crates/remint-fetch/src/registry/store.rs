//! Documents and files as the caches and the network have them together: each is asked for once, and what is
//! known to be immutable never twice.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use remint_model::{Integrity, Sha256};
use url::Url;

use crate::budget::Budget;
use crate::cache::Location;
use crate::client::{Client, Request, Tokens};
use crate::configuration::credentials::shown;
use crate::digests::Digests;
use crate::error::FetchError;
use crate::registry::{DOCUMENT_LIMIT, Registries};

/// A metadata document with what identifies it.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) bytes: Vec<u8>,
    pub(crate) sha256: Sha256,
    pub(crate) media_type: Option<String>,
    /// Where it came from, without credentials.
    pub(crate) url: String,
}

/// A file in the cache, read through and found to have its digests.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    pub(crate) digests: Digests,
}

/// What file is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileRequest<'a> {
    pub(crate) client: &'a Client,
    pub(crate) url: &'a Url,
    pub(crate) integrity: Option<&'a Integrity>,
    pub(crate) limit: u64,
    pub(crate) tokens: Tokens,
    pub(crate) reuse: Reuse,
    /// What a transfer counts towards.
    pub(crate) budget: Option<&'a Budget>,
}

/// When a cached file will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// When it is known what digest it must have.
    IfDigestKnown,
    /// Always: registries do not change the file of a version.
    Always,
}

/// What this process has asked for, so that two do not ask for the same at once.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    gates: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Location>>>>>,
}

impl InFlight {
    fn gate(&self, key: &str) -> Arc<tokio::sync::Mutex<Option<Location>>> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(key.to_owned()).or_default())
    }
}

impl Registries {
    /// Fetches a document. Within one process the first answer is kept, so that all of a run sees one state.
    pub(crate) async fn document(
        &self,
        client: &Client,
        url: &Url,
        accept: &str,
        tokens: Tokens,
    ) -> Result<Metadata, FetchError> {
        self.document_within(client, url, accept, tokens, DOCUMENT_LIMIT)
            .await
    }

    /// The same, with another limit to its size.
    pub(crate) async fn document_within(
        &self,
        client: &Client,
        url: &Url,
        accept: &str,
        tokens: Tokens,
        limit: u64,
    ) -> Result<Metadata, FetchError> {
        let key = key("document", tokens, accept, url);
        let gate = self.store.gate(&key);
        let mut seen = gate.lock().await;
        if let Some(location) = seen.as_ref()
            && let Some(metadata) = self.cached_document(location, url)?
        {
            return Ok(metadata);
        }
        let known = match self.cache.location(&key) {
            Some(location) => self
                .cached_document(&location, url)?
                .map(|metadata| (location, metadata)),
            None => None,
        };
        if self.offline {
            let (location, metadata) = known.ok_or_else(|| FetchError::Offline(shown(url)))?;
            *seen = Some(location);
            return Ok(metadata);
        }
        let etag = known
            .as_ref()
            .and_then(|(location, _)| location.etag.clone());
        let answer = client
            .document(Request {
                url,
                accept: Some(accept),
                etag: etag.as_deref(),
                limit,
                tokens,
                budget: None,
            })
            .await?;
        let Some(document) = answer else {
            let (location, metadata) = known.ok_or_else(|| {
                FetchError::malformed(shown(url), "answer", &"`not modified`, unasked")
            })?;
            *seen = Some(location);
            return Ok(metadata);
        };
        let sha256 = Sha256::of(&document.bytes);
        self.cache.keep_bytes(&document.bytes, &sha256)?;
        let location = Location {
            key,
            sha256,
            media_type: document.media_type.clone(),
            etag: document.etag,
        };
        self.cache.remember(&location)?;
        *seen = Some(location);
        Ok(Metadata {
            bytes: document.bytes,
            sha256,
            media_type: document.media_type,
            url: shown(url),
        })
    }

    fn cached_document(
        &self,
        location: &Location,
        url: &Url,
    ) -> Result<Option<Metadata>, FetchError> {
        let bytes = self.cache.content_bytes(&location.sha256, DOCUMENT_LIMIT)?;
        Ok(bytes.map(|bytes| Metadata {
            bytes,
            sha256: location.sha256,
            media_type: location.media_type.clone(),
            url: shown(url),
        }))
    }

    /// Fetches a file into the cache, unless it is there. Whatever comes back has the digest that was declared.
    pub(crate) async fn file(&self, request: FileRequest<'_>) -> Result<Stored, FetchError> {
        let key = key("file", request.tokens, "", request.url);
        let gate = self.store.gate(&key);
        let mut seen = gate.lock().await;
        if let Some(stored) = self.cached_file(&key, request)? {
            return Ok(stored);
        }
        if self.offline {
            return Err(FetchError::Offline(shown(request.url)));
        }
        let file = self.cache.temporary_file()?;
        let get = || {
            let wanted = Request {
                url: request.url,
                accept: None,
                etag: None,
                limit: request.limit,
                tokens: request.tokens,
                budget: request.budget,
            };
            request.client.file(wanted, &file)
        };
        let mut digests = get().await?;
        if check(request, &digests).is_err() {
            // A transfer can break without a sign of it; a file that is wrong stays wrong.
            digests = get().await?;
            check(request, &digests)?;
        }
        let path = self.cache.keep(file, &digests.sha256)?;
        let location = Location {
            key,
            sha256: digests.sha256,
            media_type: None,
            etag: None,
        };
        self.cache.remember(&location)?;
        *seen = Some(location);
        Ok(Stored { path, digests })
    }

    fn cached_file(
        &self,
        key: &str,
        request: FileRequest<'_>,
    ) -> Result<Option<Stored>, FetchError> {
        let by_digest = match request.integrity {
            // The digest alone must not stand in for the right to fetch: a file that credentials opened earlier
            // is not handed to a request that may carry none.
            Some(Integrity::Sha256(sha256)) if request.tokens == Tokens::AsConfigured => {
                Some(*sha256)
            }
            Some(Integrity::Sha256(_) | Integrity::Sha512(_) | Integrity::Sha1(_)) | None => None,
        };
        let reusable =
            self.offline || request.reuse == Reuse::Always || request.integrity.is_some();
        let by_location = reusable
            .then(|| self.cache.location(key))
            .flatten()
            .map(|location| location.sha256);
        for sha256 in by_digest.into_iter().chain(by_location) {
            if let Some((path, digests)) = self.cache.content(&sha256)?
                && check(request, &digests).is_ok()
            {
                return Ok(Some(Stored { path, digests }));
            }
        }
        Ok(None)
    }
}

fn check(request: FileRequest<'_>, digests: &Digests) -> Result<(), FetchError> {
    match request.integrity {
        Some(expected) if !digests.matches(expected) => Err(FetchError::Integrity {
            url: shown(request.url),
            expected: expected.clone(),
            found: Box::new(digests.like(expected)),
        }),
        Some(_) | None => Ok(()),
    }
}

fn key(kind: &str, tokens: Tokens, accept: &str, url: &Url) -> String {
    let tokens = match tokens {
        Tokens::AsConfigured => "",
        Tokens::Never => "anonymous ",
    };
    format!("{tokens}{kind} {accept} {url}")
}
