//! The commit of a Go module's version. The one tag that can name a version follows from the module's path and folder,
//! and a pseudo-version holds the beginning of its commit's id, so nothing is searched (Go modules reference, "Mapping
//! versions to commits").
//!
//! 1. A pseudo-version: the commit that it names, which must have the time that it states.
//! 2. The tag, whose `go.mod` must bear the module's path.
//! 3. Without one, the commit that the proxy says it used: a tag may be gone.
//!
//! What the proxy says is never believed against a tag. Where the two disagree the tag may have been moved: the commit
//! of the proxy is then what to hold the zip against otherwise, and the pin shows both.

use git2::Oid;
use remint_ecosystem::golang::{GoMod, Pseudo, tags as golang_tags};
use remint_model::{Candidate, EntryPath, FoundBy, MeantFor, Reach};

use super::history::History;
use super::manifest::LARGEST;
use super::pin::{self, Conclusion};
use super::repository::Opened;
use super::{FoundSource, LookedAt, SourceError, SourceRequest};
use crate::git::{CommitFacts, GitError, Objects, Snapshot, commit_id, oid};

/// The judge looks for the first word.
const UNREACHABLE: &str = "unreachable: no branch or tag leads to it";

/// Finds the commit of the version in a repository that answered.
pub(super) fn pin(
    request: &SourceRequest<'_>,
    opened: &Opened,
) -> Result<FoundSource, SourceError> {
    let mut search = Search {
        request,
        opened,
        directory: directory(request, opened),
        candidates: Vec::new(),
    };
    let found = search
        .run()
        .map_err(|error| SourceError::from_git(opened.store.canonical(), error))?;
    found.ok_or_else(|| search.nothing())
}

/// The module's folder as the user, or else the path or the proxy, names it.
fn directory(request: &SourceRequest<'_>, opened: &Opened) -> Option<EntryPath> {
    let claimed = || {
        request
            .claims
            .iter()
            .find(|claim| claim.url.is_ok())
            .and_then(|claim| claim.directory.clone())
    };
    opened.hint.clone().or_else(claimed)
}

struct Search<'a> {
    request: &'a SourceRequest<'a>,
    opened: &'a Opened,
    directory: Option<EntryPath>,
    candidates: Vec<Candidate>,
}

/// Where a tree has the module.
struct Home {
    directory: Option<EntryPath>,
    note: Option<String>,
}

