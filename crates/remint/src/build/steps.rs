//! Runs the steps of a plan in order, each in a sandbox of its own.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use remint_ecosystem::golang;
use remint_fetch::{ProvidedTool, Proxy, Withheld};
use remint_model::{
    Action, BuildPlan, BuildRecord, CommitId, Failure, FailureReason, Lock, OnFailure, Phase, Step,
};
use remint_sandbox::{Access, Bind, Command, Ending, Finished, Layer, Limits, Network};

use super::snapshot::{self, Snapshot};
use super::{Builder, Conditions, DirectoryOrder, Workspace, attempts, environment};
use crate::cli::{BuildNetwork, IsolationLevel};
use crate::progress::Stage;
use crate::room::{self, Shortage};

/// The longest list of requirements that a build may ask for, in bytes.
const LONGEST_LIST: u64 = 64 << 10;
/// Bytes of log kept for one step.
const LOG: u64 = 8 << 20;

/// One execution of a plan.
pub(super) struct Run<'a> {
    pub(super) builder: &'a Builder,
    pub(super) plan: &'a BuildPlan,
    pub(super) tools: &'a [ProvidedTool],
    pub(super) workspace: &'a Workspace,
    pub(super) proxy: Option<Arc<Proxy>>,
    pub(super) commit: &'a CommitId,
    /// What the proxy gives to no step.
    pub(super) withheld: Option<&'a Withheld>,
    pub(super) commit_time: i64,
}

