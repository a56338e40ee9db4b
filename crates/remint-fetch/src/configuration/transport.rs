//! How connections are made: through which forward proxy, trusting which certificate authorities.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use url::Url;

use crate::configuration::UserConfiguration;
use crate::configuration::cargo::CargoTransport;
use crate::configuration::credentials::split_user;
use crate::configuration::files::read_named;
use crate::configuration::npmrc::Npmrc;
use crate::configuration::python::PythonTransport;
use crate::error::FetchError;

/// Everything that an HTTP client is made from.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    tls: ClientConfig,
    proxies: Vec<(ProxiedScheme, String)>,
    direct: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum ProxiedScheme {
    Https,
    Http,
}

impl Transport {
    /// For npm registries.
    pub(crate) fn npm(user: &UserConfiguration, npmrc: &Npmrc) -> Result<Self, FetchError> {
        let (file, inline) = npmrc.authorities();
        let mut replaced = Vec::new();
        if let Some(path) = file {
            replaced.extend(bundle(&user.path(path))?);
        }
        if let Some(text) = inline {
            replaced.extend(certificates("npm setting ca", &text)?);
        }
        let roots = if replaced.is_empty() {
            let mut roots = machine_authorities(user);
            if let Some(path) = user.variable("NODE_EXTRA_CA_CERTS") {
                // Node only warns when this file is absent or damaged.
                roots.extend(bundle(&user.path(path)).unwrap_or_default());
            }
            roots
        } else {
            replaced
        };
        let checked = if npmrc.accepts_any_certificate() {
            Certificates::AcceptedUnchecked
        } else {
            Certificates::Checked(roots)
        };
        Self::new(user, checked, npmrc.proxy(), npmrc.no_proxy())
    }

    /// For Python indexes.
    pub(crate) fn python(
        user: &UserConfiguration,
        python: &PythonTransport,
    ) -> Result<Self, FetchError> {
        let roots = match &python.bundle {
            Some(path) => bundle_or_directory(path)?,
            None => machine_authorities(user),
        };
        let checked = Certificates::Checked(roots);
        Self::new(user, checked, python.proxy.as_deref(), None)
    }

    /// For the index and the files of crates.
    pub(crate) fn cargo(
        user: &UserConfiguration,
        cargo: &CargoTransport,
    ) -> Result<Self, FetchError> {
        let roots = match &cargo.bundle {
            Some(path) => bundle(path)?,
            None => machine_authorities(user),
        };
        let checked = Certificates::Checked(roots);
        Self::new(user, checked, cargo.proxy.as_deref(), None)
    }

    /// For addresses that the user names himself and that no other client is configured for.
    pub(crate) fn web(user: &UserConfiguration) -> Result<Self, FetchError> {
        let checked = Certificates::Checked(machine_authorities(user));
        Self::new(user, checked, None, None)
    }

