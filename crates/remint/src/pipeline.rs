//! The one place that sees every stage: a published file goes in, a report comes out.
//!
//! Each stage's answer, also a negative one, becomes evidence; an error means that this machine could not ask.

use std::sync::Arc;

use remint_fetch::source::{FoundSource, Overrides};
use remint_judge::{Evidence, ResultEvidence, judge};
use remint_model::{
    Artifact, ArtifactFormat, Basis, BuildOutcome, BuildPlan, Comparison, Rebuilt, Survey,
};

use crate::attempts::attempt;
use crate::build::{Builder, Workspace};
use crate::image::ImageWish;
use crate::locate::{Located, locate};
use crate::lookup::{self, Consulted, Trusting};
use crate::open::{self, Unreadable};
use crate::progress::Progress;
use crate::report::{TargetReport, gap_notes, plan_words};
use crate::resolve::Case;
use crate::{bundle, evidence, keep, module, planning, provenance, source_tree};

/// What steers one verification beside the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    /// What the user said about the source.
    pub(crate) overrides: Overrides,
    /// The file that the user gave instead of the registry's.
    pub(crate) artifact: Option<std::path::PathBuf>,
    /// Let the registry's source archive stand in, whatever the repository says.
    pub(crate) from_sdist: bool,
    /// Show the plans.
    pub(crate) explain: bool,
    /// Where evidence is copied to.
    pub(crate) keep: Option<std::path::PathBuf>,
    /// How much is done for the verdict.
    pub(crate) effort: Effort,
    /// Whether the network is left alone.
    pub(crate) offline: bool,
    /// Whose word is taken instead of a rebuild.
    pub(crate) trust: Option<Arc<Trusting>>,
    /// What is asked about images.
    pub(crate) image: ImageWish,
}

impl Request {
    /// Whether the repository that metadata names is wanted in any case: nobody named another source, and nobody's word
    /// may do.
    pub(crate) const fn looks_for_the_repository(&self) -> bool {
        !self.from_sdist
            && self.trust.is_none()
            && self.overrides.source.is_none()
            && self.overrides.reference.is_none()
    }
}

/// How much is done for a verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Effort {
    /// The packer that the publisher used is run in any case.
    #[default]
    Full,
    /// A package that needs no build may be packed without running anything: the verdict is the same, but there is no
    /// build to tell of.
    Least,
}

/// What was built, and what it takes to build it again.
pub(crate) struct Rebuild {
    /// The plan that made it.
    pub(crate) plan: BuildPlan,
    /// The source that it was made from.
    pub(crate) found: FoundSource,
    /// The file.
    pub(crate) artifact: Artifact<Rebuilt>,
    /// Where it lies; gone when this is dropped.
    pub(crate) workspace: Workspace,
}

/// What came of one verification.
pub(crate) struct Answer {
    /// The verdict and what it rests on.
    pub(crate) report: TargetReport,
    /// The build whose result counts, where it made a file.
    pub(crate) rebuild: Option<Rebuild>,
    /// Why the evidence is not where the user wants it; the verdict stands all the same.
    pub(crate) unkept: Option<anyhow::Error>,
}

