//! The image that another was made from: where its layers are the first ones, the files in them are its. Which image that
//! is, is never guessed: the image's labels say it with a digest, or the user does.

use remint_fetch::Will;
use remint_model::{BaseImage, ImageConfig, ImageLayer, ImagePlace, ImageReference, NamedBy};

use super::documents;
use super::place::{Place, Unread};
use crate::build::Builder;

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";
/// Where nobody but a maker of base images writes, as its own documentation says: what a label names there, by digest, is not
/// of whoever made the image. Docker's Official Images and Amazon's copy of them, Google's Distroless, Chainguard, Microsoft,
/// and Red Hat's universal base images.
const KNOWN_MAKERS: &[(&str, &str)] = &[
    ("docker.io", "library/"),
    ("public.ecr.aws", "docker/library/"),
    ("gcr.io", "distroless/"),
    ("cgr.dev", "chainguard/"),
    ("mcr.microsoft.com", ""),
    ("registry.access.redhat.com", "ubi8/"),
    ("registry.access.redhat.com", "ubi9/"),
    ("registry.access.redhat.com", "ubi10/"),
];

/// Looks for the base image, whose layers are then marked.
pub(super) async fn find(
    (asked, asked_by): (&ImagePlace, Will),
    config: &ImageConfig,
    named: Option<&ImagePlace>,
    platform: &str,
    layers: &mut [ImageLayer],
    builder: &Builder,
) -> Result<BaseImage, Unread> {
    let (place, named_by) = match named {
        Some(place) => (place.clone(), NamedBy::User),
        None => match labelled(config) {
            None => return Ok(BaseImage::Unnamed),
            Some(Ok(reference)) if is_of_known_maker(&reference) => {
                (ImagePlace::Registry(reference), NamedBy::LabelOfKnownMaker)
            }
            Some(Ok(reference)) => (ImagePlace::Registry(reference), NamedBy::Label),
            Some(Err((reference, detail))) => {
                return Ok(BaseImage::Unread {
                    reference,
                    detail,
                    named_by: NamedBy::Label,
                });
            }
        },
    };
    let reference = place.to_string();
    let unread = |detail: String| BaseImage::Unread {
        reference: reference.clone(),
        detail,
        named_by,
    };
    let will = match named_by {
        NamedBy::User => Will::User,
        NamedBy::Label | NamedBy::LabelOfKnownMaker if is_beside(&place, asked) => asked_by,
        NamedBy::Label | NamedBy::LabelOfKnownMaker => Will::Metadata,
    };
    let read = async {
        let opened = Place::open(&place, will, builder).await?;
        documents::read(&opened, &place, platform).await
    };
    let base = match read.await {
        Ok(base) => base,
        Err(Unread::Machine(error)) => return Err(Unread::Machine(error)),
        Err(Unread::Because(_, detail)) => return Ok(unread(detail)),
        Err(Unread::Mismatch(mismatch)) => {
            let detail = format!("{} has not its declared digest", mismatch.what);
            return Ok(unread(detail));
        }
    };
    let diff_ids = &base.configuration.diff_ids;
    let equal = layers
        .iter()
        .zip(diff_ids)
        .take_while(|(layer, diff_id)| layer.diff_id == **diff_id)
        .count();
    if diff_ids.is_empty() || equal < diff_ids.len() {
        return Ok(BaseImage::Other {
            reference,
            detail: format!(
                "{equal} of its {} layers are the image's first",
                diff_ids.len()
            ),
            named_by,
        });
    }
    // Else any image could excuse all of itself, under another name.
    if equal == layers.len() && named_by != NamedBy::User {
        return Ok(BaseImage::Whole {
            reference,
            manifest: base.digest,
        });
    }
    for layer in layers.iter_mut().take(equal) {
        layer.of_base = true;
    }
    Ok(BaseImage::Found {
        reference,
        manifest: base.digest,
        layers: equal,
        named_by,
    })
}

/// What the labels name: only with a digest, for a tag may be another image by now.
fn labelled(config: &ImageConfig) -> Option<Result<ImageReference, (String, String)>> {
    let name = config.labels.get(NAME)?;
    let digest = config.labels.get(DIGEST)?;
    let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
    let read = || -> Result<ImageReference, String> {
        let reference: ImageReference = name.parse().map_err(|error| format!("{error}"))?;
        let digest = hex
            .parse()
            .map_err(|_| "the label with its digest holds none".to_owned())?;
        Ok(reference.at(digest))
    };
    Some(read().map_err(|detail| (name.clone(), detail)))
}

/// Whether nobody but a known maker of base images can have put it there.
fn is_of_known_maker(reference: &ImageReference) -> bool {
    KNOWN_MAKERS.iter().any(|(registry, repositories)| {
        reference.registry() == *registry && reference.repository().starts_with(repositories)
    })
}

/// Whether a base image is in the registry that is asked for the image anyway.
fn is_beside(place: &ImagePlace, asked: &ImagePlace) -> bool {
    match (place, asked) {
        (ImagePlace::Registry(place), ImagePlace::Registry(asked)) => {
            place.registry().eq_ignore_ascii_case(asked.registry())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_makers_are_known_by_the_whole_name() {
        let check = |reference: &str, is_known: bool| {
            let reference = reference.parse().unwrap();
            assert_eq!(is_of_known_maker(&reference), is_known, "{reference}");
        };
        check("node:22", true);
        check("docker.io/library/python:3", true);
        check("gcr.io/distroless/static", true);
        check("mcr.microsoft.com/dotnet/runtime:8.0", true);
        check("registry.access.redhat.com/ubi9/ubi-minimal", true);
        check("evil/node:22", false);
        check("docker.io/libraryevil/node", false);
        check("docker.io.evil.example/library/node", false);
        check("evil.example/docker.io/library/node", false);
        check("ghcr.io/library/node", false);
        check("docker.io:444/library/node", false);
    }
}
