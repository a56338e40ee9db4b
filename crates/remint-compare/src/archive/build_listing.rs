//! Turns a walk into a canonical listing: digests of every content, and the anomalies that only the whole list
//! of names shows.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::sync::Arc;

use remint_model::{AnomalyKind, ArtifactFormat, EntryPath, NativeCode, Sha256, line_ends};
use sha2::Digest as _;

use super::links::check_link;
use super::listing::{Entry, HEAD, Kind, Listing};
use super::names::check_names;
use super::places::{Place, beside, place};
use super::source::{CHUNK, Source};
use super::top_folder::{self, Row};
use super::{Anomalies, Flow, Seen, Walked, record, walk};
use crate::error::ReadError;
use crate::limits::Limits;
use crate::native_code;

/// The largest text whose blob id with other line ends is told, in bytes; source files are smaller.
const LARGEST_CONVERTED: u64 = 1 << 20;

/// What a caller wants to have of contents besides their digests.
pub(crate) trait Keep {
    /// Whether to keep the content of this regular file, whose stated size is `size`.
    fn wants(&mut self, path: &EntryPath, size: u64) -> bool;
    /// Hands over a content that was wanted and is no longer than stated.
    fn take(&mut self, path: &EntryPath, content: Vec<u8>);
    /// Whether git's blob ids are wanted, and what is machine code.
    fn blobs(&self) -> bool;
}

/// A listing, and what else is known of the contents of its entries (by `Entry::index`), if that was wanted.
pub(crate) struct Listed {
    pub(crate) listing: Listing,
    pub(crate) blobs: Vec<Blobs>,
}

/// Git's ids of a content, and what machine code it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Blobs {
    /// As it is.
    pub(crate) plain: [u8; 20],
    /// With LF for CRLF, where all of its lines end with CRLF.
    pub(crate) lf: Option<[u8; 20]>,
    /// What machine code it is, if it is any.
    pub(crate) native: Option<NativeCode>,
}

/// Reads an archive once and lists it.
pub(crate) fn list<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
    keep: &mut dyn Keep,
) -> Result<Listed, ReadError> {
    let mut anomalies = Anomalies::default();
    let mut builder = Builder::new(format, limits, keep);
    let walked = walk(
        format,
        reader,
        limits,
        &mut anomalies,
        &mut |seen, content, anomalies| builder.entry(seen, content, anomalies),
    )?;
    let gathered = builder.finish(&mut anomalies);
    if format == ArtifactFormat::Wheel {
        let again = record::check(&gathered.entries, &gathered.records, &mut anomalies);
        record::check_other_digests(reader, limits, &again, &mut anomalies)?;
    }
    Ok(gathered.listed(walked, anomalies))
}

/// Core metadata that carries a long description is still shorter.
const LARGEST_CORE_METADATA: u64 = 1 << 20;
/// A crate's manifest is much shorter, and one made for it takes hundreds of times its size to parse.
const LARGEST_CRATE_MANIFEST: u64 = 256 << 10;
/// Nobody nests deeper, and what looks at every parent of every entry stays fast.
const DEEPEST: usize = 256;

/// Takes the entries of a walk, one by one.
pub(super) struct Builder<'k> {
    format: ArtifactFormat,
    limits: &'k Limits,
    names: u64,
    keep: &'k mut dyn Keep,
    buffer: Vec<u8>,
    blobs: Vec<Blobs>,
    rows: Vec<Row>,
    /// How many files each top folder holds.
    tops: BTreeMap<Arc<str>, usize>,
    /// The RECORD files of a wheel.
    records: Vec<(EntryPath, Vec<u8>)>,
    /// The name that an sdist's PKG-INFO states, or the folder that a crate's manifest demands.
    project: Option<String>,
}

/// What a builder has once the walk has ended.
pub(super) struct Gathered {
    entries: Vec<Entry>,
    top_folder: Option<String>,
    blobs: Vec<Blobs>,
    records: Vec<(EntryPath, Vec<u8>)>,
}

impl Gathered {
    pub(super) fn listed(self, walked: Walked, anomalies: Anomalies) -> Listed {
        Listed {
            listing: Listing {
                entries: self.entries,
                anomalies: anomalies.finish(),
                top_folder: self.top_folder,
                gzip: walked.gzip,
                framing: walked.framing,
                signature: walked.signature,
            },
            blobs: self.blobs,
        }
    }
}

