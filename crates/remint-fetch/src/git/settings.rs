//! What of the user's own git configuration is honoured: `url.*.insteadOf`, proxies and certificate authorities.
//!
//! An allow-list: the hardened git never reads the user's configuration itself, so credential helpers, hooks,
//! extra headers, includes and aliases cannot take part.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::command::{Protocols, plain_git};
use super::error::GitError;
use crate::configuration::UserConfiguration;

/// Variables of the user's environment that reach git: how to find programs, proxies and authorities.
const VARIABLES: &[&str] = &[
    "PATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SystemRoot",
    "TMPDIR",
];

/// `http.<name>` and `http.<url>.<name>` settings that are passed on; compared in lower case.
const HTTP: &[&str] = &[
    "proxy",
    "proxyauthmethod",
    "proxysslcainfo",
    "sslcainfo",
    "sslcapath",
    "sslbackend",
    "sslversion",
    "schannelusesslcainfo",
    "version",
];

/// The part of the user's git configuration that is honoured.
#[derive(Debug, Clone, Default)]
pub(crate) struct GitSettings {
    /// `(insteadOf, replacement)` pairs.
    rewrites: Vec<(String, String)>,
    /// Settings for the hardened git.
    pub(super) http: Vec<(String, String)>,
    /// The environment of the hardened git.
    pub(super) environment: BTreeMap<String, String>,
    /// Nothing but caches may be used.
    pub(crate) offline: bool,
}

impl GitSettings {
    /// Reads the user's configuration through git itself, which knows all the places and includes.
    pub(crate) fn read(user: &UserConfiguration) -> Result<Self, GitError> {
        let listed = plain_git(
            &user.variables,
            user.home.as_deref(),
            Duration::from_secs(10),
        )?;
        let environment = VARIABLES
            .iter()
            .filter_map(|name| {
                let value = user.variables.get(*name)?;
                Some(((*name).to_owned(), value.clone()))
            })
            .collect();
        let mut settings = Self {
            rewrites: Vec::new(),
            http: Vec::new(),
            environment,
            offline: user.offline,
        };
        settings.take(&listed, user.home.as_deref());
        Ok(settings)
    }

    /// Settings with one rewrite and nothing else.
    #[cfg(test)]
    pub(super) fn with_rewrite(instead_of: &str, replacement: &str) -> Self {
        Self {
            rewrites: vec![(instead_of.to_owned(), replacement.to_owned())],
            ..Self::default()
        }
    }

    /// Reads the NUL-separated `key\nvalue` records of `git config --list --null`.
    fn take(&mut self, listed: &[u8], home: Option<&Path>) {
        for record in listed.split(|byte| *byte == 0) {
            let Ok(record) = std::str::from_utf8(record) else {
                continue;
            };
            let Some((key, value)) = record.split_once('\n') else {
                continue;
            };
            let Some((section, rest)) = key.split_once('.') else {
                continue;
            };
            let name = rest.rsplit('.').next().unwrap_or(rest).to_ascii_lowercase();
            if section == "url" && name == "insteadof" {
                if let Some((replacement, _)) = rest.rsplit_once('.') {
                    self.rewrites
                        .push((value.to_owned(), replacement.to_owned()));
                }
            } else if section == "http" && HTTP.contains(&name.as_str()) {
                // The hardened git has another HOME, so `~` is resolved here.
                let value = match (value.strip_prefix("~/"), home) {
                    (Some(tail), Some(home)) => home.join(tail).to_string_lossy().into_owned(),
                    _ => value.to_owned(),
                };
                self.http.push((key.to_owned(), value));
            }
        }
    }

    /// The URL after the user's longest matching `insteadOf`, as git's own `remote.c` picks it; `None` when
    /// none matches.
    pub(crate) fn rewrite(&self, url: &str) -> Option<String> {
        let (instead_of, replacement) = self
            .rewrites
            .iter()
            .filter(|(instead_of, _)| {
                !instead_of.is_empty() && url.starts_with(instead_of.as_str())
            })
            .max_by_key(|(instead_of, _)| instead_of.len())?;
        let tail = url.get(instead_of.len()..).unwrap_or("");
        Some(format!("{replacement}{tail}"))
    }

