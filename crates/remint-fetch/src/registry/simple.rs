//! A project's page on a Python index, in one form whether the index answered with JSON (PEP 691, 700) or HTML
//! (PEP 503, 592, 714). What it does not know it drops; links become absolute.

use std::collections::BTreeMap;

use pep440_rs::Version as PythonVersion;
use remint_model::{Ecosystem, PackageName, Sha256};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::error::FetchError;
use crate::registry::simple_html;

/// The media type of the JSON form.
pub(crate) const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// No project has more files; a page that lists more is an attack on memory.
const MOST_FILES: usize = 200_000;
/// A longer `<base>` would be copied into the address of every file.
const LONGEST_BASE: usize = 2048;

/// A project's page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SimplePage {
    #[serde(default)]
    pub(crate) meta: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) files: Vec<SimpleFile>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) versions: Vec<String>,
}

/// One file of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SimpleFile {
    pub(crate) filename: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) hashes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requires_python: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upload_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) yanked: Option<Value>,
    #[serde(
        default,
        alias = "dist-info-metadata",
        alias = "data-dist-info-metadata",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) core_metadata: Option<Value>,
}

impl SimpleFile {
    /// The version, as the file name spells it.
    pub(crate) fn version(&self, project: &PackageName) -> Option<&str> {
        version_of(project, &self.filename)
    }

    /// When it was uploaded, seconds since 1970.
    pub(crate) fn uploaded(&self) -> Option<i64> {
        let time: jiff::Timestamp = self.upload_time.as_deref()?.parse().ok()?;
        Some(time.as_second())
    }

    /// The digest that the index declares.
    pub(crate) fn sha256(&self) -> Option<Sha256> {
        self.hashes.get("sha256")?.parse().ok()
    }

    /// Whether installers pass it by.
    pub(crate) fn is_yanked(&self) -> bool {
        match &self.yanked {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Bool(true) | Value::String(_)) => true,
            Some(Value::Number(_) | Value::Array(_) | Value::Object(_)) => true,
        }
    }
}

impl SimplePage {
    /// Reads a page that came from `url` with this media type.
    pub(crate) fn read(
        bytes: &[u8],
        media_type: Option<&str>,
        url: &Url,
    ) -> Result<Self, FetchError> {
        let malformed =
            |reason: String| FetchError::malformed(url.as_str(), "project page", &reason);
        let kind = media_type.unwrap_or("text/html").to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or("").trim().to_owned();
        let mut base = url.clone();
        let mut page = if kind.ends_with("json") {
            serde_json::from_slice::<Self>(bytes).map_err(|error| malformed(error.to_string()))?
        } else if kind.ends_with("html") || kind.ends_with("xhtml+xml") {
            let text = String::from_utf8_lossy(bytes);
            let (stated, page) = simple_html::read(&text);
            let stated = stated.filter(|stated| stated.len() <= LONGEST_BASE);
            if let Some(stated) = stated.and_then(|stated| url.join(&stated).ok()) {
                base = stated;
            }
            page
        } else {
            return Err(malformed(format!(
                "neither JSON nor HTML: `{}`",
                kind.chars().take(80).collect::<String>()
            )));
        };
        if page.files.len() > MOST_FILES {
            return Err(malformed(format!("more than {MOST_FILES} files")));
        }
        page.files.retain_mut(|file| {
            let plain = !file.filename.is_empty() && !file.filename.contains(['/', '\\', '\0']);
            match base.join(&file.url) {
                Ok(mut absolute) if plain && matches!(absolute.scheme(), "https" | "http") => {
                    absolute.set_fragment(None);
                    file.url = absolute.into();
                    true
                }
                Ok(_) | Err(_) => false,
            }
        });
        Ok(page)
    }

