//! Reads what module proxies say, and the files of modules: the entry points of this ecosystem that plan nothing.

use remint_model::{
    ArtifactFormat, CommitId, Ecosystem, EntryPath, ManifestFacts, PackageName, SourcePin,
    SourceTree, Survey, Version,
};
use serde::Deserialize;

use crate::golang::go_mod::GoMod;
use crate::golang::module::{self, escaped_path, escaped_version};
use crate::golang::version::{self, INCOMPATIBLE};
use crate::golang::{facts, program};
use crate::release::{
    Identity, MetadataError, Release, ReleaseFile, RepositoryClaim, StatedVersion, ToolHints,
};

/// The largest `.info` that is read; go's own have a few hundred bytes.
const LARGEST_INFO: usize = 64 << 10;
/// The longest list of versions.
const MOST_VERSIONS: usize = 100_000;

/// Where a proxy has what it knows of a module (Go modules reference, "GOPROXY protocol"), below its own address.
#[must_use]
pub fn list_path(name: &PackageName) -> String {
    format!("{}/@v/list", escaped_path(name.as_str()))
}

/// The same for what it takes for the latest version where it lists none.
#[must_use]
pub fn latest_path(name: &PackageName) -> String {
    format!("{}/@latest", escaped_path(name.as_str()))
}

/// The same for a file of one version: `info`, `mod`, `zip`.
#[must_use]
pub fn version_path(name: &PackageName, version: &str, ending: &str) -> String {
    format!(
        "{}/@v/{}.{ending}",
        escaped_path(name.as_str()),
        escaped_version(version)
    )
}

/// What a proxy says of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// In its canonical spelling.
    pub version: Version,
    /// Where the proxy says that it has it from; older proxies and versions say nothing.
    pub origin: Option<Origin>,
}

/// Where a proxy says that it has a version from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The repository.
    pub url: Option<String>,
    /// The module's folder in it.
    pub subdirectory: Option<EntryPath>,
    /// The commit.
    pub commit: Option<CommitId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawInfo {
    version: String,
    origin: Option<RawOrigin>,
}

#[derive(Deserialize)]
struct RawOrigin {
    #[serde(rename = "VCS")]
    system: Option<String>,
    #[serde(rename = "URL")]
    url: Option<String>,
    #[serde(rename = "Subdir")]
    subdirectory: Option<String>,
    #[serde(rename = "Hash")]
    hash: Option<String>,
}

/// Reads an `.info` answer.
///
/// # Errors
/// It is no such answer, or states a version that go would not.
pub fn info(content: &[u8]) -> Result<Info, MetadataError> {
    let malformed = |reason: String| MetadataError::Malformed {
        what: ".info".to_owned(),
        reason,
    };
    if content.len() > LARGEST_INFO {
        return Err(malformed(format!("it is larger than {LARGEST_INFO} bytes")));
    }
    let raw: RawInfo =
        serde_json::from_slice(content).map_err(|error| malformed(error.to_string()))?;
    if !version::is_canonical(&raw.version) {
        let shown: String = raw.version.chars().take(80).collect();
        return Err(malformed(format!("`{shown}` is no canonical version")));
    }
    let is_git = |origin: &RawOrigin| {
        origin
            .system
            .as_deref()
            .is_none_or(|system| system == "git")
    };
    Ok(Info {
        version: raw
            .version
            .parse()
            .map_err(|error| malformed(format!("{error}")))?,
        origin: raw.origin.filter(is_git).map(|origin| Origin {
            url: origin.url,
            subdirectory: origin
                .subdirectory
                .and_then(|directory| directory.parse().ok()),
            commit: origin.hash.and_then(|hash| hash.parse().ok()),
        }),
    })
}

