//! The cause of a difference, where it can be proved from the two files alone: each explainer tries one cause and
//! says nothing unless it accounts for every byte that differs, or says that it is only where to look. An explanation stands beside a difference and
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
    /// Whether one of the two may be executed.
    pub(crate) executable: bool,
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

impl Explanation {
    /// What accounts for the whole difference.
    const fn proof(words: String) -> Self {
        Self {
            words,
            accounts_for_all: true,
        }
    }

    /// What says where to look, and does not account for the difference.
    const fn pointer(words: String) -> Self {
        Self {
            words,
            accounts_for_all: false,
        }
    }
}

/// One kind of cause, and what it is worth where it applies.
enum Explainer {
    Proof(fn(&ChangedFile<'_>) -> Option<String>),
    Pointer(fn(&ChangedFile<'_>) -> Option<String>),
    /// It says so itself.
    Either(fn(&ChangedFile<'_>) -> Option<Explanation>),
}

impl Explainer {
    fn explain(&self, file: &ChangedFile<'_>) -> Option<Explanation> {
        match self {
            Self::Proof(explain) => explain(file).map(Explanation::proof),
            Self::Pointer(explain) => explain(file).map(Explanation::pointer),
            Self::Either(explain) => explain(file),
        }
    }
}

/// What is asked about texts: most specific first; the first that applies is taken.
const OF_TEXTS: &[Explainer] = &[
    Explainer::Either(line_ends::explain),
    Explainer::Proof(cargo_vcs_info::explain),
    Explainer::Either(javascript::explain),
    Explainer::Proof(python::explain),
    Explainer::Either(json::explain),
    Explainer::Proof(source_map::explain),
    Explainer::Either(white_space::explain),
    Explainer::Proof(renamed::explain),
    Explainer::Either(embedded::explain),
    Explainer::Pointer(bundled::explain),
];

/// What is asked about all else.
const OF_BINARIES: &[Explainer] = &[Explainer::Either(native::explain)];

/// A cause that accounts for everything in which the two contents differ, or the parts that do; `None` where nothing is known.
pub(crate) fn explain(file: &ChangedFile<'_>) -> Option<Explanation> {
    if file.rebuilt == file.published {
        return None;
    }
    let explainers = match file.text {
        Some(_) => OF_TEXTS,
        None => OF_BINARIES,
    };
    archive_inside::explain(file).or_else(|| {
        explainers
            .iter()
            .find_map(|explainer| explainer.explain(file))
    })
}

/// A value out of a hostile file, cut and made fit to be shown between backticks.
fn quoted(value: &[u8]) -> String {
    format!("`{}`", crate::text::escape(value, 80).replace('`', "'"))
}

#[cfg(test)]
mod tests;
