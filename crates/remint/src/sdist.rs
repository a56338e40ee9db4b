//! The registry's own source archive as the source, where the repository is out of reach. It proves less: the
//! same hands uploaded both files.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use flate2::read::MultiGzDecoder;
use remint_fetch::source::{Overrides, SourceRequest, find_source};
use remint_model::{ArtifactFormat, Basis, EntryPath, InconclusiveReason, Survey};

use crate::build::{Builder, chain};
use crate::locate::{Located, NoSource};
use crate::resolve::Case;

/// The most that is unpacked, in bytes and in entries.
const LARGEST: u64 = 1 << 30;
const MOST_ENTRIES: usize = 100_000;
/// The time of files that have none: zip archives, and so wheels, know no earlier one.
const EPOCH: i64 = 315_532_800;

/// Fetches and unpacks the sdist of the case's release.
pub(crate) async fn locate(
    case: &Case,
    builder: &Builder,
    because: &str,
) -> anyhow::Result<Result<Located, NoSource>> {
    let Some(file) = case.release.as_ref().and_then(|release| {
        release
            .files
            .iter()
            .find(|file| file.format == ArtifactFormat::Sdist && file.name != case.artifact.name)
    }) else {
        return Ok(Err((
            InconclusiveReason::NoSource,
            format!("the release has no source archive that could stand in ({because})"),
        )));
    };
    let scratch = builder.scratch()?;
    let artifact = match builder.registries.download(file, scratch.path()).await {
        Ok(artifact) => artifact,
        Err(error) if error.is_machine_fault() => return Err(error.into()),
        Err(error) => return Ok(Err((InconclusiveReason::Unavailable, chain(&error)))),
    };
    let directory = scratch.path().join("unpacked");
    fs_err::create_dir(&directory)?;
    let target = case.target.clone();
    let user = builder.settings.user.clone();
    let answer = tokio::task::spawn_blocking(move || {
        if let Err(why) = unpack(&artifact.path, &directory)? {
            return Ok(Err((InconclusiveReason::Malformed, why)));
        }
        commit(&directory)?;
        let request = SourceRequest {
            target: &target,
            release: None,
            claims: &[],
            survey: &Survey::default(),
            overrides: Overrides {
                source: Some(directory.display().to_string()),
                reference: Some("HEAD".to_owned()),
                subdirectory: None,
            },
            uploaded: None,
            ahead: None,
        };
        match find_source(&request, &user) {
            Err(error) if error.is_machine_fault() => Err(error.into()),
            found => {
                anyhow::Ok(found.map_err(|error| (InconclusiveReason::NoSource, chain(&error))))
            }
        }
    })
    .await??;
    Ok(answer.map(|mut found| {
        found.pin.repository = file.name.to_string();
        found.pin.reference = None;
        Located {
            found,
            basis: Basis::Sdist,
            notes: vec![format!(
                "the registry's source archive stood in for the repository: {because}"
            )],
            _unpacked: Some(scratch),
        }
    }))
}

/// Unpacks regular files below the archive's top folder. The inner error says what is wrong with the archive.
fn unpack(archive: &Path, directory: &Path) -> anyhow::Result<Result<(), String>> {
    let file = fs_err::File::open(archive)?;
    let mut tar = tar::Archive::new(MultiGzDecoder::new(file).take(LARGEST));
    let entries = match tar.entries() {
        Ok(entries) => entries,
        Err(error) => return Ok(Err(format!("the source archive cannot be read: {error}"))),
    };
    for (at, entry) in entries.enumerate() {
        if at >= MOST_ENTRIES {
            return Ok(Err(format!(
                "the source archive has more than {MOST_ENTRIES} entries"
            )));
        }
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Ok(Err(format!("the source archive cannot be read: {error}"))),
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let raw = entry.path_bytes().into_owned();
        let path = std::str::from_utf8(&raw)
            .ok()
            .and_then(|text| text.parse::<EntryPath>().ok())
            .and_then(|path| {
                let (_, below) = path.as_str().split_once('/')?;
                below.parse::<EntryPath>().ok()
            });
        let Some(path) = path.filter(|path| !names_git(path)) else {
            return Ok(Err(
                "the source archive has an entry outside its folder".to_owned()
            ));
        };
        let to = directory.join(path.as_str());
        if let Some(parent) = to.parent() {
            fs_err::create_dir_all(parent)?;
        }
        let mut content = Vec::new();
        if let Err(error) = entry.read_to_end(&mut content) {
            return Ok(Err(format!("the source archive cannot be read: {error}")));
        }
        if fs_err::symlink_metadata(&to).is_ok() {
            return Ok(Err(format!("the source archive has `{path}` twice")));
        }
        fs_err::write(&to, &content)?;
        let executable = entry.header().mode().unwrap_or(0o644) & 0o111 != 0;
        set_executable(&to, executable)?;
    }
    Ok(Ok(()))
}

fn names_git(path: &EntryPath) -> bool {
    path.as_str()
        .split('/')
        .any(|part| part.eq_ignore_ascii_case(".git"))
}

#[cfg(unix)]
fn set_executable(path: &Path, executable: bool) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if executable { 0o755 } else { 0o644 };
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(())
}

#[cfg(not(unix))]
fn set_executable(_path: &Path, _executable: bool) -> anyhow::Result<()> {
    Ok(())
}

/// Makes a repository of one commit, the form in which every source is read.
fn commit(directory: &Path) -> anyhow::Result<()> {
    let repository = git2::Repository::init(directory).context("cannot prepare the sources")?;
    let mut index = repository.index()?;
    add_below(&repository, &mut index, directory, "")?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let when = git2::Time::new(EPOCH, 0);
    let who = git2::Signature::new("remint", "remint@localhost", &when)?;
    repository.commit(Some("HEAD"), &who, &who, "source archive", &tree, &[])?;
    Ok(())
}

/// Adds every file byte for byte: the archive's own attributes must not convert anything.
fn add_below(
    repository: &git2::Repository,
    index: &mut git2::Index,
    directory: &Path,
    below: &str,
) -> anyhow::Result<()> {
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let Some(name) = entry
            .file_name()
            .to_str()
            .map(|name| format!("{below}{name}"))
        else {
            continue;
        };
        if entry.file_type()?.is_dir() {
            if name != ".git" {
                add_below(repository, index, &entry.path(), &format!("{name}/"))?;
            }
            continue;
        }
        let zero = git2::IndexTime::new(0, 0);
        index.add(&git2::IndexEntry {
            ctime: zero,
            mtime: zero,
            dev: 0,
            ino: 0,
            mode: if is_executable(&entry.path())? {
                0o100_755
            } else {
                0o100_644
            },
            uid: 0,
            gid: 0,
            file_size: 0,
            id: repository.blob(&fs_err::read(entry.path())?)?,
            flags: 0,
            flags_extended: 0,
            path: name.into_bytes(),
        })?;
    }
    Ok(())
}

#[cfg(unix)]
fn is_executable(path: &Path) -> anyhow::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs_err::symlink_metadata(path)?.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(_path: &Path) -> anyhow::Result<bool> {
    Ok(false)
}
