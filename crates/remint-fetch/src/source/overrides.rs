//! The commit that the user names with `--ref`: a tag, a branch, `HEAD`, or a commit id.

use git2::Oid;
use remint_model::{Ecosystem, EntryPath, FoundBy, Reach, Stamp};

use super::history::History;
use super::manifest::{self, Agreement, Located, Place};
use super::pin::{self, Conclusion};
use super::repository::Opened;
use super::{FoundSource, SourceError, SourceRequest, tags};
use crate::git::{AdvertisedRef, GitError, MOST_FILES, Objects, Snapshot, oid};

/// Shortest abbreviation of a commit id that is looked up.
const SHORTEST: usize = 7;

/// Pins what the user named; the manifest there is read, but it has no veto.
pub(super) fn pin(
    request: &SourceRequest<'_>,
    opened: &Opened,
    reference: &str,
) -> Result<FoundSource, SourceError> {
    let url = opened.store.canonical().to_owned();
    let fault = |error: GitError| SourceError::from_git(&url, error);
    let Named {
        commit,
        name,
        reach,
    } = resolve(opened, reference)
        .map_err(fault)?
        .ok_or_else(|| SourceError::UnknownRef {
            url: url.clone(),
            reference: reference.to_owned(),
            nearest: tags::nearest(
                opened
                    .advertised
                    .tags
                    .iter()
                    .chain(&opened.advertised.branches)
                    .map(|known| known.name.as_str()),
                reference,
            ),
        })?;
    opened.store.whole(commit).map_err(fault)?;
    let objects = opened.store.objects().map_err(fault)?;
    let facts = objects.peel_to_commit(commit).map_err(fault)?;
    let located = locate(request, opened, &objects, facts.tree).map_err(fault)?;
    let subdirectory = match (&request.overrides.subdirectory, &located) {
        (Some(given), _) => Some(given.clone()),
        (None, Some(located)) => located.directory(),
        (None, None) => opened.hint.clone(),
    };
    let stamp = located
        .as_ref()
        .and_then(|located| stamp(request, opened.hint.as_ref(), reference, &located.agreement));
    let note = match &located {
        None => Some(format!("no manifest of {} there", request.target.name)),
        Some(located) => match &located.agreement {
            Agreement::Other(version) if stamp.is_none() => {
                Some(format!("the manifest there says {version}"))
            }
            Agreement::Exact
            | Agreement::Placeholder(_)
            | Agreement::Computed
            | Agreement::Other(_) => None,
        },
    };
    pin::conclude(
        request,
        opened,
        Conclusion {
            facts,
            found_by: FoundBy::User,
            reference: name,
            subdirectory,
            stamp,
            reach,
            note,
        },
        Vec::new(),
    )
    .map_err(fault)
}

/// What a name stands for.
struct Named {
    commit: Oid,
    /// The tag or branch; `None` for a bare commit.
    name: Option<String>,
    reach: Reach,
}

fn resolve(opened: &Opened, reference: &str) -> Result<Option<Named>, GitError> {
    let hexadecimal = reference.bytes().all(|b| b.is_ascii_hexdigit());
    // As with git, a full id is never a name: a branch of that name would stand for whatever its owner likes.
    if hexadecimal && reference.len() == 40 {
        return by_id(opened, &reference.to_ascii_lowercase());
    }
    let short = reference
        .strip_prefix("refs/tags/")
        .or_else(|| reference.strip_prefix("refs/heads/"))
        .unwrap_or(reference);
    let known = |refs: &[AdvertisedRef]| refs.iter().find(|known| known.name == short).cloned();
    let advertised = &opened.advertised;
    if let Some(tag) = known(&advertised.tags).filter(|_| !reference.starts_with("refs/heads/")) {
        let wanted: Vec<Snapshot<'_>> = pin::companions(advertised, tag.peeled)
            .map(Snapshot::Tag)
            .chain([Snapshot::Tag(&tag)])
            .collect();
        opened.store.fetch_snapshots(&wanted)?;
        return Ok(Some(Named {
            commit: tag.peeled,
            name: Some(tag.name),
            reach: Reach::Given,
        }));
    }
    if let Some(branch) =
        known(&advertised.branches).filter(|_| !reference.starts_with("refs/tags/"))
    {
        return Ok(Some(Named {
            commit: branch.peeled,
            name: Some(branch.name),
            reach: Reach::Given,
        }));
    }
    if reference == "HEAD" {
        let head = advertised
            .head
            .or_else(|| advertised.main_branch().map(|branch| branch.peeled));
        return Ok(head.map(|commit| Named {
            commit,
            name: Some("HEAD".to_owned()),
            reach: Reach::Given,
        }));
    }
    if !hexadecimal || reference.len() < SHORTEST || reference.len() > 40 {
        return Ok(None);
    }
    by_id(opened, &reference.to_ascii_lowercase())
}

/// A commit by its id or the beginning of it, in the history; a full id also where only the host knows it.
fn by_id(opened: &Opened, id: &str) -> Result<Option<Named>, GitError> {
    opened.store.fetch_history()?;
    let objects = opened.store.objects()?;
    let history = History::read(&objects, &opened.advertised, &[]);
    let mut matching = history
        .commits
        .iter()
        .map(|facts| facts.id)
        .filter(|known| known.to_string().starts_with(id));
    if let (Some(commit), None) = (matching.next(), matching.next()) {
        return Ok(Some(Named {
            commit,
            name: None,
            reach: Reach::Given,
        }));
    }
    let Some(commit) = id.parse().ok().and_then(|id| oid(&id)) else {
        return Ok(None);
    };
    match opened.store.fetch_snapshots(&[Snapshot::Commit(commit)]) {
        Ok(()) => {}
        Err(error) if error.is_remote() => return Ok(None),
        Err(error) => return Err(error),
    }
    let objects = opened.store.objects()?;
    Ok(objects.peel_to_commit(commit).ok().map(|facts| Named {
        commit: facts.id,
        name: None,
        reach: if history.complete {
            Reach::Nothing
        } else {
            Reach::Given
        },
    }))
}

fn locate(
    request: &SourceRequest<'_>,
    opened: &Opened,
    objects: &Objects,
    tree: Oid,
) -> Result<Option<Located>, GitError> {
    let files = objects.files(tree, MOST_FILES)?;
    let manifests = manifest::manifests(request.target.ecosystem, &files);
    let place = Place::new(
        request.overrides.subdirectory.as_ref(),
        opened.hint.as_ref(),
    );
    Ok(manifest::locate(
        request.target,
        objects,
        tree,
        place,
        &manifests,
    ))
}

/// The user's word names the commit; what justifies writing another version into it is still a ref that names
/// the version, or a manifest that leaves it open.
fn stamp(
    request: &SourceRequest<'_>,
    hint: Option<&EntryPath>,
    reference: &str,
    agreement: &Agreement,
) -> Option<Stamp> {
    // No file of a module states its version.
    if request.target.ecosystem == Ecosystem::Golang {
        return None;
    }
    let names_it = tags::score(request.target, hint, reference).is_some();
    let because = if names_it {
        format!("`{reference}` names it")
    } else if agreement.is_open() {
        "the manifest leaves the version to the release".to_owned()
    } else {
        return None;
    };
    pin::stamp(request.target, agreement, &because)
}
