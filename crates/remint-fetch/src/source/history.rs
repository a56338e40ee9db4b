//! The commits that branches and tags reach, and which of them carry the released version.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use git2::Oid;
use remint_ecosystem::{Identity, StatedVersion, is_manifest, version_files};
use remint_model::{EntryPath, Reach, Target};

use super::manifest::{self, Agreement, Identities, LARGEST, Place};
use crate::git::{Advertised, AdvertisedRef, CommitFacts, GitError, Objects, Store};

/// Most commits that are looked at, the newest first.
const MOST_COMMITS: usize = 200_000;
/// Most versions of manifests whose content is fetched in one go.
const MOST_MANIFESTS: usize = 40_000;
/// Most paths of the package's manifests that are followed through the history.
const MOST_HOMES: usize = 64;
/// The deepest folder whose manifests are looked for.
const DEEPEST: usize = 32;
/// The longest path that is followed: no system call takes a longer one.
const LONGEST_PATH: usize = 4096;

/// All commits that are reachable from what the repository advertises.
pub(super) struct History {
    /// Newest first.
    pub(super) commits: Vec<CommitFacts>,
    index: HashMap<Oid, usize>,
    /// First-parent chain of the main branch, newest first.
    mainline: Vec<usize>,
    branches: Vec<AdvertisedRef>,
    /// What the default branch or a tag reaches.
    vouched: HashSet<Oid>,
    /// Whether these are all commits, so that one which is not among them is known to be out of reach.
    pub(super) complete: bool,
}

impl History {
    /// Walks from every branch and tag; `defaults` are the branches that count as the default one.
    pub(super) fn read(
        objects: &Objects,
        advertised: &Advertised,
        defaults: &[AdvertisedRef],
    ) -> Self {
        let mut history = Self {
            commits: Vec::new(),
            index: HashMap::new(),
            mainline: Vec::new(),
            branches: advertised.branches.clone(),
            vouched: HashSet::new(),
            complete: true,
        };
        let mut queued = HashSet::new();
        let mut heap = BinaryHeap::new();
        let mut complete = true;
        let mut queue =
            |id: Oid, heap: &mut BinaryHeap<(i64, Oid)>, found: &mut HashMap<Oid, CommitFacts>| {
                if !queued.insert(id) {
                    return;
                }
                match objects.peel_to_commit(id) {
                    Ok(facts) if facts.id == id => {
                        heap.push((facts.time, id));
                        found.insert(id, facts);
                    }
                    // A tag may point to a tree; a shallow history ends somewhere.
                    Ok(_) | Err(_) => complete &= objects.has(id),
                }
            };
        let mut found = HashMap::new();
        for tip in advertised.branches.iter().chain(&advertised.tags) {
            queue(tip.peeled, &mut heap, &mut found);
        }
        while let Some((_, id)) = heap.pop() {
            let Some(facts) = found.remove(&id) else {
                continue;
            };
            if history.commits.len() >= MOST_COMMITS {
                history.complete = false;
                break;
            }
            for parent in &facts.parents {
                queue(*parent, &mut heap, &mut found);
            }
            history.index.insert(id, history.commits.len());
            history.commits.push(facts);
        }
        history.complete &= complete;
        history.vouched = history.reached_from(
            defaults
                .iter()
                .chain(&advertised.tags)
                .map(|tip| tip.peeled)
                .collect(),
        );
        let mut next = defaults
            .first()
            .or_else(|| advertised.main_branch())
            .map(|branch| branch.peeled);
        while let Some(at) = next.and_then(|id| history.index.get(&id)).copied() {
            history.mainline.push(at);
            next = history
                .commits
                .get(at)
                .and_then(|facts| facts.parents.first().copied());
            if history.mainline.len() > history.commits.len() {
                break;
            }
        }
        history
    }

