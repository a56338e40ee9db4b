//! `cargo run --example probe`: what this machine can do.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use remint_sandbox::MemoryLimit;

fn main() {
    remint_sandbox::become_helper_if_asked();
    let probe = remint_sandbox::probe();
    let memory = match probe.memory {
        MemoryLimit::ControlGroup => "counted by the kernel",
        MemoryLimit::Watch => "watched",
    };
    let landlock = probe
        .landlock
        .map_or("no".to_owned(), |version| version.to_string());
    println!(
        "kernel {}, landlock {landlock}, memory {memory}",
        probe.kernel
    );
    match probe.namespaces {
        Ok(()) => println!("namespaces work"),
        Err(error) => {
            println!("failed to {error}");
            if let Some(hint) = error.hint() {
                println!("hint: {hint}");
            }
        }
    }
}
