//! The second look at two archives: reads the contents that differ, and only those, in batches that fit into
//! little memory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use remint_model::{ArtifactFormat, Change, Difference, EntryPath};

use crate::archive::source::collect;
use crate::archive::{Allowance, Entry, Flow, Room, walk_again};
use crate::difference::{
    ChangedFile, EFFORT, Lone, Patience, Renamed, compare_text, explain, has_hashed_name, is_text,
    pair_up,
};
use crate::error::{ArchiveError, ReadError, Side};
use crate::limits::{Limits, Options};
use crate::normalise::{Erasures, Facets, File, Pairs, Row, erase_content};

/// How many bytes of differing files are held at once, for each side.
const BATCH: u64 = 12 << 20;
/// Larger files are not read a second time.
const LARGEST: u64 = 8 << 20;
/// All contents that are read a second time.
const ALL_CONTENTS: u64 = 256 << 20;

/// A row that still differs, and in what.
pub(crate) struct Remaining {
    pub(crate) row: usize,
    pub(crate) facets: Facets,
}

pub(crate) fn remaining(pairs: &Pairs) -> Vec<Remaining> {
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

/// The archives, opened once more to read what differs.
pub(crate) struct SecondLook<'a, P, R> {
    pub(crate) format: ArtifactFormat,
    pub(crate) options: &'a Options,
    pub(crate) published: &'a mut P,
    pub(crate) rebuilt: &'a mut R,
    /// Whether the RECORDs, published and rebuilt, tell the truth about their wheels.
    pub(crate) records_are_true: [bool; 2],
}

