//! The tar that npm writes (node-tar in portable mode): POSIX.1-1988 ustar headers without owner, a fixed time, and two
//! empty blocks at the end.

use super::PackedFile;

const BLOCK: usize = 512;
/// 1985-10-26T08:15:00Z, the time that npm gives every file.
const TIME: u64 = 499_162_500;
/// Larger sizes are written in another way.
const LARGEST: u64 = 0o7_777_777_777;

/// The archive of these files, in their order; `None` where a header would have to be written in another way, as for
/// paths of more than 100 bytes.
#[must_use]
pub fn tar<'f>(files: impl IntoIterator<Item = (&'f PackedFile, Vec<u8>)>) -> Option<Vec<u8>> {
    let mut tar = Vec::new();
    for (file, content) in files {
        tar.extend_from_slice(&header(file, content.len() as u64)?);
        tar.extend_from_slice(&content);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    Some(tar)
}

fn header(file: &PackedFile, size: u64) -> Option<[u8; BLOCK]> {
    let path = format!("package/{}", file.path);
    if path.len() > 100 || !path.is_ascii() || size > LARGEST {
        return None;
    }
    let mode = if file.executable { 0o755 } else { 0o644 };
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| -> Option<()> {
        header.get_mut(at..at + text.len())?.copy_from_slice(text);
        Some(())
    };
    put(0, path.as_bytes())?;
    put(100, octal(mode, 6).as_bytes())?;
    put(124, octal(size, 10).as_bytes())?;
    put(136, octal(TIME, 10).as_bytes())?;
    // The checksum counts its own field as spaces.
    put(148, b"        ")?;
    put(156, b"0")?;
    put(257, b"ustar\x0000")?;
    put(329, octal(0, 6).as_bytes())?;
    put(337, octal(0, 6).as_bytes())?;
    let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
    header
        .get_mut(148..156)?
        .copy_from_slice(octal(sum, 6).as_bytes());
    Some(header)
}

/// An octal number, filled up with zeros, then a space and a null byte.
fn octal(number: u64, digits: usize) -> String {
    format!("{number:0digits$o} \0")
}
