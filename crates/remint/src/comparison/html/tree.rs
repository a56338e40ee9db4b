//! All files as a tree of folders, flattened into what a template can write down one after the other.

use std::collections::BTreeMap;

use remint_compare::{ComparedPath, Standing};
use remint_model::{Difference, Erasure};

use super::{anchor, mark, shown};
use crate::report::size_words;

/// A step through the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Into a folder.
    Open {
        /// Its own name.
        name: String,
        /// Files in it and below.
        files: usize,
        /// Those of them that differ.
        differing: usize,
    },
    /// Out of the folder.
    Close,
    /// A file.
    File {
        /// Its own name.
        name: String,
        /// What it is for.
        class: &'static str,
        /// In words.
        size: String,
        /// What came of comparing it, in words.
        standing: &'static str,
        /// Whether that is a difference.
        differs: bool,
        /// What was erased of it.
        erased: Vec<&'static str>,
        /// Where on the page the difference is shown.
        anchor: Option<String>,
    },
}

/// Deeper folders stand in the tree as one name.
const DEEPEST: usize = 64;
/// Characters of one name.
const LONGEST_NAME: usize = 200;
/// More files make a page that no browser shows. Folders that hold one thing each are drawn as one, so that there are
/// fewer folders than files.
const MOST_FILES: usize = 20_000;

/// The tree, as far as it is drawn.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// How many files are left out, and why these, in words.
    pub(super) left_out: Option<String>,
}

/// The steps through the tree of these paths. A difference at this place of the ranking or behind it has no anchor.
pub(super) fn tree(
    paths: &[ComparedPath],
    differences: &[Difference],
    erased: &[Erasure],
    anchored: usize,
) -> Tree {
    let mut erasures: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for erasure in erased {
        for path in &erasure.paths {
            erasures.entry(path).or_default().push(erasure.normaliser);
        }
    }
    let differences: BTreeMap<&str, (usize, &Difference)> = differences
        .iter()
        .enumerate()
        .map(|(at, difference)| (difference.path.as_str(), (at, difference)))
        .collect();
    let mut drawn: Vec<&ComparedPath> = paths.iter().collect();
    let mut left_out = None;
    if drawn.len() > MOST_FILES {
        // What differs first, in the order of the ranking; then what differed before something was erased.
        drawn.sort_by_cached_key(|path| match path.standing {
            Standing::Different => {
                let ranked = differences.get(path.path.as_str());
                (0, ranked.map_or(usize::MAX, |(at, _)| *at))
            }
            Standing::Erased => (1, 0),
            Standing::Equal => (2, 0),
        });
        left_out = Some(left_out_words(&drawn.split_off(MOST_FILES)));
    }
    drawn.sort_by(|one, other| parts(one).cmp(parts(other)));
    let mut writer = Writer {
        nodes: Vec::new(),
        census: Census::of(paths),
        differences,
        erasures,
        anchored,
    };
    writer.folder(&drawn, 0, DEEPEST);
    Tree {
        nodes: writer.nodes,
        left_out,
    }
}

fn parts(path: &ComparedPath) -> impl Iterator<Item = &str> {
    path.path.as_str().split('/')
}

fn left_out_words(left_out: &[&ComparedPath]) -> String {
    let counts = [
        (Standing::Different, "that differ"),
        (Standing::Erased, "that are equal but for erasures"),
        (Standing::Equal, "that are equal"),
    ]
    .map(|(standing, words)| {
        let count = left_out
            .iter()
            .filter(|path| path.standing == standing)
            .count();
        (count, words)
    });
    let said: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    format!(
        "Of the files, {MOST_FILES} are drawn. Left out: {}.",
        said.join(", ")
    )
}

/// How many files are below a folder, of all, drawn or not.
struct Census<'a> {
    /// In the order of their bytes.
    paths: Vec<&'a str>,
    /// How many of the paths before each one differ.
    differing: Vec<usize>,
}

