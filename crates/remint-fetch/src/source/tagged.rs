//! Step 1 of the ladder: tags that name the version, each verified by the manifest there.

use std::cmp::Reverse;

use remint_ecosystem::StatedVersion;
use remint_model::{Candidate, EntryPath, FoundBy, MeantFor, Target};

use super::blobs::{Matched, Matcher};
use super::ladder::{Climb, Stop};
use super::manifest::{self, Agreement, Identities, Located};
use super::{pin, tags};
use crate::git::{
    Advertised, AdvertisedRef, CommitFacts, GitError, MOST_FILES, Objects, Snapshot, commit_id,
};

/// Most commits that tags of one score may propose.
const MOST_TAGGED: usize = 6;

/// A commit that tags propose.
pub(super) struct Tagged {
    pub(super) tag: AdvertisedRef,
    pub(super) facts: CommitFacts,
    pub(super) located: Option<Located>,
    pub(super) matched: Matched,
    pub(super) meant_for: MeantFor,
}

/// The tag that was taken, with its manifest, and the tags whose manifest states another version.
pub(super) type Verified = (Option<(Tagged, Located)>, Vec<Tagged>);

/// The tags that name this release, the surest first, and of those that are equally sure a few commits' worth.
pub(super) fn levels<'a>(
    target: &Target,
    directory: Option<&EntryPath>,
    advertised: &'a Advertised,
) -> Vec<Vec<&'a AdvertisedRef>> {
    let mut scored: Vec<(u32, &AdvertisedRef)> = advertised
        .tags
        .iter()
        .filter_map(|tag| {
            let score = tags::score(target, directory, &tag.name)?;
            (score >= tags::OWN).then_some((score, tag))
        })
        .collect();
    scored.sort_by(|(a, one), (b, other)| b.cmp(a).then(one.name.cmp(&other.name)));
    scored
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(|level| {
            let mut proposed: Vec<&AdvertisedRef> = Vec::new();
            for (_, tag) in level {
                if !proposed.iter().any(|other| other.peeled == tag.peeled)
                    && proposed.len() < MOST_TAGGED
                {
                    proposed.push(tag);
                }
            }
            proposed
        })
        .collect()
}

/// What is fetched to look at these tags. Companions come along, since a build that asks git for tags sees all of a
/// commit's.
pub(super) fn snapshots<'a>(
    advertised: &'a Advertised,
    proposed: &[&AdvertisedRef],
) -> Vec<Snapshot<'a>> {
    proposed
        .iter()
        .flat_map(|tag| pin::companions(advertised, tag.peeled))
        .map(Snapshot::Tag)
        .collect()
}

impl Climb<'_> {
    /// Step 1: the tag whose manifest agrees, and otherwise those whose manifest states another version.
    pub(super) fn tagged(&mut self) -> Result<Verified, Stop> {
        let target = self.request.target;
        let mut stale = Vec::new();
        for proposed in levels(target, self.opened.hint.as_ref(), &self.opened.advertised) {
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
                    Reverse(tagged.matched),
                    Some(tagged.facts.id) != git_head,
                )
            });
            let mut taken = None;
            for tagged in examined {
                let Some(located) = tagged.located.clone() else {
                    let note = format!("no manifest of {} there", target.name);
                    self.pass_over(&tagged, Some(note));
                    continue;
                };
                match &located.agreement {
                    Agreement::Exact | Agreement::Placeholder(_) | Agreement::Computed
                        if taken.is_none() =>
                    {
                        taken = Some((tagged, located));
                    }
                    Agreement::Exact | Agreement::Placeholder(_) | Agreement::Computed => {
                        self.pass_over(&tagged, None);
                    }
                    Agreement::Other(version) => {
                        let note = format!("the manifest there says {version}");
                        self.pass_over(&tagged, Some(note));
                        stale.push(tagged);
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
        let wanted = snapshots(&self.opened.advertised, proposed);
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
            let speaks_against = match located.as_ref().map(|located| &located.agreement) {
                Some(Agreement::Other(_)) | None => true,
                Some(Agreement::Exact | Agreement::Placeholder(_) | Agreement::Computed) => false,
            };
            let meant_for = if speaks_against && self.is_siblings(&objects, tag, facts.tree)? {
                MeantFor::Sibling
            } else {
                MeantFor::ThisRelease
            };
            examined.push(Tagged {
                tag: (*tag).clone(),
                facts,
                located,
                matched,
                meant_for,
            });
        }
        Ok(examined)
    }

    /// Whether a tag that does not bear the package's own name may be the release of another package, whose
    /// manifest at the commit carries the version or leaves it open.
    fn is_siblings(
        &self,
        objects: &Objects,
        tag: &AdvertisedRef,
        tree: git2::Oid,
    ) -> Result<bool, GitError> {
        let target = self.request.target;
        if tags::bears_own_name(target, self.opened.hint.as_ref(), &tag.name) {
            return Ok(false);
        }
        let files = objects.files(tree, MOST_FILES)?;
        let mut identities = Identities::default();
        Ok(manifest::manifests(target.ecosystem, &files)
            .iter()
            .any(|(path, blob)| {
                let Some(identity) = identities.get(target.ecosystem, objects, path, *blob) else {
                    return false;
                };
                let another = identity
                    .name
                    .as_ref()
                    .is_some_and(|name| *name != target.name);
                // The root of a workspace states no version, and is never released.
                another
                    && identity.version != StatedVersion::Absent
                    // A version that is computed counts, whatever the files say that are named for it.
                    && match manifest::agreement(target, objects, tree, identity, Vec::new) {
                        Agreement::Exact | Agreement::Placeholder(_) | Agreement::Computed => true,
                        Agreement::Other(_) => false,
                    }
            }))
    }

    pub(super) fn pass_over(&mut self, tagged: &Tagged, note: Option<String>) {
        self.candidates.push(Candidate {
            found_by: FoundBy::Tag,
            reference: Some(tagged.tag.name.clone()),
            commit: commit_id(tagged.facts.id),
            agrees: false,
            note,
            meant_for: tagged.meant_for,
        });
    }
}
