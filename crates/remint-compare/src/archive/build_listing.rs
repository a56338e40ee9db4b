//! Turns a walk into a canonical listing: digests of every content, and the anomalies that only the whole list
//! of names shows.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Seek};

use remint_model::{AnomalyKind, ArtifactFormat, EntryPath, Sha256};
use sha2::Digest as _;
use unicode_normalization::UnicodeNormalization as _;

use super::listing::{Entry, HEAD, Kind, Listing};
use super::places::{Place, beside, place};
use super::source::{CHUNK, Source};
use super::{Anomalies, Flow, Seen, record, walk};
use crate::error::ReadError;
use crate::limits::Limits;

/// What a caller wants to have of contents besides their digests.
pub(crate) trait Keep {
    /// Whether to keep the content of this regular file, whose stated size is `size`.
    fn wants(&mut self, path: &EntryPath, size: u64) -> bool;
    /// Hands over a content that was wanted and is no longer than stated.
    fn take(&mut self, path: &EntryPath, content: Vec<u8>);
    /// Whether git's blob ids are wanted.
    fn blobs(&self) -> bool;
}

/// A listing and git's ids of the contents of its entries (by `Entry::index`), if they were wanted.
pub(crate) struct Listed {
    pub(crate) listing: Listing,
    pub(crate) blobs: Vec<[u8; 20]>,
}

/// Reads an archive once and lists it.
pub(crate) fn list<R: Read + Seek>(
    format: ArtifactFormat,
    reader: &mut R,
    limits: &Limits,
    keep: &mut dyn Keep,
) -> Result<Listed, ReadError> {
    let mut anomalies = Anomalies::default();
    let mut builder = Builder {
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
    };
    let walked = walk(
        format,
        reader,
        limits,
        &mut anomalies,
        &mut |seen, content, anomalies| builder.entry(seen, content, anomalies),
    )?;
    let Builder {
        blobs,
        rows,
        tops,
        records,
        project,
        ..
    } = builder;
    let (top_folder, entries) = settle_top_folder(format, rows, &tops, &mut anomalies);
    if let (Some(project), Some(top)) = (&project, &top_folder)
        && !is_folder_of(top, project)
    {
        anomalies.add(
            AnomalyKind::ForeignTopFolder,
            top.as_bytes(),
            format!("the top folder of an archive of `{project}`"),
        );
    }
    check_names(&entries, &mut anomalies);
    if format == ArtifactFormat::Wheel {
        let again = record::check(&entries, &records, &mut anomalies);
        record::check_other_digests(reader, limits, &again, &mut anomalies)?;
    }
    Ok(Listed {
        listing: Listing {
            entries,
            anomalies: anomalies.finish(),
            top_folder,
            gzip: walked.gzip,
            framing: walked.framing,
        },
        blobs,
    })
}

/// An entry before it is known which top folder is the archive's own.
struct Row {
    top: Option<String>,
    entry: Entry,
}

/// Core metadata that carries a long description is still shorter.
const LARGEST_CORE_METADATA: u64 = 1 << 20;
/// Nobody nests deeper, and what looks at every parent of every entry stays fast.
const DEEPEST: usize = 256;

struct Builder<'k> {
    format: ArtifactFormat,
    limits: &'k Limits,
    names: u64,
    keep: &'k mut dyn Keep,
    buffer: Vec<u8>,
    blobs: Vec<[u8; 20]>,
    rows: Vec<Row>,
    /// How many files each top folder holds.
    tops: BTreeMap<String, usize>,
    /// The RECORD files of a wheel.
    records: Vec<(EntryPath, Vec<u8>)>,
    /// The name that an sdist's PKG-INFO states.
    project: Option<String>,
}

impl Builder<'_> {
    fn entry(
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
        if let Some(top) = &top {
            *self.tops.entry(top.clone()).or_default() += 1;
        }
        check_kind(self.format, &seen, &path, anomalies);

        let in_zip_link = seen.kind == Kind::SymbolicLink && seen.link.is_empty();
        let is_record = self.format == ArtifactFormat::Wheel && record::is_record(&path);
        let is_core_metadata = matches!(
            self.format,
            ArtifactFormat::Sdist | ArtifactFormat::SdistZip
        ) && path.as_str() == "PKG-INFO";
        let kept_by_caller = seen.kind == Kind::File && self.keep.wants(&path, seen.size);
        let keeps = in_zip_link
            || kept_by_caller
            || (is_record && seen.size <= record::LARGEST)
            || (is_core_metadata && seen.size <= LARGEST_CORE_METADATA);
        let digested = self.digest(&seen, content, keeps)?;
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
                self.project = project_name(&kept);
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
            self.blobs.push(digested.blob);
        }
        self.rows.push(Row {
            top,
            entry: Entry {
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
        content: &mut dyn Source,
        keeps: bool,
    ) -> Result<Digested, ReadError> {
        let mut sha256 = sha2::Sha256::new();
        sha256.update(seen.link);
        let mut blob = self.keep.blobs().then(|| {
            let mut hasher = sha1::Sha1::new();
            hasher.update(format!("blob {}\0", seen.size));
            hasher
        });
        let mut kept = keeps.then(Vec::new);
        let mut head = [0; HEAD];
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
            blob: blob.map(|blob| blob.finalize().into()).unwrap_or_default(),
            kept,
        })
    }
}

