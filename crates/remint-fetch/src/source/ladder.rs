//! The ladder of hints that leads to the commit of a release.
//!
//! 1. Tags that name the version, verified by the manifest at the tag.
//! 2. npm's `gitHead` or a crate's `.cargo_vcs_info.json`, if a branch or tag reaches it and its manifest agrees.
//! 3. The commit that set the version, or a neighbour whose files fit the published ones better.
//! 4. A tag that names the version over a manifest that says another one: stamped at release.
//! 5. Where manifests say nothing about versions: the commit that holds all published files.
//!
//! The publisher's own hints never overrule a tag; what disagrees stays among the candidates. A branch other than
//! the default one is no authority either, nor is a merge request: their commits are taken only where neither the
//! default branch nor a tag has any for the release, or as what to build otherwise, and the pin says so. How well they fit is no reason, since
//! whoever pushes them knows what was published.

use git2::Oid;
use remint_model::{Candidate, EntryPath, FoundBy, MeantFor, Reach, Stamp};

use super::blobs::{self, Matcher};
use super::git_head;
use super::history::{History, Versions};
use super::manifest::{self, Agreement, Located, Place};
use super::neighbours::{self, Chosen};
use super::pin::{self, Conclusion};
use super::repository::Opened;
use super::tagged::Tagged;
use super::{FoundSource, LookedAt, SourceError, SourceRequest, tags};
use crate::git::{Advertised, AdvertisedRef, GitError, MOST_FILES, Objects};

/// Finds the commit of the release in a repository that answered.
pub(super) fn climb(
    request: &SourceRequest<'_>,
    opened: &Opened,
) -> Result<FoundSource, SourceError> {
    let url = opened.store.canonical().to_owned();
    Climb {
        request,
        opened,
        candidates: Vec::new(),
    }
    .climb()
    .map_err(|stop| match stop {
        Stop::Git(error) => SourceError::from_git(&url, error),
        Stop::NoSource(looked_at) => SourceError::NoSource { url, looked_at },
    })
}

pub(super) enum Stop {
    Git(GitError),
    NoSource(Box<LookedAt>),
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

pub(super) struct Climb<'a> {
    pub(super) request: &'a SourceRequest<'a>,
    pub(super) opened: &'a Opened,
    pub(super) candidates: Vec<Candidate>,
}

