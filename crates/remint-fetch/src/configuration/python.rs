//! Which Python indexes the user has: variables of uv and pip, then uv's settings, then pip's.
//!
//! The first place that names a default index decides. Further indexes are asked only for a project that the
//! default index does not have, so that nobody can put a lookalike of a public project in front of it.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use crate::configuration::credentials::{Credential, Credentials, split_user};
use crate::configuration::files::read_optional;
use crate::configuration::{UserConfiguration, in_variables};
use crate::error::FetchError;

/// Where Python packages come from when nothing else is configured.
pub(crate) const PUBLIC: &str = "https://pypi.org/simple/";

/// Simple repositories (PEP 503) in the order in which they are asked; each URL ends with a slash.
#[derive(Debug, Clone)]
pub(crate) struct PythonIndexes {
    /// The default index, then the further ones.
    pub(crate) simple: Vec<Url>,
}

/// What the user's Python clients are told beyond the indexes.
#[derive(Debug, Default)]
pub(crate) struct PythonTransport {
    /// A certificate bundle that replaces the system's authorities, and what named it.
    pub(crate) bundle: Option<PathBuf>,
    /// pip's `proxy`.
    pub(crate) proxy: Option<String>,
}

/// Reads all of it.
pub(crate) fn read(
    user: &UserConfiguration,
) -> Result<(PythonIndexes, Credentials, PythonTransport), FetchError> {
    let pip = Pip::read(user)?;
    let uv = Uv::read(user)?;
    let of_uv = |address: String| (address, "an index of uv's settings");
    let of_pip = |address: String| (address, "an index of pip's settings");
    let default = ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
        .into_iter()
        .find_map(|name| Some((user.variable(name)?.to_owned(), name)))
        .or_else(|| uv.default.map(of_uv))
        .or_else(|| pip.index_url.map(of_pip))
        .unwrap_or_else(|| (PUBLIC.to_owned(), "the public index"));
    let mut texts = vec![default];
    for name in ["UV_INDEX", "UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"] {
        let list = user.variable(name).unwrap_or_default();
        texts.extend(list.split_whitespace().map(|text| (text.to_owned(), name)));
    }
    texts.extend(uv.further.into_iter().map(of_uv));
    texts.extend(pip.extra_index_urls.into_iter().map(of_pip));

    let mut credentials = Credentials::default();
    let mut simple: Vec<Url> = Vec::new();
    for (text, origin) in texts {
        let (name, address) = split_name(&text);
        let (url, mut credential) = split_user(index_url(address, origin)?);
        if credential.is_none() {
            credential = name.and_then(|name| named_credential(user, name));
        }
        if let Some(credential) = credential {
            credentials.add(&url, credential);
        } else if let Some(credential) = netrc(user, &url)? {
            credentials.add(&url, credential);
        }
        if !simple.contains(&url) {
            simple.push(url);
        }
    }
    let bundle = user
        .first_variable(&["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
        .map(str::to_owned)
        .or(pip.cert)
        .map(|path| user.path(&path));
    Ok((
        PythonIndexes { simple },
        credentials,
        PythonTransport {
            bundle,
            proxy: user.variable("PIP_PROXY").map(str::to_owned).or(pip.proxy),
        },
    ))
}

/// uv writes `name=URL` where an index has a name.
fn split_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('=') {
        Some((name, url))
            if !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) =>
        {
            (Some(name), url)
        }
        Some(_) | None => (None, text),
    }
}

/// `UV_INDEX_<NAME>_USERNAME` and `…_PASSWORD`.
fn named_credential(user: &UserConfiguration, name: &str) -> Option<Credential> {
    let name = in_variables(name);
    let password = user.variable(&format!("UV_INDEX_{name}_PASSWORD"));
    let login = user.variable(&format!("UV_INDEX_{name}_USERNAME"));
    match (login, password) {
        (None, None) => None,
        (login, password) => Some(Credential::basic(
            login.unwrap_or_default(),
            password.unwrap_or_default(),
        )),
    }
}

