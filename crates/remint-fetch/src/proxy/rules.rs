//! What a build may have: the lockfile's files with the lockfile's digests, never the published file. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use remint_model::{Ecosystem, EntryPath, Integrity, Lock, LockedFetch, PackageName};
use url::Url;

use crate::digests::Digests;
use crate::proxy::Withheld;
use crate::proxy::address::{self, Asked, Known, PythonFile};
use crate::registry::Registries;
use crate::registry::simple::split_file_name;

/// Why a request is refused; the words of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotARegistry,
    Method,
    NotInLockfile,
    DigestMismatch,
    PublishedFile,
    Audit,
    UpdateCheck,
    UnknownEndpoint,
    OverBudget,
}

impl Refusal {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::NotARegistry => "not-a-registry",
            Self::Method => "method",
            Self::NotInLockfile => "not-in-lockfile",
            Self::DigestMismatch => "digest-mismatch",
            Self::PublishedFile => "published-file",
            Self::Audit => "audit",
            Self::UpdateCheck => "update-check",
            Self::UnknownEndpoint => "unknown-endpoint",
            Self::OverBudget => "over-budget",
        }
    }
}

/// Clients look up themselves, unasked, to say that there is a newer version.
const CLIENTS: &[&str] = &[
    "npm",
    "pnpm",
    "@pnpm/exe",
    "yarn",
    "@yarnpkg/cli",
    "bun",
    "corepack",
];

/// The digests that a file may have; none means that the lockfile does not say.
pub(super) type Digested = Vec<Integrity>;

/// The rules of one build.
#[derive(Debug)]
pub(super) struct Rules {
    scope: Scope,
    withheld: Option<Withheld>,
    known: Vec<Known>,
}

#[derive(Debug)]
enum Scope {
    Nothing,
    Locked(Locked),
    Anything { as_of: Option<i64> },
}

#[derive(Debug)]
struct Locked {
    ecosystem: Ecosystem,
    packages: BTreeMap<String, Vec<LockedFetch>>,
    /// Hosts that are no registry we know, and whose files the lockfile pins by digest.
    hosts: BTreeSet<(String, u16)>,
    /// By address without query and fragment.
    addresses: BTreeMap<String, LockedFetch>,
}

impl Rules {
    pub(super) fn new(lock: &Lock, withheld: Option<Withheld>, registries: &Registries) -> Self {
        let npm = registries
            .npm_registries
            .all()
            .map(|url| (Ecosystem::Npm, url));
        let python = registries
            .indexes
            .simple
            .iter()
            .map(|url| (Ecosystem::Pypi, url));
        let known = npm
            .chain(python)
            .map(|(ecosystem, url)| Known {
                ecosystem,
                url: url.clone(),
            })
            .collect();
        Self::with(lock, withheld, known)
    }

    pub(super) fn with(lock: &Lock, withheld: Option<Withheld>, known: Vec<Known>) -> Self {
        let scope = match lock {
            // Modules are fetched before the first step.
            Lock::Nothing | Lock::Modules(_) => Scope::Nothing,
            Lock::Locked { file, fetches } => Scope::Locked(Locked::new(file, fetches, &known)),
            Lock::Opaque { .. } => Scope::Anything { as_of: None },
            Lock::AsOf { time } => Scope::Anything { as_of: *time },
        };
        Self {
            scope,
            withheld,
            known,
        }
    }

    /// Whether a connection to this host is taken up.
    pub(super) fn connects(&self, host: &str, port: u16) -> bool {
        address::is_registry(host, port, &self.known)
            || match &self.scope {
                Scope::Locked(locked) => locked.hosts.contains(&(host.to_owned(), port)),
                Scope::Nothing | Scope::Anything { .. } => false,
            }
    }

    /// Whether no TLS is spoken there: the port of http, or a registry that is configured without.
    pub(super) fn is_plain(&self, host: &str, port: u16) -> bool {
        port == 80
            || self.known.iter().any(|known| {
                known.url.scheme() == "http"
                    && known.url.host_str() == Some(host)
                    && known.url.port_or_known_default() == Some(port)
            })
    }

