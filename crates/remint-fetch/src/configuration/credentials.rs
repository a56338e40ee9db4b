//! Which credential belongs to which registry, so that none is ever sent anywhere else.

use std::fmt;

use base64::Engine as _;
use url::Url;

/// What authenticates the user to a registry; never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// `Authorization: Bearer …`
    Bearer(String),
    /// `Authorization: Basic …`, already encoded.
    Basic(String),
    /// `Authorization: …`, as cargo sends its tokens.
    Token(String),
}

impl Credential {
    pub(crate) fn basic(user: &str, password: &str) -> Self {
        Self::Basic(base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        match self {
            Self::Bearer(token) => format!("Bearer {token}"),
            Self::Basic(encoded) => format!("Basic {encoded}"),
            Self::Token(token) => token.clone(),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(…)")
    }
}

/// Credentials by the place they belong to: a host with its port and the start of a path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials(Vec<(Place, Credential)>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    host: String,
    /// `None` is the default port of the scheme.
    port: Option<u16>,
    /// With a slash at either end.
    path: String,
    /// A registry that the user configured with plain http may get its credential over plain http.
    plain: bool,
}

impl Credentials {
    /// Adds a credential for everything below this URL.
    pub(crate) fn add(&mut self, url: &Url, credential: Credential) {
        let Some(host) = url.host_str() else { return };
        self.0.push((
            Place {
                host: host.to_ascii_lowercase(),
                port: url.port(),
                path: with_slash(url.path()),
                plain: url.scheme() == "http",
            },
            credential,
        ));
    }

    /// The credential whose place is the closest one above this URL.
    pub(crate) fn for_url(&self, url: &Url) -> Option<&Credential> {
        let host = url.host_str()?.to_ascii_lowercase();
        let path = with_slash(url.path());
        self.0
            .iter()
            .filter(|(place, _)| {
                place.host == host
                    && place.port == url.port()
                    && path.starts_with(&place.path)
                    && (url.scheme() == "https" || place.plain)
            })
            .max_by_key(|(place, _)| place.path.len())
            .map(|(_, credential)| credential)
    }
}

fn with_slash(path: &str) -> String {
    if path.ends_with('/') {
        path.to_owned()
    } else {
        format!("{path}/")
    }
}

/// Takes user name and password out of a URL.
pub(crate) fn split_user(mut url: Url) -> (Url, Option<Credential>) {
    if url.username().is_empty() && url.password().is_none() {
        return (url, None);
    }
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let credential = Credential::basic(
        &decode(url.username()),
        &decode(url.password().unwrap_or_default()),
    );
    // Both fail only for URLs without a host, which have no user either.
    let cleared = url.set_username("").is_ok() && url.set_password(None).is_ok();
    (url, cleared.then_some(credential))
}

/// A URL as it may be shown: without user, password, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let (mut url, _) = split_user(url.clone());
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_credential_goes_to_its_own_place_only() {
        let mut credentials = Credentials::default();
        let token = |text: &str| Credential::Bearer(text.to_owned());
        credentials.add(&url("https://npm.example/"), token("all"));
        credentials.add(&url("https://npm.example/team"), token("team"));
        credentials.add(&url("http://plain.example:4873/"), token("plain"));
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(
                credentials.for_url(&url(text)),
                expect.map(token).as_ref(),
                "{text}"
            );
        };
        check("https://npm.example/left-pad", Some("all"));
        check("https://npm.example/team/left-pad", Some("team"));
        check("https://npm.example/teams/left-pad", Some("all"));
        check("https://npm.example:8443/left-pad", None);
        check("https://npm.example.evil.example/left-pad", None);
        check("http://npm.example/left-pad", None);
        check("http://plain.example:4873/left-pad", Some("plain"));
        check("https://evil.example/npm.example/", None);
    }

    #[test]
    fn shown_urls_hold_no_secrets() {
        let url = url("https://user:secret@host.example/a?token=secret#secret");
        assert_eq!(shown(&url), "https://host.example/a");
        assert!(!format!("{:?}", Credential::basic("user", "secret")).contains("secret"));
    }
}
