//! What is kept of one repository: snapshots of single commits, and the history without its file contents.
//!
//! Two bare repositories below the cache, because a shallow and a partial one do not mix: `snapshots` holds whole
//! trees of the commits that were asked for (each marked by `refs/remint/<id>` once it is complete), `history`
//! all commits and trees of the advertised branches and tags. Writers hold a lock; readers need none, since git
//! only ever adds finished packs.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::Oid;
use remint_model::Sha256;

use super::command::{GitCommand, refspec};
use super::error::GitError;
use super::local::Scratch;
use super::objects::{Objects, Work};
use super::remote::{Advertised, AdvertisedRef, ListingFault, Remote};
use super::settings::GitSettings;
use super::worktree::MOST_FILES;

const SNAPSHOT_LIMIT: u64 = 2 << 30;
const HISTORY_LIMIT: u64 = 1 << 30;
/// A host that misses more objects than this is broken beyond use.
const MOST_ABSENT: usize = 64;
/// Where hosts keep the heads of merge requests.
const PROPOSALS: [&str; 2] = ["refs/pull", "refs/merge-requests"];
const MOST_PROPOSALS: usize = 5_000;
const LISTING_DEADLINE: Duration = Duration::from_secs(60);
const FETCH_DEADLINE: Duration = Duration::from_secs(300);

/// One repository, near or far.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(super) settings: GitSettings,
    /// `None` for a directory of the user's, whose objects are all here.
    pub(super) remote: Option<Remote>,
    /// As people name it.
    pub(super) canonical: String,
    pub(super) cache: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) snapshots: PathBuf,
    pub(super) history: PathBuf,
    /// What has been read of it so far.
    pub(super) work: Arc<Work>,
    pub(super) _scratch: Option<Arc<Scratch>>,
}

impl Store {
    /// The cache of a remote repository.
    pub(crate) fn remote(
        settings: &GitSettings,
        remote: Remote,
        cache: &Path,
    ) -> Result<Self, GitError> {
        let directory = cache
            .join("git")
            .join(Sha256::of(remote.effective.as_bytes()).to_string());
        let store = Self {
            settings: settings.clone(),
            canonical: remote.canonical.clone(),
            remote: Some(remote),
            cache: cache.to_owned(),
            snapshots: directory.join("snapshots"),
            history: directory.join("history"),
            directory,
            work: Arc::default(),
            _scratch: None,
        };
        fs_err::create_dir_all(&store.directory).map_err(GitError::disk(&store.directory))?;
        init_bare(&store.snapshots)?;
        Ok(store)
    }

    /// The repository as people name it.
    pub(crate) fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The directory of all caches.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// The settings with which it is reached.
    pub(crate) const fn settings(&self) -> &GitSettings {
        &self.settings
    }

    /// Whether the repository is on this machine, the user's own choice.
    pub(crate) const fn is_local(&self) -> bool {
        self.remote.is_none()
    }

    /// The repository that holds whole snapshots.
    pub(super) fn snapshots(&self) -> &Path {
        &self.snapshots
    }

    /// The repository that holds commits and trees.
    pub(super) fn history(&self) -> &Path {
        &self.history
    }

