//! npm's settings: `npm_config_*` variables, then the project's, the user's and the global npmrc.
//!
//! Read the way npm reads them, `${VARIABLE}` included. Client certificates are not supported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use remint_model::PackageName;
use url::Url;

use crate::configuration::UserConfiguration;
use crate::configuration::credentials::{Credential, Credentials, split_user};
use crate::configuration::files::read_optional;
use crate::error::FetchError;

/// Where npm packages come from when nothing else is configured.
pub(crate) const PUBLIC: &str = "https://registry.npmjs.org/";

/// Merged settings, by npm's name for each.
#[derive(Debug, Default)]
pub(crate) struct Npmrc(BTreeMap<String, String>);

impl Npmrc {
    /// Reads the whole chain.
    pub(crate) fn read(user: &UserConfiguration) -> Result<Self, FetchError> {
        let mut merged = Self::default();
        merged.add_variables(user);
        let project = project_directory(user).map(|directory| directory.join(".npmrc"));
        let home = user.home.as_ref().map(|home| home.join(".npmrc"));
        let own = match merged.text("userconfig") {
            Some(path) => Some(user.path(path)),
            None => home.clone(),
        };
        let project = project.filter(|path| Some(path) != home.as_ref());
        for path in project.into_iter().chain(own) {
            merged.add_file(&path, user)?;
        }
        let global = match (merged.text("globalconfig"), merged.text("prefix")) {
            (Some(path), _) => Some(user.path(path)),
            (None, Some(prefix)) => Some(user.path(prefix).join("etc/npmrc")),
            (None, None) => global_prefix(user).map(|prefix| prefix.join("etc/npmrc")),
        };
        if let Some(path) = global {
            merged.add_file(&path, user)?;
        }
        Ok(merged)
    }

    /// `npm_config_registry`, `NPM_CONFIG_REGISTRY`; everything below a host (`//host/:_authToken`) keeps its
    /// spelling.
    fn add_variables(&mut self, user: &UserConfiguration) {
        for (name, value) in &user.variables {
            let Some(key) = name
                .get(..11)
                .filter(|prefix| prefix.eq_ignore_ascii_case("npm_config_"))
                .and_then(|_| name.get(11..))
            else {
                continue;
            };
            if value.is_empty() || key.is_empty() {
                continue;
            }
            let key = if key.starts_with("//") || key.starts_with('@') {
                key.to_owned()
            } else {
                let (first, rest) = key.split_at(usize::from(key.is_char_boundary(1)));
                format!("{first}{}", rest.replace('_', "-")).to_ascii_lowercase()
            };
            self.0.entry(key).or_insert_with(|| value.clone());
        }
    }

