//! The comparison: two archives in, what they have in common out.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};

use remint_model::{
    Anomaly, AnomalyKind, ArtifactFormat, Change, Class, Comparison, Difference, EntryPath,
};

use crate::archive::source::collect;
use crate::archive::{Anomalies, Entry, Flow, Keep, Kind, Listing, list, walk};
use crate::difference::{classify, compare_text, explain, is_text};
use crate::error::{ArchiveError, ReadError, Side};
use crate::limits::{Limits, Options};
use crate::normalise::{ALL, Erasures, Facets, File, Pairs, Row, erase_content, erase_headers};

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

/// How many bytes of differing files are held at once, for each side.
const BATCH: u64 = 12 << 20;
/// Larger files are not searched for a canonical form.
const LARGEST_NORMALISED: u64 = 8 << 20;
/// All contents that are read a second time.
const ALL_CONTENTS: u64 = 256 << 20;

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
                difference(format, pairs.rows.get(row.row)?, row.facets),
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
    })
}

/// Runs the second task in a thread beside the first.
fn at_once<A, B: Send>(one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
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

/// A row that still differs, and in what.
struct Remaining {
    row: usize,
    facets: Facets,
}

fn remaining(pairs: &Pairs) -> Vec<Remaining> {
    pairs
        .rows
        .iter()
        .enumerate()
        .map(|(row, entries)| Remaining {
            row,
            facets: entries.facets(),
        })
        .filter(|row| !row.facets.is_empty())
        .collect()
}

fn difference(format: ArtifactFormat, row: &Row, facets: Facets) -> Difference {
    let change = if row.rebuilt.is_empty() {
        Change::Added
    } else if row.published.is_empty() {
        Change::Removed
    } else if facets.has(Facets::COPIES) || facets.has(Facets::KIND) || facets.has(Facets::CONTENT)
    {
        Change::Changed
    } else {
        Change::Metadata
    };
    let class = row
        .published
        .iter()
        .chain(&row.rebuilt)
        .map(|entry| match entry.kind {
            Kind::Directory => Class::Metadata,
            Kind::File
            | Kind::SymbolicLink
            | Kind::HardLink
            | Kind::Special(_)
            | Kind::Unreadable => classify(
                format,
                &row.path,
                &entry.head,
                entry.is_file() && entry.is_executable(),
            ),
        })
        .min()
        .unwrap_or(Class::Data);
    Difference {
        path: row.path.clone(),
        change,
        class,
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: header_explanation(row, facets),
    }
}

/// What differs when the content does not, or when the content is not all that differs.
fn header_explanation(row: &Row, facets: Facets) -> Option<String> {
    if facets.has(Facets::COPIES) && !row.published.is_empty() && !row.rebuilt.is_empty() {
        return Some(format!(
            "{} entries of this path published, {} rebuilt",
            row.published.len(),
            row.rebuilt.len()
        ));
    }
    let (published, rebuilt) = (row.published.last()?, row.rebuilt.last()?);
    if facets.has(Facets::KIND) {
        return Some(format!(
            "{} published, {} rebuilt",
            kind_name(published.kind),
            kind_name(rebuilt.kind)
        ));
    }
    if facets.has(Facets::MODE) {
        let says = |entry: &Entry| {
            let executable = if entry.is_executable() { "" } else { "not " };
            let special = match entry.mode & 0o7000 {
                0 => String::new(),
                special => format!(", special bits {special:o}"),
            };
            format!("{executable}executable{special}")
        };
        return Some(format!(
            "{} published, {} rebuilt",
            says(published),
            says(rebuilt)
        ));
    }
    facets
        .has(Facets::ATTRIBUTES)
        .then(|| "extended attributes differ".to_owned())
}

const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "a file",
        Kind::Directory => "a directory",
        Kind::SymbolicLink => "a symbolic link",
        Kind::HardLink => "a hard link",
        Kind::Special(_) => "a special file",
        Kind::Unreadable => "unreadable",
    }
}

fn top_folder_difference(pairs: &Pairs) -> Option<Difference> {
    let published = pairs.published.top_folder.as_deref().unwrap_or_default();
    let rebuilt = pairs.rebuilt.top_folder.as_deref().unwrap_or_default();
    let path = [published, rebuilt]
        .into_iter()
        .find_map(|folder| folder.parse().ok())?;
    Some(Difference {
        path,
        change: Change::Metadata,
        class: Class::Metadata,
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: Some(format!(
            "top folder `{published}` published, `{rebuilt}` rebuilt"
        )),
    })
}

/// The archives, opened once more to read what differs.
struct SecondLook<'a, P, R> {
    format: ArtifactFormat,
    options: &'a Options,
    published: &'a mut P,
    rebuilt: &'a mut R,
    records_are_true: [bool; 2],
}

