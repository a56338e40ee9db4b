//! Among the commits that could be the release: which one holds the published files best.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use git2::Oid;
use remint_model::{CommitId, FoundBy, Reach};

use super::blobs::{Matched, Matcher};
use super::history::{History, Said, Versions};
use super::pin::Conclusion;
use super::tags;
use crate::git::{Advertised, CommitFacts, commit_id};

/// Clocks of publishers and registries differ.
const SLACK: i64 = 10 * 60;
const DAY: i64 = 24 * 60 * 60;

/// A commit, and why it was chosen.
pub(super) struct Chosen {
    pub(super) facts: CommitFacts,
    pub(super) said: Said,
    pub(super) found_by: FoundBy,
    pub(super) tag: Option<String>,
    matched: Matched,
    published: usize,
}

impl Chosen {
    pub(super) const fn id(&self) -> Oid {
        self.facts.id
    }

    /// Takes it.
    pub(super) fn conclusion(self, found_by: FoundBy, reach: Reach) -> Conclusion {
        Conclusion {
            subdirectory: self.said.directory(),
            note: Some(format!(
                "holds {} of {} published files",
                self.matched.anywhere, self.published
            )),
            facts: self.facts,
            found_by,
            reference: self.tag,
            stamp: None,
            reach,
        }
    }
}

/// The commit that set the version; or a later one that holds strictly more of what was published; or, where
/// nothing tells them apart, a tag made for the release of everything in the repository.
pub(super) fn choose(
    history: &History,
    versions: &Versions,
    matcher: &mut Matcher<'_>,
    advertised: &Advertised,
    uploaded: Option<i64>,
) -> Option<Chosen> {
    let base = setting(history, versions, uploaded)
        .into_iter()
        .filter_map(|facts| {
            let said = versions.at_commit(facts.id)?;
            let matched = matcher.matched(facts.tree, said.directory().as_ref());
            Some((facts, said, matched))
        })
        .max_by_key(|(facts, _, matched)| (*matched, Reverse(facts.time)))?;
    let (facts, said, matched) = base;
    let base = Chosen {
        facts: facts.clone(),
        said: said.clone(),
        found_by: FoundBy::VersionCommit,
        tag: None,
        matched,
        published: matcher.published(),
    };
    // Where the default branch or a tag has the version, a branch beside it is not searched for a better one here.
    let eligible = |id| !history.is_vouched(facts.id) || history.is_vouched(id);
    if let Some(better) = better_than(&base.facts, history, versions, matcher, uploaded, eligible) {
        return Some(better);
    }
    Some(tagged_release(&base, history, versions, matcher, advertised, uploaded).unwrap_or(base))
}

/// The commits that set the version and can have been published: on the main branch if possible. A history that
/// was rewritten later has young commits on the main branch, or only old author dates; so has one into which the
/// branch that was published is squashed days later. What another branch alone reaches comes last: it says nothing
/// about a release that the default branch or a tag has.
fn setting<'h>(
    history: &'h History,
    versions: &Versions,
    uploaded: Option<i64>,
) -> Vec<&'h CommitFacts> {
    let on_main = versions.set_on_main(history);
    let anywhere = versions.set_anywhere(history);
    let vouched: Vec<_> = anywhere
        .iter()
        .copied()
        .filter(|facts| history.is_vouched(facts.id))
        .collect();
    let Some(uploaded) = uploaded else {
        return [on_main, vouched, anywhere]
            .into_iter()
            .find(|choice| !choice.is_empty())
            .unwrap_or_default();
    };
    let limit = uploaded.saturating_add(DAY);
    let committed = |facts: &&CommitFacts| facts.time <= limit;
    let written = |facts: &&CommitFacts| facts.written <= limit;
    let choices = [
        on_main.iter().copied().filter(committed).collect(),
        vouched.iter().copied().filter(committed).collect(),
        on_main.iter().copied().filter(written).collect(),
        vouched.iter().copied().filter(written).collect(),
        on_main,
        vouched,
        anywhere.iter().copied().filter(committed).collect(),
        anywhere.iter().copied().filter(written).collect::<Vec<_>>(),
        anywhere,
    ];
    choices
        .into_iter()
        .find(|choice| !choice.is_empty())
        .unwrap_or_default()
}

