//! Which tags name a release, and how surely.
//!
//! A tag is a version with something before it. What stands before it tells whose version it is: the package's
//! own name, nothing, a word like `release`, or the name of a sibling in the same repository. The score orders
//! candidates; it decides nothing, the manifest at the tag does.

use remint_ecosystem::same_version;
use remint_model::{EntryPath, Target};

/// Below this, a tag is more likely a sibling's.
pub(super) const OWN: u32 = 60;

const OWN_NAME: u32 = 100;
const OWN_SHORT_NAME: u32 = 95;
const OWN_DIRECTORY: u32 = 90;
const BARE: u32 = 85;
const GENERIC: u32 = 75;
const PART_OF_NAME: u32 = OWN;
const SIBLING: u32 = 30;
/// A date spelt otherwise than the version.
const LOOSE: u32 = 10;

/// Prefixes that say nothing about whose version it is.
const GENERIC_WORDS: &[&str] = &[
    "build",
    "cli",
    "js",
    "node",
    "npm",
    "package",
    "pkg",
    "prod",
    "production",
    "publish",
    "py",
    "pypi",
    "python",
    "rel",
    "release",
    "released",
    "releases",
    "server",
    "stable",
    "tag",
    "tags",
    "ts",
    "typescript",
    "ver",
    "version",
    "versions",
];

/// How surely a tag names this release; `None` when it names another version or none.
///
/// Names without a version, such as `latest`, move from release to release and never score.
pub(super) fn score(target: &Target, directory: Option<&EntryPath>, tag: &str) -> Option<u32> {
    if tag.len() > 250 {
        return None;
    }
    let wanted = target.version.as_str();
    let mut best = None;
    for (at, _) in tag.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        let (prefix, version) = tag.split_at(at);
        if is_inside_version(prefix) {
            continue;
        }
        let (suffix_word, penalty) = if same_version(target.ecosystem, version, wanted) {
            (None, 0)
        } else if let Some(word) = version
            .strip_prefix(wanted)
            .and_then(|rest| rest.strip_prefix(['-', '_', '/', '@']))
        {
            // `v1.2.3-name`: the name follows.
            (Some(word), 0)
        } else if same_numbers(version, wanted) {
            (None, LOOSE)
        } else {
            continue;
        };
        let owner = match suffix_word {
            Some(word) if is_bare(prefix) => word,
            Some(_) => continue,
            None => prefix,
        };
        let score = owner_score(target, directory, owner, suffix_word.is_some());
        if let Some(score) = score {
            best = best.max(Some(score - penalty));
        }
    }
    best
}

/// Whether a tag of this release bears the package's name or folder, so that it can be no sibling's.
pub(super) fn bears_own_name(target: &Target, directory: Option<&EntryPath>, tag: &str) -> bool {
    score(target, directory, tag).is_some_and(|score| score > BARE)
}

/// The version that a tag ends with, where it ends with one.
pub(super) fn version_text(tag: &str) -> Option<&str> {
    let at = tag.find(|c: char| c.is_ascii_digit())?;
    tag.get(at..)
}

/// Whether what stands before the version in a tag names no package at all.
pub(super) fn is_unowned(tag: &str) -> bool {
    let prefix = tag
        .find(|c: char| c.is_ascii_digit())
        .and_then(|at| tag.get(..at))
        .unwrap_or(tag);
    let owner = trimmed(prefix).to_ascii_lowercase();
    owner.is_empty() || GENERIC_WORDS.contains(&owner.as_str())
}

/// The three tags that are most like `wanted`, for an error message.
pub(super) fn nearest<'a>(tags: impl Iterator<Item = &'a str>, wanted: &str) -> Vec<String> {
    let mut ranked: Vec<(usize, &str)> = tags
        .map(|tag| (similarity(tag, wanted), tag))
        .filter(|(similarity, _)| *similarity * 2 >= wanted.len())
        .collect();
    ranked.sort_by(|(a, tag), (b, other)| {
        b.cmp(a)
            .then(tag.len().cmp(&other.len()))
            .then(tag.cmp(other))
    });
    ranked
        .into_iter()
        .take(3)
        .map(|(_, tag)| tag.to_owned())
        .collect()
}

