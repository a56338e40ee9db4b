//! Writes a commit's working tree and the `.git` directory that a build sees.
//!
//! The git binary writes the files, since only it knows every conversion (`eol`, `ident`,
//! `working-tree-encoding`); filters have no program to run. The result is self-contained: no alternates, no
//! promisor, no hooks, nothing that names this machine.

use std::path::Path;
use std::sync::Arc;

use git2::Oid;
use remint_model::CloneShape;

use super::command::{GitCommand, Protocols, refspec};
use super::error::GitError;
use super::objects::Objects;
use super::remote::AdvertisedRef;
use super::store::Store;

/// Most files of a working tree.
pub(crate) const MOST_FILES: usize = 200_000;

/// What is wanted besides the files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) shape: CloneShape,
    pub(super) branch: &'a str,
    pub(super) tags: &'a [AdvertisedRef],
    pub(super) time: i64,
}

/// Stat data differ inside the sandbox (owner, device, inode), so only size and time may count, or every file
/// would look modified to `git diff-index`.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\
                      \tlogallrefupdates = true\n\tcheckStat = minimal\n\ttrustctime = false\n";

/// Writes the files of a commit and a `.git` with that commit alone. Returns the paths of files that the host
/// does not have, which are left out.
pub(super) fn lay_out(
    store: &Store,
    commit: Oid,
    layout: &Layout<'_>,
    into: &Path,
) -> Result<Vec<Vec<u8>>, GitError> {
    let whole = store.whole(commit)?;
    // Before anything is written, every name of the tree is looked at.
    let objects = store.objects()?;
    let facts = objects.peel_to_commit(commit)?;
    let absent: Vec<Vec<u8>> = objects
        .files(facts.tree, MOST_FILES)?
        .into_iter()
        .filter(|file| whole.absent.contains(&file.id))
        .map(|file| file.path)
        .collect();

    let git_dir = into.join(".git");
    init(&git_dir, layout.branch, store)?;
    if whole.in_snapshots {
        GitCommand::new(store.settings(), "fetch", &git_dir)
            .speaking(Protocols::File)
            .args([
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--update-head-ok",
                "--depth=1",
                "--",
            ])
            .arg(format!("file://{}", store.snapshots().display()))
            .arg(refspec(
                &commit.to_string(),
                &format!("refs/heads/{}", layout.branch),
            ))
            .run()?;
    } else {
        // Git will not serve a commit of which something is missing, so its objects are copied.
        for source in [store.snapshots(), store.history()] {
            copy_objects(&source.join("objects"), &git_dir.join("objects"))?;
        }
        let write = |name: &str| {
            let path = git_dir.join(name);
            fs_err::write(&path, format!("{commit}\n")).map_err(GitError::disk(path))
        };
        write("shallow")?;
        write(&format!("refs/heads/{}", layout.branch))?;
    }
    if absent.is_empty() {
        git(store, into, "reset", &["--hard", "--quiet"], Vec::new())?;
    } else {
        git(store, into, "read-tree", &["HEAD"], Vec::new())?;
        let list = absent.join(&0);
        let marked = ["--skip-worktree", "-z", "--stdin"];
        git(store, into, "update-index", &marked, list)?;
        git(
            store,
            into,
            "checkout-index",
            &["--all", "--quiet"],
            Vec::new(),
        )?;
    }
    set_modes_and_times(into, layout.time)?;
    Ok(absent)
}

fn git(
    store: &Store,
    work_tree: &Path,
    operation: &str,
    arguments: &[&str],
    input: Vec<u8>,
) -> Result<(), GitError> {
    GitCommand::new(store.settings(), operation, &work_tree.join(".git"))
        .work_tree(work_tree)
        .args(arguments)
        .input(input)
        .run()
        .map(drop)
}

/// Gives `.git` the shape that was asked for, and makes its index agree with the files.
pub(super) fn finish(store: &Store, layout: &Layout<'_>, into: &Path) -> Result<(), GitError> {
    let git_dir = into.join(".git");
    match layout.shape {
        CloneShape::None => {
            return fs_err::remove_dir_all(&git_dir).map_err(GitError::disk(git_dir));
        }
        CloneShape::Tip | CloneShape::TipWithoutTag => {}
        CloneShape::History | CloneShape::HistoryWithoutTag => add_history(store, &git_dir)?,
    }
    write_tags(store, layout, &git_dir)?;
    let trim = ["FETCH_HEAD", "ORIG_HEAD"];
    for name in trim {
        let path = git_dir.join(name);
        if path.exists() {
            fs_err::remove_file(&path).map_err(GitError::disk(&path))?;
        }
    }
    let logs = git_dir.join("logs");
    if logs.exists() {
        fs_err::remove_dir_all(&logs).map_err(GitError::disk(&logs))?;
    }
    if matches!(
        layout.shape,
        CloneShape::TipWithoutTag | CloneShape::HistoryWithoutTag
    ) {
        detach(&git_dir, layout.branch)?;
    }
    git(
        store,
        into,
        "update-index",
        &["-q", "--really-refresh"],
        Vec::new(),
    )
}

