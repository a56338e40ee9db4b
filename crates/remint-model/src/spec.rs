//! What a person types to say which artifact is meant.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use purl::GenericPurl;

use crate::image_reference::{ImagePlace, ImageReferenceError};
use crate::target::{Ecosystem, FileName, PackageName, TargetError, Version};

/// A request for a verdict, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A release in a registry: `npm:name@1.2.3`, `pkg:pypi/name@1.2.3`.
    Release {
        /// Whose registry.
        ecosystem: Ecosystem,
        /// The package.
        name: PackageName,
        /// The version; without one the registry's latest is taken, and named in the report.
        version: Option<Version>,
        /// One file of the release (package URL qualifier `file_name`).
        file: Option<FileName>,
    },
    /// A file on this machine: `./name-1.2.3.tgz`.
    File(PathBuf),
    /// A container image: `oci:ghcr.io/owner/name@sha256:…`, `oci:./layout`, `./image.tar`.
    Image(ImagePlace),
}

/// Why a text is no spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Neither a package URL, nor `ecosystem:name@version`, nor a path.
    #[error(
        "`{given}` is not a spec: expected `npm:NAME@VERSION`, `pypi:NAME@VERSION`, `cargo:NAME@VERSION`, `go:MODULE@VERSION`, `oci:REGISTRY/NAME@sha256:…`, a package URL (`pkg:…`) or a path (`./FILE`){meant}",
        given = .0,
        meant = meant(.0)
    )]
    Shape(String),
    /// The part before the colon names no ecosystem that can be judged.
    #[error("`{ecosystem}` is not an ecosystem that can be judged: expected `npm`, `pypi`, `cargo`, `go` or `oci`{}", hint(.near))]
    Ecosystem {
        /// What was given.
        ecosystem: String,
        /// The known name closest to it, if any is close.
        near: Option<&'static str>,
    },
    /// The package URL does not follow the purl specification.
    #[error("`{spec}` is not a package URL: {reason}")]
    Purl {
        /// What was given.
        spec: String,
        /// What the parser says.
        reason: String,
    },
    /// Name, version or file name is malformed.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The image reference is malformed.
    #[error(transparent)]
    Image(#[from] ImageReferenceError),
}

/// What npm's own clients take without a prefix.
fn meant(text: &str) -> String {
    let prefixed = format!("npm:{text}");
    match prefixed.parse::<Spec>() {
        Ok(_) => format!("; did you mean `{prefixed}`?"),
        Err(_) => String::new(),
    }
}

fn hint(near: &Option<&'static str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let shape = || SpecError::Shape(text.chars().take(120).collect());
        if text.starts_with("pkg:") {
            return parse_purl(text);
        }
        if let Some(image) = text.strip_prefix("oci:") {
            return Ok(Self::Image(image.parse()?));
        }
        if is_image_archive(text) {
            return Ok(Self::Image(ImagePlace::layout(text)));
        }
        if text.starts_with(['/', '.', '~']) || has_artifact_ending(text) {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let (ecosystem, rest) = text.split_once(':').ok_or_else(shape)?;
        let ecosystem = parse_ecosystem(ecosystem)?;
        // An npm scope starts with `@`, so the version's `@` is the first one after the first character.
        let (name, version) = match rest.char_indices().skip(1).find(|(_, c)| *c == '@') {
            Some((at, _)) => (rest.get(..at), rest.get(at + 1..)),
            None => (Some(rest), None),
        };
        let name = name.ok_or_else(shape)?;
        let name = match ecosystem {
            Ecosystem::Pypi => name.strip_suffix("==").unwrap_or(name),
            Ecosystem::Npm | Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => name,
        };
        Ok(Self::Release {
            ecosystem,
            name: PackageName::parse(ecosystem, name)?,
            version: version.map(str::parse).transpose()?,
            file: None,
        })
    }
}

