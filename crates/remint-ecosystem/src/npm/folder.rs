//! A folder of the source tree: the root, or a path below it.

use std::fmt;

use remint_model::{EntryPath, SourceTree};

/// A folder of the source tree; the default is its root.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Folder(Option<EntryPath>);

impl Folder {
    /// The folder that holds this file.
    pub(crate) fn of(path: &EntryPath) -> Self {
        Self(path.parent())
    }

    /// The path of a file or folder in this one.
    pub(crate) fn path(&self, name: &str) -> String {
        SourceTree::path_in(self.0.as_ref(), name)
    }

    /// The folder that `relative` leads to from here (`.`, `./x`, `../x`); `None` when it leaves the tree.
    pub(crate) fn join(&self, relative: &str) -> Option<Self> {
        if relative.starts_with('/') {
            return None;
        }
        let mut parts: Vec<&str> = self.as_str().split('/').filter(|p| !p.is_empty()).collect();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        if parts.is_empty() {
            return Some(Self::default());
        }
        parts.join("/").parse().ok().map(|path| Self(Some(path)))
    }

    /// The folder that holds this one; `None` at the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        self.0.as_ref().map(|path| Self(path.parent()))
    }

    /// This folder and all that hold it, innermost first.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.clone()), Self::parent)
    }

    /// The path from `other` down to this folder: `.` for itself, `None` where it is not below.
    pub(crate) fn below(&self, other: &Self) -> Option<&str> {
        if self == other {
            return Some(".");
        }
        match &other.0 {
            None => Some(self.as_str()),
            Some(other) => self
                .as_str()
                .strip_prefix(other.as_str())?
                .strip_prefix('/'),
        }
    }

    /// The path from the root; empty for the root itself.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", EntryPath::as_str)
    }

    /// The form in which plans name a directory.
    pub(crate) fn to_directory(&self) -> Option<EntryPath> {
        self.0.clone()
    }
}

impl From<Option<EntryPath>> for Folder {
    fn from(path: Option<EntryPath>) -> Self {
        Self(path)
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() { "." } else { self.as_str() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folder(path: &str) -> Folder {
        Folder::default().join(path).unwrap()
    }

    #[test]
    fn paths_lead_where_a_shell_would_go_and_never_out() {
        assert_eq!(folder("a/b").join("../c"), Some(folder("a/c")));
        assert_eq!(folder("a").join(".."), Some(Folder::default()));
        assert_eq!(folder("a").join("../.."), None);
        assert_eq!(folder("a").join("/etc"), None);
        assert_eq!(folder("a").join("$X\\y"), None);
    }

    #[test]
    fn one_folder_is_seen_from_another() {
        assert_eq!(folder("a/b").below(&folder("a")), Some("b"));
        assert_eq!(folder("a/b").below(&Folder::default()), Some("a/b"));
        assert_eq!(folder("a").below(&folder("a")), Some("."));
        assert_eq!(folder("ab").below(&folder("a")), None);
        let up: Vec<_> = folder("a/b").upwards().map(|f| f.to_string()).collect();
        assert_eq!(up, ["a/b", "a", "."]);
    }

    proptest! {
        #[test]
        fn no_path_leads_out(start in "(\\.\\.?|/|[a-z$]){0,8}", next in "(\\.\\.?|/|[a-z\\\\]|\\PC){0,8}") {
            let Some(folder) = Folder::default().join(&start) else {
                return Ok(());
            };
            if let Some(joined) = folder.join(&next) {
                prop_assert!(!joined.as_str().split('/').any(|part| part == ".."));
                prop_assert_eq!(Folder::default().join(joined.as_str()), Some(joined.clone()));
                if let Some(below) = joined.below(&folder) {
                    prop_assert_eq!(folder.join(below), Some(joined));
                }
            }
        }
    }
}
