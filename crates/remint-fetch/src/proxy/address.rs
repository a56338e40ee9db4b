//! What an address inside the sandbox means. Pure: an address in, a meaning out.

use remint_ecosystem::cargo::locate::index_path;
use remint_model::{Ecosystem, PackageName, Version};
use url::Url;

use crate::registry::simple::split_file_name;

/// Hosts of npm's public registry, and public mirrors that lockfiles name in its place. What they name is fetched
/// from the user's registry and held against the lockfile's digest.
const NPM_HOSTS: &[&str] = &[
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "registry.npmjs.com",
    "registry.npmmirror.com",
    "cdn.npmmirror.com",
    "registry.npm.taobao.org",
    "registry.nlark.com",
    "r.cnpmjs.org",
    "mirrors.cloud.tencent.com",
    "mirrors.tencent.com",
    "mirrors.huaweicloud.com",
    "repo.huaweicloud.com",
    "npm.aliyun.com",
    "npmreg.proxy.ustclug.org",
];

/// The same for PyPI.
const PYTHON_HOSTS: &[&str] = &[
    "pypi.org",
    "files.pythonhosted.org",
    "pypi.python.org",
    "pypi.io",
    "pypi.tuna.tsinghua.edu.cn",
    "mirrors.aliyun.com",
    "pypi.doubanio.com",
    "pypi.mirrors.ustc.edu.cn",
    "mirrors.bfsu.edu.cn",
];

/// The index of crates.io, which is what cargo asks inside, whatever the user has in its place.
const CARGO_HOSTS: &[&str] = &["index.crates.io"];

/// Where that index says that its files are.
const CRATE_HOSTS: &[&str] = &["static.crates.io"];

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// An npm package's metadata.
    Packument(PackageName),
    /// The metadata of one of its versions, or of what a dist-tag names.
    Manifest(PackageName, String),
    /// An npm package's file.
    Tarball(PackageName, String),
    /// A Python project's page.
    Project(PackageName),
    /// A Python project's file.
    PythonFile(PythonFile),
    /// The description of cargo's index.
    IndexConfig,
    /// A package's file in cargo's index; the name in lower case, as its address has it.
    IndexFile(PackageName),
    /// A package's file of one version, from crates.io.
    Crate(PackageName, Version),
    /// A vulnerability query of an npm client.
    Audit,
    /// Something else of a registry.
    Unknown,
    /// Not a registry at all.
    Elsewhere,
}

/// A file of a Python project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PythonFile {
    pub(super) project: PackageName,
    pub(super) version: String,
    /// The file's own name.
    pub(super) name: String,
    /// Whether its metadata alone is asked for (PEP 658).
    pub(super) metadata: bool,
    /// Its path where PyPI keeps it, if that is how it was asked for.
    pub(super) path: Option<String>,
}

/// A registry that the user has configured, so that lockfiles may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) ecosystem: Ecosystem,
    /// Ends with a slash.
    pub(super) url: Url,
}

/// Whether connections to this host and port are taken up at all.
pub(super) fn is_registry(host: &str, port: u16, known: &[Known]) -> bool {
    let standard = matches!(port, 443 | 80);
    (standard
        && [NPM_HOSTS, PYTHON_HOSTS, CARGO_HOSTS, CRATE_HOSTS]
            .iter()
            .any(|hosts| hosts.contains(&host)))
        || known.iter().any(|known| {
            known.url.host_str() == Some(host) && known.url.port_or_known_default() == Some(port)
        })
}

/// Reads an address.
pub(super) fn asked(url: &Url, known: &[Known]) -> Asked {
    let configured = known
        .iter()
        .filter(|known| known.url.origin() == url.origin())
        .filter_map(|known| {
            let below = url.path().strip_prefix(known.url.path())?;
            Some((known.ecosystem, below, known.url.path().len()))
        })
        .max_by_key(|(_, _, depth)| *depth);
    let host = url.host_str().unwrap_or_default();
    let path = url.path().trim_start_matches('/');
    match configured {
        Some((Ecosystem::Npm, below, _)) => npm(below),
        Some((Ecosystem::Pypi, below, _)) => python_project(below),
        Some((Ecosystem::Cargo, below, _)) => index(below),
        // Some hosts mirror everything.
        None if NPM_HOSTS.contains(&host) && path.contains("pypi/") => python(path),
        None if NPM_HOSTS.contains(&host) => npm(below_mirror(host, path)),
        None if PYTHON_HOSTS.contains(&host) => python(path),
        None if CARGO_HOSTS.contains(&host) => index(path),
        None if CRATE_HOSTS.contains(&host) => crate_file(path),
        // An index's files often lie beside it, not below it.
        None if known.iter().any(|known| {
            known.ecosystem == Ecosystem::Pypi && known.url.origin() == url.origin()
        }) =>
        {
            python(path)
        }
        Some((Ecosystem::Mcpb | Ecosystem::Golang, ..)) | None => Asked::Elsewhere,
    }
}

