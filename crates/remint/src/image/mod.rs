//! Looks into a container image: how it runs, what its layers make, and where each of its files comes from. It is not
//! built again, so that nothing here ever verifies one.

mod archive;
mod base;
mod comparison;
mod documents;
mod layers;
mod place;
mod source;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use remint_ecosystem::oci::attribution::{BaseLayers, Installed};
use remint_ecosystem::oci::code::Started;
use remint_ecosystem::oci::documents::Manifest;
use remint_fetch::Will;
use remint_judge::{judge_image, judge_mismatch};
use remint_model::{BaseImage, Image, ImagePlace, InconclusiveReason};

pub(crate) use self::comparison::{ImageIdentity, compare};
use self::place::{Place, Unread};
use crate::build::Builder;
use crate::bundle;
use crate::pipeline::Request;
use crate::progress::Progress;
use crate::report::{TargetReport, count_words, size_words};
use crate::resolve::Unresolved;

/// Bytes of all layers as they are served.
const MOST_BYTES: u64 = 6 << 30;

/// What is asked about images beside their reference.
#[derive(Debug, Clone, Default)]
pub(crate) struct ImageWish {
    /// The image that they were made from, as the user knows.
    pub(crate) base: Option<ImagePlace>,
    /// `system/processor`, where it is not the usual one.
    pub(crate) platform: Option<String>,
}

/// Reports on one image, which the user names or somebody else does.
///
/// # Errors
/// This machine could not do its part.
pub(crate) async fn judge(
    asked: &ImagePlace,
    will: Will,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<TargetReport> {
    let mut seconds = Vec::new();
    match look(asked, will, request, builder, progress, &mut seconds).await {
        Ok(image) => {
            let purl = match asked {
                ImagePlace::Registry(reference) => Some(reference.purl(image.manifest)),
                ImagePlace::Layout { .. } => None,
            };
            let judgement = judge_image(&image);
            let mut report = TargetReport::of_image(asked.to_string(), purl, judgement);
            report.seconds = seconds;
            report.notes = words::notes(&image);
            report.limits = words::limits();
            report.next = words::next(asked, &image, &report.judgement, request);
            report.image = Some(Box::new(image));
            Ok(report)
        }
        Err(Unread::Machine(error)) => Err(error),
        Err(Unread::Because(reason, detail)) => {
            let unresolved = Unresolved {
                target: None,
                reason,
                detail,
                integrity: None,
            };
            let mut report =
                TargetReport::unresolved(asked.to_string(), unresolved, request.offline);
            if will == Will::Metadata && reason == InconclusiveReason::Unavailable {
                report.next.push(words::in_your_name(asked));
            }
            Ok(report)
        }
        Err(Unread::Mismatch(mismatch)) => {
            let judgement = judge_mismatch(&mismatch);
            let mut report = TargetReport::of_image(asked.to_string(), None, judgement);
            report.next = vec![words::HANDS_OFF.to_owned()];
            Ok(report)
        }
    }
}

async fn look(
    asked: &ImagePlace,
    will: Will,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
    seconds: &mut Vec<(&'static str, f64)>,
) -> Result<Image, Unread> {
    let platform = request
        .image
        .platform
        .as_deref()
        .unwrap_or(documents::USUAL_PLATFORM);
    let stage = progress.begin("resolve", &asked.to_string());
    let opened = Place::open(asked, will, builder).await?;
    let found = documents::read(&opened, asked, platform).await?;
    let bytes = packed_bytes(&found.manifest);
    let count = count_words(found.manifest.layers.len(), "layer");
    seconds.push((
        "resolve",
        stage.end(&format!(
            "sha256:{}, {count}, {}",
            found.digest,
            size_words(bytes)
        )),
    ));
    let stage = progress.begin("layers", &count);
    let files = layer_files(&opened, &found.manifest, |number| {
        stage.doing(&format!("{number} of {count}"));
    })
    .await?;
    let blobs = found.manifest.layers.clone();
    let configuration = found.configuration.clone();
    let applied =
        tokio::task::spawn_blocking(move || layers::apply(&blobs, &files, &configuration))
            .await
            .map_err(anyhow::Error::from)??;
    let mut layers = applied.layers;
    let filesystem = Arc::new(applied.filesystem);
    let config = found.configuration.facts;
    seconds.push(("layers", stage.end(&count)));

    let stage = progress.begin("base", "finding the image that it was made from");
    let base = base::find(
        (asked, will),
        &config,
        request.image.base.as_ref(),
        platform,
        &mut layers,
        builder,
    )
    .await?;
    seconds.push(("base", stage.end(&words::base(&base))));

    let stage = progress.begin("source", "finding the repository and the commit");
    let (source, blobs) = source::of(&config, request, builder).await?;
    seconds.push(("source", stage.end(&words::source(&source))));

    let base_layers = match &base {
        BaseImage::Found { layers, .. } => *layers,
        BaseImage::Unnamed
        | BaseImage::Whole { .. }
        | BaseImage::Other { .. }
        | BaseImage::Unread { .. } => 0,
    };
    let looked_at = Arc::clone(&filesystem);
    let installed = tokio::task::spawn_blocking(move || Installed::of(&looked_at, base_layers))
        .await
        .map_err(anyhow::Error::from)?;
    let stage = progress.begin(
        "packages",
        &count_words(installed.packages().len(), "package"),
    );
    let answers = bundle::answers(installed.packages(), builder, &stage).await?;
    let looked_at = Arc::clone(&filesystem);
    let starts = config.clone();
    let unvouched = base.unvouched().map(str::to_owned);
    let attributed = tokio::task::spawn_blocking(move || {
        let started = Started::of(&starts, &looked_at);
        let base = match &unvouched {
            Some(reference) => BaseLayers::Unvouched(base_layers, reference),
            None => BaseLayers::Vouched(base_layers),
        };
        installed.attribute(&looked_at, &answers, base, blobs.as_ref(), &started)
    })
    .await
    .map_err(anyhow::Error::from)?;
    seconds.push((
        "packages",
        stage.end(&count_words(attributed.packages.len(), "package")),
    ));
    Ok(Image {
        asked: asked.to_string(),
        manifest: found.digest,
        manifest_size: found.size,
        index: found.index,
        platform: platform.to_owned(),
        other_platforms: found.other_platforms,
        config,
        layers,
        base,
        source,
        packages: attributed.packages,
        files: attributed.files,
        anomalies: filesystem.anomalies().to_vec(),
        mismatches: applied.mismatches,
    })
}

/// Bytes of the layers as they are served.
fn packed_bytes(manifest: &Manifest) -> u64 {
    let sizes = manifest.layers.iter().map(|layer| layer.size);
    sizes.fold(0, u64::saturating_add)
}

/// The files of the layers, in their order; `doing` is told the number of each before it is fetched.
async fn layer_files(
    opened: &Place,
    manifest: &Manifest,
    doing: impl Fn(usize),
) -> Result<Vec<PathBuf>, Unread> {
    let bytes = packed_bytes(manifest);
    if bytes > MOST_BYTES {
        return Err(Unread::Because(
            InconclusiveReason::Unsupported,
            format!(
                "its layers have {}, more than is looked at",
                size_words(bytes)
            ),
        ));
    }
    let mut files = Vec::new();
    for (at, layer) in manifest.layers.iter().enumerate() {
        doing(at + 1);
        files.push(opened.layer(layer).await?);
    }
    Ok(files)
}
