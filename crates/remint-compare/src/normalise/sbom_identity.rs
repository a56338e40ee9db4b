//! What makes one list of components another one although it lists the same: the random serial number and the time in
//! the CycloneDX documents that wheels carry (PEP 770). maturin and auditwheel write both anew on every run.

use super::{File, Normaliser, Subject, WHEELS};

pub(super) const NORMALISER: Normaliser = Normaliser {
    id: "sbom-identity",
    version: 1,
    hides: "the serial number and the time of a CycloneDX document in a wheel's metadata",
    formats: WHEELS,
    subject: Subject::Content(normalise),
};

fn normalise(file: &File<'_>) -> Option<Vec<u8>> {
    let is_document = file
        .path
        .as_str()
        .split_once('/')
        .is_some_and(|(directory, below)| {
            directory.ends_with(".dist-info")
                && below.starts_with("sboms/")
                && below.ends_with(".json")
        });
    if !is_document {
        return None;
    }
    let text = std::str::from_utf8(file.content).ok()?;
    if text.matches("\"bomFormat\"").count() != 1 {
        return None;
    }
    let text = without(text, "\"serialNumber\"", is_serial_number)?;
    let text = without(&text, "\"timestamp\"", is_time)?;
    Some(text.into_bytes())
}

/// The text without the value of a key; unchanged where the key is absent, and nothing where it stands there twice or
/// with a value of another form.
fn without(text: &str, key: &str, is_value: fn(&str) -> bool) -> Option<String> {
    let Some((before, after)) = text.split_once(key) else {
        return Some(text.to_owned());
    };
    if after.contains(key) {
        return None;
    }
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let (value, rest) = value.strip_prefix('"')?.split_once('"')?;
    // What was erased once is erased.
    (value.is_empty() || is_value(value)).then(|| format!("{before}{key}: \"\"{rest}"))
}

/// RFC 4122, section 3.
fn is_serial_number(value: &str) -> bool {
    value.strip_prefix("urn:uuid:").is_some_and(|digits| {
        digits.len() == 36
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    })
}

/// RFC 3339, as far as its letters go.
fn is_time(value: &str) -> bool {
    (20..=40).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"-:.TZ+".contains(&byte))
}
