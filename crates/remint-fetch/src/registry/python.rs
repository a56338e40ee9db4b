//! Python indexes: a project's page, and what PyPI says beside it.

use remint_ecosystem::pypi::locate;
use remint_ecosystem::{Release, RepositoryClaim};
use remint_model::{PackageName, Version};
use url::Url;

use crate::client::Tokens;
use crate::error::FetchError;
use crate::registry::simple::SimplePage;
use crate::registry::store::Metadata;
use crate::registry::{Registries, platform};

/// Which forms of a page are understood, the best first (PEP 691).
pub(crate) const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
     application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

impl Registries {
    /// A project's page: from the default index, or from the first further index that has the project.
    pub(crate) async fn project_page(
        &self,
        name: &PackageName,
        tokens: Tokens,
    ) -> Result<(Url, Metadata), FetchError> {
        let mut absent = None;
        for index in &self.indexes.simple {
            let url = index
                .join(&format!("{name}/"))
                .map_err(|error| FetchError::malformed(index.as_str(), "index URL", &error))?;
            match self.document(&self.python, &url, ACCEPT, tokens).await {
                Ok(page) => return Ok((url, page)),
                // Only a plain "no such project" moves on: an index that does not answer might have it.
                Err(error @ FetchError::NotFound(_)) => {
                    absent.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(absent.unwrap_or_else(|| FetchError::NotFound(name.to_string())))
    }

    pub(crate) async fn python_release(
        &self,
        name: &PackageName,
        version: Option<&Version>,
    ) -> Result<Release, FetchError> {
        let (url, page) = self.project_page(name, Tokens::AsConfigured).await?;
        let answer = locate::IndexAnswer {
            content: &page.bytes,
            content_type: page.media_type.as_deref().unwrap_or("text/html"),
            url: url.as_str(),
        };
        let read = |project: Option<&[u8]>, version: Option<&Version>| {
            locate::release(
                name,
                &answer,
                project,
                version,
                platform(),
                self.interpreters(),
            )
            .map_err(|error| FetchError::metadata(page.url.clone(), error))
        };
        let mut release = read(None, version)?;
        let of = release.version.clone();
        if let Some(document) = self.release_document(&url, name, &of).await?
            && let Ok(told) = read(Some(&document.bytes), Some(&of))
        {
            release.claims = told.claims;
        }
        for earlier in &mut release.earlier {
            let of = earlier.version.clone();
            earlier.claims = match self.release_document(&url, name, &of).await? {
                Some(document) => read(Some(&document.bytes), Some(&of))
                    .map_or_else(|_| Vec::new(), |told| told.claims),
                None => self.metadata_claims(&url, &page, name, &of).await,
            };
        }
        Ok(release)
    }

    /// What the core metadata beside a file names (PEP 658), for a release whose files nobody opens.
    async fn metadata_claims(
        &self,
        url: &Url,
        page: &Metadata,
        name: &PackageName,
        version: &Version,
    ) -> Vec<RepositoryClaim> {
        let Ok(read) = SimplePage::read(&page.bytes, page.media_type.as_deref(), url) else {
            return Vec::new();
        };
        let beside = read
            .files
            .iter()
            .filter(|file| file.version(name) == Some(version.as_str()))
            .find(|file| {
                file.core_metadata
                    .as_ref()
                    .is_some_and(|stated| *stated != false)
            })
            .and_then(|file| format!("{}.metadata", file.url).parse::<Url>().ok());
        let Some(beside) = beside else {
            return Vec::new();
        };
        // Only a comparison with the past hangs on it, and that can do without.
        self.document(&self.python, &beside, "*/*", Tokens::AsConfigured)
            .await
            .map_or_else(
                |_| Vec::new(),
                |found| locate::metadata_claims(&found.bytes),
            )
    }

    /// `/pypi/NAME/VERSION/json` beside `/simple/`, which PyPI has and most mirrors have not.
    async fn release_document(
        &self,
        page: &Url,
        name: &PackageName,
        version: &Version,
    ) -> Result<Option<Metadata>, FetchError> {
        if !page.path().ends_with(&format!("/simple/{name}/")) {
            return Ok(None);
        }
        let Ok(url) = page.join(&format!("../../pypi/{name}/{version}/json")) else {
            return Ok(None);
        };
        match self
            .document(&self.python, &url, "application/json", Tokens::AsConfigured)
            .await
        {
            Ok(document) => Ok(Some(document)),
            // The files' own metadata makes the same claims, so this document is a convenience.
            Err(
                FetchError::NotFound(_)
                | FetchError::Offline(_)
                | FetchError::Denied { .. }
                | FetchError::TooLarge { .. }
                | FetchError::Unavailable { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
