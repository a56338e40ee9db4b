//! Further names of files, and the links above what a name means.

use std::collections::VecDeque;
use std::sync::Arc;

use remint_model::{AnomalyKind, AnomalyWeight};

use super::super::paths::{shown, split};
use super::{BeyondLimits, Filesystem, Node, NodeKind};

/// Links on the way to one name; runtimes give up after as many.
const MOST_LINKS: usize = 255;

impl Filesystem {
    /// What a further name stands for. Where that cannot be found out, a file that nothing is known of: whatever was there
    /// is not any more.
    pub(super) fn linked(
        &mut self,
        path: &[u8],
        target: &[u8],
        mode: u32,
    ) -> Result<Node, BeyondLimits> {
        let unknown = self.node(mode, NodeKind::Unreadable(0));
        let Some(named) = self.inside(target, "the target of a hard link") else {
            return Ok(unknown);
        };
        let (layer, directory) = (self.layer, self.led(&named)?);
        let target = directory.map(|directory| match (&*directory, split(&named).1) {
            (b"", name) => name.to_vec(),
            (directory, name) => [directory, b"/", name].concat(),
        });
        let found = target
            .as_ref()
            // What is at the path goes before the link is made.
            .filter(|target| !is_at_or_below(target, path))
            .and_then(|target| self.nodes.get(target).cloned());
        let mut note = |weight, detail: String| {
            self.note(weight, AnomalyKind::LinkEntry, &shown(path), &detail);
        };
        let Some(node) = found else {
            note(
                AnomalyWeight::Ambiguous,
                format!("a hard link to `{}`, which is not there", shown(&named)),
            );
            return Ok(unknown);
        };
        if target.as_ref() != Some(&named) {
            note(
                AnomalyWeight::Ambiguous,
                format!("a hard link to `{}`, which is below a link", shown(&named)),
            );
        }
        if node.layer != layer {
            let from = node.layer;
            note(
                AnomalyWeight::Odd,
                format!(
                    "a hard link to `{}`, which is of layer {from}",
                    shown(&named)
                ),
            );
        }
        if let NodeKind::Link(target) = &node.kind {
            self.count_name(target)?;
        }
        let node = Node { layer, ..node };
        self.set_mode(node, mode)
    }

    /// Runtimes give a file the mode of the last of its names. Some find no file to give it to, so that both are meant.
    fn set_mode(&mut self, mut node: Node, mode: u32) -> Result<Node, BeyondLimits> {
        if node.mode | mode != node.mode && !matches!(node.kind, NodeKind::Link(_)) {
            node.mode |= mode;
            let mut work = 0;
            for name in self.nodes.values_mut() {
                work += 1;
                if name.inode == node.inode {
                    name.mode = node.mode;
                }
            }
            self.worked(work)?;
        }
        Ok(node)
    }

    /// The directory that a path lies in, with all links above it followed inside of the image; `None` where there are too
    /// many.
    pub(super) fn led(&mut self, path: &[u8]) -> Result<Option<Vec<u8>>, BeyondLimits> {
        let mut work = 0;
        let directory = self.follow(split(path).0, &mut work);
        self.worked(work)?;
        Ok(directory)
    }

    /// Where a path leads with all of its links followed inside of the image; `None` where there are too many. Counts what
    /// is looked at.
    pub(in super::super) fn follow(&self, path: &[u8], work: &mut u64) -> Option<Vec<u8>> {
        let mut reached = Vec::new();
        let mut left: VecDeque<Arc<[u8]>> = parts(path);
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            *work += 1;
            match &*part {
                b"." | b"" => continue,
                b".." => {
                    let above = split(&reached).0.len();
                    reached.truncate(above);
                    continue;
                }
                part => {
                    if !reached.is_empty() {
                        reached.push(b'/');
                    }
                    reached.extend_from_slice(part);
                }
            }
            let Some(NodeKind::Link(target)) = self.nodes.get(&reached).map(|node| &node.kind)
            else {
                continue;
            };
            links += 1;
            if links > MOST_LINKS {
                return None;
            }
            let above = if target.starts_with(b"/") {
                0
            } else {
                split(&reached).0.len()
            };
            reached.truncate(above);
            let mut first = parts(target);
            first.append(&mut left);
            left = first;
        }
        Some(reached)
    }
}

fn parts(path: &[u8]) -> VecDeque<Arc<[u8]>> {
    path.split(|byte| *byte == b'/').map(Arc::from).collect()
}

fn is_at_or_below(path: &[u8], place: &[u8]) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
