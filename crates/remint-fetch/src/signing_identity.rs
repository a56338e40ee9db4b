//! The identity that a job of a continuous integration service has by itself: a token for Sigstore, from GitHub
//! Actions or GitLab, without anything that a user keeps secret.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use url::{Host, Url};

use crate::configuration::UserConfiguration;
use crate::error::FetchError;
use crate::services::ServiceClient;

/// Whom the token is for (Sigstore's certificate authorities ask for this).
const AUDIENCE: &str = "sigstore";

/// The variable in which GitLab puts a token that the job's `id_tokens` asks for, and anybody else may.
pub const TOKEN_VARIABLE: &str = "SIGSTORE_ID_TOKEN";

/// The most bytes of an answer with a token.
const LARGEST_ANSWER: u64 = 64 << 10;

/// Why a job that could have an identity has none.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// GitHub gives tokens only to jobs that may have them.
    #[error(
        "this job of GitHub Actions may not have an identity token: it lacks the permission `id-token: write`"
    )]
    Permission,
    /// GitLab gives tokens only to jobs that ask for them.
    #[error(
        "this job of GitLab has no identity token: it lacks `id_tokens` with `{TOKEN_VARIABLE}` for the audience `{AUDIENCE}`"
    )]
    NotAskedFor,
    /// The service that gives tokens gave none.
    #[error("GitHub Actions gave no identity token: {0}")]
    Withheld(String),
    /// It could not be asked.
    #[error("GitHub Actions could not be asked for an identity token")]
    Fetch(#[from] FetchError),
}

/// The token of the job that this runs in, as it is written; `None` where this is no such job.
///
/// The text is secret.
///
/// # Errors
/// There should be one, and there is none.
pub async fn ambient(
    user: &UserConfiguration,
    client: &ServiceClient,
) -> Result<Option<String>, IdentityError> {
    if let Some(token) = user.variable(TOKEN_VARIABLE) {
        return Ok(Some(token.to_owned()));
    }
    if user.variable("GITHUB_ACTIONS") == Some("true") {
        return github(user, client).await.map(Some);
    }
    if user.variable("GITLAB_CI") == Some("true") {
        return Err(IdentityError::NotAskedFor);
    }
    Ok(None)
}

/// GitHub's "About security hardening with OpenID Connect", section "Methods for requesting the OIDC token".
async fn github(user: &UserConfiguration, client: &ServiceClient) -> Result<String, IdentityError> {
    #[derive(Deserialize)]
    struct Answer {
        value: String,
    }

    let (Some(address), Some(bearer)) = (
        user.variable("ACTIONS_ID_TOKEN_REQUEST_URL"),
        user.variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) else {
        return Err(IdentityError::Permission);
    };
    let withheld = |reason: &str| IdentityError::Withheld(reason.to_owned());
    let mut url: Url = address
        .parse()
        .map_err(|_| withheld("`ACTIONS_ID_TOKEN_REQUEST_URL` is no address"))?;
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    if url.scheme() != "https" && !here {
        return Err(withheld(
            "`ACTIONS_ID_TOKEN_REQUEST_URL` is no https address",
        ));
    }
    url.query_pairs_mut().append_pair("audience", AUDIENCE);
    let request = client.http().get(url.clone()).bearer_auth(bearer);
    // The address may hold more than its host; only that is for people.
    let shown = url.origin().ascii_serialization();
    let answer = client
        .send(&shown, request, LARGEST_ANSWER, Duration::from_secs(60))
        .await?;
    if answer.status != StatusCode::OK.as_u16() {
        return Err(IdentityError::Withheld(format!(
            "HTTP status {}",
            answer.status
        )));
    }
    let Answer { value } = serde_json::from_slice(&answer.body)
        .map_err(|_| withheld("its answer cannot be understood"))?;
    Ok(value)
}
