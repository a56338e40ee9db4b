//! A path inside an archive or a source tree that cannot leave it.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest path accepted, in bytes (Linux `PATH_MAX`).
const LONGEST: usize = 4096;

/// Why a text is no path that stays inside its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No bytes, or only separators and dots.
    #[error("path is empty")]
    Empty,
    /// Starts with a separator or a drive letter.
    #[error("path is absolute")]
    Absolute,
    /// Has a `..` component.
    #[error("path climbs out of its directory")]
    Traversal,
    /// Holds a NUL byte or a backslash, which some platforms read as a separator.
    #[error("path holds a NUL byte or a backslash")]
    ForbiddenByte,
    /// Longer than 4,096 bytes.
    #[error("path is longer than 4,096 bytes")]
    TooLong,
}

/// A relative path with `/` between its parts: no `..`, no `.`, no empty part, no backslash, no NUL.
///
/// The empty path is not an `EntryPath`; a subdirectory that may be the root is `Option<EntryPath>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryPath(String);

impl EntryPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The file name's ending after its last dot, if it has one that is not the whole name.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        match self.file_name().rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => Some(extension),
            Some(_) | None => None,
        }
    }

    /// The directory that holds this entry; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .map(|(parent, _)| Self(parent.to_owned()))
    }

    /// This path with `tail` below it; refuses a tail that would leave it.
    ///
    /// # Errors
    /// The tail is empty, absolute, or climbs, or the whole is too long.
    pub fn join(&self, tail: &str) -> Result<Self, PathError> {
        let tail: Self = tail.parse()?;
        format!("{}/{tail}", self.0).parse()
    }

    /// The rest of this path below `directory`; `None` when it is not below it, or is no relative path by itself.
    #[must_use]
    pub fn below(&self, directory: &Self) -> Option<Self> {
        self.0
            .strip_prefix(directory.as_str())?
            .strip_prefix('/')
            .and_then(|rest| rest.parse().ok())
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for EntryPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for EntryPath {
    type Err = PathError;

    /// Leading `./`, doubled separators and a trailing one are dropped, as every extractor does; anything that
    /// points elsewhere is refused.
    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.len() > LONGEST {
            return Err(PathError::TooLong);
        }
        if text.contains(['\0', '\\']) {
            return Err(PathError::ForbiddenByte);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        let mut clean = String::with_capacity(text.len());
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(PathError::Traversal),
                part => {
                    if !clean.is_empty() {
                        clean.push('/');
                    }
                    clean.push_str(part);
                }
            }
        }
        // Also where `./` stands before it.
        let drive = matches!(clean.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
        if drive {
            Err(PathError::Absolute)
        } else if clean.is_empty() {
            Err(PathError::Empty)
        } else {
            Ok(Self(clean))
        }
    }
}

impl TryFrom<String> for EntryPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<EntryPath> for String {
    fn from(path: EntryPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_that_leave_their_directory_are_refused() {
        let check = |text: &str, expect: PathError| {
            assert_eq!(text.parse::<EntryPath>(), Err(expect), "{text}");
        };
        check("", PathError::Empty);
        check("./", PathError::Empty);
        check("/etc/passwd", PathError::Absolute);
        check("C:/windows", PathError::Absolute);
        check("./C:/windows", PathError::Absolute);
        check(".//c:", PathError::Absolute);
        check("a/../../b", PathError::Traversal);
        check("..", PathError::Traversal);
        check("a\\..\\b", PathError::ForbiddenByte);
        check("a\0b", PathError::ForbiddenByte);
        check(&"a/".repeat(3000), PathError::TooLong);
    }

    #[test]
    fn harmless_spellings_become_one() {
        for text in ["a/b.tar.gz", "./a/b.tar.gz", "a//b.tar.gz", "a/./b.tar.gz"] {
            let path: EntryPath = text.parse().unwrap();
            assert_eq!(path.as_str(), "a/b.tar.gz");
            assert_eq!(path.extension(), Some("gz"));
            assert_eq!(path.parent(), Some("a".parse().unwrap()));
        }
    }

    #[test]
    fn what_lies_below_is_a_path_of_its_own_or_nothing() {
        let path: EntryPath = "a/C:/windows".parse().unwrap();
        assert_eq!(path.below(&"a".parse().unwrap()), None);
        let long: EntryPath = "a/".repeat(2000).parse().unwrap();
        assert_eq!(long.join(long.as_str()), Err(PathError::TooLong));
    }

    proptest! {
        #[test]
        fn no_path_leaves_its_directory(
            any: String,
            shaped in "(\\.\\.?|[a-zA-Z]:?|/|\\\\|\\PC){0,12}",
            tail in "(\\.\\.?|[a-zA-Z]:?|/|\\PC){0,8}",
        ) {
            for text in [any, shaped] {
                let Ok(path) = text.parse::<EntryPath>() else {
                    continue;
                };
                prop_assert!(!path.as_str().starts_with('/'));
                prop_assert!(!path.as_str().contains(['\\', '\0']));
                prop_assert!(path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")));
                prop_assert_eq!(path.as_str().parse(), Ok(path.clone()));
                if let Some(parent) = path.parent() {
                    prop_assert_eq!(parent.as_str().parse(), Ok(parent));
                }
                if let Ok(joined) = path.join(&tail) {
                    prop_assert_eq!(joined.below(&path), tail.parse().ok());
                }
            }
        }
    }
}