    fn add_file(&mut self, path: &Path, user: &UserConfiguration) -> Result<(), FetchError> {
        let Some(text) = read_optional(path)? else {
            return Ok(());
        };
        for (key, value) in parse(&text, user) {
            self.0.entry(key).or_insert(value);
        }
        Ok(())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty() && *value != "null" && *value != "undefined")
    }

    /// The registries, and what authenticates the user to them.
    pub(crate) fn registries(&self) -> Result<(NpmRegistries, Credentials), FetchError> {
        let mut credentials = Credentials::default();
        let mut url = |key: &str, text: &str| -> Result<Url, FetchError> {
            let (url, credential) = split_user(registry_url(key, text)?);
            if let Some(credential) = credential {
                credentials.add(&url, credential);
            }
            Ok(url)
        };
        let default = url("registry", self.text("registry").unwrap_or(PUBLIC))?;
        let mut scopes = BTreeMap::new();
        for (key, value) in &self.0 {
            if let Some(scope) = key.strip_suffix(":registry")
                && scope.starts_with('@')
            {
                scopes.insert(scope.to_owned(), url(key, value)?);
            }
        }
        let registries = NpmRegistries { default, scopes };
        self.add_credentials(&registries, &mut credentials);
        Ok((registries, credentials))
    }

    /// `//host/path/:_authToken`, `:_auth`, `:username` with `:_password`.
    fn add_credentials(&self, registries: &NpmRegistries, credentials: &mut Credentials) {
        let places: std::collections::BTreeSet<&str> = self
            .0
            .keys()
            .filter(|key| key.starts_with("//"))
            .filter_map(|key| key.rsplit_once(':'))
            .map(|(place, _)| place)
            .collect();
        for place in places {
            let setting = |name: &str| self.text(&format!("{place}:{name}"));
            let decode = |encoded: &str| {
                use base64::Engine as _;
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(encoded)
                    .ok()?;
                String::from_utf8(bytes).ok()
            };
            let credential = if let Some(token) = setting("_authToken") {
                Some(Credential::Bearer(token.to_owned()))
            } else if let Some(encoded) = setting("_auth") {
                Some(Credential::Basic(encoded.to_owned()))
            } else {
                setting("username")
                    .zip(setting("_password").and_then(decode))
                    .map(|(user, password)| Credential::basic(user, &password))
            };
            let Some(credential) = credential else {
                continue;
            };
            // The place has no scheme: it is that of the registry configured there.
            let plain = format!("http:{place}").parse::<Url>().ok().filter(|plain| {
                registries
                    .all()
                    .any(|registry| registry.origin() == plain.origin())
            });
            let url = plain.or_else(|| format!("https:{place}").parse().ok());
            if let Some(url) = url {
                credentials.add(&url, credential);
            }
        }
    }

    /// `https-proxy`, then `proxy`.
    pub(crate) fn proxy(&self) -> Option<&str> {
        let proxy = self.text("https-proxy").or_else(|| self.text("proxy"));
        proxy.filter(|value| !matches!(*value, "false" | "true"))
    }

    /// `noproxy`: hosts that are reached directly.
    pub(crate) fn no_proxy(&self) -> Option<&str> {
        self.text("noproxy").or_else(|| self.text("no-proxy"))
    }

    /// `strict-ssl=false`: the user accepts any certificate.
    pub(crate) fn accepts_any_certificate(&self) -> bool {
        self.text("strict-ssl") == Some("false")
    }

    /// `cafile`, and `ca` as PEM text: either replaces the system's authorities.
    pub(crate) fn authorities(&self) -> (Option<&str>, Option<String>) {
        let inline = self.text("ca").map(|text| text.replace("\\n", "\n"));
        (self.text("cafile"), inline)
    }
}

/// Which registry has which scope.
#[derive(Debug, Clone)]
pub(crate) struct NpmRegistries {
    default: Url,
    scopes: BTreeMap<String, Url>,
}

impl NpmRegistries {
    /// The registry that serves this package; ends with a slash.
    pub(crate) fn of(&self, name: &PackageName) -> &Url {
        name.scope()
            .and_then(|scope| self.scopes.get(scope))
            .unwrap_or(&self.default)
    }

    /// Every registry that is configured.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Url> {
        std::iter::once(&self.default).chain(self.scopes.values())
    }
}

fn registry_url(key: &str, text: &str) -> Result<Url, FetchError> {
    let refuse = |reason: String| FetchError::Configuration {
        origin: format!("npm setting {key}"),
        reason,
    };
    let mut url: Url = text.parse().map_err(|error| refuse(format!("{error}")))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(refuse(
            "a registry's URL starts with https or http".to_owned(),
        ));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// npm's project: the closest directory with a manifest or installed packages, else the working directory.
fn project_directory(user: &UserConfiguration) -> Option<PathBuf> {
    user.directory
        .ancestors()
        .take(64)
        .find(|directory| {
            directory.join("package.json").is_file() || directory.join("node_modules").is_dir()
        })
        .map_or_else(
            || Some(user.directory.clone()),
            |found| Some(found.to_owned()),
        )
}

/// The prefix of the node that `PATH` names first: `<prefix>/bin/node`.
fn global_prefix(user: &UserConfiguration) -> Option<PathBuf> {
    let node = std::env::split_paths(user.variable("PATH")?)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join("node"))
        .find(|node| node.is_file())?;
    let node = fs_err::canonicalize(node).ok()?;
    node.parent()?.parent().map(Path::to_owned)
}

