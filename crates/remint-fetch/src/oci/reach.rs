//! Where a registry may lead: by redirects, and by where it asks for tokens. What a stranger names, and what a public registry
//! leads to, has to be public; and the user's password goes to whoever speaks for the registry alone.

use std::net::{IpAddr, ToSocketAddrs as _};

use tokio::sync::OnceCell;
use url::{Host, Url};

use crate::address::{Unfit, Will, public_addresses};
use crate::configuration::UserConfiguration;
use crate::configuration::transport::Transport;
use crate::error::FetchError;

/// Where registries ask for tokens that are on another host, with no host of either above the other.
const TOKENS_ELSEWHERE: &[(&str, &str)] = &[
    // Docker's documentation, "Token authentication".
    ("registry-1.docker.io", "auth.docker.io"),
];

/// The places that one registry may lead to.
#[derive(Debug)]
pub(super) struct Reach {
    transport: Transport,
    open: reqwest::Client,
    /// The forward proxies, for people.
    pub(super) proxies: Vec<String>,
    /// The registry.
    base: Url,
    will: Will,
    home: OnceCell<Home>,
}

/// The registry itself, where the user names it.
#[derive(Debug)]
struct Home {
    /// Connects to what was looked at.
    client: reqwest::Client,
    is_private: bool,
}

impl Reach {
    pub(super) fn of(base: Url, will: Will, user: &UserConfiguration) -> Result<Self, FetchError> {
        let transport = Transport::web(user)?;
        Ok(Self {
            open: transport.client(false)?,
            proxies: transport.proxies(),
            transport,
            base,
            will,
            home: OnceCell::new(),
        })
    }

    /// The client that may ask for this; what was looked at is what it connects to.
    pub(super) async fn client_for(&self, url: &Url) -> Result<reqwest::Client, FetchError> {
        // Where it leads to may hold a signature that opens it.
        let place = url.origin().ascii_serialization();
        let refused = |reason: String| FetchError::Unavailable {
            url: place.clone(),
            reason,
        };
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(refused("it has no host".to_owned()));
        };
        if self.will == Will::User {
            let home = self.home.get_or_try_init(|| self.find_home()).await?;
            if url.origin() == self.base.origin() {
                return Ok(home.client.clone());
            }
            // Within a private network registries, stores and login services are apart.
            if home.is_private {
                return Ok(self.open.clone());
            }
        }
        let asked = host.to_owned();
        let found = tokio::task::spawn_blocking(move || public_addresses(&asked, port))
            .await
            .map_err(std::io::Error::other)?;
        match found {
            Ok(addresses) => self.transport.client_to(host, &addresses),
            Err(Unfit::Private(address)) => Err(refused(format!(
                "`{host}` is {address}, which is no public address"
            ))),
            // Behind a proxy names need not resolve here.
            Err(Unfit::Unresolved(_)) if self.transport.has_proxy_for(url) => Ok(self.open.clone()),
            Err(Unfit::Unresolved(reason)) => {
                Err(refused(format!("`{host}` does not resolve: {reason}")))
            }
        }
    }

    /// Looks where the registry is, once: its name must not stand for a private place while that is asked, and for a public
    /// one after that.
    async fn find_home(&self) -> Result<Home, FetchError> {
        let unknown = || Home {
            client: self.open.clone(),
            is_private: false,
        };
        let (Some(host), Some(port)) = (self.base.host_str(), self.base.port_or_known_default())
        else {
            return Ok(unknown());
        };
        if self.transport.has_proxy_for(&self.base) {
            return Ok(unknown());
        }
        let asked = host.trim_matches(['[', ']']).to_owned();
        let found = tokio::task::spawn_blocking(move || {
            let found = (&*asked, port).to_socket_addrs();
            found.map(|found| found.map(|address| address.ip()).collect())
        });
        let found: std::io::Result<Vec<IpAddr>> = found.await.map_err(std::io::Error::other)?;
        match found {
            Ok(addresses) if !addresses.is_empty() => Ok(Home {
                client: self.transport.client_to(host, &addresses)?,
                is_private: addresses.iter().all(|address| {
                    let found = public_addresses(&address.to_string(), port);
                    matches!(found, Err(Unfit::Private(_)))
                }),
            }),
            // Connecting says what is wrong.
            Ok(_) | Err(_) => Ok(unknown()),
        }
    }

    /// Whether nobody can listen in: over TLS, or on this machine where the registry itself is there.
    pub(super) fn is_unheard(&self, url: &Url) -> bool {
        url.scheme() == "https"
            || url.scheme() == self.base.scheme() && url.host() == self.base.host()
    }

    /// Whether the user's password for the registry may be shown where it asks for tokens.
    pub(super) fn may_see_password(&self, realm: &Url) -> bool {
        speaks_for(realm, &self.base)
    }
}