impl<P: Read + Seek + Send, R: Read + Seek + Send> SecondLook<'_, P, R> {
    /// Clears the content facet of files whose canonical contents are equal.
    fn erase_contents(
        &mut self,
        rows: &[Row],
        remaining: &mut [Remaining],
        erasures: &mut Erasures,
    ) -> Result<(), ArchiveError> {
        let mut candidates: Vec<(usize, usize)> = Vec::new();
        for (at, left) in remaining.iter().enumerate() {
            if let Some(row) = rows.get(left.row)
                && left.facets.has(Facets::CONTENT)
                && let Some((one, other)) = row.files()
                && one.size.max(other.size) <= LARGEST_NORMALISED
                && may_have_canonical_form(&row.path)
            {
                candidates.push((at, left.row));
            }
        }
        let mut room = ALL_CONTENTS;
        let mut rest = candidates.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch(rest, rows, &mut room));
            if batch.is_empty() {
                break;
            }
            rest = later;
            let (published, rebuilt) = self.contents(rows, batch)?;
            for (at, row) in batch {
                let Some(row) = rows.get(*row) else { continue };
                let (Some(one), Some(other)) = (
                    content_of(&published, &row.published),
                    content_of(&rebuilt, &row.rebuilt),
                ) else {
                    continue;
                };
                let file = |content, record_is_true| File {
                    format: self.format,
                    path: &row.path,
                    content,
                    record_is_true,
                };
                let [ours_true, theirs_true] = self.records_are_true;
                if let Some(used) = erase_content(&file(one, ours_true), &file(other, theirs_true))
                    && let Some(left) = remaining.get_mut(*at)
                {
                    left.facets = left.facets.without(Facets::CONTENT);
                    for normaliser in used {
                        erasures.add(normaliser, Some(&row.path));
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds hunks and explanations to the first differences, which are the most serious.
    fn show(
        &mut self,
        rows: &[Row],
        differences: &mut [(usize, Difference)],
    ) -> Result<(), ArchiveError> {
        let shown: Vec<(usize, usize)> = differences
            .iter()
            .enumerate()
            .filter(|(_, (row, difference))| {
                difference.change != Change::Metadata
                    && rows.get(*row).is_some_and(|row| {
                        row.published
                            .last()
                            .into_iter()
                            .chain(row.rebuilt.last())
                            .all(|entry| {
                                entry.is_file() && entry.size <= self.options.shown_file_size
                            })
                    })
            })
            .map(|(at, (row, _))| (at, *row))
            .take(self.options.shown_files)
            .collect();
        let mut room = ALL_CONTENTS;
        let mut rest = shown.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch(rest, rows, &mut room));
            if batch.is_empty() {
                break;
            }
            rest = later;
            let (published, rebuilt) = self.contents(rows, batch)?;
            for (at, row) in batch {
                let (Some(row), Some((_, difference))) = (rows.get(*row), differences.get_mut(*at))
                else {
                    continue;
                };
                let one = content_of(&published, &row.published).unwrap_or_default();
                let other = content_of(&rebuilt, &row.rebuilt).unwrap_or_default();
                if !is_text(one) || !is_text(other) {
                    continue;
                }
                let text = compare_text(other, one, self.options);
                if difference.change == Change::Changed && difference.explanation.is_none() {
                    difference.explanation = explain(other, one, &text);
                }
                difference.lines = text.lines;
                difference.hunks = text.hunks;
            }
        }
        Ok(())
    }

    /// The contents of these rows' last entries on both sides.
    fn contents(
        &mut self,
        rows: &[Row],
        wanted: &[(usize, usize)],
    ) -> Result<(Contents, Contents), ArchiveError> {
        let indices = |side: fn(&Row) -> &Vec<Entry>| -> BTreeSet<u32> {
            wanted
                .iter()
                .filter_map(|(_, row)| Some(side(rows.get(*row)?).last()?.index))
                .collect()
        };
        let limits = &self.options.limits;
        let wanted_published = indices(|row| &row.published);
        let wanted_rebuilt = indices(|row| &row.rebuilt);
        let (published, rebuilt) = at_once(
            || read_contents(self.format, self.published, limits, &wanted_published),
            || read_contents(self.format, self.rebuilt, limits, &wanted_rebuilt),
        );
        Ok((
            published.map_err(|error| error.on(Side::Published))?,
            rebuilt.map_err(|error| error.on(Side::Rebuilt))?,
        ))
    }
}

type Contents = BTreeMap<u32, Vec<u8>>;

fn content_of<'c>(contents: &'c Contents, entries: &[Entry]) -> Option<&'c [u8]> {
    contents.get(&entries.last()?.index).map(Vec::as_slice)
}

/// How many of `rest` are read together: as many as fit, at least one while there is room at all.
fn batch(rest: &[(usize, usize)], rows: &[Row], room: &mut u64) -> usize {
    let mut held = 0;
    let mut count = 0;
    for (_, row) in rest {
        let Some(row) = rows.get(*row) else { break };
        let size = |entries: &[Entry]| entries.last().map_or(0, |entry| entry.size);
        let size = size(&row.published).max(size(&row.rebuilt));
        if (count > 0 && held + size > BATCH) || size > *room {
            break;
        }
        held += size;
        *room -= size;
        count += 1;
    }
    count
}

fn read_contents<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
    wanted: &BTreeSet<u32>,
) -> Result<Contents, ReadError> {
    let mut contents = Contents::new();
    if wanted.is_empty() {
        return Ok(contents);
    }
    walk(
        format,
        reader,
        limits,
        &mut Anomalies::default(),
        &mut |seen, content, _| {
            if wanted.contains(&seen.index) {
                let content = collect(content, LARGEST_NORMALISED, "a differing file")?;
                contents.insert(seen.index, content);
            }
            Ok(if contents.len() == wanted.len() {
                Flow::Stop
            } else {
                Flow::Continue
            })
        },
    )?;
    Ok(contents)
}

/// Whether any normaliser of contents looks at files of this name.
fn may_have_canonical_form(path: &EntryPath) -> bool {
    let name = path.file_name();
    name.ends_with(".map") || matches!(name, "RECORD" | "WHEEL" | "SOURCES.txt" | "setup.cfg")
}
