//! What goes when an entry comes: what a whiteout hides, and what stands where something else is put.

use remint_model::{AnomalyKind, AnomalyWeight};

use super::super::paths::{above, shown};
use super::{AUFS, BeyondLimits, Filesystem, Node, NodeKind, OPAQUE, WHITEOUT};

impl Filesystem {
    /// Hides what lower layers have. What is of the same layer stays, whatever comes first in it.
    pub(super) fn whiteout(&mut self, directory: &[u8], name: &[u8]) -> Result<(), BeyondLimits> {
        let below = |directory: &[u8], name: &[u8]| match directory {
            b"" => name.to_vec(),
            directory => [directory, b"/", name].concat(),
        };
        let named = below(directory, name);
        let Some(directory) = self.led(&named)? else {
            self.note(
                AnomalyWeight::Ambiguous,
                AnomalyKind::LinkEntry,
                &shown(&named),
                "a whiteout below links that lead nowhere",
            );
            return Ok(());
        };
        let hidden = below(&directory, name);
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
            return self.hide(directory, false);
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
            Some(hidden) => self.hide(below(&directory, hidden), true),
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

    pub(super) fn remove_below(
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
        self.worked(work + 1)
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
