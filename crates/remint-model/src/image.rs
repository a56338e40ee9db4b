//! What a container image is made of: its configuration, its layers, and where each of its files comes from.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::archive::AnomalyKind;
use crate::bundle::{AttributedPackage, RemoteCode};
use crate::digest::{CommitId, Sha256};

/// What was learnt about one image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// As it was asked for.
    pub asked: String,
    /// Digest of the manifest for the platform.
    pub manifest: Sha256,
    /// Bytes of the manifest.
    pub manifest_size: u64,
    /// Digest of the index that lists the manifest, where there is one.
    pub index: Option<Sha256>,
    /// `system/processor` of what was looked at.
    pub platform: String,
    /// The other platforms that the index lists.
    pub other_platforms: Vec<String>,
    /// How it runs.
    pub config: ImageConfig,
    /// From the bottom up.
    pub layers: Vec<ImageLayer>,
    /// What it was made from.
    pub base: BaseImage,
    /// Where its source is, as far as could be found out.
    pub source: ImageSource,
    /// Packages whose files are the registry's, byte for byte.
    pub packages: Vec<AttributedPackage>,
    /// Every file of the final file system, by path.
    pub files: Vec<ImageFile>,
    /// What in its layers no honest builder writes, or runtimes understand in different ways.
    pub anomalies: Vec<LayerAnomaly>,
    /// Where digests do not agree.
    pub mismatches: Vec<ImageMismatch>,
}

impl Image {
    /// The files of one origin, and their bytes.
    #[must_use]
    pub fn count(&self, origin: FileOrigin) -> (usize, u64) {
        let of_origin = self.files.iter().filter(|file| file.origin == origin);
        of_origin.fold((0, 0_u64), |(count, bytes), file| {
            (count + 1, bytes.saturating_add(file.size))
        })
    }
}

/// What an image's configuration says (OCI image specification, "Image Configuration").
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImageConfig {
    /// Digest of the configuration: the image's id.
    pub digest: Option<Sha256>,
    /// The program that runs.
    pub entrypoint: Vec<String>,
    /// Its arguments, or the program where there is no entry point.
    pub command: Vec<String>,
    /// What Docker and Podman run beside it from time to time.
    pub healthcheck: Vec<String>,
    /// Names of environment variables; values may be secrets and are left out.
    pub environment: Vec<String>,
    /// Variables whose names say that their values are secrets, and which have one.
    pub secrets: Vec<String>,
    /// As whom it runs; `None` is root.
    pub user: Option<String>,
    /// Where it starts.
    pub working_directory: Option<String>,
    /// Ports that it says it listens on.
    pub exposed_ports: Vec<String>,
    /// What its makers say about it.
    pub labels: BTreeMap<String, String>,
    /// When it was made, as it says.
    pub created: Option<String>,
    /// What it fetches when it starts.
    pub remote: Vec<RemoteCode>,
}

impl ImageConfig {
    /// Whether it runs as root: no user, or that of the name `root`, or what is the number 0 to Go's `Atoi` and a user id
    /// of 32 bits.
    #[must_use]
    pub fn runs_as_root(&self) -> bool {
        let user = self.user.as_deref().unwrap_or_default();
        let name = user.split(':').next().unwrap_or_default();
        let number = name.parse::<i64>();
        name.is_empty() || name == "root" || number.is_ok_and(|number| number % (1 << 32) == 0)
    }
}

/// One layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageLayer {
    /// Of the layer as it is served.
    pub digest: Sha256,
    /// Bytes as it is served.
    pub size: u64,
    /// Of the uncompressed tar, computed.
    pub diff_id: Sha256,
    /// Bytes of the uncompressed tar.
    pub unpacked: u64,
    /// As the manifest states it.
    pub media_type: String,
    /// The step that made it, as the configuration's history tells.
    pub created_by: Option<String>,
    /// Entries of the tar.
    pub entries: usize,
    /// Whether it is one of the base image.
    pub of_base: bool,
}

/// What is known of the image that another was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BaseImage {
    /// Nothing names it.
    Unnamed,
    /// Its layers are the first ones of the image.
    Found {
        /// As it is named.
        reference: String,
        /// Its manifest.
        manifest: Sha256,
        /// How many layers are its.
        layers: usize,
        /// Who names it.
        named_by: NamedBy,
    },
    /// It has every layer of the image, and nobody but the image's own labels names it: nothing would be the image's own, so
    /// that it counts as none.
    Whole {
        /// As it is named.
        reference: String,
        /// Its manifest.
        manifest: Sha256,
    },
    /// An image of that name was read, and its layers are not the first ones.
    Other {
        /// As it is named.
        reference: String,
        /// What was found, in words.
        detail: String,
        /// Who names it.
        named_by: NamedBy,
    },
    /// It could not be read.
    Unread {
        /// As it is named.
        reference: String,
        /// Why not.
        detail: String,
        /// Who names it.
        named_by: NamedBy,
    },
}

