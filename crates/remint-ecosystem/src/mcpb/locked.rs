//! What lockfiles say about the packages in a bundle: the one that npm left in it, and the source's.

use std::collections::BTreeMap;

use remint_model::{
    AttributedPackage, Ecosystem, EntryPath, Integrity, LockDisagreement, SourceTree, Survey,
};

use crate::npm::lockfile::{Format, parse, places};

/// The source's lockfiles, by the packages that they can pin.
const OF_SOURCE: [(&str, Format); 5] = [
    ("package-lock.json", Format::PackageLock),
    ("npm-shrinkwrap.json", Format::PackageLock),
    ("pnpm-lock.yaml", Format::Pnpm),
    ("yarn.lock", Format::Yarn),
    ("bun.lock", Format::Bun),
];

/// What a lockfile pins: for each package its versions, each with the digests that are named for it.
type Versions = BTreeMap<String, BTreeMap<String, Vec<Integrity>>>;

/// What a lockfile says.
struct Pins {
    versions: Versions,
    /// Which package lies in which folder, where the lockfile tells. Of two versions that it pins, only one is what
    /// the code beside it loads.
    places: Option<Places>,
}

/// Name and version by folder of the bundle's source.
struct Places {
    by_folder: BTreeMap<String, (String, String)>,
    /// The bundle's folder, as the lockfile sees it: empty or with a slash at its end.
    bundle: String,
}

/// What the source's lockfiles come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceLock {
    /// Every package is pinned there, at this version and digest.
    Agrees,
    /// These are not.
    Disagrees(Vec<LockDisagreement>),
    /// There is no lockfile for packages of this ecosystem, or none that can be read.
    Absent(Ecosystem),
}

/// Packages for which npm's own record in the bundle names another digest than the registry.
#[must_use]
pub fn in_bundle(survey: &Survey, packages: &[AttributedPackage]) -> Vec<LockDisagreement> {
    let mut found = Vec::new();
    for (path, content) in &survey.texts {
        if !matches!(path.file_name(), ".package-lock.json" | "package-lock.json") {
            continue;
        }
        let Some(pins) = npm_pins(Format::PackageLock, content) else {
            continue;
        };
        found.extend(
            disagreements(path.as_str(), &pins, Ecosystem::Npm, packages)
                .into_iter()
                .filter(|disagreement| disagreement.other_digest),
        );
    }
    found
}

/// Whether the source's lockfiles, in the bundle's folder or at the root, pin every package.
#[must_use]
pub fn in_source(
    tree: &SourceTree,
    directory: Option<&EntryPath>,
    packages: &[AttributedPackage],
) -> SourceLock {
    let mut found = Vec::new();
    for ecosystem in [Ecosystem::Npm, Ecosystem::Pypi] {
        if !packages
            .iter()
            .any(|package| package.ecosystem == ecosystem)
        {
            continue;
        }
        let from_root = directory.map_or_else(String::new, |directory| format!("{directory}/"));
        let lockfiles = [(directory, String::new()), (None, from_root)];
        let pins = lockfiles.into_iter().find_map(|(directory, bundle)| {
            let text = |name: &str| {
                let path = SourceTree::path_in(directory, name);
                Some((tree.texts.get(path.as_str())?, path))
            };
            match ecosystem {
                Ecosystem::Npm => OF_SOURCE.iter().find_map(|(name, format)| {
                    let (content, path) = text(name)?;
                    let mut pins = npm_pins(*format, content)?;
                    pins.places =
                        places(*format, std::str::from_utf8(content).ok()?).map(|by_folder| {
                            Places {
                                by_folder,
                                bundle: bundle.clone(),
                            }
                        });
                    Some((pins, path))
                }),
                Ecosystem::Pypi => {
                    let (content, path) = text("uv.lock")?;
                    Some((python_pins(content)?, path))
                }
                Ecosystem::Cargo | Ecosystem::Mcpb | Ecosystem::Golang => None,
            }
        });
        let Some((pins, path)) = pins else {
            return SourceLock::Absent(ecosystem);
        };
        found.extend(disagreements(&path, &pins, ecosystem, packages));
    }
    if found.is_empty() {
        SourceLock::Agrees
    } else {
        SourceLock::Disagrees(found)
    }
}

fn disagreements(
    lockfile: &str,
    pins: &Pins,
    ecosystem: Ecosystem,
    packages: &[AttributedPackage],
) -> Vec<LockDisagreement> {
    packages
        .iter()
        .filter(|package| package.ecosystem == ecosystem)
        .filter_map(|package| {
            let (detail, other_digest) = disagreement(pins, package)?;
            Some(LockDisagreement {
                lockfile: lockfile.to_owned(),
                package: format!("{}@{}", package.name, package.version),
                detail,
                other_digest,
            })
        })
        .collect()
}

