//! Tries the plans in order until one reproduces the published file, and keeps the result that came closest.

use std::collections::{BTreeSet, VecDeque};

use remint_fetch::Withheld;
use remint_judge::ResultEvidence;
use remint_model::{
    Anomaly, Artifact, Assumption, AssumptionKind, Basis, BuildOutcome, BuildPlan, Change, Class,
    Comparison, Edit, EntryPath, Failure, FailureReason, InconclusiveReason, Lock, Phase, Rebuilt,
    SourceTree, Step, Survey, Tool, Worth,
};

use crate::build::{Builder, Executed};
use crate::locate::Located;
use crate::open::{self, Unreadable};
use crate::progress::Progress;
use crate::report::{Tried, count_words};
use crate::resolve::Case;
use crate::settings::given_size;

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
    /// The encoder that makes the published archive's bytes of the rebuilt content, where one was found.
    pub(crate) gzip_encoder: Option<&'static str>,
    /// The failure of the plan whose result counts.
    pub(crate) failure: Option<Failure>,
    /// All plans, in words.
    pub(crate) tried: Vec<Tried>,
    /// What comparing took.
    pub(crate) compare_seconds: f64,
}

/// A result, with how close it came: smaller is closer.
struct Candidate {
    distance: usize,
    plan: BuildPlan,
    executed: Executed,
    comparison: Option<Match>,
}

/// What plans with all steps of the source made of the published paths.
#[derive(Default)]
struct Fuller {
    built: bool,
    /// Files that run and came out otherwise than they were published.
    written: BTreeSet<EntryPath>,
}

impl Fuller {
    fn learn(&mut self, comparison: &Comparison) {
        self.built = true;
        if let Comparison::Different { differences, .. } = comparison {
            let runs = |class: Class| {
                matches!(
                    class,
                    Class::Startup | Class::InstallScript | Class::Native | Class::Executable
                )
            };
            // A version written at another moment, for example, is no other program.
            let other = differences.iter().filter(|difference| {
                difference.change == Change::Changed
                    && runs(difference.class)
                    && difference.explanation.is_none()
            });
            self.written
                .extend(other.map(|difference| difference.path.clone()));
        }
    }