/// Reads a list of versions, one a line, in the order of versions; lines that are none are left out.
#[must_use]
pub fn versions(content: &[u8]) -> Vec<Version> {
    let text = String::from_utf8_lossy(content);
    let mut versions: Vec<Version> = text
        .lines()
        .take(MOST_VERSIONS)
        .map(str::trim)
        .filter(|line| version::is_canonical(line))
        .filter_map(|line| line.parse().ok())
        .collect();
    versions.sort_by(|one: &Version, other| version::compare(one.as_str(), other.as_str()));
    versions.dedup();
    versions
}

/// What `@latest` stands for: the highest release, or else the highest version before one (Go modules reference,
/// "Version queries"). Versions are in their order.
#[must_use]
pub fn latest<'v>(versions: impl IntoIterator<Item = &'v Version>) -> Option<&'v Version> {
    let (mut release, mut any) = (None, None);
    for version in versions {
        any = Some(version);
        if version::is_release(version.as_str()) {
            release = any;
        }
    }
    release.or(any)
}

/// The versions that are not `+incompatible`. Where the highest of them has a `go.mod`, the others stopped counting for
/// `@latest` with it (Go modules reference, "Compatibility with non-module repositories").
pub fn compatible(versions: &[Version]) -> impl DoubleEndedIterator<Item = &Version> {
    versions
        .iter()
        .filter(|version| !version.as_str().ends_with(INCOMPATIBLE))
}

/// Whether a `.mod` is the one that proxies make up for a commit without `go.mod`.
#[must_use]
pub fn is_made_up(name: &PackageName, go_mod: &[u8]) -> bool {
    go_mod == format!("module {name}\n").as_bytes()
}

/// Whether this can be a version of this module, in the one spelling that proxies know it by.
#[must_use]
pub fn can_have(name: &PackageName, version: &Version) -> bool {
    version::fits(name.as_str(), version.as_str())
}

/// The path above one, as long as that could be a module: behind its host there is something.
#[must_use]
pub fn above(name: &PackageName) -> Option<PackageName> {
    let (above, _) = name.as_str().rsplit_once('/')?;
    if !above.contains('/') {
        return None;
    }
    PackageName::parse(Ecosystem::Golang, above).ok()
}

/// The name of the file that a module zip is kept under here: proxies call it by its version alone.
#[must_use]
pub fn file_name(name: &PackageName, version: &Version) -> String {
    let last = name.as_str().rsplit('/').next().unwrap_or_default();
    format!("{last}@{version}.zip")
}

/// A release as a proxy describes it; the zip lies at `url`.
///
/// # Errors
/// The version makes no file name.
pub fn release(
    name: &PackageName,
    info: Info,
    url: String,
    versions: Vec<Version>,
) -> Result<Release, MetadataError> {
    let file =
        file_name(name, &info.version)
            .parse()
            .map_err(|error| MetadataError::Malformed {
                what: ".info".to_owned(),
                reason: format!("{error}"),
            })?;
    let mut claims: Vec<RepositoryClaim> = module::of_path(name.as_str()).into_iter().collect();
    let origin = info.origin.as_ref();
    if let Some(url) = origin.and_then(|origin| origin.url.as_ref()) {
        claims.push(RepositoryClaim {
            raw: url.chars().take(2048).collect(),
            url: url.parse(),
            directory: origin.and_then(|origin| origin.subdirectory.clone()),
            field: "Origin".to_owned(),
        });
    }
    Ok(Release {
        files: vec![ReleaseFile {
            name: file,
            format: ArtifactFormat::GoModule,
            url,
            integrity: None,
            size: None,
            uploaded: None,
            provenance: None,
            provenance_before: None,
        }],
        claims,
        git_head: info.origin.and_then(|origin| origin.commit),
        version: info.version,
        // The time that a proxy tells is the commit's.
        published: None,
        earlier: Vec::new(),
        tools: ToolHints::default(),
        versions,
        document: None,
        withdrawn: None,
    })
}

pub(crate) fn published_facts(survey: &Survey) -> Result<ManifestFacts, MetadataError> {
    facts::published(survey)
}

