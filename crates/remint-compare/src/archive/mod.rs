//! Reads archives that strangers made: strictly, in one stream, without writing anything anywhere.
//!
//! Where readers are known to understand an archive in different ways, the entry is read as Python's `tarfile`
//! and `zipfile` would and the ambiguity is kept as an anomaly.

mod again;
mod anomalies;
mod beside;
mod blocks;
mod build_listing;
pub(crate) mod gzip;
mod inside;
pub(crate) mod layer;
mod layer_header;
mod layer_tar;
mod links;
mod listing;
mod names;
mod pax;
pub(crate) mod places;
pub(crate) mod record;
mod signature_block;
mod single_file;
pub(crate) mod source;
mod tar;
mod tar_header;
mod top_folder;
mod zip;
mod zip_directory;
mod zstandard;

use std::io::{Read, Seek, SeekFrom};

use remint_model::{ArtifactFormat, GzipHeader, Sha256, SignatureBlock};

pub(crate) use again::{Allowance, walk_again};
pub(crate) use anomalies::Anomalies;
pub(crate) use build_listing::{Keep, list};
pub(crate) use inside::{Container, Room, contents_inside, list_inside, texts_beside};
pub(crate) use listing::{Encoding, Entry, Kind, Listing, Owner, Written};
pub(crate) use names::{by_place, fold, is_below};
use source::Source;

use crate::error::ReadError;
use crate::limits::Limits;

/// One entry as its headers describe it, before its path is judged.
pub(crate) struct Seen<'a> {
    pub(crate) index: u32,
    /// As the archive spells it.
    pub(crate) name: &'a [u8],
    /// A link's target; empty for anything else, and for links of zips, whose content is the target.
    pub(crate) link: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    /// As stated; the content may turn out otherwise.
    pub(crate) size: u64,
    pub(crate) written: Written,
}

/// Whether a walk goes on after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Stop,
}

/// What a walk calls for each entry. What it leaves unread of the content is skipped.
pub(crate) type Visit<'v> =
    dyn FnMut(Seen<'_>, &mut dyn Source, &mut Anomalies) -> Result<Flow, ReadError> + 'v;

/// What is known about an archive after its last entry.
pub(crate) struct Walked {
    pub(crate) gzip: Option<GzipHeader>,
    pub(crate) framing: Sha256,
    pub(crate) signature: SignatureBlock,
}

/// Goes through an archive once, in its own order.
pub(crate) fn walk<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
    anomalies: &mut Anomalies,
    visit: &mut Visit<'_>,
) -> Result<Walked, ReadError> {
    reader.seek(SeekFrom::Start(0))?;
    if format == ArtifactFormat::GoProgram {
        single_file::walk(reader, limits, anomalies, visit)
    } else if format.is_zip() {
        let is_bundle = format == ArtifactFormat::Mcpb;
        zip::walk(reader, is_bundle, limits, anomalies, visit)
    } else {
        tar::walk(reader, limits, anomalies, visit)
    }
}
