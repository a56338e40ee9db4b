//! The one place that sends requests to registries: bounded in size and time, tried again where that can help,
//! with each credential kept to the place it belongs to.

use std::io::{Seek as _, Write as _};
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use tempfile::NamedTempFile;
use tokio::sync::Semaphore;
use url::Url;

use crate::budget::Budget;
use crate::configuration::credentials::{Credentials, shown};
use crate::configuration::transport::Transport;
use crate::digests::{Digests, Hashing};
use crate::error::FetchError;

const MOST_REDIRECTS: usize = 8;
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(180);
const FILE_DEADLINE: Duration = Duration::from_secs(20 * 60);
/// Requests under way at once; registries slow down clients that send more.
const AT_ONCE: usize = 24;

/// Whether a request may carry the user's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tokens {
    /// Those of the registry that is asked.
    #[default]
    AsConfigured,
    /// None at all: what is asked for was chosen by foreign code.
    Never,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) url: &'a Url,
    pub(crate) accept: Option<&'a str>,
    /// The validator of what is already here.
    pub(crate) etag: Option<&'a str>,
    /// The most bytes that the answer may have.
    pub(crate) limit: u64,
    pub(crate) tokens: Tokens,
    /// What the bytes of a file count towards.
    pub(crate) budget: Option<&'a Budget>,
}

/// An answer that is held in memory.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: Option<String>,
    pub(crate) etag: Option<String>,
}

/// How often and how patiently a request is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) tries: u32,
    /// Before the second try; three times as long before each further one.
    pub(crate) first_pause: Duration,
    /// Of one answer that is not for a file.
    pub(crate) document_deadline: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tries: 4,
            first_pause: Duration::from_millis(200),
            document_deadline: DOCUMENT_DEADLINE,
        }
    }
}

/// Sends requests to the registries of one ecosystem.
#[derive(Debug)]
pub(crate) struct Client {
    documents: reqwest::Client,
    files: reqwest::Client,
    credentials: Credentials,
    /// What stands between here and there, for people.
    proxies: Vec<String>,
    pace: Pace,
    slots: Semaphore,
}

/// What one try came to, when not to an answer.
enum Failure {
    Final(FetchError),
    Passing {
        reason: String,
        pause: Option<Duration>,
    },
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

impl Client {
    pub(crate) fn new(
        transport: &Transport,
        credentials: Credentials,
        pace: Pace,
    ) -> Result<Self, FetchError> {
        Ok(Self {
            documents: transport.client(true)?,
            files: transport.client(false)?,
            credentials,
            proxies: transport.proxies(),
            pace,
            slots: Semaphore::new(AT_ONCE),
        })
    }

    /// Fetches a document; `None` when the server says that the one with this etag still holds.
    pub(crate) async fn document(
        &self,
        request: Request<'_>,
    ) -> Result<Option<Document>, FetchError> {
        self.try_often(request, self.pace.document_deadline, || async {
            let Some(mut response) = self.send(&self.documents, request).await? else {
                return Ok(None);
            };
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned)
            };
            let media_type = header(reqwest::header::CONTENT_TYPE);
            let etag = header(ETAG);
            let mut bytes = Vec::new();
            while let Some(chunk) = next_chunk(&mut response).await? {
                let size = (bytes.len() as u64).saturating_add(chunk.len() as u64);
                within(size, request)?;
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(Document {
                bytes,
                media_type,
                etag,
            }))
        })
        .await
    }

    /// Fetches a file into `into`, whatever was there before.
    pub(crate) async fn file(
        &self,
        request: Request<'_>,
        into: &NamedTempFile,
    ) -> Result<Digests, FetchError> {
        self.try_often(request, FILE_DEADLINE, || async {
            let Some(mut response) = self.send(&self.files, request).await? else {
                return Err(passing("answered `not modified` unasked"));
            };
            let mut file = into.as_file();
            file.set_len(0).map_err(FetchError::from)?;
            file.rewind().map_err(FetchError::from)?;
            let mut hashing = Hashing::default();
            let mut size = 0_u64;
            let mut transfer = request.budget.map(Budget::transfer);
            while let Some(chunk) = next_chunk(&mut response).await? {
                size = size.saturating_add(chunk.len() as u64);
                within(size, request)?;
                if let Some(transfer) = &mut transfer {
                    let added = transfer.add(chunk.len() as u64);
                    added.map_err(|exceeded| FetchError::OverBudget {
                        url: shown(request.url),
                        limit: exceeded.limit,
                    })?;
                }
                hashing.update(&chunk);
                file.write_all(&chunk).map_err(FetchError::from)?;
            }
            Ok(hashing.finish())
        })
        .await
    }

    async fn try_often<T, F>(
        &self,
        request: Request<'_>,
        deadline: Duration,
        attempt: impl Fn() -> F,
    ) -> Result<T, FetchError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|_| unavailable(request.url, "remint is shutting down"))?;
        let mut pause = self.pace.first_pause;
        let mut left = self.pace.tries;
        loop {
            let Ok(outcome) = tokio::time::timeout(deadline, attempt()).await else {
                // A server this slow will not be faster the next time.
                let reason = format!("no complete answer within {} s", deadline.as_secs());
                return Err(unavailable(request.url, &reason));
            };
            match outcome {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing {
                    reason,
                    pause: asked,
                }) => {
                    left = left.saturating_sub(1);
                    if left == 0 {
                        return Err(unavailable(request.url, &reason));
                    }
                    tokio::time::sleep(asked.unwrap_or(pause)).await;
                    pause = pause.saturating_mul(3);
                }
            }
        }
    }

    fn unsent(&self, error: &reqwest::Error, url: &Url) -> Failure {
        let reason = unsent(error, &self.proxies);
        if has_no_address(&reason) {
            unavailable(url, &reason).into()
        } else {
            passing(&reason)
        }
    }

    /// Sends a request and follows redirects; `None` is "not modified".
    async fn send(
        &self,
        client: &reqwest::Client,
        request: Request<'_>,
    ) -> Result<Option<reqwest::Response>, Failure> {
        let mut url = request.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut builder = client.get(url.clone());
            if let Some(accept) = request.accept {
                builder = builder.header(ACCEPT, accept);
            }
            if let Some(etag) = request.etag {
                builder = builder.header(IF_NONE_MATCH, etag);
            }
            // A redirect elsewhere goes without credentials, even to a place that has some of its own.
            if request.tokens == Tokens::AsConfigured
                && url.origin() == request.url.origin()
                && let Some(credential) = self.credentials.for_url(&url)
            {
                let mut value = reqwest::header::HeaderValue::from_str(&credential.header())
                    .map_err(|_| FetchError::Configuration {
                        origin: format!("credential for {}", shown(&url)),
                        reason: "it holds characters that no HTTP header may hold".to_owned(),
                    })?;
                value.set_sensitive(true);
                builder = builder.header(AUTHORIZATION, value);
            }
            let response = builder
                .send()
                .await
                .map_err(|error| self.unsent(&error, &url))?;
            let status = response.status();
            if status == StatusCode::NOT_MODIFIED && request.etag.is_some() {
                return Ok(None);
            }
            if status.is_success() {
                if let Some(size) = response.content_length() {
                    within(size, request)?;
                }
                return Ok(Some(response));
            }
            if !status.is_redirection() {
                return Err(refusal(status, &response, request.url));
            }
            url = redirected(&url, &response)?;
        }
        Err(unavailable(request.url, "too many redirects").into())
    }
}

