//! Which packages a bundle's `package.json` files ask for by another name: `"a": "npm:b@1"`. Lockfiles inside of the bundle
//! are not asked; they bind nobody.

use std::collections::HashMap;

use remint_model::{EntryPath, PackageName};

use super::places::innermost;
use crate::npm::manifest::Manifest;

/// Where dependencies are listed.
const LISTS: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];
/// Of all names together. What is beyond is in no folder of another name.
const MOST: usize = 100_000;
/// Files that give one package the same name.
const MOST_DECLARING: usize = 64;

/// The files that give names.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// Each once.
    pub(super) files: Vec<EntryPath>,
    /// By the name and the package, their places among the files.
    declared: HashMap<(String, String), Vec<usize>>,
    count: usize,
}

impl Aliases {
    /// Adds the names that a `package.json` gives.
    pub(super) fn add(&mut self, path: &EntryPath, manifest: &Manifest) {
        let at = self.files.len();
        let before = self.count;
        for list in LISTS {
            for (alias, wanted) in manifest.dependencies(list) {
                let Some(package) = wanted.strip_prefix("npm:").map(name) else {
                    continue;
                };
                if self.count >= MOST {
                    break;
                }
                let key = (alias.to_owned(), package.to_owned());
                let files = self.declared.entry(key).or_default();
                if files.len() < MOST_DECLARING {
                    files.push(at);
                    self.count += 1;
                }
            }
        }
        if self.count > before {
            self.files.push(path.clone());
        }
    }

    /// The files that give a package the name of the folder that it lies in, and for which node looks there: they lie
    /// beside that `node_modules`, or below.
    pub(super) fn declaring(&self, folder: &EntryPath, package: &PackageName) -> Vec<usize> {
        let Some((above, alias)) = innermost(folder.as_str()) else {
            return Vec::new();
        };
        let key = (alias.to_owned(), package.to_string());
        let files = self.declared.get(&key).into_iter().flatten();
        files
            .copied()
            .filter(|at| {
                let file = self.files.get(*at).map_or("", EntryPath::as_str);
                let below = file.strip_prefix(above);
                above.is_empty() || below.is_some_and(|below| below.starts_with('/'))
            })
            .collect()
    }
}

/// The name in `name@range`, where the name may begin with `@` and the range may be missing.
fn name(text: &str) -> &str {
    let range = text.char_indices().skip(1).find(|(_, c)| *c == '@');
    range.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}
