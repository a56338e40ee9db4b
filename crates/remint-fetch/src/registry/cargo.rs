//! The index that stands for crates.io, and what earlier releases say in their own files.
//!
//! The web interface of crates.io is not asked: what it says about repositories is what the newest release's manifest
//! said, and the file has that itself.

use std::io::Read as _;
use std::path::Path;

use remint_ecosystem::cargo::locate::{self, IndexConfig};
use remint_ecosystem::{Earlier, Release, ReleaseFile, RepositoryClaim};
use remint_model::{PackageName, Version};
use url::Url;

use crate::client::Tokens;
use crate::configuration::cargo::CargoIndex;
use crate::error::FetchError;
use crate::registry::store::Metadata;
use crate::registry::{FileRequest, Registries, Reuse};

/// How many releases before the one in question are looked into for their repositories: each is a download.
const LOOKED_INTO: usize = 3;
/// crates.io takes no file larger than 10 MiB unless asked to.
const EARLIER_LIMIT: u64 = 64 << 20;
/// How far a file is inflated in search of its manifest, which lies near the front.
const INFLATED: u64 = 512 << 20;
/// crates.io takes no larger manifest.
const LARGEST_MANIFEST: u64 = 1 << 20;

impl Registries {
    fn index_url(&self) -> Result<&Url, FetchError> {
        match &self.cargo_index {
            CargoIndex::Sparse(url) => Ok(url),
            CargoIndex::Unusable(reason) => Err(FetchError::Configuration {
                origin: "cargo's settings".to_owned(),
                reason: reason.clone(),
            }),
        }
    }

    async fn index_document(&self, path: &str, tokens: Tokens) -> Result<Metadata, FetchError> {
        let index = self.index_url()?;
        let url = index
            .join(path)
            .map_err(|error| FetchError::malformed(index.as_str(), "index URL", &error))?;
        self.document(&self.cargo, &url, "*/*", tokens).await
    }

    async fn index_config(&self) -> Result<IndexConfig, FetchError> {
        let document = self
            .index_document("config.json", Tokens::AsConfigured)
            .await?;
        IndexConfig::parse(&document.bytes)
            .map_err(|error| FetchError::metadata(document.url, error))
    }

    /// A package's file in the index.
    pub(crate) async fn index_file(
        &self,
        name: &PackageName,
        tokens: Tokens,
    ) -> Result<Metadata, FetchError> {
        self.index_document(&locate::index_path(name), tokens).await
    }

    /// Where the file of one version is, and which digest it has.
    pub(crate) async fn crate_file(
        &self,
        name: &PackageName,
        version: &Version,
        tokens: Tokens,
    ) -> Result<ReleaseFile, FetchError> {
        let config = self.index_config().await?;
        let document = self.index_file(name, tokens).await?;
        let release = locate::release(name, &document.bytes, &config, Some(version))
            .map_err(|error| FetchError::metadata(document.url.clone(), error))?;
        let file = release.files.into_iter().next();
        file.filter(|file| file.integrity.is_some())
            .ok_or_else(|| FetchError::NotFound(format!("{name} {version}")))
    }

    pub(crate) async fn cargo_release(
        &self,
        name: &PackageName,
        version: Option<&Version>,
    ) -> Result<Release, FetchError> {
        let config = self.index_config().await?;
        let document = self.index_file(name, Tokens::AsConfigured).await?;
        let read = |version: Option<&Version>| {
            locate::release(name, &document.bytes, &config, version)
                .map_err(|error| FetchError::metadata(document.url.clone(), error))
        };
        let mut release = read(version)?;
        release.earlier.truncate(LOOKED_INTO);
        for earlier in &mut release.earlier {
            let files = read(Some(&earlier.version)).map(|release| release.files);
            match self.claims_in_file(files).await {
                Ok(claims) => earlier.claims = claims,
                Err(error) => untold(earlier, error)?,
            }
        }
        Ok(release)
    }

    /// The repositories that a release's own manifest names.
    async fn claims_in_file(
        &self,
        files: Result<Vec<ReleaseFile>, FetchError>,
    ) -> Result<Vec<RepositoryClaim>, FetchError> {
        let files = files?;
        let Some(file) = files.first() else {
            return Ok(Vec::new());
        };
        let url: Url = file
            .url
            .parse()
            .map_err(|error| FetchError::malformed(&file.url, "file URL", &error))?;
        let stored = self
            .file(FileRequest {
                client: &self.cargo,
                url: &url,
                integrity: file.integrity.as_ref(),
                limit: EARLIER_LIMIT,
                tokens: Tokens::AsConfigured,
                reuse: Reuse::IfDigestKnown,
                budget: None,
            })
            .await?;
        let search = tokio::task::spawn_blocking(move || manifest_in(&stored.path));
        let manifest = search
            .await
            .map_err(|error| std::io::Error::other(error.to_string()))?
            .map_err(|error| FetchError::malformed(file.name.as_str(), "crate", &error))?;
        Ok(manifest.map_or_else(Vec::new, |manifest| locate::manifest_claims(&manifest)))
    }
}

/// Why an earlier release does not tell its repository; a fault of this machine stays an error.
fn untold(earlier: &mut Earlier, error: FetchError) -> Result<(), FetchError> {
    if matches!(
        error,
        FetchError::Disk(_) | FetchError::Configuration { .. }
    ) {
        return Err(error);
    }
    earlier.untold = Some(error.to_string());
    Ok(())
}

/// The manifest of a crate: `name-version/Cargo.toml`, wherever it stands.
fn manifest_in(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = std::io::BufReader::new(fs_err::File::open(path)?);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file).take(INFLATED));
    for entry in tar.entries()? {
        let entry = entry?;
        let name = entry.path_bytes();
        let is_manifest = name
            .split(|byte| *byte == b'/')
            .collect::<Vec<_>>()
            .as_slice()
            .get(1..)
            .is_some_and(|below| below == [b"Cargo.toml".as_slice()]);
        if is_manifest && entry.header().entry_type().is_file() {
            let mut content = Vec::new();
            entry.take(LARGEST_MANIFEST).read_to_end(&mut content)?;
            return Ok(Some(content));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn search(bytes: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        manifest_in(file.path())
    }

    fn packed(files: &[(&str, &str)]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn the_manifest_is_the_one_of_the_top_folder() {
        let bytes = packed(&[
            ("x-1.0.0/tests/Cargo.toml", "no"),
            ("x-1.0.0/Cargo.toml.orig", "no"),
            ("x-1.0.0/Cargo.toml", "yes"),
        ]);
        assert_eq!(search(&bytes).unwrap().as_deref(), Some(&b"yes"[..]));
        let none = packed(&[("Cargo.toml", "no")]);
        assert_eq!(search(&none).unwrap(), None);
        assert!(search(b"not gzip").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, tar: Vec<u8>) {
            let _none = search(&bytes);
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&tar).unwrap();
            let _none = search(&gzip.finish().unwrap());
        }
    }
}