    /// Whether this is a directory of this machine that holds only the latest part of its history.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.snapshots == self.history && self.history.join("shallow").is_file()
    }

    /// Everything that is here by now.
    pub(crate) fn objects(&self) -> Result<Objects, GitError> {
        if self.snapshots == self.history {
            Objects::open(&[&self.snapshots], Arc::clone(&self.work))
        } else {
            Objects::open(&[&self.snapshots, &self.history], Arc::clone(&self.work))
        }
    }

    /// Whether all that was asked for could be read, as far as work goes; otherwise what was not found may be there.
    pub(crate) fn check_work(&self) -> Result<(), GitError> {
        self.work.check()
    }

    /// The same repository for another purpose than the search so far.
    pub(crate) fn afresh(self) -> Self {
        Self {
            work: Arc::default(),
            ..self
        }
    }

    /// Asks the repository for its branches and tags; offline, what it last said.
    pub(crate) fn advertised(&self) -> Result<Advertised, GitError> {
        let kept = self.directory.join("refs");
        let listing = match &self.remote {
            None => read(&self.snapshots.join("refs.txt"))?,
            Some(_) if self.settings.offline => read(&kept).map_err(|_| GitError::Failed {
                operation: "ls-remote".to_owned(),
                message: "offline, and this repository was never asked before".to_owned(),
            })?,
            Some(remote) => {
                let listing = self.list(remote)?;
                replace(&kept, &listing)?;
                listing
            }
        };
        Advertised::parse(&listing).map_err(|fault| GitError::Unexpected {
            operation: "ls-remote".to_owned(),
            detail: match fault {
                ListingFault::Sha256 => "the repository uses SHA-256 object ids".to_owned(),
                ListingFault::Malformed => "no list of refs".to_owned(),
                ListingFault::TooMany => "too many refs".to_owned(),
            },
        })
    }

    fn list(&self, remote: &Remote) -> Result<Vec<u8>, GitError> {
        let ask = |url: &str| {
            self.speaking_to(remote, "ls-remote", &self.snapshots)
                .deadline(LISTING_DEADLINE)
                .args(["--heads", "--tags", "--", url])
                .run()
        };
        ask(&remote.effective)
    }

    /// The branches whose history counts as the project's own, as [`Advertised::default_branches`] tells them.
    pub(crate) fn default_branches(
        &self,
        advertised: &Advertised,
    ) -> Result<Vec<AdvertisedRef>, GitError> {
        let named = match &self.remote {
            None => advertised.head_names.clone(),
            Some(remote) => self.head_names(remote)?,
        };
        Ok(advertised.default_branches(named.as_deref(), self.is_local()))
    }

    /// Asks which branch `HEAD` names. Listings of branches and tags leave it out, and asking for it beside them
    /// makes hosts send every merge request, so it is asked only where history is searched.
    fn head_names(&self, remote: &Remote) -> Result<Option<String>, GitError> {
        let kept = self.directory.join("head");
        let listing = if self.settings.offline {
            // Caches that were filled without it are still of use.
            read(&kept).unwrap_or_default()
        } else {
            let listing = self
                .speaking_to(remote, "ls-remote", &self.snapshots)
                .deadline(LISTING_DEADLINE)
                .args(["--symref", "--", &remote.effective, "HEAD"])
                .run()?;
            replace(&kept, &listing)?;
            listing
        };
        Ok(Advertised::parse(&listing)
            .ok()
            .and_then(|head| head.head_names))
    }

    /// Fetches the whole trees of these commits (and the tag objects that name them), unless they are here.
    pub(crate) fn fetch_snapshots(&self, wanted: &[Snapshot<'_>]) -> Result<(), GitError> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        // Two tags of one commit are one thing to fetch.
        let mut asked = BTreeSet::new();
        let missing: Vec<_> = wanted
            .iter()
            .filter(|snapshot| !self.is_complete(snapshot.id()) && asked.insert(snapshot.id()))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.refuse_offline("fetch")?;
        self.locked(&self.snapshots, || {
            let specs = missing.iter().map(|snapshot| match snapshot {
                Snapshot::Tag(tag) => refspec(
                    &format!("refs/tags/{}", tag.name),
                    &format!("refs/remint/{}", tag.direct),
                ),
                Snapshot::Commit(id) => refspec(&id.to_string(), &format!("refs/remint/{id}")),
            });
            self.speaking_to(remote, "fetch", &self.snapshots)
                .deadline(FETCH_DEADLINE)
                .growth_limit(&self.snapshots, SNAPSHOT_LIMIT)
                .args([
                    "--progress",
                    "--no-tags",
                    "--no-write-fetch-head",
                    "--depth=1",
                    "--",
                ])
                .arg(&remote.effective)
                .args(specs)
                .run()
                .map(drop)
        })
    }

    /// Whether the snapshot of this commit or tag is here, whole.
    fn is_complete(&self, id: Oid) -> bool {
        self.remote.is_none()
            || self
                .snapshots
                .join("refs/remint")
                .join(id.to_string())
                .is_file()
    }

    /// Fetches all commits and trees of the advertised branches and tags, as far as they are not here.
    pub(crate) fn fetch_history(&self) -> Result<(), GitError> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        let listing = read(&self.directory.join("refs"))?;
        let done = self.directory.join("history.refs");
        if read(&done).is_ok_and(|done| done == listing) {
            return Ok(());
        }
        self.refuse_offline("fetch")?;
        init_bare(&self.history)?;
        self.locked(&self.history, || {
            self.partial(remote)
                .growth_limit(&self.history, HISTORY_LIMIT)
                .args([
                    "--progress",
                    "--prune",
                    "--no-tags",
                    "--no-write-fetch-head",
                ])
                .args(["--filter=blob:none", "origin"])
                .args(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])
                .run()?;
            replace(&done, &listing)
        })
    }

    /// Fetches what merge requests propose, as hosts advertise it beside branches and tags; none where there are
    /// too many to look at.
    pub(crate) fn fetch_proposals(&self) -> Result<Vec<AdvertisedRef>, GitError> {
        let Some(remote) = &self.remote else {
            return Ok(Vec::new());
        };
        self.refuse_offline("fetch")?;
        let listing = self
            .speaking_to(remote, "ls-remote", &self.snapshots)
            .deadline(LISTING_DEADLINE)
            .args(["--", &remote.effective])
            .args(PROPOSALS.map(|pattern| format!("{pattern}/*/head")))
            .run()?;
        let proposals = Advertised::proposals(&listing);
        if proposals.is_empty() || proposals.len() > MOST_PROPOSALS {
            return Ok(Vec::new());
        }
        self.locked(&self.history, || {
            self.partial(remote)
                .growth_limit(&self.history, HISTORY_LIMIT)
                .args(["--progress", "--no-tags", "--no-write-fetch-head"])
                .args(["--filter=blob:none", "origin"])
                .args(PROPOSALS.map(|pattern| {
                    refspec(
                        &format!("{pattern}/*/head"),
                        &format!("refs/proposed/{}/*", pattern.trim_start_matches("refs/")),
                    )
                }))
                .run()
        })?;
        Ok(proposals)
    }

    /// Fetches single blobs of the history in one request; those that the host does not have stay missing.
    pub(crate) fn fetch_blobs(&self, objects: &Objects, blobs: &[Oid]) -> Result<(), GitError> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        let mut absent = self.known_absent();
        let mut missing: BTreeSet<Oid> = blobs
            .iter()
            .copied()
            .filter(|blob| !absent.contains(blob) && !objects.has(*blob))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.refuse_offline("fetch")?;
        self.locked(&self.history, || {
            for _ in 0..MOST_ABSENT {
                if missing.is_empty() {
                    break;
                }
                let error = match self.request_blobs(remote, &missing) {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                };
                // Only what the host itself calls unknown is left out; any other failure is one.
                match refused_object(&error).filter(|object| missing.remove(object)) {
                    Some(object) => {
                        absent.insert(object);
                        let list: String = absent.iter().map(|id| format!("{id}\n")).collect();
                        replace(&self.directory.join("absent"), list.as_bytes())?;
                    }
                    None => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// As git itself fetches what a partial clone lacks (`promisor-remote.c`).
    fn request_blobs(&self, remote: &Remote, wanted: &BTreeSet<Oid>) -> Result<(), GitError> {
        let list: String = wanted.iter().map(|id| format!("{id}\n")).collect();
        self.partial(remote)
            .growth_limit(&self.history, HISTORY_LIMIT)
            .setting("fetch.negotiationAlgorithm", "noop")
            .args(["--progress", "--no-tags", "--no-write-fetch-head"])
            .args(["--filter=blob:none", "--stdin", "origin"])
            .input(list.into_bytes())
            .run()
            .map(drop)
    }

    /// Brings the whole tree of a commit here, as far as the host has it.
    pub(crate) fn whole(&self, commit: Oid) -> Result<Whole, GitError> {
        if self.is_complete(commit) {
            return Ok(Whole::in_snapshots());
        }
        if let Some(whole) = self.already_whole(commit)? {
            return Ok(whole);
        }
        let refusal = match self.fetch_snapshots(&[Snapshot::Commit(commit)]) {
            Ok(()) => return Ok(Whole::in_snapshots()),
            Err(error @ GitError::Failed { .. }) => error,
            Err(other) => return Err(other),
        };
        // Hosts that hand out no bare commits, or miss some object of this one, still hand out the history and
        // then what it lacks.
        self.fetch_history()?;
        let objects = self.objects()?;
        let blobs = match objects.peel_to_commit(commit) {
            Ok(facts) => objects.blobs(facts.tree, MOST_FILES)?,
            Err(_) => return Err(refusal),
        };
        self.fetch_blobs(&objects, &blobs)?;
        self.already_whole(commit)?.ok_or(refusal)
    }

    /// Whether everything of a commit is here that the host has.
    fn already_whole(&self, commit: Oid) -> Result<Option<Whole>, GitError> {
        let missing_in = |objects: &Objects| -> Result<Option<BTreeSet<Oid>>, GitError> {
            let Ok(facts) = objects.peel_to_commit(commit) else {
                return Ok(None);
            };
            let Ok(blobs) = objects.blobs(facts.tree, MOST_FILES) else {
                return Ok(None);
            };
            let missing = blobs.into_iter().filter(|blob| !objects.has(*blob));
            Ok(Some(missing.collect()))
        };
        if missing_in(&Objects::open(&[&self.snapshots], Arc::clone(&self.work))?)?
            .is_some_and(|missing| missing.is_empty())
        {
            return Ok(Some(Whole::in_snapshots()));
        }
        let known = self.known_absent();
        Ok(missing_in(&self.objects()?)?
            .filter(|missing| missing.is_subset(&known))
            .map(|absent| Whole {
                in_snapshots: false,
                absent,
            }))
    }

    /// Objects that the host said it does not have, though its commits name them.
    fn known_absent(&self) -> BTreeSet<Oid> {
        fs_err::read_to_string(self.directory.join("absent"))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| Oid::from_str(line).ok())
            .collect()
    }

    fn partial(&self, remote: &Remote) -> GitCommand {
        self.speaking_to(remote, "fetch", &self.history)
            .deadline(FETCH_DEADLINE)
            .setting("remote.origin.url", &remote.effective)
            .setting("remote.origin.promisor", "true")
            .setting("remote.origin.partialclonefilter", "blob:none")
    }

    fn speaking_to(&self, remote: &Remote, operation: &str, git_dir: &Path) -> GitCommand {
        let mut command =
            GitCommand::new(&self.settings, operation, git_dir).speaking(remote.protocols);
        for (key, value) in &remote.settings {
            command = command.setting(key, value);
        }
        command
    }

    fn refuse_offline(&self, operation: &str) -> Result<(), GitError> {
        if self.settings.offline {
            return Err(GitError::Failed {
                operation: operation.to_owned(),
                message: "offline, and not in the cache".to_owned(),
            });
        }
        Ok(())
    }

    /// Runs a writer alone; what a killed one left locked is released first.
    fn locked<T>(
        &self,
        git_dir: &Path,
        work: impl FnOnce() -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let path = self.directory.join("lock");
        let lock = open_lock(&path)?;
        lock.lock().map_err(GitError::disk(&path))?;
        for left in [
            "shallow.lock",
            "packed-refs.lock",
            "HEAD.lock",
            "config.lock",
        ] {
            let left = git_dir.join(left);
            if left.exists() {
                fs_err::remove_file(&left).map_err(GitError::disk(&left))?;
            }
        }
        remove_unfinished_packs(&git_dir.join("objects/pack"))?;
        let result = work();
        drop(lock);
        result
    }
}

/// A commit that is here as far as its host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Whether the repository of snapshots alone has everything.
    pub(super) in_snapshots: bool,
    /// Blobs that the host does not have.
    pub(crate) absent: BTreeSet<Oid>,
}

impl Whole {
    const fn in_snapshots() -> Self {
        Self {
            in_snapshots: true,
            absent: BTreeSet::new(),
        }
    }
}

/// What to fetch whole.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Snapshot<'a> {
    /// A tag, with its tag object.
    Tag(&'a AdvertisedRef),
    /// A bare commit; not every host hands these out.
    Commit(Oid),
}

impl Snapshot<'_> {
    const fn id(&self) -> Oid {
        match self {
            Self::Tag(tag) => tag.direct,
            Self::Commit(id) => *id,
        }
    }
}

