//! What the layers of an image make together (OCI image specification, "Image Layer Filesystem Changeset"): whiteouts,
//! opaque directories and hard links applied, nothing written anywhere.
//!
//! Directories are not kept: only what has content, leads elsewhere or is special. Symbolic links are never followed; an
//! entry below one is kept where it is named, and noted, for some runtimes would follow the link inside of the image.

use std::collections::BTreeMap;
use std::sync::Arc;

use remint_model::{AnomalyKind, AnomalyWeight, CommitId, LayerAnomaly, Sha256};

use super::paths::{Oddity, Unusable, above, clean, shown, split};

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
/// AUFS's own records, which no runtime applies.
const AUFS: &[u8] = b".wh..wh.";

/// Anomalies of one kind that are listed one by one.
const LISTED: usize = 50;

/// How much an image may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Entries of all layers.
    pub entries: usize,
    /// Bytes of all names.
    pub names: usize,
    /// Files that whiteouts and replacements look at, over all layers.
    pub work: u64,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            entries: 500_000,
            names: 64 << 20,
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
    /// The content itself, where [`Filesystem::wants`] it.
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
}

/// What something in the file system is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File(Content),
    /// A file that could not be read, of this many bytes.
    Unreadable(u64),
    /// A symbolic link, and what it leads to.
    Link(String),
    /// A device, pipe or socket.
    Special,
}

/// What layers have made so far.
#[derive(Debug, Clone, Default)]
pub struct Filesystem {
    nodes: BTreeMap<Vec<u8>, Node>,
    layer: usize,
    limits: ImageLimits,
    entries: usize,
    names: usize,
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

    /// Whether the content of a file is to be kept: it says which package is installed beside it.
    #[must_use]
    pub fn wants(name: &[u8]) -> bool {
        let (directory, file) = split(name);
        let ends = |ending: &[u8]| directory.ends_with(ending);
        match file {
            b"package.json" => directory
                .windows(b"node_modules/".len())
                .any(|part| part == b"node_modules/"),
            b"METADATA" | b"WHEEL" | b"RECORD" => ends(b".dist-info"),
            _ => false,
        }
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
    }

