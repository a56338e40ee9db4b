//! Walks a zip by its central directory, as Python does, and holds every local header against it, so that a
//! reader that streams through local headers would see the same archive or be named in an anomaly.

use std::io::{Read, Seek};
use std::sync::Arc;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use remint_model::{AnomalyKind, Sha256};
use sha2::Digest as _;

use super::listing::{Kind, Owner, Written};
use super::source::{Input, Source};
use super::zip_directory::{self, Central, Fields, UNKNOWN_32, extra_fields};
use super::{Anomalies, Flow, Seen, Visit, Walked};
use crate::error::ReadError;
use crate::limits::Limits;

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
const HAS_DESCRIPTOR: u16 = 1 << 3;
const UTF8: u16 = 1 << 11;
/// A zip link's target is its content.
const LONGEST_LINK: u64 = 4096;
/// Stands for what [`runs_for_some`] tells.
const NO_TYPE: Sha256 = Sha256::from_bytes(*b"executable, of no stated type...");

/// Whether a file is executable and is not said to be a regular one: pip does not make it executable then, uv does.
const fn runs_for_some(kind: Kind, external: u32) -> bool {
    let mode = external >> 16;
    matches!(kind, Kind::File) && mode & 0o111 != 0 && mode & 0o170_000 == 0
}

/// Goes through a zip in the order of its central directory.
pub(super) fn walk<R: Read + Seek>(
    reader: &mut R,
    is_bundle: bool,
    limits: &Limits,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<Walked, ReadError> {
    let directory = zip_directory::read(reader, is_bundle, limits, anomalies)?;
    // Entries that share packed bytes unpack to far more than the file holds.
    let packed = directory
        .entries
        .iter()
        .try_fold(0_u64, |sum, entry| sum.checked_add(entry.packed));
    if packed.is_none_or(|packed| packed > directory.start) {
        return Err(ReadError::malformed(
            directory.start,
            "the entries state more packed bytes than there are before the central directory",
        ));
    }
    reader.seek(std::io::SeekFrom::Start(0))?;
    let mut zip = Zip {
        input: Input::new(reader),
        anomalies,
        directory_start: directory.start,
        unpacked: 0,
        limit: limits.unpacked,
        owner: Arc::new(Owner::default()),
        spans: Vec::with_capacity(directory.entries.len()),
    };
    for (index, central) in (0_u32..).zip(&directory.entries) {
        if zip.entry(index, central, visit)? == Flow::Stop {
            return Ok(Walked {
                gzip: None,
                framing: directory.framing,
                signature: directory.signature,
            });
        }
    }
    zip.check_spans();
    Ok(Walked {
        gzip: None,
        framing: directory.framing,
        signature: directory.signature,
    })
}

struct Zip<'a, R> {
    input: Input<R>,
    anomalies: &'a mut Anomalies,
    directory_start: u64,
    unpacked: u64,
    limit: u64,
    owner: Arc<Owner>,
    /// Where each local entry begins and ends.
    spans: Vec<(u64, u64)>,
}

/// What a local header says, and where the content after it begins.
struct Local {
    content_at: u64,
    spelling: Vec<u8>,
    zip64: bool,
}

