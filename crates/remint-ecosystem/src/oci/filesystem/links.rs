//! Further names of files, and the links above what a name means.

use remint_model::{AnomalyKind, AnomalyWeight};

use super::super::paths::{shown, split};
use super::{BeyondLimits, Filesystem, Node, NodeKind};

/// Links on the way to one name, after which Linux gives up.
const MOST_LINKS: usize = 40;
/// Bytes of what a link leads to; Linux makes no longer ones.
const LONGEST_TARGET: usize = 4096;

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
        let Some(named) = self.inside(target, "the target of a hard link")? else {
            return Ok(unknown);
        };
        let (layer, directory) = (self.layer, self.led(&named, |_| true)?);
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

    /// The directory that a path lies in, with those links above it that are to be `followed` followed inside of the image;
    /// `None` where there are too many.
    pub(super) fn led(
        &mut self,
        path: &[u8],
        followed: impl Fn(&Node) -> bool,
    ) -> Result<Option<Vec<u8>>, BeyondLimits> {
        let mut work = 0;
        let directory = self.follow_some(split(path).0, followed, &mut work);
        self.worked(work)?;
        Ok(directory)
    }

    /// Where a path leads with all of its links followed inside of the image; `None` where Linux gives up. Counts what is
    /// looked at.
    pub(in super::super) fn follow(&self, path: &[u8], work: &mut u64) -> Option<Vec<u8>> {
        self.follow_some(path, |_| true, work)
    }

    fn follow_some<'p>(
        &'p self,
        path: &'p [u8],
        followed: impl Fn(&Node) -> bool,
        work: &mut u64,
    ) -> Option<Vec<u8>> {
        let mut reached = Vec::new();
        // The next part stands last.
        let mut left: Vec<&[u8]> = Vec::new();
        let mut links = 0;
        push_parts(&mut left, path, work);
        while let Some(part) = left.pop() {
            match part {
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
            let target = match self.nodes.get(&reached) {
                Some(
                    node @ Node {
                        kind: NodeKind::Link(target),
                        ..
                    },
                ) if followed(node) => target,
                Some(_) | None => continue,
            };
            links += 1;
            if links > MOST_LINKS || target.len() > LONGEST_TARGET {
                return None;
            }
            let above = if target.starts_with(b"/") {
                0
            } else {
                split(&reached).0.len()
            };
            reached.truncate(above);
            push_parts(&mut left, target, work);
        }
        Some(reached)
    }
}

/// Counts them here: most of a path may be parts that are never reached.
fn push_parts<'p>(left: &mut Vec<&'p [u8]>, path: &'p [u8], work: &mut u64) {
    let before = left.len();
    left.extend(path.rsplit(|byte| *byte == b'/'));
    *work += (left.len() - before) as u64;
}

fn is_at_or_below(path: &[u8], place: &[u8]) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}
