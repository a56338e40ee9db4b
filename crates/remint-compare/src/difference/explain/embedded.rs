//! What a build writes into its own output: the version, the commit, the time, the directory. Both texts are walked
//! side by side; wherever they differ, one whole token stands for another of the same kind, or nothing is said.
//!
//! A text that merely looks like a version is none: where the release's version is known, it has to be that one.

mod kinds;

use std::collections::BTreeMap;

use super::{ChangedFile, Explanation, SideWords, quoted};
use kinds::{KINDS, Kind, is_mere_number};

/// Larger files are not walked.
const LARGEST: usize = 8 << 20;
/// More places than that are no stamps.
const MOST_PLACES: usize = 100_000;

pub(super) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    let (old, new) = (file.rebuilt, file.published);
    if old.len().max(new.len()) > LARGEST {
        return None;
    }
    let mut found: BTreeMap<&'static str, (&Kind, Vec<u8>, Vec<u8>)> = BTreeMap::new();
    let mut mere_numbers = false;
    let (mut old_at, mut new_at) = (0, 0);
    for _ in 0..MOST_PLACES {
        let (old_rest, new_rest) = (old.get(old_at..)?, new.get(new_at..)?);
        let same = old_rest
            .iter()
            .zip(new_rest)
            .take_while(|(one, other)| one == other)
            .count();
        if same == old_rest.len() && same == new_rest.len() {
            let words = say(&found, file.words)?;
            // Any three numbers are a version, and an address as well, where the release's own is not known; and what is
            // a version among dependencies says what else is installed.
            let is_doubtful = found.contains_key("version")
                && (file.known.versions.is_empty() || may_list_dependencies(file.path.file_name()));
            return Some(if mere_numbers || is_doubtful {
                Explanation::pointer(words)
            } else {
                Explanation::proof(words)
            });
        }
        // A token reaches back over what both have in common, and never over a token already taken.
        let (kind, old_token, new_token) = KINDS.iter().find_map(|kind| {
            let old_token = kind.token_at(old, old_at, old_at + same)?;
            let new_token = kind.token_at(new, new_at, new_at + same)?;
            let (one, other) = (old.get(old_token.clone())?, new.get(new_token.clone())?);
            if (kind.stands_in_an_address)(old, &old_token, file.known)
                || (kind.stands_in_an_address)(new, &new_token, file.known)
            {
                return None;
            }
            let (one, other, cut) = (kind.narrow)(one, other);
            (kind.accepts)(one, other, file.known).then(|| {
                (
                    kind,
                    (one.to_vec(), old_token.end - cut),
                    (other.to_vec(), new_token.end - cut),
                )
            })
        })?;
        old_at = old_token.1;
        new_at = new_token.1;
        mere_numbers |=
            kind.name == "time" && (is_mere_number(&old_token.0) || is_mere_number(&new_token.0));
        match found.get(kind.name) {
            // One version for one other, everywhere; times may all be different.
            Some((_, one, other))
                if kind.always_the_same && (*one != old_token.0 || *other != new_token.0) =>
            {
                return None;
            }
            Some(_) => {}
            None => {
                found.insert(kind.name, (kind, old_token.0, new_token.0));
            }
        }
    }
    None
}

fn may_list_dependencies(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("requirements")
        || name.ends_with(".lock")
        || matches!(
            &*name,
            "package.json"
                | "package-lock.json"
                | ".package-lock.json"
                | "npm-shrinkwrap.json"
                | "pnpm-lock.yaml"
                | "deno.json"
                | "deno.jsonc"
                | "jsr.json"
                | "cargo.toml"
                | "cargo.toml.orig"
                | "pyproject.toml"
                | "pylock.toml"
                | "setup.cfg"
                | "setup.py"
                | "metadata"
                | "pkg-info"
                | "requires.txt"
                | "go.mod"
                | "go.sum"
        )
}

fn say(
    found: &BTreeMap<&'static str, (&Kind, Vec<u8>, Vec<u8>)>,
    words: SideWords,
) -> Option<String> {
    let names: Vec<&str> = found.values().map(|(kind, ..)| kind.words).collect();
    let (last, others) = names.split_last()?;
    let names = if others.is_empty() {
        format!("{last} differs")
    } else {
        format!("{} and {last} differ", others.join(", "))
    };
    let values: Vec<String> = found
        .values()
        .map(|(_, old, new)| {
            format!(
                "{} {}, {} {}",
                quoted(new),
                words.published,
                quoted(old),
                words.rebuilt
            )
        })
        .collect();
    Some(format!("only {names}: {}", values.join("; ")))
}
