//! `go.sum` files (Go modules reference, "go.sum files"): the `h1:` digest of every module that a build may need.

use std::collections::BTreeMap;

use remint_model::{Ecosystem, LockedModule, PackageName, Version};

use crate::golang::h1;
use crate::golang::version;
use crate::release::MetadataError;
use crate::text_file::text;

/// The largest that is read.
const LARGEST: usize = 16 << 20;
/// No build needs more modules.
const MOST_MODULES: usize = 20_000;
/// What stands behind the version where the digest is that of `go.mod` alone.
const GO_MOD: &str = "/go.mod";

/// The modules of several files together, in the order of their names.
///
/// # Errors
/// One of them is no `go.sum`, or two digests of one module contradict each other.
pub fn modules<'a>(
    files: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<LockedModule>, MetadataError> {
    let malformed = |reason: String| MetadataError::malformed("go.sum", reason);
    let mut all: BTreeMap<(PackageName, Version), LockedModule> = BTreeMap::new();
    for content in files {
        let text = text("go.sum", content, LARGEST)?;
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (path, version, digest) = match words.as_slice() {
                [] => continue,
                [path, version, digest] => (*path, *version, *digest),
                _ => {
                    return Err(malformed(format!(
                        "line {} has not three words",
                        number + 1
                    )));
                }
            };
            // As go does: digests of another kind are for a go that knows them.
            if !digest.starts_with("h1:") {
                continue;
            }
            let (version, is_go_mod) = match version.strip_suffix(GO_MOD) {
                Some(version) => (version, true),
                None => (version, false),
            };
            let shown: String = line.chars().take(120).collect();
            let invalid = || malformed(format!("`{shown}` names no version of a module"));
            if !version::is_canonical(version) || !h1::is_digest(digest) {
                return Err(invalid());
            }
            let path = PackageName::parse(Ecosystem::Golang, path).map_err(|_| invalid())?;
            let version: Version = version.parse().map_err(|_| invalid())?;
            let module = all
                .entry((path.clone(), version.clone()))
                .or_insert_with(|| LockedModule {
                    path,
                    version,
                    zip: None,
                    go_mod: None,
                });
            let known = if is_go_mod {
                &mut module.go_mod
            } else {
                &mut module.zip
            };
            if known.as_ref().is_some_and(|known| known != digest) {
                return Err(malformed(format!("`{shown}` contradicts an earlier line")));
            }
            *known = Some(digest.to_owned());
        }
        if all.len() > MOST_MODULES {
            return Err(malformed(format!(
                "it names more than {MOST_MODULES} modules"
            )));
        }
    }
    Ok(all.into_values().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "h1:I/5z698sn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=";

    #[test]
    fn a_module_has_a_digest_for_its_zip_and_one_for_its_go_mod() {
        let file = format!(
            "example.org/b v0.1.0/go.mod {DIGEST}\n\nexample.org/a v1.2.3 {DIGEST}\nexample.org/a v1.2.3/go.mod {DIGEST}\nexample.org/a v2.0.0+incompatible h2:x\n"
        );
        let other = format!("example.org/a v1.2.3 {DIGEST}\n");
        let found = modules([file.as_bytes(), other.as_bytes()]).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|module| {
                (
                    module.path.as_str(),
                    module.version.as_str(),
                    module.zip.is_some(),
                    module.go_mod.is_some(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("example.org/a", "v1.2.3", true, true),
                ("example.org/b", "v0.1.0", false, true)
            ]
        );
    }

    #[test]
    fn what_is_no_go_sum_is_told() {
        let other = "h1:AAAAAAAsn9Ka8TeJc9MKroUUfqBBauWjQqLJ2OPfmY0=";
        for text in [
            "one two\n".to_owned(),
            format!("example.org/a main {DIGEST}\n"),
            format!("../a v1.0.0 {DIGEST}\n"),
            "example.org/a v1.0.0 h1:short\n".to_owned(),
            format!("example.org/a v1.0.0 {DIGEST}\nexample.org/a v1.0.0 {other}\n"),
        ] {
            assert!(modules([text.as_bytes()]).is_err(), "{text}");
        }
        assert!(modules([&b"\xff"[..]]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(any: Vec<u8>, shaped in "(example.org/a|v1.0.0|/go.mod| |\n|h1:[a-zA-Z0-9+/]{43}=|é){0,30}") {
            drop(modules([any.as_slice(), shaped.as_bytes()]));
        }
    }
}