fn index_url(text: &str, origin: &str) -> Result<Url, FetchError> {
    let refuse = |reason: String| FetchError::Configuration {
        origin: origin.to_owned(),
        reason,
    };
    let mut url: Url = text
        .trim()
        .parse()
        .map_err(|error| refuse(format!("it is no URL ({error})")))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(refuse(format!(
            "an index's URL starts with https or http, not `{}`",
            url.scheme()
        )));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[derive(Debug, Default)]
struct Pip {
    index_url: Option<String>,
    extra_index_urls: Vec<String>,
    cert: Option<String>,
    proxy: Option<String>,
}

impl Pip {
    /// pip's configuration files, the strongest first: `PIP_CONFIG_FILE`, the user's, the machine's.
    fn read(user: &UserConfiguration) -> Result<Self, FetchError> {
        let named = user.variable("PIP_CONFIG_FILE");
        // pip's own way to say that no file counts.
        if named == Some("/dev/null") {
            return Ok(Self::default());
        }
        let mut paths: Vec<PathBuf> = named.map(|path| user.path(path)).into_iter().collect();
        paths.extend(
            user.settings_directory()
                .map(|place| place.join("pip/pip.conf")),
        );
        paths.extend(user.home.as_ref().map(|home| home.join(".pip/pip.conf")));
        paths.extend([
            PathBuf::from("/etc/pip.conf"),
            PathBuf::from("/etc/xdg/pip/pip.conf"),
        ]);
        let mut merged = Self::default();
        for path in paths {
            let Some(text) = read_optional(&path)? else {
                continue;
            };
            let settings = sections(&text);
            // Sections of commands beat `[global]`.
            for section in ["download", "install", "global"] {
                let get = |key: &str| {
                    settings
                        .iter()
                        .rfind(|setting| setting.section == section && setting.key == key)
                        .map(|setting| setting.value.trim().to_owned())
                        .filter(|value| !value.is_empty())
                };
                merged.index_url = merged.index_url.or_else(|| get("index-url"));
                merged.cert = merged.cert.or_else(|| get("cert"));
                merged.proxy = merged.proxy.or_else(|| get("proxy"));
                if merged.extra_index_urls.is_empty() {
                    let list = get("extra-index-url").unwrap_or_default();
                    merged.extra_index_urls = list.split_whitespace().map(str::to_owned).collect();
                }
            }
        }
        Ok(merged)
    }
}

struct PipSetting {
    section: String,
    key: String,
    value: String,
}

/// The ini dialect of Python's configparser: `key = value` or `key: value`, indented lines go on with the value.
fn sections(text: &str) -> Vec<PipSetting> {
    let mut settings: Vec<PipSetting> = Vec::new();
    let mut section = String::new();
    for line in text.lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some(last) = settings.last_mut()
        {
            last.value.push('\n');
            last.value.push_str(content);
        } else if let Some(name) = content.strip_prefix('[').and_then(|c| c.strip_suffix(']')) {
            section = name.trim().to_owned();
        } else if let Some((key, value)) = content.split_once(['=', ':']) {
            settings.push(PipSetting {
                section: section.clone(),
                key: key.trim().to_ascii_lowercase().replace('_', "-"),
                value: value.trim().to_owned(),
            });
        }
    }
    settings
}

