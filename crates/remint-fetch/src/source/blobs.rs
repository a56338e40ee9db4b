//! How many of the published files a commit holds, by their content alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use git2::Oid;
use remint_model::{EntryPath, Survey};

use crate::git::Objects;

/// Git's empty blob: every repository has one.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// Counts published files in trees; remembers every tree that it has seen.
pub(super) struct Matcher<'a> {
    objects: &'a Objects,
    /// Which published file a blob is; one file may have several spellings.
    published: BTreeMap<Oid, u32>,
    /// Those that a build copies as they are: Python's modules.
    verbatim: BTreeSet<u32>,
    count: usize,
    seen: HashMap<Oid, Rc<[u32]>>,
}

/// How much of what was published a tree holds; more inside the package's folder counts first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Matched {
    pub(super) inside: usize,
    pub(super) anywhere: usize,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(objects: &'a Objects, survey: &Survey) -> Self {
        let mut published: BTreeMap<Oid, u32> = BTreeMap::new();
        let mut verbatim = BTreeSet::new();
        let mut count = 0;
        for entry in &survey.entries {
            if entry.blob.as_str() == EMPTY {
                continue;
            }
            if let Ok(blob) = Oid::from_str(entry.blob.as_str())
                && published.insert(blob, count).is_none()
            {
                if entry.path.extension() == Some("py") {
                    verbatim.insert(count);
                }
                count += 1;
            }
        }
        let spellings = readme_spellings(survey);
        if !spellings.is_empty() {
            for blob in spellings {
                published.entry(blob).or_insert(count);
            }
            count += 1;
        }
        Self {
            objects,
            published,
            verbatim,
            count: usize::try_from(count).unwrap_or(usize::MAX),
            seen: HashMap::new(),
        }
    }

    /// How many different files were published.
    pub(super) fn published(&self) -> usize {
        self.count
    }

    /// Whether these are most of the files that a build copies as they are. Some modules are generated, and a
    /// tampered release has changed ones; but where a good part is unknown, the source is not here.
    pub(super) fn are_most_verbatim(&self, held: &BTreeSet<u32>) -> bool {
        let held = self.verbatim.intersection(held).count();
        held.saturating_mul(4) >= self.verbatim.len().saturating_mul(3)
    }

    /// What the tree of a commit holds.
    pub(super) fn matched(&mut self, tree: Oid, directory: Option<&EntryPath>) -> Matched {
        let anywhere = self.below(tree, 0).len();
        let inside = match directory {
            None => anywhere,
            Some(directory) => match self.objects.at(tree, directory.as_str()) {
                Some((git2::ObjectType::Tree, inner)) => self.below(inner, 0).len(),
                Some(_) | None => 0,
            },
        };
        Matched { inside, anywhere }
    }

    /// Which of the published files a tree holds.
    pub(super) fn below(&mut self, tree: Oid, depth: usize) -> Rc<[u32]> {
        if let Some(seen) = self.seen.get(&tree) {
            return Rc::clone(seen);
        }
        let mut found = Vec::new();
        if depth < 128
            && let Ok(entries) = self.objects.tree(tree)
        {
            for (_, mode, id) in entries {
                if mode == 0o040_000 {
                    found.extend_from_slice(&self.below(id, depth + 1));
                } else if let Some(at) = self.published.get(&id) {
                    found.push(*at);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let found: Rc<[u32]> = found.into();
        self.seen.insert(tree, Rc::clone(&found));
        found
    }
}

/// The readme that Python's core metadata carries as its body, as the blobs that the file may have been.
fn readme_spellings(survey: &Survey) -> Vec<Oid> {
    let Some((_, metadata)) = survey.texts.iter().find(|(path, _)| {
        path.as_str().ends_with(".dist-info/METADATA") || path.as_str() == "PKG-INFO"
    }) else {
        return Vec::new();
    };
    let Some(body) = metadata
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .and_then(|at| metadata.get(at + 2..))
    else {
        return Vec::new();
    };
    let trimmed = body.trim_ascii_end();
    // A word or two prove nothing.
    if trimmed.len() < 64 {
        return Vec::new();
    }
    [body.to_vec(), trimmed.to_vec(), [trimmed, b"\n"].concat()]
        .iter()
        .filter_map(|content| Oid::hash_object(git2::ObjectType::Blob, content).ok())
        .collect()
}

/// Whether a published file lies in the tree at its own path with other content: a sign that the release was
/// made from a neighbour of this commit. Manifests are left out, since publishing rewrites them.
pub(super) fn has_stale_file(
    objects: &Objects,
    survey: &Survey,
    tree: Oid,
    directory: Option<&EntryPath>,
) -> bool {
    let places: Vec<String> = match directory {
        None => vec![String::new(), "src/".to_owned()],
        Some(directory) => vec![format!("{directory}/"), format!("{directory}/src/")],
    };
    survey
        .entries
        .iter()
        .filter(|entry| {
            !matches!(
                entry.path.file_name(),
                "package.json" | "pyproject.toml" | "setup.cfg" | "PKG-INFO" | "METADATA"
            )
        })
        .take(2_000)
        .any(|entry| {
            places
                .iter()
                .find_map(|place| objects.at(tree, &format!("{place}{}", entry.path)))
                .is_some_and(|(kind, id)| {
                    kind == git2::ObjectType::Blob && id.to_string() != entry.blob.as_str()
                })
        })
}
