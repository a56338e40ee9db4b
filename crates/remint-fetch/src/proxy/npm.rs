//! Answers requests of npm clients.

use std::sync::Arc;

use remint_ecosystem::npm::locate;
use remint_model::{Ecosystem, Integrity, PackageName};
use url::Url;

use crate::configuration::credentials::shown;
use crate::error::FetchError;
use crate::proxy::Shared;
use crate::proxy::address::{canonical_packument, canonical_tarball};
use crate::proxy::answer::{Answer, Wanted};
use crate::proxy::packument::{self, ABBREVIATED, Form};
use crate::proxy::rules::{Refusal, Rules};
use crate::registry::npm::tarball_url;
use crate::registry::{FILE_LIMIT, FileRequest, Reuse, Stored};

/// Which part of a package's metadata is wanted.
#[derive(Debug, Clone)]
pub(super) enum Part {
    All(Form),
    /// A version, or a dist-tag.
    One(String),
}

/// A package's metadata.
pub(super) async fn metadata(shared: &Arc<Shared>, name: &PackageName, part: Part) -> Answer {
    let url = canonical_packument(name);
    if let Err(refusal) = shared.rules.metadata(Ecosystem::Npm, name) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    let document = match shared.registries.packument(name, shared.tokens).await {
        Ok(document) => document,
        Err(error) => return shared.failed(&url, &error, Wanted::Metadata),
    };
    let size = document.bytes.len() as u64;
    let digest = document.sha256;
    let work = {
        let (shared, name) = (Arc::clone(shared), name.clone());
        // Some of these documents are tens of megabytes of JSON.
        tokio::task::spawn_blocking(move || shape(&shared.rules, &document.bytes, &name, &part))
    };
    let shaped = match work.await {
        Ok(Ok(shaped)) => shaped,
        Ok(Err(error)) => {
            let error = FetchError::malformed(&url, "registry metadata", &error);
            return shared.failed(&url, &error, Wanted::Metadata);
        }
        Err(error) => {
            let error = FetchError::Disk(std::io::Error::other(error.to_string()));
            return shared.failed(&url, &error, Wanted::Metadata);
        }
    };
    if let Err(refusal) = shared.pass_on(&url, digest, size) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    match shaped {
        Some((bytes, media_type)) => Answer::Document { bytes, media_type },
        None => Answer::Absent,
    }
}

fn shape(
    rules: &Rules,
    bytes: &[u8],
    name: &PackageName,
    part: &Part,
) -> Result<Option<(Vec<u8>, &'static str)>, serde_json::Error> {
    let times = rules.as_of().and_then(|moment| {
        let times = locate::out_by(bytes);
        // A package without any version in time was built against something else than this registry's times.
        let told = times.values().any(|time| *time <= moment);
        told.then_some((moment, times))
    });
    let visible = |version: &str| {
        let out = times
            .as_ref()
            .is_none_or(|(moment, times)| times.get(version).is_some_and(|time| time <= moment));
        out && !rules.withholds(Ecosystem::Npm, name, version)
    };
    match part {
        Part::All(form) => {
            let media_type = match form {
                Form::Full => "application/json",
                Form::Abbreviated => ABBREVIATED,
            };
            packument::reshape(bytes, name, visible, *form).map(|shaped| Some((shaped, media_type)))
        }
        Part::One(wanted) => packument::manifest(bytes, name, wanted, visible)
            .map(|found| found.map(|found| (found, "application/json"))),
    }
}

/// A package's file.
pub(super) async fn tarball(
    shared: &Shared,
    name: &PackageName,
    file: &str,
    asked: &Url,
) -> Answer {
    let url = canonical_tarball(name, file);
    let digests = match shared.rules.tarball(name, file, asked) {
        Ok(digests) => digests,
        Err(refusal) => return shared.refuse(&url, refusal, Wanted::File),
    };
    let published = |digest: &Integrity| shared.rules.demands_published(digest);
    if digests.iter().any(published) {
        return shared.refuse(&url, Refusal::PublishedFile, Wanted::File);
    }
    let stored = match fetch(shared, name, file, &digests).await {
        Ok(stored) => stored,
        // A lockfile may take a file from anywhere; what the registries do not have is not fetched there.
        Err(FetchError::NotFound(_) | FetchError::Integrity { .. })
            if shared.rules.is_foreign(asked) =>
        {
            return shared.refuse(&shown(asked), Refusal::NotARegistry, Wanted::File);
        }
        Err(error) => return shared.failed(&url, &error, Wanted::File),
    };
    if let Err(refusal) = accept(&shared.rules, &stored, &digests) {
        return shared.refuse(&url, refusal, Wanted::File);
    }
    if let Err(refusal) = shared.pass_on(&url, stored.digests.sha256, stored.digests.size) {
        return shared.refuse(&url, refusal, Wanted::File);
    }
    Answer::File {
        path: stored.path,
        size: stored.digests.size,
        media_type: "application/octet-stream",
    }
}

/// Where registries usually have it, or else where the package's metadata says.
async fn fetch(
    shared: &Shared,
    name: &PackageName,
    file: &str,
    digests: &[Integrity],
) -> Result<Stored, FetchError> {
    let registries = &shared.registries;
    let usual = tarball_url(registries.npm_registries.of(name), name, file)
        .ok_or_else(|| FetchError::NotFound(file.to_owned()))?;
    let absent = match get(shared, &usual, digests).await {
        Err(error @ FetchError::NotFound(_)) => error,
        other => return other,
    };
    let document = registries.packument(name, shared.tokens).await?;
    let address = packument::tarball_address(&document.bytes, name, file)
        .map_err(|error| FetchError::malformed(&document.url, "registry metadata", &error))?;
    let stated = address
        .and_then(|address| address.parse::<Url>().ok())
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .map(|url| registries.on_configured_registry(url));
    match stated {
        Some(stated) if stated != usual => get(shared, &stated, digests).await,
        Some(_) | None => Err(absent),
    }
}

async fn get(shared: &Shared, url: &Url, digests: &[Integrity]) -> Result<Stored, FetchError> {
    let integrity = match digests {
        [only] => Some(only),
        _ => None,
    };
    shared
        .registries
        .file(FileRequest {
            client: &shared.registries.npm,
            url,
            integrity,
            limit: FILE_LIMIT,
            tokens: shared.tokens,
            reuse: Reuse::Always,
            budget: Some(&shared.budget),
        })
        .await
}

/// Whether fetched bytes may be passed on.
pub(super) fn accept(rules: &Rules, stored: &Stored, digests: &[Integrity]) -> Result<(), Refusal> {
    if rules.is_published(&stored.digests) {
        return Err(Refusal::PublishedFile);
    }
    let listed = digests.iter().any(|digest| stored.digests.matches(digest));
    if digests.is_empty() || listed {
        Ok(())
    } else {
        Err(Refusal::DigestMismatch)
    }
}
