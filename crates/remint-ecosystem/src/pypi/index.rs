//! An index's page for a project (simple repository API), as JSON (PEP 691, 700) or HTML (PEP 503, `index_html.rs`).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use remint_model::{ArtifactFormat, Integrity, PackageName, Sha1, Sha256, Sha512, Version};
use serde::Deserialize;
use url::Url;

use crate::pypi::file_name::PythonFile;
use crate::pypi::{index_html, versions};
use crate::release::{Earlier, MetadataError, Release, ReleaseFile, ToolHints, provenance_before};
use crate::request::{Interpreter, Platform};

/// No project has more files; a page that lists more is an attack on memory.
const MOST_FILES: usize = 200_000;

/// A longer `<base>` would be copied into the address of every file.
const LONGEST_BASE: usize = 2048;

/// A page of an index, as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct IndexAnswer<'a> {
    /// The body.
    pub content: &'a [u8],
    /// The `Content-Type` header, which decides between JSON and HTML.
    pub content_type: &'a str,
    /// Where it came from, after redirects: links may be relative to it.
    pub url: &'a str,
}

/// One file of a page, whichever form the page had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexFile {
    pub(super) name: String,
    /// As written, perhaps relative.
    pub(super) url: String,
    pub(super) hashes: BTreeMap<String, String>,
    pub(super) size: Option<u64>,
    pub(super) upload_time: Option<String>,
    /// The reason, perhaps empty.
    pub(super) yanked: Option<String>,
    /// Where its provenance is (PEP 740).
    pub(super) provenance: Option<String>,
}

/// A page in one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// What relative links are relative to, where the page itself says (HTML `<base>`).
    pub(super) base: Option<String>,
    pub(super) files: Vec<IndexFile>,
    /// PEP 700's list; empty where the page has none.
    pub(super) versions: Vec<String>,
}

/// How many releases back a repository must have been named to be an old one, and how many seconds (30 days).
const SETTLED_BEHIND: usize = 5;
const SETTLED_AFTER: i64 = 30 * 24 * 3600;

