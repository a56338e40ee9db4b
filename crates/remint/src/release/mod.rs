//! Whether a release may be signed: its tag is built twice, the second time under other conditions, and both builds and
//! the file at hand have to be alike.

mod conditions;
mod diagnosis;
mod human;
mod json;
mod report;
mod signing;
mod telltales;

use remint_compare::normalise;
use remint_compare::{Compared, Erasing, Options};
use remint_judge::ResultEvidence;
use remint_model::{
    Artifact, Basis, BuildOutcome, BuildPlan, Comparison, Difference, EntryPath, Erasure, Failure,
    FailureReason, InconclusiveReason, Outcome, Rebuilt,
};

use crate::attempts::{failure_words, withheld};
use crate::build::{Builder, Conditions, Executed};
use crate::open::{self, Unreadable};
use crate::pipeline::{self, Rebuild, Request};
use crate::progress::{Progress, Stage};
use crate::report::TargetReport;
use crate::resolve::Case;

use conditions::Condition;
pub(crate) use conditions::Variation;
pub(crate) use diagnosis::Diagnosed;
pub(crate) use human::render as render_for_people;
pub(crate) use json::render as render_as_json;
pub(crate) use report::{PublicSource, ReleaseReport};
pub(crate) use signing::sign;

/// What an examination needs.
pub(crate) struct Examination<'a> {
    pub(crate) case: &'a Case,
    pub(crate) request: &'a Request,
    pub(crate) builder: &'a Builder,
    pub(crate) progress: &'a Progress,
    /// Leave out the builds that find causes.
    pub(crate) quick: bool,
}

/// What came of it.
pub(crate) struct Examined {
    /// The first build against the file at hand, judged as any published file is.
    pub(crate) report: TargetReport,
    /// The first build; `None` where it made nothing.
    pub(crate) rebuild: Option<Rebuild>,
    /// What was varied in the second build.
    pub(crate) varied: Vec<Variation>,
    /// What had to be erased for the two builds to be alike.
    pub(crate) erased_between_builds: Vec<Erasure>,
    /// What had to be erased for the file at hand and the first build to be alike.
    pub(crate) erased_from_artifact: Vec<Erasure>,
    /// Whether it may be signed.
    pub(crate) verdict: Verdict,
}

/// Whether a release may be signed.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may.
    Sound,
    /// It may not.
    Refused(Refusal),
    /// It could not be found out.
    Open {
        reason: InconclusiveReason,
        detail: String,
    },
}

/// Why a release is not signed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Two builds of its source differ.
    BuildsDiffer(Vec<Diagnosed>),
    /// Its source does not build under other conditions.
    BuildFails {
        failure: Failure,
        /// The one that alone makes it fail, in words.
        cause: Option<&'static str>,
    },
    /// The file at hand is not what its source builds.
    ArtifactDiffers(Vec<Difference>),
    /// It is, and there are findings.
    Findings,
}

impl Refusal {
    /// The word for it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::BuildsDiffer(_) => "builds-differ",
            Self::BuildFails { .. } => "build-fails",
            Self::ArtifactDiffers(_) => "artifact-differs",
            Self::Findings => "findings",
        }
    }
}

