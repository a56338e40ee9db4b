//! `cargo run --example inside -- PROGRAM [ARGUMENT…]`: runs a command in the sandbox and shows what came of it.
#![expect(clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::sync::atomic::AtomicBool;

use remint_sandbox::{Command, Owner, SandboxError, become_helper_if_asked, run};

fn main() -> Result<(), SandboxError> {
    become_helper_if_asked();
    let mut command = Command::new(std::env::args_os().skip(1), Owner::of_this_process()?);
    command.directory = "/".into();
    let finished = run(
        &command,
        &mut std::io::stdout(),
        &AtomicBool::new(false),
        |_| (),
    )?;
    eprintln!(
        "it {} after {} ms, with {} bytes of memory and {} bytes of output",
        finished.ending,
        finished.elapsed.as_millis(),
        finished.peak_memory,
        finished.log_bytes
    );
    for attempt in &finished.network_attempts {
        eprintln!(
            "asked for {} {} ({} times)",
            attempt.protocol, attempt.destination, attempt.count
        );
    }
    Ok(())
}
