//! One repository of a container registry, and the only place that sends requests to such: it shows what the registry wants
//! to see (distribution registry, "Token Authentication Specification"), follows where it leads, and keeps what is secret to the
//! registry itself.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, LOCATION, WWW_AUTHENTICATE};
use serde_json::Value;
use url::Url;

use super::reach::Reach;
use crate::address::Will;
use crate::client::{cause, unsent};
use crate::configuration::UserConfiguration;
use crate::configuration::credentials::Credential;
use crate::error::FetchError;

const LARGEST_TOKEN: u64 = 1 << 20;
const MOST_REDIRECTS: usize = 6;
/// Tries of a request that found no answer, or one of a registry in trouble.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(400);

/// One repository, and what was learnt about how to ask for it.
#[derive(Debug)]
pub(super) struct Repository {
    reach: Reach,
    /// `https://HOST/v2/NAME/`
    base: Url,
    name: String,
    credential: Option<Credential>,
    /// What the registry gave, once it asked for something.
    authorization: tokio::sync::Mutex<Option<String>>,
}

/// A try that failed.
pub(super) enum Failure {
    /// Once and for all.
    Final(FetchError),
    /// Another try may find something else.
    Passing(FetchError),
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::Final(error)
    }
}

impl Repository {
    /// The repository `name` of a host; over TLS, but on this machine itself where the user wants it.
    ///
    /// # Errors
    /// The host is none, or the user's configuration cannot be used.
    pub(super) fn open(
        host: &str,
        name: &str,
        credential: Option<Credential>,
        will: Will,
        user: &UserConfiguration,
    ) -> Result<Self, FetchError> {
        let malformed =
            |error: &dyn std::fmt::Display| FetchError::malformed(host, "registry", error);
        let scheme = if will == Will::User && is_here(host) {
            "http"
        } else {
            "https"
        };
        let base = Url::parse(&format!("{scheme}://{host}/v2/{name}/"))
            .map_err(|error| malformed(&error))?;
        if base.username() != "" || base.password().is_some() {
            return Err(malformed(&"it holds credentials"));
        }
        Ok(Self {
            reach: Reach::of(base.clone(), will, user)?,
            base,
            name: name.to_owned(),
            credential,
            authorization: tokio::sync::Mutex::default(),
        })
    }

    /// What is below the repository.
    pub(super) fn at(&self, path: &str) -> Result<Url, FetchError> {
        self.base
            .join(path)
            .map_err(|error| FetchError::malformed(self.base.as_str(), "path", &error))
    }

    /// An answer in memory.
    pub(super) async fn document(
        &self,
        url: &Url,
        accept: &str,
        limit: u64,
        deadline: Duration,
    ) -> Result<Vec<u8>, FetchError> {
        self.often(url, deadline, || async {
            let mut response = self.send(url, accept).await?;
            whole(url, &mut response, limit).await
        })
        .await
    }

