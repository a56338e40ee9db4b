//! An index's page as HTML (PEP 503): anchors and their attributes, nothing else of HTML.
//!
//! Linear in the page's size and without recursion, since pages are written by strangers.

use std::collections::BTreeMap;

use crate::html::{Tag, tag, unescape};
use crate::pypi::index::{IndexFile, Page};
use crate::release::MetadataError;

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
