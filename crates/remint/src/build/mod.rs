//! Executes a build plan: tools provisioned, source laid out, each step in a fresh sandbox with the rights of
//! its phase, everything that happened written down.
//!
//! It decides nothing: what is to be done stands in the plan, and what came of it is judged elsewhere.

mod artifact;
mod conditions;
mod environment;
mod go_program;
mod go_toolchain;
mod modules;
mod snapshot;
mod steps;
mod turns;
mod workspace;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::future::join_all;
use remint_ecosystem::Platform;
use remint_fetch::source::FoundSource;
use remint_fetch::{
    FetchError, ProvidedTool, Proxy, ProxyRules, Registries, Tokens, ToolStore, Withheld,
};
use remint_model::{
    Assumption, BuildOutcome, BuildPlan, BuildRecord, Failure, FailureReason, GoBuildInfo,
    InconclusiveReason, Lock, NetworkAttempt, Phase, Tool, ToolOrigin,
};

use crate::cli::BuildNetwork;
use crate::interrupt::Interrupted;
use crate::locate;
use crate::progress::Stage;
use crate::room::{self, Shortage};
use crate::settings::Settings;
use crate::unfetched::{self, Unfetched};

pub(crate) use conditions::{Conditions, DirectoryOrder};
pub(crate) use environment::isolation;
pub(crate) use workspace::{Scratch, Workspace, removals_end_within};

/// What every build of a run shares.
#[derive(Clone)]
pub(crate) struct Builder {
    pub(crate) settings: Arc<Settings>,
    pub(crate) registries: Arc<Registries>,
    pub(crate) tools: Arc<ToolStore>,
    pub(crate) platform: Platform,
    pub(crate) cancel: Arc<AtomicBool>,
    /// What builds find around them.
    conditions: Conditions,
    /// Set once it is known that builds can be isolated as the settings ask.
    isolation_tried: Arc<tokio::sync::OnceCell<()>>,
    turns: Arc<turns::Turns>,
}

/// What came of a plan, and what happened on the way.
pub(crate) struct Executed {
    pub(crate) outcome: BuildOutcome,
    pub(crate) record: BuildRecord,
    pub(crate) consumed_published: bool,
    /// Addresses of what it was to fetch and registries no longer have.
    pub(crate) gone: Vec<String>,
    /// What a program of Go that was built says of itself.
    pub(crate) program: Option<GoBuildInfo>,
    /// Holds the rebuilt file and the log; both are gone when it is dropped.
    pub(crate) workspace: Workspace,
}

impl Executed {
    /// A build that ended before its first step.
    const fn unbuilt(failure: Failure, record: BuildRecord, workspace: Workspace) -> Self {
        Self {
            outcome: BuildOutcome::Failed(failure),
            record,
            consumed_published: false,
            gone: Vec::new(),
            program: None,
            workspace,
        }
    }
}

impl Builder {
    /// Gets ready: reads the user's configuration and looks for interpreters.
    ///
    /// # Errors
    /// The configuration cannot be used, or caches cannot be made or swept.
    pub(crate) fn new(settings: Settings, cancel: Arc<AtomicBool>) -> anyhow::Result<Self> {
        // First of all: what killed runs left may be what fills the disk.
        Workspace::sweep(&settings.user.cache)?;
        remint_fetch::git::sweep(&settings.user.cache)?;
        let registries = Arc::new(Registries::new(&settings.user)?);
        Ok(Self {
            tools: Arc::new(ToolStore::new(Arc::clone(&registries))),
            registries,
            platform: remint_fetch::platform(),
            settings: Arc::new(settings),
            cancel,
            conditions: Conditions::default(),
            isolation_tried: Arc::default(),
            turns: Arc::default(),
        })
    }

    /// The same, for builds under other conditions.
    pub(crate) fn under(&self, conditions: Conditions) -> Self {
        Self {
            conditions,
            ..self.clone()
        }
    }

    /// Whether a build can be run here at all, found out by trying, once.
    async fn try_isolation(&self) -> anyhow::Result<()> {
        let level = isolation(&self.settings);
        let place = self.scratch()?;
        let attempt = || async move {
            let attempt = move || remint_sandbox::try_isolation(level, place.path());
            anyhow::Ok(tokio::task::spawn_blocking(attempt).await??)
        };
        self.isolation_tried.get_or_try_init(attempt).await?;
        Ok(())
    }

