//! The first look at a single archive: what planning and locating need to know, before anything is compared.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use remint_model::{ArtifactFormat, Class, CommitId, EntryPath, GoBuildInfo, Survey, SurveyEntry};

use crate::archive::{Entry, Keep, Kind, list};
use crate::build_paths::BuildPaths;
use crate::difference::classify;
use crate::error::{ArchiveError, ReadError, Side};
use crate::go_program::{NoBuildInfo, go_build_info};
use crate::limits::Limits;

/// Largest manifest that is kept.
const LARGEST_TEXT: u64 = 1 << 20;
/// All manifests together.
const ALL_TEXTS: u64 = 16 << 20;
/// Largest program that is read for what it says about itself.
const LARGEST_PROGRAM: u64 = 512 << 20;

/// Lists an archive and keeps the texts and marks that planning reads.
///
/// # Errors
/// It is malformed, exceeds the limits, or cannot be read.
pub fn survey<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
) -> Result<Survey, ArchiveError> {
    let mut kept = KeepTexts {
        format,
        texts: Vec::new(),
        room: ALL_TEXTS,
        build_paths: BuildPaths::default(),
        program: None,
    };
    let listed =
        list(format, reader, limits, &mut kept).map_err(|error| error.on(Side::Surveyed))?;
    let newest_entry = listed
        .listing
        .entries
        .iter()
        .map(|entry| entry.written.mtime.0)
        .max();
    let mut entries: Vec<_> = listed
        .listing
        .entries
        .iter()
        .zip(&listed.blobs)
        .filter(|(entry, _)| entry.kind == Kind::File)
        .filter_map(|(entry, blobs)| {
            Some(SurveyEntry {
                path: entry.path.clone(),
                size: entry.size,
                mode: entry.mode,
                modified: entry.written.mtime.0,
                sha256: entry.sha256,
                blob: blob_id(&blobs.plain)?,
                lf_blob: blobs.lf.as_ref().and_then(blob_id),
            })
        })
        .collect();
    let classes = classes(format, &listed.listing.entries);
    let native = listed
        .listing
        .entries
        .iter()
        .zip(&listed.blobs)
        .filter(|(entry, _)| entry.is_file())
        .filter_map(|(entry, blobs)| Some((entry.path.clone(), blobs.native?)))
        .collect();
    entries.sort_by(|one, other| one.path.cmp(&other.path));
    kept.texts.sort();
    let program = match (format, kept.program) {
        (ArtifactFormat::GoProgram, None) => {
            let error = ReadError::TooLarge {
                what: "a program",
                limit: LARGEST_PROGRAM,
            };
            return Err(error.on(Side::Surveyed));
        }
        (_, Some(Err(why))) => {
            return Err(ReadError::malformed(0, why.to_string()).on(Side::Surveyed));
        }
        (_, Some(Ok(program))) => Some(program),
        (_, None) => None,
    };
    Ok(Survey {
        entries,
        anomalies: listed.listing.anomalies,
        gzip: listed.listing.gzip,
        texts: kept.texts,
        build_paths: kept.build_paths.finish(),
        newest_entry,
        top_folder: listed.listing.top_folder,
        signature: listed.listing.signature,
        classes,
        native,
        program,
    })
}

fn classes(format: ArtifactFormat, entries: &[Entry]) -> BTreeMap<EntryPath, Class> {
    entries
        .iter()
        .filter(|entry| entry.is_file())
        .map(|entry| {
            let class = classify(format, &entry.path, &entry.head, entry.is_executable());
            (entry.path.clone(), class)
        })
        .collect()
}

fn blob_id(blob: &[u8; 20]) -> Option<CommitId> {
    remint_model::Sha1::from_bytes(*blob)
        .to_string()
        .parse()
        .ok()
}

struct KeepTexts {
    format: ArtifactFormat,
    texts: Vec<(EntryPath, Vec<u8>)>,
    room: u64,
    build_paths: BuildPaths,
    program: Option<Result<GoBuildInfo, NoBuildInfo>>,
}

impl Keep for KeepTexts {
    fn wants(&mut self, path: &EntryPath, size: u64) -> bool {
        if self.format == ArtifactFormat::GoProgram {
            return size <= LARGEST_PROGRAM;
        }
        if self.build_paths.wants(path, size) {
            return true;
        }
        let keeps = is_manifest(self.format, path) && size <= LARGEST_TEXT && size <= self.room;
        if keeps {
            self.room -= size;
        }
        keeps
    }

    fn take(&mut self, path: &EntryPath, content: Vec<u8>) {
        if self.format == ArtifactFormat::GoProgram {
            self.program = Some(go_build_info(&content));
        } else if is_manifest(self.format, path) {
            self.texts.push((path.clone(), content));
        } else {
            self.build_paths.read(path, &content);
        }
    }

    fn blobs(&self) -> bool {
        true
    }
}

/// Whether planning may want to read this file.
fn is_manifest(format: ArtifactFormat, path: &EntryPath) -> bool {
    let top_level = path.as_str();
    match format {
        ArtifactFormat::NpmTarball => {
            matches!(
                top_level,
                "package.json" | "npm-shrinkwrap.json" | "binding.gyp"
            )
        }
        ArtifactFormat::Wheel => top_level.split_once('/').is_some_and(|(directory, file)| {
            directory.ends_with(".dist-info")
                && matches!(file, "METADATA" | "WHEEL" | "RECORD" | "entry_points.txt")
        }),
        ArtifactFormat::Sdist | ArtifactFormat::SdistZip => matches!(
            top_level,
            "PKG-INFO" | "pyproject.toml" | "setup.cfg" | "setup.py"
        ),
        ArtifactFormat::Crate => {
            matches!(
                top_level,
                "Cargo.toml" | "Cargo.lock" | ".cargo_vcs_info.json"
            )
        }
        ArtifactFormat::GoModule => top_level == "go.mod",
        ArtifactFormat::GoProgram | ArtifactFormat::ImageFiles => false,
        // Those of the packages inside say what the bundle is made of.
        ArtifactFormat::Mcpb => {
            matches!(top_level, "manifest.json" | "pyproject.toml" | "uv.lock")
                || matches!(
                    path.file_name(),
                    "package.json" | "package-lock.json" | ".package-lock.json"
                )
                || path.parent().is_some_and(|directory| {
                    directory.file_name().ends_with(".dist-info")
                        && matches!(
                            path.file_name(),
                            "METADATA"
                                | "WHEEL"
                                | "RECORD"
                                | "INSTALLER"
                                | "direct_url.json"
                                | "uv_cache.json"
                        )
                })
        }
    }
}