impl<P: Read + Seek + Send, R: Read + Seek + Send> SecondLook<'_, P, R> {
    /// Clears the content facet of files whose canonical contents are equal.
    pub(crate) fn erase_contents(
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
                && one.size.max(other.size) <= LARGEST
                && may_have_canonical_form(&row.path)
            {
                candidates.push((at, left.row));
            }
        }
        let mut allowances = allowances(rows);
        let mut room = ALL_CONTENTS;
        let mut rest = candidates.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch(rest, rows, &mut room));
            if batch.is_empty() {
                break;
            }
            rest = later;
            let Some((published, rebuilt)) = self.contents(rows, batch, &mut allowances)? else {
                break;
            };
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

    /// Adds hunks and explanations to the first differences, which are the most serious. Yields the rows whose
    /// contents are explained.
    pub(crate) fn show(
        &mut self,
        rows: &[Row],
        differences: &mut [(usize, Difference)],
    ) -> Result<BTreeSet<usize>, ArchiveError> {
        let mut explained = BTreeSet::new();
        let mut allowances = allowances(rows);
        let renamed = self.renamed(rows, differences, &mut allowances)?;
        let by_path = |path: fn(&Renamed) -> &str| -> BTreeMap<&str, &Renamed> {
            renamed.iter().map(|pair| (path(pair), pair)).collect()
        };
        let published = by_path(|pair| &pair.published);
        let rebuilt = by_path(|pair| &pair.rebuilt);
        for (row, difference) in differences.iter_mut() {
            let path = difference.path.as_str();
            let explanations = |pair: &&Renamed| pair.explanations(self.options.words);
            let words = match difference.change {
                Change::Added => published.get(path).map(explanations).map(|(ours, _)| ours),
                Change::Removed => rebuilt
                    .get(path)
                    .map(explanations)
                    .map(|(_, theirs)| theirs),
                Change::Changed | Change::Metadata => None,
            };
            if words.is_some() {
                difference.explanation = words;
                explained.insert(*row);
            }
        }
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
                                entry.is_file()
                                    && entry.size <= self.options.shown_file_size.min(LARGEST)
                            })
                    })
            })
            .map(|(at, (row, _))| (at, *row))
            .take(self.options.shown_files)
            .collect();
        let mut patience = Patience::default();
        let effort = std::cell::Cell::new(EFFORT);
        let room_inside = Room::default();
        let mut room = ALL_CONTENTS;
        let mut rest = shown.as_slice();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(batch(rest, rows, &mut room));
            if batch.is_empty() {
                break;
            }
            rest = later;
            let Some((published, rebuilt)) = self.contents(rows, batch, &mut allowances)? else {
                break;
            };
            let contents: Vec<_> = batch
                .iter()
                .filter_map(|(at, number)| {
                    let row = rows.get(*number)?;
                    let one = content_of(&published, &row.published).unwrap_or_default();
                    let other = content_of(&rebuilt, &row.rebuilt).unwrap_or_default();
                    Some((*at, *number, row, one, other))
                })
                .collect();
            let texts: Vec<_> = contents
                .iter()
                .map(|(_, _, _, one, other)| {
                    (is_text(one) && is_text(other))
                        .then(|| compare_text(other, one, self.options, &mut patience))
                })
                .collect();
            for ((at, number, row, one, other), text) in contents.into_iter().zip(texts) {
                let Some((_, difference)) = differences.get_mut(at) else {
                    continue;
                };
                if difference.change == Change::Changed && difference.explanation.is_none() {
                    let explanation = explain(&ChangedFile {
                        path: &row.path,
                        rebuilt: other,
                        published: one,
                        executable: row
                            .published
                            .iter()
                            .chain(&row.rebuilt)
                            .any(Entry::is_executable),
                        text: text.as_ref(),
                        known: &self.options.known,
                        python: self.options.python.as_ref(),
                        words: self.options.words,
                        effort: &effort,
                        room: &room_inside,
                        renamed: &renamed,
                    });
                    if let Some(explanation) = explanation {
                        if explanation.accounts_for_all {
                            explained.insert(number);
                        }
                        difference.explanation = Some(explanation.words);
                    }
                }
                if let Some(text) = text {
                    difference.lines = text.lines;
                    difference.hunks = text.hunks;
                }
            }
        }
        Ok(explained)
    }

    /// Files that are on one side alone under a hashed name, paired up. They are read at once or not at all.
    fn renamed(
        &mut self,
        rows: &[Row],
        differences: &[(usize, Difference)],
        allowances: &mut Allowances,
    ) -> Result<Vec<Renamed>, ArchiveError> {
        let lone = |change: Change, side: fn(&Row) -> &Vec<Entry>| -> Vec<(usize, usize)> {
            differences
                .iter()
                .enumerate()
                .filter(|(_, (row, difference))| {
                    difference.change == change
                        && has_hashed_name(difference.path.as_str())
                        && rows.get(*row).is_some_and(
                            |row| matches!(side(row).as_slice(), [entry] if entry.is_file() && entry.size > 0),
                        )
                })
                .map(|(at, (row, _))| (at, *row))
                .collect()
        };
        let published_rows = lone(Change::Added, |row| &row.published);
        let rebuilt_rows = lone(Change::Removed, |row| &row.rebuilt);
        if published_rows.is_empty() || rebuilt_rows.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = [published_rows.as_slice(), &rebuilt_rows].concat();
        let size: u64 = wanted
            .iter()
            .filter_map(|(_, row)| rows.get(*row))
            .flat_map(|row| row.published.iter().chain(&row.rebuilt))
            .map(|entry| entry.size)
            .fold(0, u64::saturating_add);
        if size > BATCH {
            return Ok(Vec::new());
        }
        let Some((published, rebuilt)) = self.contents(rows, &wanted, allowances)? else {
            return Ok(Vec::new());
        };
        let published: Vec<Lone<'_>> = published_rows
            .iter()
            .filter_map(|(_, row)| rows.get(*row))
            .filter_map(|row| {
                Some(Lone {
                    path: row.path.as_str(),
                    content: content_of(&published, &row.published)?,
                })
            })
            .collect();
        let rebuilt: Vec<Lone<'_>> = rebuilt_rows
            .iter()
            .filter_map(|(_, row)| rows.get(*row))
            .filter_map(|row| {
                Some(Lone {
                    path: row.path.as_str(),
                    content: content_of(&rebuilt, &row.rebuilt)?,
                })
            })
            .collect();
        Ok(pair_up(&rebuilt, &published))
    }

    /// The contents of these rows' last entries on both sides; `None` where reading them would cost too much.
    fn contents(
        &mut self,
        rows: &[Row],
        wanted: &[(usize, usize)],
        allowances: &mut Allowances,
    ) -> Result<Option<(Contents, Contents)>, ArchiveError> {
        let indices = |side: fn(&Row) -> &Vec<Entry>| -> BTreeSet<u32> {
            wanted
                .iter()
                .filter_map(|(_, row)| Some(side(rows.get(*row)?).last()?.index))
                .collect()
        };
        let (format, limits) = (self.format, &self.options.limits);
        let wanted_published = indices(|row| &row.published);
        let wanted_rebuilt = indices(|row| &row.rebuilt);
        let Allowances {
            published: ours,
            rebuilt: theirs,
        } = allowances;
        let (published, rebuilt) = at_once(
            || read_contents(format, self.published, limits, ours, &wanted_published),
            || read_contents(format, self.rebuilt, limits, theirs, &wanted_rebuilt),
        );
        let published = published.map_err(|error| error.on(Side::Published))?;
        let rebuilt = rebuilt.map_err(|error| error.on(Side::Rebuilt))?;
        Ok(published.zip(rebuilt))
    }
}

