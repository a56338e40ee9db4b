//! Builds a target's report: what a pass does not say, and what to do next.

use remint_judge::{Evidence, IntegrityCheck, ResultEvidence};
use remint_model::{
    AssumptionKind, Basis, BuildPlan, Content, DependencyKind, Ecosystem, GapKind,
    InconclusiveReason, Judgement, Outcome, Provenance, SourceGap, Target, Worth,
};

use super::{TargetReport, count_words};
use crate::pipeline::Request;
use crate::resolve::{Case, Unresolved};

impl TargetReport {
    /// A report about a file that was fetched and not yet looked at.
    pub(crate) fn begin(case: &Case) -> Self {
        Self {
            label: label(&case.target, case.origin, case.artifact.name.as_str()),
            target: Some(case.target.clone()),
            judgement: undecided(InconclusiveReason::NotBuilt, String::new()),
            evidence: None,
            image: None,
            image_purl: None,
            published: Some(case.artifact.clone()),
            origin: Some(case.origin),
            rebuilt: None,
            plan: None,
            tried: Vec::new(),
            failure: None,
            files: None,
            traced: None,
            gzip_encoder: None,
            seconds: Vec::new(),
            limits: Vec::new(),
            notes: case.notes.clone(),
            next: Vec::new(),
        }
    }

    /// A report about a spec that leads to nothing that could be compared.
    pub(crate) fn unresolved(label: String, unresolved: Unresolved, offline: bool) -> Self {
        let judgement = undecided(unresolved.reason, unresolved.detail.clone());
        let mut report = Self {
            label,
            target: unresolved.target.clone(),
            judgement,
            evidence: None,
            image: None,
            image_purl: None,
            published: None,
            origin: None,
            rebuilt: None,
            plan: None,
            tried: Vec::new(),
            failure: None,
            files: None,
            traced: None,
            gzip_encoder: None,
            seconds: Vec::new(),
            limits: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
        };
        if unresolved.reason == InconclusiveReason::Unavailable {
            let next = if offline {
                "Run it again with the network: without `--offline` and REMINT_OFFLINE."
            } else {
                "Try again later; `remint doctor` shows what can be reached."
            };
            report.next.push(next.to_owned());
        }
        if let (Some(target), Some(integrity)) = (unresolved.target, unresolved.integrity) {
            report.judgement = mismatch(target, integrity, unresolved.reason, unresolved.detail);
            report.next =
                vec!["Do not run this version before somebody has looked at it.".to_owned()];
        }
        report
    }

    /// A report about an image, whose verdict stands.
    pub(crate) fn of_image(label: String, purl: Option<String>, judgement: Judgement) -> Self {
        let unresolved = Unresolved {
            target: None,
            reason: InconclusiveReason::Unsupported,
            detail: String::new(),
            integrity: None,
        };
        Self {
            judgement,
            image_purl: purl,
            ..Self::unresolved(label, unresolved, false)
        }
    }

    /// The finished report.
    pub(crate) fn finish(
        mut self,
        evidence: Evidence,
        judgement: Judgement,
        request: &Request,
    ) -> Self {
        self.limits = limits(&evidence, judgement.basis);
        let leaves_out = |plan: &BuildPlan| {
            let mut assumptions = plan.assumptions.iter();
            plan.worth == Worth::Shortcut
                || assumptions.any(|assumption| assumption.kind == AssumptionKind::ReleaseSteps)
        };
        if self.plan.as_ref().is_some_and(leaves_out) {
            self.limits.push(
                "what steps of the source would have done that this build leaves out".to_owned(),
            );
        }
        self.next = next(&self, &evidence, &judgement, request);
        self.evidence = Some(evidence);
        self.judgement = judgement;
        self
    }
}

fn label(target: &Target, origin: &str, file: &str) -> String {
    // Of PyPI's several files the target itself says which.
    if origin == "user" && target.file.is_none() {
        format!("{} ({file})", target.short())
    } else {
        target.short()
    }
}

