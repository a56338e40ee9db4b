//! What the layers of an image make together (OCI image specification, "Image Layer Filesystem Changeset"): whiteouts,
//! opaque directories and hard links applied, nothing written anywhere.
//!
//! Directories are not kept: only what has content, leads elsewhere or is special. Entries do not follow symbolic links: one
//! below a link is kept where it is named, and noted, for some runtimes would follow the link inside of the image. The
//! targets of hard links do follow those above them; whiteouts only those of their own layer, for many runtimes write out each
//! layer by itself. Where runtimes do not agree that a file goes, it stays, and that is noted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use remint_model::{AnomalyKind, AnomalyWeight, CommitId, LayerAnomaly, Sha256};

use super::paths::{Oddity, Unusable, clean, shown, split};

mod links;
mod removal;

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// AUFS's own records, which no runtime applies.
const AUFS: &[u8] = b".wh..wh.";

/// Bytes of the largest note about a package that is kept.
const LARGEST_TEXT: usize = 16 << 20;
/// Anomalies of one kind that are listed one by one.
const LISTED: usize = 50;

/// How much an image may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Entries of all layers.
    pub entries: usize,
    /// Bytes of all names, and of what links lead to.
    pub names: usize,
    /// Bytes of all contents that are kept.
    pub texts: usize,
    /// Files that whiteouts and replacements look at, over all layers.
    pub work: u64,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            entries: 500_000,
            names: 64 << 20,
            texts: 64 << 20,
            work: 50_000_000,
        }
    }
}

/// The layers make more than is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the layers have more {0} than are looked at")]
pub struct BeyondLimits(&'static str);

/// One entry of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// As the layer spells it.
    pub name: &'a [u8],
    /// Permission and special bits.
    pub mode: u32,
    /// What it makes.
    pub makes: Makes<'a>,
}

/// What an entry makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Makes<'a> {
    /// A regular file.
    File(Content),
    /// A file that could not be read, of this many bytes.
    Unreadable(u64),
    /// A directory.
    Directory,
    /// A symbolic link to this.
    SymbolicLink(&'a [u8]),
    /// A further name of this.
    HardLink(&'a [u8]),
    /// A device, pipe or socket.
    Special,
}

/// The content of a regular file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Bytes.
    pub size: u64,
    /// Of the content.
    pub sha256: Sha256,
    /// The id that git gives a blob of this content.
    pub blob: CommitId,
    /// Whether its first bytes are those of machine code or a script.
    pub runs: bool,
    /// The content itself, where [`Filesystem::keeps`] it.
    pub text: Option<Arc<Vec<u8>>>,
}

/// Something in the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The layer that put it there, counted from 0.
    pub layer: usize,
    /// Permission and special bits.
    pub mode: u32,
    /// What it is.
    pub kind: NodeKind,
    /// The same for all names of one file.
    inode: usize,
}

/// What something in the file system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File(Content),
    /// A file that could not be read, of this many bytes.
    Unreadable(u64),
    /// A symbolic link, and what it leads to.
    Link(Arc<[u8]>),
    /// A device, pipe or socket.
    Special,
}

/// What layers have made so far.
#[derive(Debug, Clone, Default)]
pub struct Filesystem {
    nodes: BTreeMap<Vec<u8>, Node>,
    /// What the current layer has hidden of those below it.
    hidden: BTreeMap<Vec<u8>, Node>,
    /// What the current layer has whiteouts for.
    whiteouts: BTreeSet<Vec<u8>>,
    layer: usize,
    limits: ImageLimits,
    entries: usize,
    names: usize,
    texts: usize,
    cut: bool,
    work: u64,
    anomalies: Vec<LayerAnomaly>,
    counts: BTreeMap<(AnomalyKind, usize), usize>,
}

