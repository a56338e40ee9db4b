//! `remint conformance`: for the Sigstore conformance suite.

use std::path::Path;

use anyhow::Context as _;
use remint_attest::conformance::{Input, Signer, verify_bundle};
use remint_attest::{Bundle, Instance, Refusal, TrustRoot};

use crate::cli::ConformanceAction;
use crate::exit::Exit;
use crate::terminal;

/// Verifies a bundle.
pub(crate) fn run(action: &ConformanceAction) -> anyhow::Result<Exit> {
    let ConformanceAction::VerifyBundle {
        staging,
        bundle,
        certificate_identity,
        certificate_oidc_issuer,
        key,
        trusted_root,
        artifact,
    } = action;
    let root = match trusted_root {
        Some(path) => TrustRoot::parse(&fs_err::read_to_string(path)?),
        None if *staging => TrustRoot::embedded(Instance::Staging),
        None => TrustRoot::embedded(Instance::PublicGood),
    };
    let root = match root {
        Ok(root) => root,
        Err(error) => return Ok(refused(&error.to_string())),
    };
    let text = fs_err::read(bundle)?;
    let key = key.as_ref().map(fs_err::read_to_string).transpose()?;
    let signer = match (&key, certificate_identity, certificate_oidc_issuer) {
        (Some(pem), ..) => Signer::Key(pem),
        (None, Some(identity), Some(issuer)) => Signer::Certificate { identity, issuer },
        _ => anyhow::bail!("an identity needs its issuer"),
    };
    let bytes;
    let input = match artifact.strip_prefix("sha256:") {
        Some(digest) if !Path::new(artifact).exists() => Input::Sha256(digest),
        _ => {
            bytes = fs_err::read(artifact).context("cannot read the file")?;
            Input::File(&bytes)
        }
    };
    let verified =
        Bundle::parse(&text).and_then(|bundle| verify_bundle(&bundle, input, signer, &root));
    Ok(match verified {
        Ok(()) => Exit::Verified,
        Err(Refusal { reason, detail }) => refused(&format!("{reason}: {detail}")),
    })
}

fn refused(words: &str) -> Exit {
    terminal::tell(words);
    Exit::Failed
}
