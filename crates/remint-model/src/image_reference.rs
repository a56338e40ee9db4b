//! How a container image is named: in a registry, or as a layout on this machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use oci_spec::distribution::Reference;
use purl::GenericPurl;

use crate::digest::Sha256;

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` names no image: {reason}")]
pub struct ImageReferenceError {
    /// What was given.
    pub given: String,
    /// What is wrong with it.
    pub reason: String,
}

/// An image of a registry: `HOST/NAME`, with a tag or a SHA-256 digest, as the OCI distribution specification and the
/// `docker` client write it (`name` alone is `docker.io/library/name`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageReference {
    reference: Reference,
    digest: Option<Sha256>,
}

impl ImageReference {
    /// The registry, as people name it.
    #[must_use]
    pub fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// The repository in it.
    #[must_use]
    pub fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The tag; `latest` where neither tag nor digest was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.reference.tag()
    }

    /// The digest of the manifest or index.
    #[must_use]
    pub const fn digest(&self) -> Option<Sha256> {
        self.digest
    }

    /// The same image, by its digest alone.
    #[must_use]
    pub fn at(&self, digest: Sha256) -> Self {
        Self {
            reference: self.reference.clone_with_digest(format!("sha256:{digest}")),
            digest: Some(digest),
        }
    }

    /// The package URL (purl type `oci`): the last part of the repository is the name, the digest the version.
    #[must_use]
    pub fn purl(&self, digest: Sha256) -> String {
        let repository = self.repository();
        let name = repository.rsplit('/').next().unwrap_or(repository);
        let mut builder = GenericPurl::builder("oci".to_owned(), name.to_owned())
            .with_version(format!("sha256:{digest}"));
        let address = format!("{}/{repository}", self.registry());
        for (key, value) in [("repository_url", Some(&*address)), ("tag", self.tag())] {
            if let Some(value) = value
                && let Ok(with_more) = builder.clone().with_qualifier(key, value.to_owned())
            {
                builder = with_more;
            }
        }
        // A valid reference always makes a package URL; the short form is the honest fallback.
        builder
            .build()
            .map_or_else(|_| format!("oci:{self}"), |purl| purl.to_string())
    }
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        let refuse = |reason: &str| ImageReferenceError {
            given: text.chars().take(200).collect(),
            reason: reason.to_owned(),
        };
        if text.len() > 1024 {
            return Err(refuse("it is too long"));
        }
        let reference: Reference = text
            .parse()
            .map_err(|error: oci_spec::distribution::ParseError| refuse(&error.to_string()))?;
        let repository = reference.repository();
        if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refuse("a repository's name is in lower case"));
        }
        let digest = reference
            .digest()
            .map(|digest| {
                digest
                    .strip_prefix("sha256:")
                    .and_then(|hex| hex.parse().ok())
                    .ok_or_else(|| refuse("its digest is no SHA-256"))
            })
            .transpose()?;
        Ok(Self { reference, digest })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)
    }
}

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagePlace {
    /// In a registry.
    Registry(ImageReference),
    /// In an OCI image layout: a directory, or a tar of one.
    Layout {
        /// The directory or the tar.
        path: PathBuf,
        /// Which manifest or index of it, where it may hold several.
        digest: Option<Sha256>,
    },
}

impl ImagePlace {
    /// A layout at a path; `@sha256:…` at its end says which manifest is meant.
    #[must_use]
    pub fn layout(text: &str) -> Self {
        let named = text.rsplit_once("@sha256:");
        match named.and_then(|(path, hex)| Some((path, hex.parse().ok()?))) {
            Some((path, digest)) => Self::Layout {
                path: PathBuf::from(path),
                digest: Some(digest),
            },
            None => Self::Layout {
                path: PathBuf::from(text),
                digest: None,
            },
        }
    }
}

impl FromStr for ImagePlace {
    type Err = ImageReferenceError;

    /// What begins as paths do is a layout; all else is a reference.
    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        if text.starts_with(['/', '.', '~']) {
            Ok(Self::layout(text))
        } else {
            text.parse().map(Self::Registry)
        }
    }
}

impl fmt::Display for ImagePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => write!(f, "oci:{reference}"),
            Self::Layout { path, digest } => {
                let prefix = if starts_as_path(path) { "" } else { "./" };
                write!(f, "oci:{prefix}{}", path.display())?;
                digest.map_or(Ok(()), |digest| write!(f, "@sha256:{digest}"))
            }
        }
    }
}

fn starts_as_path(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|text| text.starts_with(['/', '.', '~']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn check(text: &str, expect: &str) {
        let place: ImagePlace = text.parse().unwrap();
        assert_eq!(place.to_string(), expect);
        let again = expect.strip_prefix("oci:").unwrap().parse();
        assert_eq!(again, Ok(place));
    }

    #[test]
    fn every_form_is_understood() {
        check("name", "oci:docker.io/library/name:latest");
        check("owner/name:1.2", "oci:docker.io/owner/name:1.2");
        check("ghcr.io/owner/name:v1", "oci:ghcr.io/owner/name:v1");
        check("localhost:5000/x", "oci:localhost:5000/x:latest");
        check(
            &format!("ghcr.io/o/n@sha256:{HEX}"),
            &format!("oci:ghcr.io/o/n@sha256:{HEX}"),
        );
        check(
            &format!("ghcr.io/o/n:v1@sha256:{HEX}"),
            &format!("oci:ghcr.io/o/n:v1@sha256:{HEX}"),
        );
        check("./layout", "oci:./layout");
        check(
            &format!("/x/layout@sha256:{HEX}"),
            &format!("oci:/x/layout@sha256:{HEX}"),
        );
    }

    #[test]
    fn what_names_no_image_is_refused() {
        let long = "a/".repeat(1000);
        for bad in [
            "",
            "UPPER/Case",
            "a b",
            "ghcr.io/a@sha256:12",
            "ghcr.io/../a",
            "https://ghcr.io/a",
            &long,
            &format!("ghcr.io/a@sha512:{HEX}{HEX}"),
        ] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_package_url_names_the_digest_and_the_repository() {
        let reference: ImageReference = "ghcr.io/owner/server:v1".parse().unwrap();
        assert_eq!(
            reference.purl(HEX.parse().unwrap()),
            format!("pkg:oci/server@sha256:{HEX}?repository_url=ghcr.io/owner/server&tag=v1")
        );
    }

    proptest! {
        #[test]
        fn references_are_read_back_as_shown(any: String, shaped in "[a-z0-9.:/@_-]{0,30}(:[a-z0-9.]{1,5})?") {
            for text in [any, shaped] {
                if let Ok(place) = text.parse::<ImagePlace>() {
                    let shown = place.to_string();
                    prop_assert_eq!(shown.strip_prefix("oci:").unwrap_or_default().parse(), Ok(place), "{}", text);
                }
            }
        }
    }
}