impl<'k> Builder<'k> {
    pub(super) fn new(format: ArtifactFormat, limits: &'k Limits, keep: &'k mut dyn Keep) -> Self {
        Self {
            format,
            limits,
            names: 0,
            keep,
            buffer: vec![0; CHUNK],
            blobs: Vec::new(),
            rows: Vec::new(),
            tops: BTreeMap::new(),
            records: Vec::new(),
            project: None,
        }
    }

    /// Judges the list of names as a whole.
    pub(super) fn finish(self, anomalies: &mut Anomalies) -> Gathered {
        let (top_folder, entries) =
            top_folder::settle(self.format, self.rows, &self.tops, anomalies);
        if let (Some(project), Some(top)) = (&self.project, &top_folder)
            && !match self.format {
                ArtifactFormat::Crate => top == project,
                ArtifactFormat::Sdist
                | ArtifactFormat::SdistZip
                | ArtifactFormat::Wheel
                | ArtifactFormat::NpmTarball
                | ArtifactFormat::Mcpb
                | ArtifactFormat::GoModule
                | ArtifactFormat::GoProgram
                | ArtifactFormat::ImageFiles => top_folder::is_folder_of(top, project),
            }
        {
            anomalies.add(
                AnomalyKind::ForeignTopFolder,
                top.as_bytes(),
                format!("the top folder of an archive of `{project}`"),
            );
        }
        check_names(&entries, anomalies);
        Gathered {
            entries,
            top_folder,
            blobs: self.blobs,
            records: self.records,
        }
    }

    pub(super) fn entry(
        &mut self,
        seen: Seen<'_>,
        content: &mut dyn Source,
        anomalies: &mut Anomalies,
    ) -> Result<Flow, ReadError> {
        let Place { top, path } = place(self.format, seen.name, anomalies);
        let path = match (path, seen.kind) {
            (Some(path), _) => path,
            // The top folder itself, or `./`.
            (None, Kind::Directory) => return Ok(Flow::Continue),
            (None, _) => {
                anomalies.add(
                    AnomalyKind::ForeignTopFolder,
                    seen.name,
                    "a file outside any folder, which installers drop or misplace",
                );
                let Some(path) = beside(top.as_deref().unwrap_or_default(), None) else {
                    return Ok(Flow::Continue);
                };
                path
            }
        };
        self.names += seen.name.len() as u64;
        if self.names > self.limits.names {
            return Err(ReadError::TooLarge {
                what: "all names together",
                limit: self.limits.names,
            });
        }
        if path.as_str().split('/').count() > DEEPEST {
            return Err(ReadError::malformed(
                0,
                format!(
                    "entry {} is more than {DEEPEST} directories deep",
                    seen.index
                ),
            ));
        }
        let top = top.map(|top| {
            let top: Arc<str> = self
                .tops
                .get_key_value(top.as_str())
                .map_or_else(|| Arc::from(top.as_str()), |(top, _)| Arc::clone(top));
            *self.tops.entry(Arc::clone(&top)).or_default() += 1;
            top
        });
        check_kind(self.format, &seen, &path, anomalies);

        let in_zip_link = seen.kind == Kind::SymbolicLink && seen.link.is_empty();
        let is_record = self.format == ArtifactFormat::Wheel && record::is_record(&path);
        let is_core_metadata = matches!(
            self.format,
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip
        ) && path.as_str() == "PKG-INFO";
        let is_crate_manifest =
            self.format == ArtifactFormat::Crate && path.as_str() == "Cargo.toml";
        let kept_by_caller = seen.kind == Kind::File && self.keep.wants(&path, seen.size);
        let keeps = in_zip_link
            || kept_by_caller
            || (is_record && seen.size <= record::LARGEST)
            || (is_core_metadata && seen.size <= LARGEST_CORE_METADATA)
            || (is_crate_manifest && seen.size <= LARGEST_CRATE_MANIFEST);
        let digested = self.digest(&seen, &path, content, keeps)?;
        if let Some(kept) = digested.kept {
            if in_zip_link {
                check_link(
                    self.format,
                    seen.kind,
                    &path,
                    top.as_deref(),
                    &kept,
                    anomalies,
                );
            } else if is_record {
                self.records.push((path.clone(), kept.clone()));
            } else if is_core_metadata {
                self.project = top_folder::project_name(&kept);
            } else if is_crate_manifest {
                self.project = top_folder::crate_folder(&kept);
            }
            if kept_by_caller {
                self.keep.take(&path, kept);
            }
        }
        if matches!(seen.kind, Kind::SymbolicLink | Kind::HardLink) && !in_zip_link {
            check_link(
                self.format,
                seen.kind,
                &path,
                top.as_deref(),
                seen.link,
                anomalies,
            );
        }
        if self.keep.blobs() {
            self.blobs.push(digested.blobs);
        }
        let is_plain = is_plain(
            seen.name,
            top.as_deref(),
            &path,
            seen.kind == Kind::Directory,
        );
        let spelled = (!is_plain).then(|| Box::new(Sha256::of(seen.name)));
        // A bundle is held against a tree as well, which has no other spelling to be compared with.
        if !is_plain && self.format == ArtifactFormat::Mcpb {
            anomalies.add(
                AnomalyKind::HeaderDisagreement,
                seen.name,
                "a name that is not its plain path",
            );
        }
        self.rows.push(Row {
            top,
            entry: Entry {
                spelled,
                path,
                index: seen.index,
                kind: seen.kind,
                mode: seen.mode,
                size: digested.size,
                sha256: digested.sha256,
                head: digested.head,
                written: seen.written,
            },
        });
        Ok(Flow::Continue)
    }

