//! From a reference to one image for one platform: index, manifest and configuration, each held against the digest that
//! names it.

use remint_ecosystem::oci::documents::{
    Configuration, DEEPEST, Document, Manifest, choose, configuration, document,
};
use remint_ecosystem::oci::platforms::is_for;
use remint_model::{ImagePlace, InconclusiveReason, Sha256};

use super::place::{Place, Unread, check, malformed};

/// The documents of an image.
pub(super) struct Documents {
    /// Of the manifest.
    pub(super) digest: Sha256,
    /// Bytes of the manifest.
    pub(super) size: u64,
    /// Digest of the index that lists it.
    pub(super) index: Option<Sha256>,
    /// Further platforms.
    pub(super) other_platforms: Vec<String>,
    pub(super) manifest: Manifest,
    /// The manifest as it is served.
    pub(super) manifest_text: Vec<u8>,
    pub(super) configuration: Configuration,
    /// The configuration as it is served.
    pub(super) configuration_text: Vec<u8>,
}

/// Reads the documents of the image for a platform.
pub(super) async fn read(
    opened: &Place,
    place: &ImagePlace,
    platform: &str,
) -> Result<Documents, Unread> {
    let unsupported = |detail: String| Unread::Because(InconclusiveReason::Unsupported, detail);
    let mut bytes = opened.first(place).await?;
    if let ImagePlace::Registry(reference) = place
        && let Some(digest) = reference.digest()
    {
        check("the manifest", digest, Sha256::of(&bytes))?;
    }
    // A layout's own index has no digest that anybody names.
    let mut is_own_index = matches!(place, ImagePlace::Layout { digest: None, .. });
    let (mut index, mut other_platforms) = (None, Vec::new());
    for _ in 0..=DEEPEST {
        let digest = Sha256::of(&bytes);
        match document(&bytes).map_err(malformed)? {
            Document::Manifest(manifest) => {
                check_kinds(&manifest).map_err(unsupported)?;
                let config = opened.small(&manifest.config).await?;
                let configuration =
                    configuration(&config, manifest.layers.len()).map_err(malformed)?;
                if !is_for(&configuration.platform, platform) {
                    return Err(Unread::Because(
                        InconclusiveReason::NotFound,
                        format!(
                            "the image is for {}, not for {platform}; `--platform` says which one is meant",
                            configuration.platform
                        ),
                    ));
                }
                opened.check_loaded(&manifest, place)?;
                return Ok(Documents {
                    digest,
                    size: bytes.len() as u64,
                    index,
                    other_platforms,
                    manifest,
                    manifest_text: bytes,
                    configuration,
                    configuration_text: config,
                });
            }
            Document::Index(listed) => {
                let (chosen, others) = choose(&listed, platform)
                    .map_err(|detail| Unread::Because(InconclusiveReason::NotFound, detail))?;
                if !is_own_index {
                    index = index.or(Some(digest));
                }
                is_own_index = false;
                other_platforms.extend(others);
                let blob = chosen.blob.clone();
                bytes = opened.document(blob.digest).await?;
                if bytes.len() as u64 != blob.size {
                    return Err(malformed(format_args!(
                        "the manifest sha256:{} has {} bytes, and the index says {}",
                        blob.digest,
                        bytes.len(),
                        blob.size
                    )));
                }
            }
        }
    }
    Err(malformed("indexes list each other deeper than is followed"))
}

/// Whether it is the image of a container, rather than something else that registries keep.
fn check_kinds(manifest: &Manifest) -> Result<(), String> {
    const CONFIGS: [&str; 2] = [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ];
    let config = &*manifest.config.media_type;
    if !CONFIGS.contains(&config) {
        return Err(format!(
            "it is no image of a container: its configuration is `{config}`"
        ));
    }
    let is_layer = |kind: &str| {
        let base = kind.split('+').next().unwrap_or(kind);
        let base = base
            .strip_suffix(".gzip")
            .or_else(|| base.strip_suffix(".zstd"))
            .unwrap_or(base);
        !kind.contains("encrypted")
            && (base == "application/vnd.oci.image.layer.v1.tar"
                || base == "application/vnd.docker.image.rootfs.diff.tar")
    };
    match manifest
        .layers
        .iter()
        .find(|layer| !is_layer(&layer.media_type))
    {
        None => Ok(()),
        Some(layer) => Err(format!(
            "a layer is `{}`, which is not read here",
            layer.media_type
        )),
    }
}

/// The platform that is meant where none is named.
pub(super) const USUAL_PLATFORM: &str = "linux/amd64";
