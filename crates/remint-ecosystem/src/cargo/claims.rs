//! The repositories that a manifest names, the most explicit first. Whether one is reached or right is not decided
//! here.

use remint_model::{EntryPath, RepositoryUrl};

use crate::cargo::manifest::Manifest;
use crate::release::RepositoryClaim;

/// `repository`, then `homepage` where it points into a code host. `directory` is what the packer wrote down.
pub(crate) fn of(manifest: &Manifest, directory: Option<&EntryPath>) -> Vec<RepositoryClaim> {
    let mut claims: Vec<RepositoryClaim> = Vec::new();
    for field in ["repository", "homepage"] {
        let Some(raw) = manifest
            .text(&["package", field])
            .map(str::trim)
            .filter(|raw| !raw.is_empty())
        else {
            continue;
        };
        let url = raw.parse::<RepositoryUrl>();
        let usable = field == "repository"
            || url.as_ref().is_ok_and(|url| {
                matches!(
                    url.host(),
                    "github.com" | "gitlab.com" | "codeberg.org" | "bitbucket.org"
                )
            });
        if usable && !claims.iter().any(|known| known.url == url) {
            claims.push(RepositoryClaim {
                raw: raw.to_owned(),
                url,
                directory: directory.cloned(),
                field: field.to_owned(),
            });
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let manifest = Manifest::parse("Cargo.toml", text.as_bytes()).unwrap();
        let claims = of(&manifest, None);
        let found: Vec<(&str, String)> = claims
            .iter()
            .map(|claim| {
                let url = claim
                    .url
                    .as_ref()
                    .map_or("refused".to_owned(), |url| url.as_str().to_owned());
                (claim.field.as_str(), url)
            })
            .collect();
        let expect: Vec<(&str, String)> = expect
            .iter()
            .map(|(field, url)| (*field, (*url).to_owned()))
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn the_repository_is_claimed_before_the_homepage() {
        check(
            "[package]\nrepository = 'https://github.com/a/b.git'\nhomepage = 'https://github.com/a/b'\n",
            &[("repository", "https://github.com/a/b")],
        );
        check(
            "[package]\nhomepage = 'https://github.com/a/b'\n",
            &[("homepage", "https://github.com/a/b")],
        );
        check("[package]\nhomepage = 'https://example.org/a'\n", &[]);
        check(
            "[package]\nrepository = 'file:///etc'\n",
            &[("repository", "refused")],
        );
        check("[package]\nrepository = ''\n", &[]);
        check("[package]\nrepository = 1\n", &[]);
    }
}
