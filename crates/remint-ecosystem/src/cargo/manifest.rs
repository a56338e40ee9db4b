//! `Cargo.toml`: what a package and a workspace state there. Values that a member inherits are
//! looked up in `workspace.rs`.

use std::ops::Deref;

use remint_model::{Ecosystem, EntryPath, PackageName};
use toml::Value;

use crate::release::{Identity, MetadataError, StatedVersion};
use crate::toml_file::TomlFile;

/// A parsed manifest.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Manifest(TomlFile);

impl Deref for Manifest {
    type Target = TomlFile;

    fn deref(&self) -> &TomlFile {
        &self.0
    }
}

impl Manifest {
    /// Reads the file; `what` names it in errors.
    pub(crate) fn parse(what: &str, content: &[u8]) -> Result<Self, MetadataError> {
        TomlFile::parse(what, content).map(Self)
    }

    /// Whether it is the root of a workspace.
    pub(crate) fn is_workspace(&self) -> bool {
        self.table(&["workspace"]).is_some()
    }

    /// Whether a field of the package is left to the workspace.
    pub(crate) fn inherits(&self, field: &str) -> bool {
        self.get(&["package", field]).is_some_and(is_inherited)
    }

    /// Name and version. A version that is left to the workspace is found in another file, or further down in this
    /// one.
    pub(crate) fn identity(&self) -> Identity {
        let name = self
            .text(&["package", "name"])
            .and_then(|name| PackageName::parse(Ecosystem::Cargo, name).ok());
        let version = match self.get(&["package", "version"]) {
            // What `cargo new` never writes, and release tools replace.
            Some(Value::String(version)) if version == "0.0.0" => {
                StatedVersion::Placeholder(version.clone())
            }
            Some(Value::String(version)) => StatedVersion::Exact(version.clone()),
            Some(value) if is_inherited(value) => {
                StatedVersion::Dynamic(Some("workspace".to_owned()))
            }
            Some(_) | None => StatedVersion::Absent,
        };
        Identity { name, version }
    }
}

/// `field.workspace = true`.
pub(crate) fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// A `Cargo.toml` that is not part of a vendored dependency or of what a build left behind.
pub(crate) fn is_manifest(path: &EntryPath) -> bool {
    path.file_name() == "Cargo.toml"
        && !path
            .as_str()
            .split('/')
            .any(|part| matches!(part, "node_modules" | "target" | "vendor"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn identity(text: &str) -> Identity {
        Manifest::parse("Cargo.toml", text.as_bytes())
            .unwrap()
            .identity()
    }

    #[test]
    fn name_and_version_are_what_cargo_takes() {
        let found = identity("[package]\nname = 'x_y'\nversion = '1.2.3'\n");
        assert_eq!(found.name.unwrap().as_str(), "x_y");
        assert_eq!(found.version, StatedVersion::Exact("1.2.3".to_owned()));
        for text in [
            "[package]\nname = 'x'\nversion.workspace = true\n",
            "[package]\nname = 'x'\nversion = { workspace = true }\n",
        ] {
            let inherited = StatedVersion::Dynamic(Some("workspace".to_owned()));
            assert_eq!(identity(text).version, inherited);
        }
        for text in [
            "[package]\nname = 'x'\n",
            "[package]\nname = 'x'\nversion = 1\n",
            "[package]\nname = 'x'\nversion.workspace = false\n",
            "[workspace]\nmembers = ['a']\n",
        ] {
            assert_eq!(identity(text).version, StatedVersion::Absent, "{text}");
        }
        assert_eq!(identity("[package]\nname = '../x'\n").name, None);
    }

    #[test]
    fn manifests_of_dependencies_do_not_count() {
        for (path, expect) in [
            ("Cargo.toml", true),
            ("crates/x/Cargo.toml", true),
            ("Cargo.toml.orig", false),
            ("vendor/serde/Cargo.toml", false),
            ("a/target/package/x-1.0.0/Cargo.toml", false),
        ] {
            assert_eq!(is_manifest(&path.parse().unwrap()), expect, "{path}");
        }
    }

    #[test]
    fn nesting_without_end_is_malformed() {
        let deep = format!("a = {}", "[".repeat(100_000));
        assert!(Manifest::parse("Cargo.toml", deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content: Vec<u8>, text in "(\\[package\\]\n|version|name|\\.workspace|=|true|\"1\"|\\{|\\}|\n| ){0,12}") {
            for content in [content, text.into_bytes()] {
                if let Ok(parsed) = Manifest::parse("Cargo.toml", &content) {
                    let _identity = parsed.identity();
                }
            }
        }
    }
}
