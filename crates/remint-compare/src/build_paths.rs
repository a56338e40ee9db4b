//! Learns from source maps in which directory a package was built. What it finds is hostile text, good for a
//! guess that a rebuild at that path then confirms.

use std::collections::BTreeMap;

use remint_model::EntryPath;

use crate::source_map::SourceMap;

/// Larger maps are passed over.
const LARGEST_MAP: u64 = 8 << 20;
/// All maps together.
const ALL_MAPS: u64 = 64 << 20;
/// Longer paths are nobody's home.
const LONGEST_PATH: usize = 1024;
/// How many are handed on.
const KEPT: usize = 16;

#[derive(Debug, Default)]
pub(crate) struct BuildPaths {
    counts: BTreeMap<String, usize>,
    read: u64,
}

impl BuildPaths {
    pub(crate) fn wants(&mut self, path: &EntryPath, size: u64) -> bool {
        let wants = path.as_str().ends_with(".map")
            && size <= LARGEST_MAP
            && self.read.saturating_add(size) <= ALL_MAPS;
        if wants {
            self.read += size;
        }
        wants
    }

    /// Counts the directories that a map names; what is no source map is passed over.
    pub(crate) fn read(&mut self, path: &EntryPath, content: &[u8]) {
        let Some(map) = SourceMap::parse(content) else {
            return;
        };
        for named in map.paths() {
            let Some(absolute) = absolute(named) else {
                continue;
            };
            if let Some(root) = package_root(&absolute, path) {
                *self.counts.entry(root).or_default() += 1;
            } else if let Some((directory, _)) = absolute.rsplit_once('/') {
                *self.counts.entry(directory.to_owned()).or_default() += 1;
            }
            if self.counts.len() > 10_000 {
                return;
            }
        }
    }

    /// The directories, most frequent first.
    pub(crate) fn finish(self) -> Vec<String> {
        let mut directories: Vec<_> = self
            .counts
            .into_iter()
            .filter(|(directory, _)| !directory.is_empty())
            .collect();
        directories.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then(a.cmp(b)));
        directories
            .into_iter()
            .map(|(directory, _)| directory)
            .take(KEPT)
            .collect()
    }
}

/// An absolute Unix path, also out of a `file://` URL.
fn absolute(text: &str) -> Option<String> {
    let path = text.strip_prefix("file://").unwrap_or(text);
    let plain = path.len() <= LONGEST_PATH
        && path.starts_with('/')
        && !path.starts_with("//")
        && !path.split('/').any(|part| part == "..")
        && !path.chars().any(char::is_control);
    plain.then(|| path.to_owned())
}

/// The directory that the package itself lay in, where a map names its own file (`…/dist/a.js` in
/// `dist/a.js.map`).
fn package_root(absolute: &str, map: &EntryPath) -> Option<String> {
    let own = map.as_str().strip_suffix(".map")?;
    let root = absolute.strip_suffix(own)?.strip_suffix('/')?;
    Some(root.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(maps: &[(&str, &str)], expect: &[&str]) {
        let mut paths = BuildPaths::default();
        for (path, content) in maps {
            paths.read(&path.parse().unwrap(), content.as_bytes());
        }
        assert_eq!(paths.finish(), expect);
    }

    #[test]
    fn the_directory_of_the_package_is_recognised_by_the_map_s_own_place() {
        check(
            &[(
                "dist/a/b.js.map",
                r#"{"version":3,"file":"/Users/x/p/dist/a/b.js","sources":["../s.ts"],"mappings":""}"#,
            )],
            &["/Users/x/p"],
        );
    }

    #[test]
    fn other_absolute_paths_count_as_their_directories() {
        check(
            &[(
                "a.js.map",
                r#"{"version":3,"sources":["file:///home/x/src/a.ts","/home/x/src/b.ts","/home/y/c.ts","../r.ts",null],"mappings":""}"#,
            )],
            &["/home/x/src", "/home/y"],
        );
    }

    #[test]
    fn what_is_no_map_or_no_plain_path_says_nothing() {
        check(&[("a.map", "not json"), ("b.map", "[]")], &[]);
        check(
            &[(
                "a.map",
                r#"{"version":3,"sources":["/a/../etc/x","//host/x","/a\n/b","webpack:///x"],"mappings":""}"#,
            )],
            &[],
        );
    }
}
