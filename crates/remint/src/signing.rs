//! What the signing options ask for: a key and its log, or services that sign for the identity of this job.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use remint_attest::keyless::{
    Endpoints, IdentityToken, KeylessConfig, KeylessSigner, Pending, PendingDirectory,
    PendingError, PendingState, Progress as Step, ServiceAnswer, ServiceRequest, Services,
};
use remint_attest::layout::SignerId;
use remint_attest::log::LogDirectory;
use remint_attest::{DirectoryLock, StatementKind, TrustRoot};
use remint_fetch::{ServiceClient, ServicePost, signing_identity};

use crate::attestations::{Kept, Store, With};
use crate::cli::SigningOptions;
use crate::failure::Usage;
use crate::settings::Settings;
use crate::{keys, roots, terminal};

/// What signs, and how services are reached where they do.
#[derive(Debug)]
pub(crate) struct Signing {
    pub(crate) with: With,
    keyless: Option<Keyless>,
}

#[derive(Debug)]
struct Keyless {
    endpoints: Endpoints,
    root: Arc<TrustRoot>,
    patience: Duration,
    token: Option<PathBuf>,
    client: ServiceClient,
    settings: Settings,
    clock: Instant,
}

impl Signing {
    /// What the options ask for, complete: a key is opened, and services are known.
    ///
    /// # Errors
    /// The options contradict each other, or what they name cannot be used.
    pub(crate) fn resolve(
        options: &SigningOptions,
        resume: bool,
        store: &Store,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        if let Some(key) = &options.key {
            let key = keys::signing_key(key, settings)?;
            let log = options.log.clone().map_or_else(
                || store.log(&SignerId::key(&key.public().id())),
                LogDirectory::at,
            );
            return Ok(Self {
                with: With::Key(Box::new(key), log),
                keyless: None,
            });
        }
        anyhow::ensure!(
            options.keyless || resume,
            Usage("say what signs: `--key FILE`, or `--keyless` in a workflow".to_owned())
        );
        anyhow::ensure!(
            !settings.user.offline,
            Usage("`--keyless` needs services, and remint works offline".to_owned())
        );
        // Before the work: whoever has no identity gets no signature.
        let variables = &settings.user.variables;
        let in_a_job = ["SIGSTORE_ID_TOKEN", "GITHUB_ACTIONS", "GITLAB_CI"]
            .iter()
            .any(|name| variables.contains_key(*name));
        anyhow::ensure!(
            resume || in_a_job || options.identity_token.is_some(),
            Usage(
                "there is no identity to sign with: run it in GitHub Actions (`id-token: write`) or GitLab (`id_tokens`), \
                 or give an --identity-token"
                    .to_owned()
            )
        );
        let endpoints = match &options.signing_config {
            Some(path) => fs_err::read_to_string(path)
                .map_err(anyhow::Error::from)
                .and_then(|json| Ok(Endpoints::from_signing_config(&json)?)),
            None => Endpoints::embedded().map_err(anyhow::Error::from),
        };
        Ok(Self {
            with: With::Services,
            keyless: Some(Keyless {
                endpoints: endpoints
                    .with_context(|| Usage("the signing config cannot be used".to_owned()))?,
                root: Arc::new(roots::for_identities(
                    options.trusted_root.as_ref(),
                    settings,
                )?),
                patience: Duration::from_secs(options.patience.saturating_mul(60)),
                token: options.identity_token.clone(),
                client: ServiceClient::new(&settings.user)?,
                settings: settings.clone(),
                clock: Instant::now(),
            }),
        })
    }

    /// Has services sign what is kept, and files the bundles. What they do not finish stays kept.
    ///
    /// What was not signed at all yet is signed only with `unsigned_too`: a store is often a place where others can
    /// write, and what they put there must not get this job's signature.
    ///
    /// # Errors
    /// What is kept cannot be read or written.
    pub(crate) async fn finish(
        &self,
        store: &Store,
        kept: Vec<Kept>,
        unsigned_too: bool,
    ) -> anyhow::Result<Finished> {
        match &self.keyless {
            Some(keyless) => keyless.finish(store, kept, unsigned_too).await,
            None => Ok(Finished::default()),
        }
    }
}

/// Everything that is kept below a store.
///
/// # Errors
/// A directory cannot be read.
pub(crate) fn all_kept(store: &Store) -> anyhow::Result<Vec<Kept>> {
    PendingDirectory::below(store.root())?
        .into_iter()
        .map(|directory| {
            let names = directory.names()?;
            Ok(Kept { directory, names })
        })
        .collect()
}

/// What services did.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// Bundles, and where they lie.
    pub(crate) signed: Vec<(StatementKind, PathBuf)>,
    /// What is still kept, and why, in words.
    pub(crate) unfinished: Vec<String>,
}