impl Examination<'_> {
    /// Builds twice, and holds the builds against each other and against the file at hand.
    ///
    /// 1. The first build is judged against the file at hand, as `verify-build` does.
    /// 2. The plan that came closest is executed again under other conditions. Where it fails, it is found out under
    ///    which.
    /// 3. Where the two builds differ, the cause is looked for.
    /// 4. The file at hand has to be what the first build made.
    ///
    /// # Errors
    /// This machine could not do its part; nothing is known about the release.
    pub(crate) async fn run(&self) -> anyhow::Result<Examined> {
        let answer = pipeline::verify(self.case, self.request, self.builder, self.progress).await?;
        let mut examined = Examined {
            verdict: unbuilt(&answer.report),
            report: answer.report,
            rebuild: answer.rebuild,
            varied: Vec::new(),
            erased_between_builds: Vec::new(),
            erased_from_artifact: Vec::new(),
        };
        let Some(rebuild) = &examined.rebuild else {
            return Ok(examined);
        };
        let Some(comparison) = comparison(&examined.report) else {
            return Ok(examined);
        };

        let ecosystem = self.case.target.ecosystem;
        let mut varied = conditions::variations(&rebuild.plan, ecosystem, self.builder).await?;
        let plan = conditions::with_probe(&rebuild.plan, ecosystem);
        let held = loop {
            match self.second(&plan, rebuild, &mut varied).await? {
                Second::Held(held) => break held,
                Second::Open(reason, detail) => {
                    examined.verdict = Verdict::Open { reason, detail };
                    return Ok(examined);
                }
                Second::Fails(failure) => {
                    let cause = diagnosis::why_it_fails(self, rebuild, &varied).await?;
                    // A directory whose files lie in two layers cannot be renamed, which is no fault of the build.
                    if cause == Some(Condition::DirectoryOrder) {
                        varied.retain(|variation| Some(variation.condition) != cause);
                        continue;
                    }
                    examined.verdict = Verdict::Refused(Refusal::BuildFails {
                        failure,
                        cause: cause.map(Condition::words),
                    });
                    examined.varied = varied;
                    return Ok(examined);
                }
            }
        };
        examined.verdict = if !held.differences.is_empty() {
            let diagnosed = diagnosis::diagnose(self, rebuild, &varied, held.differences).await?;
            Verdict::Refused(Refusal::BuildsDiffer(diagnosed))
        } else {
            let (erased, verdict) = self
                .artifact(&examined.report, &comparison, rebuild)
                .await?;
            examined.erased_from_artifact = erased;
            verdict
        };
        examined.erased_between_builds = held.erased;
        examined.varied = varied;
        Ok(examined)
    }

    /// One more build of the same source.
    async fn execute(
        &self,
        plan: &BuildPlan,
        rebuild: &Rebuild,
        conditions: Conditions,
        stage: &Stage<'_>,
    ) -> anyhow::Result<Executed> {
        self.builder
            .under(conditions)
            .execute(plan, &rebuild.found, Some(withheld(self.case)), stage)
            .await
    }

    /// A second build, with these conditions changed; one that could not be changed is taken out.
    async fn second(
        &self,
        plan: &BuildPlan,
        rebuild: &Rebuild,
        varied: &mut Vec<Variation>,
    ) -> anyhow::Result<Second> {
        let stage = self
            .progress
            .begin("again", "a second build, under other conditions");
        let conditions = conditions::conditions(varied.iter());
        let executed = self.execute(plan, rebuild, conditions, &stage).await?;
        let failed = &executed.record.failed_commands;
        if failed.iter().any(|command| conditions::is_probe(command)) {
            varied.retain(|variation| variation.condition != Condition::Clock);
        }
        let failure = match &executed.outcome {
            BuildOutcome::Built(second) => {
                return Ok(match hold(second, &rebuild.artifact).await? {
                    Ok(held) => {
                        stage.end(&held.words());
                        Second::Held(held)
                    }
                    Err(detail) => {
                        stage.end(&detail);
                        let detail = format!("the second build cannot be read: {detail}");
                        Second::Open(InconclusiveReason::Malformed, detail)
                    }
                });
            }
            BuildOutcome::Failed(failure) => failure,
        };
        let words = failure_words(failure);
        stage.end(&words);
        let open = |reason| Second::Open(reason, format!("the second build: {words}"));
        Ok(match &failure.reason {
            FailureReason::RegistryUnavailable(_) => open(InconclusiveReason::Unavailable),
            FailureReason::Source(reason, _) => open(*reason),
            FailureReason::Deadline(_)
            | FailureReason::Memory(_)
            | FailureReason::Disk(_)
            | FailureReason::Downloads(_)
            | FailureReason::DependencyGone(_)
            | FailureReason::ToolUnavailable(_) => open(InconclusiveReason::NotBuilt),
            FailureReason::ExitCode(_)
            | FailureReason::Signal(_)
            | FailureReason::NeedsNetwork
            | FailureReason::NoArtifact(_)
            | FailureReason::Refused(_) => Second::Fails(failure.clone()),
        })
    }

    /// Two builds are alike; what they are to the file at hand.
    async fn artifact(
        &self,
        report: &TargetReport,
        comparison: &Comparison,
        rebuild: &Rebuild,
    ) -> anyhow::Result<(Vec<Erasure>, Verdict)> {
        let judgement = &report.judgement;
        let differs = |differences| Verdict::Refused(Refusal::ArtifactDiffers(differences));
        let (erased, verdict) = match (judgement.outcome, comparison) {
            (Outcome::Inconclusive, _) => (Vec::new(), unbuilt(report)),
            (_, Comparison::Different { differences, .. }) => {
                (Vec::new(), differs(differences.clone()))
            }
            (outcome, Comparison::Identical | Comparison::Equivalent { .. }) => {
                match hold(&self.case.artifact, &rebuild.artifact).await? {
                    Ok(held) if held.differences.is_empty() => (
                        held.erased,
                        match outcome {
                            Outcome::Verified => Verdict::Sound,
                            Outcome::Failed => Verdict::Refused(Refusal::Findings),
                            Outcome::Inconclusive => unbuilt(report),
                        },
                    ),
                    Ok(held) => (held.erased, differs(held.differences)),
                    Err(detail) => (
                        Vec::new(),
                        Verdict::Open {
                            reason: InconclusiveReason::Malformed,
                            detail,
                        },
                    ),
                }
            }
        };
        Ok((erased, verdict))
    }
}

