//! The comparison: two archives in, what they have in common out.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use remint_model::{Anomaly, AnomalyKind, ArtifactFormat, Comparison, Difference, EntryPath};

use crate::archive::{Entry, Keep, Kind, Listing, list};
use crate::difference::{archive_difference, describe, top_folder_difference};
use crate::encoders;
use crate::error::{ArchiveError, ReadError, Side};
use crate::limits::{Limits, Options};
use crate::normalise::{ALL, Erasures, Facets, Pairs, Row, erase_headers};
use crate::second_look::{Remaining, SecondLook, at_once, remaining};

/// What a comparison yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The answer.
    pub comparison: Comparison,
    /// What no honest packer writes, in the published archive.
    pub published_anomalies: Vec<Anomaly>,
    /// The same for the rebuilt one.
    pub rebuilt_anomalies: Vec<Anomaly>,
    /// How much was compared.
    pub entries: Counts,
    /// Where the tars are equal and their gzip streams are not: the encoder that makes the published stream out
    /// of the rebuilt tar, byte for byte. The proof for erasure `gzip-encoding`.
    pub gzip_encoder: Option<&'static str>,
}

/// How many paths there are, directories left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Published paths.
    pub published: usize,
    /// Rebuilt paths.
    pub rebuilt: usize,
    /// Paths that are equal on both sides, erasures allowed for.
    pub equal: usize,
}

/// Compares a published archive with a rebuilt one of the same format. The two are read at the same time, each
/// in a thread of its own.
///
/// # Errors
/// One of them is malformed, exceeds the limits, or cannot be read.
pub fn compare<P: Read + Seek + Send, R: Read + Seek + Send>(
    format: ArtifactFormat,
    published: &mut P,
    rebuilt: &mut R,
    options: &Options,
) -> Result<Compared, ArchiveError> {
    let limits = &options.limits;
    if same_bytes(published, rebuilt)? {
        return identical(format, published, limits);
    }
    let (ours, theirs) = at_once(
        || listing(format, published, limits).map_err(|error| error.on(Side::Published)),
        || listing(format, rebuilt, limits).map_err(|error| error.on(Side::Rebuilt)),
    );
    let (ours, theirs) = (ours?, theirs?);

    let records_are_true = [&ours.anomalies, &theirs.anomalies].map(|anomalies| {
        !anomalies
            .iter()
            .any(|anomaly| anomaly.kind == AnomalyKind::RecordMismatch)
    });
    let same_framing = ours.framing == theirs.framing;
    let published_anomalies = ours.anomalies.clone();
    let rebuilt_anomalies = theirs.anomalies.clone();
    let mut entries = Counts {
        published: files(&ours.entries),
        rebuilt: files(&theirs.entries),
        equal: 0,
    };

    let mut pairs = Pairs::new(format, ours, theirs);
    let mut erasures = Erasures::default();
    erase_headers(&mut pairs, &mut erasures);

    let mut second_look = SecondLook {
        format,
        options,
        published,
        rebuilt,
        records_are_true,
    };
    let mut remaining: Vec<Remaining> = remaining(&pairs);
    second_look.erase_contents(&pairs.rows, &mut remaining, &mut erasures)?;

    let mut differences: Vec<(usize, Difference)> = remaining
        .iter()
        .filter(|row| !row.facets.is_empty())
        .filter_map(|row| {
            Some((
                row.row,
                describe(format, pairs.rows.get(row.row)?, row.facets),
            ))
        })
        .collect();
    entries.equal = pairs
        .rows
        .iter()
        .filter(|row| has_files(row))
        .count()
        .saturating_sub(
            differences
                .iter()
                .filter(|(row, _)| pairs.rows.get(*row).is_some_and(has_files))
                .count(),
        );
    differences
        .sort_by(|(_, one), (_, other)| (one.class, &one.path).cmp(&(other.class, &other.path)));
    second_look.show(&pairs.rows, &mut differences)?;
    let mut differences: Vec<Difference> = differences
        .into_iter()
        .map(|(_, difference)| difference)
        .collect();
    if pairs.archive_facets().has(Facets::TOP_FOLDER) {
        differences.extend(top_folder_difference(&pairs));
    }
    differences.extend(archive_difference(&published_anomalies, &rebuilt_anomalies));

    let same_tar = !format.is_zip()
        && same_framing
        && differences.is_empty()
        && erasures.has_nothing_but("gzip-encoding");
    let gzip_encoder = if same_tar {
        encoders::explain(second_look.published, second_look.rebuilt)?
    } else {
        None
    };

    // Other bytes, and nothing else: the same archive in another wrapping.
    if differences.is_empty() && erasures.is_empty() {
        let wrapping = match (format.is_zip(), same_framing) {
            (true, _) => "zip-metadata",
            (false, true) => "gzip-encoding",
            (false, false) => "tar-header-encoding",
        };
        if let Some(normaliser) = ALL.iter().find(|normaliser| normaliser.id == wrapping) {
            erasures.add(normaliser, None);
        }
    }
    let erased = erasures.finish();
    let comparison = if differences.is_empty() {
        Comparison::Equivalent { erased }
    } else {
        Comparison::Different {
            erased,
            differences,
        }
    };
    Ok(Compared {
        comparison,
        published_anomalies,
        rebuilt_anomalies,
        entries,
        gzip_encoder,
    })
}