pub(super) fn release(
    name: &PackageName,
    answer: &IndexAnswer<'_>,
    version: Option<&Version>,
    platform: Platform,
    interpreters: &[Interpreter],
) -> Result<Release, MetadataError> {
    let page = page(answer)?;
    let base = base(answer.url, page.base.as_deref());
    let files: Vec<(PythonFile, &IndexFile)> = page
        .files
        .iter()
        .filter_map(|file| Some((PythonFile::parse(name, &file.name)?, file)))
        .collect();
    let listed = listed_versions(&page.versions, &files);
    let Some(newest) = newest(&listed, &files) else {
        return Err(MetadataError::NoFile(
            version.map_or("latest", Version::as_str).to_owned(),
        ));
    };
    let wanted = match version {
        None => &newest,
        Some(version) => version,
    };
    let no_such_version = || MetadataError::NoSuchVersion {
        version: wanted.to_string(),
        newest: newest.to_string(),
    };
    let parsed = versions::parse(wanted.as_str()).ok_or_else(no_such_version)?;
    // The registry's own spelling of the version.
    let version = listed
        .iter()
        .find(|listed| versions::same(listed.as_str(), wanted.as_str()))
        .ok_or_else(no_such_version)?
        .clone();
    let mut chosen: Vec<&(PythonFile, &IndexFile)> = files
        .iter()
        .filter(|(python, _)| python.version == parsed)
        .collect();
    if chosen.is_empty() {
        return Err(MetadataError::NoFile(version.to_string()));
    }
    chosen.sort_by_key(|(python, _)| python.order(platform, interpreters));
    let withdrawn = if chosen.iter().all(|(_, file)| file.yanked.is_some()) {
        chosen.iter().find_map(|(_, file)| file.yanked.clone())
    } else {
        None
    };
    let times = upload_times(&files);
    let row = row(&listed, &parsed, &times);
    let earlier = earlier(&row);
    let announced = announced(&files);
    let files = chosen
        .into_iter()
        .map(|(python, file)| {
            let mut released = release_file(python.format, file, base.as_ref())?;
            if released.provenance.is_none() {
                released.provenance_before = provenance_before(row.iter().map(|earlier| {
                    let has = announced.contains(&(&earlier.parsed, python.format));
                    (earlier.version, earlier.before, has)
                }));
            }
            Ok(released)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Release {
        published: files.iter().filter_map(|file| file.uploaded).min(),
        earlier,
        version,
        files,
        claims: Vec::new(),
        git_head: None,
        tools: ToolHints::default(),
        versions: listed,
        document: None,
        withdrawn,
    })
}

fn page(answer: &IndexAnswer<'_>) -> Result<Page, MetadataError> {
    let content_type = answer.content_type.to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    let page = match media_type {
        "application/vnd.pypi.simple.v1+json"
        | "application/vnd.pypi.simple.latest+json"
        | "application/json" => json(answer.content)?,
        "application/vnd.pypi.simple.v1+html"
        | "application/vnd.pypi.simple.latest+html"
        | "text/html"
        | "application/xhtml+xml" => index_html::page(answer.content)?,
        _ => {
            return Err(malformed(format!(
                "neither JSON nor HTML: content type `{}`",
                media_type.chars().take(80).collect::<String>()
            )));
        }
    };
    if page.files.len() > MOST_FILES {
        return Err(malformed(format!("it lists more than {MOST_FILES} files")));
    }
    Ok(page)
}

fn json(content: &[u8]) -> Result<Page, MetadataError> {
    #[derive(Deserialize)]
    struct WirePage {
        #[serde(default)]
        meta: Meta,
        files: Vec<WireFile>,
        #[serde(default)]
        versions: Vec<String>,
    }
    #[derive(Deserialize, Default)]
    struct Meta {
        #[serde(rename = "api-version")]
        api_version: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct WireFile {
        filename: String,
        url: String,
        #[serde(default)]
        hashes: BTreeMap<String, String>,
        #[serde(default)]
        size: Option<u64>,
        #[serde(default)]
        upload_time: Option<String>,
        #[serde(default)]
        yanked: Yanked,
        #[serde(default)]
        provenance: serde_json::Value,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Yanked {
        Flag(bool),
        Reason(String),
        Null(()),
    }
    impl Default for Yanked {
        fn default() -> Self {
            Self::Flag(false)
        }
    }

    let page: WirePage =
        serde_json::from_slice(content).map_err(|error| malformed(error.to_string()))?;
    // PEP 629: a client must refuse a major version that it does not know.
    if let Some(version) = page.meta.api_version
        && !(version == "1" || version.starts_with("1."))
    {
        return Err(malformed(format!(
            "its API version is `{}`, not 1",
            version.chars().take(20).collect::<String>()
        )));
    }
    let files = page
        .files
        .into_iter()
        .map(|file| IndexFile {
            name: file.filename,
            url: file.url,
            hashes: file.hashes,
            size: file.size,
            upload_time: file.upload_time,
            yanked: match file.yanked {
                Yanked::Flag(false) | Yanked::Null(()) => None,
                Yanked::Flag(true) => Some(String::new()),
                Yanked::Reason(reason) => Some(reason),
            },
            provenance: file.provenance.as_str().map(str::to_owned),
        })
        .collect();
    Ok(Page {
        base: None,
        files,
        versions: page.versions,
    })
}

/// Every version once: PEP 700's list, or else those of the files, in the page's order.
fn listed_versions(stated: &[String], files: &[(PythonFile, &IndexFile)]) -> Vec<Version> {
    let mut seen = BTreeSet::new();
    let spelled = stated
        .iter()
        .map(String::as_str)
        .chain(files.iter().map(|(python, _)| python.version_text.as_str()));
    spelled
        .filter_map(|text| {
            let parsed = versions::parse(text)?;
            seen.insert(parsed.clone())
                .then(|| text.parse().or_else(|_| parsed.to_string().parse()).ok())
                .flatten()
        })
        .collect()
}

/// What an installer takes when no version is given: the newest stable version with a file that is not yanked,
/// else the newest pre-release, else anything.
fn newest(listed: &[Version], files: &[(PythonFile, &IndexFile)]) -> Option<Version> {
    let offered: BTreeSet<_> = files
        .iter()
        .filter(|(_, file)| file.yanked.is_none())
        .map(|(python, _)| &python.version)
        .collect();
    listed
        .iter()
        .filter_map(|version| Some((versions::parse(version.as_str())?, version)))
        .max_by_key(|(parsed, _)| (offered.contains(parsed), parsed.is_stable(), parsed.clone()))
        .map(|(_, version)| version.clone())
}

/// A release before the one in question.
struct Before<'a> {
    parsed: pep440_rs::Version,
    version: &'a Version,
    /// How many seconds before it.
    before: Option<i64>,
}

/// The releases before this one, the nearest first.
///
/// Before means uploaded before; where there is no time, of a lower version, or of any other if there is no lower
/// one.
fn row<'a>(
    listed: &'a [Version],
    version: &pep440_rs::Version,
    times: &BTreeMap<pep440_rs::Version, i64>,
) -> Vec<Before<'a>> {
    let before = |other: &pep440_rs::Version| -> Option<i64> {
        Some(times.get(version)?.saturating_sub(*times.get(other)?))
    };
    let others = || {
        listed
            .iter()
            .filter_map(|listed| Some((versions::parse(listed.as_str())?, listed)))
            .filter(|(parsed, _)| parsed != version)
            .map(|(parsed, version)| Before {
                before: before(&parsed),
                parsed,
                version,
            })
    };
    let mut row: Vec<Before<'_>> = others()
        .filter(|other| {
            other
                .before
                .map_or(other.parsed < *version, |seconds| seconds >= 0)
        })
        .collect();
    if row.is_empty() && !times.contains_key(version) {
        row = others().collect();
    }
    row.sort_by_key(|other| Reverse((times.get(&other.parsed), other.parsed.clone())));
    row
}

