//! Tries the plans in order until one reproduces the published file, and keeps the result that came closest.

use std::collections::VecDeque;
use std::sync::Arc;

use remint_compare::normalise::{seeded_from_published, windows_line_ends};
use remint_compare::{Known, PythonSyntax, Traced};
use remint_ecosystem::npm::substitute::without_gone;
use remint_ecosystem::published_with_crlf;
use remint_fetch::Withheld;
use remint_judge::ResultEvidence;
use remint_model::{
    Anomaly, Artifact, Assumption, AssumptionKind, Basis, BuildOutcome, BuildPlan, Comparison,
    Failure, FailureReason, InconclusiveReason, Lock, Phase, Rebuilt, SourceTree, Survey, Worth,
};

use crate::as_committed;
use crate::build::{Builder, Executed};
use crate::cli::GoneDependencies;
use crate::failed_installs::{FailedInstall, Install};
use crate::locate::Located;
use crate::open::{self, Unreadable};
use crate::progress::Progress;
use crate::python_syntax;
use crate::report::{Tried, count_words};
use crate::resolve::Case;
use crate::settings::given_size;
use crate::vouching::{AtStake, Fuller};

/// What came of the plans.
pub(crate) struct Attempted {
    /// The plan whose result counts.
    pub(crate) plan: Option<BuildPlan>,
    /// Its execution.
    pub(crate) executed: Option<Executed>,
    /// The comparison, or why there is none.
    pub(crate) result: ResultEvidence,
    /// What the rebuilt archive has that no honest packer writes.
    pub(crate) rebuilt_anomalies: Vec<Anomaly>,
    /// Files that are equal, and files in all.
    pub(crate) files: Option<(usize, usize)>,
    /// How much of the published code the rebuild has, too.
    pub(crate) traced: Option<Traced>,
    /// The encoder that makes the published archive's bytes of the rebuilt content, where one was found.
    pub(crate) gzip_encoder: Option<&'static str>,
    /// The failure of the plan whose result counts.
    pub(crate) failure: Option<Failure>,
    /// All plans, in words.
    pub(crate) tried: Vec<Tried>,
    /// What comparing took.
    pub(crate) compare_seconds: f64,
}

impl Attempted {
    /// Whether what came closest differs.
    pub(crate) const fn is_different(&self) -> bool {
        matches!(
            self.result,
            ResultEvidence::Compared {
                comparison: Comparison::Different { .. },
                ..
            }
        )
    }

    /// Whether a plan reproduced the published file.
    pub(crate) const fn is_match(&self) -> bool {
        matches!(
            self.result,
            ResultEvidence::Compared {
                comparison: Comparison::Identical | Comparison::Equivalent { .. },
                ..
            }
        )
    }
}

/// A result, with how close it came: smaller is closer.
struct Candidate {
    distance: usize,
    /// Whether the published program says that it was made of the same, with the same flags: where it differs
    /// nevertheless, no other flags are an excuse.
    is_alike: bool,
    plan: BuildPlan,
    executed: Executed,
    /// What it came to, or why it says nothing.
    compared: Result<Match, ResultEvidence>,
    /// The same for people.
    words: String,
}

/// How often an installation is tried again without what is gone.
const MOST_SUBSTITUTIONS: usize = 6;

