//! The `manifest.json` of an archive: `docker load` reads it and not the index, unless Docker keeps its images with containerd.

use serde::Deserialize;

use super::documents::{Blob, Manifest};
use super::keys;
use crate::release::MetadataError;

/// An image, by paths inside of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Loaded {
    config: String,
    layers: Vec<String>,
}

impl Loaded {
    /// Whether it is the image of a manifest.
    #[must_use]
    pub fn is(&self, manifest: &Manifest) -> bool {
        let path = |blob: &Blob| format!("blobs/sha256/{}", blob.digest);
        self.config == path(&manifest.config)
            && self
                .layers
                .iter()
                .eq(manifest.layers.iter().map(path).collect::<Vec<_>>().iter())
    }
}

/// Reads a `manifest.json`.
///
/// # Errors
/// It cannot be parsed, or has keys that are others to Docker.
pub fn loaded(bytes: &[u8]) -> Result<Vec<Loaded>, MetadataError> {
    const WHAT: &str = "manifest.json";
    keys::check(bytes, &keys::LOADED).map_err(|reason| MetadataError::malformed(WHAT, reason))?;
    serde_json::from_slice(bytes).map_err(|error| MetadataError::malformed(WHAT, error))
}

#[cfg(test)]
mod tests {
    use remint_model::Sha256;

    use super::*;

    #[test]
    fn an_image_is_told_by_its_configuration_and_layers() {
        let blob = |text: &[u8]| Blob {
            digest: Sha256::of(text),
            size: 1,
            media_type: String::new(),
        };
        let manifest = Manifest {
            config: blob(b"config"),
            layers: vec![blob(b"one"), blob(b"two")],
        };
        let path = |text: &[u8]| format!("blobs/sha256/{}", Sha256::of(text));
        let check = |config: &[u8], layers: &[&[u8]], expect: bool| {
            let layers: Vec<String> = layers.iter().map(|layer| path(layer)).collect();
            let text = serde_json::json!([
                {"Config": path(config), "RepoTags": null, "Layers": layers, "LayerSources": {}}
            ]);
            let read = loaded(text.to_string().as_bytes()).unwrap();
            assert_eq!(read[0].is(&manifest), expect, "{text}");
        };
        check(b"config", &[b"one", b"two"], true);
        check(b"other", &[b"one", b"two"], false);
        check(b"config", &[b"two", b"one"], false);
        check(b"config", &[b"one"], false);
        check(b"config", &[b"one", b"two", b"two"], false);
        for refused in [
            r#"{"Config": "a", "Layers": []}"#,
            r#"[{"Layers": []}]"#,
            r#"[{"Config": "a", "Layers": [], "layers": ["b"]}]"#,
            r#"[{"Config": "a", "Layers": [], "Config": "b"}]"#,
        ] {
            assert!(loaded(refused.as_bytes()).is_err(), "{refused}");
        }
    }
}