    /// The commit, if a branch or tag reaches it.
    pub(super) fn get(&self, id: Oid) -> Option<&CommitFacts> {
        self.index.get(&id).and_then(|at| self.commits.get(*at))
    }

    /// The commits of the main branch's first-parent chain.
    fn mainline(&self) -> impl Iterator<Item = &CommitFacts> {
        self.mainline.iter().filter_map(|at| self.commits.get(*at))
    }

    /// Whether the default branch or a tag reaches the commit: others can be pushed by anyone who may push at all.
    pub(super) fn is_vouched(&self, id: Oid) -> bool {
        self.vouched.contains(&id)
    }

    /// Which refs reach the commit.
    pub(super) fn reach(&self, id: Oid) -> Reach {
        if self.is_vouched(id) {
            return Reach::DefaultOrTag;
        }
        // What the branches before one reach is not walked again.
        let mut seen = HashSet::new();
        self.branches
            .iter()
            .find(|branch| {
                self.walk(vec![branch.peeled], &mut seen);
                seen.contains(&id)
            })
            .map_or(Reach::Nothing, |branch| {
                Reach::OtherBranch(branch.name.clone())
            })
    }

    /// A commit with the same files of the package and the same word about the version that the default branch or
    /// a tag reaches: branches are squashed and rebased when they are merged. One with all files the same comes
    /// first, then the nearest in time.
    pub(super) fn vouched_twin(
        &self,
        objects: &Objects,
        versions: &Versions,
        facts: &CommitFacts,
    ) -> Option<&CommitFacts> {
        let said = versions.at_commit(facts.id)?;
        let package = |tree: Oid| match said.directory() {
            None => Some(tree),
            Some(directory) => objects.at(tree, directory.as_str()).map(|(_, id)| id),
        };
        let wanted = package(facts.tree)?;
        self.commits
            .iter()
            .filter(|other| self.is_vouched(other.id))
            .filter(|other| {
                other.tree == facts.tree
                    || versions.at_commit(other.id).is_some_and(|there| {
                        there.path == said.path && there.agreement == said.agreement
                    }) && package(other.tree) == Some(wanted)
            })
            .min_by_key(|other| {
                (
                    other.tree != facts.tree,
                    other.time.abs_diff(facts.time),
                    other.time,
                    other.id,
                )
            })
    }

    /// A commit and everything before it.
    pub(super) fn ancestors(&self, id: Oid) -> HashSet<Oid> {
        self.reached_from(vec![id])
    }

    fn reached_from(&self, tips: Vec<Oid>) -> HashSet<Oid> {
        let mut seen = HashSet::new();
        self.walk(tips, &mut seen);
        seen
    }

    /// Adds all that these commits reach to what was seen before.
    fn walk(&self, mut queue: Vec<Oid>, seen: &mut HashSet<Oid>) {
        queue.retain(|id| seen.insert(*id));
        while let Some(id) = queue.pop() {
            if let Some(facts) = self.get(id) {
                queue.extend(
                    facts
                        .parents
                        .iter()
                        .copied()
                        .filter(|parent| seen.insert(*parent)),
                );
            }
        }
    }
}

/// What the package's manifest says at every commit that has it.
pub(super) struct Versions {
    said: HashMap<Oid, Said>,
    /// How many different manifests were read.
    pub(super) manifests: usize,
}

/// The package's manifest at one commit.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) path: EntryPath,
    pub(super) agreement: Agreement,
}

impl Said {
    /// The package's folder; `None` is the root.
    pub(super) fn directory(&self) -> Option<EntryPath> {
        self.path.parent()
    }
}

