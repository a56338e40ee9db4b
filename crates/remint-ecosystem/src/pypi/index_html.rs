//! An index's page as HTML (PEP 503): anchors and their attributes, nothing else of HTML.
//!
//! Linear in the page's size and without recursion, since pages are written by strangers.

use std::collections::BTreeMap;

use crate::pypi::index::{IndexFile, Page};
use crate::release::MetadataError;

/// Attributes beyond these are no anchor's of an index.
const MOST_ATTRIBUTES: usize = 32;

pub(super) fn page(content: &[u8]) -> Result<Page, MetadataError> {
    let text = std::str::from_utf8(content).map_err(|error| MetadataError::Malformed {
        what: "the index's page".to_owned(),
        reason: error.to_string(),
    })?;
    let mut page = Page {
        base: None,
        files: Vec::new(),
        versions: Vec::new(),
    };
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..).unwrap_or("");
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((tag, after)) = tag(rest) else {
            rest = rest.get(1..).unwrap_or("");
            continue;
        };
        rest = after;
        match tag.name.as_str() {
            "base" if page.base.is_none() => page.base = tag.attribute("href").map(str::to_owned),
            "a" => {
                let label = rest.split('<').next().unwrap_or("");
                page.files.extend(file(&tag, &unescape(label)));
            }
            _ => {}
        }
    }
    Ok(page)
}

/// An anchor as a file of the index. Its name is the last part of its URL, as pip reads it, and the label must
/// agree where it looks like a file name.
fn file(tag: &Tag, label: &str) -> Option<IndexFile> {
    let href = tag.attribute("href")?;
    let (url, fragment) = href.split_once('#').unwrap_or((href, ""));
    let path = url.split('?').next().unwrap_or(url);
    let name = percent_decode(path.rsplit('/').next().unwrap_or(path))?;
    let label = label.trim();
    if name.is_empty() || (label != name && label.ends_with(".whl")) {
        return None;
    }
    let hashes: BTreeMap<String, String> = fragment
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(algorithm, digest)| (algorithm.to_owned(), digest.to_owned()))
        .collect();
    Some(IndexFile {
        name,
        url: url.to_owned(),
        hashes,
        size: None,
        upload_time: None,
        yanked: tag.attribute("data-yanked").map(str::to_owned),
        provenance: tag.attribute("data-provenance").map(str::to_owned),
    })
}

struct Tag {
    /// In lower case.
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// The first of that name, as browsers and pip's parser take it.
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The tag at the start of `text`, which starts with `<`, and what follows it.
fn tag(text: &str) -> Option<(Tag, &str)> {
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
        let key = take_while(&mut rest, |c| {
            !c.is_ascii_whitespace() && !matches!(c, '=' | '>' | '/')
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
                _ => take_while(&mut rest, |c| !c.is_ascii_whitespace() && c != '>'),
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

/// Resolves the character references that occur in attributes; others stay as they are.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
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

/// Decodes `%2B` and the like; `None` where the result is no UTF-8 or an escape is broken.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = after
                .get(..2)
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                .and_then(|digits| std::str::from_utf8(digits).ok())?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}