/// A commit that carries the version, was there when the file was uploaded, and holds strictly more of the
/// published files than `base`; the earliest of the best, one that the default branch or a tag reaches if possible.
pub(super) fn better_than(
    base: &CommitFacts,
    history: &History,
    versions: &Versions,
    matcher: &mut Matcher<'_>,
    uploaded: Option<i64>,
    eligible: impl Fn(Oid) -> bool,
) -> Option<Chosen> {
    let said = versions.at_commit(base.id)?;
    let at_base = matcher.matched(base.tree, said.directory().as_ref());
    let limit = match uploaded {
        // Published before it was committed: no other commit can be held to the clock either.
        Some(uploaded) if uploaded.saturating_add(SLACK) < base.time => i64::MAX,
        Some(uploaded) => uploaded.saturating_add(SLACK),
        None => i64::MAX,
    };
    history
        .commits
        .iter()
        .filter(|facts| facts.time <= limit && versions.carries(facts.id))
        .filter(|facts| eligible(facts.id))
        .filter_map(|facts| {
            let said = versions.at_commit(facts.id)?;
            let matched = matcher.matched(facts.tree, said.directory().as_ref());
            (matched > at_base).then(|| Chosen {
                facts: facts.clone(),
                said: said.clone(),
                found_by: FoundBy::Neighbour,
                tag: None,
                matched,
                published: matcher.published(),
            })
        })
        .max_by_key(|chosen| {
            (
                chosen.matched,
                history.is_vouched(chosen.id()),
                Reverse(chosen.facts.time),
            )
        })
}

/// A tag of the whole repository (a date, its own version) that carries the version, made on the day of the
/// upload, and fits as well as the commit that set the version.
fn tagged_release(
    base: &Chosen,
    history: &History,
    versions: &Versions,
    matcher: &mut Matcher<'_>,
    advertised: &Advertised,
    uploaded: Option<i64>,
) -> Option<Chosen> {
    let uploaded = uploaded?;
    advertised
        .tags
        .iter()
        .filter(|tag| tags::version_text(&tag.name).is_some() && tags::is_unowned(&tag.name))
        .filter_map(|tag| {
            let facts = history.get(tag.peeled)?;
            let close = uploaded.abs_diff(facts.time) <= DAY.unsigned_abs();
            let said = versions
                .at_commit(facts.id)
                .filter(|_| close && versions.carries(facts.id))?;
            let matched = matcher.matched(facts.tree, said.directory().as_ref());
            (matched == base.matched).then(|| Chosen {
                facts: facts.clone(),
                said: said.clone(),
                found_by: FoundBy::Tag,
                tag: Some(tag.name.clone()),
                matched,
                published: matcher.published(),
            })
        })
        .min_by_key(|chosen| (uploaded.abs_diff(chosen.facts.time), chosen.tag.clone()))
}

/// Where manifests leave the version open: the latest commit before the upload that holds every published file
/// which the repository held by then. Anything less would be a guess.
pub(super) fn holds_everything(
    history: &History,
    versions: &Versions,
    matcher: &mut Matcher<'_>,
    uploaded: Option<i64>,
    eligible: impl Fn(Oid) -> bool,
) -> Option<Chosen> {
    let limit = uploaded.map_or(i64::MAX, |uploaded| uploaded.saturating_add(SLACK));
    let mut ever = BTreeSet::new();
    let considered = || {
        history
            .commits
            .iter()
            .filter(|facts| facts.time <= limit && eligible(facts.id))
    };
    for facts in considered() {
        ever.extend(matcher.below(facts.tree, 0).iter().copied());
    }
    // One or two files in common, a licence say, are no evidence.
    if ever.len() < 3 || !matcher.are_most_verbatim(&ever) {
        return None;
    }
    considered()
        .filter_map(|facts| {
            let said = versions
                .at_commit(facts.id)
                .filter(|said| said.agreement.is_open())?;
            let matched = matcher.matched(facts.tree, said.directory().as_ref());
            (matched.anywhere == ever.len()).then(|| Chosen {
                facts: facts.clone(),
                said: said.clone(),
                found_by: FoundBy::Blobs,
                tag: None,
                matched,
                published: matcher.published(),
            })
        })
        .max_by_key(|chosen| {
            (
                chosen.matched,
                history.is_vouched(chosen.id()),
                chosen.facts.time,
            )
        })
}

/// The commit that holds most of the published files, whatever its manifest says: for the report.
pub(super) fn best_match(
    history: &History,
    matcher: &mut Matcher<'_>,
) -> Option<(CommitId, usize, usize)> {
    let published = matcher.published();
    let (matched, id) = history
        .commits
        .iter()
        .map(|facts| (matcher.matched(facts.tree, None).anywhere, facts))
        .max_by_key(|(matched, facts)| (*matched, Reverse(facts.time)))
        .map(|(matched, facts)| (matched, facts.id))?;
    (matched > 0).then(|| Some((commit_id(id)?, matched, published)))?
}
