//! The cause of a text difference, where it can be proved from the two texts alone. An explanation stands
//! beside a difference and never removes it.

use super::hunks::{TextDifference, lines};

/// A cause that accounts for every changed line; `None` where none does.
pub(crate) fn explain(
    rebuilt: &[u8],
    published: &[u8],
    difference: &TextDifference,
) -> Option<String> {
    if without(rebuilt, b"\r") == without(published, b"\r") {
        let (crlf, lf) = if published.len() > rebuilt.len() {
            ("published", "rebuilt")
        } else {
            ("rebuilt", "published")
        };
        return Some(format!(
            "only line ends differ: CRLF in the {crlf} file, LF in the {lf} one"
        ));
    }
    if without(rebuilt, b" \t\r\n") == without(published, b" \t\r\n") {
        return Some("only white space differs".to_owned());
    }
    if only_dirty(rebuilt, published) {
        return Some(
            "published from a working tree with changes that were not committed, as cargo notes"
                .to_owned(),
        );
    }
    let replaced = one_replacement(rebuilt, published, difference)?;
    let (old, new) = replaced;
    if is_version(old) && is_version(new) {
        return Some(format!(
            "only an embedded version differs: `{new}` published, `{old}` rebuilt"
        ));
    }
    if is_directory(old) && is_directory(new) {
        return Some(format!(
            "only the build directory differs: `{new}` published, `{old}` rebuilt"
        ));
    }
    None
}

/// Whether all that differs is the mark that cargo leaves in `.cargo_vcs_info.json`.
fn only_dirty(rebuilt: &[u8], published: &[u8]) -> bool {
    if published.len() > LARGEST_VCS_INFO || rebuilt.len() > LARGEST_VCS_INFO {
        return false;
    }
    let parse = |content: &[u8]| serde_json::from_slice::<serde_json::Value>(content).ok();
    let (Some(mut published), Some(rebuilt)) = (parse(published), parse(rebuilt)) else {
        return false;
    };
    let dirty = published
        .get_mut("git")
        .and_then(serde_json::Value::as_object_mut)
        .and_then(|git| git.remove("dirty"));
    dirty == Some(true.into()) && published == rebuilt
}

/// Cargo's own has about a hundred bytes.
const LARGEST_VCS_INFO: usize = 4096;

fn without(content: &[u8], dropped: &[u8]) -> Vec<u8> {
    content
        .iter()
        .copied()
        .filter(|byte| !dropped.contains(byte))
        .collect()
}

/// The two texts that stand in each other's place everywhere: the whole difference, or nothing.
fn one_replacement<'t>(
    rebuilt: &'t [u8],
    published: &'t [u8],
    difference: &TextDifference,
) -> Option<(&'t str, &'t str)> {
    let (first_old, first_new) = difference.stretches.first()?;
    let (old_lines, new_lines) = (lines(rebuilt), lines(published));
    let (old, new) = (
        *old_lines.get(first_old.start)?,
        *new_lines.get(first_new.start)?,
    );
    let pair = [version_at, directory_at]
        .into_iter()
        .find_map(|widen| differing_token(old, new, widen))?;
    let (old_token, new_token) = pair;
    for (old_range, new_range) in &difference.stretches {
        if old_range.len() != new_range.len() {
            return None;
        }
        let pairs = old_lines
            .get(old_range.clone())?
            .iter()
            .zip(new_lines.get(new_range.clone())?);
        for (old, new) in pairs {
            let old = std::str::from_utf8(old).ok()?;
            let new = std::str::from_utf8(new).ok()?;
            if old.replace(old_token, new_token) != new {
                return None;
            }
        }
    }
    Some((old_token, new_token))
}

