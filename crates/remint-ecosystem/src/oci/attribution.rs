//! Where the files of an image come from: a layer of the base image, a package of a registry, or the source. What
//! nothing accounts for is told, never guessed.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use remint_model::{
    AttributedPackage, CommitId, EntryPath, FileOrigin, ImageFile, Survey, SurveyEntry,
    Unattributed,
};

use super::code::{Started, is_code};
use super::filesystem::{Filesystem, Node, NodeKind};
use super::paths::shown;
use crate::mcpb::bundled::{Answer, Bundled, BundledPackage, bundled};

/// Bytes of all notes about packages that are read.
const ALL_TEXTS: usize = 64 << 20;
const BYTE_CODE: &str = "byte code, which an installer makes and no registry has";
const CODE_AS_RECORD: &str = "it is code under the name of a package manager's record";

/// The layers that are the base image's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseLayers<'b> {
    /// This many, and whose they are is known.
    Vouched(usize),
    /// This many of this image, which nobody names but whoever made the image on it. That may be the same person, so that
    /// what the image starts and what gives the rights of others is still to be accounted for.
    Unvouched(usize, &'b str),
}

impl BaseLayers<'_> {
    const fn count(&self) -> usize {
        match self {
            Self::Vouched(count) | Self::Unvouched(count, _) => *count,
        }
    }

    /// Why the base does not account for something in its layers.
    fn excuses_not(&self, path: &[u8], node: &Node, started: &Started) -> Option<String> {
        let Self::Unvouched(_, reference) = self else {
            return None;
        };
        let is_file = match node.kind {
            NodeKind::File(_) | NodeKind::Unreadable(_) => true,
            NodeKind::Link(_) | NodeKind::Special => false,
        };
        (is_file && (node.mode & 0o6000 != 0 || started.contains(path))).then(|| {
            format!("it is of `{reference}`, and nothing but the image's own label says that this is its base")
        })
    }
}

/// What is installed above the base image.
pub struct Installed {
    survey: Survey,
    bundled: Bundled,
    /// Whether there is more than is read.
    cut: bool,
}

/// Where each file comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributed {
    /// Every file, by path.
    pub files: Vec<ImageFile>,
    /// Packages with at least one file that is the registry's.
    pub packages: Vec<AttributedPackage>,
}

impl Installed {
    /// Looks at what lies above the first `base_layers` layers.
    #[must_use]
    pub fn of(filesystem: &Filesystem, base_layers: usize) -> Self {
        let mut survey = Survey::default();
        let (mut room, mut cut) = (ALL_TEXTS, filesystem.is_cut());
        for (path, node) in filesystem.nodes() {
            let NodeKind::File(content) = &node.kind else {
                continue;
            };
            let Some(path) = as_entry(path).filter(|_| node.layer >= base_layers) else {
                continue;
            };
            if let Some(text) = &content.text {
                match room.checked_sub(text.len()) {
                    Some(left) => {
                        room = left;
                        survey.texts.push((path.clone(), text.to_vec()));
                    }
                    None => cut = true,
                }
            }
            survey.entries.push(SurveyEntry {
                path,
                size: content.size,
                mode: node.mode,
                modified: 0,
                sha256: content.sha256,
                blob: content.blob.clone(),
                lf_blob: None,
            });
        }
        Self {
            bundled: bundled(&survey),
            survey,
            cut,
        }
    }

    /// The packages that registries are to be asked for.
    #[must_use]
    pub fn packages(&self) -> &[BundledPackage] {
        &self.bundled.packages
    }

