//! `cargo run --example probe`: what this machine can do.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

fn main() {
    remint_sandbox::become_helper_if_asked();
    let probe = remint_sandbox::probe();
    println!("kernel {}", probe.kernel);
    for (level, tried) in [
        ("namespaces", probe.namespaces),
        ("landlock", probe.landlock),
    ] {
        match tried {
            Ok(()) => println!("{level} can be had"),
            Err(error) => {
                println!("{level}: failed to {error}");
                if let Some(hint) = error.hint() {
                    println!("hint: {hint}");
                }
            }
        }
    }
}