    /// Applies one entry of the current layer.
    ///
    /// # Errors
    /// The layers make more than is looked at.
    pub fn apply(&mut self, entry: Entry<'_>) -> Result<(), BeyondLimits> {
        self.entries += 1;
        self.names = self.names.saturating_add(entry.name.len());
        if self.entries > self.limits.entries {
            return Err(BeyondLimits("entries"));
        }
        if self.names > self.limits.names {
            return Err(BeyondLimits("bytes of names"));
        }
        let Some(path) = self.inside(entry.name, "the entry") else {
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
                if self
                    .nodes
                    .remove(&path)
                    .is_some_and(|old| old.layer == self.layer)
                {
                    self.clash(&path);
                }
                return Ok(());
            }
            Makes::File(content) => NodeKind::File(content),
            Makes::Unreadable(size) => NodeKind::Unreadable(size),
            Makes::SymbolicLink(target) => NodeKind::Link(shown(target)),
            Makes::Special => {
                self.note(
                    AnomalyWeight::Ambiguous,
                    AnomalyKind::SpecialFile,
                    &shown(&path),
                    "a device, pipe or socket",
                );
                NodeKind::Special
            }
            Makes::HardLink(target) => match self.linked(&path, target) {
                Some(node) => {
                    self.put(path, node)?;
                    return Ok(());
                }
                None => return Ok(()),
            },
        };
        let node = Node {
            layer: self.layer,
            mode: entry.mode,
            kind,
        };
        self.put(path, node)
    }

    /// The path inside of the file system, or `None` where it leads out.
    fn inside(&mut self, name: &[u8], what: &str) -> Option<Vec<u8>> {
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
                Some(path)
            }
            Err(Unusable::Escapes) => {
                note(AnomalyWeight::Escapes, "leads out of the image");
                None
            }
            Err(Unusable::Nul) => {
                note(AnomalyWeight::Ambiguous, "holds a NUL");
                None
            }
            Err(Unusable::TooDeep) => {
                note(AnomalyWeight::Ambiguous, "has too many parts");
                None
            }
        }
    }

    /// Hides what lower layers have. What is of the same layer stays, whatever comes first in it.
    fn whiteout(&mut self, directory: &[u8], name: &[u8]) -> Result<(), BeyondLimits> {
        let below = |name: &[u8]| match directory {
            b"" => name.to_vec(),
            directory => [directory, b"/", name].concat(),
        };
        if name == OPAQUE {
            return self.hide(directory.to_vec(), false);
        }
        if name.starts_with(AUFS) {
            self.note(
                AnomalyWeight::Odd,
                AnomalyKind::SpecialFile,
                &shown(&below(name)),
                "a record of AUFS, which no runtime applies",
            );
            return Ok(());
        }
        match name.strip_prefix(WHITEOUT) {
            Some(b"" | b"." | b"..") | None => {
                self.note(
                    AnomalyWeight::Escapes,
                    AnomalyKind::PathTraversal,
                    &shown(&below(name)),
                    "a whiteout of a directory's own entries",
                );
                Ok(())
            }
            Some(hidden) => self.hide(below(hidden), true),
        }
    }

    /// Removes what lower layers have below a directory, and where `itself` at the path, too.
    fn hide(&mut self, path: Vec<u8>, itself: bool) -> Result<(), BeyondLimits> {
        let layer = self.layer;
        if itself && self.nodes.get(&path).is_some_and(|node| node.layer < layer) {
            self.nodes.remove(&path);
        }
        self.remove_below(path, |node| node.layer < layer)
    }

    fn remove_below(
        &mut self,
        mut directory: Vec<u8>,
        goes: impl Fn(&Node) -> bool,
    ) -> Result<(), BeyondLimits> {
        let mut work = 0;
        let gone: Vec<Vec<u8>> = if directory.is_empty() {
            let nodes = self.nodes.iter().inspect(|_| work += 1);
            nodes
                .filter(|(_, node)| goes(node))
                .map(|(path, _)| path.clone())
                .collect()
        } else {
            // `0` is what comes after `/`.
            let mut end = directory.clone();
            directory.push(b'/');
            end.push(b'0');
            let nodes = self.nodes.range(directory..end).inspect(|_| work += 1);
            nodes
                .filter(|(_, node)| goes(node))
                .map(|(path, _)| path.clone())
                .collect()
        };
        for path in gone {
            self.nodes.remove(&path);
        }
        self.work = self.work.saturating_add(work + 1);
        if self.work > self.limits.work {
            return Err(BeyondLimits("whiteouts and replacements"));
        }
        Ok(())
    }

    /// What is above an entry and no directory makes room for one.
    fn clear_way(&mut self, path: &[u8]) -> Result<(), BeyondLimits> {
        let blocking: Vec<Vec<u8>> = above(path)
            .inspect(|_| self.work += 1)
            .filter(|parent| self.nodes.contains_key(*parent))
            .map(<[u8]>::to_vec)
            .collect();
        for parent in blocking {
            let Some(node) = self.nodes.remove(&parent) else {
                continue;
            };
            if let NodeKind::Link(target) = &node.kind {
                let detail = format!(
                    "lies below the link `{}` to `{target}`: runtimes follow it or replace it",
                    shown(&parent)
                );
                self.note(
                    AnomalyWeight::Ambiguous,
                    AnomalyKind::LinkEntry,
                    &shown(path),
                    &detail,
                );
            } else if node.layer == self.layer {
                self.clash(&parent);
            }
        }
        if self.work > self.limits.work {
            return Err(BeyondLimits("whiteouts and replacements"));
        }
        Ok(())
    }

    fn put(&mut self, path: Vec<u8>, node: Node) -> Result<(), BeyondLimits> {
        let layer = self.layer;
        // What was a directory is none any more.
        self.remove_below(path.clone(), |_| true)?;
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

    /// What a further name stands for.
    fn linked(&mut self, path: &[u8], target: &[u8]) -> Option<Node> {
        let target = self.inside(target, "the target of a hard link")?;
        let (found, layer) = (self.nodes.get(&target).cloned(), self.layer);
        let mut note = |weight, detail: String| {
            self.note(weight, AnomalyKind::LinkEntry, &shown(path), &detail);
        };
        match found {
            Some(node) if node.layer == layer => Some(node),
            Some(node) => {
                let from = node.layer;
                note(
                    AnomalyWeight::Odd,
                    format!(
                        "a hard link to `{}`, which is of layer {from}",
                        shown(&target)
                    ),
                );
                Some(Node { layer, ..node })
            }
            None => {
                note(
                    AnomalyWeight::Ambiguous,
                    format!("a hard link to `{}`, which is not there", shown(&target)),
                );
                None
            }
        }
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

#[cfg(test)]
mod tests;
