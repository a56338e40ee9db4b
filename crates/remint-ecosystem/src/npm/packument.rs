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

use crate::npm::manifest::Manifest;
use crate::npm::{claims, document, versions};
use crate::release::{Earlier, MetadataError, Release, ReleaseFile, ToolHints, provenance_before};

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
    let stated = documents.take(&chosen).ok_or_else(|| {
        MetadataError::malformed(WHAT, format!("version `{chosen}` is no JSON object"))
    })?;
    let mut announced = Vec::new();
    let earlier: Vec<Earlier> = earlier
        .iter()
        .filter_map(|version| {
            let document = documents.take(version)?;
            let earlier = Earlier {
                before: index.seconds_between(version, &chosen),
                claims: claims::of(&document),
                untold: None,
                version: version.parse().ok()?,
            };
            announced.push(provenance(&document).is_some());
            Some(earlier)
        })
        .collect();
    let published = times.and_then(|times| times.get(&chosen).copied());
    let mut claims = claims::of(&stated);
    if claims.is_empty() {
        claims = claims::of(&index.package);
    }
    let mut file = file(&stated, &index.name, &chosen, published)?;
    if file.provenance.is_none() {
        file.provenance_before = provenance_before(
            earlier
                .iter()
                .zip(announced)
                .map(|(earlier, announced)| (&earlier.version, earlier.before, announced)),
        );
    }
    Ok(Release {
        files: vec![file],
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
        version: chosen
            .parse()
            .map_err(|error| MetadataError::malformed(WHAT, error))?,
    })
}

/// When each version was out at the latest; none of a document that cannot be read.
pub(crate) fn out_by(packument: &[u8]) -> BTreeMap<String, i64> {
    Index::read(packument).map_or_else(|_| BTreeMap::new(), |index| index.out_by())
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
    let url =
        Url::parse(address).map_err(|error| MetadataError::malformed("dist.tarball", error))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(MetadataError::malformed(
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
        .map_err(|error| MetadataError::malformed("dist.tarball", error))?;
    let integrity = match field("integrity").map(str::parse::<Integrity>) {
        Some(Ok(integrity)) => Some(integrity),
        // A digest that we cannot read must not pass for one that was never there.
        Some(Err(error)) => return Err(MetadataError::malformed("dist.integrity", error)),
        None => field("shasum")
            .map(str::parse::<Sha1>)
            .transpose()
            .map_err(|error| MetadataError::malformed("dist.shasum", error))?
            .map(Integrity::Sha1),
    };
    Ok(ReleaseFile {
        name: file_name,
        format: ArtifactFormat::NpmTarball,
        url: url.into(),
        integrity,
        size: distribution.get("size").and_then(Value::as_u64),
        uploaded,
        provenance: provenance(document),
        provenance_before: None,
    })
}

/// `dist.attestations`, which npm has where a workflow published with provenance. npm's own word that it published
/// something says nothing about where that comes from.
fn provenance(document: &Manifest) -> Option<String> {
    let attestations = document.object("dist")?.get("attestations")?;
    attestations.get("provenance")?.as_object()?;
    let address = attestations.get("url").and_then(Value::as_str);
    Some(address.unwrap_or_default().to_owned())
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

    /// When each version was out at the latest: the publish times, or what the times of a mirror say of them.
    ///
    /// A mirror cannot see a version before it is published, and within one line (`1.2`) the patches come in order: none
    /// is younger than those after it, however late the mirror saw it.
    fn out_by(&self) -> BTreeMap<String, i64> {
        if let Some(times) = self.plausible_times() {
            return times;
        }
        let mut seen: Vec<(Semver, &String, i64)> = self
            .versions
            .iter()
            .filter_map(|text| Some((versions::parse(text)?, text, *self.times.get(text)?)))
            .collect();
        seen.sort();
        let mut line = None;
        let mut soonest = i64::MAX;
        let mut bounds = BTreeMap::new();
        for (version, text, time) in seen.into_iter().rev() {
            let bound = if version.is_prerelease() {
                time
            } else {
                let its_line = (version.major(), version.minor());
                if line != Some(its_line) {
                    (line, soonest) = (Some(its_line), i64::MAX);
                }
                soonest = soonest.min(time);
                soonest
            };
            bounds.insert(text.clone(), bound);
        }
        bounds
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
            .map_err(|error| MetadataError::malformed(WHAT, error))
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