impl<R: Read + Seek> Zip<'_, R> {
    fn entry(
        &mut self,
        index: u32,
        central: &Central,
        visit: &mut Visit<'_>,
    ) -> Result<Flow, ReadError> {
        let local = self.local(central)?;
        let ends = local
            .content_at
            .checked_add(central.packed)
            .filter(|end| *end <= self.directory_start)
            .ok_or_else(|| {
                ReadError::malformed(
                    central.local,
                    "an entry that runs into the central directory",
                )
            })?;
        let descriptor = self.descriptor(central, &local, ends)?;
        self.spans
            .push((central.local, ends + descriptor.len() as u64));

        let name = self.name(central);
        let kind = self.kind(central, &name);
        let mut encoding = sha2::Sha256::new();
        encoding.update(central.spelling.as_bytes());
        encoding.update(&local.spelling);
        encoding.update([u8::try_from(descriptor.len()).unwrap_or_default()]);
        let checksum = self.packed_checksum(local.content_at, central.packed)?;
        let seen = Seen {
            index,
            name: &name,
            link: b"",
            kind,
            mode: (central.external >> 16) & 0o7777,
            size: central.size,
            written: Written {
                mtime: (dos_time(central.date, central.time), 0),
                owner: Arc::clone(&self.owner),
                attributes: runs_for_some(kind, central.external).then(|| Arc::new(NO_TYPE)),
                encoding: encoding.into(),
                packed: (central.packed, checksum),
            },
        };
        self.input.seek(local.content_at)?;
        let mut content = Content {
            input: &mut self.input,
            packed: central.packed,
            inflate: (central.method == DEFLATED && kind != Kind::Unreadable)
                .then(|| Decompress::new(false)),
            crc: Crc::new(),
            size: 0,
            ended: false,
            room: self.limit.saturating_sub(self.unpacked),
            limit: self.limit,
        };
        let flow = visit(seen, &mut content, self.anomalies)?;
        if content.size == 0 && !content.ended && central.size > 0 {
            // The visitor had no use for it.
            return Ok(flow);
        }
        if !content.ended {
            content.drain(&mut |_| {})?;
        }
        self.unpacked += content.size;
        if kind != Kind::Unreadable {
            let disagreement = if content.size != central.size {
                format!("{} bytes, stated as {}", content.size, central.size)
            } else if content.crc.sum() != central.crc {
                "the content does not have the stated checksum".to_owned()
            } else if content.packed > 0 {
                self.anomalies.add(
                    AnomalyKind::GapBytes,
                    &name,
                    format!(
                        "{} bytes after the end of the packed content",
                        content.packed
                    ),
                );
                return Ok(flow);
            } else {
                return Ok(flow);
            };
            self.anomalies
                .add(AnomalyKind::HeaderDisagreement, &name, disagreement);
        }
        Ok(flow)
    }

    /// Reads a local header and holds it against the central record.
    fn local(&mut self, central: &Central) -> Result<Local, ReadError> {
        let at = central.local;
        if at >= self.directory_start {
            return Err(ReadError::malformed(
                at,
                "a local header beyond the entries",
            ));
        }
        self.input.seek(at)?;
        let record = self.input.array::<30>("local header")?;
        let fields = Fields(&record);
        if fields.u32(0) != LOCAL {
            return Err(ReadError::malformed(at, "no local header"));
        }
        let mut name = vec![0; usize::from(fields.u16(26))];
        let mut extra = vec![0; usize::from(fields.u16(28))];
        self.input.exact(&mut name, "a local name")?;
        self.input.exact(&mut extra, "local extra fields")?;
        let mut sizes = (u64::from(fields.u32(22)), u64::from(fields.u32(18)));
        let mut zip64 = false;
        let mut extra_disagreements = Vec::new();
        for field in extra_fields(&extra) {
            let Some((id, data)) = field else {
                extra_disagreements.push("local extra fields that do not add up");
                break;
            };
            if id == zip_directory::UNICODE_PATH && data.get(5..) != Some(&central.name) {
                extra_disagreements.push("another name in the local Unicode path field");
            }
            if id == zip_directory::ZIP64 {
                if zip64 {
                    extra_disagreements.push("two local zip64 fields for one entry");
                }
                zip64 = true;
                let length = data.len();
                let data = Fields(data);
                let mut next = 0;
                if sizes.0 == UNKNOWN_32 {
                    sizes.0 = data.u64(next);
                    next += 8;
                }
                if sizes.1 == UNKNOWN_32 {
                    sizes.1 = data.u64(next);
                    next += 8;
                }
                // Here both sizes may stand without need (APPNOTE 4.5.3).
                if length != next && length != 16 {
                    extra_disagreements.push("a local zip64 field of another length");
                }
            }
        }
        for disagreement in extra_disagreements {
            self.anomalies
                .add(AnomalyKind::HeaderDisagreement, &central.name, disagreement);
        }
        let later = fields.u16(6) & HAS_DESCRIPTOR != 0;
        let mut disagree = |what: &str| {
            self.anomalies.add(
                AnomalyKind::HeaderDisagreement,
                &central.name,
                format!("local and central header differ in {what}"),
            );
        };
        if name != central.name {
            disagree(&format!("name: local `{}`", name.escape_ascii()));
        }
        if fields.u16(8) != central.method {
            disagree("compression method");
        }
        if fields.u16(6) != central.flags {
            disagree("flags");
        }
        let stated = |local: u64, central: u64| local == central || (later && local == 0);
        if !stated(u64::from(fields.u32(14)), u64::from(central.crc)) {
            disagree("checksum");
        }
        if !stated(sizes.0, central.size) || !stated(sizes.1, central.packed) {
            disagree("size");
        }
        let mut spelling = record.get(4..14).unwrap_or_default().to_vec();
        spelling.extend_from_slice(&extra);
        // Times are compared as times; here they would only repeat that difference.
        if let Some(times) = spelling.get_mut(6..10)
            && fields.u16(10) == central.time
            && fields.u16(12) == central.date
        {
            times.fill(0);
        }
        Ok(Local {
            content_at: self.input.position(),
            spelling,
            zip64,
        })
    }

    /// The bytes of the data descriptor after the content, if the flags announce one.
    fn descriptor(
        &mut self,
        central: &Central,
        local: &Local,
        at: u64,
    ) -> Result<Vec<u8>, ReadError> {
        if central.flags & HAS_DESCRIPTOR == 0 {
            return Ok(Vec::new());
        }
        self.input.seek(at)?;
        let mut bytes = [0; 24];
        let count = self.input.fill(&mut bytes)?;
        let bytes = bytes.get(..count).unwrap_or_default();
        let wide = central.zip64 || local.zip64;
        for signed in [true, false] {
            for wide in [wide, !wide] {
                let start = if signed { 4 } else { 0 };
                let fields = Fields(bytes);
                let (packed, size, length) = if wide {
                    (fields.u64(start + 4), fields.u64(start + 12), start + 20)
                } else {
                    (
                        u64::from(fields.u32(start + 4)),
                        u64::from(fields.u32(start + 8)),
                        start + 12,
                    )
                };
                let fits = (!signed || fields.u32(0) == DESCRIPTOR)
                    && fields.u32(start) == central.crc
                    && packed == central.packed
                    && size == central.size;
                if let Some(descriptor) = bytes.get(..length)
                    && fits
                {
                    return Ok(descriptor.to_vec());
                }
            }
        }
        self.anomalies.add(
            AnomalyKind::HeaderDisagreement,
            &central.name,
            "the data descriptor does not repeat the central header",
        );
        Ok(Vec::new())
    }

    /// A checksum of the packed bytes: only to see that the same content was packed in another way.
    fn packed_checksum(&mut self, at: u64, length: u64) -> Result<u32, ReadError> {
        self.input.seek(at)?;
        let mut crc = Crc::new();
        let mut left = length;
        while left > 0 {
            let piece = self.input.peek()?;
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let Some(piece) = piece.get(..count).filter(|piece| !piece.is_empty()) else {
                return Err(ReadError::malformed(at, "entry is cut off"));
            };
            crc.update(piece);
            self.input.consume(count);
            left -= count as u64;
        }
        Ok(crc.sum())
    }

    /// The name as Python decodes it.
    fn name(&mut self, central: &Central) -> Vec<u8> {
        if central.flags & UTF8 != 0 || central.name.is_ascii() {
            return central.name.clone();
        }
        self.anomalies.add(
            AnomalyKind::HeaderDisagreement,
            &central.name,
            "a name outside ASCII that is not marked as UTF-8, which readers decode in different ways",
        );
        central.name.clone()
    }

    fn kind(&mut self, central: &Central, name: &[u8]) -> Kind {
        if central.flags & ENCRYPTED != 0 {
            self.anomalies
                .add(AnomalyKind::UnreadableEntry, name, "encrypted");
            return Kind::Unreadable;
        }
        if !matches!(central.method, STORED | DEFLATED) {
            self.anomalies.add(
                AnomalyKind::UnreadableEntry,
                name,
                format!("compression method {}", central.method),
            );
            return Kind::Unreadable;
        }
        if central.method == STORED && central.packed != central.size {
            self.anomalies.add(
                AnomalyKind::HeaderDisagreement,
                name,
                "stored, with different packed and unpacked sizes",
            );
        }
        let file_type = (central.external >> 28) & 0o17;
        if name.ends_with(b"/") {
            if central.size != 0 {
                self.anomalies.add(
                    AnomalyKind::HeaderDisagreement,
                    name,
                    "a directory with content",
                );
            }
            return Kind::Directory;
        }
        match file_type {
            0 | 0o10 => Kind::File,
            0o12 if central.size <= LONGEST_LINK => Kind::SymbolicLink,
            0o04 => {
                self.anomalies.add(
                    AnomalyKind::HeaderDisagreement,
                    name,
                    "a directory by its type, a file by its name",
                );
                Kind::File
            }
            other => Kind::Special(u8::try_from(other).unwrap_or_default()),
        }
    }

    /// Bytes that belong to no entry, and bytes that belong to two.
    fn check_spans(&mut self) {
        self.spans.sort_unstable();
        let mut reached = 0;
        let ends = (self.directory_start, self.directory_start);
        for (start, end) in self.spans.iter().copied().chain([ends]) {
            if start > reached {
                let (kind, place) = if reached == 0 {
                    (AnomalyKind::PrefixBytes, "before the first entry")
                } else {
                    (AnomalyKind::GapBytes, "that no entry owns")
                };
                self.anomalies.add(
                    kind,
                    b"",
                    format!("{} bytes {place}, at byte {reached}", start - reached),
                );
            } else if start < reached {
                self.anomalies.add(
                    AnomalyKind::HeaderDisagreement,
                    b"",
                    format!("entries overlap at byte {start}"),
                );
            }
            reached = reached.max(end);
        }
    }
}

