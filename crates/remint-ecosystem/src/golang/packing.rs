//! Which files of a source tree go packs into a module zip (`Create` of `golang.org/x/mod/zip`, and what the go command
//! hands it: Go modules reference, "Module zip files", "File path and size constraints").
//!
//! 1. All files below the module's folder; where that is not the root and holds no `LICENSE`, the root's `LICENSE`.
//! 2. Not those of other modules: below a folder with a `go.mod` of its own.
//! 3. Not those of vendored packages, `.hg_archival.txt`, symbolic links and submodules.
//! 4. If a name is left that go does not allow, or two that differ in case alone, there can be no zip.
//!
//! Go switches `export-ignore` and `export-subst` off before it packs, so attributes of archives leave nothing out.

use std::collections::{BTreeMap, BTreeSet};

use remint_model::{EntryPath, SourceTree};

use crate::golang::go_mod::GoMod;

/// All files of a module together may have as many bytes (`MaxZipFile`).
pub const LARGEST_MODULE: u64 = 500 << 20;
/// Its `go.mod`, and its `LICENSE`, may have as many (`MaxGoMod`, `MaxLICENSE`).
pub const LARGEST_SINGLE: u64 = 16 << 20;

/// A file of a module zip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedFile {
    /// Below the zip's folder.
    pub path: EntryPath,
    /// In the source tree. Where that is a symbolic link, its target is what the file holds.
    pub source: EntryPath,
}

/// Why go would make no zip of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpackable {
    /// A name that is not allowed in modules.
    #[error("`{0}` is no name that a module may hold")]
    Name(EntryPath),
    /// Two names that some file systems take for one.
    #[error("`{0}` and `{1}` differ in case alone")]
    CaseTwins(EntryPath, EntryPath),
    /// `Go.mod` and the like.
    #[error("`{0}` is not spelt `go.mod`")]
    GoModCase(EntryPath),
    /// The commit has no such folder.
    #[error("there are no files of the module at that commit")]
    Empty,
}

/// The files of the zip of the module in this folder, in the order of their names.
///
/// # Errors
/// Go would refuse to make it.
pub fn file_set(
    tree: &SourceTree,
    directory: Option<&EntryPath>,
) -> Result<Vec<PackedFile>, Unpackable> {
    let mut own: BTreeMap<EntryPath, (EntryPath, u32)> = BTreeMap::new();
    for (source, entry) in &tree.entries {
        let path = match directory {
            Some(directory) => source.below(directory),
            None => Some(source.clone()),
        };
        if let Some(path) = path {
            own.insert(path, (source.clone(), entry.mode));
        }
    }
    if own.is_empty() {
        return Err(Unpackable::Empty);
    }
    let mut roots_licence = None;
    if directory.is_some()
        && !own.keys().any(|path| path.as_str() == "LICENSE")
        && let Some((source, entry)) = tree.entries.get_key_value("LICENSE")
        && entry.mode != SUBMODULE
    {
        own.insert(source.clone(), (source.clone(), entry.mode));
        roots_licence = Some(source);
    }

    let other_modules: BTreeSet<String> = own
        .iter()
        .filter(|(path, (_, mode))| {
            is_regular(*mode) && path.file_name().eq_ignore_ascii_case("go.mod")
        })
        .filter_map(|(path, _)| path.parent())
        .map(|folder| folder.to_string())
        .collect();
    let go_mod = tree
        .text(&SourceTree::path_in(directory, "go.mod"))
        .and_then(|text| GoMod::parse(text.as_bytes()).ok());
    let since_1_24 = go_mod.is_some_and(|go_mod| go_mod.is_at_least(1, 24));

    let mut names = Names::default();
    let mut packed = Vec::new();
    for (path, (source, mode)) in own {
        let text = path.as_str();
        if is_vendored(text, since_1_24)
            || folders(text).any(|folder| other_modules.contains(folder))
            || text == ".hg_archival.txt"
            // The archive that go packs from has a submodule as an empty folder.
            || mode == SUBMODULE
        {
            continue;
        }
        if !text.split('/').all(is_name) {
            return Err(Unpackable::Name(path));
        }
        if text.eq_ignore_ascii_case("go.mod") && text != "go.mod" {
            return Err(Unpackable::GoModCase(path));
        }
        names.add(&path)?;
        // The root's licence is read from git as it is, and becomes a file even if it is a link.
        if is_regular(mode) || roots_licence == Some(&path) {
            packed.push(PackedFile { path, source });
        }
    }
    if packed.is_empty() {
        return Err(Unpackable::Empty);
    }
    Ok(packed)
}

const SUBMODULE: u32 = 0o160_000;

const fn is_regular(mode: u32) -> bool {
    matches!(mode, 0o100_644 | 0o100_755)
}

