//! The end of a zip and its central directory (PKWARE APPNOTE 4.3), with every sign that the file can be read
//! in more than one way.

use std::io::{Read, Seek, SeekFrom};

use remint_model::{AnomalyKind, DetachedSignature, Sha256, SignatureBlock};
use sha2::Digest as _;

use super::Anomalies;
use super::signature_block;
use super::source::Input;
use crate::error::ReadError;
use crate::limits::Limits;

const END: u32 = 0x0605_4b50;
const END_SIZE: u64 = 22;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const LOCATOR_64_SIZE: u64 = 20;
const CENTRAL: u32 = 0x0201_4b50;
const LONGEST_COMMENT: u64 = u16::MAX as u64;
pub(super) const UNICODE_PATH: u16 = 0x7075;
pub(super) const ZIP64: u16 = 1;
/// Stands for a value that a zip64 field gives.
pub(super) const UNKNOWN_32: u64 = 0xffff_ffff;

/// Little-endian fields of a fixed record.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn u16(&self, at: usize) -> u16 {
        self.0
            .get(at..at + 2)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u16::from_le_bytes)
    }

    pub(super) fn u32(&self, at: usize) -> u32 {
        self.0
            .get(at..at + 4)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u32::from_le_bytes)
    }

    pub(super) fn u64(&self, at: usize) -> u64 {
        self.0
            .get(at..at + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_le_bytes)
    }
}

/// One record of the central directory.
#[derive(Debug, Clone)]
pub(super) struct Central {
    pub(super) name: Vec<u8>,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) time: u16,
    pub(super) date: u16,
    pub(super) crc: u32,
    pub(super) packed: u64,
    pub(super) size: u64,
    pub(super) external: u32,
    /// Where its local header stands in the file, any prefix included.
    pub(super) local: u64,
    /// Whether a zip64 extra field gives sizes.
    pub(super) zip64: bool,
    /// Whether it gives a size or place that would have fit without it.
    needless_zip64: bool,
    /// Everything about it that installers do not look at.
    pub(super) spelling: Sha256,
}

/// The central directory, in its order.
pub(super) struct Directory {
    pub(super) entries: Vec<Central>,
    /// Where it begins: local entries end here.
    pub(super) start: u64,
    /// Digest of the end records.
    pub(super) framing: Sha256,
    pub(super) signature: SignatureBlock,
}

/// Where the central directory is, as the end records say it.
struct End {
    entries: u64,
    size: u64,
    offset: u64,
    /// Where the first end record stands: the directory should end there.
    at: u64,
    framing: sha2::Sha256,
    signature: SignatureBlock,
    others: Vec<OtherEnd>,
}

/// What could be another end record.
struct OtherEnd {
    at: u64,
    /// Whether it spans the rest of the file exactly.
    fits: bool,
}