/// The first stretch in which two lines differ, widened to a whole token.
fn differing_token<'t>(
    old: &'t [u8],
    new: &'t [u8],
    widen: fn(&str, usize) -> Option<&str>,
) -> Option<(&'t str, &'t str)> {
    let (old, new) = (
        std::str::from_utf8(old).ok()?,
        std::str::from_utf8(new).ok()?,
    );
    let mut at = old
        .bytes()
        .zip(new.bytes())
        .position(|(one, other)| one != other)
        .unwrap_or(old.len().min(new.len()));
    while !old.is_char_boundary(at) || !new.is_char_boundary(at) {
        at -= 1;
    }
    Some((widen(old, at)?, widen(new, at)?))
}

fn token_at(line: &str, at: usize, belongs: fn(char) -> bool) -> Option<&str> {
    let (before, after) = line.split_at_checked(at)?;
    let start = before.trim_end_matches(belongs).len();
    let end = line.len() - after.trim_start_matches(belongs).len();
    line.get(start..end)
}

fn version_at(line: &str, at: usize) -> Option<&str> {
    let token = token_at(line, at, |c| c.is_ascii_alphanumeric() || ".+-".contains(c))?;
    let token = token.strip_prefix('v').unwrap_or(token);
    is_version(token).then_some(token)
}

/// The directories before the last common part are found by the caller's replacement check; the token is the
/// path up to where both sides agree again.
fn directory_at(line: &str, at: usize) -> Option<&str> {
    let token = token_at(line, at, |c| {
        c.is_ascii_alphanumeric() || "/._-+@~".contains(c)
    })?;
    let start = token.find('/')?;
    token.get(start..)
}

/// `1.2.3`, with pre-release and build parts: what no other text is by chance.
fn is_version(token: &str) -> bool {
    let numbers = token
        .split(['-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .collect::<Vec<_>>();
    numbers.len() >= 3
        && token.len() <= 64
        && numbers
            .first()
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        && numbers
            .get(1)
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        && numbers
            .get(2)
            .is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_directory(token: &str) -> bool {
    token.starts_with('/') && token.len() > 1
}

#[cfg(test)]
mod tests {
    use super::super::hunks::{Patience, compare_text};
    use super::*;
    use crate::limits::Options;

    fn check(rebuilt: &str, published: &str, expect: Option<&str>) {
        let (rebuilt, published) = (rebuilt.as_bytes(), published.as_bytes());
        let difference = compare_text(
            rebuilt,
            published,
            &Options::default(),
            &mut Patience::default(),
        );
        let found = explain(rebuilt, published, &difference);
        match (found, expect) {
            (Some(found), Some(expect)) => assert!(found.contains(expect), "{found}"),
            (found, expect) => assert_eq!(found.as_deref(), expect),
        }
    }

    #[test]
    fn a_version_stamp_is_recognised() {
        check(
            "const v = \"1.2.3\";\nx\nlog(\"v1.2.3\")\n",
            "const v = \"1.2.4\";\nx\nlog(\"v1.2.4\")\n",
            Some("only an embedded version"),
        );
    }

    #[test]
    fn anything_beside_the_version_is_not_explained_away() {
        check(
            "const v = \"1.2.3\";\nx\n",
            "const v = \"1.2.4\";\nevil()\n",
            None,
        );
        check("v = \"1.2.3\"\n", "v = \"1.2.4\"; evil()\n", None);
        check("v = 1.2.3\n", "v = 1.2.4\nevil()\n", None);
    }

    #[test]
    fn line_ends_and_white_space_are_recognised() {
        check("a\nb\n", "a\r\nb\r\n", Some("CRLF in the published file"));
        check("a b\n", "a  b\n", Some("only white space"));
        check("ab\n", "a\r\nc\r\n", None);
    }

    #[test]
    fn a_build_directory_is_recognised() {
        check(
            "from '/build/src/a.js'\n",
            "from '/home/x/p/src/a.js'\n",
            Some("only the build directory"),
        );
        check(
            "from '/build/src/a.js'\n",
            "from '/home/x/p/src/a.js?evil'\n",
            None,
        );
    }
}
