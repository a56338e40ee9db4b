//! The signature that is put behind a program of Windows (PE format, "The Attribute Certificate Table").

use std::ops::Range;

/// A program that is larger than the other by more has something else in it.
const LARGEST: usize = 1 << 20;
/// Signatures begin at a multiple of so many bytes.
const ALIGNMENT: usize = 8;

/// Whether `published` is `built` with a signature: nothing but the checksum of the file, the entry that says where the
/// signature lies, and the signature at the end may differ.
pub(super) fn is_signed_copy(published: &[u8], built: &[u8]) -> bool {
    signed(published, built).unwrap_or(false)
}

fn signed(published: &[u8], built: &[u8]) -> Option<bool> {
    let places = Places::of(published)?;
    if Places::of(built)? != places || places.table(built)? != (0, 0) {
        return Some(false);
    }
    let (start, size) = places.table(published)?;
    let is_at_end = size > 0 && size <= LARGEST && start.checked_add(size)? == published.len();
    if !is_at_end || start != built.len().next_multiple_of(ALIGNMENT) {
        return Some(false);
    }
    let mut own = published.get(..start)?.to_vec();
    let mut other = built.to_vec();
    other.resize(start, 0);
    for bytes in [&mut own, &mut other] {
        bytes.get_mut(places.checksum.clone())?.fill(0);
        bytes.get_mut(places.entry.clone())?.fill(0);
    }
    Some(own == other)
}

/// Where the headers have what signing changes.
#[derive(PartialEq, Eq)]
struct Places {
    checksum: Range<usize>,
    /// The entry of the certificate table.
    entry: Range<usize>,
}

impl Places {
    fn of(program: &[u8]) -> Option<Self> {
        let header = number(program, 0x3c)?;
        let optional = header.checked_add(24)?;
        let is_pe = program.starts_with(b"MZ") && program.get(header..)?.starts_with(b"PE\0\0");
        let directories = match program.get(optional..)? {
            [0x0b, 1, ..] if is_pe => optional.checked_add(96)?,
            [0x0b, 2, ..] if is_pe => optional.checked_add(112)?,
            _ => return None,
        };
        let has_entry = number(program, directories.checked_sub(4)?)? > 4;
        let checksum = optional.checked_add(64)?;
        let entry = directories.checked_add(32)?;
        has_entry.then_some(Self {
            checksum: checksum..checksum.checked_add(4)?,
            entry: entry..entry.checked_add(8)?,
        })
    }

    /// Where the table begins in the file, and its size.
    fn table(&self, program: &[u8]) -> Option<(usize, usize)> {
        let start = self.entry.start;
        Some((number(program, start)?, number(program, start + 4)?))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: usize = 0x80;

    fn program() -> Vec<u8> {
        let mut program = b"MZ".to_vec();
        program.resize(0x3c, 0);
        program.extend(u32::try_from(HEADER).unwrap().to_le_bytes());
        program.resize(HEADER, 0);
        program.extend(b"PE\0\0");
        program.resize(HEADER + 24, 0);
        program.extend([0x0b, 2]);
        program.resize(HEADER + 24 + 108, 0);
        program.push(16);
        program.resize(HEADER + 24 + 240, 0);
        program.extend(b"code of 13 by");
        program
    }

    fn sign(mut program: Vec<u8>) -> Vec<u8> {
        program.resize(program.len().next_multiple_of(ALIGNMENT), 0);
        let start = u32::try_from(program.len()).unwrap();
        program[HEADER + 24 + 64] = 7;
        let entry = HEADER + 24 + 112 + 32;
        program[entry..entry + 4].copy_from_slice(&start.to_le_bytes());
        program[entry + 4] = 24;
        program.extend([9; 24]);
        program
    }

    #[test]
    fn a_signature_is_all_that_may_be_added() {
        let built = program();
        let signed = sign(program());
        assert!(is_signed_copy(&signed, &built));
        assert!(!is_signed_copy(&built, &built));
        assert!(!is_signed_copy(&signed, &signed));
        assert!(!is_signed_copy(&built, &signed));
        let last = signed.len() - 1;
        assert!(!is_signed_copy(&signed[..last], &built));
        assert!(!is_signed_copy(&[&signed[..], b"x"].concat(), &built));
        let code = built.len() - 1;
        for at in [HEADER + 8, HEADER + 24 + 112, code, built.len()] {
            let mut other = signed.clone();
            other[at] ^= 1;
            assert!(!is_signed_copy(&other, &built), "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(any: Vec<u8>, at: prop::sample::Index, byte: u8) {
            prop_assert!(!is_signed_copy(&any, &any));
            let mut signed = sign(program());
            let at = at.index(signed.len());
            signed[at] = byte;
            let _: bool = is_signed_copy(&signed, &program());
            prop_assert!(!is_signed_copy(&program(), &signed));
        }
    }
}
