//! `remint trust`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use remint_attest::intoto::Layout;
use remint_attest::trust::{
    self, NewRebuilder, NewSigner, Policy, Rebuilder, Revocation, Scope, Signer,
};
use remint_attest::{Instance, LogKey, PublicKey, TrustRoot, TrustRootError};
use remint_fetch::trusted_root::{TrustUpdateError, update_trusted_root};
use remint_fetch::{FetchError, ServiceClient};
use serde::Serialize;

use crate::cli::{PlainFormat, TrustAction, TrustAdd, TrustExport};
use crate::exit::Exit;
use crate::failure::Usage;
use crate::settings::Settings;
use crate::{delivery, failure, keys, roots, terminal};

/// Makes, changes or shows a policy.
pub(crate) async fn run(action: &TrustAction, settings: &Settings) -> anyhow::Result<Exit> {
    match action {
        TrustAction::Init { policy } => {
            anyhow::ensure!(
                !policy.exists() && !policy.is_symlink(),
                Usage(format!("`{}` is there already", policy.display()))
            );
            delivery::put(&trust::empty(), policy)?;
            terminal::tell(&format!(
                "`{}` trusts nobody yet; `remint trust add {} --key FILE.pub` adds somebody",
                policy.display(),
                policy.display()
            ));
        }
        TrustAction::Add(new) => add(new)?,
        TrustAction::Update => return update(settings).await,
        TrustAction::Export(asked) => return export(asked, settings),
        TrustAction::List { policy, format } => {
            let read = read_policy(policy, None, settings)?;
            let answer = match format.unwrap_or_default() {
                PlainFormat::Human => human(&read, settings.now),
                PlainFormat::Json => json(&read)?,
            };
            terminal::answer(&answer)?;
        }
    }
    Ok(Exit::Verified)
}

/// The policy in a file; `root` is the Sigstore root for signers that are known by identity.
///
/// # Errors
/// It cannot be read, or anything in it is not understood.
pub(crate) fn read_policy(
    path: &Path,
    root: Option<&PathBuf>,
    settings: &Settings,
) -> anyhow::Result<Policy> {
    let unusable = || Usage(format!("the policy `{}` cannot be used", path.display()));
    let text = fs_err::read_to_string(path).with_context(unusable)?;
    // Made only if the policy knows somebody by identity: it takes longer than all the rest.
    let fault = RefCell::new(None);
    let source = || -> Result<TrustRoot, TrustRootError> {
        roots::for_identities(root, settings).map_err(|error| {
            let words = TrustRootError::of(&format!("{error:#}"));
            *fault.borrow_mut() = Some(error);
            words
        })
    };
    match (Policy::parse(&text, &source), fault.take()) {
        (Ok(policy), _) => Ok(policy),
        (Err(_), Some(fault)) => Err(fault),
        (Err(error), None) => Err(error).with_context(unusable),
    }
}

/// Fetches the public-good root, and keeps what was verified. What was kept before stays where that does not work.
async fn update(settings: &Settings) -> anyhow::Result<Exit> {
    let client = ServiceClient::new(&settings.user)?;
    let material = match update_trusted_root(&settings.user, &client, settings.now).await {
        Ok(material) => material,
        Err(TrustUpdateError::Fetch(FetchError::Disk(error))) => return Err(error.into()),
        // It is the repository that does not answer, or with something that nobody signed.
        Err(error) => {
            failure::tell(&error.into());
            return Ok(Exit::Inconclusive);
        }
    };
    // What cannot be used must not take the place of what can.
    TrustRoot::parse(&material.trusted_root)?;
    let place = settings
        .trusted_root
        .as_ref()
        .context("cannot tell where the trusted root belongs: set HOME")?;
    if let Some(folder) = place.parent() {
        fs_err::create_dir_all(folder)?;
    }
    delivery::put(&material.trusted_root, place)?;
    terminal::tell("the trusted root of the public-good instance is up to date");
    Ok(Exit::Verified)
}

fn add(new: &TrustAdd) -> anyhow::Result<()> {
    let unusable = |path: &Path| Usage(format!("cannot use `{}`", path.display()));
    let text = fs_err::read_to_string(&new.policy).with_context(|| {
        Usage(format!(
            "there is no policy to add to; `remint trust init {}` makes one",
            new.policy.display()
        ))
    })?;
    let (signer, called) = match (&new.key, &new.identity, &new.issuer) {
        (Some(path), _, _) => {
            let key = fs_err::read_to_string(path)
                .map_err(anyhow::Error::from)
                .and_then(|pem| Ok(PublicKey::parse(&pem)?))
                .with_context(|| unusable(path))?;
            let log = new.log_key.clone().unwrap_or_else(|| beside(path));
            let log_key = fs_err::read_to_string(&log)
                .map_err(anyhow::Error::from)
                .and_then(|text| Ok(LogKey::parse(&text)?))
                .with_context(|| {
                    Usage(format!(
                        "cannot use `{}` as the key of their log; give it with --log-key",
                        log.display()
                    ))
                })?;
            let called = path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned());
            (NewSigner::Key(key, Box::new(log_key)), called)
        }
        (None, Some(identity), Some(issuer)) => (
            NewSigner::Identity {
                identity: identity.clone(),
                issuer: issuer.clone(),
            },
            Some(identity.clone()),
        ),
        (None, ..) => anyhow::bail!(Usage("give --key, or --identity with --issuer".to_owned())),
    };
    let everything: Scope = "pkg:*".parse()?;
    let rebuilder = NewRebuilder {
        name: new.name.clone().or(called).unwrap_or_default(),
        operator: new.operator.clone(),
        signer,
        scope: if new.scope.is_empty() {
            vec![everything]
        } else {
            new.scope.clone()
        },
    };
    let refused = || Usage(format!("cannot add to `{}`", new.policy.display()));
    let added = trust::add(&text, &rebuilder).with_context(refused)?;
    // What is written must be a policy: also where the file was none before.
    let root = || TrustRoot::embedded(Instance::PublicGood);
    let policy = Policy::parse(&added, &root).with_context(refused)?;
    delivery::put(&added, &new.policy)?;
    if let Some(rebuilder) = policy.rebuilders.last() {
        terminal::tell(&format!(
            "`{}` now believes {} ({}) about {}",
            new.policy.display(),
            rebuilder.name,
            rebuilder.signer,
            scopes(rebuilder)
        ));
    }
    Ok(())
}

