//! Lockfiles of npm, pnpm, yarn and bun, each read for one thing: which files an install may fetch.

mod bun;
mod package_lock;
mod pnpm;
mod removal;
mod yarn;

pub(crate) use removal::without;
pub(crate) use yarn::is_berry;

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{Integrity, LockedFetch};
use serde_json::Value;

use crate::npm::manifest::{Manifest, plain};

/// The most packages that a lockfile may list.
const MOST: usize = 100_000;

/// What a lockfile pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Locked {
    /// What is fetched from registries or other web servers.
    pub(crate) fetches: Vec<LockedFetch>,
    /// Dependencies that come from git, as the lockfile spells them.
    pub(crate) git: Vec<String>,
    /// Archives and folders of the source tree itself, whose content the install may copy.
    pub(crate) from_tree: Vec<String>,
    /// Whether a package, as far as the format tells, has install scripts that a build may depend on.
    pub(crate) has_scripts: bool,
}

/// A lockfile that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LockError(String);

/// The formats, by file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// `package-lock.json`, `npm-shrinkwrap.json`.
    PackageLock,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `yarn.lock` of yarn 1 and of later ones, which tell themselves apart.
    Yarn,
    /// `bun.lock`.
    Bun,
}

/// Reads a lockfile.
pub(crate) fn parse(format: Format, text: &str) -> Result<Locked, LockError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut locked = match format {
        Format::PackageLock => package_lock::parse(text),
        Format::Pnpm => pnpm::parse(text),
        Format::Yarn => yarn::parse(text),
        Format::Bun => bun::parse(text),
    }?;
    locked.fetches.sort_by(|one, other| {
        (&one.name, &one.version, &one.url).cmp(&(&other.name, &other.version, &other.url))
    });
    locked.fetches.dedup();
    Ok(locked)
}

/// Name and version of the package in each folder of a `node_modules`, by the folder's path from the lockfile; `None`
/// where a lockfile of this format does not say which one lies where.
pub(crate) fn places(format: Format, text: &str) -> Option<BTreeMap<String, (String, String)>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::PackageLock => package_lock::places(text),
        Format::Pnpm | Format::Yarn | Format::Bun => None,
    }
}

/// Whether a lockfile still describes the manifest of this folder (relative to the lockfile's own, `.` for the
/// same); `is_member` tells the packages of the workspace. A publisher whose lockfile was behind cannot have installed from it; where a format does not tell, it
/// is taken to be in step, and the package manager has the last word.
pub(crate) fn is_in_step(
    format: Format,
    text: &str,
    folder: &str,
    manifest: &Manifest,
    is_member: &dyn Fn(&str) -> bool,
) -> bool {
    let wanted = requirements(&|list| {
        manifest
            .dependencies(list)
            .map(|(name, requirement)| (name.to_owned(), requirement))
            .collect()
    });
    let stated = match format {
        Format::PackageLock => package_lock::stated(text, folder),
        Format::Pnpm => pnpm::stated(text, folder),
        Format::Bun => bun::stated(text, folder),
        // yarn 1 does not list the members of a workspace.
        Format::Yarn => {
            let wanted = wanted
                .into_iter()
                .filter(|(name, _)| !is_member(name))
                .collect();
            return yarn::knows(text, &wanted);
        }
    };
    let Some(stated) = stated else {
        return true;
    };
    match format {
        Format::PackageLock => stated == wanted,
        // These write overridden requirements in place of the manifest's, and pnpm adds peers that it installs
        // by itself.
        Format::Pnpm | Format::Bun | Format::Yarn => {
            let peers: BTreeSet<&str> = manifest
                .dependencies("peerDependencies")
                .map(|(name, _)| name)
                .collect();
            wanted.keys().all(|name| stated.contains_key(name))
                && stated
                    .keys()
                    .all(|name| wanted.contains_key(name) || peers.contains(name.as_str()))
        }
    }
}

/// Name and requirement of all lists that are installed for development.
fn requirements(list: &dyn Fn(&str) -> Vec<(String, String)>) -> BTreeMap<String, String> {
    ["dependencies", "devDependencies", "optionalDependencies"]
        .iter()
        .flat_map(|name| list(name))
        .collect()
}

/// The requirements that stand in the lists of an object, each a text or an object with a `specifier`.
fn stated_in(object: &Value) -> BTreeMap<String, String> {
    requirements(&|list| {
        object
            .get(list)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let requirement = value.get("specifier").unwrap_or(value);
                (name.clone(), plain(requirement))
            })
            .collect()
    })
}

impl Locked {
    /// Files one package where it belongs: by what its place says, else by name and version.
    fn add(
        &mut self,
        name: &str,
        version: &str,
        place: Option<&str>,
        integrity: Option<&str>,
    ) -> Result<(), LockError> {
        if self.fetches.len() >= MOST {
            return Err(LockError(format!("it lists more than {MOST} packages")));
        }
        let place = place.or_else(|| version.contains(':').then_some(version));
        match place.map(Place::of) {
            Some(Place::Git) => self.git.push(place.unwrap_or_default().to_owned()),
            Some(Place::Tree) => self.from_tree.push(place.unwrap_or_default().to_owned()),
            Some(Place::Web) | None => self.fetches.push(LockedFetch {
                name: name.to_owned(),
                version: version.to_owned(),
                url: place.map(|url| url.split('#').next().unwrap_or(url).to_owned()),
                // What cannot be read pins nothing, and the package manager will refuse it itself.
                integrity: integrity.and_then(|text| text.parse::<Integrity>().ok()),
            }),
        }
        Ok(())
    }
}

/// Where a lockfile says that a package comes from.
enum Place {
    Web,
    Git,
    Tree,
}