/// What reading the two archives again may still cost. To erase and to show have their own, so that neither leaves the other
/// without.
struct Allowances {
    published: Allowance,
    rebuilt: Allowance,
}

fn allowances(rows: &[Row]) -> Allowances {
    let of = |side: fn(&Row) -> &Vec<Entry>| {
        let sizes = rows.iter().flat_map(side).map(|entry| entry.size);
        Allowance::new(sizes.fold(0, u64::saturating_add))
    };
    Allowances {
        published: of(|row| &row.published),
        rebuilt: of(|row| &row.rebuilt),
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

/// `None` where the allowance does not suffice.
fn read_contents<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
    allowance: &mut Allowance,
    wanted: &BTreeSet<u32>,
) -> Result<Option<Contents>, ReadError> {
    let mut contents = Contents::new();
    if wanted.is_empty() {
        return Ok(Some(contents));
    }
    let walked = walk_again(
        format,
        reader,
        limits,
        allowance,
        &mut |seen, content, _| {
            if wanted.contains(&seen.index) {
                let content = collect(content, LARGEST, "a differing file")?;
                contents.insert(seen.index, content);
            }
            Ok(if contents.len() == wanted.len() {
                Flow::Stop
            } else {
                Flow::Continue
            })
        },
    )?;
    Ok(walked.map(|()| contents))
}

/// Whether any normaliser of contents looks at files of this name.
fn may_have_canonical_form(path: &EntryPath) -> bool {
    let name = path.file_name();
    name.ends_with(".map")
        || (name.ends_with(".json") && path.as_str().contains(".dist-info/sboms/"))
        || matches!(
            name,
            "RECORD"
                | "WHEEL"
                | "METADATA"
                | "PKG-INFO"
                | "SOURCES.txt"
                | "setup.cfg"
                | "Cargo.toml"
        )
}

/// Runs the second task in a thread beside the first.
pub(crate) fn at_once<A, B: Send>(
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use remint_model::ArtifactFormat::NpmTarball;

    use super::*;

    /// A gzipped tar of files of one block each.
    fn tgz(contents: &[[u8; 512]]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (number, content) in contents.iter().enumerate() {
            let mut header = [0; 512];
            let mut put = |at: usize, text: &str| {
                header[at..at + text.len()].copy_from_slice(text.as_bytes());
            };
            put(0, &format!("package/{number}"));
            put(100, "0000644\0");
            put(124, "00000001000\0");
            put(136, "00000000000\0");
            put(148, "        0");
            put(257, "ustar\x0000");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            tar.extend(header);
            tar.extend(content);
        }
        tar.extend([0; 1024]);
        crate::npm_gzip(&tar)
    }

    #[test]
    fn an_archive_is_read_again_as_often_as_is_allowed() {
        let archive = tgz(&[[b'a'; 512], [b'b'; 512], [b'c'; 512]]);
        let mut reader = Cursor::new(archive);
        let mut allowance = Allowance::of_bytes(5000);
        let mut read = |index: u32| {
            let limits = Limits::default();
            read_contents(
                NpmTarball,
                &mut reader,
                &limits,
                &mut allowance,
                &[index].into(),
            )
            .unwrap()
            .map(|contents| {
                contents
                    .get(&index)
                    .and_then(|content| content.first().copied())
            })
        };
        // Up to the second file, 2 KiB are gone through.
        assert_eq!(read(1), Some(Some(b'b')));
        assert_eq!(read(1), Some(Some(b'b')));
        assert_eq!(read(1), None);
        assert_eq!(read(0), None);
    }
}