struct Digested {
    size: u64,
    head: [u8; HEAD],
    sha256: Sha256,
    blob: [u8; 20],
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

/// npm drops links and wheels have none; a source archive may link to what it holds itself.
fn check_link(
    format: ArtifactFormat,
    kind: Kind,
    path: &EntryPath,
    top: Option<&str>,
    target: &[u8],
    anomalies: &mut Anomalies,
) {
    let inside = match format {
        ArtifactFormat::NpmTarball | ArtifactFormat::Wheel => false,
        ArtifactFormat::Sdist | ArtifactFormat::SdistZip => {
            std::str::from_utf8(target).is_ok_and(|target| match kind {
                Kind::HardLink => top.is_some_and(|top| {
                    target
                        .strip_prefix("./")
                        .unwrap_or(target)
                        .strip_prefix(top)
                        .is_some_and(|rest| rest.starts_with('/') && stays_inside(None, &rest[1..]))
                }),
                Kind::File
                | Kind::Directory
                | Kind::SymbolicLink
                | Kind::Special(_)
                | Kind::Unreadable => stays_inside(path.parent().as_ref(), target),
            })
        }
    };
    if !inside {
        anomalies.add(
            AnomalyKind::LinkEntry,
            path.as_str().as_bytes(),
            format!("to `{}`", target.escape_ascii()),
        );
    }
}

/// Whether a relative target never climbs above the top folder on its way.
fn stays_inside(from: Option<&EntryPath>, target: &str) -> bool {
    if target.starts_with('/') || target.contains(['\\', '\0']) || target.is_empty() {
        return false;
    }
    let mut depth = from.map_or(0, |from| from.as_str().split('/').count());
    // A name followed by `..` could be a link, whose parent is elsewhere.
    let mut named = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if named || depth == 0 => return false,
            ".." => depth -= 1,
            _ => {
                named = true;
                depth += 1;
            }
        }
    }
    true
}

/// Finds the archive's own top folder and names the entries that lie elsewhere.
fn settle_top_folder(
    format: ArtifactFormat,
    rows: Vec<Row>,
    tops: &BTreeMap<String, usize>,
    anomalies: &mut Anomalies,
) -> (Option<String>, Vec<Entry>) {
    let expected = match format {
        ArtifactFormat::NpmTarball => Some("package"),
        ArtifactFormat::Wheel | ArtifactFormat::Sdist | ArtifactFormat::SdistZip => None,
    };
    let own = expected
        .filter(|expected| tops.contains_key(*expected))
        .map(str::to_owned)
        .or_else(|| {
            tops.iter()
                .max_by_key(|(_, count)| **count)
                .map(|(top, _)| top.clone())
        });
    let mut entries = Vec::with_capacity(rows.len());
    for Row { top, mut entry } in rows {
        if let Some(top) = top
            && own.as_ref() != Some(&top)
        {
            anomalies.add(
                AnomalyKind::ForeignTopFolder,
                format!("{top}/{}", entry.path).as_bytes(),
                format!("not below `{}`", own.as_deref().unwrap_or_default()),
            );
            // npm's strip moves it among the others, so that is where it is compared.
            if format != ArtifactFormat::NpmTarball
                && let Some(path) = beside(&top, Some(&entry.path))
            {
                entry.path = path;
            }
        }
        entries.push(entry);
    }
    (own, entries)
}

/// The `Name:` of core metadata.
fn project_name(content: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    text.lines()
        .take_while(|line| !line.is_empty())
        .find_map(|line| line.strip_prefix("Name:"))
        .map(|name| name.trim().to_owned())
}

/// Whether a folder is called `name-version`, in any of the spellings that names have had (PEP 503, PEP 625).
fn is_folder_of(folder: &str, project: &str) -> bool {
    folder.match_indices('-').any(|(at, _)| {
        let (name, version) = folder.split_at(at);
        version.len() > 1 && normal_name(name) == normal_name(project)
    })
}

fn normal_name(name: &str) -> String {
    name.split(['-', '_', '.'])
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_ascii_lowercase()
}

/// Names that collide: twice the same, the same in another case or composition, a file where others need a
/// directory, an entry below a link.
fn check_names(entries: &[Entry], anomalies: &mut Anomalies) {
    let mut by_path: HashMap<&str, Kind> = HashMap::with_capacity(entries.len());
    let mut folded: HashMap<String, &str> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let path = entry.path.as_str();
        let is_directory = entry.kind == Kind::Directory;
        match by_path.insert(path, entry.kind) {
            Some(Kind::Directory) if is_directory => {}
            Some(Kind::Directory) => clash(path, anomalies),
            Some(_) if is_directory => clash(path, anomalies),
            Some(_) => anomalies.add(
                AnomalyKind::DuplicateEntry,
                path.as_bytes(),
                "this path occurs more than once",
            ),
            None if is_directory => {}
            None => {
                if let Some(twin) = folded.insert(fold(path), path) {
                    anomalies.add(
                        AnomalyKind::CaseTwins,
                        path.as_bytes(),
                        format!("collides with `{twin}` where case or composition does not count"),
                    );
                }
            }
        }
    }
    let mut visited = HashSet::new();
    for entry in entries {
        let mut rest = entry.path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/')
            && visited.insert(parent)
        {
            rest = parent;
            match by_path.get(parent) {
                None | Some(Kind::Directory) => {}
                Some(Kind::SymbolicLink) => anomalies.add(
                    AnomalyKind::LinkEntry,
                    entry.path.as_str().as_bytes(),
                    format!("lies below the link `{parent}`"),
                ),
                Some(Kind::File | Kind::HardLink | Kind::Special(_) | Kind::Unreadable) => {
                    clash(parent, anomalies);
                }
            }
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
fn fold(path: &str) -> String {
    if path.is_ascii() {
        path.to_ascii_lowercase()
    } else {
        path.to_uppercase().to_lowercase().nfd().collect()
    }
}
