//! Go's own build id of a program (`cmd/internal/buildid`): a note in ELF files, a marked text before the code of
//! others.

/// It lies this near to the beginning (`readSize` of `cmd/internal/buildid`).
const NEAR: usize = 32 << 10;
/// Four hashes of twenty characters, with `/` between them.
const LONGEST: usize = 256;
/// The header of the note: the size of its name, of its content (here left open), its type, and its name.
const NAME_SIZE: &[u8] = &[4, 0, 0, 0];
const TYPE_AND_NAME: &[u8] = b"\x04\0\0\0Go\0\0";
const BEFORE: &[u8] = b"\xff Go build ID: \"";
const AFTER: &[u8] = b"\"\n \xff";

/// The build id, if the program has one that is as go writes it.
pub(super) fn of(program: &[u8]) -> Option<String> {
    let near = program.get(..NEAR.min(program.len()))?;
    let found = if program.starts_with(b"\x7fELF") {
        in_note(near, program.get(5) == Some(&2))?
    } else {
        let (_, rest) = split(near, BEFORE)?;
        split(rest, AFTER)?.0
    };
    let is_plain = !found.is_empty()
        && found.len() <= LONGEST
        && found
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"-_/".contains(b));
    is_plain.then(|| String::from_utf8_lossy(found).into_owned())
}

fn in_note(near: &[u8], is_big_endian: bool) -> Option<&[u8]> {
    let order = |bytes: &[u8]| -> Option<Vec<u8>> {
        let (number, name) = bytes.split_at_checked(4)?;
        Some(if is_big_endian {
            [number.iter().rev().copied().collect(), name.to_vec()].concat()
        } else {
            bytes.to_vec()
        })
    };
    let kind = order(TYPE_AND_NAME)?;
    let name_size = order(NAME_SIZE)?;
    let mut at = 0_usize;
    while let Some(header) = near.get(at..at.checked_add(16)?) {
        if header.starts_with(&name_size) && header.ends_with(&kind) {
            let size: [u8; 4] = header.get(4..8)?.try_into().ok()?;
            let size = if is_big_endian {
                u32::from_be_bytes(size)
            } else {
                u32::from_le_bytes(size)
            };
            let start = at.checked_add(16)?;
            return near.get(start..start.checked_add(usize::try_from(size).ok()?)?);
        }
        at += 4;
    }
    None
}

fn split<'a>(bytes: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(by.len()).position(|window| window == by)?;
    Some((bytes.get(..at)?, bytes.get(at + by.len()..)?))
}