/// Whether a place speaks for a registry.
///
/// 1. It is the registry itself, or what the same host serves at the port of its scheme: `ghcr.io/token`,
///    `quay.io/v2/auth`, Harbor, Artifactory, the registries of Amazon, Azure and Google.
/// 2. It is a host above it, whose owner gave the registry its name: `registry.gitlab.com` and `gitlab.com`.
/// 3. It is beside it, below a domain that one owner has: `registry.example.com` and `gitlab.example.com`,
///    `registry.digitalocean.com` and `api.digitalocean.com`.
/// 4. It is one of a list.
fn speaks_for(realm: &Url, registry: &Url) -> bool {
    let (Some(Host::Domain(there)), Some(Host::Domain(here))) = (realm.host(), registry.host())
    else {
        // Addresses have nothing above them.
        return realm.origin() == registry.origin();
    };
    if realm.origin() == registry.origin() {
        return true;
    }
    // Elsewhere only what nobody can listen in to, and no service of somebody else on another port.
    if realm.scheme() != "https" || realm.port().is_some() || registry.scheme() != "https" {
        return false;
    }
    if there == here {
        return true;
    }
    let beside = here.split_once('.').is_some_and(|(_, above)| {
        let is_above = above == there && above.contains('.');
        let is_beside = there
            .split_once('.')
            .is_some_and(|(_, beside)| beside == above);
        is_above || is_beside && has_one_owner(above)
    });
    beside || TOKENS_ELSEWHERE.contains(&(here, there))
}

/// Whether all below a domain is of one owner. No whole list of those that many share is kept: below a country, short names
/// such as `co.uk` are taken for such, and so is what services give to their customers.
fn has_one_owner(domain: &str) -> bool {
    const SHARED: &[&str] = &[
        "amazonaws.com",
        "azurecontainer.io",
        "azurecr.io",
        "github.io",
        "jfrog.io",
        "ngrok.app",
        "ngrok.io",
        "pkg.dev",
        "run.app",
    ];
    let is_shared = SHARED.iter().any(|shared| {
        let before = domain.strip_suffix(shared);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    });
    let labels: Vec<&str> = domain.rsplit('.').take(3).collect();
    match labels.as_slice() {
        [top, second] => !is_shared && (top.len() > 2 || second.len() > 3),
        [_, _, _] => !is_shared,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_goes_to_who_speaks_for_the_registry() {
        let check = |registry: &str, realm: &str, expect: bool| {
            let [registry, realm] = [registry, realm].map(|text| text.parse().unwrap());
            assert_eq!(speaks_for(&realm, &registry), expect, "{registry} {realm}");
        };
        for (registry, realm) in [
            ("https://ghcr.io/v2/", "https://ghcr.io/token"),
            ("https://quay.io/v2/", "https://quay.io/v2/auth"),
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
            ),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"),
            (
                "https://registry.example.com",
                "https://gitlab.example.com/jwt/auth",
            ),
            (
                "https://registry.digitalocean.com",
                "https://api.digitalocean.com/v2/registry/auth",
            ),
            (
                "https://me.azurecr.io",
                "https://me.azurecr.io/oauth2/token",
            ),
            ("https://registry.shop.co.uk", "https://auth.shop.co.uk/"),
            (
                "https://registry.corp:5000",
                "https://registry.corp:5000/token",
            ),
            ("https://registry.corp:5000", "https://registry.corp/token"),
            ("http://localhost:5000", "http://localhost:5000/token"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token"),
        ] {
            check(registry, realm, true);
        }
        for (registry, realm) in [
            ("https://ghcr.io", "https://evil.example/token"),
            ("https://ghcr.io", "https://evil.io/token"),
            ("https://ghcr.io", "https://ghcr.io.evil.example/"),
            ("https://ghcr.io", "https://sub.ghcr.io/"),
            ("https://ghcr.io", "https://ghcr.io:8443/"),
            ("https://ghcr.io", "http://ghcr.io/"),
            ("https://shop.co.uk", "https://evil.co.uk/"),
            ("https://me.azurecr.io", "https://evil.azurecr.io/"),
            (
                "https://1.dkr.ecr.eu-west-1.amazonaws.com",
                "https://2.dkr.ecr.eu-west-1.amazonaws.com/",
            ),
            (
                "https://registry.example.com",
                "https://gitlab.example.com:8443/",
            ),
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io.evil.example/",
            ),
            ("http://localhost:5601", "http://localhost:5602/steal"),
            ("http://localhost:5601", "http://localhost/steal"),
            ("http://127.0.0.1:5601", "http://127.0.0.1:5602/"),
            ("https://10.0.0.1", "https://10.0.0.2/"),
        ] {
            check(registry, realm, false);
        }
    }
}
