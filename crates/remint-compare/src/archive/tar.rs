//! Walks a gzipped tar: headers to the letter, extended headers and long names applied as Python applies them,
//! and every place where node-tar or GNU tar would see something else kept as an anomaly.

use std::io::Read;
use std::sync::Arc;

use remint_model::{AnomalyKind, Sha256, SignatureBlock};
use sha2::Digest as _;

use super::blocks::{Blocks, TarStream};
use super::gzip::GzipReader;
use super::listing::{Encoding, Kind, Owner, Written};
use super::pax::Records;
use super::tar_header::{Block, Dialect, Header};
use super::{Anomalies, Flow, Seen, Visit, Walked};
use crate::error::ReadError;
use crate::limits::Limits;

/// PAX keys that installers apply or that only describe the packer's disk; other keys are kept as attributes.
const KNOWN_KEYS: &[&str] = &[
    "path",
    "linkpath",
    "size",
    "mtime",
    "atime",
    "ctime",
    "uid",
    "gid",
    "uname",
    "gname",
    "comment",
    "charset",
    "hdrcharset",
    "LIBARCHIVE.creationtime",
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
];
/// Prefixes of more such keys: old npm's own record of its tree, and macOS attributes no installer restores.
const KNOWN_PREFIXES: &[&str] = &[
    "NODETAR.",
    "LIBARCHIVE.xattr.com.apple.",
    "SCHILY.xattr.com.apple.",
];

const PAX_AND_GNU: &str = "PAX and GNU headers for one entry";
/// The most headers that describe one entry. Packers write a long name, a long link target and a PAX header at most.
const MOST_DESCRIBING: usize = 16;

