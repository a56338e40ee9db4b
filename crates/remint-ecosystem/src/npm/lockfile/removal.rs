//! Takes packages out of a lockfile, so that the package manager chooses them anew and keeps all else as it is pinned.

use remint_model::LockedFetch;
use serde_json::{Map, Value};

use super::{Format, bun, name_and_version, package_lock, pnpm};
use crate::npm::manifest::parse_json;

/// How deep the lists of older formats nest.
const DEEPEST: usize = 50;

/// The lockfile without these packages; `None` where it has none of them, or cannot be read.
pub(crate) fn without(format: Format, text: &str, gone: &[LockedFetch]) -> Option<String> {
    let is_gone = |name: &str, version: &str| {
        gone.iter()
            .any(|package| package.name == name && package.version == version)
    };
    let removed = match format {
        Format::PackageLock => of_npm(text, &is_gone)?,
        Format::Pnpm => of_pnpm(text, &is_gone),
        Format::Yarn => of_yarn(text, &is_gone),
        Format::Bun => of_bun(text, &is_gone)?,
    };
    removed.has_fewer.then_some(removed.text)
}

struct Removed {
    text: String,
    has_fewer: bool,
}

type IsGone<'a> = &'a dyn Fn(&str, &str) -> bool;

fn of_npm(text: &str, is_gone: IsGone<'_>) -> Option<Removed> {
    let places = package_lock::places(text)?;
    let mut document = parse_json(text.as_bytes()).ok()?;
    let gone: Vec<String> = places
        .into_iter()
        .filter(|(_, (name, version))| is_gone(name, version))
        .map(|(place, _)| place)
        .collect();
    let object = document.as_object_mut()?;
    if let Some(packages) = object.get_mut("packages").and_then(Value::as_object_mut) {
        // What lies below was chosen for it alone.
        packages.retain(|path, _| {
            !gone.iter().any(|place| {
                path.strip_prefix(place.as_str())
                    .is_some_and(|below| below.is_empty() || below.starts_with('/'))
            })
        });
    }
    if let Some(dependencies) = object
        .get_mut("dependencies")
        .and_then(Value::as_object_mut)
    {
        prune(dependencies, "", DEEPEST, &gone);
    }
    Some(Removed {
        text: serde_json::to_string_pretty(&document).ok()?,
        has_fewer: !gone.is_empty(),
    })
}

fn prune(dependencies: &mut Map<String, Value>, above: &str, depth: usize, gone: &[String]) {
    let Some(deeper) = depth.checked_sub(1) else {
        return;
    };
    let place = |name: &str| format!("{above}node_modules/{name}");
    dependencies.retain(|name, _| !gone.contains(&place(name)));
    for (name, entry) in dependencies {
        if let Some(below) = entry.get_mut("dependencies").and_then(Value::as_object_mut) {
            prune(below, &format!("{}/", place(name)), deeper, gone);
        }
    }
}

/// By its lines: the format is always written alike, and pnpm is particular about how it reads it.
fn of_pnpm(text: &str, is_gone: IsGone<'_>) -> Removed {
    let is_top = |line: &str| !line.starts_with([' ', '#', '\n', '\r']);
    let is_key = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let mut in_packages = false;
    Removed::keeping(
        text,
        |line| is_top(line) || is_key(line),
        |block| {
            let first = block.lines().next().unwrap_or_default();
            if is_top(first) {
                in_packages = matches!(first.trim_end(), "packages:" | "snapshots:");
                return true;
            }
            let key = first.trim().split(": ").next().unwrap_or_default();
            let key = key.trim_end_matches(':').trim_matches(['\'', '"']);
            let identity = pnpm::identity(key);
            !(in_packages && identity.is_some_and(|(name, version)| is_gone(name, version)))
        },
    )
}

/// By its blocks, of which each begins in the first column.
fn of_yarn(text: &str, is_gone: IsGone<'_>) -> Removed {
    let is_header = |line: &str| !line.starts_with([' ', '#', '\n', '\r']);
    Removed::keeping(text, is_header, |block| {
        let first = block.trim_start_matches('"').split(['"', ',', ':']).next();
        let name = first.and_then(name_and_version).map(|(name, _)| name);
        let mut fields = block.lines().skip(1).map(str::trim);
        let version = fields.find_map(|field| field.strip_prefix("version"));
        let version = version.map(|version| version.trim_matches([':', ' ', '"']));
        !name
            .zip(version)
            .is_some_and(|(name, version)| is_gone(name, version))
    })
}

fn of_bun(text: &str, is_gone: IsGone<'_>) -> Option<Removed> {
    let mut document = bun::document(text).ok()?;
    let packages = document.get_mut("packages")?.as_object_mut()?;
    let before = packages.len();
    packages.retain(|_, package| {
        let identity = package.get(0).and_then(Value::as_str);
        !identity
            .and_then(name_and_version)
            .is_some_and(|(name, version)| is_gone(name, version))
    });
    let has_fewer = packages.len() < before;
    Some(Removed {
        text: serde_json::to_string_pretty(&document).ok()?,
        has_fewer,
    })
}

