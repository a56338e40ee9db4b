//! Paths of layers: bytes, relative to the root of the file system that the layers make.

/// What is odd about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// It begins with a slash; all runtimes take it as below the root.
    Absolute,
    /// It has `..` and stays inside.
    Parents,
}

/// Why a path cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unusable {
    /// It leads out of the file system.
    Escapes,
    /// It holds a NUL, at which some readers end it.
    Nul,
    /// It has more parts than any real one.
    TooDeep,
}

/// Parts of a path; Linux itself stops where 4,096 bytes do.
const DEEPEST: usize = 512;

/// The path without empty parts and `.`, and with `..` resolved; empty for the root.
pub(super) fn clean(name: &[u8]) -> Result<(Vec<u8>, Option<Oddity>), Unusable> {
    if name.contains(&0) {
        return Err(Unusable::Nul);
    }
    let mut oddity = name.starts_with(b"/").then_some(Oddity::Absolute);
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                // Above the root of an absolute path is the root, to Go as to Linux.
                if parts.pop().is_none() && !name.starts_with(b"/") {
                    return Err(Unusable::Escapes);
                }
                oddity = Some(Oddity::Parents);
            }
            part => parts.push(part),
        }
    }
    if parts.len() > DEEPEST {
        return Err(Unusable::TooDeep);
    }
    Ok((parts.join(&b'/'), oddity))
}

/// Directory and last part.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at + 1..).unwrap_or_default(),
        ),
        None => (b"", path),
    }
}

/// Every directory above a path, the outermost first, without the root.
pub(super) fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'/')
        .filter_map(|(at, _)| path.get(..at))
}

/// A path for people and programs: bytes that are no text, and control characters, escaped.
pub(super) fn shown(path: &[u8]) -> String {
    match std::str::from_utf8(path) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(_) | Err(_) => path.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_stay_inside() {
        let check = |name: &str, expect: Result<(&str, Option<Oddity>), Unusable>| {
            let expect = expect.map(|(path, oddity)| (path.as_bytes().to_vec(), oddity));
            assert_eq!(clean(name.as_bytes()), expect, "{name}");
        };
        check("a/b", Ok(("a/b", None)));
        check("./a//b/", Ok(("a/b", None)));
        check("./", Ok(("", None)));
        check("/etc/passwd", Ok(("etc/passwd", Some(Oddity::Absolute))));
        check("a/../b", Ok(("b", Some(Oddity::Parents))));
        check("../b", Err(Unusable::Escapes));
        check("a/../../b", Err(Unusable::Escapes));
        check("/../b", Ok(("b", Some(Oddity::Parents))));
        check("/a/../../b/c", Ok(("b/c", Some(Oddity::Parents))));
        check("a\0b", Err(Unusable::Nul));
        check(&"a/".repeat(600), Err(Unusable::TooDeep));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_clean(name in "(\\.\\.?|[a-z]|/|\\x00){0,12}") {
            if let Ok((path, _)) = clean(name.as_bytes()) {
                prop_assert_eq!(clean(&path), Ok((path.clone(), None)));
                prop_assert!(path.is_empty() || path.split(|b| *b == b'/').all(|part| !part.is_empty() && part != b".."));
            }
        }
    }
}