impl Keyless {
    async fn finish(
        &self,
        store: &Store,
        kept: Vec<Kept>,
        unsigned_too: bool,
    ) -> anyhow::Result<Finished> {
        let mut finished = Finished::default();
        let mut places: Vec<(PendingDirectory, String)> = Vec::new();
        let mut statements: Vec<Pending> = Vec::new();
        let mut locks: BTreeMap<PathBuf, DirectoryLock> = BTreeMap::new();
        for Kept { directory, names } in kept {
            if let Entry::Vacant(place) = locks.entry(directory.directory().to_owned()) {
                place.insert(directory.lock()?);
            }
            for name in names {
                match directory.read(&name) {
                    Ok(pending) if pending.state() == PendingState::Unsigned && !unsigned_too => {
                        finished.unfinished.push(format!(
                            "`{}` was never signed; `--sign-kept` signs it, where nobody else can write",
                            directory.path(&name).display()
                        ));
                    }
                    Ok(pending) => {
                        statements.push(pending);
                        places.push((directory.clone(), name));
                    }
                    Err(PendingError::File(error)) if error.kind() == ErrorKind::NotFound => {
                        terminal::tell(&format!(
                            "  signed    {} by another run",
                            directory.path(&name).display()
                        ));
                    }
                    Err(error) => finished.unfinished.push(format!(
                        "`{}` cannot be read: {error}",
                        directory.path(&name).display()
                    )),
                }
            }
        }
        let unsigned = statements
            .iter()
            .any(|pending| pending.state() == PendingState::Unsigned);
        let config = KeylessConfig {
            endpoints: self.endpoints.clone(),
            root: Arc::clone(&self.root),
            signer: None,
            patience: self.patience,
        };
        let token = if unsigned { self.token().await? } else { None };
        let signer = KeylessSigner::new(config, Transport(self), token);
        let mut fault = None;
        let observed = places.clone();
        let mut observe = |step: Step<'_>| match step {
            Step::Kept { index, pending } => {
                if let Some((directory, name)) = observed.get(index)
                    && let Err(error) = directory.write(name, pending)
                {
                    fault = Some(error);
                }
            }
            Step::Waiting {
                service,
                pause,
                failure,
            } => terminal::tell(&format!(
                "  waiting   for the {service}, {} s: {failure}",
                pause.as_secs()
            )),
        };
        let answers = signer.sign(statements, &mut observe).await;
        if let Some(error) = fault {
            return Err(anyhow::Error::new(error).context("cannot keep what is not signed yet"));
        }
        for ((directory, name), answer) in places.iter().zip(answers) {
            match answer {
                // One that cannot be filed must not keep the others from it.
                Ok(signed) => match store.file(directory, name, &signed) {
                    Ok(filed) => finished.signed.push(filed),
                    Err(error) => finished.unfinished.push(format!(
                        "`{}` is kept: {error:#}",
                        directory.path(name).display()
                    )),
                },
                Err(unfinished) => finished.unfinished.push(format!(
                    "`{}` is kept: {}",
                    directory.path(name).display(),
                    unfinished.failure
                )),
            }
        }
        Ok(finished)
    }

    /// The token that the user names, or this job's own.
    async fn token(&self) -> anyhow::Result<Option<IdentityToken>> {
        let text = match &self.token {
            Some(path) => Some(
                fs_err::read_to_string(path)
                    .with_context(|| Usage("cannot read the identity token".to_owned()))?,
            ),
            None => signing_identity::ambient(&self.settings.user, &self.client).await?,
        };
        text.map(|text| IdentityToken::parse(text.trim()))
            .transpose()
            .with_context(|| Usage("the identity token cannot be used".to_owned()))
    }
}

/// How services are reached: over the user's proxies and authorities.
struct Transport<'a>(&'a Keyless);

impl Services for Transport<'_> {
    async fn send(&self, request: ServiceRequest) -> Result<ServiceAnswer, String> {
        let ServiceRequest {
            url,
            accept,
            limit,
            deadline,
            body,
        } = request;
        let client = &self.0.client;
        let answer = match body {
            Some(body) => {
                client
                    .post(ServicePost {
                        url: &url,
                        media_type: body.media_type,
                        accept,
                        body: body.bytes,
                        limit,
                        deadline,
                    })
                    .await
            }
            None => client.get(&url, accept, limit, deadline).await,
        };
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(ServiceAnswer {
            status: answer.status,
            retry_after: answer.retry_after,
            body: answer.body,
        })
    }

    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn now(&self) -> Timestamp {
        let started = self.0.settings.now;
        SignedDuration::try_from(self.0.clock.elapsed())
            .map_or(started, |elapsed| started + elapsed)
    }
}