/// Tries the plans; at least one.
pub(crate) async fn attempt(
    case: &Case,
    survey: &Survey,
    plans: &[BuildPlan],
    located: &Located,
    builder: &Builder,
    progress: &Progress,
) -> anyhow::Result<Attempted> {
    let mut best: Option<Candidate> = None;
    let mut tried = Vec::new();
    let mut compare_seconds = 0.0;
    let mut failed_installs: Vec<FailedInstall> = Vec::new();
    let mut fuller = Fuller::default();
    let mut left_open = None;
    let mut substitutions = 0_usize;
    let python = {
        let known = builder.clone();
        let cancel = Arc::clone(&builder.cancel);
        python_syntax::syntax(&builder.settings, cancel, move || known.newest_python())
    };
    let mut queue: VecDeque<BuildPlan> = plans.iter().cloned().collect();
    while let Some(plan) = queue.pop_front() {
        let built = best.as_ref().is_some_and(|best| best.compared.is_ok());
        if plan.worth == Worth::WhenNothingBuilt && built {
            continue;
        }
        let install = Install::of(&plan);
        if let Some(why) = failed_installs
            .iter()
            .find_map(|failed| failed.rules_out(&install))
        {
            tried.push(Tried {
                variant: plan.variant.clone(),
                result: format!("not tried: {why}"),
            });
            continue;
        }
        let stage = progress.begin("build", &plan.variant);
        let executed = builder
            .execute(&plan, &located.found, Some(withheld(case)), &stage)
            .await?;
        let commands = count_words(executed.record.commands.len(), "command");
        let (mut distance, mut words, mut compared) = match &executed.outcome {
            BuildOutcome::Failed(failure) => {
                (usize::MAX, failure_words(failure), Err(not_built(failure)))
            }
            BuildOutcome::Built(artifact) => {
                let known = known(case, located, &plan);
                let (compared, seconds) = compare(case, artifact, known, python.clone()).await?;
                let tree = &located.found.tree;
                let compared = compared.map(|matched| matched.told_by(&plan, survey, tree));
                compare_seconds += seconds;
                match compared {
                    Ok(matched) => (
                        distance(&matched.comparison),
                        comparison_words(&matched.comparison, matched.files),
                        Ok(matched),
                    ),
                    Err(why) => {
                        let result = not_compared(InconclusiveReason::Malformed, why.clone());
                        (usize::MAX - 1, why, Err(result))
                    }
                }
            }
        };
        if let Ok(Match { comparison, .. }) = &compared {
            let at_stake = AtStake {
                format: case.artifact.format,
                survey,
                tree: &located.found.tree,
                unlisted: &executed.record.unlisted,
                edits: &plan.edits,
            };
            let objection = if plan.worth == Worth::Shortcut {
                fuller.objection_to_shortcut(at_stake)
            } else {
                fuller.learn(comparison, &executed.record);
                fuller.objection(at_stake)
            };
            if let Some(objection) = objection.filter(|_| distance <= 1) {
                words = format!("{words}; not taken: {}", objection.words);
                if objection.leaves_open {
                    left_open.get_or_insert_with(|| format!("{}: {words}", plan.variant));
                }
                (distance, compared) = (
                    usize::MAX - 1,
                    Err(not_compared(InconclusiveReason::NotBuilt, words.clone())),
                );
            }
        }
        stage.end(&format!("{}: {words} ({commands})", plan.variant));
        tried.push(Tried {
            variant: plan.variant.clone(),
            result: words.clone(),
        });
        if let BuildOutcome::Failed(failure) = &executed.outcome
            && failure.phase == Some(Phase::Install)
        {
            failed_installs.push(FailedInstall {
                install,
                reason: failure.reason.clone(),
            });
            let moment = case.uploaded.unwrap_or(located.found.pin.commit_time);
            if let Some(other) = without_gone(&plan, &located.found.tree, &executed.gone, moment) {
                match builder.settings.gone_dependencies {
                    // Once for all plans that install the same; again where more turns out to be gone.
                    GoneDependencies::Substitute if substitutions < MOST_SUBSTITUTIONS => {
                        substitutions += 1;
                        queue.push_back(other);
                    }
                    GoneDependencies::Substitute => {}
                    GoneDependencies::Refuse => {
                        words.push_str(
                            " (`--gone-dependencies substitute` builds with another version of it)",
                        );
                        compared = Err(not_compared(InconclusiveReason::NotBuilt, words.clone()));
                    }
                }
            }
            if let Lock::AsOf { time: Some(_) } = plan.lock {
                // A registry's times can be those of a mirror: what was there on that day seems not to have been.
                queue.iter_mut().for_each(as_of_today);
                let mut again = plan.clone();
                as_of_today(&mut again);
                queue.push_front(again);
            }
        }
        let is_alike = match (&survey.program, &executed.program) {
            (Some(published), Some(rebuilt)) => published.says_it_was_built_alike(rebuilt),
            _ => false,
        };
        let stop = distance <= 1 || is_hopeless(&executed.outcome);
        let unasked = unavailable(&executed.outcome);
        let takes = best.as_ref().is_none_or(|best| {
            // What leaves out steps may come closer without being nearer to the truth.
            let strays = plan.worth == Worth::Shortcut && distance > 1 && best.compared.is_ok();
            let is_closer = (distance, !is_alike) < (best.distance, !best.is_alike);
            is_closer && !strays
        });
        if takes {
            best = Some(Candidate {
                distance,
                is_alike,
                plan: plan.clone(),
                executed,
                compared,
                words,
            });
        } else if let (Some(what), Some(best)) = (unasked, &mut best)
            && best.compared.is_ok()
        {
            // That plan might have matched: a registry's silence is no difference.
            best.compared = Err(not_compared(
                InconclusiveReason::Unavailable,
                format!(
                    "what was built differs ({}), and one more build could not be tried: {what}",
                    best.words
                ),
            ));
        }
        if stop {
            break;
        }
    }
    if let (Some(why), Some(best)) = (left_open, &mut best)
        && best.compared.as_ref().is_ok_and(Match::is_different)
    {
        // What differs from a full build is not held against a release that is explained otherwise.
        best.compared = Err(not_compared(InconclusiveReason::NotBuilt, why));
    }
    Ok(conclude(best, tried, located.basis, compare_seconds))
}

