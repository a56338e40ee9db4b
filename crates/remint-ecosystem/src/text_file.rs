//! Text files that strangers wrote: how large they may be, and that they are text at all. What they mean is told where
//! each kind of file is read.

use crate::release::MetadataError;

/// The text of a file of at most so many bytes; `what` names it in errors.
pub(crate) fn text<'a>(
    what: &str,
    content: &'a [u8],
    largest: usize,
) -> Result<&'a str, MetadataError> {
    if content.len() > largest {
        let reason = format!("it is larger than {largest} bytes");
        return Err(MetadataError::malformed(what, reason));
    }
    std::str::from_utf8(content).map_err(|error| MetadataError::malformed(what, error))
}

/// The same without the byte order mark, for formats whose readers pass over it.
pub(crate) fn text_after_mark<'a>(
    what: &str,
    content: &'a [u8],
    largest: usize,
) -> Result<&'a str, MetadataError> {
    let text = text(what, content, largest)?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_text_of_bounded_size() {
        assert_eq!(text("f", "\u{feff}a".as_bytes(), 9).unwrap(), "\u{feff}a");
        assert_eq!(
            text_after_mark("f", "\u{feff}a".as_bytes(), 9).unwrap(),
            "a"
        );
        for (content, words) in [
            (
                &b"0123456789"[..],
                "`f` cannot be parsed: it is larger than 9 bytes",
            ),
            (b"a\xff", "invalid utf-8"),
        ] {
            let told = text("f", content, 9).unwrap_err().to_string();
            assert!(told.contains(words), "{told}");
        }
    }
}
