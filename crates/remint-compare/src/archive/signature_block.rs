//! The signature block that `mcpb sign` writes after the end of a bundle: a header, the length of the signature
//! (four bytes, little-endian), the signature (PKCS#7, DER) and a footer, with which the file ends.
//!
//! Read forwards and backwards alike: what fits in more than one way, or not to the byte, is no block, and what is
//! there stays an anomaly. Whether a signature holds is not asked here.

use std::io::{Read, Seek};

use remint_model::{DetachedSignature, SignatureBlock};

use super::source::Input;
use crate::error::ReadError;

const HEADER: &[u8] = b"MCPB_SIG_V1";
const FOOTER: &[u8] = b"MCPB_SIG_END";
/// Header, length and footer.
const AROUND: usize = HEADER.len() + 4 + FOOTER.len();
/// Certificates and a signature need a few thousand bytes.
const LARGEST_SIGNATURE: usize = 1 << 20;

/// The block at the very end of a file of `length` bytes.
pub(super) fn find<R: Read + Seek>(
    input: &mut Input<R>,
    length: u64,
) -> Result<SignatureBlock, ReadError> {
    let footer_at = length.saturating_sub(FOOTER.len() as u64);
    input.seek(footer_at)?;
    let mut footer = vec![
        0;
        FOOTER
            .len()
            .min(usize::try_from(length).unwrap_or(usize::MAX))
    ];
    input.exact(&mut footer, "the end of the file")?;
    if footer != FOOTER {
        return Ok(SignatureBlock::Absent);
    }
    let start = length.saturating_sub((LARGEST_SIGNATURE + AROUND) as u64);
    input.seek(start)?;
    let mut tail = vec![0; usize::try_from(length - start).unwrap_or_default()];
    input.exact(&mut tail, "the end of the file")?;
    Ok(in_tail(&tail, start))
}

/// The block that `tail`, the last bytes of a file from `start` on, ends with.
fn in_tail(tail: &[u8], start: u64) -> SignatureBlock {
    let mut fitting = headers(tail).filter_map(|at| Some((at, fits(tail.get(at..)?)?)));
    match (fitting.next(), fitting.next()) {
        (Some((at, pkcs7)), None) => {
            if headers(pkcs7).next().is_some() {
                let why = "the signature holds the beginning of another block";
                return SignatureBlock::Malformed(why.to_owned());
            }
            SignatureBlock::Present(DetachedSignature {
                pkcs7: pkcs7.to_vec(),
                signed: start + at as u64,
                counted_at: None,
                length: (tail.len() - at) as u64,
            })
        }
        (Some(_), Some(_)) => {
            SignatureBlock::Malformed("it can be read as two different blocks".to_owned())
        }
        (None, _) => SignatureBlock::Malformed(if headers(tail).next().is_some() {
            "the length that the block states does not lead to its end".to_owned()
        } else {
            "the end of a block, without its beginning".to_owned()
        }),
    }
}

/// The signature of a block that spans these bytes exactly.
fn fits(block: &[u8]) -> Option<&[u8]> {
    let rest = block.strip_prefix(HEADER)?.strip_suffix(FOOTER)?;
    let (stated, pkcs7) = rest.split_first_chunk::<4>()?;
    let stated = usize::try_from(u32::from_le_bytes(*stated)).ok()?;
    (stated == pkcs7.len() && (1..=LARGEST_SIGNATURE).contains(&stated)).then_some(pkcs7)
}

fn headers(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let starts = bytes.windows(HEADER.len());
    starts
        .enumerate()
        .filter_map(|(at, window)| (window == HEADER).then_some(at))
}

/// What bytes that no zip ends with have of a block, in words.
pub(super) fn remnant(suffix: &[u8]) -> Option<String> {
    let has_end = suffix.windows(FOOTER.len()).any(|window| window == FOOTER);
    match (headers(suffix).next(), has_end) {
        (Some(0), true) => Some("another block stands before it".to_owned()),
        (Some(0), false) => Some("the block is cut off before its end".to_owned()),
        (Some(_), _) => Some("other bytes stand between the zip and the block".to_owned()),
        (None, true) => Some("the end of a block, without its beginning".to_owned()),
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(signature: &[u8], stated: u32) -> Vec<u8> {
        [HEADER, &stated.to_le_bytes(), signature, FOOTER].concat()
    }

    fn found(file: &[u8]) -> SignatureBlock {
        let mut input = Input::new(std::io::Cursor::new(file));
        find(&mut input, file.len() as u64).unwrap()
    }

    #[test]
    fn a_block_spans_the_file_from_the_zip_to_its_end() {
        let whole = [&b"zip"[..], &block(b"der", 3)].concat();
        assert_eq!(
            found(&whole),
            SignatureBlock::Present(DetachedSignature {
                pkcs7: b"der".to_vec(),
                signed: 3,
                counted_at: None,
                length: whole.len() as u64 - 3,
            })
        );
        assert_eq!(found(b"zip"), SignatureBlock::Absent);
        assert_eq!(found(b""), SignatureBlock::Absent);
        let longer = [&whole[..], b"x"].concat();
        assert_eq!(found(&longer), SignatureBlock::Absent);
    }

    #[test]
    fn what_fits_in_no_way_or_in_two_is_no_block() {
        let check = |file: &[u8], why: &str| {
            let SignatureBlock::Malformed(reason) = found(file) else {
                panic!("it is no block");
            };
            assert!(reason.contains(why), "{reason}");
        };
        check(&block(b"der", 2), "does not lead to its end");
        check(&block(b"der", u32::MAX), "does not lead to its end");
        check(&block(b"", 0), "does not lead to its end");
        check(b"der MCPB_SIG_END", "without its beginning");
        let inner = block(b"der", 3);
        let both = block(&inner[..inner.len() - FOOTER.len()], 18);
        check(&both, "two different blocks");
        check(&block(b"MCPB_SIG_V1", 11), "beginning of another block");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_a_block_is_what_it_says(
            before: Vec<u8>,
            signature: Vec<u8>,
            stated in prop_oneof![Just(None), any::<u32>().prop_map(Some)],
            after in prop_oneof![Just(Vec::new()), any::<Vec<u8>>()],
        ) {
            let stated = stated.unwrap_or(signature.len() as u32);
            let file = [before, block(&signature, stated), after].concat();
            if let SignatureBlock::Present(found) = found(&file) {
                let start = usize::try_from(found.signed).unwrap();
                prop_assert_eq!(&file[start..], block(&found.pkcs7, found.pkcs7.len() as u32));
            }
        }
    }
}