    /// What an address means, lockfile addresses of foreign hosts included.
    pub(super) fn asked(&self, url: &Url) -> Asked {
        let asked = address::asked(url, &self.known);
        match (&asked, &self.scope) {
            (Asked::Unknown | Asked::Elsewhere, Scope::Locked(locked)) => locked
                .addresses
                .get(&plain_address(url))
                .and_then(|fetch| locked.meaning(fetch, url))
                .unwrap_or(asked),
            _ => asked,
        }
    }

    /// Whether what is asked for is at least on a host that stands for a registry.
    pub(super) fn is_foreign(&self, url: &Url) -> bool {
        matches!(address::asked(url, &self.known), Asked::Elsewhere)
    }

    /// The moment whose state of the registries is shown.
    pub(super) const fn as_of(&self) -> Option<i64> {
        match self.scope {
            Scope::Anything { as_of } => as_of,
            Scope::Nothing | Scope::Locked(_) => None,
        }
    }

    /// Whether metadata of this package may be passed on.
    pub(super) fn metadata(&self, ecosystem: Ecosystem, name: &PackageName) -> Result<(), Refusal> {
        match &self.scope {
            Scope::Anything { .. } => Ok(()),
            Scope::Locked(locked)
                if locked.ecosystem == ecosystem
                    && locked
                        .packages
                        .contains_key(&*key(ecosystem, name.as_str())) =>
            {
                Ok(())
            }
            Scope::Locked(_) | Scope::Nothing
                if ecosystem == Ecosystem::Npm && CLIENTS.contains(&name.as_str()) =>
            {
                Err(Refusal::UpdateCheck)
            }
            Scope::Locked(_) | Scope::Nothing => Err(Refusal::NotInLockfile),
        }
    }

    /// Whether an npm tarball may be passed on, and with which digests.
    pub(super) fn tarball(
        &self,
        name: &PackageName,
        file: &str,
        url: &Url,
    ) -> Result<Digested, Refusal> {
        if let Some(version) = address::tarball_version(name, file)
            && self.withholds(Ecosystem::Npm, name, version.as_str())
        {
            return Err(Refusal::PublishedFile);
        }
        let locked = match &self.scope {
            Scope::Nothing => return Err(Refusal::NotInLockfile),
            Scope::Anything { .. } => return Ok(Vec::new()),
            Scope::Locked(locked) => locked,
        };
        locked.digests(Ecosystem::Npm, name, url, |fetch| {
            address::tarball_version(name, file)
                .is_some_and(|version| same_npm(version.as_str(), &fetch.version))
        })
    }

    /// Whether a Python file may be passed on, and with which digests.
    pub(super) fn python_file(&self, file: &PythonFile, url: &Url) -> Result<Digested, Refusal> {
        if self.withholds(Ecosystem::Pypi, &file.project, &file.version) {
            return Err(Refusal::PublishedFile);
        }
        let locked = match &self.scope {
            Scope::Nothing => return Err(Refusal::NotInLockfile),
            Scope::Anything { .. } => return Ok(Vec::new()),
            Scope::Locked(locked) => locked,
        };
        let digests = locked.digests(Ecosystem::Pypi, &file.project, url, |fetch| {
            let named = fetch.url.as_deref().map(|url| {
                let path = url.split(['#', '?']).next().unwrap_or(url);
                path.rsplit('/').next().unwrap_or(path).to_owned()
            });
            match named {
                // A lockfile that lists files means these files, not others of the same version.
                Some(named) if split_file_name(&named).is_some() => named == file.name,
                Some(_) | None => same_python(&file.version, &fetch.version),
            }
        })?;
        // The lockfile's digest is that of the file, not of its metadata.
        Ok(if file.metadata { Vec::new() } else { digests })
    }

