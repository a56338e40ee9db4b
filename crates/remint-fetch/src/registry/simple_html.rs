//! Reads the anchors of an HTML project page (PEP 503) and nothing else of HTML.

use remint_ecosystem::html::unescape;
use serde_json::Value;

use crate::registry::simple::{SimpleFile, SimplePage};

/// The page, and the address in its `<base>`.
pub(crate) fn read(text: &str) -> (Option<String>, SimplePage) {
    let mut base = None;
    let mut files = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let (tag, attributes, after) = tag(after);
        rest = after;
        match tag.as_str() {
            "base" => base = base.or_else(|| attribute(&attributes, "href")),
            "a" => {
                let end = after.find('<').unwrap_or(after.len());
                let label = unescape(after.get(..end).unwrap_or("").trim());
                files.extend(file(&attributes, label));
            }
            _ => {}
        }
    }
    let page = SimplePage {
        meta: std::iter::once(("api-version".to_owned(), Value::from("1.0"))).collect(),
        name: String::new(),
        files,
        versions: Vec::new(),
    };
    (base, page)
}

fn file(attributes: &[(String, String)], label: String) -> Option<SimpleFile> {
    let href = attribute(attributes, "href")?;
    let (url, fragment) = match href.split_once('#') {
        Some((url, fragment)) => (url.to_owned(), fragment.to_owned()),
        None => (href, String::new()),
    };
    let hashes = fragment
        .split('&')
        .filter_map(|part| part.split_once('='))
        .filter(|(algorithm, _)| algorithm.starts_with("sha"))
        .map(|(algorithm, digest)| (algorithm.to_owned(), digest.to_ascii_lowercase()))
        .collect();
    let metadata = attribute(attributes, "data-core-metadata")
        .or_else(|| attribute(attributes, "data-dist-info-metadata"))
        .map(|stated| match stated.split_once('=') {
            Some((algorithm, digest)) => {
                Value::Object(std::iter::once((algorithm.to_owned(), digest.into())).collect())
            }
            None => Value::Bool(stated == "true"),
        });
    Some(SimpleFile {
        filename: label,
        url,
        hashes,
        requires_python: attribute(attributes, "data-requires-python"),
        size: None,
        upload_time: None,
        yanked: attribute(attributes, "data-yanked").map(Value::String),
        core_metadata: metadata,
    })
}

fn attribute(attributes: &[(String, String)], name: &str) -> Option<String> {
    attributes
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.clone())
}

/// Name and attributes of the tag that starts here, and what follows it.
fn tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
        .unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (name.to_ascii_lowercase(), attributes, after);
        }
        if rest.is_empty() {
            return (name.to_ascii_lowercase(), attributes, rest);
        }
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/'))
            .unwrap_or(rest.len());
        // A stray `=` is taken for a name, so that every turn moves on.
        let end = if end == 0 { 1 } else { end };
        let (key, after) = rest.split_at(end);
        let key = key.to_ascii_lowercase();
        let after = after.trim_start();
        let Some(value) = after.strip_prefix('=') else {
            attributes.push((key, String::new()));
            rest = after;
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = value.get(1..).unwrap_or("");
                inner.split_once(quote).unwrap_or((inner, ""))
            }
            Some(_) | None => {
                let end = value
                    .find(|c: char| c.is_whitespace() || c == '>')
                    .unwrap_or(value.len());
                value.split_at(end)
            }
        };
        attributes.push((key, unescape(value)));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_markup_is_read_to_its_end() {
        for text in [
            "",
            "<",
            "<a",
            "<a =",
            "<a href",
            "<a href=",
            "<a href='x",
            "<!--",
            "<a/>",
            "<a====>",
            "<é é=é>é",
            "<a href=\"&#x110000;&#xd800;&;\">&</a>",
        ] {
            let (_, page) = read(text);
            assert!(page.files.len() <= 1, "{text}");
        }
    }

    #[test]
    fn comments_hide_anchors_and_base_moves_links() {
        let (base, page) = read("<base href=/p/><!-- <a href=no>no</a> --><A HREF=yes>yes.whl</A>");
        assert_eq!(base.as_deref(), Some("/p/"));
        let [file] = page.files.as_slice() else {
            panic!("{page:?}");
        };
        assert_eq!(
            (file.url.as_str(), file.filename.as_str()),
            ("yes", "yes.whl")
        );
    }

    #[test]
    fn text_full_of_ampersands_is_read_once() {
        let text = format!("<a href=\"{}\">x", "&".repeat(4 << 20));
        assert_eq!(read(&text).1.files.len(), 1);
    }
}
