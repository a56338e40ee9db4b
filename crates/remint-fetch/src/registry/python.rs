//! Python indexes: a project's page, and what PyPI says beside it.

use remint_ecosystem::pypi::locate;
use remint_ecosystem::{Release, ReleaseFile, RepositoryClaim};
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

    /// The files of a release as its project's page lists them.
    pub(crate) async fn python_files(
        &self,
        name: &PackageName,
        version: &Version,
    ) -> Result<Vec<ReleaseFile>, FetchError> {
        let (url, page) = self.project_page(name, Tokens::AsConfigured).await?;
        let answer = locate::IndexAnswer {
            content: &page.bytes,
            content_type: page.media_type.as_deref().unwrap_or("text/html"),
            url: url.as_str(),
        };
        locate::release(
            name,
            &answer,
            None,
            Some(version),
            platform(),
            self.interpreters(),
        )
        .map(|release| release.files)
        .map_err(|error| FetchError::metadata(page.url.clone(), error))
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
        // The file's own metadata makes the same claims, so this document is a convenience.
        if let Ok(document) = self.release_document(&url, name, &of).await?
            && let Ok(told) = read(Some(&document.bytes), Some(&of))
        {
            release.claims = told.claims;
        }
        for earlier in &mut release.earlier {
            let of = earlier.version.clone();
            let in_document = match self.release_document(&url, name, &of).await? {
                Ok(document) => read(Some(&document.bytes), Some(&of))
                    .map(|told| told.claims)
                    .map_err(|error| Some(error.to_string())),
                Err(untold) => Err(untold),
            };
            match in_document {
                Ok(claims) => earlier.claims = claims,
                Err(untold) => match self.metadata_claims(&url, &page, name, &of).await? {
                    Ok(claims) => earlier.claims = claims,
                    Err(also) => earlier.untold = untold.or(also),
                },
            }
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
    ) -> Result<Told<Vec<RepositoryClaim>>, FetchError> {
        let Ok(read) = SimplePage::read(&page.bytes, page.media_type.as_deref(), url) else {
            return Ok(Err(None));
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
            return Ok(Err(None));
        };
        let found = self
            .document(&self.python, &beside, "*/*", Tokens::AsConfigured)
            .await;
        Ok(told(found)?.map(|found| locate::metadata_claims(&found.bytes)))
    }

    /// `/pypi/NAME/VERSION/json` beside `/simple/`, which PyPI has and most mirrors have not.
    async fn release_document(
        &self,
        page: &Url,
        name: &PackageName,
        version: &Version,
    ) -> Result<Told<Metadata>, FetchError> {
        if !page.path().ends_with(&format!("/simple/{name}/")) {
            return Ok(Err(None));
        }
        let Ok(url) = page.join(&format!("../../pypi/{name}/{version}/json")) else {
            return Ok(Err(None));
        };
        told(
            self.document(&self.python, &url, "application/json", Tokens::AsConfigured)
                .await,
        )
    }
}

/// What a registry tells beside its index, or why it does not: without a reason, it has no such document at all.
type Told<T> = Result<T, Option<String>>;

fn told<T>(answer: Result<T, FetchError>) -> Result<Told<T>, FetchError> {
    match answer {
        Ok(document) => Ok(Ok(document)),
        // Most mirrors do not have them, or not for everybody.
        Err(FetchError::NotFound(_) | FetchError::Denied { .. }) => Ok(Err(None)),
        Err(
            error @ (FetchError::Offline(_)
            | FetchError::TooLarge { .. }
            | FetchError::Unavailable { .. }),
        ) => Ok(Err(Some(error.to_string()))),
        Err(error) => Err(error),
    }
}
