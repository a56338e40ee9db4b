//! The sparse index of a registry (RFC 2789): `config.json`, and one file for each package with a line of JSON for
//! each version.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use nodejs_semver::Version as Semver;
use remint_model::{
    ArtifactFormat, Dependency, DependencyKind, Integrity, PackageName, Sha256, Version,
};
use serde::Deserialize;
use url::Url;

use crate::cargo::facts::Stated;
use crate::release::{DocumentFacts, Earlier, MetadataError, Release, ReleaseFile, ToolHints};

/// `config.json` has a handful of addresses.
const LARGEST_CONFIG: usize = 64 << 10;
/// Thousands of times what a release has.
const MOST_DEPENDENCIES: usize = 20_000;
/// How many earlier releases are told.
const EARLIER: usize = 8;
/// Registries that mean crates.io itself.
const OWN_REGISTRIES: &[&str] = &[
    "https://github.com/rust-lang/crates.io-index",
    "sparse+https://index.crates.io/",
    "registry+https://github.com/rust-lang/crates.io-index",
];

/// Where a registry keeps what is no index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexConfig {
    /// The address of downloads, with or without markers.
    download: String,
    /// Its web interface, where it has one.
    pub api: Option<String>,
}

#[derive(Deserialize)]
struct ConfigFile {
    dl: String,
    api: Option<String>,
}

impl IndexConfig {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// It is malformed, or its addresses are not on the web.
    pub fn parse(content: &[u8]) -> Result<Self, MetadataError> {
        let malformed = |reason: String| MetadataError::Malformed {
            what: "config.json".to_owned(),
            reason,
        };
        if content.len() > LARGEST_CONFIG {
            return Err(malformed(format!(
                "it is larger than {LARGEST_CONFIG} bytes"
            )));
        }
        let file: ConfigFile =
            serde_json::from_slice(content).map_err(|error| malformed(error.to_string()))?;
        for address in std::iter::once(&file.dl).chain(&file.api) {
            let url: Url = address
                .parse()
                .map_err(|error| malformed(format!("`{}`: {error}", shown(address))))?;
            if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
                return Err(malformed(format!("`{}` is not on the web", shown(address))));
            }
        }
        Ok(Self {
            download: file.dl,
            api: file.api,
        })
    }

    /// Where a crate is downloaded (the Cargo Book, "Index Format", `dl`).
    #[must_use]
    pub fn download(&self, name: &PackageName, version: &str, checksum: &Sha256) -> String {
        let markers = [
            ("{crate}", name.as_str().to_owned()),
            ("{version}", version.to_owned()),
            ("{prefix}", prefix(name.as_str())),
            ("{lowerprefix}", prefix(&name.as_str().to_ascii_lowercase())),
            ("{sha256-checksum}", checksum.to_string()),
        ];
        if !markers
            .iter()
            .any(|(marker, _)| self.download.contains(marker))
        {
            return format!(
                "{}/{name}/{version}/download",
                self.download.trim_end_matches('/')
            );
        }
        markers
            .iter()
            .fold(self.download.clone(), |address, (marker, value)| {
                address.replace(marker, value)
            })
    }
}

/// Where a package's file lies in an index: `se/rd/serde`, in lower case.
#[must_use]
pub fn path(name: &PackageName) -> String {
    let name = name.as_str().to_ascii_lowercase();
    format!("{}/{name}", prefix(&name))
}

fn prefix(name: &str) -> String {
    // Names are ASCII.
    match name.len() {
        0..=2 => name.len().to_string(),
        3 => format!("3/{}", name.get(..1).unwrap_or_default()),
        _ => format!(
            "{}/{}",
            name.get(..2).unwrap_or_default(),
            name.get(2..4).unwrap_or_default()
        ),
    }
}

/// One version as its line says.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    name: String,
    vers: String,
    #[serde(default)]
    deps: Vec<LineDependency>,
    cksum: String,
    #[serde(default)]
    yanked: bool,
    /// The format of the line; cargo leaves out lines that are newer than itself.
    #[serde(default = "first_format")]
    v: u32,
    pubtime: Option<String>,
}

const fn first_format() -> u32 {
    1
}