    fn digest(
        &mut self,
        seen: &Seen<'_>,
        path: &EntryPath,
        content: &mut dyn Source,
        keeps: bool,
    ) -> Result<Digested, ReadError> {
        let mut sha256 = sha2::Sha256::new();
        sha256.update(seen.link);
        let mut blob = self.keep.blobs().then(|| blob_hasher(seen.size));
        let mut text = (blob.is_some() && seen.size <= LARGEST_CONVERTED).then(Vec::new);
        let mut kept = keeps.then(Vec::new);
        let mut head = [0; HEAD];
        let mut beginning = Vec::new();
        let mut size = 0_u64;
        loop {
            let count = content.read(&mut self.buffer)?;
            let piece = self.buffer.get(..count).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            if let Ok(at) = usize::try_from(size) {
                for (to, from) in head.iter_mut().skip(at).zip(piece) {
                    *to = *from;
                }
            }
            size += count as u64;
            sha256.update(piece);
            if let Some(blob) = &mut blob {
                blob.update(piece);
                let room = native_code::BEGINNING.saturating_sub(beginning.len());
                beginning.extend(piece.iter().take(room));
            }
            if size > seen.size {
                text = None;
            } else if let Some(text) = &mut text {
                text.extend_from_slice(piece);
            }
            if size > seen.size {
                kept = None;
            } else if let Some(kept) = &mut kept {
                kept.extend_from_slice(piece);
            }
        }
        Ok(Digested {
            size,
            head,
            sha256: Sha256::from_bytes(sha256.finalize().into()),
            blobs: Blobs {
                plain: blob.map(|blob| blob.finalize().into()).unwrap_or_default(),
                lf: text.as_deref().and_then(line_ends::with_lf).map(|lf| {
                    let mut hasher = blob_hasher(lf.len() as u64);
                    hasher.update(&lf);
                    hasher.finalize().into()
                }),
                native: native_code::recognise(path, &beginning),
            },
            kept,
        })
    }
}

/// Whether a name is its top folder and its path and nothing else, a directory's last slash left aside.
fn is_plain(name: &[u8], top: Option<&str>, path: &EntryPath, is_directory: bool) -> bool {
    let rest = match top {
        Some(top) => name
            .strip_prefix(top.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"/")),
        None => Some(name),
    };
    let rest = match rest {
        Some(rest) if is_directory => Some(rest.strip_suffix(b"/").unwrap_or(rest)),
        rest => rest,
    };
    rest == Some(path.as_str().as_bytes())
}

/// Has taken in what git puts before a content of this size.
fn blob_hasher(size: u64) -> sha1::Sha1 {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {size}\0"));
    hasher
}

struct Digested {
    size: u64,
    head: [u8; HEAD],
    sha256: Sha256,
    blobs: Blobs,
    kept: Option<Vec<u8>>,
}

fn check_kind(
    format: ArtifactFormat,
    seen: &Seen<'_>,
    path: &EntryPath,
    anomalies: &mut Anomalies,
) {
    if let Kind::Special(kind) = seen.kind {
        anomalies.add(
            AnomalyKind::SpecialFile,
            seen.name,
            format!("type `{}`", kind.escape_ascii()),
        );
    }
    // A directory made in a set-group-id directory inherits that bit; it gives nobody any rights.
    let harmless = if seen.kind == Kind::Directory && !format.is_zip() {
        0o2000
    } else {
        0
    };
    let is_link = matches!(seen.kind, Kind::SymbolicLink | Kind::HardLink);
    if seen.mode & 0o7000 & !harmless != 0 && !is_link {
        anomalies.add(
            AnomalyKind::SpecialModeBits,
            path.as_str().as_bytes(),
            format!("mode {:o}", seen.mode),
        );
    }
}