impl Versions {
    /// Reads the manifests of all commits; their content is fetched in as few requests as possible.
    ///
    /// Where the package lives is learnt from the tips first, and only when none of them has it from every
    /// manifest that ever was.
    pub(super) fn read(
        target: &Target,
        store: &Store,
        history: &History,
        advertised: &Advertised,
        place: Place<'_>,
    ) -> Result<Self, GitError> {
        let objects = store.objects()?;
        let listing = || Listing::new(target, place, &objects);
        let tips: Vec<&CommitFacts> = advertised
            .main_branch()
            .into_iter()
            .chain(&advertised.branches)
            .chain(&advertised.tags)
            .filter_map(|tip| history.get(tip.peeled))
            .collect();
        let mut homes = listing().homes(store, history, tips)?;
        // Where the package has moved away, what is left aside is not it.
        if homes.iter().all(manifest::is_aside) {
            homes = listing().homes(store, history, history.commits.iter().collect())?;
        }
        Self::at(target, store, history, &objects, &homes, place)
    }

    fn at(
        target: &Target,
        store: &Store,
        history: &History,
        objects: &Objects,
        homes: &BTreeSet<EntryPath>,
        place: Place<'_>,
    ) -> Result<Self, GitError> {
        // All versions of the manifests, then all versions of the files that they name for their version.
        let mut at_commit: HashMap<Oid, Vec<(EntryPath, Oid)>> = HashMap::new();
        let mut blobs = BTreeSet::new();
        for facts in &history.commits {
            at_commit.entry(facts.tree).or_insert_with(|| {
                let mut found = Vec::new();
                for home in homes {
                    if let Some((git2::ObjectType::Blob, blob)) =
                        objects.at(facts.tree, home.as_str())
                    {
                        found.push((home.clone(), blob));
                        blobs.insert(blob);
                    }
                }
                found
            });
        }
        let blobs: Vec<Oid> = blobs.into_iter().take(MOST_MANIFESTS).collect();
        store.fetch_blobs(objects, &blobs)?;
        let objects = &store.objects()?;

        let mut read = Manifests::default();
        let mut elsewhere = BTreeSet::new();
        let mut looked_up = HashSet::new();
        for (tree, manifests) in &at_commit {
            for (path, blob) in manifests {
                for file in read.get(target, objects, path, *blob).version_files.iter() {
                    if looked_up.insert((*tree, file.clone()))
                        && let Some((git2::ObjectType::Blob, blob)) =
                            objects.at(*tree, file.as_str())
                    {
                        elsewhere.insert(blob);
                    }
                }
            }
        }
        let elsewhere: Vec<Oid> = elsewhere.into_iter().take(MOST_MANIFESTS).collect();
        store.fetch_blobs(objects, &elsewhere)?;
        let objects = &store.objects()?;

        let mut said = HashMap::new();
        let mut by_tree: HashMap<Oid, Option<Said>> = HashMap::new();
        for facts in &history.commits {
            let here = by_tree.entry(facts.tree).or_insert_with(|| {
                let manifests = at_commit.get(&facts.tree)?;
                said_at(target, objects, facts.tree, manifests, place, &mut read)
            });
            if let Some(here) = here {
                said.insert(facts.id, here.clone());
            }
        }
        Ok(Self {
            said,
            manifests: blobs.len(),
        })
    }

    /// What the manifest says at a commit.
    pub(super) fn at_commit(&self, id: Oid) -> Option<&Said> {
        self.said.get(&id)
    }

    /// Whether the commit states exactly the released version.
    pub(super) fn carries(&self, id: Oid) -> bool {
        self.at_commit(id)
            .is_some_and(|said| said.agreement == Agreement::Exact)
    }

    /// The commits of the main branch that set the version.
    pub(super) fn set_on_main<'h>(&self, history: &'h History) -> Vec<&'h CommitFacts> {
        let first_parent_carries = |facts: &CommitFacts| {
            facts
                .parents
                .first()
                .is_some_and(|parent| self.carries(*parent))
        };
        history
            .mainline()
            .filter(|facts| self.carries(facts.id) && !first_parent_carries(facts))
            .collect()
    }

    /// The commits that set the version, wherever they are.
    pub(super) fn set_anywhere<'h>(&self, history: &'h History) -> Vec<&'h CommitFacts> {
        history
            .commits
            .iter()
            .filter(|facts| {
                self.carries(facts.id) && !facts.parents.iter().any(|parent| self.carries(*parent))
            })
            .collect()
    }
}

