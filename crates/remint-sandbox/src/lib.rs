//! Runs one command in isolation: in fresh namespaces, with nothing of the machine but its programs, watched for
//! what it asks of the network, and stopped when it uses too much.
//!
//! It does not know what a build is, serves no registry (it hands out the socket on which a proxy can), and keeps
//! nothing between two commands: what shall last lies in directories of the host that the caller passes again.
#![cfg_attr(
    target_os = "linux",
    expect(
        unsafe_code,
        reason = "forking, and system calls that no library wraps"
    )
)]

mod command;
mod error;
mod finished;
mod obstacle;
mod owner;
mod probe;
mod room;

#[cfg(target_os = "linux")]
mod channel;
#[cfg(target_os = "linux")]
mod check;
#[cfg(all(fuzzing, target_os = "linux"))]
pub mod fuzzing;
#[cfg(target_os = "linux")]
mod helper;
#[cfg(target_os = "linux")]
mod log;
#[cfg(target_os = "linux")]
mod restrictions;
#[cfg(target_os = "linux")]
mod run;
#[cfg(target_os = "linux")]
mod translation;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(not(target_os = "linux"))]
mod unsupported;

pub use command::{
    Access, Bind, Command, GeneratedFile, Isolation, Layer, Limits, Network, PROXY_ADDRESS,
    Surroundings, base_environment,
};
pub use error::SandboxError;
pub use finished::{Ending, Finished, NetworkAttempt, Protocol};
pub use obstacle::Obstacle;
pub use owner::{Owner, remove_tree};
pub use probe::{Probe, probe, try_isolation};
pub use room::{DISK_RESERVE, free_memory, free_space};

#[cfg(target_os = "linux")]
pub use helper::become_helper_if_asked;
#[cfg(target_os = "linux")]
pub use run::{run, run_with_input};
#[cfg(not(target_os = "linux"))]
pub use unsupported::{become_helper_if_asked, run, run_with_input};
