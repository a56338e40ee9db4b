//! Rewrites npm metadata for the inside: versions hidden, tarballs at their canonical addresses, and reduced to
//! what installing needs where a client asks for that. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nodejs_semver::Version as Semver;
use remint_model::PackageName;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::proxy::address::canonical_tarball;

/// The media type of the reduced form.
pub(super) const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// The fields of a version in the reduced form (npm registry documentation, "Package Metadata").
const INSTALL_FIELDS: &[&str] = &[
    "name",
    "version",
    "deprecated",
    "dependencies",
    "optionalDependencies",
    "devDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "peerDependencies",
    "peerDependenciesMeta",
    "acceptDependencies",
    "bin",
    "directories",
    "dist",
    "engines",
    "os",
    "cpu",
    "libc",
    "funding",
    "hasInstallScript",
    "_hasShrinkwrap",
];

/// Which form a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Full,
    Abbreviated,
}

/// A JSON object in its own order, its values unread.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'a> Object<'a> {
    fn read(value: &'a RawValue) -> Result<Self, serde_json::Error> {
        serde_json::from_str(value.get())
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(found, _)| found == key)
            .map(|(_, value)| *value)
    }
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::value::to_raw_value(value)
}

/// The document for the inside.
pub(super) fn reshape(
    bytes: &[u8],
    name: &PackageName,
    visible: impl Fn(&str) -> bool,
    form: Form,
) -> Result<Vec<u8>, serde_json::Error> {
    let document: Object<'_> = serde_json::from_slice(bytes)?;
    let listed = match document.get("versions") {
        Some(versions) => Object::read(versions)?,
        None => Object(Vec::new()),
    };
    let mut versions: Vec<(String, Box<RawValue>)> = Vec::new();
    for (version, manifest) in &listed.0 {
        if visible(version) {
            versions.push((
                version.clone(),
                manifest_for(manifest, name, version, form)?,
            ));
        }
    }
    let hidden = versions.len() < listed.0.len();
    let shown: BTreeSet<&str> = versions
        .iter()
        .map(|(version, _)| version.as_str())
        .collect();
    let tags = dist_tags(document.get("dist-tags"), &shown, hidden)?;
    let entries: Vec<(String, &RawValue)> = versions
        .iter()
        .map(|(version, manifest)| (version.clone(), &**manifest))
        .collect();
    let versions = raw(&Object(entries))?;
    let times = match document.get("time") {
        Some(times) => Some(raw(&shown_times(times, &shown)?)?),
        None => None,
    };
    let modified = times.as_deref().and_then(|times| {
        let times = Object::read(times).ok()?;
        times.get("modified").map(ToOwned::to_owned)
    });
    let mut entries: Vec<(String, &RawValue)> = Vec::new();
    for (key, value) in &document.0 {
        match (key.as_str(), form) {
            ("versions", _) => entries.push((key.clone(), &versions)),
            ("dist-tags", _) => entries.push((key.clone(), &tags)),
            ("time", Form::Full) => {
                entries.extend(times.as_deref().map(|times| (key.clone(), times)));
            }
            ("name" | "modified", Form::Abbreviated) | (_, Form::Full) => {
                entries.push((key.clone(), value));
            }
            (_, Form::Abbreviated) => {}
        }
    }
    if form == Form::Abbreviated
        && document.get("modified").is_none()
        && let Some(modified) = &modified
    {
        entries.push(("modified".to_owned(), modified));
    }
    serde_json::to_vec(&Object(entries))
}

/// One version, or what a dist-tag names, if it is visible.
pub(super) fn manifest(
    bytes: &[u8],
    name: &PackageName,
    wanted: &str,
    visible: impl Fn(&str) -> bool,
) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let shaped = reshape(bytes, name, visible, Form::Full)?;
    let document: Object<'_> = serde_json::from_slice(&shaped)?;
    let (Some(versions), Some(tags)) = (document.get("versions"), document.get("dist-tags")) else {
        return Ok(None);
    };
    let tags: BTreeMap<String, String> = serde_json::from_str(tags.get())?;
    let version = tags.get(wanted).map_or(wanted, String::as_str);
    Ok(Object::read(versions)?
        .get(version)
        .map(|manifest| manifest.get().as_bytes().to_vec()))
}