    /// Says where every file comes from. There is one answer for each package, in their order; `base` are the layers that
    /// were left out, `source` is what the source's files are, where it is known, and `started` what the image starts.
    #[must_use]
    pub fn attribute<A: Borrow<Answer>>(
        &self,
        filesystem: &Filesystem,
        answers: &[A],
        base: BaseLayers<'_>,
        source: Option<&BTreeSet<CommitId>>,
        started: &Started,
    ) -> Attributed {
        let attribution = self.bundled.attribute(&self.survey, answers);
        let refused: BTreeMap<&str, _> = attribution
            .unattributed
            .iter()
            .map(|file| (file.path.as_str(), file))
            .collect();
        let files = filesystem.nodes().map(|(path, node)| {
            let mut file = begin(path, node, started);
            let is_of_base = node.layer < base.count();
            let unexcused = is_of_base
                .then(|| base.excuses_not(path, node, started))
                .flatten();
            let NodeKind::File(content) = &node.kind else {
                if is_of_base && unexcused.is_none() {
                    file.origin = FileOrigin::Base;
                }
                file.detail = unexcused;
                return file;
            };
            // Nothing else looks into records, so that no code is one.
            let is_record = |file: &ImageFile| attribution.recorded.contains(&*file.path);
            let of_source = source.is_some_and(|blobs| blobs.contains(&content.blob));
            let (origin, package, detail) = if is_of_base && unexcused.is_none() {
                (FileOrigin::Base, None, None)
            } else if let Some(found) = refused.get(&*file.path) {
                let (package, detail) = (found.package.clone(), found.detail.clone());
                let reason = found.reason;
                match reason {
                    // The registry contradicts it, whatever the source has: which source that is, the image says itself.
                    Unattributed::Differs | Unattributed::Extra => {
                        let is_made = reason == Unattributed::Extra && file.is_byte_code();
                        let origin = if is_made {
                            FileOrigin::Unattributed
                        } else {
                            FileOrigin::PackageDiffers
                        };
                        let detail = match (is_made, of_source) {
                            (true, _) => BYTE_CODE.to_owned(),
                            (false, true) => format!("{detail}, but the source has"),
                            (false, false) => detail,
                        };
                        (origin, package, Some(detail))
                    }
                    // The same bytes in the source are an account, too.
                    _ if of_source => (FileOrigin::Source, None, None),
                    Unattributed::Unreachable | Unattributed::BeyondLimits => {
                        (FileOrigin::Unknown, package, Some(detail))
                    }
                    Unattributed::UnknownPackage if file.is_byte_code() => (
                        FileOrigin::Unattributed,
                        package,
                        Some(BYTE_CODE.to_owned()),
                    ),
                    Unattributed::UnknownPackage => {
                        // Whoever makes the image chooses how much is installed: that excuses nothing.
                        let detail = if self.cut {
                            format!("{detail}; more is installed than is looked at")
                        } else {
                            detail
                        };
                        (FileOrigin::Unattributed, package, Some(detail))
                    }
                }
            } else if is_record(&file) && !file.executable {
                (FileOrigin::Record, None, None)
            } else if let Some(at) = attribution.held.get(&*file.path) {
                let package = self.bundled.packages.get(*at).map(BundledPackage::label);
                (FileOrigin::Package, package, None)
            } else if of_source {
                (FileOrigin::Source, None, None)
            } else {
                let is_record = is_record(&file).then(|| CODE_AS_RECORD.to_owned());
                let detail = unexcused.or(is_record);
                (FileOrigin::Unattributed, None, detail)
            };
            file.origin = origin;
            file.package = package;
            file.detail = detail;
            file
        });
        Attributed {
            files: files.collect(),
            packages: attribution.packages,
        }
    }
}

/// The path as those of packages are, where it can be one.
fn as_entry(path: &[u8]) -> Option<EntryPath> {
    std::str::from_utf8(path).ok()?.parse().ok()
}

fn begin(path: &[u8], node: &Node, started: &Started) -> ImageFile {
    let (size, sha256, link, origin) = match &node.kind {
        NodeKind::File(content) => (
            content.size,
            Some(content.sha256),
            None,
            FileOrigin::Unattributed,
        ),
        NodeKind::Unreadable(size) => (*size, None, None, FileOrigin::Unattributed),
        NodeKind::Link(target) => (0, None, Some(shown(target)), FileOrigin::Link),
        NodeKind::Special => (0, None, None, FileOrigin::Unattributed),
    };
    let executable = is_code(path, node, started);
    let path = shown(path);
    ImageFile {
        size,
        mode: node.mode,
        layer: node.layer,
        sha256,
        link,
        executable,
        origin,
        package: None,
        detail: None,
        path,
    }
}

#[cfg(test)]
mod tests;