/// Leaves no branch checked out. Where a release is built before its tag is pushed, it is built by a job that checks
/// out a commit; where the tag is there, people build on their branch.
fn detach(git_dir: &Path, branch: &str) -> Result<(), GitError> {
    let head = git_dir.join("HEAD");
    let commit = fs_err::read_to_string(git_dir.join("refs/heads").join(branch))
        .map_err(GitError::disk(git_dir))?;
    fs_err::write(&head, commit).map_err(GitError::disk(&head))
}

fn init(git_dir: &Path, branch: &str, store: &Store) -> Result<(), GitError> {
    for directory in [
        "objects/info",
        "objects/pack",
        "refs/heads",
        "refs/tags",
        "info",
    ] {
        let directory = git_dir.join(directory);
        fs_err::create_dir_all(&directory).map_err(GitError::disk(&directory))?;
    }
    let mut config = CONFIG.to_owned();
    if !store.is_local() {
        config.push_str("[remote \"origin\"]\n\turl = ");
        config.push_str(store.canonical());
        config.push('\n');
    }
    let write = |name: &str, content: &str| {
        let path = git_dir.join(name);
        fs_err::write(&path, content).map_err(GitError::disk(&path))
    };
    write("config", &config)?;
    write("HEAD", &format!("ref: refs/heads/{branch}\n"))
}

/// Copies the commits and trees of the whole history. Old file contents stay away: nothing that computes a
/// version reads them, and some hosts' histories are large.
fn add_history(store: &Store, git_dir: &Path) -> Result<(), GitError> {
    store.fetch_history()?;
    let mut sources = vec![store.history().join("objects")];
    let alternates = store.history().join("objects/info/alternates");
    if let Ok(text) = fs_err::read_to_string(&alternates) {
        sources.extend(text.lines().map(std::path::PathBuf::from));
    }
    for source in sources {
        copy_objects(&source, &git_dir.join("objects"))?;
    }
    let shallow = git_dir.join("shallow");
    let inherited = store.history().join("shallow");
    if inherited.is_file() {
        fs_err::copy(&inherited, &shallow).map_err(GitError::disk(&inherited))?;
    } else if shallow.is_file() {
        fs_err::remove_file(&shallow).map_err(GitError::disk(&shallow))?;
    }
    Ok(())
}

/// Packs and loose objects, without the marks of a partial clone.
fn copy_objects(from: &Path, to: &Path) -> Result<(), GitError> {
    let list = |directory: &Path| -> Result<Vec<fs_err::DirEntry>, GitError> {
        if !directory.is_dir() {
            return Ok(Vec::new());
        }
        fs_err::read_dir(directory)
            .and_then(Iterator::collect)
            .map_err(GitError::disk(directory))
    };
    for entry in list(from)? {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let loose = name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if name != "pack" && !loose {
            continue;
        }
        let target = to.join(name);
        fs_err::create_dir_all(&target).map_err(GitError::disk(&target))?;
        for file in list(&entry.path())? {
            let path = file.path();
            let wanted = loose
                || path.extension().is_some_and(|extension| {
                    matches!(extension.to_str(), Some("pack" | "idx" | "rev"))
                });
            let copy = target.join(file.file_name());
            if wanted && !copy.exists() {
                fs_err::copy(&path, &copy).map_err(GitError::disk(&path))?;
            }
        }
    }
    Ok(())
}

