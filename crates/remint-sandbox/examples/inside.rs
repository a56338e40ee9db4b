//! `cargo run --example inside -- [HOST:INSIDE]… -- PROGRAM [ARGUMENT…]`: runs a command in the sandbox, with host
//! directories bound read-only, and shows what came of it.
#![expect(clippy::print_stderr, reason = "an example talks to whoever runs it")]

use std::sync::atomic::AtomicBool;

use remint_sandbox::{Access, Bind, Command, Owner, SandboxError, become_helper_if_asked, run};

fn main() -> Result<(), SandboxError> {
    become_helper_if_asked();
    let mut words = std::env::args().skip(1);
    let binds: Vec<String> = words.by_ref().take_while(|word| word != "--").collect();
    let mut command = Command::new(words, Owner::of_this_process()?);
    for bind in &binds {
        if let Some((host, inside)) = bind.split_once(':') {
            command.binds.push(Bind {
                host: host.into(),
                inside: inside.into(),
                access: Access::ReadOnly,
            });
        }
    }
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
