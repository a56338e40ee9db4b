//! The services that keyless signing talks to: which they are, and the seam through which they are reached.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use sigstore_trust_root::{
    ServiceConfiguration, ServiceEndpoint, ServiceSelector, SigningConfig, SigstoreInstance,
};
use url::{Host, Url};

/// The largest signing config that is read, in bytes.
const LARGEST_CONFIG: usize = 1 << 20;

/// One of the three services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Gives a certificate for a token (Fulcio).
    CertificateAuthority,
    /// Says when a signature was there (RFC 3161).
    TimestampAuthority,
    /// Keeps the signature for everybody to see (Rekor).
    Log,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CertificateAuthority => "certificate authority",
            Self::TimestampAuthority => "timestamp authority",
            Self::Log => "transparency log",
        })
    }
}

/// How a log is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogVersion {
    /// Rekor v1: a `dsse` entry of version 0.0.1, with a promise signed by the log.
    V1,
    /// Rekor v2: a `hashedrekord` entry of version 0.0.2, in a log of tiles.
    V2,
}

/// A service's address: https, or http on this machine, so that no token crosses a network in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// An address or signing config that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// It is no address.
    #[error("`{0}` is no address of a service")]
    Address(String),
    /// Anybody on the way could read the token.
    #[error(
        "`{0}` is neither https nor on this machine: the identity token would be sent in the clear"
    )]
    InTheClear(String),
    /// It carries a password.
    #[error("the address of a service holds a user name or a password")]
    Credentials,
    /// The signing config cannot be read.
    #[error("the signing config cannot be read: {0}")]
    Config(String),
    /// The signing config has no such service that may be used now.
    #[error("the signing config names no {0} that can be used now")]
    Missing(Service),
    /// More than one service would have to be asked.
    #[error("the signing config wants more than one {0}, and one is all that is asked")]
    Several(Service),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let shown = || text.escape_debug().take(200).collect::<String>();
        let url: Url = text.parse().map_err(|_| EndpointError::Address(shown()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() || url.host().is_none() {
            return Err(EndpointError::Address(shown()));
        }
        let here = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if here => Ok(Self(url)),
            "http" => Err(EndpointError::InTheClear(shown())),
            _ => Err(EndpointError::Address(shown())),
        }
    }
}

impl Endpoint {
    /// As it was written, where nothing is added to it.
    pub(super) fn whole(&self) -> &str {
        self.0.as_str()
    }
}

/// Without the slash at its end, so that a path can be added.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Where the three services are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The certificate authority's base.
    pub certificate_authority: Endpoint,
    /// Where timestamps are asked for.
    pub timestamp_authority: Endpoint,
    /// The log's base.
    pub log: Endpoint,
    /// How the log is spoken to.
    pub log_version: LogVersion,
}

impl Endpoints {
    /// What a signing config names (protobuf-specs, `SigningConfig` v0.2): the newest log that is understood, and of each
    /// kind only what is in service now, by the library's clock.
    ///
    /// # Errors
    /// It cannot be read, or does not name one usable service of each kind.
    pub fn from_signing_config(json: &str) -> Result<Self, EndpointError> {
        if json.len() > LARGEST_CONFIG {
            return Err(EndpointError::Config(format!(
                "it has {} bytes, and {LARGEST_CONFIG} is the most that is read",
                json.len()
            )));
        }
        let config = SigningConfig::from_json(json)
            .map_err(|error| EndpointError::Config(error.to_string()))?;
        let one = |service, eligible: Vec<&ServiceEndpoint>, wanted: &ServiceConfiguration| {
            let enough = match wanted.selector {
                ServiceSelector::Any => true,
                ServiceSelector::Exact => wanted.count == Some(1),
                ServiceSelector::All => eligible.len() == 1,
                ServiceSelector::Undefined | _ => false,
            };
            let first = eligible
                .into_iter()
                .next()
                .ok_or(EndpointError::Missing(service))?;
            if !enough {
                return Err(EndpointError::Several(service));
            }
            Ok((first.url.parse()?, first.major_api_version))
        };
        let any = ServiceConfiguration::default();
        let (certificate_authority, _) = one(
            Service::CertificateAuthority,
            config.eligible_fulcio_urls(),
            &any,
        )?;
        let (timestamp_authority, _) = one(
            Service::TimestampAuthority,
            config.eligible_tsa_urls(),
            &config.tsa_config,
        )?;
        let (log, version) = one(
            Service::Log,
            config.eligible_rekor_urls(None),
            &config.rekor_tlog_config,
        )?;
        let log_version = match version {
            1 => LogVersion::V1,
            2 => LogVersion::V2,
            _ => return Err(EndpointError::Missing(Service::Log)),
        };
        Ok(Self {
            certificate_authority,
            timestamp_authority,
            log,
            log_version,
        })
    }

