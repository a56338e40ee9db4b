//! What two artifacts have in common once the named normalisers have run, and what they have not.

use serde::Serialize;

use crate::path::EntryPath;

/// The answer to "is it the same file?". Equality after normalising always carries what was hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Bit for bit.
    Identical,
    /// Equal once these were applied.
    Equivalent {
        /// At least one.
        erased: Vec<Erasure>,
    },
    /// Something differs that nothing explains away.
    Different {
        /// What was applied all the same.
        erased: Vec<Erasure>,
        /// At least one; at most one a path; most serious first.
        differences: Vec<Difference>,
    },
}

/// A named normaliser hid a difference at these places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Erasure {
    /// The normaliser's id.
    pub normaliser: &'static str,
    /// Its version; its meaning is frozen per version.
    pub version: u32,
    /// The entries, or empty where it concerns the archive itself. At most 100 are listed.
    pub paths: Vec<String>,
    /// How many there were.
    pub count: usize,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Below the archive's top folder.
    pub path: EntryPath,
    /// In which direction.
    pub change: Change,
    /// How much it matters.
    pub class: Class,
    /// Unified text hunks, from rebuilt (`-`) to published (`+`), bounded.
    pub hunks: Vec<String>,
    /// Lines only in the published file, lines only in the rebuilt one; zero for binary files.
    pub lines: (usize, usize),
    /// The cause, where it is known to be true.
    pub explanation: Option<String>,
}

/// In which direction a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Only published.
    Added,
    /// Only rebuilt.
    Removed,
    /// In both, with other content.
    Changed,
    /// In both with equal content, and another mode or header.
    Metadata,
}

/// What a file is for, most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Runs without being called: `.pth`, `sitecustomize`, `binding.gyp`, an install hook.
    Startup,
    /// A script that installing runs.
    InstallScript,
    /// Machine code.
    Native,
    /// Code.
    Executable,
    /// The package's own manifest.
    Manifest,
    /// A shrinkwrap or other list of dependencies.
    DependencyList,
    /// Anything that no other class claims: code may read it.
    Data,
    /// Type declarations.
    Types,
    /// A source map.
    Sourcemap,
    /// Archive or packaging metadata.
    Metadata,
    /// For people.
    Documentation,
    /// For lawyers.
    Licence,
}

impl Class {
    /// Its word in reports.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::InstallScript => "install-script",
            Self::Native => "native",
            Self::Executable => "executable",
            Self::Manifest => "manifest",
            Self::DependencyList => "dependency-list",
            Self::Data => "data",
            Self::Types => "types",
            Self::Sourcemap => "sourcemap",
            Self::Metadata => "metadata",
            Self::Documentation => "documentation",
            Self::Licence => "licence",
        }
    }
}