/// Every folder that a path lies in, from the inside.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/'))
        .map(|(folder, _)| folder)
}

/// Whether a file belongs to a vendored package (`isVendoredPackage`). Before language version 1.24 go counted from the
/// wrong place for a `vendor` folder below others and took in `vendor/modules.txt`; changing that for older modules
/// would have changed their digests.
fn is_vendored(path: &str, since_1_24: bool) -> bool {
    if since_1_24 && path == "vendor/modules.txt" {
        return true;
    }
    let inside = if let Some(inside) = path.strip_prefix("vendor/") {
        Some(inside)
    } else {
        match path.find("/vendor/") {
            Some(at) if since_1_24 => path.get(at + "/vendor/".len()..),
            // Eight bytes from the start, wherever the folder is.
            Some(_) => path
                .as_bytes()
                .get("/vendor/".len()..)
                .map(|inside| if inside.contains(&b'/') { "/" } else { "" }),
            None => None,
        }
    };
    inside.is_some_and(|inside| inside.contains('/'))
}

/// Whether this may be an element of a path in a module (`CheckFilePath`).
fn is_name(element: &str) -> bool {
    let stem = element.split('.').next().unwrap_or(element);
    !element.is_empty()
        && !element.bytes().all(|b| b == b'.')
        && !element.ends_with('.')
        && element.chars().all(|c| {
            if c.is_ascii() {
                c.is_ascii_alphanumeric() || "!#$%&()+,-.=@[]^_{}~ ".contains(c)
            } else {
                c.is_alphabetic()
            }
        })
        && !is_device(stem)
}

