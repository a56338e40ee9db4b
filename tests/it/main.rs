//! Whole-program tests: through the binary, and over the workspace itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod attest;
mod bundles;
mod cargo;
mod cli;
mod client_config;
mod compare;
mod compared_images;
mod conformance;
#[cfg(target_os = "linux")]
mod elsewhere;
#[cfg(target_os = "linux")]
mod full_disk;
mod go_programs;
mod golang;
mod images;
#[cfg(target_os = "linux")]
mod in_a_workflow;
#[cfg(target_os = "linux")]
mod interrupted;
mod intoto;
mod judges;
mod keyless;
mod layout;
mod lookup;
#[cfg(target_os = "linux")]
mod machine;
mod native;
#[cfg(target_os = "linux")]
mod no_namespaces;
mod npm;
mod own_attestations;
mod packed_bundle;
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

// The services that keyless signing is tested with, beside the library that signs.
#[expect(dead_code, reason = "the library's own tests use the rest")]
#[path = "../../crates/remint-attest/tests/keyless/world.rs"]
mod services;
#[path = "../../crates/remint-attest/tests/keyless/tiles.rs"]
mod tiles;
#[expect(dead_code, reason = "as above")]
#[path = "../../crates/remint-attest/tests/keyless/tools.rs"]
mod tools;
#[path = "../../crates/remint-attest/tests/keyless/watchdog.rs"]
mod watchdog;