    /// Why the match of a plan that leaves out steps proves nothing: committed build results would vouch for
    /// themselves.
    fn objects(&self, survey: &Survey, located: &Located) -> Option<String> {
        if !self.built {
            return Some(
                "it leaves out steps that the source names, and with them nothing was built"
                    .to_owned(),
            );
        }
        let folder = located.found.pin.subdirectory.as_ref();
        survey
            .entries
            .iter()
            .filter(|entry| self.written.contains(&entry.path))
            .find(|entry| {
                let path = SourceTree::path_in(folder, entry.path.as_str());
                located
                    .found
                    .tree
                    .entries
                    .get(path.as_str())
                    .is_some_and(|found| found.blob == entry.blob)
            })
            .map(|entry| {
                format!(
                    "`{}` is as it was committed, and the steps of the source that it leaves out make something else of it",
                    entry.path
                )
            })
    }
}

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
    let mut failed_installs: Vec<Install> = Vec::new();
    let mut fuller = Fuller::default();
    let mut queue: VecDeque<BuildPlan> = plans.iter().cloned().collect();
    while let Some(plan) = queue.pop_front() {
        let built = best.as_ref().is_some_and(|best| best.comparison.is_some());
        if plan.worth == Worth::WhenNothingBuilt && built {
            continue;
        }
        let install = Install::of(&plan);
        if failed_installs.contains(&install) {
            tried.push(Tried {
                variant: plan.variant.clone(),
                result: "not tried: it installs what could not be installed".to_owned(),
            });
            continue;
        }
        let stage = progress.begin("build", &plan.variant);
        let executed = builder
            .execute(&plan, &located.found, Some(withheld(case)), &stage)
            .await?;
        let commands = count_words(executed.record.commands.len(), "command");
        let (mut distance, mut words, mut comparison) = match &executed.outcome {
            BuildOutcome::Failed(failure) => (usize::MAX, failure_words(failure), None),
            BuildOutcome::Built(artifact) => {
                let (compared, seconds) = compare(case, artifact).await?;
                compare_seconds += seconds;
                match compared {
                    Ok(matched) => (
                        distance(&matched.comparison),
                        comparison_words(&matched.comparison, matched.files),
                        Some(matched),
                    ),
                    Err(why) => (usize::MAX - 1, why, None),
                }
            }
        };
        if let Some(Match {
            comparison: found, ..
        }) = &comparison
        {
            if plan.worth != Worth::Shortcut {
                fuller.learn(found);
            } else if distance <= 1
                && let Some(why) = fuller.objects(survey, located)
            {
                words = format!("{words}; not taken: {why}");
                (distance, comparison) = (usize::MAX, None);
            }
        }
        stage.end(&format!("{}: {words} ({commands})", plan.variant));
        tried.push(Tried {
            variant: plan.variant.clone(),
            result: words,
        });
        if let BuildOutcome::Failed(failure) = &executed.outcome
            && failure.phase == Some(Phase::Install)
        {
            failed_installs.push(install);
            if let Lock::AsOf { time: Some(_) } = plan.lock {
                // A registry's times can be those of a mirror: what was there on that day seems not to have been.
                queue.iter_mut().for_each(as_of_today);
                let mut again = plan.clone();
                as_of_today(&mut again);
                queue.push_front(again);
            }
        }
        let stop = distance <= 1 || is_hopeless(&executed.outcome);
        if best.as_ref().is_none_or(|best| distance < best.distance) {
            best = Some(Candidate {
                distance,
                plan: plan.clone(),
                executed,
                comparison,
            });
        }
        if stop {
            break;
        }
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

/// All that decides how installing goes.
#[derive(PartialEq)]
struct Install {
    tools: Vec<Tool>,
    steps: Vec<Step>,
    edits: Vec<Edit>,
    lock: Lock,
}

impl Install {
    fn of(plan: &BuildPlan) -> Self {
        Self {
            tools: plan.tools.clone(),
            steps: plan
                .steps
                .iter()
                .take_while(|step| step.phase == Phase::Install)
                .cloned()
                .collect(),
            edits: plan.edits.clone(),
            lock: plan.lock.clone(),
        }
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
            result: ResultEvidence::NotCompared {
                reason: InconclusiveReason::Unsupported,
                detail: "no way to build this project is known".to_owned(),
            },
            rebuilt_anomalies: Vec::new(),
            files: None,
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
    let gzip_encoder = best
        .comparison
        .as_ref()
        .and_then(|matched| matched.gzip_encoder);
    let (result, rebuilt_anomalies, files) = match (best.comparison, &failure) {
        (Some(matched), _) => (
            ResultEvidence::Compared {
                basis,
                comparison: matched.comparison,
            },
            matched.anomalies,
            Some(matched.files),
        ),
        (None, Some(failure)) => (not_built(failure), Vec::new(), None),
        (None, None) => (
            ResultEvidence::NotCompared {
                reason: InconclusiveReason::Malformed,
                detail: tried
                    .last()
                    .map(|tried| tried.result.clone())
                    .unwrap_or_default(),
            },
            Vec::new(),
            None,
        ),
    };
    Attempted {
        plan: Some(best.plan),
        executed: Some(best.executed),
        result,
        rebuilt_anomalies,
        files,
        gzip_encoder,
        failure,
        tried,
        compare_seconds,
    }
}

fn withheld(case: &Case) -> Withheld {
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
    gzip_encoder: Option<&'static str>,
}

async fn compare(case: &Case, rebuilt: &Artifact<Rebuilt>) -> anyhow::Result<(Compared, f64)> {
    let started = std::time::Instant::now();
    let (published, rebuilt) = (case.artifact.clone(), rebuilt.clone());
    let compared = tokio::task::spawn_blocking(move || open::compare(&published, &rebuilt)).await?;
    let seconds = started.elapsed().as_secs_f64();
    match compared {
        Ok(compared) => Ok((
            Ok(Match {
                comparison: compared.comparison,
                anomalies: compared.rebuilt_anomalies,
                files: (compared.entries.equal, compared.entries.published),
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

fn not_built(failure: &Failure) -> ResultEvidence {
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
    ResultEvidence::NotCompared {
        reason,
        detail: failure_words(failure),
    }
}

/// One sentence on why a build made nothing.
fn failure_words(failure: &Failure) -> String {
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