fn disagreement(pins: &Pins, package: &AttributedPackage) -> Option<(String, bool)> {
    let Some(versions) = pins.versions.get(package.name.as_str()) else {
        return Some(("it does not list the package".to_owned(), false));
    };
    let Some(digests) = versions.get(package.version.as_str()) else {
        let versions: Vec<&str> = versions.keys().map(String::as_str).take(4).collect();
        let words = format!("it pins the package to {}", versions.join(", "));
        return Some((words, false));
    };
    if let Some(places) = &pins.places
        && let Some(words) = places.disagreement(package)
    {
        return Some((words, false));
    }
    let ours = package.integrity.as_ref()?;
    let same_kind = |one: &Integrity| std::mem::discriminant(one) == std::mem::discriminant(ours);
    let mut comparable = digests.iter().filter(|digest| same_kind(digest)).peekable();
    comparable.peek()?;
    (!comparable.any(|digest| digest == ours))
        .then(|| ("it names another digest for this version".to_owned(), true))
}

impl Places {
    /// Why the package is not what is loaded from its folder: node takes it from there, or from the nearest folder
    /// above it that has one of this name.
    fn disagreement(&self, package: &AttributedPackage) -> Option<String> {
        let folder = format!("{}{}", self.bundle, package.folder);
        let (above, leaf) = folder.rsplit_once("node_modules/")?;
        let mut at = above;
        let found = loop {
            if let Some(found) = self.by_folder.get(&format!("{at}node_modules/{leaf}")) {
                break Some(found);
            }
            let Some(up) = parent(at) else { break None };
            at = up;
        };
        match found {
            Some((name, version))
                if name == package.name.as_str() && version == package.version.as_str() =>
            {
                None
            }
            Some((name, version)) => Some(format!("it has {name}@{version} in `{folder}`")),
            None => Some(format!("it has no package in `{folder}`")),
        }
    }
}

/// The folder above one, both with a slash at their end unless they are the top.
fn parent(folder: &str) -> Option<&str> {
    let folder = folder.strip_suffix('/')?;
    let end = folder.rfind('/').map_or(0, |slash| slash + 1);
    folder.get(..end)
}

fn npm_pins(format: Format, content: &[u8]) -> Option<Pins> {
    let locked = parse(format, std::str::from_utf8(content).ok()?).ok()?;
    let mut pins = Versions::new();
    for fetch in locked.fetches {
        let versions = pins.entry(fetch.name).or_default();
        versions
            .entry(fetch.version)
            .or_default()
            .extend(fetch.integrity);
    }
    Some(Pins {
        versions: pins,
        places: None,
    })
}

/// The packages of a `uv.lock`; its digests are those of files that may not be the one that was installed.
fn python_pins(content: &[u8]) -> Option<Pins> {
    let text = std::str::from_utf8(content).ok()?;
    let document: toml::Table = text.parse().ok()?;
    let mut pins = Versions::new();
    for package in document.get("package")?.as_array()? {
        let text = |field| package.get(field).and_then(toml::Value::as_str);
        if let (Some(name), Some(version)) = (text("name"), text("version")) {
            let versions = pins.entry(name.to_owned()).or_default();
            versions.entry(version.to_owned()).or_default();
        }
    }
    Some(Pins {
        versions: pins,
        places: None,
    })
}

#[cfg(test)]
mod tests {
    use remint_model::Sha512;
    use serde_json::json;

    use super::*;

    fn package(name: &str, version: &str, content: &str) -> AttributedPackage {
        AttributedPackage {
            ecosystem: Ecosystem::Npm,
            name: remint_model::PackageName::parse(Ecosystem::Npm, name).unwrap(),
            version: version.parse().unwrap(),
            folder: format!("node_modules/{name}").parse().unwrap(),
            integrity: Some(Integrity::Sha512(Sha512::of(content.as_bytes()))),
            files: 1,
            left_out: 0,
        }
    }

    fn tree(lock: &str) -> SourceTree {
        let mut tree = SourceTree::default();
        tree.texts.insert(
            "package-lock.json".parse().unwrap(),
            lock.as_bytes().to_vec(),
        );
        tree
    }

    #[test]
    fn a_package_has_to_be_pinned_at_its_version_and_digest() {
        let integrity = Integrity::Sha512(Sha512::of(b"a")).to_string();
        let lock = json!({"lockfileVersion": 3, "packages": {
            "node_modules/a": {"version": "1.0.0", "integrity": integrity},
        }})
        .to_string();
        let check = |package: AttributedPackage, expect: Option<(&str, bool)>| match (
            in_source(&tree(&lock), None, &[package]),
            expect,
        ) {
            (SourceLock::Agrees, None) => {}
            (SourceLock::Disagrees(found), Some((detail, other_digest))) => {
                assert!(found[0].detail.contains(detail), "{found:?}");
                assert_eq!(found[0].other_digest, other_digest);
            }
            other => panic!("{other:?}"),
        };
        check(package("a", "1.0.0", "a"), None);
        check(package("a", "1.0.0", "b"), Some(("another digest", true)));
        check(
            package("a", "1.0.1", "a"),
            Some(("pins the package to 1.0.0", false)),
        );
        check(package("b", "1.0.0", "a"), Some(("does not list", false)));
        let absent = in_source(&SourceTree::default(), None, &[package("a", "1.0.0", "a")]);
        assert_eq!(absent, SourceLock::Absent(Ecosystem::Npm));
        assert_eq!(
            in_source(&SourceTree::default(), None, &[]),
            SourceLock::Agrees
        );
    }