    /// The public-good instance's services, as they were when this program was built.
    ///
    /// # Errors
    /// Never for a released program; a test holds that.
    pub fn embedded() -> Result<Self, EndpointError> {
        let json = SigstoreInstance::PublicGood
            .embedded_signing_config_json()
            .ok_or_else(|| EndpointError::Config("none is embedded".to_owned()))?;
        Self::from_signing_config(json)
    }
}

/// What is posted.
pub struct RequestBody {
    /// Its media type.
    pub media_type: &'static str,
    /// It: perhaps with the token.
    pub bytes: Vec<u8>,
}

/// One request to a service. Its body may hold the identity token: it is not for logs.
pub struct ServiceRequest {
    /// Where to.
    pub url: String,
    /// What is posted; without it the request is a `GET`.
    pub body: Option<RequestBody>,
    /// What the answer should be.
    pub accept: &'static str,
    /// The most bytes that the answer's body may have.
    pub limit: u64,
    /// How long the whole answer may take.
    pub deadline: Duration,
}

impl fmt::Debug for ServiceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRequest")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct ServiceAnswer {
    /// The HTTP status.
    pub status: u16,
    /// How long the service wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The body, bounded by the request's limit.
    pub body: Vec<u8>,
}

/// How services are reached and how time passes: both are the caller's.
///
/// A program has its own transport and clock:
///
/// ```
/// use std::time::Duration;
///
/// use jiff::Timestamp;
/// use remint_attest::keyless::{ServiceAnswer, ServiceRequest, Services};
/// use remint_fetch::{ServiceClient, ServicePost};
///
/// struct Transport(ServiceClient);
///
/// impl Services for Transport {
///     async fn send(&self, request: ServiceRequest) -> Result<ServiceAnswer, String> {
///         let ServiceRequest { url, accept, limit, deadline, body } = request;
///         let answer = match body {
///             Some(body) => {
///                 let (url, bytes) = (url.as_str(), body.bytes);
///                 let media_type = body.media_type;
///                 let post = ServicePost { url, media_type, accept, body: bytes, limit, deadline };
///                 self.0.post(post).await
///             }
///             None => self.0.get(&url, accept, limit, deadline).await,
///         };
///         let answer = answer.map_err(|error| error.to_string())?;
///         Ok(ServiceAnswer {
///             status: answer.status,
///             retry_after: answer.retry_after,
///             body: answer.body,
///         })
///     }
///
///     async fn pause(&self, duration: Duration) {
///         tokio::time::sleep(duration).await;
///     }
///
///     fn now(&self) -> Timestamp {
///         Timestamp::now()
///     }
/// }
/// ```
pub trait Services: Sync {
    /// Sends one request, once, following no redirect.
    ///
    /// # Errors
    /// In words, why there is no whole answer.
    fn send(
        &self,
        request: ServiceRequest,
    ) -> impl Future<Output = Result<ServiceAnswer, String>> + Send;