    /// A directory for what is not kept.
    pub(crate) fn scratch(&self) -> anyhow::Result<Scratch> {
        Scratch::create(&self.settings.user.cache)
    }

    /// The newest Python interpreter of this machine.
    pub(crate) fn newest_python(&self) -> Option<PathBuf> {
        let newest = self.registries.interpreters().first()?;
        Some(newest.path.clone())
    }

    /// Makes a tool available, and says what has to be assumed with it.
    async fn provide(&self, tool: &Tool) -> Result<(ProvidedTool, Option<Assumption>), FetchError> {
        match &tool.origin {
            ToolOrigin::GoToolchain => go_toolchain::provide(self, tool).await,
            ToolOrigin::Npm { .. } | ToolOrigin::Pypi { .. } | ToolOrigin::System => {
                let provided = self.tools.provide(tool, self.platform).await?;
                Ok((provided, None))
            }
        }
    }

    /// Executes a plan.
    ///
    /// # Errors
    /// This machine could not do it: no isolation, no room, broken caches. A build that fails is no error.
    pub(crate) async fn execute(
        &self,
        plan: &BuildPlan,
        source: &FoundSource,
        withheld: Option<Withheld>,
        stage: &Stage<'_>,
    ) -> anyhow::Result<Executed> {
        let placed = self.conditions.place(plan);
        let plan = placed.as_ref().unwrap_or(plan);
        let Some(_turn) = self
            .turns
            .take(self.settings.limits.memory, &self.cancel, || {
                stage.doing("waiting for memory that other builds have");
            })
            .await
        else {
            anyhow::bail!(Interrupted);
        };
        // Both before anything is fetched for a build that could not be run.
        self.try_isolation().await?;
        room::look(&self.settings.user.cache)?;
        let workspace = Workspace::create(&self.settings.user.cache)?;
        let mut record = BuildRecord {
            isolation: isolation(&self.settings).to_string(),
            assumptions: environment::assumptions(plan, &self.settings, &workspace.tree()),
            ..BuildRecord::default()
        };

        // Side by side: neither needs the other.
        stage.doing("fetching tools, laying out the source");
        let tree = workspace.tree();
        let checkout = source.checkout.clone();
        let shape = plan.clone_shape;
        let target = tree.clone();
        let laying_out = tokio::task::spawn_blocking(move || checkout.materialise(shape, &target));
        let mut tools: Vec<ProvidedTool> = Vec::new();
        let provided = plan.tools.iter().map(|tool| self.provide(tool));
        let (provided, laid_out) = tokio::join!(join_all(provided), laying_out);
        for (tool, provided) in plan.tools.iter().zip(provided) {
            match provided {
                Ok((provided, assumption)) => {
                    record.assumptions.extend(assumption);
                    record
                        .toolchain
                        .insert(provided.name.clone(), provided.version.clone());
                    tools.push(provided);
                }
                Err(error) if error.is_machine_fault() => return Err(error.into()),
                Err(error) => {
                    let failure = without_tool(tool, &error);
                    return Ok(Executed::unbuilt(failure, record, workspace));
                }
            }
        }

        match laid_out? {
            Ok(laid_out) => {
                record.gaps = laid_out.gaps;
                record.unlisted = laid_out.unlisted;
            }
            Err(error) if error.is_machine_fault() => return Err(error.into()),
            Err(error) => {
                let failure = Failure {
                    step: "lay out the source".to_owned(),
                    phase: None,
                    reason: FailureReason::Source(locate::reason(&error), chain(&error)),
                    log_tail: String::new(),
                };
                return Ok(Executed::unbuilt(failure, record, workspace));
            }
        }
        let mut absent = Vec::new();
        if let Lock::Modules(lock) = &plan.lock {
            let laid_out = match modules::lay_out(self, lock, &workspace.modules(), stage).await? {
                Ok(laid_out) => laid_out,
                Err(failure) => return Ok(Executed::unbuilt(failure, record, workspace)),
            };
            record.fetched.extend(laid_out.fetched);
            absent = laid_out.absent;
            if lock.with_own
                && let Some(target) = withheld.as_ref().map(|withheld| &withheld.target)
                && let Err(failure) =
                    modules::add_own(source, target, &workspace.tree(), &workspace.modules())?
            {
                return Ok(Executed::unbuilt(failure, record, workspace));
            }
        }
        if let Err(failure) = workspace.apply_edits(&plan.edits)? {
            return Ok(Executed::unbuilt(failure, record, workspace));
        }
        workspace.end_lines_with_crlf(&plan.crlf)?;
        workspace.hand_over()?;

        let registries_while_building = self.settings.build_network == BuildNetwork::Registries;
        let needs_none = matches!(plan.lock, Lock::Nothing | Lock::Modules(_));
        let proxy = if needs_none && !registries_while_building {
            None
        } else {
            let rules = ProxyRules {
                lock: &plan.lock,
                withheld: withheld.clone(),
                // Foreign code that reaches the proxy must not act in the user's name.
                tokens: if registries_while_building {
                    Tokens::Never
                } else {
                    Tokens::AsConfigured
                },
                budget: self.settings.limits.downloads,
            };
            Some(Arc::new(Proxy::start(
                Arc::clone(&self.registries),
                &rules,
            )?))
        };

        let run = steps::Run {
            builder: self,
            plan,
            tools: &tools,
            workspace: &workspace,
            proxy: proxy.clone(),
            commit: &source.pin.commit,
            withheld: withheld.as_ref(),
            commit_time: source.pin.commit_time,
        };
        let ended = run.all(&mut record, stage).await?;

        let served = proxy.map(|proxy| proxy.record());
        if let Some(served) = &served {
            if let Some(fault) = &served.machine_fault {
                if room::may_have_failed_for_want_of_it(&workspace.tree()) {
                    anyhow::bail!(Shortage::of_disk(&workspace.tree()));
                }
                anyhow::bail!("cannot serve the build: {fault}");
            }
            record.fetched.extend(served.fetched.iter().cloned());
            record.refused.clone_from(&served.refused);
        }
        record.log = workspace.log_digest()?;
        let mut outcome = match ended {
            Ok(()) => artifact::collect(&workspace, &plan.output)?,
            Err(mut failure) => {
                if let Some(served) = &served {
                    explain_with_registry(&mut failure, served);
                }
                if let (FailureReason::ExitCode(_), Some(url)) = (&failure.reason, absent.first()) {
                    failure.reason = FailureReason::DependencyGone(url.clone());
                }
                BuildOutcome::Failed(failure)
            }
        };
        let mut program = None;
        if let BuildOutcome::Built(artifact) = &outcome {
            let modules = workspace.modules();
            match go_program::examine(plan, source, &modules, artifact, &mut record)? {
                Ok(said) => program = said,
                Err(failure) => outcome = BuildOutcome::Failed(failure),
            }
        }
        Ok(Executed {
            outcome,
            record,
            consumed_published: served
                .as_ref()
                .is_some_and(|served| served.consumed_published),
            gone: served.map_or_else(Vec::new, |served| served.gone),
            program,
            workspace,
        })
    }
}

