//! Applies every normaliser and writes down, path by path, what each of them made vanish.

use std::collections::BTreeMap;

use remint_model::{EntryPath, Erasure};

use super::pairs::Pairs;
use super::{ALL, File, Normaliser, Subject};
use crate::archive::Entry;

/// How many paths an erasure lists.
const LISTED: usize = 100;

/// What has been hidden so far.
#[derive(Debug, Default)]
pub(crate) struct Erasures(BTreeMap<&'static str, Erasure>);

impl Erasures {
    /// Notes one; `None` stands for the archive itself.
    pub(crate) fn add(&mut self, normaliser: &Normaliser, path: Option<&EntryPath>) {
        let erasure = self.0.entry(normaliser.id).or_insert_with(|| Erasure {
            normaliser: normaliser.id,
            version: normaliser.version,
            paths: Vec::new(),
            count: 0,
        });
        erasure.count += 1;
        if let Some(path) = path
            && erasure.paths.len() < LISTED
        {
            erasure.paths.push(path.to_string());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no other normaliser was needed.
    pub(crate) fn has_nothing_but(&self, normaliser: &str) -> bool {
        self.0.keys().all(|id| *id == normaliser)
    }

    /// In the order of `ALL`.
    pub(crate) fn finish(mut self) -> Vec<Erasure> {
        ALL.iter()
            .filter_map(|normaliser| self.0.remove(normaliser.id))
            .collect()
    }
}

/// Applies the normalisers of headers and archives to both sides.
pub(crate) fn erase_headers(pairs: &mut Pairs, erasures: &mut Erasures) {
    let format = pairs.format;
    for normaliser in ALL.iter().filter(|n| n.applies_to(format)) {
        match normaliser.subject {
            Subject::Entry(normalise) => {
                for row in &mut pairs.rows {
                    let before = row.facets();
                    let apply = |entries: &mut Vec<Entry>| entries.iter_mut().for_each(normalise);
                    apply(&mut row.published);
                    apply(&mut row.rebuilt);
                    if !before.without(row.facets()).is_empty() {
                        erasures.add(normaliser, Some(&row.path));
                    }
                }
            }
            Subject::EntryOf(normalise) => {
                let Pairs {
                    rows,
                    published,
                    rebuilt,
                    ..
                } = &mut *pairs;
                for row in rows {
                    let before = row.facets();
                    row.published
                        .iter_mut()
                        .for_each(|entry| normalise(entry, published));
                    row.rebuilt
                        .iter_mut()
                        .for_each(|entry| normalise(entry, rebuilt));
                    if !before.without(row.facets()).is_empty() {
                        erasures.add(normaliser, Some(&row.path));
                    }
                }
            }
            Subject::Archive(normalise) => {
                let before = pairs.archive_facets();
                let directories: Vec<EntryPath> = [&pairs.published, &pairs.rebuilt]
                    .into_iter()
                    .flat_map(|side| side.implied_directories.iter().cloned())
                    .collect();
                normalise(&mut pairs.published);
                normalise(&mut pairs.rebuilt);
                let vanished = before.without(pairs.archive_facets());
                if vanished.has(super::Facets::DIRECTORIES) {
                    for directory in &directories {
                        erasures.add(normaliser, Some(directory));
                    }
                } else if !vanished.is_empty() {
                    erasures.add(normaliser, None);
                }
            }
            Subject::Content(_) | Subject::Build => {}
        }
    }
}

/// Whether the canonical forms of two contents are equal, and by which normalisers; `None` when they differ.
pub(crate) fn erase_content(
    published: &File<'_>,
    rebuilt: &File<'_>,
) -> Option<Vec<&'static Normaliser>> {
    let mut contents = (published.content.to_vec(), rebuilt.content.to_vec());
    let mut used = Vec::new();
    for normaliser in ALL.iter().filter(|n| n.applies_to(published.format)) {
        let Subject::Content(normalise) = normaliser.subject else {
            continue;
        };
        if contents.0 == contents.1 {
            break;
        }
        let apply = |file: &File<'_>, content: &mut Vec<u8>| {
            let canonical = normalise(&File { content, ..*file });
            canonical.is_some_and(|canonical| {
                let changed = canonical != *content;
                *content = canonical;
                changed
            })
        };
        let changed_published = apply(published, &mut contents.0);
        let changed_rebuilt = apply(rebuilt, &mut contents.1);
        if changed_published || changed_rebuilt {
            used.push(normaliser);
        }
    }
    (contents.0 == contents.1).then_some(used)
}
