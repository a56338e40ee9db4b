//! Opens the repositories in question: the user's own choice, or those that metadata claims, in order.

use std::path::PathBuf;

use remint_model::{EntryPath, RepositoryUrl};

use super::{SourceError, SourceRequest, mentions};
use crate::address::Will;
use crate::configuration::UserConfiguration;
use crate::git::{
    Advertised, GitError, GitSettings, Remote, Store, Unreachable, chosen_by_user, remotes_for,
    surrounding,
};

/// A repository that answered.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) advertised: Advertised,
    /// The package's folder as the claim names it.
    pub(super) hint: Option<EntryPath>,
    pub(super) trace: Trace,
}

/// What led to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trace {
    /// The user.
    User,
    /// A field of the metadata.
    Claim,
    /// An address in the description.
    Mention,
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
    for url in request
        .claims
        .iter()
        .filter_map(|claim| claim.url.as_ref().ok())
    {
        if tried.contains(&url) {
            continue;
        }
        tried.push(url);
        // Of several claims to one repository, one may name the folder.
        let folder = request
            .claims
            .iter()
            .filter(|claim| claim.url.as_ref() == Ok(url))
            .find_map(|claim| claim.directory.clone());
        let found = claimed(request, user, &settings, url, folder, Trace::Claim)
            .and_then(|opened| search(opened, &settings));
        match found {
            Ok(found) => return Ok(found),
            Err(error) if error.is_machine_fault() => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    // A repository that is named and has no such version is an answer; only silence sends us to the description.
    let answered = failures
        .iter()
        .any(|failure| matches!(failure, SourceError::NoSource { .. }));
    if !answered {
        let mentioned = mentions::repositories(request.survey, &request.target.name);
        for url in mentioned.iter().filter(|url| !tried.contains(url)) {
            let found = claimed(request, user, &settings, url, None, Trace::Mention)
                .and_then(|opened| search(opened, &settings));
            match found {
                Ok(found) => return Ok(found),
                Err(error) if error.is_machine_fault() => return Err(error),
                Err(error) if tried.is_empty() => failures.push(error),
                Err(_) => {}
            }
        }
    }
    // Stable: of one kind, the failure of the most explicit claim is told.
    failures.sort_by_key(|failure| match failure {
        SourceError::Unavailable { .. } => 0,
        SourceError::UnknownRef { .. } => 1,
        SourceError::NoSource { .. } => 2,
        SourceError::Refused { .. } => 3,
        SourceError::Unsupported { .. }
        | SourceError::NoClaim { .. }
        | SourceError::NotASource { .. }
        | SourceError::Machine(_) => 4,
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

fn claimed(
    request: &SourceRequest<'_>,
    user: &UserConfiguration,
    settings: &GitSettings,
    url: &RepositoryUrl,
    folder: Option<EntryPath>,
    trace: Trace,
) -> Result<Opened, SourceError> {
    let (store, advertised) = match request.ahead.and_then(|ahead| ahead.opened(url)) {
        Some(opened) => opened,
        None => open(settings, user, url, Will::Metadata)?,
    };
    Ok(Opened {
        store,
        advertised,
        hint: request.overrides.subdirectory.clone().or(folder),
        trace,
    })
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

/// What the user names as source.
enum Chosen {
    /// A directory of this machine.
    Directory(PathBuf),
    /// An address.
    Url(RepositoryUrl),
    /// An address without encryption: upgraded where metadata names it, but the user means what he says.
    Plain,
}

fn chosen(source: &str, user: &UserConfiguration) -> Result<Chosen, SourceError> {
    let refused = |reason: &dyn std::fmt::Display| SourceError::NotASource {
        given: without_credentials(source),
        reason: reason.to_string(),
    };
    if source.trim().is_empty() {
        return Err(refused(&"it is empty"));
    }
    let directory: PathBuf = match source.strip_prefix("file://") {
        Some(path) => PathBuf::from(path),
        None => user.path(source),
    };
    let is_path = source.starts_with(['/', '.', '~']) || source.starts_with("file:");
    match fs_err::read_dir(&directory) {
        Ok(_) => return Ok(Chosen::Directory(directory)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if is_path {
                return Err(refused(&"there is no such directory"));
            }
        }
        Err(error) if is_path || directory.exists() => return Err(refused(&error.kind())),
        Err(_) => {}
    }
    if source.starts_with("http://") {
        return Ok(Chosen::Plain);
    }
    let url = source.parse();
    url.map(Chosen::Url)
        .map_err(|error: remint_model::RepositoryUrlError| refused(&error))
}

/// What is wrong with a directory that the user names as source.
fn local_fault(source: &str, error: GitError) -> SourceError {
    if let GitError::Failed { message, .. } = error {
        SourceError::NotASource {
            given: source.to_owned(),
            reason: format!("the directory is no git repository ({message})"),
        }
    } else {
        SourceError::from_git(source, error)
    }
}

/// Finds out before the work whether what the user names as source can be one.
///
/// # Errors
/// It is neither an address nor a directory with a git repository, or this machine cannot work with git.
pub fn check_chosen(source: &str, user: &UserConfiguration) -> Result<(), SourceError> {
    if let Chosen::Directory(directory) = chosen(source, user)? {
        surrounding(&GitSettings::read(user)?, &directory)
            .map_err(|error| local_fault(source, error))?;
    }
    Ok(())
}

fn open_override(
    source: &str,
    request: &SourceRequest<'_>,
    user: &UserConfiguration,
    settings: &GitSettings,
) -> Result<Opened, SourceError> {
    let mut inside = None;
    let (store, advertised) = match chosen(source, user)? {
        Chosen::Directory(directory) => {
            let (store, prefix) = Store::local(settings, &directory, &user.cache)
                .map_err(|error| local_fault(source, error))?;
            inside = prefix.and_then(|prefix| prefix.parse().ok());
            let advertised = store
                .advertised()
                .map_err(|error| SourceError::from_git(source, error))?;
            (store, advertised)
        }
        Chosen::Url(url) => open(settings, user, &url, Will::User)?,
        Chosen::Plain => {
            let effective = settings
                .rewrite(source)
                .unwrap_or_else(|| source.trim_end_matches('/').to_owned());
            let shown = without_credentials(source);
            let remote = chosen_by_user(&shown, effective).map_err(|reason| match reason {
                Unreachable::Refused(reason) | Unreachable::Unresolved(reason) => {
                    SourceError::Refused {
                        url: shown.clone(),
                        reason,
                    }
                }
            })?;
            first_that_answers(settings, user, &shown, vec![remote])?
        }
    };
    Ok(Opened {
        store,
        advertised,
        hint: request.overrides.subdirectory.clone().or(inside),
        trace: Trace::User,
    })
}

/// The address as it may be told: reports are passed on.
fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

fn unreachable(url: &RepositoryUrl, reason: Unreachable) -> SourceError {
    let url = url.to_string();
    match reason {
        Unreachable::Refused(reason) => SourceError::Refused { url, reason },
        Unreachable::Unresolved(reason) => SourceError::Unavailable { url, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_password() {
        for (given, told) in [
            ("http://user:pass@host/o/n", "http://host/o/n"),
            ("http://user:p@ss@host", "http://host"),
            ("http://host/o@n/x", "http://host/o@n/x"),
            ("./here", "./here"),
        ] {
            assert_eq!(without_credentials(given), told);
        }
    }
}
