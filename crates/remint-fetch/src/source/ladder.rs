//! The ladder of hints that leads to the commit of a release.
//!
//! 1. Tags that name the version, verified by the manifest at the tag.
//! 2. npm's `gitHead`, if a branch or tag reaches it and its manifest agrees.
//! 3. The commit that set the version, or a neighbour whose files fit the published ones better.
//! 4. A tag that names the version over a manifest that says another one: stamped at release.
//! 5. Where manifests say nothing about versions: the commit that holds all published files.
//!
//! The publisher's own hints never overrule a tag; what disagrees stays among the candidates.

use git2::Oid;
use remint_model::{Candidate, FoundBy, Stamp};

use super::blobs::{self, Matched, Matcher};
use super::history::{History, Versions};
use super::manifest::{self, Agreement, Located, Place};
use super::neighbours;
use super::pin::{self, Conclusion};
use super::repository::Opened;
use super::{FoundSource, LookedAt, SourceError, SourceRequest, tags};
use crate::git::{
    AdvertisedRef, CommitFacts, GitError, MOST_FILES, Objects, Snapshot, commit_id, oid,
};

/// Most commits that tags of one score may propose.
const MOST_TAGGED: usize = 6;

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

enum Stop {
    Git(GitError),
    NoSource(Box<LookedAt>),
}

impl From<GitError> for Stop {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

struct Climb<'a> {
    request: &'a SourceRequest<'a>,
    opened: &'a Opened,
    candidates: Vec<Candidate>,
}

/// A commit that tags propose.
#[derive(Clone)]
struct Tagged {
    tag: AdvertisedRef,
    facts: CommitFacts,
    located: Option<Located>,
    matched: Matched,
}