fn decode(text: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .ok()?;
    (!decoded.contains(|c: char| c.is_control() || c == '\\')).then(|| decoded.into_owned())
}

/// Mirrors of everything put their npm registry below a folder, which elsewhere is the package `npm`.
fn below_mirror<'a>(host: &str, path: &'a str) -> &'a str {
    if host.starts_with("registry.") {
        return path;
    }
    ["npm/", "repository/npm/", "packages/"]
        .iter()
        .find_map(|folder| path.strip_prefix(folder))
        .unwrap_or(path)
}

fn npm(path: &str) -> Asked {
    let Some(path) = decode(path) else {
        return Asked::Unknown;
    };
    if path.starts_with("-/npm/v1/security/") || path.starts_with("-/npm/v1/advisories") {
        return Asked::Audit;
    }
    let name = |text: &str| PackageName::parse(Ecosystem::Npm, text).ok();
    for separator in ["/-/", "/download/"] {
        if let Some((package, file)) = path.split_once(separator) {
            // A scoped file may repeat its scope: `/download/@scope/name-1.0.0.tgz`.
            let file = file.rsplit('/').next().unwrap_or(file);
            return match name(package) {
                Some(package) if is_tarball(file) => Asked::Tarball(package, file.to_owned()),
                Some(_) | None => Asked::Unknown,
            };
        }
    }
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let (package, rest) = match parts.as_slice() {
        [scope, package, rest @ ..] if scope.starts_with('@') => {
            (format!("{scope}/{package}"), rest)
        }
        [package, rest @ ..] => ((*package).to_owned(), rest),
        [] => return Asked::Unknown,
    };
    match (name(&package), rest) {
        (Some(package), []) => Asked::Packument(package),
        (Some(package), [version]) => Asked::Manifest(package, (*version).to_owned()),
        // cdn.npmmirror.com: `/packages/<name>/<version>/<file>`.
        (Some(package), [_, file]) if is_tarball(file) => {
            Asked::Tarball(package, (*file).to_owned())
        }
        (Some(_), _) | (None, _) => Asked::Unknown,
    }
}

/// What lies below cargo's index: `config.json`, and each package's file in its one place.
fn index(below: &str) -> Asked {
    if below == "config.json" {
        return Asked::IndexConfig;
    }
    below
        .rsplit('/')
        .next()
        .and_then(|name| PackageName::parse(Ecosystem::Cargo, name).ok())
        .filter(|name| index_path(name) == below)
        .map_or(Asked::Unknown, Asked::IndexFile)
}

/// `crates/<name>/<version>/download`, as cargo makes it of the index's `dl`.
fn crate_file(path: &str) -> Asked {
    let Some(path) = decode(path) else {
        return Asked::Unknown;
    };
    let parts: Vec<&str> = path.split('/').collect();
    let ["crates", name, version, "download"] = parts.as_slice() else {
        return Asked::Unknown;
    };
    match (PackageName::parse(Ecosystem::Cargo, name), version.parse()) {
        (Ok(name), Ok(version)) => Asked::Crate(name, version),
        (Ok(_) | Err(_), _) => Asked::Unknown,
    }
}

fn is_tarball(file: &str) -> bool {
    (file.ends_with(".tgz") || file.ends_with(".tar.gz"))
        && !file.starts_with(['.', '-'])
        // What stands in an address as it is; registries name their files after packages and versions.
        && file
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~+!'()*@".contains(&b))
}

fn python(path: &str) -> Asked {
    // Without the slash at the end, or the project `simple` would be no project.
    let whole = format!("/{}", path.trim_end_matches('/'));
    if let Some((_, project)) = whole.rsplit_once("/simple/") {
        return python_project(project);
    }
    if path.contains("packages/") {
        return python_file(path).map_or(Asked::Unknown, Asked::PythonFile);
    }
    Asked::Unknown
}

