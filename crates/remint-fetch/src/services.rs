//! Requests to services that are no registries, those of keyless signing above all: sent once, bounded, following no
//! redirect, through the user's proxies and with the user's certificate authorities. What is sent may be secret.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::client::{cause, unsent};
use crate::configuration::UserConfiguration;
use crate::configuration::transport::Transport;
use crate::error::FetchError;

/// Sends requests to services.
#[derive(Debug, Clone)]
pub struct ServiceClient {
    http: reqwest::Client,
    /// What stands between here and there, for people.
    proxies: Vec<String>,
    offline: bool,
}

/// One request with a body.
pub struct ServicePost<'a> {
    /// Where to.
    pub url: &'a str,
    /// The body's media type.
    pub media_type: &'a str,
    /// What the answer should be.
    pub accept: &'a str,
    /// The body: it may hold secrets.
    pub body: Vec<u8>,
    /// The most bytes that the answer's body may have.
    pub limit: u64,
    /// How long the whole answer may take.
    pub deadline: Duration,
}

/// What a service answered, whatever its status.
#[derive(Debug, Clone)]
pub struct ServiceAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long the service wants to be left alone (RFC 9110, section 10.2.3).
    pub retry_after: Option<Duration>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl ServiceClient {
    /// A client with the user's proxies and certificate authorities.
    ///
    /// # Errors
    /// The user's configuration cannot be used.
    pub fn new(user: &UserConfiguration) -> Result<Self, FetchError> {
        let transport = Transport::web(user)?;
        Ok(Self {
            http: transport.client(true)?,
            proxies: transport.proxies(),
            offline: user.offline,
        })
    }

    /// The configured HTTP client, for libraries that bring requests and limits of their own.
    #[must_use]
    pub const fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks for something, once.
    ///
    /// # Errors
    /// There is no whole answer: offline, unreachable, too slow, or too large.
    pub async fn get(
        &self,
        url: &str,
        accept: &str,
        limit: u64,
        deadline: Duration,
    ) -> Result<ServiceAnswer, FetchError> {
        let builder = self.http.get(url).header(ACCEPT, accept);
        self.send(url, builder, limit, deadline).await
    }

    /// Sends one request, once.
    ///
    /// # Errors
    /// There is no whole answer: offline, unreachable, too slow, or too large.
    pub async fn post(&self, request: ServicePost<'_>) -> Result<ServiceAnswer, FetchError> {
        let builder = self
            .http
            .post(request.url)
            .header(CONTENT_TYPE, request.media_type)
            .header(ACCEPT, request.accept)
            .body(request.body);
        self.send(request.url, builder, request.limit, request.deadline)
            .await
    }

    pub(crate) async fn send(
        &self,
        url: &str,
        builder: reqwest::RequestBuilder,
        limit: u64,
        deadline: Duration,
    ) -> Result<ServiceAnswer, FetchError> {
        if self.offline {
            return Err(FetchError::Offline(url.to_owned()));
        }
        let unavailable = |reason: String| FetchError::Unavailable {
            url: url.to_owned(),
            reason,
        };
        let too_large = || FetchError::TooLarge {
            url: url.to_owned(),
            limit,
        };
        let whole = async {
            let mut response = builder
                .send()
                .await
                .map_err(|error| unavailable(unsent(&error, &self.proxies)))?;
            if response.content_length().is_some_and(|size| size > limit) {
                return Err(too_large());
            }
            let mut body = Vec::new();
            while let Some(chunk) = response
                .chunk()
                .await
                .map_err(|error| unavailable(cause(&error)))?
            {
                if (body.len() as u64).saturating_add(chunk.len() as u64) > limit {
                    return Err(too_large());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(ServiceAnswer {
                status: response.status().as_u16(),
                retry_after: retry_after(response.headers()),
                body,
            })
        };
        match tokio::time::timeout(deadline, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(unavailable(format!(
                "no complete answer within {} s",
                deadline.as_secs()
            ))),
        }
    }
}

/// Seconds, or a date, which is held against the server's own.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| {
        let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(zoned.timestamp())
    };
    date(asked)?
        .duration_since(date(text(DATE)?)?)
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_says_how_long_to_wait_in_seconds_or_by_its_own_clock() {
        let check = |headers: &[(HeaderName, &str)], expected: Option<u64>| {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.clone(), value.parse().unwrap()))
                .collect();
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs));
        };
        let now = (DATE, "Wed, 21 Oct 2026 07:28:00 GMT");
        check(&[(RETRY_AFTER, "120")], Some(120));
        check(
            &[(RETRY_AFTER, "Wed, 21 Oct 2026 07:30:00 GMT"), now.clone()],
            Some(120),
        );
        check(
            &[(RETRY_AFTER, "Wed, 21 Oct 2026 07:00:00 GMT"), now.clone()],
            None,
        );
        check(&[(RETRY_AFTER, "Wed, 21 Oct 2026 07:30:00 GMT")], None);
        check(&[(RETRY_AFTER, "soon"), now.clone()], None);
        check(&[(RETRY_AFTER, "-1"), now], None);
        check(&[], None);
    }
}
