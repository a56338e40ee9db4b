//! Container images that tests make up, and layouts of them.

use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use sha2::Digest as _;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Entries as texts: `path` with its content, `path = target` a hard link, `path -> target` a symbolic one.
pub(crate) fn tar(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_mtime(0);
        let (name, content) = if let Some((name, target)) = name.split_once(" = ") {
            header.set_entry_type(tar::EntryType::Link);
            header.set_link_name(target).unwrap();
            (name, "")
        } else if let Some((name, target)) = name.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name(target).unwrap();
            (name, "")
        } else {
            (*name, *content)
        };
        header.set_size(content.len() as u64);
        // As it stands, also where no honest packer would write it.
        let field = &mut header.as_ustar_mut().unwrap().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What a registry or layout holds.
#[derive(Clone, Default)]
pub(crate) struct Image {
    pub(crate) blobs: Vec<(String, Vec<u8>)>,
    pub(crate) index: Vec<u8>,
    pub(crate) manifest: String,
}

impl Image {
    pub(crate) fn add(&mut self, bytes: Vec<u8>) -> (String, usize) {
        let (name, size) = (digest(&bytes), bytes.len());
        self.blobs.push((name.clone(), bytes));
        (name, size)
    }

    /// An image of these tars.
    pub(crate) fn of(layers: &[Vec<u8>], config: &Value) -> Self {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let layers: Vec<Vec<u8>> = layers.iter().map(|layer| gzip(layer)).collect();
        Self::declaring(layers, &diff_ids, config)
    }

    /// An image of these packed layers, whatever its configuration says of them.
    pub(crate) fn declaring(layers: Vec<Vec<u8>>, diff_ids: &[String], config: &Value) -> Self {
        let mut image = Self::default();
        let history: Vec<Value> = (0..layers.len())
            .map(|number| json!({"created_by": format!("STEP {number}")}))
            .collect();
        let config = json!({"architecture": "amd64", "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": history});
        let (config, size) = image.add(config.to_string().into_bytes());
        let layers: Vec<Value> = layers
            .into_iter()
            .map(|layer| {
                let (layer, size) = image.add(layer);
                json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": layer, "size": size})
            })
            .collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config, "size": size}});
        let (manifest, size) = image.add(manifest.to_string().into_bytes());
        image.index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "digest": manifest, "size": size,
             "platform": {"os": "linux", "architecture": "amd64"}},
            {"mediaType": MANIFEST, "digest": digest(b"other"), "size": 5,
             "platform": {"os": "linux", "architecture": "arm64"}},
        ]})
        .to_string()
        .into_bytes();
        image.manifest = manifest;
        image
    }

    /// As a layout in a directory.
    pub(crate) fn lay_out(&self, directory: &Path) -> String {
        let blobs = directory.join("blobs/sha256");
        fs_err::create_dir_all(&blobs).unwrap();
        fs_err::write(
            directory.join("oci-layout"),
            r#"{"imageLayoutVersion": "1.0.0"}"#,
        )
        .unwrap();
        fs_err::write(directory.join("index.json"), &self.index).unwrap();
        for (name, bytes) in &self.blobs {
            fs_err::write(blobs.join(name.strip_prefix("sha256:").unwrap()), bytes).unwrap();
        }
        format!("oci:{}", directory.display())
    }
}
