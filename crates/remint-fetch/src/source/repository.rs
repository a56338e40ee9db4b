//! Opens the repositories in question: the user's own choice, or those that metadata claims, in order.

use std::path::PathBuf;

use remint_model::{EntryPath, RepositoryUrl};

use super::{SourceError, SourceRequest};
use crate::configuration::UserConfiguration;
use crate::git::{
    Advertised, GitSettings, Remote, Store, Unreachable, Will, chosen_by_user, remotes_for,
};

/// A repository that answered.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) advertised: Advertised,
    /// The package's folder as the claim names it.
    pub(super) hint: Option<EntryPath>,
    /// Whether metadata led here, rather than the user.
    pub(super) claimed: bool,
}

/// Runs `search` on each repository in question until one has the source.
///
/// A repository that does not answer is remembered: when no other one has the source, nobody knows whether that
/// one would have had it.
pub(super) fn each<T>(
    request: &SourceRequest<'_>,
    user: &UserConfiguration,
    mut search: impl FnMut(Opened, &GitSettings) -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    let settings = GitSettings::read(user)?;
    if let Some(source) = &request.overrides.source {
        let opened = open_override(source, request, user, &settings)?;
        return search(opened, &settings);
    }
    let mut failures = Vec::new();
    let mut tried: Vec<&RepositoryUrl> = Vec::new();
    for claim in request.claims {
        let Ok(url) = &claim.url else { continue };
        if tried.contains(&url) {
            continue;
        }
        tried.push(url);
        let found = open(&settings, user, url, Will::Metadata)
            .map(|(store, advertised)| Opened {
                store,
                advertised,
                hint: request
                    .overrides
                    .subdirectory
                    .clone()
                    .or_else(|| claim.directory.clone()),
                claimed: true,
            })
            .and_then(|opened| search(opened, &settings));
        match found {
            Ok(found) => return Ok(found),
            Err(
                error @ (SourceError::Unavailable { .. }
                | SourceError::NoSource { .. }
                | SourceError::Refused { .. }
                | SourceError::Unsupported { .. }
                | SourceError::UnknownRef { .. }),
            ) => failures.push(error),
            Err(error @ (SourceError::NoClaim { .. } | SourceError::Machine(_))) => {
                return Err(error);
            }
        }
    }
    // Stable: of one kind, the failure of the most explicit claim is told.
    failures.sort_by_key(|failure| match failure {
        SourceError::Unavailable { .. } => 0,
        SourceError::UnknownRef { .. } => 1,
        SourceError::NoSource { .. } => 2,
        SourceError::Refused { .. } => 3,
        SourceError::Unsupported { .. } | SourceError::NoClaim { .. } | SourceError::Machine(_) => {
            4
        }
    });
    Err(failures
        .into_iter()
        .next()
        .unwrap_or_else(|| SourceError::NoClaim {
            raw: request
                .claims
                .iter()
                .filter_map(|claim| {
                    let error = claim.url.as_ref().err()?;
                    Some(format!("{} ({error})", claim.field))
                })
                .collect(),
        }))
}

/// Reaches a repository by URL, over the first way that answers.
pub(super) fn open(
    settings: &GitSettings,
    user: &UserConfiguration,
    url: &RepositoryUrl,
    will: Will,
) -> Result<(Store, Advertised), SourceError> {
    let remotes = remotes_for(settings, url, will).map_err(|reason| unreachable(url, reason))?;
    first_that_answers(settings, user, url.as_str(), remotes)
}

fn first_that_answers(
    settings: &GitSettings,
    user: &UserConfiguration,
    shown: &str,
    remotes: Vec<Remote>,
) -> Result<(Store, Advertised), SourceError> {
    let mut failure = None;
    for remote in remotes {
        let store = Store::remote(settings, remote, &user.cache)?;
        match store.advertised() {
            Ok(advertised) => return Ok((store, advertised)),
            Err(error) => {
                let error = SourceError::from_git(shown, error);
                if error.is_machine_fault() {
                    return Err(error);
                }
                failure = failure.or(Some(error));
            }
        }
    }
    Err(failure.unwrap_or_else(|| SourceError::Unavailable {
        url: shown.to_owned(),
        reason: "there is no way to reach it".to_owned(),
    }))
}

fn open_override(
    source: &str,
    request: &SourceRequest<'_>,
    user: &UserConfiguration,
    settings: &GitSettings,
) -> Result<Opened, SourceError> {
    let directory: PathBuf = match source.strip_prefix("file://") {
        Some(path) => PathBuf::from(path),
        None => user.path(source),
    };
    if directory.is_dir() {
        let (store, prefix) = Store::local(settings, &directory, &user.cache).map_err(|error| {
            if error.is_remote() {
                SourceError::Unsupported {
                    url: source.to_owned(),
                    reason: format!("the directory is no git repository ({error})"),
                }
            } else {
                error.into()
            }
        })?;
        let advertised = store
            .advertised()
            .map_err(|error| SourceError::from_git(source, error))?;
        let inside = prefix.and_then(|prefix| prefix.parse().ok());
        return Ok(Opened {
            store,
            advertised,
            hint: request.overrides.subdirectory.clone().or(inside),
            claimed: false,
        });
    }
    let is_path = source.starts_with(['/', '.', '~']) || source.starts_with("file:");
    if is_path {
        return Err(SourceError::Unsupported {
            url: source.to_owned(),
            reason: "there is no such directory".to_owned(),
        });
    }
    let refused = |reason: String| SourceError::Refused {
        url: source.to_owned(),
        reason,
    };
    // Plain http is upgraded in metadata; here the user means what he says.
    let (store, advertised) = if source.starts_with("http://") {
        let effective = settings
            .rewrite(source)
            .unwrap_or_else(|| source.trim_end_matches('/').to_owned());
        let remote = chosen_by_user(source, effective).map_err(|reason| match reason {
            Unreachable::Refused(reason) | Unreachable::Unresolved(reason) => refused(reason),
        })?;
        first_that_answers(settings, user, source, vec![remote])?
    } else {
        let url: RepositoryUrl = source
            .parse()
            .map_err(|error: remint_model::RepositoryUrlError| refused(error.to_string()))?;
        open(settings, user, &url, Will::User)?
    };
    Ok(Opened {
        store,
        advertised,
        hint: request.overrides.subdirectory.clone(),
        claimed: false,
    })
}

fn unreachable(url: &RepositoryUrl, reason: Unreachable) -> SourceError {
    let url = url.to_string();
    match reason {
        Unreachable::Refused(reason) => SourceError::Refused { url, reason },
        Unreachable::Unresolved(reason) => SourceError::Unavailable { url, reason },
    }
}