/// Reads the end of the file and the central directory.
pub(super) fn read<R: Read + Seek>(
    reader: &mut R,
    is_bundle: bool,
    limits: &Limits,
    anomalies: &mut Anomalies,
) -> Result<Directory, ReadError> {
    let length = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let mut input = Input::new(reader);
    let signature = if is_bundle {
        signature_block::find(&mut input, length)?
    } else {
        SignatureBlock::Absent
    };
    let end = find_end(&mut input, length, signature, is_bundle, anomalies)?;
    if end.entries > limits.entries {
        return Err(ReadError::TooManyEntries {
            limit: limits.entries,
        });
    }
    if end.size > limits.directory {
        return Err(ReadError::TooLarge {
            what: "the central directory",
            limit: limits.directory,
        });
    }
    let start = end.at.checked_sub(end.size).ok_or_else(|| {
        ReadError::malformed(
            end.at,
            "the central directory is larger than the file before it",
        )
    })?;
    // One inside of an entry is that of an archive which was packed as it is: all readers look from the end of the file.
    let rivals = end.others.iter();
    let rivals = rivals.filter(|other| other.fits || other.at >= start);
    let count = rivals.count();
    if count > 0 {
        anomalies.add(
            AnomalyKind::HeaderDisagreement,
            b"",
            format!(
                "{} end records: readers differ in which one they take",
                count + 1
            ),
        );
    }
    let prefix = start.checked_sub(end.offset).ok_or_else(|| {
        ReadError::malformed(end.at, "the central directory lies after its own end")
    })?;
    if prefix > 0 {
        // Bytes before the archive, or between directory and end record: readers correct for both alike.
        anomalies.add(
            AnomalyKind::PrefixBytes,
            b"",
            format!("{prefix} bytes that the archive's own offsets do not count"),
        );
    }
    input.seek(start)?;
    let mut entries = Vec::new();
    for _ in 0..end.entries {
        if input.position() >= end.at {
            return Err(ReadError::malformed(
                input.position(),
                "the central directory has fewer records than stated",
            ));
        }
        let central = central(&mut input, prefix, limits, anomalies)?;
        // Libraries write such fields, and installers of packages read them; the unpacker of bundles does not.
        if is_bundle && central.needless_zip64 {
            anomalies.add(
                AnomalyKind::HeaderDisagreement,
                &central.name,
                "a zip64 field without need, which some readers never look at",
            );
        }
        entries.push(central);
    }
    let left = end.at.checked_sub(input.position()).ok_or_else(|| {
        ReadError::malformed(end.at, "the central directory runs into the end record")
    })?;
    if left > 0 {
        anomalies.add(
            AnomalyKind::GapBytes,
            b"",
            format!("{left} bytes after the last record of the central directory"),
        );
    }
    Ok(Directory {
        entries,
        start,
        framing: Sha256::from_bytes(end.framing.finalize().into()),
        signature: end.signature,
    })
}

/// Finds the end record as Python does: at the very end without a comment, else the last signature.
fn find_end<R: Read + Seek>(
    input: &mut Input<R>,
    length: u64,
    mut after_end: SignatureBlock,
    is_bundle: bool,
    anomalies: &mut Anomalies,
) -> Result<End, ReadError> {
    let (length, block) = match &after_end {
        SignatureBlock::Present(signature) => (signature.signed, signature.length),
        SignatureBlock::Absent | SignatureBlock::Malformed(_) => (length, 0),
    };
    let tail_start = length.saturating_sub(END_SIZE + LONGEST_COMMENT);
    input.seek(tail_start)?;
    let mut tail = vec![0; usize::try_from(length - tail_start).unwrap_or_default()];
    input.exact(&mut tail, "the end of the file")?;
    let signature = END.to_le_bytes();
    // Also such as are cut off: Python takes the last one, whatever follows it.
    let signatures: Vec<usize> = (0..tail.len())
        .filter(|at| tail.get(*at..*at + 4) == Some(&signature[..]))
        .collect();
    let whole = tail.len().saturating_sub(END_SIZE as usize - 1);
    let candidates = signatures.iter().filter(|at| **at < whole);
    let candidates: Vec<usize> = candidates.copied().collect();
    let Some(&last) = candidates.last() else {
        return Err(ReadError::malformed(length, "no zip end record"));
    };
    // A record that spans the rest of the file exactly is what strict readers take; two of them are two archives.
    let fits = |at: &&usize| {
        tail.get(**at..).is_some_and(|record| {
            let comment = u64::from(Fields(record).u16(20));
            let after = (record.len() as u64).saturating_sub(END_SIZE);
            comment == after || (block > 0 && comment == after + block)
        })
    };
    let chosen = candidates.iter().find(fits).copied().unwrap_or(last);
    let record = tail.get(chosen..).unwrap_or_default();
    let fields = Fields(record);
    let at = tail_start + chosen as u64;
    let comment = u64::from(fields.u16(20));
    let after = (record.len() as u64).saturating_sub(END_SIZE);
    if comment < after {
        anomalies.add(
            AnomalyKind::SuffixBytes,
            b"",
            format!("{} bytes after the end record", after - comment),
        );
        if is_bundle
            && let Some(suffix) = record.get((END_SIZE + comment) as usize..)
            && !matches!(after_end, SignatureBlock::Malformed(_))
            && let Some(why) = signature_block::remnant(suffix)
        {
            after_end = SignatureBlock::Malformed(why);
        }
    } else if comment > after
        && comment == after + block
        && let SignatureBlock::Present(DetachedSignature { counted_at, .. }) = &mut after_end
    {
        *counted_at = Some(at + 20);
    } else if comment > after {
        return Err(ReadError::malformed(at, "the zip comment is cut off"));
    }
    if fields.u16(4) != 0 || fields.u16(6) != 0 || fields.u16(8) != fields.u16(10) {
        return Err(ReadError::malformed(at, "a zip of several volumes"));
    }
    let others = signatures
        .iter()
        .filter(|at| **at != chosen)
        .map(|at| OtherEnd {
            at: tail_start + *at as u64,
            fits: fits(&at),
        })
        .collect();
    let mut end = End {
        others,
        entries: u64::from(fields.u16(10)),
        size: u64::from(fields.u32(12)),
        offset: u64::from(fields.u32(16)),
        at,
        framing: sha2::Sha256::new(),
        signature: after_end,
    };
    end.framing.update(record);
    zip64_end(input, &mut end, anomalies)?;
    Ok(end)
}