    /// Whether the upload times can be the index's own: a mirror that writes down when it first saw a file has
    /// the patches of one line in the wrong order.
    pub(crate) fn times_are_plausible(&self, project: &PackageName) -> bool {
        let mut first: BTreeMap<PythonVersion, i64> = BTreeMap::new();
        for file in &self.files {
            let version = file.version(project).and_then(|text| text.parse().ok());
            if let (Some(version), Some(time)) = (version, file.uploaded()) {
                let earliest = first.entry(version).or_insert(time);
                *earliest = time.min(*earliest);
            }
        }
        let ordered: Vec<(&PythonVersion, &i64)> = first
            .iter()
            .filter(|(version, _)| version.is_stable())
            .collect();
        let line = |version: &PythonVersion| {
            version
                .release()
                .iter()
                .take(2)
                .copied()
                .collect::<Vec<_>>()
        };
        let backwards = ordered
            .windows(2)
            .filter(|pair| {
                matches!(pair, [(one, earlier), (other, later)]
                    if line(one) == line(other) && earlier > later)
            })
            .count();
        backwards == 0 || (backwards == 1 && ordered.len() >= 10)
    }

    /// The file of this name.
    pub(crate) fn file(&self, name: &str) -> Option<&SimpleFile> {
        self.files.iter().find(|file| file.filename == name)
    }
}

/// The version in the name of a wheel or an sdist of this project.
pub(crate) fn version_of<'a>(project: &PackageName, file: &'a str) -> Option<&'a str> {
    let (found, version) = split_file_name(file)?;
    (found == *project).then_some(version)
}

/// Project and version of a wheel or sdist, by its name (PyPA binary and source distribution formats).
pub(crate) fn split_file_name(file: &str) -> Option<(PackageName, &str)> {
    let project = |text: &str| PackageName::parse(Ecosystem::Pypi, text).ok();
    if let Some(stem) = file.strip_suffix(".whl") {
        let mut parts = stem.split('-');
        let (name, version) = (parts.next()?, parts.next()?);
        return Some((project(name)?, version));
    }
    let stem = [".tar.gz", ".zip", ".tar.bz2", ".tgz"]
        .iter()
        .find_map(|ending| file.strip_suffix(ending))?;
    // Old sdists have dashes in their names: the version is what follows the last dash before a digit.
    let at = stem
        .match_indices('-')
        .filter(|(at, _)| stem.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit))
        .map(|(at, _)| at)
        .next_back()?;
    let first = stem.get(..at)?;
    Some((project(first)?, stem.get(at + 1..)?))
}