/// The registry's own address of a tarball that clients know by its file name.
pub(super) fn tarball_address(
    bytes: &[u8],
    name: &PackageName,
    file: &str,
) -> Result<Option<String>, serde_json::Error> {
    let document: Object<'_> = serde_json::from_slice(bytes)?;
    let Some(versions) = document.get("versions") else {
        return Ok(None);
    };
    for (version, manifest) in &Object::read(versions)?.0 {
        if let Some(address) = upstream_tarball(manifest)
            && file_name(&address, name, version) == file
        {
            return Ok(Some(address));
        }
    }
    Ok(None)
}

fn upstream_tarball(manifest: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Manifest {
        dist: Dist,
    }
    #[derive(serde::Deserialize)]
    struct Dist {
        tarball: String,
    }
    let manifest: Manifest = serde_json::from_str(manifest.get()).ok()?;
    Some(manifest.dist.tarball)
}

/// The file name under which clients inside know a tarball.
fn file_name(address: &str, name: &PackageName, version: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    match path.rsplit_once("/-/") {
        Some((_, file)) if file.ends_with(".tgz") && !file.contains(['/', '%']) => file.to_owned(),
        _ => format!("{}-{version}.tgz", name.unscoped()),
    }
}

fn manifest_for(
    manifest: &RawValue,
    name: &PackageName,
    version: &str,
    form: Form,
) -> Result<Box<RawValue>, serde_json::Error> {
    let address = upstream_tarball(manifest);
    let canonical = address
        .as_deref()
        .map(|address| canonical_tarball(name, &file_name(address, name, version)));
    if form == Form::Full && address == canonical {
        return Ok(manifest.to_owned());
    }
    let fields = Object::read(manifest)?;
    let dist = match (fields.get("dist"), canonical) {
        (Some(dist), Some(canonical)) => {
            let dist = Object::read(dist)?;
            let canonical = raw(&canonical)?;
            let entries = dist
                .0
                .iter()
                .map(|(key, value)| match key.as_str() {
                    "tarball" => (key.clone(), &*canonical),
                    _ => (key.clone(), *value),
                })
                .collect();
            Some(raw(&Object(entries))?)
        }
        (_, _) => None,
    };
    let install_script = match fields.get("hasInstallScript") {
        None if form == Form::Abbreviated && runs_on_install(&fields) => Some(raw(&true)?),
        None | Some(_) => None,
    };
    let mut entries: Vec<(String, &RawValue)> = Vec::new();
    for (key, value) in &fields.0 {
        if form == Form::Abbreviated && !INSTALL_FIELDS.contains(&key.as_str()) {
            continue;
        }
        let value = match (key.as_str(), &dist) {
            ("dist", Some(dist)) => dist,
            _ => *value,
        };
        entries.push((key.clone(), value));
    }
    if let Some(install_script) = &install_script {
        entries.push(("hasInstallScript".to_owned(), install_script));
    }
    raw(&Object(entries))
}

/// What the registry computes for the reduced form; the full one has only the scripts.
fn runs_on_install(fields: &Object<'_>) -> bool {
    let scripts = fields
        .get("scripts")
        .and_then(|scripts| Object::read(scripts).ok());
    let has_script = scripts.is_some_and(|scripts| {
        ["preinstall", "install", "postinstall"]
            .iter()
            .any(|script| scripts.get(script).is_some())
    });
    has_script
        || fields
            .get("gypfile")
            .is_some_and(|value| value.get() == "true")
}

/// Tags whose version is still there; `latest` by semantic version where some are hidden.
fn dist_tags(
    tags: Option<&RawValue>,
    shown: &BTreeSet<&str>,
    hidden: bool,
) -> Result<Box<RawValue>, serde_json::Error> {
    let tags: BTreeMap<String, String> = match tags {
        Some(tags) => serde_json::from_str(tags.get())?,
        None => BTreeMap::new(),
    };
    let mut kept: BTreeMap<String, String> = tags
        .into_iter()
        .filter(|(_, version)| shown.contains(version.as_str()))
        .collect();
    if hidden {
        let highest = shown
            .iter()
            .filter_map(|text| Some((Semver::parse(text).ok()?, *text)))
            .max_by(|(one, _), (other, _)| {
                (!one.is_prerelease(), one).cmp(&(!other.is_prerelease(), other))
            });
        if let Some((_, highest)) = highest {
            kept.insert("latest".to_owned(), highest.to_owned());
        }
    }
    raw(&kept)
}

fn shown_times<'a>(
    times: &'a RawValue,
    shown: &BTreeSet<&str>,
) -> Result<Object<'a>, serde_json::Error> {
    let mut times = Object::read(times)?;
    times.0.retain(|(key, _)| {
        matches!(key.as_str(), "created" | "modified") || shown.contains(key.as_str())
    });
    Ok(times)
}