    fn new(
        user: &UserConfiguration,
        certificates: Certificates,
        proxy: Option<&str>,
        direct: Option<&str>,
    ) -> Result<Self, FetchError> {
        let mut proxies = Vec::new();
        let https = proxy.or_else(|| {
            user.first_variable(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
        });
        // Upper-case HTTP_PROXY can be set by whoever sends a request to a CGI program; remint is none.
        let http = proxy.or_else(|| {
            user.first_variable(&["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
        });
        for (scheme, address) in [(ProxiedScheme::Https, https), (ProxiedScheme::Http, http)] {
            if let Some(address) = address {
                proxies.push((scheme, forward_proxy(address)?));
            }
        }
        let direct = direct
            .or_else(|| user.first_variable(&["NO_PROXY", "no_proxy"]))
            .map(str::to_owned);
        Ok(Self {
            tls: client_tls(certificates)?,
            proxies,
            direct,
        })
    }

    /// The forward proxies that connections may go through, without credentials, for people.
    pub(crate) fn proxies(&self) -> Vec<String> {
        let mut proxies: Vec<String> = self
            .proxies
            .iter()
            .filter_map(|(_, address)| Some(split_user(address.parse().ok()?).0.to_string()))
            .collect();
        proxies.dedup();
        proxies
    }

    /// Whether this URL goes through a forward proxy that resolves names itself. Where that is in doubt, it does not.
    pub(crate) fn has_proxy_for(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let proxies = self.proxies.iter();
        let mut proxies = proxies.filter(|(scheme, _)| match scheme {
            ProxiedScheme::Https => url.scheme() == "https",
            ProxiedScheme::Http => url.scheme() == "http",
        });
        proxies.any(|(_, address)| {
            // SOCKS 4 and 5 without these letters are given addresses.
            ["http://", "https://", "socks4a://", "socks5h://"]
                .iter()
                .any(|known| address.to_ascii_lowercase().starts_with(known))
        }) && !is_listed(self.direct.as_deref().unwrap_or_default(), host)
    }

    /// A client that follows no redirects by itself and adds nothing to requests.
    ///
    /// `compressed` answers are inflated; files must not be, whatever their server says about them.
    pub(crate) fn client(&self, compressed: bool) -> Result<reqwest::Client, FetchError> {
        build(self.builder(compressed)?)
    }

    /// The same for one host, whose name is not resolved again.
    pub(crate) fn client_to(
        &self,
        host: &str,
        addresses: &[IpAddr],
    ) -> Result<reqwest::Client, FetchError> {
        // The port is that of the request.
        let addresses: Vec<SocketAddr> = addresses
            .iter()
            .map(|address| SocketAddr::new(*address, 0))
            .collect();
        build(self.builder(false)?.resolve_to_addrs(host, &addresses))
    }

    fn builder(&self, compressed: bool) -> Result<reqwest::ClientBuilder, FetchError> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(Duration::from_secs(20))
            .read_timeout(Duration::from_secs(60))
            .gzip(compressed)
            .brotli(compressed)
            .user_agent(concat!("remint/", env!("CARGO_PKG_VERSION")));
        for (scheme, address) in &self.proxies {
            let proxy = match scheme {
                ProxiedScheme::Https => reqwest::Proxy::https(address),
                ProxiedScheme::Http => reqwest::Proxy::http(address),
            };
            let proxy = proxy.map_err(|error| configuration("proxy", error))?;
            let direct = self
                .direct
                .as_deref()
                .and_then(reqwest::NoProxy::from_string);
            builder = builder.proxy(proxy.no_proxy(direct));
        }
        Ok(builder)
    }
}

/// Whether `NO_PROXY` lists a host, or may: `example.com` and `.example.com` stand for both, and an address is never sure.
fn is_listed(direct: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
        return !direct.is_empty();
    }
    direct.split(',').map(str::trim).any(|entry| {
        let entry = entry.trim_matches('.').to_ascii_lowercase();
        entry == "*"
            || host.strip_suffix(&*entry).is_some_and(|before| {
                !entry.is_empty() && (before.is_empty() || before.ends_with('.'))
            })
    })
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, FetchError> {
    builder
        .build()
        .map_err(|error| configuration("HTTP client", error))
}

fn configuration(origin: &str, error: impl std::fmt::Display) -> FetchError {
    FetchError::Configuration {
        origin: origin.to_owned(),
        reason: error.to_string(),
    }
}

/// A forward proxy's address; without a scheme it is plain http, as curl and npm take it.
fn forward_proxy(address: &str) -> Result<String, FetchError> {
    let full = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    let url: Url = full
        .parse()
        .map_err(|error| configuration("proxy address", error))?;
    if url.host_str().is_none() {
        let (url, _) = split_user(url);
        return Err(configuration(
            "proxy address",
            format!("`{url}` has no host"),
        ));
    }
    Ok(full)
}

enum Certificates {
    Checked(Vec<CertificateDer<'static>>),
    AcceptedUnchecked,
}

fn client_tls(certificates: Certificates) -> Result<ClientConfig, FetchError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| configuration("TLS", error))?;
    let mut tls = match certificates {
        Certificates::Checked(certificates) => {
            let mut roots = RootCertStore::empty();
            // Bundles of real machines hold certificates that no longer parse; they are left out.
            let (_, _) = roots.add_parsable_certificates(certificates);
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Certificates::AcceptedUnchecked => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
            .with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// The machine's authorities: what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else the system's store.
fn machine_authorities(user: &UserConfiguration) -> Vec<CertificateDer<'static>> {
    let file = user.variable("SSL_CERT_FILE").map(PathBuf::from);
    let directory = user.variable("SSL_CERT_DIR").map(PathBuf::from);
    let found = if file.is_some() || directory.is_some() {
        rustls_native_certs::load_certs_from_paths(file.as_deref(), directory.as_deref())
    } else {
        rustls_native_certs::load_native_certs()
    };
    found.certs
}

fn bundle(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    certificates(&path.display().to_string(), &read_named(path)?)
}

/// `REQUESTS_CA_BUNDLE` may name a directory of certificates.
fn bundle_or_directory(path: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    if path.is_dir() {
        Ok(rustls_native_certs::load_certs_from_paths(None, Some(path)).certs)
    } else {
        bundle(path)
    }
}

fn certificates(origin: &str, text: &str) -> Result<Vec<CertificateDer<'static>>, FetchError> {
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| configuration(origin, error))?;
    if found.is_empty() {
        return Err(configuration(origin, "holds no certificate"));
    }
    Ok(found)
}

/// Accepts every certificate: only where the user's own settings say `strict-ssl=false`. Digests still hold.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_really_goes_through_a_proxy_does() {
        let check = |https: Option<&str>, http: Option<&str>, direct: &str, url: &str| {
            let https = https.map(|address| (ProxiedScheme::Https, address.to_owned()));
            let http = http.map(|address| (ProxiedScheme::Http, address.to_owned()));
            let transport = Transport {
                tls: client_tls(Certificates::Checked(Vec::new())).unwrap(),
                proxies: https.into_iter().chain(http).collect(),
                direct: Some(direct.to_owned()),
            };
            transport.has_proxy_for(&url.parse().unwrap())
        };
        let proxy = Some("http://proxy:3128");
        let url = "https://a.example.com/";
        assert!(check(proxy, None, "", url));
        assert!(check(
            proxy,
            None,
            "other.com, b.example.com,ample.com",
            url
        ));
        assert!(check(Some("socks5h://proxy"), None, "", url));
        assert!(check(None, proxy, "", "http://a.example.com/"));
        assert!(!check(None, proxy, "", url));
        assert!(!check(proxy, None, "", "http://a.example.com/"));
        assert!(!check(Some("socks5://proxy"), None, "", url));
        for direct in [
            "*",
            "example.com",
            ".Example.com",
            "x, a.example.com",
            "COM",
        ] {
            assert!(!check(proxy, None, direct, url), "{direct}");
        }
        assert!(!check(proxy, None, "10.0.0.0/8", "https://10.0.0.1/"));
    }
}