/// The content of one entry.
struct Content<'a, R> {
    input: &'a mut Input<R>,
    /// How many packed bytes are left.
    packed: u64,
    inflate: Option<Decompress>,
    crc: Crc,
    size: u64,
    ended: bool,
    /// How many more bytes the whole archive may unpack to.
    room: u64,
    limit: u64,
}

impl<R: Read> Source for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        while !self.ended && !buffer.is_empty() {
            let at = self.input.position();
            let available = self.input.peek()?;
            let count = usize::try_from(self.packed)
                .unwrap_or(usize::MAX)
                .min(available.len());
            let packed = available.get(..count).unwrap_or_default();
            let cut_off = packed.is_empty();
            let (read, written) = match &mut self.inflate {
                None => {
                    let count = packed.len().min(buffer.len());
                    if let (Some(to), Some(from)) = (buffer.get_mut(..count), packed.get(..count)) {
                        to.copy_from_slice(from);
                    }
                    self.ended = count == 0;
                    (count, count)
                }
                Some(inflate) => {
                    let before = (inflate.total_in(), inflate.total_out());
                    let status = inflate
                        .decompress(packed, buffer, FlushDecompress::None)
                        .map_err(|error| {
                            ReadError::malformed(at, format!("deflate stream: {error}"))
                        })?;
                    let read = usize::try_from(inflate.total_in() - before.0).unwrap_or_default();
                    let written =
                        usize::try_from(inflate.total_out() - before.1).unwrap_or_default();
                    match status {
                        Status::StreamEnd => self.ended = true,
                        Status::Ok | Status::BufError if read == 0 && written == 0 => {
                            let reason = if cut_off {
                                "deflate stream is cut off"
                            } else {
                                "deflate stream does not go on"
                            };
                            return Err(ReadError::malformed(at, reason));
                        }
                        Status::Ok | Status::BufError => {}
                    }
                    (read, written)
                }
            };
            self.input.consume(read);
            self.packed -= read as u64;
            self.crc.update(buffer.get(..written).unwrap_or_default());
            self.size += written as u64;
            if self.size > self.room {
                return Err(ReadError::TooLarge {
                    what: "unpacked content",
                    limit: self.limit,
                });
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

/// MS-DOS date and time as seconds since 1970, read as UTC (zip states no zone).
fn dos_time(date: u16, time: u16) -> i64 {
    let year = i64::from(date >> 9) + 1980;
    let month = i64::from((date >> 5) & 0xf).clamp(1, 12);
    let day = i64::from(date & 0x1f).max(1);
    // Days from civil (H. Hinnant): years begin in March, so that the leap day is the last.
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let seconds = i64::from(time >> 11) * 3600
        + i64::from((time >> 5) & 0x3f) * 60
        + i64::from(time & 0x1f) * 2;
    days * 86_400 + seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dos_times_are_counted_from_1970() {
        assert_eq!(dos_time(0x21, 0), 315_532_800);
        let (year, month, day) = (2024 - 1980, 2, 29);
        let date = year << 9 | month << 5 | day;
        assert_eq!(dos_time(date, 12 << 11 | 34 << 5 | 28), 1_709_210_096);
        dos_time(u16::MAX, u16::MAX);
        dos_time(0, 0);
    }
}