/// The object that a host names when it refuses a request because it does not have it.
fn refused_object(error: &GitError) -> Option<Oid> {
    let GitError::Failed { message, .. } = error else {
        return None;
    };
    let (_, rest) = message.split_once("not our ref ")?;
    Oid::from_str(rest.get(..40)?).ok()
}

/// Makes an empty bare repository, by hand: it saves a process, and no template can add to it.
pub(super) fn init_bare(git_dir: &Path) -> Result<(), GitError> {
    if git_dir.join("HEAD").is_file() {
        return Ok(());
    }
    for directory in [
        "objects/info",
        "objects/pack",
        "refs/heads",
        "refs/tags",
        "refs/remint",
    ] {
        let directory = git_dir.join(directory);
        fs_err::create_dir_all(&directory).map_err(GitError::disk(&directory))?;
    }
    let config = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";
    write(&git_dir.join("config"), config.as_bytes())?;
    replace(&git_dir.join("HEAD"), b"ref: refs/heads/main\n")
}

/// Opens a file to lock, making it where it is not there.
pub(super) fn open_lock(path: &Path) -> Result<File, GitError> {
    fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map(|file| file.into_parts().0)
        .map_err(GitError::disk(path))
}

/// What a killed git was writing; whoever calls holds the lock of all writers.
fn remove_unfinished_packs(packs: &Path) -> Result<(), GitError> {
    let Ok(entries) = fs_err::read_dir(packs) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(b"tmp_") {
            let path = entry.path();
            fs_err::remove_file(&path).map_err(GitError::disk(&path))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, GitError> {
    fs_err::read(path).map_err(GitError::disk(path))
}

pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), GitError> {
    fs_err::write(path, content).map_err(GitError::disk(path))
}

/// Writes a file so that readers see the old or the new content, whole.
fn replace(path: &Path, content: &[u8]) -> Result<(), GitError> {
    let directory = path.parent().unwrap_or(path);
    let mut temporary =
        tempfile::NamedTempFile::new_in(directory).map_err(GitError::disk(directory))?;
    std::io::Write::write_all(&mut temporary, content).map_err(GitError::disk(directory))?;
    temporary
        .persist(path)
        .map(drop)
        .map_err(|error| GitError::Disk {
            path: path.to_owned(),
            reason: error.error,
        })
}
