//! `yarn.lock`: yarn 1 writes a format of its own, later ones YAML. The checksums of the latter are those of
//! yarn's cache archives, not of what a registry serves, so they pin nothing here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{LockError, Locked, name_and_version};
use crate::yaml;

pub(super) fn parse(text: &str) -> Result<Locked, LockError> {
    if is_berry(text) {
        berry(text)
    } else {
        classic(text)
    }
}

/// Whether a `yarn.lock` was written by yarn 2 or later.
pub(crate) fn is_berry(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("__metadata:"))
}

/// Whether the lockfile has an entry for each of these requirements, or at least for each of the names where the
/// generation rewrites requirements.
pub(super) fn knows(text: &str, wanted: &BTreeMap<String, String>) -> bool {
    let berry = is_berry(text);
    let mut descriptors = BTreeSet::new();
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with([' ', '#'])) {
        for descriptor in line.trim_end_matches(':').trim_matches('"').split(", ") {
            let descriptor = descriptor.trim_matches('"');
            descriptors.insert(descriptor);
            names.extend(name_and_version(descriptor).map(|(name, _)| name));
        }
    }
    wanted.iter().all(|(name, requirement)| {
        let local = ["link:", "file:", "workspace:", "portal:"]
            .iter()
            .any(|protocol| requirement.starts_with(protocol));
        local
            || (berry && names.contains(name.as_str()))
            || descriptors.contains(format!("{name}@{requirement}").as_str())
    })
}

fn berry(text: &str) -> Result<Locked, LockError> {
    let document = yaml::parse(text).map_err(LockError)?;
    let mut locked = Locked::default();
    for (key, entry) in document.as_object().into_iter().flatten() {
        let resolution = entry.get("resolution").and_then(Value::as_str);
        let Some(resolution) = resolution.filter(|_| key != "__metadata") else {
            continue;
        };
        let Some((name, reference)) = name_and_version(resolution) else {
            return Err(LockError(format!("`{resolution}` is no resolution")));
        };
        let (protocol, rest) = reference.split_once(':').unwrap_or(("npm", reference));
        match protocol {
            "npm" => {
                // `1.0.0::__archiveUrl=https%3A%2F%2F…` where the registry has unusual addresses.
                let (version, parameters) = rest.split_once("::").unwrap_or((rest, ""));
                let address = parameters
                    .split('&')
                    .find_map(|parameter| parameter.strip_prefix("__archiveUrl="))
                    .and_then(decode);
                locked.add(name, version, address.as_deref(), None)?;
            }
            "workspace" | "patch" | "portal" | "link" | "virtual" => {}
            "file" => locked.add(name, "", Some(reference), None)?,
            _ => locked.add(name, "", Some(reference), None)?,
        }
    }
    Ok(locked)
}

fn decode(text: &str) -> Option<String> {
    url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
}

/// Blocks of a key line without indentation and fields indented by two spaces.
fn classic(text: &str) -> Result<Locked, LockError> {
    let mut locked = Locked::default();
    let mut block: Option<Block<'_>> = None;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(field) = line.strip_prefix("  ") {
            let Some(block) = block.as_mut() else {
                return Err(LockError(
                    "a field stands before the first package".to_owned(),
                ));
            };
            let (name, value) = field.split_once(' ').unwrap_or((field, ""));
            let value = value.trim().trim_matches('"');
            match name {
                "version" => block.version = value,
                "resolved" | "\"resolved\"" => block.resolved = Some(value),
                "integrity" => block.integrity = Some(value),
                _ => {}
            }
        } else {
            let key = line
                .strip_suffix(':')
                .ok_or_else(|| LockError("a key does not end in a colon".to_owned()))?;
            if let Some(block) = block.take() {
                block.file(&mut locked)?;
            }
            let first = key.split(", ").next().unwrap_or(key).trim_matches('"');
            block = Some(Block {
                key: first,
                ..Block::default()
            });
        }
    }
    if let Some(block) = block {
        block.file(&mut locked)?;
    }
    Ok(locked)
}

/// One package of a yarn 1 lockfile.
#[derive(Default)]
struct Block<'a> {
    key: &'a str,
    version: &'a str,
    resolved: Option<&'a str>,
    integrity: Option<&'a str>,
}

