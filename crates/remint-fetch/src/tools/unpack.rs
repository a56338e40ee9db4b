//! Unpacks a tool's archive: regular files only, each inside the directory, each once, within bounds.

use std::collections::BTreeSet;
use std::io::{Read, Seek};
use std::path::Path;

use remint_model::EntryPath;

use crate::error::FetchError;
use crate::tools::damaged;

const MOST_BYTES: u64 = 3 << 30;
const MOST_ENTRIES: usize = 100_000;

/// How a tool is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArchiveKind {
    /// A gzipped tar with one top folder of any name.
    NpmTarball,
    /// A zip.
    Wheel,
    /// A module zip, whose files lie below `golang.org/toolchain@version/`.
    GoToolchain,
}

/// Unpacks into a directory that does not exist yet.
pub(crate) fn unpack(archive: &Path, kind: ArchiveKind, into: &Path) -> Result<(), FetchError> {
    fs_err::create_dir_all(into)?;
    let file = fs_err::File::open(archive)?;
    let mut place = Place {
        root: into,
        archive,
        seen: BTreeSet::new(),
        left: MOST_BYTES,
    };
    match kind {
        ArchiveKind::NpmTarball => place.tar(file),
        ArchiveKind::Wheel => place.zip(file, 0),
        ArchiveKind::GoToolchain => place.zip(file, 2),
    }
}

struct Place<'a> {
    root: &'a Path,
    archive: &'a Path,
    seen: BTreeSet<EntryPath>,
    left: u64,
}

impl Place<'_> {
    fn tar(&mut self, file: impl Read) -> Result<(), FetchError> {
        let archive = self.archive;
        // Bounds what is inflated, headers and padding included.
        let inflated = flate2::read::GzDecoder::new(std::io::BufReader::new(file)).take(MOST_BYTES);
        let mut tar = tar::Archive::new(inflated);
        for entry in tar.entries().map_err(|error| damaged(archive, error))? {
            let mut entry = entry.map_err(|error| damaged(archive, error))?;
            let kind = entry.header().entry_type();
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            let path = String::from_utf8(entry.path_bytes().into_owned())
                .map_err(|_| damaged(archive, "a file name is not UTF-8"))?;
            if !kind.is_file() {
                return Err(damaged(archive, format!("`{path}` is no regular file")));
            }
            let path: EntryPath = path
                .parse()
                .map_err(|error| damaged(archive, format!("`{path}`: {error}")))?;
            // The top folder is `package` or whatever else the publisher's tool wrote.
            let Some((_, below)) = path.as_str().split_once('/') else {
                return Err(damaged(
                    archive,
                    format!("`{path}` lies beside the top folder"),
                ));
            };
            let below = below
                .parse()
                .map_err(|error| damaged(archive, format!("`{path}`: {error}")))?;
            let executable = entry.header().mode().unwrap_or(0) & 0o111 != 0;
            self.write(below, executable, &mut entry)?;
        }
        Ok(())
    }

    /// Unpacks a zip without the first so many folders of each name.
    fn zip(&mut self, file: impl Read + Seek, folders: usize) -> Result<(), FetchError> {
        let archive = self.archive;
        let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file))
            .map_err(|error| damaged(archive, error))?;
        for index in 0..zip.len() {
            let mut entry = zip
                .by_index(index)
                .map_err(|error| damaged(archive, error))?;
            if entry.is_dir() {
                continue;
            }
            let name = entry
                .name()
                .map_err(|error| damaged(archive, error))?
                .into_owned();
            let below = (0..folders)
                .try_fold(name.as_str(), |rest, _| Some(rest.split_once('/')?.1))
                .ok_or_else(|| damaged(archive, format!("`{name}` lies beside the top folder")))?;
            let path: EntryPath = below
                .parse()
                .map_err(|error| damaged(archive, format!("`{name}`: {error}")))?;
            let mode = entry.unix_mode().unwrap_or(0o644);
            if !matches!(mode & 0o170_000, 0 | 0o100_000) {
                return Err(damaged(archive, format!("`{path}` is no regular file")));
            }
            self.write(path, mode & 0o111 != 0, &mut entry)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        path: EntryPath,
        executable: bool,
        content: &mut impl Read,
    ) -> Result<(), FetchError> {
        if self.seen.len() >= MOST_ENTRIES {
            return Err(damaged(
                self.archive,
                format!("it has more than {MOST_ENTRIES} files"),
            ));
        }
        let target = self.root.join(path.as_str());
        if self.seen.contains(&path) || target.exists() {
            return Err(damaged(self.archive, format!("`{path}` occurs twice")));
        }
        if let Some(folder) = target.parent() {
            fs_err::create_dir_all(folder).map_err(|error| self.fault(&path, error))?;
        }
        let mut file = fs_err::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&target)?;
        let mut content = content.take(self.left);
        let written =
            std::io::copy(&mut content, &mut file).map_err(|error| self.fault(&path, error))?;
        self.left = self.left.saturating_sub(written);
        if self.left == 0 {
            return Err(damaged(
                self.archive,
                format!("it inflates to more than {MOST_BYTES} bytes"),
            ));
        }
        drop(file);
        crate::cache::set_mode(&target, if executable { 0o755 } else { 0o644 })?;
        self.seen.insert(path);
        Ok(())
    }

    /// Reading and writing can both have failed: no archive, however damaged, makes an error of the disk's.
    fn fault(&self, path: &EntryPath, error: std::io::Error) -> FetchError {
        use std::io::ErrorKind;
        let is_the_disk_s = matches!(
            error.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
        );
        if is_the_disk_s {
            FetchError::Disk(error)
        } else {
            damaged(self.archive, format!("`{path}`: {error}"))
        }
    }
}