    /// Whether requests to https hosts go through a proxy, which then resolves the names.
    pub(crate) fn has_https_proxy(&self) -> bool {
        let variable = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
            .iter()
            .any(|name| {
                self.environment
                    .get(*name)
                    .is_some_and(|value| !value.is_empty())
            });
        let setting = self
            .http
            .iter()
            .any(|(key, value)| key.to_ascii_lowercase().ends_with(".proxy") && !value.is_empty());
        variable || setting
    }
}

/// Which protocols a URL may use.
pub(super) fn protocols_of(url: &str) -> Option<Protocols> {
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("https") => Some(Protocols::Https),
        Some("http") => Some(Protocols::Http),
        Some("git") => Some(Protocols::Git),
        Some("ssh" | "git+ssh" | "ssh+git") => Some(Protocols::Ssh),
        Some("file") => Some(Protocols::File),
        Some(_) => None,
        None if url.contains("::") => None,
        None if Path::new(url).is_absolute() => Some(Protocols::File),
        None if url
            .split_once(':')
            .is_some_and(|(host, _)| !host.contains('/')) =>
        {
            Some(Protocols::Ssh)
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(records: &[(&str, &str)]) -> GitSettings {
        let listed: String = records
            .iter()
            .map(|(key, value)| format!("{key}\n{value}\0"))
            .collect();
        let mut settings = GitSettings::default();
        settings.take(listed.as_bytes(), Some(Path::new("/home/someone")));
        settings
    }

    #[test]
    fn the_longest_instead_of_wins() {
        let settings = settings(&[
            (
                "url.https://mirror.example/.insteadof",
                "https://github.com/",
            ),
            (
                "url.git://127.0.0.1:9/x.insteadof",
                "https://github.com/owner/name",
            ),
        ]);
        let rewritten = |url| settings.rewrite(url);
        assert_eq!(
            rewritten("https://github.com/owner/name").as_deref(),
            Some("git://127.0.0.1:9/x")
        );
        assert_eq!(
            rewritten("https://github.com/other/name").as_deref(),
            Some("https://mirror.example/other/name")
        );
        assert_eq!(rewritten("https://gitlab.com/other/name"), None);
    }

    #[test]
    fn only_proxies_and_authorities_are_taken_over() {
        let settings = settings(&[
            ("http.proxy", "http://proxy.example:3128"),
            ("http.https://github.com/.sslcainfo", "~/ca.pem"),
            (
                "http.https://github.com/.extraheader",
                "AUTHORIZATION: basic c2VjcmV0",
            ),
            ("http.cookiefile", "/home/someone/.cookies"),
            ("http.sslverify", "false"),
            ("credential.helper", "store"),
            ("core.sshcommand", "ssh -i key"),
            ("include.path", "/somewhere"),
        ]);
        let keys: Vec<_> = settings
            .http
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                ("http.proxy", "http://proxy.example:3128"),
                ("http.https://github.com/.sslcainfo", "/home/someone/ca.pem"),
            ]
        );
        assert!(settings.has_https_proxy());
    }

    #[test]
    fn protocols_that_run_programs_are_unknown() {
        for url in [
            "ext::sh -c id",
            "fd::17",
            "ftp://host/x",
            "relative/path",
            "foo://x/y",
        ] {
            assert!(protocols_of(url).is_none(), "{url}");
        }
        assert!(matches!(
            protocols_of("git@host:owner/name"),
            Some(Protocols::Ssh)
        ));
        assert!(matches!(protocols_of("file:///x"), Some(Protocols::File)));
    }

    proptest! {
        #[test]
        fn only_what_is_honoured_is_kept_of_any_configuration(
            bytes: Vec<u8>,
            shaped in "((url|http|core|credential)\\.(https://x\\.example/\\.)?(insteadof|proxy|extraheader|helper|sshcommand)\n(~/|https://x|é){0,2}\\x00?){0,6}",
            url in "(https://x|ext::|[a-z]:|/|é|file://){0,4}",
        ) {
            for listed in [bytes, shaped.into_bytes()] {
                let mut settings = GitSettings::default();
                settings.take(&listed, Some(Path::new("/home/someone")));
                for (key, _) in &settings.http {
                    let name = key.rsplit('.').next().unwrap().to_ascii_lowercase();
                    prop_assert!(key.starts_with("http.") && HTTP.contains(&name.as_str()));
                }
                let _rewritten = settings.rewrite(&url);
            }
            if protocols_of(&url).is_some() {
                prop_assert!(!url.starts_with("ext::"));
            }
        }
    }
}
