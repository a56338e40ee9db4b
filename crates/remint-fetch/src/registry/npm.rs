//! npm registries: where a package's metadata and tarballs are.

use remint_model::PackageName;
use serde_json::{Value, json};
use url::Url;

use crate::client::Tokens;
use crate::configuration::npmrc::PUBLIC;
use crate::error::FetchError;
use crate::registry::Registries;
use crate::registry::store::Metadata;

impl Registries {
    /// The registry's full metadata document of a package.
    pub(crate) async fn packument(
        &self,
        name: &PackageName,
        tokens: Tokens,
    ) -> Result<Metadata, FetchError> {
        let registry = self.npm_registries.of(name);
        let url = packument_url(registry, name)
            .ok_or_else(|| FetchError::NotFound(format!("{registry}{name}")))?;
        self.document(&self.npm, &url, "application/json", tokens)
            .await
    }

    /// A metadata document with one version alone, where the registry serves such; else the full one.
    pub(crate) async fn one_version(
        &self,
        name: &PackageName,
        version: &str,
    ) -> Result<Metadata, FetchError> {
        let url = packument_url(self.npm_registries.of(name), name)
            .and_then(|url| format!("{url}/{version}").parse::<Url>().ok());
        let answer = match &url {
            Some(url) => {
                self.document(&self.npm, url, "application/json", Tokens::AsConfigured)
                    .await
            }
            None => return self.packument(name, Tokens::AsConfigured).await,
        };
        let whole = answer.and_then(|mut answer| {
            let manifest: Value = serde_json::from_slice(&answer.bytes)
                .map_err(|error| FetchError::malformed(&answer.url, "registry metadata", &error))?;
            // Some registries answer with the package whatever version is named.
            if manifest.get("version").and_then(Value::as_str) != Some(version) {
                return Err(FetchError::NotFound(answer.url));
            }
            let document = json!({
                "name": name.as_str(),
                "dist-tags": {"latest": version},
                "versions": {version: manifest},
            });
            answer.bytes = serde_json::to_vec(&document).map_err(std::io::Error::from)?;
            Ok(answer)
        });
        match whole {
            Ok(document) => Ok(document),
            Err(
                FetchError::NotFound(_)
                | FetchError::Malformed { .. }
                | FetchError::Denied { .. }
                | FetchError::Offline(_),
            ) => self.packument(name, Tokens::AsConfigured).await,
            Err(error) => Err(error),
        }
    }

    /// A tarball address as the metadata gives it, on the registry that the user configured: mirrors pass on the
    /// public registry's addresses, which npm replaces the same way (`replace-registry-host`).
    pub(crate) fn on_configured_registry(&self, url: Url) -> Url {
        let public = url.host_str() == Some("registry.npmjs.org");
        let name = package_of_tarball(&url);
        let (true, Some(name)) = (public, name) else {
            return url;
        };
        let registry = self.npm_registries.of(&name);
        if registry.as_str() == PUBLIC {
            return url;
        }
        let path = url.path().trim_start_matches('/').to_owned();
        registry.join(&path).unwrap_or(url)
    }
}

/// `<registry>/@scope%2fname`: the one spelling that every registry understands.
pub(crate) fn packument_url(registry: &Url, name: &PackageName) -> Option<Url> {
    registry.join(&name.as_str().replace('/', "%2f")).ok()
}

/// `<registry>/<name>/-/<unscoped>-<version>.tgz`, where registries keep tarballs unless they say otherwise.
pub(crate) fn tarball_url(registry: &Url, name: &PackageName, file: &str) -> Option<Url> {
    registry.join(&format!("{name}/-/{file}")).ok()
}

/// The package that a registry's tarball path belongs to: `/@scope/name/-/file.tgz`.
pub(crate) fn package_of_tarball(url: &Url) -> Option<PackageName> {
    let (name, _) = url.path().split_once("/-/")?;
    let name = percent_encoding::percent_decode_str(name.trim_start_matches('/'))
        .decode_utf8()
        .ok()?;
    PackageName::parse(remint_model::Ecosystem::Npm, &name).ok()
}