impl Climb<'_> {
    fn climb(mut self) -> Result<FoundSource, Stop> {
        let (taken, stale) = self.tagged()?;
        match taken {
            Some((tagged, located)) => self.take_tag(tagged, &located),
            None => self.search_history(stale),
        }
    }

    /// A tag agrees. Its neighbours are looked at only where something says that it is not quite it.
    fn take_tag(mut self, tagged: Tagged, located: &Located) -> Result<FoundSource, Stop> {
        let objects = self.opened.store.objects()?;
        let directory = located.directory();
        let head_differs = self.git_head().is_some_and(|head| head != tagged.facts.id);
        let stale = located.agreement == Agreement::Exact
            && self.is_stale(&objects, tagged.facts.tree, directory.as_ref());
        let mut better = None;
        let mut reach = Reach::DefaultOrTag;
        if head_differs || stale {
            match self.history() {
                Ok((history, _)) => {
                    let objects = self.opened.store.objects()?;
                    if stale {
                        better = self.beside(&tagged, &history)?;
                    }
                    let taken = better.as_ref().map_or(tagged.facts.id, Chosen::id);
                    self.note_git_head(&history, taken, &objects);
                    reach = history.reach(taken);
                }
                // The tag stands without its history; what could not be looked up is said.
                Err(error) if error.is_remote() => self.note_unmeasured_head(tagged.facts.id),
                Err(error) => return Err(error.into()),
            }
        } else {
            self.note_agreeing_head(tagged.facts.id);
        }
        let name = tagged.tag.name.clone();
        if let Some(better) = better {
            self.pass_over(&tagged, None);
            // The tag does not name this commit, so it is no ref of it.
            return self.conclude(better.conclusion(FoundBy::Neighbour, reach));
        }
        let stamp = self.stamp(&located.agreement, &format!("tag `{name}` names it"));
        self.conclude(Conclusion {
            facts: tagged.facts,
            found_by: FoundBy::Tag,
            reference: Some(name),
            subdirectory: directory,
            stamp,
            reach: Reach::DefaultOrTag,
            note: (!located.named).then(|| "the manifest there states no name".to_owned()),
        })
    }

    /// A commit before or after a tag that carries the version as well and fits strictly better. Only the default
    /// branch and tags are searched: a file that the build rewrites looks stale too, and a branch to which somebody
    /// pushed the built files fits best of all.
    fn beside(&self, tagged: &Tagged, history: &History) -> Result<Option<Chosen>, Stop> {
        let versions = self.versions(history, &self.opened.advertised)?;
        let objects = self.opened.store.objects()?;
        let mut matcher = Matcher::new(&objects, self.request.survey);
        let own = tagged.facts.id;
        let uploaded = self.request.uploaded;
        let related = |better: &Chosen| {
            history.ancestors(better.id()).contains(&own)
                || history.ancestors(own).contains(&better.id())
        };
        Ok(neighbours::better_than(
            &tagged.facts,
            history,
            &versions,
            &mut matcher,
            uploaded,
            |id| history.is_vouched(id),
        )
        .filter(related))
    }

    /// All commits, and the branches that count as the default one.
    fn history(&self) -> Result<(History, Vec<AdvertisedRef>), GitError> {
        let store = &self.opened.store;
        let advertised = &self.opened.advertised;
        store.fetch_history()?;
        let defaults = store.default_branches(advertised)?;
        let mut history = History::read(&store.objects()?, advertised, &defaults);
        history.complete &= !store.is_cut_short();
        Ok((history, defaults))
    }

    /// Steps 2 to 5; `stale` are the tags whose manifest states another version.
    fn search_history(mut self, stale: Vec<Tagged>) -> Result<FoundSource, Stop> {
        let (history, defaults) = self.history()?;
        let versions = self.versions(&history, &self.opened.advertised)?;
        let objects = self.opened.store.objects()?;
        let mut matcher = Matcher::new(&objects, self.request.survey);

        let untagged = stale.is_empty();
        if let Some(conclusion) = self.head_in_history(&history, &versions, &objects, untagged) {
            return self.conclude_reached(&history, &versions, conclusion);
        }
        let is_own = |tagged: &Tagged| tagged.meant_for == MeantFor::ThisRelease;
        let has_tag = stale.iter().any(is_own);
        let chosen = neighbours::choose(
            &history,
            &versions,
            &mut matcher,
            &self.opened.advertised,
            self.request.uploaded,
        )
        // A tag that names the version says more than what somebody wrote on a branch.
        .filter(|chosen| history.is_vouched(chosen.id()) || !has_tag);
        if let Some(chosen) = chosen {
            let candidates = self.candidates.clone();
            let unvouched =
                self.unvouched(&chosen, &history, &versions, &mut matcher, &defaults)?;
            let candidates = std::mem::replace(&mut self.candidates, candidates);
            let otherwise = match unvouched {
                Some(conclusion) if !history.is_vouched(chosen.id()) => {
                    self.candidates = candidates;
                    return self.conclude_reached(&history, &versions, conclusion);
                }
                unvouched => unvouched.map(|conclusion| (conclusion, candidates)),
            };
            self.note_git_head(&history, chosen.id(), &objects);
            let found_by = match (stale.is_empty(), chosen.found_by) {
                (false, FoundBy::VersionCommit) => FoundBy::Neighbour,
                (_, found_by) => found_by,
            };
            let reach = history.reach(chosen.id());
            let conclusion = chosen.conclusion(found_by, reach);
            let mut found = self.conclude_reached(&history, &versions, conclusion)?;
            if let Some((conclusion, candidates)) = otherwise {
                self.candidates = candidates;
                found.otherwise = match self.conclude_reached(&history, &versions, conclusion) {
                    Ok(otherwise) => Some(Box::new(otherwise)),
                    Err(Stop::Git(error)) if !error.is_remote() => return Err(error.into()),
                    Err(Stop::Git(_) | Stop::NoSource(_)) => None,
                };
            }
            return Ok(found);
        }
        // A tag of another package says when that was released: this one was then too only where nothing speaks against it.
        let may_be_own = |tagged: &Tagged| {
            let directory = tagged.located.as_ref().and_then(Located::directory);
            is_own(tagged) || !self.is_stale(&objects, tagged.facts.tree, directory.as_ref())
        };
        if let Some(tagged) = stale
            .into_iter()
            .filter(may_be_own)
            .max_by_key(|tagged| (is_own(tagged), tagged.matched))
            && let Some(located) = &tagged.located
        {
            self.note_git_head(&history, tagged.facts.id, &objects);
            let conclusion = self.stamped_at(&tagged, located);
            return self.conclude(conclusion);
        }
        if let Some(found) = self.unreachable_head(&history)? {
            return Ok(found);
        }
        let uploaded = self.request.uploaded;
        let vouched =
            neighbours::holds_everything(&history, &versions, &mut matcher, uploaded, |id| {
                history.is_vouched(id)
            });
        let fitting = vouched.or_else(|| {
            neighbours::holds_everything(&history, &versions, &mut matcher, uploaded, |_| true)
        });
        if let Some(mut fitting) = fitting {
            if !history.is_vouched(fitting.id())
                && let Some(twin) = history.vouched_twin(&objects, &versions, &fitting.facts)
            {
                fitting.facts = twin.clone();
            }
            let reach = history.reach(fitting.id());
            self.note_git_head(&history, fitting.id(), &objects);
            let because = "the manifest leaves the version to the release";
            let stamp = self.stamp(&fitting.said.agreement, because);
            let conclusion = Conclusion {
                stamp,
                ..fitting.conclusion(FoundBy::Blobs, reach)
            };
            return self.conclude_reached(&history, &versions, conclusion);
        }
        Err(Stop::NoSource(Box::new(LookedAt {
            best_blob_match: neighbours::best_match(&history, &mut matcher),
            ..self.looked_at(&history, &versions)
        })))
    }

    fn looked_at(&self, history: &History, versions: &Versions) -> LookedAt {
        LookedAt {
            tags: self.opened.advertised.tags.len(),
            commits: history.commits.len(),
            manifests: versions.manifests,
            best_blob_match: None,
            tagged_releases: self.tagged_releases(),
            cut_short: self.opened.store.is_cut_short(),
            passed_over: self.passed_over(),
        }
    }

    /// Takes a commit of the history. Where a clone lacks the older part of it, nobody can tell what the default
    /// branch reaches there, so a commit that nothing else vouches for is no answer.
    fn conclude_reached(
        &mut self,
        history: &History,
        versions: &Versions,
        conclusion: Conclusion,
    ) -> Result<FoundSource, Stop> {
        let is_vouched = match &conclusion.reach {
            Reach::DefaultOrTag | Reach::Given => true,
            Reach::OtherBranch(_) | Reach::Nothing => false,
        };
        if !is_vouched && self.opened.store.is_cut_short() {
            let mut looked_at = self.looked_at(history, versions);
            looked_at.passed_over.push(format!(
                "commit {}: whether the default branch or a tag leads to it cannot be told",
                conclusion.facts.id
            ));
            return Err(Stop::NoSource(Box::new(looked_at)));
        }
        self.conclude(conclusion)
    }

    /// Step 4: the tag names the version, so writing it into the manifest is what the release did.
    fn stamped_at(&mut self, tagged: &Tagged, located: &Located) -> Conclusion {
        let name = &tagged.tag.name;
        self.candidates
            .retain(|candidate| candidate.reference.as_ref() != Some(name));
        Conclusion {
            facts: tagged.facts.clone(),
            found_by: FoundBy::Tag,
            reference: Some(name.clone()),
            subdirectory: located.directory(),
            stamp: self.stamp(&located.agreement, &format!("tag `{name}` names it")),
            reach: Reach::DefaultOrTag,
            note: None,
        }
    }

    /// Where what was chosen does not explain all that was published: a commit of another branch that fits better
    /// and leaves nothing stale, or else one of a merge request.
    fn unvouched(
        &mut self,
        chosen: &Chosen,
        history: &History,
        versions: &Versions,
        matcher: &mut Matcher<'_>,
        defaults: &[AdvertisedRef],
    ) -> Result<Option<Conclusion>, Stop> {
        let objects = self.opened.store.objects()?;
        if !self.leaves_stale(&objects, chosen) {
            return Ok(None);
        }
        let uploaded = self.request.uploaded;
        let branched =
            neighbours::better_than(&chosen.facts, history, versions, matcher, uploaded, |id| {
                !history.is_vouched(id)
            })
            .filter(|better| !self.leaves_stale(&objects, better));
        match branched {
            Some(branched) => {
                self.note_git_head(history, branched.id(), &objects);
                let reach = history.reach(branched.id());
                Ok(Some(branched.conclusion(FoundBy::Neighbour, reach)))
            }
            None => self.in_proposals(chosen, history, defaults),
        }
    }

    /// A commit of a merge request that carries the version, fits better and leaves nothing stale. Histories are
    /// rewritten, and merge requests keep the old commits; but anyone can open one, so the pin says that no branch
    /// or tag reaches it.
    fn in_proposals(
        &mut self,
        chosen: &Chosen,
        history: &History,
        defaults: &[AdvertisedRef],
    ) -> Result<Option<Conclusion>, Stop> {
        let store = &self.opened.store;
        let proposals = match store.fetch_proposals() {
            Ok(proposals) => proposals,
            Err(error) if error.is_remote() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if proposals.is_empty() {
            return Ok(None);
        }
        let mut advertised = self.opened.advertised.clone();
        advertised.branches.extend(proposals);
        let objects = store.objects()?;
        let wider = History::read(&objects, &advertised, defaults);
        let versions = self.versions(&wider, &advertised)?;
        let objects = store.objects()?;
        let mut matcher = Matcher::new(&objects, self.request.survey);
        let better = neighbours::better_than(
            &chosen.facts,
            &wider,
            &versions,
            &mut matcher,
            self.request.uploaded,
            |_| true,
        )
        .filter(|better| !self.leaves_stale(&objects, better));
        let Some(better) = better else {
            return Ok(None);
        };
        self.note_git_head(history, better.id(), &objects);
        let reach = history.reach(better.id());
        let mut conclusion = better.conclusion(FoundBy::Neighbour, reach);
        if let (Reach::Nothing, Some(note)) = (&conclusion.reach, &mut conclusion.note) {
            note.push_str("; unreachable: only a merge request leads to it");
        }
        Ok(Some(conclusion))
    }

    fn leaves_stale(&self, objects: &Objects, chosen: &Chosen) -> bool {
        self.is_stale(objects, chosen.facts.tree, chosen.said.directory().as_ref())
    }

    fn is_stale(&self, objects: &Objects, tree: Oid, directory: Option<&EntryPath>) -> bool {
        blobs::has_stale_file(objects, self.request.survey, tree, directory)
    }

    fn versions(&self, history: &History, advertised: &Advertised) -> Result<Versions, GitError> {
        Versions::read(
            self.request.target,
            &self.opened.store,
            history,
            advertised,
            self.place(),
        )
    }

    fn place(&self) -> Place<'_> {
        Place::new(
            self.request.overrides.subdirectory.as_ref(),
            self.opened.hint.as_ref(),
        )
    }

    pub(super) fn locate(&self, objects: &Objects, tree: Oid) -> Result<Option<Located>, GitError> {
        let target = self.request.target;
        let files = objects.files(tree, MOST_FILES)?;
        let manifests = manifest::manifests(target.ecosystem, &files);
        Ok(manifest::locate(
            target,
            objects,
            tree,
            self.place(),
            &manifests,
        ))
    }

    pub(super) fn stamp(&self, agreement: &Agreement, because: &str) -> Option<Stamp> {
        pin::stamp(self.request.target, agreement, because)
    }

    pub(super) fn conclude(&mut self, conclusion: Conclusion) -> Result<FoundSource, Stop> {
        let candidates = std::mem::take(&mut self.candidates);
        pin::conclude(self.request, self.opened, conclusion, candidates).map_err(Stop::Git)
    }

    fn tagged_releases(&self) -> usize {
        let Some(release) = self.request.release else {
            return 0;
        };
        let named: std::collections::HashSet<&str> = self
            .opened
            .advertised
            .tags
            .iter()
            .filter_map(|tag| tags::version_text(&tag.name))
            .collect();
        release
            .versions
            .iter()
            .filter(|version| **version != self.request.target.version)
            .filter(|version| named.contains(version.as_str()))
            .count()
    }

    fn passed_over(&self) -> Vec<String> {
        self.candidates
            .iter()
            .filter_map(|candidate| {
                let note = candidate.note.as_ref()?;
                let what = match (&candidate.reference, &candidate.commit) {
                    (Some(reference), _) => format!("tag `{reference}`"),
                    (None, Some(commit)) => format!(
                        "{} {}",
                        git_head::head_name(self.request.target.ecosystem),
                        commit.short()
                    ),
                    (None, None) => return None,
                };
                Some(format!("{what}: {note}"))
            })
            .take(8)
            .collect()
    }
}
