//! `Cargo.lock`: which packages it pins. Every version of the format has the same list.

use remint_model::{Integrity, LockedFetch};
use serde::Deserialize;

use crate::release::MetadataError;
use crate::text_file::text;

/// The largest workspaces have some thousand packages in about a megabyte.
const LARGEST: usize = 16 << 20;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// The packages that a lockfile pins, those of the workspace itself among them: packing asks the index for those,
/// too.
pub(crate) fn fetches(content: &[u8]) -> Result<Vec<LockedFetch>, MetadataError> {
    let malformed = |reason: String| MetadataError::malformed("Cargo.lock", reason);
    let text = text("Cargo.lock", content, LARGEST)?;
    let file: File = toml::from_str(text).map_err(|error| malformed(error.message().to_owned()))?;
    Ok(file
        .package
        .into_iter()
        .filter(|package| {
            package
                .source
                .as_deref()
                .is_none_or(|source| !source.starts_with("git+"))
        })
        .map(|package| LockedFetch {
            integrity: package
                .checksum
                .and_then(|checksum| checksum.parse().ok())
                .map(Integrity::Sha256),
            name: package.name,
            version: package.version,
            url: None,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packages_of_registries_and_of_the_workspace_are_listed() {
        let checksum = "a".repeat(64);
        let text = format!(
            "version = 4\n\
             [[package]]\nname = \"own\"\nversion = \"1.0.0\"\ndependencies = [\"a\"]\n\
             [[package]]\nname = \"a\"\nversion = \"2.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{checksum}\"\n\
             [[package]]\nname = \"g\"\nversion = \"3.0.0\"\nsource = \"git+https://github.com/a/g#abc\"\n"
        );
        let found = fetches(text.as_bytes()).unwrap();
        let words: Vec<String> = found
            .iter()
            .map(|fetch| {
                format!(
                    "{} {} {}",
                    fetch.name,
                    fetch.version,
                    fetch.integrity.is_some()
                )
            })
            .collect();
        assert_eq!(words, ["own 1.0.0 false", "a 2.0.0 true"]);
        assert!(fetches(b"[[package]]\nname = 1\n").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content: Vec<u8>, text in "(\\[\\[package\\]\\]\n|(name|version|source|checksum) = \"[a-z0-9+]{0,4}\"\n){0,8}") {
            for content in [content, text.into_bytes()] {
                let _fetches = fetches(&content);
            }
        }
    }
}