impl Filesystem {
    /// An empty one, within these limits.
    #[must_use]
    pub fn new(limits: ImageLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Everything that is neither a directory nor hidden, by path.
    pub fn nodes(&self) -> impl Iterator<Item = (&[u8], &Node)> {
        self.nodes.iter().map(|(path, node)| (&**path, node))
    }

    /// What no honest builder writes, bounded for each layer and kind.
    #[must_use]
    pub fn anomalies(&self) -> &[LayerAnomaly] {
        &self.anomalies
    }

    /// What is at a path.
    pub(super) fn at(&self, path: &[u8]) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// Whether the content of the next file is to be kept: it says which package is there, and there is room.
    pub fn keeps(&mut self, name: &[u8], size: usize) -> bool {
        if !wants(name) {
            return false;
        }
        let texts = self
            .texts
            .checked_add(size)
            .filter(|texts| size <= LARGEST_TEXT && *texts <= self.limits.texts);
        match texts {
            Some(texts) => {
                self.texts = texts;
                true
            }
            None => {
                self.cut = true;
                false
            }
        }
    }

    /// Whether there was no room for a content that was to be kept.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether a mode or kind is one that the layer's own reader noted; adds what it found.
    pub fn note(&mut self, weight: AnomalyWeight, kind: AnomalyKind, path: &str, detail: &str) {
        let count = self.counts.entry((kind, self.layer)).or_default();
        *count += 1;
        let (path, detail) = match *count {
            count if count <= LISTED => (path, detail),
            count if count == LISTED + 1 => ("", "and more"),
            _ => return,
        };
        self.anomalies.push(LayerAnomaly {
            weight,
            kind,
            layer: self.layer,
            path: path.chars().take(1024).collect(),
            detail: detail.chars().take(400).collect(),
        });
    }

    /// Ends a layer; what comes next is of the one above.
    pub fn end_layer(&mut self) {
        self.layer += 1;
        self.hidden.clear();
        self.whiteouts.clear();
    }

    /// Applies one entry of the current layer.
    ///
    /// # Errors
    /// The layers make more than is looked at.
    pub fn apply(&mut self, entry: Entry<'_>) -> Result<(), BeyondLimits> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(BeyondLimits("entries"));
        }
        self.count_name(entry.name)?;
        match &entry.makes {
            Makes::SymbolicLink(target) | Makes::HardLink(target) => self.count_name(target)?,
            Makes::File(_) | Makes::Unreadable(_) | Makes::Directory | Makes::Special => {}
        }
        let Some(path) = self.inside(entry.name, "the entry")? else {
            return Ok(());
        };
        let (directory, name) = split(&path);
        if name.starts_with(WHITEOUT) {
            return self.whiteout(directory, name);
        }
        if path.is_empty() {
            // The root itself: only its mode can be meant.
            if !matches!(entry.makes, Makes::Directory) {
                self.note(
                    AnomalyWeight::Ambiguous,
                    AnomalyKind::FileDirectoryClash,
                    "",
                    "the root is no directory",
                );
            }
            return Ok(());
        }
        self.clear_way(&path)?;
        let kind = match entry.makes {
            Makes::Directory => {
                // Replaces what is no directory, and leaves what is one.
                let old = self.nodes.remove(&path);
                let replaces = old.is_some_and(|old| old.layer == self.layer);
                if replaces {
                    self.clash(&path);
                }
                if self.whiteouts.remove(&path) || replaces {
                    self.uncover(&path)?;
                }
                return Ok(());
            }
            Makes::File(content) => NodeKind::File(content),
            Makes::Unreadable(size) => NodeKind::Unreadable(size),
            Makes::SymbolicLink(target) => NodeKind::Link(target.into()),
            Makes::Special => {
                self.note(
                    AnomalyWeight::Ambiguous,
                    AnomalyKind::SpecialFile,
                    &shown(&path),
                    "a device, pipe or socket",
                );
                NodeKind::Special
            }
            Makes::HardLink(target) => {
                let node = self.linked(&path, target, entry.mode)?;
                return self.put(path, node);
            }
        };
        let node = self.node(entry.mode, kind);
        self.put(path, node)
    }

    fn count_name(&mut self, name: &[u8]) -> Result<(), BeyondLimits> {
        self.names = self.names.saturating_add(name.len());
        if self.names > self.limits.names {
            return Err(BeyondLimits("bytes of names"));
        }
        Ok(())
    }

    /// The path inside of the file system, or `None` where it leads out.
    fn inside(&mut self, name: &[u8], what: &str) -> Result<Option<Vec<u8>>, BeyondLimits> {
        let mut note = |weight, detail: &str| {
            let detail = format!("{what} {detail}");
            self.note(weight, AnomalyKind::PathTraversal, &shown(name), &detail);
        };
        match clean(name) {
            Ok((path, oddity)) => {
                match oddity {
                    // The root itself is written as `/` by some builders.
                    Some(Oddity::Absolute) if path.is_empty() => {}
                    None => {}
                    Some(Oddity::Absolute) => note(AnomalyWeight::Odd, "is an absolute path"),
                    Some(Oddity::Parents) => note(AnomalyWeight::Ambiguous, "goes through `..`"),
                }
                Ok(Some(path))
            }
            Err(Unusable::Escapes) => {
                note(AnomalyWeight::Escapes, "leads out of the image");
                Ok(None)
            }
            Err(Unusable::Nul) => {
                note(AnomalyWeight::Ambiguous, "holds a NUL");
                Ok(None)
            }
            // Runtimes have no such limit, and make the file.
            Err(Unusable::TooDeep) => Err(BeyondLimits("parts of one path")),
        }
    }

    /// Something of the current layer that has no other name.
    const fn node(&self, mode: u32, kind: NodeKind) -> Node {
        Node {
            layer: self.layer,
            mode,
            kind,
            inode: self.entries,
        }
    }

    fn put(&mut self, path: Vec<u8>, node: Node) -> Result<(), BeyondLimits> {
        let layer = self.layer;
        // What was a directory is none any more.
        self.hide_below(path.clone(), |_| true)?;
        let shown_path = shown(&path);
        if self
            .nodes
            .insert(path, node)
            .is_some_and(|old| old.layer == layer)
        {
            self.note(
                AnomalyWeight::Ambiguous,
                AnomalyKind::DuplicateEntry,
                &shown_path,
                "two entries of one path in one layer",
            );
        }
        Ok(())
    }

    fn clash(&mut self, path: &[u8]) {
        self.note(
            AnomalyWeight::Ambiguous,
            AnomalyKind::FileDirectoryClash,
            &shown(path),
            "a file and a directory in one layer",
        );
    }
}

/// Whether a file says which package it is of, or what a package starts.
fn wants(name: &[u8]) -> bool {
    let (directory, file) = split(name);
    let ends = |ending: &[u8]| directory.ends_with(ending);
    match file {
        b"package.json" => true,
        b"METADATA" | b"WHEEL" | b"RECORD" => ends(b".dist-info"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
