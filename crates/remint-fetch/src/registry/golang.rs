//! Module proxies (Go modules reference, "GOPROXY protocol"), the checksum database behind them, and the pages that
//! say where a module's repository is.

use remint_ecosystem::golang::{Discovered, discovered, locate};
use remint_ecosystem::{MetadataError, Release};
use remint_model::{PackageName, Version};
use url::Url;

use crate::client::Tokens;
use crate::configuration::golang::{Database, Way};
use crate::error::FetchError;
use crate::registry::Registries;
use crate::registry::store::Metadata;

/// A list of versions or an `.info`.
const DOCUMENT: u64 = 8 << 20;
/// A page that names repositories.
const PAGE: u64 = 1 << 20;
/// An answer of a checksum database: a record, a signed tree head, or a tile of 256 hashes.
const CHECKSUMS: u64 = 256 << 10;

/// A checksum database as it can be reached.
#[derive(Debug, Clone)]
pub struct ChecksumDatabase {
    /// Its name, as tree heads of it are signed.
    pub name: String,
    /// The key that it signs with (`name+hash+key`).
    pub key: String,
    /// Where it is itself.
    own: Url,
    /// Through the proxy that serves it.
    proxied: Option<Url>,
}

impl Registries {
    /// A release of a module; without a version, or for `latest`, the latest.
    pub(crate) async fn module_release(
        &self,
        name: &PackageName,
        version: Option<&Version>,
    ) -> Result<Release, FetchError> {
        let version = version.filter(|version| version.as_str() != "latest");
        if let Some(version) = version
            && !locate::can_have(name, version)
        {
            return Err(FetchError::Lacks {
                url: name.to_string(),
                what: format!(
                    "version {version}: a module has versions such as `v1.2.3`, from `v2` on only where its path ends with that"
                ),
            });
        }
        let mut release = self
            .first_proxy_that_has(name, async |proxy| self.proxied(proxy, name, version).await)
            .await?;
        self.discover(name, &mut release).await?;
        Ok(release)
    }

