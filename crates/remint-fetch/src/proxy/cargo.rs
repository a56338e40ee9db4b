//! Answers requests of cargo: the index, and the crates that a Python project compiles. Packing a crate looks packages
//! up and needs no file of theirs.

use remint_ecosystem::cargo::locate;
use remint_model::{Ecosystem, PackageName, Version};
use url::Url;

use crate::error::FetchError;
use crate::proxy::Shared;
use crate::proxy::address::{canonical_crate, canonical_index_file};
use crate::proxy::answer::{Answer, Wanted};
use crate::proxy::rules::{Refusal, Rules};
use crate::registry::{FILE_LIMIT, FileRequest, Reuse, Stored};

/// crates.io's own, so that nothing inside depends on which mirror the user has.
const CONFIG: &[u8] = br#"{"dl":"https://static.crates.io/crates","api":"https://crates.io"}"#;

/// The index's description of itself.
pub(super) fn config() -> Answer {
    Answer::Document {
        bytes: CONFIG.to_vec(),
        media_type: "application/json",
    }
}

/// A package's file.
pub(super) async fn index_file(shared: &Shared, name: &PackageName) -> Answer {
    let url = canonical_index_file(name);
    if let Err(refusal) = shared.rules.metadata(Ecosystem::Cargo, name) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    let document = match shared.registries.index_file(name, shared.tokens).await {
        Ok(document) => document,
        Err(error) => return shared.failed(&url, &error, Wanted::Metadata),
    };
    let size = document.bytes.len() as u64;
    if let Err(refusal) = shared.pass_on(&url, document.sha256, size) {
        return shared.refuse(&url, refusal, Wanted::Metadata);
    }
    Answer::Document {
        bytes: for_inside(&shared.rules, name, &document.bytes),
        media_type: "text/plain; charset=utf-8",
    }
}

/// A package's file of one version, which has to have the digest that the index states.
pub(super) async fn file(shared: &Shared, name: &PackageName, version: &Version) -> Answer {
    let url = canonical_crate(name, version);
    if let Err(refusal) = shared.rules.crate_file(name, version.as_str()) {
        return shared.refuse(&url, refusal, Wanted::File);
    }
    let stored = match fetch(shared, name, version).await {
        Ok(stored) => stored,
        Err(error) => return shared.failed(&url, &error, Wanted::File),
    };
    if shared.rules.is_published(&stored.digests) {
        return shared.refuse(&url, Refusal::PublishedFile, Wanted::File);
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

async fn fetch(
    shared: &Shared,
    name: &PackageName,
    version: &Version,
) -> Result<Stored, FetchError> {
    let listed = shared
        .registries
        .crate_file(name, version, shared.tokens)
        .await?;
    let url: Url = listed
        .url
        .parse()
        .map_err(|error| FetchError::malformed(&listed.url, "file URL", &error))?;
    shared
        .registries
        .file(FileRequest {
            client: &shared.registries.cargo,
            url: &url,
            integrity: listed.integrity.as_ref(),
            limit: FILE_LIMIT,
            tokens: shared.tokens,
            reuse: Reuse::IfDigestKnown,
            budget: Some(&shared.budget),
        })
        .await
}

/// Without the release itself, and without what is newer than it.
fn for_inside(rules: &Rules, name: &PackageName, content: &[u8]) -> Vec<u8> {
    let other = |version: &str| !rules.withholds(Ecosystem::Cargo, name, version);
    if let Some(moment) = rules.as_of() {
        let in_time = locate::filtered(content, &|version, time| {
            other(version) && time.is_none_or(|time| time <= moment)
        });
        // Where nothing was out in time, the times are no information.
        if !in_time.is_empty() {
            return in_time;
        }
    }
    locate::filtered(content, &|version, _| other(version))
}
