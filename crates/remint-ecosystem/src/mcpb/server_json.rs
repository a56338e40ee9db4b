//! `server.json` of the MCP registry, read for one thing: the digest that it declares for a bundle.

use remint_model::Sha256;
use serde_json::Value;

use crate::npm::manifest::parse_json;

/// Larger files are no `server.json`.
pub const LARGEST: usize = 4 << 20;
/// Packages of one server that are looked at.
const MOST_PACKAGES: usize = 1000;

/// Why a `server.json` declares no digest for a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerJsonError {
    /// Beyond [`LARGEST`].
    #[error("it has more than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// Not JSON.
    #[error("it is not valid JSON: {0}")]
    Syntax(String),
    /// No package of this kind.
    #[error("it lists no package of type `mcpb`")]
    NoBundle,
    /// Several, and none of them has the file's name.
    #[error("it lists {count} packages of type `mcpb`, and none of them is called `{name}`")]
    Which {
        /// How many.
        count: usize,
        /// The bundle's.
        name: String,
    },
    /// A digest is required there and is missing, or is none.
    #[error("it declares no SHA-256 for the bundle, which the registry's schema requires")]
    NoDigest,
}

/// The digest that is declared for the bundle of this file name. Of several bundles (one for each platform) it is the
/// one whose address ends in that name; a single one is meant whatever it is called.
///
/// # Errors
/// None can be told.
pub fn declared_digest(content: &[u8], file_name: &str) -> Result<Sha256, ServerJsonError> {
    if content.len() > LARGEST {
        return Err(ServerJsonError::TooLarge);
    }
    let document =
        parse_json(content).map_err(|error| ServerJsonError::Syntax(error.to_string()))?;
    // What the registry's API answers has the same under `server`.
    let server = document.get("server").unwrap_or(&document);
    let text = |package: &Value, names: [&str; 2]| {
        let value = names.iter().find_map(|name| package.get(*name))?;
        value.as_str().map(str::to_owned)
    };
    let bundles: Vec<&Value> = server
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(MOST_PACKAGES)
        .filter(|package| {
            text(package, ["registryType", "registry_type"]).as_deref() == Some("mcpb")
        })
        .collect();
    let named = bundles.iter().filter(|package| {
        text(package, ["identifier", "identifier"]).is_some_and(|address| {
            let path = address.split(['?', '#']).next().unwrap_or_default();
            path.rsplit('/').next() == Some(file_name)
        })
    });
    let named: Vec<&&Value> = named.collect();
    let package = match (bundles.as_slice(), named.as_slice()) {
        ([], _) => return Err(ServerJsonError::NoBundle),
        ([only], _) => only,
        (_, [only]) => only,
        _ => {
            return Err(ServerJsonError::Which {
                count: bundles.len(),
                name: file_name.chars().take(200).collect(),
            });
        }
    };
    text(package, ["fileSha256", "file_sha256"])
        .and_then(|digest| digest.to_ascii_lowercase().parse().ok())
        .ok_or(ServerJsonError::NoDigest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn digest(of: &str) -> String {
        Sha256::of(of.as_bytes()).to_string()
    }

    #[test]
    fn the_digest_of_the_bundle_is_found() {
        let check = |document: &Value, expect: Result<&str, ServerJsonError>| {
            let found = declared_digest(document.to_string().as_bytes(), "a.mcpb");
            assert_eq!(
                found,
                expect.map(|of| Sha256::of(of.as_bytes())),
                "{document}"
            );
        };
        let package = |name: &str| json!({"registryType": "mcpb", "identifier": format!("https://x.example/v1/{name}"), "fileSha256": digest(name)});
        let npm = json!({"registryType": "npm", "identifier": "a", "fileSha256": digest("n")});
        check(&json!({"packages": [npm, package("b.mcpb")]}), Ok("b.mcpb"));
        check(
            &json!({"packages": [package("b.mcpb"), package("a.mcpb")]}),
            Ok("a.mcpb"),
        );
        check(
            &json!({"server": {"packages": [{"registry_type": "mcpb", "file_sha256": digest("x")}]}}),
            Ok("x"),
        );
        check(&json!({"packages": [npm]}), Err(ServerJsonError::NoBundle));
        check(
            &json!({"packages": [package("b.mcpb"), package("c.mcpb")]}),
            Err(ServerJsonError::Which {
                count: 2,
                name: "a.mcpb".to_owned(),
            }),
        );
        check(
            &json!({"packages": [{"registryType": "mcpb", "fileSha256": "0"}]}),
            Err(ServerJsonError::NoDigest),
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(content: Vec<u8>, name: String) {
            assert!(declared_digest(&content, &name).is_err());
        }
    }
}
