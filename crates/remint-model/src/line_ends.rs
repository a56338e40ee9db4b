//! Line ends as git converts them for a text file that it checks out on Windows (gitattributes, "End-of-line
//! conversion"; `core.autocrlf=true`).
//!
//! Files with mixed line ends are left alone, as git does.

/// Bytes at the start in which git looks for a NUL, to tell a binary file from a text.
const BINARY_HEAD: usize = 8000;

/// The text with LF for every CRLF. `None` where it has no line end, one that is not CRLF, or a NUL at the start.
#[must_use]
pub fn with_lf(content: &[u8]) -> Option<Vec<u8>> {
    if is_binary(content) {
        return None;
    }
    let mut converted = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
        let (line, end) = rest.split_at_checked(at)?;
        converted.extend_from_slice(line);
        converted.push(b'\n');
        rest = end.strip_prefix(b"\r\n")?;
    }
    if converted.is_empty() {
        return None;
    }
    converted.extend_from_slice(rest);
    (converted.len() < content.len()).then_some(converted)
}

/// The text with CRLF for every LF. `None` where there is nothing that git would convert: no LF, any CR, or a NUL at
/// the start.
#[must_use]
pub fn with_crlf(content: &[u8]) -> Option<Vec<u8>> {
    if is_binary(content) || content.contains(&b'\r') || !content.contains(&b'\n') {
        return None;
    }
    let mut converted = Vec::with_capacity(content.len() + content.len() / 16);
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                converted.extend_from_slice(line);
                converted.extend_from_slice(b"\r\n");
            }
            None => converted.extend_from_slice(line),
        }
    }
    Some(converted)
}

fn is_binary(content: &[u8]) -> bool {
    content.iter().take(BINARY_HEAD).any(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_texts_whose_lines_all_end_alike_are_converted() {
        for (content, lf, crlf) in [
            ("a\r\nb", Some("a\nb"), None),
            ("\r\n", Some("\n"), None),
            ("a\nb\n", None, Some("a\r\nb\r\n")),
            ("a\r\nb\n", None, None),
            ("a\nb\r\n", None, None),
            ("a\rb\r\n", None, None),
            ("a\r", None, None),
            ("a", None, None),
            ("", None, None),
            ("\0\n", None, None),
            ("\0\r\n", None, None),
        ] {
            let made = |made: Option<Vec<u8>>| made.map(|made| String::from_utf8(made).unwrap());
            assert_eq!(
                made(with_lf(content.as_bytes())).as_deref(),
                lf,
                "{content:?}"
            );
            assert_eq!(
                made(with_crlf(content.as_bytes())).as_deref(),
                crlf,
                "{content:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn each_undoes_the_other(content in "[ab\r\n\0]{0,40}") {
            let content = content.into_bytes();
            if let Some(lf) = with_lf(&content) {
                prop_assert_eq!(with_crlf(&lf), Some(content.clone()));
            }
            if let Some(crlf) = with_crlf(&content) {
                prop_assert_eq!(with_lf(&crlf), Some(content));
            }
        }
    }
}