/// Applies a zip64 end record where there is one.
fn zip64_end<R: Read + Seek>(
    input: &mut Input<R>,
    end: &mut End,
    anomalies: &mut Anomalies,
) -> Result<(), ReadError> {
    let overflowing = end.entries == 0xffff || end.size == 0xffff_ffff || end.offset == 0xffff_ffff;
    let Some(locator_at) = end.at.checked_sub(LOCATOR_64_SIZE) else {
        return Ok(());
    };
    input.seek(locator_at)?;
    let locator = input.array::<20>("zip64 locator")?;
    let locator = Fields(&locator);
    if locator.u32(0) != LOCATOR_64 {
        return if overflowing && (end.size == 0xffff_ffff || end.offset == 0xffff_ffff) {
            Err(ReadError::malformed(end.at, "no zip64 end record"))
        } else {
            Ok(())
        };
    }
    // Python takes the record right before the locator, others the one that the locator points at.
    let record_at = locator_at
        .checked_sub(56)
        .ok_or_else(|| ReadError::malformed(locator_at, "no room for a zip64 end record"))?;
    input.seek(record_at)?;
    let record = input.array::<56>("zip64 end record")?;
    let fields = Fields(&record);
    if fields.u32(0) != END_64 {
        return Err(ReadError::malformed(record_at, "no zip64 end record"));
    }
    if fields.u64(4) != 44 || fields.u32(16) != 0 || fields.u32(20) != 0 {
        return Err(ReadError::malformed(
            record_at,
            "a zip64 end record of another version or volume",
        ));
    }
    let (entries, size, offset) = (fields.u64(32), fields.u64(40), fields.u64(48));
    let agree = |short: u64, unknown: u64, long: u64| short == unknown || short == long;
    if !agree(end.entries, 0xffff, entries)
        || !agree(end.size, 0xffff_ffff, size)
        || !agree(end.offset, 0xffff_ffff, offset)
        || fields.u64(24) != entries
        || (end.entries == 0xffff && entries < 0xffff)
        || (end.size == UNKNOWN_32 && size < UNKNOWN_32)
        || (end.offset == UNKNOWN_32 && offset < UNKNOWN_32)
    {
        anomalies.add(
            AnomalyKind::HeaderDisagreement,
            b"",
            "the zip and zip64 end records differ",
        );
    }
    end.framing.update(record);
    end.entries = entries;
    end.size = size;
    end.offset = offset;
    end.at = record_at;
    let prefix = record_at
        .checked_sub(size)
        .and_then(|start| start.checked_sub(offset));
    if prefix.is_none_or(|prefix| locator.u64(8).checked_add(prefix) != Some(record_at)) {
        anomalies.add(
            AnomalyKind::HeaderDisagreement,
            b"",
            "the zip64 locator points elsewhere than at the record before it",
        );
    }
    Ok(())
}