    /// Whether a crate may be passed on, whose digest the index states. What is rebuilt as a crate is only packed, and
    /// that needs none; Python projects compile them.
    pub(super) fn crate_file(&self, name: &PackageName, version: &str) -> Result<(), Refusal> {
        if self.withholds(Ecosystem::Cargo, name, version) {
            return Err(Refusal::PublishedFile);
        }
        let packs_a_crate = self
            .withheld
            .as_ref()
            .is_some_and(|withheld| withheld.target.ecosystem == Ecosystem::Cargo);
        match &self.scope {
            Scope::Anything { .. } if !packs_a_crate => Ok(()),
            Scope::Anything { .. } | Scope::Locked(_) | Scope::Nothing => {
                Err(Refusal::NotInLockfile)
            }
        }
    }

    /// Whether this version is the published one.
    pub(super) fn withholds(
        &self,
        ecosystem: Ecosystem,
        name: &PackageName,
        version: &str,
    ) -> bool {
        self.withheld.as_ref().is_some_and(|withheld| {
            let target = &withheld.target;
            let same = match ecosystem {
                Ecosystem::Npm => same_npm,
                Ecosystem::Pypi => same_python,
                Ecosystem::Cargo => same_cargo,
                // No registry serves a bundle, so none can hand it to its own build; a module is not built from its zip.
                Ecosystem::Mcpb | Ecosystem::Golang => return false,
            };
            target.ecosystem == ecosystem
                && key(ecosystem, target.name.as_str()) == key(ecosystem, name.as_str())
                && same(target.version.as_str(), version)
        })
    }

    /// Whether these bytes are the published file, under whatever name.
    pub(super) fn is_published(&self, digests: &Digests) -> bool {
        self.withheld
            .as_ref()
            .is_some_and(|withheld| withheld.sha256 == digests.sha256)
    }

    /// Whether a digest that a lockfile demands is that of the published file.
    pub(super) fn demands_published(&self, integrity: &Integrity) -> bool {
        self.withheld
            .as_ref()
            .is_some_and(|withheld| match integrity {
                Integrity::Sha512(digest) => withheld.sha512 == *digest,
                Integrity::Sha256(digest) => withheld.sha256 == *digest,
                Integrity::Sha1(_) => false,
            })
    }
}

impl Locked {
    fn new(file: &EntryPath, fetches: &[LockedFetch], known: &[Known]) -> Self {
        let ecosystem = ecosystem_of(file);
        let mut locked = Self {
            ecosystem,
            packages: BTreeMap::new(),
            hosts: BTreeSet::new(),
            addresses: BTreeMap::new(),
        };
        for fetch in fetches {
            let Ok(name) = PackageName::parse(ecosystem, &fetch.name) else {
                continue;
            };
            locked
                .packages
                .entry(key(ecosystem, name.as_str()).into_owned())
                .or_default()
                .push(fetch.clone());
            let Some(url) = fetch.url.as_deref().and_then(|url| url.parse::<Url>().ok()) else {
                continue;
            };
            locked
                .addresses
                .entry(plain_address(&url))
                .or_insert_with(|| fetch.clone());
            let strong = matches!(
                fetch.integrity,
                Some(Integrity::Sha512(_) | Integrity::Sha256(_))
            );
            if let (true, Some(host), Some(port)) =
                (strong, url.host_str(), url.port_or_known_default())
                && !address::is_registry(host, port, known)
            {
                locked.hosts.insert((host.to_owned(), port));
            }
        }
        locked
    }