/// The manifest that counts at a tree, among those at the package's homes.
fn said_at(
    target: &Target,
    objects: &Objects,
    tree: Oid,
    manifests: &[(EntryPath, Oid)],
    place: Place<'_>,
    read: &mut Manifests,
) -> Option<Said> {
    let mut best: Option<((bool, u8, bool, usize), Said)> = None;
    let has_home = manifests.iter().any(|(path, blob)| {
        let manifest = read.get(target, objects, path, *blob);
        let name = manifest.identity.as_ref().map(|it| it.name.as_ref());
        name == Some(Some(&target.name)) && !manifest::is_aside(path)
    });
    for (path, blob) in manifests {
        let manifest = read.get(target, objects, path, *blob);
        let Some(identity) = &manifest.identity else {
            continue;
        };
        let named = identity.name.as_ref() == Some(&target.name);
        let hint = match place {
            Place::Only(_) => None,
            Place::Hint(_) if !named && identity.name.is_some() => continue,
            Place::Hint(_) if has_home && manifest::is_aside(path) => continue,
            Place::Hint(hint) => hint,
        };
        let files = || manifest.version_files.clone();
        let agreement = manifest::agreement(target, objects, tree, identity, files);
        let elsewhere = hint.is_some() && path.parent().as_ref() != hint;
        let open = match &agreement {
            Agreement::Exact => 0,
            Agreement::Placeholder(_) | Agreement::Computed => 1,
            Agreement::Other(_) => 2,
        };
        let rank = (!named, open, elsewhere, path.as_str().matches('/').count());
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            let said = Said {
                path: path.clone(),
                agreement,
            };
            best = Some((rank, said));
        }
    }
    best.map(|(_, said)| said)
}

/// Manifests by content, each parsed once.
#[derive(Default)]
struct Manifests {
    read: HashMap<(Oid, EntryPath), Rc<Manifest>>,
    identities: Identities,
}

struct Manifest {
    identity: Option<Identity>,
    version_files: Vec<EntryPath>,
}

impl Manifests {
    fn get(
        &mut self,
        target: &Target,
        objects: &Objects,
        path: &EntryPath,
        blob: Oid,
    ) -> Rc<Manifest> {
        let identities = &mut self.identities;
        let entry = self.read.entry((blob, path.clone())).or_insert_with(|| {
            let identity = identities
                .get(target.ecosystem, objects, path, blob)
                .cloned();
            let computed = identity
                .as_ref()
                .is_some_and(|it| matches!(it.version, StatedVersion::Dynamic(_)));
            let version_files = computed
                .then(|| objects.blob(blob, LARGEST))
                .flatten()
                .map(|content| version_files(target.ecosystem, path, &content))
                .unwrap_or_default();
            Rc::new(Manifest {
                identity,
                version_files,
            })
        });
        Rc::clone(entry)
    }
}

/// Lists the manifests of many trees.
struct Listing<'a> {
    target: &'a Target,
    place: Place<'a>,
    objects: &'a Objects,
    /// Where manifests lie, and whether a commit that is vouched for has them there.
    found: BTreeMap<(EntryPath, Oid), bool>,
    /// Trees without manifests. How far below one is looked depends on how deep it lies itself.
    barren: HashSet<(Oid, usize)>,
    /// Trees with manifests, at the places where they have been walked.
    walked: HashSet<(Oid, String)>,
    is_full: bool,
}

impl<'a> Listing<'a> {
    fn new(target: &'a Target, place: Place<'a>, objects: &'a Objects) -> Self {
        Self {
            target,
            place,
            objects,
            found: BTreeMap::new(),
            barren: HashSet::new(),
            walked: HashSet::new(),
            is_full: false,
        }
    }

