//! Hostile bytes made fit for a terminal and a report: nothing that moves a cursor, hides or reorders text.

/// `bytes` as text of at most `limit` characters; control, invisible and direction-changing characters, and
/// bytes that are not UTF-8, become escapes.
pub(crate) fn escape(bytes: &[u8], limit: usize) -> String {
    let mut text = String::new();
    let mut room = limit;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if room == 0 {
                text.push('…');
                return text;
            }
            room -= 1;
            push_escaped(&mut text, character);
        }
        for byte in chunk.invalid() {
            if room == 0 {
                text.push('…');
                return text;
            }
            room -= 1;
            text.extend(std::ascii::escape_default(*byte).map(char::from));
        }
    }
    text
}

fn push_escaped(text: &mut String, character: char) {
    if character == '\t' || !is_deceptive(character) {
        text.push(character);
    } else {
        text.extend(character.escape_unicode());
    }
}

/// Characters that a reader does not see, or that change how others are seen.
pub(crate) fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expect: &str) {
        assert_eq!(escape(bytes, 40), expect);
    }

    #[test]
    fn what_deceives_a_terminal_is_spelled_out() {
        check("naïve\ttext".as_bytes(), "naïve\ttext");
        check(b"a\x1b[2Jb\r", "a\\u{1b}[2Jb\\u{d}");
        check("a\u{202e}b\u{200b}c".as_bytes(), "a\\u{202e}b\\u{200b}c");
        check("tag\u{e0041}".as_bytes(), "tag\\u{e0041}");
        check(b"latin \xe9", "latin \\xe9");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(escape(b"abcdef", 3), "abc…");
        assert_eq!(escape(b"\xff\xff", 1), "\\xff…");
    }
}
