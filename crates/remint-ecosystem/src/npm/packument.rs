//! A registry's metadata document of one package, with all its versions: tens of megabytes for some, so only
//! what is asked for is kept. Mirrors leave out much of it; nothing but the tarball's address is required.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nodejs_semver::Version as Semver;
use remint_model::{ArtifactFormat, FileName, Integrity, Sha1, Version};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use url::Url;

use crate::npm::manifest::{Manifest, malformed};
use crate::npm::{claims, document, versions};
use crate::release::{Earlier, MetadataError, Release, ReleaseFile, ToolHints};

/// What errors call the document.
const WHAT: &str = "registry metadata";

/// How many versions of one line may carry the same minute before the times are taken for a mirror's own.
const BURST: usize = 4;

/// How many of the releases before it a release is held against, the nearest ones.
const NEAREST: usize = 40;

/// How many more of them, so that many new releases do not push the old ones out of sight.
const SETTLED: usize = 10;

/// When a release is old enough to be one of those: 30 days, in seconds.
const SETTLED_AFTER: i64 = 30 * 24 * 3600;

/// Reads one release.
pub(crate) fn release(
    packument: &[u8],
    version: Option<&Version>,
) -> Result<Release, MetadataError> {
    let index = Index::read(packument)?;
    let chosen = index.choose(version)?;
    let times = index.plausible_times();
    let earlier = index.earlier(&chosen, times.as_ref());
    let mut documents = Documents::read(packument, &chosen, &earlier)?;
    let stated = documents
        .take(&chosen)
        .ok_or_else(|| malformed(WHAT, format!("version `{chosen}` is no JSON object")))?;
    let earlier = earlier
        .iter()
        .filter_map(|version| {
            Some(Earlier {
                before: index.seconds_between(version, &chosen),
                claims: claims::of(&documents.take(version)?),
                untold: None,
                version: version.parse().ok()?,
            })
        })
        .collect();
    let published = times.and_then(|times| times.get(&chosen).copied());
    let mut claims = claims::of(&stated);
    if claims.is_empty() {
        claims = claims::of(&index.package);
    }
    Ok(Release {
        files: vec![file(&stated, &index.name, &chosen, published)?],
        claims,
        git_head: stated.text("gitHead").and_then(|id| id.parse().ok()),
        published,
        document: Some(document::of(&stated, &index.name)?),
        earlier,
        tools: ToolHints {
            node: stated.text("_nodeVersion").map(str::to_owned),
            npm: stated.text("_npmVersion").map(str::to_owned),
            generator: None,
        },
        versions: index
            .versions
            .iter()
            .filter_map(|version| version.parse().ok())
            .collect(),
        withdrawn: withdrawn(&stated),
        version: chosen.parse().map_err(|error| malformed(WHAT, error))?,
    })
}

/// When each version was published, unless the times cannot be the registry's.
pub(crate) fn publish_times(packument: &[u8]) -> Option<BTreeMap<String, i64>> {
    Index::read(packument).ok()?.plausible_times()
}

