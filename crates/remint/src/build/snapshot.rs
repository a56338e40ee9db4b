//! Installed dependencies, kept read-only for the next build with the same inputs.
//!
//! Only what install steps made is kept. The key covers the whole tree that they ran in, since no list of the files
//! that an install reads is ever complete; the content is verified against its own listing before it is used.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use remint_model::{BuildRecord, Fetched, Phase, RefusedRequest, Sha256};
use sha2::{Digest as _, Sha256 as Hasher};

use super::steps::{Run, step_inputs};
use crate::cli::IsolationLevel;

/// Changes when the meaning of a snapshot changes.
const LAYOUT: &str = "snapshot-3";
/// What is kept of a tree: directories with these names, wherever they are.
const KEPT: &[&str] = &["node_modules"];
/// How deep a tree is searched for them.
const DEEPEST: usize = 12;
/// How deep anything may nest that is digested.
const DEEPEST_DIGESTED: usize = 200;

/// A verified snapshot.
pub(super) struct Snapshot {
    /// The lower layer.
    pub(super) directory: PathBuf,
    /// How it was made.
    pub(super) made: Made,
}

/// What the install steps did when the snapshot was made: a build that uses it rests on that as well.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Made {
    /// What they fetched.
    pub(super) fetched: Vec<Fetched>,
    /// What was run.
    pub(super) commands: Vec<String>,
}

impl Snapshot {
    /// The snapshot in this place, if there is one and it is intact. A broken one is removed.
    pub(super) fn find(home: &Path) -> anyhow::Result<Option<Self>> {
        let listing = match fs_err::read_to_string(home.join("listing")) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let directory = home.join("tree");
        let made = fs_err::read(home.join("made")).unwrap_or_default();
        if listing.trim() == listed(&directory, &made)?
            && let Ok(made) = serde_json::from_slice(&made)
        {
            Ok(Some(Self { directory, made }))
        } else {
            remint_sandbox::remove_tree(home)?;
            Ok(None)
        }
    }
}

/// Moves what the install steps made out of the tree into the store, from where it is mounted below the tree for
/// the remaining steps.
pub(super) fn keep(
    run: &Run<'_>,
    home: &Path,
    record: &BuildRecord,
) -> anyhow::Result<Option<Snapshot>> {
    let served = run.proxy.as_ref().map(|proxy| proxy.record());
    let refused = served.iter().flat_map(|served| &served.refused);
    if refused.into_iter().any(lacks_something) {
        return Ok(None);
    }
    let store = home.parent().context("a snapshot lies in the store")?;
    fs_err::create_dir_all(store)?;
    // Beside the tree until it is whole, so that it goes with the build if it never is.
    let staging = run.workspace.snapshot();
    fs_err::create_dir(&staging)?;
    let tree = staging.join("tree");
    fs_err::create_dir(&tree)?;
    run.workspace.owner().give(&tree)?;
    let moved = move_kept(&run.workspace.tree(), &tree, run, 0)?;
    if moved == 0 {
        return Ok(None);
    }
    let made = Made {
        fetched: served
            .map(|served| served.fetched.clone())
            .unwrap_or_default(),
        commands: record.commands.clone(),
    };
    let text = serde_json::to_vec(&made)?;
    fs_err::write(staging.join("made"), &text)?;
    fs_err::write(staging.join("listing"), listed(&tree, &text)?)?;
    let directory = match fs_err::rename(&staging, home) {
        Ok(()) => home.join("tree"),
        // Another run was faster: its tree is as good, and ours is still what this build mounts.
        Err(_) if home.join("listing").is_file() => tree,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(Snapshot { directory, made }))
}

/// Whether an install that was refused this may have made another tree than it would have with it.
fn lacks_something(refused: &RefusedRequest) -> bool {
    // What clients ask for without being told to, and installing does not need.
    const UNASKED: [&str; 3] = ["audit", "update-check", "unknown-endpoint"];
    !UNASKED.contains(&refused.reason.as_str())
}