/// The longest common subsequence's length, over bounded names.
fn similarity(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(80).collect();
    let other: Vec<char> = other.chars().take(80).collect();
    let mut row = vec![0; other.len() + 1];
    for a in &one {
        let mut diagonal = 0;
        for (at, b) in other.iter().enumerate() {
            let above = row.get(at + 1).copied().unwrap_or(0);
            let left = row.get(at).copied().unwrap_or(0);
            let value = if a == b {
                diagonal + 1
            } else {
                above.max(left)
            };
            diagonal = above;
            if let Some(cell) = row.get_mut(at + 1) {
                *cell = value;
            }
        }
    }
    row.last().copied().unwrap_or(0)
}

fn owner_score(
    target: &Target,
    directory: Option<&EntryPath>,
    owner: &str,
    follows: bool,
) -> Option<u32> {
    let owner = canonical(trimmed(owner));
    let name = canonical(target.name.as_str());
    let short = canonical(target.name.unscoped());
    let directories = directory.map(|directory| {
        (
            canonical(directory.as_str()),
            canonical(directory.file_name()),
        )
    });
    let is_directory = directories
        .as_ref()
        .is_some_and(|(whole, last)| owner == *whole || owner == *last);
    Some(if owner.is_empty() {
        BARE
    } else if owner == name {
        OWN_NAME
    } else if owner == short {
        OWN_SHORT_NAME
    } else if is_directory {
        OWN_DIRECTORY
    } else if GENERIC_WORDS.contains(&owner.as_str()) {
        GENERIC
    } else if owner
        .split('-')
        .all(|word| GENERIC_WORDS.contains(&word) || name.split('-').any(|part| part == word))
    {
        PART_OF_NAME
    } else if follows {
        // `1.2.3-rc` is another version, not the version of a package `rc`.
        return None;
    } else {
        SIBLING
    })
}

/// Whether what follows the prefix continues a number or a version that has already begun.
fn is_inside_version(prefix: &str) -> bool {
    let before_dot = prefix.strip_suffix('.').unwrap_or(prefix);
    before_dot.ends_with(|c: char| c.is_ascii_digit())
}

fn is_bare(prefix: &str) -> bool {
    trimmed(prefix).is_empty()
}

/// A prefix without its separators and the `v` of the version.
fn trimmed(prefix: &str) -> &str {
    let separator = |c: char| "@-_/.+= ".contains(c);
    let end = prefix.trim_end_matches(separator);
    let without_v = end
        .strip_suffix(['v', 'V'])
        .filter(|rest| rest.is_empty() || rest.ends_with(separator))
        .unwrap_or(end);
    without_v.trim_matches(separator)
}

/// Lower case, runs of separators as one `-`, no `@`.
fn canonical(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.trim_start_matches('@').chars() {
        if "-_./@ ".contains(c) {
            if !text.ends_with('-') {
                text.push('-');
            }
        } else {
            text.push(c.to_ascii_lowercase());
        }
    }
    text
}