/// The ini dialect of npmrc: `key = value` lines, `key[] = value` lists (joined by newlines), comments by `;` and
/// `#`, quotes, `${VARIABLE}`.
fn parse(text: &str, user: &UserConfiguration) -> Vec<(String, String)> {
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with([';', '#', '[']) {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key.trim(), value.trim()),
            None => (line, "true"),
        };
        let key = expand(unquote(key), user);
        let value = expand(unquote(without_comment(value)), user);
        let list = key.strip_suffix("[]");
        let name = list.unwrap_or(&key);
        let known = places.get(name).and_then(|place| settings.get_mut(*place));
        match known {
            Some((_, joined)) if list.is_some() => {
                joined.push('\n');
                joined.push_str(&value);
            }
            // Within one file the last word counts.
            Some((_, known)) => *known = value,
            None => {
                places.insert(name.to_owned(), settings.len());
                settings.push((name.to_owned(), value));
            }
        }
    }
    settings
}

fn without_comment(value: &str) -> &str {
    if value.starts_with(['"', '\'']) {
        return value;
    }
    let end = value.find([';', '#']).unwrap_or(value.len());
    value.get(..end).unwrap_or(value).trim()
}

fn unquote(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner;
        }
    }
    text
}

/// `${NAME}`; `${NAME?}` is empty when unset, the other stays as written, as npm does it.
fn expand(text: &str, user: &UserConfiguration) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        expanded.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            // Nothing that follows is closed either.
            expanded.push_str("${");
            rest = after;
            break;
        };
        let (plain, optional) = match name.strip_suffix('?') {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        match user.variables.get(plain) {
            Some(value) => expanded.push_str(value),
            None if optional => {}
            None => {
                expanded.push_str("${");
                expanded.push_str(name);
                expanded.push('}');
            }
        }
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::Ecosystem;

    use super::*;

    fn user(directory: &Path, variables: &[(&str, &str)]) -> UserConfiguration {
        UserConfiguration {
            home: Some(directory.join("home")),
            directory: directory.join("project"),
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            cache: directory.join("cache"),
            offline: false,
        }
    }

    fn name(text: &str) -> PackageName {
        PackageName::parse(Ecosystem::Npm, text).unwrap()
    }

    fn header(credentials: &Credentials, url: &str) -> Option<String> {
        credentials
            .for_url(&url.parse().unwrap())
            .map(Credential::header)
    }

    #[test]
    fn closer_files_win_and_variables_beat_files() {
        let place = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(place.path().join("home")).unwrap();
        fs_err::create_dir_all(place.path().join("project")).unwrap();
        fs_err::write(
            place.path().join("home/.npmrc"),
            "registry=https://user.example/npm\n@team:registry = \"https://team.example\" \n\
             //user.example/npm/:_authToken=${TOKEN}\n; a comment\n//team.example/:username=me\n\
             //team.example/:_password=c2VjcmV0 # trailing\nstrict-ssl=false\n",
        )
        .unwrap();
        let settings = Npmrc::read(&user(place.path(), &[("TOKEN", "t0k")])).unwrap();
        let (registries, credentials) = settings.registries().unwrap();
        assert_eq!(
            registries.of(&name("left-pad")).as_str(),
            "https://user.example/npm/"
        );
        assert_eq!(
            registries.of(&name("@team/x")).as_str(),
            "https://team.example/"
        );
        assert_eq!(
            header(&credentials, "https://user.example/npm/left-pad").as_deref(),
            Some("Bearer t0k")
        );
        assert_eq!(
            header(&credentials, "https://team.example/x").as_deref(),
            Some("Basic bWU6c2VjcmV0")
        );
        assert_eq!(header(&credentials, "https://user.example/other"), None);
        assert!(settings.accepts_any_certificate());

        fs_err::write(
            place.path().join("project/.npmrc"),
            "registry=https://project.example/\n",
        )
        .unwrap();
        let settings = Npmrc::read(&user(place.path(), &[])).unwrap();
        let (registries, _) = settings.registries().unwrap();
        assert_eq!(
            registries.of(&name("left-pad")).as_str(),
            "https://project.example/"
        );
        let settings = Npmrc::read(&user(
            place.path(),
            &[("NPM_CONFIG_REGISTRY", "https://variable.example/")],
        ))
        .unwrap();
        let (registries, _) = settings.registries().unwrap();
        assert_eq!(
            registries.of(&name("left-pad")).as_str(),
            "https://variable.example/"
        );
    }

    #[test]
    fn without_settings_the_public_registry_serves_all() {
        let place = tempfile::tempdir().unwrap();
        let settings = Npmrc::read(&user(place.path(), &[])).unwrap();
        let (registries, _) = settings.registries().unwrap();
        assert_eq!(registries.of(&name("@any/x")).as_str(), PUBLIC);
    }

    #[test]
    fn a_registry_that_is_no_url_is_named() {
        let place = tempfile::tempdir().unwrap();
        for bad in ["file:///etc", "not a url", "ftp://x"] {
            let settings =
                Npmrc::read(&user(place.path(), &[("npm_config_registry", bad)])).unwrap();
            let error = settings.registries().unwrap_err();
            assert!(
                matches!(&error, FetchError::Configuration { origin, .. } if origin == "npm setting registry"),
                "{error}"
            );
        }
    }

    #[test]
    fn variables_are_expanded_as_npm_does() {
        let place = tempfile::tempdir().unwrap();
        let user = user(place.path(), &[("A", "1")]);
        for (text, expect) in [
            ("${A}", "1"),
            ("x${A}y${A}", "x1y1"),
            ("${B}", "${B}"),
            ("${B?}", ""),
            ("${A", "${A"),
            ("$A", "$A"),
        ] {
            assert_eq!(expand(text, &user), expect, "{text}");
        }
    }

    #[test]
    fn lists_and_quotes_are_understood() {
        let place = tempfile::tempdir().unwrap();
        let user = user(place.path(), &[]);
        let parsed = parse("ca[]=\"one\"\nca[]=\"two\"\nflag\nx='a;b'\n", &user);
        let expect = [("ca", "one\ntwo"), ("flag", "true"), ("x", "a;b")];
        let expect: Vec<(String, String)> = expect
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        assert_eq!(parsed, expect);
    }

    #[test]
    fn large_files_take_no_longer_than_their_size() {
        let place = tempfile::tempdir().unwrap();
        let user = user(place.path(), &[]);
        let open = "${".repeat(1 << 20);
        assert_eq!(expand(&open, &user), open);
        let many: String = (0..100_000).map(|at| format!("k{at}=1\n")).collect();
        assert_eq!(parse(&many, &user).len(), 100_000);
    }

    proptest! {
        #[test]
        fn no_file_panics_and_the_last_word_counts(
            any: String,
            shaped in "(registry|@s:registry|//x\\.example/:(_authToken|_auth|username|_password)|ca\\[\\]|=|\n| |[;#\"'\\[\\]]|https://x\\.example(/y)?|\\$\\{(A\\??\\})?|é){0,20}",
        ) {
            let user = user(Path::new("/nowhere"), &[("A", "1")]);
            for text in [any, shaped] {
                let settings = parse(&text, &user);
                let keys: std::collections::BTreeSet<&String> = settings.iter().map(|(key, _)| key).collect();
                prop_assert_eq!(keys.len(), settings.len());
                let overridden = parse(&format!("{text}\nregistry = https://last.example"), &user);
                prop_assert!(overridden.contains(&("registry".to_owned(), "https://last.example".to_owned())));
                let settings = Npmrc(settings.into_iter().collect());
                if let Ok((registries, _)) = settings.registries() {
                    for registry in registries.all() {
                        prop_assert!(matches!(registry.scheme(), "https" | "http") && registry.path().ends_with('/'));
                        prop_assert!(registry.username().is_empty() && registry.password().is_none());
                    }
                }
            }
        }
    }
}
