//! The `remint` command.

mod as_committed;
mod asked;
mod attempts;
mod attestations;
mod build;
mod bundle;
mod cache_limit;
mod cli;
mod commands;
mod comparison;
mod delivery;
#[cfg(test)]
mod documented;
mod evidence;
mod exit;
mod failed_installs;
mod failure;
mod image;
mod interrupt;
mod keep;
mod keys;
mod locate;
mod lookup;
mod module;
mod open;
mod pipeline;
mod planning;
mod progress;
mod provenance;
mod python_syntax;
mod release;
mod report;
mod resolve;
mod room;
mod roots;
mod sdist;
mod settings;
mod signing;
mod source_tree;
mod terminal;
mod unfetched;
mod vouching;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::cli::{Cli, ColorChoice, Command};
use crate::exit::Exit;
use crate::settings::{Settings, Surroundings};

/// How long work that was interrupted gets to end.
const LINGER: Duration = Duration::from_secs(2);
/// How long a removal that has begun gets to end: an installed tree can be a hundred thousand files.
const REMOVAL: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    // Before anything else: this process may be the sandbox's own helper, or watch over git.
    remint_sandbox::become_helper_if_asked();
    if let Some(code) = remint_fetch::git::become_warden_if_asked() {
        return code;
    }
    let exit = match run() {
        Ok(exit) => exit,
        Err(error) => {
            failure::tell(&error);
            failure::exit(&error)
        }
    };
    ExitCode::from(exit.code())
}

fn run() -> anyhow::Result<Exit> {
    let cli = Cli::parse();
    let surroundings = Surroundings::read()?;
    let unusable = |error: anyhow::Error| {
        error.context(failure::Usage("the settings cannot be used".to_owned()))
    };
    match surroundings.color(&cli.global).map_err(unusable)? {
        ColorChoice::Auto => {}
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
    }
    let settings = |build, report| {
        Settings::resolve(&surroundings, &cli.global, build, report).map_err(unusable)
    };
    match &cli.command {
        Command::VerifyBuild(arguments) => {
            let settings = settings(Some(&arguments.build), Some(&arguments.report))?;
            wait_for(commands::verify_build::run(arguments, settings))
        }
        Command::Attest(arguments) => {
            let report = cli::ReportOptions {
                format: arguments.format,
                output: None,
            };
            let settings = settings(Some(&arguments.build), Some(&report))?;
            wait_for(commands::attest::run(arguments, settings))
        }
        Command::VerifyAttestation(arguments) => {
            let settings = settings(None, None)?;
            commands::verify_attestation::run(arguments, &settings)
        }
        Command::Compare(arguments) => {
            let settings = settings(None, None)?;
            wait_for(commands::compare::run(arguments, settings))
        }
        Command::Trust(arguments) => {
            let settings = settings(None, None)?;
            wait_for(commands::trust::run(&arguments.action, &settings))
        }
        Command::Key(arguments) => {
            let settings = settings(None, None)?;
            commands::key::run(&arguments.action, &settings)
        }
        Command::Log(arguments) => commands::log::run(&arguments.action),
        Command::SignRelease(arguments) => {
            let settings = settings(Some(&arguments.build), None)?;
            wait_for(commands::sign_release::run(arguments, settings))
        }
        Command::Demo(arguments) => {
            let settings = settings(None, Some(&arguments.report))?;
            wait_for(commands::demo::run(settings))
        }
        Command::Doctor(arguments) => {
            let settings = settings(None, Some(&arguments.report))?;
            wait_for(commands::doctor::run(&settings))
        }
        Command::Explain(arguments) => commands::explain::run(arguments),
        Command::Cache(arguments) => {
            let settings = settings(None, None)?;
            commands::cache::run(&arguments.action, &settings)
        }
        Command::Completions(arguments) => commands::completions::run(arguments),
        Command::Conformance(arguments) => commands::conformance::run(&arguments.action),
    }
}

/// Runs a command that waits for others. Those that do not are spared the threads.
fn wait_for(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let ended = runtime.block_on(command);
    // After an interruption some work may still be going on that cannot be told to stop.
    runtime.shutdown_timeout(LINGER);
    if build::removals_end_within(REMOVAL) {
        return ended;
    }
    match ended {
        Err(error) if error.is::<interrupt::Interrupted>() => Err(interrupt::StillRemoving.into()),
        ended => {
            terminal::tell(interrupt::LEFT);
            ended
        }
    }
}
