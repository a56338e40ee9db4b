//! One row that differs, as a `Difference`: its direction, its class, and what its headers alone explain.

use remint_model::{Anomaly, AnomalyKind, ArtifactFormat, Change, Class, Difference, EntryPath};

use super::{InstallScripts, classify};
use crate::archive::{Entry, Kind};
use crate::limits::SideWords;
use crate::normalise::{Facets, Pairs, Row, Wrapping, is_built_before};

/// Describes a row by its headers; hunks come later.
pub(crate) fn describe(
    format: ArtifactFormat,
    row: &Row,
    facets: Facets,
    install_scripts: &InstallScripts,
    words: SideWords,
) -> Difference {
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
    Difference {
        path: row.path.clone(),
        change,
        class: class_of(format, row, install_scripts),
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: header_explanation(row, facets, words),
    }
}

/// What the entries of a row are for: the most serious of all that they may be.
pub(crate) fn class_of(
    format: ArtifactFormat,
    row: &Row,
    install_scripts: &InstallScripts,
) -> Class {
    row.published
        .iter()
        .chain(&row.rebuilt)
        .map(|entry| class_of_entry(format, &row.path, entry, install_scripts))
        .min()
        .unwrap_or(Class::Data)
}

/// What one entry is for.
pub(crate) fn class_of_entry(
    format: ArtifactFormat,
    path: &EntryPath,
    entry: &Entry,
    install_scripts: &InstallScripts,
) -> Class {
    let class = match entry.kind {
        Kind::Directory => Class::Metadata,
        Kind::File | Kind::SymbolicLink | Kind::HardLink | Kind::Special(_) | Kind::Unreadable => {
            classify(
                format,
                path,
                &entry.head,
                entry.is_file() && entry.is_executable(),
            )
        }
    };
    if install_scripts.names(path) {
        class.min(Class::InstallScript)
    } else {
        class
    }
}

/// What differs when the content does not, or when the content is not all that differs.
fn header_explanation(row: &Row, facets: Facets, words: SideWords) -> Option<String> {
    let SideWords {
        published: ours,
        rebuilt: theirs,
    } = words;
    if facets.has(Facets::COPIES) && !row.published.is_empty() && !row.rebuilt.is_empty() {
        return Some(format!(
            "{} entries of this path {ours}, {} {theirs}",
            row.published.len(),
            row.rebuilt.len()
        ));
    }
    let (published, rebuilt) = (row.published.last()?, row.rebuilt.last()?);
    if facets.has(Facets::KIND) {
        return Some(format!(
            "{} {ours}, {} {theirs}",
            kind_name(published.kind),
            kind_name(rebuilt.kind)
        ));
    }
    if facets.has(Facets::NAME) {
        return Some(format!(
            "the archives spell its name in different ways, and readers do not agree on what the {ours} or the {theirs} one means"
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
            "{} {ours}, {} {theirs}",
            says(published),
            says(rebuilt)
        ));
    }
    facets
        .has(Facets::ATTRIBUTES)
        .then(|| "attributes beside permissions differ, which some installers apply".to_owned())
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

/// Another top folder, where that is more than a name.
pub(crate) fn top_folder_difference(pairs: &Pairs, words: SideWords) -> Option<Difference> {
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
            "top folder `{published}` {}, `{rebuilt}` {}",
            words.published, words.rebuilt
        )),
    })
}

/// Another order of entries that can be one file, where case or composition does not count: the last one is what is left.
pub(crate) fn order_difference(pairs: &Pairs, words: SideWords) -> Option<Difference> {
    let of = |wrapping: &Wrapping| -> Vec<u32> {
        let order = wrapping.order.iter().copied();
        order.filter(|row| wrapping.twins.contains(row)).collect()
    };
    let (published, rebuilt) = (of(&pairs.published), of(&pairs.rebuilt));
    let mut orders = published.iter().zip(&rebuilt);
    let (number, _) = orders.find(|(one, other)| one != other)?;
    let row = pairs.rows.get(usize::try_from(*number).ok()?)?;
    Some(Difference {
        path: row.path.clone(),
        change: Change::Metadata,
        class: Class::Executable,
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: Some(format!(
            "entries that can be one file, or lead others elsewhere, come in another order in the {} archive: what is \
             unpacked last decides what is installed",
            words.published
        )),
    })
}

/// Other times, where an sdist brings along what was built of it before.
pub(crate) fn age_difference(pairs: &Pairs, words: SideWords) -> Option<Difference> {
    let row = pairs.rows.iter().find(|row| is_built_before(&row.path))?;
    Some(Difference {
        path: row.path.clone(),
        change: Change::Metadata,
        class: Class::Executable,
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: Some(format!(
            "left by an earlier build, and installed where it is younger than its source: the times in the {} archive are \
             others",
            words.published
        )),
    })
}

/// Bytes that no entry owns, or that readers take in different ways: no normaliser may hide them, and no path
/// names them.
pub(crate) fn archive_difference(
    published: &[Anomaly],
    rebuilt: &[Anomaly],
    words: SideWords,
) -> Option<Difference> {
    let sides = published
        .iter()
        .map(|anomaly| (words.published, anomaly))
        .chain(rebuilt.iter().map(|anomaly| (words.rebuilt, anomaly)));
    // What some readers take for other files may be other code.
    let class = |anomaly: &Anomaly| {
        let kinds = [
            AnomalyKind::HeaderDisagreement,
            AnomalyKind::PathTraversal,
            AnomalyKind::TrailingGzipMember,
        ];
        if kinds.contains(&anomaly.kind) {
            Class::Executable
        } else {
            Class::Data
        }
    };
    let (side, anomaly) = sides
        .filter(|(_, anomaly)| is_beyond_entries(anomaly))
        .min_by_key(|(_, anomaly)| class(anomaly))?;
    Some(Difference {
        path: ARCHIVE.parse().ok()?,
        change: Change::Changed,
        class: class(anomaly),
        hunks: Vec::new(),
        lines: (0, 0),
        explanation: Some(format!(
            "the {side} archive holds bytes that belong to no entry or can be read in two ways: {}",
            anomaly.detail
        )),
    })
}

/// Whether comparing entries says nothing about it.
pub(super) const fn is_beyond_entries(anomaly: &Anomaly) -> bool {
    match anomaly.kind {
        AnomalyKind::PrefixBytes
        | AnomalyKind::SuffixBytes
        | AnomalyKind::GapBytes
        | AnomalyKind::HeaderDisagreement
        | AnomalyKind::PathTraversal
        | AnomalyKind::TrailingGzipMember => true,
        // These are entries, and compared as such.
        AnomalyKind::DuplicateEntry
        | AnomalyKind::CaseTwins
        | AnomalyKind::LinkEntry
        | AnomalyKind::SpecialFile
        | AnomalyKind::ForeignTopFolder
        | AnomalyKind::SpecialModeBits
        | AnomalyKind::FileDirectoryClash
        | AnomalyKind::RecordMismatch
        | AnomalyKind::UnreadableEntry => false,
    }
}

/// Stands for the archive itself where a path is asked for.
const ARCHIVE: &str = "(archive)";
