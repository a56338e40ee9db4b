//! Where an image is read from: a registry, or a layout on this machine (OCI image specification, "Image Layout").

use std::io::Read as _;
use std::path::{Path, PathBuf};

use remint_ecosystem::oci::documents::{Blob, LARGEST_DOCUMENT, Manifest};
use remint_ecosystem::oci::loaded::loaded;
use remint_fetch::{FetchError, ImageRepository, Will};
use remint_model::{ImageMismatch, ImagePlace, InconclusiveReason, Sha256};

use super::archive::unpack;
use crate::build::{Builder, Scratch, chain};
use crate::failure::Usage;
use crate::unfetched::{self, Unfetched};

/// Why an image cannot be read.
pub(super) enum Unread {
    /// This machine cannot do its part.
    Machine(anyhow::Error),
    /// An answer about the image.
    Because(InconclusiveReason, String),
    /// Something has not the digest that is declared for it.
    Mismatch(ImageMismatch),
}

impl From<FetchError> for Unread {
    fn from(error: FetchError) -> Self {
        if let FetchError::Integrity {
            url,
            expected,
            found,
        } = &error
        {
            return Self::Mismatch(ImageMismatch {
                what: format!("`{url}`"),
                declared: expected.to_string(),
                actual: found.to_string(),
            });
        }
        match unfetched::sort(&error) {
            Unfetched::Machine => Self::Machine(error.into()),
            Unfetched::Because(reason) => Self::Because(reason, chain(&error)),
        }
    }
}

impl From<anyhow::Error> for Unread {
    fn from(error: anyhow::Error) -> Self {
        Self::Machine(error)
    }
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        Self::Machine(error.into())
    }
}

pub(super) fn malformed(detail: impl std::fmt::Display) -> Unread {
    Unread::Because(InconclusiveReason::Malformed, detail.to_string())
}

/// Where documents and layers are read from.
pub(super) enum Place {
    Registry(Box<ImageRepository>),
    Layout {
        directory: PathBuf,
        /// Holds an unpacked layout, gone when this is dropped.
        _unpacked: Option<Scratch>,
    },
}

impl Place {
    /// Gets ready to read from a place that somebody wants; a layout that is one file is unpacked.
    pub(super) async fn open(
        place: &ImagePlace,
        will: Will,
        builder: &Builder,
    ) -> Result<Self, Unread> {
        match place {
            ImagePlace::Registry(reference) => {
                let user = &builder.settings.user;
                let repository = ImageRepository::open(reference, will, user, &builder.registries)?;
                Ok(Self::Registry(Box::new(repository)))
            }
            ImagePlace::Layout { path, .. } => {
                let path = match path.to_str() {
                    Some(text) => builder.settings.user.path(text),
                    None => path.clone(),
                };
                let metadata = fs_err::metadata(&path)
                    .map_err(|error| unusable(&path, &error.kind().to_string()))?;
                let (directory, unpacked) = if metadata.is_dir() {
                    (path.clone(), None)
                } else if metadata.is_file() {
                    let scratch = builder.scratch()?;
                    let into = scratch.path().join("layout");
                    let from = path.clone();
                    let to = into.clone();
                    tokio::task::spawn_blocking(move || unpack(&from, &to))
                        .await
                        .map_err(anyhow::Error::from)??;
                    (into, Some(scratch))
                } else {
                    return Err(unusable(&path, "it is neither a directory nor a file").into());
                };
                let is_layout = directory.join("oci-layout").is_file();
                if !is_layout && directory.join("manifest.json").is_file() {
                    return Err(Unread::Because(
                        InconclusiveReason::Unsupported,
                        format!(
                            "`{}` is an archive of Docker before version 25, which is no OCI layout; `skopeo copy docker-archive:FILE oci:DIR` makes one",
                            path.display()
                        ),
                    ));
                }
                if !is_layout {
                    return Err(malformed(format_args!(
                        "`{}` is no OCI image layout: it has no file `oci-layout`",
                        path.display()
                    )));
                }
                Ok(Self::Layout {
                    directory,
                    _unpacked: unpacked,
                })
            }
        }
    }

    /// The document that the place names by itself: that of the digest or tag, or a layout's own index.
    pub(super) async fn first(&self, place: &ImagePlace) -> Result<Vec<u8>, Unread> {
        match (self, place) {
            (Self::Registry(repository), ImagePlace::Registry(reference)) => {
                match (reference.digest(), reference.tag()) {
                    (Some(digest), _) => Ok(repository.manifest(digest, LARGEST_DOCUMENT).await?),
                    (None, tag) => Ok(repository
                        .tagged(tag.unwrap_or("latest"), LARGEST_DOCUMENT)
                        .await?),
                }
            }
            (
                _,
                ImagePlace::Layout {
                    digest: Some(digest),
                    ..
                },
            ) => self.document(*digest).await,
            (Self::Layout { directory, .. }, _) => document_file(&directory.join("index.json")),
            (Self::Registry(_), ImagePlace::Layout { .. }) => {
                Err(malformed("a layout is no registry"))
            }
        }
    }

