//! Walks the tar of a container image's layer by the rules of Go's `archive/tar` (`Reader.Next`), which container runtimes
//! read with. Where a reader with other rules would see something else, that is kept as an anomaly: no builder of images
//! writes such a thing.

use remint_model::AnomalyKind;

use super::Anomalies;
use super::blocks::{Blocks, TarStream};
use super::layer::{LayerEntry, LayerKind};
use super::layer_header::{LayerHeader, has_more_pieces};
use super::pax::Records;
use super::source::Source;
use crate::error::ReadError;
use crate::limits::Limits;

/// Blocks of a sparse file's pieces; Go reads as many bytes of them as of any extended header.
const MOST_PIECE_BLOCKS: usize = (1 << 20) / 512;
const SPARSE: &[u8] = b"GNU.sparse.";
/// Beginnings of extended attributes; runtimes read the first.
const ATTRIBUTES: [&[u8]; 2] = [b"SCHILY.xattr.", b"LIBARCHIVE.xattr."];
/// Attributes that the kernel's overlay goes by, the second where it runs without privileges.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// What a walk calls for each entry.
pub(super) type Visit<'v> =
    dyn FnMut(LayerEntry<'_>, &mut dyn Source) -> Result<(), ReadError> + 'v;

/// Goes through a tar, to the end of its stream.
pub(super) fn walk<S: TarStream>(
    stream: &mut S,
    limits: &Limits,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<(), ReadError> {
    let mut walker = Walker {
        blocks: Blocks::new(stream, limits, anomalies),
        before: Before::default(),
    };
    while let Some((block, at)) = walker.blocks.header()? {
        let header = LayerHeader::parse(&block, at)?;
        if let Some(disagreement) = header.disagreement {
            walker.blocks.disagree(&header.name, disagreement);
        }
        if !walker.describes_another(&header, at)? {
            let before = std::mem::take(&mut walker.before);
            walker.entry(&header, before, at, visit)?;
        }
    }
    if walker.before.is_anything() {
        walker
            .blocks
            .disagree(b"", "an extended header without an entry");
    }
    walker.blocks.ending()
}

/// What headers say about the entry that follows them.
#[derive(Default)]
struct Before {
    records: Option<Records>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Before {
    const fn is_anything(&self) -> bool {
        self.records.is_some() || self.long_name.is_some() || self.long_link.is_some()
    }
}

struct Walker<'a, S> {
    blocks: Blocks<'a, S>,
    before: Before,
}

impl<S: TarStream> Walker<'_, S> {
    /// Takes a header that only describes others; `false` when it is an entry of its own.
    fn describes_another(&mut self, header: &LayerHeader, at: u64) -> Result<bool, ReadError> {
        match header.kind {
            b'x' => {
                let records = self.records(header, at)?;
                // The last one stands for itself, whatever was said before it.
                if self.before.records.replace(records).is_some() {
                    self.blocks
                        .disagree(&header.name, "two PAX headers for one entry");
                }
            }
            b'g' => {
                let records = self.records(header, at)?;
                self.global(header, &records);
                // Go hands it out as an entry, and what was said before is said of it.
                if std::mem::take(&mut self.before).is_anything() {
                    self.blocks.disagree(
                        &header.name,
                        "a global PAX header between an entry and what describes it",
                    );
                }
            }
            b'L' => {
                let name = self.long_text(header, at)?;
                if self.before.long_name.replace(name).is_some() {
                    self.blocks
                        .disagree(&header.name, "two long names for one entry");
                }
            }
            b'K' => {
                let link = self.long_text(header, at)?;
                if self.before.long_link.replace(link).is_some() {
                    self.blocks
                        .disagree(&header.name, "two long link targets for one entry");
                }
            }
            _ => return Ok(false),
        }
        let gnu = self.before.long_name.is_some() || self.before.long_link.is_some();
        if gnu && self.before.records.is_some() {
            self.blocks
                .disagree(&header.name, "PAX and GNU headers for one entry");
        }
        Ok(true)
    }

    /// `git archive` begins with a comment; anything else is for all entries to some readers, and an entry of its own, which
    /// replaces what is there, to others.
    fn global(&mut self, header: &LayerHeader, records: &Records) {
        let is_comment = records.iter().all(|(key, _)| key == b"comment");
        if !is_comment || header.name != b"pax_global_header" {
            let name = records.value("path").unwrap_or(&header.name).to_vec();
            self.blocks.disagree(
                &name,
                "a global PAX header, which runtimes do not apply to other entries",
            );
        }
    }

    fn records(&mut self, header: &LayerHeader, at: u64) -> Result<Records, ReadError> {
        let limit = self.blocks.limits.extended_header;
        let content = self.blocks.text(size(header, at)?, limit, "PAX header")?;
        let records = Records::parse(&content, at)?;
        for (key, value) in records.iter() {
            let is_text = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
            if key.is_empty() || key.contains(&0) || is_text && value.contains(&0) {
                return Err(ReadError::malformed(at, "PAX record holds a NUL"));
            }
            if matches!(key, b"path" | b"linkpath") && value.is_empty() {
                self.blocks.disagree(
                    &header.name,
                    format!("PAX `{}` is empty", key.escape_ascii()),
                );
            }
        }
        Ok(records)
    }

    /// A GNU long name: text up to its first NUL.
    fn long_text(&mut self, header: &LayerHeader, at: u64) -> Result<Vec<u8>, ReadError> {
        let limit = self.blocks.limits.name + 1;
        let mut text = self.blocks.text(size(header, at)?, limit, "a long name")?;
        let end = text.iter().position(|byte| *byte == 0);
        if end == Some(0) || text.is_empty() || end.is_some_and(|end| end + 1 < text.len()) {
            self.blocks.disagree(
                &header.name,
                "a long name that is empty or goes on after a NUL",
            );
        }
        text.truncate(end.unwrap_or(text.len()));
        Ok(text)
    }

    fn entry(
        &mut self,
        header: &LayerHeader,
        before: Before,
        at: u64,
        visit: &mut Visit<'_>,
    ) -> Result<(), ReadError> {
        let records = before.records.unwrap_or_default();
        for key in ["uid", "gid"] {
            records.number(key, at)?;
        }
        for key in ["mtime", "atime", "ctime"] {
            records.time(key, at)?;
        }
        let stated = records.number("size", at)?;
        let sparse = sparse_name(&records);
        let named = |pax: &str, gnu: Option<Vec<u8>>, own: Vec<u8>| {
            let gnu = gnu.filter(|gnu| !gnu.is_empty());
            gnu.or_else(|| records.value(pax).map(<[u8]>::to_vec))
                .unwrap_or(own)
        };
        let mut name = named("path", before.long_name, header.name.clone());
        let link = named("linkpath", before.long_link, header.link.clone());
        // Go has decided by then.
        let is_directory = header.kind == 0 && name.ends_with(b"/");
        let old_sparse = header.kind == b'S';
        if let (false, Some(sparse)) = (old_sparse, &sparse)
            && !sparse.is_empty()
        {
            name.clone_from(sparse);
        }
        if name.len() as u64 > self.blocks.limits.name
            || link.len() as u64 > self.blocks.limits.name
        {
            return Err(ReadError::TooLarge {
                what: "an entry's name",
                limit: self.blocks.limits.name,
            });
        }
        let kind = if is_directory { b'5' } else { header.kind };
        let mut names = [&header.name, &name].into_iter();
        if header.kind == 0 && names.any(|name| name.ends_with(b"/") != is_directory) {
            self.blocks
                .disagree(&name, "a directory by one of its names, a file by another");
        }
        let kind = self.kind(kind, &name, sparse.is_some());
        let has_content = !matches!(header.kind, b'1'..=b'6') && kind != LayerKind::Directory;
        let size = match (has_content, stated) {
            (true, Some(stated)) => stated,
            (true, None) => size(header, at)?,
            (false, stated) => {
                if stated.unwrap_or_default() != 0 || header.size != 0 {
                    // Some readers skip this many bytes.
                    self.blocks
                        .disagree(&name, "an entry without content states a size");
                }
                0
            }
        };
        if old_sparse && header.has_more_pieces {
            self.skip_pieces()?;
        }
        let entry = LayerEntry {
            name: &name,
            link: match kind {
                LayerKind::SymbolicLink | LayerKind::HardLink => &link,
                LayerKind::File
                | LayerKind::Directory
                | LayerKind::Special
                | LayerKind::Unreadable => b"",
            },
            kind,
            mode: header.mode,
            size,
            has_capabilities: has_attribute(&records, b"security.capability"),
            steers_overlay: OVERLAY.iter().any(|name| has_attribute(&records, name)),
        };
        self.blocks.content(size, &name, |content, _| {
            visit(entry, content)?;
            Ok(true)
        })?;
        Ok(())
    }

    fn kind(&mut self, kind: u8, name: &[u8], sparse: bool) -> LayerKind {
        if name.ends_with(b"/") && matches!(kind, b'0' | b'1' | b'2') {
            self.blocks.disagree(
                name,
                "the name ends in a slash, but the entry is no directory",
            );
        }
        match kind {
            b'5' => LayerKind::Directory,
            b'1' => LayerKind::HardLink,
            b'2' => LayerKind::SymbolicLink,
            0 | b'0' if !sparse => LayerKind::File,
            0 | b'0' | b'S' => {
                self.blocks.anomalies.add(
                    AnomalyKind::UnreadableEntry,
                    name,
                    "a sparse file, which is not unfolded here",
                );
                LayerKind::Unreadable
            }
            // Devices and pipes, and what no runtime knows.
            _ => LayerKind::Special,
        }
    }

    fn skip_pieces(&mut self) -> Result<(), ReadError> {
        for _ in 0..MOST_PIECE_BLOCKS {
            let at = self.blocks.position;
            let block = self.blocks.block()?;
            let block =
                block.ok_or_else(|| ReadError::malformed(at, "a sparse file's list is cut off"))?;
            if !has_more_pieces(&block) {
                return Ok(());
            }
        }
        Err(ReadError::TooLarge {
            what: "a sparse file's list",
            limit: (MOST_PIECE_BLOCKS * 512) as u64,
        })
    }
}

fn size(header: &LayerHeader, at: u64) -> Result<u64, ReadError> {
    u64::try_from(header.size)
        .map_err(|_| ReadError::malformed(at, "tar header has a negative size"))
}

/// Whether there is an extended attribute whose name begins so, whatever its value.
fn has_attribute(records: &Records, name: &[u8]) -> bool {
    records.iter().any(|(key, _)| {
        ATTRIBUTES
            .iter()
            .filter_map(|prefix| key.strip_prefix(*prefix))
            .any(|attribute| attribute.starts_with(name))
    })
}

/// The name that a sparse file's records give it, empty where they give none; `None` where it is no sparse file.
fn sparse_name(records: &Records) -> Option<Vec<u8>> {
    records
        .iter()
        .any(|(key, _)| key.starts_with(SPARSE))
        .then(|| {
            let version = |part: &str| records.value(part).unwrap_or_default();
            let known = match (version("GNU.sparse.major"), version("GNU.sparse.minor")) {
                (b"0", b"0" | b"1") | (b"1", b"0") => true,
                (b"", b"") => {
                    records.value("GNU.sparse.map").is_some()
                        || records.value("GNU.sparse.offset").is_some()
                }
                _ => false,
            };
            let name = records.value("GNU.sparse.name").filter(|_| known);
            name.unwrap_or_default().to_vec()
        })
}
