//! How much of a hostile archive is read before it is refused, and how much of a difference is shown.

use crate::known::Known;
use crate::python::PythonSyntax;

/// Bounds on reading one archive. What exceeds one is an error, never silently cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after decompression, over the whole archive.
    pub unpacked: u64,
    /// Entries of any type.
    pub entries: u64,
    /// Bytes of one entry's name.
    pub name: u64,
    /// Bytes of all names together.
    pub names: u64,
    /// Bytes of one extended header (PAX records, GNU long names); npm's reader ignores larger ones than this.
    pub extended_header: u64,
    /// Bytes of all extended headers together.
    pub extended_headers: u64,
    /// Bytes of a zip's central directory.
    pub directory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked: 2 << 30,
            entries: 200_000,
            name: 4096,
            names: 32 << 20,
            extended_header: 1 << 20,
            extended_headers: 64 << 20,
            directory: 64 << 20,
        }
    }
}

/// Which normalisers are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erasing {
    /// All.
    Everything,
    /// Those of archives and of the headers of their entries: every file has to have the same bytes.
    ArchivesOnly,
}

/// What the two sides are called where a difference is explained; each fits "the WORD file" and "a link WORD".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideWords {
    /// The side whose additions are shown with `+`.
    pub published: &'static str,
    /// The side that it is held against.
    pub rebuilt: &'static str,
}

impl Default for SideWords {
    fn default() -> Self {
        Self {
            published: "published",
            rebuilt: "rebuilt",
        }
    }
}

/// How comparing reads and what it shows.
#[derive(Debug, Clone)]
pub struct Options {
    /// Applied to each of the two archives.
    pub limits: Limits,
    /// What may be erased.
    pub erasing: Erasing,
    /// At most this many differing files are shown as text; the rest are listed.
    pub shown_files: usize,
    /// Larger files are not shown as text; 8 MiB is the most that is ever read for it.
    pub shown_file_size: u64,
    /// Lines of one hunk, its context included.
    pub hunk_lines: usize,
    /// Hunks of one file.
    pub hunks: usize,
    /// How explanations name the sides.
    pub words: SideWords,
    /// What explanations may name.
    pub known: Known,
    /// Who knows whether two Python texts are one program.
    pub python: Option<PythonSyntax>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            erasing: Erasing::Everything,
            shown_files: 50,
            shown_file_size: 8 << 20,
            hunk_lines: 40,
            hunks: 8,
            words: SideWords::default(),
            known: Known::default(),
            python: None,
        }
    }
}