fn undecided(reason: InconclusiveReason, detail: String) -> Judgement {
    Judgement {
        outcome: Outcome::Inconclusive,
        content: Content::Inconclusive,
        basis: None,
        reason: Some(reason),
        detail: Some(detail),
        findings: Vec::new(),
    }
}

/// A file with another digest than its registry declares is judged although it was never kept.
fn mismatch(
    target: Target,
    integrity: IntegrityCheck,
    reason: InconclusiveReason,
    detail: String,
) -> Judgement {
    remint_judge::judge(&Evidence {
        target,
        integrity,
        identity: None,
        source: None,
        provenance: Provenance::default(),
        repository_claims_disagree: None,
        registry_disagreements: Vec::new(),
        published_anomalies: Vec::new(),
        rebuilt_anomalies: Vec::new(),
        manifests: remint_judge::Manifests::default(),
        build: None,
        consumed_published: false,
        bundle: None,
        checksums: None,
        programs: None,
        native: Vec::new(),
        rebuilt_native: std::collections::BTreeMap::new(),
        declares_native: false,
        attested_failures: Vec::new(),
        result: ResultEvidence::NotCompared { reason, detail },
    })
}

/// What even a pass does not say.
fn limits(evidence: &Evidence, basis: Option<Basis>) -> Vec<String> {
    let mut limits = vec!["whether the source itself is harmless".to_owned()];
    if let Some(Ok(facts)) = &evidence.manifests.published {
        let fetched = facts
            .dependencies
            .iter()
            .filter(|dependency| {
                matches!(
                    dependency.kind,
                    DependencyKind::Runtime | DependencyKind::Optional | DependencyKind::Peer
                )
            })
            .count();
        match fetched {
            0 => {}
            1 => limits.push("1 dependency is fetched when it runs".to_owned()),
            n => limits.push(format!("{n} dependencies are fetched when it runs")),
        }
    }
    let failed = evidence
        .build
        .as_ref()
        .map_or(0, |build| build.failed_commands.len());
    if let Some(build) = &evidence.build {
        let others = build
            .assumptions
            .iter()
            .filter(|made| made.kind == AssumptionKind::SubstituteDependency)
            .count();
        match others {
            0 => {}
            1 => limits.push("1 dependency that is locked and gone from the registry".to_owned()),
            n => limits.push(format!(
                "{n} dependencies that are locked and gone from the registry"
            )),
        }
    }
    match failed {
        0 => {}
        1 => limits.push("what a step of the source would have done that failed here".to_owned()),
        n => limits.push(format!(
            "what {n} steps of the source would have done that failed here"
        )),
    }
    if basis == Some(Basis::Sdist) {
        limits.push(
            "whether the source archive is what the repository holds: both were uploaded by the same hands"
                .to_owned(),
        );
    }
    limits
}

/// The command that leads further: it asks the same question as this run did.
fn next(
    report: &TargetReport,
    evidence: &Evidence,
    judgement: &Judgement,
    request: &Request,
) -> Vec<String> {
    let command = |more: &str| {
        let spec = spec(report, evidence);
        format!("remint verify-build {spec}{}{more}", repeated(request))
    };
    let overrides = &request.overrides;
    match (judgement.outcome, judgement.reason) {
        (Outcome::Verified, _) => Vec::new(),
        (Outcome::Failed, _) => {
            let mut next =
                vec!["Do not run this version before somebody has looked at it.".to_owned()];
            if request.keep.is_none() && report.rebuilt.is_some() {
                next.push(format!(
                    "To look closer:  {}",
                    command(" --keep ./evidence")
                ));
            }
            next
        }
        (Outcome::Inconclusive, Some(InconclusiveReason::NoSource))
            if overrides.source.is_none() && overrides.reference.is_none() =>
        {
            let named = evidence.source.is_some();
            let more = if named {
                " --ref COMMIT"
            } else {
                " --source URL --ref COMMIT"
            };
            vec![format!("If you know the commit:  {}", command(more))]
        }
        (Outcome::Inconclusive, Some(InconclusiveReason::Unavailable)) => {
            let when = if request.offline {
                "With the network, without `--offline` and REMINT_OFFLINE"
            } else {
                "To try again"
            };
            vec![format!("{when}:  {}", command(""))]
        }
        (Outcome::Inconclusive, Some(InconclusiveReason::NotBuilt)) if request.keep.is_none() => {
            vec![format!(
                "For the whole build log:  {}",
                command(" --keep ./evidence")
            )]
        }
        (Outcome::Inconclusive, _) => Vec::new(),
    }
}