/// What came of a second build.
enum Second {
    Held(Held),
    /// It made nothing, and that says something about the source.
    Fails(Failure),
    /// It made nothing, and that says nothing.
    Open(InconclusiveReason, String),
}

/// What a first build that cannot be held against anything says.
fn unbuilt(report: &TargetReport) -> Verdict {
    let judgement = &report.judgement;
    match judgement.outcome {
        Outcome::Failed => Verdict::Refused(Refusal::Findings),
        Outcome::Verified | Outcome::Inconclusive => Verdict::Open {
            reason: judgement.reason.unwrap_or(InconclusiveReason::NotBuilt),
            detail: judgement
                .detail
                .clone()
                .unwrap_or_else(|| "nothing was built".to_owned()),
        },
    }
}

/// The first build against the file at hand, where it was built from the repository.
fn comparison(report: &TargetReport) -> Option<Comparison> {
    match &report.evidence.as_ref()?.result {
        ResultEvidence::Compared {
            basis: Basis::Rebuild,
            comparison,
        } => Some(comparison.clone()),
        ResultEvidence::Compared { .. } | ResultEvidence::NotCompared { .. } => None,
    }
}

/// Two files held against each other, with nothing erased inside of files.
#[derive(Debug)]
struct Held {
    erased: Vec<Erasure>,
    differences: Vec<Difference>,
}

impl Held {
    fn words(&self) -> String {
        match (self.differences.len(), self.erased.len()) {
            (0, 0) => "the same, bit for bit".to_owned(),
            (0, _) => "the same but for metadata of the archive".to_owned(),
            (1, _) => "1 difference".to_owned(),
            (n, _) => format!("{n} differences"),
        }
    }
}

/// Holds two files against each other; what only the first has is shown with `+`. The inner error says that one of them
/// cannot be read as an archive.
async fn hold<One>(
    one: &Artifact<One>,
    other: &Artifact<Rebuilt>,
) -> anyhow::Result<Result<Held, String>> {
    let format = one.format;
    let (one, other) = (one.path.clone(), other.path.clone());
    let compared = tokio::task::spawn_blocking(move || {
        let strictly = Options {
            erasing: Erasing::ArchivesOnly,
            ..Options::default()
        };
        let usual = open::hold_against(format, &one, &other, &Options::default())?;
        match &usual.comparison {
            Comparison::Equivalent { erased } if erased.iter().any(concerns_contents) => {
                open::hold_against(format, &one, &other, &strictly)
            }
            Comparison::Different { erased, .. } if erased.iter().any(concerns_contents) => {
                let mut strict = open::hold_against(format, &one, &other, &strictly)?;
                // A wheel's list of digests follows from the files that differ.
                if let Comparison::Different { differences, .. } = &mut strict.comparison {
                    differences.retain(|difference| !is_record(&difference.path));
                }
                Ok(strict)
            }
            Comparison::Identical
            | Comparison::Equivalent { .. }
            | Comparison::Different { .. } => Ok(usual),
        }
    })
    .await?;
    match compared {
        Ok(Compared { comparison, .. }) => Ok(Ok(match comparison {
            Comparison::Identical => Held {
                erased: Vec::new(),
                differences: Vec::new(),
            },
            Comparison::Equivalent { erased } => Held {
                erased,
                differences: Vec::new(),
            },
            Comparison::Different {
                erased,
                differences,
            } => Held {
                erased,
                differences,
            },
        })),
        Err(Unreadable::Archive(error)) => Ok(Err(error.to_string())),
        Err(error @ Unreadable::Open(_)) => Err(error.into()),
    }
}

fn is_record(path: &EntryPath) -> bool {
    path.as_str().ends_with(".dist-info/RECORD")
}

fn concerns_contents(erasure: &Erasure) -> bool {
    normalise::ALL
        .iter()
        .find(|normaliser| normaliser.id == erasure.normaliser)
        .is_none_or(normalise::Normaliser::concerns_contents)
}