    /// The paths at which manifests with the package's name lie at any of these commits, with their companions in
    /// the same folder. Those in folders for tests and examples are left out where a commit that is vouched for
    /// has the package elsewhere, or where not everything could be listed.
    fn homes(
        mut self,
        store: &Store,
        history: &History,
        mut commits: Vec<&CommitFacts>,
    ) -> Result<BTreeSet<EntryPath>, GitError> {
        // What anyone can push must not fill the list first.
        commits.sort_by_key(|facts| !history.is_vouched(facts.id));
        for facts in commits {
            self.walk(facts.tree, history.is_vouched(facts.id), "", 0);
        }
        if let Place::Only(only) = self.place {
            return Ok(self
                .found
                .into_keys()
                .map(|(path, _)| path)
                .filter(|path| path.parent().as_ref() == Some(only))
                .collect());
        }
        let blobs: Vec<Oid> = self.found.keys().map(|(_, blob)| *blob).collect();
        store.fetch_blobs(self.objects, &blobs)?;
        let objects = store.objects()?;
        let mut identities = Identities::default();
        let mut folders = BTreeSet::new();
        let mut has_home = self.is_full;
        for ((path, blob), vouched) in &self.found {
            let named = identities
                .get(self.target.ecosystem, &objects, path, *blob)
                .is_some_and(|identity| identity.name.as_ref() == Some(&self.target.name));
            if named {
                folders.insert(path.parent());
                has_home |= *vouched && !manifest::is_aside(path);
            }
        }
        let mut homes: Vec<EntryPath> = self
            .found
            .into_keys()
            .map(|(path, _)| path)
            .filter(|path| folders.contains(&path.parent()))
            .filter(|path| !(has_home && manifest::is_aside(path)))
            .collect();
        homes.dedup();
        let hint = match self.place {
            Place::Only(only) => Some(only),
            Place::Hint(hint) => hint,
        };
        homes.sort_by_key(|path| {
            (
                manifest::is_aside(path),
                hint.is_some() && path.parent().as_ref() != hint,
                path.as_str().matches('/').count(),
            )
        });
        homes.truncate(MOST_HOMES);
        Ok(homes.into_iter().collect())
    }

    /// Whether manifests lie below a tree; they are written down.
    ///
    /// Few trees can make endless paths, so one without manifests is not walked again, and the walk ends when the
    /// list is full.
    fn walk(&mut self, tree: Oid, vouched: bool, prefix: &str, depth: usize) -> bool {
        if depth >= DEEPEST || prefix.len() > LONGEST_PATH || self.barren.contains(&(tree, depth)) {
            return false;
        }
        if !self.walked.insert((tree, prefix.to_owned())) {
            return true;
        }
        let mut entries = self.objects.tree(tree).unwrap_or_default();
        // Files first: what lies near the root is seldom what is left out of a full list.
        entries.sort_by_key(|(_, mode, _)| *mode == 0o040_000);
        let mut any = false;
        for (name, mode, id) in entries {
            let Ok(name) = String::from_utf8(name) else {
                continue;
            };
            if mode == 0o040_000 {
                if name != "node_modules" && name != ".git" {
                    any |= self.walk(id, vouched, &format!("{prefix}{name}/"), depth + 1);
                }
            } else if let Ok(path) = format!("{prefix}{name}").parse::<EntryPath>()
                && is_manifest(self.target.ecosystem, &path)
            {
                self.is_full |= self.found.len() >= MOST_MANIFESTS;
                if !self.is_full {
                    self.found.entry((path, id)).or_insert(vouched);
                }
                any = true;
            }
            if self.is_full {
                return true;
            }
        }
        if !any {
            self.walked.remove(&(tree, prefix.to_owned()));
            self.barren.insert((tree, depth));
        }
        any
    }
}