#[derive(Debug, Clone, Deserialize)]
struct LineDependency {
    name: String,
    req: String,
    #[serde(default)]
    optional: bool,
    target: Option<String>,
    kind: Option<String>,
    registry: Option<String>,
    package: Option<String>,
}

impl Line {
    fn published(&self) -> Option<i64> {
        let time: jiff::Timestamp = self.pubtime.as_ref()?.parse().ok()?;
        Some(time.as_second())
    }
}

/// The lines of a package's file that can be read: a registry may add formats, and cargo passes those over.
fn lines(content: &[u8]) -> impl Iterator<Item = (&[u8], Line)> {
    content
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .filter_map(|bytes| {
            let line: Line = serde_json::from_slice(bytes).ok()?;
            (line.v <= 2).then_some((bytes, line))
        })
}

/// The file with those lines alone whose version and time are wanted. Lines that cannot be read are left out.
#[must_use]
pub fn filtered(content: &[u8], wanted: &dyn Fn(&str, Option<i64>) -> bool) -> Vec<u8> {
    let mut kept = Vec::with_capacity(content.len());
    for (bytes, line) in lines(content) {
        if wanted(&line.vers, line.published()) {
            kept.extend_from_slice(bytes);
            kept.push(b'\n');
        }
    }
    kept
}

/// Reads one release; without a version, the highest that is neither yanked nor a pre-release, as far as there is
/// one.
///
/// # Errors
/// No line is about this package or version, or its checksum is none.
pub(crate) fn release(
    name: &PackageName,
    content: &[u8],
    config: &IndexConfig,
    version: Option<&Version>,
) -> Result<Release, MetadataError> {
    let malformed = |reason: String| MetadataError::Malformed {
        what: format!("index of `{name}`"),
        reason,
    };
    // A case or a `-` that was mistyped leads to the same file and means another package.
    let known: Vec<Line> = lines(content)
        .map(|(_, line)| line)
        .filter(|line| line.name == name.as_str())
        .collect();
    let newest = newest(&known)
        .ok_or_else(|| malformed("it has no version of a package of this name".to_owned()))?;
    let wanted = version.map_or(newest, Version::as_str);
    let line = known
        .iter()
        .find(|line| line.vers == wanted)
        .ok_or_else(|| MetadataError::NoSuchVersion {
            version: wanted.to_owned(),
            newest: newest.to_owned(),
        })?;
    let version: Version = line
        .vers
        .parse()
        .map_err(|error| malformed(format!("{error}")))?;
    let checksum: Sha256 = line
        .cksum
        .parse()
        .map_err(|error| malformed(format!("cksum: {error}")))?;
    let published = line.published();
    let file = ReleaseFile {
        name: format!("{name}-{version}.crate")
            .parse()
            .map_err(|error| malformed(format!("{error}")))?,
        format: ArtifactFormat::Crate,
        url: config.download(name, version.as_str(), &checksum),
        integrity: Some(Integrity::Sha256(checksum)),
        size: None,
        uploaded: published,
        provenance: None,
        provenance_before: None,
    };
    Ok(Release {
        earlier: earlier(&known, line),
        versions: known
            .iter()
            .filter_map(|line| line.vers.parse().ok())
            .collect(),
        document: Some(DocumentFacts {
            dependencies: dependencies(line).map_err(malformed)?,
            ..DocumentFacts::default()
        }),
        withdrawn: line.yanked.then(|| "yanked".to_owned()),
        files: vec![file],
        claims: Vec::new(),
        git_head: None,
        tools: ToolHints::default(),
        published,
        version,
    })
}

fn semver(text: &str) -> Option<Semver> {
    (text.len() <= 256).then(|| Semver::parse(text).ok())?
}

fn newest(lines: &[Line]) -> Option<&str> {
    lines
        .iter()
        .filter_map(|line| Some((line, semver(&line.vers)?)))
        .max_by_key(|(line, version)| (!line.yanked, !version.is_prerelease(), version.clone()))
        .map(|(line, _)| line.vers.as_str())
}