/// Moves every kept directory from below `from` to the same place below `to`; returns how many.
fn move_kept(from: &Path, to: &Path, run: &Run<'_>, depth: usize) -> anyhow::Result<usize> {
    let mut moved = 0;
    if depth > DEEPEST {
        return Ok(0);
    }
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let source = entry.path();
        if !fs_err::symlink_metadata(&source)?.is_dir() || name == ".git" {
            continue;
        }
        let target = to.join(&name);
        if name.to_str().is_some_and(|name| KEPT.contains(&name)) {
            make_parents(&target, run)?;
            fs_err::rename(&source, &target)?;
            moved += 1;
        } else {
            moved += move_kept(&source, &target, run, depth + 1)?;
        }
    }
    Ok(moved)
}

fn make_parents(target: &Path, run: &Run<'_>) -> anyhow::Result<()> {
    let Some(parent) = target.parent() else {
        return Ok(());
    };
    if fs_err::symlink_metadata(parent).is_ok() {
        return Ok(());
    }
    make_parents(parent, run)?;
    fs_err::create_dir(parent)?;
    run.workspace.owner().give(parent)?;
    Ok(())
}

/// Where the snapshot of this plan lies: a directory named by all its inputs. `None` when they are not all known, or
/// cannot be read.
/// To be asked before the first step: an install could change the inputs to those of another tree.
pub(super) fn home(run: &Run<'_>) -> Option<PathBuf> {
    // Without namespaces nothing can be mounted below a tree.
    let can_mount = run.builder.settings.isolation == IsolationLevel::Namespaces;
    if run.plan.snapshot_inputs.is_empty() || !can_mount {
        return None;
    }
    let installs: Vec<_> = run
        .plan
        .steps
        .iter()
        .take_while(|step| step.phase == Phase::Install)
        .cloned()
        .collect();
    if installs.is_empty() {
        return None;
    }
    let tree = run.workspace.tree();
    let are_plain = run
        .plan
        .snapshot_inputs
        .iter()
        .all(|path| is_plain(&tree, path.as_str()));
    if !are_plain || comes_installed(&tree, 0).ok()? {
        return None;
    }
    let tools: Vec<_> = run
        .tools
        .iter()
        .map(|tool| (tool.name.clone(), tool.version.clone()))
        .collect();
    let platform = run.builder.platform;
    // The build of one release may install the published file of another, whose own build must not find it.
    let withheld = run.withheld.map(|withheld| {
        let target = &withheld.target;
        let name = target.name.as_str();
        (name, target.version.as_str(), withheld.sha256)
    });
    let key = serde_json::to_vec(&(
        LAYOUT,
        digest(&tree, &[".git"]).ok()?,
        &run.commit,
        withheld,
        tools,
        (platform.system, platform.processor),
        step_inputs(&installs),
        &run.plan.environment,
        &run.plan.build_path,
        &run.plan.lock,
        run.workspace.owner().uid(),
    ))
    .ok()?;
    let store = run.builder.settings.user.cache.join("snapshots");
    Some(store.join(Sha256::of(&key).to_string()))
}

/// Whether a path is one of a regular file of the tree, reached through no symbolic link.
fn is_plain(tree: &Path, path: &str) -> bool {
    let mut at = tree.to_owned();
    path.split('/').all(|part| {
        at.push(part);
        fs_err::symlink_metadata(&at).is_ok_and(|metadata| !metadata.is_symlink())
    }) && at.is_file()
}