/// Goes through the tar inside a gzip stream.
pub(super) fn walk<R: Read>(
    reader: R,
    limits: &Limits,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<Walked, ReadError> {
    let mut gzip = GzipReader::new(reader, limits.unpacked)?;
    let framing = walk_stream(&mut gzip, limits, anomalies, visit)?;
    Ok(Walked {
        gzip: Some(gzip.header()),
        framing,
        signature: SignatureBlock::Absent,
    })
}

/// Goes through a tar, to the end of its stream unless the visitor stops; the digest is that of its framing.
pub(super) fn walk_stream<S: TarStream>(
    stream: &mut S,
    limits: &Limits,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<Sha256, ReadError> {
    let mut tar = Tar {
        blocks: Blocks::new(stream, limits, anomalies),
        global: Records::default(),
        global_size: 0,
        pax_size: 0,
        global_attributes: None,
        owner: Arc::default(),
    };
    let flow = tar.entries(visit)?;
    if flow == Flow::Continue {
        tar.blocks.ending()?;
    }
    Ok(tar.blocks.framing())
}

/// What extended headers say about the entry that follows them.
#[derive(Default)]
struct Extended {
    records: Option<Records>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    /// Bytes of all PAX headers for it.
    size: u64,
    /// The header blocks before the entry's own, without their values.
    spelling: Vec<Block>,
}

struct Tar<'a, S> {
    blocks: Blocks<'a, S>,
    global: Records,
    /// Bytes of all that was ever added to them.
    global_size: u64,
    /// Bytes of all PAX headers so far.
    pax_size: u64,
    /// A digest of all that they have added to the attributes of every entry.
    global_attributes: Option<Sha256>,
    /// That of the last entry: nearly always that of the next one too.
    owner: Arc<Owner>,
}

impl<S: TarStream> Tar<'_, S> {
    /// Reads entries up to the end of the archive, or until the visitor stops.
    fn entries(&mut self, visit: &mut Visit<'_>) -> Result<Flow, ReadError> {
        let mut extended = Extended::default();
        let mut index: u32 = 0;
        while let Some((block, at)) = self.blocks.header()? {
            let header = Header::parse(&block, at)?;
            for disagreement in &header.disagreements {
                self.disagree(&header.name, *disagreement);
            }
            if self.extended_header(&header, &mut extended, at)? {
                continue;
            }
            let flow = self.entry(header, std::mem::take(&mut extended), index, at, visit)?;
            index += 1;
            if flow == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        if extended.records.is_some()
            || extended.long_name.is_some()
            || extended.long_link.is_some()
        {
            self.disagree(b"", "an extended header without an entry");
        }
        Ok(Flow::Continue)
    }

    /// Takes a header that only describes the next one; `false` when it is an entry of its own.
    fn extended_header(
        &mut self,
        header: &Header,
        extended: &mut Extended,
        at: u64,
    ) -> Result<bool, ReadError> {
        let (pax, gnu) = (
            extended.records.is_some(),
            extended.long_name.is_some() || extended.long_link.is_some(),
        );
        match header.kind {
            // Readers apply a PAX size to whatever header comes next, or only to the entry.
            b'L' | b'K' if pax => self.disagree(&header.name, PAX_AND_GNU),
            b'x' | b'X' if gnu => self.disagree(&header.name, PAX_AND_GNU),
            b'g' if pax || gnu => self.disagree(
                &header.name,
                "a global PAX header between an entry and what describes it",
            ),
            _ => {}
        }
        if matches!(header.kind, b'x' | b'X' | b'g' | b'L' | b'K') {
            self.check_dialect(header);
            if extended.spelling.len() >= MOST_DESCRIBING {
                return Err(ReadError::malformed(
                    at,
                    format!("more than {MOST_DESCRIBING} headers describe one entry"),
                ));
            }
        }
        match header.kind {
            b'x' | b'X' => {
                extended.size = extended.size.saturating_add(header.size);
                let content = self.pax_text(header.size, extended.size)?;
                let records = Records::parse(&content, at)?;
                self.check_records(header, &records);
                if let Some(earlier) = &mut extended.records {
                    self.disagree(&header.name, "two PAX headers for one entry");
                    earlier.extend(records);
                } else {
                    extended.records = Some(records);
                }
            }
            b'g' => {
                let content = self.pax_text(header.size, header.size)?;
                let records = Records::parse(&content, at)?;
                self.check_records(header, &records);
                for key in ["path", "linkpath", "size"] {
                    if records.value(key).is_some() {
                        self.disagree(
                            &header.name,
                            format!("a global PAX header sets `{key}` for all entries"),
                        );
                    }
                }
                self.set_for_all(records)?;
            }
            b'L' => {
                let name = self.long_text(header)?;
                if extended.long_name.replace(name).is_some() {
                    self.disagree(&header.name, "two long names for one entry");
                }
            }
            b'K' => {
                let link = self.long_text(header)?;
                if extended.long_link.replace(link).is_some() {
                    self.disagree(&header.name, "two long link targets for one entry");
                }
            }
            _ => return Ok(false),
        }
        extended.spelling.push(header.spelling);
        Ok(true)
    }

    /// The text of a PAX header, if that and `together`, all for one entry, are no longer than such headers may be.
    fn pax_text(&mut self, size: u64, together: u64) -> Result<Vec<u8>, ReadError> {
        let limits = self.blocks.limits;
        self.pax_size = self.pax_size.saturating_add(size);
        for (size, limit, what) in [
            (together, limits.extended_header, "PAX headers of one entry"),
            (
                self.pax_size,
                limits.extended_headers,
                "all PAX headers together",
            ),
        ] {
            if size > limit {
                return Err(ReadError::TooLarge { what, limit });
            }
        }
        self.blocks.text(size, limits.extended_header, "PAX header")
    }

    /// Readers in Rust (cargo's, uv's, Deno's) only take such a header for what it is where its magic is that of ustar or
    /// GNU, and never know the `X` of Solaris: to them it is a file, and what it says of the next entry is not said.
    fn check_dialect(&mut self, header: &Header) {
        let is_known = match header.dialect {
            Dialect::Ustar | Dialect::Gnu => header.kind != b'X',
            Dialect::V7 | Dialect::Other => false,
        };
        if !is_known {
            self.disagree(
                &header.name,
                "a header for the next entry that some readers take for a file",
            );
        }
    }

    /// Takes in the records of a global header. Their digest goes on from the one before: every entry has all of them, and
    /// hashing them for each would take quadratic time.
    fn set_for_all(&mut self, records: Records) -> Result<(), ReadError> {
        let new = self.global.update(records);
        let size = |(key, value): &(Vec<u8>, Vec<u8>)| (key.len() + value.len()) as u64;
        self.global_size += new.iter().map(size).sum::<u64>();
        let limit = self.blocks.limits.extended_header;
        if self.global_size > limit {
            return Err(ReadError::TooLarge {
                what: "all global PAX headers together",
                limit,
            });
        }
        let new = new.iter().map(|(key, value)| (&**key, &**value));
        self.global_attributes = attributes(self.global_attributes, new);
        Ok(())
    }

    fn check_records(&mut self, header: &Header, records: &Records) {
        for disagreement in records.disagreements() {
            self.disagree(&header.name, disagreement);
        }
        for (key, _) in records.iter() {
            if key.starts_with(b"GNU.sparse.") {
                self.blocks.anomalies.add(
                    AnomalyKind::UnreadableEntry,
                    &header.name,
                    "a sparse file, which npm's reader does not unfold",
                );
            }
        }
    }

    fn entry(
        &mut self,
        header: Header,
        extended: Extended,
        index: u32,
        at: u64,
        visit: &mut Visit<'_>,
    ) -> Result<Flow, ReadError> {
        let records = extended.records.as_ref();
        let value = |key: &str| {
            records
                .and_then(|records| records.value(key))
                .or_else(|| self.global.value(key))
        };
        let number = |key: &str| match records.map(|records| records.number(key, at)).transpose()? {
            Some(Some(number)) => Ok(Some(number)),
            Some(None) | None => self.global.number(key, at),
        };

        let name = value("path").map(<[u8]>::to_vec);
        let link = value("linkpath").map(<[u8]>::to_vec);
        let stated_size = number("size")?;
        let owner = Owner {
            user: number("uid")?.unwrap_or(header.user),
            group: number("gid")?.unwrap_or(header.group),
            user_name: value("uname").unwrap_or(&header.user_name).to_vec(),
            group_name: value("gname").unwrap_or(&header.group_name).to_vec(),
        };
        let mtime = match records
            .map(|records| records.time("mtime", at))
            .transpose()?
        {
            Some(Some(time)) => Some(time),
            Some(None) | None => self.global.time("mtime", at)?,
        }
        .unwrap_or((header.mtime, 0));
        let own = records.and_then(|records| attributes(None, records.iter()));
        let attributes = match (own, self.global_attributes) {
            (Some(own), Some(global)) => Some(attributes_of_both(&own, &global)),
            (own, global) => own.or(global),
        }
        .map(Arc::new);
        let encoding = encoding(&header, &extended);

        for (pax, gnu) in [(&name, &extended.long_name), (&link, &extended.long_link)] {
            if let (Some(pax), Some(gnu)) = (pax, gnu)
                && pax != gnu
            {
                self.disagree(pax, "PAX and GNU long names differ");
            }
        }
        if let Some(path) = &name
            && !may_stand_for(&header.name, path)
        {
            self.disagree(
                path,
                format!(
                    "npm's reader can lose this PAX path, and the entry then is `{}`",
                    header.name.escape_ascii()
                ),
            );
        }
        let own_slash = header.name.ends_with(b"/");
        let name = name.or(extended.long_name).unwrap_or(header.name);
        let link = link.or(extended.long_link).unwrap_or(header.link);
        if name.len() as u64 > self.blocks.limits.name
            || link.len() as u64 > self.blocks.limits.name
        {
            return Err(ReadError::TooLarge {
                what: "an entry's name",
                limit: self.blocks.limits.name,
            });
        }
        if let Some(stated) = stated_size
            && stated != header.size
        {
            self.disagree(
                &name,
                format!("size is {} in the tar header, {stated} in PAX", header.size),
            );
        }
        let size = stated_size.unwrap_or(header.size);
        let kind = self.kind(header.kind, own_slash, &name);
        let body = match kind {
            Kind::File | Kind::Unreadable => size,
            Kind::Special(kind) if !matches!(kind, b'3' | b'4' | b'6') => size,
            Kind::Directory | Kind::SymbolicLink | Kind::HardLink | Kind::Special(_) => {
                if size != 0 {
                    // Python goes on right after the header, others skip this many bytes.
                    self.disagree(
                        &name,
                        format!("an entry without content states {size} bytes"),
                    );
                }
                0
            }
        };
        if *self.owner != owner {
            self.owner = Arc::new(owner);
        }
        let seen = Seen {
            index,
            name: &name,
            link: if matches!(kind, Kind::SymbolicLink | Kind::HardLink) {
                &link
            } else {
                b""
            },
            kind,
            mode: header.mode,
            size: body,
            written: Written {
                mtime,
                owner: Arc::clone(&self.owner),
                attributes,
                encoding,
                packed: (0, 0),
            },
        };
        let mut flow = Flow::Continue;
        self.blocks.content(body, &name, |content, anomalies| {
            flow = visit(seen, content, anomalies)?;
            Ok(flow == Flow::Continue)
        })?;
        Ok(flow)
    }

    /// `own_slash`: whether the header's own name ends in a slash, whatever name is stated before it.
    fn kind(&mut self, kind: u8, own_slash: bool, name: &[u8]) -> Kind {
        let slash = name.ends_with(b"/");
        if kind == 0 && slash != own_slash {
            // Python tells directories of this old type by the header's own name, node-tar by the entry's.
            self.disagree(name, "a directory by one of its names, a file by another");
        }
        if slash && matches!(kind, b'1' | b'2' | b'7') {
            self.disagree(name, "the name ends in a slash, but it is no directory");
        }
        match kind {
            0 if slash => Kind::Directory,
            b'0' if slash => {
                self.disagree(name, "a regular file whose name ends in a slash");
                Kind::Directory
            }
            0 | b'0' | b'7' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::SymbolicLink,
            b'5' => Kind::Directory,
            b'S' => {
                self.blocks.anomalies.add(
                    AnomalyKind::UnreadableEntry,
                    name,
                    "a sparse file, which npm's reader does not unfold",
                );
                Kind::Unreadable
            }
            b'N' => {
                self.disagree(
                    name,
                    "an old long name, which npm's reader gives to the entry that comes next",
                );
                Kind::Special(kind)
            }
            other => Kind::Special(other),
        }
    }

    /// A GNU long name: text with a final NUL.
    fn long_text(&mut self, header: &Header) -> Result<Vec<u8>, ReadError> {
        let mut text = self
            .blocks
            .text(header.size, self.blocks.limits.name + 1, "a long name")?;
        if text.last() == Some(&0) {
            text.pop();
        }
        if text.is_empty() || text.contains(&0) {
            // Python and node-tar end it at the first NUL, and node-tar ignores it when nothing is left.
            self.disagree(&header.name, "a long name that is empty or holds a NUL");
        }
        Ok(text)
    }

    fn disagree(&mut self, name: &[u8], detail: impl Into<String>) {
        self.blocks.disagree(name, detail);
    }
}

/// Whether a header's own name is what packers put there for a PAX path.
///
/// node-tar decodes records piece by piece. Of a path outside ASCII one letter can lie across two pieces; the record
/// then has another length than it states, is ignored, and the header's own name is where the content goes.
fn may_stand_for(own: &[u8], path: &[u8]) -> bool {
    /// At least so much of a name that is too long is kept.
    const CUT: usize = 99;
    if path.is_ascii() || own == b"PaxHeader" {
        return true;
    }
    let in_ascii: String = String::from_utf8_lossy(path)
        .chars()
        .map(|letter| if letter.is_ascii() { letter } else { '?' })
        .collect();
    [path, in_ascii.as_bytes()]
        .into_iter()
        .any(|full| own == full || own.len() >= CUT && full.starts_with(own))
}

/// A digest of the PAX records that installers neither apply nor can be known to ignore, and of what came before them.
fn attributes<'r>(
    before: Option<Sha256>,
    records: impl Iterator<Item = (&'r [u8], &'r [u8])>,
) -> Option<Sha256> {
    let mut hasher = None;
    for (key, value) in records {
        let known = KNOWN_KEYS.iter().any(|known| known.as_bytes() == key)
            || KNOWN_PREFIXES
                .iter()
                .any(|prefix| key.starts_with(prefix.as_bytes()));
        if !known {
            let hasher = hasher.get_or_insert_with(|| {
                let mut hasher = sha2::Sha256::new();
                if let Some(before) = &before {
                    hasher.update(before.as_bytes());
                }
                hasher
            });
            for part in [key, value] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
    }
    hasher
        .map(|hasher| Sha256::from_bytes(hasher.finalize().into()))
        .or(before)
}

fn attributes_of_both(own: &Sha256, global: &Sha256) -> Sha256 {
    let mut hasher = sha2::Sha256::new();
    hasher.update(own.as_bytes());
    hasher.update(global.as_bytes());
    Sha256::from_bytes(hasher.finalize().into())
}

/// A digest of how an entry was written, from which everything that it says has been removed.
fn encoding(header: &Header, extended: &Extended) -> Encoding {
    let mut hasher = sha2::Sha256::new();
    for spelling in extended.spelling.iter().chain([&header.spelling]) {
        hasher.update(spelling);
    }
    for (key, _) in extended.records.iter().flat_map(Records::iter) {
        hasher.update(key);
        hasher.update([0]);
    }
    hasher.into()
}
