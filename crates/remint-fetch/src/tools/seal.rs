//! A list of every file of an unpacked tool with its digest, made when it was unpacked and held against what is
//! there before the tool is used.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use remint_model::{EntryPath, Sha256};
use serde::{Deserialize, Serialize};

use crate::digests::Hashing;
use crate::error::FetchError;
use crate::tools::damaged;

/// More threads than this only wait for the disk.
const MOST_WORKERS: usize = 8;

/// What a tool consists of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seal {
    files: BTreeMap<EntryPath, SealedFile>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SealedFile {
    sha256: Sha256,
    executable: bool,
}

/// Makes everything below `root` read-only and writes down what it is.
pub(crate) fn seal(root: &Path) -> Result<Seal, FetchError> {
    for (path, kind) in walk(root)? {
        let mode = match kind {
            Kind::Directory | Kind::File { executable: true } => 0o555,
            Kind::File { executable: false } => 0o444,
            Kind::Other => return Err(damaged(&path, "neither file nor directory")),
        };
        // Directories stay writable to their owner, or they could be neither moved nor removed.
        let mode = if kind == Kind::Directory { 0o755 } else { mode };
        crate::cache::set_mode(&path, mode)?;
    }
    read(root)
}

/// Whether exactly the sealed files are there, unchanged.
pub(crate) fn is_intact(seal: &Path, root: &Path) -> Result<bool, FetchError> {
    let text = match fs_err::read(seal) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let Ok(sealed) = serde_json::from_slice::<Seal>(&text) else {
        return Ok(false);
    };
    match read(root) {
        Ok(found) => Ok(found == sealed),
        Err(FetchError::Tool { .. }) => Ok(false),
        Err(FetchError::Disk(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn read(root: &Path) -> Result<Seal, FetchError> {
    let mut names = Vec::new();
    for (path, kind) in walk(root)? {
        let executable = match kind {
            Kind::Directory => continue,
            Kind::File { executable } => executable,
            Kind::Other => return Err(damaged(&path, "neither file nor directory")),
        };
        let name: EntryPath = path
            .strip_prefix(root)
            .ok()
            .and_then(|below| below.to_str()?.parse().ok())
            .ok_or_else(|| damaged(&path, "unreadable file name"))?;
        names.push((name, executable));
    }
    // Node alone is thousands of small files and a very large one, and is looked at before every build.
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; 128 << 10];
        let mut sealed = Vec::new();
        while let Some((name, executable)) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut file = fs_err::File::open(root.join(name.as_str()))?;
            let sha256 = Hashing::sha256(&mut file, &mut buffer)?;
            let executable = *executable;
            sealed.push((name.clone(), SealedFile { sha256, executable }));
        }
        Ok(sealed)
    };
    let workers = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .min(MOST_WORKERS);
    let sealed: Vec<std::io::Result<Vec<_>>> = thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut sealed = vec![work()];
        sealed.extend(others.into_iter().map(|other| {
            other
                .join()
                .unwrap_or_else(|_| Err(std::io::Error::other("a thread ended early")))
        }));
        sealed
    });
    let mut files = BTreeMap::new();
    for sealed in sealed {
        files.extend(sealed?);
    }
    Ok(Seal { files })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File { executable: bool },
    Other,
}

/// Everything below a directory, links not followed.
fn walk(root: &Path) -> Result<Vec<(PathBuf, Kind)>, FetchError> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        found.push((directory.clone(), Kind::Directory));
        for entry in fs_err::read_dir(&directory)? {
            let path = entry?.path();
            let metadata = fs_err::symlink_metadata(&path)?;
            if metadata.is_dir() {
                waiting.push(path);
            } else if metadata.is_file() {
                let executable = is_executable(&metadata);
                found.push((path, Kind::File { executable }));
            } else {
                found.push((path, Kind::Other));
            }
        }
    }
    Ok(found)
}

#[cfg(unix)]
fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
const fn is_executable(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn any_change_breaks_the_seal() {
        let check = |change: &dyn Fn(&Path), expect: bool| {
            let place = tempfile::tempdir().unwrap();
            let root = place.path().join("root");
            fs_err::create_dir_all(root.join("bin")).unwrap();
            fs_err::write(root.join("bin/tool"), "#!/bin/sh\n").unwrap();
            fs_err::write(root.join("data"), "data").unwrap();
            crate::cache::set_mode(&root.join("bin/tool"), 0o755).unwrap();
            let text = serde_json::to_vec(&seal(&root).unwrap()).unwrap();
            let path = place.path().join("seal.json");
            fs_err::write(&path, text).unwrap();
            change(&root);
            assert_eq!(is_intact(&path, &root).unwrap(), expect);
        };
        let replace = |path: &Path, text: &str| {
            fs_err::remove_file(path).unwrap();
            fs_err::write(path, text).unwrap();
        };
        check(&|_| {}, true);
        check(&|root| replace(&root.join("data"), "Data"), false);
        check(
            &|root| fs_err::remove_file(root.join("data")).unwrap(),
            false,
        );
        check(&|root| fs_err::write(root.join("more"), "").unwrap(), false);
        check(
            &|root| crate::cache::set_mode(&root.join("data"), 0o555).unwrap(),
            false,
        );
        check(
            &|root| std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap(),
            false,
        );
        check(&|root| fs_err::remove_dir_all(root).unwrap(), false);
    }
}