/// Whether two texts are the same numbers in the same order, whatever stands between: `2025-08-04`, `2025.8.4`.
fn same_numbers(one: &str, other: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split(['.', '-', '_'])
            .map(|part| {
                (part.len() <= 8 && part.bytes().all(|b| b.is_ascii_digit()))
                    .then(|| part.parse().ok())
                    .flatten()
            })
            .collect()
    };
    matches!((numbers(one), numbers(other)), (Some(one), Some(other)) if one.len() >= 3 && one == other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::{Ecosystem, PackageName};

    use super::*;

    fn target(ecosystem: Ecosystem, name: &str, version: &str) -> Target {
        Target {
            ecosystem,
            name: PackageName::parse(ecosystem, name).unwrap(),
            version: version.parse().unwrap(),
            file: None,
        }
    }

    fn check(target: &Target, tag: &str, expect: Option<u32>) {
        let directory = "packages/thing".parse().unwrap();
        assert_eq!(score(target, Some(&directory), tag), expect, "{tag}");
    }

    #[test]
    fn the_shapes_of_npm_tags_are_told_apart() {
        let target = target(Ecosystem::Npm, "@scope/mcp-server", "1.2.3");
        for (tag, expect) in [
            ("@scope/mcp-server@1.2.3", Some(OWN_NAME)),
            ("scope/mcp-server/v1.2.3", Some(OWN_NAME)),
            ("mcp-server-v1.2.3", Some(OWN_SHORT_NAME)),
            ("mcp_server/1.2.3", Some(OWN_SHORT_NAME)),
            ("packages/thing/v1.2.3", Some(OWN_DIRECTORY)),
            ("thing@1.2.3", Some(OWN_DIRECTORY)),
            ("v1.2.3", Some(BARE)),
            ("1.2.3", Some(BARE)),
            ("v.1.2.3", Some(BARE)),
            ("release/1.2.3", Some(GENERIC)),
            ("release-v1.2.3", Some(GENERIC)),
            ("mcp-v1.2.3", Some(PART_OF_NAME)),
            ("v1.2.3-mcp-server", Some(OWN_SHORT_NAME)),
            ("@scope/other@1.2.3", Some(SIBLING)),
            ("other-v1.2.3", Some(SIBLING)),
        ] {
            check(&target, tag, expect);
        }
    }

    #[test]
    fn other_versions_and_moving_tags_score_nothing() {
        let target = target(Ecosystem::Npm, "name", "1.2.3");
        for tag in [
            "latest",
            "latest-release",
            "v1",
            "v1.2",
            "1.2.30",
            "11.2.3",
            "0.1.2.3",
            "v1.2.3-rc.1",
            "v1.2.3-rc",
            "v1.2.4",
            "name@1.2.3-beta.0",
            "",
        ] {
            check(&target, tag, None);
        }
    }

    #[test]
    fn python_versions_and_dates_may_be_spelt_otherwise() {
        let alpha = target(Ecosystem::Pypi, "name", "0.0.1a4");
        check(&alpha, "v0.0.1-alpha.4", Some(BARE));
        check(&alpha, "v0.0.1a4", Some(BARE));
        check(&alpha, "v0.0.1", None);
        check(&alpha, "v0.0.1a5", None);
        let date = target(Ecosystem::Npm, "name", "2025.8.4");
        check(&date, "2025-08-04", Some(BARE - LOOSE));
        check(&date, "2025.8.4", Some(BARE));
        check(&date, "2025.8.5", None);
    }

    #[test]
    fn near_names_are_offered() {
        let tags = ["v1.0.0", "v1.1.0", "v1.1.1", "v2.0.0-rc1", "unrelated"];
        assert_eq!(
            nearest(tags.into_iter(), "1.1.2"),
            ["v1.1.0", "v1.1.1", "v1.0.0"]
        );
        assert!(nearest(tags.into_iter(), "zzzzzzzz").is_empty());
    }

    proptest! {
        #[test]
        fn no_tag_panics(any: String, shaped in "(v|release|thing|@scope/|[@/_.-]|[0-9]{1,9}|1\\.2\\.3|é){0,9}") {
            for tag in [any, shaped] {
                for ecosystem in Ecosystem::ALL.iter().copied() {
                    let name = match ecosystem {
                        // Begins with a host.
                        Ecosystem::Golang => "example.org/thing",
                        Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Cargo | Ecosystem::Mcpb => "thing",
                    };
                    let _score = score(&target(ecosystem, name, "1.2.3"), None, &tag);
                }
                let _unowned = is_unowned(&tag);
                if let Some(version) = version_text(&tag) {
                    prop_assert!(tag.ends_with(version));
                }
                prop_assert!(nearest([tag.as_str(), "1.2.3"].into_iter(), "1.2.3").len() <= 2);
            }
        }
    }
}
