//! `cargo run --example probe`: what this machine can do.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

fn main() {
    remint_sandbox::become_helper_if_asked();
    let probe = remint_sandbox::probe();
    let landlock = probe
        .landlock
        .map_or("no".to_owned(), |version| version.to_string());
    println!("kernel {}, landlock {landlock}", probe.kernel);
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