fn is_device(stem: &str) -> bool {
    let lower = stem.to_ascii_lowercase();
    let numbered = |prefix: &str| {
        lower
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.len() == 1 && matches!(rest.as_bytes(), [b'1'..=b'9']))
    };
    matches!(&*lower, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

/// The names so far, folders included, by what they are without regard to case.
#[derive(Default)]
struct Names(BTreeMap<String, EntryPath>);

impl Names {
    fn add(&mut self, path: &EntryPath) -> Result<(), Unpackable> {
        let mut next = Some(path.clone());
        while let Some(name) = next {
            let folded = name.as_str().to_lowercase();
            match self.0.get(&folded) {
                Some(other) if *other != name => {
                    return Err(Unpackable::CaseTwins(other.clone(), name));
                }
                // Its folders have been looked at.
                Some(_) => return Ok(()),
                None => {
                    next = name.parent();
                    self.0.insert(folded, name);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use remint_model::{CommitId, TreeEntry};

    use super::*;

    const FILE: u32 = 0o100_644;
    const LINK: u32 = 0o120_000;

    fn tree(files: &[(&str, u32)], go: &str) -> SourceTree {
        let mut tree = SourceTree::default();
        for (path, mode) in files {
            let path: EntryPath = path.parse().unwrap();
            if path.file_name() == "go.mod" {
                let text = format!("module example.org/x\ngo {go}\n");
                tree.texts.insert(path.clone(), text.into_bytes());
            }
            let blob = CommitId::of_blob(path.as_str().as_bytes());
            tree.entries.insert(path, TreeEntry { mode: *mode, blob });
        }
        tree
    }

    fn names(
        files: &[(&str, u32)],
        directory: Option<&str>,
        go: &str,
    ) -> Result<Vec<String>, Unpackable> {
        let directory = directory.map(|directory| directory.parse().unwrap());
        file_set(&tree(files, go), directory.as_ref())
            .map(|packed| packed.iter().map(|file| file.path.to_string()).collect())
    }

    #[test]
    fn other_modules_links_and_submodules_are_left_out() {
        let files = [
            (".github/workflows/ci.yml", FILE),
            (".hg_archival.txt", FILE),
            ("a/.hg_archival.txt", FILE),
            ("go.mod", FILE),
            ("link.go", LINK),
            ("nested/go.mod", FILE),
            ("nested/deep/x.go", FILE),
            ("odd/GO.MOD", FILE),
            ("odd/x.go", FILE),
            ("linked/go.mod", LINK),
            ("linked/x.go", FILE),
            ("sub", 0o160_000),
            ("x.go", FILE),
            ("run.sh", 0o100_755),
        ];
        assert_eq!(
            names(&files, None, "1.21").unwrap(),
            [
                ".github/workflows/ci.yml",
                "a/.hg_archival.txt",
                "go.mod",
                "linked/x.go",
                "run.sh",
                "x.go"
            ]
        );
        assert_eq!(
            names(&files, Some("nested"), "1.21").unwrap(),
            ["deep/x.go", "go.mod"]
        );
    }

    #[test]
    fn vendored_packages_are_left_out_as_each_go_did() {
        let files = [
            ("go.mod", FILE),
            ("pkg/vendor/vendor.go", FILE),
            ("pkg/vendor/a/a.go", FILE),
            ("p/vendor/x.go", FILE),
            ("vendor/modules.txt", FILE),
            ("vendor/example.org/a/a.go", FILE),
            ("vendors/a/a.go", FILE),
        ];
        assert_eq!(
            names(&files, None, "1.23").unwrap(),
            ["go.mod", "vendor/modules.txt", "vendors/a/a.go"]
        );
        assert_eq!(
            names(&files, None, "1.24").unwrap(),
            [
                "go.mod",
                "p/vendor/x.go",
                "pkg/vendor/vendor.go",
                "vendors/a/a.go"
            ]
        );
    }

    #[test]
    fn a_folder_without_a_licence_takes_the_roots() {
        let files = [
            ("LICENSE", FILE),
            ("sub/go.mod", FILE),
            ("own/go.mod", FILE),
            ("own/LICENSE", FILE),
            ("linked/go.mod", FILE),
            ("linked/LICENSE", LINK),
        ];
        let packed = file_set(&tree(&files, "1.21"), Some(&"sub".parse().unwrap())).unwrap();
        let found: Vec<(&str, &str)> = packed
            .iter()
            .map(|file| (file.path.as_str(), file.source.as_str()))
            .collect();
        assert_eq!(found, [("LICENSE", "LICENSE"), ("go.mod", "sub/go.mod")]);
        let packed = file_set(&tree(&files, "1.21"), Some(&"own".parse().unwrap())).unwrap();
        assert_eq!(packed[0].source.as_str(), "own/LICENSE");
        // A link at the root is packed as a file.
        let rooted = [("LICENSE", LINK), ("sub/go.mod", FILE)];
        assert_eq!(
            names(&rooted, Some("sub"), "1.21").unwrap(),
            ["LICENSE", "go.mod"]
        );
        let rooted = [("LICENSE", SUBMODULE), ("sub/go.mod", FILE)];
        assert_eq!(names(&rooted, Some("sub"), "1.21").unwrap(), ["go.mod"]);
        // There is one, even though a link is not packed.
        assert_eq!(names(&files, Some("linked"), "1.21").unwrap(), ["go.mod"]);
    }

    #[test]
    fn what_go_refuses_is_refused() {
        let refused = |files: &[(&str, u32)]| names(files, None, "1.21").unwrap_err().to_string();
        for (path, why) in [
            ("a/x*.go", "no name that a module may hold"),
            ("a/aux.go", "no name that a module may hold"),
            ("a/x.", "no name that a module may hold"),
            ("a/“x”.go", "no name that a module may hold"),
            ("Go.mod", "not spelt `go.mod`"),
        ] {
            let error = refused(&[("x.go", FILE), (path, FILE)]);
            assert!(error.contains(why), "{error}");
        }
        for pair in [["x.go", "X.go"], ["a/x.go", "A/y.go"], ["É.go", "é.go"]] {
            let error = refused(&[(pair[0], FILE), (pair[1], FILE)]);
            assert!(error.contains("differ in case alone"), "{error}");
        }
        assert_eq!(names(&[], None, "1.21"), Err(Unpackable::Empty));
        // Below another module anything goes.
        let nested = [("go.mod", FILE), ("n/go.mod", FILE), ("n/x*.go", FILE)];
        assert_eq!(names(&nested, None, "1.21").unwrap(), ["go.mod"]);
    }

    proptest! {
        #[test]
        fn no_tree_panics(
            paths in proptest::collection::vec("(vendor/|a/|A/|go\\.mod|LICENSE|x|é|/|\\.){1,6}", 0..12),
            modes in proptest::collection::vec(0_usize..4, 12),
            directory in proptest::option::of("a|vendor|A/a"),
        ) {
            let mut tree = SourceTree::default();
            for (path, mode) in paths.iter().zip(modes) {
                let Ok(path) = path.parse::<EntryPath>() else { continue };
                let mode = [FILE, 0o100_755, LINK, SUBMODULE][mode];
                let blob = CommitId::of_blob(b"");
                tree.texts.insert(path.clone(), b"module example.org/x\ngo 1.25\n".to_vec());
                tree.entries.insert(path, TreeEntry { mode, blob });
            }
            let directory = directory.map(|directory| directory.parse().unwrap());
            if let Ok(packed) = file_set(&tree, directory.as_ref()) {
                prop_assert!(packed.iter().all(|file| tree.entries.contains_key(&file.source)));
                prop_assert!(packed.windows(2).all(|pair| pair[0].path < pair[1].path));
            }
        }
    }
}
