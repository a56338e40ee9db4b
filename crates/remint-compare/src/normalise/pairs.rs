//! Two listings laid side by side, path by path, and what each pair of entries differs in.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::iter::Peekable;

use remint_model::{AnomalyKind, ArtifactFormat, EntryPath, GzipHeader, Sha256, SignatureBlock};

use crate::archive::{Entry, Kind, Listing, by_place, fold, is_below};

/// In what two things differ, one bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Facets(u16);

impl Facets {
    pub(crate) const COPIES: Self = Self(1);
    pub(crate) const KIND: Self = Self(1 << 1);
    pub(crate) const CONTENT: Self = Self(1 << 2);
    pub(crate) const MODE: Self = Self(1 << 3);
    pub(crate) const ATTRIBUTES: Self = Self(1 << 4);
    pub(crate) const TIME: Self = Self(1 << 5);
    pub(crate) const OWNER: Self = Self(1 << 6);
    pub(crate) const ENCODING: Self = Self(1 << 7);
    pub(crate) const ORDER: Self = Self(1 << 8);
    pub(crate) const DIRECTORIES: Self = Self(1 << 9);
    pub(crate) const TOP_FOLDER: Self = Self(1 << 10);
    pub(crate) const GZIP: Self = Self(1 << 11);
    pub(crate) const SIGNATURE: Self = Self(1 << 12);
    pub(crate) const NAME: Self = Self(1 << 13);
    pub(crate) const AGE: Self = Self(1 << 14);

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    const fn with(self, other: Self, when: bool) -> Self {
        if when { Self(self.0 | other.0) } else { self }
    }
}

/// All entries of one path on both sides, each in its archive's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) path: EntryPath,
    pub(crate) published: Vec<Entry>,
    pub(crate) rebuilt: Vec<Entry>,
}

impl Row {
    pub(crate) fn facets(&self) -> Facets {
        if self.published.len() != self.rebuilt.len() {
            return Facets::COPIES;
        }
        self.published
            .iter()
            .zip(&self.rebuilt)
            .fold(Facets::default(), |facets, (one, other)| {
                facets
                    .with(Facets::KIND, one.kind != other.kind)
                    .with(Facets::NAME, one.spelled != other.spelled)
                    .with(
                        Facets::CONTENT,
                        one.sha256 != other.sha256 || one.size != other.size,
                    )
                    .with(Facets::MODE, one.mode != other.mode)
                    .with(
                        Facets::ATTRIBUTES,
                        one.written.attributes != other.written.attributes,
                    )
                    .with(Facets::TIME, one.written.mtime != other.written.mtime)
                    .with(Facets::OWNER, one.written.owner != other.written.owner)
                    .with(Facets::ENCODING, written_differently(one, other))
            })
    }

    /// The single file on each side, where it is that simple.
    pub(crate) fn files(&self) -> Option<(&Entry, &Entry)> {
        match (self.published.as_slice(), self.rebuilt.as_slice()) {
            ([one], [other]) if one.is_file() && other.is_file() => Some((one, other)),
            _ => None,
        }
    }
}

/// Whether two entries say what they say in different ways. Other content is packed to other bytes anyway.
fn written_differently(one: &Entry, other: &Entry) -> bool {
    one.written.encoding != other.written.encoding
        || (one.sha256 == other.sha256 && one.written.packed != other.written.packed)
}

/// What an archive is besides its entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wrapping {
    /// Row numbers in this archive's order, of the rows that both archives have.
    pub(crate) order: Vec<u32>,
    /// Those of them whose order decides what is there: what can be one file where case or composition does not count, and
    /// everything where an entry can lead others elsewhere.
    pub(crate) twins: BTreeSet<u32>,
    /// Directories with an entry of their own that other entries of this archive lie in, and that the other
    /// archive has no entry for.
    pub(crate) implied_directories: Vec<EntryPath>,
    pub(crate) top_folder: Option<String>,
    pub(crate) gzip: Option<GzipHeader>,
    /// Of a bundle: the digest of its signature.
    pub(crate) signature: Option<Sha256>,
    /// Of an npm package: the files that its `bin` names, where somebody has read it.
    pub(crate) programs: BTreeSet<String>,
}