/// Writes a policy as a layout of in-toto.
fn export(asked: &TrustExport, settings: &Settings) -> anyhow::Result<Exit> {
    delivery::check(asked.output.as_deref())?;
    let policy = read_policy(&asked.policy, None, settings)?;
    let layout = Layout::of(&policy, settings.now, asked.expires).with_context(|| {
        Usage(format!(
            "`{}` cannot be written as a layout of in-toto",
            asked.policy.display()
        ))
    })?;
    let owner = keys::signing_key(&asked.key, settings)?;
    let text = layout.sign(&owner)?;
    terminal::tell(&format!(
        "{} of {} can be enough until {}",
        policy.threshold,
        layout.rebuilders.join(", "),
        layout.expires
    ));
    for loss in &layout.lost {
        terminal::tell(&format!("  lost  {loss}"));
    }
    Ok(delivery::deliver(&text, asked.output.as_deref()))
}

/// `alice.pub` → `alice.log.pub`.
fn beside(key: &Path) -> PathBuf {
    key.with_extension("log.pub")
}

fn scopes(rebuilder: &Rebuilder) -> String {
    let scopes: Vec<String> = rebuilder.scope.iter().map(ToString::to_string).collect();
    scopes.join(", ")
}

fn human(policy: &Policy, now: jiff::Timestamp) -> String {
    let mut text = match policy.rebuilders.len() {
        0 => "nobody is believed\n".to_owned(),
        _ => String::new(),
    };
    for rebuilder in &policy.rebuilders {
        let standing = match (rebuilder.revoked, rebuilder.not_after) {
            (Some(Revocation::Entirely), _) => "  revoked".to_owned(),
            (Some(Revocation::Since(since)), _) => format!("  revoked since {since}"),
            (None, Some(last)) if last < now => format!("  expired at {last}"),
            (None, Some(last)) => format!("  until {last}"),
            (None, None) => String::new(),
        };
        text.extend([format!(
            "{}  ({})\n  {}\n  {}{standing}\n",
            rebuilder.name,
            rebuilder.operator,
            rebuilder.signer,
            scopes(rebuilder)
        )]);
    }
    let operators = match policy.threshold {
        1 => "1 operator".to_owned(),
        more => format!("{more} independent operators"),
    };
    let erasures: Vec<&str> = policy
        .accepted_erasures
        .iter()
        .map(trust::AcceptedErasure::as_str)
        .collect();
    text.extend([format!(
        "\nneeds {operators}, isolation {} or better; accepted erasures: {}\n",
        policy.minimum_isolation.name(),
        if erasures.is_empty() {
            "none".to_owned()
        } else {
            erasures.join(", ")
        }
    )]);
    if let Some(age) = policy.max_age {
        text.extend([format!("not older than {} days\n", age.as_hours() / 24)]);
    }
    text
}

#[derive(Serialize)]
struct PolicyV1<'a> {
    format: &'static str,
    threshold: usize,
    accepted_erasures: Vec<&'a str>,
    minimum_isolation: &'static str,
    rebuilders: Vec<RebuilderV1<'a>>,
}

#[derive(Serialize)]
struct RebuilderV1<'a> {
    name: &'a str,
    operator: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    scope: &'a [Scope],
    not_after: Option<String>,
    revoked: bool,
}

fn json(policy: &Policy) -> anyhow::Result<String> {
    let rebuilders = policy.rebuilders.iter().map(|rebuilder| {
        let (key, identity, issuer) = match &rebuilder.signer {
            Signer::Key(key, _) => (Some(key.id().to_string()), None, None),
            Signer::Identity { identity, issuer } => (None, Some(&**identity), Some(&**issuer)),
        };
        RebuilderV1 {
            name: &rebuilder.name,
            operator: &rebuilder.operator,
            key,
            identity,
            issuer,
            scope: &rebuilder.scope,
            not_after: rebuilder.not_after.map(|time| time.to_string()),
            revoked: rebuilder.revoked.is_some(),
        }
    });
    let wire = PolicyV1 {
        format: "remint.trust-list/v1",
        threshold: policy.threshold,
        accepted_erasures: policy
            .accepted_erasures
            .iter()
            .map(trust::AcceptedErasure::as_str)
            .collect(),
        minimum_isolation: policy.minimum_isolation.name(),
        rebuilders: rebuilders.collect(),
    };
    Ok(serde_json::to_string_pretty(&wire)? + "\n")
}