/// The releases before one, the nearest first: by time where the index tells times, else by version. What they named
/// stands in their own files.
fn earlier(lines: &[Line], of: &Line) -> Vec<Earlier> {
    let Some(current) = semver(&of.vers) else {
        return Vec::new();
    };
    let own_time = of.published();
    let mut before: Vec<(Option<i64>, Semver, &Line)> = lines
        .iter()
        .filter(|line| line.vers != of.vers)
        .filter_map(|line| Some((line.published(), semver(&line.vers)?, line)))
        .filter(|(time, version, _)| match (time, own_time) {
            (Some(time), Some(own)) => *time <= own,
            _ => *version < current,
        })
        .collect();
    before.sort_by_key(|(time, version, _)| Reverse((*time, version.clone())));
    before
        .into_iter()
        .take(EARLIER)
        .filter_map(|(time, _, line)| {
            Some(Earlier {
                version: line.vers.parse().ok()?,
                before: own_time.zip(time).map(|(own, time)| own - time),
                claims: Vec::new(),
                untold: None,
            })
        })
        .collect()
}

fn dependencies(line: &Line) -> Result<BTreeSet<Dependency>, String> {
    if line.deps.len() > MOST_DEPENDENCIES {
        return Err(format!("more than {MOST_DEPENDENCIES} dependencies"));
    }
    Ok(line
        .deps
        .iter()
        .map(|dependency| {
            let kind = match dependency.kind.as_deref() {
                Some("dev") => DependencyKind::Development,
                Some("build") => DependencyKind::Build,
                Some(_) | None => DependencyKind::Runtime,
            };
            Stated {
                range: Some(&dependency.req),
                package: dependency.package.as_deref(),
                registry: dependency
                    .registry
                    .as_deref()
                    .filter(|registry| !OWN_REGISTRIES.contains(registry)),
                git: None,
                optional: dependency.optional,
            }
            .dependency(&dependency.name, kind, dependency.target.as_deref())
        })
        .collect())
}

fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::Ecosystem;

    use super::*;

    const CHECKSUM: &str = "c87fbbca0289146744b93a2834b00f97fb56be53a8638239028cc61352282852";

    fn name(text: &str) -> PackageName {
        PackageName::parse(Ecosystem::Cargo, text).unwrap()
    }

    fn config(download: &str) -> IndexConfig {
        IndexConfig::parse(format!(r#"{{"dl":"{download}"}}"#).as_bytes()).unwrap()
    }

    fn line(version: &str, rest: &str) -> String {
        format!(
            r#"{{"name":"x","vers":"{version}","deps":[],"cksum":"{CHECKSUM}","features":{{}}{rest}}}"#
        )
    }

    fn read(lines: &[String], version: Option<&str>) -> Result<Release, MetadataError> {
        let version = version.map(|version| version.parse().unwrap());
        let config = config("https://static.crates.io/crates");
        release(
            &name("x"),
            lines.join("\n").as_bytes(),
            &config,
            version.as_ref(),
        )
    }

    #[test]
    fn downloads_are_where_the_template_says() {
        let check = |template: &str, expect: &str| {
            let found =
                config(template).download(&name("Serde"), "1.0.0", &CHECKSUM.parse().unwrap());
            assert_eq!(found, expect);
        };
        check(
            "https://a.example/crates",
            "https://a.example/crates/Serde/1.0.0/download",
        );
        check(
            "https://a.example/crates/",
            "https://a.example/crates/Serde/1.0.0/download",
        );
        check(
            "https://a.example/{prefix}/{lowerprefix}/{crate}-{version}.crate#{sha256-checksum}",
            &format!("https://a.example/Se/rd/se/rd/Serde-1.0.0.crate#{CHECKSUM}"),
        );
    }

    #[test]
    fn addresses_that_are_not_on_the_web_are_refused() {
        for content in [
            r#"{"dl":"file:///etc"}"#,
            r#"{"dl":"crates"}"#,
            r#"{"dl":"https://a.example","api":"ftp://a.example"}"#,
            r#"{"api":"https://a.example"}"#,
            "not json",
        ] {
            assert!(IndexConfig::parse(content.as_bytes()).is_err(), "{content}");
        }
    }

    #[test]
    fn files_lie_where_cargo_looks_for_them() {
        for (package, expect) in [
            ("a", "1/a"),
            ("ab", "2/ab"),
            ("abc", "3/a/abc"),
            ("Serde_Json", "se/rd/serde_json"),
        ] {
            assert_eq!(path(&name(package)), expect);
        }
    }

    #[test]
    fn a_release_is_what_its_line_says() {
        let lines = [
            line("0.9.0", r#","pubtime":"2026-01-01T00:00:00Z""#),
            line("1.0.0", r#","pubtime":"2026-02-01T00:00:00Z""#),
            line(
                "1.1.0",
                r#","yanked":true,"pubtime":"2026-03-01T00:00:00Z""#,
            ),
            line("2.0.0-rc.1", ""),
        ];
        let found = read(&lines, None).unwrap();
        assert_eq!(found.version.as_str(), "1.0.0");
        assert_eq!(found.withdrawn, None);
        let [file] = &found.files[..] else {
            panic!("one file");
        };
        assert_eq!(file.name.as_str(), "x-1.0.0.crate");
        assert_eq!(
            file.integrity,
            Some(Integrity::Sha256(CHECKSUM.parse().unwrap()))
        );
        assert_eq!(found.earlier.len(), 1);
        assert_eq!(found.earlier[0].before, Some(31 * 24 * 3600));
        let yanked = read(&lines, Some("1.1.0")).unwrap();
        assert_eq!(yanked.withdrawn.as_deref(), Some("yanked"));
        assert!(matches!(
            read(&lines, Some("3.0.0")),
            Err(MetadataError::NoSuchVersion { newest, .. }) if newest == "1.0.0"
        ));
    }

    #[test]
    fn lines_of_others_and_of_later_formats_do_not_count() {
        let other = line("1.0.0", "").replace("\"x\"", "\"X\"");
        let later = line("1.0.0", r#","v":3"#);
        let damaged = "{".to_owned();
        let bad_checksum = line("1.0.0", "").replace(CHECKSUM, "abc");
        assert!(read(&[other, later, damaged], None).is_err());
        assert!(read(&[bad_checksum], None).is_err());
    }

    #[test]
    fn dependencies_are_told_as_manifests_tell_them() {
        let deps = r#"[
            {"name":"a","req":"^1.2","features":[],"optional":false,"default_features":true,"target":null,"kind":"normal"},
            {"name":"b","req":"^1","optional":true,"target":"cfg(unix)","kind":"normal","package":"real-b"},
            {"name":"c","req":"*","optional":false,"target":null,"kind":"dev"},
            {"name":"d","req":"=1.0.0","optional":false,"target":null,"kind":"build","registry":"https://evil.example"}
        ]"#
        .replace('\n', "");
        let text = line("1.0.0", "").replace(r#""deps":[]"#, &format!(r#""deps":{deps}"#));
        let facts = read(&[text], None).unwrap().document.unwrap();
        let words: Vec<String> = facts
            .dependencies
            .iter()
            .map(|it| format!("{:?} {} {}", it.kind, it.name, it.requirement))
            .collect();
        assert_eq!(
            words,
            [
                "Runtime a ^1.2",
                "Extra b ^1 as package real-b for cfg(unix)",
                "Build d =1.0.0 from registry https://evil.example",
                "Development c *",
            ]
        );
    }

    #[test]
    fn a_filtered_file_has_the_wanted_lines_as_they_were() {
        let lines = [line("1.0.0", ""), "damaged".to_owned(), line("2.0.0", "")];
        let kept = filtered(lines.join("\n").as_bytes(), &|version, _| {
            version != "2.0.0"
        });
        assert_eq!(kept, format!("{}\n", lines[0]).into_bytes());
    }

    proptest! {
        #[test]
        fn no_index_panics(
            content: Vec<u8>,
            versions in prop::collection::vec("[0-9.a+-]{0,8}", 0..4),
            template in "https://a\\.example/(\\{crate\\}|\\{version\\}|\\{prefix\\}|/|\\{|\\}|%){0,5}",
        ) {
            let lines: Vec<String> = versions.iter().map(|version| line(version, "")).collect();
            let config = config(&template);
            for content in [content, lines.join("\n").into_bytes()] {
                let _config = IndexConfig::parse(&content);
                if let Ok(release) = release(&name("x"), &content, &config, None) {
                    prop_assert_eq!(release.files.len(), 1);
                }
                let kept = filtered(&content, &|_, _| true);
                prop_assert_eq!(filtered(&kept, &|_, _| true), kept);
            }
        }
    }
}