/// What to type to mean the same target: a bundle is named by its path, as no registry has it.
fn spec(report: &TargetReport, evidence: &Evidence) -> String {
    match &report.published {
        Some(file) if evidence.target.ecosystem == Ecosystem::Mcpb => {
            quoted(&file.path.display().to_string())
        }
        Some(_) | None => evidence.target.short(),
    }
}

/// The options of this run that decide what is asked, as a shell takes them.
fn repeated(request: &Request) -> String {
    let overrides = &request.overrides;
    let source = if request.from_sdist {
        Some("sdist".to_owned())
    } else {
        overrides.source.clone()
    };
    let artifact = request
        .artifact
        .as_ref()
        .map(|path| path.display().to_string());
    let subdirectory = overrides.subdirectory.as_ref().map(ToString::to_string);
    [
        ("--artifact", artifact),
        ("--source", source),
        ("--ref", overrides.reference.clone()),
        ("--subdir", subdirectory),
    ]
    .into_iter()
    .filter_map(|(option, value)| Some(format!(" {option} {}", quoted(&value?))))
    .collect()
}

/// A word for a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What the build did not have of the source, for people; bounded.
pub(crate) fn gap_notes(gaps: &[SourceGap]) -> Vec<String> {
    const MOST: usize = 10;
    let (large, others): (Vec<&SourceGap>, Vec<&SourceGap>) =
        gaps.iter().partition(|gap| gap.kind == GapKind::LargeFile);
    let mut notes: Vec<String> = others.iter().take(MOST).map(ToString::to_string).collect();
    if others.len() > MOST {
        let parts = count_words(others.len() - MOST, "more part");
        notes.push(format!("{parts} of the source could not be had"));
    }
    match large.as_slice() {
        [] => {}
        [one] => notes.push(one.to_string()),
        more => notes.push(format!(
            "{} are in Git LFS: the build sees pointers",
            count_words(more.len(), "file")
        )),
    }
    notes
}

/// The plans, for people (`--explain`).
pub(crate) fn plan_words(plans: &[BuildPlan]) -> String {
    let mut lines = vec![count_words(plans.len(), "plan")];
    for (at, plan) in plans.iter().enumerate() {
        lines.push(format!("{}. {}", at + 1, plan.variant));
        for tool in &plan.tools {
            let version = tool.version.as_deref().unwrap_or("any");
            lines.push(format!(
                "   tool   {} {version}  ({})",
                tool.name, tool.because
            ));
        }
        for edit in &plan.edits {
            lines.push(format!("   edit   {}  ({})", edit.path, edit.because));
        }
        for path in &plan.crlf {
            lines.push(format!("   crlf   {path}  (it was published so)"));
        }
        for step in &plan.steps {
            let what = match &step.action {
                remint_model::Action::Run { argv } => argv.join(" "),
                remint_model::Action::InstallListed { list, argv } => {
                    format!("{} … (as listed in {list})", argv.join(" "))
                }
            };
            let what: String = what
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(160)
                .collect();
            lines.push(format!("   {:<6} {what}", step.phase.name()));
        }
        for assumption in &plan.assumptions {
            lines.push(format!(
                "   assumes {}  (from {})",
                assumption.value, assumption.from
            ));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_command_asks_the_same_question() {
        let mut request = Request::default();
        assert_eq!(repeated(&request), "");
        request.artifact = Some("my files/a.tgz".into());
        request.overrides.source = Some("https://example.org/o/n".to_owned());
        request.overrides.reference = Some("it's".to_owned());
        request.overrides.subdirectory = "packages/a".parse().ok();
        assert_eq!(
            repeated(&request),
            " --artifact 'my files/a.tgz' --source https://example.org/o/n --ref 'it'\\''s' --subdir packages/a"
        );
    }
}