    /// The document of a digest.
    pub(super) async fn document(&self, digest: Sha256) -> Result<Vec<u8>, Unread> {
        match self {
            Self::Registry(repository) => Ok(repository.manifest(digest, LARGEST_DOCUMENT).await?),
            Self::Layout { directory, .. } => {
                let bytes = document_file(&blob_path(directory, digest))?;
                check("a document of the layout", digest, Sha256::of(&bytes))?;
                Ok(bytes)
            }
        }
    }

    /// A small blob, such as the configuration, in memory.
    pub(super) async fn small(&self, blob: &Blob) -> Result<Vec<u8>, Unread> {
        if blob.size > LARGEST_DOCUMENT {
            return Err(malformed(format_args!(
                "sha256:{} is larger than {LARGEST_DOCUMENT} bytes",
                blob.digest
            )));
        }
        let bytes = match self {
            Self::Registry(repository) => {
                document_file(&repository.blob(blob.digest, blob.size).await?)?
            }
            Self::Layout { directory, .. } => document_file(&blob_path(directory, blob.digest))?,
        };
        check("the configuration", blob.digest, Sha256::of(&bytes))?;
        Ok(bytes)
    }

    /// The file of a layer. That of a registry has its digest; that of a layout is still to be held against it.
    pub(super) async fn layer(&self, blob: &Blob) -> Result<PathBuf, Unread> {
        match self {
            Self::Registry(repository) => Ok(repository.blob(blob.digest, blob.size).await?),
            Self::Layout { directory, .. } => {
                let path = blob_path(directory, blob.digest);
                let metadata = fs_err::symlink_metadata(&path)
                    .map_err(|_| absent(format_args!("the layer sha256:{}", blob.digest)))?;
                if !metadata.is_file() || metadata.len() != blob.size {
                    return Err(malformed(format_args!(
                        "the layer sha256:{} is no file of {} bytes",
                        blob.digest, blob.size
                    )));
                }
                Ok(path)
            }
        }
    }

    /// Holds the image that the index of a layout names against the one that `docker load` takes from it. Where the user names
    /// a digest, others may be loaded beside it.
    pub(super) fn check_loaded(
        &self,
        manifest: &Manifest,
        place: &ImagePlace,
    ) -> Result<(), Unread> {
        let Self::Layout { directory, .. } = self else {
            return Ok(());
        };
        let path = directory.join("manifest.json");
        if let Err(error) = fs_err::symlink_metadata(&path)
            && error.kind() == std::io::ErrorKind::NotFound
        {
            return Ok(());
        }
        let images = loaded(&document_file(&path)?).map_err(malformed)?;
        let is_named = matches!(
            place,
            ImagePlace::Layout {
                digest: Some(_),
                ..
            }
        );
        let is_the_same = if is_named {
            images.iter().any(|image| image.is(manifest))
        } else {
            !images.is_empty() && images.iter().all(|image| image.is(manifest))
        };
        if is_the_same {
            return Ok(());
        }
        Err(malformed(
            "its `manifest.json`, which `docker load` goes by, does not name the configuration and layers that `index.json` leads to",
        ))
    }
}

fn unusable(path: &Path, why: &str) -> anyhow::Error {
    Usage(format!("`{}` cannot be taken: {why}", path.display())).into()
}

fn absent(what: impl std::fmt::Display) -> Unread {
    Unread::Because(
        InconclusiveReason::NotFound,
        format!("{what} is not in the layout"),
    )
}

fn blob_path(directory: &Path, digest: Sha256) -> PathBuf {
    let folder = directory.join("blobs").join("sha256");
    folder.join(digest.to_string())
}

pub(super) fn check(what: &str, expected: Sha256, found: Sha256) -> Result<(), Unread> {
    if expected == found {
        return Ok(());
    }
    Err(Unread::Mismatch(ImageMismatch {
        what: what.to_owned(),
        declared: format!("sha256:{expected}"),
        actual: format!("sha256:{found}"),
    }))
}

/// A file of at most [`LARGEST_DOCUMENT`] bytes; anything that is no regular file is not opened.
fn document_file(path: &Path) -> Result<Vec<u8>, Unread> {
    let name = path.file_name().unwrap_or_default().display().to_string();
    match fs_err::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(malformed(format_args!("`{name}` is no file"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(absent(format_args!("`{name}`")));
        }
        Err(error) => return Err(error.into()),
    }
    let mut bytes = Vec::new();
    fs_err::File::open(path)?
        .take(LARGEST_DOCUMENT + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_DOCUMENT {
        return Err(malformed(format_args!(
            "`{name}` is larger than {LARGEST_DOCUMENT} bytes"
        )));
    }
    Ok(bytes)
}