/// What lies below an index: `<project>/`.
fn python_project(below: &str) -> Asked {
    let below = below.trim_end_matches('/');
    if below.contains('/') {
        return python_file(below).map_or(Asked::Unknown, Asked::PythonFile);
    }
    decode(below)
        .and_then(|name| PackageName::parse(Ecosystem::Pypi, &name).ok())
        .map_or(Asked::Unknown, Asked::Project)
}

fn python_file(path: &str) -> Option<PythonFile> {
    let file = decode(path.rsplit('/').next()?)?;
    let (name, metadata) = match file.strip_suffix(".metadata") {
        Some(name) => (name.to_owned(), true),
        None => (file, false),
    };
    let (project, version) = split_file_name(&name)?;
    // The path is used as it stands only in the one form that PyPI has.
    let stored = path
        .split_once("packages/")
        .map(|(_, below)| below.trim_end_matches(".metadata"))
        .filter(|below| is_storage_path(below))
        .map(|below| format!("packages/{below}"));
    Some(PythonFile {
        version: version.to_owned(),
        path: stored,
        project,
        name,
        metadata,
    })
}

/// PyPI's storage: `ab/cd/<60 hexadecimal digits>/file`, or the older `source/n/name/file`.
fn is_storage_path(below: &str) -> bool {
    let parts: Vec<&str> = below.split('/').collect();
    let hexadecimal = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
    };
    match parts.as_slice() {
        [one, two, rest, _] if hexadecimal(one, 2) && hexadecimal(two, 2) => hexadecimal(rest, 60),
        [kind, _, _, _] => {
            kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') && !below.contains("..")
        }
        _ => false,
    }
}

/// The version of an npm tarball by the registry's own naming: `<unscoped>-<version>.tgz`.
pub(super) fn tarball_version(name: &PackageName, file: &str) -> Option<Version> {
    file.strip_suffix(".tgz")?
        .strip_prefix(name.unscoped())?
        .strip_prefix('-')?
        .parse()
        .ok()
}

/// The address of a tarball that clients inside see.
pub(super) fn canonical_tarball(name: &PackageName, file: &str) -> String {
    format!("https://registry.npmjs.org/{name}/-/{file}")
}

/// The address of a packument that records carry.
pub(super) fn canonical_packument(name: &PackageName) -> String {
    format!(
        "https://registry.npmjs.org/{}",
        name.as_str().replace('/', "%2f")
    )
}

/// The address of a package's file in cargo's index that records carry.
pub(super) fn canonical_index_file(name: &PackageName) -> String {
    format!("https://index.crates.io/{}", index_path(name))
}

/// The address of a package's file of one version that records carry.
pub(super) fn canonical_crate(name: &PackageName, version: &Version) -> String {
    format!("https://static.crates.io/crates/{name}/{version}/download")
}

/// The address of a project page that records carry.
pub(super) fn canonical_project(name: &PackageName) -> String {
    format!("https://pypi.org/simple/{name}/")
}

/// The address of a Python file that clients inside see: PyPI's own where the user's index keeps PyPI's paths.
pub(super) fn canonical_python_file(project: &PackageName, name: &str, upstream: &Url) -> String {
    let stored = upstream
        .path()
        .rsplit_once("packages/")
        .map(|(_, below)| below)
        .filter(|below| is_storage_path(below) && below.rsplit('/').next() == Some(name));
    match stored {
        Some(below) => format!("https://files.pythonhosted.org/packages/{below}"),
        None => format!("https://files.pythonhosted.org/packages/by-name/{project}/{name}"),
    }
}