/// What holds for any page of any index.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_page(content: &[u8], url: &Url, project: &PackageName) {
    for kind in [JSON, "text/html"] {
        let Ok(page) = SimplePage::read(content, Some(kind), url) else {
            continue;
        };
        let _plausible = page.times_are_plausible(project);
        for file in &page.files {
            assert!(!file.filename.contains(['/', '\\', '\0']));
            assert!(file.url.starts_with("https:") || file.url.starts_with("http:"));
            let _version = file.version(project);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_and_html_pages_say_the_same() {
        let url: Url = "https://index.example/simple/mcp-x/".parse().unwrap();
        let digest = "ab".repeat(32);
        let json = format!(
            r#"{{"meta":{{"api-version":"1.1"}},"name":"mcp-x","files":[{{"filename":"mcp_x-1.0-py3-none-any.whl",
            "url":"../../packages/mcp_x-1.0-py3-none-any.whl","hashes":{{"sha256":"{digest}"}},"requires-python":">=3.9",
            "yanked":"broken","core-metadata":{{"sha256":"{digest}"}},"upload-time":"2025-01-02T03:04:05Z"}},
            {{"filename":"../evil.whl","url":"x","hashes":{{}}}},{{"filename":"a.whl","url":"file:///etc","hashes":{{}}}}]}}"#
        );
        let html = format!(
            "<!DOCTYPE html><html><body><a href=\"../../packages/mcp_x-1.0-py3-none-any.whl#sha256={digest}\" \
             data-requires-python=\"&gt;=3.9\" data-yanked=\"broken\" data-core-metadata='sha256={digest}' \
             >mcp_x-1.0-py3-none-any.whl</a></body>"
        );
        let one = SimplePage::read(json.as_bytes(), Some(JSON), &url).unwrap();
        let other =
            SimplePage::read(html.as_bytes(), Some("text/html; charset=utf-8"), &url).unwrap();
        for page in [&one, &other] {
            let [file] = page.files.as_slice() else {
                panic!("{page:?}");
            };
            assert_eq!(
                file.url,
                "https://index.example/packages/mcp_x-1.0-py3-none-any.whl"
            );
            assert_eq!(file.sha256(), digest.parse().ok());
            assert_eq!(file.requires_python.as_deref(), Some(">=3.9"));
            assert!(file.is_yanked());
            assert_eq!(
                file.core_metadata,
                Some(serde_json::json!({"sha256": digest}))
            );
        }
        assert_eq!(one.files.first().unwrap().uploaded(), Some(1_735_787_045));
    }

    #[test]
    fn times_of_a_mirror_are_not_believed() {
        let project = PackageName::parse(Ecosystem::Pypi, "x").unwrap();
        let check = |files: &[(&str, &str)], expect: bool| {
            let files = files
                .iter()
                .map(|(version, time)| SimpleFile {
                    filename: format!("x-{version}.tar.gz"),
                    upload_time: Some(format!("{time}T00:00:00Z")),
                    ..SimpleFile::default()
                })
                .collect();
            let page = SimplePage {
                meta: BTreeMap::new(),
                name: String::new(),
                files,
                versions: Vec::new(),
            };
            assert_eq!(page.times_are_plausible(&project), expect);
        };
        check(
            &[
                ("1.0", "2024-01-01"),
                ("1.0.1", "2024-01-02"),
                ("2.0", "2023-01-01"),
            ],
            true,
        );
        check(&[("1.0", "2024-01-02"), ("1.0.1", "2024-01-01")], false);
        // A wheel added later does not move its release.
        check(
            &[
                ("1.0", "2024-01-01"),
                ("1.0.1", "2024-01-02"),
                ("1.0", "2024-01-03"),
            ],
            true,
        );
    }

    #[test]
    fn a_page_of_another_kind_is_malformed() {
        let url: Url = "https://index.example/simple/x/".parse().unwrap();
        for (bytes, kind) in [("{}", JSON), ("[", JSON), ("x", "image/png")] {
            let error = SimplePage::read(bytes.as_bytes(), Some(kind), &url).unwrap_err();
            assert!(matches!(error, FetchError::Malformed { .. }), "{error}");
        }
    }

    #[test]
    fn file_names_hold_project_and_version() {
        for (file, expect) in [
            (
                "mcp_server_git-0.6.2-py3-none-any.whl",
                Some(("mcp-server-git", "0.6.2")),
            ),
            (
                "uv-0.9.7-1-py3-none-manylinux_2_17_x86_64.whl",
                Some(("uv", "0.9.7")),
            ),
            (
                "mcp_server_git-0.6.2.tar.gz",
                Some(("mcp-server-git", "0.6.2")),
            ),
            (
                "old-style-name-1.0b1.zip",
                Some(("old-style-name", "1.0b1")),
            ),
            ("zope.interface-5.0.tar.gz", Some(("zope-interface", "5.0"))),
            ("nothing.whl", None),
            ("nothing.exe", None),
        ] {
            let found = split_file_name(file);
            let found = found
                .as_ref()
                .map(|(name, version)| (name.as_str(), *version));
            assert_eq!(found, expect, "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_page_panics_or_names_a_file_elsewhere(
            content: Vec<u8>,
            html in "(<(a|base) href=[\"']?(\\.\\./|https://x\\.example/|file:|%2e|[a-z.-]{0,5}){0,3}[\"']?|<!?-{0,2}|-->|>|</a>|&#?x?[0-9a-f]{0,9};?|x-1\\.0\\.whl| ){0,20}",
            json in "([{}\\[\\]:,]|\"files\"|\"filename\"|\"url\"|\"hashes\"|\"x\"|1|null){0,30}",
        ) {
            let url: Url = "https://index.example/simple/x/".parse().unwrap();
            let project = PackageName::parse(Ecosystem::Pypi, "x").unwrap();
            for content in [content, html.into_bytes(), json.into_bytes()] {
                check_page(&content, &url, &project);
            }
        }

        #[test]
        fn no_file_name_panics(any: String, shaped in "[a-z0-9._é-]{0,12}(\\.whl|\\.tar\\.gz|\\.zip)") {
            for name in [any, shaped] {
                if let Some((_, version)) = split_file_name(&name) {
                    prop_assert!(name.contains(version));
                }
            }
        }
    }
}