/// Two of the releases before this one: the nearest, and the first one of those that show, if they named the same
/// repository, that it is an old one. Each costs a request.
fn earlier(row: &[Before<'_>]) -> Vec<Earlier> {
    let settled = row
        .iter()
        .skip(SETTLED_BEHIND - 1)
        .find(|other| other.before.is_none_or(|seconds| seconds >= SETTLED_AFTER))
        .or_else(|| row.last());
    let mut chosen: Vec<&Before<'_>> = row.first().into_iter().chain(settled).collect();
    chosen.dedup_by_key(|other| other.version);
    chosen
        .into_iter()
        .map(|other| Earlier {
            version: other.version.clone(),
            before: other.before,
            claims: Vec::new(),
            untold: None,
        })
        .collect()
}

/// The releases of which a file of this format has provenance.
fn announced<'a>(
    files: &'a [(PythonFile, &IndexFile)],
) -> BTreeSet<(&'a pep440_rs::Version, ArtifactFormat)> {
    files
        .iter()
        .filter(|(_, file)| file.provenance.is_some())
        .map(|(python, _)| (&python.version, python.format))
        .collect()
}

/// When the first file of each version was uploaded.
fn upload_times(files: &[(PythonFile, &IndexFile)]) -> BTreeMap<pep440_rs::Version, i64> {
    let mut times = BTreeMap::new();
    for (python, file) in files {
        if let Some(time) = uploaded(file) {
            times
                .entry(python.version.clone())
                .and_modify(|first: &mut i64| *first = time.min(*first))
                .or_insert(time);
        }
    }
    times
}

fn release_file(
    format: ArtifactFormat,
    file: &IndexFile,
    base: Option<&Url>,
) -> Result<ReleaseFile, MetadataError> {
    let bad_url = || {
        malformed(format!(
            "the URL of `{}` is not one that files are fetched from",
            file.name
        ))
    };
    let mut url = match (Url::parse(&file.url), base) {
        (Ok(url), _) => url,
        (Err(_), Some(base)) => base.join(&file.url).map_err(|_| bad_url())?,
        (Err(_), None) => return Err(bad_url()),
    };
    if !matches!(url.scheme(), "https" | "http") {
        return Err(bad_url());
    }
    url.set_fragment(None);
    Ok(ReleaseFile {
        name: file
            .name
            .parse()
            .map_err(|error: remint_model::TargetError| malformed(error.to_string()))?,
        format,
        url: url.into(),
        integrity: integrity(&file.name, &file.hashes)?,
        size: file.size,
        uploaded: uploaded(file),
        provenance: file.provenance.clone(),
        provenance_before: None,
    })
}

fn uploaded(file: &IndexFile) -> Option<i64> {
    file.upload_time
        .as_deref()
        .and_then(|time| time.parse::<jiff::Timestamp>().ok())
        .map(jiff::Timestamp::as_second)
        .filter(|second| *second > 0)
}

/// The strongest digest. One that is there and cannot be read is an error, never an absence.
fn integrity(
    name: &str,
    hashes: &BTreeMap<String, String>,
) -> Result<Option<Integrity>, MetadataError> {
    let of = |algorithm: &str| {
        hashes
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(algorithm))
            .map(|(_, value)| value.as_str())
    };
    let unreadable =
        |error: remint_model::DigestError| malformed(format!("a hash of `{name}`: {error}"));
    if let Some(digest) = of("sha512") {
        let digest: Sha512 = digest.parse().map_err(unreadable)?;
        Ok(Some(Integrity::Sha512(digest)))
    } else if let Some(digest) = of("sha256") {
        let digest: Sha256 = digest.parse().map_err(unreadable)?;
        Ok(Some(Integrity::Sha256(digest)))
    } else if let Some(digest) = of("sha1") {
        let digest: Sha1 = digest.parse().map_err(unreadable)?;
        Ok(Some(Integrity::Sha1(digest)))
    } else {
        Ok(None)
    }
}

fn base(page: &str, stated: Option<&str>) -> Option<Url> {
    let page = Url::parse(page).ok();
    let stated = stated.filter(|stated| stated.len() <= LONGEST_BASE);
    match (page, stated) {
        (Some(page), Some(stated)) => page.join(stated).ok(),
        (None, Some(stated)) => Url::parse(stated).ok(),
        (page, None) => page,
    }
}

fn malformed(reason: String) -> MetadataError {
    MetadataError::Malformed {
        what: "the index's page".to_owned(),
        reason,
    }
}