/// Whether a tree has, before any install, what is kept after one: nothing would tell which of it the install made.
/// So it is, to be safe, where a tree nests too deep to be looked through.
fn comes_installed(directory: &Path, depth: usize) -> anyhow::Result<bool> {
    if depth >= DEEPEST_DIGESTED {
        return Ok(true);
    }
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == ".git" {
            continue;
        }
        let is_kept = KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept));
        if is_kept || (entry.file_type()?.is_dir() && comes_installed(&entry.path(), depth + 1)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is listed of a snapshot.
fn listed(tree: &Path, made: &[u8]) -> anyhow::Result<String> {
    Ok(format!("{} {}", digest(tree, &[])?, Sha256::of(made)))
}

/// A digest over every path, kind, mode, link target and content below a directory, but for entries with these names.
fn digest(directory: &Path, without: &[&str]) -> anyhow::Result<Sha256> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    add(&mut hasher, directory, without, &mut buffer, 0)?;
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

fn add(
    hasher: &mut Hasher,
    path: &Path,
    without: &[&str],
    buffer: &mut [u8],
    depth: usize,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        depth <= DEEPEST_DIGESTED,
        "`{}` is nested too deeply",
        path.display()
    );
    let metadata = fs_err::symlink_metadata(path)?;
    if metadata.is_symlink() {
        hasher.update(b"l");
        hasher.update(fs_err::read_link(path)?.as_os_str().as_encoded_bytes());
        hasher.update([0]);
    } else if metadata.is_dir() {
        let mut names: Vec<_> = fs_err::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<_, _>>()?;
        names.retain(|name| !without.iter().any(|other| name == other));
        names.sort();
        hasher.update(b"d");
        hasher.update(u64::try_from(names.len()).unwrap_or(u64::MAX).to_le_bytes());
        for name in names {
            hasher.update(name.as_encoded_bytes());
            hasher.update([0]);
            add(hasher, &path.join(&name), without, buffer, depth + 1)?;
        }
    } else {
        hasher.update(b"f");
        hasher.update(executable(&metadata));
        hasher.update(metadata.len().to_le_bytes());
        let mut file = fs_err::File::open(path)?;
        loop {
            match file.read(buffer)? {
                0 => break,
                read => hasher.update(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
fn executable(metadata: &std::fs::Metadata) -> [u8; 4] {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode().to_le_bytes()
}

#[cfg(not(unix))]
fn executable(_metadata: &std::fs::Metadata) -> [u8; 4] {
    [0; 4]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = tree.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        tree
    }

    #[test]
    fn an_install_that_lacked_something_is_not_kept() {
        for (reason, expect) in [
            ("published-file", true),
            ("not-in-lockfile", true),
            ("audit", false),
            ("update-check", false),
        ] {
            let refused = RefusedRequest {
                url: String::new(),
                reason: reason.to_owned(),
            };
            assert_eq!(lacks_something(&refused), expect, "{reason}");
        }
    }

    #[test]
    fn trees_that_differ_anywhere_share_no_snapshot() {
        let of = |files: &[(&str, &str)]| digest(tree(files).path(), &[".git"]).unwrap();
        let honest = of(&[("package.json", "{}"), ("lib/foo/index.js", "1")]);
        assert_eq!(
            honest,
            of(&[
                ("package.json", "{}"),
                ("lib/foo/index.js", "1"),
                (".git/HEAD", "x"),
            ])
        );
        for other in [
            &[("package.json", "{}"), ("lib/foo/index.js", "2")][..],
            &[("package.json", "{}"), ("lib/foo/main.js", "1")],
            &[
                ("package.json", "{}"),
                ("lib/foo/index.js", "1"),
                (".yarn/plugins/p.cjs", ""),
            ],
        ] {
            assert_ne!(honest, of(other), "{other:?}");
        }
    }

    #[test]
    fn a_tree_that_comes_with_installed_folders_has_no_snapshot() {
        let check = |path: &str, expect: bool| {
            let tree = tree(&[("package.json", "{}"), (path, "")]);
            assert_eq!(comes_installed(tree.path(), 0).unwrap(), expect, "{path}");
        };
        check("src/index.js", false);
        check(".git/node_modules/x", false);
        check("src/node_modules/is-number/index.js", true);
        check("submodule/a/b/node_modules/x/index.js", true);
        check(&format!("{}node_modules/x", "a/".repeat(50)), true);
        check(&format!("{}x", "a/".repeat(DEEPEST_DIGESTED + 1)), true);
    }
}
