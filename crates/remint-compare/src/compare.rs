//! The comparison: two archives in, what they have in common out.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use remint_model::{
    Anomaly, AnomalyKind, ArtifactFormat, Class, Comparison, Difference, EntryPath,
};

use crate::archive::{Entry, Keep, Kind, Listing, list};
use crate::difference::{
    InstallScripts, age_difference, archive_difference, class_of, class_of_entry, describe,
    is_python, order_difference, top_folder_difference,
};
use crate::encoders;
use crate::error::{ArchiveError, ReadError, Side};
use crate::limits::{Erasing, Limits, Options, SideWords};
use crate::normalise::{ALL, Erasures, Facets, Pairs, Row, erase_headers, programs};
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
    /// Everything that was compared, in path order, directories left out.
    pub paths: Vec<ComparedPath>,
    /// How much of the published code the rebuild has, too.
    pub traced: Traced,
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

/// One path, and what came of comparing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedPath {
    /// Below the archive's top folder.
    pub path: EntryPath,
    /// What files of this name are for; a difference may know better.
    pub class: Class,
    /// Bytes, uncompressed: those of the published file where there is one.
    pub size: u64,
    /// What came of it.
    pub standing: Standing,
}

/// What came of comparing one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing differs.
    Equal,
    /// What differs is erased.
    Erased,
    /// One of the differences is about it.
    Different,
}

/// How much of what runs is what was rebuilt. A file counts as a whole, and an explanation traces nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traced {
    /// Bytes of all published files that run: code, machine code, start-up files and install scripts.
    pub executable_bytes: u64,
    /// Those of them whose content is the same in the rebuild.
    pub traced_bytes: u64,
}

/// Larger manifests are not searched for hooks.
const LARGEST_MANIFEST: u64 = 1 << 20;

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
        || look(format, published, limits).map_err(|error| error.on(Side::Published)),
        || look(format, rebuilt, limits).map_err(|error| error.on(Side::Rebuilt)),
    );
    let (ours, theirs) = (ours?, theirs?);
    let same_framing = ours.listing.framing == theirs.listing.framing;
    let published_anomalies = ours.listing.anomalies.clone();
    let rebuilt_anomalies = theirs.listing.anomalies.clone();
    let mut second_look = SecondLook {
        format,
        options,
        published,
        rebuilt,
        records_are_true: [&published_anomalies, &rebuilt_anomalies].map(|anomalies| {
            !anomalies
                .iter()
                .any(|anomaly| anomaly.kind == AnomalyKind::RecordMismatch)
        }),
    };

    let mut pairs = Pairs::new(format, ours.listing, theirs.listing);
    pairs.published.programs = ours.programs;
    pairs.rebuilt.programs = theirs.programs;
    let mut standings: Vec<Standing> = pairs.rows.iter().map(first_standing).collect();
    let mut erasures = Erasures::default();
    erase_headers(&mut pairs, &mut erasures);
    let mut remaining = remaining(&pairs);
    let python = options.python.as_ref().filter(|_| {
        let rows = remaining
            .iter()
            .filter(|left| left.facets.has(Facets::CONTENT));
        rows.filter_map(|left| pairs.rows.get(left.row))
            .any(|row| is_python(&row.path) && row.files().is_some())
    });
    let mut erase_contents = || match options.erasing {
        Erasing::Everything => {
            second_look.erase_contents(&pairs.rows, &mut remaining, &mut erasures)
        }
        Erasing::ArchivesOnly => Ok(()),
    };
    // An interpreter takes its time to start.
    match python {
        Some(python) => at_once(erase_contents, || python.prepare()).0?,
        None => erase_contents()?,
    }
    remaining.retain(|left| !left.facets.is_empty());
    for left in &remaining {
        if let Some(standing) = standings.get_mut(left.row) {
            *standing = Standing::Different;
        }
    }

    let words = options.words;
    let mut differences = differences(format, &pairs, &remaining, &ours.install_scripts, words);
    let explained = second_look.show(&pairs.rows, &mut differences)?;
    // Within a class, what nothing accounts for comes first.
    differences.sort_by_key(|(row, difference)| (difference.class, explained.contains(row)));
    let mut differences: Vec<Difference> = differences
        .into_iter()
        .map(|(_, difference)| difference)
        .collect();
    if pairs.archive_facets().has(Facets::ORDER) {
        differences.extend(order_difference(&pairs, words));
    }
    if pairs.archive_facets().has(Facets::AGE) {
        differences.extend(age_difference(&pairs, words));
    }
    if pairs.archive_facets().has(Facets::TOP_FOLDER) {
        differences.extend(top_folder_difference(&pairs, words));
    }
    differences.extend(archive_difference(
        &published_anomalies,
        &rebuilt_anomalies,
        words,
    ));
    differences.sort_by_key(|difference| difference.class);

    let gzip_encoder = if !format.is_zip()
        && same_framing
        && differences.is_empty()
        && erasures.has_nothing_but("gzip-encoding")
    {
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
    Ok(Compared {
        entries: counts(&pairs, &remaining),
        traced: traced(format, &pairs, &remaining, &ours.install_scripts),
        paths: paths(format, pairs.rows, &ours.install_scripts, &standings),
        comparison: if differences.is_empty() {
            Comparison::Equivalent {
                erased: erasures.finish(),
            }
        } else {
            Comparison::Different {
                erased: erasures.finish(),
                differences,
            }
        },
        published_anomalies,
        rebuilt_anomalies,
        gzip_encoder,
    })
}