fn central<R: Read>(
    input: &mut Input<R>,
    prefix: u64,
    limits: &Limits,
    anomalies: &mut Anomalies,
) -> Result<Central, ReadError> {
    let at = input.position();
    let record = input.array::<46>("central directory record")?;
    let fields = Fields(&record);
    if fields.u32(0) != CENTRAL {
        return Err(ReadError::malformed(at, "no central directory record"));
    }
    let name_length = u64::from(fields.u16(28));
    if name_length > limits.name {
        return Err(ReadError::TooLarge {
            what: "an entry's name",
            limit: limits.name,
        });
    }
    let mut name = vec![0; usize::from(fields.u16(28))];
    let mut extra = vec![0; usize::from(fields.u16(30))];
    let mut comment = vec![0; usize::from(fields.u16(32))];
    input.exact(&mut name, "an entry's name")?;
    input.exact(&mut extra, "an entry's extra fields")?;
    input.exact(&mut comment, "an entry's comment")?;
    if fields.u16(34) != 0 && fields.u16(34) != 0xffff {
        return Err(ReadError::malformed(at, "an entry on another volume"));
    }
    let mut spelling = sha2::Sha256::new();
    for part in [
        record.get(4..12).unwrap_or_default(),
        record.get(32..40).unwrap_or_default(),
        &[u8::try_from(fields.u32(38) >> 28).unwrap_or_default()],
        &extra,
        &comment,
    ] {
        spelling.update((part.len() as u64).to_le_bytes());
        spelling.update(part);
    }
    let mut central = Central {
        flags: fields.u16(8),
        method: fields.u16(10),
        time: fields.u16(12),
        date: fields.u16(14),
        crc: fields.u32(16),
        packed: u64::from(fields.u32(20)),
        size: u64::from(fields.u32(24)),
        external: fields.u32(38),
        local: u64::from(fields.u32(42)),
        zip64: false,
        needless_zip64: false,
        spelling: Sha256::from_bytes(spelling.finalize().into()),
        name,
    };
    apply_extra(&mut central, &extra, at, anomalies)?;
    central.local = central
        .local
        .checked_add(prefix)
        .ok_or_else(|| ReadError::malformed(at, "a local header beyond the file"))?;
    Ok(central)
}

fn apply_extra(
    central: &mut Central,
    extra: &[u8],
    at: u64,
    anomalies: &mut Anomalies,
) -> Result<(), ReadError> {
    let mut seen_zip64 = false;
    for field in extra_fields(extra) {
        let Some((id, data)) = field else {
            anomalies.add(
                AnomalyKind::HeaderDisagreement,
                &central.name,
                "extra fields that do not add up",
            );
            break;
        };
        match id {
            ZIP64 if seen_zip64 => anomalies.add(
                AnomalyKind::HeaderDisagreement,
                &central.name,
                "two zip64 fields for one entry",
            ),
            ZIP64 => {
                seen_zip64 = true;
                central.zip64 = true;
                let mut data = data;
                let mut needless = false;
                let mut next = |value: &mut u64| {
                    if *value == UNKNOWN_32 {
                        let (bytes, rest) = data.split_first_chunk::<8>().ok_or_else(|| {
                            ReadError::malformed(at, "a zip64 field that is too short")
                        })?;
                        *value = u64::from_le_bytes(*bytes);
                        needless |= *value < UNKNOWN_32;
                        data = rest;
                    }
                    Ok::<_, ReadError>(())
                };
                next(&mut central.size)?;
                next(&mut central.packed)?;
                next(&mut central.local)?;
                central.needless_zip64 = needless;
                // Some readers go by its length where they look for values.
                if !data.is_empty() {
                    anomalies.add(
                        AnomalyKind::HeaderDisagreement,
                        &central.name,
                        "a zip64 field that says more than it has to",
                    );
                }
            }
            UNICODE_PATH if data.get(5..) != Some(&central.name) => anomalies.add(
                AnomalyKind::HeaderDisagreement,
                &central.name,
                "another name in the Unicode path field",
            ),
            _ => {}
        }
    }
    Ok(())
}

/// The extra fields one by one; a last `None` when the rest is no field.
pub(super) fn extra_fields(extra: &[u8]) -> impl Iterator<Item = Option<(u16, &[u8])>> {
    let mut rest = extra;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = Fields(rest);
        let (id, length) = (field.u16(0), usize::from(field.u16(2)));
        let data = rest.get(4..4 + length);
        rest = rest.get(4 + length..).unwrap_or_default();
        Some(data.map(|data| (id, data)))
    })
}
