//! Tags of pages that strangers wrote, with their attributes, and nothing else of HTML.
//!
//! Without recursion, and bounded in the attributes of a tag.

/// Attributes beyond these are of no tag that anybody looks for here.
const MOST_ATTRIBUTES: usize = 32;

/// The longest tag, in bytes. One that never ends is not looked for over the whole page: a page may hold many such.
const LONGEST_TAG: usize = 16 << 10;

/// A start tag.
pub(crate) struct Tag {
    /// In lower case.
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The first of that name, as browsers and pip's parser take it.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The tag at the start of `text`, which starts with `<`, and what follows it.
pub(crate) fn tag(text: &str) -> Option<(Tag, &str)> {
    let head = text.get(..text.floor_char_boundary(LONGEST_TAG))?;
    let (tag, after) = tag_within(head)?;
    Some((tag, text.get(head.len().checked_sub(after.len())?..)?))
}

fn tag_within(text: &str) -> Option<(Tag, &str)> {
    let mut rest = text.strip_prefix('<')?;
    let name = take_while(&mut rest, |c| c.is_ascii_alphanumeric());
    if name.is_empty() {
        return None;
    }
    let mut tag = Tag {
        name: name.to_ascii_lowercase(),
        attributes: Vec::new(),
    };
    loop {
        take_while(&mut rest, |c| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((tag, after));
        }
        // Where another tag begins, this one was none.
        let key = take_while(&mut rest, |c| {
            !c.is_ascii_whitespace() && !matches!(c, '=' | '>' | '/' | '<')
        });
        if key.is_empty() && !rest.starts_with('=') {
            return None;
        }
        take_while(&mut rest, |c| c.is_ascii_whitespace());
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            rest = after;
            take_while(&mut rest, |c| c.is_ascii_whitespace());
            value = match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    let (value, after) = rest.get(1..)?.split_once(quote)?;
                    rest = after;
                    value
                }
                _ => take_while(&mut rest, |c| {
                    !c.is_ascii_whitespace() && !matches!(c, '>' | '<')
                }),
            };
        }
        if tag.attributes.len() >= MOST_ATTRIBUTES {
            return None;
        }
        tag.attributes
            .push((key.to_ascii_lowercase(), unescape(value)));
    }
}

fn take_while<'a>(rest: &mut &'a str, wanted: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    let (taken, after) = rest.split_at(end);
    *rest = after;
    taken
}

/// Resolves the character references that occur in attributes and on index pages; others stay as they are.
#[must_use]
pub fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        // No reference is longer, and text full of `&` must not be searched to its end for each of them.
        let reference = after
            .char_indices()
            .take(10)
            .find(|(_, c)| *c == ';')
            .and_then(|(end, _)| Some((after.get(..end)?, after.get(end.checked_add(1)?..)?)));
        match reference.and_then(|(name, after)| Some((character(name)?, after))) {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(reference: &str) -> Option<char> {
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = reference.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_tag_is_the_rest_of_the_page() {
        let page = format!("<a href='x'>{}", "é".repeat(LONGEST_TAG));
        let (tag, after) = tag(&page).unwrap();
        assert_eq!((tag.name.as_str(), tag.attribute("href")), ("a", Some("x")));
        assert_eq!(after.len(), 2 * LONGEST_TAG);
    }

    #[test]
    fn character_references_are_resolved_once() {
        for (text, expect) in [
            ("a &amp;lt; b", "a &lt; b"),
            ("&#47;&#x2F;&#X2f;", "///"),
            ("&quot;&apos;&lt;&gt;", "\"'<>"),
            (
                "&; & &nope; &#x110000; &#xd800; &",
                "&; & &nope; &#x110000; &#xd800; &",
            ),
        ] {
            assert_eq!(unescape(text), expect);
        }
        let many = "&".repeat(4 << 20);
        assert_eq!(unescape(&many), many);
    }

    #[test]
    fn a_tag_without_an_end_costs_little() {
        assert!(tag(&format!("<a x=\"{}", " ".repeat(LONGEST_TAG))).is_none());
        assert!(tag(&format!("<a x=\"{}\">", " ".repeat(LONGEST_TAG))).is_none());
        // Seconds where each of them is looked for to the end of the page.
        for beginning in ["<a x=\"", "<a", "<a x", "<a x=", "<a x=y"] {
            let page = beginning.repeat(1 << 18);
            let mut rest = page.as_str();
            while let Some(at) = rest.find('<') {
                let here = rest.get(at..).unwrap();
                assert!(tag(here).is_none(), "{beginning}");
                rest = here.get(1..).unwrap();
            }
        }
    }
}