/// What remains, described and ranked, each with the number of its row.
fn differences(
    format: ArtifactFormat,
    pairs: &Pairs,
    remaining: &[Remaining],
    install_scripts: &InstallScripts,
    words: SideWords,
) -> Vec<(usize, Difference)> {
    let mut differences: Vec<_> = remaining
        .iter()
        .filter_map(|left| {
            let row = pairs.rows.get(left.row)?;
            Some((
                left.row,
                describe(format, row, left.facets, install_scripts, words),
            ))
        })
        .collect();
    differences
        .sort_by(|(_, one), (_, other)| (one.class, &one.path).cmp(&(other.class, &other.path)));
    differences
}

fn counts(pairs: &Pairs, remaining: &[Remaining]) -> Counts {
    let holds = |entries: &[Entry]| entries.iter().any(|entry| entry.kind != Kind::Directory);
    let mut counts = Counts::default();
    let mut remaining = remaining.iter().map(|left| left.row).peekable();
    for (number, row) in pairs.rows.iter().enumerate() {
        let differs = remaining.next_if_eq(&number).is_some();
        let (published, rebuilt) = (holds(&row.published), holds(&row.rebuilt));
        counts.published += usize::from(published);
        counts.rebuilt += usize::from(rebuilt);
        counts.equal += usize::from(published && rebuilt && !differs);
    }
    counts
}

/// What becomes of a row unless a difference remains.
fn first_standing(row: &Row) -> Standing {
    if row.facets().is_empty() {
        Standing::Equal
    } else {
        Standing::Erased
    }
}

/// Every row that is no directory, with its standing; rows beyond `standings` are equal.
fn paths(
    format: ArtifactFormat,
    rows: Vec<Row>,
    install_scripts: &InstallScripts,
    standings: &[Standing],
) -> Vec<ComparedPath> {
    let standings = standings
        .iter()
        .copied()
        .chain(std::iter::repeat(Standing::Equal));
    rows.into_iter()
        .zip(standings)
        .filter_map(|(row, standing)| {
            let mut entries = row.published.iter().rev().chain(row.rebuilt.iter().rev());
            let entry = entries.find(|entry| entry.kind != Kind::Directory)?;
            Some(ComparedPath {
                class: class_of(format, &row, install_scripts),
                size: entry.size,
                path: row.path,
                standing,
            })
        })
        .collect()
}