/// `name.tgz` without a directory is a file as well: no package name of a registry spec has a colon-free form.
fn has_artifact_ending(text: &str) -> bool {
    !text.contains(':')
        && [".tgz", ".tar.gz", ".whl", ".zip", ".crate", ".mcpb", ".dxt"]
            .iter()
            .any(|ending| text.ends_with(ending))
}

/// A tar that is not packed is no package of any registry.
fn is_image_archive(text: &str) -> bool {
    text.ends_with(".tar") && !text.contains(':')
}

fn parse_ecosystem(text: &str) -> Result<Ecosystem, SpecError> {
    Ecosystem::ALL
        .iter()
        .copied()
        .find(|ecosystem| ecosystem.name() == text || ecosystem.purl_type() == text)
        .ok_or_else(|| SpecError::Ecosystem {
            ecosystem: text.chars().take(40).collect(),
            near: match text.to_ascii_lowercase().as_str() {
                "npx" | "node" | "nodejs" | "npmjs" | "js" | "nmp" | "npm" => Some("npm"),
                "pip" | "python" | "py" | "uvx" | "uv" | "pipy" | "pipi" | "pypi" => Some("pypi"),
                "crate" | "crates" | "crates.io" | "rust" | "rustup" | "cargo" => Some("cargo"),
                "gomod" | "gopkg" | "module" | "goproxy" => Some("go"),
                "docker" | "image" | "container" | "podman" | "ghcr" | "oci" => Some("oci"),
                _ => None,
            },
        })
}

/// `pkg:oci/NAME@sha256%3A…?repository_url=HOST/NAME&tag=TAG`: a version is a digest, and without the repository's
/// address it would be anybody's.
fn parse_image_purl(purl: &GenericPurl<String>, text: &str) -> Result<Spec, SpecError> {
    let refuse = |reason: &str| SpecError::Purl {
        spec: text.chars().take(200).collect(),
        reason: reason.to_owned(),
    };
    let address = purl
        .qualifiers()
        .get("repository_url")
        .ok_or_else(|| refuse("an image needs the qualifier `repository_url`"))?;
    let tag = purl
        .qualifiers()
        .get("tag")
        .map_or_else(String::new, |tag| format!(":{tag}"));
    let digest = purl
        .version()
        .map_or_else(String::new, |digest| format!("@{digest}"));
    // Written as a host, an address without one would be docker.io's.
    if !address
        .split_once('/')
        .is_some_and(|(host, _)| host.contains(['.', ':']) || host == "localhost")
    {
        return Err(refuse("`repository_url` names no host and repository"));
    }
    let reference = format!("{address}{tag}{digest}").parse()?;
    Ok(Spec::Image(ImagePlace::Registry(reference)))
}

