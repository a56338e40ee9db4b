//! All files as a tree of folders, flattened into what a template can write down one after the other.

use std::collections::BTreeMap;

use remint_compare::{ComparedPath, Standing};
use remint_model::{Difference, Erasure};

use super::{anchor, mark};
use crate::report::foreign::harmless;
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
        /// What was erased of it.
        erased: Vec<&'static str>,
        /// Where on the page the difference is shown.
        anchor: Option<String>,
    },
}

/// Deeper folders stand in the tree as one name.
const DEEPEST: usize = 64;

/// The steps through the tree of these paths.
pub(super) fn nodes(
    paths: &[ComparedPath],
    differences: &[Difference],
    erased: &[Erasure],
) -> Vec<Node> {
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
    let mut root = Folder::default();
    for path in paths {
        let mut folder = &mut root;
        let mut parts = path.path.as_str().splitn(DEEPEST, '/').peekable();
        while let Some(part) = parts.next() {
            folder.files += 1;
            folder.differing += usize::from(path.standing == Standing::Different);
            if parts.peek().is_none() {
                folder.own.push((part, path));
                break;
            }
            folder = folder.folders.entry(part).or_default();
        }
    }
    let mut nodes = Vec::new();
    let found = Found {
        differences,
        erasures,
    };
    write(&mut nodes, &root, &found);
    nodes
}

/// What was found about paths.
struct Found<'a> {
    differences: BTreeMap<&'a str, (usize, &'a Difference)>,
    /// The normalisers that a path needed; of very many paths, not all are known.
    erasures: BTreeMap<&'a str, Vec<&'static str>>,
}

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Self>,
    own: Vec<(&'a str, &'a ComparedPath)>,
    files: usize,
    differing: usize,
}

fn write(nodes: &mut Vec<Node>, folder: &Folder<'_>, found: &Found<'_>) {
    for (name, folder) in &folder.folders {
        nodes.push(Node::Open {
            name: harmless(name).into_owned(),
            files: folder.files,
            differing: folder.differing,
        });
        write(nodes, folder, found);
        nodes.push(Node::Close);
    }
    for (name, path) in &folder.own {
        let difference = found.differences.get(path.path.as_str());
        nodes.push(Node::File {
            name: harmless(name).into_owned(),
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
            erased: found
                .erasures
                .get(path.path.as_str())
                .cloned()
                .unwrap_or_default(),
            anchor: difference.map(|(at, _)| anchor(*at)),
        });
    }
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
        let shown: Vec<String> = nodes(&paths, &[difference], &[erasure])
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

    #[test]
    fn very_deep_paths_make_no_deeper_tree() {
        let deep = vec!["d"; 1000].join("/");
        let nodes = nodes(&[path(&deep, Standing::Equal)], &[], &[]);
        assert_eq!(nodes.len(), 2 * (DEEPEST - 1) + 1);
    }
}