/// Judges one published file. What others say about where it comes from is asked for meanwhile.
///
/// # Errors
/// This machine could not do its part; nothing is known about the target.
pub(crate) async fn verify(
    case: &Case,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Answer> {
    let asking = provenance::ask(case, &builder.registries);
    let mut rebuilt = rebuild(case, request, builder, progress).await?;
    let mut offered = asking.await??;
    if let Some(found) = &rebuilt.found {
        provenance::complete(&mut offered, case, found, &builder.registries).await?;
    }
    rebuilt.gathered.provenance = offered;
    let judgement = judge(&rebuilt.gathered);
    Ok(Answer {
        report: rebuilt.report.finish(rebuilt.gathered, judgement, request),
        rebuild: rebuilt.rebuild,
        unkept: rebuilt.unkept,
    })
}

/// What came of the stages, before it is judged.
struct Rebuilding {
    report: TargetReport,
    gathered: Evidence,
    /// The source that was used, where one was found.
    found: Option<FoundSource>,
    rebuild: Option<Rebuild>,
    unkept: Option<anyhow::Error>,
}

/// Runs the stages, as far as they lead.
async fn rebuild(
    case: &Case,
    request: &Request,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Rebuilding> {
    let mut report = TargetReport::begin(case);
    let mut gathered = evidence::begin(case);
    let finish = |report, gathered, found| {
        Ok(Rebuilding {
            report,
            gathered,
            found,
            rebuild: None,
            unkept: None,
        })
    };

    let survey = match open::survey(&case.artifact) {
        Ok(survey) => survey,
        Err(Unreadable::Archive(error)) => {
            gathered.result = evidence::malformed(&error);
            return finish(report, gathered, None);
        }
        Err(error @ Unreadable::Open(_)) => return Err(error.into()),
    };
    evidence::add_published(&mut gathered, case, &survey);

    if case.artifact.format == ArtifactFormat::GoModule
        && let Some((checksums, seconds)) =
            module::checksums(case, &survey, builder, progress).await?
    {
        report.seconds.push(("checksums", seconds));
        gathered.checksums = Some(checksums);
    }
    if let Some(info) = &survey.program {
        report.notes.extend(module::program::stated(info));
    }
    let mut examined = None;
    if case.artifact.format == ArtifactFormat::Mcpb {
        let found = bundle::examine(case, &survey, builder, progress).await?;
        report.seconds.push(("packages", found.seconds));
        report.notes.extend(bundle::notes(&found.bundle));
        gathered.bundle = Some(found.bundle.clone());
        // Registries answer for the rest, or that is a finding of its own.
        gathered.native.retain(|file| found.is_own(&file.path));
        examined = Some(found);
    }

    if let Some(trust) = &request.trust {
        match lookup::consult(case, trust, request, progress).await {
            Consulted::Settled(settled) => {
                report.seconds.push(("attestations", settled.seconds));
                report.notes.extend(settled.notes);
                gathered.attested_failures = settled.failures;
                gathered.result = settled.result;
                return finish(report, gathered, None);
            }
            Consulted::Open(notes) => report.notes.extend(notes),
        }
    }

    let stage = progress.begin("source", "finding the repository and the commit");
    let located = match locate(case, &survey, request, builder).await? {
        Ok(located) => located,
        Err((reason, detail)) => {
            report.seconds.push(("source", stage.end(&detail)));
            gathered.result = ResultEvidence::NotCompared { reason, detail };
            return finish(report, gathered, None);
        }
    };
    report.seconds.push(("source", stage.end(&located.words())));
    report.notes.extend(located.notes.iter().cloned());
    evidence::add_source(&mut gathered, case, &survey, &located.found);

    if case.artifact.format == ArtifactFormat::GoModule {
        return hold_module(
            case, &survey, located, request, report, gathered, builder, progress,
        )
        .await;
    }
    if let Some(mut examined) = examined {
        let held = bundle::hold(&mut examined, &survey, &located.found);
        report.files = Some(held.files);
        if held.may_be_built(&survey, &located.found) {
            let built =
                bundle::build(case, &examined, &survey, &located, held, builder, progress).await?;
            report.files = Some(built.files);
            report.plan = built.plan;
            report.tried = built.tried;
            report.failure = built.failure;
            if let Some(record) = built.record {
                report.seconds.extend(record.seconds.clone());
                report.notes.extend(gap_notes(&record.gaps));
                evidence::add_build(&mut gathered, &survey, record);
            }
            gathered.result = built.result;
        } else {
            gathered.result = held.unbuilt(&examined.bundle);
        }
        gathered.bundle = Some(examined.bundle);
        return finish(report, gathered, Some(located.found));
    }

    if request.effort == Effort::Least
        && located.basis == Basis::Rebuild
        && let Some(packed) = source_tree::pack(case, &survey, &located, builder, progress).await?
    {
        evidence::add_rebuilt(&mut gathered, case, &packed.artifact);
        gathered.result = ResultEvidence::Compared {
            basis: Basis::SourceTree,
            comparison: Comparison::Identical,
        };
        // It is the same file.
        gathered.rebuilt_anomalies = survey.anomalies.clone();
        report.seconds.push(("pack", packed.seconds));
        report.files = Some((packed.files, packed.files));
        report.rebuilt = Some(packed.artifact.clone());
        return finish(report, gathered, Some(located.found));
    }

    let plans = match planning::plans(case, &survey, &located, builder) {
        Ok(plans) => plans,
        Err(error) => {
            gathered.result = evidence::no_plan(&error);
            return finish(report, gathered, Some(located.found));
        }
    };
    if request.explain {
        progress.note(&plan_words(&plans));
    }

    let mut attempted = attempt(case, &survey, &plans, &located, builder, progress).await?;
    let mut found = located.found.clone();
    let otherwise = located.otherwise();
    if attempted.is_different()
        && let Some(otherwise) = &otherwise
        && let Ok(plans) = planning::plans(case, &survey, otherwise, builder)
    {
        let mut again = attempt(case, &survey, &plans, otherwise, builder, progress).await?;
        again.compare_seconds += attempted.compare_seconds;
        if again.is_match() {
            // It explains the file; that nothing vouches for its commit is a finding.
            again.tried.splice(0..0, attempted.tried);
            attempted = again;
            found.clone_from(&otherwise.found);
            evidence::add_source(&mut gathered, case, &survey, &otherwise.found);
            report.notes.push(format!(
                "{} does not explain it, commit {} does",
                located.words(),
                otherwise.found.pin.commit.short()
            ));
        }
    }
    let unkept = request
        .keep
        .as_ref()
        .and_then(|directory| keep::keep(case, &attempted, directory).err());
    let matched = attempted.is_match();
    let mut rebuild = None;
    if let Some(executed) = attempted.executed {
        gathered.consumed_published = executed.consumed_published;
        if let BuildOutcome::Built(artifact) = &executed.outcome {
            report.rebuilt = Some(artifact.clone());
            evidence::add_rebuilt(&mut gathered, case, artifact);
            rebuild = attempted.plan.clone().map(|plan| Rebuild {
                plan,
                found: found.clone(),
                artifact: artifact.clone(),
                workspace: executed.workspace,
            });
        }
        report.seconds.extend(executed.record.seconds.clone());
        report.notes.extend(gap_notes(&executed.record.gaps));
        evidence::add_build(&mut gathered, &survey, executed.record);
    }
    if let Some(record) = &gathered.build {
        report.notes.extend(if matched {
            module::program::assumed(record)
        } else {
            module::program::left_out(record)
        });
    }
    gathered.result = attempted.result;
    evidence::explain_by_gaps(&mut gathered);
    gathered.rebuilt_anomalies = attempted.rebuilt_anomalies;
    report.seconds.push(("compare", attempted.compare_seconds));
    report.plan = attempted.plan;
    report.tried = attempted.tried;
    report.files = attempted.files;
    report.traced = attempted.traced;
    report.gzip_encoder = attempted.gzip_encoder;
    report.failure = attempted.failure;
    Ok(Rebuilding {
        unkept,
        rebuild,
        ..finish(report, gathered, Some(found))?
    })
}

/// A module is packed from its source, not built: from the commit of its tag, or where that does not explain it, from
/// the one that its proxy says it used.
#[expect(
    clippy::too_many_arguments,
    reason = "a part of the pipeline, called once"
)]
async fn hold_module(
    case: &Case,
    survey: &Survey,
    located: Located,
    request: &Request,
    mut report: TargetReport,
    mut gathered: Evidence,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Rebuilding> {
    let mut held = module::hold(case, &located, builder, progress).await?;
    let mut found = located.found.clone();
    if !held.is_match()
        && let Some(otherwise) = located.otherwise()
    {
        let again = module::hold(case, &otherwise, builder, progress).await?;
        if again.is_match() {
            // It explains the file; that the tag leads elsewhere is a finding.
            report.notes.push(format!(
                "{} does not explain it, commit {} does",
                located.words(),
                otherwise.found.pin.commit.short()
            ));
            found.clone_from(&otherwise.found);
            evidence::add_source(&mut gathered, case, survey, &otherwise.found);
            held = again;
        }
    }
    report.seconds.push(("pack", held.seconds));
    let mut unkept = None;
    if let Some(made) = &held.made {
        if let Some(directory) = &request.keep {
            unkept = keep::keep_packed(case, &made.artifact, directory).err();
        }
        if let Some(checksums) = &mut gathered.checksums {
            checksums.source.clone_from(&made.digest);
        }
        evidence::add_rebuilt(&mut gathered, case, &made.artifact);
        gathered.rebuilt_anomalies.clone_from(&made.anomalies);
        report.rebuilt = Some(made.artifact.clone());
        report.files = Some(made.files);
        report.traced = Some(made.traced);
    }
    if let Some(checksums) = &gathered.checksums {
        report.notes.extend(module::notes(checksums));
    }
    gathered.result = held.result;
    Ok(Rebuilding {
        report,
        gathered,
        found: Some(found),
        rebuild: None,
        unkept,
    })
}
