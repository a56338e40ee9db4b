//! What is judged: one published file of one release of one package.

use std::fmt;
use std::str::FromStr;

use purl::GenericPurl;
use serde::{Deserialize, Serialize};

use crate::module_path;

/// A package ecosystem whose releases remint can judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ecosystem {
    /// npm and compatible registries.
    Npm,
    /// The Python Package Index and compatible indexes.
    Pypi,
    /// crates.io, and what stands in for it.
    Cargo,
    /// MCP bundles (`.mcpb`, `.dxt`), which no registry serves: a bundle is a file that somebody has.
    Mcpb,
    /// Go modules, as a module proxy (GOPROXY protocol) serves them.
    Golang,
}

impl Ecosystem {
    /// Every ecosystem with a registry, in the order in which they are listed to people. A spec names a release of one
    /// of these; a bundle is named by its path.
    pub const ALL: &'static [Self] = &[Self::Npm, Self::Pypi, Self::Cargo, Self::Golang];

    /// The prefix of the short form.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Cargo => "cargo",
            Self::Mcpb => "mcpb",
            Self::Golang => "go",
        }
    }

    /// The package URL type. Bundles have none of their own, and `generic` is what the specification keeps for that.
    pub(crate) const fn purl_type(self) -> &'static str {
        match self {
            Self::Npm | Self::Pypi | Self::Cargo => self.name(),
            Self::Mcpb => "generic",
            Self::Golang => "golang",
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text is no target, package name, version or file name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Not a name that this ecosystem allows.
    #[error("`{name}` is not a valid {ecosystem} package name")]
    Name {
        /// What was given.
        name: String,
        /// Whose rules were applied.
        ecosystem: Ecosystem,
    },
    /// Not a version: empty, too long, or with characters no ecosystem allows.
    #[error("`{0}` is not a version")]
    Version(String),
    /// Not a plain file name.
    #[error("`{0}` is not a plain file name")]
    FileName(String),
}

/// The name of a package, valid in its ecosystem and in that ecosystem's canonical spelling.
///
/// npm: `validate-npm-package-name`'s rules for old packages (upper case occurs), with an optional `@scope/`.
/// PyPI: PEP 508 names, normalised as in PEP 503.
/// Go: module paths, by the rules of the Go modules reference ("Module paths").
/// Cargo: crates.io's names, which keep their case and do not tell `-` from `_` except in spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PackageName(String);

impl PackageName {
    /// Parses a name by the rules of its ecosystem.
    ///
    /// # Errors
    /// The name is empty, too long, or has characters that the ecosystem forbids.
    pub fn parse(ecosystem: Ecosystem, name: &str) -> Result<Self, TargetError> {
        let parsed = match ecosystem {
            Ecosystem::Npm => parse_npm(name),
            Ecosystem::Pypi => parse_pypi(name),
            Ecosystem::Cargo => parse_cargo(name),
            Ecosystem::Mcpb => parse_mcpb(name),
            Ecosystem::Golang => module_path::is_valid(name).then(|| name.to_owned()),
        };
        parsed.map(Self).ok_or_else(|| TargetError::Name {
            name: name.chars().take(230).collect(),
            ecosystem,
        })
    }

    /// The whole name, scope included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An npm scope with its `@`, if the name has one.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.0.split_once('/').map(|(scope, _)| scope)
    }

    /// The name without its scope.
    #[must_use]
    pub fn unscoped(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(_, name)| name)
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn parse_npm(name: &str) -> Option<String> {
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '_', '-'])
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~!'()*".contains(&b))
    };
    let valid = name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => scoped
                .split_once('/')
                .is_some_and(|(scope, name)| part(scope) && part(name)),
            None => part(name),
        };
    valid.then(|| name.to_owned())
}

fn parse_pypi(name: &str) -> Option<String> {
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let valid = name.len() <= 214
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(b));
    if !valid {
        return None;
    }
    let mut normalised = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '-' | '_' | '.' if normalised.ends_with('-') => {}
            '-' | '_' | '.' => normalised.push('-'),
            c => normalised.push(c.to_ascii_lowercase()),
        }
    }
    Some(normalised)
}

/// crates.io's rules: a letter, then letters, digits, `-` and `_`.
fn parse_cargo(name: &str) -> Option<String> {
    let valid = name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    valid.then(|| name.to_owned())
}

/// The manifest's schema lets a bundle be called anything; a name that could be taken for a path or an option is none.
fn parse_mcpb(name: &str) -> Option<String> {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && !part.ends_with(' ')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b" -._~!'()".contains(&b))
    };
    let valid = name.len() <= 214
        && match name.strip_prefix('@') {
            Some(scoped) => scoped
                .split_once('/')
                .is_some_and(|(scope, name)| part(scope) && part(name)),
            None => part(name),
        };
    valid.then(|| name.to_owned())
}

/// A version as its registry spells it. Ordering and equality of meaning belong to the ecosystem, not here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(String);