/// Whatever an archive holds, it is unpacked below its directory or not at all.
#[cfg(any(test, fuzzing))]
pub(crate) fn check_archive(bytes: &[u8]) -> std::io::Result<()> {
    let names = |directory: &Path| -> std::io::Result<Vec<_>> {
        fs_err::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name()))
            .collect()
    };
    for kind in [
        ArchiveKind::NpmTarball,
        ArchiveKind::Wheel,
        ArchiveKind::GoToolchain,
    ] {
        let place = tempfile::tempdir()?;
        let archive = place.path().join("archive");
        fs_err::write(&archive, bytes)?;
        let inner = place.path().join("inner");
        drop(unpack(&archive, kind, &inner.join("root")));
        assert_eq!(names(place.path())?.len(), 2);
        assert_eq!(names(&inner)?, ["root"]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn tarball(entries: &[(&str, tar::EntryType, u32)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let gzip = flate2::write::GzEncoder::new(file.as_file(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(gzip);
        for (path, kind, mode) in entries {
            let mut header = tar::Header::new_gnu();
            let name = header.as_gnu_mut().unwrap();
            name.name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(*mode);
            header.set_size(if kind.is_file() { 4 } else { 0 });
            if !kind.is_file() {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            let content: &[u8] = if kind.is_file() { b"text" } else { b"" };
            builder.append(&header, content).unwrap();
        }
        builder
            .into_inner()
            .unwrap()
            .finish()
            .unwrap()
            .flush()
            .unwrap();
        file
    }

    #[test]
    fn a_full_disk_is_not_held_against_the_archive() {
        use std::io::ErrorKind;
        let place = Place {
            archive: Path::new("node.tgz"),
            root: Path::new("root"),
            left: 1,
            seen: BTreeSet::new(),
        };
        let path: EntryPath = "bin/node".parse().unwrap();
        let fault = |kind: ErrorKind| place.fault(&path, kind.into());
        assert!(matches!(fault(ErrorKind::StorageFull), FetchError::Disk(_)));
        assert!(matches!(
            fault(ErrorKind::UnexpectedEof),
            FetchError::Tool { .. }
        ));
    }

    #[test]
    fn what_would_leave_the_directory_is_refused() {
        use tar::EntryType as Kind;
        let check = |entries: &[(&str, Kind, u32)], expect: Result<(), &str>| {
            let archive = tarball(entries);
            let place = tempfile::tempdir().unwrap();
            let outcome = unpack(
                archive.path(),
                ArchiveKind::NpmTarball,
                &place.path().join("root"),
            );
            match (outcome, expect) {
                (Ok(()), Ok(())) => {}
                (Err(FetchError::Tool { reason, .. }), Err(expect)) => {
                    assert!(reason.contains(expect), "{reason}");
                }
                (outcome, expect) => panic!("{entries:?}: {outcome:?}, not {expect:?}"),
            }
        };
        let file = Kind::Regular;
        check(
            &[("package/a", file, 0o644), ("package/b/c", file, 0o755)],
            Ok(()),
        );
        check(&[("package/../../a", file, 0o644)], Err("climbs out"));
        check(&[("/etc/a", file, 0o644)], Err("absolute"));
        check(&[("a", file, 0o644)], Err("beside the top folder"));
        check(
            &[("package/l", Kind::Symlink, 0o777)],
            Err("no regular file"),
        );
        check(&[("package/l", Kind::Link, 0o777)], Err("no regular file"));
        check(&[("package/d", Kind::Char, 0o777)], Err("no regular file"));
        check(
            &[("package/a", file, 0o644), ("package/a", file, 0o644)],
            Err("occurs twice"),
        );
        check(
            &[("package/a", file, 0o644), ("package/a/b", file, 0o644)],
            Err("`a/b`"),
        );
    }

    #[cfg(unix)]
    #[test]
    fn special_mode_bits_are_dropped() {
        use std::os::unix::fs::PermissionsExt as _;
        let archive = tarball(&[("package/a", tar::EntryType::Regular, 0o4755)]);
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("root");
        unpack(archive.path(), ArchiveKind::NpmTarball, &root).unwrap();
        let mode = fs_err::metadata(root.join("a"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o755);
    }

    #[test]
    fn a_truncated_archive_is_damaged() {
        let archive = tarball(&[("package/a", tar::EntryType::Regular, 0o644)]);
        let bytes = fs_err::read(archive.path()).unwrap();
        fs_err::write(archive.path(), &bytes[..bytes.len() / 2]).unwrap();
        let place = tempfile::tempdir().unwrap();
        let outcome = unpack(
            archive.path(),
            ArchiveKind::NpmTarball,
            &place.path().join("root"),
        );
        assert!(
            matches!(outcome, Err(FetchError::Tool { .. })),
            "{outcome:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_archive_writes_outside_of_its_directory(
            names in prop::collection::vec("(package/|\\.\\./|/|\\./|C:|[a-c]|\\\\){1,5}", 1..5),
            kinds in prop::collection::vec(prop::sample::select(vec![b'0', b'1', b'2', b'5', b'x', b'g', b'L', b'S']), 5),
            at: prop::sample::Index,
            byte: u8,
            noise: Vec<u8>,
        ) {
            let entries: Vec<_> = names
                .iter()
                .zip(kinds)
                .map(|(name, kind)| (name.as_str(), tar::EntryType::new(kind), 0o644))
                .collect();
            let made = fs_err::read(tarball(&entries).path()).unwrap();
            let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
            for name in &names {
                // A name that comes twice is refused by the writer already.
                if zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).is_ok() {
                    zip.write_all(b"text").unwrap();
                }
            }
            let zipped = zip.finish().unwrap().into_inner();
            let changed = |mut bytes: Vec<u8>| {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            };
            for bytes in [made.clone(), changed(made), zipped.clone(), changed(zipped), noise] {
                check_archive(&bytes).unwrap();
            }
        }
    }
}