/// The one file of an npm release.
fn file(
    document: &Manifest,
    name: &str,
    version: &str,
    uploaded: Option<i64>,
) -> Result<ReleaseFile, MetadataError> {
    let distribution = document
        .object("dist")
        .ok_or_else(|| MetadataError::NoFile(version.to_owned()))?;
    let field = |field: &str| distribution.get(field).and_then(Value::as_str);
    let address = field("tarball").ok_or_else(|| MetadataError::NoFile(version.to_owned()))?;
    let url = Url::parse(address).map_err(|error| malformed("dist.tarball", error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(malformed(
            "dist.tarball",
            format!("scheme `{}` is not http or https", url.scheme()),
        ));
    }
    // What the registry's own naming gives; hosts that hide it behind an opaque path serve the same file.
    let unscoped = name.rsplit('/').next().unwrap_or(name);
    let canonical = format!("{unscoped}-{version}.tgz");
    let last = url
        .path_segments()
        .and_then(|mut parts| parts.next_back())
        .filter(|last| last.ends_with(".tgz") && !last.contains('%'));
    let file_name = last
        .and_then(|last| last.parse::<FileName>().ok())
        .map_or_else(|| canonical.parse(), Ok)
        .map_err(|error| malformed("dist.tarball", error))?;
    let integrity = match field("integrity").map(str::parse::<Integrity>) {
        Some(Ok(integrity)) => Some(integrity),
        // A digest that we cannot read must not pass for one that was never there.
        Some(Err(error)) => return Err(malformed("dist.integrity", error)),
        None => field("shasum")
            .map(str::parse::<Sha1>)
            .transpose()
            .map_err(|error| malformed("dist.shasum", error))?
            .map(Integrity::Sha1),
    };
    Ok(ReleaseFile {
        name: file_name,
        format: ArtifactFormat::NpmTarball,
        url: url.into(),
        integrity,
        size: distribution.get("size").and_then(Value::as_u64),
        uploaded,
    })
}

/// `deprecated` is a message; an empty one takes the deprecation back.
fn withdrawn(document: &Manifest) -> Option<String> {
    match document.get("deprecated")? {
        Value::String(message) if message.trim().is_empty() => None,
        Value::String(message) => Some(message.trim().chars().take(1000).collect()),
        Value::Bool(true) => Some("deprecated".to_owned()),
        Value::Null
        | Value::Bool(false)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_) => None,
    }
}

/// The document without its versions' contents.
#[derive(Debug, Default)]
struct Index {
    name: String,
    /// In the registry's order.
    versions: Vec<String>,
    tags: BTreeMap<String, String>,
    times: BTreeMap<String, i64>,
    /// The fields that stand beside the versions, which are those of the latest version.
    package: Manifest,
}

impl Index {
    fn read(packument: &[u8]) -> Result<Self, MetadataError> {
        let mut top = Top {
            versions: Keep::Keys,
            ..Top::default()
        };
        top.read(packument)?;
        let texts = |field: &str| {
            top.fields
                .get(field)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        };
        Ok(Self {
            name: top
                .fields
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            tags: texts("dist-tags").collect(),
            times: texts("time")
                .filter_map(|(version, time)| {
                    let time = time.parse::<jiff::Timestamp>().ok()?;
                    Some((version, time.as_second()))
                })
                .collect(),
            versions: top.keys,
            package: Manifest::from(top.fields),
        })
    }

    /// The exact version that is meant.
    fn choose(&self, wanted: Option<&Version>) -> Result<String, MetadataError> {
        let has = |version: &&String| self.versions.contains(*version);
        let newest = || {
            self.tags
                .get("latest")
                .filter(has)
                .cloned()
                .or_else(|| self.highest())
        };
        let Some(wanted) = wanted else {
            return newest().ok_or_else(|| MetadataError::Missing("versions".to_owned()));
        };
        let wanted = wanted.as_str();
        self.versions
            .iter()
            .find(|version| *version == wanted)
            .or_else(|| self.tags.get(wanted).filter(has))
            .or_else(|| {
                self.versions
                    .iter()
                    .find(|version| versions::same(version, wanted))
            })
            .cloned()
            .ok_or_else(|| MetadataError::NoSuchVersion {
                version: wanted.to_owned(),
                newest: newest().unwrap_or_else(|| "none".to_owned()),
            })
    }

    /// The highest version, stable ones first.
    fn highest(&self) -> Option<String> {
        self.versions
            .iter()
            .filter_map(|text| Some((versions::parse(text)?, text)))
            .max_by(|(one, _), (other, _)| {
                (!one.is_prerelease(), one).cmp(&(!other.is_prerelease(), other))
            })
            .map(|(_, text)| text.clone())
    }