impl Block<'_> {
    fn file(self, locked: &mut Locked) -> Result<(), LockError> {
        let (name, range) = name_and_version(self.key).unwrap_or((self.key, ""));
        let name = range.strip_prefix("npm:").map_or(name, |real| {
            name_and_version(real).map_or(real, |(name, _)| name)
        });
        // Without integrity, old entries carry the SHA-1 as the address's fragment.
        let sha1 = self
            .resolved
            .and_then(|url| url.split_once('#'))
            .and_then(|(_, digest)| digest.parse().ok())
            .map(|digest| remint_model::Integrity::Sha1(digest).to_string());
        let place = self.resolved.or_else(|| {
            // A bare path is a folder as well.
            ["file:", "link:", ".", "/", "~/"]
                .iter()
                .any(|beginning| range.starts_with(beginning))
                .then_some(range)
        });
        locked.add(
            name,
            self.version,
            place,
            self.integrity.or(sha1.as_deref()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, integrity};
    use super::super::{Format, parse};
    use super::*;

    #[test]
    fn yarn_one_writes_blocks() {
        let text = format!(
            "# yarn lockfile v1


\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":
  version \"1.1.0\"
  resolved \"https://registry.yarnpkg.com/@s/a/-/a-1.1.0.tgz#0123456789abcdef0123456789abcdef01234567\"
  integrity {}
  dependencies:
    b \"^2.0.0\"

b@^2.0.0:
  version \"2.0.0\"
  resolved \"https://registry.yarnpkg.com/b/-/b-2.0.0.tgz#0123456789abcdef0123456789abcdef01234567\"

\"c@npm:real@1\":
  version \"1.0.0\"
  resolved \"https://registry.yarnpkg.com/real/-/real-1.0.0.tgz\"

\"d@github:o/d\":
  version \"1.0.0\"
  resolved \"git+https://github.com/o/d.git#0123\"

\"e@file:./e\":
  version \"1.0.0\"

\"f@./f\":
  version \"1.0.0\"
",
            integrity()
        );
        let locked = check(
            Format::Yarn,
            &text,
            &[
                (
                    "@s/a",
                    "1.1.0",
                    Some("https://registry.yarnpkg.com/@s/a/-/a-1.1.0.tgz"),
                    true,
                ),
                (
                    "b",
                    "2.0.0",
                    Some("https://registry.yarnpkg.com/b/-/b-2.0.0.tgz"),
                    true,
                ),
                (
                    "real",
                    "1.0.0",
                    Some("https://registry.yarnpkg.com/real/-/real-1.0.0.tgz"),
                    false,
                ),
            ],
        );
        assert_eq!(locked.git, ["git+https://github.com/o/d.git#0123"]);
        assert_eq!(locked.from_tree, ["file:./e", "./f"]);
    }

    #[test]
    fn later_yarns_write_yaml() {
        let text = "__metadata:
  version: 8
\"@s/a@npm:^1.0.0\":
  version: 1.1.0
  resolution: \"@s/a@npm:1.1.0\"
  checksum: 10c0/0123
\"b@npm:1\":
  version: 1.0.0
  resolution: \"b@npm:1.0.0::__archiveUrl=https%3A%2F%2Fnpm.example.org%2Fb.tgz\"
\"root@workspace:.\":
  version: 0.0.0-use.local
  resolution: \"root@workspace:.\"
\"c@patch:c@npm%3A1.0.0#x.patch\":
  version: 1.0.0
  resolution: \"c@patch:c@npm%3A1.0.0#x.patch::version=1.0.0\"
\"d@https://github.com/o/d.git#commit=0123\":
  version: 1.0.0
  resolution: \"d@https://github.com/o/d.git#commit=0123\"
\"e@file:./e\":
  version: 1.0.0
  resolution: \"e@file:./e#./e::hash=0123&locator=root%40workspace%3A.\"
";
        let locked = check(
            Format::Yarn,
            text,
            &[
                ("@s/a", "1.1.0", None, false),
                ("b", "1.0.0", Some("https://npm.example.org/b.tgz"), false),
            ],
        );
        assert_eq!(locked.git, ["https://github.com/o/d.git#commit=0123"]);
        assert_eq!(locked.from_tree.len(), 1);
    }

    #[test]
    fn an_entry_for_every_requirement_means_in_step() {
        let check = |text: &str, expect: bool| {
            let wanted = BTreeMap::from([
                ("@s/a".to_owned(), "^1.0.0".to_owned()),
                ("b".to_owned(), "link:../b".to_owned()),
            ]);
            assert_eq!(knows(text, &wanted), expect, "{text}");
        };
        check(
            "\"@s/a@^0.9.0\", \"@s/a@^1.0.0\":\n  version \"1.0.0\"\n",
            true,
        );
        check("\"@s/a@^0.9.0\":\n  version \"0.9.0\"\n", false);
        check(
            "__metadata:\n  version: 8\n\"@s/a@npm:^1.0.0\":\n  version: 1\n",
            true,
        );
        check(
            "__metadata:\n  version: 8\n\"c@npm:^1.0.0\":\n  version: 1\n",
            false,
        );
    }

    #[test]
    fn what_is_no_lockfile_is_refused() {
        for text in [
            "  version \"1\"",
            "a b c",
            "__metadata: {}\nx: {resolution: y}",
        ] {
            assert!(parse(Format::Yarn, text).is_err(), "{text}");
        }
    }
}