fn identical<P: Read + Seek>(
    format: ArtifactFormat,
    published: &mut P,
    limits: &Limits,
) -> Result<Compared, ArchiveError> {
    let listing = listing(format, published, limits).map_err(|error| error.on(Side::Published))?;
    let count = files(&listing.entries);
    Ok(Compared {
        comparison: Comparison::Identical,
        published_anomalies: listing.anomalies.clone(),
        rebuilt_anomalies: listing.anomalies,
        entries: Counts {
            published: count,
            rebuilt: count,
            equal: count,
        },
        gzip_encoder: None,
    })
}

fn listing<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
) -> Result<Listing, ReadError> {
    list(format, reader, limits, &mut KeepNothing).map(|listed| listed.listing)
}

struct KeepNothing;

impl Keep for KeepNothing {
    fn wants(&mut self, _: &EntryPath, _: u64) -> bool {
        false
    }

    fn take(&mut self, _: &EntryPath, _: Vec<u8>) {}

    fn blobs(&self) -> bool {
        false
    }
}

fn files(entries: &[Entry]) -> usize {
    entries
        .iter()
        .filter(|entry| entry.kind != Kind::Directory)
        .map(|entry| &entry.path)
        .collect::<BTreeSet<_>>()
        .len()
}

fn has_files(row: &Row) -> bool {
    row.published
        .iter()
        .chain(&row.rebuilt)
        .any(|entry| entry.kind != Kind::Directory)
}

/// Whether two files have the same bytes.
fn same_bytes<P: Read + Seek, R: Read + Seek>(
    published: &mut P,
    rebuilt: &mut R,
) -> Result<bool, ArchiveError> {
    let on = |side| move |source| ArchiveError::Io { side, source };
    let lengths = (
        published
            .seek(SeekFrom::End(0))
            .map_err(on(Side::Published))?,
        rebuilt.seek(SeekFrom::End(0)).map_err(on(Side::Rebuilt))?,
    );
    if lengths.0 != lengths.1 {
        return Ok(false);
    }
    published
        .seek(SeekFrom::Start(0))
        .map_err(on(Side::Published))?;
    rebuilt
        .seek(SeekFrom::Start(0))
        .map_err(on(Side::Rebuilt))?;
    let mut ours = vec![0; 64 * 1024];
    let mut theirs = vec![0; 64 * 1024];
    let mut left = lengths.0;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(ours.len());
        let (Some(one), Some(other)) = (ours.get_mut(..count), theirs.get_mut(..count)) else {
            return Ok(false);
        };
        published.read_exact(one).map_err(on(Side::Published))?;
        rebuilt.read_exact(other).map_err(on(Side::Rebuilt))?;
        if one != other {
            return Ok(false);
        }
        left -= count as u64;
    }
    Ok(true)
}
