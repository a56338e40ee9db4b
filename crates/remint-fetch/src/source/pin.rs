//! Turns the commit that was found into a pin, with everything that planning and the build need of it.

use remint_model::{Candidate, EntryPath, FoundBy, MeantFor, Reach, SourcePin, Stamp, Target};

use super::manifest::Agreement;
use super::repository::{Opened, Trace};
use super::{FoundSource, SourceRequest, tree};
use crate::git::{Advertised, AdvertisedRef, Checkout, CommitFacts, GitError, Pinned, commit_id};

/// Most tags of one commit that are fetched with it.
const MOST_COMPANIONS: usize = 64;

/// Said where no field of the metadata names the repository.
const MENTIONED: &str = "only the description names this repository";

/// A commit that was taken.
pub(super) struct Conclusion {
    pub(super) facts: CommitFacts,
    pub(super) found_by: FoundBy,
    pub(super) reference: Option<String>,
    pub(super) subdirectory: Option<EntryPath>,
    pub(super) stamp: Option<Stamp>,
    pub(super) reach: Reach,
    pub(super) note: Option<String>,
}

/// Fetches the commit whole, reads its tree and writes the pin.
pub(super) fn conclude(
    request: &SourceRequest<'_>,
    opened: &Opened,
    conclusion: Conclusion,
    mut candidates: Vec<Candidate>,
) -> Result<FoundSource, GitError> {
    let store = &opened.store;
    store.whole(conclusion.facts.id)?;
    let objects = store.objects()?;
    let read = tree::read(request.target.ecosystem, &objects, conclusion.facts.tree)?;
    let commit = commit_id(conclusion.facts.id).ok_or_else(|| GitError::Unexpected {
        operation: "rev-parse".to_owned(),
        detail: "no commit id".to_owned(),
    })?;
    candidates.insert(
        0,
        Candidate {
            found_by: conclusion.found_by,
            reference: conclusion.reference.clone(),
            commit: Some(commit.clone()),
            agrees: true,
            note: match opened.trace {
                Trace::Mention => Some(match conclusion.note {
                    Some(note) => format!("{MENTIONED}; {note}"),
                    None => MENTIONED.to_owned(),
                }),
                Trace::User | Trace::Claim => conclusion.note,
            },
            meant_for: MeantFor::ThisRelease,
        },
    );
    // `gitHead` itself may be what was taken.
    let mut own = Vec::new();
    candidates.retain(|candidate| {
        let seen = own.contains(candidate);
        own.push(candidate.clone());
        !seen
    });
    let branch = opened
        .advertised
        .main_branch()
        .map_or("main", |branch| branch.name.as_str());
    let branch = branch.rsplit('/').next().unwrap_or(branch);
    let checkout = Checkout::of_commit(
        Pinned {
            store: store.clone(),
            commit: conclusion.facts.id,
            time: conclusion.facts.time,
            branch: branch.to_owned(),
            tags: opened
                .advertised
                .tags
                .iter()
                .filter(|tag| super::tags::version_text(&tag.name).is_some())
                .cloned()
                .collect(),
        },
        read.lfs_pointers,
        read.submodules,
    );
    let pin = SourcePin {
        repository: store.canonical().to_owned(),
        reference: conclusion.reference,
        commit,
        commit_time: conclusion.facts.time,
        subdirectory: conclusion.subdirectory,
        found_by: conclusion.found_by,
        candidates,
        stamp: conclusion.stamp,
        renamed: None,
        reach: conclusion.reach,
        previous_repository: None,
    };
    Ok(FoundSource {
        pin,
        tree: read.tree,
        checkout,
        otherwise: None,
    })
}

/// The tags of a commit that name versions.
pub(super) fn companions(
    advertised: &Advertised,
    commit: git2::Oid,
) -> impl Iterator<Item = &AdvertisedRef> {
    advertised
        .tags
        .iter()
        .filter(move |tag| tag.peeled == commit && super::tags::version_text(&tag.name).is_some())
        .take(MOST_COMPANIONS)
}

/// What must be written into the source for the build, where the manifest does not carry the version.
pub(super) fn stamp(target: &Target, agreement: &Agreement, because: &str) -> Option<Stamp> {
    let (found, because) = match agreement {
        Agreement::Exact => return None,
        Agreement::Placeholder(placeholder) => (
            Some(placeholder.clone()),
            format!("{because}, and `{placeholder}` is a placeholder"),
        ),
        Agreement::Computed => (
            None,
            format!("{because}, and the manifest computes its version"),
        ),
        Agreement::Other(version) => (Some(version.clone()), because.to_owned()),
    };
    Some(Stamp {
        found,
        wanted: target.version.clone(),
        because,
    })
}
