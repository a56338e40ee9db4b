//! The cause of a difference, where it can be proved from the two files alone: each explainer tries one cause and
//! says nothing unless it accounts for every byte that differs. An explanation stands beside a difference and
//! never removes it.

mod archive_inside;
mod bundled;
mod cargo_vcs_info;
mod embedded;
mod javascript;
mod json;
mod line_ends;
mod native;
mod python;
mod renamed;
mod source_map;
mod white_space;

use std::cell::Cell;

use remint_model::EntryPath;

use super::hunks::TextDifference;
use crate::archive::Room;
use crate::known::Known;
use crate::limits::SideWords;
use crate::python::PythonSyntax;
pub(crate) use javascript::EFFORT;
pub(crate) use python::is_python;
pub(crate) use renamed::{Lone, Renamed, has_hashed_name, pair_up};

/// A file that is on both sides with other content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangedFile<'a> {
    pub(crate) path: &'a EntryPath,
    pub(crate) rebuilt: &'a [u8],
    pub(crate) published: &'a [u8],
    /// How the two differ line by line; `None` where they are no text.
    pub(crate) text: Option<&'a TextDifference>,
    pub(crate) known: &'a Known,
    /// Who can parse Python.
    pub(crate) python: Option<&'a PythonSyntax>,
    /// How the sides are named.
    pub(crate) words: SideWords,
    /// What parsing programs may still cost.
    pub(crate) effort: &'a Cell<u64>,
    /// What looking into archives inside may still cost.
    pub(crate) room: &'a Room,
    /// Files that have another hashed name on each side and are the same otherwise.
    pub(crate) renamed: &'a [Renamed],
}

impl ChangedFile<'_> {
    fn extension(&self) -> String {
        extension(self.path)
    }
}

/// In lower case, without its dot; empty where there is none.
fn extension(path: &EntryPath) -> String {
    path.file_name()
        .rsplit_once('.')
        .map_or_else(String::new, |(_, extension)| extension.to_ascii_lowercase())
}

/// What is known about why a file differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) words: String,
    /// Whether it ranks behind what nothing explains. Otherwise it says where to look, and no more.
    pub(crate) accounts_for_all: bool,
}

/// One kind of cause.
struct Explainer {
    explain: fn(&ChangedFile<'_>) -> Option<String>,
    /// Whether it is asked about binary files instead of texts.
    binary: bool,
}

const fn text(explain: fn(&ChangedFile<'_>) -> Option<String>) -> Explainer {
    Explainer {
        explain,
        binary: false,
    }
}

const fn binary(explain: fn(&ChangedFile<'_>) -> Option<String>) -> Explainer {
    Explainer {
        explain,
        binary: true,
    }
}

/// Most specific first; the first that accounts for the whole difference is taken.
const ALL: &[Explainer] = &[
    text(line_ends::explain),
    text(cargo_vcs_info::explain),
    text(javascript::explain),
    text(python::explain),
    text(json::explain),
    text(source_map::explain),
    text(white_space::explain),
    text(renamed::explain),
    text(embedded::explain),
    text(bundled::explain),
    binary(native::explain),
];

/// A cause that accounts for everything in which the two contents differ, or the entries of archives that do; `None`
/// where nothing is known.
pub(crate) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    if file.rebuilt == file.published {
        return None;
    }
    archive_inside::explain(file).or_else(|| {
        let words = ALL
            .iter()
            .filter(|explainer| explainer.binary == file.text.is_none())
            .find_map(|explainer| (explainer.explain)(file))?;
        Some(Explanation {
            words,
            accounts_for_all: true,
        })
    })
}

/// A value out of a hostile file, cut and made fit to be shown between backticks.
fn quoted(value: &[u8]) -> String {
    format!("`{}`", crate::text::escape(value, 80).replace('`', "'"))
}

#[cfg(test)]
mod tests;