/// Lets a plan without a lockfile install what the registries offer now.
fn as_of_today(plan: &mut BuildPlan) {
    if let Lock::AsOf { time } = &mut plan.lock
        && time.take().is_some()
    {
        plan.assumptions
            .retain(|assumption| assumption.kind != AssumptionKind::ResolvedAsOf);
        plan.assumptions.push(Assumption {
            kind: AssumptionKind::ResolvedAsOf,
            value: "today".to_owned(),
            from: "the registry does not offer what is needed as of the release".to_owned(),
        });
        plan.variant.push_str(", dependencies as of today");
    }
}

fn conclude(
    best: Option<Candidate>,
    tried: Vec<Tried>,
    basis: Basis,
    compare_seconds: f64,
) -> Attempted {
    let Some(best) = best else {
        return Attempted {
            plan: None,
            executed: None,
            result: not_compared(
                InconclusiveReason::Unsupported,
                "no way to build this project is known".to_owned(),
            ),
            rebuilt_anomalies: Vec::new(),
            files: None,
            traced: None,
            gzip_encoder: None,
            failure: None,
            tried,
            compare_seconds,
        };
    };
    let failure = match &best.executed.outcome {
        BuildOutcome::Failed(failure) => Some(failure.clone()),
        BuildOutcome::Built(_) => None,
    };
    let (result, rebuilt_anomalies, files, traced, gzip_encoder) = match best.compared {
        Ok(matched) => (
            ResultEvidence::Compared {
                basis,
                comparison: matched.comparison,
            },
            matched.anomalies,
            Some(matched.files),
            Some(matched.traced),
            matched.gzip_encoder,
        ),
        Err(result) => (result, Vec::new(), None, None, None),
    };
    Attempted {
        plan: Some(best.plan),
        executed: Some(best.executed),
        result,
        rebuilt_anomalies,
        files,
        traced,
        gzip_encoder,
        failure,
        tried,
        compare_seconds,
    }
}

pub(crate) fn withheld(case: &Case) -> Withheld {
    Withheld {
        target: case.target.clone(),
        sha256: case.artifact.sha256,
        sha512: case.artifact.sha512,
        size: case.artifact.size,
    }
}

type Compared = Result<Match, String>;

/// A comparison, and what belongs to it.
struct Match {
    comparison: Comparison,
    anomalies: Vec<Anomaly>,
    files: (usize, usize),
    traced: Traced,
    gzip_encoder: Option<&'static str>,
}

impl Match {
    const fn is_different(&self) -> bool {
        matches!(self.comparison, Comparison::Different { .. })
    }

    /// With what the published file had a say in: it proves nothing about that.
    fn told_by(mut self, plan: &BuildPlan, survey: &Survey, tree: &SourceTree) -> Self {
        let seeded = seeded_from_published(self.comparison, &seeded(plan));
        let ended = windows_line_ends(seeded, &published_with_crlf(plan, survey));
        self.comparison = as_committed::explained(ended, survey, tree);
        self
    }
}

/// What explanations of this plan's result may name.
fn known(case: &Case, located: &Located, plan: &BuildPlan) -> Known {
    Known {
        versions: vec![case.target.version.as_str().to_owned()],
        commits: vec![located.found.pin.commit.as_str().to_owned()],
        build_paths: vec![plan.build_path.clone()],
    }
}

/// The files of the published archive that the build was given.
fn seeded(plan: &BuildPlan) -> Vec<String> {
    plan.assumptions
        .iter()
        .filter(|assumption| assumption.kind == AssumptionKind::SeededLockfile)
        .filter_map(|assumption| Some(assumption.value.rsplit('/').next()?.to_owned()))
        .collect()
}

async fn compare(
    case: &Case,
    rebuilt: &Artifact<Rebuilt>,
    known: Known,
    python: PythonSyntax,
) -> anyhow::Result<(Compared, f64)> {
    let started = std::time::Instant::now();
    let (published, rebuilt) = (case.artifact.clone(), rebuilt.clone());
    let compared =
        tokio::task::spawn_blocking(move || open::compare(&published, &rebuilt, known, python))
            .await?;
    let seconds = started.elapsed().as_secs_f64();
    match compared {
        Ok(compared) => Ok((
            Ok(Match {
                comparison: compared.comparison,
                anomalies: compared.rebuilt_anomalies,
                files: (compared.entries.equal, compared.entries.published),
                traced: compared.traced,
                gzip_encoder: compared.gzip_encoder,
            }),
            seconds,
        )),
        Err(Unreadable::Archive(error)) => Ok((Err(error.to_string()), seconds)),
        Err(error @ Unreadable::Open(_)) => Err(error.into()),
    }
}