impl<'a> Census<'a> {
    fn of(paths: &'a [ComparedPath]) -> Self {
        let mut all: Vec<(&str, bool)> = paths
            .iter()
            .map(|path| (path.path.as_str(), path.standing == Standing::Different))
            .collect();
        all.sort_unstable();
        let mut sum = 0;
        let mut differing = vec![0];
        for (_, differs) in &all {
            sum += usize::from(*differs);
            differing.push(sum);
        }
        Self {
            paths: all.into_iter().map(|(path, _)| path).collect(),
            differing,
        }
    }

    /// The files below a folder, whose path ends in a slash, and those of them that differ.
    fn below(&self, folder: &str) -> (usize, usize) {
        let start = self.paths.partition_point(|path| *path < folder);
        let end = self
            .paths
            .partition_point(|path| *path < folder || path.starts_with(folder));
        let before = |at: usize| self.differing.get(at).copied().unwrap_or_default();
        (end - start, before(end) - before(start))
    }
}

struct Writer<'a> {
    nodes: Vec<Node>,
    census: Census<'a>,
    differences: BTreeMap<&'a str, (usize, &'a Difference)>,
    /// The normalisers that a path needed; of very many paths, not all are known.
    erasures: BTreeMap<&'a str, Vec<&'static str>>,
    anchored: usize,
}

impl Writer<'_> {
    /// Writes files whose paths begin with the same `start` bytes, which are the folder's own path with its slash.
    /// Folders come before files.
    fn folder(&mut self, files: &[&ComparedPath], start: usize, room: usize) {
        let mut own: Vec<&ComparedPath> = Vec::new();
        for group in files.chunk_by(|one, other| {
            let part = folder_in(one, start);
            part.is_some() && part == folder_in(other, start)
        }) {
            match common_folder(group).filter(|folder| folder.len() > start && room > 1) {
                Some(folder) => {
                    let (files, differing) = self.census.below(folder);
                    let name = folder.get(start..folder.len() - 1).unwrap_or_default();
                    self.nodes.push(Node::Open {
                        name: shown(name, LONGEST_NAME),
                        files,
                        differing,
                    });
                    self.folder(group, folder.len(), room - 1);
                    self.nodes.push(Node::Close);
                }
                None => own.extend(group),
            }
        }
        for path in own {
            let name = path.path.as_str().get(start..).unwrap_or_default();
            self.file(name, path);
        }
    }

    fn file(&mut self, name: &str, path: &ComparedPath) {
        let difference = self.differences.get(path.path.as_str());
        self.nodes.push(Node::File {
            name: shown(name, LONGEST_NAME),
            class: difference
                .map_or(path.class, |(_, difference)| difference.class)
                .word(),
            size: size_words(path.size),
            standing: match (path.standing, difference) {
                (Standing::Equal, _) => "equal",
                (Standing::Erased, _) => "equal but for erasures",
                (Standing::Different, Some((_, difference))) => mark(difference.change),
                (Standing::Different, None) => "differs",
            },
            differs: path.standing == Standing::Different,
            erased: self
                .erasures
                .get(path.path.as_str())
                .cloned()
                .unwrap_or_default(),
            anchor: difference
                .filter(|(at, _)| *at < self.anchored)
                .map(|(at, _)| anchor(*at)),
        });
    }
}

/// The folder that is next on the way to a file.
fn folder_in(path: &ComparedPath, start: usize) -> Option<&str> {
    let (folder, _) = path.path.as_str().get(start..)?.split_once('/')?;
    Some(folder)
}

