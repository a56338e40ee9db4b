//! Whole-program tests: through the binary, and over the workspace itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod attest;
mod cli;
mod client_config;
mod conformance;
#[cfg(target_os = "linux")]
mod elsewhere;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod interrupted;
mod judges;
mod lookup;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod no_namespaces;
mod npm;
mod person;
mod provenance;
mod pypi;
mod registry;
mod sarif;
mod served;
#[cfg(target_os = "linux")]
mod sign_release;
mod tamper;
mod tidy;
mod world;