    #[test]
    fn a_folder_holds_the_version_that_the_lockfile_has_there() {
        let flat = json!({"lockfileVersion": 3, "packages": {
            "": {"name": "x"},
            "node_modules/a": {"version": "2.0.0"},
            "node_modules/b": {"version": "1.0.0"},
            "node_modules/b/node_modules/a": {"version": "1.0.0"},
            "node_modules/c": {"version": "1.0.0"},
            "node_modules/other": {"name": "a", "version": "1.0.0"},
            "bundle/node_modules/c": {"version": "2.0.0"},
        }});
        let nested = json!({"lockfileVersion": 1, "dependencies": {
            "a": {"version": "2.0.0"},
            "b": {"version": "1.0.0", "dependencies": {"a": {"version": "1.0.0"}}},
            "c": {"version": "1.0.0"},
            "other": {"version": "npm:a@1.0.0"},
        }});
        let check = |lock: &serde_json::Value,
                     directory: Option<&str>,
                     folder: &str,
                     name: &str,
                     version: &str,
                     expect: Option<&str>| {
            let mut package = package(name, version, "x");
            package.folder = folder.parse().unwrap();
            let directory = directory.map(|directory| directory.parse().unwrap());
            let found = match in_source(&tree(&lock.to_string()), directory.as_ref(), &[package]) {
                SourceLock::Agrees => None,
                SourceLock::Disagrees(found) => Some(found[0].detail.clone()),
                SourceLock::Absent(_) => panic!("it is there"),
            };
            match expect {
                Some(words) => assert!(
                    found.as_ref().is_some_and(|found| found.contains(words)),
                    "{found:?} {folder}"
                ),
                None => assert_eq!(found, None, "{folder}"),
            }
        };
        for lock in [&flat, &nested] {
            check(lock, None, "node_modules/a", "a", "2.0.0", None);
            check(
                lock,
                None,
                "node_modules/a",
                "a",
                "1.0.0",
                Some("a@2.0.0 in `node_modules/a`"),
            );
            check(
                lock,
                None,
                "node_modules/b/node_modules/a",
                "a",
                "1.0.0",
                None,
            );
            check(
                lock,
                None,
                "node_modules/b/node_modules/a",
                "a",
                "2.0.0",
                Some("a@1.0.0 in"),
            );
            check(lock, None, "node_modules/other", "a", "1.0.0", None);
            // One more copy of what would be loaded anyway changes nothing; of another version it does.
            check(
                lock,
                None,
                "node_modules/c/node_modules/a",
                "a",
                "2.0.0",
                None,
            );
            check(
                lock,
                None,
                "node_modules/c/node_modules/a",
                "a",
                "1.0.0",
                Some("a@2.0.0 in"),
            );
            check(lock, None, "server/node_modules/a", "a", "2.0.0", None);
            check(
                lock,
                None,
                "server/node_modules/a",
                "a",
                "1.0.0",
                Some("a@2.0.0 in"),
            );
            check(
                lock,
                None,
                "node_modules/renamed",
                "a",
                "1.0.0",
                Some("no package in"),
            );
            check(lock, Some("bundle"), "node_modules/a", "a", "2.0.0", None);
        }
        check(
            &flat,
            Some("bundle"),
            "node_modules/c",
            "c",
            "1.0.0",
            Some("c@2.0.0 in"),
        );
        check(&flat, Some("bundle"), "node_modules/c", "c", "2.0.0", None);
    }

    #[test]
    fn the_record_of_npm_is_asked_for_digests_alone() {
        let integrity = Integrity::Sha512(Sha512::of(b"a")).to_string();
        let lock = json!({"lockfileVersion": 3, "packages": {
            "node_modules/a": {"version": "1.0.0", "integrity": integrity},
        }});
        let survey = Survey {
            texts: vec![(
                "node_modules/.package-lock.json".parse().unwrap(),
                lock.to_string().into_bytes(),
            )],
            ..Survey::default()
        };
        let found = in_bundle(
            &survey,
            &[package("a", "1.0.0", "b"), package("b", "1.0.0", "b")],
        );
        assert_eq!(found.len(), 1);
        assert!(found[0].other_digest && found[0].package == "a@1.0.0");
    }
}
