//! Where others publish attestations: a directory, a git repository, static files over HTTP, or an OCI registry. Files are read by their
//! path below its root and bounded in size; what they say is not looked at here.

use std::io::Read as _;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use remint_model::{RepositoryUrl, Sha256};
use url::Url;

use crate::client::{Client, Pace, Request, Tokens};
use crate::configuration::UserConfiguration;
use crate::configuration::credentials::Credentials;
use crate::configuration::transport::Transport;
use crate::error::FetchError;
use crate::oci::Referrers;
use crate::source::{GitTree, open_tree};

/// What stands for itself in a path of a URL. Paths of attestations hold `%`, which has to be encoded once more.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A place with attestations.
#[derive(Debug)]
pub struct AttestationStore {
    named: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory(PathBuf),
    Web {
        client: Box<Client>,
        base: Url,
        offline: bool,
    },
    Oci(Box<Referrers>),
    Git {
        url: RepositoryUrl,
        user: Box<UserConfiguration>,
        tree: tokio::sync::OnceCell<Box<GitTree>>,
    },
}

impl AttestationStore {
    /// The place that the user names: a directory, `git+https://…`, `https://…`, or `oci://HOST/NAME`.
    ///
    /// # Errors
    /// It is none of these, or there is no such directory.
    pub fn open(named: &str, user: &UserConfiguration) -> Result<Self, FetchError> {
        let unusable = |reason: String| FetchError::Configuration {
            origin: format!("the attestations at {named}"),
            reason,
        };
        let place = if let Some(url) = named.strip_prefix("git+") {
            Place::Git {
                url: url
                    .parse()
                    .map_err(|error: remint_model::RepositoryUrlError| {
                        unusable(error.to_string())
                    })?,
                user: Box::new(user.clone()),
                tree: tokio::sync::OnceCell::new(),
            }
        } else if let Some(repository) = named.strip_prefix("oci://") {
            Place::Oci(Box::new(Referrers::open(repository, user)?))
        } else if named.starts_with("https://") || named.starts_with("http://") {
            let mut base: Url = named
                .parse()
                .map_err(|error: url::ParseError| unusable(error.to_string()))?;
            if base.query().is_some() || base.fragment().is_some() {
                return Err(unusable("it has a query or a fragment".to_owned()));
            }
            if !base.path().ends_with('/') {
                base.set_path(&format!("{}/", base.path()));
            }
            let client = Client::new(
                &Transport::web(user)?,
                Credentials::default(),
                Pace::default(),
            )?;
            Place::Web {
                client: Box::new(client),
                base,
                offline: user.offline,
            }
        } else {
            let directory = user.path(named);
            if !directory.is_dir() {
                return Err(unusable("there is no such directory".to_owned()));
            }
            Place::Directory(directory)
        };
        Ok(Self {
            named: named.to_owned(),
            place,
        })
    }

    /// As the user names it.
    #[must_use]
    pub fn named(&self) -> &str {
        &self.named
    }

    /// The bundles that refer to a file by its digest, where the place has no paths; `None` where it has.
    ///
    /// # Errors
    /// The place does not answer, or with something else.
    pub async fn referring_to(
        &self,
        artifact: &Sha256,
        most: usize,
        limit: u64,
    ) -> Option<Result<Vec<Vec<u8>>, FetchError>> {
        match &self.place {
            Place::Oci(referrers) => Some(referrers.bundles(artifact, most, limit).await),
            Place::Directory(_) | Place::Web { .. } | Place::Git { .. } => None,
        }
    }

    /// The file at this path, or `None` where the place answers that it has none.
    ///
    /// # Errors
    /// The place does not answer, or the file has more than `limit` bytes.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
        match &self.place {
            Place::Directory(root) => read_file(&root.join(path), limit),
            Place::Web {
                client,
                base,
                offline,
            } => {
                let encoded: Vec<String> = path
                    .split('/')
                    .map(|part| utf8_percent_encode(part, ENCODED).to_string())
                    .collect();
                let url = base
                    .join(&encoded.join("/"))
                    .map_err(|error| FetchError::malformed(&self.named, "path", &error))?;
                if *offline {
                    return Err(FetchError::Offline(url.to_string()));
                }
                let request = Request {
                    url: &url,
                    accept: None,
                    etag: None,
                    limit,
                    tokens: Tokens::Never,
                    budget: None,
                };
                match client.document(request).await {
                    Ok(document) => Ok(document.map(|document| document.bytes)),
                    Err(FetchError::NotFound(_)) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            Place::Oci(_) => Ok(None),
            Place::Git { url, user, tree } => {
                let tree = tree
                    .get_or_try_init(|| async {
                        let (url, user) = (url.clone(), user.clone());
                        tokio::task::spawn_blocking(move || open_tree(&url, &user))
                            .await
                            .map_err(|error| self.silent(&error))?
                            .map(Box::new)
                            .map_err(|error| self.silent(&error))
                    })
                    .await?;
                tree.read(path, limit).map_err(|error| self.silent(&error))
            }
        }
    }

    fn silent(&self, error: &dyn std::error::Error) -> FetchError {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        FetchError::Unavailable {
            url: self.named.clone(),
            reason,
        }
    }
}

fn read_file(path: &std::path::Path, limit: u64) -> Result<Option<Vec<u8>>, FetchError> {
    let is_file = match fs_err::metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Opening a pipe waits for whoever writes into it.
    if !is_file {
        return Err(FetchError::malformed(
            path.display().to_string(),
            "file",
            &"it is no regular file",
        ));
    }
    let file = fs_err::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(FetchError::TooLarge {
            url: path.display().to_string(),
            limit,
        });
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_waited_for() {
        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("index.json");
        #[expect(clippy::disallowed_methods, reason = "nothing else makes a pipe here")]
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert!(matches!(
            read_file(&pipe, 1),
            Err(FetchError::Malformed { .. })
        ));
        let missing = read_file(&root.path().join("none"), 1).unwrap();
        assert_eq!(missing, None);
    }
}
