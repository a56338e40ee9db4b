//! The image that another was made from: where its layers are the first ones, the files in them are its. Which image that
//! is, is never guessed: the image's labels say it with a digest, or the user does.

use remint_fetch::Will;
use remint_model::{BaseImage, ImageConfig, ImageLayer, ImagePlace, ImageReference, NamedBy};

use super::documents;
use super::place::{Place, Unread};
use crate::build::Builder;

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// Looks for the base image, whose layers are then marked.
pub(super) async fn find(
    asked: &ImagePlace,
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
        NamedBy::Label if is_beside(&place, asked) => Will::User,
        NamedBy::Label => Will::Metadata,
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
    if equal == layers.len() && named_by == NamedBy::Label {
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

/// Whether a base image is in the registry that the user names anyway.
fn is_beside(place: &ImagePlace, asked: &ImagePlace) -> bool {
    match (place, asked) {
        (ImagePlace::Registry(place), ImagePlace::Registry(asked)) => {
            place.registry().eq_ignore_ascii_case(asked.registry())
        }
        _ => false,
    }
}
