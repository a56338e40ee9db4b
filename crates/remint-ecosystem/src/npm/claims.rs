//! The repositories that a manifest names, the most explicit first. Whether one is reached or right is not
//! decided here.

use remint_model::{EntryPath, RepositoryUrl};
use serde_json::Value;

use crate::npm::manifest::Manifest;
use crate::release::RepositoryClaim;

/// The claims of one manifest: `repository`, then `bugs` and `homepage` where they point into a code host.
pub(crate) fn of(manifest: &Manifest) -> Vec<RepositoryClaim> {
    let mut claims = Vec::new();
    if let Some((raw, directory)) = manifest.get("repository").and_then(repository) {
        push(&mut claims, raw, directory, "repository", Accept::Anything);
    }
    for field in ["bugs", "homepage"] {
        let raw = match manifest.get(field) {
            Some(Value::String(url)) => Some(url.as_str()),
            Some(Value::Object(fields)) => fields.get("url").and_then(Value::as_str),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | None => None,
        };
        if let Some(raw) = raw {
            push(&mut claims, raw, None, field, Accept::CodeHosts);
        }
    }
    claims
}

/// Which URLs a field may name a repository with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Accept {
    /// The field is about a repository and nothing else; what cannot be followed is kept with its reason.
    Anything,
    /// The field may be any web page, so only the well-known hosts count.
    CodeHosts,
}

/// Text and directory of the `repository` field in the shapes that occur: a text, an object, a list of either.
fn repository(value: &Value) -> Option<(&str, Option<&str>)> {
    match value {
        Value::String(url) => Some((url, None)),
        Value::Object(fields) => {
            let url = fields.get("url").and_then(Value::as_str)?;
            Some((url, fields.get("directory").and_then(Value::as_str)))
        }
        // One level only: a list in a list is nobody's repository.
        Value::Array(items) => match items.first()? {
            item @ (Value::String(_) | Value::Object(_)) => repository(item),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn push(
    claims: &mut Vec<RepositoryClaim>,
    raw: &str,
    directory: Option<&str>,
    field: &str,
    accept: Accept,
) {
    let raw = raw.trim();
    if raw.is_empty() {
        return;
    }
    let url = raw.parse::<RepositoryUrl>();
    let usable = match accept {
        Accept::Anything => true,
        Accept::CodeHosts => url.as_ref().is_ok_and(|url| {
            matches!(
                url.host(),
                "github.com" | "gitlab.com" | "bitbucket.org" | "codeberg.org"
            )
        }),
    };
    let known = claims
        .iter()
        .any(|claim| matches!((&claim.url, &url), (Ok(one), Ok(other)) if one == other));
    if !usable || known {
        return;
    }
    claims.push(RepositoryClaim {
        raw: raw.chars().take(2048).collect(),
        url,
        directory: directory
            .map(str::to_owned)
            .or_else(|| tree_directory(raw))
            .and_then(|directory| directory.trim_start_matches('/').parse::<EntryPath>().ok()),
        field: field.to_owned(),
    });
}

/// The folder in `https://github.com/owner/name/tree/<branch>/<folder>`; a branch with a slash in its name gives
/// a folder that does not exist, which the search for the manifest survives.
fn tree_directory(raw: &str) -> Option<String> {
    let raw = raw.split(['#', '?']).next()?;
    let (_, below) = raw.split_once("/tree/")?;
    let (_, folder) = below.split_once('/')?;
    Some(folder.trim_matches('/').to_owned()).filter(|folder| !folder.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(manifest: &Value, expect: &[(&str, &str, Option<&str>)]) {
        let manifest = Manifest::parse("package.json", manifest.to_string().as_bytes()).unwrap();
        let found: Vec<_> = of(&manifest)
            .into_iter()
            .map(|claim| {
                let url = claim
                    .url
                    .map_or_else(|error| error.to_string(), |url| url.to_string());
                (claim.field, url, claim.directory.map(String::from))
            })
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(field, url, directory)| {
                (
                    (*field).to_owned(),
                    (*url).to_owned(),
                    directory.map(str::to_owned),
                )
            })
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn every_shape_of_repository_is_a_claim() {
        let url = "https://github.com/o/n";
        for repository in [
            serde_json::json!("github:o/n"),
            serde_json::json!({ "type": "git", "url": "git+https://github.com/o/n.git" }),
            serde_json::json!([{ "url": "https://github.com/o/n" }]),
        ] {
            check(
                &serde_json::json!({ "repository": repository }),
                &[("repository", url, None)],
            );
        }
        check(
            &serde_json::json!({ "repository": { "url": url, "directory": "./packages/x/" } }),
            &[("repository", url, Some("packages/x"))],
        );
        check(
            &serde_json::json!({ "repository": "https://github.com/o/n/tree/main/packages/x#readme" }),
            &[("repository", url, Some("packages/x"))],
        );
    }

    #[test]
    fn other_fields_count_only_where_they_name_a_code_host() {
        check(
            &serde_json::json!({
                "repository": 7,
                "bugs": { "url": "https://github.com/o/n/issues" },
                "homepage": "https://example.org/docs/x",
            }),
            &[("bugs", "https://github.com/o/n", None)],
        );
        check(
            &serde_json::json!({
                "repository": "https://github.com/o/n",
                "homepage": "https://github.com/o/n#readme",
            }),
            &[("repository", "https://github.com/o/n", None)],
        );
    }

    #[test]
    fn a_directory_that_climbs_is_dropped_and_a_hostile_url_keeps_its_reason() {
        check(
            &serde_json::json!({ "repository": { "url": "github:o/n", "directory": "../../etc" } }),
            &[("repository", "https://github.com/o/n", None)],
        );
        let manifest = Manifest::parse("x", br#"{"repository":"ext::sh -c id"}"#).unwrap();
        assert!(
            of(&manifest)
                .first()
                .is_some_and(|claim| claim.url.is_err())
        );
    }

    proptest! {
        #[test]
        fn no_field_panics_and_no_folder_climbs(
            url in "(git\\+)?(https://|git@|github:)?(github\\.com[/:])?[a-z./]{0,8}(/tree/main/)?(\\.\\./|/|[a-z]|\\\\){0,5}",
            directory in "(\\.\\.?|/|[a-zC:]{1,2}){0,6}",
            homepage: String,
        ) {
            let manifest = serde_json::json!({
                "repository": {"url": url, "directory": directory}, "bugs": url, "homepage": homepage,
            });
            let manifest = Manifest::parse("package.json", manifest.to_string().as_bytes()).unwrap();
            for claim in of(&manifest) {
                prop_assert!(!claim.raw.is_empty());
                if let Some(directory) = claim.directory {
                    prop_assert!(!directory.as_str().split('/').any(|part| part == ".."));
                }
            }
        }
    }
}