/// Writes the tags that a build may see: those whose commit is there, on the commit itself only where the shape
/// says so.
fn write_tags(store: &Store, layout: &Layout<'_>, git_dir: &Path) -> Result<(), GitError> {
    let head = fs_err::read_to_string(git_dir.join("refs/heads").join(layout.branch))
        .map_err(GitError::disk(git_dir))?;
    let head = head.trim();
    let visible: Vec<_> = match layout.shape {
        CloneShape::None | CloneShape::TipWithoutTag => Vec::new(),
        CloneShape::Tip => layout
            .tags
            .iter()
            .filter(|tag| tag.peeled.to_string() == head)
            .collect(),
        CloneShape::History | CloneShape::HistoryWithoutTag => {
            let ancestors = GitCommand::new(store.settings(), "rev-list", git_dir)
                .arg("HEAD")
                .run()?;
            let ancestors = String::from_utf8_lossy(&ancestors);
            let ancestors: std::collections::HashSet<&str> = ancestors.lines().collect();
            let hide_own = layout.shape == CloneShape::HistoryWithoutTag;
            layout
                .tags
                .iter()
                .filter(|tag| {
                    let commit = tag.peeled.to_string();
                    ancestors.contains(commit.as_str()) && !(hide_own && commit == head)
                })
                .collect()
        }
    };
    let visible = with_objects(store, visible, git_dir)?;
    if visible.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = visible
        .iter()
        .map(|tag| {
            let peeled = if tag.direct == tag.peeled {
                String::new()
            } else {
                format!("^{}\n", tag.peeled)
            };
            format!("{} refs/tags/{}\n{peeled}", tag.direct, tag.name)
        })
        .collect();
    lines.sort_unstable_by(|a, b| a.get(41..).cmp(&b.get(41..)));
    let content = format!(
        "# pack-refs with: peeled fully-peeled sorted \n{}",
        lines.concat()
    );
    let path = git_dir.join("packed-refs");
    fs_err::write(&path, content).map_err(GitError::disk(&path))
}

/// Annotated tags are objects of their own, which the fetch of a bare commit does not bring; a tag without its
/// object would make git fail on every look at the refs.
fn with_objects<'a>(
    store: &Store,
    tags: Vec<&'a AdvertisedRef>,
    git_dir: &Path,
) -> Result<Vec<&'a AdvertisedRef>, GitError> {
    let objects = store.objects()?;
    let present = Objects::open(&[git_dir], Arc::default())?;
    let mut kept = Vec::new();
    for tag in tags {
        if !present.has(tag.direct) {
            let Some(content) = objects.tag(tag.direct) else {
                continue;
            };
            GitCommand::new(store.settings(), "hash-object", git_dir)
                .args(["-t", "tag", "-w", "--stdin", "--literally"])
                .input(content)
                .run()?;
        }
        kept.push(tag);
    }
    Ok(kept)
}

/// Gives everything below `directory` the commit's time and the modes of umask 022. Links are not followed, and
/// git's own directory (no tree may hold another of that name) is left as it is.
fn set_modes_and_times(directory: &Path, time: i64) -> Result<(), GitError> {
    let entries: Vec<_> = fs_err::read_dir(directory)
        .and_then(Iterator::collect)
        .map_err(GitError::disk(directory))?;
    for entry in entries {
        let entry: fs_err::DirEntry = entry;
        if entry.file_name() == ".git" {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(GitError::disk(&path))?;
        if kind.is_dir() {
            set_modes_and_times(&path, time)?;
            continue;
        }
        if kind.is_file() {
            set_mode(&path)?;
        }
        set_time(&path, time)?;
    }
    set_directory_mode(directory)?;
    set_time(directory, time)
}

#[cfg(unix)]
fn set_mode(path: &Path) -> Result<(), GitError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs_err::symlink_metadata(path).map_err(GitError::disk(path))?;
    let executable = metadata.permissions().mode() & 0o100 != 0;
    let mode = if executable { 0o755 } else { 0o644 };
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(GitError::disk(path))
}

#[cfg(unix)]
fn set_directory_mode(path: &Path) -> Result<(), GitError> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(GitError::disk(path))
}

#[cfg(unix)]
fn set_time(path: &Path, time: i64) -> Result<(), GitError> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let stamp = Timespec {
        tv_sec: time,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: stamp,
        last_modification: stamp,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| GitError::disk(path)(error.into()))
}

// Nothing is built elsewhere: modes and times matter only where there is a sandbox.
#[cfg(not(unix))]
fn set_mode(_: &Path) -> Result<(), GitError> {
    Ok(())
}
#[cfg(not(unix))]
fn set_directory_mode(_: &Path) -> Result<(), GitError> {
    Ok(())
}
#[cfg(not(unix))]
fn set_time(_: &Path, _: i64) -> Result<(), GitError> {
    Ok(())
}
