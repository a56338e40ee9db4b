//! `remint completions`.

use clap::CommandFactory as _;

use crate::cli::{Cli, Completions};
use crate::exit::Exit;

/// Writes the script to standard output.
pub(crate) fn run(arguments: &Completions) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "remint", &mut script);
    crate::terminal::answer(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Verified)
}
