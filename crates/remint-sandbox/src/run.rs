//! The caller's side: starts the helper, collects output and reports, and stops everything in time.

use std::io::{Seek as _, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;

use crate::command::{Command, Isolation, PROXY_ADDRESS};
use crate::error::SandboxError;
use crate::finished::{Ending, Finished, NetworkAttempt};
use crate::log::{CappedLog, LogSummary};
use crate::restrictions;
use crate::translation::Translated;
use crate::wire::{HELPER_NAME, Orders, REPORT_SIZE, Report};

/// How often is looked whether the command has to stop.
const GLANCE: Duration = Duration::from_millis(50);
/// How long the helper may take to end everything, once told.
const GRACE: Duration = Duration::from_secs(5);

/// Runs the command, and returns when nothing of it is left.
///
/// Its output goes to `log` as it comes, cut in the middle when there is too much. When `cancel` becomes true it is
/// stopped. With [`crate::Network::Proxy`], `on_listener` gets the socket on which the command's connections to
/// [`crate::PROXY_ADDRESS`] arrive; whatever accepts on it belongs to the caller.
///
/// Call it from a thread that lives at least as long: the kernel ends the sandbox with the thread that started it.
///
/// # Errors
///
/// When the sandbox could not be made or the log not be written. What the command does is in [`Finished`].
pub fn run(
    command: &Command,
    log: &mut dyn Write,
    cancel: &AtomicBool,
    on_listener: impl FnOnce(TcpListener),
) -> Result<Finished, SandboxError> {
    run_reading(command, None, log, cancel, on_listener)
}

/// The same for a command without a network that reads its standard input, from this descriptor, instead of finding
/// it at its end. Whoever holds the other end can talk with the command through it and the log.
///
/// # Errors
///
/// As for [`run`].
pub fn run_with_input(
    command: &Command,
    input: OwnedFd,
    log: &mut dyn Write,
    cancel: &AtomicBool,
) -> Result<Finished, SandboxError> {
    run_reading(command, Some(input), log, cancel, drop)
}

fn run_reading(
    command: &Command,
    input: Option<OwnedFd>,
    log: &mut dyn Write,
    cancel: &AtomicBool,
    on_listener: impl FnOnce(TcpListener),
) -> Result<Finished, SandboxError> {
    command.check()?;
    let started = Instant::now();
    let mut in_place = match command.isolation {
        Isolation::Namespaces => None,
        Isolation::Landlock => Some(Translated::new(command)?),
    };
    // Made here where there are no namespaces in which the helper could make it.
    let mut own_listener = in_place
        .as_mut()
        .and_then(|translated| translated.listener.take());
    let proxy_port = match &own_listener {
        Some(listener) => crate::translation::port_of(listener)?,
        None => PROXY_ADDRESS.port(),
    };
    let command = in_place
        .as_ref()
        .map_or(command, |translated| &translated.command);
    let mut helper = Helper::start(command, proxy_port, input)?;
    let mut log = CappedLog::new(log, command.limits.log);
    let mut record = Record::default();
    let mut on_listener = Some(on_listener);
    let mut stopped: Option<(Ending, Instant)> = None;
    let mut is_log_open = true;
    let mut is_helper_there = true;
    let mut helper_gone_since = None;

    while is_helper_there || is_log_open {
        let (log_ready, report_ready) = helper.wait(is_log_open, is_helper_there)?;
        if log_ready {
            is_log_open = helper.read_log(&mut log)?;
        }
        if report_ready {
            match helper.read_report()? {
                Some((Report::Started, listener)) => {
                    let listener = listener.map(TcpListener::from).or(own_listener.take());
                    if let (Some(listener), Some(on_listener)) = (listener, on_listener.take()) {
                        on_listener(listener);
                    }
                }
                Some((report, _)) => record.add(report),
                None => {
                    is_helper_there = false;
                    helper_gone_since = Some(Instant::now());
                }
            }
        }
        // Without namespaces a process may have escaped the helper that holds on to the log.
        if helper_gone_since.is_some_and(|since: Instant| since.elapsed() > GRACE) {
            break;
        }
        match stopped {
            None => {
                let reason = if cancel.load(Ordering::Relaxed) {
                    Some(Ending::Cancelled)
                } else if started.elapsed() >= command.limits.deadline {
                    Some(Ending::DeadlinePassed)
                } else {
                    None
                };
                if let Some(reason) = reason {
                    helper.ask_to_stop();
                    stopped = Some((reason, Instant::now()));
                }
            }
            Some((_, since)) if since.elapsed() > GRACE => helper.kill(),
            Some(_) => {}
        }
    }
    let status = helper.bury()?;
    let LogSummary { total, tail } = log.finish().map_err(SandboxError::Log)?;
    if let Some(failure) = record.failure {
        return Err(failure);
    }
    // A command that ended by itself just before it was told to has still ended by itself.
    let ending = record.ending.or(stopped.map(|(reason, _)| reason));
    let ending = ending.ok_or_else(|| SandboxError::HelperLost {
        status: status.to_string(),
    })?;
    Ok(Finished {
        ending,
        network_attempts: record.attempts,
        network_attempts_unlisted: record.unlisted,
        log_tail: tail,
        log_bytes: total,
        elapsed: started.elapsed(),
        peak_memory: record.peak_memory,
        isolation: command.isolation,
    })
}

/// What the helper has told.
#[derive(Default)]
struct Record {
    ending: Option<Ending>,
    attempts: Vec<NetworkAttempt>,
    unlisted: u64,
    peak_memory: u64,
    failure: Option<SandboxError>,
}

impl Record {
    fn add(&mut self, report: Report) {
        match report {
            Report::Started => {}
            Report::Attempt(attempt) => {
                let known = self.attempts.iter_mut().find(|known| {
                    known.destination == attempt.destination && known.protocol == attempt.protocol
                });
                match known {
                    Some(known) => known.count = attempt.count,
                    None => self.attempts.push(attempt),
                }
            }
            Report::Unlisted(count) => self.unlisted = count,
            Report::Exited(code) => self.end(Ending::Exited(code)),
            Report::Signalled(signal) => self.end(Ending::Signalled(signal)),
            Report::MemoryExceeded => self.end(Ending::MemoryExceeded),
            Report::DiskExceeded => self.end(Ending::DiskExceeded),
            Report::MemoryShort => self.end(Ending::MemoryShort),
            Report::DiskShort => self.end(Ending::DiskShort),
            Report::PeakMemory(bytes) => self.peak_memory = bytes,
            Report::Failed { step, path, errno } => {
                let error = std::io::Error::from_raw_os_error(errno);
                let failure = restrictions::explain(step, path.map(PathBuf::from), error);
                self.failure.get_or_insert(failure);
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }
}

/// The running helper. Dropping it leaves nothing behind.
struct Helper {
    process: Child,
    reports: OwnedFd,
    log: OwnedFd,
}

impl Helper {
    fn start(
        command: &Command,
        proxy_port: u16,
        input: Option<OwnedFd>,
    ) -> Result<Self, SandboxError> {
        let failed = |step: &'static str| {
            move |source: std::io::Error| SandboxError::Setup {
                step: step.to_owned(),
                path: None,
                source,
            }
        };
        let caller = rustix::process::getpid().as_raw_pid();
        let mut orders = Orders::new(command, proxy_port, caller);
        orders.reads_input = input.is_some();
        let orders = orders_file(&orders).map_err(failed("write the helper's orders"))?;
        let (reports, their_reports) =
            crate::channel::pair().map_err(failed("open a channel to the helper"))?;
        let (log, their_log) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)
            .map_err(|error| failed("open a pipe for the log")(error.into()))?;
        if let Some(input) = input {
            // It waits there until the helper has read its orders.
            crate::channel::send(reports.as_fd(), b"i", Some(input.as_fd()))
                .map_err(failed("hand over the command's input"))?;
        }
        let mut program = helper_program();
        let spawned = program
            .stdin(Stdio::from(orders))
            .stdout(Stdio::from(their_reports))
            .stderr(Stdio::from(their_log))
            .spawn();
        // It holds the other ends of what is read here.
        drop(program);
        let process = spawned.map_err(failed("start the helper"))?;
        Ok(Self {
            process,
            reports,
            log,
        })
    }

    /// Until there is something to read of what is still open, or a moment has passed.
    fn wait(&self, log: bool, reports: bool) -> Result<(bool, bool), SandboxError> {
        let watched = [(&self.log, log), (&self.reports, reports)];
        // What is closed at the other end would be reported again and again.
        let mut polled: Vec<PollFd<'_>> = watched
            .iter()
            .filter(|(_, is_open)| *is_open)
            .map(|(descriptor, _)| PollFd::new(*descriptor, PollFlags::IN))
            .collect();
        let timeout = Timespec::try_from(GLANCE).ok();
        match rustix::event::poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                return Err(SandboxError::Setup {
                    step: "watch the helper".to_owned(),
                    path: None,
                    source: error.into(),
                });
            }
        }
        let mut ready = polled.iter().map(|polled| !polled.revents().is_empty());
        let mut is_ready = |is_open: bool| is_open && ready.next().unwrap_or(false);
        Ok((is_ready(log), is_ready(reports)))
    }

    /// False when nobody can write any more.
    fn read_log(&self, log: &mut CappedLog<'_>) -> Result<bool, SandboxError> {
        let mut buffer = [0; 64 << 10];
        match rustix::io::read(&self.log, &mut buffer) {
            Ok(0) => Ok(false),
            Ok(length) => {
                log.push(buffer.get(..length).unwrap_or_default())
                    .map_err(SandboxError::Log)?;
                Ok(true)
            }
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(error) => Err(SandboxError::Log(error.into())),
        }
    }

    fn read_report(&self) -> Result<Option<(Report, Option<OwnedFd>)>, SandboxError> {
        let mut buffer = [0; REPORT_SIZE];
        let lost = |status: String| SandboxError::HelperLost { status };
        let (length, descriptor) = match crate::channel::receive(self.reports.as_fd(), &mut buffer)
        {
            Ok(received) => received,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(None),
            Err(error) => return Err(lost(error.to_string())),
        };
        if length == 0 {
            return Ok(None);
        }
        let report = buffer.get(..length).and_then(Report::decode);
        report
            .map(|report| Some((report, descriptor)))
            .ok_or_else(|| lost("it sent an unknown report".to_owned()))
    }

    fn ask_to_stop(&self) {
        // If it is gone already, so is everything else.
        let _gone = rustix::net::shutdown(&self.reports, rustix::net::Shutdown::Write);
    }

    fn kill(&mut self) {
        let _gone = self.process.kill();
    }

    fn bury(&mut self) -> Result<std::process::ExitStatus, SandboxError> {
        self.process
            .wait()
            .map_err(|error| SandboxError::HelperLost {
                status: error.to_string(),
            })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Asked, it ends everything; killed, it takes with it what the kernel ties to it.
        self.ask_to_stop();
        let asked = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && asked.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.kill();
        let _reaped = self.process.wait();
        // Process 1 holds the other end as long as it lives.
        let mut rest = [0; REPORT_SIZE];
        while matches!(
            crate::channel::receive(self.reports.as_fd(), &mut rest),
            Ok((1.., _))
        ) {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where sandboxed commands start"
)]
fn helper_program() -> std::process::Command {
    let mut program = std::process::Command::new("/proc/self/exe");
    program
        .arg0(HELPER_NAME)
        .env_clear()
        .current_dir("/")
        .process_group(0);
    program
}

/// A file without a name, in memory.
fn orders_file(orders: &Orders) -> std::io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("remint-orders", MemfdFlags::CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    orders.write(&mut file)?;
    file.rewind()?;
    Ok(file.into())
}