impl BaseImage {
    /// Whether it is known which layers are the base image's.
    #[must_use]
    pub const fn is_found(&self) -> bool {
        matches!(self, Self::Found { .. })
    }

    /// The base that nobody vouches for but whoever made the image.
    #[must_use]
    pub fn unvouched(&self) -> Option<&str> {
        match self {
            Self::Found {
                reference,
                named_by: NamedBy::Label,
                ..
            } => Some(reference),
            Self::Unnamed
            | Self::Found { .. }
            | Self::Whole { .. }
            | Self::Other { .. }
            | Self::Unread { .. } => None,
        }
    }
}

/// Who says what an image was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamedBy {
    /// The image's own labels, with a digest: whoever made the image may have made that one, too.
    Label,
    /// The image's own labels, with the digest of an image where nobody but a known maker of base images writes.
    LabelOfKnownMaker,
    /// The user.
    User,
}

/// Where an image's source is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ImageSource {
    /// Nothing names a repository and a commit.
    Unnamed {
        /// What is missing, in words.
        detail: String,
    },
    /// It could not be had.
    Unread {
        /// The repository.
        repository: String,
        /// Why not.
        detail: String,
    },
    /// Its files were held against those of the image.
    Found {
        /// The repository.
        repository: String,
        /// The commit.
        commit: CommitId,
        /// The tag or branch that was named.
        reference: Option<String>,
        /// Dockerfiles in it.
        dockerfiles: Vec<String>,
    },
}

/// One file of the final file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ImageFile {
    /// From the root, without a leading slash; bytes that are no text are escaped.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Permission and special bits; that of set-user-id, too, where the file has capabilities.
    pub mode: u32,
    /// The layer that it is from, counted from 0.
    pub layer: usize,
    /// Of the content; `None` for links and special files, and where the content cannot be read.
    pub sha256: Option<Sha256>,
    /// What a symbolic link leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whether it is code: machine code, a script, or what an interpreter runs.
    pub executable: bool,
    /// Where it comes from.
    pub origin: FileOrigin,
    /// The package, as `name@version`, where one claims it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// In words, why it is not accounted for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl ImageFile {
    /// Whether it is byte code where Python's installers write it beside a module; elsewhere Python takes it for the module.
    #[must_use]
    pub fn is_byte_code(&self) -> bool {
        let mut parts = self.path.rsplit('/');
        let name = parts.next().unwrap_or_default();
        name.ends_with(".pyc") && parts.next() == Some("__pycache__")
    }
}

/// Where a file of an image comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileOrigin {
    /// A layer of the base image.
    Base,
    /// A package of a registry has it, byte for byte.
    Package,
    /// The source has a file of this content.
    Source,
    /// A note of a package manager about what it installed.
    Record,
    /// A link, which has no content.
    Link,
    /// A package claims it, and the registry's has another content or no such file.
    PackageDiffers,
    /// It could not be found out: a registry did not answer, or there is too much.
    Unknown,
    /// Nothing accounts for it.
    Unattributed,
}

impl FileOrigin {
    /// Every origin, in the order in which they are told.
    pub const ALL: &'static [Self] = &[
        Self::Base,
        Self::Package,
        Self::Source,
        Self::Record,
        Self::Link,
        Self::PackageDiffers,
        Self::Unknown,
        Self::Unattributed,
    ];
}

/// Something in a layer that no honest builder writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LayerAnomaly {
    /// How much it matters.
    pub weight: AnomalyWeight,
    /// What it is.
    pub kind: AnomalyKind,
    /// The layer, counted from 0.
    pub layer: usize,
    /// The entry, escaped.
    pub path: String,
    /// In words.
    pub detail: String,
}

/// How much an anomaly of a layer matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnomalyWeight {
    /// It reaches for what is outside of the image.
    Escapes,
    /// Runtimes may make different files of it.
    Ambiguous,
    /// Odd, and all runtimes make the same of it.
    Odd,
}

/// Digests of one thing that disagree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ImageMismatch {
    /// Of what, in words.
    pub what: String,
    /// What is declared.
    pub declared: String,
    /// What it is.
    pub actual: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_many_spellings() {
        let check = |user: Option<&str>, expect: bool| {
            let config = ImageConfig {
                user: user.map(str::to_owned),
                ..ImageConfig::default()
            };
            assert_eq!(config.runs_as_root(), expect, "{user:?}");
        };
        check(None, true);
        for root in [
            "",
            "root",
            "0",
            "000",
            "+0",
            "-0",
            "0:1000",
            "root:node",
            ":1",
            "4294967296",
        ] {
            check(Some(root), true);
        }
        for other in [
            "node", "1000", "+1", "10", "+", "-", "0x0", "+0x", "rooted", "1:0",
        ] {
            check(Some(other), false);
        }
    }
}