pub(crate) fn source_facts(
    tree: &SourceTree,
    pin: &SourcePin,
) -> Result<ManifestFacts, MetadataError> {
    facts::source(tree, pin)
}

/// The repository that the path of the zip's folder, or of the program's module, names.
pub(crate) fn published_claims(survey: &Survey) -> Vec<RepositoryClaim> {
    if survey.program.is_some() {
        return program::claims(survey);
    }
    published_identity(survey)
        .ok()
        .and_then(|identity| module::of_path(identity.name?.as_str()))
        .into_iter()
        .collect()
}

/// Every file of a module zip lies in a folder `module@version`; a program states its module.
pub(crate) fn published_identity(survey: &Survey) -> Result<Identity, MetadataError> {
    if let Some(info) = &survey.program {
        return program::identity(info);
    }
    let malformed = |reason: String| MetadataError::Malformed {
        what: "the folder of the module zip".to_owned(),
        reason,
    };
    let top = survey
        .top_folder
        .as_deref()
        .ok_or_else(|| MetadataError::Missing("module@version/".to_owned()))?;
    let (name, version) = top
        .split_once('@')
        .ok_or_else(|| malformed(format!("`{top}` is no `module@version`")))?;
    if !version::is_canonical(version) {
        return Err(malformed(format!("`{version}` is no canonical version")));
    }
    Ok(Identity {
        name: Some(
            PackageName::parse(Ecosystem::Golang, name)
                .map_err(|error| malformed(error.to_string()))?,
        ),
        version: StatedVersion::Exact(version.to_owned()),
    })
}

pub(crate) fn is_manifest(path: &EntryPath) -> bool {
    path.file_name() == "go.mod"
}

/// The version of a module is not in its files: the tag says it.
pub(crate) fn manifest_identity(content: &[u8]) -> Result<Identity, MetadataError> {
    Ok(Identity {
        name: GoMod::parse(content)?.module,
        version: StatedVersion::Absent,
    })
}