    /// What the first of the user's proxies answers that has it (Go modules reference, "Environment variables",
    /// `GOPROXY`).
    pub(super) async fn first_proxy_that_has<Answer>(
        &self,
        module: &PackageName,
        ask: impl AsyncFn(&Url) -> Result<Answer, FetchError>,
    ) -> Result<Answer, FetchError> {
        let mut last = None;
        for step in self.go.ways(module.as_str()) {
            let error = match &step.way {
                Way::Proxy(proxy) => match ask(proxy).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error,
                },
                Way::Direct => return Err(last.unwrap_or_else(|| unpublished("direct"))),
                Way::Off => return Err(last.unwrap_or_else(|| unpublished("off"))),
                Way::Unusable(reason) => FetchError::Unavailable {
                    url: "GOPROXY".to_owned(),
                    reason: reason.clone(),
                },
            };
            if !step.on_any_error && !lacks(&error) {
                return Err(error);
            }
            last = Some(error);
        }
        Err(last.unwrap_or_else(|| unpublished("private")))
    }

    async fn proxied(
        &self,
        proxy: &Url,
        name: &PackageName,
        version: Option<&Version>,
    ) -> Result<Release, FetchError> {
        // Go asks for no list where a version is named, and some proxies list nothing: the list only tells of others.
        let versions = match self.module_document(proxy, &locate::list_path(name)).await {
            Ok(list) => locate::versions(&list.bytes),
            Err(error) if version.is_some() && !error.is_machine_fault() => Vec::new(),
            Err(error) => return Err(error),
        };
        let latest = match version {
            Some(version) => Some(version),
            None => self.latest(proxy, name, &versions).await?,
        };
        let path = match latest {
            Some(version) => locate::version_path(name, version.as_str(), "info"),
            None => locate::latest_path(name),
        };
        let document = self.module_document(proxy, &path).await?;
        let fault = |error: MetadataError| FetchError::metadata(document.url.clone(), error);
        let info = locate::info(&document.bytes).map_err(fault)?;
        if version.is_some_and(|version| *version != info.version)
            || !locate::can_have(name, &info.version)
        {
            return Err(FetchError::malformed(
                document.url,
                ".info",
                &format_args!("it is about version {}", info.version),
            ));
        }
        let zip = locate::version_path(name, info.version.as_str(), "zip");
        let zip = join(proxy, &zip)?;
        locate::release(name, info, zip.to_string(), versions).map_err(fault)
    }

    /// What `latest` stands for, where versions are listed (Go modules reference, "Version queries").
    async fn latest<'v>(
        &self,
        proxy: &Url,
        name: &PackageName,
        versions: &'v [Version],
    ) -> Result<Option<&'v Version>, FetchError> {
        let latest = locate::latest(versions);
        let Some(highest) = locate::compatible(versions).next_back() else {
            return Ok(latest);
        };
        if versions.last() == Some(highest) {
            return Ok(latest);
        }
        let path = locate::version_path(name, highest.as_str(), "mod");
        let go_mod = self.module_document(proxy, &path).await?;
        Ok(if locate::is_made_up(name, &go_mod.bytes) {
            latest
        } else {
            locate::latest(locate::compatible(versions))
        })
    }

    async fn module_document(&self, proxy: &Url, path: &str) -> Result<Metadata, FetchError> {
        let url = join(proxy, path)?;
        self.document_within(&self.golang, &url, "*/*", Tokens::AsConfigured, DOCUMENT)
            .await
    }

    /// Where the path alone does not tell the repository, its host is asked, as go does. What it says comes before
    /// what the proxy says; a host that says nothing leaves that.
    async fn discover(&self, name: &PackageName, release: &mut Release) -> Result<(), FetchError> {
        let from_path = |release: &Release| {
            release
                .claims
                .iter()
                .any(|claim| claim.field == "module path")
        };
        if from_path(release) {
            return Ok(());
        }
        let Ok(url) = format!("https://{name}?go-get=1").parse::<Url>() else {
            return Ok(());
        };
        let page = self
            .document_within(&self.golang, &url, "text/html", Tokens::Never, PAGE)
            .await;
        match page {
            Ok(page) => {
                if let Discovered::Repository(claim) = discovered(&page.bytes, name.as_str()) {
                    release.claims.insert(0, *claim);
                }
                Ok(())
            }
            Err(error) if error.is_machine_fault() => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// The checksum database for a module: through the proxy that serves it, else where it is itself.
    ///
    /// # Errors
    /// The first is why none is asked at all: that is what the user configured. The second is a fault of a remote or of
    /// this machine.
    pub async fn checksum_database(
        &self,
        module: &PackageName,
    ) -> Result<Result<ChecksumDatabase, String>, FetchError> {
        let Database { name, key, url } = match self.go.database_for(module.as_str()) {
            Ok(database) => database.clone(),
            Err(why) => return Ok(Err(why)),
        };
        let database = |proxied| ChecksumDatabase {
            name: name.clone(),
            key: key.clone(),
            own: url.clone(),
            proxied,
        };
        for step in self.go.ways(module.as_str()) {
            let Way::Proxy(proxy) = &step.way else {
                break;
            };
            let base = join(proxy, &format!("sumdb/{name}/"))?;
            let supported = join(&base, "supported")?;
            let answer = self
                .document_within(
                    &self.golang,
                    &supported,
                    "*/*",
                    Tokens::AsConfigured,
                    CHECKSUMS,
                )
                .await;
            match answer {
                Ok(_) => return Ok(Ok(database(Some(base)))),
                Err(error) if lacks(&error) || step.on_any_error => {}
                // Go asks nobody else then; here the answer is checked all the same, wherever it comes from.
                Err(FetchError::Unavailable { .. } | FetchError::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Ok(database(None)))
    }

    /// An answer of a checksum database; nothing says yet that it can be believed. A proxy that says that it serves
    /// the database and then does not cannot keep its word from being heard.
    ///
    /// # Errors
    /// It has none, or does not answer; what the proxy answered counts before what could not be had elsewhere.
    pub async fn checksums(
        &self,
        database: &ChecksumDatabase,
        path: &str,
    ) -> Result<Vec<u8>, FetchError> {
        let mut first = None;
        for base in database.proxied.iter().chain([&database.own]) {
            let url = join(base, path)?;
            let answer = self
                .document_within(&self.golang, &url, "*/*", Tokens::AsConfigured, CHECKSUMS)
                .await;
            match answer {
                Ok(document) => return Ok(document.bytes),
                Err(error) if error.is_machine_fault() => return Err(error),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| FetchError::NotFound(path.to_owned())))
    }
}

pub(super) fn join(base: &Url, path: &str) -> Result<Url, FetchError> {
    base.join(path)
        .map_err(|error| FetchError::malformed(base.as_str(), "proxy URL", &error))
}

const fn lacks(error: &FetchError) -> bool {
    matches!(error, FetchError::NotFound(_) | FetchError::Lacks { .. })
}

fn unpublished(how: &str) -> FetchError {
    FetchError::Unavailable {
        url: "GOPROXY".to_owned(),
        reason: match how {
            "off" => "it is off".to_owned(),
            "private" => "GONOPROXY or GOPRIVATE keeps this module from every proxy, so nobody publishes a zip of it"
                .to_owned(),
            _ => "it leads to the repository itself, so nobody publishes a zip of this module"
                .to_owned(),
        },
    }
}