/// 0 identical, 1 equivalent, then by the number of differences.
fn distance(comparison: &Comparison) -> usize {
    match comparison {
        Comparison::Identical => 0,
        Comparison::Equivalent { .. } => 1,
        Comparison::Different { differences, .. } => differences.len().saturating_add(1),
    }
}

/// Whether no other plan can fare better: the same dependencies would be missing, or there is no machine for it.
fn is_hopeless(outcome: &BuildOutcome) -> bool {
    match outcome {
        BuildOutcome::Built(_) => false,
        BuildOutcome::Failed(failure) => matches!(
            failure.reason,
            FailureReason::RegistryUnavailable(_)
                | FailureReason::Source(..)
                | FailureReason::Deadline(_)
                | FailureReason::Downloads(_)
        ),
    }
}

/// What of a registry kept a plan from being tried.
fn unavailable(outcome: &BuildOutcome) -> Option<String> {
    match outcome {
        BuildOutcome::Failed(Failure {
            reason: FailureReason::RegistryUnavailable(what),
            ..
        }) => Some(what.clone()),
        BuildOutcome::Failed(_) | BuildOutcome::Built(_) => None,
    }
}

const fn not_compared(reason: InconclusiveReason, detail: String) -> ResultEvidence {
    ResultEvidence::NotCompared { reason, detail }
}

pub(crate) fn not_built(failure: &Failure) -> ResultEvidence {
    let reason = match &failure.reason {
        FailureReason::RegistryUnavailable(_) => InconclusiveReason::Unavailable,
        FailureReason::Source(reason, _) => *reason,
        FailureReason::ExitCode(_)
        | FailureReason::Signal(_)
        | FailureReason::Deadline(_)
        | FailureReason::Memory(_)
        | FailureReason::Disk(_)
        | FailureReason::Downloads(_)
        | FailureReason::NeedsNetwork
        | FailureReason::DependencyGone(_)
        | FailureReason::ToolUnavailable(_)
        | FailureReason::NoArtifact(_)
        | FailureReason::Refused(_) => InconclusiveReason::NotBuilt,
    };
    not_compared(reason, failure_words(failure))
}

/// One sentence on why a build made nothing.
pub(crate) fn failure_words(failure: &Failure) -> String {
    let step = &failure.step;
    match &failure.reason {
        FailureReason::ExitCode(code) => {
            format!("the source did not build: `{step}` ended with code {code}")
        }
        FailureReason::Signal(signal) => {
            format!("the source did not build: signal {signal} ended `{step}`")
        }
        FailureReason::Deadline(seconds) => format!(
            "the source did not build within {}: `{step}` was still running (`--deadline` gives it more)",
            count_words(
                usize::try_from(seconds / 60).unwrap_or(usize::MAX),
                "minute"
            )
        ),
        FailureReason::Memory(bytes) => format!(
            "the source did not build: `{step}` needed more than {} of memory (`--memory` gives it more)",
            given_size(*bytes)
        ),
        FailureReason::Disk(bytes) => format!(
            "the source did not build: `{step}` wrote more than {} (`--disk` gives it more)",
            given_size(*bytes)
        ),
        FailureReason::Downloads(bytes) => format!(
            "the source did not build: `{step}` fetched more than {} (REMINT_DOWNLOADS gives it more)",
            given_size(*bytes)
        ),
        FailureReason::NeedsNetwork => format!(
            "build-needs-network: `{step}` failed after asking for the network, which builds do not have (`--build-network registries` lets it reach the registries)"
        ),
        FailureReason::DependencyGone(url) => {
            format!(
                "the source did not build: the registry no longer has {url}, which it is locked to"
            )
        }
        FailureReason::Source(_, what) => format!("the source could not be laid out: {what}"),
        FailureReason::RegistryUnavailable(what) => format!("a registry did not answer: {what}"),
        FailureReason::ToolUnavailable(what) => {
            format!("a tool for the build is not to be had: {what}")
        }
        FailureReason::NoArtifact(what) => format!("the source did not build: {what}"),
        FailureReason::Refused(what) => {
            format!("the build asked for something that is refused: {what}")
        }
    }
}

fn comparison_words(comparison: &Comparison, (equal, total): (usize, usize)) -> String {
    match comparison {
        Comparison::Identical => "identical".to_owned(),
        Comparison::Equivalent { erased } => {
            let names: Vec<_> = erased.iter().map(|erasure| erasure.normaliser).collect();
            format!("equivalent, erased: {}", names.join(", "))
        }
        Comparison::Different { differences, .. } => format!(
            "{}, {equal} of {} equal",
            count_words(differences.len(), "difference"),
            count_words(total, "file")
        ),
    }
}