    /// The releases before this one, the nearest first; for a stable release the stable ones before all others.
    ///
    /// Before means published before, since installers take what `latest` names and not the highest version. Where
    /// the times may be a mirror's own, lower versions count as well; where there are none, lower versions alone,
    /// or all others if there is no lower one.
    fn earlier(&self, of: &str, times: Option<&BTreeMap<String, i64>>) -> Vec<String> {
        let Some(current) = versions::parse(of) else {
            return Vec::new();
        };
        let others: Vec<(Semver, &String)> = self
            .versions
            .iter()
            .filter(|text| *text != of)
            .filter_map(|text| Some((versions::parse(text)?, text)))
            .collect();
        let mut before: Vec<&(Semver, &String)> = others
            .iter()
            .filter(|(version, text)| {
                let lower = *version < current;
                // Times that cannot be the registry's own count too: a publisher can make them look so.
                match self.seconds_between(text, of) {
                    Some(seconds) => seconds >= 0 || (lower && times.is_none()),
                    None => lower,
                }
            })
            .collect();
        if before.is_empty() && !self.times.contains_key(of) {
            before = others.iter().collect();
        }
        before.sort_by_key(|(version, text)| {
            let rank = current.is_prerelease() || !version.is_prerelease();
            let time = times.and_then(|times| times.get(*text));
            Reverse((rank, time, version.clone()))
        });
        let mut texts = before.into_iter().map(|(_, text)| (*text).clone());
        let mut chosen: Vec<String> = texts.by_ref().take(NEAREST).collect();
        let rest: Vec<String> = texts.collect();
        let settled = rest.iter().filter(|version| {
            self.seconds_between(version, of)
                .is_none_or(|seconds| seconds >= SETTLED_AFTER)
        });
        chosen.extend(settled.take(SETTLED).cloned());
        // A package may be too young to have any of those.
        chosen.extend(rest.last().filter(|last| !chosen.contains(last)).cloned());
        chosen
    }

    /// How long after the first version the second came out.
    fn seconds_between(&self, first: &str, second: &str) -> Option<i64> {
        let (first, second) = (self.times.get(first)?, self.times.get(second)?);
        Some(second.saturating_sub(*first))
    }

    /// The publish times, unless they are plainly those at which a mirror first saw the versions: patches of one
    /// line in the wrong order, or many versions in one minute.
    fn plausible_times(&self) -> Option<BTreeMap<String, i64>> {
        let mut ordered: Vec<(Semver, i64)> = self
            .versions
            .iter()
            .filter_map(|text| Some((versions::parse(text)?, *self.times.get(text)?)))
            .collect();
        if ordered.is_empty() {
            return None;
        }
        ordered.sort();
        let line = |version: &Semver| (version.major(), version.minor());
        let backwards = ordered
            .windows(2)
            .filter(|pair| {
                matches!(pair, [(one, earlier), (other, later)]
                    if line(one) == line(other)
                        && !one.is_prerelease()
                        && !other.is_prerelease()
                        && earlier > later)
            })
            .count();
        let mut moments: Vec<i64> = ordered.iter().map(|(_, time)| *time).collect();
        moments.sort_unstable();
        let burst = moments.windows(BURST).any(|window| {
            matches!((window.first(), window.last()), (Some(first), Some(last))
                if last.saturating_sub(*first) < 60)
        });
        // A single pair out of order happens to honest publishers who repair a release.
        let mirror = burst || backwards > 1 || (backwards == 1 && ordered.len() < 10);
        let created = self.times.get("created");
        let impossible = created.is_some_and(|created| {
            moments
                .first()
                .is_some_and(|first| first.saturating_add(3600) < *created)
        });
        let known: BTreeSet<&String> = self.versions.iter().collect();
        (!mirror && !impossible).then(|| {
            self.times
                .iter()
                .filter(|(version, _)| known.contains(version))
                .map(|(version, time)| (version.clone(), *time))
                .collect()
        })
    }
}

/// The contents of a few versions.
struct Documents(BTreeMap<String, Manifest>);

impl Documents {
    fn read(packument: &[u8], version: &str, earlier: &[String]) -> Result<Self, MetadataError> {
        let wanted = std::iter::once(version)
            .chain(earlier.iter().map(String::as_str))
            .map(str::to_owned)
            .collect();
        let mut top = Top {
            versions: Keep::Contents(wanted),
            ..Top::default()
        };
        top.read(packument)?;
        Ok(Self(
            top.contents
                .into_iter()
                .filter_map(|(version, value)| match value {
                    Value::Object(fields) => Some((version, Manifest::from(fields))),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_) => None,
                })
                .collect(),
        ))
    }

    fn take(&mut self, version: &str) -> Option<Manifest> {
        self.0.remove(version)
    }
}

