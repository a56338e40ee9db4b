//! The commit that the publisher's client was on: npm's `gitHead`, and what a crate's `.cargo_vcs_info.json` names.
//! The publisher chooses it, so a tag beats it, and a commit that no branch or tag reaches is taken only where nothing else carries the version, and said so.

use git2::Oid;
use remint_ecosystem::publisher_commit;
use remint_model::{Candidate, Ecosystem, FoundBy, MeantFor, Reach};

use super::FoundSource;
use super::history::{History, Versions};
use super::ladder::{Climb, Stop};
use super::manifest::Agreement;
use super::pin::Conclusion;
use crate::git::{Objects, Snapshot, commit_id, oid};

/// The judge looks for this word.
const UNREACHABLE: &str = "unreachable: no branch or tag leads to it";
const BEYOND: &str = "beyond the part of the history that was read";

/// What the publisher's hint is called.
pub(super) const fn head_name(ecosystem: Ecosystem) -> &'static str {
    match ecosystem {
        Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Mcpb => "the registry's `gitHead`",
        Ecosystem::Cargo => "`.cargo_vcs_info.json`",
        Ecosystem::Golang => "the proxy's `Origin`",
    }
}

impl Climb<'_> {
    pub(super) fn git_head(&self) -> Option<Oid> {
        let request = self.request;
        publisher_commit(request.target.ecosystem, request.release, request.survey)
            .as_ref()
            .and_then(oid)
    }

    /// What a commit is called that was found this way.
    const fn found_by_head(&self) -> FoundBy {
        match self.request.target.ecosystem {
            Ecosystem::Npm | Ecosystem::Pypi | Ecosystem::Mcpb => FoundBy::GitHead,
            Ecosystem::Cargo => FoundBy::VcsInfo,
            Ecosystem::Golang => FoundBy::Origin,
        }
    }

    /// The commit that `gitHead` names, which no branch or tag reaches, where nothing else has the version: it
    /// is the source as far as anyone can tell, and the pin says that it is unreachable.
    pub(super) fn unreachable_head(
        &mut self,
        history: &History,
    ) -> Result<Option<FoundSource>, Stop> {
        let Some(head) = self.git_head().filter(|head| history.get(*head).is_none()) else {
            return Ok(None);
        };
        // A branch or tag may lead to it all the same: that it is out of reach cannot be told.
        if !history.complete {
            self.candidates.push(Candidate {
                found_by: self.found_by_head(),
                reference: None,
                commit: commit_id(head),
                agrees: false,
                note: Some(BEYOND.to_owned()),
                meant_for: MeantFor::ThisRelease,
            });
            return Ok(None);
        }
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
                found_by: self.found_by_head(),
                reference: None,
                commit: commit_id(head),
                agrees: false,
                note: Some(UNREACHABLE.to_owned()),
                meant_for: MeantFor::ThisRelease,
            });
            return Ok(None);
        };
        self.conclude(Conclusion {
            facts,
            found_by: self.found_by_head(),
            reference: None,
            subdirectory: located.directory(),
            stamp: None,
            reach: Reach::Nothing,
            note: Some(UNREACHABLE.to_owned()),
        })
        .map(Some)
    }

    /// Writes down where `gitHead` leads, measured against the commit that was taken.
    pub(super) fn note_git_head(&mut self, history: &History, taken: Oid, objects: &Objects) {
        let Some(head) = self.git_head() else { return };
        if head == taken {
            return self.note_agreeing_head(taken);
        }
        let note = match history.get(head) {
            None if history.complete => UNREACHABLE.to_owned(),
            None => BEYOND.to_owned(),
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
            found_by: self.found_by_head(),
            reference: None,
            commit: commit_id(head),
            agrees: false,
            note: Some(note),
            meant_for: MeantFor::ThisRelease,
        });
    }

    /// Step 2: `gitHead`, where a branch or tag reaches it and the manifest there does not speak against it. A
    /// manifest that leaves the version open counts only where no tag names the version.
    ///
    /// A release branch that was squashed into the default one stays behind with the commit that was published:
    /// then the default branch's commit with the same files is taken.
    pub(super) fn head_in_history(
        &mut self,
        history: &History,
        versions: &Versions,
        objects: &Objects,
        untagged: bool,
    ) -> Option<Conclusion> {
        let head = self.git_head()?;
        let facts = history.get(head)?;
        let said = versions.at_commit(head)?;
        let agrees = match &said.agreement {
            Agreement::Exact => true,
            Agreement::Placeholder(_) | Agreement::Computed => untagged,
            Agreement::Other(_) => false,
        };
        if !agrees {
            return None;
        }
        let twin = (!history.is_vouched(head))
            .then(|| history.vouched_twin(objects, versions, facts))
            .flatten();
        if let Some(twin) = twin {
            self.note_git_head(history, twin.id, objects);
        }
        let (found_by, note) = match twin {
            None => (self.found_by_head(), None),
            Some(_) => (
                FoundBy::Neighbour,
                Some(format!(
                    "has the package's files as {} has them on another branch",
                    head_name(self.request.target.ecosystem)
                )),
            ),
        };
        let taken = twin.unwrap_or(facts);
        Some(Conclusion {
            facts: taken.clone(),
            found_by,
            reference: None,
            subdirectory: said.directory(),
            stamp: self.stamp(
                &said.agreement,
                &format!(
                    "{} names the commit",
                    head_name(self.request.target.ecosystem)
                ),
            ),
            reach: history.reach(taken.id),
            note,
        })
    }

    /// `gitHead` beside a tag whose history did not arrive.
    pub(super) fn note_unmeasured_head(&mut self, taken: Oid) {
        match self.git_head() {
            Some(head) if head != taken => self.candidates.push(Candidate {
                found_by: self.found_by_head(),
                reference: None,
                commit: commit_id(head),
                agrees: false,
                note: Some("another commit; the history did not arrive to compare them".to_owned()),
                meant_for: MeantFor::ThisRelease,
            }),
            Some(_) | None => self.note_agreeing_head(taken),
        }
    }

    pub(super) fn note_agreeing_head(&mut self, taken: Oid) {
        if self.git_head() == Some(taken) {
            self.candidates.push(Candidate {
                found_by: self.found_by_head(),
                reference: None,
                commit: commit_id(taken),
                agrees: true,
                note: None,
                meant_for: MeantFor::ThisRelease,
            });
        }
    }
}