impl Search<'_> {
    fn run(&mut self) -> Result<Option<FoundSource>, GitError> {
        let version = self.request.target.version.as_str();
        if let Some(pseudo) = Pseudo::parse(version) {
            return self.untagged(&pseudo);
        }
        let tagged = match golang_tags(version, self.directory.as_ref()) {
            Some(tag) => self.tagged(&tag)?,
            None => None,
        };
        if tagged.is_some() {
            return Ok(tagged);
        }
        match self.origin() {
            Some(origin) => self.of_origin(origin, "no tag of this version leads to it"),
            None => Ok(None),
        }
    }

    /// The commit that the proxy names.
    fn origin(&self) -> Option<Oid> {
        self.request
            .release
            .and_then(|release| release.git_head.as_ref())
            .and_then(oid)
    }

    fn tagged(&mut self, name: &str) -> Result<Option<FoundSource>, GitError> {
        let store = &self.opened.store;
        let Some(tag) = self
            .opened
            .advertised
            .tags
            .iter()
            .find(|tag| tag.name == name)
            .cloned()
        else {
            return Ok(None);
        };
        let mut wanted: Vec<Snapshot<'_>> = pin::companions(&self.opened.advertised, tag.peeled)
            .map(Snapshot::Tag)
            .collect();
        if wanted.is_empty() {
            wanted.push(Snapshot::Tag(&tag));
        }
        store.fetch_snapshots(&wanted)?;
        let objects = store.objects()?;
        let facts = objects.peel_to_commit(tag.peeled)?;
        let Some(home) = self.home(&objects, &facts) else {
            self.pass_over(
                FoundBy::Tag,
                Some(name),
                facts.id,
                format!("no go.mod of {} there", self.request.target.name),
            );
            return Ok(None);
        };
        let origin = self.origin();
        let otherwise = origin.filter(|origin| *origin != facts.id);
        let kept = self.candidates.clone();
        if let Some(origin) = origin {
            let agrees = otherwise.is_none();
            self.candidates.push(Candidate {
                found_by: FoundBy::Origin,
                reference: None,
                commit: commit_id(origin),
                agrees,
                note: (!agrees).then(|| {
                    "the proxy made the module from another commit: the tag may have been moved"
                        .to_owned()
                }),
                meant_for: MeantFor::ThisRelease,
            });
        }
        let mut found =
            self.conclude(facts, FoundBy::Tag, Some(name), home, Reach::DefaultOrTag)?;
        if let Some(origin) = otherwise {
            self.candidates = kept;
            let commit = found.pin.commit.clone();
            self.candidates.push(Candidate {
                found_by: FoundBy::Tag,
                reference: Some(name.to_owned()),
                commit: Some(commit),
                agrees: false,
                note: Some("the tag leads elsewhere now".to_owned()),
                meant_for: MeantFor::ThisRelease,
            });
            // That it cannot be had says nothing against the tag.
            match self.of_origin(origin, "the tag leads elsewhere now") {
                Ok(other) => found.otherwise = other.map(Box::new),
                Err(error) if error.is_remote() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(found))
    }

    fn untagged(&mut self, pseudo: &Pseudo) -> Result<Option<FoundSource>, GitError> {
        let history = self.history()?;
        let mut named = history
            .commits
            .iter()
            .filter(|facts| facts.id.to_string().starts_with(&pseudo.revision));
        let (Some(facts), None) = (named.next(), named.next()) else {
            // A branch that is gone may have led to it.
            return match self
                .origin()
                .filter(|origin| origin.to_string().starts_with(&pseudo.revision))
            {
                Some(origin) => self.of_origin(origin, "the version names it"),
                None => Ok(None),
            };
        };
        if facts.time != pseudo.time {
            self.pass_over(
                FoundBy::VersionCommit,
                None,
                facts.id,
                "it was not committed when the version says".to_owned(),
            );
            return Ok(None);
        }
        let facts = facts.clone();
        let reach = history.reach(facts.id);
        self.take(facts, FoundBy::VersionCommit, None, reach)
    }

    /// The commit that the proxy names, where no tag does.
    fn of_origin(&mut self, origin: Oid, note: &str) -> Result<Option<FoundSource>, GitError> {
        let history = self.history()?;
        if let Some(facts) = history.get(origin).cloned() {
            let reach = history.reach(origin);
            return self.take(facts, FoundBy::Origin, Some(note), reach);
        }
        if !history.complete {
            let note = "beyond the part of the history that was read".to_owned();
            self.pass_over(FoundBy::Origin, None, origin, note);
            return Ok(None);
        }
        match self
            .opened
            .store
            .fetch_snapshots(&[Snapshot::Commit(origin)])
        {
            Ok(()) => {}
            Err(error) if error.is_remote() => {
                self.pass_over(FoundBy::Origin, None, origin, UNREACHABLE.to_owned());
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let Ok(facts) = self.opened.store.objects()?.peel_to_commit(origin) else {
            self.pass_over(FoundBy::Origin, None, origin, UNREACHABLE.to_owned());
            return Ok(None);
        };
        self.take(facts, FoundBy::Origin, Some(UNREACHABLE), Reach::Nothing)
    }

    fn take(
        &mut self,
        facts: CommitFacts,
        found_by: FoundBy,
        note: Option<&str>,
        reach: Reach,
    ) -> Result<Option<FoundSource>, GitError> {
        self.opened.store.whole(facts.id)?;
        let objects = self.opened.store.objects()?;
        let Some(mut home) = self.home(&objects, &facts) else {
            let note = format!("no go.mod of {} there", self.request.target.name);
            self.pass_over(found_by, None, facts.id, note);
            return Ok(None);
        };
        home.note = match (home.note, note) {
            (Some(one), Some(other)) => Some(format!("{other}; {one}")),
            (one, other) => one.or(other.map(str::to_owned)),
        };
        self.conclude(facts, found_by, None, home, reach).map(Some)
    }

    fn history(&self) -> Result<History, GitError> {
        let store = &self.opened.store;
        let advertised = &self.opened.advertised;
        store.fetch_history()?;
        let defaults = store.default_branches(advertised)?;
        let mut history = History::read(&store.objects()?, advertised, &defaults);
        history.complete &= !store.is_cut_short();
        Ok(history)
    }

    /// The folder whose `go.mod` bears the module's path: the module's own, or in it the one named for the major
    /// version. A module from before modules has no `go.mod` at all.
    fn home(&self, objects: &Objects, facts: &CommitFacts) -> Option<Home> {
        let target = &self.request.target;
        let own = self.directory.clone();
        let major = target
            .name
            .as_str()
            .rsplit_once('/')
            .map(|(_, last)| last)
            .filter(|last| {
                last.strip_prefix('v')
                    .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            });
        let inside = major.and_then(|major| match &own {
            Some(own) => own.join(major).ok(),
            None => major.parse().ok(),
        });
        let go_mod = |directory: Option<&EntryPath>| {
            let path = remint_model::SourceTree::path_in(directory, "go.mod");
            let (kind, id) = objects.at(facts.tree, &path)?;
            (kind == git2::ObjectType::Blob).then_some(id)
        };
        let bears = |id: Oid| {
            objects
                .blob(id, LARGEST)
                .and_then(|content| GoMod::parse(&content).ok())
                .is_some_and(|read| read.module.as_ref() == Some(&target.name))
        };
        if go_mod(own.as_ref()).is_some_and(bears) {
            return Some(Home {
                directory: own,
                note: None,
            });
        }
        if let Some(inside) = inside
            && go_mod(Some(&inside)).is_some_and(bears)
        {
            return Some(Home {
                directory: Some(inside),
                note: None,
            });
        }
        // Whatever stands in another module's file, this is not it.
        (go_mod(own.as_ref()).is_none() && major.is_none() || self.is_gopkg()).then(|| Home {
            directory: own,
            note: Some("there is no go.mod that bears its path".to_owned()),
        })
    }

    /// gopkg.in serves packages whose `go.mod` may bear no version, or which have none.
    fn is_gopkg(&self) -> bool {
        self.request.target.name.as_str().starts_with("gopkg.in/")
    }

    fn conclude(
        &mut self,
        facts: CommitFacts,
        found_by: FoundBy,
        reference: Option<&str>,
        home: Home,
        reach: Reach,
    ) -> Result<FoundSource, GitError> {
        let candidates = std::mem::take(&mut self.candidates);
        pin::conclude(
            self.request,
            self.opened,
            Conclusion {
                facts,
                found_by,
                reference: reference.map(str::to_owned),
                subdirectory: home.directory,
                // The version of a module is the tag's; no file states another.
                stamp: None,
                reach,
                note: home.note,
            },
            candidates,
        )
    }

    fn pass_over(&mut self, found_by: FoundBy, reference: Option<&str>, commit: Oid, note: String) {
        self.candidates.push(Candidate {
            found_by,
            reference: reference.map(str::to_owned),
            commit: commit_id(commit),
            agrees: false,
            note: Some(note),
            meant_for: MeantFor::ThisRelease,
        });
    }

    fn nothing(&self) -> SourceError {
        let version = self.request.target.version.as_str();
        let missing = golang_tags(version, self.directory.as_ref())
            .filter(|name| {
                let mut tags = self.opened.advertised.tags.iter();
                !tags.any(|tag| tag.name == *name)
            })
            .map(|name| format!("there is no tag `{name}`"));
        let passed_over = self
            .candidates
            .iter()
            .filter_map(|candidate| {
                let note = candidate.note.as_ref()?;
                let what = match (&candidate.reference, &candidate.commit) {
                    (Some(reference), _) => format!("tag `{reference}`"),
                    (None, Some(commit)) => format!("commit {}", commit.short()),
                    (None, None) => return None,
                };
                Some(format!("{what}: {note}"))
            })
            .chain(missing)
            .collect();
        SourceError::NoSource {
            url: self.opened.store.canonical().to_owned(),
            looked_at: Box::new(LookedAt {
                tags: self.opened.advertised.tags.len(),
                commits: 0,
                manifests: 0,
                best_blob_match: None,
                tagged_releases: 0,
                cut_short: self.opened.store.is_cut_short(),
                passed_over,
            }),
        }
    }
}