/// What is told of a build whose tool cannot be had.
fn without_tool(tool: &Tool, error: &FetchError) -> Failure {
    let wanted = tool.version.as_deref().unwrap_or("any version");
    let what = format!("{} {wanted}", tool.name);
    let detail = format!("{what}: {}", chain(error));
    Failure {
        step: format!("provide {what}"),
        phase: None,
        reason: match unfetched::sort(error) {
            Unfetched::Because(InconclusiveReason::Unavailable) => {
                FailureReason::RegistryUnavailable(detail)
            }
            Unfetched::Because(_) | Unfetched::Machine => FailureReason::ToolUnavailable(detail),
        },
        log_tail: String::new(),
    }
}

/// An install that failed because a registry had no answer is told as such, not as an exit code.
fn explain_with_registry(failure: &mut Failure, served: &remint_fetch::ProxyRecord) {
    if !matches!(failure.reason, FailureReason::ExitCode(_)) {
        return;
    }
    if let Some(budget) = served.over_budget {
        failure.reason = FailureReason::Downloads(budget);
    } else if let Some(url) = served.unavailable.first() {
        // Before what is gone: with an answer, the install might have got on without that.
        failure.reason = FailureReason::RegistryUnavailable(url.clone());
    } else if let Some(url) = served.gone.first() {
        failure.reason = FailureReason::DependencyGone(url.clone());
    }
}

/// An error with its causes, for a person.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// What the sandbox saw of the network in one step, in the words of the model.
fn attempts(
    phase: Phase,
    seen: &[remint_sandbox::NetworkAttempt],
) -> impl Iterator<Item = NetworkAttempt> {
    seen.iter().map(move |attempt| NetworkAttempt {
        phase,
        destination: attempt.destination.clone(),
        protocol: attempt.protocol.to_string(),
    })
}