/// What is kept of the field `versions`.
#[derive(Debug, Default)]
enum Keep {
    #[default]
    Keys,
    Contents(BTreeSet<String>),
}

/// Reads the top level of the document; the field `versions` as [`Keep`] says.
#[derive(Debug, Default)]
struct Top {
    versions: Keep,
    keys: Vec<String>,
    contents: BTreeMap<String, Value>,
    fields: serde_json::Map<String, Value>,
}

impl Top {
    fn read(&mut self, packument: &[u8]) -> Result<(), MetadataError> {
        let packument = packument.strip_prefix(b"\xef\xbb\xbf").unwrap_or(packument);
        let mut reader = serde_json::Deserializer::from_slice(packument);
        reader
            .deserialize_map(TopVisitor(self))
            .and_then(|()| reader.end())
            .map_err(|error| malformed(WHAT, error))
    }
}

struct TopVisitor<'a>(&'a mut Top);

impl<'de> Visitor<'de> for TopVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a package's metadata document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Repeated for every version, and of no use here.
        const BULK: [&str; 5] = [
            "readme",
            "users",
            "_attachments",
            "maintainers",
            "contributors",
        ];
        let top = self.0;
        while let Some(key) = map.next_key::<String>()? {
            if key == "versions" {
                top.keys.clear();
                top.contents.clear();
                map.next_value_seed(Versions {
                    keep: &top.versions,
                    keys: &mut top.keys,
                    contents: &mut top.contents,
                })?;
            } else if BULK.contains(&key.as_str()) {
                map.next_value::<IgnoredAny>()?;
            } else {
                let value = map.next_value()?;
                top.fields.insert(key, value);
            }
        }
        Ok(())
    }
}

struct Versions<'a> {
    keep: &'a Keep,
    keys: &'a mut Vec<String>,
    contents: &'a mut BTreeMap<String, Value>,
}

