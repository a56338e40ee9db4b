//! Which registry stands for crates.io, read from cargo's own settings: `.cargo/config.toml` of the working directory
//! and of those above it, then that of `CARGO_HOME`; `CARGO_REGISTRIES_*` before all of them.
//!
//! Settings that lead to no sparse index are no error until a crate is asked for: most people who have them build
//! something else.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use crate::configuration::credentials::{Credential, Credentials, split_user};
use crate::configuration::files::read_optional;
use crate::configuration::{UserConfiguration, in_variables};
use crate::error::FetchError;

/// Where crates come from when nothing else is configured.
pub(crate) const PUBLIC: &str = "https://index.crates.io/";
/// Cargo follows as many replacements as there are sources; nobody has more.
const MOST_REPLACEMENTS: usize = 16;
/// The directories above the working directory that are looked into.
const DEEPEST: usize = 64;

/// The index that stands for crates.io; its URL ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CargoIndex {
    Sparse(Url),
    /// What is configured cannot be asked for releases; why, in words.
    Unusable(String),
}

/// What the user's cargo is told beyond the index.
#[derive(Debug, Default)]
pub(crate) struct CargoTransport {
    /// A certificate bundle that replaces the system's authorities.
    pub(crate) bundle: Option<PathBuf>,
    pub(crate) proxy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    source: BTreeMap<String, Source>,
    #[serde(default)]
    registries: BTreeMap<String, Registry>,
    #[serde(default)]
    http: Http,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Source {
    replace_with: Option<String>,
    registry: Option<String>,
    directory: Option<String>,
    local_registry: Option<String>,
    git: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
struct Registry {
    index: Option<String>,
    token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Http {
    proxy: Option<String>,
    cainfo: Option<String>,
}

/// Reads all of it.
pub(crate) fn read(
    user: &UserConfiguration,
) -> Result<(CargoIndex, Credentials, CargoTransport), FetchError> {
    let home = match user.variable("CARGO_HOME") {
        Some(home) => Some(user.path(home)),
        None => user.home.as_ref().map(|home| home.join(".cargo")),
    };
    let mut places: Vec<PathBuf> = user
        .directory
        .ancestors()
        .take(DEEPEST)
        .map(|directory| directory.join(".cargo"))
        .collect();
    places.extend(home.clone());
    let mut files = Vec::new();
    let mut proxy = None;
    let mut bundle = None;
    for place in &places {
        // Of the two names, cargo takes the older one where both are there.
        for name in ["config", "config.toml"] {
            let path = place.join(name);
            let Some(text) = read_optional(&path)? else {
                continue;
            };
            let file: File = toml::from_str(&text).map_err(|error| FetchError::Configuration {
                origin: path.display().to_string(),
                reason: error.message().to_owned(),
            })?;
            proxy = proxy.or_else(|| file.http.proxy.clone());
            // Relative to the directory that holds `.cargo`.
            bundle = bundle.or_else(|| {
                let named = file.http.cainfo.as_ref()?;
                Some(place.parent().unwrap_or(place).join(named))
            });
            files.push(file);
            break;
        }
    }
    let settings = Settings { user, files };
    let mut credentials = Credentials::default();
    let index = match settings.index() {
        Ok((url, registry)) => {
            let (url, own) = split_user(url);
            let token = registry
                .and_then(|name| settings.token(&name, home.as_deref()).transpose())
                .transpose()?;
            let credential = own.or_else(|| token.map(Credential::Token));
            if let (Some(credential), Ok(host)) = (credential, url.join("/")) {
                // Downloads lie beside the index.
                credentials.add(&host, credential);
            }
            CargoIndex::Sparse(url)
        }
        Err(reason) => CargoIndex::Unusable(reason),
    };
    let transport = CargoTransport {
        bundle: user
            .variable("CARGO_HTTP_CAINFO")
            .map(|path| user.path(path))
            .or(bundle),
        proxy: user
            .variable("CARGO_HTTP_PROXY")
            .map(str::to_owned)
            .or(proxy),
    };
    Ok((index, credentials, transport))
}

struct Settings<'a> {
    user: &'a UserConfiguration,
    /// The strongest first.
    files: Vec<File>,
}

impl Settings<'_> {
    /// The index, and the name of its registry where it has one.
    fn index(&self) -> Result<(Url, Option<String>), String> {
        let mut name = "crates-io".to_owned();
        for _ in 0..MOST_REPLACEMENTS {
            let source = self.source(&name);
            if let Some(other) = source.replace_with {
                name = other;
                continue;
            }
            if let Some(address) = source.registry {
                return sparse(&address).map(|url| (url, None));
            }
            for (place, kind) in [
                (source.directory, "a directory"),
                (source.local_registry, "a local registry"),
                (source.git, "a git repository"),
            ] {
                if place.is_some() {
                    return Err(format!(
                        "cargo's settings replace crates.io with `{name}`, which is {kind} and cannot be asked for releases"
                    ));
                }
            }
            if name == "crates-io" {
                return sparse(PUBLIC).map(|url| (url, None));
            }
            return match self.registry_index(&name) {
                Some(address) => sparse(&address).map(|url| (url, Some(name))),
                None => Err(format!(
                    "cargo's settings replace crates.io with `{name}`, and do not say where that is"
                )),
            };
        }
        Err("cargo's settings replace crates.io without end".to_owned())
    }

    /// What the settings say together about a source.
    fn source(&self, name: &str) -> Source {
        let stated = |field: fn(&Source) -> Option<&String>| {
            self.files
                .iter()
                .find_map(|file| file.source.get(name).and_then(field))
                .cloned()
        };
        Source {
            replace_with: stated(|source| source.replace_with.as_ref()),
            registry: stated(|source| source.registry.as_ref()),
            directory: stated(|source| source.directory.as_ref()),
            local_registry: stated(|source| source.local_registry.as_ref()),
            git: stated(|source| source.git.as_ref()),
        }
    }

    fn registry_index(&self, name: &str) -> Option<String> {
        self.user
            .variable(&variable(name, "INDEX"))
            .map(str::to_owned)
            .or_else(|| {
                self.files
                    .iter()
                    .find_map(|file| file.registries.get(name)?.index.clone())
            })
    }

    /// What the user has for this registry. It opens the registry that has this name and no other; cargo's token for
    /// crates.io itself is for publishing, and is never read.
    fn token(
        &self,
        name: &str,
        home: Option<&std::path::Path>,
    ) -> Result<Option<String>, FetchError> {
        if let Some(token) = self.user.variable(&variable(name, "TOKEN")) {
            return Ok(Some(token.to_owned()));
        }
        let configured = self
            .files
            .iter()
            .find_map(|file| file.registries.get(name)?.token.clone());
        if configured.is_some() {
            return Ok(configured);
        }
        for file in ["credentials", "credentials.toml"] {
            let Some(path) = home.map(|home| home.join(file)) else {
                continue;
            };
            let Some(text) = read_optional(&path)? else {
                continue;
            };
            // Cargo says what is wrong with it; here it only means that there is no token.
            let token = toml::from_str::<File>(&text)
                .ok()
                .and_then(|file| file.registries.get(name)?.token.clone());
            return Ok(token);
        }
        Ok(None)
    }
}

/// `CARGO_REGISTRIES_MY_MIRROR_INDEX` for `my-mirror`.
fn variable(name: &str, what: &str) -> String {
    let name = in_variables(name);
    format!("CARGO_REGISTRIES_{name}_{what}")
}

/// `sparse+https://index.example/path/`. The older kind of index is a git repository of everything there is.
fn sparse(address: &str) -> Result<Url, String> {
    let address = address.trim();
    // This one address means crates.io, whatever protocol it is asked by.
    if address.trim_end_matches('/') == "https://github.com/rust-lang/crates.io-index" {
        return sparse(PUBLIC);
    }
    let text = match address.strip_prefix("sparse+") {
        Some(text) => text,
        None if address == PUBLIC => address,
        None => {
            return Err(
                "the index that cargo's settings name is a git repository; only sparse ones (`sparse+https://…`) are read"
                    .to_owned(),
            );
        }
    };
    let mut url: Url = text
        .parse()
        .map_err(|error| format!("the index that cargo's settings name is no URL ({error})"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err("the index that cargo's settings name is not on the web".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new(files: &[(&str, &str)]) -> Self {
            let place = tempfile::tempdir().unwrap();
            for (path, content) in files {
                let path = place.path().join(path);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, content).unwrap();
            }
            Self(place)
        }

        fn read(&self, variables: &[(&str, &str)]) -> (CargoIndex, Credentials, CargoTransport) {
            read(&UserConfiguration {
                home: Some(self.0.path().join("home")),
                directory: self.0.path().join("project/below"),
                variables: variables
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                cache: self.0.path().join("cache"),
                offline: false,
            })
            .unwrap()
        }

        fn index(&self, variables: &[(&str, &str)]) -> String {
            match self.read(variables).0 {
                CargoIndex::Sparse(url) => url.to_string(),
                CargoIndex::Unusable(reason) => reason,
            }
        }
    }

    const MIRROR: &str = "[source.crates-io]\nreplace-with = 'mirror'\n";

    #[test]
    fn the_index_is_the_one_that_cargo_would_ask() {
        let none = Home::new(&[]);
        assert_eq!(none.index(&[]), PUBLIC);
        let source = Home::new(&[(
            "home/.cargo/config.toml",
            &format!("{MIRROR}[source.mirror]\nregistry = 'sparse+https://mirror.example/index'\n"),
        )]);
        assert_eq!(source.index(&[]), "https://mirror.example/index/");
        let registry = Home::new(&[(
            "home/.cargo/config.toml",
            &format!("{MIRROR}[registries.mirror]\nindex = 'sparse+https://mirror.example/'\n"),
        )]);
        assert_eq!(registry.index(&[]), "https://mirror.example/");
        let other = (
            "CARGO_REGISTRIES_MIRROR_INDEX",
            "sparse+https://other.example/",
        );
        assert_eq!(registry.index(&[other]), "https://other.example/");
        // The nearer directory is stronger, the parts are put together.
        let both = Home::new(&[
            ("project/.cargo/config.toml", MIRROR),
            (
                "home/.cargo/config.toml",
                "[source.crates-io]\nreplace-with = 'other'\n[source.mirror]\nreplace-with = 'third'\n\
                 [source.third]\nregistry = 'sparse+https://third.example/'\n",
            ),
        ]);
        assert_eq!(both.index(&[]), "https://third.example/");
        let elsewhere = Home::new(&[("elsewhere/config", MIRROR)]);
        let home = elsewhere.0.path().join("elsewhere");
        let variables = [("CARGO_HOME", home.to_str().unwrap()), other];
        assert_eq!(elsewhere.index(&variables), "https://other.example/");
    }

    #[test]
    fn what_cannot_be_asked_is_told_when_it_is_asked() {
        for (text, expect) in [
            ("[source.mirror]\ndirectory = 'vendor'\n", "a directory"),
            (
                "[source.mirror]\nlocal-registry = 'x'\n",
                "a local registry",
            ),
            (
                "[source.mirror]\nregistry = 'https://x.example/git'\n",
                "a git repository",
            ),
            (
                "[source.mirror]\nreplace-with = 'crates-io'\n",
                "without end",
            ),
            ("", "do not say where"),
            (
                "[source.mirror]\nregistry = 'sparse+file:///x'\n",
                "not on the web",
            ),
        ] {
            let home = Home::new(&[("home/.cargo/config.toml", &format!("{MIRROR}{text}"))]);
            let found = home.index(&[]);
            assert!(found.contains(expect), "{text}: {found}");
        }
    }

    #[test]
    fn a_token_opens_its_own_registry_only() {
        let config = format!(
            "{MIRROR}[registries.mirror]\nindex = 'sparse+https://mirror.example/index/'\n"
        );
        let home = Home::new(&[
            ("home/.cargo/config.toml", &config),
            (
                "home/.cargo/credentials.toml",
                "[registry]\ntoken = 'publish'\n[registries.mirror]\ntoken = 'secret'\n",
            ),
        ]);
        let (_, credentials, _) = home.read(&[]);
        let token = |credentials: &Credentials, url: &str| {
            credentials
                .for_url(&url.parse().unwrap())
                .map(Credential::header)
        };
        let crate_url = "https://mirror.example/api/v1/crates/x/1.0.0/download";
        assert_eq!(token(&credentials, crate_url).as_deref(), Some("secret"));
        assert_eq!(token(&credentials, "https://index.crates.io/x"), None);
        let variable = [("CARGO_REGISTRIES_MIRROR_TOKEN", "stronger")];
        let (_, credentials, _) = home.read(&variable);
        assert_eq!(token(&credentials, crate_url).as_deref(), Some("stronger"));

        // The token for publishing to crates.io is nobody's business here.
        let public = Home::new(&[(
            "home/.cargo/credentials.toml",
            "[registry]\ntoken = 'publish'\n[registries.crates-io]\ntoken = 'publish'\n",
        )]);
        let (_, credentials, _) = public.read(&[]);
        assert_eq!(token(&credentials, "https://index.crates.io/x"), None);
    }

    #[test]
    fn proxy_and_authorities_are_cargos() {
        let home = Home::new(&[(
            "home/.cargo/config.toml",
            "[http]\nproxy = 'proxy.example:3128'\ncainfo = 'ca.pem'\n",
        )]);
        let (_, _, transport) = home.read(&[]);
        assert_eq!(transport.proxy.as_deref(), Some("proxy.example:3128"));
        assert_eq!(transport.bundle, Some(home.0.path().join("home/ca.pem")));
        let (_, _, transport) = home.read(&[("CARGO_HTTP_PROXY", "other.example:1")]);
        assert_eq!(transport.proxy.as_deref(), Some("other.example:1"));
    }

    #[test]
    fn a_file_that_is_no_toml_is_named() {
        let home = Home::new(&[("home/.cargo/config.toml", "[source")]);
        let error = read(&UserConfiguration {
            home: Some(home.0.path().join("home")),
            directory: home.0.path().to_owned(),
            variables: BTreeMap::new(),
            cache: home.0.path().join("cache"),
            offline: false,
        })
        .unwrap_err();
        assert!(matches!(error, FetchError::Configuration { .. }), "{error}");
    }
}