impl Version {
    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Version {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let valid = !text.is_empty()
            && text.len() <= 256
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".+-_!".contains(&b));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(TargetError::Version(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Version {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.0
    }
}

/// The name of one published file: a single path part without separators or control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let valid = !text.is_empty()
            && text.len() <= 255
            && !text.starts_with(['.', '-'])
            && !text
                .chars()
                .any(|c| c.is_control() || matches!(c, '/' | '\\' | ':'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(TargetError::FileName(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for FileName {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

/// One published file of one release. A release of npm, cargo or Go has a single file; a PyPI release has one target a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Whose rules apply.
    pub ecosystem: Ecosystem,
    /// The package.
    pub name: PackageName,
    /// Its exact version.
    pub version: Version,
    /// Which of the release's files, where there can be several.
    pub file: Option<FileName>,
}

impl Target {
    /// The short form that people type: `npm:@scope/name@1.2.3`.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}:{}@{}", self.ecosystem, self.name, self.version)
    }

    /// The package URL (purl specification, `pkg:type/namespace/name@version?qualifiers`).
    #[must_use]
    pub fn purl(&self) -> String {
        let (scope, name) = match self.ecosystem {
            // The last element is the name, all before it the namespace (purl specification, type `golang`).
            Ecosystem::Golang => match self.name.as_str().rsplit_once('/') {
                Some((scope, name)) => (Some(scope), name),
                None => (None, self.name.as_str()),
            },
            Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Mcpb => {
                (self.name.scope(), self.name.unscoped())
            }
        };
        let mut builder =
            GenericPurl::builder(self.ecosystem.purl_type().to_owned(), name.to_owned())
                .with_version(self.version.as_str().to_owned());
        if let Some(scope) = scope {
            builder = builder.with_namespace(scope.to_owned());
        }
        if let Some(file) = &self.file
            && let Ok(with_file) = builder
                .clone()
                .with_qualifier("file_name", file.as_str().to_owned())
        {
            builder = with_file;
        }
        // A valid name and version always make a package URL; the short form is the honest fallback.
        builder
            .build()
            .map_or_else(|_| self.short(), |purl| purl.to_string())
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.purl())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::Spec;

    #[test]
    fn names_follow_their_ecosystem() {
        let npm = |name| PackageName::parse(Ecosystem::Npm, name);
        assert_eq!(npm("@scope/name").unwrap().scope(), Some("@scope"));
        assert_eq!(npm("JSONStream").unwrap().as_str(), "JSONStream");
        for bad in [
            "", "../x", "@scope", "@/x", "a/b", "-rf", ".hidden", "a b", "é",
        ] {
            assert!(npm(bad).is_err(), "{bad}");
        }
        let pypi = |name| PackageName::parse(Ecosystem::Pypi, name);
        assert_eq!(pypi("MCP_Server.Git").unwrap().as_str(), "mcp-server-git");
        assert_eq!(pypi("a-_-b").unwrap().as_str(), "a-b");
        for bad in ["", "-a", "a-", "a/b", "@scope/name", "a b"] {
            assert!(pypi(bad).is_err(), "{bad}");
        }
        let cargo = |name| PackageName::parse(Ecosystem::Cargo, name);
        assert_eq!(cargo("Inflector_x-1").unwrap().as_str(), "Inflector_x-1");
        let long = "a".repeat(65);
        for bad in ["", "-a", "_a", "1a", "a.b", "a/b", "a b", "é", &long] {
            assert!(cargo(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_target_has_one_purl() {
        let target = Target {
            ecosystem: Ecosystem::Npm,
            name: PackageName::parse(Ecosystem::Npm, "@modelcontextprotocol/server").unwrap(),
            version: "2026.7.10".parse().unwrap(),
            file: None,
        };
        assert_eq!(
            target.purl(),
            "pkg:npm/%40modelcontextprotocol/server@2026.7.10"
        );
        let target = Target {
            ecosystem: Ecosystem::Pypi,
            name: PackageName::parse(Ecosystem::Pypi, "mcp_git").unwrap(),
            version: "1.0".parse().unwrap(),
            file: Some("mcp_git-1.0-py3-none-any.whl".parse().unwrap()),
        };
        assert_eq!(
            target.purl(),
            "pkg:pypi/mcp-git@1.0?file_name=mcp_git-1.0-py3-none-any.whl"
        );
    }

    #[test]
    fn versions_and_file_names_hold_no_surprises() {
        for bad in ["", "-1", "1 2", "1/2", "$(x)", "1\n"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        for bad in ["", "a/b", "..", "-x", "a\\b", "a\nb"] {
            assert!(bad.parse::<FileName>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn names_are_read_back_as_written(any: String, shaped in "@?[a-zA-Z0-9._/~!'()*-]{0,12}") {
            for text in [any, shaped] {
                for ecosystem in Ecosystem::ALL.iter().copied() {
                    if let Ok(name) = PackageName::parse(ecosystem, &text) {
                        prop_assert_eq!(PackageName::parse(ecosystem, name.as_str()), Ok(name));
                    }
                }
                if let Ok(version) = text.parse::<Version>() {
                    prop_assert_eq!(version.as_str(), text.as_str());
                }
                if let Ok(file) = text.parse::<FileName>() {
                    prop_assert!(!file.as_str().contains(['/', '\\']) && file.as_str() != "..");
                }
            }
        }

        #[test]
        fn a_package_url_means_its_target(
            ecosystem in prop::sample::select(Ecosystem::ALL),
            name in "(@[a-zA-Z0-9~!'()*][a-z._~!'()*-]{0,4}/)?[a-zA-Z0-9][a-zA-Z0-9._~!'()*-]{0,8}",
            version in "[a-z0-9][a-zA-Z0-9.+_!-]{0,8}",
            file in prop::option::of("[^.-][^/\\\\:]{0,12}"),
        ) {
            let (Ok(name), Ok(version)) = (PackageName::parse(ecosystem, &name), version.parse()) else {
                return Ok(());
            };
            let file = file.and_then(|file| file.parse().ok());
            let target = Target { ecosystem, name, version, file };
            let Target { ecosystem, name, version, file } = target.clone();
            let meant = Spec::Release { ecosystem, name, version: Some(version), file };
            prop_assert_eq!(target.purl().parse(), Ok(meant), "{}", target.purl());
        }
    }
}
