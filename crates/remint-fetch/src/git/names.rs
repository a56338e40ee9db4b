//! Names in a foreign tree that could write outside the working tree or into git's own directory.
//!
//! The git binary refuses most of these itself; they are refused here first, by name and for a stated reason,
//! and before anything is written.

use super::error::GitError;

/// Checks one path part as it stands in a tree object.
pub(super) fn check_part(part: &[u8]) -> Result<(), GitError> {
    let reason = if part.is_empty() {
        "an empty name"
    } else if part == b"." || part == b".." {
        "it would leave its directory"
    } else if part.contains(&b'/') || part.contains(&b'\\') || part.contains(&0) {
        "it holds a path separator or a NUL byte"
    } else if is_git_directory(part) {
        "some file systems read it as `.git`"
    } else {
        return Ok(());
    };
    Err(GitError::HostileName {
        name: String::from_utf8_lossy(part)
            .escape_debug()
            .take(200)
            .collect(),
        reason,
    })
}

/// `.git` and its aliases: any case, NTFS short names, streams and trailing dots or spaces, and the characters
/// that HFS+ ignores.
fn is_git_directory(part: &[u8]) -> bool {
    let visible: Vec<u8> = match std::str::from_utf8(part) {
        Ok(text) => text
            .chars()
            .filter(|c| !is_ignored_by_hfs(*c))
            .collect::<String>()
            .to_ascii_lowercase()
            .into_bytes(),
        Err(_) => part.to_ascii_lowercase(),
    };
    let before_stream = visible
        .split(|byte| *byte == b':')
        .next()
        .unwrap_or(&visible);
    let end = before_stream
        .iter()
        .rposition(|byte| !matches!(byte, b'.' | b' '))
        .map_or(0, |last| last + 1);
    let trimmed = before_stream.get(..end).unwrap_or_default();
    trimmed == b".git" || trimmed == b"git~1"
}

/// The characters that HFS+ leaves out when it compares names, as in git's `utf8.c`.
const fn is_ignored_by_hfs(c: char) -> bool {
    matches!(
        c,
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aliases_of_the_git_directory_are_refused() {
        for part in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git.",
            ".git ",
            ".git . ",
            ".git::$INDEX_ALLOCATION",
            ".g\u{200c}it",
            ".git\u{feff}",
            "",
            ".",
            "..",
            "a\\b",
            "a/b",
            "a\0b",
        ] {
            assert!(check_part(part.as_bytes()).is_err(), "{part:?}");
        }
    }

    #[test]
    fn ordinary_names_pass() {
        for part in [
            ".gitignore",
            ".github",
            "git",
            ".git-blame-ignore-revs",
            "...",
            "a b",
            "é",
            "-rf",
            "git~2",
            "foo.git",
            "node:test.js",
        ] {
            assert!(check_part(part.as_bytes()).is_ok(), "{part:?}");
        }
        assert!(check_part(b"\xff\xfe").is_ok());
    }

    proptest! {
        #[test]
        fn no_accepted_part_leaves_its_directory_or_reaches_into_git(
            any: Vec<u8>,
            shaped in "(\\.|git|GIT|~1|:|/|\\\\| |\u{200c}|\u{feff}|a){0,5}",
        ) {
            for part in [any, shaped.into_bytes()] {
                if check_part(&part).is_ok() {
                    prop_assert!(!part.is_empty() && part != b"." && part != b"..");
                    prop_assert!(!part.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0)));
                    prop_assert!(!part.eq_ignore_ascii_case(b".git"));
                }
            }
        }
    }
}