    /// What the lockfile says that an address is, wherever it points.
    fn meaning(&self, fetch: &LockedFetch, url: &Url) -> Option<Asked> {
        let strong = matches!(
            fetch.integrity,
            Some(Integrity::Sha512(_) | Integrity::Sha256(_))
        );
        if !strong {
            return None;
        }
        let name = PackageName::parse(self.ecosystem, &fetch.name).ok()?;
        match self.ecosystem {
            Ecosystem::Mcpb | Ecosystem::Golang => None,
            Ecosystem::Npm => {
                let file = format!("{}-{}.tgz", name.unscoped(), fetch.version);
                Some(Asked::Tarball(name, file))
            }
            Ecosystem::Pypi => {
                let file = url.path().rsplit('/').next()?.to_owned();
                Some(Asked::PythonFile(PythonFile {
                    project: name,
                    version: fetch.version.clone(),
                    name: file,
                    metadata: false,
                    path: None,
                }))
            }
            // Packing takes no files.
            Ecosystem::Cargo => None,
        }
    }

    fn digests(
        &self,
        ecosystem: Ecosystem,
        name: &PackageName,
        url: &Url,
        fits: impl Fn(&LockedFetch) -> bool,
    ) -> Result<Digested, Refusal> {
        if self.ecosystem != ecosystem {
            return Err(Refusal::NotInLockfile);
        }
        let address = plain_address(url);
        let listed = self
            .packages
            .get(name.as_str())
            .map_or(&[][..], Vec::as_slice);
        let by_address = |fetch: &&LockedFetch| {
            fetch
                .url
                .as_deref()
                .and_then(|url| url.parse().ok())
                .is_some_and(|url| plain_address(&url) == address)
        };
        let exact: Vec<&LockedFetch> = listed.iter().filter(by_address).collect();
        let meant = if exact.is_empty() {
            listed.iter().filter(|fetch| fits(fetch)).collect()
        } else {
            exact
        };
        if meant.is_empty() {
            return Err(Refusal::NotInLockfile);
        }
        let mut digests: Digested = Vec::new();
        for fetch in meant {
            match &fetch.integrity {
                Some(integrity) if !digests.contains(integrity) => digests.push(integrity.clone()),
                Some(_) | None => {}
            }
        }
        Ok(digests)
    }
}

/// Whose packages a lockfile lists, by its name.
fn ecosystem_of(file: &EntryPath) -> Ecosystem {
    let name = file.file_name();
    let python = matches!(
        name,
        "uv.lock" | "poetry.lock" | "pdm.lock" | "Pipfile.lock" | "pixi.lock"
    ) || name.starts_with("pylock.")
        || name.ends_with(".txt");
    if name == "Cargo.lock" {
        Ecosystem::Cargo
    } else if python {
        Ecosystem::Pypi
    } else {
        Ecosystem::Npm
    }
}

/// The name by which a lockfile's packages are looked up: the addresses of cargo's index have lower case alone.
fn key(ecosystem: Ecosystem, name: &str) -> Cow<'_, str> {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Mcpb | Ecosystem::Golang => {
            Cow::Borrowed(name)
        }
        Ecosystem::Cargo => Cow::Owned(name.to_ascii_lowercase()),
    }
}

/// An address without what does not identify a file; http and https mean the same registry.
fn plain_address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
    format!("{host}{port}{path}")
}

fn same_npm(one: &str, other: &str) -> bool {
    // Build metadata is no part of a version in a registry.
    let plain = |text: &str| text.split('+').next().unwrap_or(text).to_owned();
    plain(one) == plain(other)
}

/// Versions that differ in build metadata alone cannot both be published.
fn same_cargo(one: &str, other: &str) -> bool {
    same_npm(one, other)
}