/// What holds for any address that a build asks for: none means a path, and canonical ones mean the same.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_address(url: &Url) {
    let index = "https://index.example/simple/".parse();
    let known: Vec<Known> = index
        .into_iter()
        .map(|url| Known {
            ecosystem: Ecosystem::Pypi,
            url,
        })
        .collect();
    let read_again = |address: String| {
        let url = address.parse();
        url.map_or(Asked::Unknown, |url| asked(&url, &[]))
    };
    match asked(url, &known) {
        Asked::Packument(name) => {
            assert_eq!(
                read_again(canonical_packument(&name)),
                Asked::Packument(name)
            );
        }
        Asked::Tarball(name, file) => {
            assert!(!file.contains('/') && !file.starts_with('.'));
            let address = canonical_tarball(&name, &file);
            assert_eq!(read_again(address), Asked::Tarball(name, file));
        }
        Asked::Project(name) => {
            assert_eq!(read_again(canonical_project(&name)), Asked::Project(name));
        }
        Asked::PythonFile(file) => {
            assert!(!file.name.contains('/'));
            if let Some(path) = file.path {
                assert!(path.starts_with("packages/"));
                assert!(!path.split('/').any(|part| part == ".."));
            }
            assert!(split_file_name(&file.name).is_some());
        }
        Asked::IndexFile(name) => {
            assert_eq!(
                read_again(canonical_index_file(&name)),
                Asked::IndexFile(name)
            );
        }
        Asked::Crate(name, version) => {
            assert!(!name.as_str().contains('/') && !version.as_str().contains('/'));
        }
        Asked::IndexConfig
        | Asked::Manifest(..)
        | Asked::Audit
        | Asked::Unknown
        | Asked::Elsewhere => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn npm_name(text: &str) -> PackageName {
        PackageName::parse(Ecosystem::Npm, text).unwrap()
    }

    fn check(text: &str, expect: &Asked) {
        let known = [
            Known {
                ecosystem: Ecosystem::Npm,
                url: "https://npm.company.example/api/npm/".parse().unwrap(),
            },
            Known {
                ecosystem: Ecosystem::Pypi,
                url: "http://localhost:3141/root/pypi/+simple/".parse().unwrap(),
            },
        ];
        assert_eq!(asked(&text.parse().unwrap(), &known), *expect, "{text}");
    }

    #[test]
    fn npm_addresses_are_read_as_registries_read_them() {
        let scoped = || npm_name("@types/node");
        let plain = || npm_name("left-pad");
        let file = || Asked::Tarball(plain(), "left-pad-1.3.0.tgz".to_owned());
        check(
            "https://registry.npmjs.org/left-pad",
            &Asked::Packument(plain()),
        );
        check(
            "https://registry.npmjs.org/@types%2fnode",
            &Asked::Packument(scoped()),
        );
        check(
            "https://registry.npmjs.org/@types/node",
            &Asked::Packument(scoped()),
        );
        check(
            "https://registry.npmjs.org/@types/node/latest",
            &Asked::Manifest(scoped(), "latest".to_owned()),
        );
        for url in [
            "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",
            "https://registry.yarnpkg.com/left-pad/-/left-pad-1.3.0.tgz#5b8a",
            "http://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz",
            "https://registry.npm.taobao.org/left-pad/download/left-pad-1.3.0.tgz?cache=0",
            "https://cdn.npmmirror.com/packages/left-pad/1.3.0/left-pad-1.3.0.tgz",
            "https://mirrors.cloud.tencent.com/npm/left-pad/-/left-pad-1.3.0.tgz",
            "https://npm.company.example/api/npm/left-pad/-/left-pad-1.3.0.tgz",
        ] {
            check(url, &file());
        }
        check(
            "https://registry.npmjs.org/npm/-/npm-11.19.0.tgz",
            &Asked::Tarball(npm_name("npm"), "npm-11.19.0.tgz".to_owned()),
        );
        check(
            "https://registry.npmjs.org/@types/node/-/node-20.1.0.tgz",
            &Asked::Tarball(scoped(), "node-20.1.0.tgz".to_owned()),
        );
        check(
            "https://registry.npmjs.org/npm/-/npm-10.8.1.tgz",
            &Asked::Tarball(npm_name("npm"), "npm-10.8.1.tgz".to_owned()),
        );
        check(
            "https://registry.npmjs.org/npm/10.8.1",
            &Asked::Manifest(npm_name("npm"), "10.8.1".to_owned()),
        );
        check(
            "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk",
            &Asked::Audit,
        );
        check(
            "https://registry.npmjs.org/-/v1/search?text=x",
            &Asked::Unknown,
        );
        check("https://registry.npmjs.org/", &Asked::Unknown);
        check(
            "https://registry.npmjs.org/a/-/a%3f-1.0.0.tgz",
            &Asked::Unknown,
        );
        check("https://registry.npmjs.org/a/b/c/d/e", &Asked::Unknown);
        check(
            "https://registry.npmjs.org/%2e%2e%2fx/-/y.tgz",
            &Asked::Unknown,
        );
        check("https://npm.company.example/other", &Asked::Elsewhere);
        check(
            "https://registry.npmjs.org.evil.example/left-pad",
            &Asked::Elsewhere,
        );
        check("https://evil.example/left-pad", &Asked::Elsewhere);
    }

    #[test]
    fn python_addresses_are_read_as_indexes_read_them() {
        let project = PackageName::parse(Ecosystem::Pypi, "mcp-server-git").unwrap();
        check(
            "https://pypi.org/simple/mcp_server.git/",
            &Asked::Project(project.clone()),
        );
        check(
            "http://localhost:3141/root/pypi/+simple/mcp-server-git/",
            &Asked::Project(project.clone()),
        );
        let stored = format!(
            "packages/ab/cd/{}/mcp_server_git-0.6.2-py3-none-any.whl",
            "0".repeat(60)
        );
        let file = |path: Option<&str>, metadata: bool| {
            Asked::PythonFile(PythonFile {
                project: project.clone(),
                version: "0.6.2".to_owned(),
                name: "mcp_server_git-0.6.2-py3-none-any.whl".to_owned(),
                metadata,
                path: path.map(str::to_owned),
            })
        };
        check(
            &format!("https://files.pythonhosted.org/{stored}"),
            &file(Some(&stored), false),
        );
        check(
            &format!("https://files.pythonhosted.org/{stored}.metadata"),
            &file(Some(&stored), true),
        );
        check(
            &format!("https://mirrors.aliyun.com/pypi/{stored}"),
            &file(Some(&stored), false),
        );
        check(
            "https://files.pythonhosted.org/packages/by-name/mcp-server-git/mcp_server_git-0.6.2-py3-none-any.whl",
            &file(None, false),
        );
        check("https://pypi.org/pypi/mcp-server-git/json", &Asked::Unknown);
        check("https://pypi.org/simple/", &Asked::Unknown);
        let simple = PackageName::parse(Ecosystem::Pypi, "simple").unwrap();
        check("https://pypi.org/simple/simple/", &Asked::Project(simple));
        check(
            "https://files.pythonhosted.org/packages/../../etc/passwd",
            &Asked::Unknown,
        );
    }

    #[test]
    fn only_registries_are_connected_to() {
        let known = [Known {
            ecosystem: Ecosystem::Npm,
            url: "http://localhost:4873/".parse().unwrap(),
        }];
        for (host, port, expect) in [
            ("registry.npmjs.org", 443, true),
            ("pypi.org", 443, true),
            ("localhost", 4873, true),
            ("localhost", 443, false),
            ("registry.npmjs.org", 22, false),
            ("github.com", 443, false),
            ("169.254.169.254", 80, false),
        ] {
            assert_eq!(is_registry(host, port, &known), expect, "{host}:{port}");
        }
    }

    #[test]
    fn a_tarball_names_its_version() {
        for (name, file, expect) in [
            ("left-pad", "left-pad-1.3.0.tgz", Some("1.3.0")),
            (
                "@types/node",
                "node-20.1.0-beta.1.tgz",
                Some("20.1.0-beta.1"),
            ),
            ("left-pad", "right-pad-1.3.0.tgz", None),
            ("left-pad", "left-pad.tgz", None),
        ] {
            let found = tarball_version(&npm_name(name), file);
            assert_eq!(found.as_ref().map(Version::as_str), expect, "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_address_means_a_path_and_canonical_ones_mean_the_same(
            host in prop::sample::select([NPM_HOSTS, PYTHON_HOSTS, CARGO_HOSTS, &["index.example"]].concat()),
            path in "(/|/-/|/download/|/simple/|packages/|pypi/|npm/|@[a-z]|[a-z]{1,3}|-1\\.0|\\.\\.|%2e|%2f|%00|%5c|%3f|%23|%|\\PC){0,10}(-1\\.0\\.tgz|-1\\.0\\.tar\\.gz|-1\\.0-py3-none-any\\.whl|\\.metadata)?",
        ) {
            let Ok(url) = format!("https://{host}/{path}").parse::<Url>() else {
                return Ok(());
            };
            check_address(&url);
        }
    }
}
