//! A second look at two Python texts with the same words, before an interpreter is asked: their signs, and the strings that
//! something is set to or compared with. Where these differ, so do the trees.
//!
//! Only what no layout changes counts. Parentheses, commas, colons, semicolons, points and line ends may come and go; so may
//! strings, but for one that follows an equals sign: it is no documentation.

use super::{after_string, is_word};

/// Something that both texts have, if they have the same tree.
#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    Sign(u8),
    /// A string after an equals sign; `None` where it could be spelled in other ways.
    Value(Option<&'a [u8]>),
}

impl Item<'_> {
    fn may_equal(self, other: Self) -> bool {
        match (self, other) {
            (Self::Sign(one), Self::Sign(other)) => one == other,
            (Self::Value(Some(one)), Self::Value(Some(other))) => one == other,
            (Self::Value(_), Self::Value(_)) => true,
            (Self::Sign(_), Self::Value(_)) | (Self::Value(_), Self::Sign(_)) => false,
        }
    }
}

/// Whether the two may have one tree, as far as this tells.
pub(super) fn may_be_alike(one: &[u8], other: &[u8]) -> bool {
    match (items(one), items(other)) {
        (Some(one), Some(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(&other)
                    .all(|(one, other)| one.may_equal(*other))
        }
        _ => true,
    }
}

/// `None` where this cannot tell what is a string.
fn items(text: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut items = Vec::new();
    let mut rest = text;
    // The last sign, a letter for any word, a quote for any string.
    let mut before = b'\n';
    let mut prefix: &[u8] = b"";
    while let Some((first, after)) = rest.split_first() {
        match first {
            b'#' => {
                let end = rest.iter().position(|byte| *byte == b'\n');
                rest = rest.get(end.unwrap_or(rest.len())..)?;
            }
            b'"' | b'\'' => {
                let after = after_string(rest);
                let string = rest.get(..rest.len() - after.len())?;
                if is_formatted(prefix) && has_open_braces(string) {
                    return None;
                }
                match (before, items.last_mut()) {
                    (b'=', _) => items.push(Item::Value(plain(prefix, string))),
                    // Strings beside each other are one.
                    (b'"', Some(Item::Value(value))) => *value = None,
                    _ => {}
                }
                before = b'"';
                prefix = b"";
                rest = after;
            }
            byte if is_word(*byte) => {
                let end = rest.iter().position(|byte| !is_word(*byte));
                let (word, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
                rest = after;
                if matches!(after.first(), Some(b'"' | b'\'')) {
                    prefix = word;
                } else {
                    before = b'a';
                }
            }
            byte => {
                rest = after;
                if b"=+-*/%@&|^~<>![]{}".contains(byte) {
                    items.push(Item::Sign(*byte));
                    before = *byte;
                } else if !byte.is_ascii_whitespace() && !b"(\\".contains(byte) {
                    before = *byte;
                }
            }
        }
    }
    Some(items)
}

fn is_formatted(prefix: &[u8]) -> bool {
    prefix.iter().any(|byte| b"fFtT".contains(byte))
}

/// Since Python 3.12 a string inside a formatted one may have the quotes of that one, and ends it for this reader.
fn has_open_braces(string: &[u8]) -> bool {
    let count = |brace: u8| string.iter().filter(|byte| **byte == brace).count();
    count(b'{') != count(b'}')
}

/// What the string is, where its spelling leaves no doubt.
fn plain<'s>(prefix: &[u8], string: &'s [u8]) -> Option<&'s [u8]> {
    let quote = string.first()?;
    let content = string.strip_prefix(&[*quote])?.strip_suffix(&[*quote])?;
    let is_plain = prefix.is_empty()
        && content
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b" .:/_-".contains(byte));
    is_plain.then_some(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(one: &str, other: &str, expect: bool) {
        for (one, other) in [(one, other), (other, one)] {
            let found = may_be_alike(one.as_bytes(), other.as_bytes());
            assert_eq!(found, expect, "{one:?} {other:?}");
        }
    }

    #[test]
    fn other_values_and_signs_are_told() {
        check("run(host='0.0.0.0')", "run(host='127.0.0.1')", false);
        check("x = 'a'\ny = 1", "x = 'b'\ny = 1", false);
        check("if x == ('a'): f()", "if x == 'b': f()", false);
        check("x = a + b", "x = a - b", false);
        check("x = a", "x == a", false);
        check("x = a, b", "x = [a, b]", false);
        check("f(a)", "f(*a)", false);
    }

    #[test]
    fn what_has_the_same_tree_is_never_ruled_out() {
        check("x = 'a'", "x = (\n  # why\n  \"a\"\n)", true);
        check("x = 'ab'", "x = ('a' 'b')", true);
        check("x = 'ab'", "x = 'a' \\\n  f'b'", true);
        check("x = 'a'", "x = '\\x61'", true);
        check("x = 'a'", "x = u'a'", true);
        check("x = 'a'", "x = '''a'''", true);
        check("x = ''", "x = ''''''", true);
        check("x = 'a'\n", "x = 'a'\n'''About x.'''\n", true);
        check("def f(): pass", "def f():\n  'It = nothing.'\n  pass", true);
        check("def f(a='x'): 'one'", "def f(a=\"x\",): 'two'", true);
        check("f('a')", "f('b')", true);
        check("x = a[:]; y = 1.", "x = a[::]\ny = (1.)", true);
        check("x = f'{a[\"b\"]}'", "x = f\"{a[\"b\"]}\"", true);
        check("x = f\"{a[\"=\"]}\"", "x = f'{a[\"=\"]}'", true);
        check("x = 'a' # = 'b'\n", "x = 'a'\n", true);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_any_text_is_like_itself(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            shaped in "[a'\"\\\\#=(){}f\n ]{0,40}",
        ) {
            prop_assert!(may_be_alike(&bytes, &bytes));
            prop_assert!(may_be_alike(shaped.as_bytes(), shaped.as_bytes()));
        }
    }
}
