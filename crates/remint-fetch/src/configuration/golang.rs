//! Which module proxies and which checksum database the user's go has: variables, then the file that `go env -w`
//! writes (`go help environment`, Go modules reference, "Environment variables").
//!
//! What loosens go's checks (`GOINSECURE`, `GOFLAGS=-insecure`) is not followed.

use std::collections::BTreeMap;

use remint_ecosystem::golang::matches_any;
use url::Url;

use crate::configuration::UserConfiguration;
use crate::configuration::credentials::{Credentials, split_user};
use crate::configuration::files::read_optional;
use crate::error::FetchError;

/// What go asks when nothing else is configured.
const PROXIES: &str = "https://proxy.golang.org,direct";
const DATABASE: &str = "sum.golang.org";
/// The key of the public database, which go has built in.
const DATABASE_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
/// Another address of the same database.
const DATABASE_ALIAS: &str = "sum.golang.google.cn";
/// Nobody lists more proxies.
const MOST_PROXIES: usize = 32;

/// How modules are asked for.
#[derive(Debug, Clone)]
pub(crate) struct GoSettings {
    /// In the order in which they are asked.
    pub(crate) proxies: Vec<Step>,
    /// Modules that no proxy is asked for.
    no_proxy: String,
    /// The checksum database; an `Err` says why none is asked.
    pub(crate) database: Result<Database, String>,
    /// Modules that it is not asked for.
    no_database: String,
}

/// One entry of `GOPROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) way: Way,
    /// Whether the next one is asked whatever goes wrong (`|`), not only where this one lacks the module (`,`).
    pub(crate) on_any_error: bool,
}

/// Where modules come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// A proxy; its URL ends with a slash.
    Proxy(Url),
    /// The repository itself: nobody publishes a zip.
    Direct,
    /// Nowhere.
    Off,
    /// An address that is not asked, and why.
    Unusable(String),
}

/// A checksum database and the key it signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) name: String,
    /// `name+hash+key` (`golang.org/x/mod/sumdb/note`).
    pub(crate) key: String,
    /// Where it is, unless a proxy serves it; ends with a slash.
    pub(crate) url: Url,
}

impl GoSettings {
    /// The ways for a module; none where it is private.
    pub(crate) fn ways(&self, module: &str) -> &[Step] {
        if matches_any(&self.no_proxy, module) {
            &[]
        } else {
            &self.proxies
        }
    }

    /// The database for a module, or why none is asked.
    pub(crate) fn database_for(&self, module: &str) -> Result<&Database, String> {
        if matches_any(&self.no_database, module) {
            return Err("GONOSUMDB or GOPRIVATE exempts this module".to_owned());
        }
        self.database.as_ref().map_err(Clone::clone)
    }
}

/// Reads all of it.
pub(crate) fn read(user: &UserConfiguration) -> Result<(GoSettings, Credentials), FetchError> {
    let written = file(user)?;
    let setting = |name: &str| -> String {
        user.variable(name)
            .or_else(|| written.get(name).map(String::as_str))
            .unwrap_or_default()
            .to_owned()
    };
    let or = |value: String, other: &str| {
        if value.trim().is_empty() {
            other.to_owned()
        } else {
            value
        }
    };
    let private = setting("GOPRIVATE");
    let mut credentials = Credentials::default();
    let proxies = steps(&or(setting("GOPROXY"), PROXIES), &mut credentials);
    Ok((
        GoSettings {
            proxies,
            no_proxy: or(setting("GONOPROXY"), &private),
            database: database(&or(setting("GOSUMDB"), DATABASE)),
            no_database: or(setting("GONOSUMDB"), &private),
        },
        credentials,
    ))
}

