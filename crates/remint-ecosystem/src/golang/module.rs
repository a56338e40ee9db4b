//! Module paths: how proxies spell them, and where the repository of one is as far as the path itself says.

use remint_model::EntryPath;

use crate::release::RepositoryClaim;

/// A path as proxies and caches spell it, so that no file system confuses two: upper case as `!` and lower case (Go
/// modules reference, "GOPROXY protocol").
#[must_use]
pub fn escaped_path(path: &str) -> String {
    let mut escaped = String::with_capacity(path.len());
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// The same for a version.
#[must_use]
pub fn escaped_version(version: &str) -> String {
    escaped_path(version)
}

/// A path without its major version suffix, and the suffix: `/v2`, `.v3` or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) major: &'a str,
}

impl<'a> Split<'a> {
    /// Splits a valid path.
    pub(crate) fn of(path: &'a str) -> Self {
        let separator = if path.starts_with("gopkg.in/") {
            ".v"
        } else {
            "/v"
        };
        let whole = Self {
            prefix: path,
            major: "",
        };
        let Some(at) = path.rfind(separator) else {
            return whole;
        };
        let (prefix, major) = path.split_at(at);
        let number = major.get(separator.len()..).unwrap_or_default();
        let number = match separator {
            ".v" => number.strip_suffix("-unstable").unwrap_or(number),
            _ => number,
        };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return whole;
        }
        Self { prefix, major }
    }
}

/// How many elements of a path on these hosts name the repository, the host counted. Groups of other hosts (GitLab
/// among them) nest as deep as people like, so there a path alone does not say where the repository ends.
const HOSTS: [(&str, usize); 4] = [
    ("github.com", 3),
    ("bitbucket.org", 3),
    ("codeberg.org", 3),
    ("git.sr.ht", 3),
];

/// The repository that go itself would ask for this path without asking anybody, with the module's folder in it.
pub(crate) fn of_path(path: &str) -> Option<RepositoryClaim> {
    let Split { prefix, major } = Split::of(path);
    if let Some(package) = prefix.strip_prefix("gopkg.in/") {
        // gopkg.in hands out repositories of GitHub: `pkg.v3` is `go-pkg/pkg`, `user/pkg.v3` is `user/pkg`.
        let (owner, name) = match package.split_once('/') {
            Some((owner, name)) => (owner.to_owned(), name),
            None => (format!("go-{package}"), package),
        };
        return (!major.is_empty())
            .then(|| claim(&format!("https://github.com/{owner}/{name}"), None));
    }
    let elements: Vec<&str> = prefix.split('/').collect();
    let host = elements.first()?;
    let (_, count) = HOSTS.iter().find(|(known, _)| known == host)?;
    let repository = elements.get(..*count)?.join("/");
    let folder = elements.get(*count..)?.join("/");
    Some(claim(&format!("https://{repository}"), folder.parse().ok()))
}

fn claim(url: &str, directory: Option<EntryPath>) -> RepositoryClaim {
    RepositoryClaim {
        raw: url.to_owned(),
        url: url.parse(),
        directory,
        field: "module path".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_is_escaped() {
        assert_eq!(
            escaped_path("github.com/Azure/azure-SDK"),
            "github.com/!azure/azure-!s!d!k"
        );
        assert_eq!(escaped_version("v1.0.0-RC1"), "v1.0.0-!r!c1");
    }

    #[test]
    fn the_suffix_is_split_off() {
        for (path, prefix, major) in [
            ("example.org/x", "example.org/x", ""),
            ("example.org/x/v2", "example.org/x", "/v2"),
            ("example.org/vault", "example.org/vault", ""),
            ("example.org/x/v2/y", "example.org/x/v2/y", ""),
            ("gopkg.in/yaml.v3", "gopkg.in/yaml", ".v3"),
            ("gopkg.in/a/b.v1-unstable", "gopkg.in/a/b", ".v1-unstable"),
        ] {
            assert_eq!(Split::of(path), Split { prefix, major }, "{path}");
        }
    }

    #[test]
    fn known_hosts_tell_repository_and_folder() {
        for (path, url, folder) in [
            ("github.com/o/n", "https://github.com/o/n", None),
            ("github.com/o/n/v2", "https://github.com/o/n", None),
            (
                "github.com/o/n/a/b/v3",
                "https://github.com/o/n",
                Some("a/b"),
            ),
            ("gopkg.in/yaml.v3", "https://github.com/go-yaml/yaml", None),
            ("gopkg.in/o/n.v1", "https://github.com/o/n", None),
            ("codeberg.org/o/n", "https://codeberg.org/o/n", None),
        ] {
            let claim = of_path(path).unwrap();
            assert_eq!(claim.url.unwrap().as_str(), url, "{path}");
            let found = claim.directory.map(|folder| folder.to_string());
            assert_eq!(found.as_deref(), folder, "{path}");
        }
        for path in ["gitlab.com/a/b/c", "go.example.org/x", "github.com/o"] {
            assert_eq!(of_path(path), None, "{path}");
        }
    }
}