/// Whatever a registry answers, it is reshaped or refused.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_packument(bytes: &[u8], name: &PackageName) {
    let visible = |version: &str| version < "1.2";
    for form in [Form::Full, Form::Abbreviated] {
        if let Ok(shaped) = reshape(bytes, name, visible, form) {
            let again = reshape(&shaped, name, visible, form);
            assert!(again.is_ok_and(|again| again == shaped));
        }
    }
    drop(manifest(bytes, name, "latest", visible));
    drop(tarball_address(bytes, name, "b-1.tgz"));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::Ecosystem;
    use serde_json::{Value, json};

    use super::*;

    fn sample() -> (PackageName, Vec<u8>) {
        let version = |version: &str, scripts: Value| {
            json!({"name": "@a/b", "version": version, "scripts": scripts, "readme": "long",
                "dependencies": {"c": "^1"},
                "dist": {"tarball": format!("https://mirror.example/npm/@a/b/-/b-{version}.tgz"), "shasum": "x"}})
        };
        let document = json!({
            "name": "@a/b", "readme": "long",
            "dist-tags": {"latest": "2.0.0", "old": "1.0.0", "beta": "3.0.0-beta.1"},
            "versions": {
                "1.0.0": version("1.0.0", json!({"install": "x"})),
                "1.1.0": version("1.1.0", json!({"test": "x"})),
                "2.0.0": version("2.0.0", json!({})),
                "3.0.0-beta.1": version("3.0.0-beta.1", json!({})),
            },
            "time": {"created": "a", "modified": "b", "1.0.0": "c", "1.1.0": "d", "2.0.0": "e"},
        });
        let name = PackageName::parse(Ecosystem::Npm, "@a/b").unwrap();
        (name, serde_json::to_vec(&document).unwrap())
    }

    #[test]
    fn hidden_versions_leave_no_trace() {
        let (name, bytes) = sample();
        let shaped = reshape(&bytes, &name, |version| version < "1.2", Form::Full).unwrap();
        let shaped: Value = serde_json::from_slice(&shaped).unwrap();
        assert_eq!(
            shaped["dist-tags"],
            json!({"latest": "1.1.0", "old": "1.0.0"})
        );
        let versions: Vec<&String> = shaped["versions"].as_object().unwrap().keys().collect();
        assert_eq!(versions, ["1.0.0", "1.1.0"]);
        assert_eq!(
            shaped["time"],
            json!({"created": "a", "modified": "b", "1.0.0": "c", "1.1.0": "d"})
        );
        assert_eq!(
            shaped["versions"]["1.0.0"]["dist"]["tarball"],
            "https://registry.npmjs.org/@a/b/-/b-1.0.0.tgz"
        );
        assert_eq!(shaped["versions"]["1.0.0"]["readme"], "long");
    }

    #[test]
    fn the_reduced_form_has_what_installing_needs() {
        let (name, bytes) = sample();
        let shaped = reshape(&bytes, &name, |_| true, Form::Abbreviated).unwrap();
        let shaped: Value = serde_json::from_slice(&shaped).unwrap();
        let keys: Vec<&String> = shaped.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["name", "dist-tags", "versions", "modified"]);
        assert_eq!(shaped["dist-tags"]["latest"], "2.0.0");
        assert_eq!(
            shaped["versions"]["1.0.0"],
            json!({"name": "@a/b", "version": "1.0.0", "dependencies": {"c": "^1"},
                "dist": {"tarball": "https://registry.npmjs.org/@a/b/-/b-1.0.0.tgz", "shasum": "x"},
                "hasInstallScript": true})
        );
        assert_eq!(shaped["versions"]["1.1.0"].get("hasInstallScript"), None);
    }

    #[test]
    fn one_version_is_found_by_tag_or_number_unless_hidden() {
        let (name, bytes) = sample();
        let check = |wanted: &str, expect: Option<&str>| {
            let found = manifest(&bytes, &name, wanted, |version| version < "2").unwrap();
            let found: Option<Value> = found.map(|found| serde_json::from_slice(&found).unwrap());
            let found = found.as_ref().and_then(|found| found["version"].as_str());
            assert_eq!(found, expect, "{wanted}");
        };
        check("latest", Some("1.1.0"));
        check("1.0.0", Some("1.0.0"));
        check("2.0.0", None);
        check("beta", None);
    }

    #[test]
    fn tarballs_with_unusual_addresses_are_found_again() {
        let name = PackageName::parse(Ecosystem::Npm, "a").unwrap();
        let document =
            json!({"versions": {"1.0.0": {"dist": {"tarball": "https://x.example/blob/1234"}}}});
        let bytes = serde_json::to_vec(&document).unwrap();
        let shaped = reshape(&bytes, &name, |_| true, Form::Full).unwrap();
        let shaped: Value = serde_json::from_slice(&shaped).unwrap();
        assert_eq!(
            shaped["versions"]["1.0.0"]["dist"]["tarball"],
            "https://registry.npmjs.org/a/-/a-1.0.0.tgz"
        );
        assert_eq!(
            tarball_address(&bytes, &name, "a-1.0.0.tgz")
                .unwrap()
                .as_deref(),
            Some("https://x.example/blob/1234")
        );
        assert_eq!(tarball_address(&bytes, &name, "a-2.0.0.tgz").unwrap(), None);
    }

    #[test]
    fn what_is_no_packument_is_an_error() {
        let name = PackageName::parse(Ecosystem::Npm, "a").unwrap();
        for bytes in [
            "",
            "[]",
            "{\"versions\": []}",
            "{\"versions\": {\"1.0.0\": 5}}",
            "{",
        ] {
            assert!(
                reshape(bytes.as_bytes(), &name, |_| true, Form::Abbreviated).is_err(),
                "{bytes}"
            );
        }
    }

    #[test]
    fn many_tags_and_times_take_no_longer_than_many_versions() {
        let (name, _) = sample();
        let versions: Vec<String> = (0..40_000).map(|at| format!("1.0.{at}")).collect();
        let all = |value: &dyn Fn(&str) -> Value| -> Value {
            let pairs = versions
                .iter()
                .map(|version| (version.clone(), value(version)));
            Value::Object(pairs.collect())
        };
        let document = json!({
            "versions": all(&|_| json!({})),
            "dist-tags": all(&|version| version.into()),
            "time": all(&|_| "a".into()),
        });
        let bytes = serde_json::to_vec(&document).unwrap();
        reshape(&bytes, &name, |version| version != "1.0.0", Form::Full).unwrap();
    }

    proptest! {
        #[test]
        fn only_what_is_visible_is_shown_and_twice_is_once(
            versions in prop::collection::btree_map("[0-3]\\.[0-3]\\.[0-3](-b)?", "(https://x\\.example/|/-/|b-1\\.tgz|%2f|\\?|#|\\PC){0,4}", 0..6),
            tags in prop::collection::btree_map("[a-c]", "[0-3]\\.[0-3]\\.[0-3]", 0..4),
            latest in "[0-3]\\.[0-3]",
            bytes: Vec<u8>,
            text in "([{}\\[\\]:,\"]|\"versions\"|\"dist\"|\"time\"|\"dist-tags\"|1){0,30}",
        ) {
            let name = PackageName::parse(Ecosystem::Npm, "@a/b").unwrap();
            let visible = |version: &str| version < latest.as_str();
            for bytes in [bytes, text.into_bytes()] {
                check_packument(&bytes, &name);
            }
            let times: BTreeMap<&str, &str> = versions.keys().map(|version| (version.as_str(), "a")).collect();
            let documents: serde_json::Map<_, _> = versions
                .iter()
                .map(|(version, tarball)| (version.clone(), json!({"dist": {"tarball": tarball}})))
                .collect();
            let document = json!({"versions": documents, "dist-tags": tags, "time": times});
            let bytes = serde_json::to_vec(&document).unwrap();
            for form in [Form::Full, Form::Abbreviated] {
                let shaped = reshape(&bytes, &name, visible, form).unwrap();
                prop_assert_eq!(&reshape(&shaped, &name, visible, form).unwrap(), &shaped);
                let shaped: Value = serde_json::from_slice(&shaped).unwrap();
                let shown = shaped["versions"].as_object().unwrap();
                prop_assert!(shown.keys().all(|version| visible(version)));
                for tagged in shaped["dist-tags"].as_object().unwrap().values() {
                    prop_assert!(shown.contains_key(tagged.as_str().unwrap()));
                }
                for manifest in shown.values() {
                    let address = manifest["dist"]["tarball"].as_str().unwrap();
                    prop_assert!(address.starts_with("https://registry.npmjs.org/@a/b/-/"), "{}", address);
                }
            }
        }
    }
}