/// The deepest folder that holds all of these, with its slash; they are in order.
fn common_folder<'a>(files: &[&'a ComparedPath]) -> Option<&'a str> {
    let (first, last) = (files.first()?.path.as_str(), files.last()?.path.as_str());
    let common = first
        .bytes()
        .zip(last.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    let slash = first
        .as_bytes()
        .get(..common)?
        .iter()
        .rposition(|byte| *byte == b'/')?;
    first.get(..=slash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use remint_model::{Change, Class};

    fn path(path: &str, standing: Standing) -> ComparedPath {
        ComparedPath {
            path: path.parse().unwrap(),
            class: Class::Executable,
            size: 3,
            standing,
        }
    }

    #[test]
    fn folders_come_first_and_count_what_differs_below() {
        let paths = [
            path("index.js", Standing::Equal),
            path("lib/a.js", Standing::Erased),
            path("lib/deep/b.js", Standing::Different),
        ];
        let difference = Difference {
            path: "lib/deep/b.js".parse().unwrap(),
            change: Change::Added,
            class: Class::Startup,
            hunks: Vec::new(),
            lines: (0, 0),
            explanation: None,
        };
        let erasure = Erasure {
            normaliser: "timestamps",
            version: 1,
            paths: vec!["lib/a.js".to_owned()],
            count: 1,
        };
        let tree = tree(&paths, &[difference], &[erasure], 1);
        assert_eq!(tree.left_out, None);
        let shown: Vec<String> = tree
            .nodes
            .iter()
            .map(|node| match node {
                Node::Open {
                    name,
                    files,
                    differing,
                } => format!("> {name} {differing}/{files}"),
                Node::Close => "<".to_owned(),
                Node::File {
                    name,
                    class,
                    standing,
                    erased,
                    anchor,
                    ..
                } => {
                    format!("{name} {class} {standing} {erased:?} {anchor:?}")
                }
            })
            .collect();
        assert_eq!(
            shown,
            [
                "> lib 1/2",
                "> deep 1/1",
                "b.js startup only in the second [] Some(\"difference-1\")",
                "<",
                "a.js executable equal but for erasures [\"timestamps\"] None",
                "<",
                "index.js executable equal [] None",
            ]
        );
    }

    /// The names of the folders, with the files below and those of them that differ.
    fn folders(tree: &Tree) -> Vec<(&str, usize, usize)> {
        tree.nodes
            .iter()
            .filter_map(|node| match node {
                Node::Open {
                    name,
                    files,
                    differing,
                } => Some((name.as_str(), *files, *differing)),
                Node::Close | Node::File { .. } => None,
            })
            .collect()
    }

    #[test]
    fn folders_that_hold_one_thing_are_drawn_as_one() {
        let paths = [
            path("a-b/x", Standing::Equal),
            path("a/b/c/x", Standing::Equal),
            path("a/b/d/e/f/y", Standing::Different),
            path("a/b/d/e/f/z", Standing::Equal),
        ];
        let tree = tree(&paths, &[], &[], 0);
        assert_eq!(
            folders(&tree),
            [("a/b", 3, 1), ("c", 1, 0), ("d/e/f", 2, 1), ("a-b", 1, 0)]
        );
    }

    #[test]
    fn very_deep_paths_make_no_deeper_tree() {
        let deep = vec!["d"; 1000].join("/");
        let one = tree(&[path(&deep, Standing::Equal)], &[], &[], 0);
        assert_eq!(one.nodes.len(), 3);
        // Each folder has a file of its own.
        let stairs: Vec<ComparedPath> = (1..1000)
            .map(|depth| path(&("d/".repeat(depth) + "f"), Standing::Equal))
            .collect();
        let stairs = tree(&stairs, &[], &[], 0);
        assert_eq!(folders(&stairs).len(), DEEPEST - 1);
        for node in one.nodes.iter().chain(&stairs.nodes) {
            match node {
                Node::Open { name, .. } | Node::File { name, .. } => {
                    assert!(name.chars().count() <= LONGEST_NAME, "{name}");
                }
                Node::Close => {}
            }
        }
    }

    #[test]
    fn of_very_many_files_those_that_differ_are_drawn() {
        let mut paths: Vec<ComparedPath> = (0..MOST_FILES + 10)
            .map(|at| path(&format!("{at}/{}f", "d/".repeat(10)), Standing::Equal))
            .collect();
        paths.push(path("z/erased", Standing::Erased));
        paths.push(path("z/other", Standing::Different));
        let drawn = tree(&paths, &[], &[], 0);
        assert!(drawn.nodes.len() <= 3 * MOST_FILES, "{}", drawn.nodes.len());
        assert_eq!(folders(&drawn).last(), Some(&("z", 2, 1)));
        assert_eq!(
            drawn.left_out.as_deref(),
            Some("Of the files, 20000 are drawn. Left out: 12 that are equal.")
        );
    }
}