    /// Tries again where that may help.
    pub(super) async fn often<T, F>(
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
    pub(super) async fn send(
        &self,
        wanted: &Url,
        accept: &str,
    ) -> Result<reqwest::Response, Failure> {
        let mut url = wanted.clone();
        let mut authorization = self.authorization.lock().await.clone();
        let mut asked = false;
        for _ in 0..=MOST_REDIRECTS {
            let at_home = url.origin() == self.base.origin();
            let mut builder = self.reach.client_for(&url).await?.get(url.clone());
            builder = builder.header(ACCEPT, accept);
            // What is elsewhere is shown nothing.
            if let Some(shown) = &authorization
                && at_home
            {
                builder = builder.header(AUTHORIZATION, secret(shown)?);
            }
            let response = builder.send().await.map_err(|error| {
                // Where it leads to may hold a signature that opens it.
                Failure::Passing(unavailable(wanted, unsent(&error, &self.reach.proxies)))
            })?;
            let status = response.status().as_u16();
            match status {
                200 => return Ok(response),
                401 if !asked && at_home => {
                    asked = true;
                    let answer = self.answer(response.headers()).await?;
                    self.authorization.lock().await.replace(answer.clone());
                    authorization = Some(answer);
                }
                301 | 302 | 303 | 307 | 308 => {
                    url = text(response.headers(), &LOCATION)
                        .and_then(|location| url.join(location).ok())
                        .filter(|to| self.reach.is_unheard(to))
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

    /// What the registry wants to be shown: a token of the place that it names, or the user's own password.
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
        if !self.reach.is_unheard(&url) {
            return Err(denied());
        }
        if let Some(service) = parameter(challenge, "service") {
            url.query_pairs_mut().append_pair("service", &service);
        }
        url.query_pairs_mut()
            .append_pair("scope", &format!("repository:{}:pull", self.name));
        let mut builder = self.reach.client_for(&url).await?.get(url.clone());
        // Elsewhere there may be a token that everybody gets.
        if let Some(credential) = &self.credential
            && self.reach.may_see_password(&url)
        {
            builder = builder.header(AUTHORIZATION, secret(&credential.header())?);
        }
        let mut response = builder
            .send()
            .await
            .map_err(|error| unavailable(&url, unsent(&error, &self.reach.proxies)))?;
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
        let body = match whole(&url, &mut response, LARGEST_TOKEN).await {
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

/// Whether a registry is on this machine, as its name says.
fn is_here(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|here| {
        host.strip_prefix(here)
            .is_some_and(|port| port.is_empty() || port.starts_with(':'))
    })
}

async fn whole(
    url: &Url,
    response: &mut reqwest::Response,
    limit: u64,
) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunk(url, response).await? {
        if (bytes.len() as u64).saturating_add(chunk.len() as u64) > limit {
            return Err(too_large(url, limit).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The next piece of an answer.
pub(super) async fn chunk(
    url: &Url,
    response: &mut reqwest::Response,
) -> Result<Option<bytes::Bytes>, Failure> {
    response
        .chunk()
        .await
        .map_err(|error| Failure::Passing(unavailable(url, cause(&error))))
}

pub(super) fn too_large(url: &Url, limit: u64) -> FetchError {
    FetchError::TooLarge {
        url: url.to_string(),
        limit,
    }
}

fn unavailable(url: &Url, reason: String) -> FetchError {
    FetchError::Unavailable {
        url: url.to_string(),
        reason,
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

/// A parameter of a `Bearer` challenge (RFC 6750, section 3).
fn parameter(challenge: &str, name: &str) -> Option<String> {
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

    fn repository(host: &str, will: Will) -> Repository {
        repository_with(host, will, &[])
    }

    fn repository_with(host: &str, will: Will, variables: &[(&str, &str)]) -> Repository {
        let user = UserConfiguration {
            home: None,
            directory: std::path::PathBuf::new(),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            cache: std::path::PathBuf::new(),
            offline: false,
        };
        Repository::open(host, "a/b", None, will, &user).unwrap()
    }

    #[tokio::test]
    async fn what_a_stranger_names_has_to_be_public() {
        for host in [
            "localhost:1",
            "LOCALHOST:1",
            "127.0.0.1:1",
            "127.0.0.2",
            "0x7f.1",
            "[::1]:1",
            "[::ffff:10.0.0.1]",
            "[fd00::1]",
            "169.254.169.254",
            "10.0.0.1",
            "0.0.0.0",
        ] {
            let strange = repository(host, Will::Metadata);
            assert_eq!(strange.base.scheme(), "https", "{host}");
            let url = strange.at("manifests/latest").unwrap();
            let Err(Failure::Final(error)) = strange.send(&url, "*/*").await else {
                panic!("{host}");
            };
            assert!(error.to_string().contains("no public address"), "{error}");
            let own = repository(host, Will::User);
            assert!(own.reach.client_for(&url).await.is_ok(), "{host}");
        }
        assert_eq!(repository("LOCALHOST:1", Will::User).base.scheme(), "http");
        // Wherever a public one leads to: redirects and realms come by the same way.
        let strange = repository("1.1.1.1", Will::Metadata);
        for (to, is_fit) in [
            ("https://127.0.0.1/", false),
            ("https://[fe80::1]/", false),
            ("https://1.0.0.1/", true),
        ] {
            let url: Url = to.parse().unwrap();
            assert_eq!(strange.reach.client_for(&url).await.is_ok(), is_fit, "{to}");
        }
        let mut headers = HeaderMap::new();
        let realm = "Bearer realm=\"https://127.0.0.1:1/token\"";
        headers.insert(WWW_AUTHENTICATE, realm.parse().unwrap());
        let error = strange.answer(&headers).await.unwrap_err();
        assert!(error.to_string().contains("no public address"), "{error}");
    }
    #[tokio::test]
    async fn what_the_user_names_leads_to_private_places_from_private_ones_only() {
        let public = repository("1.1.1.1", Will::User);
        let private = repository("127.0.0.1:1", Will::User);
        for (to, from_public) in [
            ("https://127.0.0.1/", false),
            ("https://10.0.0.1/", false),
            ("https://1.0.0.1/", true),
        ] {
            let url: Url = to.parse().unwrap();
            let found = public.reach.client_for(&url).await;
            assert_eq!(found.is_ok(), from_public, "{to}");
            assert!(private.reach.client_for(&url).await.is_ok(), "{to}");
        }
        let mut headers = HeaderMap::new();
        let realm = "Bearer realm=\"https://10.0.0.1/token\"";
        headers.insert(WWW_AUTHENTICATE, realm.parse().unwrap());
        let error = public.answer(&headers).await.unwrap_err();
        assert!(error.to_string().contains("no public address"), "{error}");
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_is_left_to_the_proxy_that_is_asked_alone() {
        let check = async |variables: &[(&str, &str)], is_fit: bool| {
            let strange = repository_with("registry.invalid", Will::Metadata, variables);
            let url = strange.at("manifests/latest").unwrap();
            let found = strange.reach.client_for(&url).await;
            assert_eq!(found.is_ok(), is_fit, "{variables:?}");
        };
        let proxy = "http://proxy.example:3128";
        check(&[("HTTPS_PROXY", proxy)], true).await;
        check(&[], false).await;
        check(&[("http_proxy", proxy)], false).await;
        check(&[("HTTPS_PROXY", proxy), ("NO_PROXY", ".invalid")], false).await;
    }
}