impl Run<'_> {
    /// Runs every step. The inner result is the build's answer, the outer one whether this machine could ask.
    pub(super) async fn all(
        &self,
        record: &mut BuildRecord,
        stage: &Stage<'_>,
    ) -> anyhow::Result<Result<(), Failure>> {
        let deadline = Instant::now() + self.builder.settings.limits.deadline;
        let installs = self
            .plan
            .steps
            .iter()
            .take_while(|step| step.phase == Phase::Install)
            .count();
        let home = snapshot::home(self);
        let mut snapshot = match &home {
            Some(home) => Snapshot::find(home)?,
            None => None,
        };
        if let Some(snapshot) = &snapshot {
            record.snapshot = true;
            record.fetched.clone_from(&snapshot.made.fetched);
            record.commands.clone_from(&snapshot.made.commands);
        }
        let mut foreign_code_ran = false;
        let mut lower = None;

        for (at, step) in self.plan.steps.iter().enumerate() {
            if at < installs && record.snapshot {
                continue;
            }
            if step.phase == Phase::Install && foreign_code_ran {
                self.workspace.renew_home(true)?;
                foreign_code_ran = false;
            }
            let argv = match self.argv(step)? {
                Ok(Some(argv)) => argv,
                Ok(None) => continue,
                Err(failure) => return Ok(Err(failure)),
            };
            let shown = shown(&argv);
            record.commands.push(shown.clone());
            stage.doing(&format!("{}: {shown}", step.phase.name()));
            if step.phase != Phase::Install && lower.is_none() {
                lower = self.lower_layer()?;
            }
            let lowers: Vec<PathBuf> = snapshot
                .iter()
                .map(|snapshot| snapshot.directory.clone())
                .chain(lower.clone())
                .collect();
            let left = deadline.saturating_duration_since(Instant::now());
            let finished = self.step(step, &argv, lowers, left).await?;
            *record.seconds.entry(step.phase.name()).or_default() += finished.elapsed.as_secs_f64();
            for attempt in attempts(step.phase, &finished.network_attempts) {
                if !record.attempts.contains(&attempt) {
                    record.attempts.push(attempt);
                }
            }
            foreign_code_ran |= step.phase != Phase::Install;
            match finished.ending {
                Ending::Cancelled => anyhow::bail!(crate::interrupt::Interrupted),
                Ending::MemoryShort => anyhow::bail!(Shortage::Memory { step: shown }),
                Ending::DiskShort => anyhow::bail!(Shortage::of_disk(&self.workspace.tree())),
                Ending::Exited(_)
                | Ending::Signalled(_)
                | Ending::DeadlinePassed
                | Ending::MemoryExceeded
                | Ending::DiskExceeded => {}
            }
            // A program can be too quick for whoever watches the disk.
            if !finished.ending.is_success()
                && room::may_have_failed_for_want_of_it(&self.workspace.tree())
            {
                anyhow::bail!(Shortage::of_disk(&self.workspace.tree()));
            }
            if !finished.ending.is_success() {
                match step.on_failure {
                    OnFailure::Ends => return Ok(Err(self.failure(step, shown, &finished))),
                    OnFailure::GoesOn => {}
                    OnFailure::GoesOnInDoubt => {
                        if !finished.network_attempts.is_empty() {
                            record.cut_off_commands.push(shown.clone());
                        }
                        record.failed_commands.push(shown);
                    }
                }
            }
            if at + 1 == installs
                && snapshot.is_none()
                && let Some(home) = &home
            {
                snapshot = snapshot::keep(self, home, record)?;
            }
        }
        Ok(Ok(()))
    }

    /// What the step runs; `None` when there is nothing to do.
    fn argv(&self, step: &Step) -> anyhow::Result<Result<Option<Vec<String>>, Failure>> {
        match &step.action {
            Action::Run { argv } => Ok(Ok(Some(argv.clone()))),
            Action::InstallListed { list, argv } => {
                let refused = |why: String| Failure {
                    step: format!("install what the build backend asks for in {list}"),
                    phase: Some(step.phase),
                    reason: FailureReason::Refused(why),
                    log_tail: String::new(),
                };
                let text = match self.read_list(list)? {
                    Ok(text) => text,
                    Err(why) => return Ok(Err(refused(why))),
                };
                match remint_ecosystem::pypi::locate::plain_requirements(&text) {
                    Ok(requirements) if requirements.is_empty() => Ok(Ok(None)),
                    Ok(requirements) => {
                        let mut argv = argv.clone();
                        argv.extend(requirements);
                        Ok(Ok(Some(argv)))
                    }
                    Err(why) => Ok(Err(refused(why))),
                }
            }
        }
    }

    /// Reads a file that foreign code wrote: only below the output directory, only a regular file, bounded.
    fn read_list(&self, list: &str) -> anyhow::Result<Result<String, String>> {
        let Some(name) = list
            .strip_prefix("/out/")
            .filter(|name| !name.is_empty() && !name.contains('/'))
        else {
            return Ok(Err(format!("`{list}` is not directly below /out")));
        };
        let path = self.workspace.out().join(name);
        match fs_err::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() && metadata.len() <= LONGEST_LIST => {}
            Ok(_) => return Ok(Err("it is no small regular file".to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Err("the backend's hook wrote none".to_owned()));
            }
            Err(error) => return Err(error.into()),
        }
        let mut text = String::new();
        let read = fs_err::File::open(&path)?
            .take(LONGEST_LIST)
            .read_to_string(&mut text);
        Ok(read.map(|_| text).map_err(|_| "it is not UTF-8".to_owned()))
    }

    /// What of the tree is to show through from below, so that directories list it first.
    fn lower_layer(&self) -> anyhow::Result<Option<PathBuf>> {
        match self.builder.conditions.directory_order {
            DirectoryOrder::AsItIs => Ok(None),
            DirectoryOrder::LaterFirst => self.workspace.split_tree().map(Some),
        }
    }

    async fn step(
        &self,
        step: &Step,
        argv: &[String],
        lowers: Vec<PathBuf>,
        left: Duration,
    ) -> anyhow::Result<Finished> {
        let settings = &self.builder.settings;
        let install = step.phase == Phase::Install;
        let usual = Conditions::default();
        let conditions = if install {
            &usual
        } else {
            &self.builder.conditions
        };
        let proxy = self
            .proxy
            .as_ref()
            .filter(|_| install || settings.build_network == BuildNetwork::Registries);
        let mut command = Command::new(conditions.words(argv), self.workspace.owner());
        command.surroundings = conditions.surroundings.clone();
        command.directory = match &step.directory {
            Some(directory) => Path::new(&self.plan.build_path).join(directory.as_str()),
            None => PathBuf::from(&self.plan.build_path),
        };
        command.environment = environment::variables(
            self.plan,
            step,
            self.tools,
            self.commit_time,
            proxy.is_some(),
            conditions,
        );
        if settings.isolation == IsolationLevel::Landlock {
            // The machine's own configuration is there and cannot be read, which OpenSSL takes for an error.
            command
                .environment
                .insert("OPENSSL_CONF".into(), "/dev/null".into());
        }
        command.files = environment::files(proxy.map(|proxy| proxy.ca_pem()), conditions);
        command.network = if proxy.is_some() {
            Network::Proxy
        } else {
            Network::None
        };
        command.isolation = environment::isolation(settings);
        command.limits = Limits {
            deadline: left,
            memory: settings.limits.memory,
            disk: settings.limits.disk,
            log: LOG,
            ..Limits::default()
        };
        let build_path = PathBuf::from(&self.plan.build_path);
        let bind = |host: PathBuf, inside: &Path, access| Bind {
            host,
            inside: inside.to_owned(),
            access,
        };
        if lowers.is_empty() {
            command
                .binds
                .push(bind(self.workspace.tree(), &build_path, Access::Writable));
        } else {
            command.layers.push(Layer {
                inside: build_path,
                lowers,
                upper: self.workspace.tree(),
                work: self.workspace.overlay_work(),
            });
        }
        let (environment_access, out_access) = if install {
            (Access::Writable, Access::ReadOnly)
        } else {
            (Access::ReadOnly, Access::Writable)
        };
        command.binds.push(bind(
            self.workspace.environment(),
            Path::new("/env"),
            environment_access,
        ));
        command
            .binds
            .push(bind(self.workspace.out(), Path::new("/out"), out_access));
        command.binds.push(bind(
            self.workspace.home(install),
            Path::new(&conditions.surroundings.home),
            Access::Writable,
        ));
        if let Lock::Modules(_) = &self.plan.lock {
            command.binds.push(bind(
                self.workspace.modules(),
                Path::new(golang::MODULES),
                Access::ReadOnly,
            ));
        }
        for tool in self.tools {
            command.binds.push(bind(
                tool.host.clone(),
                Path::new(&tool.inside),
                Access::ReadOnly,
            ));
        }

        let log = self.workspace.log();
        let cancel = Arc::clone(&self.builder.cancel);
        let proxy = proxy.cloned();
        let finished = tokio::task::spawn_blocking(move || {
            let mut log = std::io::BufWriter::new(
                fs_err::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(log)?,
            );
            let mut served = Ok(());
            let finished = remint_sandbox::run(&command, &mut log, &cancel, |listener| {
                if let Some(proxy) = &proxy {
                    served = proxy.serve(listener);
                }
            });
            if let Some(proxy) = proxy {
                // Without namespaces the whole machine could go on using it.
                proxy.stop_listening();
            }
            let finished = finished?;
            served?;
            anyhow::Ok(finished)
        })
        .await
        .context("the sandbox's thread ended unexpectedly")??;
        Ok(finished)
    }

    fn failure(&self, step: &Step, shown: String, finished: &Finished) -> Failure {
        let settings = &self.builder.settings.limits;
        let asked_outside = step.phase != Phase::Install && !finished.network_attempts.is_empty();
        let reason = match finished.ending {
            Ending::Exited(_) if asked_outside => FailureReason::NeedsNetwork,
            Ending::Exited(code) => FailureReason::ExitCode(code),
            Ending::Signalled(signal) => FailureReason::Signal(signal),
            Ending::DeadlinePassed => FailureReason::Deadline(settings.deadline.as_secs()),
            Ending::MemoryExceeded => FailureReason::Memory(settings.memory),
            Ending::DiskExceeded => FailureReason::Disk(settings.disk),
            Ending::MemoryShort | Ending::DiskShort | Ending::Cancelled => FailureReason::Signal(2),
        };
        Failure {
            step: shown,
            phase: Some(step.phase),
            reason,
            log_tail: printable(&finished.log_tail),
        }
    }
}