fn same_python(one: &str, other: &str) -> bool {
    let version = |text: &str| text.replace('_', "+").parse::<pep440_rs::Version>().ok();
    one == other
        || matches!((version(one), version(other)), (Some(one), Some(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::{Sha256, Sha512, Target};

    use super::*;

    fn npm(text: &str) -> PackageName {
        PackageName::parse(Ecosystem::Npm, text).unwrap()
    }

    fn fetch(name: &str, version: &str, url: Option<&str>, content: Option<&[u8]>) -> LockedFetch {
        LockedFetch {
            name: name.to_owned(),
            version: version.to_owned(),
            url: url.map(str::to_owned),
            integrity: content.map(|content| Integrity::Sha512(Sha512::of(content))),
        }
    }

    fn locked(file: &str, fetches: Vec<LockedFetch>) -> Rules {
        let target = Target {
            ecosystem: Ecosystem::Npm,
            name: npm("published"),
            version: "1.0.0".parse().unwrap(),
            file: None,
        };
        let withheld = Withheld {
            target,
            sha256: Sha256::of(b"published"),
            sha512: Sha512::of(b"published"),
            size: 9,
        };
        let file = file.parse().unwrap();
        Rules::with(&Lock::Locked { file, fetches }, Some(withheld), Vec::new())
    }

    #[test]
    fn only_listed_files_pass_and_with_listed_digests_only() {
        let rules = locked(
            "package-lock.json",
            vec![
                fetch(
                    "left-pad",
                    "1.3.0",
                    Some("https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz"),
                    Some(b"x"),
                ),
                fetch(
                    "odd",
                    "1.0.0",
                    Some("https://registry.npmjs.org/odd/-/strange-name.tgz"),
                    Some(b"o"),
                ),
                fetch("bare", "2.0.0", None, None),
                fetch("published", "0.9.0", None, None),
                fetch("published", "1.0.0", None, None),
            ],
        );
        let check = |name: &str, file: &str, expect: Result<usize, Refusal>| {
            let url = format!("https://registry.npmjs.org/{name}/-/{file}")
                .parse()
                .unwrap();
            let found = rules
                .tarball(&npm(name), file, &url)
                .map(|digests| digests.len());
            assert_eq!(found, expect, "{file}");
        };
        check("left-pad", "left-pad-1.3.0.tgz", Ok(1));
        check(
            "left-pad",
            "left-pad-1.3.1.tgz",
            Err(Refusal::NotInLockfile),
        );
        check(
            "right-pad",
            "right-pad-1.3.0.tgz",
            Err(Refusal::NotInLockfile),
        );
        check("odd", "strange-name.tgz", Ok(1));
        check("odd", "stranger-name.tgz", Err(Refusal::NotInLockfile));
        check("bare", "bare-2.0.0.tgz", Ok(0));
        check("published", "published-0.9.0.tgz", Ok(0));
        check(
            "published",
            "published-1.0.0.tgz",
            Err(Refusal::PublishedFile),
        );
        assert_eq!(rules.metadata(Ecosystem::Npm, &npm("left-pad")), Ok(()));
        assert_eq!(
            rules.metadata(Ecosystem::Npm, &npm("right-pad")),
            Err(Refusal::NotInLockfile)
        );
        assert_eq!(
            rules.metadata(Ecosystem::Npm, &npm("npm")),
            Err(Refusal::UpdateCheck)
        );
        let python = PackageName::parse(Ecosystem::Pypi, "left-pad").unwrap();
        assert_eq!(
            rules.metadata(Ecosystem::Pypi, &python),
            Err(Refusal::NotInLockfile)
        );
    }

    #[test]
    fn a_foreign_host_counts_only_where_a_digest_pins_its_file() {
        let rules = locked(
            "yarn.lock",
            vec![
                fetch(
                    "a",
                    "1.0.0",
                    Some("https://mirror.example/a-1.0.0.tgz"),
                    Some(b"a"),
                ),
                fetch("b", "1.0.0", Some("https://weak.example/b-1.0.0.tgz"), None),
            ],
        );
        assert!(rules.connects("mirror.example", 443));
        assert!(!rules.connects("mirror.example", 80));
        assert!(!rules.connects("weak.example", 443));
        let asked = |url: &str| rules.asked(&url.parse().unwrap());
        assert_eq!(
            asked("https://mirror.example/a-1.0.0.tgz"),
            Asked::Tarball(npm("a"), "a-1.0.0.tgz".to_owned())
        );
        assert_eq!(asked("https://mirror.example/other.tgz"), Asked::Elsewhere);
        assert_eq!(asked("https://weak.example/b-1.0.0.tgz"), Asked::Elsewhere);
    }

    #[test]
    fn python_files_are_matched_by_name_where_the_lockfile_names_them() {
        let wheel = "mcp_x-1.0-py3-none-any.whl";
        let rules = locked(
            "uv.lock",
            vec![
                fetch(
                    "mcp-x",
                    "1.0",
                    Some(&format!(
                        "https://files.pythonhosted.org/packages/aa/bb/cc/{wheel}"
                    )),
                    Some(b"w"),
                ),
                fetch("Bare_Name", "2.0.0", None, None),
            ],
        );
        let check = |project: &str, version: &str, name: &str, expect: Result<usize, Refusal>| {
            let file = PythonFile {
                project: PackageName::parse(Ecosystem::Pypi, project).unwrap(),
                version: version.to_owned(),
                name: name.to_owned(),
                metadata: false,
                path: None,
            };
            let url = format!("https://files.pythonhosted.org/packages/by-name/{name}")
                .parse()
                .unwrap();
            let found = rules.python_file(&file, &url).map(|digests| digests.len());
            assert_eq!(found, expect, "{name}");
        };
        check("mcp-x", "1.0", wheel, Ok(1));
        check(
            "mcp-x",
            "1.0",
            "mcp_x-1.0.tar.gz",
            Err(Refusal::NotInLockfile),
        );
        check("bare-name", "2.0", "bare_name-2.0.tar.gz", Ok(0));
        check(
            "bare-name",
            "2.1",
            "bare_name-2.1.tar.gz",
            Err(Refusal::NotInLockfile),
        );
    }

    #[test]
    fn nothing_means_nothing() {
        let rules = Rules::with(&Lock::Nothing, None, Vec::new());
        let url = "https://registry.npmjs.org/a/-/a-1.0.0.tgz"
            .parse()
            .unwrap();
        assert_eq!(
            rules.tarball(&npm("a"), "a-1.0.0.tgz", &url),
            Err(Refusal::NotInLockfile)
        );
        assert_eq!(
            rules.metadata(Ecosystem::Npm, &npm("a")),
            Err(Refusal::NotInLockfile)
        );
    }

    proptest! {
        #[test]
        fn no_lockfile_lets_the_published_file_or_an_unlisted_one_through(
            name in "published|other|@s/x|\\PC{0,4}",
            version in "1\\.0\\.0(\\+[a-z])?|[0-9]\\.0\\.[0-9]|\\PC{0,4}",
            url in prop::option::of("(https?|file)://(registry\\.npmjs\\.org|x\\.example)(:[0-9]{1,3})?/(@s/x|published|-|[a-z0-9.]{1,4}|/|%2f){0,6}"),
            strong: bool,
            file in prop::sample::select(vec!["package-lock.json", "uv.lock", "requirements.txt"]),
            asked in "https?://(registry\\.npmjs\\.org|files\\.pythonhosted\\.org|x\\.example)/(published|other|/-/|/|packages|-1\\.0\\.0|%2f){0,6}(\\.tgz|\\.tar\\.gz)?",
        ) {
            let rules = locked(file, vec![fetch(&name, &version, url.as_deref(), strong.then_some(b"x"))]);
            let address: Url = asked.parse().unwrap();
            let what = rules.asked(&address);
            if let Asked::Tarball(name, file) = &what {
                let passed = rules.tarball(name, file, &address);
                let published = address::tarball_version(name, file)
                    .is_some_and(|version| rules.withholds(Ecosystem::Npm, name, version.as_str()));
                if published {
                    prop_assert_eq!(passed, Err(Refusal::PublishedFile));
                } else if passed.is_ok() {
                    prop_assert_eq!(rules.metadata(Ecosystem::Npm, name), Ok(()));
                }
            }
            if let Asked::PythonFile(file) = &what
                && rules.python_file(file, &address).is_ok()
            {
                prop_assert_eq!(rules.metadata(Ecosystem::Pypi, &file.project), Ok(()));
            }
        }
    }
}