impl Place {
    fn of(place: &str) -> Self {
        let git = place.starts_with("git")
            || place.starts_with("ssh:")
            || place.starts_with("github:")
            || place
                .split('#')
                .next()
                .is_some_and(|address| address.ends_with(".git"));
        if git {
            Self::Git
        } else if place.starts_with("https:") || place.starts_with("http:") {
            Self::Web
        } else {
            Self::Tree
        }
    }
}

/// Whether the install script of this package matters to a build. Those of the most common ones only check or
/// speed up what works without.
fn script_matters(name: &str) -> bool {
    const HARMLESS: [&str; 12] = [
        "fsevents",
        "esbuild",
        "@swc/core",
        "core-js",
        "core-js-pure",
        "husky",
        "protobufjs",
        "msw",
        "es5-ext",
        "unrs-resolver",
        "bufferutil",
        "utf-8-validate",
    ];
    !HARMLESS.contains(&name)
}

/// Name and version of `name@version`, where the name may begin with `@`.
fn name_and_version(text: &str) -> Option<(&str, &str)> {
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@')?.0;
    Some((text.get(..at)?, text.get(at + 1..)?))
        .filter(|(name, version)| !name.is_empty() && !version.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn check(
        format: Format,
        text: &str,
        expect: &[(&str, &str, Option<&str>, bool)],
    ) -> Locked {
        let locked = parse(format, text).unwrap();
        let found: Vec<_> = locked
            .fetches
            .iter()
            .map(|fetch| {
                (
                    fetch.name.as_str(),
                    fetch.version.as_str(),
                    fetch.url.as_deref(),
                    fetch.integrity.is_some(),
                )
            })
            .collect();
        assert_eq!(found, expect);
        locked
    }

    /// A digest that parses.
    pub(super) fn integrity() -> String {
        Integrity::Sha512(remint_model::Sha512::of(b"x")).to_string()
    }

    #[test]
    fn a_lockfile_that_is_behind_its_manifest_is_known() {
        let is_in_step = |format: Format, text: &str, folder: &str, manifest: &Manifest| {
            is_in_step(format, text, folder, manifest, &|name| name == "member")
        };
        let manifest = |text: &str| Manifest::parse("package.json", text.as_bytes()).unwrap();
        let asks = manifest(r#"{"dependencies":{"a":"^1"},"devDependencies":{"b":"^2"}}"#);
        let asks_more =
            manifest(r#"{"dependencies":{"a":"^1"},"devDependencies":{"b":"^2","c":"1"}}"#);
        let npm =
            r#"{"packages":{"":{"dependencies":{"a":"^1"},"devDependencies":{"b":"^2"}},"x":{}}}"#;
        let pnpm_6 = "dependencies: {a: {specifier: ^1, version: 1.0.0}}\ndevDependencies: {b: {specifier: ^2}}\n";
        let pnpm_9 = "importers:\n  .:\n    dependencies: {a: {specifier: ^1}}\n    devDependencies: {b: {specifier: ^2}}\n";
        let pnpm_5 = "specifiers: {a: ^1, b: ^2}\n";
        let bun =
            r#"{"workspaces":{"":{"dependencies":{"a":"^1"},"devDependencies":{"b":"^2"},},}}"#;
        for (format, text) in [
            (Format::PackageLock, npm),
            (Format::Pnpm, pnpm_6),
            (Format::Pnpm, pnpm_9),
            (Format::Pnpm, pnpm_5),
            (Format::Bun, bun),
        ] {
            assert!(is_in_step(format, text, ".", &asks), "{text}");
            assert!(!is_in_step(format, text, ".", &asks_more), "{text}");
        }
        let peer = manifest(r#"{"dependencies":{"a":"^1"},"peerDependencies":{"b":"^2"}}"#);
        assert!(is_in_step(Format::Pnpm, pnpm_9, ".", &peer));
        assert!(!is_in_step(
            Format::Pnpm,
            pnpm_9,
            ".",
            &manifest(r#"{"dependencies":{"a":"^1"}}"#)
        ));
        let sibling = manifest(r#"{"dependencies":{"a":"^1","member":"1"}}"#);
        assert!(is_in_step(
            Format::Yarn,
            "a@^1:\n  version \"1\"\n",
            ".",
            &sibling
        ));
        // Old formats do not say what the manifest asked.
        assert!(is_in_step(
            Format::PackageLock,
            r#"{"lockfileVersion":1}"#,
            ".",
            &asks
        ));
    }

    #[test]
    fn names_keep_their_scope() {
        assert_eq!(name_and_version("@a/b@1.0.0"), Some(("@a/b", "1.0.0")));
        assert_eq!(name_and_version("b@npm:c@1"), Some(("b", "npm:c@1")));
        for text in ["", "@", "a", "@a/b", "a@", "é"] {
            assert_eq!(name_and_version(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_parser_panic(text in "(\\PC|\n|  |[\\[\\]{}\":,@/#-]){0,200}") {
            for format in [Format::PackageLock, Format::Pnpm, Format::Yarn, Format::Bun] {
                drop(parse(format, &text));
            }
        }

        #[test]
        fn no_entry_makes_a_parser_panic(key in "\\PC{0,40}", value in "\\PC{0,40}") {
            let json = serde_json::json!({
                "lockfileVersion": 3,
                "packages": { &key: { "version": &value, "resolved": &value, "resolution": &value } },
                "dependencies": { &key: { "version": &value, "dependencies": { &key: value } } },
            }).to_string();
            for format in [Format::PackageLock, Format::Pnpm, Format::Yarn, Format::Bun] {
                drop(parse(format, &json));
            }
        }
    }
}
