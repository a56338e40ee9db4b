//! Names that collide, on every file system or on some.

use std::cmp::Ordering;
use std::collections::HashMap;

use remint_model::AnomalyKind;
use unicode_normalization::UnicodeNormalization as _;

use super::Anomalies;
use super::listing::{Entry, Kind};

/// Notes what occurs twice, differs only in case or composition, is a file where others need a directory, or
/// lies below a link.
pub(super) fn check_names(entries: &[Entry], anomalies: &mut Anomalies) {
    check_twins(entries, anomalies);
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|one, other| by_place(one.path.as_str(), other.path.as_str()));
    check_repetitions(&sorted, anomalies);
    check_parents(&sorted, anomalies);
}

/// Orders paths so that whatever lies below a path comes right after it.
pub(crate) fn by_place(one: &str, other: &str) -> Ordering {
    let place = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    one.bytes().map(place).cmp(other.bytes().map(place))
}

/// Whether `path` lies below `directory`.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn check_repetitions(sorted: &[&Entry], anomalies: &mut Anomalies) {
    for copies in sorted.chunk_by(|one, other| one.path == other.path) {
        let directories = copies
            .iter()
            .filter(|entry| entry.kind == Kind::Directory)
            .count();
        let Some(path) = copies.first().map(|entry| entry.path.as_str()) else {
            continue;
        };
        if copies.len() - directories > 1 {
            anomalies.add(
                AnomalyKind::DuplicateEntry,
                path.as_bytes(),
                format!("{} entries of this path", copies.len() - directories),
            );
        }
        if directories > 0 && directories < copies.len() {
            clash(path, anomalies);
        }
    }
}

fn check_parents(sorted: &[&Entry], anomalies: &mut Anomalies) {
    // Whatever is no directory and may have entries below it.
    let mut above: Vec<(&Entry, bool)> = Vec::new();
    for entry in sorted {
        while above
            .last()
            .is_some_and(|(parent, _)| !is_below(entry.path.as_str(), parent.path.as_str()))
        {
            above.pop();
        }
        if let Some((parent, noted)) = above.last_mut() {
            let parent_path = parent.path.as_str();
            if parent.kind == Kind::SymbolicLink {
                anomalies.add(
                    AnomalyKind::LinkEntry,
                    entry.path.as_str().as_bytes(),
                    format!("lies below the link `{parent_path}`"),
                );
            } else if !*noted {
                *noted = true;
                clash(parent_path, anomalies);
            }
        }
        if entry.kind != Kind::Directory {
            above.push((entry, false));
        }
    }
}

fn check_twins(entries: &[Entry], anomalies: &mut Anomalies) {
    let mut folded: HashMap<String, &str> = HashMap::with_capacity(entries.len());
    for entry in entries.iter().filter(|e| e.kind != Kind::Directory) {
        let path = entry.path.as_str();
        if let Some(twin) = folded.insert(fold(path), path)
            && twin != path
        {
            anomalies.add(
                AnomalyKind::CaseTwins,
                path.as_bytes(),
                format!("collides with `{twin}` where case or composition does not count"),
            );
        }
    }
}

fn clash(path: &str, anomalies: &mut Anomalies) {
    anomalies.add(
        AnomalyKind::FileDirectoryClash,
        path.as_bytes(),
        "a file that is also a directory of other entries",
    );
}

/// A path as file systems see it that ignore case and composition.
pub(crate) fn fold(path: &str) -> String {
    if path.is_ascii() {
        path.to_ascii_lowercase()
    } else {
        path.to_uppercase().to_lowercase().nfd().collect()
    }
}