/// Two archives side by side.
#[derive(Debug)]
pub(crate) struct Pairs {
    pub(crate) format: ArtifactFormat,
    /// In the order of their places.
    pub(crate) rows: Vec<Row>,
    pub(crate) published: Wrapping,
    pub(crate) rebuilt: Wrapping,
    /// Whether the times of entries differ where they decide which of two files is installed.
    other_ages: bool,
}

impl Pairs {
    pub(crate) fn new(format: ArtifactFormat, published: Listing, rebuilt: Listing) -> Self {
        let leads_elsewhere = [&published, &rebuilt].into_iter().any(leads_elsewhere);
        let (mut published_wrapping, published_implied, published) = lay_out(published);
        let (mut rebuilt_wrapping, rebuilt_implied, rebuilt) = lay_out(rebuilt);
        let mut rows = Vec::with_capacity(published.len().max(rebuilt.len()));
        let mut published = published.into_iter().peekable();
        let mut rebuilt = rebuilt.into_iter().peekable();
        loop {
            let path = match (published.peek(), rebuilt.peek()) {
                (Some(one), Some(other)) => {
                    match by_place(one.path.as_str(), other.path.as_str()) {
                        Ordering::Less | Ordering::Equal => one.path.clone(),
                        Ordering::Greater => other.path.clone(),
                    }
                }
                (Some(one), None) => one.path.clone(),
                (None, Some(other)) => other.path.clone(),
                (None, None) => break,
            };
            let take = |entries: &mut Peekable<std::vec::IntoIter<Entry>>| {
                // Nearly always one, or none.
                let mut copies = Vec::with_capacity(usize::from(
                    entries.peek().is_some_and(|entry| entry.path == path),
                ));
                while let Some(entry) = entries.next_if(|entry| entry.path == path) {
                    copies.push(entry);
                }
                copies
            };
            let (ours, theirs) = (take(&mut published), take(&mut rebuilt));
            // A directory that one side only implies is no row: entries for it are the archive's own style.
            if theirs.is_empty() && published_implied.contains(&path) {
                published_wrapping.implied_directories.push(path);
            } else if ours.is_empty() && rebuilt_implied.contains(&path) {
                rebuilt_wrapping.implied_directories.push(path);
            } else {
                rows.push(Row {
                    path,
                    published: ours,
                    rebuilt: theirs,
                });
            }
        }
        published_wrapping.order = order(&rows, |row| &row.published);
        rebuilt_wrapping.order = order(&rows, |row| &row.rebuilt);
        if published_wrapping.order != rebuilt_wrapping.order {
            let twins = if leads_elsewhere {
                published_wrapping.order.iter().copied().collect()
            } else {
                twins(&rows)
            };
            published_wrapping.twins.clone_from(&twins);
            rebuilt_wrapping.twins = twins;
        }
        let age_counts = matches!(format, ArtifactFormat::Sdist | ArtifactFormat::SdistZip)
            && rows.iter().any(|row| is_built_before(&row.path));
        let other_ages = age_counts
            && rows.iter().any(|row| {
                let ages = |entries: &[Entry]| -> Vec<_> {
                    entries.iter().map(|entry| entry.written.mtime).collect()
                };
                row.facets().has(Facets::TIME) && ages(&row.published) != ages(&row.rebuilt)
            });
        Self {
            other_ages,
            format,
            rows,
            published: published_wrapping,
            rebuilt: rebuilt_wrapping,
        }
    }

