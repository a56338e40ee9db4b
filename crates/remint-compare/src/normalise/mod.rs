//! The normalisers: each makes one kind of difference vanish that carries nothing which runs or is read at run
//! time, and each leaves an `Erasure` behind. A difference that no normaliser names stays a difference.
//!
//! Every normaliser computes a canonical form of one archive alone, without looking at the other: two archives
//! are equivalent when their canonical forms are equal, so equivalence is symmetric and transitive.

mod bin_modes;
mod bundle_signature;
mod cargo_manifest_encoding;
mod core_metadata_line_ends;
mod directory_entries;
mod engine;
mod entry_order;
mod gzip_encoding;
mod mode_bits;
mod module_modes;
mod owners;
mod pairs;
mod sbom_identity;
mod seeded_from_published;
mod setuptools_sdist_metadata;
mod source_map_paths;
mod tar_header_encoding;
#[cfg(test)]
mod tests;
mod timestamps;
mod top_folder;
mod wheel_generator;
mod wheel_record;
mod windows_line_ends;
mod zip_metadata;

use remint_model::{ArtifactFormat, Comparison, EntryPath, Erasure};

pub use seeded_from_published::seeded_from_published;
pub use windows_line_ends::windows_line_ends;

pub(crate) use bin_modes::programs;
pub(crate) use engine::{Erasures, erase_content, erase_headers};
pub(crate) use mode_bits::normalise as erase_mode_bits;
pub(crate) use pairs::{Facets, Pairs, Row, Wrapping, is_built_before};

use crate::archive::Entry;

/// A named canonical form. Its meaning is frozen per version.
pub struct Normaliser {
    /// What erasures call it.
    pub id: &'static str,
    /// Raised whenever it would hide more, or less.
    pub version: u32,
    /// What it hides, in a sentence.
    pub hides: &'static str,
    formats: &'static [ArtifactFormat],
    subject: Subject,
}

/// What a normaliser works on.
enum Subject {
    /// The headers of one entry.
    Entry(fn(&mut Entry)),
    /// The headers of one entry, where the archive that it is of has a say.
    EntryOf(fn(&mut Entry, &Wrapping)),
    /// What an archive is besides its entries.
    Archive(fn(&mut Wrapping)),
    /// The content of one file; `None` leaves it as it is.
    Content(fn(&File<'_>) -> Option<Vec<u8>>),
    /// Nothing that archives show: the published file had a say in the build.
    Build,
}

/// A comparison with what the build says is erased in these files, if in any.
fn with_erasure(comparison: Comparison, normaliser: &Normaliser, paths: &[String]) -> Comparison {
    if paths.is_empty() {
        return comparison;
    }
    let erasure = Erasure {
        normaliser: normaliser.id,
        version: normaliser.version,
        paths: paths.to_vec(),
        count: paths.len(),
    };
    match comparison {
        Comparison::Identical => Comparison::Equivalent {
            erased: vec![erasure],
        },
        Comparison::Equivalent { mut erased } => {
            erased.push(erasure);
            Comparison::Equivalent { erased }
        }
        Comparison::Different {
            mut erased,
            differences,
        } => {
            erased.push(erasure);
            Comparison::Different {
                erased,
                differences,
            }
        }
    }
}

/// One file whose content may have a canonical form.
pub(crate) struct File<'a> {
    pub(crate) format: ArtifactFormat,
    pub(crate) path: &'a EntryPath,
    pub(crate) content: &'a [u8],
    /// Whether the archive's own RECORD was held against it and told the truth.
    pub(crate) record_is_true: bool,
}

const TARS: &[ArtifactFormat] = &[
    ArtifactFormat::NpmTarball,
    ArtifactFormat::Sdist,
    ArtifactFormat::Crate,
];
const ZIPS: &[ArtifactFormat] = &[
    ArtifactFormat::Wheel,
    ArtifactFormat::SdistZip,
    ArtifactFormat::Mcpb,
    ArtifactFormat::GoModule,
];
const SDISTS: &[ArtifactFormat] = &[ArtifactFormat::Sdist, ArtifactFormat::SdistZip];
const PYTHON: &[ArtifactFormat] = &[
    ArtifactFormat::Wheel,
    ArtifactFormat::Sdist,
    ArtifactFormat::SdistZip,
];
/// What `mcpb pack` writes anew on every run is erased from bundles too; nothing else is. Of a Go module zip the `h1:`
/// digest covers names and contents alone, and go ignores all else when it unpacks one.
const ALL_AND_BUNDLES: &[ArtifactFormat] = &[
    ArtifactFormat::NpmTarball,
    ArtifactFormat::Wheel,
    ArtifactFormat::Sdist,
    ArtifactFormat::SdistZip,
    ArtifactFormat::Crate,
    ArtifactFormat::Mcpb,
    ArtifactFormat::GoModule,
];
const MODULES: &[ArtifactFormat] = &[ArtifactFormat::GoModule];
const BUNDLES: &[ArtifactFormat] = &[ArtifactFormat::Mcpb];
const WHEELS: &[ArtifactFormat] = &[ArtifactFormat::Wheel];
const NPM: &[ArtifactFormat] = &[ArtifactFormat::NpmTarball];
const CRATES: &[ArtifactFormat] = &[ArtifactFormat::Crate];
const ALL_FORMATS: &[ArtifactFormat] = &[
    ArtifactFormat::NpmTarball,
    ArtifactFormat::Wheel,
    ArtifactFormat::Sdist,
    ArtifactFormat::SdistZip,
    ArtifactFormat::Crate,
];

/// Every normaliser, in the order in which they are applied.
pub static ALL: &[Normaliser] = &[
    entry_order::NORMALISER,
    directory_entries::NORMALISER,
    top_folder::NORMALISER,
    timestamps::NORMALISER,
    owners::NORMALISER,
    bin_modes::NORMALISER,
    mode_bits::NORMALISER,
    module_modes::NORMALISER,
    tar_header_encoding::NORMALISER,
    zip_metadata::NORMALISER,
    gzip_encoding::NORMALISER,
    bundle_signature::NORMALISER,
    wheel_record::NORMALISER,
    wheel_generator::NORMALISER,
    sbom_identity::NORMALISER,
    core_metadata_line_ends::NORMALISER,
    setuptools_sdist_metadata::NORMALISER,
    source_map_paths::NORMALISER,
    cargo_manifest_encoding::NORMALISER,
    seeded_from_published::NORMALISER,
    windows_line_ends::NORMALISER,
];

impl Normaliser {
    /// Whether it hides something inside of files, rather than how they are packed.
    #[must_use]
    pub const fn concerns_contents(&self) -> bool {
        match self.subject {
            Subject::Entry(_) | Subject::EntryOf(_) | Subject::Archive(_) => false,
            Subject::Content(_) | Subject::Build => true,
        }
    }

    /// Whether archives show what it hides. What they do not show, whoever built says
    /// ([`seeded_from_published`], [`windows_line_ends`]).
    #[must_use]
    pub const fn is_seen_in_archives(&self) -> bool {
        match self.subject {
            Subject::Entry(_) | Subject::EntryOf(_) | Subject::Archive(_) | Subject::Content(_) => {
                true
            }
            Subject::Build => false,
        }
    }

    /// Whether it has anything to say about this format.
    #[must_use]
    pub fn applies_to(&self, format: ArtifactFormat) -> bool {
        self.formats.contains(&format)
    }
}