    /// Waits.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// What time it is.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_leaves_this_machine_in_the_clear() {
        for accepted in [
            "https://fulcio.example.org",
            "https://fulcio.example.org/base/",
            "http://127.0.0.1:5555",
            "http://[::1]:5555",
            "http://localhost:5555",
        ] {
            accepted.parse::<Endpoint>().unwrap();
        }
        for refused in ["http://fulcio.example.org", "http://localhost.example.org"] {
            assert!(matches!(
                refused.parse::<Endpoint>(),
                Err(EndpointError::InTheClear(_))
            ));
        }
        assert_eq!(
            "https://me:secret@fulcio.example.org".parse::<Endpoint>(),
            Err(EndpointError::Credentials)
        );
        for refused in ["", "fulcio", "file:///etc/passwd", "https://a.example/?b"] {
            assert!(matches!(
                refused.parse::<Endpoint>(),
                Err(EndpointError::Address(_))
            ));
        }
    }

    #[test]
    fn the_embedded_config_names_one_service_of_each_kind() {
        let endpoints = Endpoints::embedded().unwrap();
        assert_eq!(
            endpoints.certificate_authority.to_string(),
            "https://fulcio.sigstore.dev"
        );
    }

    fn config(change: impl FnOnce(&mut serde_json::Value)) -> Result<Endpoints, EndpointError> {
        let service = |host: &str, version: u32| {
            serde_json::json!({
                "url": format!("https://{host}"),
                "majorApiVersion": version,
                "validFor": { "start": "2024-01-01T00:00:00Z" },
                "operator": host,
            })
        };
        let mut json = serde_json::json!({
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service("ca.example", 1)],
            "rekorTlogUrls": [service("one.example", 1), service("two.example", 2), service("nine.example", 9)],
            "tsaUrls": [service("tsa.example", 1)],
            "rekorTlogConfig": { "selector": "ANY" },
            "tsaConfig": { "selector": "EXACT", "count": 1 },
        });
        change(&mut json);
        Endpoints::from_signing_config(&json.to_string())
    }

    #[test]
    fn the_newest_log_that_is_understood_is_taken_and_no_requirement_is_dropped() {
        let endpoints = config(|_| ()).unwrap();
        assert_eq!(endpoints.log.to_string(), "https://two.example");
        assert_eq!(endpoints.log_version, LogVersion::V2);
        let old = config(|json| {
            json["rekorTlogUrls"].as_array_mut().unwrap().remove(1);
        });
        assert_eq!(old.unwrap().log_version, LogVersion::V1);

        let several = |key: &str, selector: serde_json::Value| {
            config(|json| json[key] = selector).unwrap_err()
        };
        assert_eq!(
            several("rekorTlogConfig", serde_json::json!({ "selector": "ALL" })),
            EndpointError::Several(Service::Log)
        );
        assert_eq!(
            several(
                "tsaConfig",
                serde_json::json!({ "selector": "EXACT", "count": 2 })
            ),
            EndpointError::Several(Service::TimestampAuthority)
        );
        for (key, service) in [
            ("caUrls", Service::CertificateAuthority),
            ("tsaUrls", Service::TimestampAuthority),
            ("rekorTlogUrls", Service::Log),
        ] {
            let missing = config(|json| json[key] = serde_json::json!([])).unwrap_err();
            assert_eq!(missing, EndpointError::Missing(service));
            let ended = config(|json| {
                for service in json[key].as_array_mut().unwrap() {
                    service["validFor"]["end"] = "2024-02-01T00:00:00Z".into();
                }
            });
            assert_eq!(ended.unwrap_err(), EndpointError::Missing(service));
        }
        assert!(matches!(
            config(|json| json["mediaType"] = "text/plain".into()),
            Err(EndpointError::Config(_))
        ));
        assert!(matches!(
            config(|json| json["caUrls"][0]["url"] = "http://ca.example".into()),
            Err(EndpointError::InTheClear(_))
        ));
    }
}