fn traced(
    format: ArtifactFormat,
    pairs: &Pairs,
    remaining: &[Remaining],
    install_scripts: &InstallScripts,
) -> Traced {
    let mut traced = Traced::default();
    let mut remaining = remaining.iter().peekable();
    for (number, row) in pairs.rows.iter().enumerate() {
        let facets = remaining
            .next_if(|left| left.row == number)
            .map_or_else(Facets::default, |left| left.facets);
        let same = !row.rebuilt.is_empty()
            && ![Facets::COPIES, Facets::KIND, Facets::CONTENT]
                .into_iter()
                .any(|facet| facets.has(facet));
        let bytes = running_bytes(format, &row.path, &row.published, install_scripts);
        traced.executable_bytes += bytes;
        traced.traced_bytes += if same { bytes } else { 0 };
    }
    traced
}

/// The size of the entries of one path that run.
fn running_bytes(
    format: ArtifactFormat,
    path: &EntryPath,
    entries: &[Entry],
    install_scripts: &InstallScripts,
) -> u64 {
    entries
        .iter()
        .filter(|entry| {
            entry.kind != Kind::Directory
                && match class_of_entry(format, path, entry, install_scripts) {
                    Class::Startup | Class::InstallScript | Class::Native | Class::Executable => {
                        true
                    }
                    Class::Manifest
                    | Class::DependencyList
                    | Class::Data
                    | Class::Types
                    | Class::Sourcemap
                    | Class::Metadata
                    | Class::Documentation
                    | Class::Licence => false,
                }
        })
        .map(|entry| entry.size)
        .fold(0, u64::saturating_add)
}

fn identical<P: Read + Seek>(
    format: ArtifactFormat,
    published: &mut P,
    limits: &Limits,
) -> Result<Compared, ArchiveError> {
    let FirstLook {
        listing,
        install_scripts,
        programs: _,
    } = look(format, published, limits).map_err(|error| error.on(Side::Published))?;
    let anomalies = listing.anomalies.clone();
    let pairs = Pairs::new(format, listing.clone(), listing);
    Ok(Compared {
        comparison: Comparison::Identical,
        published_anomalies: anomalies.clone(),
        rebuilt_anomalies: anomalies,
        entries: counts(&pairs, &[]),
        traced: traced(format, &pairs, &[], &install_scripts),
        paths: paths(format, pairs.rows, &install_scripts, &[]),
        gzip_encoder: None,
    })
}

/// What the first reading of one side yields.
struct FirstLook {
    listing: Listing,
    install_scripts: InstallScripts,
    /// What an npm package has as programs.
    programs: BTreeSet<String>,
}

fn look<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
) -> Result<FirstLook, ReadError> {
    let mut keep = ReadManifest {
        format,
        install_scripts: InstallScripts::default(),
        programs: BTreeSet::new(),
    };
    let listing = list(format, reader, limits, &mut keep)?.listing;
    Ok(FirstLook {
        listing,
        install_scripts: keep.install_scripts,
        programs: keep.programs,
    })
}

struct ReadManifest {
    format: ArtifactFormat,
    install_scripts: InstallScripts,
    programs: BTreeSet<String>,
}

impl Keep for ReadManifest {
    fn wants(&mut self, path: &EntryPath, size: u64) -> bool {
        let manifest = match self.format {
            ArtifactFormat::NpmTarball => "package.json",
            ArtifactFormat::Crate => "Cargo.toml",
            ArtifactFormat::Wheel
            | ArtifactFormat::Sdist
            | ArtifactFormat::SdistZip
            | ArtifactFormat::Mcpb
            | ArtifactFormat::GoModule
            | ArtifactFormat::GoProgram
            | ArtifactFormat::ImageFiles => {
                return false;
            }
        };
        path.as_str() == manifest && size <= LARGEST_MANIFEST
    }

    fn take(&mut self, _: &EntryPath, content: Vec<u8>) {
        self.install_scripts = if self.format == ArtifactFormat::Crate {
            InstallScripts::of_crate(&content)
        } else {
            self.programs = programs(&content);
            InstallScripts::of(&content)
        };
    }

    fn blobs(&self) -> bool {
        false
    }
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
