//! Signs a release that was found to be sound, and puts the bundles where they are looked for.

use anyhow::Context as _;
use remint_attest::{Judged, statements};
use remint_judge::ResultEvidence;
use remint_model::{AssumptionKind, BuildRecord, Sha256};

use super::Examined;
use crate::attestations::{About, Private, Shelf, Shelved, report_of};
use crate::resolve::Case;
use crate::settings::Settings;

/// Signs what was found out about a sound release; `repository` is its public address.
///
/// # Errors
/// The log does not take the signatures.
pub(crate) fn sign(
    case: &Case,
    examined: &Examined,
    repository: &str,
    private: &Private,
    settings: &Settings,
    finished: jiff::Timestamp,
    shelf: &Shelf<'_>,
) -> anyhow::Result<Shelved> {
    let rebuild = examined
        .rebuild
        .as_ref()
        .context("a sound release was built")?;
    let evidence = examined
        .report
        .evidence
        .as_ref()
        .context("a sound release was judged")?;
    let comparison = match &evidence.result {
        ResultEvidence::Compared { comparison, .. } => comparison,
        ResultEvidence::NotCompared { .. } => anyhow::bail!("a sound release was compared"),
    };
    let mut source = rebuild.found.pin.clone();
    repository.clone_into(&mut source.repository);
    source.reference = super::report::public_reference(&source);
    let record = evidence
        .build
        .clone()
        .context("a sound release was built")?;
    let build = public_record(record, examined);
    let text = report_of(&examined.report, private, settings.now);
    let unsigned = statements(&Judged {
        target: &case.target,
        published: &case.artifact,
        rebuilt: Some(&rebuild.artifact),
        source: Some(&source),
        plan: Some(&rebuild.plan),
        build: Some(&build),
        failure: None,
        comparison: Some(comparison),
        judgement: &examined.report.judgement,
        report: Sha256::of(text.as_bytes()),
        started: settings.now,
        finished,
    });
    let about = About {
        target: &case.target,
        file: &case.artifact,
        finished,
        report: &text,
        link: None,
    };
    shelf.put(&about, &unsigned)
}

/// What happened during the build, without what only this machine's user should know.
fn public_record(mut record: BuildRecord, examined: &Examined) -> BuildRecord {
    record
        .assumptions
        .retain(|assumption| assumption.kind != AssumptionKind::HostSurroundings);
    record.reproduced_under = examined
        .varied
        .iter()
        .map(super::Variation::words)
        .collect();
    record
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_varied_condition_is_signed_with_both_values() {
        let varied = super::super::Variation {
            condition: super::super::conditions::Condition::Umask,
            first: "022".to_owned(),
            second: "077".to_owned(),
        };
        assert_eq!(varied.words(), "umask: 022, 077");
    }
}