    pub(crate) fn archive_facets(&self) -> Facets {
        let (one, other) = (&self.published, &self.rebuilt);
        Facets::default()
            .with(Facets::ORDER, one.order != other.order)
            .with(
                Facets::DIRECTORIES,
                one.implied_directories != other.implied_directories,
            )
            .with(Facets::TOP_FOLDER, one.top_folder != other.top_folder)
            .with(Facets::GZIP, one.gzip != other.gzip)
            .with(Facets::SIGNATURE, one.signature != other.signature)
            .with(Facets::AGE, self.other_ages)
    }
}

/// Sorts an archive's entries by path, and finds the directory entries that its other entries imply.
fn lay_out(listing: Listing) -> (Wrapping, HashSet<EntryPath>, Vec<Entry>) {
    let mut entries = listing.entries;
    // Stable: several entries of one path keep their order.
    entries.sort_by(|one, other| by_place(one.path.as_str(), other.path.as_str()));
    let mut implied = HashSet::new();
    // Directories that the next entry may lie in and that hold nothing so far.
    let mut open: Vec<&EntryPath> = Vec::new();
    let copies = entries.chunk_by(|one, other| one.path == other.path);
    for copies in copies {
        let Some(path) = copies.first().map(|entry| &entry.path) else {
            continue;
        };
        while open
            .last()
            .is_some_and(|directory| !is_below(path.as_str(), directory.as_str()))
        {
            open.pop();
        }
        // A file at the directory's own path makes the directory no matter of style.
        if copies.iter().all(|entry| entry.kind == Kind::Directory) {
            open.push(path);
        } else {
            implied.extend(open.drain(..).cloned());
        }
    }
    let wrapping = Wrapping {
        order: Vec::new(),
        twins: BTreeSet::new(),
        implied_directories: Vec::new(),
        top_folder: listing.top_folder,
        gzip: listing.gzip,
        signature: match &listing.signature {
            SignatureBlock::Present(signature) => Some(Sha256::of(&signature.pkcs7)),
            SignatureBlock::Absent | SignatureBlock::Malformed(_) => None,
        },
        programs: BTreeSet::new(),
    };
    (wrapping, implied, entries)
}

/// Whether an entry can make another land in another place, or be another: through a link, a file in place of a directory, a
/// name that readers take in different ways, or a type that some take for the name of the next one.
fn leads_elsewhere(listing: &Listing) -> bool {
    listing
        .entries
        .iter()
        .any(|entry| entry.kind == Kind::HardLink)
        || listing.anomalies.iter().any(|anomaly| {
            matches!(
                anomaly.kind,
                AnomalyKind::LinkEntry
                    | AnomalyKind::FileDirectoryClash
                    | AnomalyKind::SpecialFile
                    | AnomalyKind::PathTraversal
            )
        })
}

/// Whether a file is one that an earlier build of setuptools left: where it is younger than its source, it is installed
/// instead.
pub(crate) fn is_built_before(path: &EntryPath) -> bool {
    path.as_str().strip_prefix("build/").is_some_and(|rest| {
        ["lib", "temp", "scripts", "bdist"]
            .iter()
            .any(|folder| rest.starts_with(folder))
    })
}

/// The rows of files that can be one where case or composition does not count.
fn twins(rows: &[Row]) -> BTreeSet<u32> {
    let mut folded: HashMap<String, u32> = HashMap::new();
    let mut twins = BTreeSet::new();
    for (number, row) in (0_u32..).zip(rows) {
        if let Some(first) = folded.insert(fold(row.path.as_str()), number) {
            twins.extend([first, number]);
        }
    }
    twins
}

/// The rows that both sides have, in the order in which one side has them.
fn order(rows: &[Row], side: impl Fn(&Row) -> &Vec<Entry>) -> Vec<u32> {
    let mut placed: Vec<(u32, u32)> = (0_u32..)
        .zip(rows)
        .filter(|(_, row)| !row.published.is_empty() && !row.rebuilt.is_empty())
        .flat_map(|(number, row)| side(row).iter().map(move |entry| (entry.index, number)))
        .collect();
    placed.sort_unstable();
    placed.into_iter().map(|(_, number)| number).collect()
}
