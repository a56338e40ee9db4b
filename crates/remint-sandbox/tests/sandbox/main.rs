//! The sandbox at work: as the user who runs this, and, when that is root, as an ordinary user too.
//!
//! This program plays every part: the harness outside, the sandbox's helper, and the attacker inside, which refuses
//! to attack unless it is certain to be there.
#![cfg_attr(
    target_os = "linux",
    expect(
        clippy::print_stdout,
        clippy::unwrap_used,
        clippy::panic,
        clippy::disallowed_methods,
        unsafe_code,
        reason = "a test harness prints, and a test that cannot go on panics"
    )
)]

#[cfg(target_os = "linux")]
mod attacker;
#[cfg(target_os = "linux")]
mod attacks;
#[cfg(target_os = "linux")]
mod behaviour;
#[cfg(target_os = "linux")]
mod escape;
#[cfg(target_os = "linux")]
mod ground;
#[cfg(target_os = "linux")]
mod harness;
#[cfg(target_os = "linux")]
mod in_place;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod observed;
#[cfg(target_os = "linux")]
mod system_calls;
#[cfg(target_os = "linux")]
mod trees;

/// Makes this program a caller of the sandbox that waits to be killed.
#[cfg(target_os = "linux")]
pub(crate) const BE_KILLED: &str = "be-killed";

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    remint_sandbox::become_helper_if_asked();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, attack)) if first == attacker::MARK => attacker::main(attack),
        Some((first, _)) if first == BE_KILLED => {
            limits::be_killed();
            std::process::ExitCode::SUCCESS
        }
        _ => harness::main(
            &arguments,
            &[
                behaviour::CASES,
                escape::CASES,
                in_place::CASES,
                limits::CASES,
                observed::CASES,
                trees::CASES,
            ]
            .concat(),
        ),
    }
}