fn redirected(from: &Url, response: &reqwest::Response) -> Result<Url, FetchError> {
    let target = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|target| from.join(target).ok())
        .ok_or_else(|| unavailable(from, "redirect that leads nowhere"))?;
    match (from.scheme(), target.scheme()) {
        ("https", "https") | ("http", "https" | "http") => Ok(target),
        _ => Err(unavailable(from, "redirect away from https")),
    }
}

fn refusal(status: StatusCode, response: &reqwest::Response, url: &Url) -> Failure {
    let address = shown(url);
    match status.as_u16() {
        404 | 410 | 451 => FetchError::NotFound(address).into(),
        status @ (401 | 403 | 407) => FetchError::Denied {
            url: address,
            status,
        }
        .into(),
        408 | 425 | 429 | 500..=599 => Failure::Passing {
            reason: format!("HTTP status {}", status.as_u16()),
            pause: response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(|seconds: u64| Duration::from_secs(seconds.min(20))),
        },
        status => unavailable(url, &format!("HTTP status {status}")).into(),
    }
}

async fn next_chunk(response: &mut reqwest::Response) -> Result<Option<bytes::Bytes>, Failure> {
    response.chunk().await.map_err(|error| broken(&error))
}

fn within(size: u64, request: Request<'_>) -> Result<(), FetchError> {
    if size > request.limit {
        return Err(FetchError::TooLarge {
            url: shown(request.url),
            limit: request.limit,
        });
    }
    Ok(())
}

fn unavailable(url: &Url, reason: &str) -> FetchError {
    FetchError::Unavailable {
        url: shown(url),
        reason: reason.to_owned(),
    }
}

fn passing(reason: &str) -> Failure {
    Failure::Passing {
        reason: reason.to_owned(),
        pause: None,
    }
}

fn broken(error: &reqwest::Error) -> Failure {
    passing(&cause(error))
}

/// Whether the resolver answered that the host has no address, which asking again does not change. Where it did not
/// answer, it says that this is temporary; other words than these count as that, too.
fn has_no_address(reason: &str) -> bool {
    reason.contains("failed to lookup address information")
        && [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "nodename nor servname provided, or not known",
        ]
        .iter()
        .any(|words| reason.contains(words))
}

/// Why a request was not answered at all.
pub(crate) fn unsent(error: &reqwest::Error, proxies: &[String]) -> String {
    let reason = cause(error);
    if error.is_connect() && !proxies.is_empty() {
        let proxies = proxies.join("`, `");
        format!("{reason}; a proxy is configured: `{proxies}`")
    } else {
        reason
    }
}

/// The innermost cause, which is the one that says something; reqwest's own text repeats the URL.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let kind = if error.is_timeout() {
        "no answer in time: "
    } else if error.is_connect() {
        "cannot connect: "
    } else {
        ""
    };
    let cause = cause.to_string();
    let hint = if cause.contains("UnknownIssuer") {
        ", no certificate authority that is configured here (`SSL_CERT_FILE`, `cafile`, the system's) vouches for it"
    } else {
        ""
    };
    format!("{kind}{cause}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_resolver_that_answered_is_not_asked_again() {
        for (words, expect) in [
            ("Name or service not known", true),
            ("Name does not resolve", true),
            ("Temporary failure in name resolution", false),
            ("Try again", false),
            ("", false),
        ] {
            let reason = format!("cannot connect: failed to lookup address information: {words}");
            assert_eq!(has_no_address(&reason), expect, "{words}");
        }
        assert!(!has_no_address("HTTP 503: Name or service not known"));
    }
}
