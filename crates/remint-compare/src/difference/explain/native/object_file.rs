//! ELF, Mach-O and PE, as the `object` crate reads them.

use std::collections::BTreeMap;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::debugging::{Loaded, is_for_debuggers};
use super::{MOST_PARTS, Part, Taken};

/// More symbols are not looked at.
const MOST_SYMBOLS: usize = 500_000;

pub(super) fn parts(content: &[u8]) -> Option<Taken<'_>> {
    let file = object::File::parse(content).ok()?;
    let loaded = Loaded::of(&file);
    let mut parts = BTreeMap::new();
    let mut copies: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut places: BTreeMap<usize, ((&[u8], usize), u64)> = BTreeMap::new();
    for section in file.sections() {
        if parts.len() >= MOST_PARTS {
            return None;
        }
        let name = section.name_bytes().ok()?;
        let copy = copies.entry(name).or_default();
        let key = (name, *copy);
        *copy += 1;
        places.insert(section.index().0, (key, section.address()));
        let range = match section.file_range() {
            Some((start, length)) => {
                let start = usize::try_from(start).ok()?;
                start..start.checked_add(usize::try_from(length).ok()?)?
            }
            None => 0..0,
        };
        parts.insert(
            key,
            Part {
                content: section.data().ok()?,
                for_debuggers: is_for_debuggers(&section, &loaded),
                range,
                functions: BTreeMap::new(),
            },
        );
    }
    for symbol in file.symbols().take(MOST_SYMBOLS) {
        if symbol.kind() != SymbolKind::Text || symbol.size() == 0 {
            continue;
        }
        // A symbol that points nowhere names nothing.
        let Some((name, bytes, key)) = (|| {
            let (key, address) = *places.get(&symbol.section_index()?.0)?;
            let start = usize::try_from(symbol.address().checked_sub(address)?).ok()?;
            let end = start.checked_add(usize::try_from(symbol.size()).ok()?)?;
            let bytes = parts.get(&key)?.content.get(start..end)?;
            Some((symbol.name_bytes().ok()?, bytes, key))
        })() else {
            continue;
        };
        if let Some(part) = parts.get_mut(&key) {
            part.functions.insert(name, bytes);
        }
    }
    Some(Taken {
        kind: format!("{:?} for {:?}", file.format(), file.architecture()),
        parts,
    })
}
