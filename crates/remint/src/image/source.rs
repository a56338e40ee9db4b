//! The source that an image says it was made from, as far as it is named by repository and commit.

use std::collections::BTreeSet;

use remint_ecosystem::RepositoryClaim;
use remint_fetch::source::{FoundSource, Overrides, SourceError, SourceRequest, find_source};
use remint_model::{CommitId, Ecosystem, ImageConfig, ImageSource, PackageName, Survey, Target};

use crate::build::{Builder, chain};
use crate::pipeline::Request;

const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";
/// Dockerfiles that are named.
const MOST_DOCKERFILES: usize = 50;

/// What the source's files are, where it is known, and what is told of it.
pub(super) async fn of(
    config: &ImageConfig,
    request: &Request,
    builder: &Builder,
) -> anyhow::Result<(ImageSource, Option<BTreeSet<CommitId>>)> {
    let overrides = Overrides {
        source: request.overrides.source.clone(),
        reference: request
            .overrides
            .reference
            .clone()
            .or_else(|| config.labels.get(REVISION).cloned()),
        subdirectory: None,
    };
    let claimed = config.labels.get(SOURCE);
    let unnamed = |detail: &str| {
        let detail = detail.to_owned();
        Ok((ImageSource::Unnamed { detail }, None))
    };
    let Some(repository) = overrides.source.as_ref().or(claimed).cloned() else {
        return unnamed("no label of the image names a repository");
    };
    if overrides.reference.is_none() {
        return unnamed("no label of the image names a commit");
    }
    let claims = match claimed {
        // What the user names comes first, and no claim is looked at.
        Some(raw) if overrides.source.is_none() => vec![RepositoryClaim {
            raw: raw.clone(),
            url: raw.parse(),
            directory: None,
            field: SOURCE.to_owned(),
        }],
        Some(_) | None => Vec::new(),
    };
    // An image is of no ecosystem whose manifests the source could have; a bundle asks for the least.
    let target = Target {
        ecosystem: Ecosystem::Mcpb,
        name: PackageName::parse(Ecosystem::Mcpb, "image")?,
        version: "0".parse()?,
        file: None,
    };
    let user = builder.settings.user.clone();
    let found = tokio::task::spawn_blocking(move || {
        let request = SourceRequest {
            target: &target,
            release: None,
            claims: &claims,
            survey: &Survey::default(),
            overrides,
            uploaded: None,
            ahead: None,
        };
        find_source(&request, &user)
    })
    .await?;
    match found {
        Ok(found) => Ok(held(&found)),
        Err(error) if error.is_machine_fault() => Err(error.into()),
        Err(error @ SourceError::NotASource { .. }) => Err(anyhow::Error::new(
            crate::failure::Usage(format!("`--source`: {error}")),
        )),
        Err(error) => Ok((
            ImageSource::Unread {
                repository,
                detail: chain(&error),
            },
            None,
        )),
    }
}

fn held(found: &FoundSource) -> (ImageSource, Option<BTreeSet<CommitId>>) {
    let entries = &found.tree.entries;
    let is_file = |mode: u32| mode & 0o170_000 == 0o100_000;
    let blobs = entries
        .values()
        .filter(|entry| is_file(entry.mode))
        .map(|entry| entry.blob.clone())
        .collect();
    let dockerfiles = entries
        .keys()
        .filter(|path| {
            let name = path.file_name();
            name == "Containerfile"
                || name == "Dockerfile"
                || name.starts_with("Dockerfile.")
                || name.ends_with(".Dockerfile")
        })
        .take(MOST_DOCKERFILES)
        .map(ToString::to_string)
        .collect();
    let source = ImageSource::Found {
        repository: found.pin.repository.clone(),
        commit: found.pin.commit.clone(),
        reference: found.pin.reference.clone(),
        dockerfiles,
    };
    (source, Some(blobs))
}
