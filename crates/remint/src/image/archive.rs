//! An OCI image layout that is one archive (`docker save`, `skopeo copy … oci-archive:`). Whatever reads it has to find the
//! same files, so that nothing is taken which several readers could understand in several ways.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use remint_compare::{ArchiveError, LayerKind, Limits};
use remint_model::Sha256;

use super::place::{Unread, malformed};

/// Bytes of a layout that is one file, unpacked.
const LARGEST_LAYOUT: u64 = 8 << 30;
const BLOBS: &str = "blobs/sha256";

/// Writes out what a layout consists of, and nothing else of the archive.
pub(super) fn unpack(archive: &Path, into: &Path) -> Result<(), Unread> {
    fs_err::create_dir_all(into.join(BLOBS))?;
    let limits = Limits {
        unpacked: LARGEST_LAYOUT,
        entries: 20_000,
        ..Limits::default()
    };
    let file = io::BufReader::new(fs_err::File::open(archive)?);
    let mut names = Names::default();
    let (mut disk, mut refused) = (None, None);
    let read = remint_compare::layer(file, &limits, &mut |entry, content| {
        let to = match names.take(entry.name, entry.kind) {
            Ok(Some(name)) => into.join(name),
            Ok(None) => return Ok(()),
            Err(reason) => {
                refused = Some(reason);
                return Err(io::Error::other("refused"));
            }
        };
        let mut written = match fs_err::File::create_new(&to) {
            Ok(written) => written,
            Err(error) => {
                disk = Some(error);
                return Err(io::Error::other("no room"));
            }
        };
        io::copy(content, &mut written).map(|_| ())
    });
    if let Some(error) = disk {
        return Err(error.into());
    }
    let refused = match (refused, read) {
        (Some(reason), _) => reason,
        (None, Ok(layer)) => match layer.anomalies.first() {
            Some(anomaly) => format!("`{}`: {}", anomaly.path, anomaly.detail),
            None => return Ok(()),
        },
        (None, Err(ArchiveError::Io { source, .. })) => return Err(source.into()),
        (None, Err(error)) => return Err(malformed(error)),
    };
    Err(malformed(format_args!(
        "readers of the archive would find different layouts in it: {refused}"
    )))
}

/// What an archive had so far.
#[derive(Default)]
struct Names {
    taken: BTreeSet<String>,
    links: BTreeSet<String>,
}

impl Names {
    /// Where an entry of the layout is to be written, and `None` for what is none.
    fn take(&mut self, name: &[u8], kind: LayerKind) -> Result<Option<String>, String> {
        let shown = name.escape_ascii();
        let parts: Vec<&[u8]> = name
            .split(|byte| *byte == b'/')
            .filter(|part| !matches!(*part, b"" | b"."))
            .collect();
        if parts.contains(&&b".."[..]) {
            return Err(format!("`{shown}` goes through `..`"));
        }
        // No name of a layout is anything but text.
        let name = String::from_utf8_lossy(&parts.join(&b'/')).into_owned();
        let mut above = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
        if above.any(|parent| self.links.contains(parent)) {
            return Err(format!("`{shown}` lies below a link"));
        }
        let is_directory = kind == LayerKind::Directory;
        if is_directory && matches!(&*name, "" | "blobs" | BLOBS) {
            return Ok(None);
        }
        let is_file = match name
            .strip_prefix(BLOBS)
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some(hex) => {
                let digest = hex.parse::<Sha256>();
                digest.is_ok_and(|digest| digest.to_string() == hex)
            }
            None => matches!(&*name, "oci-layout" | "index.json" | "manifest.json"),
        };
        if !is_file && !matches!(&*name, "" | "blobs" | BLOBS) {
            if matches!(kind, LayerKind::SymbolicLink | LayerKind::HardLink) {
                self.links.insert(name);
            }
            return Ok(None);
        }
        if kind != LayerKind::File || !is_file {
            return Err(format!("`{shown}` is not what a layout has there"));
        }
        if !self.taken.insert(name.clone()) {
            return Err(format!("`{shown}` is there twice"));
        }
        Ok(Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: &[(&str, LayerKind)], expect: Result<&[&str], &str>) {
        let mut names = Names::default();
        let taken: Result<Vec<Option<String>>, String> = entries
            .iter()
            .map(|(name, kind)| names.take(name.as_bytes(), *kind))
            .collect();
        match (taken, expect) {
            (Ok(taken), Ok(expect)) => {
                let taken: Vec<String> = taken.into_iter().flatten().collect();
                assert_eq!(taken, expect, "{entries:?}");
            }
            (Err(reason), Err(expect)) => assert!(reason.contains(expect), "{reason}"),
            (taken, expect) => panic!("{entries:?}: {taken:?}, not {expect:?}"),
        }
    }

    #[test]
    fn an_archive_is_one_layout_to_all_readers() {
        use LayerKind::{Directory, File, HardLink, SymbolicLink};
        let blob = format!("blobs/sha256/{}", Sha256::of(b"blob"));
        check(
            &[
                ("./", Directory),
                ("./oci-layout", File),
                ("././index.json", File),
                ("manifest.json", File),
                ("blobs/", Directory),
                ("blobs//sha256/", Directory),
                (&blob, File),
                ("blobs/sha256/other", File),
                ("repositories", File),
                ("latest -> ", SymbolicLink),
            ],
            Ok(&["oci-layout", "index.json", "manifest.json", &*blob]),
        );
        let twice = "is there twice";
        check(
            &[("index.json", File), ("././index.json", File)],
            Err(twice),
        );
        check(&[(&blob, File), (&blob, File)], Err(twice));
        check(&[("a/../index.json", File)], Err("goes through `..`"));
        let other = "is not what a layout has there";
        for kind in [Directory, HardLink, SymbolicLink] {
            check(&[("index.json", File), ("index.json", kind)], Err(other));
            check(&[(&blob, kind)], Err(other));
        }
        check(&[("blobs", SymbolicLink)], Err(other));
        check(&[("blobs/sha256", File)], Err(other));
        check(
            &[("a", SymbolicLink), ("a/index.json", File)],
            Err("lies below a link"),
        );
    }
}