/// What `go env -w` wrote: `GOENV` names the file, or says `off`.
fn file(user: &UserConfiguration) -> Result<BTreeMap<String, String>, FetchError> {
    let path = match user.variable("GOENV") {
        Some("off") => None,
        Some(path) => Some(user.path(path)),
        None => directory(user).map(|directory| directory.join("go").join("env")),
    };
    let text = match path {
        Some(path) => read_optional(&path)?.unwrap_or_default(),
        None => String::new(),
    };
    Ok(text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// Go's `os.UserConfigDir`.
fn directory(user: &UserConfiguration) -> Option<std::path::PathBuf> {
    if cfg!(target_os = "macos") {
        user.home
            .as_ref()
            .map(|home| home.join("Library/Application Support"))
    } else if cfg!(windows) {
        user.variable("AppData").map(std::path::PathBuf::from)
    } else {
        user.settings_directory()
    }
}

fn steps(text: &str, credentials: &mut Credentials) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && steps.len() < MOST_PROXIES {
        let end = rest.find([',', '|']).unwrap_or(rest.len());
        let (entry, after) = rest.split_at(end);
        let on_any_error = after.starts_with('|');
        rest = after.get(1..).unwrap_or_default();
        let way = match entry.trim() {
            "" => continue,
            "direct" => Way::Direct,
            "off" => Way::Off,
            address => proxy(address, credentials),
        };
        let ends = matches!(way, Way::Direct | Way::Off);
        steps.push(Step { way, on_any_error });
        if ends {
            break;
        }
    }
    steps
}

fn proxy(address: &str, credentials: &mut Credentials) -> Way {
    // Go takes a name without a scheme for https.
    let address = if address.contains(":/") {
        address.to_owned()
    } else {
        format!("https://{address}")
    };
    let Ok(mut url) = address.parse::<Url>() else {
        return Way::Unusable("an entry of GOPROXY is no address".to_owned());
    };
    if !matches!(url.scheme(), "https" | "http") {
        return Way::Unusable(format!("a proxy by `{}:` is not asked", url.scheme()));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    let (url, own) = split_user(url);
    if let Some(own) = own {
        credentials.add(&url, own);
    }
    Way::Proxy(url)
}

/// `off`, a name that go knows, or a key; then perhaps an address.
fn database(text: &str) -> Result<Database, String> {
    let mut fields = text.split_whitespace();
    let (key, address) = (fields.next().unwrap_or_default(), fields.next());
    if key == "off" {
        return Err("GOSUMDB is off".to_owned());
    }
    let (key, default) = match key {
        DATABASE => (DATABASE_KEY, DATABASE),
        DATABASE_ALIAS => (DATABASE_KEY, DATABASE_ALIAS),
        key => (key, key.split('+').next().unwrap_or_default()),
    };
    let name = key.split('+').next().unwrap_or_default();
    if key.splitn(3, '+').count() != 3 || name.is_empty() {
        return Err("GOSUMDB names a database whose key is not known".to_owned());
    }
    let address = address.map_or_else(|| format!("https://{default}"), str::to_owned);
    let mut url: Url = address
        .parse()
        .map_err(|error| format!("the address in GOSUMDB cannot be used: {error}"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err("the address in GOSUMDB cannot be used".to_owned());
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(Database {
        name: name.to_owned(),
        key: key.to_owned(),
        url: split_user(url).0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)], file: Option<&str>) -> GoSettings {
        let home = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            let directory = home.path().join("settings").join("go");
            fs_err::create_dir_all(&directory).unwrap();
            fs_err::write(directory.join("env"), text).unwrap();
        }
        let mut all: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let directory = home.path().join("settings").display().to_string();
        all.insert("XDG_CONFIG_HOME".to_owned(), directory);
        let user = UserConfiguration {
            home: Some(home.path().to_owned()),
            directory: home.path().to_owned(),
            variables: all,
            cache: home.path().join("cache"),
            offline: false,
        };
        read(&user).unwrap().0
    }

    fn shown(settings: &GoSettings, module: &str) -> Vec<String> {
        settings
            .ways(module)
            .iter()
            .map(|step| {
                let way = match &step.way {
                    Way::Proxy(url) => url.to_string(),
                    Way::Direct => "direct".to_owned(),
                    Way::Off => "off".to_owned(),
                    Way::Unusable(why) => why.clone(),
                };
                format!("{way}{}", if step.on_any_error { " |" } else { "" })
            })
            .collect()
    }

    #[test]
    fn what_nobody_set_is_the_public_proxy_and_database() {
        let settings = settings(&[], None);
        assert_eq!(
            shown(&settings, "example.org/x"),
            ["https://proxy.golang.org/", "direct"]
        );
        let database = settings.database_for("example.org/x").unwrap();
        assert_eq!(database.name, "sum.golang.org");
        assert_eq!(database.key, DATABASE_KEY);
        assert_eq!(database.url.as_str(), "https://sum.golang.org/");
    }

    #[cfg(not(any(target_os = "macos", windows)))]
    #[test]
    fn variables_come_before_the_file() {
        let file = "# written\nGOPROXY=https://a.example/go|b.example,off\nGOSUMDB=off\nGOPRIVATE=*.corp.example\n";
        let written = settings(&[], Some(file));
        assert_eq!(
            shown(&written, "example.org/x"),
            ["https://a.example/go/ |", "https://b.example/", "off"]
        );
        assert!(shown(&written, "git.corp.example/x").is_empty());
        assert!(written.database_for("example.org/x").is_err());
        let set = [("GOPROXY", "https://c.example"), ("GONOPROXY", "none")];
        let set = settings(&set, Some(file));
        assert_eq!(shown(&set, "git.corp.example/x"), ["https://c.example/"]);
        let other = settings(&[("GOENV", "off")], Some(file));
        assert_eq!(shown(&other, "x.org/x").len(), 2);
    }

    #[test]
    fn what_follows_direct_is_never_asked_and_files_are_not() {
        let settings = settings(
            &[("GOPROXY", "file:///srv/go,direct,https://a.example")],
            None,
        );
        assert_eq!(
            shown(&settings, "example.org/x"),
            ["a proxy by `file:` is not asked", "direct"]
        );
    }

    #[test]
    fn another_database_is_known_by_its_key() {
        let key = "sum.example+12345678+AbCdEf";
        let named = database(&format!("{key} https://mirror.example/sum")).unwrap();
        assert_eq!(named.name, "sum.example");
        assert_eq!(named.url.as_str(), "https://mirror.example/sum/");
        assert_eq!(database(key).unwrap().url.as_str(), "https://sum.example/");
        let mirror = database("sum.golang.google.cn").unwrap();
        assert_eq!(mirror.name, "sum.golang.org");
        assert_eq!(mirror.url.as_str(), "https://sum.golang.google.cn/");
        for text in ["off", "sum.example", "a+b", &format!("{key} file:///x")] {
            assert!(database(text).is_err(), "{text}");
        }
    }
}
