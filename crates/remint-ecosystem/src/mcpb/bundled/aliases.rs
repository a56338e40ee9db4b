//! Which packages a bundle's `package.json` files ask for by another name: `"a": "npm:b@1"`. Lockfiles inside of the bundle
//! are not asked; they bind nobody.

use std::collections::HashMap;

use remint_model::{EntryPath, PackageName};

use super::places::innermost;
use crate::npm::manifest::Manifest;

/// Where dependencies are listed that are installed with a package.
const LISTS: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];
/// Where a project lists more; nobody installs those of a dependency.
const PROJECT_LISTS: [&str; 1] = ["devDependencies"];
/// Of all names together. What is beyond is in no folder of another name.
const MOST: usize = 100_000;
/// Files that give one package the same name.
const MOST_DECLARING: usize = 64;

/// The files that give names.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    /// Each once.
    pub(super) files: Vec<EntryPath>,
    /// By the name and the package, their places among the files and the versions that they ask for.
    declared: HashMap<(String, String), Vec<(usize, String)>>,
    count: usize,
}

impl Aliases {
    /// Adds the names that a `package.json` gives.
    pub(super) fn add(&mut self, path: &EntryPath, manifest: &Manifest) {
        let at = self.files.len();
        let before = self.count;
        let is_dependency = path.as_str().split('/').any(|part| part == "node_modules");
        let more = PROJECT_LISTS.into_iter().filter(|_| !is_dependency);
        for list in LISTS.into_iter().chain(more) {
            for (alias, wanted) in manifest.dependencies(list) {
                let Some((package, range)) = wanted.strip_prefix("npm:").map(name_and_range) else {
                    continue;
                };
                if self.count >= MOST {
                    break;
                }
                let key = (alias.to_owned(), package.to_owned());
                let files = self.declared.entry(key).or_default();
                if files.len() < MOST_DECLARING {
                    files.push((at, range.to_owned()));
                    self.count += 1;
                }
            }
        }
        if self.count > before {
            self.files.push(path.clone());
        }
    }

    /// The files that give a package the name of the folder that it lies in, and for which node looks there: they lie
    /// beside that `node_modules`, or below, and ask for a version that this one is.
    pub(super) fn declaring(
        &self,
        folder: &EntryPath,
        package: &PackageName,
        version: &str,
    ) -> Vec<usize> {
        let Some((above, alias)) = innermost(folder.as_str()) else {
            return Vec::new();
        };
        let key = (alias.to_owned(), package.to_string());
        let files = self.declared.get(&key).into_iter().flatten();
        files
            .filter(|(_, range)| allows(range, version))
            .map(|(at, _)| *at)
            .filter(|at| {
                let file = self.files.get(*at).map_or("", EntryPath::as_str);
                let below = file.strip_prefix(above);
                above.is_empty() || below.is_some_and(|below| below.starts_with('/'))
            })
            .collect()
    }
}

/// The two parts of `name@range`, where the name may begin with `@` and the range may be missing.
fn name_and_range(text: &str) -> (&str, &str) {
    let sign = text.char_indices().skip(1).find(|(_, c)| *c == '@');
    sign.and_then(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)))
        .unwrap_or((text, ""))
}

/// Whether a version is one that is asked for. A tag (`latest`) can have been any.
fn allows(range: &str, version: &str) -> bool {
    let Ok(version) = nodejs_semver::Version::parse(version) else {
        return false;
    };
    range.is_empty()
        || nodejs_semver::Range::parse(range).map_or(true, |range| range.satisfies(&version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_where_they_are_installed_and_for_the_versions_that_are_asked_for() {
        let declaring = |file: &str, list: &str, wanted: &str, folder: &str, version: &str| {
            let mut aliases = Aliases::default();
            let text = format!("{{\"{list}\": {{\"a\": \"{wanted}\"}}}}");
            let manifest = Manifest::parse(file, text.as_bytes()).unwrap();
            aliases.add(&file.parse().unwrap(), &manifest);
            let package = PackageName::parse(remint_model::Ecosystem::Npm, "@s/b").unwrap();
            let found = aliases.declaring(&folder.parse().unwrap(), &package, version);
            !found.is_empty()
        };
        let (own, theirs) = ("package.json", "node_modules/c/package.json");
        for (file, list, wanted, version, expect) in [
            (own, "dependencies", "npm:@s/b@^1", "1.2.0", true),
            (own, "devDependencies", "npm:@s/b@^1", "1.2.0", true),
            (own, "dependencies", "npm:@s/b", "2.0.0", true),
            (own, "dependencies", "npm:@s/b@next", "2.0.0", true),
            (own, "dependencies", "npm:@s/b@^1", "2.0.0", false),
            (own, "dependencies", "npm:@s/c@^1", "1.2.0", false),
            (own, "dependencies", "@s/b@^1", "1.2.0", false),
            (theirs, "dependencies", "npm:@s/b@1", "1.2.0", true),
            (theirs, "devDependencies", "npm:@s/b@1", "1.2.0", false),
        ] {
            let found = declaring(file, list, wanted, "node_modules/a", version);
            assert_eq!(found, expect, "{file} {list} {wanted} {version}");
        }
        assert!(!declaring(
            theirs,
            "dependencies",
            "npm:@s/b@1",
            "node_modules/d",
            "1.0.0"
        ));
    }
}