/// A command for a log or a report: quoted where needed, long scripts cut.
fn shown(argv: &[String]) -> String {
    let words: Vec<String> = argv
        .iter()
        .map(|word| {
            let short: String = word.chars().take(200).collect();
            let plain = !short.is_empty()
                && short
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_./:=@+,%^~".contains(c));
            if word.chars().count() > 200 || word.contains('\n') {
                "'…'".to_owned()
            } else if plain {
                short
            } else {
                format!("'{}'", short.replace('\'', r"'\''"))
            }
        })
        .collect();
    words.join(" ")
}

/// A log's end without control sequences, which could repaint the reader's terminal.
fn printable(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let mut clean = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\u{1b}' => {
                // A control sequence ends with a letter (ECMA-48, section 5.4).
                if characters.next_if_eq(&'[').is_some() {
                    while characters.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                    characters.next();
                }
            }
            '\n' | '\t' => clean.push(c),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    clean
}

/// What a step's variables are, for the key of a snapshot.
pub(super) fn step_inputs(steps: &[Step]) -> Vec<(String, BTreeMap<String, String>)> {
    steps
        .iter()
        .map(|step| {
            let action = match &step.action {
                Action::Run { argv } => argv.join("\0"),
                Action::InstallListed { list, argv } => format!("{list}\0{}", argv.join("\0")),
            };
            let directory = step
                .directory
                .as_ref()
                .map_or("", |directory| directory.as_str());
            (format!("{directory}\0{action}"), step.environment.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_cannot_repaint_the_terminal() {
        assert_eq!(
            printable(b"\x1b[31mred\x1b[0m\r\nplain\x07\x1b]0;title\x07"),
            "red\nplain]0;title"
        );
    }

    #[test]
    fn commands_are_shown_as_one_would_type_them() {
        let argv = ["npm", "run", "build it"].map(str::to_owned);
        assert_eq!(shown(&argv), "npm run 'build it'");
        assert_eq!(
            shown(&["python".to_owned(), "-c".to_owned(), "a\nb".to_owned()]),
            "python -c '…'"
        );
    }
}
