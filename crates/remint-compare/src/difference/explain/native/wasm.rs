//! WebAssembly: its sections, by name where they are custom ones, and its functions by their number.

use std::collections::BTreeMap;

use wasmparser::{Parser, Payload};

use super::{MOST_PARTS, Part, Taken, is_named_for_debuggers};

pub(super) fn parts(content: &[u8]) -> Option<Taken<'_>> {
    let mut parts = BTreeMap::new();
    let mut copies: BTreeMap<&[u8], usize> = BTreeMap::new();
    for payload in Parser::new(0).parse_all(content) {
        if parts.len() >= MOST_PARTS {
            return None;
        }
        let payload = payload.ok()?;
        let Some((id, range)) = payload.as_section() else {
            continue;
        };
        let name = if let Payload::CustomSection(section) = &payload {
            section.name().as_bytes()
        } else {
            section_name(id)
        };
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        let copy = copies.entry(name).or_default();
        parts.insert(
            (name, *copy),
            Part {
                content: content.get(range.clone())?,
                range,
                // The specification gives custom sections no meaning.
                for_debuggers: matches!(payload, Payload::CustomSection(_))
                    && is_named_for_debuggers(name),
                functions: BTreeMap::new(),
            },
        );
        *copy += 1;
    }
    Some(Taken {
        kind: "WebAssembly".to_owned(),
        parts,
    })
}

/// As the specification numbers them.
fn section_name(id: u8) -> &'static [u8] {
    match id {
        1 => b"type",
        2 => b"import",
        3 => b"function",
        4 => b"table",
        5 => b"memory",
        6 => b"global",
        7 => b"export",
        8 => b"start",
        9 => b"element",
        10 => b"code",
        11 => b"data",
        12 => b"data count",
        13 => b"tag",
        _ => b"another",
    }
}