impl<'de> DeserializeSeed<'de> for Versions<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Versions<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of versions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(version) = map.next_key::<String>()? {
            match self.keep {
                Keep::Keys => {
                    map.next_value::<IgnoredAny>()?;
                    self.keys.push(version);
                }
                Keep::Contents(wanted) if wanted.contains(&version) => {
                    let value = map.next_value()?;
                    self.contents.insert(version, value);
                }
                Keep::Contents(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(packument: &Value, version: Option<&str>) -> Result<Release, MetadataError> {
        let version = version.map(|version| version.parse().unwrap());
        release(packument.to_string().as_bytes(), version.as_ref())
    }

    fn document(version: &str, more: &Value) -> Value {
        let mut document = serde_json::json!({
            "name": "@s/x",
            "version": version,
            "dist": { "tarball": format!("https://registry.npmjs.org/@s/x/-/x-{version}.tgz") },
        });
        if let (Some(fields), Some(more)) = (document.as_object_mut(), more.as_object()) {
            fields.extend(more.clone());
        }
        document
    }

    fn packument(versions: &[&str]) -> Value {
        let documents: serde_json::Map<String, Value> = versions
            .iter()
            .map(|version| ((*version).to_owned(), document(version, &Value::Null)))
            .collect();
        serde_json::json!({ "name": "@s/x", "versions": documents })
    }

    #[test]
    fn a_mirror_that_knows_the_tarball_alone_is_enough() {
        let release = read(&packument(&["1.0.0"]), None).unwrap();
        let file = release.files.first().unwrap();
        assert_eq!(file.name.as_str(), "x-1.0.0.tgz");
        assert_eq!(file.integrity, None);
        assert_eq!(release.published, None);
        assert_eq!(release.claims, Vec::new());
    }

    #[test]
    fn the_version_is_exact_or_a_tag_or_another_spelling() {
        let mut packument = packument(&["1.0.0", "2.0.0-rc.1", "1.1.0"]);
        let chosen = |packument: &Value, version: Option<&str>| {
            read(packument, version).map(|release| release.version.to_string())
        };
        assert_eq!(chosen(&packument, None).unwrap(), "1.1.0");
        assert_eq!(chosen(&packument, Some("v1.0.0")).unwrap(), "1.0.0");
        packument["dist-tags"] = serde_json::json!({ "latest": "1.0.0", "next": "2.0.0-rc.1" });
        assert_eq!(chosen(&packument, None).unwrap(), "1.0.0");
        assert_eq!(chosen(&packument, Some("next")).unwrap(), "2.0.0-rc.1");
        assert_eq!(
            chosen(&packument, Some("9.9.9")).unwrap_err(),
            MetadataError::NoSuchVersion {
                version: "9.9.9".to_owned(),
                newest: "1.0.0".to_owned(),
            }
        );
        // A tag that leads nowhere is not followed.
        packument["dist-tags"] = serde_json::json!({ "latest": "7.0.0" });
        assert_eq!(chosen(&packument, None).unwrap(), "1.1.0");
        assert_eq!(
            read(&serde_json::json!({ "versions": {} }), None).unwrap_err(),
            MetadataError::Missing("versions".to_owned())
        );
    }

    #[test]
    fn the_strongest_digest_counts_and_a_broken_one_is_no_absent_one() {
        let with = |dist: Value| {
            let mut packument = packument(&["1.0.0"]);
            let tarball = packument["versions"]["1.0.0"]["dist"]["tarball"].clone();
            packument["versions"]["1.0.0"]["dist"] = dist;
            packument["versions"]["1.0.0"]["dist"]["tarball"] = tarball;
            read(&packument, None).map(|release| release.files.first().unwrap().integrity.clone())
        };
        let sha512 = Integrity::Sha512(remint_model::Sha512::of(b"x"));
        let sha1 = Sha1::of(b"x");
        assert_eq!(
            with(
                serde_json::json!({ "integrity": sha512.to_string(), "shasum": sha1.to_string() })
            ),
            Ok(Some(sha512))
        );
        assert_eq!(
            with(serde_json::json!({ "shasum": sha1.to_string() })),
            Ok(Some(Integrity::Sha1(sha1)))
        );
        for broken in [
            serde_json::json!({ "integrity": "sha512-xx" }),
            serde_json::json!({ "shasum": "xx" }),
        ] {
            assert!(matches!(with(broken), Err(MetadataError::Malformed { .. })));
        }
    }

    #[test]
    fn a_release_without_a_reachable_file_is_refused() {
        let with = |dist: Value| {
            let mut packument = packument(&["1.0.0"]);
            packument["versions"]["1.0.0"]["dist"] = dist;
            read(&packument, None).unwrap_err()
        };
        assert_eq!(with(Value::Null), MetadataError::NoFile("1.0.0".to_owned()));
        assert_eq!(
            with(serde_json::json!({})),
            MetadataError::NoFile("1.0.0".to_owned())
        );
        for tarball in ["file:///etc/passwd", "x.tgz", ""] {
            assert!(matches!(
                with(serde_json::json!({ "tarball": tarball })),
                MetadataError::Malformed { .. }
            ));
        }
        let opaque = "https://npm.example.org/download/@s/x/1.0.0/0f1e";
        let mut hidden = packument(&["1.0.0"]);
        hidden["versions"]["1.0.0"]["dist"] = serde_json::json!({ "tarball": opaque });
        let release = read(&hidden, None).unwrap();
        assert_eq!(release.files.first().unwrap().name.as_str(), "x-1.0.0.tgz");
    }

    #[test]
    fn earlier_releases_are_those_that_were_out_or_else_the_lower_ones() {
        let earlier = |packument: &Value, version: &str| -> Vec<String> {
            let release = read(packument, Some(version)).unwrap();
            release
                .earlier
                .iter()
                .map(|earlier| earlier.version.to_string())
                .collect()
        };
        let mut packument = packument(&["1.0.0", "2.0.0", "2.1.0-rc.1", "2.1.0", "1.9.0"]);
        assert_eq!(
            earlier(&packument, "2.1.0"),
            ["2.0.0", "1.9.0", "1.0.0", "2.1.0-rc.1"]
        );
        assert_eq!(
            earlier(&packument, "2.1.0-rc.1"),
            ["2.0.0", "1.9.0", "1.0.0"]
        );
        assert_eq!(earlier(&packument, "2.0.0"), ["1.9.0", "1.0.0"]);
        assert_eq!(
            earlier(&packument, "1.0.0"),
            ["2.1.0", "2.0.0", "1.9.0", "2.1.0-rc.1"],
            "nothing says that it was the first"
        );
        packument["time"] = serde_json::json!({
            "1.0.0": "2020-01-01T00:00:00.000Z",
            "2.0.0": "2020-01-02T00:00:00.000Z",
            "1.9.0": "2022-01-01T00:00:00.000Z",
        });
        assert_eq!(earlier(&packument, "2.0.0"), ["1.0.0"]);
        let release = read(&packument, Some("2.0.0")).unwrap();
        assert_eq!(release.earlier.first().unwrap().before, Some(24 * 3600));
    }

    #[test]
    fn a_release_below_all_others_is_held_against_those_published_before_it() {
        let earlier = |times: &[(&str, &str)], version: &str| -> Vec<String> {
            let versions: Vec<&str> = times.iter().map(|(version, _)| *version).collect();
            let mut packument = packument(&versions);
            packument["time"] = times
                .iter()
                .map(|(version, time)| ((*version).to_owned(), Value::from(*time)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            let release = read(&packument, Some(version)).unwrap();
            release
                .earlier
                .iter()
                .map(|earlier| earlier.version.to_string())
                .collect()
        };
        let lower = [
            ("1.0.0", "2025-01-01T00:00:00Z"),
            ("1.1.0", "2025-02-01T00:00:00Z"),
            ("0.9.0", "2025-03-01T00:00:00Z"),
        ];
        assert_eq!(earlier(&lower, "0.9.0"), ["1.1.0", "1.0.0"]);
        assert_eq!(earlier(&lower, "1.1.0"), ["1.0.0"]);
        assert_eq!(earlier(&lower, "1.0.0"), [""; 0], "it was the first");
        let backport = [
            ("1.4.4", "2025-01-01T00:00:00Z"),
            ("2.0.0", "2025-02-01T00:00:00Z"),
            ("1.4.5", "2025-03-01T00:00:00Z"),
        ];
        assert_eq!(earlier(&backport, "1.4.5"), ["2.0.0", "1.4.4"]);
        assert_eq!(earlier(&backport, "2.0.0"), ["1.4.4"]);
        // Four at once make the times look like a mirror's, which must not put the others out of sight.
        let burst = [
            ("1.0.0", "2025-01-01T00:00:00Z"),
            ("0.9.0", "2025-03-01T00:00:00Z"),
            ("0.9.1", "2025-03-01T00:00:01Z"),
            ("0.9.2", "2025-03-01T00:00:02Z"),
            ("0.9.3", "2025-03-01T00:00:03Z"),
        ];
        assert_eq!(
            earlier(&burst, "0.9.3"),
            ["1.0.0", "0.9.2", "0.9.1", "0.9.0"]
        );
    }

    #[test]
    fn many_new_releases_do_not_hide_the_old_ones() {
        let texts: Vec<String> = (0..100).map(|patch| format!("1.0.{patch}")).collect();
        let versions: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut packument = packument(&versions);
        packument["time"] = texts
            .iter()
            .enumerate()
            .map(|(patch, version)| {
                let day = if patch < 3 { "2025-01" } else { "2026-01" };
                let time = format!("{day}-01T{:02}:{:02}:00.000Z", patch / 60, patch % 60);
                (version.clone(), Value::from(time))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let release = read(&packument, Some("1.0.99")).unwrap();
        let seen: Vec<&str> = release
            .earlier
            .iter()
            .map(|earlier| earlier.version.as_str())
            .collect();
        assert_eq!(seen.len(), NEAREST + 3);
        assert_eq!(seen.last(), Some(&"1.0.0"));
    }

    #[test]
    fn times_that_only_a_mirror_can_have_are_no_times() {
        let times = |times: &[(&str, &str)]| {
            let versions: Vec<&str> = times.iter().map(|(version, _)| *version).collect();
            let mut packument = packument(&versions);
            packument["time"] = times
                .iter()
                .map(|(version, time)| ((*version).to_owned(), Value::from(*time)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            publish_times(packument.to_string().as_bytes())
        };
        let honest = times(&[
            ("1.0.0", "2020-01-01T00:00:00.000Z"),
            ("1.1.0", "2020-02-01T00:00:00.000Z"),
            ("1.0.1", "2020-03-01T00:00:00.000Z"),
        ]);
        assert_eq!(honest.unwrap().get("1.0.1"), Some(&1_583_020_800));
        let backwards = times(&[
            ("1.0.0", "2026-03-29T22:22:12.134000+00:00"),
            ("1.0.1", "2025-12-04T21:56:54.366000+00:00"),
        ]);
        assert_eq!(backwards, None);
        let burst = times(&[
            ("1.0.0", "2026-09-07T00:35:01Z"),
            ("2.0.0", "2026-09-07T00:35:06Z"),
            ("3.0.0", "2026-09-07T00:35:18Z"),
            ("4.0.0", "2026-09-07T00:35:20Z"),
        ]);
        assert_eq!(burst, None);
    }

    #[test]
    fn hints_and_withdrawal_are_read_where_they_have_the_right_shape() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let mut packument = packument(&["1.0.0"]);
        packument["versions"]["1.0.0"] = document(
            "1.0.0",
            &serde_json::json!({
                "gitHead": commit,
                "_nodeVersion": "22.1.0",
                "_npmVersion": "10.8.1",
                "deprecated": "use y",
            }),
        );
        let release = read(&packument, None).unwrap();
        assert_eq!(release.git_head, Some(commit.parse().unwrap()));
        assert_eq!(release.tools.node.as_deref(), Some("22.1.0"));
        assert_eq!(release.withdrawn.as_deref(), Some("use y"));
        packument["versions"]["1.0.0"] = document(
            "1.0.0",
            &serde_json::json!({ "gitHead": "--upload-pack=x", "_nodeVersion": 22, "deprecated": "" }),
        );
        let release = read(&packument, None).unwrap();
        assert_eq!(release.git_head, None);
        assert_eq!(release.tools, ToolHints::default());
        assert_eq!(release.withdrawn, None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        for bytes in [
            &b""[..],
            b"[]",
            b"{\"versions\":[]}",
            b"{\"versions\":{\"1.0.0\":7}}",
            b"{\"versions\":{\"1.0.0\":{}},\"time\":7,\"dist-tags\":[]}",
            b"{\"versions\":{}} trailing",
            b"\xff\xfe",
        ] {
            assert!(release(bytes, None).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_document_panics_and_a_release_is_one_of_its_versions(
            bytes: Vec<u8>,
            text in "([{}\\[\\]:,\"]|\"versions\"|\"dist-tags\"|\"time\"|\"dist\"|\"tarball\"|\"1\\.0\\.0\"|1|null){0,30}",
            versions in prop::collection::btree_map("[0-2]\\.[0-2]\\.[0-2](-b\\.[0-9])?|\\PC{0,4}", "(https?://x\\.example/|file:|/-/|[a-z%]{1,3}|\\.tgz){0,4}", 0..5),
            latest in "[0-2]\\.[0-2]\\.[0-2]",
            times in prop::collection::btree_map("created|[0-2]\\.[0-2]\\.[0-2]", "20[0-9]{2}-0[1-9]-[0-9]{2}T00:00:00Z|\\PC{0,4}", 0..5),
        ) {
            for document in [bytes, text.into_bytes()] {
                drop(release(&document, None));
                drop(publish_times(&document));
            }
            let documents: serde_json::Map<_, _> = versions
                .iter()
                .map(|(version, tarball)| (version.clone(), serde_json::json!({"dist": {"tarball": tarball}})))
                .collect();
            let document = serde_json::json!({
                "name": "x", "versions": documents, "dist-tags": {"latest": latest}, "time": times,
            });
            let document = document.to_string().into_bytes();
            if let Some(times) = publish_times(&document) {
                prop_assert!(times.keys().all(|version| versions.contains_key(version)));
            }
            if let Ok(release) = release(&document, None) {
                prop_assert!(versions.contains_key(release.version.as_str()));
                prop_assert!(release.earlier.iter().all(|earlier| earlier.version != release.version));
                for file in release.files {
                    prop_assert!(file.url.starts_with("https:") || file.url.starts_with("http:"));
                }
            }
        }
    }
}
