//! How many of the published files a commit holds, by their content alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use git2::Oid;
use remint_model::{EntryPath, Survey};

use crate::git::{Objects, commit_id};

/// Git's empty blob: every repository has one.
const EMPTY: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

/// The deepest folder that is looked into.
const DEEPEST: usize = 128;
/// How much is remembered of the trees that were seen, in files.
const MOST_REMEMBERED: usize = 32_000_000;

/// Counts published files in trees; remembers the trees that it has seen.
pub(super) struct Matcher<'a> {
    objects: &'a Objects,
    /// Which published file a blob is; one file may have several spellings.
    published: BTreeMap<Oid, u32>,
    /// Those that a build copies as they are: Python's modules.
    verbatim: BTreeSet<u32>,
    count: usize,
    /// By tree and depth: how far below a tree is looked depends on how deep it lies itself.
    seen: HashMap<(Oid, usize), Rc<[u32]>>,
    remembered: usize,
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
                if let Some(lf) = &entry.lf_blob
                    && let Ok(lf) = Oid::from_str(lf.as_str())
                {
                    published.entry(lf).or_insert(count);
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
            remembered: 0,
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
                Some((git2::ObjectType::Tree, inner)) => {
                    let depth = directory.as_str().split('/').count();
                    self.below(inner, depth).len()
                }
                Some(_) | None => 0,
            },
        };
        Matched { inside, anywhere }
    }

    /// Which of the published files a tree holds.
    pub(super) fn below(&mut self, tree: Oid, depth: usize) -> Rc<[u32]> {
        if let Some(seen) = self.seen.get(&(tree, depth)) {
            return Rc::clone(seen);
        }
        let mut found = Vec::new();
        let mut entered = HashSet::new();
        if depth < DEEPEST
            && let Ok(entries) = self.objects.tree(tree)
        {
            for (_, mode, id) in entries {
                if mode != 0o040_000 {
                    found.extend(self.published.get(&id));
                } else if entered.insert(id) {
                    let inner = self.below(id, depth + 1);
                    if self.objects.spend(inner.len()).is_err() {
                        break;
                    }
                    found.extend_from_slice(&inner);
                }
                // Never more than a few times what there is to find.
                if found.len() > 2 * self.count + 64 {
                    found.sort_unstable();
                    found.dedup();
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        let found: Rc<[u32]> = found.into();
        self.remembered += found.len() + 1;
        if self.remembered > MOST_REMEMBERED {
            self.seen.clear();
            self.remembered = found.len() + 1;
        }
        self.seen.insert((tree, depth), Rc::clone(&found));
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
/// made from a neighbour of this commit. Manifests are left out, since publishing rewrites them; the readme that one
/// carries is not.
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
                    kind == git2::ObjectType::Blob
                        && commit_id(id)
                            .is_some_and(|blob| entry.committed_as().all(|copied| *copied != blob))
                })
        })
        || has_other_readme(objects, survey, tree, directory)
}

/// Whether the readme beside the package's manifest is another than the one that was published.
fn has_other_readme(
    objects: &Objects,
    survey: &Survey,
    tree: Oid,
    directory: Option<&EntryPath>,
) -> bool {
    let published = readme_spellings(survey);
    let folder = match directory {
        None => Some(tree),
        Some(directory) => objects.at(tree, directory.as_str()).map(|(_, id)| id),
    };
    let entries = folder.and_then(|folder| objects.tree(folder).ok());
    let readmes: Vec<Oid> = entries
        .into_iter()
        .flatten()
        .filter(|(name, _, _)| name.to_ascii_lowercase().starts_with(b"readme"))
        .map(|(_, _, id)| id)
        .collect();
    !published.is_empty()
        && !readmes.is_empty()
        && readmes.iter().all(|readme| !published.contains(readme))
}

#[cfg(test)]
mod tests {
    use super::*;
    use remint_model::{Sha256, SurveyEntry};

    /// A repository, and a survey of these files.
    fn published(contents: &[&str]) -> (tempfile::TempDir, git2::Repository, Vec<Oid>, Survey) {
        let temporary = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(temporary.path()).unwrap();
        let blobs: Vec<Oid> = contents
            .iter()
            .map(|content| repository.blob(content.as_bytes()).unwrap())
            .collect();
        let survey = Survey {
            entries: contents
                .iter()
                .zip(&blobs)
                .map(|(content, blob)| SurveyEntry {
                    path: format!("{blob}.js").parse().unwrap(),
                    size: content.len() as u64,
                    mode: 0o644,
                    modified: 0,
                    sha256: Sha256::of(content.as_bytes()),
                    blob: blob.to_string().parse().unwrap(),
                    lf_blob: None,
                })
                .collect(),
            ..Survey::default()
        };
        (temporary, repository, blobs, survey)
    }

    fn tree(repository: &git2::Repository, entries: &[(String, Oid, i32)]) -> Oid {
        let mut builder = repository.treebuilder(None).unwrap();
        for (name, id, mode) in entries {
            builder.insert(name, *id, *mode).unwrap();
        }
        builder.write().unwrap()
    }

    #[test]
    fn a_file_counts_once_however_often_a_tree_holds_it() {
        let (temporary, repository, blobs, survey) = published(&["one", "two", "three"]);
        let file = |at: usize| (format!("file-{at}"), blobs[at % 2], 0o100_644);
        let inner = tree(&repository, &(0..500).map(file).collect::<Vec<_>>());
        let folders: Vec<_> = (0..500)
            .map(|at| (format!("folder-{at}"), inner, 0o040_000))
            .collect();
        let outer = tree(&repository, &folders);
        let objects = Objects::open(&[temporary.path()], std::sync::Arc::default()).unwrap();
        let mut matcher = Matcher::new(&objects, &survey);
        assert_eq!(matcher.matched(outer, None).anywhere, 2);
        assert_eq!(matcher.published(), 3);
    }

    #[test]
    fn a_tree_that_was_met_too_deep_is_looked_into_elsewhere() {
        let (temporary, repository, blobs, survey) = published(&["one"]);
        let inner = tree(&repository, &[("file".to_owned(), blobs[0], 0o100_644)]);
        let mut deep = inner;
        for _ in 0..DEEPEST {
            deep = tree(&repository, &[("folder".to_owned(), deep, 0o040_000)]);
        }
        let objects = Objects::open(&[temporary.path()], std::sync::Arc::default()).unwrap();
        let mut matcher = Matcher::new(&objects, &survey);
        assert_eq!(matcher.matched(deep, None).anywhere, 0);
        assert_eq!(matcher.matched(inner, None).anywhere, 1);
    }
}
