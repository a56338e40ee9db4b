//! Files that bundlers name after their content (`chunk-ABC123XY.js`): only published under one name, only rebuilt
//! under another, and the same otherwise.

use std::collections::BTreeMap;

use super::{ChangedFile, SideWords, quoted};

/// Rounds in which pairs that rest on pairs that do not hold are dropped.
const ROUNDS: usize = 16;
/// Names that are replaced in every file; more are not looked at.
const MOST: usize = 500;

/// One file under two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Renamed {
    /// The file names alone, hash included.
    pub(crate) rebuilt_name: String,
    pub(crate) published_name: String,
    /// The rebuilt file's path.
    pub(crate) rebuilt: String,
    pub(crate) published: String,
    /// Whether the bytes are the same; otherwise they are once the names of such pairs are replaced.
    pub(crate) same_bytes: bool,
}

/// A file that is on one side alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lone<'a> {
    pub(crate) path: &'a str,
    pub(crate) content: &'a [u8],
}

/// Whether this may be a name with a hash in it.
pub(crate) fn has_hashed_name(path: &str) -> bool {
    pattern(path).is_some()
}

/// Pairs up what is the same but for hashed names. A pair holds only where the files are equal once the names of
/// pairs that hold have been replaced.
pub(crate) fn pair_up(rebuilt: &[Lone<'_>], published: &[Lone<'_>]) -> Vec<Renamed> {
    if rebuilt.len().max(published.len()) > MOST {
        return Vec::new();
    }
    let (old, new) = (canonical(rebuilt), canonical(published));
    let mut pairs: Vec<(Lone<'_>, Lone<'_>)> = old
        .iter()
        .filter_map(
            |(key, old)| match (old.as_slice(), new.get(key)?.as_slice()) {
                ([old], [new]) => Some((*old, *new)),
                _ => None,
            },
        )
        .collect();
    for _ in 0..ROUNDS {
        let names: Names<'_> = pairs
            .iter()
            .map(|(old, new)| (file_name(old.path), file_name(new.path)))
            .collect();
        let before = pairs.len();
        pairs.retain(|(old, new)| replaced(old.content, &names).content == new.content);
        if pairs.len() == before {
            return pairs
                .into_iter()
                .map(|(old, new)| Renamed {
                    rebuilt_name: file_name(old.path).to_owned(),
                    published_name: file_name(new.path).to_owned(),
                    rebuilt: old.path.to_owned(),
                    published: new.path.to_owned(),
                    same_bytes: old.content == new.content,
                })
                .collect();
        }
    }
    Vec::new()
}

/// A file on both sides that differs in nothing but the names of such files.
pub(super) fn explain(file: &ChangedFile<'_>) -> Option<String> {
    let names: Names<'_> = file
        .renamed
        .iter()
        .map(|pair| (pair.rebuilt_name.as_str(), pair.published_name.as_str()))
        .collect();
    if names.is_empty() {
        return None;
    }
    let replaced = replaced(file.rebuilt, &names);
    let (old, new) = replaced
        .first
        .filter(|_| replaced.content == file.published)?;
    Some(format!(
        "only the hashed names of files differ whose contents are the same otherwise: {} {}, {} {}",
        quoted(new.as_bytes()),
        file.words.published,
        quoted(old.as_bytes()),
        file.words.rebuilt
    ))
}

impl Renamed {
    /// What the published file and the rebuilt one have as their explanations.
    pub(crate) fn explanations(&self, words: SideWords) -> (String, String) {
        let but = if self.same_bytes {
            "the same bytes as"
        } else {
            "the same, once hashed names of files are replaced, as"
        };
        (
            format!(
                "{but} {} in the {} file",
                quoted(self.rebuilt.as_bytes()),
                words.rebuilt
            ),
            format!(
                "{but} {} in the {} file",
                quoted(self.published.as_bytes()),
                words.published
            ),
        )
    }
}

type Names<'a> = BTreeMap<&'a str, &'a str>;

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The path without its hash: what stands before it, and the extension.
fn pattern(path: &str) -> Option<(&str, &str)> {
    let start = path.len() - file_name(path).len();
    let name = path.get(start..)?;
    let (stem, _) = name.split_once('.').filter(|(stem, _)| !stem.is_empty())?;
    // `name-HASH.js`, or `name.HASH.js`.
    let (hash_start, hash_end) = match stem.rfind('-') {
        Some(dash) if is_hash(stem.get(dash + 1..)?) => (dash + 1, stem.len()),
        _ => {
            let rest = name.get(stem.len() + 1..)?;
            let (hash, _) = rest.split_once('.')?;
            if !is_hash(hash) {
                return None;
            }
            (stem.len() + 1, stem.len() + 1 + hash.len())
        }
    };
    Some((
        path.get(..start + hash_start)?,
        path.get(start + hash_end..)?,
    ))
}

/// What bundlers write: eight letters and digits or more. Lower-case words of the same length are no hashes.
fn is_hash(text: &str) -> bool {
    (6..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text
            .bytes()
            .any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// The files by what they are without hashes: pattern of the name, and content with all hashed names replaced by
/// their patterns.
fn canonical<'a>(files: &[Lone<'a>]) -> BTreeMap<(&'a str, &'a str, Vec<u8>), Vec<Lone<'a>>> {
    let placeholders: Vec<(&str, String)> = files
        .iter()
        .filter_map(|file| {
            let (before, after) = pattern(file.path)?;
            Some((
                file_name(file.path),
                format!("{}\0{after}", file_name(before)),
            ))
        })
        .collect();
    let names: Names<'_> = placeholders
        .iter()
        .map(|(name, placeholder)| (*name, placeholder.as_str()))
        .collect();
    let mut sorted: BTreeMap<_, Vec<Lone<'a>>> = BTreeMap::new();
    for file in files {
        if let Some((before, after)) = pattern(file.path) {
            use sha2::Digest as _;
            let digest = sha2::Sha256::digest(replaced(file.content, &names).content).to_vec();
            sorted
                .entry((before, after, digest))
                .or_default()
                .push(*file);
        }
    }
    sorted
}

/// A content with names replaced.
struct Replaced<'n> {
    content: Vec<u8>,
    /// The first name in it, in their own order, and what took its place.
    first: Option<(&'n str, &'n str)>,
}

/// The content with each of these names replaced, where it stands as a whole name.
fn replaced<'n>(content: &[u8], names: &Names<'n>) -> Replaced<'n> {
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let mut out = Vec::with_capacity(content.len());
    let mut first: Option<(&str, &str)> = None;
    let mut at = 0;
    while let Some(rest) = content.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().take_while(|byte| belongs(**byte)).count();
        if length == 0 {
            let other = rest.iter().take_while(|byte| !belongs(**byte)).count();
            out.extend_from_slice(rest.get(..other).unwrap_or_default());
            at += other;
            continue;
        }
        let word = rest.get(..length).unwrap_or_default();
        // `chunk-ABC123.js.map` names the map of a chunk.
        let name = std::str::from_utf8(word).ok().and_then(|word| {
            let found = |word: &str| names.get_key_value(word).map(|(old, new)| (*old, *new));
            found(word)
                .map(|name| (name, ""))
                .or_else(|| Some((found(word.strip_suffix(".map")?)?, ".map")))
        });
        match name {
            Some(((old, new), suffix)) => {
                if first.is_none_or(|(before, _)| old < before) {
                    first = Some((old, new));
                }
                out.extend_from_slice(new.as_bytes());
                out.extend_from_slice(suffix.as_bytes());
            }
            None => out.extend_from_slice(word),
        }
        at += length;
    }
    Replaced {
        content: out,
        first,
    }
}