/// A tag leaves `+incompatible` out.
pub(crate) fn same_version(one: &str, other: &str) -> bool {
    let plain =
        |text: &str| -> String { text.strip_suffix(INCOMPATIBLE).unwrap_or(text).to_owned() };
    one == other || plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> PackageName {
        PackageName::parse(Ecosystem::Golang, text).unwrap()
    }

    #[test]
    fn a_proxy_is_asked_at_escaped_paths() {
        let name = name("github.com/Azure/x");
        assert_eq!(list_path(&name), "github.com/!azure/x/@v/list");
        assert_eq!(latest_path(&name), "github.com/!azure/x/@latest");
        assert_eq!(
            version_path(&name, "v1.0.0-RC1", "zip"),
            "github.com/!azure/x/@v/v1.0.0-!r!c1.zip"
        );
    }

    #[test]
    fn the_latest_is_a_release_where_there_is_one() {
        let check = |list: &str, expect: Option<&str>| {
            let versions = versions(list.as_bytes());
            assert_eq!(latest(&versions).map(Version::as_str), expect, "{list}");
        };
        check("v1.2.0\nv1.10.0\nv2.0.0-rc.1\nv1.9.0\n", Some("v1.10.0"));
        check("v1.0.0-rc.1\nv1.0.0-rc.2\n", Some("v1.0.0-rc.2"));
        check("latest\n../x\n\n", None);
        check("", None);
    }

    const COMMIT: &str = "9c2b0ed02d2b7a2c4a2bd3a41c77cd8d4d9d1c3f";

    #[test]
    fn what_a_proxy_says_of_a_version_is_read() {
        let content = format!(
            r#"{{"Version":"v1.2.3","Time":"2025-11-02T14:47:49Z","Origin":{{"VCS":"git","URL":"https://github.com/o/n","Subdir":"sub","Hash":"{COMMIT}","Ref":"refs/tags/sub/v1.2.3"}}}}"#
        );
        let read = info(content.as_bytes()).unwrap();
        let name = name("github.com/o/n/sub");
        let release = release(&name, read, "https://p.example/z".to_owned(), Vec::new()).unwrap();
        assert_eq!(release.git_head.unwrap().as_str(), COMMIT);
        assert_eq!(release.files[0].name.as_str(), "sub@v1.2.3.zip");
        let fields: Vec<&str> = release.claims.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["module path", "Origin"]);
        assert!(
            release
                .claims
                .iter()
                .all(|it| it.directory == "sub".parse().ok())
        );

        let old = info(br#"{"Version":"v1.2.3"}"#).unwrap();
        assert_eq!(old.origin, None);
        let other = content.replace("\"git\"", "\"hg\"");
        assert_eq!(info(other.as_bytes()).unwrap().origin, None);
        for content in [
            "",
            "[]",
            "{}",
            r#"{"Version":"main"}"#,
            r#"{"Version":"v1.0.0/../.."}"#,
        ] {
            assert!(info(content.as_bytes()).is_err(), "{content}");
        }
        let hostile = r#"{"Version":"v1.2.3","Origin":{"Subdir":"../..","Hash":"HEAD"}}"#;
        let origin = info(hostile.as_bytes()).unwrap().origin.unwrap();
        assert_eq!((origin.subdirectory, origin.commit), (None, None));
    }

    #[test]
    fn packages_lie_below_their_modules() {
        let above = |text: &str| above(&name(text)).map(|name| name.to_string());
        assert_eq!(
            above("github.com/o/n/cmd").as_deref(),
            Some("github.com/o/n")
        );
        assert_eq!(above("github.com/o/n").as_deref(), Some("github.com/o"));
        assert_eq!(above("github.com/o"), None);
    }

    #[test]
    fn a_made_up_go_mod_is_told() {
        let listed = versions(b"v1.5.5\nv4.1.2+incompatible\nv1.6.0-rc.1\n");
        assert_eq!(latest(&listed).unwrap().as_str(), "v4.1.2+incompatible");
        assert_eq!(latest(compatible(&listed)).unwrap().as_str(), "v1.5.5");
        let highest = compatible(&listed).next_back().unwrap();
        assert_eq!(highest.as_str(), "v1.6.0-rc.1");
        let name = name("github.com/o/n");
        assert!(is_made_up(&name, b"module github.com/o/n\n"));
        for written in [
            "module github.com/o/n\n\ngo 1.25\n",
            "module github.com/o/n",
            "",
        ] {
            assert!(!is_made_up(&name, written.as_bytes()), "{written}");
        }
    }

    #[test]
    fn the_folder_of_a_zip_says_what_it_is() {
        let of = |top: Option<&str>| {
            published_identity(&Survey {
                top_folder: top.map(str::to_owned),
                ..Survey::default()
            })
        };
        let identity = of(Some("github.com/o/n@v1.2.3")).unwrap();
        assert_eq!(identity.name, Some(name("github.com/o/n")));
        assert_eq!(identity.version, StatedVersion::Exact("v1.2.3".to_owned()));
        for top in [
            None,
            Some("x-1.0"),
            Some("x@v1.2.3"),
            Some("github.com/o/n@main"),
        ] {
            assert!(of(top).is_err(), "{top:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(content: Vec<u8>, list in "(v?[0-9]{1,3}\\.?|-|\n|rc|é){0,20}", hash: String, folder: String) {
            drop(info(&content));
            let origin = serde_json::json!({"Version": "v1.0.0", "Origin": {"Hash": hash, "Subdir": folder}});
            prop_assert!(info(origin.to_string().as_bytes()).is_ok());
            drop(versions(&content));
            let listed = versions(list.as_bytes());
            prop_assert_eq!(latest(&listed).is_none(), listed.is_empty());
            drop(manifest_identity(&content));
        }
    }
}
