//! Text of strangers on its way to a person: names, messages, paths, logs. It must neither move the cursor nor begin a
//! line of its own, which could be taken for a verdict of ours.

use std::borrow::Cow;

/// The text with line ends as spaces, and everything that is not seen or that reorders what is seen written out.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => plain.push(' '),
            harmful if is_harmful(harmful) => plain.extend(harmful.escape_unicode()),
            other => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

/// Controls, and what Unicode calls default ignorable or bidirectional.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_stays_in_its_line_and_in_its_direction() {
        assert_eq!(
            harmless("old\n\n✔ verified  npm:x@1"),
            "old  ✔ verified  npm:x@1"
        );
        assert_eq!(harmless("a\u{202e}b\u{1b}[2J"), "a\\u{202e}b\\u{1b}[2J");
        assert_eq!(harmless("größer — 日本"), "größer — 日本");
    }

    proptest! {
        #[test]
        fn nothing_harmful_is_left(text in any::<String>()) {
            prop_assert!(!harmless(&text).contains(is_harmful));
        }
    }
}