#[derive(Debug, Default)]
struct Uv {
    default: Option<String>,
    further: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UvFile {
    index_url: Option<String>,
    #[serde(default)]
    extra_index_url: Vec<String>,
    #[serde(default)]
    index: Vec<UvIndex>,
    #[serde(default)]
    pip: UvPip,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct UvPip {
    index_url: Option<String>,
    #[serde(default)]
    extra_index_url: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct UvIndex {
    name: Option<String>,
    url: String,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    explicit: bool,
}

impl Uv {
    fn read(user: &UserConfiguration) -> Result<Self, FetchError> {
        let paths = match user.variable("UV_CONFIG_FILE") {
            Some(path) => vec![user.path(path)],
            None if user.variable("UV_NO_CONFIG").is_some() => Vec::new(),
            None => std::iter::once(user.directory.join("uv.toml"))
                .chain(
                    user.settings_directory()
                        .map(|place| place.join("uv/uv.toml")),
                )
                .chain([PathBuf::from("/etc/uv/uv.toml")])
                .collect(),
        };
        let mut merged = Self::default();
        for path in paths {
            let Some(text) = read_optional(&path)? else {
                continue;
            };
            let file: UvFile =
                toml::from_str(&text).map_err(|error| FetchError::Configuration {
                    origin: path.display().to_string(),
                    reason: error.message().to_owned(),
                })?;
            for index in file.index {
                // An explicit index serves only the projects that are pinned to it.
                if index.explicit {
                    continue;
                }
                let text = match index.name {
                    Some(name) => format!("{name}={}", index.url),
                    None => index.url,
                };
                if !index.default {
                    merged.further.push(text);
                } else if merged.default.is_none() {
                    merged.default = Some(text);
                }
            }
            merged.default = merged.default.or(file.index_url).or(file.pip.index_url);
            merged.further.extend(file.extra_index_url);
            merged.further.extend(file.pip.extra_index_url);
        }
        Ok(merged)
    }
}

/// The entry of the user's netrc for this host.
fn netrc(user: &UserConfiguration, url: &Url) -> Result<Option<Credential>, FetchError> {
    let path = match user.variable("NETRC") {
        Some(path) => user.path(path),
        None => match &user.home {
            Some(home) => home.join(".netrc"),
            None => return Ok(None),
        },
    };
    let (Some(text), Some(host)) = (read_optional(&path)?, url.host_str()) else {
        return Ok(None);
    };
    Ok(netrc_entry(&text, host).map(|(login, password)| Credential::basic(&login, &password)))
}

fn netrc_entry(text: &str, host: &str) -> Option<(String, String)> {
    let text: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut words = text.split_whitespace();
    let (mut matching, mut login, mut password) = (false, None, None);
    while let Some(word) = words.next() {
        match word {
            "machine" => {
                if matching && password.is_some() {
                    break;
                }
                matching = words.next() == Some(host);
                (login, password) = (None, None);
            }
            // `default` and macros are for ftp; a token must be meant for the host it goes to.
            "default" | "macdef" => break,
            "login" if matching => login = words.next(),
            "password" if matching => password = words.next(),
            _ => {}
        }
    }
    password
        .filter(|_| matching)
        .map(|password| (login.unwrap_or_default().to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    fn check(home: &Path, variables: &[(&str, &str)], expect: &[&str]) -> Credentials {
        let mut variables: std::collections::BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        variables
            .entry("PIP_CONFIG_FILE".to_owned())
            .or_insert_with(|| "/dev/null".to_owned());
        let user = UserConfiguration {
            home: Some(home.to_owned()),
            directory: home.to_owned(),
            variables,
            cache: home.to_owned(),
            offline: false,
        };
        let (indexes, credentials, _) = read(&user).unwrap();
        let urls: Vec<&str> = indexes.simple.iter().map(Url::as_str).collect();
        assert_eq!(urls, expect);
        credentials
    }

    #[test]
    fn variables_beat_uv_and_uv_beats_pip() {
        let home = tempfile::tempdir().unwrap();
        let place = home.path();
        check(place, &[], &[PUBLIC]);
        fs_err::create_dir_all(place.join(".config/uv")).unwrap();
        let pip = place.join("pip.conf");
        fs_err::write(
            &pip,
            "[global]\nindex-url = https://pip.example/simple\nextra-index-url =\n    https://a.example/simple\n",
        )
        .unwrap();
        let pip = pip.to_str().unwrap();
        check(
            place,
            &[("PIP_CONFIG_FILE", pip)],
            &["https://pip.example/simple/", "https://a.example/simple/"],
        );
        fs_err::write(
            place.join(".config/uv/uv.toml"),
            "[[index]]\nname = \"inner\"\nurl = \"https://uv.example/simple\"\ndefault = true\n\
             [[index]]\nurl = \"https://explicit.example/simple\"\nname = \"e\"\nexplicit = true\n",
        )
        .unwrap();
        let credentials = check(
            place,
            &[
                ("UV_INDEX_INNER_USERNAME", "me"),
                ("UV_INDEX_INNER_PASSWORD", "secret"),
            ],
            &["https://uv.example/simple/"],
        );
        let url = "https://uv.example/simple/x/".parse().unwrap();
        assert_eq!(
            credentials.for_url(&url).map(Credential::header),
            Some(Credential::basic("me", "secret").header())
        );
        check(
            place,
            &[("PIP_INDEX_URL", "https://u:p@variable.example/simple")],
            &["https://variable.example/simple/"],
        );
    }

    #[test]
    fn a_netrc_entry_is_taken_for_its_host_alone() {
        let text = "machine a.example login me password one\n# machine b.example password no\n\
                    machine c.example\n  login you\n  password two\ndefault login x password y\n";
        let check = |host: &str, expect: Option<(&str, &str)>| {
            let found = netrc_entry(text, host);
            let found = found.as_ref().map(|(l, p)| (l.as_str(), p.as_str()));
            assert_eq!(found, expect, "{host}");
        };
        check("a.example", Some(("me", "one")));
        check("b.example", None);
        check("c.example", Some(("you", "two")));
        check("d.example", None);
    }

    proptest! {
        #[test]
        fn no_settings_panic(
            any: String,
            pip in "(\\[(global|install)?\\]?|\n|\n +|index-url|extra_index_url|cert|[=:#;]|https://x\\.example/| |é){0,20}",
            uv in "(\\[\\[?(index|pip)\\]?\\]|\n|index-url|extra-index-url|url|name|default|explicit|=|[\"'\\[\\],]|true|https://x\\.example/){0,20}",
            words in "(machine|login|password|default|macdef|x\\.example|#| |\n|s3cr3t){0,20}",
        ) {
            for text in [&any, &pip, &uv, &words] {
                for setting in sections(text) {
                    prop_assert!(!setting.key.contains('\n'));
                }
                drop(toml::from_str::<UvFile>(text));
                if let Ok(url) = index_url(text, "a test") {
                    prop_assert!(url.path().ends_with('/') && url.host_str().is_some());
                }
                let (name, address) = split_name(text);
                prop_assert!(text.ends_with(address) && name != Some(""));
                // A password is one that stands behind its own machine.
                prop_assert_eq!(netrc_entry(text, "other.example"), None);
                let _entry = netrc_entry(text, "x.example");
            }
        }
    }
}
