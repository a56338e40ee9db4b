//! What goes when an entry comes: what a whiteout hides, and what stands where something else is put.

use std::ops::Range;

use remint_model::{AnomalyKind, AnomalyWeight};

use super::super::paths::{above, shown};
use super::{AUFS, BeyondLimits, Filesystem, Node, NodeKind, OPAQUE, WHITEOUT};

impl Filesystem {
    /// Hides what lower layers have. What is of the same layer stays, whatever comes first in it.
    ///
    /// Many runtimes write out each layer by itself, and see no links of the lower ones: to them a directory is where such a
    /// link is, and there is nothing in it to be hidden.
    pub(super) fn whiteout(&mut self, directory: &[u8], name: &[u8]) -> Result<(), BeyondLimits> {
        let in_directory = |directory: &[u8], name: &[u8]| match directory {
            b"" => name.to_vec(),
            directory => [directory, b"/", name].concat(),
        };
        let named = in_directory(directory, name);
        let layer = self.layer;
        let everywhere = self.led(&named, |_| true)?;
        let by_itself = self.led(&named, |node| node.layer == layer)?;
        if everywhere != by_itself {
            self.note(
                AnomalyWeight::Ambiguous,
                AnomalyKind::LinkEntry,
                &shown(&named),
                "a whiteout below a link of a lower layer: some runtimes follow it, so that what it leads to stays here",
            );
            return Ok(());
        }
        let Some(directory) = by_itself else {
            self.note(
                AnomalyWeight::Ambiguous,
                AnomalyKind::LinkEntry,
                &shown(&named),
                "a whiteout below links that lead nowhere",
            );
            return Ok(());
        };
        let hidden = in_directory(&directory, name);
        if hidden != named {
            let detail = format!(
                "a whiteout below a link: it hides what runtimes that follow it find at `{}`",
                shown(&hidden)
            );
            self.note(
                AnomalyWeight::Ambiguous,
                AnomalyKind::LinkEntry,
                &shown(&named),
                &detail,
            );
        }
        if name == OPAQUE {
            if directory.is_empty() {
                self.note(
                    AnomalyWeight::Ambiguous,
                    AnomalyKind::SpecialFile,
                    &shown(&named),
                    "the root is marked as opaque: the kernel's overlay shows lower layers all the same, so that they stay here",
                );
                return Ok(());
            }
            return self.hide_below(directory, |node| node.layer < layer);
        }
        if name.starts_with(AUFS) {
            self.note(
                AnomalyWeight::Odd,
                AnomalyKind::SpecialFile,
                &shown(&named),
                "a record of AUFS, which no runtime applies",
            );
            return Ok(());
        }
        match name.strip_prefix(WHITEOUT) {
            Some(b"" | b"." | b"..") | None => {
                self.note(
                    AnomalyWeight::Escapes,
                    AnomalyKind::PathTraversal,
                    &shown(&named),
                    "a whiteout of a directory's own entries",
                );
                Ok(())
            }
            Some(hidden) => self.hide(in_directory(&directory, hidden)),
        }
    }

    /// Hides what lower layers have at a path and below it.
    fn hide(&mut self, path: Vec<u8>) -> Result<(), BeyondLimits> {
        let layer = self.layer;
        if self.nodes.get(&path).is_some_and(|node| node.layer < layer) {
            self.nodes.remove(&path);
        }
        self.whiteouts.insert(path.clone());
        self.hide_below(path, |node| node.layer < layer)
    }

    /// Removes what is below a directory. What is of lower layers may come back with [`Self::uncover`].
    pub(super) fn hide_below(
        &mut self,
        directory: Vec<u8>,
        goes: impl Fn(&Node) -> bool,
    ) -> Result<(), BeyondLimits> {
        let mut work = 1;
        let nodes = self.nodes.range(below(directory)).inspect(|_| work += 1);
        let gone: Vec<Vec<u8>> = nodes
            .filter(|(_, node)| goes(node))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            if let Some((path, node)) = self.nodes.remove_entry(&path)
                && node.layer < self.layer
            {
                self.hidden.insert(path, node);
            }
        }
        self.worked(work)
    }

    /// Brings back what the layer has hidden below a path, at which it then makes a directory: to the kernel's overlay that
    /// is a new one over those of lower layers, whatever was at the path before it.
    pub(super) fn uncover(&mut self, directory: &[u8]) -> Result<(), BeyondLimits> {
        let mut work = 1;
        let paths: Vec<Vec<u8>> = self
            .hidden
            .range(below(directory.to_vec()))
            .inspect(|_| work += 1)
            .map(|(path, _)| path.clone())
            .collect();
        let mut is_any = false;
        for path in paths {
            // What the layer itself has put there since stays.
            let is_taken = self.nodes.contains_key(&path)
                || self.nodes.range(below(path.clone())).next().is_some()
                || above(&path).any(|parent| self.nodes.contains_key(parent));
            work += 2 + above(&path).count() as u64;
            if !is_taken && let Some((path, node)) = self.hidden.remove_entry(&path) {
                self.nodes.insert(path, node);
                is_any = true;
            }
        }
        if is_any {
            self.note(
                AnomalyWeight::Ambiguous,
                AnomalyKind::FileDirectoryClash,
                &shown(directory),
                "a directory where the same layer hides one: runtimes do not agree on whether what lower layers have below it is hidden, so that it stays here",
            );
        }
        self.worked(work)
    }

    /// What is above an entry and no directory makes room for one.
    pub(super) fn clear_way(&mut self, path: &[u8]) -> Result<(), BeyondLimits> {
        let mut work = 0;
        let blocking: Vec<Vec<u8>> = above(path)
            .inspect(|_| work += 1)
            .filter(|parent| self.nodes.contains_key(*parent))
            .map(<[u8]>::to_vec)
            .collect();
        for parent in blocking {
            let Some(node) = self.nodes.remove(&parent) else {
                continue;
            };
            if let NodeKind::Link(target) = &node.kind {
                let detail = format!(
                    "lies below the link `{}` to `{}`: runtimes follow it or replace it",
                    shown(&parent),
                    shown(target)
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
            if node.layer == self.layer {
                self.uncover(&parent)?;
            }
        }
        self.worked(work)
    }

    /// Counts what was looked at.
    pub(super) fn worked(&mut self, work: u64) -> Result<(), BeyondLimits> {
        self.work = self.work.saturating_add(work);
        if self.work > self.limits.work {
            return Err(BeyondLimits("whiteouts and replacements"));
        }
        Ok(())
    }
}

/// The range of everything below a directory that is not the root.
fn below(mut directory: Vec<u8>) -> Range<Vec<u8>> {
    // `0` is what comes after `/`.
    let mut end = directory.clone();
    directory.push(b'/');
    end.push(b'0');
    directory..end
}