impl Removed {
    /// The blocks of a text that are to stay. A line begins one, or belongs to the one before.
    fn keeping(
        text: &str,
        begins: impl Fn(&str) -> bool,
        mut stays: impl FnMut(&str) -> bool,
    ) -> Self {
        let mut left = String::with_capacity(text.len());
        let mut has_fewer = false;
        let mut take = |block: &str| {
            if stays(block) {
                left.push_str(block);
            } else {
                has_fewer = true;
            }
        };
        let (mut start, mut end) = (0, 0);
        for line in text.split_inclusive('\n') {
            if begins(line) && start < end {
                take(text.get(start..end).unwrap_or_default());
                start = end;
            }
            end += line.len();
        }
        take(text.get(start..).unwrap_or_default());
        Self {
            text: left,
            has_fewer,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn package(name: &str, version: &str) -> LockedFetch {
        LockedFetch {
            name: name.to_owned(),
            version: version.to_owned(),
            url: None,
            integrity: None,
        }
    }

    #[test]
    fn what_is_gone_is_taken_out_and_nothing_else() {
        let npm = r#"{"packages":{"":{"dependencies":{"@s/a":"^1"}},"node_modules/@s/a":{"version":"1.0.0"},"node_modules/@s/a/node_modules/b":{"version":"1.0.0"},"node_modules/@s/ab":{"version":"1.0.0"},"node_modules/c/node_modules/@s/a":{"version":"2.0.0"}},"dependencies":{"@s/a":{"version":"1.0.0"},"c":{"version":"1.0.0","dependencies":{"@s/a":{"version":"2.0.0"}}}}}"#;
        let npm_left = r#"{"packages":{"":{"dependencies":{"@s/a":"^1"}},"node_modules/@s/ab":{"version":"1.0.0"},"node_modules/c/node_modules/@s/a":{"version":"2.0.0"}},"dependencies":{"c":{"version":"1.0.0","dependencies":{"@s/a":{"version":"2.0.0"}}}}}"#;
        let pnpm = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@s/a':\n        specifier: ^1\n        version: 1.0.0\n\npackages:\n\n  '@s/a@1.0.0':\n    resolution: {integrity: sha512-x}\n\n  '@s/a@2.0.0':\n    resolution: {integrity: sha512-y}\n\nsnapshots:\n\n  '@s/a@1.0.0(b@1.0.0)':\n    dependencies:\n      b: 1.0.0\n\n  '@s/a@2.0.0': {}\n";
        let pnpm_left = "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@s/a':\n        specifier: ^1\n        version: 1.0.0\n\npackages:\n\n  '@s/a@2.0.0':\n    resolution: {integrity: sha512-y}\n\nsnapshots:\n\n  '@s/a@2.0.0': {}\n";
        let yarn = "# yarn lockfile v1\n\n\n\"@s/a@^1\", \"@s/a@~1\":\n  version \"1.0.0\"\n  resolved \"https://x/a.tgz\"\n\n\"@s/a@^2\":\n  version \"2.0.0\"\n\nb@1:\n  version \"1.0.0\"\n";
        let yarn_left = "# yarn lockfile v1\n\n\n\"@s/a@^2\":\n  version \"2.0.0\"\n\nb@1:\n  version \"1.0.0\"\n";
        let berry = "__metadata:\n  version: 8\n\n\"@s/a@npm:^1\":\n  version: 1.0.0\n  resolution: \"@s/a@npm:1.0.0\"\n\n\"b@npm:1\":\n  version: 1.0.0\n";
        let berry_left = "__metadata:\n  version: 8\n\n\"b@npm:1\":\n  version: 1.0.0\n";
        let bun = r#"{"lockfileVersion":1,"packages":{"@s/a":["@s/a@1.0.0","",{},"sha512-x"],"c/@s/a":["@s/a@2.0.0","",{},"sha512-y"],}}"#;
        let bun_left =
            r#"{"lockfileVersion":1,"packages":{"c/@s/a":["@s/a@2.0.0","",{},"sha512-y"]}}"#;
        for (format, text, expect) in [
            (Format::PackageLock, npm, npm_left),
            (Format::Pnpm, pnpm, pnpm_left),
            (Format::Yarn, yarn, yarn_left),
            (Format::Yarn, berry, berry_left),
            (Format::Bun, bun, bun_left),
        ] {
            let left = without(format, text, &[package("@s/a", "1.0.0")]).unwrap();
            match serde_json::from_str::<Value>(expect) {
                Ok(expect) => assert_eq!(serde_json::from_str::<Value>(&left).unwrap(), expect),
                Err(_) => assert_eq!(left, expect),
            }
            for other in [package("@s/a", "3.0.0"), package("d", "1.0.0")] {
                assert_eq!(without(format, text, &[other]), None, "{format:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_left_is_of_the_text(text in "(\\PC|\n|  |[\\[\\]{}\":,@/#-]|a@1|version){0,100}") {
            for format in [Format::PackageLock, Format::Pnpm, Format::Yarn, Format::Bun] {
                if let Some(left) = without(format, &text, &[package("a", "1")])
                    && matches!(format, Format::Pnpm | Format::Yarn)
                {
                    prop_assert!(left.len() < text.len());
                }
            }
        }
    }
}