fn parse_purl(text: &str) -> Result<Spec, SpecError> {
    let purl = text
        .parse::<GenericPurl<String>>()
        .map_err(|error| SpecError::Purl {
            spec: text.chars().take(200).collect(),
            reason: error.to_string(),
        })?;
    if purl.package_type() == "oci" {
        return parse_image_purl(&purl, text);
    }
    let ecosystem = parse_ecosystem(purl.package_type())?;
    let name = match purl.namespace() {
        Some(namespace) => format!("{namespace}/{}", purl.name()),
        None => purl.name().to_owned(),
    };
    Ok(Spec::Release {
        ecosystem,
        name: PackageName::parse(ecosystem, &name)?,
        version: purl.version().map(str::parse).transpose()?,
        file: purl
            .qualifiers()
            .get("file_name")
            .map(str::parse)
            .transpose()?,
    })
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release {
                ecosystem,
                name,
                version,
                file: _,
            } => {
                write!(f, "{ecosystem}:{name}")?;
                version.as_ref().map_or(Ok(()), |v| write!(f, "@{v}"))
            }
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Image(place) => place.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(text.parse::<Spec>().unwrap().to_string(), expect);
    }

    #[test]
    fn every_form_is_understood() {
        check("npm:@scope/name@1.2.3", "npm:@scope/name@1.2.3");
        check("npm:name", "npm:name");
        check("pypi:Some_Name@1.0rc1", "pypi:some-name@1.0rc1");
        check("pkg:npm/%40scope/name@1.2.3", "npm:@scope/name@1.2.3");
        check(
            "pkg:pypi/name@1.2.3?file_name=name-1.2.3.tar.gz",
            "pypi:name@1.2.3",
        );
        check("cargo:tool_x@1.2.3", "cargo:tool_x@1.2.3");
        check("pkg:cargo/tool-x@1.2.3", "cargo:tool-x@1.2.3");
        check("x-1.0.0.crate", "x-1.0.0.crate");
        check(
            "go:example.org/Some/x/v2@v2.0.1",
            "go:example.org/Some/x/v2@v2.0.1",
        );
        check("golang:example.org/x", "go:example.org/x");
        check(
            "pkg:golang/example.org/o/x@v2.0.0%2Bincompatible",
            "go:example.org/o/x@v2.0.0+incompatible",
        );
        check("./x.tgz", "./x.tgz");
        check("oci:ghcr.io/o/n:1.2", "oci:ghcr.io/o/n:1.2");
        check("oci:./layout", "oci:./layout");
        check("./image.tar", "oci:./image.tar");
        check("image.tar", "oci:./image.tar");
        let digest = "ab".repeat(32);
        check(
            &format!("pkg:oci/n@sha256%3A{digest}?repository_url=ghcr.io/o/n&tag=1.2"),
            &format!("oci:ghcr.io/o/n:1.2@sha256:{digest}"),
        );
        check("x-1.0-py3-none-any.whl", "x-1.0-py3-none-any.whl");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_reason() {
        let error = |text: &str| text.parse::<Spec>().unwrap_err().to_string();
        assert!(error("name@1.2.3").contains("is not a spec"));
        assert!(error("npx:name@1.2.3").contains("did you mean `npm`?"));
        assert!(error("crates.io:name@1.2.3").contains("did you mean `cargo`?"));
        assert!(error("cargo:@scope/x@1").contains("not a valid cargo package name"));
        assert!(error("npm:../x@1").contains("not a valid npm package name"));
        assert!(error("go:nodots/x@v1.0.0").contains("not a valid go package name"));
        assert!(error("npm:x@").contains("is not a version"));
        assert!(error("npm:x@1 2").contains("is not a version"));
        assert!(error("docker:x@1").contains("did you mean `oci`?"));
        assert!(error("oci:Upper/x").contains("names no image"));
        assert!(error("pkg:oci/x@sha256%3Aab").contains("repository_url"));
        assert!(error("pkg:").contains("not a package URL"));
        assert!(error("pkg:cran/x@1").contains("not an ecosystem"));
    }

    proptest! {
        #[test]
        fn specs_are_read_back_as_shown(
            any: String,
            shaped in "(npm:|pypi:|cargo:|oci:|go:|golang:|pkg:golang/|pkg:npm/|pkg:pypi/|pkg:cargo/|pkg:|\\.|/)?(@|%40|%2F|==|[a-z0-9A-Z._/-]|\\?file_name=|#){0,14}(\\.tgz)?",
        ) {
            for text in [any, shaped] {
                let Ok(spec) = text.parse::<Spec>() else {
                    continue;
                };
                // The file is named apart.
                let shown = match &spec {
                    Spec::Release { ecosystem, name, version, file: _ } => Spec::Release {
                        ecosystem: *ecosystem,
                        name: name.clone(),
                        version: version.clone(),
                        file: None,
                    },
                    Spec::File(path) => Spec::File(path.clone()),
                    Spec::Image(place) => Spec::Image(place.clone()),
                };
                prop_assert_eq!(spec.to_string().parse(), Ok(shown), "{}", text);
            }
        }
    }
}