impl Climb<'_> {
    fn climb(mut self) -> Result<FoundSource, Stop> {
        let (taken, stale) = self.tagged()?;
        match taken {
            Some(tagged) => self.from_tag(tagged),
            None => self.from_history(stale),
        }
    }

    /// Step 1: the tag whose manifest agrees, and otherwise those whose manifest states another version.
    fn tagged(&mut self) -> Result<(Option<Tagged>, Vec<Tagged>), Stop> {
        let target = self.request.target;
        let hint = self.opened.hint.clone();
        let mut scored: Vec<(u32, AdvertisedRef)> = self
            .opened
            .advertised
            .tags
            .iter()
            .filter_map(|tag| {
                let score = tags::score(target, hint.as_ref(), &tag.name)?;
                (score >= tags::OWN).then(|| (score, tag.clone()))
            })
            .collect();
        scored.sort_by(|(a, one), (b, other)| b.cmp(a).then(one.name.cmp(&other.name)));
        let mut stale = Vec::new();
        for level in scored.chunk_by(|(a, _), (b, _)| a == b) {
            let mut proposed: Vec<&AdvertisedRef> = Vec::new();
            for (_, tag) in level {
                if !proposed.iter().any(|other| other.peeled == tag.peeled)
                    && proposed.len() < MOST_TAGGED
                {
                    proposed.push(tag);
                }
            }
            let mut examined = self.examine(&proposed)?;
            // Agreement first, then fit, then what the publisher's client says, then the name.
            let git_head = self.git_head();
            examined.sort_by_key(|tagged| {
                let agreement = match tagged.located.as_ref().map(|located| &located.agreement) {
                    Some(Agreement::Exact) => 0,
                    Some(Agreement::Placeholder(_) | Agreement::Computed) => 1,
                    Some(Agreement::Other(_)) => 2,
                    None => 3,
                };
                (
                    agreement,
                    std::cmp::Reverse(tagged.matched),
                    Some(tagged.facts.id) != git_head,
                )
            });
            let mut taken = None;
            for tagged in examined {
                match tagged.located.as_ref().map(|located| &located.agreement) {
                    Some(Agreement::Exact | Agreement::Placeholder(_) | Agreement::Computed)
                        if taken.is_none() =>
                    {
                        taken = Some(tagged);
                    }
                    Some(Agreement::Other(version)) => {
                        let note = format!("the manifest there says {version}");
                        self.pass_over(&tagged, Some(note));
                        stale.push(tagged);
                    }
                    Some(_) => self.pass_over(&tagged, None),
                    None => {
                        let note = format!("no manifest of {} there", target.name);
                        self.pass_over(&tagged, Some(note));
                    }
                }
            }
            if taken.is_some() {
                return Ok((taken, stale));
            }
        }
        Ok((None, stale))
    }

    /// Fetches tagged commits whole and reads their manifests.
    fn examine(&self, proposed: &[&AdvertisedRef]) -> Result<Vec<Tagged>, Stop> {
        let store = &self.opened.store;
        // Companions come along, since a build that asks git for tags sees all of a commit's.
        let wanted: Vec<Snapshot<'_>> = proposed
            .iter()
            .flat_map(|tag| pin::companions(&self.opened.advertised, tag.peeled))
            .map(Snapshot::Tag)
            .collect();
        match store.fetch_snapshots(&wanted) {
            Ok(()) => {}
            // The host may miss single objects, or one tag of several.
            Err(error) if error.is_remote() => {
                for tag in proposed {
                    store.whole(tag.peeled)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        let objects = store.objects()?;
        let mut matcher = Matcher::new(&objects, self.request.survey);
        let mut examined = Vec::new();
        for tag in proposed {
            let Ok(facts) = objects.peel_to_commit(tag.peeled) else {
                continue;
            };
            let located = self.locate(&objects, facts.tree)?;
            let directory = located.as_ref().and_then(Located::directory);
            let matched = matcher.matched(facts.tree, directory.as_ref());
            examined.push(Tagged {
                tag: (*tag).clone(),
                facts,
                located,
                matched,
            });
        }
        Ok(examined)
    }

    fn locate(&self, objects: &Objects, tree: Oid) -> Result<Option<Located>, GitError> {
        let target = self.request.target;
        let files = objects.files(tree, MOST_FILES)?;
        let manifests = manifest::manifests(target.ecosystem, &files);
        let place = Place::new(
            self.request.overrides.subdirectory.as_ref(),
            self.opened.hint.as_ref(),
        );
        Ok(manifest::locate(target, objects, tree, place, &manifests))
    }

    fn pass_over(&mut self, tagged: &Tagged, note: Option<String>) {
        self.candidates.push(Candidate {
            found_by: FoundBy::Tag,
            reference: Some(tagged.tag.name.clone()),
            commit: commit_id(tagged.facts.id),
            agrees: false,
            note,
        });
    }

    fn git_head(&self) -> Option<Oid> {
        self.request
            .release
            .and_then(|release| release.git_head.as_ref())
            .and_then(oid)
    }

    /// A tag agrees. Its neighbours are looked at only where something says that it is not quite it.
    fn from_tag(mut self, tagged: Tagged) -> Result<FoundSource, Stop> {
        let Some(located) = tagged.located.clone() else {
            return self.from_history(Vec::new());
        };
        let objects = self.opened.store.objects()?;
        let directory = located.directory();
        let git_head = self.git_head();
        let head_differs = git_head.is_some_and(|head| head != tagged.facts.id);
        let stale = located.agreement == Agreement::Exact
            && blobs::has_stale_file(
                &objects,
                self.request.survey,
                tagged.facts.tree,
                directory.as_ref(),
            );
        let mut better = None;
        if head_differs || stale {
            self.opened.store.fetch_history()?;
            let objects = self.opened.store.objects()?;
            let history = History::read(&objects, &self.opened.advertised);
            let mut matcher = Matcher::new(&objects, self.request.survey);
            if stale {
                let versions = self.versions(&history)?;
                let related = |id: Oid| {
                    history.ancestors(id).contains(&tagged.facts.id)
                        || history.ancestors(tagged.facts.id).contains(&id)
                };
                better = neighbours::better_than(
                    &tagged.facts,
                    &history,
                    &versions,
                    &mut matcher,
                    self.request.uploaded,
                )
                .filter(|better| related(better.facts.id));
            }
            let taken = better
                .as_ref()
                .map_or(tagged.facts.id, |better| better.facts.id);
            self.note_git_head(&history, taken, &objects);
        } else {
            self.note_agreeing_head(tagged.facts.id);
        }
        let name = tagged.tag.name.clone();
        if let Some(better) = better {
            self.pass_over(&tagged, None);
            let note = better.note();
            return self.conclude(Conclusion {
                facts: better.facts,
                found_by: FoundBy::Neighbour,
                reference: Some(name),
                subdirectory: better.said.directory(),
                stamp: None,
                reachable: true,
                note: Some(note),
            });
        }
        let stamp = self.stamp(&located.agreement, &format!("tag `{name}` names it"));
        self.conclude(Conclusion {
            facts: tagged.facts,
            found_by: FoundBy::Tag,
            reference: Some(name),
            subdirectory: directory,
            stamp,
            reachable: true,
            note: (!located.named).then(|| "the manifest there states no name".to_owned()),
        })
    }

    /// Steps 2 to 5.
    fn from_history(mut self, stale: Vec<Tagged>) -> Result<FoundSource, Stop> {
        self.opened.store.fetch_history()?;
        let objects = self.opened.store.objects()?;
        let history = History::read(&objects, &self.opened.advertised);
        let versions = self.versions(&history)?;
        let objects = self.opened.store.objects()?;
        let mut matcher = Matcher::new(&objects, self.request.survey);

        if let Some(head) = self.git_head()
            && let Some(facts) = history.get(head)
            && let Some(said) = versions.at_commit(head)
            && (said.agreement == Agreement::Exact
                || (said.agreement.is_open() && stale.is_empty()))
        {
            let stamp = self.stamp(&said.agreement, "the registry's `gitHead` names the commit");
            return self.conclude(Conclusion {
                facts: facts.clone(),
                found_by: FoundBy::GitHead,
                reference: None,
                subdirectory: said.directory(),
                stamp,
                reachable: true,
                note: None,
            });
        }

        let chosen = neighbours::choose(
            &history,
            &versions,
            &mut matcher,
            &self.opened.advertised,
            self.request.uploaded,
        );
        if let Some(chosen) = chosen {
            self.note_git_head(&history, chosen.facts.id, &objects);
            let beside_tag = stale.first().map(|tagged| tagged.tag.name.clone());
            let found_by = match (&beside_tag, chosen.found_by) {
                (Some(_), FoundBy::VersionCommit) => FoundBy::Neighbour,
                (_, found_by) => found_by,
            };
            let note = chosen.note();
            return self.conclude(Conclusion {
                reference: chosen.tag.clone().or(beside_tag),
                subdirectory: chosen.said.directory(),
                facts: chosen.facts,
                found_by,
                stamp: None,
                reachable: true,
                note: Some(note),
            });
        }

        if let Some(tagged) = stale.into_iter().max_by_key(|tagged| tagged.matched)
            && let Some(located) = tagged.located.clone()
        {
            self.note_git_head(&history, tagged.facts.id, &objects);
            let name = tagged.tag.name.clone();
            self.candidates
                .retain(|candidate| candidate.reference.as_ref() != Some(&name));
            let stamp = self.stamp(&located.agreement, &format!("tag `{name}` names it"));
            return self.conclude(Conclusion {
                facts: tagged.facts,
                found_by: FoundBy::Tag,
                reference: Some(name),
                subdirectory: located.directory(),
                stamp,
                reachable: true,
                note: None,
            });
        }

        if let Some(found) = self.unreachable_head(&history)? {
            return Ok(found);
        }

        let limit = self.request.uploaded;
        if let Some(fitting) =
            neighbours::holds_everything(&history, &versions, &mut matcher, limit)
        {
            self.note_git_head(&history, fitting.facts.id, &objects);
            let stamp = self.stamp(
                &fitting.said.agreement,
                "the manifest leaves the version to the release",
            );
            let note = fitting.note();
            return self.conclude(Conclusion {
                subdirectory: fitting.said.directory(),
                facts: fitting.facts,
                found_by: FoundBy::Blobs,
                reference: None,
                stamp,
                reachable: true,
                note: Some(note),
            });
        }
        let best = neighbours::best_match(&history, &mut matcher);
        Err(Stop::NoSource(Box::new(LookedAt {
            tags: self.opened.advertised.tags.len(),
            commits: history.commits.len(),
            manifests: versions.manifests,
            best_blob_match: best,
            tagged_releases: self.tagged_releases(),
            passed_over: self.passed_over(),
        })))
    }

    fn versions(&self, history: &History) -> Result<Versions, GitError> {
        Versions::read(
            self.request.target,
            &self.opened.store,
            history,
            &self.opened.advertised,
            self.opened.hint.as_ref(),
        )
    }

    /// The commit that `gitHead` names, which no branch or tag reaches, where nothing else has the version: it
    /// is the source as far as anyone can tell, and the pin says that it is unreachable.
    fn unreachable_head(&mut self, history: &History) -> Result<Option<FoundSource>, Stop> {
        let Some(head) = self.git_head().filter(|head| history.get(*head).is_none()) else {
            return Ok(None);
        };
        // A host that does not hand the commit out leaves nothing to judge.
        let served = self.opened.store.fetch_snapshots(&[Snapshot::Commit(head)]);
        let objects = self.opened.store.objects()?;
        let located = match (served, objects.peel_to_commit(head)) {
            (Ok(()), Ok(facts)) => self
                .locate(&objects, facts.tree)?
                .filter(|located| located.agreement == Agreement::Exact)
                .map(|located| (facts, located)),
            _ => None,
        };
        let Some((facts, located)) = located else {
            self.candidates.push(Candidate {
                found_by: FoundBy::GitHead,
                reference: None,
                commit: commit_id(head),
                agrees: false,
                note: Some("unreachable: no branch or tag leads to it".to_owned()),
            });
            return Ok(None);
        };
        self.conclude(Conclusion {
            facts,
            found_by: FoundBy::GitHead,
            reference: None,
            subdirectory: located.directory(),
            stamp: None,
            reachable: false,
            note: Some("unreachable: no branch or tag leads to it".to_owned()),
        })
        .map(Some)
    }

    /// Writes down where `gitHead` leads, measured against the commit that was taken.
    fn note_git_head(&mut self, history: &History, taken: Oid, objects: &Objects) {
        let Some(head) = self.git_head() else { return };
        if head == taken {
            return self.note_agreeing_head(taken);
        }
        let note = match history.get(head) {
            None if history.complete => "unreachable: no branch or tag leads to it".to_owned(),
            None => "beyond the part of the history that was read".to_owned(),
            Some(facts) => {
                let same_files = objects
                    .peel_to_commit(taken)
                    .is_ok_and(|taken| taken.tree == facts.tree);
                if same_files {
                    "another commit with the same files".to_owned()
                } else if history.ancestors(head).contains(&taken) {
                    "a later commit".to_owned()
                } else if history.ancestors(taken).contains(&head) {
                    "an earlier commit".to_owned()
                } else {
                    "on another branch".to_owned()
                }
            }
        };
        self.candidates.push(Candidate {
            found_by: FoundBy::GitHead,
            reference: None,
            commit: commit_id(head),
            agrees: false,
            note: Some(note),
        });
    }

    fn note_agreeing_head(&mut self, taken: Oid) {
        if self.git_head() == Some(taken) {
            self.candidates.push(Candidate {
                found_by: FoundBy::GitHead,
                reference: None,
                commit: commit_id(taken),
                agrees: true,
                note: None,
            });
        }
    }

    fn stamp(&self, agreement: &Agreement, because: &str) -> Option<Stamp> {
        pin::stamp(self.request.target, agreement, because)
    }

    fn conclude(&mut self, conclusion: Conclusion) -> Result<FoundSource, Stop> {
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
                    (None, Some(commit)) => format!("`gitHead` {}", commit.short()),
                    (None, None) => return None,
                };
                Some(format!("{what}: {note}"))
            })
            .take(8)
            .collect()
    }
}
