//! `remint verify-attestation`: offline, nothing but the files that are named.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use remint_attest::trust::{Verdict, decide};
use remint_attest::{ArtifactDigests, Bundle, LARGEST_BUNDLE, Refusal};
use remint_model::{Spec, Target};

use super::trust::read_policy;
use crate::cli::{PlainFormat, VerifyAttestation};
use crate::exit::Exit;
use crate::failure::Usage;
use crate::report::attestation::{Asked, human, json};
use crate::settings::Settings;
use crate::terminal;

/// Verifies, and says what it comes to.
pub(crate) fn run(arguments: &VerifyAttestation, settings: &Settings) -> anyhow::Result<Exit> {
    let (artifact, bundles) = arguments
        .files
        .split_last()
        .context("a bundle and a file are named")?;
    let expect = arguments.expect.as_ref().map(target).transpose()?;
    let policy = read_policy(&arguments.trust, arguments.trusted_root.as_ref(), settings)?;
    let digests = digests(artifact)?;
    let mut parsed = Vec::new();
    let mut positions = Vec::new();
    let mut unreadable: Vec<(usize, Refusal)> = Vec::new();
    for (at, path) in bundles.iter().enumerate() {
        match Bundle::parse(&read(path)?) {
            Ok(bundle) => {
                parsed.push(bundle);
                positions.push(at);
            }
            Err(refusal) => unreadable.push((at, refusal)),
        }
    }
    let mut decision = decide(&policy, &parsed, &digests, expect.as_ref(), settings.now);
    for (at, _) in &mut decision.refused {
        *at = positions.get(*at).copied().unwrap_or(*at);
    }
    for statement in &mut decision.counted {
        statement.bundle = positions
            .get(statement.bundle)
            .copied()
            .unwrap_or(statement.bundle);
    }
    if let (Verdict::NoJudgement | Verdict::Refused(_), Some((_, refusal))) =
        (&decision.verdict, unreadable.first())
    {
        decision.verdict = Verdict::Refused(refusal.clone());
    }
    decision.refused.extend(unreadable);
    decision.refused.sort_by_key(|(at, _)| *at);

    let exit = match decision.verdict {
        Verdict::Passed => Exit::Verified,
        Verdict::Failed | Verdict::Refused(_) => Exit::Failed,
        Verdict::NoJudgement => Exit::Inconclusive,
    };
    let asked = Asked {
        artifact,
        digests,
        bundles,
        policy: &arguments.trust,
    };
    terminal::answer(&match arguments.format.unwrap_or_default() {
        PlainFormat::Human => human(&asked, &decision),
        PlainFormat::Json => json(&asked, &decision)?,
    })?;
    Ok(exit)
}

fn target(spec: &Spec) -> anyhow::Result<Target> {
    match spec {
        Spec::Release {
            ecosystem,
            name,
            version: Some(version),
            file,
        } => Ok(Target {
            ecosystem: *ecosystem,
            name: name.clone(),
            version: version.clone(),
            file: file.clone(),
        }),
        Spec::Release { version: None, .. } | Spec::File(_) | Spec::Image(_) => {
            anyhow::bail!(Usage(
                "`--expect` names a release with its version, such as npm:server@1.0.0".to_owned()
            ))
        }
    }
}

fn digests(path: &PathBuf) -> anyhow::Result<ArtifactDigests> {
    let file = fs_err::File::open(path)
        .with_context(|| Usage(format!("cannot read the file `{}`", path.display())))?;
    ArtifactDigests::of_reader(file)
        .with_context(|| format!("cannot read the file `{}`", path.display()))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One byte more than is accepted, so that what is too large is refused for that.
    fs_err::File::open(path)
        .and_then(|file| file.take(LARGEST_BUNDLE as u64 + 1).read_to_end(&mut text))
        .with_context(|| Usage(format!("cannot read the bundle `{}`", path.display())))?;
    Ok(text)
}
