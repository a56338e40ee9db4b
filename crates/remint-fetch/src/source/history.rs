//! The commits that branches and tags reach, and which of them carry the released version.

use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use git2::Oid;
use remint_ecosystem::{Identity, is_manifest, manifest_identity};
use remint_model::{EntryPath, Reach, Target};

use super::manifest::{self, Agreement, LARGEST, Place};
use crate::git::{Advertised, AdvertisedRef, CommitFacts, GitError, Objects, Store};

/// Most commits that are looked at, the newest first.
const MOST_COMMITS: usize = 200_000;
/// Most versions of manifests whose content is fetched in one go.
const MOST_MANIFESTS: usize = 40_000;

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
        let mut queue =
            |id: Oid, heap: &mut BinaryHeap<(i64, Oid)>, found: &mut HashMap<Oid, CommitFacts>| {
                if !queued.insert(id) {
                    return;
                }
                // A tag may point to a tree; a shallow history ends somewhere.
                if let Ok(facts) = objects.peel_to_commit(id)
                    && facts.id == id
                {
                    heap.push((facts.time, id));
                    found.insert(id, facts);
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
        self.branches
            .iter()
            .find(|branch| self.ancestors(branch.peeled).contains(&id))
            .map_or(Reach::Nothing, |branch| {
                Reach::OtherBranch(branch.name.clone())
            })
    }

    /// A commit and everything before it.
    pub(super) fn ancestors(&self, id: Oid) -> HashSet<Oid> {
        self.reached_from(vec![id])
    }

    fn reached_from(&self, mut queue: Vec<Oid>) -> HashSet<Oid> {
        let mut seen: HashSet<Oid> = queue.iter().copied().collect();
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
        seen
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
        let mut listing = Listing {
            target,
            place,
            objects: &objects,
            seen: HashMap::new(),
        };
        let tips: Vec<Oid> = advertised
            .main_branch()
            .into_iter()
            .chain(&advertised.branches)
            .chain(&advertised.tags)
            .filter_map(|tip| history.get(tip.peeled))
            .map(|facts| facts.tree)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut homes = listing.homes(store, &tips)?;
        if homes.is_empty() {
            let all: Vec<Oid> = history
                .commits
                .iter()
                .map(|facts| facts.tree)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            homes = listing.homes(store, &all)?;
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
            let found = at_commit.entry(facts.tree).or_default();
            if !found.is_empty() {
                continue;
            }
            for home in homes {
                if let Some((git2::ObjectType::Blob, blob)) = objects.at(facts.tree, home.as_str())
                {
                    found.push((home.clone(), blob));
                    blobs.insert(blob);
                }
            }
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
    for (path, blob) in manifests {
        let manifest = read.get(target, objects, path, *blob);
        let Some((identity, content)) = &manifest.identity else {
            continue;
        };
        let named = identity.name.as_ref() == Some(&target.name);
        let hint = match place {
            Place::Only(_) => None,
            Place::Hint(_) if !named && identity.name.is_some() => continue,
            Place::Hint(hint) => hint,
        };
        let agreement = manifest::agreement(target, objects, tree, path, content, identity);
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
}

struct Manifest {
    identity: Option<(Identity, Vec<u8>)>,
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
        let entry = self.read.entry((blob, path.clone())).or_insert_with(|| {
            let content = objects.blob(blob, LARGEST);
            let version_files = content
                .as_ref()
                .map(|content| manifest::version_files(target.ecosystem, path, content))
                .unwrap_or_default();
            let identity = content.and_then(|content| {
                manifest_identity(target.ecosystem, path, &content)
                    .ok()
                    .map(|identity| (identity, content))
            });
            Rc::new(Manifest {
                identity,
                version_files,
            })
        });
        Rc::clone(entry)
    }
}

/// Lists the manifests of many trees, visiting each subtree once.
struct Listing<'a> {
    target: &'a Target,
    place: Place<'a>,
    objects: &'a Objects,
    seen: HashMap<Oid, Rc<[(String, Oid)]>>,
}

impl Listing<'_> {
    /// The paths at which manifests with the package's name lie in any of these trees, with their companions in
    /// the same folder.
    fn homes(&mut self, store: &Store, trees: &[Oid]) -> Result<BTreeSet<EntryPath>, GitError> {
        let mut candidates: BTreeSet<(EntryPath, Oid)> = BTreeSet::new();
        for tree in trees {
            for (path, blob) in self.below(*tree, 0).iter() {
                if let Ok(path) = path.parse::<EntryPath>()
                    && is_manifest(self.target.ecosystem, &path)
                    && candidates.len() < MOST_MANIFESTS
                {
                    candidates.insert((path, *blob));
                }
            }
        }
        if let Place::Only(only) = self.place {
            return Ok(candidates
                .into_iter()
                .map(|(path, _)| path)
                .filter(|path| path.parent().as_ref() == Some(only))
                .collect());
        }
        let blobs: Vec<Oid> = candidates.iter().map(|(_, blob)| *blob).collect();
        store.fetch_blobs(self.objects, &blobs)?;
        let objects = store.objects()?;
        let mut folders = BTreeSet::new();
        for (path, blob) in &candidates {
            let named = objects
                .blob(*blob, LARGEST)
                .and_then(|content| manifest_identity(self.target.ecosystem, path, &content).ok())
                .is_some_and(|identity| identity.name.as_ref() == Some(&self.target.name));
            if named {
                folders.insert(path.parent());
            }
        }
        Ok(candidates
            .into_iter()
            .map(|(path, _)| path)
            .filter(|path| folders.contains(&path.parent()))
            .collect())
    }

    fn below(&mut self, tree: Oid, depth: usize) -> Rc<[(String, Oid)]> {
        if let Some(seen) = self.seen.get(&tree) {
            return Rc::clone(seen);
        }
        let mut found = Vec::new();
        if depth < 32
            && let Ok(entries) = self.objects.tree(tree)
        {
            for (name, mode, id) in entries {
                let Ok(name) = String::from_utf8(name) else {
                    continue;
                };
                if mode == 0o040_000 {
                    if name == "node_modules" || name == ".git" {
                        continue;
                    }
                    for (path, blob) in self.below(id, depth + 1).iter() {
                        found.push((format!("{name}/{path}"), *blob));
                    }
                } else if let Ok(path) = name.parse::<EntryPath>()
                    && is_manifest(self.target.ecosystem, &path)
                {
                    found.push((name, id));
                }
            }
        }
        let found: Rc<[(String, Oid)]> = found.into();
        self.seen.insert(tree, Rc::clone(&found));
        found
    }
}
